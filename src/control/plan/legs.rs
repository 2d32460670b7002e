//! Legs: what ports, ends of links and the ends of wires to routers have in common.
//!
//! Names of ports and of ends are one name space (an end's has a slash, a port's has none), so that whoever
//! sets something on a leg names it, and need not say what it is.

use super::{Line, Plan};
use crate::bridge::{LegConfig, Role};
use crate::fabric::{Permit, VlanEntry};

/// All that a bridge is told about a leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The plain values.
    pub leg: LegConfig,
    /// All VLANs the leg is in, whether the bridge filters or not, by their ids; at most one is the PVID.
    pub vlans: Vec<VlanEntry>,
    /// Who may send here, sorted; empty for everybody.
    pub permits: Vec<Permit>,
    /// The leg that stands in while this one is down (B30): its name.
    pub backup: Option<String>,
}

impl Settings {
    /// What a leg of a bridge whose default PVID is `pvid` has unless it is said otherwise (B51).
    pub fn new(leg: LegConfig, pvid: u16) -> Self {
        Self { leg, vlans: default_vlans(pvid), permits: Vec::new(), backup: None }
    }

    /// The leg's place in that VLAN.
    pub fn vlan(&self, vid: u16) -> Option<VlanEntry> {
        self.vlans.iter().find(|entry| entry.vid == vid).copied()
    }

    /// Puts the leg into a VLAN, or changes its place there; a new PVID takes that from the old one (B54).
    pub fn add_vlan(&mut self, entry: VlanEntry) {
        if entry.pvid {
            self.vlans.iter_mut().for_each(|other| other.pvid = false);
        }
        match self.vlans.binary_search_by_key(&entry.vid, |other| other.vid) {
            Ok(at) => self.vlans[at] = entry,
            Err(at) => self.vlans.insert(at, entry),
        }
    }

    /// Takes the leg out of a VLAN; says whether it was in.
    pub fn remove_vlan(&mut self, vid: u16) -> bool {
        let before = self.vlans.len();
        self.vlans.retain(|entry| entry.vid != vid);
        self.vlans.len() != before
    }

    /// Follows the bridge's default PVID from `old` to `new`, as the kernel does (`br_vlan.c`): a leg that is in the old
    /// one as it was put there moves, unless it is in the new one already; where there was no default, the new one is added.
    pub fn follow_default(&mut self, old: u16, new: u16) {
        let is_default = self.vlan(old).is_some_and(|entry| entry.pvid && entry.untagged);
        if old == new || (old != 0 && !is_default) {
            return;
        }
        if new == 0 {
            self.remove_vlan(old);
        } else if self.vlan(new).is_none() {
            self.add_vlan(VlanEntry { vid: new, pvid: true, untagged: true });
            self.remove_vlan(old);
        }
    }
}

/// The VLANs a new leg is put into (B51).
pub fn default_vlans(pvid: u16) -> Vec<VlanEntry> {
    if pvid == 0 { Vec::new() } else { vec![VlanEntry { vid: pvid, pvid: true, untagged: true }] }
}

/// A leg of a plan, whatever is plugged into it.
#[derive(Clone, Copy, Debug)]
pub struct LegView<'a> {
    /// The port's name, or the end's.
    pub name: &'a str,
    /// The network it is a leg of.
    pub network: &'a str,
    /// What the bridge is told.
    pub settings: &'a Settings,
    /// Where that stands.
    pub line: Line,
    /// For an end: the network or the router it leads to.
    pub leads_to: Option<&'a str>,
}

impl LegView<'_> {
    /// Whether it is the host's own place on the network.
    pub fn is_host(&self) -> bool {
        self.settings.leg.role == Role::Host && self.leads_to.is_none()
    }

    /// Whether it is the place of a router.
    pub fn is_router(&self) -> bool {
        self.settings.leg.role == Role::Host && self.leads_to.is_some()
    }
}

