//! What differs between two plans, as far as the switch is concerned.
//!
//! A pure function of the two. The changes are in an order in which each is legal: what goes, goes from the leaves to
//! the root (static entries, links, ports, networks), what comes, comes the other way round, and what only changes its
//! settings does so in between. What did not change is not mentioned, and so not disturbed.
//!
//! What namespaces, interfaces and processes have to do is another matter (`lab::difference`).

use std::collections::BTreeMap;
use std::fmt;

use crate::control::plan::{Line, Network, Node, Plan, Port, StaticStation};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanChange {
    /// A new link between two networks.
    AddLink([String; 2]),
    /// A new network.
    AddNetwork(Network),
    /// A new port, or one whose interface is another now (then it was removed before).
    AddPort(Port),
    /// A new static FDB entry.
    AddStation(StaticStation),
    /// New settings of a network.
    ConfigureNetwork(Network),
    /// New settings of a port whose interface stays.
    ConfigurePort(Port),
    /// The link is gone.
    RemoveLink([String; 2]),
    /// The network is gone.
    RemoveNetwork(Network),
    /// The port is gone, or its interface will be another.
    RemovePort(Port),
    /// The static FDB entry is gone.
    RemoveStation(StaticStation),
}

/// What leads from `old` to `new`.
pub fn diff(old: &Plan, new: &Plan) -> Vec<PlanChange> {
    let networks = compare(&old.networks, &new.networks, |n| n.name.clone(), |a, b| a.name == b.name);
    let ports = compare(&old.ports, &new.ports, |p| p.name.clone(), same_interface);
    let ends =
        |links: &[crate::control::plan::Link]| links.iter().map(|l| sorted(&l.networks)).collect::<Vec<_>>();
    let links = compare(&ends(&old.links), &ends(&new.links), Clone::clone, |a, b| a == b);
    // a port that is replaced takes its static entries with it
    let replaced = |station: &StaticStation| ports.gone.iter().any(|port| port.name == station.port);
    let identity = |s: &StaticStation| (s.network.clone(), s.mac);
    let stations = compare(&old.fdb, &new.fdb, identity, |a, b| {
        (&a.port, a.sticky) == (&b.port, b.sticky) && !replaced(a)
    });

    let mut changes = Vec::new();
    changes.extend(stations.gone.into_iter().rev().map(PlanChange::RemoveStation));
    changes.extend(links.gone.into_iter().rev().map(PlanChange::RemoveLink));
    changes.extend(ports.gone.into_iter().rev().map(PlanChange::RemovePort));
    changes.extend(networks.gone.into_iter().rev().map(PlanChange::RemoveNetwork));
    let bridge_changed = |(a, b): &(Network, Network)| a.bridge != b.bridge;
    changes.extend(
        networks.both.into_iter().filter(bridge_changed).map(|(_, new)| PlanChange::ConfigureNetwork(new)),
    );
    let leg_changed = |(a, b): &(Port, Port)| a.leg != b.leg;
    changes.extend(ports.both.into_iter().filter(leg_changed).map(|(_, new)| PlanChange::ConfigurePort(new)));
    changes.extend(networks.new.into_iter().map(PlanChange::AddNetwork));
    changes.extend(ports.new.into_iter().map(PlanChange::AddPort));
    changes.extend(links.new.into_iter().map(PlanChange::AddLink));
    changes.extend(stations.new.into_iter().map(PlanChange::AddStation));
    changes
}

/// What a reload tells its user about the rest, which only the lab puts to work: nodes, and the settings of interfaces.
pub fn machines(old: &Plan, new: &Plan) -> Vec<String> {
    let nodes = compare(&without_lines(&old.nodes), &without_lines(&new.nodes), |n| n.name.clone(), Node::eq);
    let is_in = |list: &[Node], node: &Node| list.iter().any(|other| other.name == node.name);
    let gone = nodes.gone.iter().filter(|node| !is_in(&nodes.new, node));
    let mut lines: Vec<String> = gone.map(|node| format!("node {} removed", node.name)).collect();
    lines.extend(nodes.new.iter().map(|node| {
        let what = if is_in(&nodes.gone, node) { "changed" } else { "added" };
        format!("node {} {what}", node.name)
    }));
    let ports = compare(&old.ports, &new.ports, |p| p.name.clone(), same_interface);
    let changed = ports.both.iter().filter(|(a, b)| a.interface != b.interface);
    lines.extend(changed.map(|(_, port)| format!("port {} has another interface setting", port.name)));
    lines
}

