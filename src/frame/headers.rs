//! What the core reads of a frame.
//!
//! Parsed once when the frame enters, and again only when a device on its way has edited it ([`Edit`]): a frame that was
//! given a tag on the way out of one bridge comes into the next one with it.

use super::{Edit, Offload};
use crate::verdict::Reason;
use crate::wire::mac::Mac;

/// How many tags, one in the other, [`Passage::innermost`] looks behind: as many as the kernel does (`VLAN_MAX_DEPTH`).
pub const CARRIED_MAX: usize = 8;

/// A VLAN tag: the outermost, as it stands in the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tag {
    /// 0x8100 (802.1Q) or 0x88a8 (802.1ad).
    pub tpid: u16,
    /// Priority, drop eligibility and VLAN id.
    pub tci: u16,
}

impl Tag {
    /// The VLAN id, 0 to 4095.
    #[inline]
    pub const fn vid(self) -> u16 {
        self.tci & 0x0fff
    }

    /// The same priority in another VLAN.
    #[must_use]
    #[inline]
    pub const fn with_vid(self, vid: u16) -> Self {
        Self { tpid: self.tpid, tci: self.tci & 0xf000 | vid & 0x0fff }
    }
}

/// What a bridge reads of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Destination address.
    pub dst: Mac,
    /// Source address.
    pub src: Mac,
    /// The outer VLAN tag, if there is one.
    pub tag: Option<Tag>,
    /// The EtherType behind the outer tag; below 1536 it is an 802.3 length.
    pub ether_type: u16,
    /// Where in the buffer the bytes behind that EtherType start. Says nothing while the EtherType is that of a tag
    /// which is yet to be written.
    pub payload: usize,
    /// Bytes of the whole frame.
    pub len: usize,
    /// Whether the frame will be cut on the way out, so that its length is no measure for the MTU (B47, V13).
    pub gso: bool,
    /// Bytes of its payload that each of the frames will have that it will be cut into ([`Offload::gso_size`]).
    pub gso_size: u16,
    /// Whether its checksum is yet to be completed, so that it says nothing ([`Offload::needs_csum`]).
    pub partial: bool,
}

impl Headers {
    /// Reads the headers of `bytes`; a frame shorter than [`super::FRAME_MIN`], or cut off within its tag, has none.
    pub fn parse(bytes: &[u8], offload: &Offload) -> Result<Self, Reason> {
        let (dst, rest) = bytes.split_first_chunk::<6>().ok_or(Reason::FrameShort)?;
        let (src, rest) = rest.split_first_chunk::<6>().ok_or(Reason::FrameShort)?;
        let (outer, rest) = rest.split_first_chunk::<2>().ok_or(Reason::FrameShort)?;
        let outer = u16::from_be_bytes(*outer);
        let (tag, ether_type, payload) = match (outer, rest) {
            // with less than two bytes behind the tag the kernel takes it for cut off (skb_vlan_untag)
            (0x8100 | 0x88a8, &[t0, t1, e0, e1, _, _, ..]) => {
                let tag = Tag { tpid: outer, tci: u16::from_be_bytes([t0, t1]) };
                (Some(tag), u16::from_be_bytes([e0, e1]), 18)
            }
            (0x8100 | 0x88a8, _) => return Err(Reason::FrameShort),
            _ => (None, outer, 14),
        };
        let len = bytes.len();
        let (gso, gso_size, partial) = (offload.is_gso(), offload.gso_size, offload.needs_csum);
        Ok(Self { dst: Mac(*dst), src: Mac(*src), tag, ether_type, payload, len, gso, gso_size, partial })
    }

    /// Reads the headers of `bytes` as they will be after `edit`.
    ///
    /// # Errors
    /// [`Reason::FrameShort`] if what was under a stripped tag is no frame.
    pub fn edited(bytes: &[u8], edit: &Edit, offload: &Offload) -> Result<Self, Reason> {
        let tail = bytes.get(edit.tail()..).ok_or(Reason::FrameShort)?;
        let mut headers = match edit.pushed() {
            [] if edit.tail() == 12 => Self::parse(bytes, offload)?,
            pushed => {
                let (outer, rest) = tail.split_first_chunk::<2>().ok_or(Reason::FrameShort)?;
                let outer = u16::from_be_bytes(*outer);
                let base = edit.tail() + 2;
                let (tag, ether_type, payload) = match (pushed, outer, rest) {
                    ([], 0x8100 | 0x88a8, &[t0, t1, e0, e1, _, _, ..]) => {
                        let tag = Tag { tpid: outer, tci: u16::from_be_bytes([t0, t1]) };
                        (Some(tag), u16::from_be_bytes([e0, e1]), base + 4)
                    }
                    ([], 0x8100 | 0x88a8, _) => return Err(Reason::FrameShort),
                    ([], ..) => (None, outer, base),
                    ([tag], ..) => (Some(*tag), outer, base),
                    ([.., inner, tag], ..) => (Some(*tag), inner.tpid, base),
                };
                let (dst, src) = (Mac([0; 6]), Mac([0; 6]));
                let len = bytes.len().saturating_add_signed(edit.growth());
                let (gso, gso_size, partial) = (offload.is_gso(), offload.gso_size, offload.needs_csum);
                Self { dst, src, tag, ether_type, payload, len, gso, gso_size, partial }
            }
        };
        let addresses = bytes.first_chunk::<12>().ok_or(Reason::FrameShort)?;
        let [dst, src] = [0, 6].map(|at| Mac(std::array::from_fn(|i| addresses[at + i])));
        (headers.dst, headers.src) = (edit.dst().unwrap_or(dst), src);
        Ok(headers)
    }

