//! The bridge once more, naive: the answer the real one is compared with.
//!
//! Written from the numbered behaviours alone, not from the bridge. It knows no table but a list, no index but a
//! linear search, no sweep but "throw away what has expired, before doing anything". Where several reasons forbid
//! a delivery, a bridge may name any; the model therefore answers with all of them.

use std::collections::BTreeSet;

use crate::bridge::{BridgeConfig, LegConfig, Promiscuous, Role, StationKind};
use crate::fabric::{Change, Station};
use crate::frame::{End, Headers, LinkId, NodeId, Offload, Plug, PortId};
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
    /// The ports that get it.
    pub ports: BTreeSet<PortId>,
    /// Why others do not, or why it ended.
    pub reasons: BTreeSet<Reason>,
    /// A bridge flooded it.
    pub flooded: bool,
    /// A bridge sent it to the one leg its destination is behind.
    pub sent: bool,
}

#[derive(Clone, Debug)]
struct Bridge {
    id: NodeId,
    config: BridgeConfig,
    legs: Vec<Leg>,
    stations: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Leg {
    behind: Plug,
    config: LegConfig,
    up: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    mac: Mac,
    behind: Plug,
    kind: StationKind,
    seen: Time,
}

impl Fate {
    /// Whether `end` is an acceptable way of saying this.
    pub fn allows(&self, end: End) -> bool {
        match end {
            End::Dropped(reason) => self.ports.is_empty() && self.reasons.contains(&reason),
            End::Flooded => self.flooded && !self.ports.is_empty(),
            End::Sent => self.sent && !self.ports.is_empty(),
            End::Consumed | End::Parked => false,
        }
    }

