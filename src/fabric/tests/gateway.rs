//! A router between two bridges: guests inside, a stranger outside.

use std::net::Ipv4Addr;

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};

use super::*;
use crate::bridge::Promiscuous;
use crate::frame::Delivery;
use crate::router::Settings;
use crate::router::interface::{Interface, Role as Side};
use crate::router::policy::config::{Config, Protocol, Publish};

const INSIDE: NodeId = NodeId(0);
const OUTSIDE: NodeId = NodeId(1);
const ROUTER: NodeId = NodeId(2);
/// Ports 0 and 1 are guests, 2 is a stranger outside, 3 watches inside.
const GUEST: (u16, &str) = (0, "172.17.0.2");
const STRANGER: (u16, &str) = (2, "192.0.2.9");
const EXTERNAL: &str = "192.0.2.1";

fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

/// The router's address there, and its station's.
fn gate(port: u16) -> (Ipv4Addr, Mac) {
    if port == STRANGER.0 { (ip(EXTERNAL), mac(0xf1)) } else { (ip("172.17.0.1"), mac(0xf0)) }
}

fn interface(leg: u16, net: &str, role: Side) -> Interface {
    Interface::new(mac(0xf0 + leg as u8), vec![net.parse().expect("a prefix")], role)
}

/// All wired up, and everybody known to the router.
fn gateway() -> Fabric {
    let at = |leg| Leg { node: ROUTER, leg: crate::frame::LegIndex(leg) };
    let publish = Publish {
        listen: None,
        protocol: Protocol::Udp,
        ports: (8080, 8080),
        to: ip(GUEST.1).into(),
        to_port: 80,
        allow_from: vec![],
    };
    let watching = LegConfig { promiscuous: Promiscuous::Monitor, ..LegConfig::default() };
    let mut fabric = built(&[
        bridge(0),
        bridge(1),
        port(0, 0),
        port(1, 0),
        port(2, 1),
        Change::AddPort(PortId(3), INSIDE, watching),
        Change::AddRouter(ROUTER, Settings::default()),
        Change::AddInterface(LinkId(0), at(0), INSIDE, Box::new(interface(0, "172.17.0.1/16", Side::Inside))),
        Change::AddInterface(
            LinkId(1),
            at(1),
            OUTSIDE,
            Box::new(interface(1, "192.0.2.1/24", Side::Outside)),
        ),
        Change::SetPolicy(ROUTER, Box::new(Config { publishes: vec![publish], ..Config::default() })),
    ]);
    for (port, address) in [GUEST, (1, "172.17.0.3"), STRANGER] {
        let (target, _) = gate(port);
        let question = crate::wire::arp::Arp {
            operation: crate::wire::arp::REQUEST,
            sender_mac: mac(port as u8 + 1),
            sender_ip: ip(address),
            target_mac: Mac::ZERO,
            target_ip: target,
        };
        let question =
            [&Mac::BROADCAST.0[..], &mac(port as u8 + 1).0, &[8, 6], &question.to_bytes()].concat();
        let (end, sent) = exchange(&mut fabric, port, &question);
        let answered = sent.iter().any(|(to, bytes)| *to == port && bytes[..6] == mac(port as u8 + 1).0);
        assert!(answered, "{end:?}: {sent:?}");
    }
    fabric
}

/// A datagram from a machine to some address beyond the router.
fn udp(port: u16, source: (&str, u16), destination: (&str, u16)) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2(mac(port as u8 + 1).0, gate(port).1.0)
        .ipv4(ip(source.0).octets(), ip(destination.0).octets(), 64)
        .udp(source.1, destination.1)
        .write(&mut bytes, b"hello")
        .expect("a vector takes all");
    bytes
}

/// Source and destination of a datagram.
fn ends(bytes: &[u8]) -> ((String, u16), (String, u16)) {
    let packet = SlicedPacket::from_ethernet(bytes).expect("a packet");
    let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Udp(udp))) = (&packet.net, &packet.transport) else {
        panic!("no datagram: {bytes:?}")
    };
    let header = ip.header();
    let sum = udp.to_header().calc_checksum_ipv4(&header.to_header(), udp.payload()).expect("short");
    assert_eq!(udp.checksum(), sum, "the checksum is right");
    let [source, destination] = [header.source_addr(), header.destination_addr()].map(|a| a.to_string());
    ((source, udp.source_port()), (destination, udp.destination_port()))
}

fn exchange(fabric: &mut Fabric, ingress: u16, bytes: &[u8]) -> (End, Vec<(u16, Vec<u8>)>) {
    let told = fabric.explain(PortId(ingress), bytes, NOW);
    let mut batch = Batch::new();
    batch.push(Frame::copy_of(bytes, PortId(ingress)));
    fabric.receive(&mut batch, NOW);
    let is_answer = |delivery: &&Delivery| usize::from(delivery.frame) >= batch.received();
    let foretold = told.steps().iter().filter(|step| matches!(step, Step::Deliver(..))).count();
    let answers = batch
        .deliveries()
        .iter()
        .filter(is_answer)
        .filter(|d| batch.frames()[usize::from(d.frame)].ingress == PortId::SWITCH)
        .count();
    assert_eq!(foretold, batch.deliveries().len() - answers, "as explained: {:?}", told.steps());
    assert!(fabric.books().balance(), "{:?}", fabric.books());
    let written = |delivery: &Delivery| {
        let frame = batch.frames()[usize::from(delivery.frame)].bytes();
        (delivery.port.0, frame.to_vec())
    };
    (batch.ends()[0], batch.deliveries().iter().map(written).collect())
}

