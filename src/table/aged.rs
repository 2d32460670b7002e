//! A table of entries that age.
//!
//! Entries live in a slab, so an entry keeps its place and a [`Slot`] names it. A hash index finds the slot of a key:
//! SipHash-1-3 with a secret key, because guests choose the keys and must not be able to choose collisions. A key is
//! hashed once per use: [`AgedTable::hash`] makes a [`Hashed`], and finding and inserting take that. One that was seen
//! lately is not hashed at all ([`AgedTable::seek`], [`Hints`]).
//!
//! Entries that age are also on a list in the order in which they were last seen. All of them live equally long, so
//! the first of the list is the next to expire: that one entry answers "when is the next deadline" and "has anything
//! expired" exactly and at no cost, and a sweep never looks at an entry that it does not remove. Refreshing moves an
//! entry to the end of the list. Permanent entries are on no list.
//!
//! What it never does: look at a clock, expire anything by itself, iterate in hash order (iteration is in slab order,
//! which depends only on the history of calls), or allocate once it has grown to the most entries it ever held.
//! Growth doubles, so a table costs what its entries cost and not what its owner's limit allows.

use hashbrown::HashTable;

use super::{Hints, Mixed, Sip};
use crate::time::Time;

/// No entry: the end of a list.
const NIL: u32 = u32::MAX;
/// In `prev`: the entry is permanent, on no list.
const PERMANENT: u32 = u32::MAX - 1;
/// In `prev`: the place is free; `next` is the next free place.
const FREE: u32 = u32::MAX - 2;
/// The first growth, in entries.
const GROWTH_MIN: usize = 16;

/// How many keys can be foreseen at a time.
const FORESEEN_MAX: usize = 64;

/// A place in the table; names its entry until that is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

/// A key with its hash.
#[derive(Clone, Copy, Debug)]
pub struct Hashed {
    key: u64,
    hash: u64,
}

impl Hashed {
    /// The key.
    pub fn key(&self) -> u64 {
        self.key
    }
}

/// Those of stations lie two to a line of the cache, and none in two.
#[derive(Debug)]
#[repr(align(32))]
struct Entry<V> {
    key: u64,
    seen: Time,
    prev: u32,
    next: u32,
    value: V,
}

/// The table; see the module's documentation.
#[derive(Debug)]
pub struct AgedTable<V> {
    sip: Sip,
    index: HashTable<u32>,
    hints: Hints,
    entries: Vec<Entry<V>>,
    free: u32,
    oldest: u32,
    newest: u32,
    aging: usize,
}

impl<V: Copy> AgedTable<V> {
    /// An empty table, hashing with that key.
    pub fn new(hash_key: [u64; 2]) -> Self {
        Self {
            sip: Sip::new(hash_key),
            index: HashTable::new(),
            hints: Hints::default(),
            entries: Vec::new(),
            free: NIL,
            oldest: NIL,
            newest: NIL,
            aging: 0,
        }
    }

    /// How many entries there are, of both sorts.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many of them age.
    pub fn aging(&self) -> usize {
        self.aging
    }

    /// The key, ready to be looked for.
    #[inline]
    pub fn hash(&self, key: u64) -> Hashed {
        Hashed { key, hash: self.sip.hash_word(key) }
    }

    /// Where the entry of that key is.
    #[inline]
    pub fn find(&self, hashed: Hashed) -> Option<Slot> {
        let same = |&slot: &u32| self.entries[slot as usize].key == hashed.key;
        self.index.find(hashed.hash, same).map(|slot| Slot(*slot))
    }

    /// Where the entry of that key is, or what is needed to insert one.
    #[inline]
    pub fn seek(&self, key: u64) -> Result<Slot, Hashed> {
        if let Some((slot, _)) = self.hinted(key) {
            return Ok(slot);
        }
        let hashed = self.hash(key);
        self.find(hashed).ok_or(hashed)
    }

