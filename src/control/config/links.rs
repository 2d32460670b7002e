//! `[[link]]`: wires between networks. They form a tree, or a broadcast would circle for ever.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::raw::{RawLink, Rows};
use super::scope::Scope;
use super::segments::Forest;
use crate::control::plan::{Link, Network};

/// How many devices a walk passes at most; a longer row of networks would lose frames.
const ROW_MAX: usize = 8;

/// All links.
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawLink>>, networks: &[Network]) -> Vec<Link> {
    let mut forest = Forest::default();
    let mut links: Vec<Link> = Vec::new();
    let mut spans: Vec<Range<usize>> = Vec::new();
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
        let same = |other: &Link| {
            let [a, b] = &other.networks;
            (a, b) == (&from, &to) || (a, b) == (&to, &from)
        };
        if from == to {
            scope
                .error(b.span(), "the same again", format!("the network {from:?} cannot be linked to itself"))
                .help("name two different networks");
        } else if let Some(index) = links.iter().position(same) {
            scope.repeated(
                list.span(),
                spans[index].clone(),
                format!("{from:?} and {to:?} are linked already"),
            );
        } else if !forest.join(from.clone(), to.clone()) {
            let message = format!("a link between {from:?} and {to:?} would close a loop");
            let way = Tree::new(&links).row(&from, &to).join(" - ");
            scope
                .error(list.span(), "closes a loop", message)
                .help(format!("they are joined already: {way}; a broadcast would circle for ever"));
        } else {
            links.push(Link { networks: [from, to], line: scope.line(&raw.span) });
            spans.push(list.span());
        }
    }
    check_length(scope, &links, &spans);
    check_mtu(scope, &links, &spans, networks);
    links
}

/// A tree whose longest row has more networks than a walk has steps loses frames from end to end.
fn check_length(scope: &mut Scope, links: &[Link], spans: &[Range<usize>]) {
    let tree = Tree::new(links);
    let mut seen: HashSet<&str> = HashSet::new();
    for (link, span) in links.iter().zip(spans) {
        let from = link.networks[0].as_str();
        if seen.contains(from) {
            continue;
        }
        // from the network farthest from any, the farthest is the other end of the longest row
        let reached = tree.outwards(from);
        let end = reached.last().map_or(from, |(network, _)| network);
        seen.extend(reached.iter().map(|(network, _)| *network));
        let other = tree.outwards(end).last().map_or(end, |(network, _)| *network);
        let row = tree.row(end, other);
        if row.len() > ROW_MAX {
            scope
                .error(span.clone(), "part of it", format!("{} networks are linked in a row", row.len()))
                .help(format!("a frame passes at most {ROW_MAX}: {}", row.join(" - ")));
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

/// Linked networks, by their names.
struct Tree<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Tree<'a> {
    fn new(links: &'a [Link]) -> Self {
        let mut neighbours: HashMap<&str, Vec<&str>> = HashMap::new();
        for Link { networks: [a, b], .. } in links {
            neighbours.entry(a).or_default().push(b);
            neighbours.entry(b).or_default().push(a);
        }
        Self(neighbours)
    }

    /// All networks that can be reached from one, nearest first, each with the one before it on the way.
    fn outwards(&self, from: &'a str) -> Vec<(&'a str, Option<&'a str>)> {
        let mut reached = vec![(from, None)];
        let mut at = 0;
        while at < reached.len() {
            let (network, before) = reached[at];
            let next = self.0.get(network).map_or(&[][..], Vec::as_slice).iter();
            reached.extend(next.filter(|next| Some(**next) != before).map(|next| (*next, Some(network))));
            at += 1;
        }
        reached
    }

    /// The networks from one to the other, both included.
    fn row(&self, from: &'a str, to: &'a str) -> Vec<&'a str> {
        let before: HashMap<&str, Option<&str>> = self.outwards(from).into_iter().collect();
        std::iter::successors(Some(to), |network| before.get(network).copied().flatten())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect()
    }
}
