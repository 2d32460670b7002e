//! A difference of two plans: what it mentions, what it leaves alone, and in which order.

mod cores;
mod mirror;
mod routers;

use ipnet::IpNet;
use mirror::Mirror;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::bridge::{BridgeConfig, LegConfig, StpMode};
use crate::control::plan::{Interface, Netns, Settings};
use crate::control::registry::Registry;
use crate::fabric::{Fabric, Permit, VlanEntry};
use crate::port::PortKind;
use crate::time::Time;
use crate::wire::mac::Mac;

fn network(name: &str, fdb_max: u32) -> Network {
    let bridge = BridgeConfig { fdb_max, ..BridgeConfig::default() };
    Network { name: name.into(), host: Vec::new(), mtu: 1500, bridge, line: Line(1) }
}

fn port(name: &str, network: &str, kind: PortKind, settings: Settings) -> Port {
    Port {
        name: name.into(),
        network: network.into(),
        kind,
        queues: std::num::NonZero::<usize>::MIN,
        interface: Interface {
            name: name.into(),
            address: Vec::new(),
            mac: None,
            mtu: 1500,
            gateway: Vec::new(),
        },
        netns: Netns::Own,
        settings,
        line: Line(2),
    }
}

fn link(networks: [&str; 2], ordinal: usize, settings: [Settings; 2]) -> Link {
    let [a, b] = networks;
    let suffix = if ordinal == 1 { String::new() } else { format!("#{ordinal}") };
    let names = [format!("{a}/{b}{suffix}"), format!("{b}/{a}{suffix}")];
    let mut ends = names.into_iter().zip(settings);
    let ends = [0, 1].map(|_| {
        let (name, settings) = ends.next().expect("two");
        LinkEnd { name, settings, line: Line(3) }
    });
    Link { networks: networks.map(str::to_owned), ends, line: Line(3) }
}

fn permit(n: u8) -> Permit {
    match n {
        0 => Permit::Ip(IpNet::from(std::net::IpAddr::from([10, 0, 0, 1]))),
        _ => Permit::Mac(Mac([2, 0, 0, 0, 1, n])),
    }
}

/// Settings without a backup.
fn settings() -> impl Strategy<Value = Settings> {
    let vlans = btree_map(1..5u16, any::<bool>(), 0..4);
    (any::<bool>(), vlans, 0..5usize, btree_set(0..3u8, 0..3)).prop_map(|(isolated, vlans, pvid, permits)| {
        let leg = LegConfig { isolated, ..LegConfig::default() };
        let vlans = vlans.into_iter().enumerate();
        let vlans =
            vlans.map(|(at, (vid, untagged))| VlanEntry { vid, pvid: at == pvid, untagged }).collect();
        let mut permits: Vec<Permit> = permits.into_iter().map(permit).collect();
        permits.sort_unstable();
        Settings { leg, vlans, permits, backup: None }
    })
}

/// Any plan over three networks, six ports, links, two routers, and a handful of stations and groups.
fn plans() -> impl Strategy<Value = Plan> {
    let networks = btree_map(0..3u8, (1..3u32, 0..4u16), 1..=3);
    let ports = btree_map(0..6u8, (0..3usize, any::<bool>(), settings(), 0..12usize), 0..6);
    let links = vec((any::<bool>(), settings(), settings()), 0..3);
    let entries = btree_map(0..4u8, (0..6usize, any::<bool>()), 0..4);
    (networks, ports, links, routers::recipes(), entries).prop_map(
        |(networks, ports, links, routers, entries)| {
            let mut plan = Plan::empty("any");
            for (n, (max, pvid)) in networks {
                let mut network = network(&format!("n{n}"), max);
                network.bridge.vlan.default_pvid = pvid;
                plan.networks.push(network);
            }
            let names: Vec<String> = plan.networks.iter().map(|network| network.name.clone()).collect();
            let backups: Vec<(u8, usize)> = ports.iter().map(|(p, (.., backup))| (*p, *backup)).collect();
            for (p, (n, plain, settings, _)) in ports {
                let kind = if plain { PortKind::PlainTap } else { PortKind::Tap };
                plan.ports.push(port(&format!("p{p}"), &names[n % names.len()], kind, settings));
            }
            for (p, backup) in backups {
                let name = format!("p{p}");
                let network = plan.leg(&name).expect("just made").network.to_owned();
                let other =
                    plan.leg(&format!("p{backup}")).filter(|leg| leg.network == network && leg.name != name);
                let other = other.map(|leg| leg.name.to_owned());
                plan.settings_mut(&name).expect("just made").backup = other;
            }
            if let [a, b, ..] = &names[..] {
                for (at, (swap, here, there)) in links.into_iter().enumerate() {
                    let ends = if swap { [b.as_str(), a.as_str()] } else { [a.as_str(), b.as_str()] };
                    plan.links.push(link(ends, at + 1, [here, there]));
                }
                if plan.links.len() > 1 {
                    plan.networks.iter_mut().for_each(|network| network.bridge.stp.mode = StpMode::Stp);
                }
            }
            routers::add(&mut plan, routers);
            add_entries(&mut plan, entries.into_iter().map(|(s, (at, sticky))| (s, at, sticky)));
            plan
        },
    )
}

