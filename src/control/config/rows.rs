//! Networks in a row: how far a frame has to walk along links.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::scope::Scope;
use crate::control::plan::Link;

/// How many devices a walk passes at most; a longer row of networks would lose frames.
const ROW_MAX: usize = 8;

/// Reports a row of networks that is longer than a walk. Where links close loops it depends on the spanning tree
/// how far a frame walks; it is at least the shortest way.
pub(super) fn check(scope: &mut Scope, links: &[Link], spans: &[Range<usize>]) {
    let graph = Graph::new(links);
    let mut seen: HashSet<&str> = HashSet::new();
    for (link, span) in links.iter().zip(spans) {
        let from = link.networks[0].as_str();
        if seen.contains(from) {
            continue;
        }
        // in a tree, from the network farthest from any, the farthest is the other end of the longest row
        let reached = graph.outwards(from);
        let end = reached.last().map_or(from, |(network, _)| network);
        seen.extend(reached.iter().map(|(network, _)| *network));
        let other = graph.outwards(end).last().map_or(end, |(network, _)| *network);
        let row = graph.way(end, other);
        if row.len() > ROW_MAX {
            scope
                .error(span.clone(), "part of it", format!("{} networks are linked in a row", row.len()))
                .help(format!("a frame passes at most {ROW_MAX}: {}", row.join(" - ")));
        }
    }
}

/// Linked networks, by their names.
pub(super) struct Graph<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Graph<'a> {
    pub(super) fn new(links: impl IntoIterator<Item = &'a Link>) -> Self {
        let mut neighbours: HashMap<&str, Vec<&str>> = HashMap::new();
        for Link { networks: [a, b], .. } in links {
            neighbours.entry(a).or_default().push(b);
            neighbours.entry(b).or_default().push(a);
        }
        Self(neighbours)
    }

    /// The networks on a shortest way from one to another, both included.
    pub(super) fn way(&self, from: &'a str, to: &'a str) -> Vec<&'a str> {
        let before: HashMap<&str, Option<&str>> = self.outwards(from).into_iter().collect();
        let mut way: Vec<_> =
            std::iter::successors(Some(to), |network| before.get(network).copied().flatten()).collect();
        way.reverse();
        way
    }

    /// All networks that can be reached from one, nearest first, each with the one before it on the way.
    fn outwards(&self, from: &'a str) -> Vec<(&'a str, Option<&'a str>)> {
        let mut reached = vec![(from, None)];
        let mut known = HashSet::from([from]);
        let mut at = 0;
        while at < reached.len() {
            let (network, _) = reached[at];
            let next = self.0.get(network).map_or(&[][..], Vec::as_slice).iter();
            reached.extend(next.filter(|next| known.insert(next)).map(|next| (*next, Some(network))));
            at += 1;
        }
        reached
    }
}
