//! Packets as bytes: reading tuples out of them, writing addresses and ports into them, checking their sums.
//!
//! Everything here works on a copy of one IP packet without padding, and does the plain thing: sums are made over all
//! bytes, and headers are found by walking from the front each time they are wanted.

use std::net::IpAddr;

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;
/// What is left of a hop limit that was never used.
pub(super) const TTL: u8 = 64;

/// A flow's packet in one direction (N8): addresses, and two numbers whose meaning is the protocol's.
///
/// TCP and UDP: the ports. ICMP: the identifier, and type and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tuple {
    /// IANA's number.
    pub protocol: u8,
    /// Who sends.
    pub src: IpAddr,
    /// From which port; the identifier of ICMP.
    pub sport: u16,
    /// To whom.
    pub dst: IpAddr,
    /// To which port; type and code of ICMP.
    pub dport: u16,
}

/// Which end of a packet is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Destination,
}

impl Tuple {
    /// That of an answer; none if nobody answers such a packet.
    pub fn inverse(&self) -> Option<Self> {
        let (sport, dport) = match self.protocol {
            ICMP | ICMPV6 => {
                let [kind, code] = self.dport.to_be_bytes();
                (self.sport, u16::from_be_bytes([answer(self.protocol, kind)?, code]))
            }
            _ => (self.dport, self.sport),
        };
        Some(Self { src: self.dst, dst: self.src, sport, dport, ..*self })
    }

    /// Of a whole packet, or of what an error quotes of one.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        let (protocol, at) = transport(packet)?;
        let (src, dst) = (address(packet, End::Source)?, address(packet, End::Destination)?);
        let field = |offset| Some(u16::from_be_bytes([*packet.get(offset)?, *packet.get(offset + 1)?]));
        let (sport, dport) = match protocol {
            TCP | UDP => (field(at)?, field(at + 2)?),
            ICMP | ICMPV6 => {
                packet.get(at + 7)?;
                // errors and the like have no identifier, nor do they start or answer anything
                (field(at + 4)?, field(at)?)
            }
            _ => (0, 0),
        };
        Some(Self { protocol, src, sport, dst, dport })
    }
}

/// The type of the answer to an ICMP message.
fn answer(protocol: u8, kind: u8) -> Option<u8> {
    match (protocol, kind) {
        (ICMP, 8) => Some(0),
        (ICMP, 0) => Some(8),
        (ICMP, 13 | 15 | 17) => Some(kind + 1),
        (ICMP, 14 | 16 | 18) => Some(kind - 1),
        (ICMPV6, 128 | 139) => Some(kind + 1),
        (ICMPV6, 129 | 140) => Some(kind - 1),
        _ => None,
    }
}

/// The packet in a frame's payload, without padding; none if it is no sound one.
pub(super) fn read(payload: &[u8]) -> Option<Vec<u8>> {
    match payload.first()? >> 4 {
        4 => {
            let header = Ipv4HeaderSlice::from_slice(payload).ok()?;
            let len = usize::from(header.total_len());
            let sound = len >= header.slice().len() && sum(header.slice()) == 0xffff;
            (sound && len <= payload.len()).then(|| payload[..len].to_vec())
        }
        6 => {
            let header = Ipv6HeaderSlice::from_slice(payload).ok()?;
            let len = 40 + usize::from(header.payload_length());
            (len <= payload.len()).then(|| payload[..len].to_vec())
        }
        _ => None,
    }
}

pub(super) fn is_v6(packet: &[u8]) -> bool {
    packet[0] >> 4 == 6
}

/// Whether an error quotes less than eight bytes behind the headers of what it is about, which is too little to be written
/// into (E3, RFC 792).
pub(super) fn quotes_little(error: &[u8]) -> bool {
    let Some((_, at)) = transport(error) else { return false };
    let quote = error.get(at + 8..).unwrap_or_default();
    let numbered = |protocol| matches!(protocol, TCP | UDP | ICMP | ICMPV6);
    transport(quote).is_some_and(|(protocol, at)| numbered(protocol) && quote.len() < at + 8)
}

