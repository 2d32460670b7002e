//! What `verify` tries, between two nodes whose cables a kernel bridge joins: the probes, not our switch, are tested.

mod lab_common;

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use lab_common::sandbox::sandboxed;
use lab_common::{ids, interface, lab, node, plan, runtime};
use vswitchd::control::plan::{Cable, Line, NatKind, PROBE_TIMEOUT, Place, Plan, Probe, Seen};
use vswitchd::lab::netlink::{LinkChange, Netlink};
use vswitchd::lab::probe::{self, Members};
use vswitchd::lab::{Lab, netns};

#[test]
fn probes_tell_what_is_so() {
    sandboxed("probes_tell_what_is_so", || {
        let runtime = runtime("probes");
        let (mut lab, plan) = two_nodes("probes", &runtime);
        let from = || Place::Node("a".to_owned());
        let interface = |name: &str| Probe::Interface { from: from(), name: name.to_owned() };
        let servers = [ip("10.9.0.2"), ip("10.9.0.22")];
        let nat = |kind| Probe::Nat { from: from(), at: "b".to_owned(), servers, kind };
        let table = [
            (Probe::Ping { from: from(), to: ip("10.9.0.2"), sees: None }, true, "v4"),
            (Probe::Ping { from: from(), to: ip("fd09::2"), sees: None }, true, "v6"),
            (
                Probe::Ping { from: from(), to: ip("10.9.0.1"), sees: None },
                true,
                "itself: its own request is not the answer",
            ),
            (Probe::Ping { from: from(), to: ip("10.9.0.77"), sees: None }, false, "nobody there"),
            (Probe::Ping { from: from(), to: ip("192.0.2.1"), sees: None }, false, "no route"),
            (
                Probe::Ping { from: Place::Host, to: ip("10.9.0.2"), sees: None },
                false,
                "the host is not on this network",
            ),
            (Probe::Arp { from: from(), to: ip("10.9.0.2") }, true, "v4"),
            (Probe::Arp { from: from(), to: ip("fd09::2") }, true, "v6"),
            (Probe::Arp { from: from(), to: ip("10.9.0.77") }, false, "nobody there"),
            (Probe::Tcp { from: from(), to: at("10.9.0.2:80"), sees: None }, true, "we listen"),
            (Probe::Tcp { from: from(), to: at("[fd09::2]:80"), sees: None }, true, "we listen, v6"),
            (Probe::Tcp { from: from(), to: at("10.9.0.77:80"), sees: None }, false, "nobody there"),
            (Probe::Tcp { from: Place::Host, to: at("10.9.0.2:80"), sees: None }, false, "no way there"),
            (Probe::Udp { from: from(), to: at("10.9.0.2:53"), sees: None }, true, "we answer"),
            (Probe::Udp { from: from(), to: at("[fd09::2]:53"), sees: None }, true, "we answer, v6"),
            (Probe::Udp { from: from(), to: at("10.9.0.77:53"), sees: None }, false, "nobody there"),
            (Probe::Route { from: from(), to: "10.9.0.0/24".parse().expect("a net") }, true, "connected"),
            (
                Probe::Route { from: from(), to: "10.9.0.0/16".parse().expect("a net") },
                false,
                "not exactly this",
            ),
            (
                Probe::Route { from: from(), to: "0.0.0.0/0".parse().expect("a net") },
                false,
                "no default route",
            ),
            (nat(NatKind::FullCone), true, "nothing is in between, so everybody is let in"),
            (nat(NatKind::Restricted), false, "strangers are let in"),
            (nat(NatKind::Symmetric), false, "its port is the same from everywhere"),
            (interface("eth0"), true, "its own"),
            (interface("sw"), false, "the host's"),
        ];
        for (probe, expected, why) in table {
            let outcome = probe::run(&probe, &plan, PROBE_TIMEOUT, expected);
            assert_eq!(outcome.ok, expected, "{probe:?} ({why}): {outcome:?}");
            assert!(!outcome.detail.is_empty(), "{probe:?}");
        }
        lab.stop_node("a", &mut |_| ());
    });
}

