//! What packets are, and for how long flows live: N2–N10, U1, U2.

use super::packets::{flow, icmp, ip, port, tcp, udp};
use super::*;
use crate::wire::tcp::Flags;

const A: &str = "10.0.0.2:1000";
const X: &str = "203.0.113.9:53";
const ME: &str = "192.0.2.1:1000";

#[test]
fn a_flow_is_translated_there_and_back() {
    let mut gate = gate();
    assert_eq!(gate.flow(&udp(A, X)), "192.0.2.1:1000 > 203.0.113.9:53", "P1");
    assert_eq!(
        gate.flow(&udp(X, ME)),
        "203.0.113.9:53 > 10.0.0.2:1000",
        "N2: the reply, by the stored tuple"
    );
    let (a, x, me) = ("[fd00::2]:1000", "[2001:db8:9::9]:53", "[2001:db8::1]:1000");
    assert_eq!(gate.flow(&udp(a, x)), format!("{me} > {x}"), "N59: IPv6 is the same engine");
    assert_eq!(gate.flow(&udp(x, me)), format!("{x} > {a}"));
    gate.published.push((80, Range::endpoint(address("10.0.0.3"), 8080)));
    let (client, front) = ("203.0.113.9:4000", "192.0.2.1:80");
    assert_eq!(gate.flow(&udp(client, front)), "203.0.113.9:4000 > 10.0.0.3:8080", "P8: published");
    assert_eq!(gate.flow(&udp("10.0.0.3:8080", client)), "192.0.2.1:80 > 203.0.113.9:4000", "and back");
}

#[test]
fn rules_are_asked_once() {
    let mut gate = gate();
    gate.flow(&udp(A, X));
    gate.masquerade = Some(Range::address(address("192.0.2.200")));
    assert_eq!(gate.flow(&udp(A, X)), "192.0.2.1:1000 > 203.0.113.9:53", "N2: a live flow keeps what it has");
    assert_eq!(gate.flow(&udp("10.0.0.9:1", X)), "192.0.2.200:1 > 203.0.113.9:53", "a new one does not");
}

#[test]
fn without_a_rule_the_port_may_still_change() {
    let mut gate = gate();
    gate.flow(&udp(A, X));
    let (state, out) = gate.pass(&udp(ME, X));
    let out = out.expect("there is a port");
    assert_eq!(state, State::New);
    assert_ne!(port(&out), 1000, "N3, P11: the gate's own flow must not have the guest's reply tuple");
    assert!(flow(&out).starts_with("192.0.2.1:"), "N3: its address stays");
}

#[test]
fn what_is_dropped_on_its_way_leaves_nothing() {
    let mut gate = gate();
    let mut judgement = gate.judge(&udp(A, X));
    gate.bind(&mut judgement);
    assert_eq!(gate.nat.commit(&judgement, 0, gate.now), None, "N4: it was not confirmed");
    assert_eq!((gate.count(), gate.nat.sessions().len()), (0, 0));
}

#[test]
fn states_are_those_of_n5() {
    let mut gate = gate();
    let mut quote = udp("192.0.2.1:1000", X);
    quote.truncate(28);
    let solicitation = icmp("fd00::2", "ff02::1", 135, 0, 0, &[0; 16]);
    let steps: &[(Vec<u8>, State, &str)] = &[
        (udp(A, X), State::New, "the first"),
        (udp(A, X), State::New, "N5: no reply was seen yet"),
        (icmp("198.51.100.1", EXT, 3, 1, 0, &quote), State::Related, "N5: an error about it"),
        (udp(X, ME), State::Established, "N5: the reply"),
        (udp(A, X), State::Established, "N5: and from then on"),
        (
            icmp("10.0.0.2", "203.0.113.9", 0, 0, 9, &[]),
            State::Invalid(Invalid::Stray),
            "U2: an unasked reply",
        ),
        (
            icmp("10.0.0.2", "203.0.113.9", 19, 0, 9, &[]),
            State::Invalid(Invalid::Malformed),
            "U2: no such type",
        ),
        (solicitation, State::Untracked, "U2: neighbour discovery"),
        (tcp(A, X, Flags::RST, 1, 0), State::Invalid(Invalid::Stray), "T6: a stray RST"),
        (tcp(A, X, Flags::SYN | Flags::FIN, 1, 0), State::Invalid(Invalid::Malformed), "T1: SYN and FIN"),
        (tcp(A, X, 0, 1, 0), State::Invalid(Invalid::Malformed), "T18: a NULL scan"),
    ];
    for (bytes, expected, why) in steps {
        assert_eq!(gate.state(bytes), *expected, "{why}");
    }
    assert_eq!(gate.count(), 1, "T18: only the first made a session");
}