fn add_entries(plan: &mut Plan, entries: impl Iterator<Item = (u8, usize, bool)>) {
    let legs: Vec<(String, String, bool)> =
        plan.legs().map(|leg| (leg.name.to_owned(), leg.network.to_owned(), leg.is_router())).collect();
    for (s, at, sticky) in entries.filter(|_| !legs.is_empty()) {
        let (at, network, is_router) = legs[at % legs.len()].clone();
        let group = std::net::IpAddr::from([239, 0, 0, s]);
        // a router joins no groups
        plan.groups.extend((!is_router).then(|| StaticGroup {
            network: network.clone(),
            at: at.clone(),
            vlan: 0,
            group,
            line: Line(5),
        }));
        let mac = Mac([2, 0, 0, 0, 0, s]);
        plan.fdb.push(StaticStation { network, mac, at, vlan: None, sticky, line: Line(4) });
    }
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(plan in plans()) {
        prop_assert_eq!(diff(&plan, &plan), Vec::new());
    }

    #[test]
    fn every_difference_is_legal_and_leads_to_the_new_plan(a in plans(), b in plans()) {
        let (mut mirror, mut registry) = (Mirror::default(), Registry::default());
        let empty = Plan::empty("any");
        for (from, to) in [(&empty, &a), (&a, &b), (&b, &empty)] {
            let changes = diff(from, to);
            for change in registry.translate(&changes).expect("there is room") {
                let applied = mirror.apply(&change);
                prop_assert!(applied.is_ok(), "{:?}: {:?}, one of {:#?}", change, applied, changes);
            }
            prop_assert_eq!(&mirror, &Mirror::of(to, &registry));
        }
    }

    #[test]
    fn the_fabric_takes_every_difference(a in plans(), b in plans()) {
        let (mut fabric, mut registry) = (Fabric::new([1, 2]), Registry::default());
        let empty = Plan::empty("any");
        for (from, to) in [(&empty, &a), (&a, &b), (&b, &empty)] {
            for change in registry.translate(&diff(from, to)).expect("there is room") {
                let applied = fabric.apply(change.clone(), Time::ZERO);
                prop_assert!(applied.is_ok(), "{:?}: {:?}", change, applied);
            }
        }
    }
}

