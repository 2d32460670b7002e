//! Packets in the making: what a host sends, said in a few words.

use std::net::IpAddr;

use vswitchd::wire::checksum;
use vswitchd::wire::datagram::{Builder, pseudo_header};
use vswitchd::wire::mac::Mac;

use super::place::Wire;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// A packet between two ends, but for who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) what: What,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) id: u16,
    pub(crate) dont_fragment: bool,
    /// Options of the IPv4 header; their length is a multiple of four.
    pub(crate) options: &'static [u8],
    pub(crate) damage: Damage,
    /// Only this part of what is behind the IP header: where it starts, a multiple of eight, and its bytes.
    pub(crate) piece: Option<(u16, u16)>,
}

/// What is behind the IP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Type, code, sequence number, bytes of data. The identifier is the port.
    Icmp(u8, u8, u16, u16),
    /// Of a protocol without ports: its number, and bytes.
    Other(u8, u16),
    Tcp(Segment),
    /// Bytes of data.
    Udp(u16),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Letters of FSRPAUEC, in any order.
    pub(crate) flags: String,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    pub(crate) options: Vec<u8>,
    /// Bytes of data.
    pub(crate) len: u16,
}

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The checksum behind the IP header.
    Checksum,
    /// The packet ends so many bytes too early, and its IP header says so.
    Cut(u16),
    /// The checksum of the IPv4 header.
    Header,
    /// The length that UDP says, by so much too long; or TCP's data offset, in words.
    Length(u16),
    /// UDP without a checksum.
    NoChecksum,
    None,
}

/// The ends of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) source: IpAddr,
    pub(crate) source_port: u16,
    pub(crate) destination: IpAddr,
    pub(crate) destination_port: u16,
}

impl Ends {
    pub(crate) const fn back(self) -> Self {
        Self {
            source: self.destination,
            source_port: self.destination_port,
            destination: self.source,
            destination_port: self.source_port,
        }
    }
}

impl Shape {
    pub(crate) const fn new(what: What) -> Self {
        Self {
            what,
            ttl: 64,
            tos: 0,
            id: 0x1234,
            dont_fragment: false,
            options: &[],
            damage: Damage::None,
            piece: None,
        }
    }

    /// The packet between those two ends.
    pub(crate) fn packet(&self, ends: Ends) -> Vec<u8> {
        let v6 = ends.source.is_ipv6();
        let (protocol, body) = self.body(ends);
        let (protocol, body) = match (self.piece, v6) {
            (None, _) => (protocol, body),
            (Some((offset, len)), true) => (44, ipv6_piece(protocol, &body, offset, len, self.id)),
            (Some((offset, len)), false) => (protocol, part(&body, offset, len).0.to_vec()),
        };
        let builder = Builder {
            source: ends.source,
            destination: ends.destination,
            protocol,
            tos: self.tos,
            ttl: self.ttl,
            id: self.id,
            dont_fragment: self.dont_fragment,
        };
        let header = builder.header_len();
        let mut packet = vec![0; header];
        packet.extend(&body);
        builder.write(&mut packet);
        if !v6 {
            self.finish_ipv4(&mut packet, protocol, ends);
        }
        packet
    }

