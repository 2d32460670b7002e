//! What edits make of a plan, and what they say where they cannot.

use std::collections::BTreeMap;

use super::{fdb, mdb, port, vlan};
use crate::bridge::{BridgeConfig, LegConfig, Role};
use crate::control::config::parse;
use crate::control::diff::{describe, diff};
use crate::control::edit::{Member, Vid};
use crate::control::plan::{Interface, Line, Link, LinkEnd, Netns, Network, Plan, Port, Settings};
use crate::control::protocol::Refusal;
use crate::control::setting::Setting;
use crate::port::PortKind;
use crate::wire::mac::Mac;

const STATION: Mac = Mac([2, 0, 0, 0, 0, 1]);
const HOST: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);

fn network(name: &str, all: bool) -> Network {
    let mut bridge = BridgeConfig::default();
    bridge.vlan.filtering = all;
    bridge.multicast.snooping = all;
    Network { name: name.into(), host: Vec::new(), mtu: 1500, bridge, line: Line(1) }
}

fn plug(name: &str, network: &str, role: Role) -> Port {
    let mac = (role == Role::Host).then_some(HOST);
    let interface = Interface { name: name.into(), address: Vec::new(), mac, mtu: 1500, gateway: Vec::new() };
    let leg = LegConfig { role, mac, ..LegConfig::default() };
    Port {
        name: name.into(),
        network: network.into(),
        kind: PortKind::Tap,
        queues: std::num::NonZero::<usize>::MIN,
        interface,
        netns: Netns::Own,
        settings: Settings::new(leg, 1),
        line: Line(2),
    }
}

/// `lan` does everything, `dmz` nothing; a link joins them.
fn plan() -> Plan {
    let mut plan = Plan::empty("lab");
    plan.networks = vec![network("lan", true), network("dmz", false)];
    plan.ports =
        vec![plug("lan", "lan", Role::Host), plug("vm1", "lan", Role::Port), plug("vm2", "lan", Role::Port)];
    plan.ports.push(plug("web", "dmz", Role::Port));
    let end = |name: &str| LinkEnd {
        name: name.into(),
        settings: Settings::new(LegConfig::default(), 1),
        line: Line(3),
    };
    plan.links = vec![Link {
        networks: ["lan".into(), "dmz".into()],
        ends: [end("lan/dmz"), end("dmz/lan")],
        line: Line(3),
    }];
    plan
}

fn vid(number: u16) -> Vid {
    Vid::try_from(number).expect("within the range")
}

/// What an edit does to the plan, or its refusal, in words.
fn said(before: &Plan, edited: Result<Plan, Refusal>) -> String {
    match edited {
        Ok(after) => describe(&diff(before, &after)).join(", "),
        Err(Refusal { error, hint }) => format!("{error}; {}", hint.unwrap_or_default()),
    }
}

#[test]
fn stations_are_put_behind_ports() {
    let plan = plan();
    let host = HOST;
    let group = Mac([1, 0, 0x5e, 1, 1, 1]);
    let table = [
        (STATION, "vm1", None, "fdb 02:00:00:00:00:01 on lan added", "plain"),
        (STATION, "lan/dmz", None, "fdb 02:00:00:00:00:01 on lan added", "behind a link"),
        (STATION, "vm1", Some(1), "fdb 02:00:00:00:00:01 on lan added", "in the VLAN of the port"),
        (
            STATION,
            "vm1",
            Some(10),
            "`vm1` is not in VLAN 10; `vswitchd vlan add vm1 10` puts it there",
            "B58",
        ),
        (STATION, "web", Some(10), "there is no VLAN 10 on `dmz`: it does not tell VLANs apart", "no filter"),
        (
            STATION,
            "vm9",
            None,
            "there is no port named `vm9`; there are: lan, vm1, vm2, web, lan/dmz",
            "a slip",
        ),
        (group, "vm1", None, "01:00:5e:01:01:01 is the address of no single station", "a group"),
        (Mac::ZERO, "vm1", None, "00:00:00:00:00:00 is the address of no single station", "nobody (B1)"),
        (host, "vm1", None, "02:00:00:00:00:fe is the host's own address on `lan`", "B9"),
        (host, "web", None, "fdb 02:00:00:00:00:fe on dmz added", "the host is not there"),
    ];
    for (mac, at, vlan, expected, why) in table {
        let text = said(&plan, fdb::add(&plan, mac, at, vlan.map(vid), false));
        assert!(text.starts_with(expected), "{why}: {text}");
    }
}

