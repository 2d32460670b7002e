//! IP packets as a router meets them: IPv4 and IPv6 read into one [`Datagram`].
//!
//! What differs between the two is read away here: hop limit and TTL are one field, the fragment header of IPv6 and
//! the fragment fields of IPv4 are one [`Fragment`], and IPv6 counts as "do not fragment" (RFC 8200 §5). Extension
//! headers are walked once. The checks are those of `ip_rcv_core` and `ip6_rcv_core`: version, lengths, the header
//! checksum of IPv4 (never left to the hardware, V11). Padding behind the packet is cut off by `len`.
//!
//! Nothing here judges addresses, and nothing looks into the transport header, which a later fragment does not have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum;
use super::ip::HOP_BY_HOP;

/// ICMP.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMPv6.
pub const ICMPV6: u8 = 58;
/// The next header of an IPv6 packet that has nothing behind its headers.
pub const NO_NEXT_HEADER: u8 = 59;
/// Bytes of an IPv4 header without options.
pub const IPV4_LEN: usize = 20;
/// Bytes of the fixed header of IPv6.
pub const IPV6_LEN: usize = 40;
/// The next header of an IPv6 fragment header.
pub const FRAGMENT: u8 = 44;
/// Bytes of that header.
pub const FRAGMENT_LEN: usize = 8;

const ROUTING: u8 = 43;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
/// No sound sender has more extension headers.
const EXTENSIONS_MAX: usize = 8;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;

const OPTION_END: u8 = 0;
const OPTION_NOTHING: u8 = 1;
const OPTION_LOOSE_ROUTE: u8 = 131;
const OPTION_STRICT_ROUTE: u8 = 137;

/// A sound packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub source: IpAddr,
    /// Whom to.
    pub destination: IpAddr,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// Hops it may still take, this one included: TTL, or hop limit.
    pub ttl: u8,
    /// What is behind all headers (IANA protocol numbers).
    pub protocol: u8,
    /// Where that starts, in bytes.
    pub transport: usize,
    /// Where the protocol is named, in bytes.
    pub named: usize,
    /// Bytes of the packet, all headers included.
    pub len: usize,
    /// Whether a router must not cut it; always so of IPv6.
    pub dont_fragment: bool,
    /// If it is a piece of a larger one.
    pub fragment: Option<Fragment>,
    /// What its options ask for.
    pub options: Options,
}

/// Which piece of a datagram it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Names the datagram, together with addresses and protocol.
    pub id: u32,
    /// Where the piece belongs, in bytes; a multiple of eight.
    pub offset: u16,
    /// Whether pieces follow.
    pub more: bool,
    /// Bytes of the headers that every piece has: up to the fragment header, which only IPv6 has.
    pub common: usize,
    /// IPv6: where the next-header field is that announces the fragment header.
    pub announced: usize,
}

/// What the options of IPv4 ask of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Options {
    /// They are garbage from this byte of the header on.
    Malformed(u8),
    /// Nothing.
    None,
    /// To go a way that the sender chose.
    SourceRoute,
}

/// It is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Datagram {
    /// Reads a packet; bytes beyond its length are padding.
    ///
    /// # Errors
    /// [`Malformed`] if it is of another version, cut off, of a wrong header checksum, or of more
    /// extension headers than anybody needs.
    pub fn parse(packet: &[u8]) -> Result<Self, Malformed> {
        Self::read(packet, false)
    }

    /// Reads the beginning of a packet that somebody else has had, as an ICMP error quotes it: cut off anywhere behind its
    /// headers, which ends [`Datagram::len`], and with whatever header checksum it had (E5).
    ///
    /// # Errors
    /// [`Malformed`] if it is of another version, or cut off within its headers.
    pub fn quoted(packet: &[u8]) -> Result<Self, Malformed> {
        Self::read(packet, true)
    }

    fn read(packet: &[u8], quoted: bool) -> Result<Self, Malformed> {
        match packet.first().map(|first| first >> 4) {
            Some(4) => parse_ipv4(packet, quoted),
            Some(6) => parse_ipv6(packet, quoted),
            _ => Err(Malformed),
        }
    }

    /// Whether it is a piece without the transport header.
    #[inline]
    pub fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset > 0)
    }

    /// What is behind all headers, if `packet` is what was parsed.
    #[inline]
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.transport..self.len).unwrap_or_default()
    }

    /// Whether it is IPv6.
    #[inline]
    pub fn is_ipv6(&self) -> bool {
        self.source.is_ipv6()
    }

    /// The sum of the pseudo-header for a transport payload of `len` bytes.
    pub fn pseudo_header(&self, len: usize) -> u16 {
        pseudo_header(self.source, self.destination, self.protocol, len)
    }
}

