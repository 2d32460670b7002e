//! Random numbers that can be had again: `crate::sim` knows bridges, so bridges cannot know it.

/// SplitMix64, as `crate::sim::Rng`.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next_u64() % limit
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

/// What `VSWITCHD_SEED` says, in decimal, or 2004.
pub(super) fn seed() -> u64 {
    let Ok(text) = std::env::var("VSWITCHD_SEED") else { return 2004 };
    text.parse().unwrap_or_else(|_| panic!("VSWITCHD_SEED is `{text}`: write a number"))
}
