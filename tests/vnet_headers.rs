//! Every combination of what a virtio-net header can say with every shape of a frame: what is sound is taken as it was
//! meant, what is not is refused for a reason that is true of it.
//!
//! What is sound is decided here from how a frame was put together, not by parsing it, and by rules that are stated
//! without an order (V1 to V7): a header has a *set* of faults.

use vswitchd::frame::{Gso, Offload};
use vswitchd::verdict::Reason;
use vswitchd::wire::vnet::{self, VNET_LEN};

const NEEDS_CSUM: u8 = 1;
const ECN: u8 = 0x80;
/// What a header can be refused for.
const REASONS: [Reason; 4] =
    [Reason::OffloadChecksum, Reason::OffloadHeaders, Reason::OffloadLength, Reason::OffloadSegment];

#[test]
fn every_header_on_every_frame_is_taken_or_refused_as_it_should_be() {
    let (mut taken, mut refused) = (0_u64, [0_u64; REASONS.len()]);
    for shape in shapes() {
        let frame = shape.frame();
        for header in headers(&shape, frame.len()) {
            let faults = faults(&shape, frame.len(), &header);
            let decoded = vnet::decode(&header.bytes(), &frame);
            match decoded {
                Ok(offload) => {
                    assert_eq!(faults, [false; 4], "taken: {header:?} on {shape:?}");
                    assert_eq!(offload, meant(&shape, frame.len(), &header), "{header:?} on {shape:?}");
                    let passed_on = vnet::decode(&vnet::encode(&offload), &frame);
                    assert_eq!(passed_on, Ok(offload), "passed on: {header:?} on {shape:?}");
                    taken += 1;
                }
                Err(reason) => {
                    let place = REASONS.iter().position(|known| *known == reason);
                    let place = place.unwrap_or_else(|| panic!("{reason:?}: {header:?} on {shape:?}"));
                    assert!(faults[place], "{reason:?}, of {faults:?}: {header:?} on {shape:?}");
                    refused[place] += 1;
                }
            }
        }
    }
    eprintln!("{taken} headers taken, {refused:?} refused for {REASONS:?}");
    assert!(taken > 10_000 && refused.iter().all(|count| *count > 10_000), "{taken}, {refused:?}");
}

/// What is wrong with the header on a frame of that shape, by [`REASONS`].
fn faults(shape: &Shape, len: usize, header: &Header) -> [bool; 4] {
    let [start, offset, size] = [header.csum_start, header.csum_offset, header.gso_size].map(usize::from);
    let needs_csum = header.flags & NEEDS_CSUM != 0;
    let csum_end = start + offset + 2;
    // V6: the sum lies within the frame, and starts where an IP header may have ended, also when all tags are taken off
    let checksum = needs_csum && (start < 20 + 4 * shape.tags || csum_end > len);
    // V6: `hdr_len` reaches at least over the checksum; all of it is there, and no less than an Ethernet header
    let headers_end = usize::from(header.hdr_len).max(if needs_csum { csum_end } else { 0 });
    let length = headers_end > len || (headers_end != 0 && headers_end < 14);
    let (is_large, segments_max) = match header.kind {
        0 => (false, 0),
        1 | 4 | 0x81 | 0x84 => (true, 2048),
        5 => (true, 128),
        // V2, V6: UFO, tunnels, what nobody knows; congestion marks of what is no TCP
        _ => return [checksum, false, length, true],
    };
    if !is_large {
        return [checksum, false, length, false];
    }
    // V6: cut into something, and not into absurdly many
    let payload = len.saturating_sub(shape.payload_at());
    let segment = size == 0 || size == 0xffff || payload > size * segments_max;
    let there = shape.payload_at() <= len && !shape.fragment && shape.headers_sound;
    let fits = match header.kind & !ECN {
        1 => shape.ip == Ip::V4 && shape.transport == Transport::Tcp,
        4 => shape.ip == Ip::V6 && shape.transport == Transport::Tcp,
        _ => shape.ip != Ip::None && shape.transport == Transport::Udp,
    };
    let at = shape.transport_at();
    let csum_offset = if shape.transport == Transport::Tcp { 16 } else { 6 };
    let summed = needs_csum && start == at && offset == csum_offset;
    [checksum, !(there && fits && summed), length, segment]
}