#[test]
fn what_did_not_change_is_not_touched() {
    let mut a = Plan::empty("lab");
    let leg = || Settings::new(LegConfig::default(), 1);
    a.networks = vec![network("n0", 10), network("n1", 10)];
    a.ports = vec![port("p0", "n0", PortKind::Tap, leg()), port("p1", "n0", PortKind::Tap, leg())];
    a.links = vec![link(["n0", "n1"], 1, [leg(), leg()])];
    let texts = |b: &Plan| describe(&diff(&a, b));
    let changed = |change: &dyn Fn(&mut Plan)| {
        let mut b = a.clone();
        change(&mut b);
        texts(&b)
    };
    let set = |name: &'static str, change: fn(&mut Settings)| {
        changed(&|plan: &mut Plan| change(plan.settings_mut(name).expect("a leg")))
    };
    let vlan = |vid, pvid, untagged| VlanEntry { vid, pvid, untagged };
    assert_eq!(set("p0", |s| s.leg.isolated = true), ["port p0 changed"], "settings only");
    assert_eq!(set("n1/n0", |s| s.leg.isolated = true), ["port n1/n0 changed"], "this end only");
    assert_eq!(set("p0", |s| s.backup = Some("p1".into())), ["port p0: backup port p1"]);
    assert_eq!(
        set("p0", |s| s.permits = vec![permit(0)]),
        ["port p0: source 10.0.0.1/32 permitted"],
        "an entry is not a setting"
    );
    let trunk = vec![vlan(1, false, true), vlan(2, true, false)];
    let mut b = a.clone();
    b.settings_mut("p0").expect("a leg").vlans = trunk;
    assert_eq!(texts(&b), ["port p0: vlan 2 pvid"], "B54: it takes the PVID from VLAN 1");
    let lines = changed(&|plan| plan.ports.iter_mut().for_each(|port| port.line = Line(99)));
    assert!(lines.is_empty(), "a line that moved is no change");
    let kind = changed(&|plan| plan.ports[1].kind = PortKind::PlainTap);
    assert_eq!(kind, ["port p1 removed", "port p1 added"], "another way to open it is another port");
    let swapped = changed(&|plan| {
        plan.links[0].networks.reverse();
        plan.links[0].ends.reverse();
    });
    assert!(swapped.is_empty(), "a link is the same whichever network is named first");
    let pvid = changed(&|plan| {
        plan.networks[0].bridge.vlan.default_pvid = 5;
        for name in ["p0", "p1", "n0/n1"] {
            plan.settings_mut(name).expect("a leg").follow_default(1, 5);
        }
    });
    assert_eq!(pvid, ["network n0 changed"], "the fabric moves the legs itself");
    let grown = changed(&|plan| plan.links.push(link(["n0", "n1"], 2, [leg(), leg()])));
    assert_eq!(grown, ["link n0/n1#2 added"], "the first stays");
}

#[test]
fn the_details_of_what_is_new_are_not_told() {
    let mut plan = Plan::empty("lab");
    plan.networks = vec![network("n0", 10)];
    let settings = Settings { permits: vec![permit(1)], ..Settings::default() };
    plan.ports = vec![port("p0", "n0", PortKind::Tap, settings)];
    let changes = diff(&Plan::empty("lab"), &plan);
    assert_eq!(changes.len(), 4, "it leaves the default VLAN, and gets a permit: {changes:?}");
    assert_eq!(describe(&changes), ["network n0 added", "port p0 added"]);
}

#[test]
fn a_backup_that_goes_is_given_up_before() {
    let mut a = Plan::empty("lab");
    let leg = || Settings::new(LegConfig::default(), 1);
    a.networks = vec![network("n0", 10)];
    a.ports = vec![port("p0", "n0", PortKind::Tap, leg()), port("p1", "n0", PortKind::Tap, leg())];
    a.ports[0].settings.backup = Some("p1".into());
    let mut b = a.clone();
    b.ports[1].kind = PortKind::PlainTap;
    assert_eq!(
        describe(&diff(&a, &b)),
        ["port p0: no backup port", "port p1 removed", "port p1 added", "port p0: backup port p1",],
        "and taken again, for it is another leg now"
    );
}

#[test]
fn b58_a_station_for_all_vlans_of_a_leg_follows_it_into_another() {
    let mut a = Plan::empty("lab");
    a.networks = vec![network("n0", 10)];
    a.ports = vec![port("p0", "n0", PortKind::Tap, Settings::new(LegConfig::default(), 1))];
    let station = |n, vlan| {
        let (network, at) = ("n0".to_owned(), "p0".to_owned());
        StaticStation { network, mac: Mac([2, 0, 0, 0, 0, n]), at, vlan, sticky: false, line: Line(4) }
    };
    a.fdb = vec![station(1, None), station(2, Some(1))];
    let mut b = a.clone();
    b.ports[0].settings.add_vlan(VlanEntry { vid: 10, pvid: false, untagged: false });
    let (mut fabric, mut registry) = (Fabric::new([1, 2]), Registry::default());
    for (from, to) in [(&Plan::empty("lab"), &a), (&a, &b)] {
        for change in registry.translate(&diff(from, to)).expect("there is room") {
            fabric.apply(change.clone(), Time::ZERO).expect("a sound difference");
        }
    }
    let node = registry.node("n0").expect("it was added");
    let known = fabric.stations(node, Time::ZERO).into_iter().map(|(entry, _)| (entry.mac.0[5], entry.vid));
    assert_eq!(known.collect::<Vec<_>>(), [(1, 0), (1, 1), (2, 1), (1, 10)]);
}
