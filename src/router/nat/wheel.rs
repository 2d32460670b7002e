//! When to look at what may have expired.
//!
//! Expiry itself is exact and looked up (L3); the wheel only says what to look at, so that memory comes back. It has
//! three rings of 64 buckets, of one second, 64 and 4096 seconds each. What expires within a minute is in the first ring,
//! in the bucket of the second after; everything else is in a bucket that comes up *before* it expires, and is then put
//! where it belongs. Most flows are refreshed over and over: that costs nothing here, since a bucket that comes up too
//! early is as good as one that fits. Only who is to live shorter than planned has to be moved.

use crate::time::Time;

/// No slot.
const NIL: u32 = u32::MAX;
/// In `ring`: in no bucket.
const LOOSE: u8 = u8::MAX;
/// Rings, and the bits of seconds that each of them counts.
const RINGS: usize = 3;
const BITS: u32 = 6;
const NANOS: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
    /// When its bucket comes up, in seconds.
    second: u32,
    ring: u8,
}

const UNUSED: Link = Link { prev: NIL, next: NIL, second: 0, ring: LOOSE };

/// The wheel. Whoever owns it numbers the slots.
#[derive(Debug)]
pub(super) struct Wheel {
    links: Vec<Link>,
    heads: [[u32; 64]; RINGS],
    /// A bit for each bucket that is not empty.
    occupied: [u64; RINGS],
    /// What was in the buckets that came up last, by ring, and was not yet looked at.
    due: [u32; RINGS],
    /// Buckets up to here have come up.
    second: u32,
}

impl Default for Wheel {
    fn default() -> Self {
        let heads = [[NIL; 64]; RINGS];
        Self { links: Vec::new(), heads, occupied: [0; RINGS], due: [NIL; RINGS], second: 0 }
    }
}

impl Wheel {
    /// Makes room for that many slots.
    pub(super) fn grow(&mut self, slots: usize) {
        self.links.reserve_exact(slots.saturating_sub(self.links.len()));
        self.links.resize(slots.max(self.links.len()), UNUSED);
    }