impl Plan {
    /// All legs: the ports, then the ends of the links, then the routers' places.
    pub fn legs(&self) -> impl Iterator<Item = LegView<'_>> {
        let ports = self.ports.iter().map(|port| LegView {
            name: &port.name,
            network: &port.network,
            settings: &port.settings,
            line: port.line,
            leads_to: None,
        });
        let ends = self.links.iter().flat_map(|link| {
            [0, 1].map(|end| LegView {
                name: &link.ends[end].name,
                network: &link.networks[end],
                settings: &link.ends[end].settings,
                line: link.ends[end].line,
                leads_to: Some(&link.networks[1 - end]),
            })
        });
        ports.chain(ends).chain(self.router_legs())
    }

    fn router_legs(&self) -> impl Iterator<Item = LegView<'_>> {
        self.routers.iter().flat_map(|router| {
            router.interfaces.iter().map(|interface| LegView {
                name: &interface.end.name,
                network: &interface.network,
                settings: &interface.end.settings,
                line: interface.end.line,
                leads_to: Some(&router.name),
            })
        })
    }

    /// The leg of that name: a port's, or an end's.
    pub fn leg(&self, name: &str) -> Option<LegView<'_>> {
        self.legs().find(|leg| leg.name == name)
    }

    /// What is set on the leg of that name.
    pub fn settings(&self, name: &str) -> Option<&Settings> {
        self.leg(name).map(|leg| leg.settings)
    }

    /// The same, to be changed: whoever changes a running lab changes a copy of its plan and applies the difference.
    pub fn settings_mut(&mut self, name: &str) -> Option<&mut Settings> {
        let interfaces = self.routers.iter_mut().flat_map(|router| &mut router.interfaces);
        let routers = interfaces.map(|interface| &mut interface.end);
        let ends = self.links.iter_mut().flat_map(|link| &mut link.ends).chain(routers);
        let end = ends.filter(|end| end.name == name).map(|end| &mut end.settings).next();
        let port = self.ports.iter_mut().find(|port| port.name == name).map(|port| &mut port.settings);
        port.or(end)
    }

    /// The router of that name.
    pub fn router(&self, name: &str) -> Option<&super::Router> {
        self.routers.iter().find(|router| router.name == name)
    }

    /// The network of that name.
    pub fn network(&self, name: &str) -> Option<&super::Network> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// The same, to be changed.
    pub fn network_mut(&mut self, name: &str) -> Option<&mut super::Network> {
        self.networks.iter_mut().find(|network| network.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(settings: &Settings) -> Vec<(u16, bool, bool)> {
        settings.vlans.iter().map(|entry| (entry.vid, entry.pvid, entry.untagged)).collect()
    }

    #[test]
    fn a_new_pvid_takes_that_from_the_old_one() {
        let mut settings = Settings::new(LegConfig::default(), 1);
        settings.add_vlan(VlanEntry { vid: 10, pvid: true, untagged: false });
        assert_eq!(entries(&settings), [(1, false, true), (10, true, false)], "B54");
        settings.add_vlan(VlanEntry { vid: 10, pvid: false, untagged: true });
        assert_eq!(entries(&settings), [(1, false, true), (10, false, true)], "adding again sets the flags");
        assert!(settings.remove_vlan(1) && !settings.remove_vlan(1));
    }

    #[test]
    fn legs_follow_the_default_pvid() {
        let entry = |vid, pvid, untagged| VlanEntry { vid, pvid, untagged };
        let table = [
            (vec![entry(1, true, true)], 1, 5, vec![(5, true, true)], "moves"),
            (vec![entry(1, true, false)], 1, 5, vec![(1, true, false)], "the user has changed it"),
            (vec![entry(1, false, true)], 1, 5, vec![(1, false, true)], "no longer the PVID"),
            (vec![], 1, 5, vec![], "the user has removed it"),
            (vec![], 0, 5, vec![(5, true, true)], "there was none: everybody gets it"),
            (
                vec![entry(1, true, true), entry(5, false, false)],
                1,
                5,
                vec![(1, true, true), (5, false, false)],
                "it is in the new one already, as the user wants it",
            ),
            (
                vec![entry(1, true, true), entry(7, false, false)],
                1,
                0,
                vec![(7, false, false)],
                "none any more",
            ),
        ];
        for (vlans, old, new, expected, why) in table {
            let mut settings = Settings { vlans, ..Settings::default() };
            settings.follow_default(old, new);
            assert_eq!(entries(&settings), expected, "{why}");
        }
    }
}