    fn dropped(reason: Reason) -> Self {
        Self { reasons: [reason].into(), ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.ports.extend(other.ports);
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
        match Headers::parse(frame, &Offload::NONE) {
            Ok(headers) => self.walk(bridge, Plug::Port(port), &headers, now, 1),
            Err(reason) => Fate::dropped(reason),
        }
    }

    /// What a bridge should know now, by address.
    pub fn stations(&mut self, bridge: NodeId, now: Time) -> Vec<(Mac, Plug, StationKind)> {
        self.expire(now);
        let stations = self.bridge(bridge).map(|bridge| &bridge.stations);
        let mut known: Vec<_> =
            stations.into_iter().flatten().map(|entry| (entry.mac, entry.behind, entry.kind)).collect();
        known.sort_by_key(|(mac, ..)| *mac);
        known
    }

    fn walk(&mut self, at: usize, from: Plug, h: &Headers, now: Time, hops: usize) -> Fate {
        if hops > HOPS_MAX {
            return Fate::dropped(Reason::HopLimit);
        }
        let bridge = &mut self.bridges[at];
        let answer = bridge.forward(from, h, now);
        let mut fate = Fate { reasons: answer.reasons, ..Fate::default() };
        for leg in &answer.legs {
            match *leg {
                Plug::Port(port) => {
                    fate.ports.insert(port);
                }
                Plug::Link(link, side) => {
                    let (_, ends) =
                        self.links.iter().find(|(id, _)| *id == link).expect("a leg has its link");
                    let next = ends[1 - usize::from(side)];
                    let next = self.bridges.iter().position(|b| b.id == next).expect("links have two ends");
                    fate.add(self.walk(next, Plug::Link(link, 1 - side), h, now, hops + 1));
                }
            }
        }
        fate.flooded |= answer.flood && !answer.legs.is_empty();
        // copies that end for different reasons leave only this in common
        if fate.flooded && fate.ports.is_empty() {
            fate.reasons.insert(Reason::NoPort);
        }
        fate.sent |= !answer.flood && !answer.legs.is_empty();
        fate
    }

    fn expire(&mut self, now: Time) {
        for bridge in &mut self.bridges {
            let ageing = bridge.config.ageing;
            // B12: gone at the very moment, not after it
            bridge
                .stations
                .retain(|entry| entry.kind != StationKind::Learned || now.since(entry.seen) < ageing);
        }
    }

    fn bridge(&mut self, id: NodeId) -> Option<&mut Bridge> {
        self.bridges.iter_mut().find(|bridge| bridge.id == id)
    }

    fn port(&mut self, port: PortId) -> Option<(&mut Bridge, usize)> {
        self.leg(Plug::Port(port))
    }

    fn leg(&mut self, behind: Plug) -> Option<(&mut Bridge, usize)> {
        self.bridges.iter_mut().find_map(|bridge| {
            let leg = bridge.legs.iter().position(|leg| leg.behind == behind)?;
            Some((bridge, leg))
        })
    }

    fn change(&mut self, change: Change, now: Time) -> Option<()> {
        match change {
            Change::AddBridge(id, config) => {
                let fresh = self.bridge(id).is_none();
                fresh.then(|| self.bridges.push(Bridge { id, config, legs: vec![], stations: vec![] }))
            }
            Change::AddGroup(_) | Change::AddPermit(..) | Change::AddVlan(..) => None,
            Change::RemoveGroup(_)
            | Change::RemovePermit(..)
            | Change::RemoveVlan(..)
            | Change::SetBackup(..) => None,
            Change::AddLink(link, nodes, configs) => self.add_link(link, nodes, configs),
            Change::AddPort(port, bridge, config) => {
                if self.port(port).is_some() {
                    return None;
                }
                let bridge = self.bridge(bridge)?;
                bridge.legs.push(Leg { behind: Plug::Port(port), config, up: true });
                bridge.add_local(Plug::Port(port), config, now);
                Some(())
            }
            Change::AddStation(station) => self.add_station(station, now),
            Change::ConfigureBridge(id, config) => {
                self.bridge(id)?.config = config;
                Some(())
            }
            Change::ConfigureLeg(behind, config) => {
                let (bridge, leg) = self.leg(behind)?;
                let old = std::mem::replace(&mut bridge.legs[leg].config, config);
                if (old.role, old.mac) != (config.role, config.mac) {
                    bridge.stations.retain(|e| e.behind != behind || e.kind != StationKind::Local);
                    bridge.add_local(behind, config, now);
                }
                if old.role != config.role {
                    bridge.flush(Some(behind));
                }
                Some(())
            }
            Change::Flush(id, at, _) => {
                let bridge = self.bridge(id)?;
                if let Some(at) = at {
                    bridge.leg(at)?;
                }
                bridge.flush(at);
                Some(())
            }
            Change::RemoveBridge(id) => {
                let empty = self.bridge(id)?.legs.is_empty();
                empty.then(|| self.bridges.retain(|bridge| bridge.id != id))
            }
            Change::RemoveLink(link) => {
                let at = self.links.iter().position(|(id, _)| *id == link)?;
                let (_, [a, b]) = self.links.remove(at);
                self.bridge(a)?.remove_leg(Plug::Link(link, 0))?;
                self.bridge(b)?.remove_leg(Plug::Link(link, 1))
            }
            Change::RemovePort(port) => self.port(port)?.0.remove_leg(Plug::Port(port)),
            Change::RemoveStation(station) => {
                let bridge = self.bridge(station.bridge)?;
                // B6: wherever it has moved to since
                let is_it = |e: &Entry| e.mac == station.mac && e.kind == station.kind;
                let at = bridge.stations.iter().position(is_it)?;
                bridge.stations.remove(at);
                Some(())
            }
            Change::SetPortUp(port, up) => {
                let (bridge, leg) = self.port(port)?;
                bridge.legs[leg].up = up;
                if !up {
                    bridge.flush(Some(Plug::Port(port)));
                }
                Some(())
            }
        }
    }

    fn add_link(&mut self, link: LinkId, nodes: [NodeId; 2], configs: [LegConfig; 2]) -> Option<()> {
        let [a, b] = nodes;
        (self.bridge(a).is_some() && self.bridge(b).is_some() && !self.connected(a, b)).then_some(())?;
        for (side, (node, config)) in (0..).zip(nodes.into_iter().zip(configs)) {
            self.bridge(node)?.legs.push(Leg { behind: Plug::Link(link, side), config, up: true });
        }
        self.links.push((link, nodes));
        Some(())
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

    fn add_station(&mut self, station: Station, now: Time) -> Option<()> {
        let bridge = self.bridge(station.bridge)?;
        bridge.leg(station.at)?;
        // B10: as `bridge fdb add`, which does not replace
        let set = bridge.find(station.mac).is_some_and(|entry| entry.kind != StationKind::Learned);
        (!set).then_some(())?;
        bridge.stations.retain(|entry| entry.mac != station.mac);
        bridge.stations.push(Entry { mac: station.mac, behind: station.at, kind: station.kind, seen: now });
        Some(())
    }
}

/// What one bridge says.
#[derive(Default)]
struct Answer {
    legs: Vec<Plug>,
    flood: bool,
    reasons: BTreeSet<Reason>,
}

impl Answer {
    fn drop(reason: Reason) -> Self {
        Self { reasons: [reason].into(), ..Self::default() }
    }
}

impl Bridge {
    fn leg(&self, behind: Plug) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.behind == behind)
    }

    fn find(&self, mac: Mac) -> Option<&Entry> {
        self.stations.iter().find(|entry| entry.mac == mac)
    }

    fn flush(&mut self, only: Option<Plug>) {
        let hit = |entry: &Entry| only.is_none_or(|behind| behind == entry.behind);
        self.stations.retain(|entry| entry.kind != StationKind::Learned || !hit(entry));
    }

    fn remove_leg(&mut self, behind: Plug) -> Option<()> {
        let at = self.legs.iter().position(|leg| leg.behind == behind)?;
        self.legs.remove(at);
        // B18: static entries too
        self.stations.retain(|entry| entry.behind != behind);
        Some(())
    }

    /// B11: the host's address replaces whatever was known of it.
    fn add_local(&mut self, behind: Plug, config: LegConfig, now: Time) {
        let (Role::Host, Some(mac)) = (config.role, config.mac) else { return };
        self.stations.retain(|entry| entry.mac != mac);
        let kind = StationKind::Local;
        self.stations.push(Entry { mac, behind, kind, seen: now });
    }

