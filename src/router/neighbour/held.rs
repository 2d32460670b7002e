//! Neighbours that need not be looked for: who was resolved once is asked for by his place.
//!
//! A place is somebody else's only after somebody was forgotten. So whoever keeps a place keeps with it how many that were
//! ([`Held`]), and it is worth nothing as soon as they are more. That is rare: only a full table, a leg that goes, and a guest
//! that goes make the router forget. What is known of the neighbour is asked every time.

use super::{DELAY, Neighbours, Slot, State, settle};
use crate::time::Time;
use crate::wire::mac::Mac;

/// A place in the table, for as long as nobody is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    slot: Slot,
    removals: u64,
}

impl Neighbours {
    /// A neighbour that was resolved, to be asked for again.
    #[inline]
    pub fn hold(&self, slot: Slot) -> Held {
        Held { slot, removals: self.removals }
    }

    /// Where a neighbour is, as [`Neighbours::resolve`]; `None`, too, if somebody was forgotten since.
    #[inline]
    pub fn held(&self, held: Held, now: Time) -> Option<(Mac, Slot)> {
        if held.removals == self.removals { self.known(held.slot, now) } else { None }
    }

    /// A packet goes there, as [`Neighbours::used`]; no hint is left, since nobody has looked for it.
    #[inline]
    pub fn used_again(&mut self, slot: Slot, now: Time) {
        let Some(entry) = self.entries[slot.0 as usize].as_mut() else { return };
        settle(entry, now);
        entry.used = now;
        if entry.state == State::Stale {
            (entry.state, entry.due) = (State::Delay, now + DELAY);
        }
        self.next = self.next.min(entry.due);
    }
}
