//! `[[link]]`: wires between networks. Where they close a loop, every network on it needs a spanning tree, or a
//! broadcast would circle for ever.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::legs::{self, Given};
use super::rows;
use super::scope::Scope;
use super::segments::Forest;
use super::tables::{RawEnd, RawLeg, RawLink};
use super::value::Rows;
use crate::bridge::{LegConfig, StpMode};
use crate::control::plan::{Link, LinkEnd, Network};

/// All links.
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawLink>>, networks: &[Network]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut count: HashMap<[String; 2], usize> = HashMap::new();
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        let hint = "a link joins two networks: networks = [\"a\", \"b\"]";
        let Some(list) = scope.required(&raw.networks, &raw.span, "networks", hint) else { continue };
        let [a, b] = &list.get_ref().0[..] else {
            let count = list.get_ref().0.len();
            scope
                .error(list.span(), "two, no more, no less", format!("a link cannot join {count} networks"))
                .help(hint);
            continue;
        };
        let (Some(from), Some(to)) = (scope.network(a), scope.network(b)) else { continue };
        if from == to {
            scope
                .error(b.span(), "the same again", format!("the network {from:?} cannot be linked to itself"))
                .help("name two different networks");
            continue;
        }
        let mut pair = [from.clone(), to.clone()];
        pair.sort();
        let ordinal = count.entry(pair).or_default();
        *ordinal += 1;
        links.push(resolve_one(scope, raw, list.span(), [from, to], *ordinal, networks));
        spans.push(list.span());
    }
    check_loops(scope, &links, &spans, networks);
    rows::check(scope, &links, &spans);
    check_mtu(scope, &links, &spans, networks);
    links
}

fn resolve_one(
    scope: &mut Scope,
    raw: &RawLink,
    span: Range<usize>,
    pair: [String; 2],
    ordinal: usize,
    networks: &[Network],
) -> Link {
    let find = |name: &str| networks.iter().find(|network| network.name == name);
    let known: Vec<&Network> = pair.iter().filter_map(|name| find(name)).collect();
    legs::warn_of_idle(scope, &raw.leg, &known);
    let written = ends(scope, raw, &pair);
    let ends = [0, 1].map(|index| {
        let (here, other) = (&pair[index], &pair[1 - index]);
        let name = match ordinal {
            1 => format!("{here}/{other}"),
            ordinal => format!("{here}/{other}#{ordinal}"),
        };
        if let Err(first) = scope.ports.claim(name.clone(), span.clone()) {
            // a network may be named `b#2`
            scope.repeated(span.clone(), first, format!("two ends of links would be named {name:?}"));
        }
        let network = find(here);
        if let (Some(end), Some(network)) = (written[index], network) {
            legs::warn_of_idle(scope, &end.leg, &[network]);
        }
        // as a veth pair, but for a limited MTU
        let leg = LegConfig { mtu: u32::MAX, ..LegConfig::default() };
        let given = Given { name: Some(&name), network, is_end: true, leg };
        let settings = match written[index] {
            Some(end) => legs::resolve(scope, &merged(&end.leg, &raw.leg), given),
            None => legs::resolve(scope, &raw.leg, given),
        };
        let line = scope.line(written[index].map_or(&raw.span, |end| &end.span));
        LinkEnd { name, settings, line }
    });
    Link { networks: pair, ends, line: scope.line(&raw.span) }
}

/// An end's own settings, and those of the link for the rest. VLANs are taken from one of the two, never mixed.
fn merged(end: &RawLeg, link: &RawLeg) -> RawLeg {
    let mut leg = end.over(link);
    if !end.vlans.given().is_empty() {
        leg.vlans = end.vlans.clone();
    }
    leg
}

/// The `[[link.end]]` of each network, if there is one.
fn ends<'a>(scope: &mut Scope, raw: &'a RawLink, pair: &[String; 2]) -> [Option<&'a RawEnd>; 2] {
    let mut found: [Option<&RawEnd>; 2] = [None; 2];
    for end in raw.end.value().map_or(&[][..], |rows| &rows.0) {
        let hint = "name the network whose end of the link it is";
        let Some(text) = scope.required(&end.network, &end.span, "network", hint) else { continue };
        let given = text.get_ref();
        let Some(index) = pair.iter().position(|name| name == given) else {
            let [a, b] = pair;
            scope
                .error(text.span(), "not an end of it", format!("the link does not lead to {given:?}"))
                .help(format!("it joins {a:?} and {b:?}"));
            continue;
        };
        match found[index].and_then(|first| first.network.span()) {
            Some(first) => {
                scope.repeated(text.span(), first, format!("the end on {given:?} is described twice"));
            }
            None => found[index] = Some(end),
        }
    }
    found
}

/// A loop needs a spanning tree on every network that is on it. Links between two that have one are joined first:
/// whatever then closes a loop is on one with a network that has none.
fn check_loops(scope: &mut Scope, links: &[Link], spans: &[Range<usize>], networks: &[Network]) {
    let trees: HashSet<&str> = networks
        .iter()
        .filter(|network| network.bridge.stp.mode != StpMode::Off)
        .map(|network| network.name.as_str())
        .collect();
    let has_tree = |link: &Link| link.networks.iter().all(|name| trees.contains(name.as_str()));
    let mut forest = Forest::default();
    let mut joined: Vec<usize> = Vec::new();
    for (index, link) in links.iter().enumerate().filter(|(_, link)| has_tree(link)) {
        let [a, b] = &link.networks;
        forest.join(a.as_str(), b.as_str());
        joined.push(index);
    }
    for (index, link) in links.iter().enumerate().filter(|(_, link)| !has_tree(link)) {
        let [a, b] = &link.networks;
        if forest.join(a.as_str(), b.as_str()) {
            joined.push(index);
            continue;
        }
        let parallel = joined.iter().find(|other| {
            let [c, d] = &links[**other].networks;
            (a, b) == (c, d) || (a, b) == (d, c)
        });
        let way = rows::Graph::new(joined.iter().map(|index| &links[*index])).way(a, b);
        let lacking: Vec<_> =
            way.iter().filter(|name| !trees.contains(**name)).map(|name| format!("{name:?}")).collect();
        let help = format!(
            "they are joined already: {}; a broadcast would circle for ever, \
             unless you write stp = true in [[network]] {}",
            way.join(" - "),
            lacking.join(", "),
        );
        let span = spans[index].clone();
        match parallel {
            Some(first) => {
                let message = format!("{a:?} and {b:?} are linked already");
                scope.repeated(span, spans[*first].clone(), message).help(help);
            }
            None => {
                let message = format!("a link between {a:?} and {b:?} would close a loop");
                scope.error(span, "closes a loop", message).help(help);
            }
        }
    }
}

fn check_mtu(scope: &mut Scope, links: &[Link], spans: &[Range<usize>], networks: &[Network]) {
    let mtu = |name: &str| networks.iter().find(|n| n.name == name).map_or(0, |n| n.mtu);
    for (link, span) in links.iter().zip(spans) {
        let [a, b] = &link.networks;
        if mtu(a) != mtu(b) {
            let message = format!("the MTU of {a:?} is {}, that of {b:?} is {}", mtu(a), mtu(b));
            scope.warn(span.clone(), "joins different MTUs", message).help(
                "larger frames are dropped on the way to the smaller (`mtu-exceeded`); give both the same",
            );
        }
    }
}
