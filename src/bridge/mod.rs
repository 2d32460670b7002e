//! The learning bridge.
//!
//! A frame comes in at a leg and is answered with a [`Verdict`], in three steps that each live in a file of their own:
//!
//! 1. `admit`: is the frame let in, and does its source teach?
//! 2. `route` (here): where is its destination? Known to be behind a leg, so that one; the host's, so the host;
//!    otherwise everywhere. Every leg in question is put to the one predicate of `deliver`.
//! 3. `commit`: what the source taught is written into the `fdb`, and what was withheld is counted.
//!
//! The first two only look. [`Bridge::explain`] is these two, [`Bridge::forward`] is all three, and so an explanation
//! cannot differ from what happens. One thing needs care for it: a frame to its own source must find what it is
//! about to teach, which is not in the table yet.
//!
//! The behaviours B1… named in the code are those of the Linux bridge. VLANs have their place in the key of the
//! table, whose VLAN id is zero for as long as nobody filters by it, which is the kernel's rule too (B3).
//!
//! A bridge never edits a frame (B31), and knows nothing of what is plugged into its legs.

mod admit;
mod deliver;
mod fdb;
mod flags;
mod manage;
#[cfg_attr(not(test), expect(dead_code, reason = "the bridge does not ask it yet"))]
#[expect(unreachable_pub, unused_imports, reason = "the bridge does not offer them yet")]
mod stp;
#[cfg(test)]
mod tests;

pub use flags::{BridgeConfig, LegConfig, Promiscuous, Role};
pub use manage::{BridgeCounters, ConfigError};

use std::time::Duration;

use self::admit::admit;
use self::deliver::{End, LegState, may_deliver};
use self::fdb::{Fdb, Place, Sight};
use crate::frame::{Headers, LegIndex};
use crate::time::Time;
use crate::trace::{Cast, Step, Trace};
use crate::verdict::{DropCounters, LegSet, Reason, Verdict};
use crate::wire::mac::Mac;

/// The VLAN id of a bridge that does not filter VLANs, whatever the tags (B3).
const VID_NONE: u16 = 0;

/// How firmly a station stands in the FDB (B6, B7, B9, B10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StationKind {
    /// Learned from a frame: ages, moves.
    Learned,
    /// The host's own address: never moves, only the host gets it (B9).
    Local,
    /// Set by the user: never ages, but moves when seen elsewhere (B6).
    Static,
    /// Set by the user: never ages, never moves (B7).
    Sticky,
}

/// An entry of the FDB, as `show fdb` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationEntry {
    /// The station.
    pub mac: Mac,
    /// Where it is.
    pub leg: LegIndex,
    /// How firmly.
    pub kind: StationKind,
    /// How long since it was last seen.
    pub idle: Duration,
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
    /// By [`LegIndex`].
    legs: Vec<Option<LegState>>,
}

impl Bridge {
    /// Where the frame goes. Learns, and counts per leg what was withheld.
    #[inline]
    pub fn forward(&mut self, leg: LegIndex, h: &Headers, now: Time, trace: &mut Trace) -> Verdict {
        let Self { plane, withheld, counters } = self;
        counters.received += 1;
        let Some(from) = plane.end(leg) else {
            counters.drops.count(Reason::IngressDown);
            return drop(Reason::IngressDown, trace);
        };
        let admission = admit(&plane.config, &plane.fdb, from, h, now, trace);
        let verdict = match admission.refusal {
            Some(reason) => drop(reason, trace),
            None => plane.route(from, h, admission.sight, now, trace, |leg, reason| {
                withheld[usize::from(leg.0)].count(reason);
            }),
        };
        if let Some(sight) = admission.sight {
            plane.fdb.commit(sight, leg, now);
            counters.sighted(sight);
        }
        counters.ended(&verdict);
        verdict
    }

    /// Where it would go; nothing is learned or counted.
    pub fn explain(&self, leg: LegIndex, h: &Headers, now: Time, trace: &mut Trace) -> Verdict {
        let Some(from) = self.plane.end(leg) else {
            return drop(Reason::IngressDown, trace);
        };
        let admission = admit(&self.plane.config, &self.plane.fdb, from, h, now, trace);
        match admission.refusal {
            Some(reason) => drop(reason, trace),
            None => self.plane.route(from, h, admission.sight, now, trace, |_, _| {}),
        }
    }
}

