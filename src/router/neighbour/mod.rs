//! The neighbours of a router: who is at which hardware address, by ARP or by neighbour discovery.
//!
//! One table for both families, with the states of RFC 4861 §7.3 and the kernel's times (net/core/neighbour.c):
//!
//! ```text
//!              ask 3 times, 1 s apart               30 s             used
//! (nothing) ──► INCOMPLETE ──answer──► REACHABLE ──────► STALE ──────────► DELAY
//!                   │                      ▲ ▲             ▲                 │ 5 s
//!                   ▼                      │ └──answer─────│──────────── PROBE
//!                 FAILED                   └── (used within 5 s: DELAY)      │ ask it 3 times, 1 s apart
//!                   ▲────────────────────────────────────────────────────────┘
//! ```
//!
//! Packets for a neighbour that is not known wait ([`parked`]); when it fails, their senders are told that the host is
//! unreachable, and the next packet begins anew. The kernel spreads the 30 seconds at random between 15 and 45; here they
//! are 30.
//!
//! The table is bounded. A full one forgets, in this order, who failed, who is stale, who has not answered, and who was not
//! used for five seconds, each time the one that was used least recently. So a guest that scans a network pushes out its
//! own scans.
//! Each entry has one time at which something is due. The next of all is found by looking at all of them when one was
//! due: the table is small, and so is the work.
//!
//! [`hear`] reads what neighbours say, [`ask`] makes what is said to them.

pub mod ask;
pub mod hear;
mod held;
mod list;
pub mod parked;

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

pub use self::held::Held;
pub use self::list::Neighbour;

use self::hear::{Claim, Heard, How};
use self::parked::{Parked, Pool, Queue};
use super::rewrite::Rewrite;
use crate::frame::LegIndex;
use crate::table::{Hints, Mixed};
use crate::time::Time;
use crate::wire::datagram;
use crate::wire::mac::Mac;

/// How many neighbours a router may know: the kernel's `gc_thresh3`.
pub const NEIGHBOURS_MAX: usize = 1024;
/// How long an answer counts.
pub const REACHABLE: Duration = Duration::from_secs(30);
/// How long a stale neighbour in use is left alone (`delay_first_probe_time`).
pub const DELAY: Duration = Duration::from_secs(5);
/// Between two questions (`retrans_time`).
pub const RETRANSMIT: Duration = Duration::from_secs(1);
/// How often is asked (`mcast_solicit`, `ucast_solicit`).
pub const QUESTIONS: u8 = 3;
/// For how long one that is used is safe in a full table.
const SETTLED: Duration = Duration::from_secs(5);
/// For how long ARP does not believe another answer (`locktime`).
const LOCK: Duration = Duration::from_secs(1);

/// What is known of a neighbour. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In use, and to be asked soon.
    Delay,
    /// It did not answer.
    Failed,
    /// Asked for.
    Incomplete,
    /// In use, and asked.
    Probe,
    /// It has answered a short while ago.
    Reachable,
    /// It may still be there.
    Stale,
}

impl State {
    /// The name that `ip neighbour` has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay => "DELAY",
            Self::Failed => "FAILED",
            Self::Incomplete => "INCOMPLETE",
            Self::Probe => "PROBE",
            Self::Reachable => "REACHABLE",
            Self::Stale => "STALE",
        }
    }

    const fn knows_mac(self) -> bool {
        !matches!(self, Self::Failed | Self::Incomplete)
    }
}

/// A place in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(u32);

/// What is due for a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is to be asked: everybody, or itself.
    Ask(LegIndex, IpAddr, Option<Mac>),
    /// It has failed: what waits for it waits in vain.
    Failed,
}

/// The table is full of neighbours in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Clone, Copy, Debug)]
struct Entry {
    leg: LegIndex,
    address: IpAddr,
    mac: Mac,
    state: State,
    used: Time,
    updated: Time,
    due: Time,
    asked: u8,
    queue: Queue,
}

/// The table; see the module's documentation.
#[derive(Debug)]
pub struct Neighbours {
    hasher: SipHasher13,
    index: HashTable<u32>,
    hints: Hints,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    pool: Pool,
    /// No entry is due before.
    next: Time,
    /// How many neighbours were forgotten so far.
    removals: u64,
}

