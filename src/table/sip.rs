//! SipHash-1-3 of keys whose length is known when the program is built.
//!
//! Guests choose the keys of the tables they fill, and must not be able to choose collisions: hence a keyed hash, and one that
//! was made for that (Aumasson, Bernstein 2012; with one round a word and three at the end, as in the standard library of
//! Rust). What a general implementation spends most on is bytes that come one by one; the keys here are a few words, which
//! the caller puts together. The result is that of the crate `siphasher` for the same bytes.

/// The hash, with its secret key.
#[derive(Clone, Copy, Debug)]
pub struct Sip([u64; 4]);

/// Whole words of eight bytes each, and the rest: at most seven bytes.
#[derive(Clone, Copy, Debug)]
pub struct Words<const WHOLE: usize> {
    /// The first bytes, each word with its first byte lowest.
    pub whole: [u64; WHOLE],
    /// What follows, likewise.
    pub rest: u64,
    /// How many bytes of `rest` count, 0 to 7; those above are zero.
    pub rest_len: usize,
}

impl Sip {
    /// With that key.
    pub const fn new([k0, k1]: [u64; 2]) -> Self {
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    /// The hash of these bytes.
    #[inline]
    pub const fn hash<const WHOLE: usize>(&self, words: Words<WHOLE>) -> u64 {
        let mut state = self.0;
        let mut next = 0;
        while next < WHOLE {
            state = compress(state, words.whole[next]);
            next += 1;
        }
        let len = 8 * WHOLE + words.rest_len;
        state = compress(state, (len as u64) << 56 | words.rest);
        state[2] ^= 0xff;
        let [a, b, c, d] = round(round(round(state)));
        a ^ b ^ c ^ d
    }

    /// The hash of one word.
    #[inline]
    pub const fn hash_word(&self, word: u64) -> u64 {
        self.hash(Words { whole: [word], rest: 0, rest_len: 0 })
    }
}

#[inline(always)]
const fn compress(mut state: [u64; 4], word: u64) -> [u64; 4] {
    state[3] ^= word;
    state = round(state);
    state[0] ^= word;
    state
}

#[inline(always)]
const fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    c = c.wrapping_add(d);
    b = b.rotate_left(13) ^ a;
    d = d.rotate_left(16) ^ c;
    a = a.rotate_left(32).wrapping_add(d);
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    d = d.rotate_left(21) ^ a;
    [a, b, c.rotate_left(32), d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use siphasher::sip::SipHasher13;

    use super::*;

    /// The words of so many bytes, of which seven at most are left over.
    fn words<const WHOLE: usize>(bytes: &[u8]) -> Words<WHOLE> {
        let word = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        };
        let (whole, rest) = bytes.split_at(8 * WHOLE);
        Words {
            whole: std::array::from_fn(|n| word(&whole[8 * n..][..8])),
            rest: word(rest),
            rest_len: rest.len(),
        }
    }

    proptest! {
        #[test]
        fn as_the_crate(key: [u64; 2], bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let sip = Sip::new(key);
            let hash = match bytes.len() / 8 {
                0 => sip.hash(words::<0>(&bytes)),
                1 => sip.hash(words::<1>(&bytes)),
                2 => sip.hash(words::<2>(&bytes)),
                3 => sip.hash(words::<3>(&bytes)),
                _ => sip.hash(words::<4>(&bytes)),
            };
            prop_assert_eq!(hash, SipHasher13::new_with_keys(key[0], key[1]).hash(&bytes));
        }
    }
}