#[test]
fn a_guest_is_masqueraded_and_its_watcher_sees_it_as_it_is() {
    let mut fabric = gateway();
    let query = udp(GUEST.0, (GUEST.1, 4000), (STRANGER.1, 53));
    let (end, sent) = exchange(&mut fabric, GUEST.0, &query);
    assert_eq!(end, End::Sent);
    let [(watcher, as_it_was), (stranger, translated)] = &sent[..] else { panic!("two copies: {sent:?}") };
    assert_eq!((*watcher, as_it_was), (3, &query), "who watches gets what was sent");
    assert_eq!(*stranger, STRANGER.0);
    assert_eq!(ends(translated), ((EXTERNAL.into(), 4000), (STRANGER.1.into(), 53)), "C15, P3");
    assert_eq!(&translated[..6], &mac(3).0);

    let reply = udp(STRANGER.0, (STRANGER.1, 53), (EXTERNAL, 4000));
    let (end, sent) = exchange(&mut fabric, STRANGER.0, &reply);
    assert_eq!(end, End::Sent);
    let back: Vec<_> = sent.iter().filter(|(port, _)| *port == GUEST.0).collect();
    assert_eq!(ends(&back[0].1), ((STRANGER.1.into(), 53), (GUEST.1.into(), 4000)), "N2");
}

#[test]
fn strangers_reach_published_ports_and_nothing_else() {
    let mut fabric = gateway();
    let table = [
        ((EXTERNAL, 8080), End::Sent, "C14: published"),
        ((EXTERNAL, 8081), End::Consumed, "not published: the router's own, and closed"),
        ((GUEST.1, 80), End::Dropped(Reason::DirectToInside), "M1: not even its published port"),
    ];
    for (to, expected, why) in table {
        let (end, sent) = exchange(&mut fabric, STRANGER.0, &udp(STRANGER.0, (STRANGER.1, 5000), to));
        assert_eq!(end, expected, "{why}");
        if end == End::Sent {
            let arrived = sent.iter().find(|(port, _)| *port == GUEST.0).expect("the guest gets it");
            assert_eq!(ends(&arrived.1), ((STRANGER.1.into(), 5000), (GUEST.1.into(), 80)), "{why}");
        }
    }
}

#[test]
fn a_stranger_in_a_guests_name_opened_a_flow_that_was_not_translated() {
    let mut fabric = gateway();
    let (guest, server) = ((GUEST.1, 4000), ("192.0.2.77", 53));
    let posing = udp(STRANGER.0, guest, server);
    assert_eq!(exchange(&mut fabric, STRANGER.0, &posing).0, End::Dropped(Reason::ReversePath));
    let (_, sent) = exchange(&mut fabric, GUEST.0, &udp(GUEST.0, guest, (STRANGER.1, 53)));
    let leaves = sent.iter().find(|(port, _)| *port == STRANGER.0).expect("it leaves");
    assert_eq!(ends(&leaves.1).0.0, EXTERNAL, "N54: and the guest's own leaves as the router's");
}

#[test]
fn siblings_and_the_guest_itself_reach_a_published_port() {
    let mut fabric = gateway();
    for (port, source) in [(1, "172.17.0.3"), GUEST] {
        let (end, sent) = exchange(&mut fabric, port, &udp(port, (source, 6000 + port), (EXTERNAL, 8080)));
        assert_eq!(end, End::Sent);
        let arrived = sent.iter().find(|(to, _)| *to == GUEST.0).expect("the guest gets it");
        assert_eq!(
            ends(&arrived.1).0.0,
            "172.17.0.1",
            "C16: from the router, so that the answer returns to it"
        );
    }
}

#[test]
fn sessions_survive_another_limit() {
    let mut fabric = gateway();
    for port in 4000..4004 {
        exchange(&mut fabric, GUEST.0, &udp(GUEST.0, (GUEST.1, port), (STRANGER.1, 53)));
    }
    let sessions = |fabric: &Fabric| {
        let router = fabric.router(ROUTER).expect("it is there");
        router.sessions().expect("flows are followed").iter(NOW).count()
    };
    let full = End::Dropped(Reason::ConntrackFull);
    for (max, expected, why) in [(2, full, "no room until some have ended"), (1000, End::Sent, "room again")]
    {
        let settings = Settings { sessions_max: max, ..Settings::default() };
        fabric.apply(Change::ConfigureRouter(ROUTER, settings), NOW).expect("a router");
        assert_eq!(sessions(&fabric), 4, "{why}: those that were there stay");
        let (end, _) = exchange(&mut fabric, GUEST.0, &udp(GUEST.0, (GUEST.1, 5000), (STRANGER.1, 53)));
        assert_eq!(end, expected, "{why}");
    }
}

#[test]
fn sessions_end_with_the_guest_and_with_the_publish() {
    let mut fabric = gateway();
    let sessions = |fabric: &Fabric| {
        let router = fabric.router(ROUTER).expect("it is there");
        router.sessions().expect("flows are followed").iter(NOW).count()
    };
    exchange(&mut fabric, STRANGER.0, &udp(STRANGER.0, (STRANGER.1, 5000), (EXTERNAL, 8080)));
    exchange(&mut fabric, 1, &udp(1, ("172.17.0.3", 4000), (STRANGER.1, 53)));
    assert_eq!(sessions(&fabric), 2);
    fabric.apply(Change::SetPolicy(ROUTER, Box::default()), NOW).expect("a router");
    assert_eq!(sessions(&fabric), 1, "P10: the published port is gone");
    fabric.apply(Change::RemovePort(PortId(1)), NOW).expect("a port");
    assert_eq!(sessions(&fabric), 0, "P10: the guest is gone, however stale its UDP");
}
