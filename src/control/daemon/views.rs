//! The listings: what the engine counted, told in the words of the plan.
//!
//! The engines know ids and numbers, the plan knows names. A [`Snapshot`] is taken on an engine's thread, between two
//! turns, so all its numbers belong together; those of several engines are joined, and the rest is a pure function of
//! snapshot, plan and registry.

mod gateway;
mod layer2;
mod networks;
mod rules;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};

use crate::bridge::{Role, StationEntry, StationKind, StpMode};
use crate::control::placement::Placement;
use crate::control::plan::{Netns, Plan, Port, Settings};
use crate::control::registry::Registry;
use crate::control::setting;
use crate::control::view::{DropView, EngineView, PortView, StationView, StatsView, Traffic};
use crate::engine::{Switch, Tally, thread_name};
use crate::fabric::Books;
use crate::frame::{NodeId, Plug, PortId};
use crate::port::{PortCounters, PortKind};
use crate::verdict::DropCounters;
use crate::wire::mac::Mac;

pub(super) use gateway::{
    Gateway, count_rules, gateway, list_neighbours, list_routes, neighbours, publishes, routes,
};
pub(super) use layer2::{groups, mdb, state_name, stp, tree, vlan};
pub(super) use networks::{BridgeSnapshot, networks};
pub(super) use rules::{counting, list_rules, rules};
pub(super) use sessions::{Piece, count_sessions, sessions};

/// Everything the engines can tell, each at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    ports: Vec<PortSnapshot>,
    /// Ends of links, and what was withheld there, bridge by bridge.
    ends: Vec<(NodeId, Vec<(Plug, DropCounters)>)>,
    stations: Vec<(NodeId, Vec<(StationEntry, Plug)>)>,
    books: Books,
    /// Of each engine, what each of its threads counts about itself.
    engines: Vec<Vec<Tally>>,
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
    pub(super) fn take(switch: &mut Switch, ports: &[PortId], bridges: &[NodeId], stations: bool) -> Self {
        let mut port = |id: &PortId| PortSnapshot {
            id: *id,
            counters: switch.counters(*id),
            dropped_in: switch.fabric.dropped_in(*id),
            withheld_out: switch.fabric.withheld_out(*id),
        };
        let listed = if stations { bridges } else { &[] };
        Self {
            ports: ports.iter().map(&mut port).collect(),
            ends: bridges.iter().map(|id| (*id, switch.fabric.withheld_at_links(*id))).collect(),
            stations: listed.iter().map(|id| (*id, switch.fabric.stations(*id, switch.now))).collect(),
            books: switch.fabric.books(),
            engines: vec![vec![switch.tally(&[])]],
        }
    }

    /// Adds what the other threads of the same engine have counted.
    pub(super) fn add(&mut self, others: Vec<Tally>) {
        for (id, more) in others.iter().flat_map(|other| &other.ports) {
            let port = self.ports.iter_mut().find(|port| port.id == *id);
            if let Some(counters) = port.and_then(|port| port.counters.as_mut()) {
                counters.add(more);
            }
        }
        self.engines.iter_mut().zip([others]).for_each(|(threads, others)| threads.extend(others));
    }

    /// One of what all engines have told, in the order of these lists.
    pub(super) fn join(parts: Vec<Self>, ports: &[(PortId, usize)], bridges: &[(NodeId, usize)]) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.ports.extend(part.ports);
            all.ends.extend(part.ends);
            all.stations.extend(part.stations);
            all.books = all.books.and(&part.books);
            all.engines.extend(part.engines);
        }
        let ports: BTreeMap<PortId, usize> = ports.iter().map(|(id, _)| *id).zip(0..).collect();
        let bridges: BTreeMap<NodeId, usize> = bridges.iter().map(|(id, _)| *id).zip(0..).collect();
        all.ports.sort_by_key(|port| ports.get(&port.id).copied());
        all.ends.sort_by_key(|(bridge, _)| bridges.get(bridge).copied());
        all.stations.sort_by_key(|(bridge, _)| bridges.get(bridge).copied());
        all
    }

    fn port(&self, id: PortId) -> Option<&PortSnapshot> {
        self.ports.iter().find(|port| port.id == id)
    }
}

