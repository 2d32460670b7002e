//! Plain packets, and what is written into them.

use proptest::prelude::*;

use super::packets::{ip, tcp, udp};
use super::*;
use crate::frame::Offload;
use crate::router::lanes::LaneId;
use crate::router::nat::plain::{HEADER_LEN, Key, Plain};
use crate::router::nat::recipe::{Patch, Recipe, Recipes};
use crate::router::nat::rewrite::{Ends, Place, translate_own};
use crate::router::neighbour::Held;
use crate::wire::datagram::{self, Datagram, Options, seal};
use crate::wire::tcp::Flags;

const A: &str = "10.0.0.2:1025";
const X: &str = "203.0.113.9:53";

/// Behind an Ethernet header.
const PAYLOAD: usize = 14;

fn plain(packet: &[u8]) -> Option<Plain<'_>> {
    Plain::read(packet, PAYLOAD, &Offload::NONE)
}

#[test]
fn what_is_plain() {
    const ACK: u8 = Flags::ACK;
    let edit = |mut packet: Vec<u8>, edit: fn(&mut Vec<u8>)| {
        edit(&mut packet);
        seal(&mut packet);
        packet
    };
    let table: Vec<(Vec<u8>, bool, &str)> = vec![
        (udp(A, X), true, "UDP"),
        (tcp(A, X, ACK, 1, 1), true, "TCP"),
        (tcp(A, X, Flags::RST, 1, 1), true, "whatever its flags,"),
        (tcp(A, X, Flags::SYN | ACK, 1, 1), false, "but for SYN"),
        ([udp(A, X), vec![0; 9]].concat(), true, "padding"),
        (edit(udp(A, X), |p| p[8] = 2), true, "its last hop but one"),
        (edit(udp(A, X), |p| p[8] = 1), false, "its last hop"),
        (edit(udp(A, X), |p| p[6] = 0x20), false, "the first piece"),
        (edit(udp(A, X), |p| p[7] = 1), false, "a later piece"),
        (edit(udp(A, X), |p| p[6] = 0xc0), true, "DF, and a bit that means nothing"),
        (edit(udp(A, X), |p| p[3] += 1), false, "longer than there is"),
        (edit(udp(A, X), |p| p[3] = 27), false, "no header of UDP"),
        (edit(tcp(A, X, ACK, 1, 1), |p| p[3] = 39), false, "no header of TCP"),
        (edit(udp(A, X), |p| p[9] = 136), false, "UDP-Lite"),
        (edit(udp(A, X), |p| p[0] = 0x46), false, "with options"),
        (udp("[2001:db8::1]:9", "[2001:db8::2]:9"), false, "IPv6"),
        (ip(address("10.0.0.1"), address("10.0.0.2"), 1, &[8; 8]), false, "ICMP"),
    ];
    for (packet, expected, why) in table {
        assert_eq!(plain(&packet).is_some(), expected, "{why}");
    }
    let mut damaged = udp(A, X);
    damaged[4] ^= 1;
    assert_eq!(plain(&damaged), None, "V11: a wrong header checksum");
    let unfinished =
        |start, offset| Offload { needs_csum: true, csum_start: start, csum_offset: offset, ..Offload::NONE };
    let table = [
        (unfinished(34, 6), Some(true), "its own checksum is yet to be made"),
        (unfinished(34, 16), None, "somewhere else"),
        (unfinished(42, 6), None, "that of a packet within it"),
        (Offload { needs_csum: false, ..unfinished(42, 6) }, Some(false), "nothing is yet to be made"),
    ];
    for (offload, expected, why) in table {
        let packet = udp(A, X);
        let read = Plain::read(&packet, PAYLOAD, &offload);
        assert_eq!(read.map(|plain| plain.partial), expected, "{why}");
    }
}

#[test]
fn a_recipe_goes_with_its_session() {
    let mut gate = gate();
    gate.flow(&udp(A, X));
    let packet = udp(A, X);
    let tuple = Tuple::of(&Packet::parse(&packet).expect("a packet")).expect("a tuple");
    let found = gate.nat.sessions.find(&tuple, gate.now).expect("it was opened");
    let key = Key::of(&tuple).expect("it is plain");
    let recipe = |place| Recipe::new(place, key, Patch::default(), LaneId::NONE, Held::default());
    assert!(gate.nat.recipe(&plain(&packet).expect("it is plain")).is_none(), "nobody has left one");
    gate.nat.sessions.keep_recipe(recipe(found));
    let kept = gate.nat.recipe(&plain(&packet).expect("it is plain")).expect("it was kept");
    assert_eq!((kept.place(), kept.key), (found, key));
    gate.flow(&udp("10.0.0.3:1", X));
    gate.nat.end_all(|session| session.tuples[0] != tuple);
    assert!(gate.nat.recipe(&plain(&packet).expect("it is plain")).is_some(), "another session has gone");
    gate.nat.end(found.0);
    assert!(gate.nat.recipe(&plain(&packet).expect("it is plain")).is_none(), "it has gone");
}