/// The protocol, and where it begins. Of the extensions of IPv6 only those are skipped that stories have. None for
/// a later piece of a datagram.
pub(super) fn transport(packet: &[u8]) -> Option<(u8, usize)> {
    if !is_v6(packet) {
        let piece = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x1fff;
        return (piece == 0).then_some((*packet.get(9)?, usize::from(packet[0] & 15) * 4));
    }
    let (mut protocol, mut at) = (*packet.get(6)?, 40);
    loop {
        match protocol {
            0 | 43 | 60 => {
                protocol = *packet.get(at)?;
                at += 8 + 8 * usize::from(*packet.get(at + 1)?);
            }
            44 => {
                protocol = *packet.get(at)?;
                if u16::from_be_bytes([*packet.get(at + 2)?, *packet.get(at + 3)?]) & 0xfff8 != 0 {
                    return None;
                }
                at += 8;
            }
            _ => return Some((protocol, at)),
        }
    }
}

pub(super) fn address(packet: &[u8], end: End) -> Option<IpAddr> {
    let (at, len) = place(packet, end);
    let bytes = packet.get(at..at + len)?;
    Some(match <[u8; 4]>::try_from(bytes) {
        Ok(four) => four.into(),
        Err(_) => <[u8; 16]>::try_from(bytes).ok()?.into(),
    })
}

fn place(packet: &[u8], end: End) -> (usize, usize) {
    match (is_v6(packet), end) {
        (false, End::Source) => (12, 4),
        (false, End::Destination) => (16, 4),
        (true, End::Source) => (8, 16),
        (true, End::Destination) => (24, 16),
    }
}

pub(super) fn ttl(packet: &[u8]) -> u8 {
    packet[if is_v6(packet) { 7 } else { 8 }]
}

pub(super) fn take_hop(packet: &mut [u8]) {
    if is_v6(packet) {
        packet[7] -= 1;
    } else {
        packet[8] -= 1;
        seal_header(packet);
    }
}

/// Whether the packet must not be cut.
pub(super) fn dont_fragment(packet: &[u8]) -> bool {
    is_v6(packet) || packet[6] & 0x40 != 0
}

