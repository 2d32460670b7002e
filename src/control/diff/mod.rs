//! What differs between two plans, as far as the switch is concerned.
//!
//! A pure function of the two. The changes are in an order in which each is legal: what goes, goes from the leaves to
//! the root (static entries, routes, links, ports, networks), what comes, comes the other way round, and what only changes its
//! settings does so in between. What did not change is not mentioned, and so not disturbed: lists are compared entry by
//! entry.
//!
//! What namespaces, interfaces and processes have to do is another matter (`lab::difference`).

mod legs;
mod routers;

pub use legs::LegChange;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use routers::Routers;

use crate::control::plan::{
    Line, Link, LinkEnd, Network, Node, Plan, Port, Route, Router, RouterInterface, StaticGroup,
    StaticStation,
};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanChange {
    /// A new permanent membership.
    AddGroup(StaticGroup),
    /// A new place of the router of that name on a network. As with links, VLANs follow.
    AddInterface(String, RouterInterface),
    /// A new link between two networks. Its ends are in their networks' default VLAN, whatever their settings say:
    /// what differs from that follows, leg by leg.
    AddLink(Link),
    /// A new network.
    AddNetwork(Network),
    /// A new port, or one whose interface is another now (then it was removed before). As with links, VLANs, permits
    /// and the backup follow.
    AddPort(Port),
    /// A new route of the router of that name.
    AddRoute(String, Route),
    /// A new router: without interfaces, routes or rules, which follow.
    AddRouter(Router),
    /// A new static FDB entry.
    AddStation(StaticStation),
    /// New plain settings of an end of a link, or of a wire to a router.
    ConfigureEnd(LinkEnd),
    /// New settings of an interface of the router of that name. Those of the bridge's end are then what they are by
    /// default; what differs follows.
    ConfigureInterface(String, RouterInterface),
    /// New settings of a network.
    ConfigureNetwork(Network),
    /// New plain settings of a port whose interface stays.
    ConfigurePort(Port),
    /// New settings of a router as a whole.
    ConfigureRouter(Router),
    /// A change of what is a list, or names another leg: the leg's name, and what changes.
    Leg(String, LegChange),
    /// The membership is gone.
    RemoveGroup(StaticGroup),
    /// The interface of the router of that name is gone.
    RemoveInterface(String, RouterInterface),
    /// The link is gone.
    RemoveLink(Link),
    /// The network is gone.
    RemoveNetwork(Network),
    /// The port is gone, or its interface will be another.
    RemovePort(Port),
    /// The route of the router of that name is gone, or will lead elsewhere.
    RemoveRoute(String, Route),
    /// The router is gone.
    RemoveRouter(Router),
    /// The static FDB entry is gone.
    RemoveStation(StaticStation),
    /// The rules of a router, in place of those it had.
    SetPolicy(Router),
}

impl PlanChange {
    /// The network or router that it is about; of a wire, the one at one of its ends. `old` and `new` are what it leads from
    /// and to.
    pub fn device<'a>(&'a self, old: &'a Plan, new: &'a Plan) -> &'a str {
        // a leg that is changed is there before and afterwards, or only afterwards
        let of_leg = |name| new.leg(name).or_else(|| old.leg(name)).map_or("", |leg| leg.network);
        match self {
            Self::AddGroup(group) | Self::RemoveGroup(group) => &group.network,
            Self::AddInterface(router, _)
            | Self::AddRoute(router, _)
            | Self::ConfigureInterface(router, _)
            | Self::RemoveInterface(router, _)
            | Self::RemoveRoute(router, _) => router,
            Self::AddLink(link) | Self::RemoveLink(link) => &link.networks[0],
            Self::AddNetwork(network) | Self::ConfigureNetwork(network) | Self::RemoveNetwork(network) => {
                &network.name
            }
            Self::AddPort(port) | Self::ConfigurePort(port) | Self::RemovePort(port) => &port.network,
            Self::AddRouter(router)
            | Self::ConfigureRouter(router)
            | Self::RemoveRouter(router)
            | Self::SetPolicy(router) => &router.name,
            Self::AddStation(station) | Self::RemoveStation(station) => &station.network,
            Self::ConfigureEnd(end) => of_leg(&end.name),
            Self::Leg(name, _) => of_leg(name),
        }
    }
}

