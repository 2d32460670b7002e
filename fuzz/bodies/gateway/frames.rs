//! What hosts say: to each other, to the router, to strangers, and in answer to what they got.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitchd::frame::{Gso, Offload, PortId};
use vswitchd::router::fragment::cut::cut;
use vswitchd::wire::arp::{self, Arp};
use vswitchd::wire::datagram::{Datagram, TCP, UDP};
use vswitchd::wire::mac::Mac;
use vswitchd::wire::ndp;

use super::PORTS;
use crate::bodies::gate::{address, gate_mac, is_guests, packets};
use crate::bodies::input::Input;

/// Who is behind each port, in either family.
const HOSTS: [[&str; 2]; 7] = [
    ["10.0.0.2", "fd00::2"],
    ["10.0.0.3", "fd00::3"],
    ["192.0.2.9", "2001:db8::9"],
    ["192.0.2.254", "2001:db8::fe"],
    ["10.1.0.2", "fd01::2"],
    ["10.0.0.9", "fd00::9"],
    ["192.0.2.8", "2001:db8::8"],
];
/// The router, by network.
const GATES: [[&str; 2]; 3] =
    [["10.0.0.1", "fd00::1"], ["192.0.2.1", "2001:db8::1"], ["10.1.0.1", "fd01::1"]];
/// Whom one may want to talk to.
const TARGETS: [[&str; 2]; 11] = [
    ["192.0.2.9", "2001:db8::9"],
    ["192.0.2.1", "2001:db8::1"],
    ["198.51.100.7", "2001:db8:7::7"],
    ["10.0.0.2", "fd00::2"],
    ["10.0.0.1", "fd00::1"],
    ["10.1.0.2", "fd01::2"],
    ["192.0.2.77", "2001:db8::77"],
    ["10.0.0.77", "fd00::77"],
    ["10.0.0.255", "ff02::1"],
    ["192.0.2.5", "2001:db8::5"],
    ["224.0.0.5", "fe80::77"],
];
const PORT_NUMBERS: [u16; 6] = [4000, 53, 80, 8080, 1, 4001];
/// How many of the latest frames hosts remember.
const REMEMBERED: usize = 12;

/// Whether an address is a guest's, and not the router's on the guests' networks.
pub(super) fn is_private(source: IpAddr) -> bool {
    is_guests(source) && !GATES.iter().flatten().any(|gate| address(gate) == source)
}

fn station(port: u16) -> Mac {
    Mac([2, 0, 0, 0, 0, port as u8 + 1])
}

/// What came out of which port, the latest last.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<(PortId, Vec<u8>)>);

impl Memory {
    pub(super) fn remember(&mut self, port: PortId, frame: Vec<u8>) {
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push((port, frame));
    }

    /// Zero is the latest.
    fn recall(&self, back: u8) -> Option<(PortId, &[u8])> {
        let (port, frame) = self.0.iter().rev().nth(usize::from(back) % self.0.len().max(1))?;
        Some((*port, frame))
    }
}

/// Everybody says who they are.
pub(super) fn greetings() -> Vec<(PortId, Vec<u8>)> {
    (0..PORTS.len() as u16)
        .flat_map(|port| [false, true].map(|v6| (PortId(port), question(port, v6, None))))
        .collect()
}

/// Asks for an address, or for the router.
fn question(port: u16, v6: bool, target: Option<IpAddr>) -> Vec<u8> {
    let gate = GATES[usize::from(PORTS[usize::from(port)])].map(address)[usize::from(v6)];
    match (HOSTS[usize::from(port)].map(address)[usize::from(v6)], target.unwrap_or(gate)) {
        (IpAddr::V4(sender_ip), IpAddr::V4(target_ip)) => {
            let (sender_mac, target_mac) = (station(port), Mac::ZERO);
            let packet = Arp { operation: arp::REQUEST, sender_mac, sender_ip, target_mac, target_ip };
            packets::frame(Mac::BROADCAST, station(port), arp::ETHER_TYPE, &packet.to_bytes())
        }
        (IpAddr::V6(asker), IpAddr::V6(target)) => {
            let packet = ndp::solicitation(target, asker, station(port), None);
            packets::frame(ndp::group_mac(ndp::solicited_node(target)), station(port), 0x86dd, &packet)
        }
        _ => vec![0; 14],
    }
}

