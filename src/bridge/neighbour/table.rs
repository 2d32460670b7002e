//! Who has which address: what the bridge has heard ARP and neighbour discovery say.
//!
//! Entries are found by (VLAN id, IP address) and age from the last time they were said. An answer costs the
//! station nothing, so it does not keep its entry alive: once in [`LIFETIME`] a question is flooded again,
//! and whoever has moved or gone is found out. What is said later counts more, as it does to every host; who
//! must not say such things is the source guard's business (`bridge::guard`).
//!
//! The table is keyed by one word, so an entry's key is SipHash of VLAN and address, and the entry holds
//! both: should two ever meet in 64 bits, the second is not remembered, and neither is mistaken for the
//! other.
//!
//! Guests choose what is said. The table holds [`NEIGHBOURS_MAX`] entries, and a leg may add one as long as
//! it has fewer than there are places left: one that floods gets half of the table, two get a third each, and
//! there is always something left for those that are quiet. Who is not remembered is not suppressed: nothing
//! is lost but the saving.

use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::Judgement;
use crate::frame::LegIndex;
use crate::table::{AgedTable, Hashed, Slot};
use crate::time::Time;
use crate::wire::mac::Mac;

/// How many neighbours a bridge remembers.
pub const NEIGHBOURS_MAX: usize = 4096;
/// How long, unless it hears of them again: as long as the FDB remembers a station by default.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// What a frame said: somebody has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) ip: IpAddr,
    pub(super) mac: Mac,
    /// Whether it is a router, if that was said.
    pub(super) router: Option<bool>,
}

/// A neighbour, as the table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) vid: u16,
    pub(super) ip: IpAddr,
    pub(super) mac: Mac,
    pub(super) router: bool,
    pub(super) leg: LegIndex,
}

/// A neighbour, for who asks what the bridge knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourEntry {
    /// The VLAN; zero without filtering.
    pub vid: u16,
    /// Its address.
    pub ip: IpAddr,
    /// Where that is on the link.
    pub mac: Mac,
    /// Behind which leg it was heard.
    pub leg: LegIndex,
    /// It says that it is a router.
    pub router: bool,
    /// How long since it was heard.
    pub idle: Duration,
}

/// What a binding means to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Unknown, and there is no room.
    Full,
    /// Unknown; there is room.
    New(Neighbour),
    /// Nothing was said.
    Nothing,
    /// Known, perhaps with another MAC.
    Update(Slot, Neighbour),
}

/// What has been done, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NeighbourCounters {
    /// Questions answered.
    pub answered: u64,
    /// Frames of which some legs were to be spared, answered or not.
    pub suppressed: u64,
    /// Neighbours heard of for the first time.
    pub learned: u64,
    /// Neighbours not remembered because there was no room.
    pub refused: u64,
}

/// The neighbours of a bridge.
#[derive(Debug)]
pub struct Neighbours {
    hasher: SipHasher13,
    table: AgedTable<Neighbour>,
    /// How many entries each leg taught, as far as there are any.
    taught: Vec<u32>,
    counters: NeighbourCounters,
}

impl Neighbours {
    /// An empty table, hashing with that key.
    pub fn new(hash_key: [u64; 2]) -> Self {
        Self {
            hasher: SipHasher13::new_with_keys(hash_key[0], hash_key[1]),
            table: AgedTable::new(hash_key),
            taught: Vec::new(),
            counters: NeighbourCounters::default(),
        }
    }

    /// Remembers what the frame taught, and counts what becomes of it. At the time of its judgement, with
    /// nothing in between.
    pub fn commit(&mut self, judgement: &Judgement, now: Time) {
        self.counters.suppressed += u64::from(judgement.suppressed);
        self.counters.answered += u64::from(judgement.answer.is_some());
        match judgement.lesson {
            Lesson::Full => self.counters.refused += 1,
            Lesson::New(neighbour) => self.learn(neighbour, now),
            Lesson::Nothing => {}
            Lesson::Update(slot, neighbour) => {
                self.leave(self.table.value(slot).leg);
                self.join(neighbour.leg);
                *self.table.value_mut(slot) = neighbour;
                self.table.refresh(slot, now);
            }
        }
    }

    /// What has been done so far.
    pub fn counters(&self) -> NeighbourCounters {
        self.counters
    }

