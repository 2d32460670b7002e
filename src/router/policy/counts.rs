//! How often each rule was used.
//!
//! Counters lie in three vectors with a place for every rule there is, so that counting is an addition. Room is made when
//! rules are set and legs are plugged in.

use super::RuleId;
use crate::frame::{LEGS_MAX, LegIndex};
use crate::router::nat::sessions::Count;

/// How many of Docker's rules there are for a leg.
const KINDS: usize = 11;

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Counted without a place of its own.
    invalid: Count,
    /// By the number of the rule.
    rules: Vec<Count>,
    /// By the number of the publish: destinations translated, and packets let in.
    publishes: Vec<[Count; 2]>,
    /// By the leg, then by [`kind`].
    legs: Vec<[Count; KINDS]>,
}

impl Counts {
    /// Counters for that many rules.
    pub(super) fn new(rules: usize, publishes: usize) -> Self {
        let mut counts = Self::default();
        counts.rules.resize(rules, Count::default());
        counts.publishes.resize(publishes, <[Count; 2]>::default());
        counts
    }

    /// Takes over what was counted before, for those rules that are the same.
    pub(super) fn inherit(
        &mut self,
        before: Self,
        same_rules: impl Iterator<Item = bool>,
        same_publishes: impl Iterator<Item = bool>,
    ) {
        (self.invalid, self.legs) = (before.invalid, before.legs);
        for ((new, old), same) in self.rules.iter_mut().zip(before.rules).zip(same_rules) {
            *new = if same { old } else { *new };
        }
        for ((new, old), same) in self.publishes.iter_mut().zip(before.publishes).zip(same_publishes) {
            *new = if same { old } else { *new };
        }
    }

    /// Makes room for a leg, and starts at zero.
    pub(super) fn attach(&mut self, leg: LegIndex) {
        let index = usize::from(leg.0);
        debug_assert!(index < LEGS_MAX);
        if self.legs.len() <= index {
            self.legs.resize(index + 1, <[Count; KINDS]>::default());
        }
        self.legs[index] = <[Count; KINDS]>::default();
    }

    /// Counts a packet. What has no place is not counted.
    #[inline]
    pub(super) fn add(&mut self, rule: RuleId, bytes: u64) {
        if let Some(count) = self.place(rule) {
            count.packets = count.packets.wrapping_add(1);
            count.bytes = count.bytes.wrapping_add(bytes);
        }
    }

    /// What was counted.
    pub(super) fn of(&self, rule: RuleId) -> Count {
        let count = match position(rule) {
            Position::Invalid => Some(&self.invalid),
            Position::Leg(leg, kind) => self.legs.get(leg).map(|kinds| &kinds[kind]),
            Position::Publish(index, what) => self.publishes.get(index).map(|both| &both[what]),
            Position::User(index) => self.rules.get(index),
        };
        count.copied().unwrap_or_default()
    }

    fn place(&mut self, rule: RuleId) -> Option<&mut Count> {
        match position(rule) {
            Position::Invalid => Some(&mut self.invalid),
            Position::Leg(leg, kind) => self.legs.get_mut(leg).map(|kinds| &mut kinds[kind]),
            Position::Publish(index, what) => self.publishes.get_mut(index).map(|both| &mut both[what]),
            Position::User(index) => self.rules.get_mut(index),
        }
    }
}

/// Where a rule's counter lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Invalid,
    Leg(usize, usize),
    Publish(usize, usize),
    User(usize),
}

fn position(rule: RuleId) -> Position {
    let (leg, kind) = match rule {
        RuleId::Closed(leg) => (leg, 0),
        RuleId::Direct(leg) => (leg, 1),
        RuleId::Egress(leg) => (leg, 2),
        RuleId::Established(leg) => (leg, 3),
        RuleId::Hairpin(leg) => (leg, 4),
        RuleId::Icc(leg) => (leg, 5),
        RuleId::InternalIn(leg) => (leg, 6),
        RuleId::InternalOut(leg) => (leg, 7),
        RuleId::Masquerade(leg) => (leg, 8),
        RuleId::Opened(leg) => (leg, 9),
        RuleId::Ping(leg) => (leg, 10),
        RuleId::Dnat(index) => return Position::Publish(usize::from(index), 0),
        RuleId::Published(index) => return Position::Publish(usize::from(index), 1),
        RuleId::User(index) => return Position::User(usize::from(index)),
        RuleId::Invalid => return Position::Invalid,
    };
    Position::Leg(usize::from(leg.0), kind)
}
