//! A TAP without offloads, made by `tun-tap` (`offload = false`).
//!
//! The kernel hands out only finished frames: it cuts and sums whatever its own stack left open before we read. In
//! the other direction frames are finished here ([`segment`]), since without a virtio-net header nobody behind
//! this port would know that they are not. Pieces of a frame are gathered by the write itself (V33).

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr, writev};
use tun_tap::{Iface, Mode};

use super::front;
use super::segment::{Segments, checksum};
use super::{Ledger, OpenError, egress_reason, open, sys};
use crate::frame::{Edit, Frame, HEAD_MAX, Outgoing};
use crate::verdict::Reason;

/// The most pieces that a frame is written in: edited bytes, those up to the checksum, the checksum, the rest.
const PIECES_MAX: usize = 4;

/// Makes the interface in the namespace of the calling thread.
///
/// `tun-tap` would adopt a persistent TAP of that name, so an existing one is refused before; and it would leave
/// such a device's offloads as they are, so they are switched off (they belong to the device, V2).
pub(super) fn open(interface: &str) -> Result<OwnedFd, OpenError> {
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
    make().map_err(|error| OpenError::of_tap(interface, error))
}

/// Finishes frames and writes them, one after the other.
pub(super) fn send(tap: &OwnedFd, ledger: &mut Ledger, frames: &[Frame], which: &[Outgoing]) {
    for outgoing in which {
        let frame = &frames[usize::from(outgoing.frame)];
        let len = frame.len().saturating_add_signed(outgoing.edit.growth());
        let result = finish(frame, &outgoing.edit, |pieces| write_pieces(tap, pieces));
        ledger.counters.written(len, result);
    }
}

fn write_pieces(tap: &OwnedFd, pieces: &[&[u8]]) -> Result<(), Reason> {
    let mut slices = [IoSlice::new(&[]); PIECES_MAX];
    for (slice, piece) in slices.iter_mut().zip(pieces) {
        *slice = IoSlice::new(piece);
    }
    let result: Result<usize, Errno> = retry_on_intr(|| writev(tap, &slices[..pieces.len()]));
    result.map(drop).map_err(egress_reason)
}

/// Writes the frame edited and finished: cut, summed, or as it is. The rest of a frame is given up with its first
/// segment that cannot be written.
fn finish(
    frame: &Frame,
    edit: &Edit,
    mut write: impl FnMut(&[&[u8]]) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let bytes = frame.bytes();
    let offload = &frame.offload;
    if !edit.is_none() {
        front::offload(frame, edit)?;
    }
    if offload.is_gso() {
        let mut segments = Segments::of(bytes, offload, edit).ok_or(Reason::EgressRefused)?;
        while let Some((headers, payload)) = segments.next() {
            write(&[headers, payload])?;
        }
        return Ok(());
    }
    let unedited = usize::from(edit.is_none());
    let (head, len) = if edit.is_none() { ([0; HEAD_MAX], 0) } else { edit.head(bytes) };
    let (head, from) = (&head[..len], if edit.is_none() { 0 } else { edit.tail() });
    if offload.needs_csum {
        let (at, checksum) = checksum(bytes, offload);
        write(&[head, &bytes[from..at], &checksum, &bytes[at + 2..]][unedited..])
    } else {
        write(&[head, &bytes[from..]][unedited..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Gso, Offload, PortId, Tag};
    use crate::wire::mac::Mac;

    /// What is written of a frame, one vector for each call.
    fn written(bytes: &[u8], offload: Offload, edit: &Edit) -> Result<Vec<Vec<u8>>, Reason> {
        let mut frame = Frame::copy_of(bytes, PortId(0));
        frame.offload = offload;
        let mut calls = Vec::new();
        finish(&frame, edit, |pieces| {
            assert!(pieces.len() <= PIECES_MAX);
            calls.push(pieces.concat());
            Ok(())
        })?;
        assert_eq!(frame.bytes(), bytes, "a frame is never changed");
        Ok(calls)
    }

    #[test]
    fn an_edited_frame_is_finished_as_the_written_out_one() {
        let tag = |tpid, tci| Tag { tpid, tci };
        let push = |edit: Edit, tag| edit.push(tag).expect("there is room");
        let none = Edit::NONE;
        let edits = [
            (none, "none"),
            (push(none, tag(0x8100, 10)), "802.1Q"),
            (push(none, tag(0x88a8, 10)), "802.1ad"),
            (none.pop(), "pop"),
            (push(none.pop(), tag(0x8100, 9)), "replace"),
            (push(push(none, tag(0x8100, 9)), tag(0x88a8, 3)), "two"),
            (none.to(Mac([4; 6])), "another destination"),
            (push(none.to(Mac([4; 6])), tag(0x8100, 1)), "another destination, and a tag"),
        ];
        for tags in [&[][..], &[0x81, 0, 0, 7], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8]] {
            for (edit, why) in &edits {
                if tags.is_empty() && edit.tail() > 12 {
                    continue;
                }
                for (gso, udp, needs_csum) in [
                    (Gso::None, true, false),
                    (Gso::None, false, true),
                    (Gso::TcpV4, false, true),
                    (Gso::Udp, true, true),
                ] {
                    let bytes = frame(tags, udp, 2500);
                    let csum_start = (34 + tags.len()) as u16;
                    let csum_offset = if udp { 6 } else { 16 };
                    let offload =
                        Offload { needs_csum, gso, gso_size: 1000, csum_start, csum_offset, ..Offload::NONE };
                    let (head, len) = edit.head(&bytes);
                    let plain = [&head[..len], &bytes[edit.tail()..]].concat();
                    let moved = edit.offload(&offload).expect("it fits");
                    let expected = written(&plain, moved, &Edit::NONE).expect(why);
                    assert_eq!(
                        written(&bytes, offload, edit).expect(why),
                        expected,
                        "{why}, {gso:?}, {tags:?}"
                    );
                    assert_eq!(expected.len(), if gso == Gso::None { 1 } else { 3 }, "{why}, {gso:?}");
                    assert!(expected.iter().all(|call| call.starts_with(&head[..len])), "{why}, {gso:?}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_edited_is_refused() {
        let bytes = frame(&[], false, 2500);
        let offload = Offload {
            needs_csum: true,
            gso: Gso::TcpV4,
            gso_size: 1000,
            csum_start: 34,
            csum_offset: 16,
            ..Offload::NONE
        };
        let pops = |count: usize| (0..count).fold(Edit::NONE, |edit, _| edit.pop());
        for (bytes, offload, edit, why) in [
            (&bytes[..], offload, pops(1), "the tag that is taken away is the EtherType"),
            (&bytes, offload, pops(6), "the checksum starts within it"),
            (&bytes[..40], Offload::NONE, pops(8), "nothing is left"),
        ] {
            assert_eq!(written(bytes, offload, &edit), Err(Reason::EgressRefused), "{why}");
        }
    }

    fn frame(tags: &[u8], udp: bool, size: usize) -> Vec<u8> {
        let payload: Vec<u8> = (0..size).map(|i| i as u8).collect();
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        let mut packet = Vec::new();
        match udp {
            true => builder.udp(1, 2).write(&mut packet, &payload),
            false => builder.tcp(1, 2, 3, 4).psh().write(&mut packet, &payload),
        }
        .expect("a vector takes anything");
        [&[2; 12][..], tags, &[8, 0], &packet].concat()
    }
}