/// What leads from `old` to `new`.
pub fn diff(old: &Plan, new: &Plan) -> Vec<PlanChange> {
    let networks = compare(&old.networks, &new.networks, |n| n.name.clone(), |a, b| a.name == b.name);
    let ports = compare(&old.ports, &new.ports, |p| p.name.clone(), same_interface);
    let links = compare(&old.links, &new.links, link_name, |_, _| true);
    let routers = Routers::new(old, new);
    let gone: BTreeSet<String> = ports
        .gone
        .iter()
        .map(|port| port.name.clone())
        .chain(links.gone.iter().flat_map(|link| link.ends.clone().map(|end| end.name)))
        .chain(routers.gone())
        .collect();
    // an entry for all VLANs of a leg is in those that the leg was in when it was set (B58), so it is set again
    let vids = |plan: &Plan, leg: &str| -> Option<Vec<u16>> {
        plan.settings(leg).map(|settings| settings.vlans.iter().map(|entry| entry.vid).collect())
    };
    let is_spread = |s: &StaticStation| s.vlan.is_some() || vids(old, &s.at) == vids(new, &s.at);
    // a leg that is replaced takes its static entries and memberships with it
    let stations = compare(
        &old.fdb,
        &new.fdb,
        |s| (s.network.clone(), s.mac, s.vlan),
        |a, b| (&a.at, a.sticky) == (&b.at, b.sticky) && !gone.contains(&a.at) && is_spread(a),
    );
    let groups = compare(
        &old.groups,
        &new.groups,
        |g| (g.network.clone(), g.at.clone(), g.vlan, g.group),
        |a, _| !gone.contains(&a.at),
    );
    let stay = legs::Stay::new(old, new, &gone);

    let mut changes = Vec::new();
    changes.extend(stations.gone.into_iter().rev().map(PlanChange::RemoveStation));
    changes.extend(groups.gone.into_iter().rev().map(PlanChange::RemoveGroup));
    changes.extend(stay.backups_lost());
    changes.extend(routers.removals());
    changes.extend(links.gone.into_iter().rev().map(PlanChange::RemoveLink));
    changes.extend(ports.gone.into_iter().rev().map(PlanChange::RemovePort));
    changes.extend(networks.gone.into_iter().rev().map(PlanChange::RemoveNetwork));
    let bridge_changed = |(a, b): &(Network, Network)| a.bridge != b.bridge;
    changes.extend(
        networks.both.into_iter().filter(bridge_changed).map(|(_, new)| PlanChange::ConfigureNetwork(new)),
    );
    let leg_changed = |(a, b): &(Port, Port)| a.settings.leg != b.settings.leg;
    changes.extend(ports.both.into_iter().filter(leg_changed).map(|(_, new)| PlanChange::ConfigurePort(new)));
    changes.extend(links.both.into_iter().flat_map(|(old, new)| changed_ends(old, new)));
    changes.extend(routers.settings());
    changes.extend(stay.lists());
    changes.extend(networks.new.into_iter().map(PlanChange::AddNetwork));
    changes.extend(routers.new_routers());
    for port in ports.new {
        let lists = legs::new_lists(&port.name, &port.network, &port.settings, new);
        changes.push(PlanChange::AddPort(port));
        changes.extend(lists);
    }
    for link in links.new {
        let lists = [0, 1]
            .map(|at| legs::new_lists(&link.ends[at].name, &link.networks[at], &link.ends[at].settings, new));
        changes.push(PlanChange::AddLink(link));
        changes.extend(lists.into_iter().flatten());
    }
    changes.extend(routers.new_interfaces(new));
    changes.extend(routers.new_ways(new));
    changes.extend(stay.backups());
    changes.extend(stations.new.into_iter().map(PlanChange::AddStation));
    changes.extend(groups.new.into_iter().map(PlanChange::AddGroup));
    changes
}