#[test]
fn a_station_is_in_one_place_per_vlan() {
    let old = plan();
    let one = fdb::add(&old, STATION, "vm1", Some(vid(1)), false).expect("nothing is in the way");
    let table = [
        ("vm1", Some(1), false, "", "the same again is no change"),
        ("vm1", Some(1), true, "02:00:00:00:00:01 has an entry on `lan` already, behind vm1", "but stickier"),
        ("vm2", Some(1), false, "02:00:00:00:00:01 has an entry on `lan` already, behind vm1", "elsewhere"),
        ("vm2", None, false, "02:00:00:00:00:01 has an entry on `lan` already", "every VLAN is this one too"),
        ("web", None, false, "fdb 02:00:00:00:00:01 on dmz added", "another network"),
    ];
    for (at, vlan, sticky, expected, why) in table {
        let text = said(&one, fdb::add(&one, STATION, at, vlan.map(vid), sticky));
        assert!(text.starts_with(expected) && text.is_empty() == expected.is_empty(), "{why}: {text}");
    }
    let del = |port, vlan: Option<u16>| fdb::del(&one, STATION, port, vlan.map(vid)).1;
    assert!(del(None, None) && del(Some("vm1"), None) && del(None, Some(1)), "meant by any of these");
    assert!(!del(Some("vm2"), None) && !del(None, Some(2)), "but not by these");
    assert_eq!(fdb::del(&one, STATION, None, None).0, old, "and the plan is what it was");
}