    fn forward(&mut self, from: Plug, h: &Headers, now: Time) -> Answer {
        let ingress = self.leg(from).expect("a walk follows wires").clone();
        if !ingress.up {
            return Answer::drop(Reason::IngressDown);
        }
        let host = ingress.config.role == Role::Host;
        // B41: br_dev_xmit asks nothing of the host's frames
        if !host {
            if !h.src.is_station() {
                return Answer::drop(Reason::SourceInvalid);
            }
            if let Some(n) = h.dst.link_local() {
                let mask = self.config.group_fwd_mask | ingress.config.group_fwd_mask;
                let forward = n == 0 || (n != 1 && mask >> n & 1 == 1);
                if n == 1 {
                    return Answer::drop(Reason::LinkLocal);
                }
                if !forward {
                    // B22
                    if ingress.config.learning && !self.config.no_linklocal_learn {
                        self.learn(h.src, from, now);
                    }
                    return Answer::drop(Reason::LinkLocal);
                }
            }
            if ingress.config.locked {
                let allowed = self
                    .find(h.src)
                    .is_some_and(|entry| entry.behind == from && entry.kind != StationKind::Local);
                if !allowed {
                    return Answer::drop(Reason::Locked);
                }
            }
            if ingress.config.learning {
                self.learn(h.src, from, now);
            }
        }
        self.deliver(&ingress, h)
    }

    fn learn(&mut self, mac: Mac, from: Plug, now: Time) {
        // B14: an ageing time of zero remembers nobody, and moves nobody
        if self.config.ageing.is_zero() {
            return;
        }
        let learned = self.stations.iter().filter(|entry| entry.kind == StationKind::Learned).count();
        match self.stations.iter_mut().find(|entry| entry.mac == mac) {
            Some(entry) => match entry.kind {
                StationKind::Learned | StationKind::Static => (entry.behind, entry.seen) = (from, now),
                StationKind::Local | StationKind::Locked | StationKind::Sticky => {}
            },
            None if learned >= self.config.fdb_max as usize => {}
            None => {
                self.stations.push(Entry { mac, behind: from, kind: StationKind::Learned, seen: now });
            }
        }
    }

    fn deliver(&self, ingress: &Leg, h: &Headers) -> Answer {
        if !h.dst.is_group()
            && let Some(entry) = self.find(h.dst)
        {
            let egress = self.leg(entry.behind).expect("an entry goes with its leg");
            let reasons = self.forbidden(ingress, egress, h, false);
            let legs = if reasons.is_empty() { vec![egress.behind] } else { vec![] };
            return Answer { legs, flood: false, reasons };
        }
        let mut answer = Answer { flood: true, ..Answer::default() };
        for egress in &self.legs {
            let reasons = self.forbidden(ingress, egress, h, true);
            if reasons.is_empty() {
                answer.legs.push(egress.behind);
            } else if egress.behind != ingress.behind {
                answer.reasons.extend(reasons);
            }
        }
        // whether a dead or a silent port counts as one at all is a matter of words
        if answer.legs.is_empty() {
            answer.reasons.insert(Reason::NoPort);
        }
        answer
    }

    /// All the reasons why `h`, which came from `ingress`, may not leave through `egress`.
    fn forbidden(&self, ingress: &Leg, egress: &Leg, h: &Headers, flood: bool) -> BTreeSet<Reason> {
        let (from, to) = (&ingress.config, &egress.config);
        let from_host = from.role == Role::Host;
        let to_host = to.role == Role::Host;
        let back = ingress.behind == egress.behind;
        let mut reasons = BTreeSet::new();
        let mut forbid = |when: bool, reason| {
            if when {
                reasons.insert(reason);
            }
        };
        forbid(back && (from_host || !to.hairpin), Reason::SamePort);
        forbid(!egress.up, Reason::EgressDown);
        forbid(from.isolated && to.isolated && !from_host && !to_host, Reason::Isolated);
        forbid(
            h.payload_len() > to.mtu.saturating_add(4) as usize && !h.gso && !to_host,
            Reason::MtuExceeded,
        );
        if flood && !h.dst.is_group() {
            // B23: the host is not asked for unknown stations
            forbid(to_host || !to.flood, Reason::UnicastFloodOff);
        } else if flood && !to_host && !from_host {
            // B26: not for the host's frames
            forbid(h.dst.is_broadcast() && !to.bcast_flood, Reason::BroadcastFloodOff);
            forbid(!h.dst.is_broadcast() && !to.mcast_flood, Reason::MulticastFloodOff);
        }
        let foreign = !h.dst.is_group() && to.mac != Some(h.dst);
        forbid(to.promiscuous == Promiscuous::Deny && foreign, Reason::Promiscuous);
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(fate.ports == [two].into() && fate.allows(End::Flooded), "nobody knows 2");
        let fate = model.receive(two, &frame(1, 2), now);
        assert!(fate.ports == [one].into() && fate.allows(End::Sent), "1 was heard");
        assert_eq!(model.stations(bridge, Time::from_secs(299)).len(), 2);
        assert_eq!(model.stations(bridge, Time::from_secs(300)).len(), 0, "B12");
    }
}
