//! Storm limits: how many frames of a flooded kind a leg may send.
//!
//! A [`Bucket`] per kind.
//!
//! The burst is a tenth of the limit, and one frame at least. Hence within any time of t seconds no more pass
//! than `limit` × t + burst, and of who sends evenly at `limit` per second or slower nothing is ever dropped.
//! A frame that is too many adds nothing to the debt: who sends far too much gets `limit` per second, not
//! nothing.

use crate::bridge::StormLimit;
use crate::table::Bucket;
use crate::time::Time;
use crate::trace::Cast;

/// The limit is so many times the burst.
const BURST_PART: u32 = 10;

/// What a leg owes, of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct StormMeter {
    /// By [`Cast`].
    debts: [Bucket; 3],
}

/// What the meter says to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storm {
    /// It may pass, and is to be [committed](StormMeter::commit).
    Pass(Charge),
    /// It is one too many.
    TooMany,
    /// Nobody counts frames of its kind here.
    Unlimited,
}

/// What is owed once the frame has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    cast: Cast,
    after: Bucket,
}

impl StormMeter {
    /// Whether a frame of that kind may pass now; changes nothing.
    #[inline]
    pub fn check(&self, limit: &StormLimit, cast: Cast, now: Time) -> Storm {
        let limit = match cast {
            Cast::Broadcast => limit.broadcast,
            Cast::Multicast => limit.multicast,
            Cast::UnknownUnicast => limit.unknown_unicast,
        };
        if limit == 0 {
            return Storm::Unlimited;
        }
        match self.debts[cast as usize].charge(limit, (limit / BURST_PART).max(1), now) {
            Some(after) => Storm::Pass(Charge { cast, after }),
            None => Storm::TooMany,
        }
    }

    /// The frame has passed.
    #[inline]
    pub fn commit(&mut self, charge: Charge) {
        self.debts[charge.cast as usize] = charge.after;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn passes(meter: &mut StormMeter, limit: &StormLimit, cast: Cast, now: Time) -> bool {
        match meter.check(limit, cast, now) {
            Storm::Pass(charge) => {
                meter.commit(charge);
                true
            }
            Storm::TooMany => false,
            Storm::Unlimited => true,
        }
    }

    fn broadcasts(broadcast: u32) -> StormLimit {
        StormLimit { broadcast, ..StormLimit::default() }
    }

    #[test]
    fn a_burst_then_the_rate() {
        let (mut meter, limit) = (StormMeter::default(), broadcasts(100));
        let mut passed = |ns: u64, frames: u32| {
            (0..frames).filter(|_| passes(&mut meter, &limit, Cast::Broadcast, Time::from_nanos(ns))).count()
        };
        assert_eq!(passed(0, 50), 10, "the burst is a tenth");
        assert_eq!(passed(9_999_999, 5), 0, "a nanosecond too early");
        assert_eq!(passed(10_000_000, 5), 1, "one per hundredth of a second");
        assert_eq!(passed(10_000_000_000, 50), 10, "ten quiet seconds save no more than the burst");
        assert_eq!(passed(5_000_000_000, 5), 0, "time that runs backwards forgives nothing");
    }

    #[test]
    fn kinds_and_limits_are_apart() {
        let mut meter = StormMeter::default();
        let limit = StormLimit { broadcast: 1, multicast: 5, unknown_unicast: 0 };
        assert!(passes(&mut meter, &limit, Cast::Broadcast, Time::ZERO));
        assert!(
            !passes(&mut meter, &limit, Cast::Broadcast, Time::ZERO),
            "one is the burst of one per second"
        );
        assert!(passes(&mut meter, &limit, Cast::Multicast, Time::ZERO), "another kind owes nothing");
        assert_eq!(meter.check(&limit, Cast::UnknownUnicast, Time::ZERO), Storm::Unlimited);
        let raised = StormLimit { broadcast: 20, ..limit };
        assert!(passes(&mut meter, &raised, Cast::Broadcast, Time::ZERO), "a raised limit has room at once");
    }

    #[test]
    fn a_lowered_limit_has_no_old_debts() {
        let (mut meter, high) = (StormMeter::default(), broadcasts(1_000_000));
        while passes(&mut meter, &high, Cast::Broadcast, Time::ZERO) {}
        let low = broadcasts(1);
        assert!(!passes(&mut meter, &low, Cast::Broadcast, Time::from_nanos(999_999_999)));
        assert!(
            passes(&mut meter, &low, Cast::Broadcast, Time::from_secs(1)),
            "not after a hundred thousand"
        );
    }

    #[test]
    fn asking_changes_nothing() {
        let (meter, limit) = (StormMeter::default(), broadcasts(1));
        let first = meter.check(&limit, Cast::Broadcast, Time::ZERO);
        assert_eq!(meter.check(&limit, Cast::Broadcast, Time::ZERO), first);
        let extreme = StormLimit { broadcast: u32::MAX, ..limit };
        assert!(matches!(meter.check(&extreme, Cast::Broadcast, Time::NEVER), Storm::Pass(_)), "no overflow");
    }

    proptest! {
        /// Whatever comes when: in every window, no more than the rate and the burst.
        #[test]
        fn never_more_than_the_limit(
            limit in 1..5000_u32,
            gaps_us in prop::collection::vec(prop_oneof![Just(0_u64), 0..300_u64, 0..300_000_u64], 1..600),
        ) {
            let (mut meter, config, mut now) = (StormMeter::default(), broadcasts(limit), Time::ZERO);
            let mut passed = Vec::new();
            for gap in gaps_us {
                now = now + Duration::from_micros(gap);
                if passes(&mut meter, &config, Cast::Broadcast, now) {
                    passed.push(now.as_nanos());
                }
            }
            let burst = u128::from((limit / 10).max(1));
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let allowed = burst * 1_000_000_000 + u128::from(to - from) * u128::from(limit);
                    prop_assert!((last - first + 1) as u128 * 1_000_000_000 <= allowed);
                }
            }
        }

        /// Who keeps to the rate loses nothing, and neither does who was quiet and then sends a burst.
        #[test]
        fn conforming_traffic_passes(
            limit in 1..1_000_000_u32,
            extra in prop::collection::vec(0..1000_u64, 1..300),
        ) {
            let (mut meter, config, mut now) = (StormMeter::default(), broadcasts(limit), Time::ZERO);
            for extra in extra {
                prop_assert!(passes(&mut meter, &config, Cast::Broadcast, now));
                now = now + Duration::from_nanos(1_000_000_000_u64.div_ceil(u64::from(limit)) + extra);
            }
            now = now + Duration::from_secs(1);
            for _ in 0..(limit / 10).clamp(1, 1000) {
                prop_assert!(passes(&mut meter, &config, Cast::Broadcast, now));
            }
        }
    }
}
