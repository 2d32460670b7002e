//! The learning bridge.
//!
//! A frame comes in at a leg and is answered with a [`Decision`], in three steps that each live in a file of their own:
//!
//! 1. `admit`: is the frame let in, which VLAN is it in, and does its source teach?
//! 2. `route`: where is its destination? Known to be behind a leg, so that one; the host's, so the host; a group's, so
//!    its members; otherwise everywhere. Every leg in question is put to the one predicate of `deliver`.
//! 3. `commit`: what the frame taught is written down, and what was withheld is counted.
//!
//! Most frames are between stations that are where they were, and go a way of their own (`shortcut`), which does all of this or
//! nothing.
//!
//! The first two only look. [`Bridge::explain`] is these two, [`Bridge::forward`] is all three, and so an explanation
//! cannot differ from what happens. One thing needs care for it: a frame to its own source must find what it is
//! about to teach, which is not in the table yet.
//!
//! What is remembered lives in small modules that know nothing of each other: `fdb` (stations), `vlan` (memberships),
//! `stp` (the spanning tree), `multicast` (groups), `neighbour` (who has which IP address), `guard` (limits). `tree` and
//! `group` do what the two protocols say. What
//! a bridge says by itself goes into an [`Outbox`].
//!
//! The behaviours B1… named in the code are those of the Linux bridge. The VLAN id in the key of the FDB is zero for as
//! long as nobody filters by it, which is the kernel's rule too (B3).
//!
//! A bridge never edits a frame (B31); it says which tag a leg wants ([`Bridge::exit`]). It knows nothing of what is
//! plugged into its legs.

mod admit;
mod commit;
mod deliver;
mod fdb;
mod flags;
mod group;
pub mod guard;
mod manage;
mod multicast;
pub mod neighbour;
mod outbox;
mod route;
mod shortcut;
mod stp;
#[cfg(test)]
mod tests;
mod tree;
mod vlan;

pub use flags::{
    BridgeConfig, FlapConfig, LegConfig, Permit, Promiscuous, Role, StormLimit, VlanConfig, VlanEntry,
    VlanProtocol,
};
pub use manage::{BridgeCounters, ConfigError};
pub use multicast::{
    Family, Group, GroupEntry, MulticastConfig, MulticastLegConfig, QuerierEntry, RouterEntry, RouterMode,
    SourceEntry,
};
pub use outbox::{Event, Joining, Mail, Outbox, Sighting};
pub use stp::{
    BpduCounts, EdgePort, PortRole, PortState, StpConfig, StpError, StpLegConfig, StpLegSummary, StpMode,
    StpSummary,
};
pub use vlan::{Came, Inside};

use std::time::Duration;

use self::admit::{Admission, Gate};
use self::commit::Marks;
use self::deliver::{End, LegState};
use self::fdb::Fdb;
use self::guard::flap::FlapDetector;
use self::multicast::Multicast;
use self::neighbour::Neighbours;
use self::shortcut::Passes;
use self::stp::Stp;
use self::vlan::VlanTable;
use crate::frame::{Edit, LegIndex, Passage};
use crate::time::Time;
use crate::trace::{Step, Trace};
use crate::verdict::{DropCounters, LegSet, Reason, Verdict};
use crate::wire::mac::Mac;

/// The VLAN id of a bridge that does not filter VLANs, whatever the tags (B3).
const VID_NONE: u16 = 0;

/// How firmly a station stands in the FDB (B6, B7, B9, B10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StationKind {
    /// Learned from a frame: ages, moves.
    Learned,
    /// The host's own address: never moves, only the host gets it (B9).
    Local,
    /// Seen at a locked leg, and not let in yet: ages, and is free as soon as it is seen elsewhere (B21, MAB).
    Locked,
    /// Set by the user: never ages, but moves when seen elsewhere (B6).
    Static,
    /// Set by the user: never ages, never moves (B7).
    Sticky,
}

impl StationKind {
    /// Whether it is forgotten when it is not seen for long.
    #[inline]
    pub fn ages(self) -> bool {
        matches!(self, Self::Learned | Self::Locked)
    }
}

/// An entry of the FDB, as `show fdb` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationEntry {
    /// The station.
    pub mac: Mac,
    /// Its VLAN; 0 without filtering.
    pub vid: u16,
    /// Where it is.
    pub leg: LegIndex,
    /// How firmly.
    pub kind: StationKind,
    /// How long since it was last seen.
    pub idle: Duration,
}

/// What a bridge says to a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where it goes.
    pub verdict: Verdict,
    /// The VLAN it is in, if the bridge filters: what [`Bridge::exit`] wants to know.
    pub inside: Option<Inside>,
}

impl From<Verdict> for Decision {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, inside: None }
    }
}

/// Where the copies of a frame go that has more than one: what is too large to be handed back with every decision.
#[derive(Debug, Default)]
pub struct Extras {
    /// The legs of a [`Verdict::Flood`]; left from before with any other verdict.
    pub flood: LegSet,
    /// Copies as the frame came in, for legs that watch (`promiscuous = "monitor"`).
    pub mirrors: LegSet,
    /// Copies to one station each of a group (B77).
    pub copies: Vec<(LegIndex, Mac)>,
    /// Whether there are any of the last two, which can go with any verdict.
    pub any: bool,
}

impl Extras {
    /// None.
    #[inline]
    pub fn clear(&mut self) {
        if self.any {
            self.mirrors = LegSet::EMPTY;
            self.copies.clear();
            self.any = false;
        }
    }
}

