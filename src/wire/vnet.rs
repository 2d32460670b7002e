//! The virtio-net header: ten bytes before every frame on a TAP or raw socket (V1–V8).
//!
//! It says what the sender left for the hardware to do: a checksum to complete, a large frame to cut. It comes
//! from a guest and is believed only as far as the frame bears it out. The kernel checks it too when we write it
//! to the next port, but less (it takes a TCP frame that is none) and too late: then the frame is lost at a port
//! that did nothing wrong. So [`decode`] refuses whatever the kernel's `virtio_net_hdr_to_skb` refuses, and also
//! segmentation of a frame that has no such headers, or into absurdly many; nothing the kernel itself writes fails here.
//!
//! DATA_VALID is not passed on: the kernel ignores it on a frame that is written (V8).

use crate::frame::{Gso, Offload};
use crate::verdict::Reason;

/// Bytes of the header, without `num_buffers`, which only virtio's own queues need (V1).
pub const VNET_LEN: usize = 10;

const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;
/// The kernel's mark for "sizes as in the fragment list", meaningless from outside.
const GSO_BY_FRAGS: u16 = 0xffff;
/// The most datagrams one large UDP frame may be cut into.
const UDP_SEGMENTS_MAX: usize = 128;
/// The most segments one large TCP frame may be cut into: 64 KiB in the smallest that the kernel's TCP sends
/// (`tcp_min_snd_mss`, 48 bytes, less a timestamp). The kernel knows no such bound; but whatever port a frame is flooded
/// to, this thread cuts it there, or its kernel does in this thread's time, and a frame of 64 KiB in segments of one byte is
/// worth thousands.
pub const TCP_SEGMENTS_MAX: usize = 2048;
/// The kernel takes no checksum that starts within what could be an IPv4 header at offset 0. Tags come on top: they may be
/// taken off on the way, and what starts within them would be refused at a port where others leave.
const CSUM_START_MIN: usize = 20;
const ETHERNET_LEN: usize = 14;
/// As many tags as the kernel follows to find what is behind them (VLAN_MAX_DEPTH).
const TAGS_MAX: usize = 8;
/// More IPv6 extension headers than any sender uses; a bound on the work a hostile frame makes.
const EXTENSIONS_MAX: usize = 8;

/// Reads the header that came with `frame`, and holds it against the frame.
pub fn decode(header: &[u8; VNET_LEN], frame: &[u8]) -> Result<Offload, Reason> {
    let [flags, kind, header @ ..] = *header;
    let [hdr_len, gso_size, csum_start, csum_offset] = shorts(header);
    let needs_csum = flags & NEEDS_CSUM != 0;
    let gso = match kind & !GSO_ECN {
        GSO_NONE if kind == GSO_NONE => Gso::None,
        GSO_TCPV4 => Gso::TcpV4,
        GSO_TCPV6 => Gso::TcpV6,
        GSO_UDP_L4 if kind == GSO_UDP_L4 => Gso::Udp,
        _ => return Err(Reason::OffloadSegment),
    };
    let mut offload = Offload { needs_csum, gso, ecn: kind & GSO_ECN != 0, ..Offload::NONE };
    let mut hdr_len_needed = usize::from(hdr_len);
    if needs_csum {
        let end = usize::from(csum_start) + usize::from(csum_offset) + 2;
        if usize::from(csum_start) < CSUM_START_MIN + tags_len(frame) || end > frame.len() {
            return Err(Reason::OffloadChecksum);
        }
        (offload.csum_start, offload.csum_offset) = (csum_start, csum_offset);
        hdr_len_needed = hdr_len_needed.max(end);
    }
    if hdr_len_needed > frame.len() || (1..ETHERNET_LEN).contains(&hdr_len_needed) {
        return Err(Reason::OffloadLength);
    }
    if gso != Gso::None {
        check_segments(&mut offload, gso_size, frame)?;
    }
    if offload.is_gso() {
        (offload.hdr_len, offload.gso_size) = (hdr_len, gso_size);
    }
    Ok(offload)
}

/// The header that says the same to the next kernel.
pub fn encode(offload: &Offload) -> [u8; VNET_LEN] {
    let flags = if offload.needs_csum { NEEDS_CSUM } else { 0 };
    let ecn = if offload.ecn { GSO_ECN } else { 0 };
    let kind = match offload.gso {
        Gso::None => GSO_NONE,
        Gso::TcpV4 => GSO_TCPV4 | ecn,
        Gso::TcpV6 => GSO_TCPV6 | ecn,
        Gso::Udp => GSO_UDP_L4,
    };
    let [h0, h1] = offload.hdr_len.to_ne_bytes();
    let [g0, g1] = offload.gso_size.to_ne_bytes();
    let [s0, s1] = offload.csum_start.to_ne_bytes();
    let [o0, o1] = offload.csum_offset.to_ne_bytes();
    [flags, kind, h0, h1, g0, g1, s0, s1, o0, o1]
}

