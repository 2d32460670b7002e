//! The edge: where frames leave and enter the process.
//!
//! A [`Port`] is an interface that frames are read from and written to, one of three kinds. Every frame carries
//! what its sender left to do (a checksum, cutting a large frame) as metadata: TAP and raw ports take it from the
//! virtio-net header and pass it on in one; a plain TAP has no such header, so what leaves through it is cut and
//! summed here. A header is hostile input: one that its frame does not bear out is a counted drop.
//!
//! What a device wants changed of a frame (a VLAN tag, its destination) is done here too, while the frame is written:
//! only the first bytes are built anew, payload is never moved, and the frame stays as it was. An edit that leaves no
//! frame, or one longer than any, is `egress-refused`.
//!
//! No port ever blocks, and no error ends more than the port it happened on. What errors mean:
//!
//! | the kernel says | reading | writing |
//! |---|---|---|
//! | EAGAIN | nothing there: wait for the poll | `egress-full` |
//! | ENOBUFS | | `egress-full` |
//! | EIO (TAP), ENETDOWN (raw) | the link is down: wait, it may come back | `egress-down` |
//! | EBADFD (TAP), ENODEV, ENXIO (raw) | the interface was deleted: the port is gone | `egress-gone` |
//! | EMSGSIZE (raw) | | `mtu-exceeded` |
//! | EINVAL | a frame no header can describe (V18): `offload-segment` | `egress-refused` |
//! | anything else | the port is gone | `egress-refused` |
//!
//! A network namespace is entered by a thread that does nothing else and ends ([`open`]); afterwards the
//! descriptor works from anywhere. Ports are opened by whoever configures, and used by the engine.

pub mod coalesce;
mod dhcp;
mod front;
pub mod open;
mod packet;
mod plain_tap;
pub mod pool;
mod sctp;
pub mod segment;
pub mod sys;
mod tap;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::io::Errno;

use crate::frame::{Batch, FRAME_MAX, FRAME_MIN, Frame, HEADROOM, Offload, Outgoing, PortId};
use crate::verdict::{DropCounters, Reason};
use crate::wire::vnet;

pub use open::OpenError;
use packet::Packet;
use plain_tap::PlainTap;
pub use pool::Pool;
use tap::Tap;

/// How a port reaches its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortKind {
    /// A TAP made by us without offloads, through `tun-tap` (`offload = false`).
    PlainTap,
    /// AF_PACKET on an interface that somebody else made.
    Raw,
    /// A TAP made by us, with virtio-net headers and offloads.
    Tap,
}

/// What a port has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Frames read and handed on.
    pub rx_frames: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Frames read but unfit.
    pub rx_drops: DropCounters,
    /// Frames written; one that was cut on the way out counts once.
    pub tx_frames: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Frames that could not be written, or not to the last segment.
    pub tx_drops: DropCounters,
}

impl PortCounters {
    fn received(&mut self, len: usize) {
        self.rx_frames += 1;
        self.rx_bytes += len as u64;
    }

    fn written(&mut self, len: usize, result: Result<(), Reason>) {
        match result {
            Ok(()) => {
                self.tx_frames += 1;
                self.tx_bytes += len as u64;
            }
            Err(reason) => self.tx_drops.count(reason),
        }
    }
}

/// What `receive` found.
#[derive(Debug)]
pub enum Received {
    /// The interface has no more for now: wait for the poll.
    Drained,
    /// The interface is gone or broken for good.
    Gone(io::Error),
    /// There may be more.
    More,
}

/// An open port. A closed set.
#[derive(Debug)]
pub enum Port {
    /// [`PortKind::Raw`].
    Packet(Packet),
    /// [`PortKind::PlainTap`].
    PlainTap(PlainTap),
    /// [`PortKind::Tap`].
    Tap(Tap),
}

impl Port {
    /// Opens a port on `interface`, in the given network namespace or the caller's own.
    ///
    /// TAPs are made, down and without an address, and vanish with the port; raw ports want an interface that
    /// exists.
    pub fn open(
        id: PortId,
        kind: PortKind,
        interface: &str,
        netns: Option<BorrowedFd<'_>>,
    ) -> Result<Self, OpenError> {
        open::check_name(interface)?;
        open::in_namespace(netns, || match kind {
            PortKind::PlainTap => PlainTap::open(id, interface).map(Self::PlainTap),
            PortKind::Raw => Packet::open(id, interface).map(Self::Packet),
            PortKind::Tap => Tap::open(id, interface).map(Self::Tap),
        })?
    }

