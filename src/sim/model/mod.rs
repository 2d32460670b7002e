//! The bridge once more, naive: the answer the real one is compared with.
//!
//! Written from the numbered behaviours alone, not from the bridge. It knows no table but a list, no index but a
//! linear search, no sweep but "throw away what has expired, before doing anything", and it edits copies of frames
//! instead of saying what they are to become. Where several reasons forbid a delivery, a bridge may name any; the model
//! therefore answers with all of them.

mod bridge;
mod change;
mod frame;
mod vlan;

use std::collections::BTreeSet;

use self::bridge::Bridge;
use self::frame::Packet;
use crate::bridge::StationKind;
use crate::fabric::Change;
use crate::frame::{End, LinkId, NodeId, Plug, PortId};
use crate::time::Time;
use crate::verdict::Reason;
use crate::wire::mac::Mac;

/// The most devices on a walk.
const HOPS_MAX: usize = 8;

/// Every bridge and what it knows.
#[derive(Clone, Debug, Default)]
pub struct Model {
    bridges: Vec<Bridge>,
    links: Vec<(LinkId, [NodeId; 2])>,
}

/// What should become of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// The ports that get it, and what each gets.
    pub outputs: BTreeSet<(PortId, Vec<u8>)>,
    /// The ports that only watch, and what they see.
    pub watchers: BTreeSet<(PortId, Vec<u8>)>,
    /// Why others do not, or why it ended.
    pub reasons: BTreeSet<Reason>,
    /// A bridge flooded it.
    pub flooded: bool,
    /// A bridge sent it to the one leg its destination is behind.
    pub sent: bool,
}

impl Fate {
    /// Whether `end` is an acceptable way of saying this.
    pub fn allows(&self, end: End) -> bool {
        match end {
            End::Dropped(reason) => self.outputs.is_empty() && self.reasons.contains(&reason),
            End::Flooded => self.flooded && !self.outputs.is_empty(),
            End::Sent => self.sent && !self.outputs.is_empty(),
            End::Consumed | End::Parked => false,
        }
    }

    /// What leaves, in ascending order of ports.
    pub fn written(&self) -> Vec<(PortId, Vec<u8>)> {
        self.outputs.union(&self.watchers).cloned().collect()
    }

    fn dropped(reason: Reason) -> Self {
        Self { reasons: [reason].into(), ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.outputs.extend(other.outputs);
        self.watchers.extend(other.watchers);
        self.reasons.extend(other.reasons);
        self.flooded |= other.flooded;
        self.sent |= other.sent;
    }
}

impl Model {
    /// Does what the change says; false if it makes no sense.
    pub fn apply(&mut self, change: Change, now: Time) -> bool {
        self.expire(now);
        let done = self.change(change, now);
        self.expire(now);
        done.is_some()
    }

    /// What should become of a frame that enters through `port`.
    pub fn receive(&mut self, port: PortId, frame: &[u8], now: Time) -> Fate {
        self.expire(now);
        let plugged = |bridge: &Bridge| bridge.leg(Plug::Port(port)).is_some();
        let Some(bridge) = self.bridges.iter().position(plugged) else {
            return Fate::dropped(Reason::IngressDown);
        };
        match Packet::new(frame) {
            Ok(packet) => self.walk(bridge, Plug::Port(port), &packet, now, 1),
            Err(reason) => Fate::dropped(reason),
        }
    }

    /// What a bridge should know now, by VLAN and address.
    pub fn stations(&mut self, bridge: NodeId, now: Time) -> Vec<(u16, Mac, Plug, StationKind)> {
        self.expire(now);
        let stations = self.bridge(bridge).map(|bridge| &bridge.stations);
        let mut known: Vec<_> = stations
            .into_iter()
            .flatten()
            .map(|entry| (entry.vid, entry.mac, entry.behind, entry.kind))
            .collect();
        known.sort_by_key(|(vid, mac, ..)| (*vid, *mac));
        known
    }

    fn walk(&mut self, at: usize, from: Plug, packet: &Packet, now: Time, hops: usize) -> Fate {
        if hops > HOPS_MAX {
            return Fate::dropped(Reason::HopLimit);
        }
        if let Err(reason) = packet.check() {
            return Fate::dropped(reason);
        }
        let answer = self.bridges[at].forward(from, packet, now);
        let mut fate = Fate { reasons: answer.reasons, ..Fate::default() };
        for watcher in answer.watchers {
            if let Plug::Port(port) = watcher {
                fate.watchers.insert((port, packet.bytes()));
            }
        }
        let anybody = !answer.copies.is_empty();
        for (leg, packet) in answer.copies {
            match leg {
                Plug::Port(port) => {
                    fate.outputs.insert((port, packet.bytes()));
                }
                Plug::Link(link, side) => {
                    let (_, ends) =
                        self.links.iter().find(|(id, _)| *id == link).expect("a leg has its link");
                    let next = ends[1 - usize::from(side)];
                    let next = self.bridges.iter().position(|b| b.id == next).expect("links have two ends");
                    fate.add(self.walk(next, Plug::Link(link, 1 - side), &packet, now, hops + 1));
                }
            }
        }
        fate.flooded |= answer.flood && anybody;
        // copies that end for different reasons leave only this in common
        if fate.flooded && fate.outputs.is_empty() {
            fate.reasons.insert(Reason::NoPort);
        }
        fate.sent |= !answer.flood && anybody;
        fate
    }

    fn expire(&mut self, now: Time) {
        for bridge in &mut self.bridges {
            let ageing = bridge.config.ageing;
            // B12: gone at the very moment, not after it
            bridge.stations.retain(|entry| !entry.ages() || now.since(entry.seen) < ageing);
        }
    }

    fn bridge(&mut self, id: NodeId) -> Option<&mut Bridge> {
        self.bridges.iter_mut().find(|bridge| bridge.id == id)
    }

    /// Whether a frame could get from `a` to `b`: then another wire would close a loop.
    fn connected(&self, a: NodeId, b: NodeId) -> bool {
        let mut reached = BTreeSet::from([a]);
        loop {
            let before = reached.len();
            for (_, ends) in &self.links {
                if ends.iter().any(|end| reached.contains(end)) {
                    reached.extend(ends);
                }
            }
            if reached.len() == before {
                return reached.contains(&b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{BridgeConfig, LegConfig};

    #[test]
    fn the_model_learns_and_forgets() {
        let (bridge, one, two) = (NodeId(0), PortId(1), PortId(2));
        let mut model = Model::default();
        let now = Time::ZERO;
        assert!(model.apply(Change::AddBridge(bridge, BridgeConfig::default()), now));
        assert!(model.apply(Change::AddPort(one, bridge, LegConfig::default()), now));
        assert!(model.apply(Change::AddPort(two, bridge, LegConfig::default()), now));
        assert!(!model.apply(Change::AddPort(two, bridge, LegConfig::default()), now), "the id is taken");
        let frame =
            |dst: u8, src: u8| [[2, 0, 0, 0, 0, dst], [2, 0, 0, 0, 0, src], [8, 0, 0, 0, 0, 0]].concat();
        let fate = model.receive(one, &frame(2, 1), now);
        assert!(fate.written() == [(two, frame(2, 1))] && fate.allows(End::Flooded), "nobody knows 2");
        let fate = model.receive(two, &frame(1, 2), now);
        assert!(fate.written() == [(one, frame(1, 2))] && fate.allows(End::Sent), "1 was heard");
        assert_eq!(model.stations(bridge, Time::from_secs(299)).len(), 2);
        assert_eq!(model.stations(bridge, Time::from_secs(300)).len(), 0, "B12");
    }
}
