//! What the spanning tree does to the bridge.
//!
//! `stp` says what comes of a BPDU, a leg or a moment; here that is done: legs change their state, stations are
//! forgotten or age faster, BPDUs go to the outbox. The host has no part in it: no loop leads through it.

use super::deliver::LegState;
use super::fdb::Fdb;
use super::group::tell;
use super::multicast::Multicast;
use super::stp::{Effect, PortState, Stp};
use super::{Bridge, Event, Outbox, Plane, StpLegSummary, StpSummary};
use crate::frame::{LegIndex, Passage};
use crate::time::Time;
use crate::verdict::LegSet;
use crate::wire::bpdu::{BPDU_FRAME_MAX, Bpdu};

impl Bridge {
    /// The spanning tree as a whole.
    pub fn tree(&self, now: Time) -> StpSummary {
        self.plane.tree.summary(now)
    }

    /// A leg's part in it; `None` for the host.
    pub fn tree_leg(&self, leg: LegIndex) -> Option<StpLegSummary> {
        self.plane.tree.leg_summary(leg)
    }
}

impl Plane {
    /// A BPDU has come in that was found to be one.
    #[cold]
    pub(super) fn hear_bpdu(&mut self, leg: LegIndex, frame: &Passage<'_>, now: Time, out: &mut Outbox) {
        if let Some(bpdu) = read_bpdu(frame) {
            self.grow(now, out, |tree, effects| {
                tree.receive(leg, &bpdu, now, &mut |effect| effects.take(effect))
            });
        }
    }

    /// Lets the tree work, and does what comes of it.
    pub(super) fn grow(
        &mut self,
        now: Time,
        out: &mut Outbox,
        work: impl FnOnce(&mut Stp, &mut Effects<'_>),
    ) {
        self.passes.forget();
        let group = self.own_group();
        let Self { config, fdb, tree, multicast, legs, .. } = self;
        let (ageing, fdb_max) = (config.ageing, config.fdb_max);
        let flush = LegSet::EMPTY;
        let mut effects = Effects { ageing, fdb_max, group, fdb, multicast, legs, flush, now, out };
        work(tree, &mut effects);
        effects.finish();
    }
}

/// The BPDU in a frame, if it is one.
pub(super) fn read_bpdu(frame: &Passage<'_>) -> Option<Bpdu> {
    if frame.edit.is_none() {
        return Bpdu::parse(frame.bytes).ok();
    }
    // a tag has been taken off on the way here
    let (head, len) = frame.edit.head(frame.bytes);
    let mut whole = [0; BPDU_FRAME_MAX];
    let tail = frame.bytes.get(frame.edit.tail()..)?;
    let len_tail = tail.len().min(BPDU_FRAME_MAX.saturating_sub(len));
    whole.get_mut(..len)?.copy_from_slice(head.get(..len)?);
    whole.get_mut(len..len + len_tail)?.copy_from_slice(&tail[..len_tail]);
    Bpdu::parse(&whole[..len + len_tail]).ok()
}

/// What the effects of the tree have an effect on.
pub(super) struct Effects<'a> {
    ageing: std::time::Duration,
    fdb_max: u32,
    /// The last digit of the group that BPDUs are for (B39).
    group: u8,
    fdb: &'a mut Fdb,
    multicast: &'a mut Multicast,
    legs: &'a mut [Option<LegState>],
    /// Whose stations are to be forgotten: all at once, since a neighbour can say that of every leg in one message.
    flush: LegSet,
    now: Time,
    out: &'a mut Outbox,
}

impl Effects<'_> {
    pub(super) fn take(&mut self, effect: Effect<'_>) {
        match effect {
            Effect::Ageing(hurried) => {
                // what has expired by now must not come back when the hurry is over
                let out = &mut *self.out;
                self.fdb.sweep(self.now, usize::MAX, |sighting| out.tell(Event::Forgotten(sighting)));
                self.fdb.configure(hurried.unwrap_or(self.ageing), self.fdb_max);
            }
            Effect::Flush(leg) => self.flush(leg),
            Effect::Guarded(leg) => self.out.tell(Event::BpduGuard(leg)),
            Effect::NewRoot(root) => self.out.tell(Event::NewRoot(root)),
            Effect::Send(leg, frame) => self.send(leg, frame),
            Effect::State(leg, state) => self.set_state(leg, state),
            Effect::TopologyChange => self.out.tell(Event::TopologyChange),
        }
    }

    /// Not for a leg that is down while another stands in for it (B30), and not where nothing was learned.
    fn flush(&mut self, leg: LegIndex) {
        let state = self.legs.get(usize::from(leg.0)).and_then(Option::as_ref);
        let backed_up = state.is_some_and(|state| !state.up && state.backup.is_some());
        if !backed_up && self.fdb.has_learned_at(leg) {
            self.flush.insert(leg);
        }
    }

    fn finish(self) {
        let Self { flush, fdb, out, .. } = self;
        if flush.is_empty() {
            return;
        }
        fdb.retain(|sighting| {
            let stays = !flush.contains(sighting.leg) || !sighting.kind.ages();
            if !stays {
                out.tell(Event::Forgotten(sighting));
            }
            stays
        });
    }

    fn send(&mut self, leg: LegIndex, frame: &[u8]) {
        let mut own = [0; BPDU_FRAME_MAX];
        let Some(own) = own.get_mut(..frame.len()) else { return };
        own.copy_from_slice(frame);
        own[5] = self.group;
        self.out.send(leg, own);
    }

    fn set_state(&mut self, leg: LegIndex, state: PortState) {
        if let Some(place) = self.legs.get_mut(usize::from(leg.0)).and_then(Option::as_mut)
            && place.tree != state
        {
            let before = std::mem::replace(&mut place.tree, state);
            self.out.tell(Event::State(leg, state));
            // who is behind a disabled leg is no member (B78)
            if place.up && (before == PortState::Disabled) != (state == PortState::Disabled) {
                let (up, out) = (state != PortState::Disabled, &mut *self.out);
                self.multicast.set_up(leg, up, self.now, &mut |effect| tell(out, effect));
            }
        }
    }
}
