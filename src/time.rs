//! Time as a value.
//!
//! The core never reads a clock: whoever calls it says what time it is. That makes every test a story in
//! virtual time and every run replayable. A [`Time`] counts nanoseconds from an origin its owner chose (the
//! engine uses the start of the process, the simulator zero); only differences mean anything.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment, in nanoseconds after an arbitrary origin. 64 bits last 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// Later than any event: the deadline of what never ends.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `secs` seconds after the origin.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates at [`Time::NEVER`].
impl Add<Duration> for Time {
    type Output = Self;

    #[inline]
    fn add(self, duration: Duration) -> Self {
        let nanos = duration.as_secs().saturating_mul(1_000_000_000);
        Self(self.0.saturating_add(nanos.saturating_add(duration.subsec_nanos().into())))
    }
}

impl Sub for Time {
    type Output = Duration;

    #[inline]
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// Seconds with microseconds, the precision of a log line.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000_000, self.0 / 1000 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_and_never_panics() {
        assert_eq!(Time::from_secs(2) - Time::from_secs(5), Duration::ZERO, "the past is zero ago");
        assert_eq!(Time::from_secs(5) - Time::from_secs(2), Duration::from_secs(3));
        assert_eq!(Time::ZERO + Duration::MAX, Time::NEVER, "longer than there is time");
        assert_eq!(Time::NEVER + Duration::from_secs(1), Time::NEVER, "never stays never");
        assert_eq!(Time::from_nanos(1_500_000_000).to_string(), "1.500000");
    }
}
