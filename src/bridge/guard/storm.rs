//! Storm limits: how many frames of a flooded kind a leg may send.
//!
//! A [`Bucket`] per kind.
//!
//! The burst is a tenth of the limit, and one frame at least. Hence within any time of t seconds no more pass
//! than `limit` × t + burst, and of who sends evenly at `limit` per second or slower nothing is ever dropped.
//! A frame that is too many adds nothing to the debt: who sends far too much gets `limit` per second, not
//! nothing.
//!
//! **What is counted are frames on a wire**: a large frame counts as those that it will be cut into, so that a limit means
//! the same to a guest with offloads and to one without. A switch made of hardware never sees anything else, and the
//! kernel's counters of packets do it too (`bstats_update`); its policer and the meters of Open vSwitch count a large frame
//! once. One that is larger than the burst passes only when nothing is owed.

use crate::bridge::StormLimit;
use crate::frame::Passage;
use crate::table::Bucket;
use crate::time::Time;
use crate::trace::Cast;
use crate::wire::datagram::{Datagram, TCP, UDP};

/// The limit is so many times the burst.
const BURST_PART: u32 = 10;

/// What a leg owes, of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct StormMeter {
    /// By [`Cast`].
    debts: [Bucket; 3],
    /// What the last frame that passed counted, by [`Cast`].
    last: [u16; 3],
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
    frames: u16,
    after: Bucket,
}

impl StormMeter {
    /// Whether a frame of that kind may pass now; changes nothing. Where it is limited, `frames` is asked how many it counts
    /// as.
    #[inline]
    pub fn check(&self, limit: &StormLimit, cast: Cast, frames: impl FnOnce() -> u16, now: Time) -> Storm {
        let limit = match cast {
            Cast::Broadcast => limit.broadcast,
            Cast::Multicast => limit.multicast,
            Cast::UnknownUnicast => limit.unknown_unicast,
        };
        if limit == 0 {
            return Storm::Unlimited;
        }
        let (frames, last) = (frames(), self.last[cast as usize]);
        let burst = (limit / BURST_PART).max(1);
        match self.debts[cast as usize].charge_many((frames, last), limit, burst, now) {
            Some(after) => Storm::Pass(Charge { cast, frames, after }),
            None => Storm::TooMany,
        }
    }

    /// The frame has passed.
    #[inline]
    pub fn commit(&mut self, charge: Charge) {
        self.debts[charge.cast as usize] = charge.after;
        self.last[charge.cast as usize] = charge.frames;
    }
}

/// How many frames it is on a wire: its payload by what each of them carries of it, rounded up (V6, V7).
#[inline]
pub fn frames(passage: &Passage<'_>) -> u16 {
    if passage.headers.gso { segments(passage) } else { 1 }
}

#[cold]
fn segments(passage: &Passage<'_>) -> u16 {
    let size = usize::from(passage.headers.gso_size.max(1));
    // where there are no headers to be found, which no port lets in, all of it is payload
    let payload = payload_len(passage).unwrap_or(passage.headers.len);
    u16::try_from(payload.div_ceil(size).max(1)).unwrap_or(u16::MAX)
}