/// A node that has only moved in the file is the same.
fn without_lines(nodes: &[Node]) -> Vec<Node> {
    let mut nodes = nodes.to_vec();
    for node in &mut nodes {
        node.line = Line::default();
        node.cables.iter_mut().for_each(|cable| cable.line = Line::default());
        node.bridges.iter_mut().for_each(|bridge| bridge.line = Line::default());
    }
    nodes
}

/// Whether the open port can stay: it is the same interface in the same place, plugged into the same network.
fn same_interface(a: &Port, b: &Port) -> bool {
    (&a.network, a.kind, &a.interface.name, &a.netns) == (&b.network, b.kind, &b.interface.name, &b.netns)
}

/// A link is the same whichever of its ends is named first.
fn sorted(networks: &[String; 2]) -> [String; 2] {
    let mut networks = networks.clone();
    networks.sort();
    networks
}

/// The members of two lists, sorted out. Each part is in the order of its list.
struct Compared<T> {
    gone: Vec<T>,
    both: Vec<(T, T)>,
    new: Vec<T>,
}

/// Members with the same key are `both` if they are also the `same`, else the old one goes and the new one comes.
fn compare<T: Clone, K: Ord>(
    old: &[T],
    new: &[T],
    key: impl Fn(&T) -> K,
    same: impl Fn(&T, &T) -> bool,
) -> Compared<T> {
    let before: BTreeMap<K, &T> = old.iter().map(|member| (key(member), member)).collect();
    let after: BTreeMap<K, &T> = new.iter().map(|member| (key(member), member)).collect();
    let stays =
        |member: &&T, others: &BTreeMap<K, &T>| others.get(&key(member)).is_some_and(|o| same(o, member));
    Compared {
        gone: old.iter().filter(|m| !stays(m, &after)).cloned().collect(),
        both: new
            .iter()
            .filter(|m| stays(m, &before))
            .map(|m| (before[&key(m)].clone(), m.clone()))
            .collect(),
        new: new.iter().filter(|m| !stays(m, &before)).cloned().collect(),
    }
}

