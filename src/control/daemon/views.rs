//! The listings: what the engine counted, told in the words of the plan.
//!
//! The engine knows ids and numbers, the plan knows names. A [`Snapshot`] is taken on the engine thread, between two
//! turns, so all its numbers belong together; the rest is a pure function of snapshot, plan and registry.

use std::time::Duration;

use crate::bridge::{LegConfig, Promiscuous, Role, StationEntry, StationKind};
use crate::control::plan::{Netns, Plan, Port};
use crate::control::registry::Registry;
use crate::control::view::{DropView, NetworkView, PortView, StationView, StatsView, Traffic};
use crate::engine::{EngineStats, Switch};
use crate::fabric::Books;
use crate::frame::{NodeId, Plug, PortId};
use crate::port::{PortCounters, PortKind};
use crate::verdict::DropCounters;

/// Everything the engine can tell, at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    ports: Vec<PortSnapshot>,
    stations: Vec<(NodeId, Vec<(StationEntry, Plug)>)>,
    books: Books,
    engine: EngineStats,
}

#[derive(Debug)]
struct PortSnapshot {
    id: PortId,
    /// `None` when the port has been closed because its interface is gone.
    counters: Option<PortCounters>,
    dropped_in: DropCounters,
    withheld_out: DropCounters,
}

impl Snapshot {
    /// To be run on the engine thread. Stations are listed only if asked for: there may be many.
    pub(super) fn take(switch: &mut Switch, ports: &[PortId], bridges: &[NodeId]) -> Self {
        let mut port = |id: &PortId| PortSnapshot {
            id: *id,
            counters: switch.counters(*id),
            dropped_in: switch.fabric.dropped_in(*id),
            withheld_out: switch.fabric.withheld_out(*id),
        };
        Self {
            ports: ports.iter().map(&mut port).collect(),
            stations: bridges.iter().map(|id| (*id, switch.fabric.stations(*id, switch.now))).collect(),
            books: switch.fabric.books(),
            engine: switch.stats,
        }
    }

    fn port(&self, id: PortId) -> Option<&PortSnapshot> {
        self.ports.iter().find(|port| port.id == id)
    }
}

/// `show ports`.
pub(super) fn ports(snapshot: &Snapshot, plan: &Plan, registry: &Registry) -> Vec<PortView> {
    let view = |port: &Port| {
        let seen = registry.port(&port.name).and_then(|id| snapshot.port(id));
        let counters = seen.and_then(|seen| seen.counters);
        let traffic = counters.unwrap_or_default();
        let dropped_in = seen.map_or(0, |seen| seen.dropped_in.total());
        let withheld_out = seen.map_or(0, |seen| seen.withheld_out.total());
        PortView {
            name: port.name.clone(),
            network: port.network.clone(),
            kind: kind_name(port.kind).into(),
            interface: port.interface.name.clone(),
            node: match &port.netns {
                Netns::Node(node) => Some(node.clone()),
                _ => None,
            },
            mac: port.interface.mac,
            mtu: port.interface.mtu,
            state: if counters.is_some() { "up" } else { "gone" }.into(),
            flags: flags(&port.settings.leg),
            rx: Traffic {
                packets: traffic.rx_frames,
                bytes: traffic.rx_bytes,
                dropped: traffic.rx_drops.total() + dropped_in,
            },
            tx: Traffic {
                packets: traffic.tx_frames,
                bytes: traffic.tx_bytes,
                dropped: traffic.tx_drops.total() + withheld_out,
            },
        }
    };
    plan.ports.iter().map(view).collect()
}

/// `show networks`.
pub(super) fn networks(snapshot: &Snapshot, plan: &Plan, registry: &Registry) -> Vec<NetworkView> {
    let stations = |name: &str| {
        let id = registry.node(name);
        snapshot.stations.iter().find(|(node, _)| Some(*node) == id).map_or(0, |(_, list)| list.len())
    };
    let links = |name: &str| {
        let other = |[a, b]: &[String; 2]| match name {
            _ if name == a => Some(b.clone()),
            _ if name == b => Some(a.clone()),
            _ => None,
        };
        plan.links.iter().filter_map(|link| other(&link.networks)).collect()
    };
    plan.networks
        .iter()
        .map(|network| NetworkView {
            name: network.name.clone(),
            host: network.host.iter().map(ToString::to_string).collect(),
            mtu: network.mtu,
            ageing: network.bridge.ageing.as_secs(),
            stations: stations(&network.name),
            fdb_max: network.bridge.fdb_max,
            ports: plan.ports.iter().filter(|p| p.network == network.name).map(|p| p.name.clone()).collect(),
            links: links(&network.name),
        })
        .collect()
}

