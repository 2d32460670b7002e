//! A TAP with virtio-net headers: large frames travel whole, checksums stay open.
//!
//! One read is one frame, its header directly before it in the buffer (V33); one write likewise, with the header
//! built in the room before the frame. A frame that is edited is written in one piece too ([`Front::lay`]): a
//! `writev` of two pieces takes a sixth longer for a small frame. What the kernel may leave undone for us is asked for
//! in descending sets, because older kernels refuse a whole set for one unknown bit (V2); what we may write does not
//! depend on it (V3).
//!
//! The interface belongs to the namespace of the thread that opens /dev/net/tun (V31), is never adopted from
//! somebody else (IFF_TUN_EXCL), and vanishes when the port is dropped.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::{Errno, retry_on_intr};

use super::front::Front;
use super::{Budget, OpenError, Pool, PortCounters, Received, admit, egress_reason, open, sys};
use crate::frame::{Batch, Edit, Frame, HEADROOM, Outgoing, PortId};
use crate::verdict::Reason;
use crate::wire::vnet::{self, VNET_LEN};

/// What we take, from all there is to nothing.
const OFFLOADS: [libc::c_uint; 4] = [
    libc::TUN_F_CSUM
        | libc::TUN_F_TSO4
        | libc::TUN_F_TSO6
        | libc::TUN_F_TSO_ECN
        | libc::TUN_F_USO4
        | libc::TUN_F_USO6,
    libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN,
    libc::TUN_F_CSUM,
    0,
];

/// A TAP made by us, with virtio-net headers and offloads.
#[derive(Debug)]
pub struct Tap {
    id: PortId,
    fd: OwnedFd,
    counters: PortCounters,
}

impl Tap {
    /// Makes the interface in the namespace of the calling thread.
    pub(super) fn open(id: PortId, interface: &str) -> Result<Self, OpenError> {
        let fd = open::tun_device()?;
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_TUN_EXCL;
        sys::tun_attach(fd.as_fd(), interface, flags).map_err(|error| OpenError::of_tap(interface, error))?;
        let setup = || {
            sys::tun_set_header_len(fd.as_fd(), VNET_LEN)?;
            // the last, nothing at all, is never refused; its error would be the one to tell
            let mut result = Ok(());
            for offloads in OFFLOADS {
                result = sys::tun_set_offload(fd.as_fd(), offloads);
                if result.is_ok() {
                    break;
                }
            }
            result
        };
        setup().map_err(|error| OpenError::of_tap(interface, error))?;
        Ok(Self { id, fd, counters: PortCounters::default() })
    }

    pub(super) fn receive(&mut self, pool: &mut Pool, batch: &mut Batch, budget: &mut Budget) -> Received {
        read_frames(self.fd.as_fd(), VNET_LEN, self.id, &mut self.counters, pool, batch, budget)
    }

    pub(super) fn send(&mut self, frames: &mut [Frame], which: &[Outgoing]) {
        for outgoing in which {
            let frame = &mut frames[usize::from(outgoing.frame)];
            if !outgoing.edit.is_none() {
                self.send_edited(frame, &outgoing.edit);
                continue;
            }
            let header = vnet::encode(&frame.offload);
            let message = frame.with_room(VNET_LEN);
            message[..VNET_LEN].copy_from_slice(&header);
            let result = retry_on_intr(|| rustix::io::write(&self.fd, &*message));
            self.counters.written(message.len() - VNET_LEN, result.map(drop).map_err(egress_reason));
        }
    }

    fn send_edited(&mut self, frame: &mut Frame, edit: &Edit) {
        let len = frame.len().saturating_add_signed(edit.growth());
        let write = |message: &[u8]| retry_on_intr(|| rustix::io::write(&self.fd, message));
        let result =
            Front::of(frame, edit).and_then(|front| front.lay(frame, write).map(drop).map_err(egress_reason));
        self.counters.written(len, result);
    }

    pub(super) fn set_id(&mut self, id: PortId) {
        self.id = id;
    }

    pub(super) fn counters(&self) -> &PortCounters {
        &self.counters
    }
}

impl AsRawFd for Tap {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Reads frames from a TAP whose headers are `header_len` bytes long, [`VNET_LEN`] or none.
pub(super) fn read_frames(
    tap: BorrowedFd<'_>,
    header_len: usize,
    id: PortId,
    counters: &mut PortCounters,
    pool: &mut Pool,
    batch: &mut Batch,
    budget: &mut Budget,
) -> Received {
    while !batch.is_full() && !budget.is_spent() {
        let mut buffer = pool.take();
        match retry_on_intr(|| rustix::io::read(tap, &mut buffer[HEADROOM - header_len..])) {
            Ok(len) => {
                budget.spend(len);
                match admit(buffer, header_len, len, id) {
                    Ok(frame) => {
                        counters.received(frame.len());
                        batch.push(frame);
                    }
                    Err((reason, buffer)) => {
                        counters.rx_drops.count(reason);
                        pool.give(buffer);
                    }
                }
            }
            Err(error) => {
                pool.give(buffer);
                match error {
                    Errno::AGAIN => return Received::Drained,
                    Errno::INVAL => {
                        budget.spend(0);
                        counters.rx_drops.count(Reason::OffloadSegment);
                    }
                    error => return Received::Gone(error.into()),
                }
            }
        }
    }
    Received::More
}
