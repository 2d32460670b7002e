//! The tuple of a packet: what a flow is known by (N8).
//!
//! Addresses, protocol, and two numbers whose meaning depends on the protocol: ports; for ICMP the identifier, and type
//! and code; for GRE the call of PPTP; for everything else nothing. Both families are one: an address is 16 bytes, of
//! IPv4 in the mapped form, and a flag keeps a mapped address apart from IPv6 packets that carry such addresses.
//!
//! [`Tuple::inverted`] is what replies look like. A flow that is translated has two tuples, original and reply, that
//! are not each other's inverse; all of NAT follows from that pair.

use std::net::{IpAddr, Ipv6Addr};

use crate::table::{Mixed, Sip, Words};
use crate::wire::icmp::{self, Icmp};
use crate::wire::packet::{Packet, protocol};

/// Which way a packet of a flow goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// As the first packet.
    Original,
    /// Back.
    Reply,
}

impl Direction {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Original => Self::Reply,
            Self::Reply => Self::Original,
        }
    }
}

/// An address of either family in one form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 16]);

impl Address {
    /// The address as a number: addresses of one family are in their order.
    pub const fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    fn words(self) -> [u64; 2] {
        let number = self.number();
        [(number >> 64) as u64, number as u64]
    }

    /// Its last four bytes: all of an IPv4 address.
    fn last_word(self) -> u64 {
        u64::from(self.number() as u32)
    }

    /// The address of that number.
    pub const fn from_number(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// The bytes as they stand in a header of that family.
    pub fn bytes(&self, ipv6: bool) -> &[u8] {
        if ipv6 { &self.0 } else { &self.0[12..] }
    }

    /// The address, of that family.
    pub fn ip(self, ipv6: bool) -> IpAddr {
        let address = Ipv6Addr::from(self.0);
        match address.to_ipv4_mapped() {
            Some(address) if !ipv6 => address.into(),
            _ => address.into(),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().octets()),
            IpAddr::V6(address) => Self(address.octets()),
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.ip(false))
    }
}

/// What a packet's flow is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Who sends.
    pub source: Address,
    /// Who receives.
    pub destination: Address,
    /// The port it is sent from; the identifier of ICMP.
    pub source_port: u16,
    /// The port it is sent to; type (high byte) and code of ICMP; the call of PPTP's GRE.
    pub destination_port: u16,
    /// The protocol (IANA number).
    pub protocol: u8,
    /// Of IPv6, not IPv4.
    pub ipv6: bool,
}

impl Tuple {
    /// The tuple of a packet; None if its transport header is not there, so that nothing can be followed. Fragments
    /// have none: they are put together before (N50).
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        if packet.fragment.is_some() { None } else { Self::quoted(packet) }
    }

    /// What the tuple is if the packet is of the most ordinary kind and sound: TCP or UDP over IPv4 without options.
    pub fn guess(packet: &[u8]) -> Option<Self> {
        let header = packet.first_chunk::<24>()?;
        let [0x45, .., protocol::TCP | protocol::UDP, _, _, a, b, c, d, e, f, g, h, s0, s1, d0, d1] = *header
        else {
            return None;
        };
        Some(Self {
            source: IpAddr::from([a, b, c, d]).into(),
            destination: IpAddr::from([e, f, g, h]).into(),
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
            protocol: header[9],
            ipv6: false,
        })
    }

    /// The tuple of a packet that an error quotes: of its first piece, too (E3).
    pub fn quoted(packet: &Packet<'_>) -> Option<Self> {
        if packet.is_later_fragment() {
            return None;
        }
        let ports =
            |at: usize| Some(u16::from_be_bytes([*packet.payload.get(at)?, *packet.payload.get(at + 1)?]));
        let (source_port, destination_port) = match packet.protocol {
            protocol::TCP | protocol::UDP | protocol::UDP_LITE | protocol::SCTP => (ports(0)?, ports(2)?),
            protocol::ICMP | protocol::ICMPV6 => {
                let icmp = Icmp::parse(packet.payload)?;
                (icmp.id(), u16::from_be_bytes([icmp.kind, icmp.code]))
            }
            // version 1 is PPTP's, whose key is a length and a call
            protocol::GRE if ports(0)? & 7 == 1 => (0, ports(6)?),
            _ => (0, 0),
        };
        Some(Self {
            source: packet.source.into(),
            destination: packet.destination.into(),
            source_port,
            destination_port,
            protocol: packet.protocol,
            ipv6: packet.is_ipv6(),
        })
    }

    /// What a reply looks like; None if there is none, as of ICMP messages that ask nothing.
    pub fn inverted(&self) -> Option<Self> {
        let (source_port, destination_port) = if self.is_icmp() {
            let [kind, code] = self.destination_port.to_be_bytes();
            let kind = icmp::inverse(self.protocol, kind)?;
            (self.source_port, u16::from_be_bytes([kind, code]))
        } else {
            (self.destination_port, self.source_port)
        };
        let (source, destination) = (self.destination, self.source);
        Some(Self { source, destination, source_port, destination_port, ..*self })
    }

    /// Whether it is of ICMP, of either family.
    pub fn is_icmp(&self) -> bool {
        matches!(self.protocol, protocol::ICMP | protocol::ICMPV6)
    }

    /// Whether it has ports that NAT may change.
    pub fn has_ports(&self) -> bool {
        matches!(self.protocol, protocol::TCP | protocol::UDP | protocol::UDP_LITE | protocol::SCTP)
    }

    /// The same in short, for hints.
    #[inline]
    pub fn mixed(&self) -> Mixed {
        let (source, destination) = (self.source.number(), self.destination.number());
        let rest = u64::from(self.source_port) << 32
            | u64::from(self.destination_port) << 16
            | u64::from(self.protocol) << 8
            | u64::from(self.ipv6);
        Mixed::of(source as u64, destination as u64)
            .and((source ^ destination >> 32) as u64 ^ (source >> 64) as u64, rest)
    }

    /// Its hash. Of IPv4, what is the same for all addresses is left out.
    #[inline]
    pub fn hash(&self, sip: &Sip) -> u64 {
        let rest = u64::from(self.protocol) << 32
            | u64::from(self.destination_port) << 16
            | u64::from(self.source_port);
        match self.ipv6 {
            false => {
                let addresses = self.destination.last_word() << 32 | self.source.last_word();
                sip.hash(Words { whole: [addresses], rest, rest_len: 5 })
            }
            true => {
                let ([a, b], [c, d]) = (self.source.words(), self.destination.words());
                sip.hash(Words { whole: [a, b, c, d], rest, rest_len: 5 })
            }
        }
    }

    /// Where it comes from (P2).
    #[inline]
    pub fn source(&self) -> Endpoint {
        let Self { source, source_port, protocol, ipv6, .. } = *self;
        Endpoint { address: source, port: source_port, protocol, ipv6 }
    }

    /// Where it goes to. Of ICMP, the identifier counts.
    #[inline]
    pub fn destination(&self) -> Endpoint {
        let port = if self.is_icmp() { self.source_port } else { self.destination_port };
        Endpoint { address: self.destination, port, protocol: self.protocol, ipv6: self.ipv6 }
    }
}