impl Neighbours {
    /// An empty table, hashing with that key.
    pub fn new(hash_key: [u64; 2]) -> Self {
        Self {
            hasher: SipHasher13::new_with_keys(hash_key[0], hash_key[1]),
            index: HashTable::new(),
            hints: Hints::default(),
            entries: Vec::new(),
            free: Vec::new(),
            pool: Pool::default(),
            next: Time::NEVER,
            removals: 0,
        }
    }

    /// Where the neighbour is, if that is known.
    #[inline]
    pub fn resolve(&self, leg: LegIndex, address: IpAddr, now: Time) -> Option<(Mac, Slot)> {
        self.find(leg, address).and_then(|slot| self.known(slot, now))
    }

    #[inline]
    fn known(&self, slot: Slot, now: Time) -> Option<(Mac, Slot)> {
        let entry = self.entry(slot)?;
        let given_up = entry.state == State::Probe && entry.asked >= QUESTIONS && now >= entry.due;
        (entry.state.knows_mac() && !given_up).then_some((entry.mac, slot))
    }

    /// Whether a packet for a neighbour that is not known could wait.
    pub fn has_room(&self, leg: LegIndex, address: IpAddr) -> bool {
        match self.find(leg, address).and_then(|slot| self.entry(slot)) {
            Some(entry) => self.pool.has_room(&entry.queue),
            None => self.pool.has_room(&Queue::EMPTY),
        }
    }

    /// Whether another neighbour would find a place.
    pub fn has_place(&self, leg: LegIndex, address: IpAddr, now: Time) -> bool {
        self.index.len() < NEIGHBOURS_MAX || self.find(leg, address).is_some() || self.victim(now).is_some()
    }

    /// A packet goes there: a stale neighbour is to be asked soon.
    #[inline]
    pub fn used(&mut self, slot: Slot, now: Time) {
        if let Some(entry) = self.entry(slot) {
            self.hints.note(mixed(entry.leg, entry.address), slot.0);
        }
        self.used_again(slot, now);
    }

    /// A packet waits for the neighbour, which is not known. Says whether it is to be asked for now; `None` if there is no
    /// room.
    pub fn park(
        &mut self,
        (leg, address): (LegIndex, IpAddr),
        packet: &[u8],
        rewrite: Rewrite,
        from: Option<LegIndex>,
        now: Time,
    ) -> Option<bool> {
        let slot = match self.find(leg, address) {
            Some(slot) => slot,
            None => self.insert(leg, address, State::Failed, now)?,
        };
        let Self { entries, pool, .. } = self;
        let entry = entries[slot.0 as usize].as_mut()?;
        if !pool.push(&mut entry.queue, packet, rewrite, from) {
            return None;
        }
        entry.used = now;
        let ask = entry.state != State::Incomplete;
        if ask {
            (entry.state, entry.asked, entry.due) = (State::Incomplete, 1, now + RETRANSMIT);
            self.next = self.next.min(entry.due);
        }
        Some(ask)
    }

    /// Takes note of news; returns the neighbour if packets that waited for it can go now.
    pub fn hear(&mut self, heard: &Heard, now: Time) -> Option<Slot> {
        let known = self.find(heard.leg, heard.address);
        let slot = match (known, heard.how) {
            (Some(slot), _) => slot,
            (None, How::Asked) => self.insert(heard.leg, heard.address, State::Failed, now)?,
            (None, _) => return None,
        };
        let entry = self.entries[slot.0 as usize].as_mut()?;
        settle(entry, now);
        update(entry, heard, now);
        self.next = self.next.min(entry.due);
        (entry.state.knows_mac() && entry.queue.len > 0).then_some(slot)
    }

    /// The leg and the hardware address of a neighbour that is known.
    pub fn at(&self, slot: Slot) -> Option<(LegIndex, Mac)> {
        self.entry(slot).filter(|entry| entry.state.knows_mac()).map(|entry| (entry.leg, entry.mac))
    }

    /// How many packets wait there.
    pub fn waiting(&self, slot: Slot) -> usize {
        self.entry(slot).map_or(0, |entry| entry.queue.len)
    }

