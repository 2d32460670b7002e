//! Changes, as the behaviours and the documentation of `Change` tell them.

use super::Model;
use super::bridge::{Bridge, Entry, Leg};
use crate::bridge::{LegConfig, Role, StationKind};
use crate::fabric::{Change, Station};
use crate::frame::{LinkId, NodeId, Plug, PortId};
use crate::time::Time;

impl Model {
    pub(super) fn change(&mut self, change: Change, now: Time) -> Option<()> {
        match change {
            Change::AddBridge(id, config) => {
                let fresh = self.bridge(id).is_none();
                fresh.then(|| self.bridges.push(Bridge { id, config, legs: vec![], stations: vec![] }))
            }
            Change::AddLink(link, nodes, configs) => self.add_link(link, nodes, configs, now),
            Change::AddPort(port, bridge, config) => {
                if self.port(port).is_some() {
                    return None;
                }
                self.bridge(bridge)?.add_leg(Plug::Port(port), config, now);
                Some(())
            }
            Change::AddStation(station) => self.bridge(station.bridge)?.add_station(station, now),
            Change::AddVlan(at, entry) => {
                let (bridge, leg) = self.leg(at)?;
                (1..=4094).contains(&entry.vid).then_some(())?; // B56
                bridge.legs[leg].join(entry);
                bridge.add_locals(now);
                Some(())
            }
            Change::ConfigureBridge(id, config) => {
                let bridge = self.bridge(id)?;
                let before = std::mem::replace(&mut bridge.config, config);
                if before.vlan.default_pvid != config.vlan.default_pvid {
                    bridge.move_default(before.vlan.default_pvid);
                    bridge.add_locals(now);
                }
                Some(())
            }
            Change::ConfigureLeg(at, config) => {
                let (bridge, leg) = self.leg(at)?;
                bridge.configure_leg(leg, config, now);
                Some(())
            }
            Change::Flush(id, at, vid) => {
                let bridge = self.bridge(id)?;
                if let Some(at) = at {
                    bridge.leg(at)?;
                }
                bridge.flush(at, vid);
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
            Change::RemoveStation(station) => self.bridge(station.bridge)?.remove_station(station),
            Change::RemoveVlan(at, vid) => {
                let (bridge, leg) = self.leg(at)?;
                bridge.legs[leg].vlan(vid)?;
                bridge.leave(at, vid);
                Some(())
            }
            Change::SetBackup(at, backup) => {
                let (bridge, leg) = self.leg(at)?;
                if let Some(backup) = backup {
                    bridge.leg(backup).filter(|_| backup != at)?;
                }
                bridge.legs[leg].backup = backup;
                Some(())
            }
            Change::SetLinkUp(link, up) => {
                for side in [0, 1] {
                    let at = Plug::Link(link, side);
                    let (bridge, leg) = self.leg(at)?;
                    bridge.legs[leg].up = up;
                    if !up && bridge.legs[leg].backup.is_none() {
                        bridge.flush(Some(at), None);
                    }
                }
                Some(())
            }
            Change::SetPortUp(port, up) => {
                let (bridge, leg) = self.port(port)?;
                bridge.legs[leg].up = up;
                // B17
                if !up && bridge.legs[leg].backup.is_none() {
                    bridge.flush(Some(Plug::Port(port)), None);
                }
                Some(())
            }
            // no story has any
            Change::AddGroup(_)
            | Change::AddInterface(..)
            | Change::AddPermit(..)
            | Change::AddRoute(..)
            | Change::AddRouter(..)
            | Change::ConfigureInterface(..)
            | Change::ConfigureRouter(..)
            | Change::RemoveGroup(_)
            | Change::RemovePermit(..)
            | Change::RemoveRoute(..)
            | Change::RemoveRouter(_)
            | Change::SetPolicy(..) => None,
        }
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

    fn add_link(
        &mut self,
        link: LinkId,
        nodes: [NodeId; 2],
        configs: [LegConfig; 2],
        now: Time,
    ) -> Option<()> {
        let [a, b] = nodes;
        (self.bridge(a).is_some() && self.bridge(b).is_some() && !self.connected(a, b)).then_some(())?;
        for (side, (node, config)) in (0..).zip(nodes.into_iter().zip(configs)) {
            self.bridge(node)?.add_leg(Plug::Link(link, side), config, now);
        }
        self.links.push((link, nodes));
        Some(())
    }
}

impl Bridge {
    fn add_leg(&mut self, behind: Plug, config: LegConfig, now: Time) {
        let mut leg = Leg { behind, config, up: true, vlans: vec![], backup: None };
        leg.join_default(self.config.vlan.default_pvid);
        self.legs.push(leg);
        self.add_locals(now);
    }

    fn remove_leg(&mut self, behind: Plug) -> Option<()> {
        let at = self.legs.iter().position(|leg| leg.behind == behind)?;
        self.legs.remove(at);
        for leg in &mut self.legs {
            leg.backup = leg.backup.filter(|backup| *backup != behind);
        }
        // B18: static entries too
        self.stations.retain(|entry| entry.behind != behind);
        Some(())
    }

    fn configure_leg(&mut self, leg: usize, config: LegConfig, now: Time) {
        let behind = self.legs[leg].behind;
        let old = std::mem::replace(&mut self.legs[leg].config, config);
        if (old.role, old.mac) != (config.role, config.mac) {
            self.stations.retain(|e| e.behind != behind || e.kind != StationKind::Local);
            self.add_locals(now);
        }
        if old.role != config.role {
            self.flush(Some(behind), None);
        }
        // B21: nobody waits any more where nobody is let in by waiting
        if old.mab && !config.mab {
            self.stations.retain(|e| e.behind != behind || e.kind != StationKind::Locked);
        }
    }

    /// B9, B11, B60: the host's address is local in its VLANs and in none, whatever was known of it.
    fn add_locals(&mut self, now: Time) {
        for leg in &self.legs {
            let (Role::Host, Some(mac)) = (leg.config.role, leg.config.mac) else { continue };
            for vid in std::iter::once(0).chain(leg.vlans.iter().map(|entry| entry.vid)) {
                if self.find(vid, mac).is_some_and(|entry| entry.kind == StationKind::Local) {
                    continue;
                }
                self.stations.retain(|entry| (entry.vid, entry.mac) != (vid, mac));
                let (behind, kind) = (leg.behind, StationKind::Local);
                self.stations.push(Entry { vid, mac, behind, kind, seen: now });
            }
        }
    }

    /// B61: what was learned there, and the host's own, is forgotten; what was set stays.
    pub(super) fn leave(&mut self, behind: Plug, vid: u16) {
        for leg in self.legs.iter_mut().filter(|leg| leg.behind == behind) {
            leg.vlans.retain(|entry| entry.vid != vid);
        }
        self.stations.retain(|entry| {
            let gone = entry.ages() || entry.kind == StationKind::Local;
            (entry.behind, entry.vid) != (behind, vid) || !gone
        });
    }

    fn flush(&mut self, only: Option<Plug>, vid: Option<u16>) {
        let hit = |entry: &Entry| {
            only.is_none_or(|behind| behind == entry.behind) && vid.is_none_or(|vid| vid == entry.vid)
        };
        self.stations.retain(|entry| !entry.ages() || !hit(entry));
    }

    fn add_station(&mut self, station: Station, now: Time) -> Option<()> {
        let Station { mac, at, kind, .. } = station;
        let leg = self.leg(at)?;
        // B58
        let vids: Vec<u16> = match station.vlan {
            Some(vid) => vec![leg.vlan(vid)?.vid],
            None => std::iter::once(0).chain(leg.vlans.iter().map(|entry| entry.vid)).collect(),
        };
        // B10: as `bridge fdb add`, which does not replace
        let set = |vid: &u16| self.find(*vid, mac).is_some_and(|entry| !entry.ages());
        if vids.iter().any(set) {
            return None;
        }
        for vid in vids {
            self.stations.retain(|entry| (entry.vid, entry.mac) != (vid, mac));
            self.stations.push(Entry { vid, mac, behind: at, kind, seen: now });
        }
        Some(())
    }

    /// B6: wherever it has moved to since.
    fn remove_station(&mut self, station: Station) -> Option<()> {
        let before = self.stations.len();
        self.stations.retain(|entry| {
            let is_it = (entry.mac, entry.kind) == (station.mac, station.kind);
            !is_it || station.vlan.is_some_and(|vid| entry.vid != vid)
        });
        (self.stations.len() < before).then_some(())
    }
}