/// What a sound header says.
fn meant(shape: &Shape, len: usize, header: &Header) -> Offload {
    let mut offload = Offload::NONE;
    if header.flags & NEEDS_CSUM != 0 {
        offload.needs_csum = true;
        (offload.csum_start, offload.csum_offset) = (header.csum_start, header.csum_offset);
    }
    // V7: one segment is no segmentation
    if header.kind != 0 && len - shape.payload_at() > usize::from(header.gso_size) {
        offload.gso = match header.kind & !ECN {
            1 => Gso::TcpV4,
            4 => Gso::TcpV6,
            _ => Gso::Udp,
        };
        offload.ecn = header.kind & ECN != 0;
        (offload.hdr_len, offload.gso_size) = (header.hdr_len, header.gso_size);
    }
    offload
}

#[derive(Clone, Copy, Debug)]
struct Header {
    flags: u8,
    kind: u8,
    hdr_len: u16,
    gso_size: u16,
    csum_start: u16,
    csum_offset: u16,
}

impl Header {
    fn bytes(&self) -> [u8; VNET_LEN] {
        let mut bytes = [self.flags, self.kind, 0, 0, 0, 0, 0, 0, 0, 0];
        let shorts = [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset];
        for (place, short) in bytes[2..].chunks_mut(2).zip(shorts) {
            place.copy_from_slice(&short.to_ne_bytes());
        }
        bytes
    }
}