    /// Gives the port another id: what it reads from now on came in there.
    pub fn set_id(&mut self, id: PortId) {
        match self {
            Self::Packet(port) => port.set_id(id),
            Self::PlainTap(port) => port.set_id(id),
            Self::Tap(port) => port.set_id(id),
        }
    }

    /// Reads frames into the batch until it is full, `frames_max` are read, about `bytes_max` bytes are read, or
    /// there are no more. Bad ones are counted, not handed on. Never blocks.
    pub fn receive(
        &mut self,
        pool: &mut Pool,
        batch: &mut Batch,
        frames_max: usize,
        bytes_max: usize,
    ) -> Received {
        let mut budget = Budget { frames: frames_max, bytes: bytes_max };
        match self {
            Self::Packet(port) => port.receive(pool, batch, &mut budget),
            Self::PlainTap(port) => port.receive(pool, batch, &mut budget),
            Self::Tap(port) => port.receive(pool, batch, &mut budget),
        }
    }

    /// Writes the frames that `which` names, edited as it says, in that order. What cannot be written at once is
    /// counted as dropped. The frames are afterwards as they were. Never blocks.
    pub fn send(&mut self, frames: &mut [Frame], which: &[Outgoing]) {
        match self {
            Self::Packet(port) => port.send(frames, which),
            Self::PlainTap(port) => port.send(frames, which),
            Self::Tap(port) => port.send(frames, which),
        }
    }

    /// Whether its interface takes no large frames, so that they have to be cut here.
    pub fn cuts(&self) -> bool {
        matches!(self, Self::PlainTap(_))
    }

    /// What happened here so far, with what only the kernel has counted: a system call, for those who look.
    pub fn ask_counters(&mut self) -> &PortCounters {
        if let Self::Packet(port) = self {
            port.ask_kernel();
        }
        self.counters()
    }

    /// What happened here so far, as far as this process knows.
    pub fn counters(&self) -> &PortCounters {
        match self {
            Self::Packet(port) => port.counters(),
            Self::PlainTap(port) => port.counters(),
            Self::Tap(port) => port.counters(),
        }
    }
}

impl AsRawFd for Port {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Packet(port) => port.as_raw_fd(),
            Self::PlainTap(port) => port.as_raw_fd(),
            Self::Tap(port) => port.as_raw_fd(),
        }
    }
}

/// What a call of `receive` may still read. Unfit frames cost as much as others.
struct Budget {
    frames: usize,
    bytes: usize,
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.frames == 0 || self.bytes == 0
    }

    fn spend(&mut self, bytes: usize) {
        self.frames = self.frames.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// The frame of a message of `len` bytes that lies around [`HEADROOM`] in `buffer`: before it a virtio-net header of
/// `header_len` bytes, if that is not zero, from it on the frame.
fn admit(buffer: Box<[u8]>, header_len: usize, len: usize, id: PortId) -> Result<Frame, (Reason, Box<[u8]>)> {
    let len = len.saturating_sub(header_len);
    let offload = match len {
        ..FRAME_MIN => Err(Reason::FrameShort),
        FRAME_MIN..=FRAME_MAX if header_len == 0 => Ok(Offload::NONE),
        FRAME_MIN..=FRAME_MAX => {
            let (before, frame) = buffer.split_at(HEADROOM);
            let header = before.last_chunk().expect("the headroom is longer than the header");
            vnet::decode(header, &frame[..len])
        }
        _ => Err(Reason::FrameLong),
    };
    match offload {
        Ok(offload) => {
            let mut frame = Frame::new(buffer, HEADROOM, HEADROOM + len, id);
            frame.offload = offload;
            dhcp::finish(&mut frame);
            sctp::finish(&mut frame);
            Ok(frame)
        }
        Err(reason) => Err((reason, buffer)),
    }
}

/// Why a write to a TAP or packet socket failed, in our terms.
fn egress_reason(error: Errno) -> Reason {
    match error {
        Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM => Reason::EgressFull,
        Errno::IO | Errno::NETDOWN => Reason::EgressDown,
        Errno::BADFD | Errno::NODEV | Errno::NXIO => Reason::EgressGone,
        Errno::MSGSIZE => Reason::MtuExceeded,
        _ => Reason::EgressRefused,
    }
}