/// `show fdb`.
pub(super) fn fdb(snapshot: &Snapshot, registry: &Registry) -> Vec<StationView> {
    let mut views = Vec::new();
    for (bridge, stations) in &snapshot.stations {
        for (entry, behind) in stations {
            let ifname = registry.plug_name(*behind);
            let state = match entry.kind {
                StationKind::Learned | StationKind::Locked => "",
                StationKind::Local => "permanent",
                StationKind::Static | StationKind::Sticky => "static",
            };
            let sticky = entry.kind == StationKind::Sticky;
            views.push(StationView {
                mac: entry.mac,
                ifname: ifname.unwrap_or_default().to_owned(),
                flags: sticky.then(|| "sticky".to_owned()).into_iter().collect(),
                master: registry.node_name(*bridge).unwrap_or_default().to_owned(),
                state: state.to_owned(),
                updated: (entry.kind == StationKind::Learned).then_some(entry.idle.as_secs()),
            });
        }
    }
    views
}

/// `show drops`: every counter above zero.
pub(super) fn drops(snapshot: &Snapshot, registry: &Registry) -> Vec<DropView> {
    let mut views = Vec::new();
    for port in &snapshot.ports {
        let edge = port.counters.unwrap_or_default();
        let mut list = |direction: &str, counters: &DropCounters| {
            views.extend(counters.nonzero().map(|(reason, count)| DropView {
                port: registry.port_name(port.id).unwrap_or_default().to_owned(),
                direction: direction.to_owned(),
                reason: reason.name().to_owned(),
                count,
                explanation: reason.explanation().to_owned(),
            }));
        };
        list("in", &edge.rx_drops);
        list("in", &port.dropped_in);
        list("out", &edge.tx_drops);
        list("out", &port.withheld_out);
    }
    views
}

/// `show stats`.
pub(super) fn stats(snapshot: &Snapshot, lab: &str, uptime: Duration) -> StatsView {
    let books = &snapshot.books;
    StatsView {
        lab: lab.to_owned(),
        uptime: uptime.as_secs(),
        received: books.received,
        sent: books.sent,
        flooded: books.flooded,
        consumed: books.consumed,
        parked: books.parked,
        dropped: books.drops.total(),
        delivered: books.delivered,
        wakeups: snapshot.engine.wakeups,
        batches: snapshot.engine.batches,
        stations: snapshot.stations.iter().map(|(_, list)| list.len()).sum(),
    }
}

fn kind_name(kind: PortKind) -> &'static str {
    match kind {
        PortKind::PlainTap => "plain",
        PortKind::Raw => "raw",
        PortKind::Tap => "tap",
    }
}

/// What differs from the defaults, in the words of bridge(8).
fn flags(leg: &LegConfig) -> Vec<String> {
    let default = LegConfig::default();
    let switches = [
        ("learning", leg.learning, default.learning),
        ("flood", leg.flood, default.flood),
        ("mcast_flood", leg.mcast_flood, default.mcast_flood),
        ("bcast_flood", leg.bcast_flood, default.bcast_flood),
        ("hairpin", leg.hairpin, default.hairpin),
        ("isolated", leg.isolated, default.isolated),
        ("locked", leg.locked, default.locked),
    ];
    let mut flags: Vec<String> = switches
        .into_iter()
        .filter(|(_, value, usual)| value != usual)
        .map(|(name, value, _)| format!("{name} {}", if value { "on" } else { "off" }))
        .collect();
    if leg.role == Role::Host {
        flags.push("host".into());
    }
    if leg.promiscuous == Promiscuous::Deny {
        flags.push("promiscuous deny".into());
    }
    if leg.group_fwd_mask != 0 {
        flags.push(format!("group_fwd_mask {:#x}", leg.group_fwd_mask));
    }
    flags
}
