//! Routers: any of them for the properties of differences, and what a change of a part touches.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{network, settings};
use crate::bridge::{LegConfig, VlanEntry};
use crate::control::diff::{PlanChange, describe, diff};
use crate::control::plan::{
    Line, LinkEnd, Plan, Policy, Publish, Route, Router, RouterInterface, Rule, Settings,
};
use crate::router::interface::{Interface, Role};
use crate::router::policy::config;
use crate::wire::mac::Mac;

/// A router without anything.
pub(super) fn router(name: &str) -> Router {
    Router {
        name: name.to_owned(),
        interfaces: Vec::new(),
        routes: Vec::new(),
        policy: Policy::default(),
        settings: crate::router::Settings::default(),
        line: Line(1),
        conntrack_line: Line(1),
        nat_line: Line(1),
    }
}

/// A place at 10.`prefix`.0.`host` on a network; the `ordinal`-th there.
fn place(router: &str, network: &str, ordinal: usize, (prefix, host): (u8, u8)) -> RouterInterface {
    let suffix = if ordinal == 1 { String::new() } else { format!("#{ordinal}") };
    let net = IpNet::new(IpAddr::from([10, prefix, 0, host]), 24).expect("a prefix");
    let mac = Mac([2, 0, 0, 1, prefix, ordinal as u8]);
    let mut place = RouterInterface {
        name: format!("{router}/{network}{suffix}"),
        network: network.to_owned(),
        interface: Interface::new(mac, vec![net], Role::Inside),
        end: LinkEnd {
            name: format!("{network}/{router}{suffix}"),
            settings: Settings::new(LegConfig::default(), 1),
            line: Line(1),
        },
        line: Line(1),
    };
    place.end.settings.leg = place.bare_leg();
    place
}

/// To the `to`-th net of the user's: through a gateway at `.9` on that interface, or on its wire.
fn route(to: u8, interface: &RouterInterface, is_via: bool) -> Route {
    let IpAddr::V4(own) = interface.interface.addresses[0].addr() else { panic!("of IPv4") };
    let [a, b, c, _] = own.octets();
    let via = is_via.then_some(IpAddr::from([a, b, c, 9]));
    let to = IpNet::new(IpAddr::from([192, 0, to, 0]), 24).expect("a prefix");
    Route { to, via, interface: interface.name.clone(), line: Line(1) }
}

fn rule(from: Option<&RouterInterface>, action: config::Action) -> Rule {
    let rule = config::Rule { action, ..config::Rule::default() };
    Rule { from: from.map(|place| place.name.clone()), to: None, rule, line: Line(1) }
}

fn publish(port: u16) -> Publish {
    let publish = config::Publish {
        listen: None,
        protocol: config::Protocol::Tcp,
        ports: (port, port),
        to: IpAddr::from([10, 0, 0, 7]),
        to_port: port,
        allow_from: Vec::new(),
    };
    Publish { publish, line: Line(1) }
}

/// What a random router is made of: networks, hosts and legs of its places; routes; rules; a port; how many sessions.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    places: Vec<(usize, u8, Settings)>,
    routes: Vec<(u8, usize, bool)>,
    rules: Vec<Option<usize>>,
    port: Option<u16>,
    sessions_max: usize,
}

pub(super) fn recipes() -> impl Strategy<Value = Vec<(u8, Recipe)>> {
    let places = vec((0..3usize, 1..3u8, settings()), 0..4);
    let routes = btree_map(0..3u8, (0..4usize, any::<bool>()), 0..3);
    let rules = vec(proptest::option::of(0..4usize), 0..3);
    let port = proptest::option::of(80..82u16);
    let recipe =
        (places, routes, rules, port, 1..3usize).prop_map(|(places, routes, rules, port, sessions_max)| {
            let routes = routes.into_iter().map(|(to, (at, is_via))| (to, at, is_via)).collect();
            Recipe { places, routes, rules, port, sessions_max }
        });
    btree_map(0..2u8, recipe, 0..3).prop_map(|routers| routers.into_iter().collect())
}