    /// How much memory it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.links.capacity() * size_of::<Link>()
    }

    /// Comes up no later than a second after `at`, for a slot that is in no bucket.
    pub(super) fn add(&mut self, slot: u32, at: Time) {
        let wanted = (at.as_nanos().div_ceil(NANOS)).min(u64::from(u32::MAX >> 1)) as u32;
        let wanted = wanted.max(self.second + 1);
        let ring = (0..RINGS).find(|ring| self.distance(*ring, wanted) < 64).unwrap_or(RINGS - 1);
        let shift = BITS * ring as u32;
        let block = (self.second >> shift) + self.distance(ring, wanted).min(63);
        let link = Link { prev: NIL, next: NIL, second: block << shift, ring: ring as u8 };
        let head = &mut self.heads[ring][block as usize % 64];
        let next = std::mem::replace(head, slot);
        self.occupied[ring] |= 1 << (block % 64);
        if next != NIL {
            self.links[next as usize].prev = slot;
        }
        self.links[slot as usize] = Link { next, ..link };
    }

    /// Comes up no later than a second after `at`, instead of whenever it would have.
    #[inline]
    pub(super) fn shorten(&mut self, slot: u32, at: Time) {
        if u64::from(self.links[slot as usize].second) * NANOS > at.as_nanos().saturating_add(NANOS) {
            self.remove(slot);
            self.add(slot, at);
        }
    }

    /// The second in which a slot is to be looked at.
    pub(super) fn second(&self, slot: u32) -> u32 {
        self.links[slot as usize].second
    }

    /// Takes a slot out.
    pub(super) fn remove(&mut self, slot: u32) {
        let Link { prev, next, second, ring } = self.links[slot as usize];
        if ring == LOOSE {
            return;
        }
        if next != NIL {
            self.links[next as usize].prev = prev;
        }
        let ring = usize::from(ring);
        if prev != NIL {
            self.links[prev as usize].next = next;
        } else if self.due[ring] == slot {
            self.due[ring] = next;
        } else {
            let bucket = (second >> (BITS * ring as u32)) % 64;
            self.heads[ring][bucket as usize] = next;
            if next == NIL {
                self.occupied[ring] &= !(1 << bucket);
            }
        }
        self.links[slot as usize] = UNUSED;
    }

    /// A slot to look at, now in no bucket; None if there is none until the [`Wheel::deadline`].
    pub(super) fn pop(&mut self, now: Time) -> Option<u32> {
        loop {
            if let Some(slot) = self.due.into_iter().find(|slot| *slot != NIL) {
                self.remove(slot);
                return Some(slot);
            }
            let limit = (now.as_nanos() / NANOS).min(u64::from(u32::MAX >> 1)) as u32;
            let Some(second) = self.earliest().filter(|second| *second <= limit) else {
                self.second = self.second.max(limit);
                return None;
            };
            self.second = second;
            for ring in 0..RINGS {
                let shift = BITS * ring as u32;
                let bucket = (second >> shift) % 64;
                if second.trailing_zeros() >= shift {
                    self.due[ring] = std::mem::replace(&mut self.heads[ring][bucket as usize], NIL);
                    self.occupied[ring] &= !(1 << bucket);
                }
            }
        }
    }

    /// When the next bucket comes up.
    pub(super) fn deadline(&self) -> Option<Time> {
        if self.due.into_iter().any(|slot| slot != NIL) {
            return Some(Time::ZERO);
        }
        self.earliest().map(|second| Time::from_secs(u64::from(second)))
    }

    /// The second in which the next bucket comes up.
    fn earliest(&self) -> Option<u32> {
        let of = |ring: usize| {
            let shift = BITS * ring as u32;
            let here = self.second >> shift;
            let ahead = self.occupied[ring].rotate_right((here + 1) % 64);
            (ahead != 0).then(|| (here + 1 + ahead.trailing_zeros()) << shift)
        };
        (0..RINGS).filter_map(of).min()
    }

    /// How many buckets of a ring lie between now and then.
    fn distance(&self, ring: usize, second: u32) -> u32 {
        let shift = BITS * ring as u32;
        (second >> shift) - (self.second >> shift)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everything_comes_up_in_time() {
        let table = [0, 1, 62, 63, 64, 65, 127, 128, 4095, 4096, 4097, 262_143, 262_144, 432_000, 10_000_000];
        for start in [0, 1, 63, 64, 4095, 4096, 100_000] {
            for wait in table {
                let mut wheel = Wheel::default();
                wheel.grow(1);
                assert_eq!(wheel.pop(Time::from_secs(start)), None);
                let at = Time::from_secs(start + wait);
                wheel.add(0, at);
                let mut looks = 0;
                while let Some(deadline) = wheel.deadline() {
                    assert!(deadline <= at.max(Time::from_secs(start + 1)), "{start} + {wait}: never late");
                    assert_eq!(
                        wheel.pop(Time::from_nanos(deadline.as_nanos() - 1)),
                        None,
                        "and never before that"
                    );
                    assert_eq!(wheel.pop(deadline), Some(0));
                    looks += 1;
                    if deadline < at {
                        wheel.add(0, at);
                    }
                }
                assert!(looks <= 3 + wait / 200_000, "{start} + {wait}: {looks} looks");
            }
        }
    }

    proptest! {
        #[test]
        fn as_a_sorted_map(steps in proptest::collection::vec((0..3_u8, 0..20_u32, 0..400_000_u64), 1..200)) {
            let (mut wheel, mut model, mut now) = (Wheel::default(), BTreeMap::<u32, Time>::new(), 0);
            wheel.grow(20);
            for (what, slot, seconds) in steps {
                match what {
                    0 => {
                        let at = Time::from_secs(now + seconds);
                        wheel.remove(slot);
                        wheel.add(slot, at);
                        model.insert(slot, at);
                    }
                    1 => {
                        wheel.remove(slot);
                        model.remove(&slot);
                    }
                    _ => {
                        now += seconds / 10;
                        while let Some(slot) = wheel.pop(Time::from_secs(now)) {
                            let at = model[&slot];
                            if at <= Time::from_secs(now) {
                                model.remove(&slot);
                            } else {
                                wheel.add(slot, at);
                            }
                        }
                        prop_assert!(model.values().all(|at| *at > Time::from_secs(now).min(*at) || at.as_nanos() / NANOS >= now));
                    }
                }
                prop_assert_eq!(wheel.deadline().is_some(), !model.is_empty());
            }
        }
    }
}
