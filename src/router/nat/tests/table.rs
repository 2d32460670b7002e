//! The table: its limits (L2, L3), its size, and what it shows.

use super::packets::{icmp, tcp, udp};
use super::*;
use crate::wire::tcp::Flags;

const X: &str = "203.0.113.9:53";

#[test]
fn a_full_table_lets_only_the_unassured_go() {
    let mut gate = gate_of(20);
    for guest in 0..20 {
        let from = format!("10.0.1.{guest}:9");
        gate.flow(&udp(&from, X));
        let me = Packet::parse(&gate.pass(&udp(&from, X)).1.expect("room")).map(|p| Tuple::of(&p));
        let me = me.flatten().expect("a tuple");
        gate.flow(&udp(X, &format!("192.0.2.1:{}", me.source_port)));
        gate.wait(100);
    }
    assert_eq!((gate.count(), gate.nat.sessions().held_by(3)), (20, 20), "L2: full, and by whom");
    gate.wait(2000);
    assert!(gate.pass(&udp("10.0.2.1:9", X)).1.is_ok(), "L2: somebody unassured had to go");
    assert_eq!(gate.count(), 20);
    let flows: Vec<_> = gate.nat.sessions().iter(gate.now).map(|(_, session)| session.tuples).collect();
    for [_, reply] in &flows {
        gate.flow(&udp(X, &format!("192.0.2.1:{}", reply.destination_port)));
    }
    gate.wait(2100);
    for [original, _] in &flows {
        gate.flow(&udp(&format!("{}:{}", original.source.ip(false), original.source_port), X));
    }
    assert!(gate.nat.sessions().iter(gate.now).all(|(_, session)| session.assured));
    assert_eq!(gate.flow(&udp("10.0.2.2:9", X)), "Full", "L2: assured flows are never evicted");
    assert_eq!(gate.count(), 20);
}

#[test]
fn closing_connections_go_as_well() {
    let mut gate = gate_of(1);
    let (a, me) = ("10.0.0.2:9", "192.0.2.1:9");
    gate.flow(&tcp(a, X, Flags::SYN, 100, 0));
    gate.flow(&tcp(X, me, Flags::SYN | Flags::ACK, 500, 101));
    gate.flow(&tcp(a, X, Flags::ACK, 101, 501));
    assert_eq!(gate.flow(&udp("10.0.0.3:1", X)), "Full", "L2: it is established");
    gate.flow(&tcp(a, X, Flags::FIN | Flags::ACK, 101, 501));
    assert!(gate.pass(&udp("10.0.0.3:1", X)).1.is_ok(), "L2: it is closing");
}

#[test]
fn sweeping_gives_back_what_has_expired_and_no_more() {
    let mut gate = gate();
    for guest in 1..=200 {
        gate.flow(&udp(&format!("10.0.0.{guest}:9"), X));
        gate.wait(100);
    }
    let mut ended = 0;
    while let Some(deadline) = gate.nat.deadline() {
        gate.now = gate.now.max(deadline);
        ended += gate.nat.sweep(gate.now, 7);
        if gate.nat.deadline().is_none_or(|next| next > gate.now) {
            let a_second_ago = Time::from_nanos(gate.now.as_nanos() - 1_000_000_000);
            let recent = gate.nat.sessions().iter(a_second_ago).count();
            assert_eq!(gate.nat.sessions().len(), recent, "nothing is kept for longer than a second");
        }
    }
    assert_eq!(
        (ended, gate.nat.sessions().len(), gate.nat.sessions().held_by(3)),
        (200, 0, 0),
        "all are gone"
    );
}

#[test]
fn what_is_to_live_shorter_is_swept_earlier() {
    let mut gate = gate();
    let (a, me) = ("10.0.0.2:9", "192.0.2.1:9");
    gate.flow(&tcp(a, X, Flags::SYN, 100, 0));
    gate.flow(&tcp(X, me, Flags::SYN | Flags::ACK, 500, 101));
    gate.flow(&tcp(a, X, Flags::ACK, 101, 501));
    gate.wait(500_000);
    assert_eq!(gate.nat.sweep(gate.now, 100), 0, "it would live for days");
    gate.flow(&tcp(X, me, Flags::RST, 501, 0));
    assert_eq!(gate.life(), Some((10, true)), "T10");
    gate.wait(11_000);
    assert!(gate.nat.deadline().is_some_and(|deadline| deadline <= gate.now), "L3: it is looked at in time");
    assert_eq!((gate.nat.sweep(gate.now, 100), gate.nat.sessions().len()), (1, 0));
}