    /// Bytes behind the Ethernet header or the outer tag: what an MTU limits (B47).
    #[inline]
    pub fn payload_len(&self) -> usize {
        self.len - if self.tag.is_some() { 18 } else { 14 }
    }
}

/// A frame as a device meets it: as it was read, and as the devices before wanted it.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'a> {
    /// The frame in its buffer.
    pub bytes: &'a [u8],
    /// What has been done to it so far.
    pub edit: &'a Edit,
    /// What it says, edited.
    pub headers: &'a Headers,
}

impl<'a> Passage<'a> {
    /// The packet behind the EtherType; empty if there is none.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.headers.payload..).unwrap_or_default()
    }

    /// EtherType and packet behind all tags, its own and those that it carries; `None` if those are more than
    /// [`CARRIED_MAX`], or the last of them is cut off.
    pub fn innermost(&self) -> Option<(u16, &'a [u8])> {
        let mut rest = self.bytes.get(self.edit.tail()..)?;
        for _ in 0..=CARRIED_MAX {
            match rest {
                [0x81, 0x00, _, _, behind @ ..] | [0x88, 0xa8, _, _, behind @ ..] => rest = behind,
                [high, low, packet @ ..] => return Some((u16::from_be_bytes([*high, *low]), packet)),
                _ => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of() {
        let macs = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
        let frame = |tail: &[u8]| [&macs[..], tail].concat();
        let parse = |tail: &[u8]| {
            Headers::parse(&frame(tail), &Offload::NONE)
                .map(|h| (h.tag.map(|t| t.tci), h.ether_type, h.payload))
        };
        assert_eq!(parse(&[8, 0]), Ok((None, 0x0800, 14)), "an empty frame is still a frame");
        assert_eq!(parse(&[0, 38, 0x42, 0x42]), Ok((None, 38, 14)), "802.3: the field is a length");
        assert_eq!(parse(&[0x81, 0, 0x20, 10, 8, 6, 0, 1]), Ok((Some(0x200a), 0x0806, 18)), "802.1Q");
        assert_eq!(
            parse(&[0x81, 0, 0, 5, 8, 6, 0]),
            Err(Reason::FrameShort),
            "the kernel wants two bytes more"
        );
        assert_eq!(
            parse(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7]),
            Ok((Some(5), 0x8100, 18)),
            "only the outer tag is ours"
        );
        assert_eq!(parse(&[0x81, 0, 0x20]), Err(Reason::FrameShort), "cut off within the tag");
        assert_eq!(parse(&[8]), Err(Reason::FrameShort), "cut off within the EtherType");
    }

    #[test]
    fn headers_after_an_edit() {
        let macs = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
        let bytes = [&macs[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 8, 0, 0x45, 0]].concat();
        let tag = |tpid, tci| Tag { tpid, tci };
        let edit = Edit::NONE;
        let push = |edit: Edit, tci| edit.push(tag(0x8100, tci)).expect("there is room");
        let table: &[(Edit, (Option<Tag>, u16, usize), &str)] = &[
            (edit, (Some(tag(0x88a8, 5)), 0x8100, 6), "as it lies"),
            (edit.pop(), (Some(tag(0x8100, 7)), 0x0800, 2), "the inner tag is the outer one now"),
            (edit.pop().pop(), (None, 0x0800, 2), "no tag left"),
            (push(edit.pop(), 9), (Some(tag(0x8100, 9)), 0x8100, 6), "one in its place"),
            (push(push(edit, 8), 9), (Some(tag(0x8100, 9)), 0x8100, 14), "two more"),
        ];
        for (edit, expected, why) in table {
            let h = Headers::edited(&bytes, edit, &Offload::NONE).expect(why);
            assert_eq!((h.tag, h.ether_type, h.payload_len()), *expected, "{why}");
            assert_eq!(h.len as isize, bytes.len() as isize + edit.growth(), "{why}");
        }
        let inner = Headers::edited(&bytes, &edit.pop(), &Offload::NONE).expect("checked above");
        assert_eq!(&bytes[inner.payload..], [0x45, 0], "payload is where it lies");
        assert_eq!(
            Headers::edited(&bytes[..20], &edit.pop(), &Offload::NONE),
            Err(Reason::FrameShort),
            "under the tag there is no whole frame"
        );
        let elsewhere = Headers::edited(&bytes, &edit.to(Mac([4; 6])), &Offload::NONE).expect("as it lies");
        assert_eq!(elsewhere.dst, Mac([4; 6]));
    }
}
