//! Frames, batches of them, and the ids of everything they meet.
//!
//! A [`Frame`] is one Ethernet frame in a buffer of fixed size that the edge lent to the core. It may be a
//! segmentation-offload frame of up to 64 KiB: its [`Offload`] says so and travels with it as metadata, never
//! as bytes of the frame. [`Headers`] is what the core reads: parsed once, when the frame enters.
//!
//! A [`Batch`] goes into the fabric with frames and comes out with a list of deliveries (which frame leaves
//! through which ports) and one [`End`] per frame. A flooded frame is delivered many times but stored once;
//! hence nobody edits a frame after a flood: what has to change for one port is an [`Edit`] of its delivery. All
//! capacity is allocated at birth.

mod batch;
mod edit;
mod headers;

pub use batch::{Batch, Delivery, End, ORIGINATED_LEN_MAX, ORIGINATED_MAX, Outgoing};
pub use edit::{Edit, HEAD_MAX, TAGS_MAX};
pub use headers::{CARRIED_MAX, Headers, Passage, Tag};

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

impl PortId {
    /// No port: where frames come from that the switch made itself.
    pub const SWITCH: Self = Self(u16::MAX);
}

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

    /// Whether its buffer has room for so many bytes behind it.
    pub fn has_room_behind(&self, bytes: usize) -> bool {
        self.end + bytes <= self.buffer.len() && self.len() + bytes <= FRAME_MAX
    }

    /// Makes it longer by these bytes.
    ///
    /// # Panics
    /// If there is no room: [`Frame::has_room_behind`] says.
    pub fn append(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len();
        self.buffer[self.end..end].copy_from_slice(bytes);
        self.end = end;
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
