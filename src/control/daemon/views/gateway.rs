//! `show routers`, `show routes`, `show neighbors` and `show publish`.
//!
//! Functions that take a [`Switch`] are to be run on the engine thread; the others make values for people of what those found.

use ipnet::IpNet;

use crate::control::plan::{Publish, Router, RouterInterface};
use crate::control::registry::Registry;
use crate::control::view::{
    CountView, GatewayView, HolderView, InterfaceView, NeighbourView, PublishView, RouteView, UsageView,
};
use crate::engine::Switch;
use crate::frame::{Leg, LegIndex, NodeId, Plug, PortId};
use crate::router::Counters;
use crate::router::interface::{Interface, ReversePath, Role, SourceNat};
use crate::router::nat::sessions::{Count, ORIGINS_MAX};
use crate::router::neighbour::Neighbour;
use crate::router::policy::{Policy, RuleId};
use crate::router::routes::{Origin, Route};

/// How many of those who hold sessions are named.
const HOLDERS_MAX: usize = 10;
/// Whose sessions those are that came in through no port.
const SWITCH: &str = "switch";

/// What a router has counted.
#[derive(Debug, Default)]
pub(in crate::control::daemon) struct Gateway {
    counters: Counters,
    /// Log lines that were not written.
    unlogged: u64,
    routes: usize,
    neighbours: usize,
    /// If it follows flows: how many there are, how many there may be, and how many each origin has opened.
    sessions: Option<(usize, usize, Vec<(u16, u32)>)>,
}

impl Gateway {
    /// To be run on the engine thread.
    pub(in crate::control::daemon) fn take(switch: &Switch, id: NodeId) -> Self {
        let Some(router) = switch.fabric.router(id) else { return Self::default() };
        let sessions = router.sessions().map(|sessions| {
            let held = (0..ORIGINS_MAX as u16).map(|origin| (origin, sessions.held_by(origin)));
            (sessions.len(), sessions.max(), held.filter(|(_, held)| *held > 0).collect())
        });
        Self {
            counters: router.counters(),
            unlogged: router.policy().map_or(0, unlogged),
            routes: router.routes().len(),
            neighbours: router.neighbours(switch.now).len(),
            sessions,
        }
    }
}

/// `show routers`: one of them.
pub(in crate::control::daemon) fn gateway(
    router: &Router,
    seen: &Gateway,
    registry: &Registry,
) -> GatewayView {
    let usage = |(count, max, held): &(usize, usize, Vec<(u16, u32)>)| {
        let mut held = held.clone();
        held.sort_by_key(|(origin, sessions)| (std::cmp::Reverse(*sessions), *origin));
        let holder = |(origin, sessions): &(u16, u32)| HolderView {
            port: opener(*origin, registry),
            sessions: *sessions,
        };
        UsageView { count: *count, max: *max, holders: held.iter().take(HOLDERS_MAX).map(holder).collect() }
    };
    let Counters { incomplete, unreachable, unsent, untold, along: _ } = seen.counters;
    GatewayView {
        name: router.name.clone(),
        interfaces: router.interfaces.iter().map(interface).collect(),
        routes: seen.routes,
        neighbors: seen.neighbours,
        conntrack: seen.sessions.as_ref().map(usage),
        incomplete,
        unreachable,
        unsent,
        untold,
        unlogged: seen.unlogged,
    }
}

/// Log lines that were more than their rule wants, or that there was no room for.
fn unlogged(policy: &Policy) -> u64 {
    let numbers = (0..=u16::MAX).zip(&policy.config().rules).map(|(number, _)| number);
    policy.records_lost() + numbers.map(|number| policy.suppressed(number)).sum::<u64>()
}

/// The port that opened a session.
pub(super) fn opener(origin: u16, registry: &Registry) -> String {
    registry.port_name(PortId(origin)).unwrap_or(SWITCH).to_owned()
}

fn interface(place: &RouterInterface) -> InterfaceView {
    let own = &place.interface;
    let mut addresses: Vec<String> = own.addresses.iter().map(ToString::to_string).collect();
    addresses.push(format!("{}/64", own.link_local()));
    InterfaceView {
        name: place.name.clone(),
        network: place.network.clone(),
        role: role_name(own.role).to_owned(),
        mac: own.mac,
        mtu: own.mtu,
        addresses,
        flags: flags(own),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Inside => "inside",
        Role::Outside => "outside",
        Role::Plain => "plain",
    }
}

/// What differs from an interface of that role that was told nothing, in the words of the file.
fn flags(own: &Interface) -> Vec<String> {
    let usual = Interface::new(own.mac, Vec::new(), own.role);
    let mut flags = Vec::new();
    let mut flag = |differs: bool, text: String| flags.extend(differs.then_some(text));
    flag(own.inside.internal, "internal".into());
    flag(!own.inside.icc, "icc off".into());
    match own.inside.source_nat {
        SourceNat::Masquerade => {}
        // nobody leaves an internal network, whatever he would be called
        SourceNat::None => flag(own.role == Role::Inside && !own.inside.internal, "masquerade off".into()),
        SourceNat::To(first, last) if first == last => flag(true, format!("snat {first}")),
        SourceNat::To(first, last) => flag(true, format!("snat {first}-{last}")),
    }
    let reverse_path = match own.reverse_path {
        ReversePath::Loose => "loose",
        ReversePath::Off => "off",
        ReversePath::Strict => "strict",
    };
    flag(own.reverse_path != usual.reverse_path, format!("rp_filter {reverse_path}"));
    flag(own.clamp_mss, "clamp_mss".into());
    flag(own.tcp_reset != usual.tcp_reset, format!("tcp_reset {}", on(own.tcp_reset)));
    flag(own.redirects != usual.redirects, format!("redirects {}", on(own.redirects)));
    flags
}