/// Adds routers to a plan with networks.
pub(super) fn add(plan: &mut Plan, recipes: Vec<(u8, Recipe)>) {
    let networks: Vec<String> = plan.networks.iter().map(|network| network.name.clone()).collect();
    for (n, recipe) in recipes {
        let mut router = router(&format!("r{n}"));
        router.settings.sessions_max = recipe.sessions_max;
        for (at, host, settings) in recipe.places {
            let network = &networks[at % networks.len()];
            let ordinal = 1 + router.interfaces.iter().filter(|place| place.network == *network).count();
            let prefix = 16 * n + 4 * ordinal as u8 + (at % networks.len()) as u8;
            let mut place = place(&router.name, network, ordinal, (prefix, host));
            let leg = LegConfig { isolated: settings.leg.isolated, ..place.bare_leg() };
            place.end.settings = Settings { leg, ..settings };
            router.interfaces.push(place);
        }
        let interfaces = &router.interfaces;
        let at = |at: usize| interfaces.get(at % interfaces.len().max(1));
        let routes = recipe.routes.into_iter();
        router.routes =
            routes.filter_map(|(to, place, is_via)| Some(route(to, at(place)?, is_via))).collect();
        let from = recipe.rules.into_iter().map(|place| place.and_then(at));
        router.policy.rules = from.map(|from| rule(from, config::Action::Drop)).collect();
        router.policy.publishes = recipe.port.into_iter().map(publish).collect();
        plan.routers.push(router);
    }
}

/// A router between two networks, with a route and a rule.
fn gateway() -> Plan {
    let mut plan = Plan::empty("lab");
    plan.networks = vec![network("n0", 10), network("n1", 10)];
    let mut router = router("gw");
    router.interfaces = vec![place("gw", "n0", 1, (0, 1)), place("gw", "n1", 1, (1, 1))];
    router.routes = vec![route(1, &router.interfaces[1], true)];
    router.policy.rules = vec![rule(Some(&router.interfaces[0]), config::Action::Drop)];
    plan.routers = vec![router];
    plan
}

#[test]
fn a_change_touches_only_what_it_is_about() {
    type Edit = fn(&mut Router);
    let table: [(Edit, &[&str], &str); 12] = [
        (
            |gw| gw.routes[0].via = None,
            &["route to 192.0.1.0/24 of gw removed", "route to 192.0.1.0/24 of gw added"],
            "a route that leads elsewhere",
        ),
        (|gw| gw.policy.publishes.push(publish(80)), &["rules of gw changed"], "a publish"),
        (|gw| gw.policy.rules[0].from = None, &["rules of gw changed"], "a rule"),
        (|gw| gw.settings.sessions_max = 7, &["router gw changed"], "how many sessions"),
        (|gw| gw.interfaces[0].interface.clamp_mss = true, &["interface gw/n0 changed"], "an interface"),
        (|gw| gw.interfaces[0].end.settings.leg.isolated = true, &["port n0/gw changed"], "the bridge's end"),
        (
            |gw| {
                gw.interfaces[0].interface.mtu = 1400;
                gw.interfaces[0].end.settings.leg = gw.interfaces[0].bare_leg();
            },
            &["interface gw/n0 changed"],
            "the bridge's end follows by itself",
        ),
        (
            |gw| gw.interfaces[0].end.settings.add_vlan(VlanEntry { vid: 7, pvid: false, untagged: false }),
            &["port n0/gw: vlan 7"],
            "a VLAN",
        ),
        (
            |gw| {
                gw.interfaces.remove(1);
                gw.routes.clear();
            },
            &["route to 192.0.1.0/24 of gw removed", "interface gw/n1 removed"],
            "routes go first; rules do not name it",
        ),
        (|gw| gw.interfaces.swap(0, 1), &[], "the order of interfaces means nothing"),
        (
            |gw| {
                gw.line = Line(7);
                gw.nat_line = Line(7);
                gw.interfaces[0].line = Line(7);
                gw.interfaces[0].end.line = Line(7);
                gw.routes[0].line = Line(7);
                gw.policy.rules[0].line = Line(7);
            },
            &[],
            "a line that moved is no change",
        ),
        (|gw| gw.name = "gx".to_owned(), &["router gw removed", "router gx added"], "details are not told"),
    ];
    let old = gateway();
    for (edit, expected, why) in table {
        let mut new = old.clone();
        edit(&mut new.routers[0]);
        assert_eq!(describe(&diff(&old, &new)), expected, "{why}");
    }
}

#[test]
fn an_interface_that_is_replaced_takes_routes_and_rules_along() {
    let mut before = gateway();
    let way = route(2, &before.routers[0].interfaces[0], true);
    before.routers[0].routes.push(way);
    let mut new = before.clone();
    // by its name the same, and yet on another network: names of networks may look like that
    new.networks[0].name = "n0#2".to_owned();
    new.routers[0].interfaces[0].network = "n0#2".to_owned();
    let changes = diff(&before, &new);
    let expected = [
        "route to 192.0.2.0/24 of gw removed",
        "interface gw/n0 removed",
        "network n0 removed",
        "network n0#2 added",
        "interface gw/n0 added",
        "route to 192.0.2.0/24 of gw added",
        "rules of gw changed",
    ];
    assert_eq!(describe(&changes), expected, "the rule names it, and its number may be another");
    assert!(matches!(changes.last(), Some(PlanChange::SetPolicy(_))), "rules come last");
}