/// What a reload tells its user.
impl fmt::Display for PlanChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddLink([a, b]) => write!(f, "link {a} - {b} added"),
            Self::AddNetwork(network) => write!(f, "network {} added", network.name),
            Self::AddPort(port) => write!(f, "port {} added", port.name),
            Self::AddStation(station) => write!(f, "fdb {} on {} added", station.mac, station.network),
            Self::ConfigureNetwork(network) => write!(f, "network {} changed", network.name),
            Self::ConfigurePort(port) => write!(f, "port {} changed", port.name),
            Self::RemoveLink([a, b]) => write!(f, "link {a} - {b} removed"),
            Self::RemoveNetwork(network) => write!(f, "network {} removed", network.name),
            Self::RemovePort(port) => write!(f, "port {} removed", port.name),
            Self::RemoveStation(station) => write!(f, "fdb {} on {} removed", station.mac, station.network),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;
    use crate::bridge::{BridgeConfig, LegConfig};
    use crate::control::plan::{Interface, Line, Link, Netns};
    use crate::control::registry::Registry;
    use crate::fabric::Fabric;
    use crate::port::PortKind;
    use crate::time::Time;
    use crate::wire::mac::Mac;

    fn network(name: &str, fdb_max: u32) -> Network {
        let bridge = BridgeConfig { fdb_max, ..BridgeConfig::default() };
        Network { name: name.into(), host: Vec::new(), mtu: 1500, bridge, line: Line(1) }
    }

    fn port(name: &str, network: &str, kind: PortKind, isolated: bool) -> Port {
        Port {
            name: name.into(),
            network: network.into(),
            kind,
            interface: Interface {
                name: name.into(),
                address: Vec::new(),
                mac: None,
                mtu: 1500,
                gateway: Vec::new(),
            },
            netns: Netns::Own,
            leg: LegConfig { isolated, ..LegConfig::default() },
            line: Line(2),
        }
    }

    /// Any plan over three networks, six ports and a handful of stations.
    fn plans() -> impl Strategy<Value = Plan> {
        let ports = btree_map(0..6u8, (0..3usize, any::<bool>(), any::<bool>()), 0..6);
        let stations = btree_map(0..4u8, (0..6usize, any::<bool>()), 0..4);
        (btree_map(0..3u8, 1..3u32, 1..=3), ports, stations, any::<bool>()).prop_map(
            |(networks, ports, stations, linked)| {
                let mut plan = Plan::empty("any");
                plan.networks = networks.iter().map(|(n, max)| network(&format!("n{n}"), *max)).collect();
                let name = |index: usize| plan.networks[index % plan.networks.len()].name.clone();
                plan.ports = ports
                    .iter()
                    .map(|(p, (n, plain, isolated))| {
                        let kind = if *plain { PortKind::PlainTap } else { PortKind::Tap };
                        port(&format!("p{p}"), &name(*n), kind, *isolated)
                    })
                    .collect();
                if linked && plan.networks.len() > 1 {
                    plan.links = vec![Link { networks: [name(0), name(1)], line: Line(3) }];
                }
                if !plan.ports.is_empty() {
                    plan.fdb = stations
                        .iter()
                        .map(|(s, (p, sticky))| {
                            let on = &plan.ports[p % plan.ports.len()];
                            StaticStation {
                                network: on.network.clone(),
                                mac: Mac([2, 0, 0, 0, 0, *s]),
                                port: on.name.clone(),
                                sticky: *sticky,
                                line: Line(4),
                            }
                        })
                        .collect();
                }
                plan
            },
        )
    }

    proptest! {
        #[test]
        fn nothing_differs_from_itself(plan in plans()) {
            prop_assert_eq!(diff(&plan, &plan), Vec::new());
        }

        #[test]
        fn every_difference_is_legal_and_leads_to_the_new_plan(a in plans(), b in plans()) {
            let (mut fabric, mut registry) = (Fabric::new([1, 2]), Registry::default());
            let empty = Plan::empty("any");
            for (from, to) in [(&empty, &a), (&a, &b), (&b, &empty)] {
                for change in registry.translate(&diff(from, to)).expect("there is room") {
                    let applied = fabric.apply(change, Time::ZERO);
                    prop_assert!(applied.is_ok(), "{:?}: {:?}", change, applied);
                }
                for network in &to.networks {
                    let id = registry.node(&network.name).expect("in the plan");
                    let known = fabric.stations(id, Time::ZERO).len();
                    let planned = to.fdb.iter().filter(|s| s.network == network.name).count();
                    prop_assert_eq!(known, planned, "static entries of {}", network.name);
                }
            }
        }
    }

    #[test]
    fn what_did_not_change_is_not_touched() {
        let mut a = Plan::empty("lab");
        a.networks = vec![network("n0", 10)];
        a.ports = vec![port("p0", "n0", PortKind::Tap, false), port("p1", "n0", PortKind::Tap, false)];
        let mut b = a.clone();
        b.ports[0].leg.isolated = true;
        b.ports[0].line = Line(99);
        assert_eq!(diff(&a, &b), [PlanChange::ConfigurePort(b.ports[0].clone())], "settings only");
        b.ports[1].line = Line(100);
        assert_eq!(diff(&a, &b).len(), 1, "a line that moved is no change");
        b.ports[0].kind = PortKind::PlainTap;
        let names: Vec<String> = diff(&a, &b).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["port p0 removed", "port p0 added"], "another way to open it is another port");
    }
}
