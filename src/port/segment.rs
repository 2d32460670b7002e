//! What hardware would have done: cutting large frames and completing checksums, for ports whose interface takes
//! only finished frames (V12, V15).
//!
//! Frames are never edited, since a flooded one leaves through other ports too, and payload is never copied:
//! [`Segments`] builds the headers of one segment after the other in an array of its own, edited as the frame leaves,
//! and lends them with the slice of payload that follows; [`checksum`] computes the two bytes to be written between
//! two slices. Checksums are computed from the addresses, not from the partial sum in the frame, so a wrong one there
//! harms nobody else.
//!
//! The rules are those of the kernel's own segmentation: TCP sequence numbers go on, FIN and PSH belong to the last
//! segment only, CWR to the first; each UDP segment is a datagram of its own; IPv4 identifications count up.

use crate::frame::{Edit, Gso, Offload};
use crate::wire::checksum::{add, finish, pseudo_header, sum};
use crate::wire::vnet::{Layout, TCP_SEGMENTS_MAX, network};

/// Longest headers that can be cut behind: Ethernet with four tags, IPv6 with 170 bytes of extensions, the longest TCP.
const HEADERS_MAX: usize = 300;

const CWR: u8 = 0x80;
const PSH: u8 = 0x08;
const FIN: u8 = 0x01;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// A large frame, cut into segments one by one.
#[derive(Debug)]
pub struct Segments<'a> {
    layout: Layout,
    gso: Gso,
    /// What the large frame's headers say, from which each segment's are made.
    first: First,
    headers: [u8; HEADERS_MAX],
    rest: &'a [u8],
    size: usize,
    index: usize,
}

impl<'a> Segments<'a> {
    /// Prepares to cut `frame` as `offload` says, each segment edited; `None` if it cannot be cut, or only into
    /// absurdly many pieces.
    pub fn of(frame: &'a [u8], offload: &Offload, edit: &Edit) -> Option<Self> {
        let found = Layout::of(frame, offload.gso)?;
        let (original, rest) = frame.split_at(found.payload);
        let mut headers = [0; HEADERS_MAX];
        let layout = if edit.is_none() {
            headers.get_mut(..original.len())?.copy_from_slice(original);
            found
        } else {
            // an edit ends before the last EtherType, or it would take away what is to be cut
            let kept = original.get(edit.tail()..).filter(|_| edit.tail() + 2 <= found.network)?;
            let (head, len) = edit.head(frame);
            headers[..len].copy_from_slice(&head[..len]);
            headers.get_mut(len..len + kept.len())?.copy_from_slice(kept);
            moved(found, edit.growth())
        };
        let size = usize::from(offload.gso_size);
        let cuttable = size > 0 && !rest.is_empty() && rest.len().div_ceil(size) <= TCP_SEGMENTS_MAX;
        let packet = layout.payload - layout.network;
        (cuttable && packet + size <= usize::from(u16::MAX)).then_some(Self {
            layout,
            gso: offload.gso,
            first: First::of(original, &found, offload.gso),
            headers,
            rest,
            size,
            index: 0,
        })
    }

    /// The next segment, as headers and payload.
    #[expect(clippy::should_implement_trait, reason = "it lends from itself, which Iterator cannot")]
    pub fn next(&mut self) -> Option<(&[u8], &'a [u8])> {
        if self.rest.is_empty() {
            return None;
        }
        let (payload, rest) = self.rest.split_at(self.size.min(self.rest.len()));
        self.rest = rest;
        self.write_ip(payload.len());
        match self.gso {
            Gso::None => return None,
            Gso::TcpV4 | Gso::TcpV6 => self.write_tcp(payload),
            Gso::Udp => self.write_udp(payload),
        }
        self.index += 1;
        Some((&self.headers[..self.layout.payload], payload))
    }

    fn write_ip(&mut self, payload_len: usize) {
        let Layout { network, transport, payload, ipv6 } = self.layout;
        let len = (payload - network + payload_len) as u16;
        if ipv6 {
            put(&mut self.headers, network + 4, len - 40);
        } else {
            put(&mut self.headers, network + 2, len);
            put(&mut self.headers, network + 4, self.first.id.wrapping_add(self.index as u16));
            put(&mut self.headers, network + 10, 0);
            let checksum = !sum(&self.headers[network..transport]);
            put(&mut self.headers, network + 10, checksum);
        }
    }