/// Where the headers of a frame lie that can be cut: offsets from the start of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The IP header.
    pub network: usize,
    /// The TCP or UDP header.
    pub transport: usize,
    /// The first byte behind all headers.
    pub payload: usize,
    /// IPv6, not IPv4.
    pub ipv6: bool,
}

impl Layout {
    /// Finds the headers `gso` speaks of behind all VLAN tags; `None` if they are not there, or belong to a fragment.
    pub fn of(frame: &[u8], gso: Gso) -> Option<Self> {
        let protocol = match gso {
            Gso::None => return None,
            Gso::TcpV4 | Gso::TcpV6 => 6,
            Gso::Udp => 17,
        };
        let Packet { network, transport, ipv6 } = Packet::of(frame, protocol)?;
        let transport_len = match (gso, ipv6) {
            (Gso::None, _) | (Gso::TcpV4, true) | (Gso::TcpV6, false) => return None,
            (Gso::TcpV4 | Gso::TcpV6, _) => usize::from(frame.get(transport + 12)? >> 4) * 4,
            (Gso::Udp, _) => 8,
        };
        let payload = transport + transport_len;
        let least = if gso == Gso::Udp { 8 } else { 20 };
        (transport_len >= least && payload <= frame.len()).then_some(Self {
            network,
            transport,
            payload,
            ipv6,
        })
    }
}

/// Where the headers of a frame lie that carries IP: offsets from the start of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The IP header.
    pub network: usize,
    /// The header of the protocol that was asked for.
    pub transport: usize,
    /// IPv6, not IPv4.
    pub ipv6: bool,
}

impl Packet {
    /// Finds an IP packet of that protocol behind all VLAN tags; `None` if there is none, or a fragment.
    pub fn of(frame: &[u8], protocol: u8) -> Option<Self> {
        let (network, ether_type) = network(frame)?;
        let packet = frame.get(network..)?;
        let (len, ipv6) = match ether_type {
            0x0800 => (ipv4_len(packet, protocol)?, false),
            0x86dd => (ipv6_len(packet, protocol)?, true),
            _ => return None,
        };
        Some(Self { network, transport: network + len, ipv6 })
    }
}

/// Where the bytes behind the last EtherType start, and what it says; `None` behind more tags than the kernel follows.
pub fn network(frame: &[u8]) -> Option<(usize, u16)> {
    for network in (ETHERNET_LEN..).step_by(4).take(TAGS_MAX + 1) {
        match short(frame, network - 2)? {
            0x8100 | 0x88a8 => {}
            ether_type => return Some((network, ether_type)),
        }
    }
    None
}

/// How many bytes of tags the frame has, as far as the kernel follows them.
fn tags_len(frame: &[u8]) -> usize {
    network(frame).map_or(4 * TAGS_MAX, |(network, _)| network - ETHERNET_LEN)
}

/// Holds a request to cut against the frame; drops it if the payload is one segment's anyway (V7).
fn check_segments(offload: &mut Offload, gso_size: u16, frame: &[u8]) -> Result<(), Reason> {
    if gso_size == 0 || gso_size == GSO_BY_FRAGS {
        return Err(Reason::OffloadSegment);
    }
    let layout = Layout::of(frame, offload.gso).ok_or(Reason::OffloadHeaders)?;
    let csum_offset = if offload.gso == Gso::Udp { 6 } else { 16 };
    let csum_fits = usize::from(offload.csum_start) == layout.transport && offload.csum_offset == csum_offset;
    if !offload.needs_csum || !csum_fits {
        return Err(Reason::OffloadHeaders);
    }
    let payload = frame.len() - layout.payload;
    let segments_max = if offload.gso == Gso::Udp { UDP_SEGMENTS_MAX } else { TCP_SEGMENTS_MAX };
    if payload > usize::from(gso_size) * segments_max {
        return Err(Reason::OffloadSegment);
    }
    if payload <= usize::from(gso_size) {
        (offload.gso, offload.ecn) = (Gso::None, false);
    }
    Ok(())
}

/// Length of an IPv4 header that is followed by `protocol` and is no fragment.
fn ipv4_len(packet: &[u8], protocol: u8) -> Option<usize> {
    let len = usize::from(packet.first()? & 0x0f) * 4;
    let whole = packet.len() >= 20 && packet[0] >> 4 == 4 && short(packet, 6)? & 0x3fff == 0;
    (whole && len >= 20 && packet[9] == protocol).then_some(len)
}

