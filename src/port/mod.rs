//! The edge: where frames leave and enter the process.

pub mod sys;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use crate::frame::{Batch, Frame, PortId};
use crate::verdict::DropCounters;

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

/// Buffers to lend to ports: a stack, so that the warmest memory is lent first. Bounded by what is in flight.
#[derive(Debug, Default)]
pub struct Pool {}

impl Pool {
    /// A buffer of `BUFFER_SIZE` bytes with whatever was in it before.
    pub fn take(&mut self) -> Box<[u8]> {
        todo!()
    }

    /// Takes it back.
    pub fn give(&mut self, _buffer: Box<[u8]>) {
        todo!()
    }
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
    /// Frames written.
    pub tx_frames: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Frames that could not be written.
    pub tx_drops: DropCounters,
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
pub enum Port {}

impl Port {
    /// Opens a port on `interface`, in the given network namespace or the caller's own.
    pub fn open(
        _id: PortId,
        _kind: PortKind,
        _interface: &str,
        _netns: Option<BorrowedFd<'_>>,
    ) -> Result<Self, OpenError> {
        todo!()
    }

    /// Reads frames into the batch until it is full, `frames_max` are read, about `bytes_max` bytes are read, or
    /// there are no more. Bad ones are counted, not handed on. Never blocks.
    pub fn receive(
        &mut self,
        _pool: &mut Pool,
        _batch: &mut Batch,
        _frames_max: usize,
        _bytes_max: usize,
    ) -> Received {
        todo!()
    }

    /// Writes those of `frames` whose index is in `which`, in that order. What cannot be written at once is counted
    /// as dropped. The frames are afterwards as they were. Never blocks.
    pub fn send(&mut self, _frames: &mut [Frame], _which: &[u16]) {
        todo!()
    }

    /// What happened here so far.
    pub fn counters(&self) -> &PortCounters {
        todo!()
    }
}

impl AsRawFd for Port {
    fn as_raw_fd(&self) -> RawFd {
        todo!()
    }
}

/// Why a port could not be opened, in words for the user: what is missing, and how to get it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Anything the operating system says.
    #[error("{0}")]
    Io(#[from] io::Error),
}
