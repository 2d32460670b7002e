//! `show rules`: what the plan says, in the words of iptables, with what the router has counted.

use std::collections::BTreeMap;

use crate::control::plan::{Line, Router, RouterInterface};
use crate::control::registry::Registry;
use crate::control::view::RuleView;
use crate::frame::LegIndex;
use crate::router::interface::Role;
use crate::router::nat::sessions::Count;
use crate::router::policy::RuleId;
use crate::router::policy::text::{Entry, Named, Table, entries};

/// The tables, in the order in which they are shown.
const TABLES: [(Table, &str); 3] = [(Table::Filter, "filter"), (Table::Nat, "nat"), (Table::Raw, "raw")];

/// A list of one family and one table.
pub(in crate::control::daemon) struct List {
    ipv6: bool,
    table: &'static str,
    entries: Vec<Entry>,
}

/// What iptables would list for a router, and ip6tables if it knows IPv6; nothing if it asks no rules.
pub(in crate::control::daemon) fn list_rules(router: &Router, registry: &Registry) -> Vec<List> {
    let policy = &router.policy;
    let has_role = router.interfaces.iter().any(|place| place.interface.role != Role::Plain);
    if !has_role && policy.rules.is_empty() && policy.publishes.is_empty() {
        return Vec::new();
    }
    let leg = |name: &str| registry.router_leg(&router.name, name);
    // those that rules name are there
    let config = policy.config(|name| leg(name).unwrap_or(LegIndex(u16::MAX)));
    let named = router.interfaces.iter().filter_map(|place| {
        let (name, interface) = (bridge_name(router, place), &place.interface);
        Some(Named { leg: leg(&place.name)?, name, interface })
    });
    let mut legs: Vec<Named<'_>> = named.collect();
    legs.sort_unstable_by_key(|named| named.leg);
    let knows_ipv6 =
        legs.iter().any(|named| named.interface.addresses.iter().any(|net| net.addr().is_ipv6()));
    let families = [false, true].into_iter().filter(|ipv6| !ipv6 || knows_ipv6);
    let list =
        |ipv6, (table, name)| List { ipv6, table: name, entries: entries(&config, &legs, table, ipv6) };
    families.flat_map(|ipv6| TABLES.map(|table| list(ipv6, table))).collect()
}

/// A bridge of Docker's has the name of its network: the interface's without the router's.
fn bridge_name<'a>(router: &Router, place: &'a RouterInterface) -> &'a str {
    place.name.strip_prefix(&router.name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&place.name)
}

/// The rules that count for some line.
pub(in crate::control::daemon) fn counting(lists: &[List]) -> impl Iterator<Item = RuleId> + '_ {
    lists.iter().flat_map(|list| &list.entries).flat_map(|entry| entry.rules).flatten()
}

/// `show rules`: those of one router.
pub(in crate::control::daemon) fn rules(
    router: &Router,
    lists: &[List],
    counts: &BTreeMap<RuleId, Count>,
    registry: &Registry,
) -> Vec<RuleView> {
    let of = |rule: RuleId| counts.get(&rule).copied().unwrap_or_default();
    let view = |list: &List, entry: &Entry| RuleView {
        router: router.name.clone(),
        family: if list.ipv6 { "ipv6" } else { "ipv4" }.to_owned(),
        table: list.table.to_owned(),
        text: entry.counted(of),
        count: entry.count(of).map(Into::into),
        line: entry.rules[0].and_then(|rule| line(router, rule, registry)).map(|line| line.0),
    };
    lists.iter().flat_map(|list| list.entries.iter().map(|entry| view(list, entry))).collect()
}

/// Where it was decided that there is such a rule.
fn line(router: &Router, rule: RuleId, registry: &Registry) -> Option<Line> {
    let policy = &router.policy;
    let leg = match rule {
        RuleId::Dnat(index) | RuleId::Published(index) => {
            return Some(policy.publishes.get(usize::from(index))?.line);
        }
        RuleId::User(index) => return Some(policy.rules.get(usize::from(index))?.line),
        RuleId::Invalid => return Some(router.conntrack_line),
        RuleId::Closed(leg)
        | RuleId::Direct(leg)
        | RuleId::Egress(leg)
        | RuleId::Established(leg)
        | RuleId::Hairpin(leg)
        | RuleId::Icc(leg)
        | RuleId::InternalIn(leg)
        | RuleId::InternalOut(leg)
        | RuleId::Masquerade(leg)
        | RuleId::Opened(leg)
        | RuleId::Ping(leg) => leg,
    };
    let name = registry.interface_name(&router.name, leg)?;
    router.interfaces.iter().find(|place| place.name == name).map(|place| place.line)
}
