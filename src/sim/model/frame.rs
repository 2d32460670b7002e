//! A frame on its way through the model: its bytes, and the tags that bridges have put on top of them.

use crate::frame::Tag;
use crate::verdict::Reason;
use crate::wire::mac::Mac;

/// How many tags bridges may add.
const TAGS_MAX: usize = 2;
/// How many tags anybody looks behind.
const TAGS_READ_MAX: usize = 8;
const DOT1Q: u16 = 0x8100;
const DOT1AD: u16 = 0x88a8;

#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// As it was sent, but for tags that were taken off.
    body: Vec<u8>,
    /// Put on by bridges, the outermost last. Kernels hand such tags over beside the frame.
    added: Vec<Tag>,
}

impl Packet {
    /// The frame, if it is one: two addresses, an EtherType, and two bytes behind a tag that it has.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, Reason> {
        let packet = Self { body: bytes.to_vec(), added: Vec::new() };
        packet.check()?;
        Ok(packet)
    }

    /// Whether a bridge can make sense of it.
    pub(super) fn check(&self) -> Result<(), Reason> {
        let tagged = self.added.is_empty() && self.body_tag().is_some();
        let shortest = if tagged { 20 } else { 14 };
        if self.body.len() < shortest { Err(Reason::FrameShort) } else { Ok(()) }
    }

    pub(super) fn dst(&self) -> Mac {
        Mac(std::array::from_fn(|at| self.body[at]))
    }

    pub(super) fn src(&self) -> Mac {
        Mac(std::array::from_fn(|at| self.body[6 + at]))
    }

    /// The outer tag.
    pub(super) fn tag(&self) -> Option<Tag> {
        self.added.last().copied().or_else(|| self.body_tag())
    }

    /// Bytes behind the Ethernet header, tags included.
    pub(super) fn len(&self) -> usize {
        self.body.len() - 14 + 4 * self.added.len()
    }

    /// Takes the outer tag off.
    pub(super) fn pop(&mut self) {
        if self.added.pop().is_none() {
            self.body.drain(12..16);
        }
    }

    /// Puts a tag on, unless those would be too many.
    pub(super) fn push(&mut self, tag: Tag) -> Result<(), Reason> {
        if self.added.len() == TAGS_MAX {
            return Err(Reason::TagsFull);
        }
        self.added.push(tag);
        Ok(())
    }

    /// What a port writes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.body[..12].to_vec();
        for tag in self.added.iter().rev() {
            bytes.extend([tag.tpid.to_be_bytes(), tag.tci.to_be_bytes()].concat());
        }
        bytes.extend(&self.body[12..]);
        bytes
    }

    /// Whether it is IP behind however many tags, and not what neighbour discovery says. If one cannot tell, it is.
    pub(super) fn is_conversation(&self) -> bool {
        let mut rest = &self.body[12..];
        let mut tags = 0;
        while rest.len() >= 4 && [DOT1Q, DOT1AD].contains(&u16::from_be_bytes([rest[0], rest[1]])) {
            rest = &rest[4..];
            tags += 1;
        }
        let [high, low, packet @ ..] = rest else { return true };
        if tags > TAGS_READ_MAX {
            return true;
        }
        match (u16::from_be_bytes([*high, *low]), packet.get(6), packet.get(40)) {
            (0x86dd, Some(58), Some(133..=137)) => false,
            (kind, ..) => kind == 0x0800 || kind == 0x86dd,
        }
    }

    fn body_tag(&self) -> Option<Tag> {
        let word = |at: usize| Some(u16::from_be_bytes([*self.body.get(at)?, *self.body.get(at + 1)?]));
        let tpid = word(12).filter(|tpid| [DOT1Q, DOT1AD].contains(tpid))?;
        Some(Tag { tpid, tci: word(14).unwrap_or(0) })
    }
}
