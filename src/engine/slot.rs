//! The place of one port on one thread: what that thread has of it, and what it has found out about who is behind it.
//!
//! A port whose frames are refused by its guards (a storm, spoofed sources, more stations than it may have) costs as much
//! to read as any other. So that it is nobody else's loss, it is tired after a batch worth of them, and rests.

use super::joining::Joining;
use crate::frame::{BATCH_MAX, Batch, End, Outgoing};
use crate::port::Port;

/// Refused frames in a row after which a port rests.
const REFUSED_MAX: usize = BATCH_MAX;

/// The place of one port.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// This thread's share.
    pub(super) port: Option<Port>,
    /// Whether it is on the ready list, or rests.
    pub(super) ready: bool,
    /// Frames in a row that its guards refused.
    refused: usize,
    /// Whether segments that come in here are joined.
    pub(super) joining: Joining,
    /// What leaves here of the current batch.
    pub(super) outgoing: Vec<Outgoing>,
}

impl Slot {
    /// Whether the port has sent too much that its guards refuse, now that this is what became of its batch.
    pub(super) fn is_tired(&mut self, batch: &Batch) -> bool {
        let is_refused = |end: &&End| matches!(end, End::Dropped(reason) if reason.is_guard());
        let refused = batch.ends().iter().filter(is_refused).count();
        self.refused = if 2 * refused > batch.received() { self.refused + refused } else { 0 };
        let tired = self.refused >= REFUSED_MAX;
        if tired {
            self.refused = 0;
        }
        tired
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, PortId};
    use crate::verdict::Reason;

    fn batch(ends: &[End]) -> Batch {
        let mut batch = Batch::new();
        ends.iter().for_each(|_| batch.push(Frame::copy_of(&[0; 60], PortId(0))));
        ends.iter().for_each(|end| batch.end(*end));
        batch
    }

    #[test]
    fn who_sends_what_is_refused_rests() {
        let refused = End::Dropped(Reason::StormLimit);
        let other = End::Dropped(Reason::NoPort);
        let mut slot = Slot::default();
        assert!(!slot.is_tired(&batch(&[refused; REFUSED_MAX - 1])), "one less");
        assert!(slot.is_tired(&batch(&[refused])), "in a row, however many at a time");
        assert!(!slot.is_tired(&batch(&[refused])), "and from the start again");
        assert!(!slot.is_tired(&batch(&[refused; REFUSED_MAX - 2])));
        assert!(!slot.is_tired(&batch(&[refused, End::Sent])), "half is well behaved: forgiven");
        assert!(!slot.is_tired(&batch(&[refused; REFUSED_MAX - 1])));
        assert!(!slot.is_tired(&batch(&[other; BATCH_MAX])), "what no guard refused does not count");
    }
}