/// One end of a flow: address, protocol and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    address: Address,
    port: u16,
    protocol: u8,
    ipv6: bool,
}

impl Endpoint {
    /// Its hash, as [`Tuple::hash`].
    #[inline]
    pub fn hash(&self, sip: &Sip) -> u64 {
        let rest = u64::from(self.protocol) << 16 | u64::from(self.port);
        match self.ipv6 {
            false => sip.hash(Words { whole: [], rest: rest << 32 | self.address.last_word(), rest_len: 7 }),
            true => sip.hash(Words { whole: self.address.words(), rest, rest_len: 3 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::datagram::{Builder, Datagram};

    #[test]
    fn tuples_say_what_n8_says() {
        let table: &[(u8, &[u8], Option<(u16, u16)>, &str)] = &[
            (6, &[0, 80, 4, 1], Some((80, 1025)), "ports, however little else there is"),
            (17, &[0, 53, 4], None, "not even ports"),
            (136, &[0, 53, 4, 1], Some((53, 1025)), "UDP-Lite as UDP"),
            (132, &[0, 53, 4, 1], Some((53, 1025)), "SCTP"),
            (1, &[8, 2, 0, 0, 0x12, 0x34, 0, 1], Some((0x1234, 0x0802)), "identifier, type and code"),
            (1, &[8, 0, 0, 0, 0x12, 0x34, 0], None, "cut off"),
            (47, &[0, 0, 8, 0], Some((0, 0)), "GRE has one flow per pair of hosts"),
            (47, &[0x30, 1, 0x88, 0x0b, 0, 4, 0, 9], Some((0, 9)), "PPTP's has one per call"),
            (99, &[1, 2, 3, 4], Some((0, 0)), "N8: others have addresses only"),
        ];
        for (protocol, payload, expected, why) in table {
            let tuple = Tuple::of(&packet(*protocol, payload));
            assert_eq!(tuple.map(|tuple| (tuple.source_port, tuple.destination_port)), *expected, "{why}");
        }
    }

    #[test]
    fn the_inverse_is_what_a_reply_has() {
        let tuple = Tuple::of(&packet(6, &[0, 80, 4, 1])).expect("ports");
        let reply = tuple.inverted().expect("TCP replies");
        assert_eq!((reply.source, reply.source_port), (tuple.destination, tuple.destination_port));
        assert_eq!(reply.inverted(), Some(tuple));
        let echo = Tuple::of(&packet(1, &[8, 0, 0, 0, 0, 7, 0, 1])).expect("an id");
        let reply = echo.inverted().expect("an echo is answered");
        assert_eq!(
            (reply.source_port, reply.destination_port),
            (7, 0),
            "U4: the identifier stays where it is"
        );
        let unreachable = Tuple::of(&packet(1, &[3, 1, 0, 0, 0, 0, 0, 0])).expect("a tuple");
        assert_eq!(unreachable.inverted(), None, "an error is not answered");
    }

    #[test]
    fn families_are_apart() {
        let v4: IpAddr = "10.0.0.1".parse().expect("an address");
        let v6: IpAddr = "::ffff:10.0.0.1".parse().expect("an address");
        assert_eq!(Address::from(v4), Address::from(v6), "one form");
        assert_eq!((Address::from(v4).ip(false), Address::from(v6).ip(true)), (v4, v6), "back again");
        let four = Tuple::of(&packet(6, &[0; 4])).expect("ports");
        let six = Tuple { ipv6: true, ..four };
        assert_ne!(four, six, "and a flag");
        let sip = Sip::new([1, 2]);
        assert_ne!(four.hash(&sip), six.hash(&sip), "which counts");
        assert_ne!(four.source().hash(&sip), six.source().hash(&sip), "here, too");
    }

    fn packet(protocol: u8, payload: &[u8]) -> Packet<'_> {
        let header = Builder {
            source: "10.0.0.1".parse().expect("an address"),
            destination: "10.0.0.2".parse().expect("an address"),
            protocol,
            tos: 0,
            ttl: 64,
            id: 0,
            dont_fragment: false,
        };
        let mut bytes = [&[0; 20], payload].concat();
        header.write(&mut bytes);
        let datagram = Datagram::parse(&bytes).expect("a header");
        Packet { datagram, payload }
    }
}
