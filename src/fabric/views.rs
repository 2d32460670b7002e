//! What there is to be seen: counters, stations, memberships. For people, so it may allocate.

use super::{Books, Fabric, Node};
use crate::bridge::{
    Bridge, BridgeCounters, GroupEntry, QuerierEntry, RouterEntry, StationEntry, StpLegSummary, StpSummary,
    VlanEntry,
};
use crate::frame::{Leg, LegIndex, NodeId, Plug, PortId};
use crate::router::Router;
use crate::time::Time;
use crate::verdict::DropCounters;

impl Fabric {
    /// The books of the whole fabric.
    pub fn books(&self) -> Books {
        Books { unmade: self.books.unmade + self.outbox.lost(), ..self.books }
    }

    /// What a bridge has done; `None` if there is no such bridge.
    pub fn bridge_counters(&self, bridge: NodeId) -> Option<BridgeCounters> {
        self.bridge(bridge).map(|bridge| *bridge.counters())
    }

    /// Why frames that entered through this port ended.
    pub fn dropped_in(&self, port: PortId) -> DropCounters {
        self.port(port).map(|port| port.dropped).unwrap_or_default()
    }

    /// Why copies that would have left through this port were withheld.
    pub fn withheld_out(&self, port: PortId) -> DropCounters {
        let Some(Leg { node, leg }) = self.port(port).map(|port| port.leg) else {
            return DropCounters::default();
        };
        self.bridge(node).map(|bridge| bridge.withheld(leg)).unwrap_or_default()
    }

    /// Why copies that would have left a bridge through its links were withheld, or ended behind them.
    pub fn withheld_at_links(&self, bridge: NodeId) -> Vec<(Plug, DropCounters)> {
        let mut legs = self.each_leg(bridge, |bridge, leg| Some(bridge.withheld(leg)));
        legs.retain(|(plug, _)| matches!(plug, Plug::Link(..)));
        legs
    }

    /// The stations a bridge knows, in the order of VLAN and address, each with what is plugged in where it is.
    pub fn stations(&self, bridge: NodeId, now: Time) -> Vec<(StationEntry, Plug)> {
        let stations = self.bridge(bridge).map(|bridge| bridge.stations(now)).unwrap_or_default();
        let at = |leg| self.plug(Leg { node: bridge, leg });
        stations.into_iter().filter_map(|entry| Some((entry, at(entry.leg)?))).collect()
    }

    /// Every leg of a bridge, with the VLANs it is in, in ascending order (B51).
    pub fn vlans(&self, bridge: NodeId) -> Vec<(Plug, Vec<VlanEntry>)> {
        self.each_leg(bridge, |bridge, leg| Some(bridge.vlans(leg)))
    }

    /// The groups of a bridge, each entry with its member; none is the host.
    pub fn groups(&self, bridge: NodeId, now: Time) -> Vec<(GroupEntry, Option<Plug>)> {
        let groups = self.bridge(bridge).map(|bridge| bridge.groups(now)).unwrap_or_default();
        let at = |leg: Option<LegIndex>| self.plug(Leg { node: bridge, leg: leg? });
        groups.into_iter().map(|entry| (at(entry.leg), entry)).map(|(plug, entry)| (entry, plug)).collect()
    }

    /// The legs of a bridge behind which multicast routers are.
    pub fn routers(&self, bridge: NodeId, now: Time) -> Vec<(RouterEntry, Plug)> {
        let routers = self.bridge(bridge).map(|bridge| bridge.routers(now)).unwrap_or_default();
        let at = |leg| self.plug(Leg { node: bridge, leg });
        routers.into_iter().filter_map(|entry| Some((entry, at(entry.leg)?))).collect()
    }

    /// Who asks after groups on a bridge, for each family, and where they are; none is the bridge itself, or the host.
    pub fn queriers(&self, bridge: NodeId, now: Time) -> Vec<(QuerierEntry, Option<Plug>)> {
        let queriers = self.bridge(bridge).map(|bridge| bridge.queriers(now)).unwrap_or_default();
        let at = |leg: Option<LegIndex>| self.plug(Leg { node: bridge, leg: leg? });
        queriers.into_iter().map(|entry| (entry, at(entry.leg))).collect()
    }

    /// How many memberships and sources a bridge remembers, and how many there was no room for.
    pub fn memberships(&self, bridge: NodeId) -> (u32, u64) {
        self.bridge(bridge).map(Bridge::membership_usage).unwrap_or_default()
    }

    /// The spanning tree of a bridge, and what part each of its legs has in it; the host has none.
    pub fn tree(&self, bridge: NodeId, now: Time) -> Option<(StpSummary, Vec<(Plug, StpLegSummary)>)> {
        let device = self.bridge(bridge)?;
        Some((device.tree(now), self.each_leg(bridge, |bridge, leg| bridge.tree_leg(leg))))
    }

    /// What is plugged into a leg: to name the legs of traces and events.
    pub fn plug(&self, leg: Leg) -> Option<Plug> {
        self.graph.plug(leg)
    }

    /// A router, to be looked at.
    pub fn router(&self, router: NodeId) -> Option<&Router> {
        match self.node(router) {
            Some(Node::Router(router)) => Some(router),
            _ => None,
        }
    }

    fn bridge(&self, bridge: NodeId) -> Option<&Bridge> {
        match self.node(bridge) {
            Some(Node::Bridge(bridge)) => Some(bridge),
            _ => None,
        }
    }

    fn each_leg<T>(&self, node: NodeId, view: impl Fn(&Bridge, LegIndex) -> Option<T>) -> Vec<(Plug, T)> {
        let Some(device) = self.bridge(node) else { return Vec::new() };
        self.graph.plugs(node).filter_map(|(leg, plug)| Some((plug, view(device, leg)?))).collect()
    }
}