/// Makes the checksum of an IPv4 header anew.
pub(super) fn seal_header(packet: &mut [u8]) {
    let len = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let checksum = !sum(&packet[..len]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}

/// Makes the checksum of ICMP of either family anew.
pub(super) fn seal_icmp(packet: &mut [u8]) {
    let Some((protocol, at)) = transport(packet) else { return };
    packet[at + 2..at + 4].fill(0);
    let pseudo = if protocol == ICMPV6 { pseudo_header(packet, protocol, at) } else { 0 };
    let checksum = !add(pseudo, sum(&packet[at..]));
    packet[at + 2..at + 4].copy_from_slice(&checksum.to_be_bytes());
}

/// Makes the checksum of the transport header anew, whatever it was.
pub(super) fn seal_transport(packet: &mut [u8]) {
    let Some((protocol, at)) = transport(packet) else { return };
    let field = match protocol {
        ICMP | ICMPV6 => return seal_icmp(packet),
        TCP => at + 16,
        UDP => at + 6,
        _ => return,
    };
    packet[field..field + 2].fill(0);
    let checksum = !add(pseudo_header(packet, protocol, at), sum(&packet[at..]));
    let checksum = if protocol == UDP && checksum == 0 { 0xffff } else { checksum };
    packet[field..field + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// Whether the checksum of what is in a whole packet is right (N7); that of protocols without one is.
pub(super) fn is_right(packet: &[u8]) -> bool {
    let Some((protocol, at)) = transport(packet) else { return true };
    let pseudo = match protocol {
        ICMP => 0,
        UDP if packet.get(at + 6..at + 8) == Some(&[0, 0]) => return true,
        TCP | UDP | ICMPV6 => pseudo_header(packet, protocol, at),
        _ => return true,
    };
    add(pseudo, sum(&packet[at..])) == 0xffff
}

fn pseudo_header(packet: &[u8], protocol: u8, at: usize) -> u16 {
    let (src, len) = place(packet, End::Source);
    let size = (packet.len() - at) as u32;
    let mut bytes = packet[src..src + 2 * len].to_vec();
    bytes.extend(size.to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    sum(&bytes)
}

/// Writes an address, and a port or identifier, into a packet or what is quoted of one. Sums are patched, so that
/// a wrong one stays wrong by as much (E3, E5, N10).
pub(super) fn rewrite(packet: &mut [u8], end: End, to: IpAddr, port: u16) {
    let (at, len) = place(packet, end);
    let new: Vec<u8> = match to {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut before = packet[at..at + len].to_vec();
    let mut after = new.clone();
    packet[at..at + len].copy_from_slice(&new);
    if !is_v6(packet) {
        patch(&mut packet[10..12], &before, &after);
    }
    let Some((protocol, start)) = transport(packet) else { return };
    let number = match (protocol, end) {
        (TCP | UDP, End::Source) => Some(start),
        (TCP | UDP, End::Destination) => Some(start + 2),
        (ICMP | ICMPV6, _) => answer(protocol, packet[start]).map(|_| start + 4),
        _ => None,
    };
    if protocol == ICMP {
        (before, after) = (vec![], vec![]);
    }
    if let Some(number) = number.filter(|number| number + 2 <= packet.len()) {
        before.extend(&packet[number..number + 2]);
        packet[number..number + 2].copy_from_slice(&port.to_be_bytes());
        after.extend(port.to_be_bytes());
    }
    let (field, least) = match protocol {
        TCP => (16, 20),
        UDP => (6, 8),
        ICMP | ICMPV6 => (2, 8),
        _ => return,
    };
    if packet.len() < start + least {
        return;
    }
    let field = &mut packet[start + field..start + field + 2];
    if protocol == UDP && field == [0, 0] {
        return;
    }
    patch(field, &before, &after);
    if protocol == UDP && field == [0, 0] {
        field.fill(0xff);
    }
}

/// RFC 1624, equation 3, word by word.
fn patch(field: &mut [u8], before: &[u8], after: &[u8]) {
    let word = |pair: &[u8]| u16::from_be_bytes([pair[0], pair[1]]);
    let mut total = !word(field);
    for (old, new) in before.chunks(2).zip(after.chunks(2)) {
        total = add(add(total, !word(old)), word(new));
    }
    field.copy_from_slice(&(!total).to_be_bytes());
}

/// The one's complement sum of everything.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    bytes
        .chunks(2)
        .fold(0, |total, pair| add(total, u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
}

fn add(a: u16, b: u16) -> u16 {
    let (total, carry) = a.overflowing_add(b);
    total + u16::from(carry)
}

/// A packet of its own: an IP header around what is in it.
pub(super) fn build(src: IpAddr, dst: IpAddr, protocol: u8, tos: u8, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let len = (20 + payload.len()) as u16;
            let [high, low] = len.to_be_bytes();
            let head = [0x45, tos, high, low, 0, 0, 0, 0, ttl, protocol, 0, 0];
            [&head[..], &src.octets(), &dst.octets(), payload].concat()
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let [high, low] = (payload.len() as u16).to_be_bytes();
            let head = [0x60 | tos >> 4, tos << 4, 0, 0, high, low, protocol, ttl];
            [&head[..], &src.octets(), &dst.octets(), payload].concat()
        }
        _ => unreachable!("both addresses are of one family"),
    };
    if !is_v6(&packet) {
        seal_header(&mut packet);
    }
    packet
}