/// Frames that somebody sends one after the other, with what is left for hardware.
pub(super) fn frames(input: &mut Input<'_>, memory: &Memory) -> (PortId, Vec<Vec<u8>>, Offload) {
    let none = Offload::NONE;
    match input.below(16) {
        0..6 => fresh(input),
        6..10 => {
            match memory.recall(input.byte()).and_then(|(port, frame)| Some((port, answer(port, frame)?))) {
                Some((port, frame)) => (port, vec![frame], none),
                None => fresh(input),
            }
        }
        10 => {
            match memory.recall(input.byte()).and_then(|(port, frame)| Some((port, complaint(frame, input)?)))
            {
                Some((port, packet)) => (port, vec![to_gate(port.0, &packet)], none),
                None => fresh(input),
            }
        }
        11 => {
            let port = u16::from(input.below(PORTS.len() as u8));
            let [v6, advertises, ..] = input.flags();
            let target = address(TARGETS[usize::from(input.byte()) % TARGETS.len()][usize::from(v6)]);
            let frame = if advertises { claim(port, target) } else { question(port, v6, Some(target)) };
            (PortId(port), vec![frame], none)
        }
        12..14 => {
            let (port, packets, _) = fresh(input);
            let [backwards, twice, without_first, ..] = input.flags();
            let max = input.pick(&[600, 1280, 68, 300]);
            let mut parts = Vec::new();
            cut(&packets[0][14..], max, 7, &mut Vec::new(), |part| parts.push(to_gate(port.0, part)));
            parts.truncate(24);
            if backwards {
                parts.reverse();
            }
            if twice {
                parts.extend(parts.first().cloned());
            }
            if without_first && !parts.is_empty() {
                parts.remove(0);
            }
            (port, parts, none)
        }
        14 => {
            let (port, mut frame) = match memory.recall(input.byte()) {
                Some((_, frame)) => (PortId(input.below(8).into()), frame.to_vec()),
                None => (PortId(0), vec![0; 14]),
            };
            for _ in 0..1 + input.below(3) {
                let at = usize::from(input.word()) % frame.len();
                frame[at] ^= input.byte();
            }
            let ip = matches!(frame[12..14], [8, 0] | [0x86, 0xdd]);
            if ip && input.byte() & 1 == 0 {
                packets::sum(&mut frame[14..]);
            }
            (port, vec![frame], none)
        }
        _ => {
            let (port, len) = (PortId(input.below(8).into()), usize::from(input.byte()));
            (port, vec![input.bytes(len).to_vec()], none)
        }
    }
}

fn to_gate(port: u16, packet: &[u8]) -> Vec<u8> {
    let ether_type = if packet.first().is_some_and(|first| first >> 4 == 6) { 0x86dd } else { 0x0800 };
    let gate = gate_mac(PORTS[usize::from(port) % PORTS.len()]);
    packets::frame(gate, station(port), ether_type, packet)
}

/// A packet of one's own, to the router.
fn fresh(input: &mut Input<'_>) -> (PortId, Vec<Vec<u8>>, Offload) {
    let port = u16::from(input.below(PORTS.len() as u8));
    let [v6, stranger, long, partial, gso, low_ttl, ..] = input.flags();
    let target = address(TARGETS[usize::from(input.byte()) % TARGETS.len()][usize::from(v6)]);
    let mut source = address(HOSTS[usize::from(port)][usize::from(v6)]);
    if stranger && PORTS[usize::from(port)] == 1 {
        source = address(TARGETS[2][usize::from(v6)]);
    }
    let ends = [(source, input.pick(&PORT_NUMBERS)), (target, input.pick(&PORT_NUMBERS))];
    let data = vec![0x42; if long { 2900 } else { usize::from(input.byte() & 63) }];
    let (kind, mut packet) = match input.below(8) {
        0 | 1 => (UDP, packets::udp(ends[0], ends[1], &data)),
        2..5 => {
            let flags = input.pick(&[2, 0x12, 0x10, 0x11, 4, 0x14, 0x18]);
            let numbers = (u32::from(input.byte()), u32::from(input.byte()), flags);
            let options: &[u8] = if flags & 2 != 0 { &[2, 4, 5, 180] } else { &[] };
            (TCP, packets::tcp(ends[0], ends[1], numbers, options, &data))
        }
        5 => (0, packets::echo(source, target, ends[0].1, &data)),
        6 => (0, packets::sctp(ends[0], ends[1], &data)),
        _ => (0, packets::ip(source, target, input.pick(&[99, 47, 136, 50]), &data)),
    };
    if low_ttl {
        vswitchd::wire::datagram::set_ttl(&mut packet, input.below(3));
    }
    let offload = if partial { promise(&mut packet, kind, gso && long) } else { Offload::NONE };
    (PortId(port), vec![to_gate(port, &packet)], offload)
}

