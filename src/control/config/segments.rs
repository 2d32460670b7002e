//! Who hears whom: networks joined by links, by the kernel bridges of nodes and by raw ports on cables are one
//! segment, and on a segment every address belongs to one interface.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::ops::Range;

use ipnet::IpNet;

use super::gateways;
use super::scope::{Claim, Scope, Wire};
use crate::bridge::StpMode;
use crate::control::plan::{Link, Netns, Network, Port};
use crate::port::PortKind;

/// Sets of things that are joined.
#[derive(Debug)]
pub(super) struct Forest<K> {
    index: HashMap<K, usize>,
    parent: Vec<usize>,
}

impl<K> Default for Forest<K> {
    fn default() -> Self {
        Self { index: HashMap::new(), parent: Vec::new() }
    }
}

impl<K: Eq + Hash> Forest<K> {
    /// Joins two things; `false` if they were joined already.
    pub(super) fn join(&mut self, a: K, b: K) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a] = b;
        a != b
    }

    /// What stands for all that is joined with it.
    pub(super) fn root(&mut self, key: K) -> usize {
        let next = self.parent.len();
        let mut at = *self.index.entry(key).or_insert(next);
        if at == next {
            self.parent.push(next);
        }
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }
}

/// Reports whatever two machines that hear each other both claim, and loops through kernel bridges.
pub(super) fn check(scope: &mut Scope, links: &[Link], ports: &[Port], networks: &[Network]) {
    let mut forest = Forest::default();
    // a network with a spanning tree opens the loops that it is on, so none leads through it
    let mut loops = Forest::default();
    let trees: HashSet<Wire> = networks
        .iter()
        .filter(|network| network.bridge.stp.mode != StpMode::Off)
        .map(|network| Wire::Network(network.name.clone()))
        .collect();
    let mut join = |a: Wire, b: Wire| {
        let is_new = trees.contains(&a) || trees.contains(&b) || loops.join(a.clone(), b.clone());
        forest.join(a, b);
        is_new
    };
    for link in links {
        let [a, b] = link.networks.clone().map(Wire::Network);
        join(a, b);
    }
    for port in ports.iter().filter(|port| port.kind == PortKind::Raw && port.netns == Netns::Own) {
        join(Wire::Cable(port.interface.name.clone()), Wire::Network(port.network.clone()));
    }
    for (bridge, members) in std::mem::take(&mut scope.bridges) {
        for (wire, span) in members {
            if !join(bridge.clone(), wire) {
                scope
                    .warn(
                        span,
                        "closes a loop",
                        "a loop through the node's bridge: broadcasts will circle for ever",
                    )
                    .help("take an interface out of the bridge, remove a [[link]], or write stp = true in a [[network]] on the loop");
            }
        }
    }
    let addresses = std::mem::take(&mut scope.addresses);
    let ips = addresses.iter().map(|claim| Claim {
        value: claim.value.addr(),
        on: claim.on.clone(),
        span: claim.span.clone(),
    });
    let ips: Vec<_> = ips.collect();
    gateways::check(scope, &mut forest, &ips, ports);
    let macs = scope.macs.clone();
    check_unique(scope, &mut forest, ips, "two interfaces on the same network cannot both have");
    check_unique(scope, &mut forest, macs, "two interfaces on the same network cannot both have");
    check_overlaps(scope);
    check_made(scope, ports);
}

fn check_unique<T: Copy + Eq + Hash + std::fmt::Display>(
    scope: &mut Scope,
    forest: &mut Forest<Wire>,
    claims: Vec<Claim<T>>,
    message: &str,
) {
    let mut first: HashMap<(usize, T), Range<usize>> = HashMap::new();
    for claim in claims.into_iter().filter(|claim| claim.on != Wire::Nowhere) {
        let key = (forest.root(claim.on), claim.value);
        match first.get(&key) {
            Some(first) => {
                scope.repeated(claim.span, first.clone(), format!("{message} {}", claim.value));
            }
            None => {
                first.insert(key, claim.span);
            }
        }
    }
}

/// The host has one routing table: its networks must not overlap.
fn check_overlaps(scope: &mut Scope) {
    let hosts = std::mem::take(&mut scope.hosts);
    for (index, later) in hosts.iter().enumerate() {
        let overlap = |a: &IpNet, b: &IpNet| a.contains(&b.network()) || b.contains(&a.network());
        let is_other = |other: &&Claim<IpNet>| other.on != later.on && overlap(&other.value, &later.value);
        let Some(other) = hosts[..index].iter().find(is_other) else { continue };
        let (a, b) = (later.value.trunc(), other.value.trunc());
        scope
            .error(later.span.clone(), "overlaps", format!("the host cannot tell {a} from {b}"))
            .also(other.span.clone(), "with this")
            .help("give each network with `host` a range of its own");
    }
}

/// A cable's end and a TAP of ours cannot have the same name in the same namespace.
fn check_made(scope: &mut Scope, ports: &[Port]) {
    let made = ports.iter().filter(|port| port.kind != PortKind::Raw && port.netns == Netns::Own);
    for port in made {
        let name = &port.interface.name;
        let first = scope.interfaces.first(&(String::new(), name.clone()));
        if let (Some(peer), Some(first)) = (scope.peers.first(name), first) {
            scope
                .repeated(peer, first, format!("the cable's end {name:?} is a port's interface as well"))
                .help("choose another name for one of them");
        }
    }
}
