//! Errors about real flows, whole or mutilated, from anybody.

use std::net::IpAddr;
use std::time::Duration;

use vswitchd::router::nat::judgement::State;
use vswitchd::wire::datagram::{Datagram, ICMP, ICMPV6};
use vswitchd::wire::icmp;
use vswitchd::wire::packet::Packet;

use super::gate::packets::{echo, reply, sctp, tcp, udp};
use super::gate::{GUESTS, HOSTS, Rig, Taste, WORLD, address, is_guests, packets, sound};
use super::input::Input;

/// A packet that was sent, and as it arrived.
struct Seen {
    from: u16,
    sent: Vec<u8>,
    at: u16,
    arrived: Vec<u8>,
}

/// Beside what holds of every gateway: an error that quotes a packet as it arrived comes to whoever sent that, and quotes it
/// as it was sent (E3); and none that leaves for the world names a guest.
pub(crate) fn icmp_error(data: &[u8]) {
    let mut input = Input(data);
    let taste = Taste::of(&mut input);
    let mut rig = Rig::new(taste);
    let seen = flows(&mut rig);
    if seen.is_empty() {
        return;
    }
    while !input.is_empty() {
        error(&mut rig, &seen[usize::from(input.byte()) % seen.len()], &mut input);
    }
}

fn flows(rig: &mut Rig) -> Vec<Seen> {
    let ends = |a: &str, b: &str, port: u16| ((address(a), 4000), (address(b), port));
    let (guest, world) = ends("10.0.0.2", "192.0.2.9", 53);
    let (guest6, world6) = ends("fd00::2", "2001:db8::9", 53);
    let (stranger, gate) = ends("198.51.100.7", "192.0.2.1", 80);
    let (sibling, published) = ends("10.0.0.3", "192.0.2.1", 53);
    let (other, _) = ends("10.1.0.2", "10.0.0.2", 0);
    let syn = (100, 0, 2);
    let first = [
        (GUESTS, udp(guest, world, b"a question")),
        (GUESTS, tcp(guest, world, syn, &[], &[])),
        (GUESTS, echo(guest.0, world.0, 9, b"echo")),
        (GUESTS, udp(guest6, world6, b"a question")),
        (GUESTS, echo(guest6.0, world6.0, 9, b"echo")),
        (WORLD, tcp(stranger, gate, syn, &[], &[])),
        (GUESTS, udp(sibling, published, b"round the corner")),
        (2, udp(other, world, b"from the other network")),
        (GUESTS, sctp(guest, world, &[1, 0, 0, 4])),
        (GUESTS, packets::ip(guest.0, world.0, 99, b"whatever this is")),
    ];
    let mut seen = Vec::new();
    for (from, packet) in first {
        let mut sent = Some((from, packet));
        // there and back again
        for _ in 0..2 {
            let Some((from, packet)) = sent.take() else { break };
            let count = rig.sent.len();
            rig.packet(from, &packet);
            let Some(arrived) = rig.sent.get(count) else { break };
            sent = reply(arrived.packet()).map(|answer| (arrived.leg, answer));
            seen.push(Seen { from, sent: packet, at: arrived.leg, arrived: arrived.packet().to_vec() });
        }
        rig.now = rig.now + Duration::from_millis(10);
    }
    rig.sent.clear();
    // what the router itself has answered arrived from no flow
    seen.retain(|seen| seen.arrived.len() == seen.sent.len());
    seen
}

fn error(rig: &mut Rig, about: &Seen, input: &mut Input<'_>) {
    let [cut, damaged, elsewhere, stranger, broken, late, ..] = input.flags();
    let read = Datagram::parse(&about.arrived).expect("it arrived");
    let kind = match read.is_ipv6() {
        true => input.pick(&[1, 2, 3, 4, 137, 128, 100]),
        false => input.pick(&[3, 11, 12, 4, 5, 8, 0]),
    };
    let mut quote = about.arrived.clone();
    if cut {
        quote.truncate(usize::from(input.byte()));
    }
    if damaged && !quote.is_empty() {
        let at = usize::from(input.byte()) % quote.len();
        quote[at] ^= input.byte();
    }
    let host = |input: &mut Input<'_>| address(HOSTS[usize::from(input.byte()) % HOSTS.len()].1);
    let of_family =
        |other: IpAddr, instead: IpAddr| if other.is_ipv4() == instead.is_ipv4() { other } else { instead };
    let source = if stranger { of_family(host(input), read.destination) } else { read.destination };
    let destination = if elsewhere { of_family(host(input), read.source) } else { read.source };
    let head = [kind, input.below(16), 0, 0, 0, 0, input.byte(), input.byte()];
    let mut packet = packets::icmp(source, destination, head, &quote);
    if broken {
        let at = usize::from(input.byte()) % packet.len();
        packet[at] ^= input.byte();
        packets::sum(&mut packet);
    }
    if late {
        rig.wait(Duration::from_secs(input.byte().into()));
    }
    let whole = !(cut || damaged || elsewhere || broken || late || rig.taste.crowded);
    let Some(decision) = rig.packet(about.at, &packet) else { return };
    let is_related = decision.flow.is_some_and(|flow| flow.judgement.state == State::Related);
    for sent in rig.sent.drain(..) {
        let Some(quote) = quoted(sent.packet()).filter(|_| is_related && sent.leg == WORLD) else { continue };
        let named = [quote.source, quote.destination].into_iter().find(|address| is_guests(*address));
        let leaks = about.at != WORLD && rig.taste.strict();
        assert!(!leaks || named.is_none(), "E3: the world is told of {named:?}");
    }
    if whole
        && rig.taste.strict()
        && !stranger
        && is_related
        && icmp::is_error(if read.is_ipv6() { ICMPV6 } else { ICMP }, kind)
    {
        came_back(rig, about, &packet);
    }
}

/// The error is sent once more, and comes to whoever sent what it is about.
fn came_back(rig: &mut Rig, about: &Seen, packet: &[u8]) {
    let redirect = matches!(packet[Datagram::parse(packet).expect("sound").transport], 5 | 137);
    rig.packet(about.at, packet);
    let Some(told) = rig.sent.pop().filter(|_| !redirect) else {
        assert!(redirect, "it was not passed on: {packet:02x?}");
        return;
    };
    assert!(sound::holds(told.packet()));
    assert_eq!(told.leg, about.from);
    let [sent, quote] =
        [Packet::parse(&about.sent), quoted(told.packet())].map(|packet| packet.expect("a packet"));
    let destination = Datagram::parse(told.packet()).expect("sound").destination;
    assert_eq!(destination, sent.source, "to whom it concerns");
    assert_eq!((quote.source, quote.destination), (sent.source, sent.destination), "E3: as it was sent");
    // ports, or an identifier, and no checksum
    let range = if matches!(sent.protocol, 1 | 58) { 4..8 } else { 0..4 };
    assert_eq!(quote.payload[range.clone()], sent.payload[range], "E3: as it was sent");
}

fn quoted(packet: &[u8]) -> Option<Packet<'_>> {
    let view = Packet::parse(packet)?;
    let (quote, _) = icmp::Icmp::parse(view.payload)?.quote(view.protocol)?;
    Packet::quoted(quote)
}