fn on(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

/// The routes of a router, each with the interface it leaves through. To be run on the engine thread.
pub(in crate::control::daemon) fn list_routes(switch: &Switch, id: NodeId) -> Vec<(Route, Option<Plug>)> {
    let routes = switch.fabric.router(id).map(|router| router.routes()).unwrap_or_default();
    routes.into_iter().map(|route| (route, plug(switch, id, route.leg))).collect()
}

/// `show routes`: those of one router.
pub(in crate::control::daemon) fn routes(
    router: &str,
    routes: &[(Route, Option<Plug>)],
    registry: &Registry,
) -> Vec<RouteView> {
    let view = |(route, plug): &(Route, Option<Plug>)| {
        let dev = device(*plug, registry);
        // of IPv6 the kernel names none
        let prefsrc = route.source.filter(|source| source.is_ipv4());
        RouteView {
            dst: destination(route.to),
            gateway: route.via.map(|via| via.to_string()),
            dev: dev.to_owned(),
            protocol: (route.origin == Origin::Connected).then(|| "kernel".to_owned()),
            prefsrc: prefsrc.map(|source| source.to_string()),
            router: router.to_owned(),
            text: route.line(dev).to_string(),
        }
    };
    routes.iter().map(view).collect()
}

/// As `ip` prints a prefix.
fn destination(to: IpNet) -> String {
    match to.prefix_len() {
        0 => "default".to_owned(),
        len if len == to.max_prefix_len() => to.addr().to_string(),
        _ => to.to_string(),
    }
}

/// The neighbours of a router, each with the interface it is behind. To be run on the engine thread.
pub(in crate::control::daemon) fn list_neighbours(
    switch: &Switch,
    id: NodeId,
) -> Vec<(Neighbour, Option<Plug>)> {
    let list = switch.fabric.router(id).map(|router| router.neighbours(switch.now)).unwrap_or_default();
    list.into_iter().map(|neighbour| (neighbour, plug(switch, id, neighbour.leg))).collect()
}

/// `show neighbors`: those of one router.
pub(in crate::control::daemon) fn neighbours(
    router: &str,
    neighbours: &[(Neighbour, Option<Plug>)],
    registry: &Registry,
) -> Vec<NeighbourView> {
    let view = |(neighbour, plug): &(Neighbour, Option<Plug>)| {
        let dev = device(*plug, registry);
        NeighbourView {
            dst: neighbour.address.to_string(),
            dev: dev.to_owned(),
            lladdr: neighbour.mac,
            state: vec![neighbour.state.name().to_owned()],
            router: router.to_owned(),
            text: neighbour.line(dev).to_string(),
        }
    };
    neighbours.iter().map(view).collect()
}

fn plug(switch: &Switch, node: NodeId, leg: LegIndex) -> Option<Plug> {
    switch.fabric.plug(Leg { node, leg })
}

fn device(plug: Option<Plug>, registry: &Registry) -> &str {
    plug.and_then(|plug| registry.plug_name(plug)).unwrap_or("?")
}

/// How often these rules were used. To be run on the engine thread.
pub(in crate::control::daemon) fn count_rules(switch: &Switch, id: NodeId, rules: &[RuleId]) -> Vec<Count> {
    let policy = switch.fabric.router(id).and_then(|router| router.policy());
    rules.iter().map(|rule| policy.map(|policy| policy.counts(*rule)).unwrap_or_default()).collect()
}

impl From<Count> for CountView {
    fn from(count: Count) -> Self {
        Self { packets: count.packets, bytes: count.bytes }
    }
}

/// `show publish`: those of one router; `counts` has two for each, what was translated and what was let in.
pub(in crate::control::daemon) fn publishes(router: &Router, counts: &[Count]) -> Vec<PublishView> {
    let view = |(Publish { publish, line }, counts): (&Publish, &[Count; 2])| {
        let all = if publish.to.is_ipv4() { "0.0.0.0" } else { "::" };
        let last = publish.target(publish.ports.1);
        PublishView {
            router: router.name.clone(),
            listen: publish.listen.map_or_else(|| all.to_owned(), |listen| listen.to_string()),
            port: ports(publish.ports),
            protocol: publish.protocol.name().to_owned(),
            to: publish.to.to_string(),
            to_port: ports((publish.to_port, last)),
            allow_from: publish.allow_from.iter().map(ToString::to_string).collect(),
            translated: counts[0].into(),
            accepted: counts[1].into(),
            line: line.0,
        }
    };
    let (counts, _) = counts.as_chunks::<2>();
    router.policy.publishes.iter().zip(counts).map(view).collect()
}

fn ports((first, last): (u16, u16)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

#[cfg(test)]
mod tests;
