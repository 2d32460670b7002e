//! Frames, batches of them, and the ids of everything they meet.
//!
//! A [`Frame`] is one Ethernet frame in a buffer of fixed size that the edge lent to the core. It may be a
//! segmentation-offload frame of up to 64 KiB: its [`Offload`] says so and travels with it as metadata, never
//! as bytes of the frame. [`Headers`] is what the core reads: parsed once, when the frame enters.
//!
//! A [`Batch`] goes into the fabric with frames and comes out with a list of deliveries (which frame leaves
//! through which ports) and one [`End`] per frame. A flooded frame is delivered many times but stored once;
//! hence nobody edits a frame after a flood. All capacity is allocated at birth.

use crate::verdict::Reason;
use crate::wire::mac::Mac;

/// Bytes free before a frame as the edge receives it: room for a virtio-net header and a VLAN tag.
pub const HEADROOM: usize = 64;
/// The longest frame that travels: a 64 KiB IP datagram behind an Ethernet header and two VLAN tags.
pub const FRAME_MAX: usize = 65535 + 14 + 8;
/// The size of every buffer. One byte more than needed, so that a frame that is too long shows.
pub const BUFFER_SIZE: usize = HEADROOM + FRAME_MAX + 1;
/// The shortest thing that is a frame: two addresses and an EtherType.
pub const FRAME_MIN: usize = 14;
/// How many ports a process may have, as the kernel's bridge (B46).
pub const PORTS_MAX: usize = 1024;
/// How many devices a process may have: no more than ports, or some would have none.
pub const NODES_MAX: usize = PORTS_MAX;
/// How many legs one device may have.
pub const LEGS_MAX: usize = 1024;
/// How many frames a [`Batch`] holds.
pub const BATCH_MAX: usize = 64;

/// Where the graph meets the outside. Below [`PORTS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u16);

/// A wire between two devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u16);

/// What is plugged into a leg, seen from outside the graph: how whoever configures names the leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plug {
    /// An end of a link: the first (0) or the second (1) of its two devices, in the order in which it was added.
    Link(LinkId, u8),
    /// A port.
    Port(PortId),
}

/// A device of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// Where a wire is plugged into a device; meaningful only together with the device. Below [`LEGS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegIndex(pub u16);

/// One end of a wire: a device and the place on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leg {
    /// The device.
    pub node: NodeId,
    /// The place on it.
    pub leg: LegIndex,
}

/// How a frame is to be cut when it leaves through something that takes no large frames; the kinds of
/// `virtio_net_hdr.gso_type` (V5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gso {
    /// An ordinary frame.
    #[default]
    None,
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP, each segment a datagram of its own (USO).
    Udp,
}

/// What the sender left for the hardware to do: the meaning of a virtio-net header (V1–V8).
///
/// Values are as the sender wrote them, checked by the port that received them: `csum_start + csum_offset + 2`
/// lies within the frame, and a `gso` other than `None` has a `gso_size` above zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offload {
    /// The checksum field holds only the pseudo-header sum; from `csum_start` to the end is to be summed.
    pub needs_csum: bool,
    /// How to cut.
    pub gso: Gso,
    /// TCP congestion notification is in use: CWR only on the first segment.
    pub ecn: bool,
    /// The sender's hint of how long all headers are; never to be trusted as a length (V5).
    pub hdr_len: u16,
    /// Payload bytes of each segment.
    pub gso_size: u16,
    /// Where summing starts, in bytes from the start of the frame, VLAN tags included.
    pub csum_start: u16,
    /// Where the sum goes, in bytes from `csum_start`.
    pub csum_offset: u16,
}

impl Offload {
    /// A complete frame: nothing is left to do.
    pub const NONE: Self = Self {
        needs_csum: false,
        gso: Gso::None,
        ecn: false,
        hdr_len: 0,
        gso_size: 0,
        csum_start: 0,
        csum_offset: 0,
    };

    /// Whether this is a frame to be cut on the way out.
    pub fn is_gso(&self) -> bool {
        self.gso != Gso::None
    }
}

/// One Ethernet frame in a buffer lent by the edge.
#[derive(Debug)]
pub struct Frame {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// What is left for the hardware, or for the port it leaves through.
    pub offload: Offload,
    /// Where it came in.
    pub ingress: PortId,
}

