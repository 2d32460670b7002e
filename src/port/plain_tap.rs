//! A TAP without offloads, made by `tun-tap` (`offload = false`).
//!
//! The kernel hands out only finished frames: it cuts and sums whatever its own stack left open before we read. In
//! the other direction frames are finished here ([`segment`]), since without a virtio-net header nobody behind
//! this port would know that they are not. Pieces of a frame are gathered by the write itself (V33).

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, retry_on_intr, writev};
use tun_tap::{Iface, Mode};

use super::segment::{Segments, checksum};
use super::tap::read_frames;
use super::{Budget, OpenError, Pool, PortCounters, Received, egress_reason, open, sys};
use crate::frame::{Batch, Frame, Outgoing, PortId};
use crate::verdict::Reason;

/// A TAP made by us without offloads.
#[derive(Debug)]
pub struct PlainTap {
    id: PortId,
    fd: OwnedFd,
    counters: PortCounters,
}

impl PlainTap {
    /// Makes the interface in the namespace of the calling thread.
    ///
    /// `tun-tap` would adopt a persistent TAP of that name, so an existing one is refused before; and it would leave
    /// such a device's offloads as they are, so they are switched off (they belong to the device, V2).
    pub(super) fn open(id: PortId, interface: &str) -> Result<Self, OpenError> {
        drop(open::tun_device()?);
        if open::interface_names().iter().any(|name| name == interface) {
            return Err(OpenError::Exists(interface.to_owned()));
        }
        let make = || -> io::Result<OwnedFd> {
            let iface = Iface::without_packet_info(interface, Mode::Tap)?;
            iface.set_non_blocking()?;
            let fd = sys::into_owned(iface);
            sys::tun_set_offload(fd.as_fd(), 0)?;
            Ok(fd)
        };
        let fd = make().map_err(|error| OpenError::of_tap(interface, error))?;
        Ok(Self { id, fd, counters: PortCounters::default() })
    }

    pub(super) fn receive(&mut self, pool: &mut Pool, batch: &mut Batch, budget: &mut Budget) -> Received {
        read_frames(self.fd.as_fd(), 0, self.id, &mut self.counters, pool, batch, budget)
    }

    pub(super) fn send(&mut self, frames: &mut [Frame], which: &[Outgoing]) {
        for outgoing in which {
            let frame = &frames[usize::from(outgoing.frame)];
            self.counters.written(frame.len(), self.write(frame));
        }
    }

    pub(super) fn set_id(&mut self, id: PortId) {
        self.id = id;
    }

    pub(super) fn counters(&self) -> &PortCounters {
        &self.counters
    }

    /// Writes the frame finished: cut, summed, or as it is. The rest of a frame is given up with its first segment that
    /// cannot be written.
    fn write(&self, frame: &Frame) -> Result<(), Reason> {
        let bytes = frame.bytes();
        if frame.offload.is_gso() {
            let mut segments = Segments::of(bytes, &frame.offload).ok_or(Reason::EgressRefused)?;
            while let Some((headers, payload)) = segments.next() {
                self.write_pieces(&[headers, payload])?;
            }
            Ok(())
        } else if frame.offload.needs_csum {
            let (at, checksum) = checksum(bytes, &frame.offload);
            self.write_pieces(&[&bytes[..at], &checksum, &bytes[at + 2..]])
        } else {
            self.write_pieces(&[bytes])
        }
    }

    fn write_pieces<const N: usize>(&self, pieces: &[&[u8]; N]) -> Result<(), Reason> {
        let pieces = pieces.map(IoSlice::new);
        let result: Result<usize, Errno> = retry_on_intr(|| writev(&self.fd, &pieces));
        result.map(drop).map_err(egress_reason)
    }
}

impl AsRawFd for PlainTap {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
