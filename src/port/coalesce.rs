//! Joining segments of one TCP stream that were read together into one large frame (GRO).
//!
//! Who sends through a plain TAP, or through an interface without offloads, sends a stream in frames of an MTU. Each would
//! cost a walk, and at the other side a system call and the receiver's attention; one frame for all of them costs that once.
//! Nothing waits for it: what is joined was in the port's queue at the same time, and a batch is bounded.
//!
//! The law is that nothing is joined that [`super::segment`] would not cut into exactly the frames it was made from. So
//! the rules are those of the kernel's `inet_gro_receive` and `tcp_gro_receive`: the same addresses, tags, hop limit, window,
//! acknowledgement and options; sequence numbers and IPv4 identifications that go on; full segments but for the last, which
//! may bear PSH; no other flags than ACK and ECE; and checksums that are right, since they are made anew. Frames of one stream
//! never change their order, and those of others may pass between.
//!
//! It pays only if whoever receives takes large frames: the engine, which knows that, decides when to join.
//!
//! It never joins what was joined or large before, cuts nothing, and looks at no more than four streams at a time.

use super::Pool;
use crate::frame::{Batch, Frame, Gso, Offload};
use crate::wire::checksum::{add, pseudo_header, sum};
use crate::wire::vnet::{Layout, network};

/// Streams that may be open in one batch.
const STREAMS_MAX: usize = 4;
/// The longest IP packet.
const PACKET_MAX: usize = u16::MAX as usize;

const TCP: u8 = 6;
const ACK: u8 = 0x10;
const ECE: u8 = 0x40;
const PSH: u8 = 0x08;
const CHECKSUM_AT: usize = 16;
const FLAGS_AT: usize = 13;

/// A frame that others may be joined to.
#[derive(Clone, Copy, Debug)]
struct Stream {
    /// Its place among the frames that stay.
    place: usize,
    layout: Layout,
    /// Payload of a full segment.
    size: usize,
    /// What was joined to it.
    joined: u16,
    /// The sequence number that comes next.
    next: u32,
}

/// What is being joined: at most one frame of a stream.
#[derive(Debug, Default)]
struct Streams {
    open: [Option<Stream>; STREAMS_MAX],
    /// Which of them has to go when a new one comes.
    oldest: usize,
}

/// Joins what can be joined of the frames that were received.
pub fn coalesce(batch: &mut Batch, pool: &mut Pool) {
    if batch.received() < 2 {
        return;
    }
    let mut streams = Streams::default();
    batch.join(|kept, frame| streams.take(kept, frame), |buffer| pool.give(buffer));
}

impl Streams {
    /// Joins the frame to one of those that stay, if it goes on where that ends; else it will stay behind them.
    fn take(&mut self, kept: &mut [Frame], frame: &Frame) -> bool {
        let Some(segment) = Segment::read(frame) else {
            // a piece, or something unreadable, may be of any stream
            self.open = Default::default();
            return false;
        };
        let Segment::Tcp { layout, payload, mergeable } = segment else { return false };
        let bytes = frame.bytes();
        let last = bytes[layout.transport + FLAGS_AT] & PSH != 0;
        let is_same = |open: &&mut Option<Stream>| {
            open.is_some_and(|own| same_stream(kept[own.place].bytes(), bytes, &own.layout, &layout))
        };
        if let Some(open) = self.open.iter_mut().find(is_same)
            && let Some(mut stream) = open.take()
        {
            let head = &mut kept[stream.place];
            if mergeable && stream.accepts(head, frame, &layout, payload) {
                stream.join(head, frame, &layout, payload);
                *open = Some(stream).filter(|stream| !last && payload == stream.size);
                return true;
            }
        }
        if mergeable && !last {
            self.open(Stream {
                place: kept.len(),
                layout,
                size: payload,
                joined: 0,
                next: sequence(bytes, &layout).wrapping_add(payload as u32),
            });
        }
        false
    }

    fn open(&mut self, stream: Stream) {
        let free = self.open.iter().position(Option::is_none);
        let at = free.unwrap_or(self.oldest);
        self.open[at] = Some(stream);
        self.oldest = (at + 1) % STREAMS_MAX;
    }
}

impl Stream {
    /// Whether a segment of the same stream goes on where this ends, and would come out as it is.
    fn accepts(&self, head: &Frame, frame: &Frame, layout: &Layout, payload: usize) -> bool {
        let (a, b) = (head.bytes(), frame.bytes());
        let Layout { network, transport, payload: end, ipv6 } = self.layout;
        let grown = a.len() - network + payload;
        if payload > self.size || grown > PACKET_MAX || sequence(b, layout) != self.next {
            return false;
        }
        // all of the IP header but its length, identification and checksum
        let same_ip = match ipv6 {
            true => {
                a[network..network + 4] == b[network..network + 4]
                    && a[network + 6..transport] == b[network + 6..transport]
            }
            false => {
                let expected = short(a, network + 4).wrapping_add(self.joined + 1);
                a[network..network + 2] == b[network..network + 2]
                    && short(b, network + 4) == expected
                    && a[network + 6..network + 10] == b[network + 6..network + 10]
                    && a[network + 12..transport] == b[network + 12..transport]
            }
        };
        let flags = |bytes: &[u8]| bytes[transport + FLAGS_AT] & !PSH;
        same_ip
            && a[transport + 8..transport + FLAGS_AT] == b[transport + 8..transport + FLAGS_AT]
            && flags(a) == flags(b)
            && a[transport + 14..transport + CHECKSUM_AT] == b[transport + 14..transport + CHECKSUM_AT]
            && a[transport + 18..end] == b[transport + 18..end]
            && head.has_room_behind(payload)
            && is_sound(head, &self.layout, self.joined > 0)
            && is_sound(frame, layout, false)
    }

