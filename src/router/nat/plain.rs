//! The most ordinary packets, read in a few wide loads: TCP and UDP over IPv4 without options, whole, with a hop to spare.
//!
//! A [`Datagram`](crate::wire::datagram::Datagram) says all that can be said of a packet. Of one whose flow is known little
//! is needed: what is to be held against the flow, as it lies there ([`Key`]), and how long it is. A SYN is never plain: it
//! opens a connection, or says how long segments may be. Whatever is not plain is read as any other.

use super::track::{Invalid, Segment, Settings};
use super::tuple::Tuple;
use crate::frame::Offload;
use crate::table::Mixed;
use crate::wire::packet::protocol;
use crate::wire::tcp::Flags;
use crate::wire::{checksum, tcp, udp};

/// Bytes of its IP header.
pub const HEADER_LEN: usize = 20;
/// Where the addresses are, and behind them the ports.
const ADDRESSES_AT: usize = 12;
/// Bytes of its headers, if it is of UDP; there are no fewer.
const UDP_LEN: usize = HEADER_LEN + udp::HEADER_LEN;
/// Bytes of its headers without options, if it is of TCP.
const TCP_LEN: usize = HEADER_LEN + tcp::HEADER_LEN;
/// Where the flags of TCP are.
const FLAGS_AT: usize = HEADER_LEN + 13;

/// What the flow of a plain packet is known by: its bytes in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key {
    addresses: u64,
    ports: u32,
    protocol: u8,
}

impl Key {
    /// What the plain packets of that tuple have; `None` if it has none.
    pub fn of(tuple: &Tuple) -> Option<Self> {
        if tuple.ipv6 || !matches!(tuple.protocol, protocol::TCP | protocol::UDP) {
            return None;
        }
        let (mut addresses, mut ports) = ([0; 8], [0; 4]);
        addresses[..4].copy_from_slice(tuple.source.bytes(false));
        addresses[4..].copy_from_slice(tuple.destination.bytes(false));
        ports[..2].copy_from_slice(&tuple.source_port.to_be_bytes());
        ports[2..].copy_from_slice(&tuple.destination_port.to_be_bytes());
        Some(Self {
            addresses: u64::from_ne_bytes(addresses),
            ports: u32::from_ne_bytes(ports),
            protocol: tuple.protocol,
        })
    }

    /// Source and destination.
    #[inline]
    pub fn addresses(&self) -> [u8; 8] {
        self.addresses.to_ne_bytes()
    }

    /// The port it is from, and that it is to.
    #[inline]
    pub fn ports(&self) -> [u8; 4] {
        self.ports.to_ne_bytes()
    }

    /// The same in short.
    #[inline]
    pub fn mixed(&self) -> Mixed {
        Mixed::of(self.addresses, u64::from(self.ports) << 8 | u64::from(self.protocol))
    }
}

/// A plain packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<'a> {
    /// What its flow is known by.
    pub key: Key,
    /// Its bytes, without padding.
    pub bytes: &'a [u8],
    /// Whether its transport checksum is yet to be made (V9).
    pub partial: bool,
}

impl<'a> Plain<'a> {
    /// Reads a packet, which starts at byte `payload` of its frame; `None` if it is not plain.
    #[inline]
    pub fn read(packet: &'a [u8], payload: usize, offload: &Offload) -> Option<Self> {
        let head = packet.first_chunk::<UDP_LEN>()?;
        let [first, _, l0, l1, _, _, flags, offset, ttl, proto, ..] = *head;
        let (addresses, rest) = head[ADDRESSES_AT..].split_first_chunk()?;
        let ports = rest.first_chunk()?;
        // more fragments, or not the first
        let is_piece = flags & 0x3f != 0 || offset != 0;
        if first != 0x45 || is_piece || ttl <= 1 {
            return None;
        }
        let bytes = packet.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
        let (words, _) = head[..HEADER_LEN].as_chunks::<4>();
        let sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
        // minus zero of one's complement; it is not zero, because of the version
        if !sum.is_multiple_of(0xffff) {
            return None;
        }
        let checksum_at = match proto {
            protocol::TCP if bytes.len() >= TCP_LEN && bytes[FLAGS_AT] & Flags::SYN == 0 => tcp::CHECKSUM_AT,
            protocol::UDP if bytes.len() >= UDP_LEN => udp::CHECKSUM_AT,
            _ => return None,
        };
        let is_own = usize::from(offload.csum_start) == payload + HEADER_LEN
            && usize::from(offload.csum_offset) == checksum_at;
        if offload.needs_csum && !is_own {
            return None;
        }
        let key = Key {
            addresses: u64::from_ne_bytes(*addresses),
            ports: u32::from_ne_bytes(*ports),
            protocol: proto,
        };
        Some(Self { key, bytes, partial: offload.needs_csum })
    }

    /// Reads its transport header, as [`Segment::read`].
    #[inline]
    pub fn segment(&self, settings: &Settings) -> Result<Segment<'a>, Invalid> {
        let (protocol, segment) = (self.key.protocol, &self.bytes[HEADER_LEN..]);
        let pseudo = || checksum::pseudo_header(&self.key.addresses(), protocol, segment.len() as u32);
        Segment::of(protocol, segment, pseudo, self.partial, settings)
    }

    /// Its protocol (IANA number): TCP or UDP.
    #[inline]
    pub fn protocol(&self) -> u8 {
        self.key.protocol
    }
}
