//! An IP packet of either family, seen as what a router and its NAT need of it.
//!
//! [`Packet::parse`] takes what arrives: header and lengths have to be sound, as `ip_rcv` and `ip6_rcv` demand.
//! [`Packet::quoted`] takes what an ICMP error quotes: the beginning of a packet that somebody else has had, cut off
//! anywhere behind its header, whose checksum is nobody's business (E5). Both say where the transport header starts, so
//! that whoever edits the bytes afterwards need not walk the extension headers again.

use std::net::IpAddr;

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::checksum;

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

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
/// More extension headers than any sender uses; a bound on the work a hostile packet makes.
const EXTENSIONS_MAX: usize = 8;

/// Which part of a datagram a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// What all fragments of the datagram have in common (16 bits of IPv4, 32 of IPv6).
    pub id: u32,
    /// Where in the datagram it starts, in bytes.
    pub offset: u16,
    /// Others follow.
    pub more: bool,
}

/// A packet: its addresses, and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Who sent it.
    pub source: IpAddr,
    /// Whom to. Of the same family.
    pub destination: IpAddr,
    /// What it carries (IANA protocol numbers). Of a later fragment of IPv6, what the first one starts with.
    pub protocol: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class.
    pub tos: u8,
    /// IPv4: may not be fragmented. IPv6: always.
    pub dont_fragment: bool,
    /// Set if it is a fragment.
    pub fragment: Option<Fragment>,
    /// Where the transport header starts, in bytes from the start of the IP header.
    pub transport: usize,
    /// The transport header and what follows, up to the end of the packet.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet that starts with its IP header; bytes beyond its length are padding. None if it is cut off, of
    /// another version, or of an IPv4 header with a wrong checksum.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => {
                let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
                let start = header.slice().len();
                let payload = bytes.get(start..usize::from(header.total_len()))?;
                (checksum::sum(header.slice()) == 0xffff).then_some(())?;
                Some(Self::ipv4(&header, payload))
            }
            6 => {
                let header = Ipv6HeaderSlice::from_slice(bytes).ok()?;
                let start = header.slice().len();
                let payload = bytes.get(start..start + usize::from(header.payload_length()))?;
                Self::ipv6(&header, payload)
            }
            _ => None,
        }
    }

    /// Reads the beginning of a packet, as far as it goes.
    pub fn quoted(bytes: &'a [u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => {
                let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
                let start = header.slice().len();
                let end = bytes.len().min(usize::from(header.total_len()).max(start));
                Some(Self::ipv4(&header, &bytes[start..end]))
            }
            6 => {
                let header = Ipv6HeaderSlice::from_slice(bytes).ok()?;
                let start = header.slice().len();
                let end = bytes.len().min(start + usize::from(header.payload_length()));
                Self::ipv6(&header, &bytes[start..end])
            }
            _ => None,
        }
    }

    /// Whether it is of IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.source.is_ipv6()
    }

    /// How long it is, in bytes, from the IP header to the end.
    pub fn total_len(&self) -> usize {
        self.transport + self.payload.len()
    }

    /// The one's complement sum of its pseudo-header.
    pub fn pseudo_header(&self) -> u16 {
        let len = self.payload.len() as u32;
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let sum =
                    checksum::add(checksum::sum(&source.octets()), checksum::sum(&destination.octets()));
                checksum::add(sum, checksum::pseudo_header(&[], self.protocol, len))
            }
            (source, destination) => {
                let octets = |address| match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                    IpAddr::V6(address) => address.octets(),
                };
                let sum = checksum::add(checksum::sum(&octets(source)), checksum::sum(&octets(destination)));
                checksum::add(sum, checksum::pseudo_header(&[], self.protocol, len))
            }
        }
    }

    fn ipv4(header: &Ipv4HeaderSlice<'_>, payload: &'a [u8]) -> Self {
        let offset = header.fragments_offset().value() * 8;
        let more = header.more_fragments();
        let id = u32::from(header.identification());
        Self {
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            protocol: header.protocol().0,
            ttl: header.ttl(),
            tos: header.slice()[1],
            dont_fragment: header.dont_fragment(),
            fragment: (more || offset != 0).then_some(Fragment { id, offset, more }),
            transport: header.slice().len(),
            payload,
        }
    }

    fn ipv6(header: &Ipv6HeaderSlice<'_>, payload: &'a [u8]) -> Option<Self> {
        let (mut next, mut at, mut fragment) = (header.next_header().0, 0, None);
        for extensions in 0.. {
            let is_extension =
                matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS);
            if !is_extension {
                break;
            }
            let rest = payload.get(at..)?;
            let (following, len) = (*rest.first()?, usize::from(*rest.get(1)?));
            let len = match next {
                FRAGMENT => {
                    let found = read_fragment(rest)?;
                    // one header of eight zeros says "the only fragment" (RFC 6946)
                    fragment = (found.more || found.offset != 0).then_some(found);
                    8
                }
                AUTHENTICATION => (len + 2) * 4,
                _ => (len + 1) * 8,
            };
            (next, at) = (following, at + len);
            if fragment.is_some_and(|fragment| fragment.offset != 0) {
                break;
            }
            if extensions == EXTENSIONS_MAX || at > payload.len() {
                return None;
            }
        }
        Some(Self {
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            protocol: next,
            ttl: header.hop_limit(),
            tos: (header.slice()[0] << 4) | (header.slice()[1] >> 4),
            dont_fragment: true,
            fragment,
            transport: header.slice().len() + at,
            payload: payload.get(at..)?,
        })
    }
}

