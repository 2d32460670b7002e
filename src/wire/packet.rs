//! An IP packet of either family with what it carries: what connection tracking and NAT need of it.
//!
//! The headers are a [`Datagram`]; beside them lies the transport header with what follows. [`Packet::parse`] takes what
//! arrives, [`Packet::quoted`] what an ICMP error quotes of a packet that somebody else has had (E5).

use std::ops::Deref;

use super::datagram::Datagram;

/// Protocol numbers (IANA) that have a meaning here.
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// Generic routing encapsulation.
    pub const GRE: u8 = 47;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// No next header.
    pub const NONE: u8 = 59;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;

    /// Their names in iptables (`/etc/protocols`), and those of some that only have addresses.
    pub const NAMES: [(&str, u8); 10] = [
        ("ah", 51),
        ("esp", 50),
        ("gre", GRE),
        ("icmp", ICMP),
        ("icmpv6", ICMPV6),
        ("ipv6-icmp", ICMPV6),
        ("sctp", SCTP),
        ("tcp", TCP),
        ("udp", UDP),
        ("udplite", UDP_LITE),
    ];

    /// The number of that name, or the number itself.
    pub fn number(text: &str) -> Option<u8> {
        let named = NAMES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
        named.or_else(|| text.parse().ok())
    }
}

/// A packet: its headers, and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What its headers say.
    pub datagram: Datagram,
    /// The transport header and what follows, up to the end of the packet.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The packet that starts `bytes`, which `datagram` was read from.
    #[inline]
    pub fn of(datagram: Datagram, bytes: &'a [u8]) -> Self {
        Self { datagram, payload: datagram.payload(bytes) }
    }

    /// Reads a packet that starts with its IP header; bytes beyond its length are padding. None if it is cut off, of
    /// another version, or of an IPv4 header with a wrong checksum.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        Some(Self::of(Datagram::parse(bytes).ok()?, bytes))
    }

    /// Reads the beginning of a packet, as far as it goes.
    pub fn quoted(bytes: &'a [u8]) -> Option<Self> {
        Some(Self::of(Datagram::quoted(bytes).ok()?, bytes))
    }

    /// The one's complement sum of its pseudo-header; of ICMP over IPv4, which has none, zero.
    pub fn pseudo_header(&self) -> u16 {
        self.datagram.pseudo_header(self.payload.len())
    }
}

/// What its headers say is what is said of a packet.
impl Deref for Packet<'_> {
    type Target = Datagram;

    fn deref(&self) -> &Datagram {
        &self.datagram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum;

    fn ipv4(edit: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut packet =
            vec![0x45, 0x10, 0, 24, 0, 7, 0x40, 0, 9, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4, 0];
        edit(&mut packet);
        let header = usize::from(packet[0] & 15) * 4;
        let sum = !checksum::sum(&packet[..header.min(packet.len())]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    #[test]
    fn ipv4_packets_are_read() {
        let bytes = ipv4(|_| {});
        let packet = Packet::parse(&bytes).expect("sound");
        assert_eq!((packet.payload, packet.transport, packet.len), (&[1, 2, 3, 4][..], 20, 24), "no padding");
        assert_eq!((packet.protocol, packet.ttl, packet.tos, packet.dont_fragment), (17, 9, 0x10, true));
        assert_eq!(packet.fragment, None, "DF is no fragment");
        let fragment = |flags: u8, offset: u8| {
            let bytes = ipv4(|p| (p[6], p[7]) = (flags, offset));
            Packet::parse(&bytes).expect("sound").fragment.map(|f| (f.id, f.offset, f.more))
        };
        assert_eq!(fragment(0x20, 0), Some((7, 0, true)), "the first one");
        assert_eq!(fragment(0, 3), Some((7, 24, false)), "the last one");
        let mut bad = ipv4(|_| {});
        bad[8] += 1;
        assert_eq!(Packet::parse(&bad), None, "a wrong checksum");
        assert!(Packet::quoted(&bad).is_some(), "E5: which is not looked at in a quote");
        assert_eq!(Packet::parse(&ipv4(|p| p[3] = 26)), None, "promises more than there is");
        let cut = ipv4(|p| p[3] = 200);
        assert_eq!(Packet::quoted(&cut).expect("a quote may").payload, &[1, 2, 3, 4, 0]);
        assert_eq!(Packet::quoted(&cut[..19]), None, "but has a header");
        assert_eq!(Packet::quoted(&ipv4(|p| p[3] = 3)).map(|p| p.payload.len()), Some(0), "a silly length");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120)) {
            for version in [0x45, 0x60] {
                let mut bytes = bytes.clone();
                if let Some(first) = bytes.first_mut() {
                    *first = version | (*first & 0x0f);
                }
                let _ = Packet::parse(&bytes);
                if let Some(packet) = Packet::quoted(&bytes) {
                    assert!(packet.len <= bytes.len());
                }
            }
        }
    }
}
