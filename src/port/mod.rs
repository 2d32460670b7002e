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
//! Several threads can serve one port ([`Port::deal`]): each reads some of its queues, and all may write.
//!
//! A network namespace is entered by a thread that does nothing else and ends ([`open`]); afterwards the
//! descriptor works from anywhere. Ports are opened by whoever configures, and used by the engine.

pub mod coalesce;
mod dhcp;
mod ends;
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
use std::num::NonZero;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;

use crate::frame::{Batch, FRAME_MAX, FRAME_MIN, Frame, HEADROOM, Offload, Outgoing, PortId};
use crate::verdict::{DropCounters, Reason};
use crate::wire::vnet::{self, VNET_LEN};

use ends::Ends;
pub use open::OpenError;
use packet::Hearing;
pub use pool::Pool;

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

    /// All that another thread has counted, too.
    pub fn add(&mut self, other: &Self) {
        self.rx_frames += other.rx_frames;
        self.rx_bytes += other.rx_bytes;
        self.rx_drops.add_all(&other.rx_drops);
        self.tx_frames += other.tx_frames;
        self.tx_bytes += other.tx_bytes;
        self.tx_drops.add_all(&other.tx_drops);
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

/// An open port, or one thread's share of it.
#[derive(Debug)]
pub struct Port {
    ledger: Ledger,
    ends: Ends<OwnedFd>,
    kind: Kind,
}

/// Which port it is, and what it has counted.
#[derive(Debug)]
struct Ledger {
    id: PortId,
    counters: PortCounters,
}

/// A closed set.
#[derive(Debug)]
enum Kind {
    /// [`PortKind::Raw`].
    Packet(Hearing),
    /// [`PortKind::PlainTap`].
    PlainTap,
    /// [`PortKind::Tap`].
    Tap,
}

/// What reading needs of others: where frames come from, where they go, how many there may be, and who counts.
struct Intake<'a> {
    ledger: &'a mut Ledger,
    pool: &'a mut Pool,
    batch: &'a mut Batch,
    budget: Budget,
}

impl Port {
    /// Opens a port on `interface`, in the given network namespace or the caller's own.
    ///
    /// TAPs are made, down and without an address, and vanish with the port; raw ports want an interface that
    /// exists. With more than one of `queues` several threads can read ([`Port::deal`]); a plain TAP has one in any case.
    pub fn open(
        id: PortId,
        kind: PortKind,
        interface: &str,
        queues: NonZero<usize>,
        netns: Option<BorrowedFd<'_>>,
    ) -> Result<Self, OpenError> {
        open::check_name(interface)?;
        let (ends, kind) = open::in_namespace(netns, || match kind {
            PortKind::PlainTap => plain_tap::open(interface).map(|fd| (Ends::one(fd), Kind::PlainTap)),
            PortKind::Raw => {
                packet::open(interface, queues.get()).map(|(ends, hearing)| (ends, Kind::Packet(hearing)))
            }
            PortKind::Tap => tap::open(interface, queues.get()).map(|ends| (ends, Kind::Tap)),
        })??;
        Ok(Self { ledger: Ledger { id, counters: PortCounters::default() }, ends, kind })
    }

    /// Gives the port another id: what it reads from now on came in there.
    pub fn set_id(&mut self, id: PortId) {
        self.ledger.id = id;
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
        let Self { ledger, ends, kind } = self;
        let budget = Budget { frames: frames_max, bytes: bytes_max };
        let mut intake = Intake { ledger, pool, batch, budget };
        ends.read(|reader| match kind {
            Kind::Packet(hearing) => hearing.receive(reader, &mut intake),
            Kind::PlainTap => tap::read_frames(reader, 0, &mut intake),
            Kind::Tap => tap::read_frames(reader, VNET_LEN, &mut intake),
        })
    }

    /// Writes the frames that `which` names, edited as it says, in that order. What cannot be written at once is
    /// counted as dropped. The frames are afterwards as they were. Never blocks.
    pub fn send(&mut self, frames: &mut [Frame], which: &[Outgoing]) {
        let Self { ledger, ends, kind } = self;
        match kind {
            Kind::Packet(_) => packet::send(ends.writer(), ledger, frames, which),
            Kind::PlainTap => plain_tap::send(ends.writer(), ledger, frames, which),
            Kind::Tap => tap::send(ends.writer(), ledger, frames, which),
        }
    }

    /// Whether its interface takes no large frames, so that they have to be cut here.
    pub fn cuts(&self) -> bool {
        matches!(self.kind, Kind::PlainTap)
    }

    /// What happened here so far, with what only the kernel has counted: a system call, for those who look.
    pub fn ask_counters(&mut self) -> &PortCounters {
        if let Self { ledger, ends, kind: Kind::Packet(_) } = self {
            ends.readers().for_each(|socket| packet::ask_kernel(socket, ledger));
        }
        self.counters()
    }

    /// What happened here so far, as far as this process knows.
    pub fn counters(&self) -> &PortCounters {
        &self.ledger.counters
    }

    /// How many queues are read here.
    pub fn queues(&self) -> usize {
        self.ends.queues()
    }

    /// Whether the first queue of the port is read here. It tells of the end of the interface; those who read the others
    /// would only say it again.
    pub fn has_first_queue(&self) -> bool {
        self.ends.has_first()
    }

    /// The descriptors that tell when there is something to read.
    pub fn readers(&self) -> impl Iterator<Item = RawFd> + '_ {
        self.ends.readers().map(AsRawFd::as_raw_fd)
    }

    /// The shares of `threads` threads (at least one), to each of which everything may be sent, and of which each reads some
    /// of the queues or none. What was counted so far stays with the first.
    pub fn deal(self, threads: usize) -> Vec<Self> {
        let Self { ledger: Ledger { id, mut counters }, ends, kind } = self;
        let mut share = |ends| Self {
            ledger: Ledger { id, counters: std::mem::take(&mut counters) },
            ends,
            kind: kind.another(),
        };
        ends.deal(threads, usize::from(id.0)).into_iter().map(&mut share).collect()
    }

    /// Takes another share of the same port as well, with what was counted there.
    pub fn join(&mut self, other: Self) {
        self.ledger.counters.add(&other.ledger.counters);
        self.ends.join(other.ends);
        if let (Kind::Packet(hearing), Kind::Packet(other)) = (&mut self.kind, &other.kind) {
            hearing.join(other);
        }
    }
}

impl Kind {
    /// For another thread's share.
    fn another(&self) -> Self {
        match self {
            Self::Packet(hearing) => Self::Packet(hearing.another()),
            Self::PlainTap => Self::PlainTap,
            Self::Tap => Self::Tap,
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
