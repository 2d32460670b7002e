//! Flap detection: a station that moves to and fro between legs is a loop, or an address in use twice.
//!
//! Each station that moves is remembered with the moment of its first move and the number of moves since. So
//! many within the window are a flap; a window that is over begins anew with the next move. An alarm is
//! therefore never false, and who moves twice as often as is allowed, less one, within any window's length
//! always raises one: such a stretch meets no more than two windows. After an alarm the count begins anew.
//!
//! Guests choose who moves, so the memory is of a fixed size, and places in it cannot be aimed at: a station
//! belongs to one of `SETS` sets of `WAYS` places, by SipHash with a secret key. Who comes into a full
//! set takes the place of whose window is over, or else of the oldest that has moved but once, or else none,
//! which is counted. A flood of stations that move once hence never displaces one that has moved twice. What
//! can hide a flap is only a set full of others, which raise alarms of their own.
//!
//! Only what the FDB calls a move is told to this table; a new station is none, nor is one that the FDB holds
//! in place. It never looks at a leg: what it means that one is not heard is its bridge's to say.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::bridge::FlapConfig;
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::mac::Mac;

/// How many sets there are.
const SETS: usize = 256;
/// How many stations a set holds.
const WAYS: usize = 4;

/// Who moved lately.
#[derive(Debug)]
pub struct FlapDetector {
    hasher: SipHasher13,
    /// Empty for as long as nobody looks for flaps.
    movers: Vec<Mover>,
    untracked: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mover {
    /// VLAN id and address.
    key: u64,
    /// The first move of the window.
    first: Time,
    /// Moves in the window; zero is a free place.
    moves: u32,
}

impl Mover {
    const NOBODY: Self = Self { key: 0, first: Time::ZERO, moves: 0 };

    fn counts(&self, config: &FlapConfig, now: Time) -> bool {
        self.moves > 0 && now.since(self.first) < config.window
    }
}

/// What a move means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flap {
    /// It is one too many. The leg is not to be heard until then, which is now if the user only wants to be
    /// told.
    Alarm {
        /// Where the station moved to.
        leg: LegIndex,
        /// When the quarantine ends.
        until: Time,
        /// What is to be remembered.
        entry: Track,
    },
    /// Nobody looks for flaps.
    Ignore,
    /// It is remembered.
    Note(Track),
    /// There is no place to remember it.
    Untracked,
}

/// What [`FlapDetector::commit`] writes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    place: usize,
    key: u64,
    first: Time,
    moves: u32,
}

impl FlapDetector {
    /// A detector that looks for nothing yet, hashing with that key.
    pub fn new(hash_key: [u64; 2]) -> Self {
        let hasher = SipHasher13::new_with_keys(hash_key[0], hash_key[1]);
        Self { hasher, movers: Vec::new(), untracked: 0 }
    }

    /// Takes all the memory it will ever need, or gives it back. Whom it knew is forgotten.
    pub fn configure(&mut self, config: &FlapConfig) {
        self.movers = match config.moves {
            0 => Vec::new(),
            _ => vec![Mover::NOBODY; SETS * WAYS],
        };
    }

    /// What it means that the station moves to `leg` now; changes nothing.
    pub fn judge(&self, config: &FlapConfig, vid: u16, mac: Mac, leg: LegIndex, now: Time) -> Flap {
        if config.moves == 0 || self.movers.is_empty() {
            return Flap::Ignore;
        }
        let key = u64::from(vid) << 48 | mac.to_u64();
        let Some(place) = self.place(config, key, now) else {
            return Flap::Untracked;
        };
        let mover = self.movers[place];
        let (first, moves) = match mover.key == key && mover.counts(config, now) {
            true => (mover.first, mover.moves.saturating_add(1)),
            false => (now, 1),
        };
        if moves < config.moves {
            return Flap::Note(Track { place, key, first, moves });
        }
        let entry = Track { place, key: 0, first: Time::ZERO, moves: 0 };
        Flap::Alarm { leg, until: now + config.quarantine, entry }
    }

    /// Does what [`FlapDetector::judge`] said, with nothing in between.
    pub fn commit(&mut self, flap: Flap) {
        match flap {
            Flap::Ignore => {}
            Flap::Untracked => self.untracked += 1,
            Flap::Alarm { entry, .. } | Flap::Note(entry) => {
                let Track { place, key, first, moves } = entry;
                if let Some(mover) = self.movers.get_mut(place) {
                    *mover = Mover { key, first, moves };
                }
            }
        }
    }

    /// How many moves found no place.
    pub fn untracked(&self) -> u64 {
        self.untracked
    }

