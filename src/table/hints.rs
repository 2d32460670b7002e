//! Where entries lay that were of use lately.
//!
//! A hash that nobody can foresee costs more than all else that a bridge does for a frame, and most frames ask for what
//! was asked a moment ago. So a table may have a small array in front of its index: a multiplication turns a key into a
//! place there, and what stands at the place is a slot. A hint is never believed: whoever takes one holds his key against
//! the entry itself, and asks the index if it is another's. Hence hints cannot change an answer, and guests who choose
//! keys that share a place only make each other go the long way, which is as long as without hints.
//!
//! It never grows, and costs nothing until it is used.

/// How many hints there are: 8 KiB of them, which stay in the cache.
const HINTS: usize = 1024;

/// Odd numbers with as many ones as zeros.
const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

/// A key, as hints know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mixed(u64);

impl Mixed {
    /// Of two words.
    #[inline]
    pub const fn of(a: u64, b: u64) -> Self {
        let product = (a ^ FACTORS[0]) as u128 * (b ^ FACTORS[1]) as u128;
        Self((product >> 64) as u64 ^ product as u64)
    }

    /// Together with two more.
    #[inline]
    #[must_use]
    pub const fn and(self, a: u64, b: u64) -> Self {
        Self(Self::of(a ^ self.0, b).0 ^ self.0)
    }

    #[inline]
    const fn place(self) -> usize {
        (self.0 >> (u64::BITS - HINTS.ilog2())) as usize
    }

    /// A place of so many, which are a power of two; of none, one that is not there.
    #[inline]
    pub const fn among(self, places: usize) -> usize {
        (self.0 >> u32::BITS) as usize & places.wrapping_sub(1)
    }

    /// What tells it from most others at its place.
    #[inline]
    pub const fn tag(self) -> u32 {
        self.0 as u32
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Hint {
    tag: u32,
    slot: u32,
}

/// The array; see the module's documentation.
#[derive(Debug)]
pub struct Hints(Box<[Hint; HINTS]>);

impl Default for Hints {
    fn default() -> Self {
        Self(Box::new([Hint::default(); HINTS]))
    }
}

impl Hints {
    /// Where the entry of a key may be. To be held against the entry.
    #[inline]
    pub fn get(&self, key: Mixed) -> Option<u32> {
        let Hint { tag, slot } = self.0[key.place()];
        (tag == key.tag()).then_some(slot)
    }

    /// The entry of that key is there.
    #[inline]
    pub fn note(&mut self, key: Mixed, slot: u32) {
        self.0[key.place()] = Hint { tag: key.tag(), slot };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_of_the_last_key_at_its_place() {
        let mut hints = Hints::default();
        let key = Mixed::of(7, 7);
        hints.note(key, 3);
        assert_eq!(hints.get(key), Some(3));
        let other = (0..).map(|n| Mixed::of(n, 8)).find(|other| other.place() == key.place());
        let other = other.expect("there are more keys than places");
        assert_eq!(hints.get(other), None, "another key, by its tag");
        hints.note(other, 4);
        assert_eq!((hints.get(key), hints.get(other)), (None, Some(4)), "one hint to a place");
    }

    /// Keys as they are in life: MAC addresses that count, addresses and ports that count.
    #[test]
    fn keys_that_count_spread() {
        let mut places = std::collections::BTreeSet::new();
        for n in 0..HINTS as u64 {
            places.insert(Mixed::of(0x0242_ac11_0000 + n, 0).place());
        }
        assert!(places.len() > HINTS / 2, "{} places", places.len());
        places.clear();
        for n in 0..HINTS as u64 {
            places
                .insert(Mixed::of(0xffff_ac11_0002, 0xffff_0a00_0001).and((1024 + n) << 16 | 53, 17).place());
        }
        assert!(places.len() > HINTS / 2, "{} places", places.len());
    }
}
