//! A TAP with virtio-net headers: large frames travel whole, checksums stay open.
//!
//! One read is one frame, its header directly before it in the buffer (V33); one write likewise, with the header
//! built in the room before the frame. A frame that is edited is written in one piece too ([`Front::lay`]): a
//! `writev` of two pieces takes a sixth longer for a small frame. What the kernel may leave undone for us is asked for
//! in descending sets, because older kernels refuse a whole set for one unknown bit (V2); what we may write does not
//! depend on it (V3).
//!
//! A TAP may have several queues (IFF_MULTI_QUEUE), each with a descriptor that is read. The kernel puts a frame into the queue
//! that its addresses and ports hash to, unless a frame of the other direction was written lately: then into the one it was
//! written to (`tun_automq_select_queue`). A flow would so change its queue in its midst, and frames that wait in the old one
//! be overtaken. It does not do that for frames that were written to a queue that is detached, so everything is written to one
//! more, which is.
//!
//! The interface belongs to the namespace of the thread that opens /dev/net/tun (V31), is never adopted from
//! somebody else (IFF_TUN_EXCL), and vanishes when the port is dropped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};

use super::ends::Ends;
use super::front::Front;
use super::{Intake, Ledger, OpenError, Received, admit, egress_reason, open, sys};
use crate::frame::{Edit, Frame, HEADROOM, Outgoing};
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

/// Makes the interface in the namespace of the calling thread.
pub(super) fn open(interface: &str, queues: usize) -> Result<Ends<OwnedFd>, OpenError> {
    let attach = |flags| {
        let fd = open::tun_device()?;
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | flags;
        sys::tun_attach(fd.as_fd(), interface, flags).map_err(|error| OpenError::of_tap(interface, error))?;
        Ok(fd)
    };
    let set_up = |fd: &OwnedFd| set_up(fd.as_fd()).map_err(|error| OpenError::of_tap(interface, error));
    if queues == 1 {
        let fd = attach(libc::IFF_TUN_EXCL)?;
        set_up(&fd)?;
        return Ok(Ends::one(fd));
    }
    let first = attach(libc::IFF_MULTI_QUEUE | libc::IFF_TUN_EXCL)?;
    set_up(&first)?;
    let mut readers = vec![first];
    while readers.len() < queues {
        readers.push(attach(libc::IFF_MULTI_QUEUE)?);
    }
    let writer = attach(libc::IFF_MULTI_QUEUE)?;
    sys::tun_detach_queue(writer.as_fd()).map_err(|error| OpenError::of_tap(interface, error))?;
    Ok(Ends::several(readers, writer))
}

/// Writes frames, one after the other.
pub(super) fn send(tap: &OwnedFd, ledger: &mut Ledger, frames: &mut [Frame], which: &[Outgoing]) {
    for outgoing in which {
        let frame = &mut frames[usize::from(outgoing.frame)];
        if !outgoing.edit.is_none() {
            send_edited(tap, ledger, frame, &outgoing.edit);
            continue;
        }
        let header = vnet::encode(&frame.offload);
        let message = frame.with_room(VNET_LEN);
        message[..VNET_LEN].copy_from_slice(&header);
        let result = retry_on_intr(|| rustix::io::write(tap, &*message));
        ledger.counters.written(message.len() - VNET_LEN, result.map(drop).map_err(egress_reason));
    }
}

fn send_edited(tap: &OwnedFd, ledger: &mut Ledger, frame: &mut Frame, edit: &Edit) {
    let len = frame.len().saturating_add_signed(edit.growth());
    let write = |message: &[u8]| retry_on_intr(|| rustix::io::write(tap, message));
    let result =
        Front::of(frame, edit).and_then(|front| front.lay(frame, write).map(drop).map_err(egress_reason));
    ledger.counters.written(len, result);
}

/// What belongs to the device, whatever its queues: the length of headers, and what we take.
fn set_up(tap: BorrowedFd<'_>) -> io::Result<()> {
    sys::tun_set_header_len(tap, VNET_LEN)?;
    // the last, nothing at all, is never refused; its error would be the one to tell
    let mut result = Ok(());
    for offloads in OFFLOADS {
        result = sys::tun_set_offload(tap, offloads);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Reads frames from a TAP whose headers are `header_len` bytes long, [`VNET_LEN`] or none.
pub(super) fn read_frames(tap: &OwnedFd, header_len: usize, intake: &mut Intake<'_>) -> Received {
    let Intake { ledger, pool, batch, budget } = intake;
    while !batch.is_full() && !budget.is_spent() {
        let mut buffer = pool.take();
        match retry_on_intr(|| rustix::io::read(tap, &mut buffer[HEADROOM - header_len..])) {
            Ok(len) => {
                budget.spend(len);
                match admit(buffer, header_len, len, ledger.id) {
                    Ok(frame) => {
                        ledger.counters.received(frame.len());
                        batch.push(frame);
                    }
                    Err((reason, buffer)) => {
                        ledger.counters.rx_drops.count(reason);
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
                        ledger.counters.rx_drops.count(Reason::OffloadSegment);
                    }
                    error => return Received::Gone(error.into()),
                }
            }
        }
    }
    Received::More
}