    /// Where the station is remembered or could be.
    fn place(&self, config: &FlapConfig, key: u64, now: Time) -> Option<usize> {
        let mut hasher = self.hasher;
        hasher.write_u64(key);
        let start = (hasher.finish() % SETS as u64) as usize * WAYS;
        let set = start..start + WAYS;
        let counts = |place: &usize| self.movers[*place].counts(config, now);
        let known = set.clone().find(|place| self.movers[*place].key == key && self.movers[*place].moves > 0);
        let idle = || set.clone().find(|place| !counts(place));
        let once = || {
            set.clone()
                .filter(|place| self.movers[*place].moves == 1)
                .min_by_key(|place| self.movers[*place].first)
        };
        known.or_else(idle).or_else(once)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LEGS: [LegIndex; 2] = [LegIndex(0), LegIndex(1)];

    fn config(moves: u32) -> FlapConfig {
        FlapConfig { moves, ..FlapConfig::default() }
    }

    fn detector(config: &FlapConfig) -> FlapDetector {
        let mut detector = FlapDetector::new([1, 2]);
        detector.configure(config);
        detector
    }

    fn station(id: u32) -> Mac {
        let [a, b, c, d] = id.to_be_bytes();
        Mac([2, 0, a, b, c, d])
    }

    /// Whether it was an alarm.
    fn moves(detector: &mut FlapDetector, config: &FlapConfig, id: u32, now: Time) -> bool {
        let flap = detector.judge(config, 0, station(id), LEGS[1], now);
        detector.commit(flap);
        matches!(flap, Flap::Alarm { .. })
    }

    #[test]
    fn so_many_moves_in_a_window_are_a_flap() {
        let config = config(3);
        let ms = |ms| Time::from_nanos(ms * 1_000_000);
        let table: &[(&[u64], &[u64], &str)] = &[
            (&[0, 1, 2], &[2], "the third at once"),
            (&[0, 500, 999], &[999], "the third at the last moment"),
            (&[0, 500, 1000], &[], "the window is over: this is the first of the next"),
            (&[0, 1, 2, 3, 4, 5], &[2, 5], "after an alarm it begins anew"),
            (&[0, 900, 1000, 1100, 1200], &[1200], "across two windows, it is noticed in the second"),
        ];
        for (times, alarms, why) in table {
            let mut detector = detector(&config);
            let raised: Vec<_> =
                times.iter().copied().filter(|at| moves(&mut detector, &config, 7, ms(*at))).collect();
            assert_eq!(raised, *alarms, "{why}");
        }
    }

    #[test]
    fn an_alarm_names_the_leg_and_the_time() {
        let mut config = config(1);
        let detector = detector(&config);
        let at = Time::from_secs(5);
        for (quarantine, until) in [(Duration::from_secs(10), Time::from_secs(15)), (Duration::ZERO, at)] {
            config.quarantine = quarantine;
            let Flap::Alarm { leg, until: ends, .. } = detector.judge(&config, 3, station(1), LEGS[1], at)
            else {
                panic!("one move is one too many");
            };
            assert_eq!((leg, ends), (LEGS[1], until));
        }
    }

    #[test]
    fn stations_and_vlans_are_apart() {
        let config = config(2);
        let mut detector = detector(&config);
        let note = detector.judge(&config, 1, station(1), LEGS[0], Time::ZERO);
        detector.commit(note);
        assert!(!moves(&mut detector, &config, 2, Time::ZERO), "another station");
        let other_vlan = detector.judge(&config, 2, station(1), LEGS[0], Time::ZERO);
        assert!(matches!(other_vlan, Flap::Note(_)), "the same address in another VLAN is another station");
        let again = detector.judge(&config, 1, station(1), LEGS[0], Time::ZERO);
        assert!(matches!(again, Flap::Alarm { .. }));
    }

    #[test]
    fn off_is_off() {
        let off = config(0);
        let mut detector = detector(&off);
        assert_eq!(detector.judge(&off, 0, station(1), LEGS[0], Time::ZERO), Flap::Ignore);
        assert_eq!(detector.movers.capacity(), 0, "and takes no memory");
        detector.configure(&config(2));
        assert!(!moves(&mut detector, &config(2), 1, Time::ZERO));
        detector.configure(&off);
        detector.configure(&config(2));
        assert!(!moves(&mut detector, &config(2), 1, Time::ZERO), "who was known is forgotten");
    }

    #[test]
    fn a_flood_of_movers_hides_nobody_and_takes_no_memory() {
        let config = config(5);
        let mut detector = detector(&config);
        let capacity = detector.movers.capacity();
        for _ in 0..2 {
            assert!(!moves(&mut detector, &config, 0, Time::ZERO));
        }
        for id in 1..100_000 {
            assert!(!moves(&mut detector, &config, id, Time::ZERO), "each moves once");
        }
        assert_eq!(detector.movers.capacity(), capacity);
        assert!(
            !moves(&mut detector, &config, 0, Time::ZERO) && !moves(&mut detector, &config, 0, Time::ZERO)
        );
        assert!(
            moves(&mut detector, &config, 0, Time::ZERO),
            "the fifth move of the one that was there before"
        );
    }

    #[test]
    fn what_is_not_tracked_is_counted() {
        let config = config(5);
        let mut detector = detector(&config);
        for id in 0..100_000 {
            for _ in 0..2 {
                moves(&mut detector, &config, id, Time::ZERO);
            }
        }
        assert!(detector.untracked() > 0, "every set is full of stations that moved twice");
        let before = detector.untracked();
        assert!(!moves(&mut detector, &config, 200_000, Time::from_secs(1)));
        assert_eq!(detector.untracked(), before, "a second later there is room");
    }

    proptest! {
        /// No false alarm, and none missed.
        #[test]
        fn alarms_are_true_and_none_is_missed(
            limit in 1..8_u32,
            gaps_ms in prop::collection::vec(prop_oneof![0..50_u64, 0..1500_u64], 1..80),
        ) {
            let (config, mut now) = (config(limit), Time::ZERO);
            let mut detector = detector(&config);
            let (mut history, mut alarms) = (Vec::new(), Vec::new());
            for gap in gaps_ms {
                now = now + Duration::from_millis(gap);
                history.push(now);
                if moves(&mut detector, &config, 1, now) {
                    alarms.push(now);
                    let recent = history.iter().filter(|at| now.since(**at) < config.window).count();
                    prop_assert!(recent >= limit as usize, "{recent} moves are no flap");
                }
            }
            for first in &history {
                let stretch = |at: &&Time| **at >= *first && at.since(*first) < config.window;
                if history.iter().filter(stretch).count() >= 2 * limit as usize - 1 {
                    prop_assert!(alarms.iter().any(|at| stretch(&at)), "missed from {first}");
                }
            }
        }
    }
}