#[test]
fn who_joins_a_group_is_a_member_until_it_leaves() {
    sandboxed("who_joins_a_group_is_a_member_until_it_leaves", || {
        let runtime = runtime("multicast");
        let (_lab, plan) = two_nodes("multicast", &runtime);
        let node = |name: &str| Place::Node(name.to_owned());
        let mut members = Members::default();
        let mut send = |from: Place, to: &str, join, succeed| {
            let way = (&from, at(to), &node("b"));
            probe::multicast(&mut members, &plan, way, join, Duration::from_secs(1), succeed)
        };
        for (group, file, written) in [
            ("239.1.1.1:5000", "igmp", "010101EF"),
            ("[ff15::1]:5000", "igmp6", "ff150000000000000000000000000001"),
        ] {
            let is_member = || {
                let at = netns::open(&netns::path("b")).expect("it is up");
                let path = format!("/proc/thread-self/net/{file}");
                let text = netns::within(at.as_fd(), || std::fs::read_to_string(path)).expect("allowed here");
                text.expect("of the kernel").contains(written)
            };
            assert!(send(node("a"), group, true, true).ok, "{group}");
            assert!(is_member(), "{group}: so that what the switch knows can be looked at");
            let outcome = send(node("a"), group, false, true);
            assert!(outcome.ok, "{group}: the kernel's bridge has no querier and floods: {outcome:?}");
            assert!(!is_member(), "{group}: it is sent without having been asked for");
            let outcome = send(node("a"), group, false, false);
            assert!(outcome.ok, "{group}: it does not stop to arrive: {outcome:?}");
            let outcome = send(Place::Host, group, true, false);
            assert!(!outcome.ok && outcome.detail.contains("no IP"), "{group}: {outcome:?}");
        }
        // the bridge carries nothing more
        let mut netlink = Netlink::open().expect("rtnetlink");
        let switch = netlink.index("sw").expect("two_nodes made it");
        netlink.delete_link(switch).expect("ours");
        let outcome = send(node("a"), "239.1.1.1:5000", true, false);
        assert!(!outcome.ok && outcome.detail.contains("in vain"), "{outcome:?}");
        let outcome = send(node("a"), "239.1.1.1:5000", true, true);
        assert!(!outcome.ok, "{outcome:?}");
    });
}

#[test]
fn a_wrong_hardware_address_is_noticed() {
    sandboxed("a_wrong_hardware_address_is_noticed", || {
        let runtime = runtime("arp");
        let (_lab, plan) = two_nodes("arp", &runtime);
        // a machine that is not in the plan has the same address, and answers as well
        let theirs = netns::make("theirs").expect("allowed here");
        let own = netns::own().expect("/proc");
        netns::within(theirs.as_fd(), || {
            let mut netlink = Netlink::open().expect("rtnetlink");
            netlink.add_veth(["eth0", "lan9"]).expect("the names are free");
            let near = netlink.index("eth0").expect("just made");
            netlink.change_link(near, &LinkChange { up: true, ..LinkChange::default() }).expect("up");
            netlink.add_address(near, "10.9.0.2/24".parse().expect("a net")).expect("free here");
            let far = netlink.index("lan9").expect("just made");
            let change = LinkChange { netns: Some(own.as_fd()), ..LinkChange::default() };
            netlink.change_link(far, &change).expect("moved");
        })
        .expect("entered");
        // and the real one does not
        let mut netlink = Netlink::open().expect("rtnetlink");
        let index = netlink.index("lan2").expect("the cable's end");
        netlink
            .change_link(index, &LinkChange { controller: Some(0), ..LinkChange::default() })
            .expect("out");
        let controller = netlink.index("sw").ok();
        let index = netlink.index("lan9").expect("moved here");
        netlink
            .change_link(index, &LinkChange { controller, up: true, ..LinkChange::default() })
            .expect("in");
        let arp = Probe::Arp { from: Place::Node("a".to_owned()), to: ip("10.9.0.2") };
        let outcome = probe::run(&arp, &plan, PROBE_TIMEOUT, true);
        assert!(
            !outcome.ok && outcome.detail.ends_with("but 10.9.0.2 is at 02:00:00:00:00:02"),
            "{outcome:?}"
        );
    });
}

#[test]
fn a_listener_that_is_there_is_used() {
    sandboxed("a_listener_that_is_there_is_used", || {
        let runtime = runtime("listener");
        let (_lab, plan) = two_nodes("listener", &runtime);
        let file = netns::open(&netns::path("b")).expect("it is there");
        let listener = netns::within(file.as_fd(), || TcpListener::bind("10.9.0.2:80")).expect("entered");
        let listener = listener.expect("the port is free");
        let probe = Probe::Tcp { from: Place::Node("a".to_owned()), to: at("10.9.0.2:80"), sees: None };
        let outcome = probe::run(&probe, &plan, PROBE_TIMEOUT, true);
        assert!(outcome.ok && outcome.detail.starts_with("connected in"), "{outcome:?}");
        listener.accept().expect("it was here");
    });
}

