//! The forwarding database: which station is behind which leg.
//!
//! Entries are found by (VLAN id, address) in one word. Learned ones age; local, static and sticky ones do not.
//! Whether an entry has expired is tested whenever it is looked at, so the sweep is only there to give memory back
//! and may come as late as it likes. For the same reason a full table makes room by what has expired before it
//! refuses: a limit of n means n stations that are valid now. That holds for the limit of a leg, too.
//!
//! Seeing a source happens in two steps. [`Fdb::sight`] says what would happen and changes nothing; [`Fdb::commit`]
//! does that. `explain` takes only the first, and so cannot disagree with what real frames do.

use std::time::Duration;

use super::{Sighting, StationEntry, StationKind};
use crate::frame::LegIndex;
use crate::table::{AgedTable, Hashed, Slot};
use crate::time::Time;
use crate::wire::mac::Mac;

/// How many entries a sweep removes at most, and how many a full table gives up at once.
pub(super) const SWEEP_MAX: usize = 256;
/// How many entries the user may set, so that learned and set ones together fit the table by far.
const SET_MAX: usize = 1 << 20;

/// From how many stations on it pays to look for those of a batch at once.
const FORESEEN_MIN: usize = 1024;

const MAC_BITS: u32 = 48;

/// Where a station is, and how firmly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) leg: LegIndex,
    pub(super) kind: StationKind,
}

/// What the sight of a source means to the table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sight {
    /// Unknown, and there is no room (B19).
    Full,
    /// It is behind another leg now (B5, B6).
    Move(Slot, LegIndex),
    /// Unknown; there is room.
    New(Hashed),
    /// The address is the host's (B8).
    Own,
    /// It is where it was.
    Refresh(Slot),
    /// It was sighted here, but stays where the user said (B7).
    Stuck(Slot),
}

/// The table.
#[derive(Debug)]
pub(super) struct Fdb {
    table: AgedTable<Place>,
    ageing_ns: u64,
    learned_max: usize,
    /// Learned entries per leg, those that have expired but are not swept included.
    learned: Vec<u32>,
}

impl Fdb {
    pub(super) fn new(hash_key: [u64; 2], ageing: Duration, learned_max: u32) -> Self {
        let table = AgedTable::new(hash_key);
        let mut fdb = Self { table, ageing_ns: 0, learned_max: 0, learned: Vec::new() };
        fdb.configure(ageing, learned_max);
        fdb
    }

    /// What is there stays, even above the new limit: that only keeps others out until enough have expired.
    pub(super) fn configure(&mut self, ageing: Duration, learned_max: u32) {
        self.ageing_ns = u64::try_from(ageing.as_nanos()).unwrap_or(u64::MAX);
        self.learned_max = learned_max as usize;
    }

    /// Makes room for the counter of a leg.
    pub(super) fn attach(&mut self, leg: LegIndex) {
        let needed = usize::from(leg.0) + 1;
        if self.learned.len() < needed {
            self.learned.resize(needed, 0);
        }
    }

    /// Whether nothing is remembered (B14).
    #[inline]
    pub(super) fn forgets_at_once(&self) -> bool {
        self.ageing_ns == 0
    }

    /// Where the station is, if that is known now.
    #[inline(always)]
    pub(super) fn lookup(&self, vid: u16, mac: Mac, now: Time) -> Option<Place> {
        let slot = self.table.seek(key(vid, mac)).ok()?;
        self.valid(slot, now).then(|| self.table.value(slot))
    }

    /// The entry of a station, if that is known now, which will be asked for again.
    #[inline(always)]
    pub(super) fn recall(&mut self, vid: u16, mac: Mac, now: Time) -> Option<(Slot, Place)> {
        let (slot, seen, place) = self.table.recall(key(vid, mac))?;
        self.is_current(seen, place, now).then_some((slot, place))
    }

    /// The entry, which [`Fdb::recall`] has found, was seen now.
    #[inline(always)]
    pub(super) fn refresh(&mut self, slot: Slot, now: Time) {
        self.table.touch(slot, now);
    }

    /// Stations that frames are about to be sent to.
    pub(super) fn foresee(&mut self, vid: u16, macs: impl Iterator<Item = Mac>) {
        // fewer than that many fit into the cache
        if self.table.len() > FORESEEN_MIN {
            self.table.foresee(macs.map(|mac| key(vid, mac)));
        }
    }