#[test]
fn a_place_is_for_who_asks_twice() {
    let key = |packet: &[u8]| plain(packet).expect("it is plain").key;
    let mut recipes = Recipes::default();
    let first = key(&udp(A, X));
    assert!(!recipes.wants(&first) && !recipes.wants(&first), "there is no place at all");
    recipes.grow(1);
    assert_eq!(recipes.memory(), 8 * size_of::<Recipe>());
    let at = |key: &Key| key.mixed().among(8);
    let others = (1..).map(|port| key(&udp(&format!("10.0.0.2:{port}"), X)));
    let other = others.filter(|other| *other != first).find(|other| at(other) == at(&first));
    let other = other.expect("there are eight places");
    let kept =
        |key| Recipe::new((Slot(1), Direction::Reply), key, Patch::default(), LaneId::NONE, Held::default());
    assert!(recipes.wants(&first), "it is empty");
    recipes.keep(kept(other));
    let asked = [first, other, first, first].map(|key| recipes.wants(&key));
    assert_eq!(asked, [false, false, false, true], "the second time in a row");
    recipes.keep(kept(first));
    assert!(recipes.get(&first).is_some() && recipes.get(&other).is_none(), "one to a place");
}

/// A sum that is as likely as not one of those that are both zero.
fn sums() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), Just(0xffff), any::<u16>()]
}

fn addresses() -> impl Strategy<Value = [u8; 4]> {
    prop_oneof![Just([0xff; 4]), Just([0, 0, 0, 1]), any::<[u8; 4]>()]
}

proptest! {
    /// The short way into the bytes is the long one.
    #[test]
    fn a_patch_writes_what_a_translation_writes(
        is_tcp in any::<bool>(),
        partial in any::<bool>(),
        (source, destination, ports) in (addresses(), addresses(), any::<(u16, u16)>()),
        (new_source, new_destination) in (proptest::option::of(addresses()), proptest::option::of(addresses())),
        new_ports in any::<(Option<u16>, Option<u16>)>(),
        (ttl, header, transport) in (2..=255_u8, sums(), sums()),
    ) {
        let payload = [&ports.0.to_be_bytes()[..], &ports.1.to_be_bytes(), &[0x50; 24]].concat();
        let protocol = if is_tcp { protocol::TCP } else { protocol::UDP };
        let mut bytes = ip(source.into(), destination.into(), protocol, &payload);
        let datagram = Datagram::parse(&bytes).expect("it is sound");
        let tuple = Tuple::of(&Packet::of(datagram, &bytes)).expect("it has ports");
        // what is wrong stays wrong, and by as much
        bytes[8] = ttl;
        bytes[10..12].copy_from_slice(&header.to_be_bytes());
        let at = HEADER_LEN + if is_tcp { 16 } else { 6 };
        bytes[at..at + 2].copy_from_slice(&transport.to_be_bytes());
        let wanted = Ends {
            source: new_source.map(|address| IpAddr::from(address).into()),
            destination: new_destination.map(|address| IpAddr::from(address).into()),
            source_port: new_ports.0,
            destination_port: new_ports.1,
        };
        // whoever says what stays says nothing
        let changed = Ends {
            source: wanted.source.filter(|new| *new != tuple.source),
            destination: wanted.destination.filter(|new| *new != tuple.destination),
            source_port: wanted.source_port.filter(|new| *new != tuple.source_port),
            destination_port: wanted.destination_port.filter(|new| *new != tuple.destination_port),
        };
        let (mut long, mut short) = (bytes.clone(), bytes);
        translate_own(&mut long, Place::of(&datagram), &changed, partial);
        datagram::set_ttl(&mut long, ttl - 1);
        Patch::of(&tuple, &changed).expect("it is plain").write(&mut short, protocol, partial);
        prop_assert_eq!(short, long);
    }

    /// What is plain is so for all others, and says the same.
    #[test]
    fn plain_packets_are_read_as_all_are(
        edits in proptest::collection::vec((0..48_usize, any::<u8>()), 0..3),
        is_tcp in any::<bool>(),
        is_sealed in any::<bool>(),
    ) {
        let mut bytes = if is_tcp { tcp(A, X, Flags::ACK, 1, 1) } else { udp(A, X) };
        bytes.extend([0; 8]);
        for (at, byte) in edits {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        if is_sealed {
            seal(&mut bytes);
        }
        if let Some(plain) = plain(&bytes) {
            let packet = Packet::parse(&bytes).expect("it is sound");
            prop_assert_eq!((packet.fragment, packet.options), (None, Options::None));
            prop_assert!(packet.ttl > 1 && packet.transport == HEADER_LEN && packet.len == plain.bytes.len());
            prop_assert_eq!(Tuple::of(&packet).as_ref().and_then(Key::of), Some(plain.key));
            let settings = Settings::default();
            prop_assert_eq!(plain.segment(&settings), Segment::read(&packet, false, &settings));
        }
    }
}