/// The sum of the pseudo-header between two addresses of one family; of ICMP over IPv4, which has none, zero.
pub fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> u16 {
    let len = len as u32;
    match (source, destination) {
        (IpAddr::V4(_), _) if protocol == ICMP => 0,
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut addresses = [0; 8];
            addresses[..4].copy_from_slice(&source.octets());
            addresses[4..].copy_from_slice(&destination.octets());
            checksum::pseudo_header(&addresses, protocol, len)
        }
        (source, destination) => {
            let mut addresses = [0; 32];
            addresses[..16].copy_from_slice(&octets(source));
            addresses[16..].copy_from_slice(&octets(destination));
            checksum::pseudo_header(&addresses, protocol, len)
        }
    }
}

/// The address in 16 bytes, IPv4 in its mapped form.
pub fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Writes another TTL into a sound packet and mends the header checksum of IPv4 (RFC 1624); nothing else changes.
pub fn set_ttl(packet: &mut [u8], ttl: u8) {
    match packet {
        [0x40..=0x4f, _, _, _, _, _, _, _, old, protocol, c0, c1, ..] => {
            let (before, after) =
                (u16::from_be_bytes([*old, *protocol]), u16::from_be_bytes([ttl, *protocol]));
            let sum = checksum::update(u16::from_be_bytes([*c0, *c1]), before, after);
            *old = ttl;
            [*c0, *c1] = sum.to_be_bytes();
        }
        [0x60..=0x6f, _, _, _, _, _, _, old, ..] => *old = ttl,
        _ => {}
    }
}

/// Writes the header checksum of an IPv4 packet.
pub fn seal(packet: &mut [u8]) {
    let len = packet.first().map_or(0, |first| usize::from(first & 15) * 4);
    if let Some(header) = packet.get_mut(..len).filter(|header| header.len() >= IPV4_LEN) {
        header[10..12].fill(0);
        let sum = !checksum::sum(header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// What an IP header of a packet that the router makes says; see [`Builder::write`].
#[derive(Clone, Copy, Debug)]
pub struct Builder {
    /// Whose it is.
    pub source: IpAddr,
    /// Whom to; of the same family.
    pub destination: IpAddr,
    /// What is in it.
    pub protocol: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// TTL, or hop limit.
    pub ttl: u8,
    /// Identification; IPv6 has none.
    pub id: u16,
    /// Whether it must not be cut.
    pub dont_fragment: bool,
}

impl Builder {
    /// Bytes that the header takes.
    pub fn header_len(&self) -> usize {
        if self.source.is_ipv4() { IPV4_LEN } else { IPV6_LEN }
    }

    /// Writes the header into the first [`Builder::header_len`] bytes of `packet`, which is as long as it says.
    pub fn write(&self, packet: &mut [u8]) {
        let total = packet.len();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let Some((ip, _)) = packet.split_first_chunk_mut::<IPV4_LEN>() else { return };
                *ip = [0; IPV4_LEN];
                (ip[0], ip[1]) = (0x45, self.tos);
                ip[2..4].copy_from_slice(&(total as u16).to_be_bytes());
                ip[4..6].copy_from_slice(&self.id.to_be_bytes());
                ip[6] = if self.dont_fragment { (DONT_FRAGMENT >> 8) as u8 } else { 0 };
                (ip[8], ip[9]) = (self.ttl, self.protocol);
                ip[12..16].copy_from_slice(&source.octets());
                ip[16..20].copy_from_slice(&destination.octets());
                seal(packet);
            }
            (source, destination) => {
                let Some((ip, _)) = packet.split_first_chunk_mut::<IPV6_LEN>() else { return };
                *ip = [0; IPV6_LEN];
                (ip[0], ip[1]) = (0x60 | self.tos >> 4, self.tos << 4);
                ip[4..6].copy_from_slice(&(total.saturating_sub(IPV6_LEN) as u16).to_be_bytes());
                (ip[6], ip[7]) = (self.protocol, self.ttl);
                ip[8..24].copy_from_slice(&octets(source));
                ip[24..40].copy_from_slice(&octets(destination));
            }
        }
    }
}

fn parse_ipv4(packet: &[u8], quoted: bool) -> Result<Datagram, Malformed> {
    let fixed = packet.first_chunk::<IPV4_LEN>().ok_or(Malformed)?;
    let header_len = usize::from(fixed[0] & 15) * 4;
    let header = packet.get(..header_len).filter(|h| h.len() >= IPV4_LEN).ok_or(Malformed)?;
    let len = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    let sum = checksum::add(checksum::sum(fixed), checksum::sum(&header[IPV4_LEN..]));
    let len = match quoted {
        true => len.max(header_len).min(packet.len()),
        false if len < header_len || len > packet.len() || sum != 0xffff => {
            return Err(Malformed);
        }
        false => len,
    };
    let bits = u16::from_be_bytes([fixed[6], fixed[7]]);
    let (offset, more) = ((bits & 0x1fff) << 3, bits & MORE_FRAGMENTS != 0);
    let id = u32::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    let fragment = Fragment { id, offset, more, common: header_len, announced: 0 };
    Ok(Datagram {
        source: Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]).into(),
        destination: Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]).into(),
        tos: fixed[1],
        ttl: fixed[8],
        protocol: fixed[9],
        transport: header_len,
        named: 9,
        len,
        dont_fragment: bits & DONT_FRAGMENT != 0,
        fragment: (offset > 0 || more).then_some(fragment),
        options: if header_len == IPV4_LEN { Options::None } else { options(header) },
    })
}