    /// What it means that the station is seen behind `leg`.
    #[inline(always)]
    pub(super) fn sight(&self, vid: u16, mac: Mac, leg: LegIndex, now: Time) -> Sight {
        match self.table.seek(key(vid, mac)) {
            Ok(slot) if self.valid(slot, now) => match self.table.value(slot) {
                Place { kind: StationKind::Local, .. } => Sight::Own,
                place if place.leg == leg => Sight::Refresh(slot),
                Place { kind: StationKind::Sticky, .. } => Sight::Stuck(slot),
                place => Sight::Move(slot, place.leg),
            },
            _ if !self.has_room(now) => Sight::Full,
            Ok(slot) => Sight::New(self.table.hash(self.table.key(slot))),
            Err(hashed) => Sight::New(hashed),
        }
    }

    /// How firmly the entry of a sight stands.
    #[inline]
    pub(super) fn kind(&self, slot: Slot) -> StationKind {
        self.table.value(slot).kind
    }

    /// Whether one more station may be learned behind `leg`, if `limit` is how many may be there at a time.
    #[cold]
    pub(super) fn has_room_at(&self, leg: LegIndex, limit: u32, now: Time) -> bool {
        let counted = self.learned.get(usize::from(leg.0)).copied().unwrap_or_default();
        if counted < limit {
            return true;
        }
        // those that have expired are the oldest of all; beyond what a sweep removes nobody looks
        let aged =
            (0..SWEEP_MAX).map_while(|n| self.table.nth_oldest(n)).take_while(|slot| !self.valid(*slot, now));
        let expired = aged.filter(|slot| self.table.value(*slot).leg == leg).count();
        (counted as usize).saturating_sub(expired) < limit as usize
    }

    /// Whether anything learned behind the leg is remembered, expired or not.
    pub(super) fn has_learned_at(&self, leg: LegIndex) -> bool {
        self.learned.get(usize::from(leg.0)).is_some_and(|count| *count > 0)
    }

    /// Does what [`Fdb::sight`] said, at the same time and with nothing in between. A new entry is of `kind`; one that
    /// moves is released if it was locked (B21). `gone` is told of those that had expired and made room.
    #[inline(always)]
    pub(super) fn commit(
        &mut self,
        sight: Sight,
        leg: LegIndex,
        kind: StationKind,
        now: Time,
        gone: impl FnMut(Sighting),
    ) {
        match sight {
            Sight::Full | Sight::Own => {}
            Sight::Move(slot, _) => self.relocate(slot, leg, now),
            Sight::New(hashed) => self.learn(hashed, Place { leg, kind }, now, gone),
            Sight::Refresh(slot) | Sight::Stuck(slot) => self.table.refresh(slot, now),
        }
    }

    /// Sets an entry that does not age, over whatever the address had (B11), of which `gone` is told. False when there is
    /// no room.
    pub(super) fn set(
        &mut self,
        vid: u16,
        mac: Mac,
        place: Place,
        now: Time,
        gone: impl FnOnce(Sighting),
    ) -> bool {
        let hashed = self.hash(vid, mac);
        match self.table.find(hashed) {
            Some(slot) => {
                gone(sighting(self.table.key(slot), self.table.value(slot)));
                self.remove(slot);
            }
            None if self.table.len() - self.table.aging() >= SET_MAX => return false,
            None => {}
        }
        self.table.insert(hashed, place, true, now);
        true
    }

    /// Removes the entry if it is of that kind; says whether it was there.
    pub(super) fn unset(&mut self, vid: u16, mac: Mac, kind: StationKind) -> bool {
        let found = self.table.find(self.hash(vid, mac));
        let found = found.filter(|slot| self.table.value(*slot).kind == kind);
        if let Some(slot) = found {
            self.remove(slot);
        }
        found.is_some()
    }