    fn write_tcp(&mut self, payload: &[u8]) {
        let at = self.layout.transport;
        let passed = (self.index * self.size) as u32;
        let sequence = self.first.sequence.wrapping_add(passed);
        self.headers[at + 4..at + 8].copy_from_slice(&sequence.to_be_bytes());
        let not_last = if self.rest.is_empty() { 0 } else { FIN | PSH };
        let not_first = if self.index == 0 { 0 } else { CWR };
        self.headers[at + 13] = self.first.flags & !(not_last | not_first);
        self.write_checksum(TCP, at + 16, payload);
    }

    fn write_udp(&mut self, payload: &[u8]) {
        let at = self.layout.transport;
        put(&mut self.headers, at + 4, (8 + payload.len()) as u16);
        self.write_checksum(UDP, at + 6, payload);
    }

    fn write_checksum(&mut self, protocol: u8, at: usize, payload: &[u8]) {
        put(&mut self.headers, at, 0);
        let Layout { network, transport, payload: end, ipv6 } = self.layout;
        let addresses = if ipv6 { network + 8..network + 40 } else { network + 12..network + 20 };
        let header = &self.headers[transport..end];
        let len = (header.len() + payload.len()) as u32;
        let pseudo = pseudo_header(&self.headers[addresses], protocol, len);
        let checksum = finish(add(add(pseudo, sum(header)), sum(payload)));
        put(&mut self.headers, at, checksum);
    }
}

/// What counts up, or belongs to one segment only. Of no meaning where the protocol has no such field.
#[derive(Clone, Copy, Debug)]
struct First {
    id: u16,
    sequence: u32,
    flags: u8,
}

impl First {
    fn of(headers: &[u8], layout: &Layout, gso: Gso) -> Self {
        let (ip, tcp) = (&headers[layout.network..], &headers[layout.transport..]);
        let id = u16::from_be_bytes([ip[4], ip[5]]);
        let (sequence, flags) = match gso {
            Gso::TcpV4 | Gso::TcpV6 => (u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]), tcp[13]),
            Gso::None | Gso::Udp => (0, 0),
        };
        Self { id, sequence, flags }
    }
}

/// Where the headers lie once the frame has grown by so many bytes before them.
fn moved(layout: Layout, growth: isize) -> Layout {
    let Layout { network, transport, payload, ipv6 } = layout;
    let [network, transport, payload] =
        [network, transport, payload].map(|position| position.saturating_add_signed(growth));
    Layout { network, transport, payload, ipv6 }
}

/// Where the checksum of a frame with a partial one goes, and what it is. An edit moves the place, but changes
/// nothing that is summed.
///
/// The field itself is summed too: it holds the sum of the pseudo-header (V15). Padding behind the IP packet does not
/// belong to it.
pub fn checksum(frame: &[u8], offload: &Offload) -> (usize, [u8; 2]) {
    let start = usize::from(offload.csum_start);
    let at = start + usize::from(offload.csum_offset);
    let end = packet_end(frame).filter(|end| *end >= at + 2).unwrap_or(frame.len());
    (at, finish(sum(&frame[start..end])).to_be_bytes())
}

