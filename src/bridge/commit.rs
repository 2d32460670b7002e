//! What a frame leaves behind in the bridge.
//!
//! Deciding only looks; what is to be remembered of the frame is put into [`Marks`], and written down here, at once and
//! with nothing in between.

use super::fdb::Sight;
use super::guard::flap::Flap;
use super::guard::storm::Charge;
use super::vlan::Inside;
use super::{Bridge, Event, Outbox, Plane, Sighting, StationKind, VID_NONE, multicast, neighbour};
use crate::frame::{LegIndex, Passage};
use crate::time::Time;

/// What is to be written down of a frame.
#[derive(Debug)]
pub(super) struct Marks<'a> {
    /// What the source's sight means to the table; nothing if it does not teach.
    pub(super) sight: Option<Sight>,
    /// How a source stands in the table that was not known before.
    pub(super) kind: StationKind,
    /// It is a message of the spanning tree.
    pub(super) bpdu: bool,
    /// What the leg owes for it, where floods are limited.
    pub(super) charge: Option<Charge>,
    /// What it means that the source moved.
    pub(super) flap: Flap,
    /// What it says of groups.
    pub(super) message: Option<multicast::Judgement<'a>>,
    /// What it says of neighbours.
    pub(super) talk: Option<neighbour::Judgement>,
}

impl Default for Marks<'_> {
    fn default() -> Self {
        Self {
            sight: None,
            kind: StationKind::Learned,
            bpdu: false,
            charge: None,
            flap: Flap::Ignore,
            message: None,
            talk: None,
        }
    }
}

#[cfg(debug_assertions)]
impl Marks<'_> {
    /// Whether nothing but a sight is to be written down.
    pub(super) fn is_of_sight_only(&self) -> bool {
        let Self { sight: _, kind, bpdu, charge, flap, message, talk } = self;
        let says_nothing = charge.is_none() && message.is_none() && talk.is_none();
        *kind == StationKind::Learned && !bpdu && *flap == Flap::Ignore && says_nothing
    }
}

impl Bridge {
    #[inline(always)]
    pub(super) fn commit(
        &mut self,
        leg: LegIndex,
        inside: Option<&Inside>,
        passage: &Passage<'_>,
        marks: &Marks<'_>,
        now: Time,
        out: &mut Outbox,
    ) {
        if let Some(sight) = marks.sight {
            let gone = |expired| out.tell(Event::Forgotten(expired));
            self.plane.fdb.commit(sight, leg, marks.kind, now, gone);
            self.counters.sighted(sight);
            if !matches!(sight, Sight::Refresh(_)) {
                tell_sight(sight, sighting(leg, inside, passage, marks), out);
            }
        }
        if marks.flap != Flap::Ignore {
            self.plane.note_flap(marks.flap, sighting(leg, inside, passage, marks), now, out);
        }
        if let Some(charge) = marks.charge
            && let Some(state) = self.plane.legs.get_mut(usize::from(leg.0)).and_then(Option::as_mut)
        {
            state.storm.commit(charge);
        }
        if marks.bpdu {
            self.plane.hear_bpdu(leg, passage, now, out);
        }
        if let Some(message) = &marks.message {
            let vid = inside.map_or(VID_NONE, |inside| inside.tag.vid());
            self.plane.hear_message(leg, vid, passage.headers.src, message, now, out);
        }
        if let Some(talk) = &marks.talk {
            self.plane.hear_talk(leg, inside, talk, now, out);
        }
    }
}

impl Plane {
    /// A station moved, perhaps once too often.
    #[cold]
    fn note_flap(&mut self, flap: Flap, sighting: Sighting, now: Time, out: &mut Outbox) {
        self.flaps.commit(flap);
        let Flap::Alarm { leg, until, .. } = flap else { return };
        out.tell(Event::Quarantined(sighting));
        if let Some(state) = self.legs.get_mut(usize::from(leg.0)).and_then(Option::as_mut)
            && until > now
        {
            state.silenced_until = until;
            self.passes.forget();
        }
    }
}

fn sighting(leg: LegIndex, inside: Option<&Inside>, passage: &Passage<'_>, marks: &Marks<'_>) -> Sighting {
    let vid = inside.map_or(VID_NONE, |inside| inside.tag.vid());
    Sighting { mac: passage.headers.src, vid, leg, kind: marks.kind }
}

/// Somebody new, or somewhere else.
#[cold]
fn tell_sight(sight: Sight, sighting: Sighting, out: &mut Outbox) {
    match sight {
        Sight::Move(_, before) => {
            out.tell(Event::Moved(Sighting { leg: before, ..sighting }, sighting.leg));
        }
        Sight::New(_) => out.tell(Event::Learned(sighting)),
        Sight::Full | Sight::Own | Sight::Refresh(_) | Sight::Stuck(_) => {}
    }
}
