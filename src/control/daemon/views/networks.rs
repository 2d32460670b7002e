//! `show networks`.

use super::{layer2, stp_name};
use crate::bridge::{BridgeCounters, Family, QuerierEntry};
use crate::control::plan::{Network, Plan};
use crate::control::registry::Registry;
use crate::control::view::{BridgeCountersView, NetworkView, QuerierView};
use crate::engine::Switch;
use crate::frame::{NodeId, Plug};

/// What a bridge knows and has counted.
#[derive(Debug, Default)]
pub(in crate::control::daemon) struct BridgeSnapshot {
    stations: usize,
    queriers: Vec<(QuerierEntry, Option<Plug>)>,
    /// Memberships: how many there are, and how many there was no room for.
    memberships: (u32, u64),
    counters: BridgeCounters,
}

impl BridgeSnapshot {
    /// To be run on the engine thread.
    pub(in crate::control::daemon) fn take(switch: &Switch, id: NodeId) -> Self {
        let (fabric, now) = (&switch.fabric, switch.now);
        Self {
            stations: fabric.stations(id, now).len(),
            queriers: fabric.queriers(id, now),
            memberships: fabric.memberships(id),
            counters: fabric.bridge_counters(id).unwrap_or_default(),
        }
    }
}

/// `show networks`.
pub(in crate::control::daemon) fn networks(
    seen: &[(NodeId, BridgeSnapshot)],
    plan: &Plan,
    registry: &Registry,
) -> Vec<NetworkView> {
    let nothing = BridgeSnapshot::default();
    let of = |network: &Network| {
        let id = registry.node(&network.name);
        seen.iter().find(|(bridge, _)| Some(*bridge) == id).map_or(&nothing, |(_, seen)| seen)
    };
    plan.networks.iter().map(|network| view(network, of(network), plan, registry)).collect()
}

fn view(network: &Network, seen: &BridgeSnapshot, plan: &Plan, registry: &Registry) -> NetworkView {
    let name = &network.name;
    let ends = plan.legs().filter(|leg| leg.network == name && leg.leads_to.is_some());
    let querier = |(entry, plug): &(QuerierEntry, Option<Plug>)| {
        let port = plug.map_or(Some(name.as_str()), |plug| registry.plug_name(plug));
        Some(QuerierView {
            family: match entry.family {
                Family::V4 => "igmp".to_owned(),
                Family::V6 => "mld".to_owned(),
            },
            address: entry.address.map(|address| address.to_string()),
            port: port?.to_owned(),
            timer: entry.expires.map(layer2::timer),
        })
    };
    let BridgeCounters { received, consumed, forwarded, flooded, drops, learned, moved, refused } =
        seen.counters;
    NetworkView {
        name: name.clone(),
        host: network.host.iter().map(ToString::to_string).collect(),
        mtu: network.mtu,
        ageing: network.bridge.ageing.as_secs(),
        stations: seen.stations,
        fdb_max: network.bridge.fdb_max,
        ports: plan.ports.iter().filter(|p| p.network == *name).map(|p| p.name.clone()).collect(),
        links: ends.map(|leg| leg.name.to_owned()).collect(),
        stp: stp_name(network.bridge.stp.mode).into(),
        vlan_filtering: network.bridge.vlan.filtering,
        mcast_snooping: network.bridge.multicast.snooping,
        mcast_queriers: seen.queriers.iter().filter_map(querier).collect(),
        mcast_members: seen.memberships.0,
        mcast_refused: seen.memberships.1,
        counters: BridgeCountersView {
            received,
            consumed,
            forwarded,
            flooded,
            dropped: drops.total(),
            learned,
            moved,
            refused,
        },
    }
}