    /// Forgets every station for which `keep` says no.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Sighting) -> bool) {
        let learned = &mut self.learned;
        self.table.retain(|key, place| {
            let stays = keep(sighting(key, place));
            if !stays {
                uncount(learned, place);
            }
            stays
        });
    }

    /// Removes up to `budget` expired entries, telling `gone` of each, and says how many it removed.
    pub(super) fn sweep(&mut self, now: Time, budget: usize, mut gone: impl FnMut(Sighting)) -> usize {
        let mut removed = 0;
        while let Some(slot) = self.table.oldest().filter(|slot| removed < budget && !self.valid(*slot, now))
        {
            gone(sighting(self.table.key(slot), self.table.value(slot)));
            self.remove(slot);
            removed += 1;
        }
        removed
    }

    /// When the next entry expires.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Time> {
        let seen = self.table.seen(self.table.oldest()?);
        Some(seen + Duration::from_nanos(self.ageing_ns)).filter(|deadline| *deadline < Time::NEVER)
    }

    /// What is valid now, in the order of VLAN and address.
    pub(super) fn stations(&self, now: Time) -> Vec<StationEntry> {
        let mut valid: Vec<_> = self.table.iter().filter(|(_, slot)| self.valid(*slot, now)).collect();
        valid.sort_unstable_by_key(|(key, _)| *key);
        let entry = |(key, slot): (u64, Slot)| {
            let Sighting { mac, vid, leg, kind } = sighting(key, self.table.value(slot));
            StationEntry { mac, vid, leg, kind, idle: now.since(self.table.seen(slot)) }
        };
        valid.into_iter().map(entry).collect()
    }

    #[inline]
    fn hash(&self, vid: u16, mac: Mac) -> Hashed {
        self.table.hash(key(vid, mac))
    }

    #[inline]
    fn valid(&self, slot: Slot, now: Time) -> bool {
        self.is_current(self.table.seen(slot), self.table.value(slot), now)
    }

    /// As the kernel's `has_expired`: an entry is gone at the very moment it is `ageing` old.
    #[inline]
    fn is_current(&self, seen: Time, place: Place, now: Time) -> bool {
        let idle_ns = now.as_nanos().saturating_sub(seen.as_nanos());
        idle_ns < self.ageing_ns || !place.kind.ages()
    }

    /// Whether one more may be learned. Those that have expired are the oldest, so it is enough to look at the last
    /// of those that would have to go. More than a sweep would remove is only asked for after the limit was lowered.
    #[cold]
    fn has_room(&self, now: Time) -> bool {
        let excess = (self.table.aging() + 1).saturating_sub(self.learned_max);
        match excess {
            0 => true,
            1..=SWEEP_MAX => self.table.nth_oldest(excess - 1).is_some_and(|slot| !self.valid(slot, now)),
            _ => false,
        }
    }

    #[cold]
    fn learn(&mut self, hashed: Hashed, place: Place, now: Time, mut gone: impl FnMut(Sighting)) {
        let mut make_room = |fdb: &mut Self, expired| {
            gone(sighting(fdb.table.key(expired), fdb.table.value(expired)));
            fdb.remove(expired);
        };
        if let Some(expired) = self.table.find(hashed) {
            make_room(self, expired);
        }
        while self.table.aging() >= self.learned_max
            && let Some(expired) = self.table.oldest()
        {
            make_room(self, expired);
        }
        self.table.insert(hashed, place, false, now);
        self.count(place);
    }

    #[cold]
    fn relocate(&mut self, slot: Slot, leg: LegIndex, now: Time) {
        let before = self.table.value(slot);
        let kind = if before.kind == StationKind::Locked { StationKind::Learned } else { before.kind };
        uncount(&mut self.learned, before);
        *self.table.value_mut(slot) = Place { leg, kind };
        self.count(Place { leg, kind });
        self.table.refresh(slot, now);
    }

    fn remove(&mut self, slot: Slot) {
        uncount(&mut self.learned, self.table.value(slot));
        self.table.remove(slot);
    }

    fn count(&mut self, place: Place) {
        if let Some(count) = self.learned.get_mut(usize::from(place.leg.0))
            && place.kind.ages()
        {
            *count += 1;
        }
    }
}

#[inline]
fn key(vid: u16, mac: Mac) -> u64 {
    u64::from(vid) << MAC_BITS | mac.to_u64()
}

fn uncount(learned: &mut [u32], place: Place) {
    if let Some(count) = learned.get_mut(usize::from(place.leg.0))
        && place.kind.ages()
    {
        *count -= 1;
    }
}

fn sighting(key: u64, Place { leg, kind }: Place) -> Sighting {
    let [vid_high, vid_low, mac @ ..] = key.to_be_bytes();
    Sighting { mac: Mac(mac), vid: u16::from_be_bytes([vid_high, vid_low]), leg, kind }
}