/// All combinations of values at and beside every boundary of the frame.
fn headers(shape: &Shape, len: usize) -> impl Iterator<Item = Header> + use<> {
    let (transport, payload_at) = (shape.transport_at(), shape.payload_at());
    let payload = len.saturating_sub(payload_at);
    let shorts = |values: &[usize]| -> Vec<u16> {
        let mut values: Vec<u16> = values.iter().map(|value| (*value).min(65535) as u16).collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let kinds = [0, 1, 2, 3, 4, 5, 6, 0x20, 0x41, 0x80, 0x81, 0x83, 0x84, 0x85, 0xff];
    let hdr_lens = shorts(&[0, 1, 13, 14, payload_at, len, len + 1, 65535]);
    let sizes = shorts(&[
        0,
        1,
        payload / 2048,
        payload / 128,
        payload.div_ceil(128),
        payload.saturating_sub(1),
        payload,
        payload + 1,
        1448,
        65534,
        65535,
    ]);
    let starts = shorts(&[
        0,
        14,
        19,
        20,
        23,
        24,
        transport - 1,
        transport,
        transport + 4,
        len - 8,
        len - 2,
        len,
        65535,
    ]);
    let offsets = shorts(&[0, 6, 16, 17, (len - 2).saturating_sub(transport), 65535]);
    let mut all = Vec::new();
    for (flags, kind) in (0..4).flat_map(|flags| kinds.map(|kind| (flags, kind))) {
        for (&hdr_len, &gso_size) in hdr_lens.iter().flat_map(|h| sizes.iter().map(move |s| (h, s))) {
            for (&csum_start, &csum_offset) in starts.iter().flat_map(|s| offsets.iter().map(move |o| (s, o)))
            {
                all.push(Header { flags, kind, hdr_len, gso_size, csum_start, csum_offset });
            }
        }
    }
    all.into_iter()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ip {
    None,
    V4,
    V6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Tcp,
    Udp,
    Other,
}

/// How a frame is put together.
#[derive(Clone, Copy, Debug)]
struct Shape {
    tags: usize,
    ip: Ip,
    /// Bytes of IPv4 options or IPv6 extension headers.
    extra: usize,
    transport: Transport,
    /// Bytes of TCP options.
    options: usize,
    fragment: bool,
    /// Whether lengths within its headers are those of its headers.
    headers_sound: bool,
    payload: usize,
    /// Bytes that are missing at its end.
    cut: usize,
}

const TCP4: Shape = Shape {
    tags: 0,
    ip: Ip::V4,
    extra: 0,
    transport: Transport::Tcp,
    options: 0,
    fragment: false,
    headers_sound: true,
    payload: 3000,
    cut: 0,
};

fn shapes() -> Vec<Shape> {
    let udp4 = Shape { transport: Transport::Udp, ..TCP4 };
    let tcp6 = Shape { ip: Ip::V6, ..TCP4 };
    vec![
        TCP4,
        udp4,
        tcp6,
        Shape { ip: Ip::V6, ..udp4 },
        Shape { tags: 1, ..TCP4 },
        Shape { tags: 2, payload: 200, ..udp4 },
        Shape { extra: 12, options: 12, ..TCP4 },
        Shape { extra: 24, options: 40, tags: 1, ..tcp6 },
        Shape { transport: Transport::Other, ..TCP4 },
        Shape { ip: Ip::None, payload: 100, ..TCP4 },
        Shape { fragment: true, ..TCP4 },
        Shape { fragment: true, payload: 500, ..tcp6 },
        Shape { headers_sound: false, payload: 90, ..TCP4 },
        // cut off within TCP, and exactly behind it
        Shape { payload: 0, cut: 4, ..TCP4 },
        Shape { payload: 0, ..TCP4 },
        Shape { payload: 0, cut: 4, ..udp4 },
        Shape { payload: 1, ..udp4 },
        Shape { payload: 65_000, ..TCP4 },
    ]
}

impl Shape {
    fn transport_at(&self) -> usize {
        let network = 14 + 4 * self.tags;
        network + self.extra + if self.ip == Ip::V6 { 40 } else { 20 }
    }

    fn payload_at(&self) -> usize {
        self.transport_at() + if self.transport == Transport::Tcp { 20 + self.options } else { 8 }
    }

    fn frame(&self) -> Vec<u8> {
        let protocol = match self.transport {
            Transport::Tcp => 6,
            Transport::Udp => 17,
            Transport::Other => 132,
        };
        let mut frame = vec![2; 12];
        for tag in [[0x88, 0xa8, 0, 7], [0x81, 0, 0, 8]].iter().take(self.tags) {
            frame.extend(tag);
        }
        frame.extend(match self.ip {
            Ip::None => [0x88, 0xb5],
            Ip::V4 => [0x08, 0x00],
            Ip::V6 => [0x86, 0xdd],
        });
        let network = frame.len();
        frame.resize(self.payload_at() + self.payload, 0x5a);
        let packet = &mut frame[network..];
        match self.ip {
            Ip::V4 | Ip::None => {
                packet[..20].fill(0);
                packet[0] = 0x40 | (5 + self.extra / 4) as u8;
                packet[6] = if self.fragment { 0x20 } else { 0x40 };
                packet[9] = protocol;
            }
            Ip::V6 => {
                packet[..40 + self.extra].fill(0);
                packet[0] = 0x60;
                packet[6] = match (self.fragment, self.extra) {
                    (true, _) => 44,
                    (false, 0) => protocol,
                    // one header of hop-by-hop options
                    (false, extra) => {
                        (packet[40], packet[41]) = (protocol, (extra / 8 - 1) as u8);
                        0
                    }
                };
            }
        }
        if self.transport == Transport::Tcp {
            let words = if self.headers_sound { 5 + self.options / 4 } else { 4 };
            frame[self.transport_at() + 12] = (words << 4) as u8;
        }
        frame.truncate(frame.len() - self.cut);
        frame
    }
}