    /// Where the entry of that key is, when it was last seen, and its value. The next who asks is told by a hint.
    #[inline(always)]
    pub fn recall(&mut self, key: u64) -> Option<(Slot, Time, V)> {
        match self.hinted(key) {
            Some((slot, entry)) => Some((slot, entry.seen, entry.value)),
            None => self.recollect(key),
        }
    }

    /// The same where no hint was of use.
    #[inline(never)]
    fn recollect(&mut self, key: u64) -> Option<(Slot, Time, V)> {
        let slot = self.find(self.hash(key))?;
        self.hints.note(mixed(key), slot.0);
        Some((slot, self.seen(slot), self.value(slot)))
    }

    #[inline]
    fn hinted(&self, key: u64) -> Option<(Slot, &Entry<V>)> {
        let slot = self.hints.get(mixed(key))?;
        let entry = self.entries.get(slot as usize)?;
        (entry.key == key && entry.prev != FREE).then_some((Slot(slot), entry))
    }

    /// These keys are about to be sought: finds out where their entries are, of those that hints do not tell. All of them at
    /// once, so that the memory for one is fetched while others are hashed; one after the other, each would wait for its own.
    pub fn foresee(&mut self, keys: impl Iterator<Item = u64>) {
        let mut unknown = [Hashed { key: 0, hash: 0 }; FORESEEN_MAX];
        let mut count = 0;
        for key in keys.filter(|key| self.hints.get(mixed(*key)).is_none()).take(FORESEEN_MAX) {
            unknown[count] = self.hash(key);
            count += 1;
        }
        for hashed in &unknown[..count] {
            if let Some(slot) = self.find(*hashed) {
                self.hints.note(mixed(hashed.key), slot.0);
            }
        }
    }

    /// The key of the entry there.
    #[inline]
    pub fn key(&self, slot: Slot) -> u64 {
        self.entries[slot.0 as usize].key
    }

    /// The value there.
    #[inline]
    pub fn value(&self, slot: Slot) -> V {
        self.entries[slot.0 as usize].value
    }

    /// The value there, to be changed.
    #[inline]
    pub fn value_mut(&mut self, slot: Slot) -> &mut V {
        &mut self.entries[slot.0 as usize].value
    }

    /// When the entry there was last seen.
    #[inline]
    pub fn seen(&self, slot: Slot) -> Time {
        self.entries[slot.0 as usize].seen
    }

    /// The `n`th oldest of those that age, from zero. Walks there: for small `n`.
    pub fn nth_oldest(&self, n: usize) -> Option<Slot> {
        let next = |slot: &u32| Some(self.entries[*slot as usize].next).filter(|next| *next != NIL);
        std::iter::successors(Some(self.oldest).filter(|slot| *slot != NIL), next).nth(n).map(Slot)
    }

    /// The one of those that age that was not seen for the longest time.
    #[inline]
    pub fn oldest(&self) -> Option<Slot> {
        (self.oldest != NIL).then_some(Slot(self.oldest))
    }

    /// Adds an entry whose key is not in the table, seen now. It ages unless `permanent`.
    pub fn insert(&mut self, hashed: Hashed, value: V, permanent: bool, now: Time) -> Slot {
        debug_assert!(self.find(hashed).is_none(), "one entry per key");
        let entry = Entry { key: hashed.key, seen: now, prev: PERMANENT, next: NIL, value };
        let slot = self.place(entry);
        let Self { sip, index, entries, .. } = self;
        let rehash = |&slot: &u32| sip.hash_word(entries[slot as usize].key);
        index.insert_unique(hashed.hash, slot, rehash);
        self.hints.note(mixed(hashed.key), slot);
        if !permanent {
            self.append(slot, now);
            self.aging += 1;
        }
        Slot(slot)
    }

    /// The entry there was seen now.
    #[inline]
    pub fn refresh(&mut self, slot: Slot, now: Time) {
        let key = self.entries[slot.0 as usize].key;
        self.hints.note(mixed(key), slot.0);
        self.touch(slot, now);
    }

