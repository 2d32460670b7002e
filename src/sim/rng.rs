//! Random numbers that can be had again.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): one word of state, good
//! enough for choosing test cases, and the same sequence on every machine for ever, which no dependency promises.

/// A sequence of numbers decided by its seed.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of that seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, any of 2⁶⁴.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is above zero. Slightly uneven for limits near 2⁶⁴, which tests do not mind.
    pub const fn below(&mut self, limit: u64) -> u64 {
        self.next_u64() % limit
    }

    /// True `percent` times in a hundred.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, of which there is at least one.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

/// The seed the user asks for with `VSWITCHD_SEED` (decimal, or hexadecimal behind `0x`), or `default`.
///
/// # Panics
/// If the variable is set to something else: a typo there would silently test something different.
pub fn seed_from_environment(default: u64) -> u64 {
    let Ok(text) = std::env::var("VSWITCHD_SEED") else { return default };
    let number = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.unwrap_or_else(|_| panic!("VSWITCHD_SEED is `{text}`: write a number, such as 42 or 0x2a"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sequence() {
        let mut rng = Rng::new(1234567);
        let known = [6457827717110365317, 3203168211198807973, 9817491932198370423];
        assert_eq!(known.map(|_| rng.next_u64()), known, "the published test vector of SplitMix64");
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        assert!((0..100).all(|_| a.below(10) == b.below(10)), "replayable");
        assert!((0..100).all(|_| !a.chance(0) && a.chance(100)), "never and always");
    }
}