impl Frame {
    /// The frame that lies in `buffer[start..end]`.
    ///
    /// # Panics
    /// If the range is not within the buffer: a mistake of the port, never of a guest.
    pub fn new(buffer: Box<[u8]>, start: usize, end: usize, ingress: PortId) -> Self {
        assert!(start <= end && end <= buffer.len(), "frame {start}..{end} outside its buffer");
        Self { buffer, start, end, offload: Offload::NONE, ingress }
    }

    /// A frame with a copy of `bytes`, in a buffer of its own: for tests, tools and rare originations.
    pub fn copy_of(bytes: &[u8], ingress: PortId) -> Self {
        let end = HEADROOM + bytes.len();
        let mut buffer = vec![0; BUFFER_SIZE.max(end)].into_boxed_slice();
        buffer[HEADROOM..end].copy_from_slice(bytes);
        Self::new(buffer, HEADROOM, end, ingress)
    }

    /// The bytes from the destination address to the end of the payload.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The same, to be edited. Only before any flood, or at the edge.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    /// The frame with the `room` bytes before it, where a port builds its own header.
    ///
    /// # Panics
    /// If less than `room` is free before the frame; [`HEADROOM`] always is when a port has just read it.
    pub fn with_room(&mut self, room: usize) -> &mut [u8] {
        &mut self.buffer[self.start - room..self.end]
    }

    /// How long the frame is, in bytes.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Gives the buffer back, to be lent again.
    pub fn into_buffer(self) -> Box<[u8]> {
        self.buffer
    }
}

/// A VLAN tag: the outermost, as it stands in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// 0x8100 (802.1Q) or 0x88a8 (802.1ad).
    pub tpid: u16,
    /// Priority, drop eligibility and VLAN id.
    pub tci: u16,
}

/// What a bridge reads of a frame, parsed once when it enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Destination address.
    pub dst: Mac,
    /// Source address.
    pub src: Mac,
    /// The outer VLAN tag, if there is one.
    pub tag: Option<Tag>,
    /// The EtherType behind the outer tag; below 1536 it is an 802.3 length.
    pub ether_type: u16,
    /// Where the bytes behind that EtherType start.
    pub payload: usize,
    /// Bytes of the whole frame.
    pub len: usize,
    /// Whether the frame will be cut on the way out, so that its length is no measure for the MTU (B47, V13).
    pub gso: bool,
}

impl Headers {
    /// Reads the headers of `bytes`; a frame shorter than [`FRAME_MIN`], or cut off within its tag, has none.
    pub fn parse(bytes: &[u8], offload: &Offload) -> Result<Self, Reason> {
        let (dst, rest) = bytes.split_first_chunk::<6>().ok_or(Reason::FrameShort)?;
        let (src, rest) = rest.split_first_chunk::<6>().ok_or(Reason::FrameShort)?;
        let (outer, rest) = rest.split_first_chunk::<2>().ok_or(Reason::FrameShort)?;
        let outer = u16::from_be_bytes(*outer);
        let (tag, ether_type, payload) = match (outer, rest) {
            // with less than two bytes behind the tag the kernel takes it for cut off (skb_vlan_untag)
            (0x8100 | 0x88a8, &[t0, t1, e0, e1, _, _, ..]) => {
                let tag = Tag { tpid: outer, tci: u16::from_be_bytes([t0, t1]) };
                (Some(tag), u16::from_be_bytes([e0, e1]), 18)
            }
            (0x8100 | 0x88a8, _) => return Err(Reason::FrameShort),
            _ => (None, outer, 14),
        };
        let len = bytes.len();
        Ok(Self { dst: Mac(*dst), src: Mac(*src), tag, ether_type, payload, len, gso: offload.is_gso() })
    }

    /// Bytes behind the Ethernet header or the outer tag: what an MTU limits (B47).
    pub fn payload_len(&self) -> usize {
        self.len - self.payload
    }
}

/// A frame of a batch is to leave through a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Index into [`Batch::frames`].
    pub frame: u16,
    /// Where it leaves.
    pub port: PortId,
}

