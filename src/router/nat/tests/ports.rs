//! Which ports flows get: P1–P11.

use std::collections::BTreeSet;

use super::packets::{port, tcp, udp};
use super::*;
use crate::wire::tcp::Flags;

const X: &str = "203.0.113.9:53";
const Y: &str = "203.0.113.8:53";

#[test]
fn ports_are_kept_and_shared_between_destinations() {
    let mut gate = gate();
    assert_eq!(gate.flow(&udp("10.0.0.2:5000", X)), format!("192.0.2.1:5000 > {X}"), "P3: kept");
    assert_eq!(
        gate.flow(&udp("10.0.0.3:5000", Y)),
        format!("192.0.2.1:5000 > {Y}"),
        "P3: elsewhere it is free"
    );
    let clash = gate.pass(&udp("10.0.0.4:5000", X)).1.expect("a port");
    assert_ne!(port(&clash), 5000, "P3: but not here");
    let same = gate.pass(&udp("10.0.0.4:5000", Y)).1.expect("a port");
    assert_eq!(port(&same), port(&clash), "P2: a guest's port looks the same from everywhere");
    assert_eq!(gate.flow(&udp(X, "192.0.2.1:5000")), format!("{X} > 10.0.0.2:5000"), "each to its own");
    assert_eq!(gate.flow(&udp(Y, "192.0.2.1:5000")), format!("{Y} > 10.0.0.3:5000"));
}

#[test]
fn a_clash_stays_in_its_class() {
    for (wanted, class, why) in [
        (1, 1..=511, "P4: below 512"),
        (511, 1..=511, "P4: below 512"),
        (512, 600..=1023, "P4: the kernel starts at 600"),
        (1023, 600..=1023, "P4: below 1024"),
        (1024, 1024..=65535_u16, "P4: the rest"),
    ] {
        let mut gate = gate();
        let mut seen = BTreeSet::new();
        for guest in 2..60 {
            let out = gate.pass(&udp(&format!("10.0.0.{guest}:{wanted}"), X)).1.expect("a port");
            assert!(port(&out) == wanted || class.contains(&port(&out)), "{why}: {}", port(&out));
            assert!(seen.insert(port(&out)), "no two alike");
        }
    }
}

#[test]
fn a_range_is_kept_to_and_may_run_out() {
    let mut gate = gate();
    gate.masquerade = Some(Range { ports: Some((4000, 4003)), ..Range::address(address(EXT)) });
    let mut seen = BTreeSet::new();
    for guest in 2..6 {
        let out = gate.pass(&udp(&format!("10.0.0.{guest}:9"), X)).1.expect("a port");
        assert!((4000..=4003).contains(&port(&out)), "P7");
        seen.insert(port(&out));
    }
    assert_eq!(seen.len(), 4, "P5: a small range is searched through");
    assert_eq!(gate.flow(&udp("10.0.0.9:9", X)), "Clash", "P5: none is left");
    assert_eq!(gate.count(), 4, "P5: and nothing was made");
    assert!(gate.pass(&udp("10.0.0.9:9", Y)).1.is_ok(), "P3: elsewhere all are free");
    gate.masquerade = Some(Range::endpoint(address(EXT), 7));
    assert_eq!(gate.flow(&udp("10.0.0.2:70", X)), format!("192.0.2.1:7 > {X}"), "P7: one port");
    assert_eq!(gate.flow(&udp("10.0.0.3:70", X)), "Clash", "P7: taken, not searched for another");
}

#[test]
fn random_is_random_and_can_be_had_again() {
    let ports = |mapping| {
        let mut gate = gate();
        gate.masquerade = Some(Range { mapping, ..Range::address(address(EXT)) });
        let out = |to: &str, gate: &mut Gate| port(&gate.pass(&udp("10.0.0.2:5000", to)).1.expect("a port"));
        [out(X, &mut gate), out(Y, &mut gate)]
    };
    let [x, y] = ports(Mapping::Symmetric);
    assert!(x != 5000 && x != y, "P7: symmetric: {x} {y}");
    assert_eq!(ports(Mapping::Symmetric), [x, y], "the same seed, the same ports");
    assert_eq!(ports(Mapping::Kernel), [5000, 5000], "P2, P3");
    let gate = gate();
    let explain = || {
        let mut judgement = gate.judge(&udp("10.0.0.2:5000", X));
        gate.bind(&mut judgement);
        judgement.translation
    };
    assert_eq!(explain(), explain(), "asking changes nothing");
}

#[test]
fn a_pool_pairs_by_source() {
    let mut gate = gate();
    gate.masquerade = Some(Range { last: address("192.0.2.8").into(), ..Range::address(address(EXT)) });
    let mut used = BTreeSet::new();
    for guest in 2..40 {
        let from = format!("10.0.0.{guest}:9");
        let out = |bytes: Vec<u8>| Packet::parse(&bytes).expect("a packet").source;
        let first = out(gate.pass(&udp(&from, X)).1.expect("room"));
        let second = out(gate.pass(&udp(&format!("10.0.0.{guest}:10"), Y)).1.expect("room"));
        assert_eq!(first, second, "RFC 4787 REQ-2: one guest, one address");
        used.insert(first);
    }
    assert!(used.len() > 4, "and all of them are used: {used:?}");
}

