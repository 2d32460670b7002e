//! Packets to order, and what there is to be said of them.

use std::net::{IpAddr, SocketAddr};

use crate::router::nat::tuple::Tuple;
use crate::wire::checksum;
use crate::wire::packet::{Packet, protocol};

pub(super) fn udp(from: &str, to: &str) -> Vec<u8> {
    let (from, to) = (socket(from), socket(to));
    let payload =
        [&from.port().to_be_bytes()[..], &to.port().to_be_bytes(), &[0, 13, 0, 0], b"hello"].concat();
    ip(from.ip(), to.ip(), protocol::UDP, &payload)
}

pub(super) fn tcp(from: &str, to: &str, flags: u8, seq: u32, ack: u32) -> Vec<u8> {
    let (from, to) = (socket(from), socket(to));
    let mut payload = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    payload.extend(seq.to_be_bytes());
    payload.extend(ack.to_be_bytes());
    payload.extend([0x50, flags, 16, 0, 0, 0, 0, 0]);
    ip(from.ip(), to.ip(), protocol::TCP, &payload)
}

/// An ICMP message of either family, with two shorts after its checksum.
pub(super) fn icmp(from: &str, to: &str, kind: u8, code: u8, id: u16, body: &[u8]) -> Vec<u8> {
    let (from, to): (IpAddr, IpAddr) = (from.parse().expect("an address"), to.parse().expect("an address"));
    let payload = [&[kind, code, 0, 0][..], &id.to_be_bytes(), &[0, 1], body].concat();
    let protocol = if from.is_ipv6() { protocol::ICMPV6 } else { protocol::ICMP };
    ip(from, to, protocol, &payload)
}

/// A packet with all its checksums.
pub(super) fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u16;
    let mut bytes = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = vec![0x45, 0x28, 0, 0, 0xab, 0xcd, 0x40, 0, 63, protocol, 0, 0];
            header[2..4].copy_from_slice(&(len + 20).to_be_bytes());
            header.extend(from.octets());
            header.extend(to.octets());
            let sum = !checksum::sum(&header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            header
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut header = vec![0x60, 0, 0, 0, 0, 0, protocol, 63];
            header[4..6].copy_from_slice(&len.to_be_bytes());
            header.extend(from.octets());
            header.extend(to.octets());
            header
        }
        _ => panic!("two families"),
    };
    let start = bytes.len();
    bytes.extend(payload);
    if let Some(at) = checksum_at(protocol).filter(|at| payload.len() >= at + 2) {
        let sum = checksum::finish(transport_sum(&bytes));
        bytes[start + at..start + at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// Whether every checksum of a packet is right.
pub(super) fn sound(bytes: &[u8]) -> bool {
    let Some(packet) = Packet::parse(bytes) else { return false };
    let none = packet.protocol == protocol::UDP && packet.payload.get(6..8) == Some(&[0, 0]);
    checksum_at(packet.protocol).is_none() || none || transport_sum(bytes) == 0xffff
}

/// A packet in words.
pub(super) fn flow(bytes: &[u8]) -> String {
    let packet = Packet::quoted(bytes).expect("a packet");
    let (from, to) = (packet.source, packet.destination);
    match Tuple::of(&packet) {
        Some(tuple) if tuple.is_icmp() => format!("{from} > {to} id {}", tuple.source_port),
        Some(tuple) if tuple.has_ports() => {
            let ends = [(from, tuple.source_port), (to, tuple.destination_port)].map(SocketAddr::from);
            format!("{} > {}", ends[0], ends[1])
        }
        _ => format!("{from} > {to}"),
    }
}

/// The port a packet comes from, or its identifier.
pub(super) fn port(bytes: &[u8]) -> u16 {
    Tuple::of(&Packet::parse(bytes).expect("a packet")).expect("a tuple").source_port
}

fn transport_sum(bytes: &[u8]) -> u16 {
    let packet = Packet::parse(bytes).expect("a packet");
    let pseudo = if packet.protocol == protocol::ICMP { 0 } else { packet.pseudo_header() };
    checksum::add(pseudo, checksum::sum(packet.payload))
}

fn checksum_at(protocol: u8) -> Option<usize> {
    match protocol {
        protocol::TCP => Some(16),
        protocol::UDP => Some(6),
        protocol::ICMP | protocol::ICMPV6 => Some(2),
        _ => None,
    }
}

fn socket(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}