    /// The same for an entry that was just [recalled](AgedTable::recall).
    #[inline]
    pub fn touch(&mut self, slot: Slot, now: Time) {
        let entry = &mut self.entries[slot.0 as usize];
        if now <= entry.seen {
            return;
        }
        if entry.prev == PERMANENT || slot.0 == self.newest {
            entry.seen = now;
            return;
        }
        self.unlink(slot.0);
        self.append(slot.0, now);
    }

    /// Removes the entry there.
    pub fn remove(&mut self, slot: Slot) {
        let entry = &self.entries[slot.0 as usize];
        debug_assert_ne!(entry.prev, FREE, "an entry is removed once");
        let (hash, permanent) = (self.hash(entry.key).hash, entry.prev == PERMANENT);
        if !permanent {
            self.unlink(slot.0);
            self.aging -= 1;
        }
        if let Ok(found) = self.index.find_entry(hash, |found| *found == slot.0) {
            found.remove();
        }
        let entry = &mut self.entries[slot.0 as usize];
        (entry.prev, entry.next) = (FREE, self.free);
        self.free = slot.0;
    }

    /// Every entry with its key, in slab order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Slot)> + '_ {
        let used = self.entries.iter().enumerate().filter(|(_, entry)| entry.prev != FREE);
        used.map(|(slot, entry)| (entry.key, Slot(slot as u32)))
    }

    /// Removes every entry for which `keep` says no. Looks at all of them: for rare events.
    pub fn retain(&mut self, mut keep: impl FnMut(u64, V) -> bool) {
        for slot in 0..self.entries.len() {
            let entry = &self.entries[slot];
            if entry.prev != FREE && !keep(entry.key, entry.value) {
                self.remove(Slot(slot as u32));
            }
        }
    }

    /// Puts the entry on a free place, or on a new one.
    fn place(&mut self, entry: Entry<V>) -> u32 {
        if self.free != NIL {
            let slot = self.free;
            let place = &mut self.entries[slot as usize];
            self.free = place.next;
            *place = entry;
            return slot;
        }
        if self.entries.len() == self.entries.capacity() {
            self.grow();
        }
        self.entries.push(entry);
        (self.entries.len() - 1) as u32
    }

    /// Doubles. The index is kept at twice the slab, so that it never has reason to grow on its own: with fewer
    /// than half its places in use, hashbrown clears the marks of removed ones in place, without allocating.
    fn grow(&mut self) {
        self.entries.reserve_exact(self.entries.len().max(GROWTH_MIN));
        let Self { sip, index, entries, .. } = self;
        let rehash = |&slot: &u32| sip.hash_word(entries[slot as usize].key);
        index.reserve(2 * entries.capacity() - index.len(), rehash);
    }

    /// Puts the entry at the end of the list. Never before one seen later, were time to run backwards.
    fn append(&mut self, slot: u32, now: Time) {
        let last = self.newest;
        let after = if last == NIL { now } else { now.max(self.entries[last as usize].seen) };
        let entry = &mut self.entries[slot as usize];
        (entry.seen, entry.prev, entry.next) = (after, last, NIL);
        match last {
            NIL => self.oldest = slot,
            _ => self.entries[last as usize].next = slot,
        }
        self.newest = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let Entry { prev, next, .. } = self.entries[slot as usize];
        match prev {
            NIL => self.oldest = next,
            _ => self.entries[prev as usize].next = next,
        }
        match next {
            NIL => self.newest = prev,
            _ => self.entries[next as usize].prev = prev,
        }
    }
}