/// What became of a received frame: exactly one of these, so that the books balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A device was its destination.
    Consumed,
    /// It ended here, and why.
    Dropped(Reason),
    /// Handed to every eligible port of a flood, at least one.
    Flooded,
    /// Kept by a device until something is known.
    Parked,
    /// Handed to the one port its destination is behind.
    Sent,
}

/// Frames on their way through the fabric, and what it decided.
#[derive(Debug)]
pub struct Batch {
    frames: Vec<Frame>,
    deliveries: Vec<Delivery>,
    ends: Vec<End>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch with all the room it will ever need.
    pub fn new() -> Self {
        Self {
            frames: Vec::with_capacity(BATCH_MAX),
            deliveries: Vec::with_capacity(BATCH_MAX * PORTS_MAX),
            ends: Vec::with_capacity(BATCH_MAX),
        }
    }

    /// Adds a frame that was received.
    ///
    /// # Panics
    /// When [`Batch::is_full`].
    pub fn push(&mut self, frame: Frame) {
        assert!(!self.is_full(), "a batch holds {BATCH_MAX} frames");
        self.frames.push(frame);
    }

    /// Whether another frame would be one too many.
    pub fn is_full(&self) -> bool {
        self.frames.len() == BATCH_MAX
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The frames, in the order they were received.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Which frame leaves where, grouped by frame in order of reception.
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// What became of each frame; as long as [`Batch::frames`] once the fabric has seen it.
    pub fn ends(&self) -> &[End] {
        &self.ends
    }

    /// Says that frame `frame` leaves through `port`. For the fabric.
    pub fn deliver(&mut self, frame: usize, port: PortId) {
        debug_assert!(frame < self.frames.len());
        self.deliveries.push(Delivery { frame: frame as u16, port });
    }

    /// Says what became of the next frame. For the fabric, once per frame and in order.
    pub fn end(&mut self, end: End) {
        debug_assert!(self.ends.len() < self.frames.len());
        self.ends.push(end);
    }

    /// The frames to be written, and the deliveries that say where. A port may edit a frame to write it, and must
    /// undo that.
    pub fn outgoing(&mut self) -> (&mut [Frame], &[Delivery]) {
        (&mut self.frames, &self.deliveries)
    }

    /// Empties the batch for the next round and hands each buffer back, the last used last: a pool that is a
    /// stack lends the warmest memory first.
    pub fn clear(&mut self, mut give_back: impl FnMut(Box<[u8]>)) {
        self.deliveries.clear();
        self.ends.clear();
        for frame in self.frames.drain(..) {
            give_back(frame.into_buffer());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of() {
        let macs = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
        let frame = |tail: &[u8]| [&macs[..], tail].concat();
        let parse = |tail: &[u8]| {
            Headers::parse(&frame(tail), &Offload::NONE)
                .map(|h| (h.tag.map(|t| t.tci), h.ether_type, h.payload))
        };
        assert_eq!(parse(&[8, 0]), Ok((None, 0x0800, 14)), "an empty frame is still a frame");
        assert_eq!(parse(&[0, 38, 0x42, 0x42]), Ok((None, 38, 14)), "802.3: the field is a length");
        assert_eq!(parse(&[0x81, 0, 0x20, 10, 8, 6, 0, 1]), Ok((Some(0x200a), 0x0806, 18)), "802.1Q");
        assert_eq!(
            parse(&[0x81, 0, 0, 5, 8, 6, 0]),
            Err(Reason::FrameShort),
            "the kernel wants two bytes more"
        );
        assert_eq!(
            parse(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7]),
            Ok((Some(5), 0x8100, 18)),
            "only the outer tag is ours"
        );
        assert_eq!(parse(&[0x81, 0, 0x20]), Err(Reason::FrameShort), "cut off within the tag");
        assert_eq!(parse(&[8]), Err(Reason::FrameShort), "cut off within the EtherType");
    }

    #[test]
    fn a_batch_gives_every_buffer_back() {
        let mut batch = Batch::new();
        for _ in 0..BATCH_MAX {
            batch.push(Frame::copy_of(&[0; 60], PortId(0)));
        }
        assert!(batch.is_full());
        let mut buffers = 0;
        batch.clear(|_| buffers += 1);
        assert_eq!(buffers, BATCH_MAX);
        assert!(batch.is_empty());
    }
}
