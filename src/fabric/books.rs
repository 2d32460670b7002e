//! The books: every frame is written down exactly once, under what became of it.

use crate::frame::End;
use crate::verdict::DropCounters;

/// What became of all frames so far: `received` and `originated` together are the sum of the others but the last two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Frames that entered.
    pub received: u64,
    /// Frames that devices made: BPDUs, queries, answers.
    pub originated: u64,
    /// Ended at a device.
    pub consumed: u64,
    /// Ended, with a reason.
    pub drops: DropCounters,
    /// Handed to all eligible ports of a flood.
    pub flooded: u64,
    /// Kept by a device.
    pub parked: u64,
    /// Handed to one port.
    pub sent: u64,
    /// Copies handed to ports, by sending and flooding.
    pub delivered: u64,
    /// Frames that devices wanted to make, but there was no room.
    pub unmade: u64,
}

impl Books {
    /// Whether every frame is accounted for.
    pub fn balance(&self) -> bool {
        let ended = self.consumed + self.drops.total() + self.flooded + self.parked + self.sent;
        self.received + self.originated == ended
    }

    /// These books and those of another fabric, added up: they balance if both do.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        let Self { received, originated, consumed, drops, flooded, parked, sent, delivered, unmade } = other;
        self.received += received;
        self.originated += originated;
        self.consumed += consumed;
        self.drops.add_all(drops);
        self.flooded += flooded;
        self.parked += parked;
        self.sent += sent;
        self.delivered += delivered;
        self.unmade += unmade;
        self
    }

    /// A frame entered, and this became of it.
    #[inline]
    pub(super) fn enter(&mut self, end: End) {
        self.received += 1;
        self.close(end);
    }

    /// A device made a frame, and this became of it.
    pub(super) fn originate(&mut self, end: End) {
        self.originated += 1;
        self.close(end);
    }

    #[inline]
    fn close(&mut self, end: End) {
        match end {
            End::Consumed => self.consumed += 1,
            End::Dropped(reason) => self.drops.count(reason),
            End::Flooded => self.flooded += 1,
            End::Parked => self.parked += 1,
            End::Sent => self.sent += 1,
        }
    }
}