    /// What is an IPv4 header's alone.
    fn finish_ipv4(&self, packet: &mut Vec<u8>, protocol: u8, ends: Ends) {
        if let Some((offset, len)) = self.piece {
            let more = part(&self.body(ends).1, offset, len).1;
            let bits = u16::from_be_bytes([packet[6], packet[7]]) | (offset / 8) | (u16::from(more) << 13);
            packet[6..8].copy_from_slice(&bits.to_be_bytes());
        }
        debug_assert_eq!(packet[9], protocol);
        if !self.options.is_empty() {
            packet.splice(20..20, self.options.iter().copied());
            packet[0] += (self.options.len() / 4) as u8;
            let total = packet.len() as u16;
            packet[2..4].copy_from_slice(&total.to_be_bytes());
        }
        let header = 20 + self.options.len();
        packet[10..12].fill(0);
        let sum = !checksum::sum(&packet[..header]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        if self.damage == Damage::Header {
            packet[10] ^= 0x40;
        }
    }

    /// The protocol, and all that is behind the IP header.
    fn body(&self, ends: Ends) -> (u8, Vec<u8>) {
        let v6 = ends.source.is_ipv6();
        let ports = || [ends.source_port.to_be_bytes(), ends.destination_port.to_be_bytes()].concat();
        let more = match self.damage {
            Damage::Length(more) => more,
            _ => 0,
        };
        let (protocol, at, mut bytes) = match &self.what {
            What::Icmp(kind, code, sequence, len) => {
                // an identifier goes with both directions
                let id = if matches!(kind, 0 | 129 | 14 | 16 | 18) {
                    ends.destination_port
                } else {
                    ends.source_port
                };
                let mut bytes = vec![*kind, *code, 0, 0];
                bytes.extend([id.to_be_bytes(), sequence.to_be_bytes()].concat());
                bytes.extend(data(*len));
                (if v6 { ICMPV6 } else { ICMP }, 2, bytes)
            }
            What::Other(protocol, len) => (*protocol, 0, data(*len)),
            What::Tcp(segment) => {
                let mut bytes = ports();
                bytes.extend([segment.seq.to_be_bytes(), segment.ack.to_be_bytes()].concat());
                let words = (20 + segment.options.len().next_multiple_of(4)) / 4;
                bytes.push((words as u8).wrapping_add(more as u8) << 4);
                bytes.push(flags(&segment.flags));
                bytes.extend(segment.window.to_be_bytes());
                bytes.extend([0; 4]);
                bytes.extend(&segment.options);
                bytes.resize(words * 4, 0);
                bytes.extend(data(segment.len));
                (TCP, 16, bytes)
            }
            What::Udp(len) => {
                let mut bytes = ports();
                bytes.extend((8 + len + more).to_be_bytes());
                bytes.extend([0; 2]);
                bytes.extend(data(*len));
                (UDP, 6, bytes)
            }
        };
        if at > 0 && self.damage != Damage::NoChecksum {
            let pseudo = match protocol {
                ICMP => 0,
                _ => pseudo_header(ends.source, ends.destination, protocol, bytes.len()),
            };
            let mut sum = !checksum::add(pseudo, checksum::sum(&bytes));
            if protocol == UDP && sum == 0 {
                sum = 0xffff;
            }
            if self.damage == Damage::Checksum {
                sum ^= 0x0101;
            }
            bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        if let Damage::Cut(less) = self.damage {
            bytes.truncate(bytes.len().saturating_sub(usize::from(less)));
        }
        (protocol, bytes)
    }
}

/// An ICMP error about a packet, with that much of it, from somebody to its sender; `rest` is the header's second word.
pub(crate) fn error(
    source: IpAddr,
    kind: (u8, u8),
    rest: u32,
    about: &[u8],
    quote: usize,
    damage: Damage,
) -> Option<Vec<u8>> {
    let quote = &about[..about.len().min(quote)];
    let destination = read_source(about)?;
    let protocol = if source.is_ipv6() { ICMPV6 } else { ICMP };
    let mut body = vec![kind.0, kind.1, 0, 0];
    body.extend(rest.to_be_bytes());
    body.extend(quote);
    let pseudo = if source.is_ipv6() { pseudo_header(source, destination, protocol, body.len()) } else { 0 };
    let mut sum = !checksum::add(pseudo, checksum::sum(&body));
    if damage == Damage::Checksum {
        sum ^= 0x0101;
    }
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    let builder = Builder { source, destination, protocol, tos: 0xc0, ttl: 60, id: 77, dont_fragment: false };
    let mut packet = vec![0; builder.header_len()];
    packet.extend(body);
    builder.write(&mut packet);
    Some(packet)
}

/// Whose a packet is, as its IP header says.
fn read_source(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => packet.get(12..16)?.first_chunk::<4>().map(|octets| (*octets).into()),
        _ => packet.get(8..24)?.first_chunk::<16>().map(|octets| (*octets).into()),
    }
}

/// The frame that a packet is sent to the gateway in.
pub(crate) fn to_gateway(wire: Wire, from: Mac, packet: &[u8]) -> Vec<u8> {
    frame(wire.mac(), from, packet)
}

pub(crate) fn frame(dst: Mac, src: Mac, packet: &[u8]) -> Vec<u8> {
    let ether_type = if packet.first().is_some_and(|byte| byte >> 4 == 6) { [0x86, 0xdd] } else { [8, 0] };
    [&dst.0[..], &src.0, &ether_type, packet].concat()
}

/// Bytes that differ from their neighbours'.
fn data(len: u16) -> Vec<u8> {
    (0..len).map(|at| (at as u8).wrapping_mul(7)).collect()
}

const FLAGS: &str = "FSRPAUEC";

fn flags(letters: &str) -> u8 {
    letters.chars().filter_map(|letter| FLAGS.find(letter)).fold(0, |flags, bit| flags | 1 << bit)
}

/// The letters of flags, in the order in which one says them.
pub(crate) fn letters(flags: u8) -> String {
    "SFRPAUEC".chars().filter(|letter| FLAGS.find(*letter).is_some_and(|bit| flags & 1 << bit != 0)).collect()
}

/// So much of a body, and whether there is more of it.
fn part(body: &[u8], offset: u16, len: u16) -> (&[u8], bool) {
    let start = usize::from(offset).min(body.len());
    let end = (start + usize::from(len)).min(body.len());
    (&body[start..end], end < body.len())
}

fn ipv6_piece(protocol: u8, body: &[u8], offset: u16, len: u16, id: u16) -> Vec<u8> {
    let (part, more) = part(body, offset, len);
    let mut bytes = vec![protocol, 0];
    bytes.extend((offset & !7 | u16::from(more)).to_be_bytes());
    bytes.extend(u32::from(id).to_be_bytes());
    bytes.extend(part);
    bytes
}
