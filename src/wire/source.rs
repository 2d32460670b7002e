//! Which addresses a frame claims as its sender's.
//!
//! A frame may claim several, in several places: ARP carries addresses of both sorts, IPv4 and IPv6 a source,
//! and neighbour discovery link-layer addresses and a target within IPv6. [`Claim::read`] finds them all, for
//! a guard to compare with what the sender may use.
//!
//! It reads as a receiver that is easily fooled would: through further VLAN tags, the SNAP form of an
//! EtherType, and IPv6 extension headers, behind all of which a spoofed address could hide from a reader who
//! stops at the first header (RFC 7113). What it cannot follow is [`Unreadable`], never harmless: a packet
//! cut off before its source address, more headers than anybody needs, neighbour discovery that no receiver
//! should accept (malformed, or in fragments, RFC 6980), a first fragment that ends before its transport
//! header (RFC 7112). Later fragments carry no claims but their IP header's. Tunnels are not looked into.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::arp::{self, Arp};
use super::ndp::{self, Ndp};

/// How many headers are looked at, one in another, be they VLAN tags and SNAP or IPv6's extensions: seven,
/// and what they lead to.
const NESTED_MAX: usize = 8;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// The first value of the field that is an EtherType; a length below.
const ETHER_TYPE_MIN: u16 = 1536;

/// Extension headers of IPv6 (IANA's list); of the others, the payload starts there.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

const UDP: u8 = 17;

/// What a frame says about who sent it, beside its Ethernet source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A packet of ARP or RARP.
    Arp(Arp),
    /// A packet of IPv4.
    Ipv4 {
        /// The source address.
        source: Ipv4Addr,
        /// It is a DHCP client's broadcast: to 255.255.255.255, UDP from port 68 to 67, not in fragments.
        dhcp: bool,
    },
    /// A packet of IPv6 that is not neighbour discovery.
    Ipv6 {
        /// The source address.
        source: Ipv6Addr,
        /// It is multicast listener discovery (RFC 3810), which is sent before there is an address.
        listener: bool,
    },
    /// Neighbour discovery.
    Ndp(Ndp),
    /// No address of a network layer.
    Nothing,
}

/// The frame claims something that cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Claim {
    /// Reads what follows the EtherType.
    pub fn read(ether_type: u16, payload: &[u8]) -> Result<Self, Unreadable> {
        let (mut ether_type, mut payload) = (ether_type, payload);
        for _ in 0..NESTED_MAX {
            (ether_type, payload) = match (ether_type, payload) {
                (arp::ETHER_TYPE | arp::ETHER_TYPE_RARP, _) => {
                    return Arp::parse(payload).map(Self::Arp).ok_or(Unreadable);
                }
                (IPV4, _) => return ipv4(payload),
                (IPV6, _) => return ipv6(payload),
                // 802.1Q, 802.1ad, and the tag that came before that
                (0x8100 | 0x88a8 | 0x9100, &[_, _, high, low, ref rest @ ..]) => {
                    (u16::from_be_bytes([high, low]), rest)
                }
                (..ETHER_TYPE_MIN, &[0xaa, 0xaa, 3, 0, 0, 0, high, low, ref rest @ ..]) => {
                    (u16::from_be_bytes([high, low]), rest)
                }
                _ => return Ok(Self::Nothing),
            }
        }
        Err(Unreadable)
    }
}

/// The IPv6 packet's neighbour discovery, if its first header behind IPv6's own is ICMPv6: as the kernel's
/// bridge looks for it (B83).
pub fn plain_ndp(packet: &[u8]) -> Option<(Ndp, &[u8])> {
    let ip = Ipv6::parse(packet)?;
    let icmp = ip.whole.then_some(ip.payload).filter(|_| ip.next == ndp::ICMPV6)?;
    let ndp = Ndp::parse(ip.source, ip.destination, ip.hop_limit, icmp).ok()??;
    Some((ndp, icmp))
}

fn ipv4(packet: &[u8]) -> Result<Claim, Unreadable> {
    let header: &[u8; 20] = packet.first_chunk().ok_or(Unreadable)?;
    let header_len = usize::from(header[0] & 0xf) * 4;
    if header[0] >> 4 != 4 || header_len < header.len() {
        return Err(Unreadable);
    }
    let source = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    // more fragments, or an offset
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
    let ports = packet.get(header_len..).and_then(|transport| transport.first_chunk());
    let dhcp = header[9] == UDP && !fragment && header[16..20] == [255; 4] && ports == Some(&[0, 68, 0, 67]);
    Ok(Claim::Ipv4 { source, dhcp })
}

fn ipv6(packet: &[u8]) -> Result<Claim, Unreadable> {
    let ip = Ipv6::parse(packet).ok_or(Unreadable)?;
    let Ipv6 { source, destination, hop_limit, .. } = ip;
    let Upper::At { protocol, fragment, bytes } = upper_layer(ip.next, ip.payload)? else {
        return Ok(Claim::Ipv6 { source, listener: false });
    };
    if protocol != ndp::ICMPV6 {
        return Ok(Claim::Ipv6 { source, listener: false });
    }
    // the type cannot be seen: it may be anything
    let kind = *bytes.first().ok_or(Unreadable)?;
    match Ndp::parse(source, destination, hop_limit, bytes) {
        Ok(Some(ndp)) if ip.whole && !fragment => Ok(Claim::Ndp(ndp)),
        Ok(None) => Ok(Claim::Ipv6 { source, listener: matches!(kind, 131 | 132 | 143) }),
        _ => Err(Unreadable),
    }
}

