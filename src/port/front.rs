//! The first bytes of a message: what is written before the frame, or in place of its beginning.
//!
//! A frame leaves as its delivery says ([`Edit`]): tagged, without its tag, to another destination. Its bytes are
//! needed unchanged by other ports. So the few bytes that differ are built in an array, behind the virtio-net header
//! that speaks of the frame as it leaves (V19: tags are in-line on the way out). A call that gathers takes the array
//! and the rest of the frame from where it lies ([`Front::message`]); where gathering would cost more, the array lies
//! in the frame's place for as long as the call takes ([`Front::lay`]). Payload is never moved.
//!
//! An edit is made by a device, but of a frame that a guest made: one that comes out too short or too long, or whose
//! checksum starts within what is taken away, is refused here, before a system call.

use std::io::IoSlice;

use crate::frame::{Edit, FRAME_MAX, FRAME_MIN, Frame, HEAD_MAX, Offload};
use crate::verdict::Reason;
use crate::wire::vnet::{self, VNET_LEN};

/// A virtio-net header, and what stands for the first bytes of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    bytes: [u8; VNET_LEN + HEAD_MAX],
    len: usize,
    /// How many bytes of the frame it replaces.
    replaced: usize,
}

impl Front {
    /// Of no frame.
    pub(super) const NONE: Self = Self { bytes: [0; VNET_LEN + HEAD_MAX], len: 0, replaced: 0 };

    /// What `frame` begins with when it leaves like that.
    #[inline]
    pub(super) fn of(frame: &Frame, edit: &Edit) -> Result<Self, Reason> {
        let mut front = Self { len: VNET_LEN, ..Self::NONE };
        if edit.is_none() {
            front.bytes[..VNET_LEN].copy_from_slice(&vnet::encode(&frame.offload));
            return Ok(front);
        }
        let offload = offload(frame, edit)?;
        let (head, len) = edit.head(frame.bytes());
        front.bytes[..VNET_LEN].copy_from_slice(&vnet::encode(&offload));
        front.bytes[VNET_LEN..].copy_from_slice(&head);
        Ok(Self { len: VNET_LEN + len, replaced: edit.tail(), ..front })
    }

    /// What is to be written of a frame for which this was made.
    #[inline]
    pub(super) fn message<'a>(&'a self, frame: &'a [u8]) -> [IoSlice<'a>; 2] {
        let rest = frame.get(self.replaced..).unwrap_or_default();
        [IoSlice::new(&self.bytes[..self.len]), IoSlice::new(rest)]
    }

    /// Shows `write` the same in one piece, and puts back what lay there.
    ///
    /// # Panics
    /// As [`Frame::with_room`]: the frame grows into the room before it.
    #[inline]
    pub(super) fn lay<T>(&self, frame: &mut Frame, write: impl FnOnce(&[u8]) -> T) -> T {
        let room = self.len.saturating_sub(self.replaced);
        let message = &mut frame.with_room(room)[self.replaced.saturating_sub(self.len)..];
        let mut lay = self.bytes;
        lay[..self.len].swap_with_slice(&mut message[..self.len]);
        let result = write(message);
        message[..self.len].copy_from_slice(&lay[..self.len]);
        result
    }
}

/// What is left to do for the hardware once `frame` is edited like that; refuses an edit that leaves no frame.
pub(super) fn offload(frame: &Frame, edit: &Edit) -> Result<Offload, Reason> {
    let len = frame.len().saturating_add_signed(edit.growth());
    let is_frame = edit.tail() <= frame.len() && (FRAME_MIN..=FRAME_MAX).contains(&len);
    let within_tail = !frame.offload.needs_csum || usize::from(frame.offload.csum_start) >= edit.tail();
    if !is_frame || !within_tail {
        return Err(Reason::EgressRefused);
    }
    edit.offload(&frame.offload).ok_or(Reason::EgressRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{HEADROOM, PortId, Tag};

    const PARTIAL: Offload = Offload { needs_csum: true, csum_start: 34, csum_offset: 16, ..Offload::NONE };

    fn frame(bytes: &[u8], offload: Offload) -> Frame {
        let mut frame = Frame::copy_of(bytes, PortId(0));
        frame.offload = offload;
        frame
    }

    fn pops(count: usize) -> Edit {
        (0..count).fold(Edit::NONE, |edit, _| edit.pop())
    }

    fn push(tci: u16) -> Edit {
        Edit::NONE.push(Tag { tpid: 0x88a8, tci }).expect("there is room")
    }

    #[test]
    fn a_message_is_header_head_and_rest() {
        let bytes: Vec<u8> = (0..60).collect();
        let table: &[(Edit, u16, Vec<u8>, &str)] = &[
            (Edit::NONE, 34, bytes.clone(), "as it lies"),
            (push(7), 38, [&bytes[..12], &[0x88, 0xa8, 0, 7], &bytes[12..]].concat(), "with a tag"),
            (Edit::NONE.pop(), 30, [&bytes[..12], &bytes[16..]].concat(), "without one"),
            (pops(5), 14, [&bytes[..12], &bytes[32..]].concat(), "shorter by more than a header"),
        ];
        for (edit, csum_start, expected, why) in table {
            let mut frame = frame(&bytes, PARTIAL);
            let before = frame.with_room(HEADROOM).to_vec();
            let front = Front::of(&frame, edit).expect(why);
            let message: Vec<u8> =
                front.message(frame.bytes()).iter().flat_map(|piece| piece.to_vec()).collect();
            let header = vnet::encode(&Offload { csum_start: *csum_start, ..PARTIAL });
            assert_eq!(message, [&header[..], expected].concat(), "{why}");
            let laid = front.lay(&mut frame, |message| message.to_vec());
            assert_eq!(laid, message, "{why}, in one piece");
            assert_eq!(frame.with_room(HEADROOM), before, "{why}: as it was, and so is what lies before it");
        }
    }

    #[test]
    fn what_would_be_no_frame_is_refused() {
        let partial = |csum_start| Offload { csum_start, ..PARTIAL };
        let table: &[(usize, Offload, Edit, bool, &str)] = &[
            (60, PARTIAL, push(1), true, "an ordinary frame"),
            (FRAME_MAX - 4, Offload::NONE, push(1), true, "as long as a frame may be"),
            (FRAME_MAX - 3, Offload::NONE, push(1), false, "one byte longer"),
            (18, Offload::NONE, Edit::NONE.pop(), true, "a tag, and an EtherType behind it"),
            (17, Offload::NONE, Edit::NONE.pop(), false, "no whole EtherType behind the tag"),
            (19, Offload::NONE, pops(2), false, "not even two tags to take"),
            (60, partial(20), pops(2), true, "the checksum starts right behind the tags"),
            (60, partial(20), pops(3), false, "it starts within what is taken away"),
            (70, Offload { csum_start: 65533, ..PARTIAL }, push(1), false, "beyond what a header can say"),
        ];
        for (len, offload, edit, sound, why) in table {
            let front = Front::of(&frame(&vec![0; *len], *offload), edit);
            assert_eq!(front.map(drop), if *sound { Ok(()) } else { Err(Reason::EgressRefused) }, "{why}");
        }
    }

    #[test]
    fn a_frame_in_a_small_buffer_can_be_edited() {
        let bytes = [7; FRAME_MIN];
        let small = Frame::new(bytes.to_vec().into(), 0, FRAME_MIN, PortId::SWITCH);
        let front = Front::of(&small, &push(7)).expect("it grows beside its buffer");
        let [head, rest] = front.message(small.bytes());
        assert_eq!((head.len(), &rest[..]), (VNET_LEN + 16, &bytes[12..]));
    }
}