fn read_fragment(header: &[u8]) -> Option<Fragment> {
    let [_, _, o0, o1, i0, i1, i2, i3] = *header.first_chunk()?;
    let offset = u16::from_be_bytes([o0, o1]);
    let id = u32::from_be_bytes([i0, i1, i2, i3]);
    Some(Fragment { id, offset: offset & !7, more: offset & 1 != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4(edit: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut packet =
            vec![0x45, 0x10, 0, 24, 0, 7, 0x40, 0, 9, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4, 0];
        edit(&mut packet);
        let header = usize::from(packet[0] & 15) * 4;
        let sum = !checksum::sum(&packet[..header.min(packet.len())]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x62, 0x30, 0, 0, 0, payload.len() as u8, next, 7];
        packet.extend([1; 16]);
        packet.extend([2; 16]);
        packet.extend(payload);
        packet
    }

    #[test]
    fn ipv4_packets_are_read() {
        let bytes = ipv4(|_| {});
        let packet = Packet::parse(&bytes).expect("sound");
        assert_eq!(
            (packet.payload, packet.transport, packet.total_len()),
            (&[1, 2, 3, 4][..], 20, 24),
            "no padding"
        );
        assert_eq!((packet.protocol, packet.ttl, packet.tos, packet.dont_fragment), (17, 9, 0x10, true));
        assert_eq!(packet.fragment, None, "DF is no fragment");
        let fragment = |flags: u8, offset: u8| {
            let bytes = ipv4(|p| (p[6], p[7]) = (flags, offset));
            Packet::parse(&bytes).expect("sound").fragment
        };
        assert_eq!(fragment(0x20, 0), Some(Fragment { id: 7, offset: 0, more: true }), "the first one");
        assert_eq!(fragment(0, 3), Some(Fragment { id: 7, offset: 24, more: false }), "the last one");
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

    #[test]
    fn ipv6_extensions_are_walked() {
        let fragment = |offset, more| Some(Fragment { id: 5, offset, more });
        let table: &[(u8, &[u8], Option<(u8, usize, Option<Fragment>)>, &str)] = &[
            (17, &[1], Some((17, 40, None)), "no extension"),
            (59, &[], Some((59, 40, None)), "nothing follows"),
            (0, &[17, 0, 0, 0, 0, 0, 0, 0, 1], Some((17, 48, None)), "hop-by-hop options"),
            (0, &[17, 0, 0], None, "cut off within them"),
            (
                51,
                &[6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
                Some((6, 52, None)),
                "authentication counts in words",
            ),
            (44, &[6, 0, 0, 1, 0, 0, 0, 5, 9], Some((6, 48, fragment(0, true))), "the first fragment"),
            (
                44,
                &[0, 0, 0, 8, 0, 0, 0, 5, 9],
                Some((0, 48, fragment(8, false))),
                "behind a later one are no headers",
            ),
            (44, &[6, 0, 0, 0, 0, 0, 0, 5, 9], Some((6, 48, None)), "an atomic one is whole (RFC 6946)"),
        ];
        for (next, payload, expected, why) in table {
            let bytes = ipv6(*next, payload);
            let found = Packet::parse(&bytes).map(|p| (p.protocol, p.transport, p.fragment));
            assert_eq!(found, *expected, "{why}");
        }
        let endless: Vec<u8> = [60, 0, 0, 0, 0, 0, 0, 0].repeat(20);
        assert_eq!(Packet::parse(&ipv6(60, &endless)), None, "more headers than anybody needs");
        let bytes = ipv6(17, &[1]);
        let packet = Packet::parse(&bytes).expect("sound");
        assert_eq!((packet.ttl, packet.tos, packet.dont_fragment), (7, 0x23, true));
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
                    assert!(packet.total_len() <= bytes.len());
                }
            }
        }
    }
}
