//! Frames on their way through the fabric, and what it decided.
//!
//! A [`Batch`] is filled with frames that were received, goes into the fabric, and comes out with a list of deliveries
//! (which frame leaves through which ports, and how it has to be edited for that) and one [`End`] per received frame.
//! Behind those that were received lie frames that devices made meanwhile (BPDUs, queries, answers), and copies of frames
//! that one gets as it was and another translated. Their buffers are the batch's own.

use super::{BATCH_MAX, BUFFER_SIZE, Edit, Frame, HEADROOM, PORTS_MAX, PortId};
use crate::verdict::Reason;

/// How many frames devices may make while one batch is looked at.
pub const ORIGINATED_MAX: usize = 64;
/// The longest of them, in bytes: a full Ethernet frame.
pub const ORIGINATED_LEN_MAX: usize = 1514;
/// How many frames longer than that may be copied while one batch is looked at: a batch has few of them.
const LARGE_MAX: usize = 4;

/// A frame of a batch is to leave through a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Index into [`Batch::frames`].
    pub frame: u16,
    /// Where it leaves.
    pub port: PortId,
    /// What it has to become for that.
    pub edit: Edit,
}

/// A frame that a port is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Index into [`Batch::frames`].
    pub frame: u16,
    /// What it has to become.
    pub edit: Edit,
}

/// What became of a received frame: exactly one of these, so that the books balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A device was its destination.
    Consumed,
    /// It ended here, and why.
    Dropped(Reason),
    /// Handed to every eligible port of a flood, at least one.
    Flooded,
    /// Kept by a device until something is known.
    Parked,
    /// Handed to the one port its destination is behind.
    Sent,
}

/// Frames on their way through the fabric, and what it decided.
#[derive(Debug)]
pub struct Batch {
    /// Received ones first, then originated ones.
    frames: Vec<Frame>,
    received: usize,
    /// Buffers for frames that devices make, and for copies.
    spare: Vec<Box<[u8]>>,
    /// Buffers for large copies, made when they are first needed.
    large: Vec<Box<[u8]>>,
    /// How many of these may still be made.
    unmade: usize,
    deliveries: Vec<Delivery>,
    ends: Vec<End>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch with all the room it will ever need.
    pub fn new() -> Self {
        Self {
            frames: Vec::with_capacity(BATCH_MAX + ORIGINATED_MAX + LARGE_MAX),
            received: 0,
            spare: (0..ORIGINATED_MAX).map(|_| vec![0; HEADROOM + ORIGINATED_LEN_MAX].into()).collect(),
            large: Vec::with_capacity(LARGE_MAX),
            unmade: LARGE_MAX,
            deliveries: Vec::with_capacity(BATCH_MAX * PORTS_MAX),
            ends: Vec::with_capacity(BATCH_MAX),
        }
    }

    /// Adds a frame that was received.
    ///
    /// # Panics
    /// When [`Batch::is_full`], or after the fabric has seen the batch.
    pub fn push(&mut self, frame: Frame) {
        assert!(!self.is_full(), "a batch holds {BATCH_MAX} frames");
        assert!(self.received == self.frames.len(), "frames are received before any is originated");
        self.frames.push(frame);
        self.received += 1;
    }

    /// Lets frames be joined to others before the fabric sees them: `join` is shown those that stay so far, and the next one, and
    /// says whether that has become part of one of them. Buffers that are not needed any more are given back.
    ///
    /// # Panics
    /// After the fabric has seen the batch.
    pub fn join(
        &mut self,
        mut join: impl FnMut(&mut [Frame], &Frame) -> bool,
        mut give_back: impl FnMut(Box<[u8]>),
    ) {
        assert!(
            self.received == self.frames.len() && self.ends.is_empty(),
            "frames are joined as they are received"
        );
        let mut kept = 0;
        for next in 0..self.frames.len() {
            let (before, rest) = self.frames.split_at_mut(next);
            if !join(&mut before[..kept], &rest[0]) {
                self.frames.swap(kept, next);
                kept += 1;
            }
        }
        self.frames.drain(kept..).for_each(|frame| give_back(frame.into_buffer()));
        self.received = kept;
    }

    /// Adds a frame that a device made, and says its index. `None` when there is no room for another: for this batch, or
    /// for so many bytes. For the fabric.
    pub fn originate(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes.len() > ORIGINATED_LEN_MAX {
            return None;
        }
        let mut buffer = self.spare.pop()?;
        let end = HEADROOM + bytes.len();
        buffer[HEADROOM..end].copy_from_slice(bytes);
        self.frames.push(Frame::new(buffer, HEADROOM, end, PortId::SWITCH));
        Some(self.frames.len() - 1)
    }

