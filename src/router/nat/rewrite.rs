//! A translation, and how it gets into the bytes.
//!
//! Deciding makes a [`Translation`], a value; [`apply`] is the only function that edits a packet for NAT. Nothing but
//! addresses, ports and checksums changes (N10). Checksums are adjusted by what changed (RFC 1624, equation 3), so that a
//! packet that was broken stays broken, and one of 64 KiB costs no more than one of 64 bytes. Three special cases:
//!
//! - A *partial* checksum (V10) is the sum of the pseudo-header alone, not complemented: only addresses count for it.
//! - UDP without a checksum stays without; one that comes out as zero is written as 0xffff, since zero means "none" (U1).
//! - The checksum of an ICMP error covers the packet that it quotes, which is translated as well (E3): it is made anew.
//!   So is SCTP's, which is a CRC.

use super::tuple::{Address, Tuple};
use crate::wire::datagram::Datagram;
use crate::wire::packet::protocol;
use crate::wire::{checksum, icmp, tcp, udp};

/// The checksum field of an IPv4 header.
const IPV4_CHECKSUM_AT: usize = 10;
/// The checksum field of SCTP.
const SCTP_CHECKSUM_AT: usize = 8;

/// What a header is to say instead, where it is to say something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Who it is from.
    pub source: Option<Address>,
    /// Who it is to.
    pub destination: Option<Address>,
    /// The port it is from; the identifier of an ICMP query.
    pub source_port: Option<u16>,
    /// The port it is to.
    pub destination_port: Option<u16>,
}

impl Ends {
    /// What is there.
    pub const NONE: Self =
        Self { source: None, destination: None, source_port: None, destination_port: None };

    /// What makes a packet of one tuple one of another.
    pub fn between(from: &Tuple, to: &Tuple) -> Self {
        Self {
            source: (from.source != to.source).then_some(to.source),
            destination: (from.destination != to.destination).then_some(to.destination),
            source_port: (from.source_port != to.source_port).then_some(to.source_port),
            destination_port: (from.destination_port != to.destination_port && !from.is_icmp())
                .then_some(to.destination_port),
        }
    }

    /// Whether everything stays.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is to become of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// The packet's own headers.
    pub packet: Ends,
    /// The headers of the packet that an ICMP error quotes.
    pub quote: Ends,
}

impl Translation {
    /// Everything stays.
    pub const NONE: Self = Self { packet: Ends::NONE, quote: Ends::NONE };

    /// Whether everything stays.
    pub fn is_none(&self) -> bool {
        self.packet.is_none() && self.quote.is_none()
    }
}

/// Translates the packet that starts with its IP header at `bytes[0]`. `partial` says that its transport checksum is
/// still to be made (V9). Does nothing to what cannot be read, and says false.
pub fn apply(bytes: &mut [u8], translation: &Translation, partial: bool) -> bool {
    match Datagram::parse(bytes) {
        Ok(datagram) => translate(bytes, Place::of(&datagram), translation, partial),
        Err(_) => false,
    }
}

/// The same for a packet that was read before.
pub fn translate(bytes: &mut [u8], place: Place, translation: &Translation, partial: bool) -> bool {
    if translation.is_none() {
        return true;
    }
    if bytes.len() < place.end {
        return false;
    }
    if !translation.quote.is_none() {
        let quote = &mut bytes[..place.end][place.transport..];
        let Some(quote) = quote.get_mut(icmp::HEADER_LEN..) else { return false };
        let Ok(place) = Datagram::quoted(quote).map(|datagram| Place::of(&datagram)) else { return false };
        place.write(quote, &translation.quote, Checksum::Quoted);
    }
    let checksum = if partial { Checksum::Partial } else { Checksum::Whole };
    place.write(bytes, &translation.packet, checksum);
    if !translation.quote.is_none() && !partial {
        place.sum_icmp(bytes);
    }
    true
}

/// The same for what quotes no other packet.
#[inline]
pub fn translate_own(bytes: &mut [u8], place: Place, ends: &Ends, partial: bool) {
    if bytes.len() >= place.end && !ends.is_none() {
        place.write(bytes, ends, if partial { Checksum::Partial } else { Checksum::Whole });
    }
}

/// What is known of a transport checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checksum {
    /// It is of the pseudo-header alone.
    Partial,
    /// It may be cut off, with what it covers.
    Quoted,
    /// It is complete.
    Whole,
}

/// Where things are in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    ipv6: bool,
    protocol: u8,
    transport: usize,
    end: usize,
    first: bool,
}

impl Place {
    /// Of a packet that was read.
    #[inline]
    pub fn of(datagram: &Datagram) -> Self {
        Self {
            ipv6: datagram.is_ipv6(),
            protocol: datagram.protocol,
            transport: datagram.transport,
            end: datagram.len,
            first: !datagram.is_later_fragment(),
        }
    }

    /// Bytes of the packet.
    #[inline]
    pub fn end(&self) -> usize {
        self.end
    }