/// A bridge.
#[derive(Debug)]
pub struct Bridge {
    plane: Plane,
    /// Per leg, as long as `plane.legs`.
    withheld: Vec<DropCounters>,
    counters: BridgeCounters,
}

/// What decisions are made from.
#[derive(Debug)]
struct Plane {
    config: BridgeConfig,
    fdb: Fdb,
    vlans: VlanTable,
    tree: Stp,
    multicast: Multicast,
    neighbours: Neighbours,
    flaps: FlapDetector,
    /// By [`LegIndex`].
    legs: Vec<Option<LegState>>,
    /// Legs that get a copy of everything.
    mirrors: LegSet,
    /// Whether there are any.
    mirrored: bool,
    /// What of neighbours has to be known: nothing, unless some leg asks for it (B83).
    neighbourly: Neighbourly,
    /// What need not be asked.
    passes: Passes,
}

/// Whether any leg wants to be answered for, or spared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Neighbourly {
    /// A leg has `proxy_arp`.
    proxy: bool,
    /// A leg has `neigh_suppress`.
    suppression: bool,
}

impl Bridge {
    /// Where the frame goes. Learns, and counts per leg what was withheld. `extras` must be empty.
    #[inline]
    pub fn forward(
        &mut self,
        leg: LegIndex,
        passage: &Passage<'_>,
        now: Time,
        trace: &mut Trace,
        extras: &mut Extras,
        out: &mut Outbox,
    ) -> Decision {
        let Self { plane, withheld, counters } = self;
        counters.received += 1;
        let mut marks = Marks::default();
        let decision = plane.decide(leg, passage, now, &mut marks, trace, extras, |leg, reason| {
            withheld[usize::from(leg.0)].count(reason);
        });
        self.commit(leg, decision.inside.as_ref(), passage, &marks, now, out);
        self.counters.ended(&decision.verdict);
        decision
    }

    /// Frames to these stations are about to come, which changes nothing but how long it takes to find them.
    pub fn foresee(&mut self, macs: impl Iterator<Item = Mac>) {
        let Plane { config, fdb, .. } = &mut self.plane;
        // which VLAN each will be in would have to be found out first
        if !config.vlan.filtering {
            fdb.foresee(VID_NONE, macs.filter(|mac| !mac.is_group()));
        }
    }

    /// Where it would go; nothing is learned or counted.
    pub fn explain(
        &self,
        leg: LegIndex,
        passage: &Passage<'_>,
        now: Time,
        trace: &mut Trace,
        extras: &mut Extras,
    ) -> Decision {
        self.plane.decide(leg, passage, now, &mut Marks::default(), trace, extras, |_, _| {})
    }

    /// What a frame with that decision becomes when it leaves through `leg`; `None` if it would have too many tags.
    #[inline]
    pub fn exit(&self, inside: &Inside, leg: LegIndex, edit: Edit) -> Option<Edit> {
        self.plane.vlans.exit(inside, leg, edit)
    }
}

impl Plane {
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "what `forward` and `explain` have in common")]
    fn decide<'a>(
        &self,
        leg: LegIndex,
        passage: &Passage<'a>,
        now: Time,
        marks: &mut Marks<'a>,
        trace: &mut Trace,
        extras: &mut Extras,
        withhold: impl FnMut(LegIndex, Reason),
    ) -> Decision {
        let Some(from) = self.end(leg) else {
            return Decision { verdict: drop(Reason::IngressDown, trace), inside: None };
        };
        let Admission { gate, inside } = self.admit(from, passage, now, marks, trace);
        let verdict = match gate {
            Gate::Consume => {
                trace.note(Step::Consume);
                Verdict::Consume
            }
            Gate::Pass => self.route(from, passage, inside.as_ref(), now, marks, trace, extras, withhold),
            Gate::Refuse(reason) => drop(reason, trace),
            Gate::Teach => {
                self.overhear(passage, marks);
                drop(Reason::PortBlocking, trace)
            }
        };
        if self.mirrored && from.state.up {
            self.mirror(leg, &verdict, trace, extras);
        }
        Decision { verdict, inside }
    }

    /// Copies for those who watch, and do not get the frame anyway.
    #[cold]
    fn mirror(&self, from: LegIndex, verdict: &Verdict, trace: &mut Trace, extras: &mut Extras) {
        for leg in self.mirrors.iter() {
            let gets_it = match verdict {
                Verdict::Flood => extras.flood.contains(leg),
                Verdict::Forward(to) => *to == leg,
                Verdict::Consume | Verdict::Drop(_) | Verdict::Park => false,
            };
            if leg != from && !gets_it && self.end(leg).is_some_and(|end| end.state.up) {
                trace.note(Step::Mirror(leg));
                extras.mirrors.insert(leg);
                extras.any = true;
            }
        }
    }

    #[inline]
    fn end(&self, leg: LegIndex) -> Option<End<'_>> {
        let state = self.legs.get(usize::from(leg.0))?.as_ref()?;
        Some(End { leg, state })
    }

    fn ends(&self) -> impl Iterator<Item = End<'_>> {
        (0..)
            .map(LegIndex)
            .zip(&self.legs)
            .filter_map(|(leg, state)| Some(End { leg, state: state.as_ref()? }))
    }
}

#[inline]
fn drop(reason: Reason, trace: &mut Trace) -> Verdict {
    trace.note(Step::Drop(reason));
    Verdict::Drop(reason)
}