/// An IPv6 header.
struct Ipv6<'a> {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    next: u8,
    /// Without what pads the frame.
    payload: &'a [u8],
    /// All of the payload is there.
    whole: bool,
}

impl<'a> Ipv6<'a> {
    fn parse(packet: &'a [u8]) -> Option<Self> {
        let (header, rest) = packet.split_first_chunk::<40>()?;
        let address = |at: usize| {
            let bytes: Option<[u8; 16]> = header.get(at..at + 16).and_then(|bytes| bytes.try_into().ok());
            bytes.map(Ipv6Addr::from)
        };
        if header[0] >> 4 != 6 {
            return None;
        }
        // zero is a jumbogram, or a frame that is yet to be segmented: all there is
        let len = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
            0 => rest.len(),
            len => len,
        };
        Some(Self {
            source: address(8)?,
            destination: address(24)?,
            hop_limit: header[7],
            next: header[6],
            payload: &rest[..len.min(rest.len())],
            whole: len <= rest.len(),
        })
    }
}

/// Where the extension headers end.
enum Upper<'a> {
    /// There, in one piece or in the first of several.
    At { protocol: u8, fragment: bool, bytes: &'a [u8] },
    /// In another packet: this is a later fragment.
    Elsewhere,
}

fn upper_layer(next: u8, payload: &[u8]) -> Result<Upper<'_>, Unreadable> {
    let (mut protocol, mut bytes, mut fragment) = (next, payload, false);
    for _ in 0..NESTED_MAX {
        // the next header's number and this one's length stand in front, where the length is not known anyway
        let field = |at: usize| bytes.get(at).copied().map(usize::from).ok_or(Unreadable);
        let len = match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HOST_IDENTITY | SHIM6 => {
                (field(1)? + 1) * 8
            }
            AUTHENTICATION => (field(1)? + 2) * 4,
            FRAGMENT => {
                fragment = true;
                if (field(2)? << 8 | field(3)?) >> 3 != 0 {
                    return Ok(Upper::Elsewhere);
                }
                8
            }
            _ => return Ok(Upper::At { protocol, fragment, bytes }),
        };
        protocol = bytes[0];
        bytes = bytes.get(len..).ok_or(Unreadable)?;
    }
    Err(Unreadable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::mac::Mac;

    const A: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const B: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 2);

    fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next, 255];
        packet.extend([A.octets(), B.octets()].concat());
        [&packet[..], payload].concat()
    }

    fn v4(protocol: u8, to: [u8; 4], fragment: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = [0; 20];
        (packet[0], packet[9]) = (0x45, protocol);
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        packet[16..20].copy_from_slice(&to);
        [&packet[..], payload].concat()
    }

    fn solicitation() -> Vec<u8> {
        let mut icmp = vec![135, 0, 0, 0, 0, 0, 0, 0];
        icmp.extend(A.octets());
        icmp
    }

    #[test]
    fn through_whatever_it_is_wrapped_in() {
        let v4 = v4(17, [255; 4], 0, &[0, 68, 0, 67]);
        let claim = Ok(Claim::Ipv4 { source: Ipv4Addr::UNSPECIFIED, dhcp: true });
        let tagged =
            |times: usize| [[0, 7, 0x81, 0].repeat(times - 1), vec![0, 7, 8, 0], v4.clone()].concat();
        let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4[..]].concat();
        let table = [
            (0x0800, v4.clone(), claim, "as it is"),
            (0x8100, tagged(1), claim, "behind a second tag"),
            (0x88a8, tagged(7), claim, "behind many"),
            (0x8100, tagged(8), Err(Unreadable), "behind more than anybody needs"),
            (32, snap, claim, "as SNAP writes an EtherType (RFC 1042)"),
            (38, vec![0x42, 0x42, 3], Ok(Claim::Nothing), "a BPDU"),
            (0x88cc, vec![], Ok(Claim::Nothing), "LLDP"),
            (0x8100, vec![0, 1], Ok(Claim::Nothing), "a tag and no more: nobody reads that"),
            (0x0806, vec![0; 27], Err(Unreadable), "ARP cut off"),
        ];
        for (ether_type, payload, expected, why) in table {
            assert_eq!(Claim::read(ether_type, &payload), expected, "{why}");
        }
    }

    #[test]
    fn ipv4_packets() {
        let ports = [0, 68, 0, 67];
        let mut short_header = v4(17, [255; 4], 0, &ports);
        short_header[0] = 0x44;
        let table = [
            (v4(17, [255; 4], 0, &ports), Some(true), "a DHCP client"),
            (v4(17, [255; 4], 0x4000, &ports), Some(true), "that forbids fragments"),
            (v4(17, [255; 4], 0x2000, &ports), Some(false), "in fragments"),
            (v4(17, [255; 4], 1, &ports), Some(false), "a later fragment has no ports"),
            (v4(17, [192, 0, 2, 1], 0, &ports), Some(false), "to one server"),
            (v4(6, [255; 4], 0, &ports), Some(false), "TCP"),
            (v4(17, [255; 4], 0, &[0, 67, 0, 68]), Some(false), "a server"),
            (v4(17, [255; 4], 0, &[0, 68]), Some(false), "cut off before the ports"),
            (short_header, None, "a header shorter than itself"),
            (v4(17, [255; 4], 0, &[])[..19].to_vec(), None, "cut off"),
            (v6(59, &[]), None, "IPv6 under IPv4's EtherType"),
        ];
        for (packet, dhcp, why) in table {
            let source = Ipv4Addr::UNSPECIFIED;
            let expected = dhcp.map(|dhcp| Claim::Ipv4 { source, dhcp }).ok_or(Unreadable);
            assert_eq!(Claim::read(IPV4, &packet), expected, "{why}");
        }
    }

    #[test]
    fn neighbour_discovery_does_not_hide() {
        let hidden = |header: &[u8]| [header, &solicitation()].concat();
        let options = [58, 0, 0, 0, 0, 0, 0, 0];
        let chain = [[60, 0, 0, 0, 0, 0, 0, 0].repeat(7), options.to_vec()].concat();
        let fragment =
            |offset_and_more: u8, offset_high: u8| [58, 0, offset_high, offset_and_more, 0, 0, 0, 9];
        let table = [
            (58, solicitation(), Some(true), "in the open"),
            (0, hidden(&options), Some(true), "behind hop-by-hop options"),
            (43, hidden(&options), Some(true), "behind a routing header"),
            (51, hidden(&options), Some(true), "behind an authentication header"),
            (60, hidden(&chain), None, "behind more headers than are looked at"),
            (60, hidden(&chain[8..]), Some(true), "behind one less"),
            (44, hidden(&fragment(1, 0)), None, "RFC 6980: in the first fragment"),
            (44, hidden(&fragment(0, 0)), None, "RFC 6980: and even in the only one"),
            (44, hidden(&fragment(8, 0)), Some(false), "a later fragment says nothing"),
            (44, hidden(&fragment(0, 1)), Some(false), "however far"),
            (44, fragment(1, 0).to_vec(), None, "RFC 7112: a first fragment without its ICMPv6"),
            (60, vec![58, 9, 0, 0, 0, 0, 0, 0], None, "a header longer than the packet"),
            (60, vec![58], None, "half a header"),
            (58, vec![], None, "ICMPv6 of no type"),
            (58, solicitation()[..20].to_vec(), None, "a malformed solicitation"),
            (17, solicitation(), Some(false), "UDP"),
            (58, vec![128, 0, 0, 0], Some(false), "an echo request"),
        ];
        for (next, payload, found, why) in table {
            let read = Claim::read(IPV6, &v6(next, &payload)).ok();
            assert_eq!(read.map(|claim| matches!(claim, Claim::Ndp(_))), found, "{why}");
        }
        let report = Claim::read(IPV6, &v6(0, &[&options[..], &[143, 0, 0, 0]].concat()));
        assert_eq!(report, Ok(Claim::Ipv6 { source: A, listener: true }), "an MLDv2 report");
    }

    #[test]
    fn padding_is_no_option_and_cut_off_is_cut_off() {
        let packet = v6(58, &solicitation());
        let padded = [&packet[..], &[0; 9]].concat();
        assert!(plain_ndp(&padded).is_some_and(|(_, icmp)| icmp.len() == 24));
        let mut longer = packet;
        longer[5] += 8;
        assert!(plain_ndp(&longer).is_none());
        assert_eq!(Claim::read(IPV6, &longer), Err(Unreadable));
    }

    proptest! {
        /// Frames that were sound, with bytes changed, inserted and cut off.
        #[test]
        fn no_bytes_are_too_strange(
            which in 0..4_usize,
            edits in prop::collection::vec((0..100_usize, any::<u8>()), 0..8),
            end in 0..120_usize,
        ) {
            let advertisement = ndp::advertisement(A, Mac([2; 6]), false, B);
            let headers = [44, 0, 0, 0, 0, 0, 0, 0, 58, 0, 0, 0, 0, 0, 0, 1];
            let wrapped = v6(0, &[&headers[..], &solicitation()].concat());
            let dhcp = v4(17, [255; 4], 0, &[0, 68, 0, 67]);
            let sound = [dhcp, advertisement.to_vec(), wrapped, vec![0, 7, 8, 6]];
            let mut bytes = sound[which].clone();
            for (at, value) in edits {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            bytes.truncate(end);
            for ether_type in [0x0800, 0x86dd, 0x0806, 0x8035, 0x8100, 40] {
                let _ = Claim::read(ether_type, &bytes);
            }
            let _ = plain_ndp(&bytes);
        }
    }
}
