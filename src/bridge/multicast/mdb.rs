//! The table of groups: who wants which, found by (VLAN id, group) with one keyed hash.
//!
//! An entry holds the host's wish and a list of [`Member`]s in the order of their legs. The kernel keeps an entry for
//! each source of a group beside the one for all sources, and copies every port from one to the other that wants all;
//! here the sources stay with their member, and whether it wants a frame is answered when the frame comes
//! ([`Member::wants`]). The answers are the same and nothing can get out of step.
//!
//! What guests can make it hold is bounded: `hash_max` groups (B76), [`RECORDS_MAX`] members and sources together and
//! [`LEG_RECORDS_MAX`] of them behind one leg, at about 80 and 48 bytes each: some 20 MiB if somebody tries hard. What
//! is refused is counted.

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::config::Group;
use super::member::Member;
use super::queue::Queue;
use crate::frame::LegIndex;
use crate::time::Time;

/// The most members and sources of members.
pub(super) const RECORDS_MAX: u32 = 1 << 18;
/// The most of them behind one leg, so that one guest cannot take them all.
pub(super) const LEG_RECORDS_MAX: u32 = RECORDS_MAX / 4;

/// Names an entry until that is removed.
pub(super) type EntryId = u32;

/// The host's wish for a group.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HostWish {
    pub(super) joined: bool,
    /// Set by the user: does not end.
    pub(super) permanent: bool,
    pub(super) timer: Option<Time>,
}

impl HostWish {
    pub(super) fn holds(&self, now: Time) -> bool {
        self.joined && (self.permanent || super::pending(self.timer, now))
    }
}

/// A group, and who wants it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) vid: u16,
    pub(super) group: Group,
    pub(super) host: HostWish,
    /// In the order of legs.
    pub(super) members: Vec<Member>,
}

impl Entry {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && !self.host.joined
    }

    /// When something ends here; [`Time::NEVER`] if nothing does.
    fn due(&self) -> Time {
        let host =
            self.host.timer.filter(|_| self.host.joined && !self.host.permanent).unwrap_or(Time::NEVER);
        self.members.iter().map(Member::due).fold(host, Time::min)
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct Mdb {
    hasher: SipHasher13,
    index: HashTable<EntryId>,
    entries: Vec<Option<Entry>>,
    free: Vec<EntryId>,
    queue: Queue,
}

impl Mdb {
    pub(super) fn new(hash_key: [u64; 2]) -> Self {
        Self {
            hasher: SipHasher13::new_with_keys(hash_key[0], hash_key[1]),
            index: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
            queue: Queue::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    #[inline]
    pub(super) fn find(&self, vid: u16, group: Group) -> Option<EntryId> {
        let same = |id: &EntryId| self.get(*id).is_some_and(|entry| entry.vid == vid && entry.group == group);
        self.index.find(hash(&self.hasher, vid, group), same).copied()
    }

    #[inline]
    pub(super) fn get(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(id as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        self.entries.get_mut(id as usize)?.as_mut()
    }

    /// Adds an empty entry for a group that has none.
    pub(super) fn insert(&mut self, vid: u16, group: Group) -> EntryId {
        let entry = Entry { vid, group, host: HostWish::default(), members: Vec::new() };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = Some(entry);
                id
            }
            None => {
                self.entries.push(Some(entry));
                (self.entries.len() - 1) as EntryId
            }
        };
        let Self { hasher, index, entries, .. } = self;
        let rehash = |id: &EntryId| {
            entries[*id as usize].as_ref().map_or(0, |entry| hash(hasher, entry.vid, entry.group))
        };
        index.insert_unique(hash(hasher, vid, group), id, rehash);
        id
    }

    /// After a change: removes the entry if nobody is left in it, and notes when to look at it again.
    pub(super) fn tidy(&mut self, id: EntryId) {
        let Some(entry) = self.get(id) else { return };
        let (due, empty) = (entry.due(), entry.is_empty());
        if empty {
            let hash = hash(&self.hasher, entry.vid, entry.group);
            if let Ok(found) = self.index.find_entry(hash, |other| *other == id) {
                found.remove();
            }
            self.entries[id as usize] = None;
            self.free.push(id);
        }
        self.queue.set(id, if empty { Time::NEVER } else { due });
    }

    /// The entry at which something ends first, and when.
    pub(super) fn first_due(&self) -> Option<(Time, EntryId)> {
        self.queue.first()
    }

    /// Every entry, in the order of the slab.
    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> + use<> {
        0..self.entries.len() as EntryId
    }
}

fn hash(hasher: &SipHasher13, vid: u16, group: Group) -> u64 {
    let mut key = [0; 19];
    key[..2].copy_from_slice(&vid.to_ne_bytes());
    match group {
        Group::Ip(std::net::IpAddr::V4(address)) => key[3..7].copy_from_slice(&address.octets()),
        Group::Ip(std::net::IpAddr::V6(address)) => {
            key[2] = 1;
            key[3..].copy_from_slice(&address.octets());
        }
        Group::Mac(mac) => {
            key[2] = 2;
            key[3..9].copy_from_slice(&mac.0);
        }
    }
    hasher.hash(&key)
}

/// How many members and sources there are, and how many more there may be.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By leg: how many it has, and how many it may have (zero: no limit of its own).
    legs: Vec<(u32, u32)>,
    total: u32,
    refused: u64,
}

impl Ledger {
    pub(super) fn limit(&mut self, leg: LegIndex, max: u32) {
        let index = usize::from(leg.0);
        if index >= self.legs.len() {
            self.legs.resize(index + 1, (0, 0));
        }
        self.legs[index].1 = max;
    }

    /// How many more the leg may have.
    pub(super) fn room(&self, leg: LegIndex) -> u32 {
        let (used, max) = self.legs.get(usize::from(leg.0)).copied().unwrap_or_default();
        let own = if max == 0 { LEG_RECORDS_MAX } else { max.min(LEG_RECORDS_MAX) };
        own.saturating_sub(used).min(RECORDS_MAX.saturating_sub(self.total))
    }

    /// Takes one of them, or counts that there was none.
    pub(super) fn take(&mut self, leg: LegIndex) -> bool {
        let granted = self.room(leg) > 0;
        if granted {
            self.legs[usize::from(leg.0)].0 += 1;
            self.total += 1;
        } else {
            self.refused += 1;
        }
        granted
    }

    /// Gives one back.
    pub(super) fn give(&mut self, leg: LegIndex) {
        if let Some((used, _)) = self.legs.get_mut(usize::from(leg.0)) {
            *used = used.saturating_sub(1);
        }
        self.total = self.total.saturating_sub(1);
    }

    pub(super) fn refuse(&mut self) {
        self.refused += 1;
    }

    pub(super) fn total(&self) -> u32 {
        self.total
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}