#[test]
fn ports_enter_and_leave_vlans() {
    let place = |pvid, untagged| vlan::Place { pvid, untagged };
    let listed = |plan: &Plan, port: &str| {
        let vlans = &plan.settings(port).expect("a leg").vlans;
        let entry = |e: &crate::bridge::VlanEntry| {
            format!("{}{}{}", e.vid, if e.pvid { "p" } else { "" }, if e.untagged { "u" } else { "" })
        };
        vlans.iter().map(entry).collect::<Vec<_>>().join(" ")
    };
    let start = plan();
    let added = vlan::add(&start, "vm1", vid(10), Some(vid(12)), place(false, false)).expect("a range");
    assert_eq!(listed(&added, "vm1"), "1pu 10 11 12");
    let moved = vlan::add(&added, "vm1", vid(11), None, place(true, true)).expect("a PVID");
    assert_eq!(listed(&moved, "vm1"), "1u 10 11pu 12", "B54: there is one PVID, the last");
    let plain = vlan::add(&moved, "vm1", vid(11), None, place(false, false)).expect("again");
    assert_eq!(listed(&plain, "vm1"), "1u 10 11 12", "what it was to the VLAN before is replaced");
    let left = vlan::del(&plain, "vm1", vid(1), Some(vid(11))).expect("it is in some");
    assert_eq!(listed(&left, "vm1"), "12");
    assert_eq!(listed(&left, "vm2"), "1pu", "nobody else is touched");

    let refusals = [
        (
            vlan::add(&start, "vm1", vid(10), Some(vid(12)), place(true, false)),
            "can have one PVID, not 10 to 12",
        ),
        (vlan::add(&start, "vm1", vid(12), Some(vid(10)), place(false, false)), "VLAN 10 is before 12"),
        (vlan::add(&start, "dmz/lan", vid(10), None, place(false, false)), "set `vlan_filtering = true`"),
        (vlan::del(&start, "vm1", vid(10), None), "`vm1` is not in VLAN 10; it is in: 1"),
        (vlan::del(&left, "vm1", vid(2), Some(vid(9))), "not in any VLAN from 2 to 9; it is in: 12"),
        (vlan::del(&start, "vm9", vid(1), None), "there is no port named `vm9`"),
    ];
    for (edited, expected) in refusals {
        let text = said(&start, edited);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn ports_join_and_leave_groups() {
    let start = vlan::add(&plan(), "vm1", vid(10), None, vlan::Place { pvid: false, untagged: false });
    let start = start.expect("VLANs are told apart");
    let member = |port: &str, group: &str, vlan: Option<u16>, network: Option<&str>| Member {
        port: port.into(),
        group: group.parse().expect("an address"),
        vlan: vlan.map(vid),
        network: network.map(str::to_owned),
    };
    let vlans = |plan: &Plan| plan.groups.iter().map(|group| group.vlan).collect::<Vec<_>>();
    let all = mdb::add(&start, &member("vm1", "239.1.1.1", None, None)).expect("a group");
    assert_eq!(vlans(&all), [1, 10], "in every VLAN of the port");
    let again = mdb::add(&all, &member("vm1", "239.1.1.1", Some(10), Some("lan"))).expect("it is there");
    assert_eq!(vlans(&again), [1, 10], "once");
    let one = mdb::del(&all, &member("vm1", "239.1.1.1", Some(1), None)).expect("it is there");
    assert_eq!(vlans(&one), [10]);

    let routed = "[[network]]\nname = \"lan\"\nmulticast_snooping = true\n[[router]]\nname = \"gw\"\n\
                  [[router.interface]]\nnetwork = \"lan\"\naddress = \"10.0.0.1/24\"\n";
    let routed = parse(routed, "lab").expect("a sound file").0;
    let refusals = [
        (mdb::add(&start, &member("vm1", "10.0.0.1", None, None)), "the address of one machine"),
        (mdb::add(&start, &member("vm1", "224.0.0.251", None, None)), "everybody's on the link"),
        (mdb::add(&start, &member("vm1", "ff02::1", None, None)), "everybody's on the link"),
        (mdb::add(&start, &member("vm2", "239.1.1.1", Some(10), None)), "`vm2` is not in VLAN 10"),
        (
            mdb::add(&start, &member("vm1", "239.1.1.1", None, Some("dmz"))),
            "port `vm1` is not on `dmz`; it is on `lan`",
        ),
        (mdb::add(&start, &member("vm1", "239.1.1.1", None, Some("wan"))), "there is no network named `wan`"),
        (mdb::add(&start, &member("web", "239.1.1.1", None, None)), "set `multicast_snooping = true`"),
        (mdb::del(&one, &member("vm1", "239.1.1.2", None, None)), "has not been put into 239.1.1.2"),
        (mdb::add(&routed, &member("lan/gw", "239.1.1.1", None, None)), "a router, which joins no groups"),
    ];
    for (edited, expected) in refusals {
        let text = said(&start, edited);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn ports_get_their_settings_all_or_none() {
    let start = plan();
    let set = |pairs: &[(&str, &str)]| {
        let settings = pairs.iter().map(|(flag, value)| Setting::parse(flag, value).expect(flag));
        settings.collect::<Vec<_>>()
    };
    let edited = port::set(&start, "vm1", &set(&[("mab", "on"), ("backup_port", "vm2"), ("locked", "on")]));
    let edited = edited.expect("judged together, whatever their order");
    let vm1 = edited.settings("vm1").expect("a port");
    assert!(vm1.leg.mab && vm1.leg.locked);
    assert_eq!(vm1.backup.as_deref(), Some("vm2"));
    let others: BTreeMap<_, _> = edited.legs().map(|leg| (leg.name, leg.settings.clone())).collect();
    assert!(start.legs().all(|leg| leg.name == "vm1" || others[leg.name] == *leg.settings), "nobody else");
    let back = port::set(&edited, "vm1", &set(&[("mab", "off"), ("backup_port", "none"), ("locked", "off")]));
    assert_eq!(back.as_ref(), Ok(&start));
    assert!(port::set(&start, "lan/dmz", &set(&[("cost", "100")])).is_ok(), "an end of a link is a leg");

    let refusals: [(&str, &[(&str, &str)], &str); 7] = [
        ("vm1", &[("mab", "on")], "`vm1` is not locked"),
        ("vm1", &[("cost", "65536")], "a cost of 65536 is more than STP can tell others"),
        ("vm1", &[("promiscuous", "deny")], "give the port a `mac` in the file"),
        (
            "vm1",
            &[("backup_port", "vm1")],
            "`vm1` cannot stand in for `vm1`; a backup is another port of `lan`",
        ),
        ("vm1", &[("backup_port", "web")], "`web` cannot stand in for `vm1`"),
        ("vm1", &[("backup_port", "vm9")], "there is no port named `vm9`"),
        ("vm9", &[("learning", "off")], "there is no port named `vm9`"),
    ];
    for (name, pairs, expected) in refusals {
        let text = said(&start, port::set(&start, name, &set(pairs)));
        assert!(text.contains(expected), "{text}");
    }
}
