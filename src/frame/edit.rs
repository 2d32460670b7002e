//! What a frame has to become on its way out, said instead of done.
//!
//! A flooded frame is stored once and delivered many times, tagged here and untagged there, so nothing inside may edit
//! its bytes. A device that strips or adds a VLAN tag (B55), or writes another destination (B77), composes an [`Edit`]; it
//! travels with the delivery, and the port applies it while it writes: the first bytes come from a small array, the
//! rest from where the frame lies. Nothing of the frame is moved.

use super::{Offload, Tag};
use crate::wire::mac::Mac;

/// How many tags can be added to a frame; a walk that would add more ends.
pub const TAGS_MAX: usize = 2;
/// The most bytes of a frame that an edit replaces: two addresses and [`TAGS_MAX`] tags.
pub const HEAD_MAX: usize = 12 + 4 * TAGS_MAX;

/// What differs between a frame as it lies in its buffer and as it leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Edit {
    dst: Option<Mac>,
    popped: u8,
    pushed: u8,
    tags: [Tag; TAGS_MAX],
}

impl Edit {
    /// As it lies.
    pub const NONE: Self =
        Self { dst: None, popped: 0, pushed: 0, tags: [Tag { tpid: 0, tci: 0 }; TAGS_MAX] };

    /// Whether there is nothing to do.
    #[inline]
    pub fn is_none(&self) -> bool {
        self.popped == 0 && self.pushed == 0 && self.dst.is_none()
    }

    /// The same, then without its outer tag. The frame must have one.
    #[must_use]
    #[inline]
    pub fn pop(mut self) -> Self {
        match self.pushed {
            0 => self.popped += 1,
            _ => self.pushed -= 1,
        }
        self
    }

    /// The same, then with another outer tag; `None` when that is one too many.
    #[must_use]
    #[inline]
    pub fn push(mut self, tag: Tag) -> Option<Self> {
        *self.tags.get_mut(usize::from(self.pushed))? = tag;
        self.pushed += 1;
        Some(self)
    }

    /// The same, to another destination.
    #[must_use]
    pub fn to(self, dst: Mac) -> Self {
        Self { dst: Some(dst), ..self }
    }

    /// The same, to the destination that the frame itself names.
    #[must_use]
    #[inline]
    pub fn as_addressed(self) -> Self {
        Self { dst: None, ..self }
    }

    /// The destination, if it is another.
    #[inline]
    pub fn dst(&self) -> Option<Mac> {
        self.dst
    }

    /// The tags that are added, the innermost first.
    #[inline]
    pub fn pushed(&self) -> &[Tag] {
        &self.tags[..usize::from(self.pushed)]
    }

    /// How many bytes of the frame, from its start, the [`Edit::head`] replaces.
    #[inline]
    pub fn tail(&self) -> usize {
        12 + 4 * usize::from(self.popped)
    }

    /// By how many bytes the frame grows; negative if it shrinks.
    #[inline]
    pub fn growth(&self) -> isize {
        4 * (isize::from(self.pushed) - isize::from(self.popped))
    }

    /// The bytes that stand for the first [`Edit::tail`] bytes of `frame`, and how many they are.
    ///
    /// # Panics
    /// If the frame is shorter than two addresses: it would not have got this far.
    pub fn head(&self, frame: &[u8]) -> ([u8; HEAD_MAX], usize) {
        let mut head = [0; HEAD_MAX];
        head[..12].copy_from_slice(&frame[..12]);
        if let Some(dst) = self.dst {
            head[..6].copy_from_slice(&dst.0);
        }
        let mut len = 12;
        for tag in self.pushed().iter().rev() {
            head[len..len + 2].copy_from_slice(&tag.tpid.to_be_bytes());
            head[len + 2..len + 4].copy_from_slice(&tag.tci.to_be_bytes());
            len += 4;
        }
        (head, len)
    }

    /// What is left to do for the hardware, in terms of the edited frame; `None` if a position can no longer be told
    /// in 16 bits.
    pub fn offload(&self, offload: &Offload) -> Option<Offload> {
        let moved = |position: u16| u16::try_from(i32::from(position) + self.growth() as i32).ok();
        let csum_start = if offload.needs_csum { moved(offload.csum_start)? } else { offload.csum_start };
        // only a hint (V5), so better none than a wrong one
        let hdr_len = if offload.hdr_len == 0 { 0 } else { moved(offload.hdr_len).unwrap_or(0) };
        Some(Offload { csum_start, hdr_len, ..*offload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: fn(u16) -> Tag = |tci| Tag { tpid: 0x8100, tci };

    /// The frame, written out.
    fn edited(edit: &Edit, frame: &[u8]) -> Vec<u8> {
        let (head, len) = edit.head(frame);
        let written = [&head[..len], &frame[edit.tail()..]].concat();
        assert_eq!(written.len() as isize, frame.len() as isize + edit.growth());
        written
    }

    #[test]
    fn an_edit_is_what_was_said() {
        let macs = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
        let frame = |tail: &[u8]| [&macs[..], tail].concat();
        let tagged = frame(&[0x81, 0, 0, 7, 8, 0, 1, 2]);
        let none = Edit::NONE;
        let pushed = none.push(TAG(10)).expect("there is room");
        let table: &[(Edit, Vec<u8>, &str)] = &[
            (none, tagged.clone(), "nothing"),
            (none.pop(), frame(&[8, 0, 1, 2]), "stripped"),
            (pushed, frame(&[0x81, 0, 0, 10, 0x81, 0, 0, 7, 8, 0, 1, 2]), "the new tag is the outer one"),
            (pushed.pop(), tagged.clone(), "what was added is taken off before what was there"),
            (none.pop().push(TAG(9)).expect("room"), frame(&[0x81, 0, 0, 9, 8, 0, 1, 2]), "another id"),
            (
                pushed.push(Tag { tpid: 0x88a8, tci: 3 }).expect("room"),
                frame(&[0x88, 0xa8, 0, 3, 0x81, 0, 0, 10, 0x81, 0, 0, 7, 8, 0, 1, 2]),
                "the last added is the outermost",
            ),
        ];
        for (edit, expected, why) in table {
            assert_eq!(edited(edit, &tagged), *expected, "{why}");
        }
        let redirected = edited(&none.to(Mac([4, 0, 0, 0, 0, 9])), &tagged);
        assert_eq!((&redirected[..6], &redirected[6..]), (&[4, 0, 0, 0, 0, 9][..], &tagged[6..]));
        assert_eq!(pushed.push(TAG(1)).and_then(|edit| edit.push(TAG(2))), None, "two are enough");
        assert!(none.is_none() && !pushed.is_none() && pushed.pop().is_none());
    }

    #[test]
    fn what_the_hardware_is_told_moves_along() {
        let offload =
            Offload { needs_csum: true, csum_start: 34, csum_offset: 16, hdr_len: 54, ..Offload::NONE };
        let pushed = Edit::NONE.push(TAG(1)).expect("room");
        let moved = pushed.offload(&offload).expect("it fits");
        assert_eq!((moved.csum_start, moved.hdr_len, moved.csum_offset), (38, 58, 16));
        let popped = Edit::NONE.pop().offload(&moved).expect("it fits");
        assert_eq!(popped, offload, "and back");
        let far = Offload { csum_start: 65533, ..offload };
        assert_eq!(pushed.offload(&far), None, "beyond what a header can say");
        let unused = Offload { needs_csum: false, csum_start: 65533, hdr_len: 0, ..offload };
        assert_eq!(pushed.offload(&unused), Some(unused), "no checksum, no position");
    }
}