/// Length of an IPv6 header and its extensions that are followed by `protocol`; a fragment has none.
fn ipv6_len(packet: &[u8], protocol: u8) -> Option<usize> {
    if packet.len() < 40 || packet[0] >> 4 != 6 {
        return None;
    }
    let (mut next, mut len) = (packet[6], 40);
    for _ in 0..EXTENSIONS_MAX {
        match next {
            found if found == protocol => return Some(len),
            // hop-by-hop, routing, destination options: the length counts eight bytes each, without the first
            0 | 43 | 60 => {
                next = *packet.get(len)?;
                len += (usize::from(*packet.get(len + 1)?) + 1) * 8;
            }
            _ => return None,
        }
    }
    None
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn shorts(bytes: [u8; 8]) -> [u16; 4] {
    let (pairs, _) = bytes.as_chunks::<2>();
    [0, 1, 2, 3].map(|index| u16::from_ne_bytes(pairs[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_refuses_is_refused_and_what_it_sends_is_taken() {
        let tcp = tcp_frame(&[], 3000);
        let tagged = tcp_frame(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8], 3000);
        let udp = udp_frame(3000);
        let table: &[Case<'_>] = &[
            (&tcp, Raw::default(), Ok(Gso::None), "nothing to do"),
            (&tcp, Raw { flags: 2, ..Raw::default() }, Ok(Gso::None), "V8: DATA_VALID is nobody's business"),
            (&tcp, TSO, Ok(Gso::TcpV4), "a large frame"),
            (&tcp, Raw { kind: 0x81, ..TSO }, Ok(Gso::TcpV4), "with ECN"),
            (
                &tagged,
                Raw { csum_start: 42, ..TSO },
                Ok(Gso::TcpV4),
                "V5: the checksum starts behind the tags",
            ),
            (&tcp, Raw { gso_size: 3000, ..TSO }, Ok(Gso::None), "V7: one segment is no segmentation"),
            (&tcp, Raw { gso_size: 2999, ..TSO }, Ok(Gso::TcpV4), "V7: one byte more is"),
            (&tcp, Raw { hdr_len: 3054, ..TSO }, Ok(Gso::TcpV4), "V5: hdr_len is a hint, even a silly one"),
            (&udp, USO, Ok(Gso::Udp), "datagrams to be cut"),
            (&udp, Raw { gso_size: 24, ..USO }, Ok(Gso::Udp), "V6: 125 segments"),
            (&udp, Raw { gso_size: 23, ..USO }, Err(Reason::OffloadSegment), "V6: 131 segments"),
            (&udp, Raw { kind: 0x85, ..USO }, Err(Reason::OffloadSegment), "UDP has no ECN of its own"),
            (&tcp, Raw { kind: 0x80, ..TSO }, Err(Reason::OffloadSegment), "ECN of nothing"),
            (&udp, Raw { kind: 3, ..USO }, Err(Reason::OffloadSegment), "legacy UFO"),
            (&tcp, Raw { kind: 2, ..TSO }, Err(Reason::OffloadSegment), "no such kind"),
            (&tcp, Raw { kind: 0x21, ..TSO }, Err(Reason::OffloadSegment), "V2: tunnels were not asked for"),
            (&tcp, Raw { gso_size: 0, ..TSO }, Err(Reason::OffloadSegment), "segments of no size"),
            (&tcp, Raw { gso_size: 0xffff, ..TSO }, Err(Reason::OffloadSegment), "V6: GSO_BY_FRAGS"),
            (&tcp, Raw { hdr_len: 3055, ..TSO }, Err(Reason::OffloadLength), "longer than the frame"),
            (&tcp, Raw { hdr_len: 13, ..Raw::default() }, Err(Reason::OffloadLength), "less than Ethernet"),
            (&tcp, Raw { hdr_len: 14, ..Raw::default() }, Ok(Gso::None), "just Ethernet"),
            (&tcp, Raw { csum_start: 3037, ..TSO }, Err(Reason::OffloadChecksum), "past the end by one"),
            (&tcp, Raw { kind: 0, csum_start: 3036, ..TSO }, Ok(Gso::None), "the very last bytes"),
            (
                &tcp,
                Raw { kind: 0, csum_start: 19, ..TSO },
                Err(Reason::OffloadChecksum),
                "V6: within an IP header",
            ),
            (
                &tagged,
                Raw { kind: 0, csum_start: 27, ..TSO },
                Err(Reason::OffloadChecksum),
                "within an IP header, once the tags are taken off",
            ),
            (&tagged, Raw { kind: 0, csum_start: 28, ..TSO }, Ok(Gso::None), "right behind what it could be"),
            (
                &tcp,
                Raw { csum_start: 65535, csum_offset: 65535, ..TSO },
                Err(Reason::OffloadChecksum),
                "no overflow",
            ),
            (&tcp, Raw { flags: 0, ..TSO }, Err(Reason::OffloadHeaders), "cut, but not summed"),
            (&tcp, Raw { csum_offset: 6, ..TSO }, Err(Reason::OffloadHeaders), "V6: TCP has it at 16"),
            (&tcp, Raw { csum_start: 38, ..TSO }, Err(Reason::OffloadHeaders), "not where TCP starts"),
            (&tcp, Raw { kind: 4, ..TSO }, Err(Reason::OffloadHeaders), "not IPv6"),
            (&tcp, Raw { kind: 5, csum_offset: 6, ..TSO }, Err(Reason::OffloadHeaders), "not UDP"),
            (&udp, Raw { kind: 1, ..USO }, Err(Reason::OffloadHeaders), "not TCP"),
            (
                &tcp[..52],
                Raw { hdr_len: 0, ..TSO },
                Err(Reason::OffloadHeaders),
                "TCP cut off behind its checksum",
            ),
        ];
        for (frame, raw, expected, why) in table {
            assert_eq!(decode(&raw.bytes(), frame).map(|offload| offload.gso), *expected, "{why}");
        }
    }

    #[test]
    fn a_frame_to_be_cut_must_have_its_headers() {
        let edits: &[(usize, u8, &str)] = &[
            (12, 0x86, "another EtherType"),
            (14, 0x65, "IPv4 that claims to be IPv6"),
            (14, 0x44, "an IPv4 header of 16 bytes"),
            (14, 0x4f, "an IPv4 header with options where TCP should start"),
            (20, 0x20, "more fragments"),
            (21, 1, "a later fragment"),
            (23, 17, "another protocol"),
            (46, 0x40, "a TCP header of 16 bytes"),
        ];
        for (at, value, why) in edits {
            let mut frame = tcp_frame(&[], 3000);
            frame[*at] = *value;
            assert_eq!(decode(&TSO.bytes(), &frame), Err(Reason::OffloadHeaders), "{why}");
        }
    }

    #[test]
    fn what_was_decoded_is_encoded_the_same() {
        let frame = tcp_frame(&[], 3000);
        for raw in
            [Raw::default(), TSO, Raw { kind: 0x81, ..TSO }, Raw { kind: 0, hdr_len: 0, gso_size: 0, ..TSO }]
        {
            let offload = decode(&raw.bytes(), &frame).expect("sound");
            assert_eq!(encode(&offload), raw.bytes());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_on_any_frame_is_answered(
            header: [u8; VNET_LEN],
            frame in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        ) {
            if let Ok(offload) = decode(&header, &frame) {
                let end = usize::from(offload.csum_start) + usize::from(offload.csum_offset) + 2;
                assert!(!offload.needs_csum || end <= frame.len());
                assert!(!offload.is_gso() || offload.gso_size > 0);
            }
        }
    }

    type Case<'a> = (&'a [u8], Raw, Result<Gso, Reason>, &'a str);

    #[derive(Clone, Copy, Default)]
    struct Raw {
        flags: u8,
        kind: u8,
        hdr_len: u16,
        gso_size: u16,
        csum_start: u16,
        csum_offset: u16,
    }

    const TSO: Raw = Raw { flags: 1, kind: 1, hdr_len: 54, gso_size: 1448, csum_start: 34, csum_offset: 16 };
    const USO: Raw = Raw { flags: 1, kind: 5, hdr_len: 42, gso_size: 1000, csum_start: 34, csum_offset: 6 };

    impl Raw {
        fn bytes(&self) -> [u8; VNET_LEN] {
            let mut bytes = [self.flags, self.kind, 0, 0, 0, 0, 0, 0, 0, 0];
            let shorts = [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset];
            for (place, short) in bytes[2..].chunks_mut(2).zip(shorts) {
                place.copy_from_slice(&short.to_ne_bytes());
            }
            bytes
        }
    }

    fn tcp_frame(tags: &[u8], size: usize) -> Vec<u8> {
        let mut tcp = [0; 20];
        tcp[12] = 0x50;
        [&[2; 12][..], tags, &ipv4(6), &tcp, &vec![7; size]].concat()
    }

    fn udp_frame(size: usize) -> Vec<u8> {
        [&[2; 12][..], &ipv4(17), &[0; 8], &vec![7; size]].concat()
    }

    fn ipv4(protocol: u8) -> [u8; 22] {
        let mut header = [0; 22];
        (header[0], header[2], header[2 + 9]) = (8, 0x45, protocol);
        header
    }
}