/// What a reload tells its user about the changes: one line each, but none for the details of what is new.
pub fn describe(changes: &[PlanChange]) -> Vec<String> {
    let new: BTreeSet<&str> = changes
        .iter()
        .flat_map(|change| match change {
            PlanChange::AddInterface(_, place) => vec![place.end.name.as_str()],
            PlanChange::AddLink(link) => link.ends.iter().map(|end| end.name.as_str()).collect(),
            PlanChange::AddPort(port) => vec![port.name.as_str()],
            _ => Vec::new(),
        })
        .collect();
    let routers: BTreeSet<&str> = changes
        .iter()
        .filter_map(|change| match change {
            PlanChange::AddRouter(router) | PlanChange::RemoveRouter(router) => Some(router.name.as_str()),
            _ => None,
        })
        .collect();
    let is_detail = |change: &&PlanChange| match change {
        PlanChange::Leg(name, _) => new.contains(name.as_str()),
        PlanChange::ConfigureEnd(end) => new.contains(end.name.as_str()),
        PlanChange::AddInterface(router, _)
        | PlanChange::AddRoute(router, _)
        | PlanChange::RemoveInterface(router, _)
        | PlanChange::RemoveRoute(router, _) => routers.contains(router.as_str()),
        PlanChange::SetPolicy(router) => routers.contains(router.name.as_str()),
        _ => false,
    };
    changes.iter().filter(|change| !is_detail(change)).map(ToString::to_string).collect()
}

/// A link is the same whichever of its networks is named first: it is known by the lesser of its ends' names.
pub(in crate::control) fn link_name(link: &Link) -> String {
    let [a, b] = &link.ends;
    a.name.as_str().min(&b.name).to_owned()
}

/// The ends whose plain settings have changed.
fn changed_ends(old: Link, new: Link) -> impl Iterator<Item = PlanChange> {
    let before = old.ends;
    let is_same =
        move |end: &LinkEnd| before.iter().any(|b| b.name == end.name && b.settings.leg == end.settings.leg);
    new.ends.into_iter().filter(move |end| !is_same(end)).map(PlanChange::ConfigureEnd)
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
            Self::AddGroup(group) => write!(f, "mdb {} at {} added", group.group, group.at),
            Self::AddInterface(_, place) => write!(f, "interface {} added", place.name),
            Self::AddLink(link) => write!(f, "link {} added", link_name(link)),
            Self::AddNetwork(network) => write!(f, "network {} added", network.name),
            Self::AddPort(port) => write!(f, "port {} added", port.name),
            Self::AddRoute(router, route) => write!(f, "route to {} of {router} added", route.to),
            Self::AddRouter(router) => write!(f, "router {} added", router.name),
            Self::AddStation(station) => write!(f, "fdb {} on {} added", station.mac, station.network),
            Self::ConfigureEnd(end) => write!(f, "port {} changed", end.name),
            Self::ConfigureInterface(_, place) => write!(f, "interface {} changed", place.name),
            Self::ConfigureNetwork(network) => write!(f, "network {} changed", network.name),
            Self::ConfigurePort(port) => write!(f, "port {} changed", port.name),
            Self::ConfigureRouter(router) => write!(f, "router {} changed", router.name),
            Self::Leg(name, change) => write!(f, "port {name}: {change}"),
            Self::RemoveGroup(group) => write!(f, "mdb {} at {} removed", group.group, group.at),
            Self::RemoveInterface(_, place) => write!(f, "interface {} removed", place.name),
            Self::RemoveLink(link) => write!(f, "link {} removed", link_name(link)),
            Self::RemoveNetwork(network) => write!(f, "network {} removed", network.name),
            Self::RemovePort(port) => write!(f, "port {} removed", port.name),
            Self::RemoveRoute(router, route) => write!(f, "route to {} of {router} removed", route.to),
            Self::RemoveRouter(router) => write!(f, "router {} removed", router.name),
            Self::RemoveStation(station) => write!(f, "fdb {} on {} removed", station.mac, station.network),
            Self::SetPolicy(router) => write!(f, "rules of {} changed", router.name),
        }
    }
}

#[cfg(test)]
mod tests;