fn options(header: &[u8]) -> Options {
    let (mut at, mut routed) = (IPV4_LEN, false);
    while let Some(&kind) = header.get(at) {
        at += match kind {
            OPTION_END => break,
            OPTION_NOTHING => 1,
            _ => match header.get(at + 1) {
                Some(&len) if len >= 2 && at + usize::from(len) <= header.len() => {
                    routed |= kind == OPTION_LOOSE_ROUTE || kind == OPTION_STRICT_ROUTE;
                    usize::from(len)
                }
                _ => return Options::Malformed(at as u8),
            },
        };
    }
    if routed { Options::SourceRoute } else { Options::None }
}

fn parse_ipv6(packet: &[u8], quoted: bool) -> Result<Datagram, Malformed> {
    let fixed = packet.first_chunk::<IPV6_LEN>().ok_or(Malformed)?;
    let len = IPV6_LEN + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    let len = if quoted { len.min(packet.len()) } else { len };
    let packet = packet.get(..len).ok_or(Malformed)?;
    let address = |at: usize| {
        let octets: [u8; 16] = std::array::from_fn(|i| fixed[at + i]);
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    let (mut protocol, mut announced, mut at, mut fragment) = (fixed[6], 6, IPV6_LEN, None);
    for count in 0.. {
        let size = match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                (usize::from(*packet.get(at + 1).ok_or(Malformed)?) + 1) * 8
            }
            AUTHENTICATION => (usize::from(*packet.get(at + 1).ok_or(Malformed)?) + 2) * 4,
            FRAGMENT => FRAGMENT_LEN,
            _ => break,
        };
        // to take the next one for what is sent would be to take it for something else than others do
        if count == EXTENSIONS_MAX {
            return Err(Malformed);
        }
        let header = packet.get(at..at + size).ok_or(Malformed)?;
        let later = match (protocol, header) {
            (FRAGMENT, &[_, _, o0, o1, i0, i1, i2, i3]) => {
                let bits = u16::from_be_bytes([o0, o1]);
                let (offset, more) = (bits & !7, bits & 1 != 0);
                let id = u32::from_be_bytes([i0, i1, i2, i3]);
                // a fragment that is all of its datagram is none (RFC 6946)
                fragment =
                    (offset > 0 || more).then_some(Fragment { id, offset, more, common: at, announced });
                offset > 0
            }
            _ => false,
        };
        (protocol, announced) = (header[0], at);
        at += size;
        // behind it is not a header but the middle of something
        if later {
            break;
        }
    }
    Ok(Datagram {
        source: address(8),
        destination: address(24),
        tos: fixed[0] << 4 | fixed[1] >> 4,
        ttl: fixed[7],
        protocol,
        transport: at,
        named: announced,
        len,
        dont_fragment: true,
        fragment,
        options: Options::None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ipv4(options: &[u8], edit: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let header = IPV4_LEN + options.len();
        let mut packet =
            vec![0x40 | (header / 4) as u8, 0xb8, 0, (header + 4) as u8, 1, 2, 0x40, 0, 64, 17, 0, 0];
        packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend(options);
        packet.extend([1, 2, 3, 4, 0, 0]);
        edit(&mut packet);
        seal(&mut packet);
        packet
    }

    fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
        let addresses = [Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), Ipv6Addr::LOCALHOST];
        let [source, destination] = addresses.map(IpAddr::V6);
        let mut packet = vec![0; IPV6_LEN + payload.len()];
        let tos = 0xb8;
        Builder { source, destination, protocol: next, tos, ttl: 9, id: 0, dont_fragment: true }
            .write(&mut packet);
        packet[IPV6_LEN..].copy_from_slice(payload);
        packet
    }

    #[test]
    fn ipv4_headers() {
        let read = Datagram::parse(&ipv4(&[], |_| {})).expect("sound");
        assert_eq!((read.tos, read.ttl, read.protocol, read.transport, read.len), (0xb8, 64, UDP, 20, 24));
        assert!(read.dont_fragment && read.fragment.is_none());
        let table: &[(Vec<u8>, bool, &str)] = &[
            (ipv4(&[], |p| p[3] = 27), false, "longer than what there is"),
            (ipv4(&[], |p| p[3] = 19), false, "shorter than its header"),
            (ipv4(&[], |p| p[0] = 0x44), false, "a header of 16 bytes"),
            (ipv4(&[], |p| p[0] = 0x54), false, "version 5"),
            (ipv4(&[], |_| {})[..19].to_vec(), false, "cut off"),
            (ipv4(&[1, 1, 1, 0], |_| {}), true, "with options"),
        ];
        for (packet, sound, why) in table {
            assert_eq!(Datagram::parse(packet).is_ok(), *sound, "{why}");
        }
        let mut damaged = ipv4(&[], |_| {});
        damaged[8] = 63;
        assert_eq!(Datagram::parse(&damaged), Err(Malformed), "V11: the header checksum is always there");
        let piece = Datagram::parse(&ipv4(&[], |p| p[6..8].copy_from_slice(&[0x20, 3]))).expect("sound");
        let fragment = piece.fragment.expect("it is one");
        assert_eq!((fragment.id, fragment.offset, fragment.more), (0x0102, 24, true));
    }

    #[test]
    fn ipv4_options() {
        let table: &[(&[u8], Options, &str)] = &[
            (&[1, 1, 1, 1], Options::None, "nothing, four times"),
            (&[0, 9, 9, 9], Options::None, "behind the end is no option"),
            (&[131, 3, 4, 0], Options::SourceRoute, "loose source route"),
            (&[137, 3, 4, 0], Options::SourceRoute, "strict source route"),
            (&[148, 4, 0, 0], Options::None, "router alert asks for nothing"),
            (&[1, 7, 0, 0], Options::Malformed(21), "no length"),
            (&[1, 1, 7, 3], Options::Malformed(22), "longer than the header"),
            (&[1, 1, 1, 7], Options::Malformed(23), "its length is cut off"),
        ];
        for (bytes, expected, why) in table {
            assert_eq!(Datagram::parse(&ipv4(bytes, |_| {})).map(|d| d.options), Ok(*expected), "{why}");
        }
    }

    /// So many destination options, and UDP.
    fn chain(count: usize) -> Vec<u8> {
        let mut chain = [60, 0, 1, 4, 0, 0, 0, 0].repeat(count);
        chain[(count - 1) * 8] = UDP;
        chain
    }

    #[test]
    fn ipv6_headers() {
        let read = |next, payload: &[u8]| {
            Datagram::parse(&ipv6(next, payload))
                .map(|d| (d.protocol, d.transport, d.fragment.map(|f| f.offset)))
        };
        let table: &[(u8, &[u8], Result<(u8, usize, Option<u16>), Malformed>, &str)] = &[
            (UDP, &[1, 2], Ok((UDP, 40, None)), "no extension"),
            (0, &[58, 0, 5, 2, 0, 0, 0, 0, 1], Ok((58, 48, None)), "hop-by-hop options"),
            (0, &[58, 0, 5, 2, 0, 0, 0], Err(Malformed), "cut off within them"),
            (44, &[17, 0, 0, 1, 0, 0, 0, 9, 1], Ok((17, 48, Some(0))), "the first piece"),
            (44, &[0, 0, 0, 9, 0, 0, 0, 9, 1], Ok((0, 48, Some(8))), "a later one is not walked on"),
            (44, &[17, 0, 0, 0, 0, 0, 0, 9, 1], Ok((17, 48, None)), "an atomic fragment is none"),
            (51, &[6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Ok((6, 52, None)), "authentication counts in words"),
            (59, &[], Ok((59, 40, None)), "nothing follows"),
            (60, &chain(8), Ok((UDP, 104, None)), "as many headers as anybody needs"),
            (60, &chain(9), Err(Malformed), "one more, which must not be taken for what is sent"),
        ];
        for (next, payload, expected, why) in table {
            assert_eq!(read(*next, payload), *expected, "{why}");
        }
        let whole = Datagram::parse(&ipv6(UDP, &[1])).expect("sound");
        assert_eq!((whole.tos, whole.ttl, whole.dont_fragment), (0xb8, 9, true));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(version in prop::sample::select(vec![4_u8, 6]), mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(first) = bytes.first_mut() {
                *first = version << 4 | *first & 15;
            }
            seal(&mut bytes);
            if let Ok(read) = Datagram::parse(&bytes) {
                prop_assert!(read.transport <= read.len && read.len <= bytes.len());
                let mut hop = bytes.clone();
                set_ttl(&mut hop, read.ttl.wrapping_sub(1));
                let after = Datagram::parse(&hop).expect("N9: the checksum was mended");
                prop_assert_eq!(Datagram { ttl: read.ttl, ..after }, read, "V11, N10: and nothing else");
            }
        }
    }
}