    /// Copies a frame that others get as it is, so that it can be written into, and says the copy's index. `None` when there is no
    /// room for another. For the fabric.
    pub fn copy(&mut self, frame: usize) -> Option<usize> {
        let len = self.frames[frame].len();
        let mut buffer = match len > ORIGINATED_LEN_MAX {
            false => self.spare.pop()?,
            true => self.large_buffer()?,
        };
        let original = &self.frames[frame];
        let end = HEADROOM + len;
        buffer[HEADROOM..end].copy_from_slice(original.bytes());
        let mut copy = Frame::new(buffer, HEADROOM, end, original.ingress);
        copy.offload = original.offload;
        self.frames.push(copy);
        Some(self.frames.len() - 1)
    }

    fn large_buffer(&mut self) -> Option<Box<[u8]>> {
        let buffer = self.large.pop();
        if buffer.is_none() && self.unmade > 0 {
            self.unmade -= 1;
            return Some(vec![0; BUFFER_SIZE].into());
        }
        buffer
    }

    /// Takes the frame that was originated last back, which nobody is to get. For the fabric.
    pub fn take_back(&mut self) {
        if self.frames.len() > self.received
            && let Some(frame) = self.frames.pop()
        {
            self.take_buffer(frame);
        }
    }

    /// A frame that was not received is not needed any more.
    fn take_buffer(&mut self, frame: Frame) {
        let buffer = frame.into_buffer();
        if buffer.len() < BUFFER_SIZE { self.spare.push(buffer) } else { self.large.push(buffer) }
    }

    /// Whether another received frame would be one too many.
    pub fn is_full(&self) -> bool {
        self.received == BATCH_MAX
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many frames devices may still make.
    pub fn room(&self) -> usize {
        self.spare.len()
    }

    /// How many of the frames were received.
    pub fn received(&self) -> usize {
        self.received
    }

    /// The frames, in the order they were received, then in the order they were made.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Which frame leaves where, grouped by frame in order of reception.
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// A frame, to be written into before anybody gets it. For the fabric.
    pub fn frame_mut(&mut self, frame: usize) -> &mut Frame {
        &mut self.frames[frame]
    }

    /// Whether the frame that is being walked leaves through some port already.
    #[inline]
    pub fn is_delivered(&self, frame: usize) -> bool {
        self.deliveries.last().is_some_and(|delivery| usize::from(delivery.frame) == frame)
    }

    /// What became of each frame that was received; [`Batch::received`] many once the fabric has seen it.
    pub fn ends(&self) -> &[End] {
        &self.ends
    }

    /// Says that frame `frame` leaves through `port`, edited like that. For the fabric.
    #[inline]
    pub fn deliver(&mut self, frame: usize, port: PortId, edit: Edit) {
        debug_assert!(frame < self.frames.len());
        self.deliveries.push(Delivery { frame: frame as u16, port, edit });
    }

    /// Says what became of the next frame. For the fabric, once per frame and in order.
    pub fn end(&mut self, end: End) {
        debug_assert!(self.ends.len() < self.received);
        self.ends.push(end);
    }

    /// The frames to be written, and the deliveries that say where. A port may edit a frame to write it, and must
    /// undo that.
    pub fn outgoing(&mut self) -> (&mut [Frame], &[Delivery]) {
        (&mut self.frames, &self.deliveries)
    }

    /// Empties the batch for the next round and hands each received frame's buffer back, the last used last: a pool that
    /// is a stack lends the warmest memory first.
    pub fn clear(&mut self, mut give_back: impl FnMut(Box<[u8]>)) {
        self.deliveries.clear();
        self.ends.clear();
        while self.frames.len() > self.received {
            self.take_back();
        }
        self.received = 0;
        for frame in self.frames.drain(..) {
            give_back(frame.into_buffer());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_every_buffer_back() {
        let mut batch = Batch::new();
        for _ in 0..BATCH_MAX {
            batch.push(Frame::copy_of(&[0; 60], PortId(0)));
        }
        assert!(batch.is_full());
        let mut buffers = 0;
        batch.clear(|_| buffers += 1);
        assert_eq!(buffers, BATCH_MAX);
        assert!(batch.is_empty());
    }

    #[test]
    fn originated_frames_have_buffers_of_their_own() {
        let mut batch = Batch::new();
        for round in 0..3 {
            batch.push(Frame::copy_of(&[0; 60], PortId(0)));
            for made in 0..ORIGINATED_MAX {
                assert_eq!(batch.originate(&[7; ORIGINATED_LEN_MAX]), Some(1 + made), "round {round}");
            }
            assert_eq!(batch.originate(&[7; 60]), None, "no more than there are buffers");
            batch.take_back();
            assert_eq!(batch.originate(&[7; ORIGINATED_LEN_MAX + 1]), None, "longer than a buffer");
            assert_eq!(
                batch.originate(&[8; 60]),
                Some(ORIGINATED_MAX),
                "what was taken back can be lent again"
            );
            assert_eq!((batch.received(), batch.frames().len()), (1, 1 + ORIGINATED_MAX));
            let mut buffers = 0;
            batch.clear(|_| buffers += 1);
            assert_eq!((buffers, batch.room()), (1, ORIGINATED_MAX), "only what was lent is given back");
        }
    }
}