#[test]
fn a_session_takes_less_than_300_bytes_and_a_used_table_no_more() {
    const MAX: usize = 1 << 15;
    let mut gate = gate_of(MAX);
    let syn = |number: usize| {
        let [_, high, mid, low] = (number as u32).to_be_bytes();
        tcp(&format!("10.{high}.{mid}.{low}:9"), X, Flags::SYN, 1, 0)
    };
    gate.masquerade = None;
    for number in 0..MAX {
        assert!(gate.pass(&syn(number)).1.is_ok());
    }
    let memory = gate.nat.sessions().memory();
    assert_eq!(gate.nat.sessions().len(), MAX);
    assert!(memory / MAX <= 300, "{} bytes", memory / MAX);
    for number in MAX..MAX + 2000 {
        let _ = gate.pass(&syn(number));
        if number % 500 == 0 {
            gate.wait(60_000);
            gate.nat.sweep(gate.now, usize::MAX);
        }
    }
    assert_eq!(gate.nat.sessions().memory(), memory, "evicting, ending and opening takes no memory");
}

#[test]
fn sessions_look_as_in_proc() {
    let mut gate = gate();
    gate.flow(&tcp("10.0.0.2:9", X, Flags::SYN, 100, 0));
    let line = |gate: &Gate| {
        let (_, session) = gate.nat.sessions().iter(gate.now).next().expect("one");
        show::View::new(session, gate.now).to_string()
    };
    assert_eq!(
        line(&gate),
        "ipv4     2 tcp      6 120 SYN_SENT src=10.0.0.2 dst=203.0.113.9 sport=9 dport=53 packets=1 bytes=40 \
         [UNREPLIED] src=203.0.113.9 dst=192.0.2.1 sport=53 dport=9 packets=0 bytes=0 mark=0 use=1"
    );
    gate.flow(&tcp(X, "192.0.2.1:9", Flags::SYN | Flags::ACK, 500, 101));
    gate.flow(&tcp("10.0.0.2:9", X, Flags::ACK, 101, 501));
    assert!(line(&gate).contains("431999 ESTABLISHED") || line(&gate).contains("432000 ESTABLISHED"));
    assert!(line(&gate).ends_with("packets=1 bytes=40 [ASSURED] mark=0 use=1"), "{}", line(&gate));
}

#[test]
fn sessions_are_found_by_either_side() {
    let mut gate = gate();
    gate.published = vec![(80, Range::endpoint(address("10.0.0.7"), 8080))];
    gate.flow(&udp("10.0.0.2:9", X));
    gate.flow(&tcp("198.51.100.4:5", &format!("{EXT}:80"), Flags::SYN, 100, 0));
    gate.flow(&icmp("10.0.0.2", "203.0.113.9", 8, 0, 53, &[]));
    let filter = |source: &str, destination: &str, protocol, port| {
        let net = |text: &str| (!text.is_empty()).then(|| text.parse().expect("a prefix"));
        show::Filter { source: net(source), destination: net(destination), protocol, port }
    };
    let table = [
        (filter("", "", None, None), 3, "everything"),
        (filter("10.0.0.0/24", "", None, None), 2, "who opened it, as it is called inside"),
        (filter("192.0.2.1/32", "", None, None), 2, "as it is called outside"),
        (filter("", "192.0.2.1/32", None, None), 1, "whom to: a published port"),
        (filter("", "10.0.0.7/32", None, None), 1, "the guest that it is led to"),
        (filter("10.0.0.7/32", "", None, None), 0, "who answers has opened nothing"),
        (filter("::/0", "", None, None), 0, "of another family"),
        (filter("", "", Some(17), None), 1, "a protocol"),
        (filter("", "", None, Some(80)), 1, "the port outside"),
        (filter("", "", None, Some(8080)), 1, "the port inside"),
        (filter("", "", None, Some(53)), 1, "an ICMP identifier is no port"),
        (filter("10.0.0.0/8", "203.0.113.0/24", Some(17), Some(9)), 1, "all of it"),
        (filter("10.0.0.0/8", "203.0.113.0/24", Some(17), Some(8)), 0, "all but one"),
    ];
    for (filter, expected, why) in table {
        let sessions = gate.nat.sessions();
        let found = sessions.iter(gate.now).filter(|(_, session)| filter.matches(session)).count();
        assert_eq!(found, expected, "{why}: {filter:?}");
    }
}

#[test]
fn a_place_is_empty_when_its_session_has_expired() {
    let mut gate = gate();
    gate.flow(&udp("10.0.0.2:9", X));
    gate.wait(10_000);
    gate.flow(&udp("10.0.0.3:9", X));
    let there = |gate: &Gate| {
        let sessions = gate.nat.sessions();
        (0..sessions.places() + 1).map(|place| sessions.at(place, gate.now).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(there(&gate), [true, true, false], "and nothing is behind the last");
    gate.wait(20_000);
    assert_eq!(there(&gate), [false, true, false], "L3: 30 s are over, swept or not");
    gate.nat.sweep(gate.now, 100);
    assert_eq!(there(&gate), [false, true, false], "the other stays where it is");
}