    /// Who is known now, in the order of VLAN and address.
    pub fn entries(&self, now: Time) -> Vec<NeighbourEntry> {
        let valid = self.table.iter().map(|(_, slot)| slot).filter(|slot| self.valid(*slot, now));
        let entry = |slot| {
            let Neighbour { vid, ip, mac, router, leg } = self.table.value(slot);
            NeighbourEntry { vid, ip, mac, leg, router, idle: now.since(self.table.seen(slot)) }
        };
        let mut entries: Vec<_> = valid.map(entry).collect();
        entries.sort_unstable_by_key(|entry| (entry.vid, entry.ip));
        entries
    }

    /// Forgets every neighbour for which `keep` says no: by the VLAN, and the leg it was heard at.
    pub fn retain(&mut self, mut keep: impl FnMut(u16, LegIndex) -> bool) {
        let Self { table, taught, .. } = self;
        table.retain(|_, neighbour| {
            let keeps = keep(neighbour.vid, neighbour.leg);
            if !keeps && let Some(taught) = taught.get_mut(usize::from(neighbour.leg.0)) {
                *taught -= 1;
            }
            keeps
        });
    }

    /// Removes up to `budget` entries that have expired, and says how many it removed.
    pub fn sweep(&mut self, now: Time, budget: usize) -> usize {
        let mut removed = 0;
        while removed < budget && self.remove_expired(now) {
            removed += 1;
        }
        removed
    }

    /// When the next entry expires.
    pub fn deadline(&self) -> Option<Time> {
        Some(self.table.seen(self.table.oldest()?) + LIFETIME).filter(|deadline| *deadline < Time::NEVER)
    }

    /// Who has that address, if that is known now.
    pub(super) fn find(&self, vid: u16, ip: IpAddr, now: Time) -> Option<Neighbour> {
        let slot = self.table.find(self.hash(vid, ip)).filter(|slot| self.valid(*slot, now))?;
        Some(self.table.value(slot)).filter(|neighbour| (neighbour.vid, neighbour.ip) == (vid, ip))
    }

    /// What it means that this was heard at `leg`.
    pub(super) fn lesson(&self, vid: u16, binding: Binding, leg: LegIndex, now: Time) -> Lesson {
        let Binding { ip, mac, router } = binding;
        let known = self.table.find(self.hash(vid, ip));
        let before = known.map(|slot| self.table.value(slot));
        let of_router = before.filter(|before| before.mac == mac).is_some_and(|before| before.router);
        let neighbour = Neighbour { vid, ip, mac, router: router.unwrap_or(of_router), leg };
        match (known, before) {
            (Some(_), Some(before)) if (before.vid, before.ip) != (vid, ip) => Lesson::Full,
            (Some(slot), _) => Lesson::Update(slot, neighbour),
            (None, _) if self.has_room(leg, now) => Lesson::New(neighbour),
            (None, _) => Lesson::Full,
        }
    }

    fn hash(&self, vid: u16, ip: IpAddr) -> Hashed {
        let mut hasher = self.hasher;
        hasher.write_u16(vid);
        match ip {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        self.table.hash(hasher.finish())
    }

    fn valid(&self, slot: Slot, now: Time) -> bool {
        now.since(self.table.seen(slot)) < LIFETIME
    }

    fn has_room(&self, leg: LegIndex, now: Time) -> bool {
        let taught = self.taught.get(usize::from(leg.0)).copied().unwrap_or(0);
        let left = NEIGHBOURS_MAX.saturating_sub(self.table.len());
        (taught as usize) < left || self.table.oldest().is_some_and(|slot| !self.valid(slot, now))
    }

    fn learn(&mut self, neighbour: Neighbour, now: Time) {
        self.remove_expired(now);
        let hashed = self.hash(neighbour.vid, neighbour.ip);
        self.table.insert(hashed, neighbour, false, now);
        self.join(neighbour.leg);
        self.counters.learned += 1;
    }

    /// Removes one entry that has expired, if there is any.
    fn remove_expired(&mut self, now: Time) -> bool {
        let Some(slot) = self.table.oldest().filter(|slot| !self.valid(*slot, now)) else { return false };
        self.leave(self.table.value(slot).leg);
        self.table.remove(slot);
        true
    }

    fn join(&mut self, leg: LegIndex) {
        let leg = usize::from(leg.0);
        if self.taught.len() <= leg {
            self.taught.resize(leg + 1, 0);
        }
        self.taught[leg] += 1;
    }

    fn leave(&mut self, leg: LegIndex) {
        self.taught[usize::from(leg.0)] -= 1;
    }
}