    #[inline]
    fn write(&self, bytes: &mut [u8], ends: &Ends, checksum: Checksum) {
        let addresses = self.write_addresses(bytes, ends);
        if !self.ipv6 {
            adjust(bytes, IPV4_CHECKSUM_AT, addresses);
        }
        if !self.first {
            return;
        }
        let transport = &mut bytes[..self.end][self.transport..];
        let ports = self.write_ports(transport, ends);
        let Some(at) = self.checksum_at(transport.len()) else {
            if self.protocol == protocol::SCTP && checksum == Checksum::Whole && ports != Delta::NONE {
                sum_sctp(transport);
            }
            return;
        };
        let pseudo = if self.protocol == protocol::ICMP { Delta::NONE } else { addresses };
        match checksum {
            Checksum::Partial => adjust_partial(transport, at, pseudo),
            Checksum::Quoted | Checksum::Whole => {
                let is_udp = self.protocol == protocol::UDP;
                if is_udp && transport[at..at + 2] == [0, 0] {
                    return;
                }
                adjust(transport, at, pseudo.and(ports));
                if is_udp && transport[at..at + 2] == [0, 0] {
                    transport[at..at + 2].fill(0xff);
                }
            }
        }
    }

    #[inline]
    fn write_addresses(&self, bytes: &mut [u8], ends: &Ends) -> Delta {
        let (source, destination, len) = if self.ipv6 { (8, 24, 16) } else { (12, 16, 4) };
        let mut delta = Delta::NONE;
        for (at, address) in [(source, ends.source), (destination, ends.destination)] {
            if let Some(address) = address {
                delta = delta.and(replace(&mut bytes[at..at + len], address.bytes(self.ipv6)));
            }
        }
        delta
    }

    #[inline]
    fn write_ports(&self, transport: &mut [u8], ends: &Ends) -> Delta {
        let (source, destination) = match self.protocol {
            protocol::TCP | protocol::UDP | protocol::UDP_LITE | protocol::SCTP => (0, Some(2)),
            protocol::ICMP | protocol::ICMPV6 => (icmp::ID_AT, None),
            _ => return Delta::NONE,
        };
        let mut delta = Delta::NONE;
        for (at, port) in [(Some(source), ends.source_port), (destination, ends.destination_port)] {
            if let (Some(at), Some(port)) = (at, port)
                && let Some(field) = transport.get_mut(at..at + 2)
            {
                delta = delta.and(replace(field, &port.to_be_bytes()));
            }
        }
        delta
    }

    /// Where the checksum is, if it and the whole header are within `len` bytes (E3).
    fn checksum_at(&self, len: usize) -> Option<usize> {
        let (at, header) = match self.protocol {
            protocol::TCP => (tcp::CHECKSUM_AT, tcp::HEADER_LEN),
            protocol::UDP | protocol::UDP_LITE => (udp::CHECKSUM_AT, udp::HEADER_LEN),
            protocol::ICMP | protocol::ICMPV6 => (icmp::CHECKSUM_AT, icmp::HEADER_LEN),
            _ => return None,
        };
        (len >= header).then_some(at)
    }

    /// Makes the checksum of an ICMP message anew.
    fn sum_icmp(&self, bytes: &mut [u8]) {
        let pseudo = match self.protocol {
            protocol::ICMPV6 => {
                let len = (self.end - self.transport) as u32;
                checksum::pseudo_header(&bytes[8..40], self.protocol, len)
            }
            _ => 0,
        };
        let message = &mut bytes[..self.end][self.transport..];
        let Some(field) = message.get_mut(icmp::CHECKSUM_AT..icmp::CHECKSUM_AT + 2) else { return };
        field.fill(0);
        let sum = !checksum::add(pseudo, checksum::sum(message));
        message[icmp::CHECKSUM_AT..icmp::CHECKSUM_AT + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

/// What changed, as sums of what was and what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delta {
    old: u16,
    new: u16,
}

impl Delta {
    pub(super) const NONE: Self = Self { old: 0, new: 0 };

    /// A field at an even offset was this, and is that.
    #[inline]
    pub(super) fn between(old: &[u8], new: &[u8]) -> Self {
        Self { old: checksum::sum(old), new: checksum::sum(new) }
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self { old: checksum::add(self.old, other.old), new: checksum::add(self.new, other.new) }
    }

    /// What it adds to a sum. Of none that is zero, to which adding changes nothing at all.
    pub(super) const fn addend(self) -> u16 {
        match self {
            Self::NONE => 0,
            Self { old, new } => checksum::add(!old, new),
        }
    }
}

/// Writes over a field at an even offset.
#[inline]
fn replace(field: &mut [u8], value: &[u8]) -> Delta {
    let delta = Delta::between(field, value);
    field.copy_from_slice(value);
    delta
}

/// HC' = ~(~HC + ~m + m'): RFC 1624, equation 3.
#[inline]
fn adjust(bytes: &mut [u8], at: usize, delta: Delta) {
    let old = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let new = !checksum::add(checksum::add(!old, !delta.old), delta.new);
    if delta != Delta::NONE {
        bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
    }
}

/// The same for a sum that is not complemented.
fn adjust_partial(bytes: &mut [u8], at: usize, delta: Delta) {
    let old = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let new = checksum::add(checksum::add(old, !delta.old), delta.new);
    if delta != Delta::NONE {
        bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
    }
}

/// Makes the CRC of an SCTP packet anew (RFC 9260 §6.8).
fn sum_sctp(packet: &mut [u8]) {
    let Some(field) = packet.get_mut(SCTP_CHECKSUM_AT..SCTP_CHECKSUM_AT + 4) else { return };
    field.fill(0);
    let crc = crc32c::crc32c(packet);
    packet[SCTP_CHECKSUM_AT..SCTP_CHECKSUM_AT + 4].copy_from_slice(&crc.to_le_bytes());
}
