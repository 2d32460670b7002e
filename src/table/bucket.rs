//! A token bucket with whole numbers only, so that it is exact.
//!
//! Instead of tokens it counts what is owed: each use adds one, time takes away `rate` per second, and a use that would
//! put the debt above the burst is too many and adds nothing. Who has long been quiet owes nothing. The unit is the
//! billionth part of a use, so that a nanosecond takes away exactly `rate` of them. Hence within any time of t seconds
//! no more pass than rate × t + burst, and of what comes evenly at `rate` per second or slower nothing is refused.
//!
//! Something may count as several uses. If they are more than the burst it would never pass; it passes when nothing is owed,
//! and then all of it is owed. Both laws hold, with the largest of what came in place of a burst that is smaller.

use crate::time::Time;

/// A use, in the unit of debts.
const USE: u64 = 1_000_000_000;

/// What is owed, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    amount: u64,
    at: Time,
}

impl Bucket {
    /// The bucket after another use now; `None` if that is one too many. Changes nothing: whoever uses it keeps what this
    /// returns. `rate` is in uses per second, `burst` in uses.
    #[inline]
    pub fn charge(self, rate: u32, burst: u32, now: Time) -> Option<Self> {
        self.charge_many((1, 1), rate, burst, now)
    }

    /// The bucket after so many uses at once, of which `last` were charged when it was charged last: see
    /// [`Bucket::charge`].
    #[inline]
    pub fn charge_many(self, (uses, last): (u16, u16), rate: u32, burst: u32, now: Time) -> Option<Self> {
        // were time to run backwards, nothing is forgiven twice
        let at = now.max(self.at);
        let elapsed_ns = at.as_nanos() - self.at.as_nanos();
        let forgiven = elapsed_ns.saturating_mul(u64::from(rate));
        // a debt from under a higher limit counts no more than what can be owed under this one
        let owed_max = u64::from(burst.max(u32::from(last))) * USE;
        let burst = u64::from(burst) * USE;
        let uses = u64::from(uses) * USE;
        let fitting = uses.min(burst.max(USE));
        let amount = self.amount.min(owed_max).saturating_sub(forgiven) + fitting;
        (amount <= burst).then_some(Self { amount: amount + (uses - fitting), at })
    }
}
