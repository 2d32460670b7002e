//! The way of a frame about which there is nothing to ask: between stations that are where they were, through legs that want
//! nothing special.
//!
//! `admit`, `route` and `deliver` ask everything that can be asked of a frame. The answers to most of it follow from how a leg is
//! set, not from the frame; they are kept as a [`Pass`] for each leg, made anew when a leg or the bridge has changed. What depends
//! on the frame is looked at here: who it is from, whom it is for, how long it is. [`Bridge::shortcut`] does all that is to be
//! done for such a frame, or nothing: whatever it meets that is not of the ordinary, it returns before anything has changed,
//! and the frame is decided on as any other.
//!
//! It never drops, floods, learns anybody new, moves or mirrors. With debug assertions, which is how tests run, every frame
//! that goes this way is decided on as well, and the two are compared.

use super::deliver::{LegState, MTU_SLACK};
use super::{Bridge, Neighbourly, Plane, Promiscuous, StationKind, VID_NONE};
use crate::frame::{Headers, LegIndex, Passage};
use crate::table::Slot;
use crate::time::Time;

/// What every ordinary frame may do at a leg; nothing, unless it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pass {
    flags: u8,
    /// Bytes behind the Ethernet header that may leave (B47).
    payload_max: u32,
}

impl Pass {
    /// Frames may come in from stations that are known there.
    const ENTERS: u8 = 1;
    /// Frames for stations that are known there may leave.
    const LEAVES: u8 = 2;
    /// It is the host.
    const HOST: u8 = 4;
    /// Not everything may pass from it to another such leg.
    const APART: u8 = 8;

    #[inline]
    const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn of(leg: &LegState, icc: bool) -> Self {
        let config = &leg.config;
        let is_apart = !leg.is_host() && (config.isolated || !icc);
        let is_heard = leg.silenced_until == Time::ZERO && config.learning && !config.locked;
        let (enters, leaves) = match leg.is_host() {
            true => (leg.up, leg.up),
            false => {
                let forwards = leg.up && leg.is_forwarding();
                let is_free = is_heard && leg.guard.is_empty();
                (forwards && is_free, forwards && config.promiscuous != Promiscuous::Deny)
            }
        };
        let given = [
            (enters, Self::ENTERS),
            (leaves, Self::LEAVES),
            (leg.is_host(), Self::HOST),
            (is_apart, Self::APART),
        ];
        let flags = given.into_iter().filter(|(is, _)| *is).fold(0, |flags, (_, flag)| flags | flag);
        Self { flags, payload_max: config.mtu.saturating_add(MTU_SLACK) }
    }
}

/// Of which frames there is nothing to ask.
#[derive(Debug, Default)]
pub(super) struct Passes {
    /// By [`LegIndex`]; of use only while `known`.
    legs: Vec<Pass>,
    known: bool,
}

impl Passes {
    /// There are that many legs.
    pub(super) fn make_room(&mut self, legs: usize) {
        self.legs.reserve(legs.saturating_sub(self.legs.len()));
    }

    /// A leg or the bridge has changed.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.known = false;
    }

    #[inline]
    fn of(&self, leg: LegIndex) -> Option<Pass> {
        self.legs.get(usize::from(leg.0)).copied()
    }
}

impl Bridge {
    /// The leg that an ordinary frame leaves through, for which everything has been done; `None`, with nothing changed, if
    /// [`Bridge::forward`] is to be asked. An answer means one copy, not edited.
    #[inline]
    pub fn shortcut(&mut self, leg: LegIndex, passage: &Passage<'_>, now: Time) -> Option<LegIndex> {
        let Self { plane, counters, .. } = self;
        let (to, source) = plane.pass(leg, passage.headers, now)?;
        #[cfg(debug_assertions)]
        plane.assert_same(leg, passage, now, (to, source));
        if let Some(slot) = source {
            plane.fdb.refresh(slot, now);
        }
        counters.received += 1;
        counters.forwarded += 1;
        Some(to)
    }
}

impl Plane {
    /// Where an ordinary frame goes, and the entry of its source, which is to be refreshed.
    #[inline]
    pub(super) fn pass(&mut self, leg: LegIndex, h: &Headers, now: Time) -> Option<(LegIndex, Option<Slot>)> {
        if !self.passes.known {
            self.know_passes();
        }
        let from = self.passes.of(leg).filter(|from| from.has(Pass::ENTERS) && !h.dst.is_group())?;
        let source = match from.has(Pass::HOST) {
            true => None,
            false => {
                let (slot, place) = self.fdb.recall(VID_NONE, h.src, now)?;
                if place.leg != leg || place.kind == StationKind::Local {
                    return None;
                }
                Some(slot)
            }
        };
        let (_, place) = self.fdb.recall(VID_NONE, h.dst, now)?;
        let to = self.passes.of(place.leg).filter(|to| to.has(Pass::LEAVES) && place.leg != leg)?;
        if to.has(Pass::HOST) {
            return Some((place.leg, source));
        }
        let is_apart = from.has(Pass::APART) && to.has(Pass::APART);
        let is_long = !h.gso && h.payload_len() > to.payload_max as usize;
        (place.kind != StationKind::Local && !is_apart && !is_long).then_some((place.leg, source))
    }

    /// Asks every leg once what would otherwise be asked for every frame.
    #[cold]
    fn know_passes(&mut self) {
        let config = &self.config;
        let is_ordinary = !config.vlan.filtering
            && !self.mirrored
            && self.neighbourly == Neighbourly::default()
            && !self.fdb.forgets_at_once();
        let of = |state: &Option<LegState>| match state {
            Some(state) if is_ordinary => Pass::of(state, config.icc),
            _ => Pass::default(),
        };
        self.passes.legs.clear();
        self.passes.legs.extend(self.legs.iter().map(of));
        self.passes.known = true;
    }

    /// That deciding says the same.
    #[cfg(debug_assertions)]
    fn assert_same(
        &self,
        leg: LegIndex,
        passage: &Passage<'_>,
        now: Time,
        (to, source): (LegIndex, Option<Slot>),
    ) {
        use super::Extras;
        use super::commit::Marks;
        use super::fdb::Sight;
        use crate::trace::Trace;
        use crate::verdict::Verdict;

        let (mut marks, mut extras) = (Marks::default(), Extras::default());
        let mut is_withheld = false;
        let withhold = |_, _| is_withheld = true;
        let decision = self.decide(leg, passage, now, &mut marks, &mut Trace::off(), &mut extras, withhold);
        assert_eq!(decision, Verdict::Forward(to).into(), "the short way is the long one");
        let is_same = match (marks.sight, source) {
            (Some(Sight::Refresh(slot)), Some(source)) => slot == source,
            (sight, source) => sight.is_none() && source.is_none(),
        };
        assert!(is_same, "it teaches {:?}, not {source:?}", marks.sight);
        assert!(!is_withheld && !extras.any && marks.is_of_sight_only(), "and nothing else: {marks:?}");
    }
}
