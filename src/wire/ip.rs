//! IPv4 and IPv6 headers, as far as a bridge that snoops has to walk them.
//!
//! A bridge looks at these of every frame to a group, and the kernel drops what is not sound (`ip_mc_check_iphdr` in
//! net/ipv4/igmp.c, `ipv6_mc_check_ip6hdr` in net/ipv6/mcast_snoop.c): hence parsing says sound or not, no more.
//! Nothing here cares for TTLs, hop limits or fragments, because the kernel does not.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::checksum;

/// The EtherType of IPv4.
pub const ETHER_TYPE_IPV4: u16 = 0x0800;
/// The EtherType of IPv6.
pub const ETHER_TYPE_IPV6: u16 = 0x86dd;

/// The next header of IPv6 hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT_HEADER: u8 = 59;
const DESTINATION_OPTIONS: u8 = 60;

/// A sound IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4<'a> {
    /// Who sent it.
    pub source: Ipv4Addr,
    /// Whom to.
    pub destination: Ipv4Addr,
    /// What is in it (IANA protocol numbers).
    pub protocol: u8,
    /// What is behind the header and its options, up to the total length.
    pub payload: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// Reads a packet; bytes beyond its total length are padding. None if the header is cut off, of another version,
    /// has a wrong checksum or promises more bytes than there are.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let header = Ipv4HeaderSlice::from_slice(packet).ok()?;
        let start = header.slice().len();
        let payload = packet.get(start..usize::from(header.total_len()))?;
        (checksum::sum(header.slice()) == 0xffff).then_some(())?;
        let (source, destination) = (header.source_addr(), header.destination_addr());
        Some(Self { source, destination, protocol: header.protocol().0, payload })
    }
}

/// A sound IPv6 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6<'a> {
    /// Who sent it.
    pub source: Ipv6Addr,
    /// Whom to.
    pub destination: Ipv6Addr,
    /// What the payload starts with.
    pub next_header: u8,
    /// What is behind the fixed header, up to the payload length.
    pub payload: &'a [u8],
}

impl<'a> Ipv6<'a> {
    /// Reads a packet; bytes beyond its payload length are padding. None if the header is cut off, of another version,
    /// or promises nothing at all or more than there is.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let header = Ipv6HeaderSlice::from_slice(packet).ok()?;
        let start = header.slice().len();
        let payload = packet.get(start..start + usize::from(header.payload_length()))?;
        (!payload.is_empty()).then_some(())?;
        let (source, destination) = (header.source_addr(), header.destination_addr());
        Some(Self { source, destination, next_header: header.next_header().0, payload })
    }

    /// Walks over the extension headers: what is behind them, and its protocol. None if they are cut off or say that
    /// nothing follows. A later fragment has no transport header: its protocol is then that of the fragment header.
    pub fn transport(&self) -> Option<(u8, &'a [u8])> {
        let (mut next, mut rest) = (self.next_header, self.payload);
        loop {
            let len = match next {
                NO_NEXT_HEADER => return None,
                HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => (usize::from(*rest.get(1)?) + 1) * 8,
                FRAGMENT if rest.get(2..4)? != [0, 0] && is_later_fragment(rest) => {
                    return Some((next, rest));
                }
                FRAGMENT => 8,
                AUTHENTICATION => (usize::from(*rest.get(1)?) + 2) * 4,
                _ => return Some((next, rest)),
            };
            next = rest[0];
            rest = rest.get(len..)?;
        }
    }
}

fn is_later_fragment(header: &[u8]) -> bool {
    u16::from_be_bytes([header[2], header[3]]) & !7 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4(edit: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut packet =
            vec![0x45, 0, 0, 24, 0, 0, 0, 0, 1, 2, 0, 0, 10, 0, 0, 1, 224, 0, 0, 1, 1, 2, 3, 4, 0, 0];
        edit(&mut packet);
        let header = usize::from(packet[0] & 15) * 4;
        let sum = !checksum::sum(&packet[..header.min(packet.len())]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    #[test]
    fn ipv4_is_sound_or_not() {
        let payload = |packet: &[u8]| Ipv4::parse(packet).map(|ip| ip.payload.to_vec());
        assert_eq!(payload(&ipv4(|_| {})), Some(vec![1, 2, 3, 4]), "padding is cut off");
        assert_eq!(payload(&ipv4(|p| p[0] = 0x65)), None, "another version");
        assert_eq!(payload(&ipv4(|p| p[0] = 0x44)), None, "a header of 16 bytes");
        assert_eq!(payload(&ipv4(|p| p[3] = 27)), None, "promises more than there is");
        assert_eq!(payload(&ipv4(|p| p[3] = 19)), None, "shorter than its own header");
        assert_eq!(payload(&ipv4(|p| p[0] = 0x46)), Some(vec![]), "options are no payload");
        let mut bad = ipv4(|_| {});
        bad[8] += 1;
        assert_eq!(payload(&bad), None, "B70: the kernel sums the header of every packet to a group");
        assert_eq!(payload(&ipv4(|_| {})[..19]), None, "cut off");
    }

    #[test]
    fn ipv6_extension_headers_are_walked() {
        let packet = |next: u8, payload: &[u8]| {
            let mut packet = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next, 1];
            packet.extend([0; 32]);
            packet.extend(payload);
            packet
        };
        let walk = |next, payload: &[u8]| {
            Ipv6::parse(&packet(next, payload)).map(|ip| ip.transport().map(|(p, rest)| (p, rest.len())))
        };
        let options = [58, 0, 5, 2, 0, 0, 0, 0, 130, 0];
        let table: &[(u8, &[u8], Option<Option<(u8, usize)>>, &str)] = &[
            (58, &[1, 2], Some(Some((58, 2))), "no extension"),
            (0, &options, Some(Some((58, 2))), "hop-by-hop options"),
            (0, &options[..7], Some(None), "cut off within them"),
            (0, &options[..1], Some(None), "not even their length"),
            (0, &[59, 0, 0, 0, 0, 0, 0, 0], Some(None), "nothing follows"),
            (44, &[58, 0, 0, 1, 0, 0, 0, 0, 9], Some(Some((58, 1))), "the first fragment"),
            (44, &[58, 0, 0, 9, 0, 0, 0, 0, 9], Some(Some((44, 9))), "a later one has no transport header"),
            (
                51,
                &[58, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
                Some(Some((58, 1))),
                "authentication counts in words",
            ),
            (58, &[], None, "the kernel takes an empty payload for unsound"),
        ];
        for (next, payload, expected, why) in table {
            assert_eq!(walk(*next, payload), *expected, "{why}");
        }
    }
}
