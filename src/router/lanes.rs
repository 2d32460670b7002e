//! The memo of walks, as far as a router has one: which way the packets of a flow went the last time.
//!
//! Where a packet of a known flow goes follows from its addresses, its flow's translation and state, and what the router was
//! told: legs, routes, rules. Little of that changes from packet to packet. So a session keeps, for each direction, the
//! [`LaneId`] of what was found out for an earlier packet, and a later one that comes in on the same leg is not routed and
//! asks no rule. What depends on the packet or on time (hop limit, size, state of the connection, the neighbour) is looked at
//! as always.
//!
//! Lanes are shared: there are as many as there are pairs of legs and next routers in use, not as many as sessions. When
//! the router is told anything new, all are forgotten and get numbers that were never used, so that what sessions still
//! have leads nowhere. Flows whose packets rules of the user's want to count or log never get a lane.
//!
//! A memo must not change an answer; `tests/gateway_memo.rs` tells the same stories to a router with lanes and one
//! without ([`super::Settings::memo`]).

use std::net::IpAddr;

use super::nat::judgement::State;
use super::policy::RuleId;
use crate::frame::LegIndex;

/// How many there may be. Flows beyond that go the long way.
const LANES_MAX: usize = 256;

/// A way through the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The leg packets come in on.
    pub from: LegIndex,
    /// What they are to their flow, which rules may ask.
    pub state: State,
    /// The leg they leave through.
    pub to: LegIndex,
    /// The next router; without one, the destination is on the wire.
    pub via: Option<IpAddr>,
    /// The rule that lets them pass, which counts them.
    pub ruling: Option<RuleId>,
}

/// The number of a lane; never of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneId(u32);

impl LaneId {
    /// Of no lane.
    pub const NONE: Self = Self(0);
}

/// All lanes.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    /// The number of the first.
    first: u32,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { lanes: Vec::with_capacity(LANES_MAX), first: LaneId::NONE.0 + 1 }
    }
}

impl Lanes {
    /// The lane of that number, if it is not forgotten.
    #[inline]
    pub fn get(&self, id: LaneId) -> Option<&Lane> {
        self.lanes.get(id.0.wrapping_sub(self.first) as usize)
    }

    /// The number of a lane; [`LaneId::NONE`] if there is no room for another.
    pub fn number(&mut self, lane: Lane) -> LaneId {
        let known = self.lanes.iter().position(|known| *known == lane);
        let place = known.unwrap_or(self.lanes.len());
        if place == LANES_MAX {
            return LaneId::NONE;
        }
        if known.is_none() {
            self.lanes.push(lane);
        }
        LaneId(self.first.wrapping_add(place as u32))
    }

    /// Something has changed: every flow is to find its way anew. Numbers run out after some ten million times.
    pub fn forget(&mut self) {
        self.first = self.first.wrapping_add(self.lanes.len() as u32);
        self.lanes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(n: u16) -> Lane {
        Lane { from: LegIndex(0), state: State::New, to: LegIndex(n), via: None, ruling: None }
    }

    #[test]
    fn a_number_is_of_one_lane_for_ever() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.get(LaneId::NONE), None);
        let first = lanes.number(lane(1));
        let second = lanes.number(lane(2));
        assert_eq!(lanes.number(lane(1)), first, "one number to a lane");
        assert_eq!((lanes.get(first), lanes.get(second)), (Some(&lane(1)), Some(&lane(2))));
        lanes.forget();
        let third = lanes.number(lane(3));
        assert_eq!((lanes.get(first), lanes.get(second)), (None, None), "what sessions have leads nowhere");
        assert_eq!(lanes.get(third), Some(&lane(3)));
        assert!(third != first && third != second);
    }

    #[test]
    fn there_is_an_end() {
        let mut lanes = Lanes::default();
        let numbers: Vec<_> = (0..=LANES_MAX as u16).map(|n| lanes.number(lane(n))).collect();
        assert_eq!(numbers[LANES_MAX], LaneId::NONE, "one too many");
        assert_eq!(lanes.number(lane(7)), numbers[7], "those that are there stay");
    }
}