#[test]
fn what_is_invalid_is_not_translated() {
    let mut gate = gate();
    let stray = tcp(A, X, Flags::RST, 1, 0);
    assert_eq!(gate.pass(&stray), (State::Invalid(Invalid::Stray), Ok(stray)), "N6");
    let mut bad = udp(A, X);
    *bad.last_mut().expect("data") ^= 1;
    assert_eq!(gate.state(&bad), State::Invalid(Invalid::Checksum), "N7");
    let judgement = gate.nat.judge(&Packet::parse(&bad).expect("a packet"), true, gate.now);
    assert_eq!(judgement.state, State::New, "V9: what is still to be summed is not verified");
    let mut long = udp(A, X);
    long[25] += 1;
    assert_eq!(gate.state(&long), State::Invalid(Invalid::Malformed), "U1: longer than it is");
    let fragment = {
        let mut bytes = udp(A, X);
        bytes[6] = 0x20;
        let sum = crate::wire::checksum::add(u16::from_be_bytes([bytes[10], bytes[11]]), 0x2000);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    if let Some(packet) = Packet::parse(&fragment) {
        let state = gate.nat.judge(&packet, true, gate.now).state;
        assert!(matches!(state, State::Invalid(_)), "N50: fragments are put together before");
    }
}

#[test]
fn other_protocols_have_addresses_only() {
    let mut gate = gate();
    let packet = ip(address("10.0.0.2"), address("203.0.113.9"), 99, b"whatever");
    assert_eq!(gate.flow(&packet), "192.0.2.1 > 203.0.113.9", "N8");
    assert_eq!(gate.life(), Some((600, false)), "N8");
    let back = ip(address("203.0.113.9"), address(EXT), 99, b"whatever");
    assert_eq!(gate.flow(&back), "203.0.113.9 > 10.0.0.2", "N8: and back");
    let other = ip(address("10.0.0.3"), address("203.0.113.9"), 99, b"whatever");
    assert_eq!(gate.flow(&other), "Clash", "P5: there is nothing to tell a second guest by");
}

#[test]
fn nothing_else_changes() {
    let mut gate = gate();
    let before = udp(A, X);
    let after = gate.pass(&before).1.expect("room");
    let differ: Vec<usize> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    let allowed = [10..12, 12..16, 26..28];
    assert!(differ.iter().all(|at| allowed.iter().any(|range| range.contains(at))), "N10: {differ:?}");
}

#[test]
fn datagrams_become_a_stream() {
    let mut gate = gate();
    let steps: &[(u64, bool, Option<(u64, bool)>, &str)] = &[
        (0, true, Some((30, false)), "U1: no reply yet"),
        (1000, true, Some((30, false)), "U1: refreshed by any packet"),
        (500, false, Some((30, false)), "U1: the first reply"),
        (400, true, Some((30, false)), "U1: not older than two seconds"),
        (101, true, Some((120, true)), "U1: older, and replied"),
        (119_999, false, Some((120, true)), "U1: refreshed from outside as well"),
    ];
    for (millis, outgoing, life, why) in steps {
        gate.wait(*millis);
        gate.flow(&if *outgoing { udp(A, X) } else { udp(X, ME) });
        assert_eq!(gate.life(), *life, "{why}");
    }
    gate.wait(119_999);
    assert_eq!(gate.judge(&udp(X, ME)).state, State::Established, "L3: a millisecond before");
    gate.wait(1);
    assert_eq!(gate.judge(&udp(X, ME)).state, State::New, "L3: it is gone, though nobody has swept");
    assert_eq!(gate.nat.sessions().len(), 1);
}

#[test]
fn no_checksum_stays_none() {
    let mut gate = gate();
    let mut bytes = udp(A, X);
    bytes[26..28].fill(0);
    let out = gate.pass(&bytes).1.expect("room");
    assert_eq!((&out[26..28], flow(&out).as_str()), (&[0, 0][..], "192.0.2.1:1000 > 203.0.113.9:53"), "U1");
}

#[test]
fn echoes_are_followed_by_their_id() {
    let mut gate = gate();
    let ask = |from: &str| icmp(from, "203.0.113.9", 8, 0, 77, b"ping");
    assert_eq!(gate.flow(&ask("10.0.0.2")), "192.0.2.1 > 203.0.113.9 id 77", "U4: kept");
    assert_eq!(gate.life(), Some((30, false)), "U2");
    let second = gate.pass(&ask("10.0.0.3")).1.expect("an id");
    assert_ne!(port(&second), 77, "U4: changed when another guest has it");
    let reply = |id| icmp("203.0.113.9", EXT, 0, 0, id, b"pong");
    assert_eq!(gate.flow(&reply(77)), "203.0.113.9 > 10.0.0.2 id 77");
    assert_eq!(gate.flow(&reply(port(&second))), "203.0.113.9 > 10.0.0.3 id 77", "U4: and changed back");
    let elsewhere = gate.pass(&icmp("10.0.0.3", "203.0.113.8", 8, 0, 77, b"ping")).1.expect("an id");
    assert_eq!(port(&elsewhere), port(&second), "U4: the same for further destinations");
}

#[test]
fn a_refused_connection_is_forgotten_and_a_closed_one_reopened() {
    let mut gate = gate();
    gate.flow(&tcp(A, X, Flags::SYN, 100, 0));
    assert_eq!(
        gate.flow(&tcp(X, ME, Flags::RST | Flags::ACK, 0, 101)),
        format!("{X} > {A}"),
        "T11: translated"
    );
    assert_eq!(gate.nat.sessions().len(), 0, "T11: and gone");
    let ack = Flags::ACK;
    for (outgoing, flags, seq, answer) in [
        (true, Flags::SYN, 100, 0),
        (false, Flags::SYN | ack, 500, 101),
        (true, ack, 101, 501),
        (true, Flags::FIN | ack, 101, 501),
        (false, Flags::FIN | ack, 501, 102),
        (true, ack, 102, 502),
    ] {
        let (from, to) = if outgoing { (A, X) } else { (X, ME) };
        assert!(!matches!(gate.state(&tcp(from, to, flags, seq, answer)), State::Invalid(_)));
    }
    assert_eq!(gate.life(), Some((120, true)), "T16: TIME_WAIT");
    assert_eq!(
        gate.pass(&tcp(A, X, Flags::SYN, 9000, 0)).0,
        State::New,
        "T12: a fresh session in the same pass"
    );
    assert_eq!((gate.count(), gate.life()), (1, Some((120, false))), "T12: in place of the old one");
}

#[test]
fn a_checksum_of_zero_is_written_as_ffff() {
    let before = udp(A, X);
    let mut found = false;
    for port in 0..=u16::MAX {
        let mut after = before.clone();
        let packet = Ends { source_port: Some(port), ..Ends::default() };
        assert!(rewrite::apply(&mut after, &Translation { packet, quote: Ends::default() }, false));
        assert_ne!(after[26..28], [0, 0], "U1: zero means that there is none");
        found |= after[26..28] == [0xff, 0xff];
    }
    assert!(found, "U1: one of them sums to that");
}

#[test]
fn sctp_and_gre_are_flows_too() {
    let mut gate = gate();
    let sctp = |from: &str, to: &str, ports: [u8; 4]| {
        let mut payload = [&ports[..], &[0; 8], b"chunk"].concat();
        let crc = crc32c::crc32c(&payload);
        payload[8..12].copy_from_slice(&crc.to_le_bytes());
        ip(address(from), address(to), 132, &payload)
    };
    let ask = |guest: &str| sctp(guest, "203.0.113.9", [0, 5, 0, 7]);
    assert_eq!(gate.flow(&ask("10.0.0.2")), "192.0.2.1:5 > 203.0.113.9:7", "U3");
    let out = gate.pass(&ask("10.0.0.3")).1.expect("a port");
    assert_ne!(port(&out), 5, "P4");
    let mut payload = out[20..].to_vec();
    payload[8..12].fill(0);
    assert_eq!(crc32c::crc32c(&payload).to_le_bytes(), out[28..32], "RFC 9260 §6.8: summed anew");
    let mut gate = super::gate();
    let gre = |from: &str, to: &str| ip(address(from), address(to), 47, &[0, 0, 8, 0, 1, 2]);
    assert_eq!(gate.flow(&gre("10.0.0.2", "203.0.113.9")), "192.0.2.1 > 203.0.113.9", "N8");
    assert_eq!(gate.life(), Some((30, false)), "U3");
    assert_eq!(gate.flow(&gre("203.0.113.9", EXT)), "203.0.113.9 > 10.0.0.2");
    gate.flow(&gre("10.0.0.2", "203.0.113.9"));
    assert_eq!(gate.life(), Some((180, true)), "U3: replied");
}
