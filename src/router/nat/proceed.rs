//! Packets of flows that go where the one before went: nothing is found out about them but whether they fit.
//!
//! [`Nat::judge`] and [`Nat::commit`] in one, for the packets that most are. Whoever asks knows where they go: [`Nat::pursue`] finds
//! the flow of a packet and asks him; [`Nat::proceed`] has a [`Recipe`] for it, in which his answer is kept. Both do all that
//! is to be done or nothing.

use super::judgement::State;
use super::plain::{Key, Plain};
use super::recipe::{Patch, Recipe};
use super::rewrite::Ends;
use super::sessions::{Session, Slot};
use super::tcp::Outcome;
use super::track::{Segment, Track};
use super::tuple::{Address, Direction, Tuple};
use super::{Nat, towards};
use crate::router::lanes::LaneId;
use crate::router::neighbour::Held;
use crate::time::Time;
use crate::wire::packet::Packet;

/// A packet of a session, to whoever knows lanes.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it is to its flow.
    pub state: State,
    /// The lane of its session and direction.
    pub lane: LaneId,
    /// Whom it is for, translated.
    pub to: Address,
    tuple: Tuple,
    at: (Slot, Direction),
    ends: Ends,
}

impl Step {
    /// What the packet is to become.
    #[inline]
    pub fn ends(&self) -> &Ends {
        &self.ends
    }
}

impl Nat {
    /// Follows a session by one more packet, if that is of one, fits it, and is let in by `ahead`, which is told of it. What it is
    /// to become, and what `ahead` said; `None` with nothing changed if it is to be [judged](Nat::judge).
    #[inline]
    pub fn pursue<T>(
        &mut self,
        packet: &Packet<'_>,
        partial: bool,
        now: Time,
        ahead: impl FnOnce(&Step) -> Option<T>,
    ) -> Option<(Step, T)> {
        let tuple = Tuple::of(packet)?;
        let at @ (slot, direction) = self.sessions.look(&tuple, now)?;
        let session = self.sessions.session(slot);
        let ends = towards(session, direction);
        let (state, lane) = (session.state(direction), session.lanes[direction as usize]);
        let to = ends.destination.unwrap_or(tuple.destination);
        let step = Step { state, lane, to, tuple, at, ends };
        let said = ahead(&step)?;
        let segment = Segment::read(packet, partial, &self.settings).ok()?;
        let (track, outcome) = self.follow(tuple.protocol, &segment, at, now);
        let Outcome::Accept { timeout, assured } = outcome else { return None };
        self.go_on(at, Some(&track), timeout, assured, packet.len as u64, now);
        Some((step, said))
    }

    /// Keeps what was found out about a packet, for those that follow it and are plain. `neighbour` is whom they are handed to.
    #[inline]
    pub fn keep(&mut self, step: &Step, neighbour: Held) {
        if let Some(key) = Key::of(&step.tuple)
            && self.sessions.wants_recipe(&key)
            && let Some(patch) = Patch::of(&step.tuple, &step.ends)
        {
            self.sessions.keep_recipe(Recipe::new(step.at, key, patch, step.lane, neighbour));
        }
    }

    /// What is to become of a packet, if that was kept of one before.
    #[inline]
    pub fn recipe(&self, packet: &Plain<'_>) -> Option<Recipe> {
        self.sessions.recipe(&packet.key).copied()
    }

    /// Follows the session of a recipe by one more packet, which has it, if it fits the session and is in that state; `None`
    /// with nothing changed if not.
    #[inline]
    pub fn proceed(&mut self, recipe: &Recipe, state: State, packet: &Plain<'_>, now: Time) -> Option<()> {
        let at @ (slot, direction) = recipe.place();
        let session = self.sessions.session(slot);
        debug_assert!(is_of(recipe, session, direction), "a recipe goes with its session: {recipe:?}");
        let goes_on = session.expires > now
            && session.lanes[direction as usize] == recipe.lane
            && session.state(direction) == state;
        if !goes_on {
            return None;
        }
        let bytes = packet.bytes.len() as u64;
        match packet.segment(&self.settings).ok()? {
            segment @ Segment::Tcp(_) => {
                let (track, outcome) = self.follow(packet.protocol(), &segment, at, now);
                let Outcome::Accept { timeout, assured } = outcome else { return None };
                self.go_on(at, Some(&track), timeout, assured, bytes, now);
            }
            _ => {
                let age = now - session.since;
                let (timeout, assured) =
                    Track::streams(packet.protocol(), session.replied, age, &self.settings);
                self.go_on(at, None, Some(timeout), assured, bytes, now);
            }
        }
        Some(())
    }
}

/// Whether a recipe says what follows from that session.
fn is_of(recipe: &Recipe, session: &Session, direction: Direction) -> bool {
    let tuple = &session.tuples[direction as usize];
    session.used
        && Key::of(tuple) == Some(recipe.key)
        && Patch::of(tuple, &towards(session, direction)) == Some(recipe.patch)
}