    /// Takes out the next packet that waits there.
    pub fn unpark(&mut self, slot: Slot) -> Option<(u32, Parked)> {
        let entry = self.entries.get_mut(slot.0 as usize)?.as_mut()?;
        self.pool.pop(&mut entry.queue)
    }

    /// Its buffer can be lent again.
    pub fn give_back(&mut self, (place, parked): (u32, Parked)) {
        self.pool.give_back(place, parked);
    }

    /// When [`Neighbours::expire`] has something to do at the earliest.
    pub fn deadline(&self) -> Time {
        self.next
    }

    /// Every place; for a sweep.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..self.entries.len() as u32).map(Slot)
    }

    /// What is due there; changes the state.
    pub fn expire(&mut self, slot: Slot, now: Time) -> Option<Due> {
        let entry = self.entries[slot.0 as usize].as_mut()?;
        settle(entry, now);
        if entry.due > now {
            return None;
        }
        let (leg, address, mac) = (entry.leg, entry.address, entry.mac);
        match entry.state {
            State::Delay => {
                (entry.state, entry.asked, entry.due) = (State::Probe, 1, now + RETRANSMIT);
                Some(Due::Ask(leg, address, Some(mac)))
            }
            State::Incomplete | State::Probe if entry.asked < QUESTIONS => {
                entry.asked += 1;
                entry.due = now + RETRANSMIT;
                Some(Due::Ask(leg, address, (entry.state == State::Probe).then_some(mac)))
            }
            _ => {
                (entry.state, entry.due) = (State::Failed, Time::NEVER);
                Some(Due::Failed)
            }
        }
    }

    /// After a sweep: finds out when the next is due.
    pub fn rest(&mut self) {
        self.next = self.entries.iter().flatten().map(|entry| entry.due).min().unwrap_or(Time::NEVER);
    }

    /// Forgets whoever is behind that leg.
    pub fn forget(&mut self, leg: LegIndex) {
        for slot in 0..self.entries.len() as u32 {
            if self.entry(Slot(slot)).is_some_and(|entry| entry.leg == leg) {
                self.remove(Slot(slot));
            }
        }
    }

    /// Forgets somebody behind that leg with such a hardware address, and says who that was.
    pub fn forget_one(&mut self, leg: LegIndex, gone: impl Fn(Mac) -> bool) -> Option<IpAddr> {
        let is_meant = |entry: &&Entry| entry.leg == leg && entry.state.knows_mac() && gone(entry.mac);
        let address = self.entries.iter().flatten().find(is_meant)?.address;
        let slot = self.find(leg, address)?;
        self.remove(slot);
        Some(address)
    }

    /// Everybody known, in the order of legs and addresses.
    pub fn list(&self, now: Time) -> Vec<Neighbour> {
        let mut list: Vec<_> = self
            .entries
            .iter()
            .flatten()
            .map(|entry| {
                let mut entry = *entry;
                settle(&mut entry, now);
                let Entry { leg, address, mac, state, .. } = entry;
                Neighbour { leg, address, mac: state.knows_mac().then_some(mac), state }
            })
            .collect();
        list.sort_unstable_by_key(|neighbour| (neighbour.leg, neighbour.address));
        list
    }

    /// Packets that waited and were thrown away: pushed out by newer ones, or with their neighbour.
    pub fn discarded(&self) -> u64 {
        self.pool.discarded
    }

    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot.0 as usize)?.as_ref()
    }

    #[inline]
    fn find(&self, leg: LegIndex, address: IpAddr) -> Option<Slot> {
        let same = |slot: &u32| {
            let entry = self.entries.get(*slot as usize).and_then(Option::as_ref);
            entry.is_some_and(|entry| entry.leg == leg && entry.address == address)
        };
        if let Some(slot) = self.hints.get(mixed(leg, address)).filter(same) {
            return Some(Slot(slot));
        }
        self.index.find(hash(&self.hasher, leg, address), same).map(|slot| Slot(*slot))
    }

    fn insert(&mut self, leg: LegIndex, address: IpAddr, state: State, now: Time) -> Option<Slot> {
        if self.index.len() >= NEIGHBOURS_MAX {
            let victim = self.victim(now)?;
            self.remove(victim);
        }
        let (due, queue) = (Time::NEVER, Queue::EMPTY);
        let entry = Entry {
            leg,
            address,
            mac: Mac::ZERO,
            state,
            used: now,
            updated: Time::ZERO,
            due,
            asked: 0,
            queue,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = Some(entry);
                slot
            }
            None => {
                self.entries.push(Some(entry));
                (self.entries.len() - 1) as u32
            }
        };
        let Self { hasher, index, entries, .. } = self;
        let rehash =
            |slot: &u32| entries[*slot as usize].as_ref().map_or(0, |e| hash(hasher, e.leg, e.address));
        index.insert_unique(hash(hasher, leg, address), slot, rehash);
        Some(Slot(slot))
    }

    fn remove(&mut self, slot: Slot) {
        let Some(mut entry) = self.entries[slot.0 as usize].take() else { return };
        self.removals += 1;
        self.pool.discard(&mut entry.queue);
        let hash = hash(&self.hasher, entry.leg, entry.address);
        if let Ok(found) = self.index.find_entry(hash, |found| *found == slot.0) {
            found.remove();
        }
        self.free.push(slot.0);
    }

    /// Who is forgotten when somebody else needs the place.
    fn victim(&self, now: Time) -> Option<Slot> {
        let rank = |entry: &Entry| match entry.state {
            State::Failed => Some(0),
            State::Stale => Some(1),
            State::Incomplete => Some(2),
            State::Delay | State::Probe | State::Reachable => (now > entry.used + SETTLED).then_some(3),
        };
        let all = self.entries.iter().enumerate();
        let ranked = all.filter_map(|(slot, entry)| {
            let entry = entry.as_ref()?;
            Some((rank(entry)?, entry.used, Slot(slot as u32)))
        });
        ranked.min_by_key(|(rank, used, _)| (*rank, *used)).map(|(_, _, slot)| slot)
    }
}