/// `show ports`.
pub(super) fn ports(
    snapshot: &Snapshot,
    plan: &Plan,
    registry: &Registry,
    down: &BTreeSet<String>,
) -> Vec<PortView> {
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
            state: match counters {
                None => "gone",
                Some(_) if down.contains(&port.name) => "down",
                Some(_) => "up",
            }
            .into(),
            flags: flags(&port.settings),
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

/// `show fdb`.
pub(super) fn fdb(snapshot: &Snapshot, registry: &Registry) -> Vec<StationView> {
    let mut views = Vec::new();
    for (bridge, stations) in &snapshot.stations {
        for (entry, behind) in stations {
            let ifname = registry.plug_name(*behind);
            let master = registry.node_name(*bridge).unwrap_or_default();
            let ages = matches!(entry.kind, StationKind::Learned | StationKind::Locked);
            views.push(StationView {
                updated: ages.then_some(entry.idle.as_secs()),
                ..station(entry.mac, entry.vid, entry.kind, ifname.unwrap_or_default(), master)
            });
        }
    }
    views
}

/// A station as `bridge fdb` has it.
pub(super) fn station(mac: Mac, vid: u16, kind: StationKind, ifname: &str, master: &str) -> StationView {
    let (flag, state) = match kind {
        StationKind::Learned => (None, ""),
        StationKind::Local => (None, "permanent"),
        StationKind::Locked => (Some("locked"), ""),
        StationKind::Static => (None, "static"),
        StationKind::Sticky => (Some("sticky"), "static"),
    };
    StationView {
        mac,
        ifname: ifname.to_owned(),
        flags: flag.map(str::to_owned).into_iter().collect(),
        master: master.to_owned(),
        vlan: (vid != 0).then_some(vid),
        state: state.to_owned(),
        updated: None,
    }
}

/// `show drops`: every counter above zero.
pub(super) fn drops(snapshot: &Snapshot, registry: &Registry) -> Vec<DropView> {
    let mut views = Vec::new();
    let mut list = |plug: Plug, direction: &str, counters: &DropCounters| {
        views.extend(counters.nonzero().map(|(reason, count)| DropView {
            port: registry.plug_name(plug).unwrap_or_default().to_owned(),
            direction: direction.to_owned(),
            reason: reason.name().to_owned(),
            count,
            explanation: reason.explanation().to_owned(),
        }));
    };
    for port in &snapshot.ports {
        let (plug, edge) = (Plug::Port(port.id), port.counters.unwrap_or_default());
        list(plug, "in", &edge.rx_drops);
        list(plug, "in", &port.dropped_in);
        list(plug, "out", &edge.tx_drops);
        list(plug, "out", &port.withheld_out);
    }
    for (plug, withheld) in snapshot.ends.iter().flat_map(|(_, ends)| ends) {
        list(*plug, "out", withheld);
    }
    views
}

/// `show stats`, without the time.
pub(super) fn stats(snapshot: &Snapshot, plan: &Plan, placement: &Placement) -> StatsView {
    let books = &snapshot.books;
    let thread = |engine: usize, thread: usize, tally: &Tally| EngineView {
        name: thread_name(engine, thread),
        devices: plan.devices().filter(|name| placement.engine(name) == engine).map(str::to_owned).collect(),
        ports: tally.reads,
        received: tally.stats.frames,
        wakeups: tally.stats.wakeups,
        batches: tally.stats.batches,
    };
    let engines = snapshot.engines.iter().enumerate().flat_map(|(engine, threads)| {
        threads.iter().enumerate().map(move |(number, tally)| thread(engine, number, tally))
    });
    let engines: Vec<EngineView> = engines.collect();
    StatsView {
        lab: plan.name.clone(),
        uptime: 0,
        received: books.received,
        sent: books.sent,
        flooded: books.flooded,
        consumed: books.consumed,
        parked: books.parked,
        dropped: books.drops.total(),
        delivered: books.delivered,
        wakeups: engines.iter().map(|engine| engine.wakeups).sum(),
        batches: engines.iter().map(|engine| engine.batches).sum(),
        stations: snapshot.stations.iter().map(|(_, list)| list.len()).sum(),
        engines,
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
fn flags(settings: &Settings) -> Vec<String> {
    let mut flags: Vec<String> = setting::unusual(&settings.leg).iter().map(ToString::to_string).collect();
    flags.extend(settings.backup.iter().map(|port| format!("backup_port {port}")));
    if settings.leg.role == Role::Host {
        flags.push("host".into());
    }
    if !settings.permits.is_empty() {
        flags.push("source_guard".into());
    }
    flags
}

fn stp_name(mode: StpMode) -> &'static str {
    match mode {
        StpMode::Off => "off",
        StpMode::Rstp => "rstp",
        StpMode::Stp => "stp",
    }
}
