//! Which entry is due next: a binary heap that knows where each entry stands in it.
//!
//! An entry has one place however often its time changes, so the heap is never longer than the table. Changing
//! a time costs a logarithm, looking at the first nothing. A heap that only ever grows and leaves old times behind
//! would be simpler, but a guest that reports often would fill it.

use crate::time::Time;

/// Not in the heap.
const NOWHERE: u32 = u32::MAX;

/// The heap; entries are small numbers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: Vec<u32>,
    /// By entry: its time, and its place in the heap.
    entries: Vec<(Time, u32)>,
}

impl Queue {
    /// Says when the entry is due, or due now; [`Time::NEVER`] takes it out.
    pub(super) fn set(&mut self, entry: u32, due: Time) {
        let index = entry as usize;
        if index >= self.entries.len() {
            self.entries.resize(index + 1, (Time::NEVER, NOWHERE));
        }
        let (before, place) = self.entries[index];
        self.entries[index].0 = due;
        match (place, due) {
            (NOWHERE, Time::NEVER) => {}
            (NOWHERE, _) => {
                self.entries[index].1 = self.heap.len() as u32;
                self.heap.push(entry);
                self.rise(self.heap.len() - 1);
            }
            (place, Time::NEVER) => self.remove(place as usize),
            (place, _) if due < before => self.rise(place as usize),
            (place, _) => self.sink(place as usize),
        }
    }

    /// The entry that is due first, and when.
    pub(super) fn first(&self) -> Option<(Time, u32)> {
        let entry = *self.heap.first()?;
        Some((self.entries[entry as usize].0, entry))
    }

    fn remove(&mut self, place: usize) {
        let entry = self.heap.swap_remove(place);
        self.entries[entry as usize].1 = NOWHERE;
        if let Some(moved) = self.heap.get(place) {
            self.entries[*moved as usize].1 = place as u32;
            self.rise(place);
            self.sink(place);
        }
    }

    fn due(&self, place: usize) -> Time {
        self.entries[self.heap[place] as usize].0
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 && self.due(place) < self.due((place - 1) / 2) {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let children =
                [2 * place + 1, 2 * place + 2].into_iter().filter(|child| *child < self.heap.len());
            let Some(child) = children.min_by_key(|child| self.due(*child)) else { return };
            if self.due(place) <= self.due(child) {
                return;
            }
            self.swap(place, child);
            place = child;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.entries[self.heap[a] as usize].1 = a as u32;
        self.entries[self.heap[b] as usize].1 = b as u32;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// After any history the first is the least, and nobody has two places.
        #[test]
        fn the_first_is_the_least(history in prop::collection::vec((0..20_u32, 0..50_u64), 1..300)) {
            let mut queue = Queue::default();
            let mut model = [Time::NEVER; 20];
            for (entry, due) in history {
                let due = if due < 10 { Time::NEVER } else { Time::from_secs(due) };
                queue.set(entry, due);
                model[entry as usize] = due;
                let least = model.iter().copied().min().filter(|due| *due < Time::NEVER);
                prop_assert_eq!(queue.first().map(|(due, _)| due), least);
                prop_assert_eq!(queue.heap.len(), model.iter().filter(|due| **due < Time::NEVER).count());
            }
        }
    }
}
