//! What hardware would have done: cutting large frames and completing checksums, for ports whose interface takes
//! only finished frames (V12, V15).
//!
//! Frames are never edited, since a flooded one leaves through other ports too, and payload is never copied:
//! [`Segments`] builds the headers of one segment after the other in an array of its own and lends them with the
//! slice of payload that follows; [`checksum`] computes the two bytes to be written between two slices. Checksums
//! are computed from the addresses, not from the partial sum in the frame, so a wrong one there harms nobody
//! else.
//!
//! The rules are those of the kernel's own segmentation: TCP sequence numbers go on, FIN and PSH belong to the last
//! segment only, CWR to the first; each UDP segment is a datagram of its own; IPv4 identifications count up.

use crate::frame::{Gso, Offload};
use crate::wire::checksum::{add, finish, pseudo_header, sum};
use crate::wire::vnet::Layout;

/// Longest headers that can be cut behind: Ethernet with two tags, IPv6 with 178 bytes of extensions, the longest TCP.
const HEADERS_MAX: usize = 300;
/// Most segments of one frame: 64 KiB in the smallest that the kernel's TCP sends (TCP_MIN_SND_MSS with options).
/// A bound on the work one hostile frame makes at every port it is flooded to.
const SEGMENTS_MAX: usize = 2048;

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
    /// The headers of the large frame, from which each segment's are made.
    original: &'a [u8],
    headers: [u8; HEADERS_MAX],
    rest: &'a [u8],
    size: usize,
    index: usize,
}

impl<'a> Segments<'a> {
    /// Prepares to cut `frame` as `offload` says; `None` if it cannot be cut, or only into absurdly many pieces.
    pub fn of(frame: &'a [u8], offload: &Offload) -> Option<Self> {
        let layout = Layout::of(frame, offload.gso)?;
        let (original, rest) = frame.split_at(layout.payload);
        let size = usize::from(offload.gso_size);
        let mut headers = [0; HEADERS_MAX];
        headers.get_mut(..original.len())?.copy_from_slice(original);
        let cuttable = size > 0 && !rest.is_empty() && rest.len().div_ceil(size) <= SEGMENTS_MAX;
        let network = layout.payload - layout.network;
        (cuttable && network + size <= usize::from(u16::MAX)).then_some(Self {
            layout,
            gso: offload.gso,
            original,
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
            let first_id = u16::from_be_bytes([self.original[network + 4], self.original[network + 5]]);
            put(&mut self.headers, network + 2, len);
            put(&mut self.headers, network + 4, first_id.wrapping_add(self.index as u16));
            put(&mut self.headers, network + 10, 0);
            let checksum = !sum(&self.headers[network..transport]);
            put(&mut self.headers, network + 10, checksum);
        }
    }

    fn write_tcp(&mut self, payload: &[u8]) {
        let at = self.layout.transport;
        let sequence: [u8; 4] = self.original[at + 4..at + 8].try_into().expect("a slice of four bytes");
        let passed = (self.index * self.size) as u32;
        let sequence = u32::from_be_bytes(sequence).wrapping_add(passed);
        self.headers[at + 4..at + 8].copy_from_slice(&sequence.to_be_bytes());
        let not_last = if self.rest.is_empty() { 0 } else { FIN | PSH };
        let not_first = if self.index == 0 { 0 } else { CWR };
        self.headers[at + 13] = self.original[at + 13] & !(not_last | not_first);
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

/// Where the checksum of a frame with a partial one goes, and what it is.
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
fn packet_end(frame: &[u8]) -> Option<usize> {
    let short = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let mut network = 14;
    while network < 22 && matches!(short(network - 2)?, 0x8100 | 0x88a8) {
        network += 4;
    }
    let end = match short(network - 2)? {
        0x0800 => network + usize::from(short(network + 2)?),
        0x86dd => network + 40 + usize::from(short(network + 4)?),
        _ => return None,
    };
    (end <= frame.len()).then_some(end)
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}