/// Leaves the checksum to hardware, and cutting too.
fn promise(packet: &mut [u8], kind: u8, gso: bool) -> Offload {
    let Ok(read) = Datagram::parse(packet) else { return Offload::NONE };
    let csum_offset = match kind {
        TCP => 16,
        UDP => 6,
        _ => return Offload::NONE,
    };
    let sum = read.pseudo_header(read.len - read.transport);
    let at = read.transport + usize::from(csum_offset);
    packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    let csum_start = 14 + read.transport as u16;
    let mut offload = Offload { needs_csum: true, csum_start, csum_offset, ..Offload::NONE };
    if gso {
        offload.gso_size = 1300;
        offload.gso = match (kind, read.is_ipv6()) {
            (TCP, false) => Gso::TcpV4,
            (TCP, true) => Gso::TcpV6,
            _ => Gso::Udp,
        };
    }
    offload
}

/// What a host answers to what it got.
fn answer(port: PortId, frame: &[u8]) -> Option<Vec<u8>> {
    let payload = frame.get(14..)?;
    if frame[12..14] == [8, 6] {
        let asked = Arp::parse(payload).filter(|asked| asked.operation == arp::REQUEST)?;
        return Some(packets::frame(
            asked.sender_mac,
            station(port.0),
            arp::ETHER_TYPE,
            &asked.reply(station(port.0)).to_bytes(),
        ));
    }
    let read = Datagram::parse(payload).ok()?;
    if let (IpAddr::V6(source), IpAddr::V6(destination)) = (read.source, read.destination)
        && let Ok(Some(ndp::Ndp { message: ndp::Message::Solicitation { target }, .. })) =
            ndp::Ndp::parse(source, destination, read.ttl, read.payload(payload))
    {
        let answer = ndp::advertisement(target, station(port.0), false, source);
        let src = Mac(std::array::from_fn(|at| frame[6 + at]));
        return Some(packets::frame(src, station(port.0), 0x86dd, &answer));
    }
    packets::reply(payload).map(|reply| to_gate(port.0, &reply))
}

/// An error about what somebody got.
fn complaint(frame: &[u8], input: &mut Input<'_>) -> Option<Vec<u8>> {
    let packet = frame.get(14..)?;
    let read = Datagram::parse(packet).ok()?;
    let kind = if read.is_ipv6() { input.pick(&[1, 2, 3, 4, 137]) } else { input.pick(&[3, 11, 12, 5, 4]) };
    let len = read.len.min(if input.byte() & 1 == 0 { 28 + 40 } else { 548 });
    let head = [kind, input.below(5), 0, 0, 0, 0, 2, 88];
    Some(packets::icmp(read.destination, read.source, head, &packet[..len]))
}

/// Says that an address is there, unasked.
fn claim(port: u16, target: IpAddr) -> Vec<u8> {
    match target {
        IpAddr::V4(address) => {
            let packet = Arp {
                operation: arp::REPLY,
                sender_mac: station(port),
                sender_ip: address,
                target_mac: Mac::ZERO,
                target_ip: Ipv4Addr::UNSPECIFIED,
            };
            packets::frame(Mac::BROADCAST, station(port), arp::ETHER_TYPE, &packet.to_bytes())
        }
        IpAddr::V6(target) => {
            let packet =
                ndp::advertisement(target, station(port), false, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
            packets::frame(Mac([0x33, 0x33, 0, 0, 0, 1]), station(port), 0x86dd, &packet)
        }
    }
}
