//! `[[link]]`: wires between networks. They form a tree, or a broadcast would circle for ever.

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
            other.networks == [from.clone(), to.clone()] || other.networks == [to.clone(), from.clone()]
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
            let way = row_between(&links, &from, &to).join(" - ");
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
    let mut longest: Vec<String> = Vec::new();
    for link in links {
        // from the far end of any tree, the farthest network is the other end of its longest row
        let far = farthest(links, &link.networks[0]);
        let row = row_between(links, &far, &farthest(links, &far));
        if row.len() > longest.len() {
            longest = row;
        }
        // each tree need only be looked at once, but a lab that has a row this long is refused anyway
        if longest.len() > ROW_MAX {
            break;
        }
    }
    if longest.len() > ROW_MAX {
        let span = spans.last().cloned().unwrap_or_default();
        scope
            .error(span, "too long a row", format!("{} networks are linked in a row", longest.len()))
            .help(format!("a frame passes at most {ROW_MAX}: {}", longest.join(" - ")));
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

fn neighbours<'a>(links: &'a [Link], of: &str) -> Vec<&'a str> {
    links
        .iter()
        .filter_map(|link| match &link.networks {
            [a, b] if a == of => Some(b.as_str()),
            [a, b] if b == of => Some(a.as_str()),
            _ => None,
        })
        .collect()
}

/// The networks from `from` to `to`, both included, in a tree; only `from` if there is no way.
fn row_between(links: &[Link], from: &str, to: &str) -> Vec<String> {
    let mut rows = vec![vec![from.to_owned()]];
    let mut at = 0;
    while at < rows.len() {
        let row = rows[at].clone();
        let end = row.last().map_or(from, String::as_str);
        if end == to {
            return row;
        }
        let before = row.len().checked_sub(2).map(|index| row[index].as_str());
        for next in neighbours(links, end) {
            if Some(next) != before {
                rows.push(row.iter().cloned().chain([next.to_owned()]).collect());
            }
        }
        at += 1;
    }
    vec![from.to_owned()]
}

/// The network of the same tree with the longest row to `from`.
fn farthest(links: &[Link], from: &str) -> String {
    let mut ways: Vec<(&str, Option<&str>)> = vec![(from, None)];
    let mut at = 0;
    while at < ways.len() {
        let (end, before) = ways[at];
        ways.extend(
            neighbours(links, end)
                .into_iter()
                .filter(|next| Some(*next) != before)
                .map(|next| (next, Some(end))),
        );
        at += 1;
    }
    ways.last().map_or(from, |(end, _)| end).to_owned()
}