#[test]
fn destinations_keep_their_port_or_get_the_first() {
    let mut gate = gate();
    gate.published.push((80, Range::address(address("10.0.0.3"))));
    gate.published.push((81, Range { ports: Some((90, 92)), ..Range::address(address("10.0.0.3")) }));
    gate.published.push((82, Range::endpoint(address("10.0.0.3"), 443)));
    let client = "203.0.113.9:4000";
    assert_eq!(gate.flow(&udp(client, "192.0.2.1:80")), format!("{client} > 10.0.0.3:80"), "P8: kept");
    assert_eq!(gate.flow(&udp(client, "192.0.2.1:81")), format!("{client} > 10.0.0.3:90"), "P8: the first");
    assert_eq!(gate.flow(&udp("203.0.113.9:4001", "192.0.2.1:82")), "203.0.113.9:4001 > 10.0.0.3:443");
}

#[test]
fn what_is_over_makes_room_at_the_end_of_a_search() {
    let mut gate = gate();
    gate.masquerade = Some(Range { ports: Some((4000, 4001)), ..Range::address(address(EXT)) });
    for guest in [2, 3] {
        let from = format!("10.0.0.{guest}:9");
        let out = gate.pass(&tcp(&from, X, Flags::SYN, 100, 0)).1.expect("a port");
        let me = format!("192.0.2.1:{}", port(&out));
        gate.flow(&tcp(X, &me, Flags::SYN | Flags::ACK, 500, 101));
        gate.flow(&tcp(&from, X, Flags::ACK, 101, 501));
    }
    assert_eq!(gate.flow(&tcp("10.0.0.4:9", X, Flags::SYN, 900, 0)), "Clash", "P6: both are alive");
    gate.flow(&tcp("10.0.0.2:9", X, Flags::RST, 101, 0));
    assert_eq!(gate.flow(&tcp("10.0.0.4:9", X, Flags::SYN, 50, 0)), "Clash", "P6: not beyond the old one");
    assert_eq!(gate.state(&tcp("10.0.0.4:9", X, Flags::SYN, 900, 0)), State::New, "P6: beyond");
    assert_eq!(gate.count(), 2, "P6: in its place");
}

#[test]
fn what_is_bound_to_an_address_goes_with_it() {
    let mut gate = gate();
    gate.flow(&udp("10.0.0.2:5000", X));
    gate.flow(&udp("198.51.100.1:9", "198.51.100.2:9"));
    let known = gate.judge(&udp("10.0.0.2:5000", X));
    assert!(!gate.nat.has_moved(&known, 7), "N11: through the leg it was masqueraded for");
    assert!(gate.nat.has_moved(&known, 8), "N11: through another one");
    assert_eq!(gate.nat.end_all(|session| session.leg() == Some(7)), 1, "P10");
    assert_eq!(gate.count(), 1, "P10: others stay");
}

#[test]
fn the_four_kinds_of_old() {
    let (guest, port) = ("10.0.0.2:5000", "192.0.2.1:5000");
    let (same_host, stranger) = ("203.0.113.9:99", "203.0.113.8:99");
    let cone = Mapping::EndpointIndependent;
    let table = [
        (cone, Filtering::None, [true, true], "full cone"),
        (cone, Filtering::Address, [true, false], "restricted cone"),
        (cone, Filtering::AddressAndPort, [false, false], "port restricted cone"),
        (Mapping::Kernel, Filtering::AddressAndPort, [false, false], "the kernel's, which is that"),
    ];
    for (mapping, filtering, expected, why) in table {
        let mut gate = gate();
        gate.masquerade = Some(Range { mapping, ..Range::address(address(EXT)) });
        gate.filtering = filtering;
        gate.flow(&udp(guest, X));
        for (from, enters) in [same_host, stranger].into_iter().zip(expected) {
            let to = if enters { guest } else { port };
            assert_eq!(gate.flow(&udp(from, port)), format!("{from} > {to}"), "{why}");
            if enters {
                assert_eq!(gate.flow(&udp(guest, from)), format!("{port} > {from}"), "{why}: and back");
            }
        }
        assert_eq!(gate.flow(&udp(X, port)), format!("{X} > {guest}"), "{why}: the one who was asked");
    }
}

#[test]
fn a_cone_shares_its_port_with_nobody() {
    let mut gate = gate();
    let cone = Range { mapping: Mapping::EndpointIndependent, ..Range::address(address(EXT)) };
    gate.masquerade = Some(cone);
    assert_eq!(gate.flow(&udp("10.0.0.2:5000", X)), format!("192.0.2.1:5000 > {X}"));
    assert_eq!(gate.flow(&udp("10.0.0.2:5000", Y)), format!("192.0.2.1:5000 > {Y}"), "RFC 4787 REQ-1");
    let other = port(&gate.pass(&udp("10.0.0.3:5000", "203.0.113.7:1")).1.expect("a port"));
    assert_ne!(other, 5000, "RFC 4787 REQ-3: not even towards somebody else");
    let again = port(&gate.pass(&udp("10.0.0.3:5000", X)).1.expect("a port"));
    assert_eq!(again, other, "RFC 4787 REQ-1: for the second guest as well");
}