    fn join(&mut self, head: &mut Frame, frame: &Frame, layout: &Layout, payload: usize) {
        let bytes = frame.bytes();
        head.append(&bytes[layout.payload..]);
        let pushed = bytes[layout.transport + FLAGS_AT] & PSH;
        self.joined += 1;
        self.next = self.next.wrapping_add(payload as u32);
        let Layout { network, transport, payload: end, ipv6 } = self.layout;
        let (offload, gso) = (head.offload, if ipv6 { Gso::TcpV6 } else { Gso::TcpV4 });
        let bytes = head.bytes_mut();
        bytes[transport + FLAGS_AT] |= pushed;
        let len = bytes.len() - network;
        let addresses = match ipv6 {
            true => {
                put(bytes, network + 4, (len - 40) as u16);
                network + 8..network + 40
            }
            false => {
                put(bytes, network + 2, len as u16);
                put(bytes, network + 10, 0);
                let checksum = !sum(&bytes[network..transport]);
                put(bytes, network + 10, checksum);
                network + 12..network + 20
            }
        };
        let partial = pseudo_header(&bytes[addresses], TCP, (bytes.len() - transport) as u32);
        put(bytes, transport + CHECKSUM_AT, partial);
        head.offload = Offload {
            needs_csum: true,
            gso,
            hdr_len: end as u16,
            gso_size: self.size as u16,
            csum_start: transport as u16,
            csum_offset: CHECKSUM_AT as u16,
            ..offload
        };
    }
}

/// What a frame is to whoever joins.
enum Segment {
    /// Of no TCP stream.
    Other,
    /// Of one; whether it is of the kind that can be joined, and how much it carries.
    Tcp { layout: Layout, payload: usize, mergeable: bool },
}

impl Segment {
    /// `None` if nobody can say what stream the frame is of.
    fn read(frame: &Frame) -> Option<Self> {
        let bytes = frame.bytes();
        let (at, ether_type) = network(bytes)?;
        let (gso, protocol, extended) = match ether_type {
            0x0800 => (Gso::TcpV4, *bytes.get(at + 9)?, false),
            0x86dd => (Gso::TcpV6, *bytes.get(at + 6)?, true),
            _ => return Some(Self::Other),
        };
        if matches!(protocol, 1 | 17 | 58) && !is_fragment(bytes, at, extended) {
            return Some(Self::Other);
        }
        let layout = Layout::of(bytes, gso)?;
        let end = match extended {
            true => at + 40 + usize::from(short(bytes, at + 4)),
            false => at + usize::from(short(bytes, at + 2)),
        };
        let plain_headers = layout.transport - at == if extended { 40 } else { 20 };
        let flags = bytes[layout.transport + FLAGS_AT];
        let payload = bytes.len() - layout.payload;
        let offload = &frame.offload;
        let own_checksum = !offload.needs_csum
            || (usize::from(offload.csum_start), offload.csum_offset)
                == (layout.transport, CHECKSUM_AT as u16);
        let mergeable = plain_headers
            && payload > 0
            && end == bytes.len()
            && flags & !(PSH | ECE) == ACK
            && !offload.is_gso()
            && own_checksum;
        Some(Self::Tcp { layout, payload, mergeable })
    }
}

fn is_fragment(bytes: &[u8], network: usize, ipv6: bool) -> bool {
    !ipv6 && bytes.get(network + 6..network + 8).is_none_or(|field| (field[0] & 0x3f, field[1]) != (0, 0))
}

/// Whether both are of the same stream: wires, addresses and ports.
fn same_stream(a: &[u8], b: &[u8], one: &Layout, other: &Layout) -> bool {
    let addresses = if one.ipv6 { 8..40 } else { 12..20 };
    let (network, transport) = (one.network, one.transport);
    one == other
        && a[transport..transport + 4] == b[transport..transport + 4]
        && a[network..][addresses.clone()] == b[network..][addresses]
        && a[..network] == b[..network]
}

/// Whether the checksums are right, or yet to be made.
fn is_sound(frame: &Frame, layout: &Layout, joined: bool) -> bool {
    let bytes = frame.bytes();
    let Layout { network, transport, ipv6, .. } = *layout;
    let sound_header = ipv6 || sum(&bytes[network..transport]) == 0xffff;
    if joined || frame.offload.needs_csum {
        return sound_header;
    }
    let addresses = if ipv6 { network + 8..network + 40 } else { network + 12..network + 20 };
    let pseudo = pseudo_header(&bytes[addresses], TCP, (bytes.len() - transport) as u32);
    sound_header && add(pseudo, sum(&bytes[transport..])) == 0xffff
}

fn sequence(bytes: &[u8], layout: &Layout) -> u32 {
    let at = layout.transport + 4;
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests;