/// Where the IP packet in the frame ends, which is before the end of a frame that was padded.
pub(super) fn packet_end(frame: &[u8]) -> Option<usize> {
    let short = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let (network, ether_type) = network(frame)?;
    let end = match ether_type {
        0x0800 => network + usize::from(short(network + 2)?),
        0x86dd => network + 40 + usize::from(short(network + 4)?),
        _ => return None,
    };
    (end <= frame.len()).then_some(end)
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use etherparse::{
        IpFragOffset, IpHeaders, IpNumber, Ipv4Header, Ipv6Extensions, Ipv6FlowLabel, Ipv6Header,
        Ipv6RawExtHeader, NetSlice, PacketBuilder, SlicedPacket, TcpOptionElement, TransportSlice,
    };
    use proptest::prelude::*;

    use super::*;

    const ID: u16 = 0xfffe;
    const SEQUENCE: u32 = u32::MAX - 1000;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn segments_are_sound_packets_and_add_up(
            kind in prop::sample::select(vec![Gso::TcpV4, Gso::TcpV6, Gso::Udp]),
            v6_udp: bool,
            extended: bool,
            options: bool,
            tags in 0usize..3,
            payload in prop::collection::vec(any::<u8>(), 1..9000),
            size in 100u16..3000,
        ) {
            let ipv6 = kind == Gso::TcpV6 || kind == Gso::Udp && v6_udp;
            let frame = frame(kind, ipv6, extended, options, tags, &payload);
            let before = frame.clone();
            let offload = Offload { gso: kind, gso_size: size, ecn: true, ..Offload::NONE };
            let mut segments = Segments::of(&frame, &offload, &Edit::NONE).expect("a frame that can be cut");
            let count = payload.len().div_ceil(usize::from(size));
            let mut joined = Vec::new();
            let mut index = 0;
            while let Some((headers, part)) = segments.next() {
                prop_assert!(part.len() == usize::from(size) || index == count - 1 && !part.is_empty());
                let segment = [headers, part].concat();
                prop_assert_eq!(&segment[..14 + 4 * tags], &frame[..14 + 4 * tags], "addresses and tags");
                check(&segment[14 + 4 * tags..], index, joined.len(), index == count - 1, part)?;
                joined.extend_from_slice(part);
                index += 1;
            }
            prop_assert_eq!(index, count);
            prop_assert_eq!(joined, payload);
            prop_assert_eq!(frame, before);
        }

        #[test]
        fn a_completed_checksum_is_the_one_a_sender_writes(
            ipv6: bool,
            udp: bool,
            tags in 0usize..3,
            padding in 0usize..20,
            payload in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let kind = match (udp, ipv6) {
                (true, _) => Gso::Udp,
                (false, false) => Gso::TcpV4,
                (false, true) => Gso::TcpV6,
            };
            let mut frame = frame(kind, ipv6, false, false, tags, &payload);
            let layout = Layout::of(&frame, kind).expect("headers");
            let csum_offset = if udp { 6 } else { 16 };
            let at = layout.transport + csum_offset;
            let whole = u16::from_be_bytes([frame[at], frame[at + 1]]);
            let addresses = if ipv6 { 8..40 } else { 12..20 };
            let addresses = &frame[layout.network..][addresses];
            let len = (frame.len() - layout.transport) as u32;
            let partial = pseudo_header(addresses, if udp { UDP } else { TCP }, len);
            put(&mut frame, at, partial);
            frame.resize(frame.len() + padding, 0xee);
            let csum_start = layout.transport as u16;
            let offload = Offload { needs_csum: true, csum_start, csum_offset: csum_offset as u16, ..Offload::NONE };
            let (place, checksum) = checksum(&frame, &offload);
            prop_assert_eq!(place, at);
            // minus zero is zero, and not for us to send
            prop_assert_eq!(u16::from_be_bytes(checksum) % 0xffff, whole % 0xffff);
            prop_assert_ne!(checksum, [0, 0]);
        }
    }

    #[test]
    fn what_cannot_be_cut() {
        let whole = frame(Gso::TcpV4, false, false, false, 0, &[7; 5000]);
        let offload = |gso, gso_size| Offload { gso, gso_size, ..Offload::NONE };
        let table: &[(&[u8], Offload, &str)] = &[
            (&whole, offload(Gso::TcpV4, 0), "segments of no size"),
            (&whole, offload(Gso::TcpV4, 2), "more segments than any stack makes"),
            (&whole, offload(Gso::TcpV6, 1000), "not IPv6"),
            (&whole, offload(Gso::Udp, 1000), "not UDP"),
            (&whole, offload(Gso::None, 1000), "not to be cut"),
            (&whole[..54], offload(Gso::TcpV4, 1000), "nothing behind the headers"),
            (&whole[..53], offload(Gso::TcpV4, 1000), "headers cut off"),
        ];
        for (frame, offload, why) in table {
            assert!(Segments::of(frame, offload, &Edit::NONE).is_none(), "{why}");
        }
        assert!(Segments::of(&whole, &offload(Gso::TcpV4, 1000), &Edit::NONE).is_some(), "and what can");
    }

    /// One segment, read by somebody else's parser.
    fn check(
        packet: &[u8],
        index: usize,
        passed: usize,
        last: bool,
        part: &[u8],
    ) -> Result<(), TestCaseError> {
        let sliced = SlicedPacket::from_ip(packet).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let transport = sliced.transport.expect("TCP or UDP");
        let expected = match sliced.net.expect("IP") {
            NetSlice::Ipv4(ip) => {
                let header = ip.header().to_header();
                prop_assert_eq!(usize::from(header.total_len), packet.len());
                prop_assert_eq!(header.identification, ID.wrapping_add(index as u16));
                prop_assert_eq!(header.header_checksum, header.calc_header_checksum());
                match &transport {
                    TransportSlice::Tcp(tcp) => {
                        tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination())
                    }
                    TransportSlice::Udp(udp) => {
                        udp.to_header().calc_checksum_ipv4_raw(header.source, header.destination, part)
                    }
                    other => panic!("{other:?}"),
                }
            }
            NetSlice::Ipv6(ip) => {
                let header = ip.header().to_header();
                prop_assert_eq!(usize::from(header.payload_length) + 40, packet.len());
                match &transport {
                    TransportSlice::Tcp(tcp) => tcp.calc_checksum_ipv6(header.source, header.destination),
                    TransportSlice::Udp(udp) => {
                        udp.to_header().calc_checksum_ipv6_raw(header.source, header.destination, part)
                    }
                    other => panic!("{other:?}"),
                }
            }
            NetSlice::Arp(_) => panic!("ARP is not cut"),
        };
        let expected = expected.expect("a length that fits");
        let found = match transport {
            TransportSlice::Tcp(tcp) => {
                prop_assert_eq!(tcp.sequence_number(), SEQUENCE.wrapping_add(passed as u32));
                prop_assert_eq!((tcp.fin(), tcp.psh()), (last, last), "V12: only on the last");
                prop_assert_eq!((tcp.cwr(), tcp.ece()), (index == 0, true), "V12: only on the first");
                tcp.checksum()
            }
            TransportSlice::Udp(udp) => {
                prop_assert_eq!(usize::from(udp.length()), 8 + part.len());
                prop_assert_ne!(udp.checksum(), 0, "zero means none");
                udp.checksum()
            }
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(found % 0xffff, expected % 0xffff);
        Ok(())
    }

    fn frame(kind: Gso, ipv6: bool, extended: bool, options: bool, tags: usize, payload: &[u8]) -> Vec<u8> {
        let ip = if ipv6 {
            let mut extensions = Ipv6Extensions::default();
            if extended {
                let header = |next| Ipv6RawExtHeader::new_raw(next, &[0; 14]).expect("a length of 8 n - 2");
                extensions.hop_by_hop_options = Some(header(IpNumber::IPV6_DESTINATION_OPTIONS));
                extensions.destination_options = Some(header(IpNumber::TCP));
            }
            let header = Ipv6Header {
                flow_label: Ipv6FlowLabel::ZERO,
                hop_limit: 64,
                source: [0xfd; 16],
                destination: [0xfe; 16],
                ..Ipv6Header::default()
            };
            IpHeaders::Ipv6(header, extensions)
        } else {
            let mut header = Ipv4Header::new(0, 64, IpNumber::TCP, [10, 0, 0, 1], [10, 0, 0, 2])
                .expect("an empty payload");
            header.identification = ID;
            header.fragment_offset = IpFragOffset::ZERO;
            IpHeaders::Ipv4(header, Default::default())
        };
        let mut frame = [2; 12].to_vec();
        for tag in [[0x88, 0xa8, 0, 7], [0x81, 0, 0, 8]].iter().take(tags) {
            frame.extend_from_slice(tag);
        }
        frame.extend_from_slice(if ipv6 { &[0x86, 0xdd] } else { &[8, 0] });
        let builder = PacketBuilder::ip(ip);
        let written = if kind == Gso::Udp {
            builder.udp(1000, 2000).write(&mut frame, payload)
        } else {
            let timestamp: &[TcpOptionElement] =
                if options { &[TcpOptionElement::Timestamp(1, 2)] } else { &[] };
            let tcp = builder.tcp(1000, 2000, SEQUENCE, 9000).ack(7).psh().fin().ece().cwr();
            tcp.options(timestamp).expect("few options").write(&mut frame, payload)
        };
        written.expect("a vector takes anything");
        frame
    }
}