#[test]
fn who_is_seen_at_the_other_side_is_told() {
    sandboxed("who_is_seen_at_the_other_side_is_told", || {
        let runtime = runtime("sees");
        let (_lab, plan) = two_nodes("sees", &runtime);
        let from = || Place::Node("a".to_owned());
        let file = netns::open(&netns::path("b")).expect("it is there");
        let _listener = netns::within(file.as_fd(), || TcpListener::bind("10.9.0.2:8080")).expect("entered");
        for (family, own, other) in [("v4", "10.9.0.1", "10.9.0.11"), ("v6", "fd09::1", "fd09::11")] {
            for (sees, expected) in [(own, true), (other, false)] {
                let sees = Some(ip(sees).into());
                let to = if family == "v4" { "10.9.0.2" } else { "fd09::2" };
                let place = |port: u16| SocketAddr::new(ip(to), port);
                for probe in [
                    Probe::Ping { from: from(), to: ip(to), sees },
                    Probe::Tcp { from: from(), to: place(80), sees },
                    // there is a listener already, of which nobody can be asked; v6 has none there
                    Probe::Tcp { from: from(), to: place(8080), sees },
                    Probe::Udp { from: from(), to: place(53), sees },
                ] {
                    let outcome = probe::run(&probe, &plan, PROBE_TIMEOUT, expected);
                    assert_eq!(outcome.ok, expected, "{probe:?}: {outcome:?}");
                    let said =
                        if expected { format!("seen as {own}") } else { format!("it is seen as {own}") };
                    assert!(outcome.detail.ends_with(&said), "{probe:?}: {outcome:?}");
                }
            }
        }
        for (keeps_port, expected) in [(true, true), (false, false)] {
            let sees = Some(Seen { address: ip("10.9.0.1"), keeps_port: Some(keeps_port) });
            for probe in [
                Probe::Tcp { from: from(), to: at("10.9.0.2:80"), sees },
                Probe::Udp { from: from(), to: at("10.9.0.2:53"), sees },
            ] {
                let outcome = probe::run(&probe, &plan, PROBE_TIMEOUT, expected);
                assert_eq!(outcome.ok, expected, "no NAT changes it: {probe:?}: {outcome:?}");
            }
        }
        let probe = Probe::Ping { from: from(), to: ip("10.9.0.77"), sees: Some(ip("10.9.0.1").into()) };
        let outcome = probe::run(&probe, &plan, PROBE_TIMEOUT, true);
        assert!(outcome.detail.contains("not of this lab"), "{outcome:?}");
    });
}

#[test]
fn changed_data_is_noticed() {
    sandboxed("changed_data_is_noticed", || {
        let runtime = runtime("changed");
        let (_lab, plan) = two_nodes("changed", &runtime);
        let file = netns::open(&netns::path("b")).expect("it is there");
        let socket = netns::within(file.as_fd(), || UdpSocket::bind("10.9.0.2:53")).expect("entered");
        let socket = socket.expect("the port is free");
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a socket");
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [0; 2048];
                // until nobody asks any more
                while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    buffer[0] ^= 1;
                    socket.send_to(&buffer[..length], from).expect("sent");
                }
            });
            let probe = Probe::Udp { from: Place::Node("a".to_owned()), to: at("10.9.0.2:53"), sees: None };
            let outcome = probe::run(&probe, &plan, Duration::from_millis(500), true);
            assert_eq!((outcome.ok, outcome.detail.as_str()), (false, "the data came back changed"));
        });
    });
}

#[test]
fn nobody_can_look_from_where_there_is_no_node() {
    let probe = Probe::Ping { from: Place::Node("no-such-node".to_owned()), to: ip("10.9.0.2"), sees: None };
    let outcome = probe::run(&probe, &plan("none"), PROBE_TIMEOUT, true);
    assert_eq!(outcome.detail, "cannot open /run/netns/no-such-node: No such file or directory (os error 2)");
}

/// Nodes a (10.9.0.1) and b (10.9.0.2), and a bridge between their cables.
fn two_nodes(name: &str, runtime: &std::path::Path) -> (Lab, Plan) {
    let mut plan = plan(name);
    for (n, node_name) in [(1, "a"), (2, "b")] {
        let mut node = node(node_name);
        let interface = interface(
            "eth0",
            n,
            &[&format!("10.9.0.{n}/24"), &format!("10.9.0.{n}{n}/24"), &format!("fd09::{n}/64")],
        );
        node.cables.push(Cable { interface, peer: format!("lan{n}"), line: Line(1) });
        plan.nodes.push(node);
    }
    let mut lab = lab(name, runtime).expect("a fresh name");
    lab.apply(&plan, &ids(&plan)).expect("a sound plan");
    let mut netlink = Netlink::open().expect("rtnetlink");
    netlink.add_bridge("sw").expect("the name is free");
    let sw = netlink.index("sw").expect("just made");
    for name in ["lan1", "lan2"] {
        let end = netlink.index(name).expect("the cable's end");
        let change = LinkChange { controller: Some(sw), ..LinkChange::default() };
        netlink.change_link(end, &change).expect("joined");
    }
    netlink.change_link(sw, &LinkChange { up: true, ..LinkChange::default() }).expect("up");
    (lab, plan)
}

fn ip(text: &str) -> std::net::IpAddr {
    text.parse().expect("an address")
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}