/// Bytes behind all headers, those of TCP or UDP included.
fn payload_len(passage: &Passage<'_>) -> Option<usize> {
    let (_, packet) = passage.innermost()?;
    // whatever its checksum is: that may not be a way around the limit
    let datagram = Datagram::quoted(packet).ok()?;
    let header = match datagram.protocol {
        TCP => usize::from(packet.get(datagram.transport + 12)? >> 4) * 4,
        UDP => 8,
        _ => return None,
    };
    packet.len().checked_sub(datagram.transport + header)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::frame::{Edit, Gso, Headers, Offload};

    fn passes(meter: &mut StormMeter, limit: &StormLimit, cast: Cast, now: Time) -> bool {
        pass_as(meter, limit, cast, 1, now)
    }

    /// One that counts as so many.
    fn pass_as(meter: &mut StormMeter, limit: &StormLimit, cast: Cast, frames: u16, now: Time) -> bool {
        match meter.check(limit, cast, || frames, now) {
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
        assert_eq!(
            meter.check(&limit, Cast::UnknownUnicast, || panic!("not asked"), Time::ZERO),
            Storm::Unlimited
        );
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

    /// It counted as one, and a guest with offloads passed forty times more than one without.
    #[test]
    fn a_large_frame_counts_as_what_it_becomes() {
        let table: &[(u32, &[(u64, u16, bool)], &str)] = &[
            (100, &[(0, 4, true), (0, 6, true), (0, 1, false)], "ten are the burst, however they come"),
            (100, &[(0, 4, true), (0, 7, false), (0, 6, true)], "one that is too many owes nothing"),
            (100, &[(0, 10, true), (40, 4, true), (40, 1, false)], "forgiven by the frame"),
            (
                100,
                &[(0, 45, true), (349, 1, false), (360, 1, true)],
                "more than the burst, from nothing owed",
            ),
            (100, &[(0, 1, true), (9, 45, false), (10, 45, true)], "but not while anything is"),
            (100, &[(0, 45, true), (450, 45, true), (900, 45, true)], "evenly at the limit"),
            (1, &[(0, 3, true), (2999, 3, false), (3000, 3, true)], "the same where the burst is one"),
        ];
        for (limit, frames, why) in table {
            let (mut meter, limit) = (StormMeter::default(), broadcasts(*limit));
            for (ms, count, expected) in *frames {
                let now = Time::from_nanos(ms * 1_000_000);
                let passed = pass_as(&mut meter, &limit, Cast::Broadcast, *count, now);
                assert_eq!(passed, *expected, "{why}: {count} at {ms} ms");
            }
        }
    }

    #[test]
    fn a_raised_limit_does_not_wait_for_a_large_frame() {
        let mut meter = StormMeter::default();
        assert!(pass_as(&mut meter, &broadcasts(1), Cast::Broadcast, 2000, Time::ZERO));
        let now = Time::from_nanos(2_000_000);
        assert!(passes(&mut meter, &broadcasts(1_000_000), Cast::Broadcast, now), "2000 in as many µs");
    }

    /// Behind which headers how many bytes, cut into how large pieces: how many frames, and why.
    type Large<'a> = (&'a [u8], usize, u16, u16, &'a str);

    #[test]
    fn how_many_frames_a_large_one_is() {
        const IPV4: [u8; 20] = [0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 1, 2, 10, 0, 0, 1, 10, 0, 0, 2];
        const PLAIN: &[u8] = &[8, 0];
        let tcp = |words: u8| [&[0; 12][..], &[words << 4], &vec![0; usize::from(words) * 4 - 13]].concat();
        let udp = [&IPV4[..9], &[17], &IPV4[10..], &[0; 8]].concat();
        let ipv6 = [&[0x60, 0, 0, 0, 0xff, 0xff, 60, 64][..], &[0; 32], &[6, 0, 1, 4, 0, 0, 0, 0]].concat();
        let table: &[Large<'_>] = &[
            (&[PLAIN, &IPV4, &tcp(5)].concat(), 1448 * 45, 1448, 45, "TCP"),
            (&[PLAIN, &IPV4, &tcp(5)].concat(), 1448 * 45 + 1, 1448, 46, "and a byte"),
            (&[PLAIN, &IPV4, &tcp(8)].concat(), 1448 * 45, 1448, 45, "TCP with options"),
            (&[PLAIN, &udp].concat(), 5000, 1000, 5, "UDP"),
            (&[&[0x86, 0xdd], &ipv6[..], &tcp(5)].concat(), 2856, 1428, 2, "IPv6 with an extension"),
            (&[&[0x81, 0, 0, 7], PLAIN, &IPV4, &tcp(5)].concat(), 2000, 1000, 2, "behind a tag"),
            (
                &[PLAIN, &IPV4[..9], &[47], &IPV4[10..]].concat(),
                980,
                500,
                3,
                "what no port lets in: all of it",
            ),
        ];
        for (headers, payload, size, expected, why) in table {
            let bytes = [&[2; 12][..], headers, &vec![7; *payload]].concat();
            let offload = Offload { gso: Gso::TcpV4, gso_size: *size, ..Offload::NONE };
            let count = |offload: &Offload| {
                let parsed = Headers::parse(&bytes, offload).expect("it is long enough");
                frames(&Passage { bytes: &bytes, edit: &Edit::NONE, headers: &parsed })
            };
            assert_eq!(count(&offload), *expected, "{why}");
            assert_eq!(count(&Offload::NONE), 1, "{why}: not to be cut");
        }
    }

    #[test]
    fn asking_changes_nothing() {
        let (meter, limit) = (StormMeter::default(), broadcasts(1));
        let first = meter.check(&limit, Cast::Broadcast, || 1, Time::ZERO);
        assert_eq!(meter.check(&limit, Cast::Broadcast, || 1, Time::ZERO), first);
        let extreme = StormLimit { broadcast: u32::MAX, ..limit };
        assert!(
            matches!(meter.check(&extreme, Cast::Broadcast, || u16::MAX, Time::NEVER), Storm::Pass(_)),
            "no overflow"
        );
    }

    proptest! {
        /// Whatever comes when, and however large: in every window, no more than the rate and the burst, or the largest frame
        /// if that is larger.
        #[test]
        fn never_more_than_the_limit(
            limit in 1..5000_u32,
            largest in prop_oneof![Just(1), Just(45), 1..2048_u16],
            sent in prop::collection::vec(
                (prop_oneof![Just(0_u64), 0..300_u64, 0..300_000_u64], 1..2048_u16),
                1..600,
            ),
        ) {
            let (mut meter, config, mut now) = (StormMeter::default(), broadcasts(limit), Time::ZERO);
            let mut passed = Vec::new();
            for (gap, frames) in sent {
                now = now + Duration::from_micros(gap);
                let frames = frames.min(largest);
                if pass_as(&mut meter, &config, Cast::Broadcast, frames, now) {
                    passed.push((now.as_nanos(), u128::from(frames)));
                }
            }
            let burst = u128::from((limit / 10).max(u32::from(largest)));
            for (first, (from, _)) in passed.iter().enumerate() {
                let mut sum = 0;
                for (to, frames) in &passed[first..] {
                    sum += frames;
                    let allowed = burst * 1_000_000_000 + u128::from(to - from) * u128::from(limit);
                    prop_assert!(sum * 1_000_000_000 <= allowed);
                }
            }
        }

        /// Who keeps to the rate loses nothing, however large what it sends.
        #[test]
        fn large_frames_at_the_rate_pass(
            limit in 1..1_000_000_u32,
            sent in prop::collection::vec((0..1000_u64, 1..2048_u16), 1..300),
        ) {
            let (mut meter, config, mut now) = (StormMeter::default(), broadcasts(limit), Time::ZERO);
            for (extra, frames) in sent {
                prop_assert!(pass_as(&mut meter, &config, Cast::Broadcast, frames, now));
                let due = (u64::from(frames) * 1_000_000_000).div_ceil(u64::from(limit));
                now = now + Duration::from_nanos(due + extra);
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