impl Plane {
    #[inline]
    fn end(&self, leg: LegIndex) -> Option<End<'_>> {
        let state = self.legs.get(usize::from(leg.0))?.as_ref()?;
        Some(End { leg, state })
    }

    #[inline(always)]
    fn route(
        &self,
        from: End<'_>,
        h: &Headers,
        sight: Option<Sight>,
        now: Time,
        trace: &mut Trace,
        mut withhold: impl FnMut(LegIndex, Reason),
    ) -> Verdict {
        if h.dst.is_broadcast() {
            return self.flood(from, h, Cast::Broadcast, trace, withhold);
        }
        if h.dst.is_group() {
            return self.flood(from, h, Cast::Multicast, trace, withhold);
        }
        let place = self.destination(from, h, sight, now);
        trace.note(Step::Lookup(h.dst, place.map(|place| place.leg)));
        let to = match place {
            None => return self.flood(from, h, Cast::UnknownUnicast, trace, withhold),
            Some(place) if place.kind == StationKind::Local => self.host(place.leg),
            Some(place) => self.end(place.leg),
        };
        let Some(to) = to else { return drop(Reason::NoPort, trace) };
        match may_deliver(from, to, h, None) {
            Ok(()) => Verdict::Forward(to.leg),
            Err(reason) => {
                if reason != Reason::SamePort {
                    trace.note(Step::Withhold(to.leg, reason));
                    withhold(to.leg, reason);
                }
                drop(reason, trace)
            }
        }
    }

    /// Where the table has the destination once the source has taught it.
    #[inline]
    fn destination(&self, from: End<'_>, h: &Headers, sight: Option<Sight>, now: Time) -> Option<Place> {
        match sight {
            Some(Sight::Move(..) | Sight::New(_) | Sight::Refresh(_)) if h.dst == h.src => {
                Some(Place { leg: from.leg, kind: StationKind::Learned })
            }
            _ => self.fdb.lookup(VID_NONE, h.dst, now),
        }
    }

    /// The host that a local entry means: the leg it names if that is a host, else the first host there is. An
    /// internal network has none.
    fn host(&self, leg: LegIndex) -> Option<End<'_>> {
        let named = self.end(leg).filter(|end| end.state.is_host());
        named.or_else(|| self.ends().find(|end| end.state.is_host()))
    }

    fn ends(&self) -> impl Iterator<Item = End<'_>> {
        (0..)
            .map(LegIndex)
            .zip(&self.legs)
            .filter_map(|(leg, state)| Some(End { leg, state: state.as_ref()? }))
    }

    /// A copy to every leg that may have one. If none may, it is a drop: for the reason that all of them gave, or
    /// because there is no port if they differ or were none.
    #[inline(never)]
    fn flood(
        &self,
        from: End<'_>,
        h: &Headers,
        cast: Cast,
        trace: &mut Trace,
        mut withhold: impl FnMut(LegIndex, Reason),
    ) -> Verdict {
        trace.note(Step::Flood(cast));
        let mut legs = LegSet::EMPTY;
        let mut anybody = false;
        let mut common = None;
        for to in self.ends() {
            match may_deliver(from, to, h, Some(cast)) {
                Ok(()) => {
                    legs.insert(to.leg);
                    anybody = true;
                }
                Err(Reason::NoPort | Reason::SamePort) => {}
                Err(reason) => {
                    trace.note(Step::Withhold(to.leg, reason));
                    withhold(to.leg, reason);
                    common = Some(if common.is_none_or(|c| c == reason) { reason } else { Reason::NoPort });
                }
            }
        }
        if anybody { Verdict::Flood(legs) } else { drop(common.unwrap_or(Reason::NoPort), trace) }
    }
}

#[inline]
fn drop(reason: Reason, trace: &mut Trace) -> Verdict {
    trace.note(Step::Drop(reason));
    Verdict::Drop(reason)
}
