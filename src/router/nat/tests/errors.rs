//! ICMP errors about flows: E1–E7.

use super::packets::{flow, icmp, ip, tcp, udp};
use super::*;
use crate::wire::tcp::Flags;

const A: &str = "10.0.0.2:5000";
const X: &str = "203.0.113.9:53";
const ROUTER: &str = "198.51.100.1";

#[test]
fn an_error_finds_its_flow_and_is_translated_with_its_quote() {
    let mut gate = gate();
    gate.masquerade = Some(Range { mapping: Mapping::Symmetric, ..Range::address(address(EXT)) });
    let sent = gate.pass(&udp(A, X)).1.expect("room");
    for (kind, code) in [(3, 1), (3, 4), (4, 0), (11, 0), (12, 0)] {
        for len in [28, sent.len()] {
            let (state, out) = gate.pass(&icmp(ROUTER, EXT, kind, code, 1400, &sent[..len]));
            let out = out.expect("it is of a session");
            assert_eq!(state, State::Related, "E1: from any router");
            assert_eq!(
                Packet::parse(&out).expect("a packet").destination,
                address("10.0.0.2"),
                "E3: outside"
            );
            assert_eq!(flow(&out[28..]), format!("{A} > {X}"), "E3: and inside");
            assert_eq!(out[24..28], [5, 120, 0, 1], "E6: the MTU stays");
            assert_eq!(crate::wire::checksum::sum(&out[28..48]), 0xffff, "E3: the inner header's checksum");
            assert_eq!(out[48..].len(), len - 20);
            if len == sent.len() {
                assert_eq!(out[28..], udp(A, X), "E3: the quote is what the guest has sent");
            }
        }
    }
    assert_eq!(gate.life(), Some((30, false)));
    gate.wait(29_000);
    gate.flow(&icmp(ROUTER, EXT, 3, 1, 0, &sent));
    assert_eq!(gate.life(), Some((1, false)), "E2: an error does not refresh");
}

#[test]
fn an_error_from_inside_hides_who_sent_it() {
    let mut gate = gate();
    gate.published.push((80, Range::endpoint(address("10.0.0.3"), 8080)));
    let client = "203.0.113.9:4000";
    let seen = gate.pass(&udp(client, "192.0.2.1:80")).1.expect("room");
    for sender in ["10.0.0.3", "10.0.0.254"] {
        let out = gate.pass(&icmp(sender, "203.0.113.9", 3, 3, 0, &seen)).1.expect("related");
        assert!(flow(&out).starts_with("192.0.2.1 > 203.0.113.9"), "E4: it comes from the public address");
        assert_eq!(
            flow(&out[28..]),
            format!("{client} > 192.0.2.1:80"),
            "E4: about what the client has sent"
        );
    }
}

#[test]
fn errors_about_nothing_known_are_invalid() {
    let mut gate = gate();
    let sent = gate.pass(&udp(A, X)).1.expect("room");
    let error = |to: &str, quote: &[u8]| icmp(ROUTER, to, 3, 1, 0, quote);
    let mut fragment = sent.clone();
    fragment[7] = 9;
    let nested = icmp(EXT, "203.0.113.9", 3, 1, 0, &sent);
    let mut corrupt = error(EXT, &sent);
    corrupt[30] ^= 1;
    let mut optioned = sent.clone();
    optioned[0] = 0x46;
    optioned.splice(20..20, [1, 1, 1, 0]);
    let mut broken = sent.clone();
    broken[10] ^= 0xff;
    let table: &[(Vec<u8>, State, &str)] = &[
        (error(EXT, &sent), State::Related, "to compare with"),
        (error(EXT, &udp("192.0.2.1:5001", X)), State::Invalid(Invalid::Stray), "E7: of no flow"),
        (error("192.0.2.77", &sent), State::Invalid(Invalid::Stray), "E1: to somebody else"),
        (error(EXT, &sent[..23]), State::Invalid(Invalid::Stray), "E3: ends before the ports"),
        (error(EXT, &sent[..19]), State::Invalid(Invalid::Stray), "E3: not even a header"),
        (error(EXT, &fragment), State::Invalid(Invalid::Stray), "E3: of a later fragment"),
        (error(EXT, &nested), State::Invalid(Invalid::Stray), "of an error"),
        (corrupt, State::Invalid(Invalid::Checksum), "E5: its own checksum"),
        (error(EXT, &optioned), State::Related, "E3: options in the quote are skipped"),
        (error(EXT, &broken), State::Related, "E5: the quoted header's checksum is not looked at"),
        (error(EXT, &udp(X, "192.0.2.1:5000")), State::Invalid(Invalid::Stray), "not something we sent"),
    ];
    for (bytes, state, why) in table {
        assert_eq!(gate.judge(bytes).state, *state, "{why}");
    }
}

#[test]
fn redirects_of_translated_flows_are_withheld() {
    let mut gate = gate();
    let sent = gate.pass(&udp(A, X)).1.expect("room");
    assert!(gate.judge(&icmp(ROUTER, EXT, 5, 1, 0, &sent)).withheld, "E6");
    assert!(!gate.judge(&icmp(ROUTER, EXT, 3, 1, 0, &sent)).withheld, "only redirects");
    let plain = udp("198.51.100.9:1", X);
    gate.flow(&plain);
    let judgement = gate.judge(&icmp(ROUTER, "198.51.100.9", 5, 1, 0, &plain));
    assert_eq!(
        (judgement.state, judgement.withheld),
        (State::Related, false),
        "E6: only of translated flows"
    );
}

#[test]
fn errors_of_ipv6_and_about_other_protocols() {
    let mut gate = gate();
    let (a, x) = ("[fd00::2]:5000", "[2001:db8:9::9]:53");
    let sent = gate.pass(&udp(a, x)).1.expect("room");
    let out = gate.pass(&icmp("2001:db8:5::1", EXT6, 2, 0, 0, &sent)).1.expect("related");
    assert_eq!(flow(&out[48..]), format!("{a} > {x}"), "E6: packet too big");
    assert_eq!(out[48..], udp(a, x), "E3: the quote is what the guest has sent");
    let echo = gate.pass(&icmp("10.0.0.2", "203.0.113.9", 8, 0, 5, b"ping")).1.expect("room");
    let out = gate.pass(&icmp(ROUTER, EXT, 11, 0, 0, &echo)).1.expect("related");
    assert_eq!(flow(&out[28..]), "10.0.0.2 > 203.0.113.9 id 5", "E1: about an echo");
    let odd = gate.pass(&ip(address("10.0.0.2"), address("203.0.113.9"), 99, b"any")).1.expect("room");
    let out = gate.pass(&icmp(ROUTER, EXT, 3, 2, 0, &odd)).1.expect("related");
    assert_eq!(flow(&out[28..]), "10.0.0.2 > 203.0.113.9", "E1: about a protocol without ports");
    let syn = gate.pass(&tcp(A, X, Flags::SYN, 9, 0)).1.expect("room");
    let out = gate.pass(&icmp(ROUTER, EXT, 3, 1, 0, &syn[..28])).1.expect("related");
    assert_eq!(flow(&out[28..]), format!("{A} > {X}"), "E3: eight bytes of TCP have no checksum");
    let life =
        gate.nat.sessions().iter(gate.now).map(|(_, s)| s.track).filter(|t| matches!(t, Track::Tcp(_)));
    assert_eq!(life.count(), 1, "E2, RFC 5382 REQ-10: an error never ends a connection");
}