/// What time alone does: a neighbour whose answer is too old is stale, or if it is in use, to be asked.
fn settle(entry: &mut Entry, now: Time) {
    if entry.state != State::Reachable || entry.due > now {
        return;
    }
    let end = entry.due;
    (entry.state, entry.due) = match end <= entry.used + DELAY {
        true => (State::Delay, end + DELAY),
        false => (State::Stale, Time::NEVER),
    };
}

/// The rules of `neigh_update`.
fn update(entry: &mut Entry, heard: &Heard, now: Time) {
    let (confirms, claim) = match heard.how {
        How::Answered(claim) => (true, claim),
        How::Asked => (false, Claim::Override),
        How::Told(claim) => (false, claim),
    };
    let knew = entry.state.knows_mac();
    let Some(mac) = heard.mac.or(knew.then_some(entry.mac)) else { return };
    let mut state = if confirms { State::Reachable } else { State::Stale };
    let moved = knew && mac != entry.mac;
    if moved {
        match claim {
            Claim::Override => {}
            Claim::Late if now > entry.updated + LOCK => {}
            // nobody can tell which of the two is right: ask
            Claim::Weak if entry.state == State::Reachable => {
                (entry.state, entry.due) = (State::Stale, Time::NEVER);
                return;
            }
            Claim::Late | Claim::Weak => return,
        }
    } else if knew && state == State::Stale {
        state = entry.state;
    }
    if moved || !knew {
        (entry.mac, entry.updated) = (mac, now);
    }
    if confirms {
        entry.due = now + REACHABLE;
    } else if state != entry.state {
        entry.due = Time::NEVER;
    }
    entry.state = state;
}

#[inline]
fn mixed(leg: LegIndex, address: IpAddr) -> Mixed {
    match address {
        IpAddr::V4(address) => Mixed::of(u64::from(leg.0) << 32 | u64::from(address.to_bits()), 0),
        IpAddr::V6(address) => {
            let number = address.to_bits();
            Mixed::of(number as u64, (number >> 64) as u64).and(u64::from(leg.0), 1)
        }
    }
}

fn hash(hasher: &SipHasher13, leg: LegIndex, address: IpAddr) -> u64 {
    let mut bytes = [0; 18];
    bytes[..16].copy_from_slice(&datagram::octets(address));
    bytes[16..].copy_from_slice(&leg.0.to_ne_bytes());
    hasher.hash(&bytes)
}

#[cfg(test)]
mod tests;