#[inline]
const fn mixed(key: u64) -> Mixed {
    Mixed::of(key, 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn ages(table: &AgedTable<u8>) -> Vec<u64> {
        (0..).map_while(|n| table.nth_oldest(n)).map(|slot| table.entries[slot.0 as usize].key).collect()
    }

    #[test]
    fn the_list_is_in_order_of_last_sight() {
        let mut table = AgedTable::new([1, 2]);
        let at = Time::from_secs;
        for key in 0..4 {
            table.insert(table.hash(key), 0, key == 3, at(key));
        }
        assert_eq!(ages(&table), [0, 1, 2], "3 is permanent, on no list");
        let slot = |table: &AgedTable<u8>, key| table.find(table.hash(key)).expect("it is there");
        table.refresh(slot(&table, 0), at(10));
        assert_eq!(ages(&table), [1, 2, 0], "seen again: last");
        table.refresh(slot(&table, 2), at(5));
        assert_eq!(ages(&table), [1, 0, 2], "time ran backwards: still last,");
        assert_eq!(table.seen(slot(&table, 2)), at(10), "and no older than the one before it");
        table.remove(slot(&table, 0));
        table.remove(slot(&table, 1));
        assert_eq!((ages(&table), table.len(), table.aging()), (vec![2], 2, 1));
        table.refresh(slot(&table, 3), at(11));
        assert_eq!(ages(&table), [2], "a permanent entry is refreshed but stays off the list");
    }

    proptest! {
        /// Any history leaves what a plain map would hold, and the list sorted.
        #[test]
        fn behaves_like_a_map(history in prop::collection::vec((0..4_u8, 0..40_u64, any::<bool>()), 1..400)) {
            let mut table = AgedTable::new([3, 4]);
            let mut model = BTreeMap::new();
            for (step, (action, key, permanent)) in history.into_iter().enumerate() {
                let (now, hashed) = (Time::from_secs(step as u64), table.hash(key));
                if action == 2 {
                    table.foresee(key..key + 9);
                }
                prop_assert_eq!(table.seek(key).ok(), table.find(hashed), "hints change no answer");
                let found = table.find(hashed).map(|slot| (slot, table.seen(slot), table.value(slot)));
                prop_assert_eq!(table.recall(key), found, "nor do those that were just noted");
                match (action, table.find(hashed)) {
                    (0 | 1, None) => {
                        table.insert(hashed, action, permanent, now);
                        model.insert(key, (action, permanent, now));
                    }
                    (0 | 1, Some(slot)) => {
                        table.refresh(slot, now);
                        model.entry(key).and_modify(|entry| entry.2 = now);
                    }
                    (2, Some(slot)) => {
                        table.remove(slot);
                        model.remove(&key);
                    }
                    (3, _) => {
                        table.retain(|k, _| k % 8 != key % 8);
                        model.retain(|k, _| k % 8 != key % 8);
                    }
                    _ => {}
                }
            }
            let mut held: Vec<_> = table.iter().map(|(key, slot)| (key, table.value(slot), table.seen(slot))).collect();
            held.sort_unstable();
            prop_assert_eq!(held, model.iter().map(|(k, v)| (*k, v.0, v.2)).collect::<Vec<_>>());
            let mut aging: Vec<_> = model.iter().filter(|(_, v)| !v.1).map(|(k, v)| (v.2, *k)).collect();
            aging.sort_unstable();
            prop_assert_eq!(ages(&table), aging.iter().map(|(_, key)| *key).collect::<Vec<_>>());
            prop_assert_eq!((table.len(), table.aging()), (model.len(), aging.len()));
        }
    }

    #[test]
    fn churn_in_a_full_table_does_not_grow_it() {
        let mut table = AgedTable::new([5, 6]);
        for key in 0..1000 {
            table.insert(table.hash(key), 0, false, Time::ZERO);
        }
        let (slab, index) = (table.entries.capacity(), table.index.allocation_size());
        for key in 1000..100_000 {
            table.remove(table.oldest().expect("it is full"));
            table.insert(table.hash(key), 0, false, Time::ZERO);
        }
        assert_eq!((table.entries.capacity(), table.index.allocation_size()), (slab, index));
        assert!(slab < 2000, "growth follows use: {slab}");
    }
}
