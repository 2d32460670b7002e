//! The table of sessions: two tuples lead to one flow.
//!
//! Sessions lie in a slab. An `Index` finds them by either tuple, others by where they come from (P2) and by where
//! their replies come to. Keys are hashed
//! with SipHash-1-3 and a secret key: guests choose the tuples, and must not be able to choose
//! collisions. Those that were of use lately are found without ([`Hints`]). A session that has expired cannot be found (L3), however long it takes until somebody sweeps. Sweeping
//! looks only at what a `Wheel` says may have expired, and refreshing a session writes its expiry and nothing else.
//!
//! There is a limit, and when it is reached the table looks for a victim in eight buckets near the newcomer's (L2): one
//! that has expired, or is not assured, or is closing. Established flows are never evicted: then there is no room.
//! [`Sessions::held_by`] names who fills it.
//!
//! Memory grows by doubling up to the limit, and is not given back. Nothing else is ever allocated.

mod foresee;

use super::index::Index;
use super::judgement::State;
use super::plain::Key;
use super::recipe::{Recipe, Recipes};
use super::track::Track;
use super::tuple::{Direction, Tuple};
use super::wheel::Wheel;
use crate::router::lanes::LaneId;
use crate::table::{Hints, Sip};
use crate::time::Time;

/// How many origins are told apart; those beyond are counted as the last.
pub const ORIGINS_MAX: usize = 1024;
/// How many buckets are looked at for a victim (L2; NF_CT_EVICTION_RANGE).
const EVICTION_RANGE: usize = 8;
/// In [`Session::bound`]: it is not masqueraded. No leg has that number.
const UNBOUND: u16 = u16::MAX;
/// The first growth, in sessions.
const GROWTH_MIN: usize = 16;

/// Where a session lies in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub(super) u32);

/// How much went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets; a large frame (GSO) is one (V14).
    pub packets: u64,
    /// Their bytes, from the IP header on.
    pub bytes: u64,
}

/// A flow.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// What its packets look like as they arrive, by [`Direction`].
    pub tuples: [Tuple; 2],
    /// What is followed of it.
    pub track: Track,
    /// When it began.
    pub since: Time,
    /// When it ends, unless a packet comes before.
    pub expires: Time,
    /// How much went which way.
    pub counts: [Count; 2],
    /// Who opened it: below [`ORIGINS_MAX`].
    pub origin: u16,
    /// Says [`Session::leg`].
    pub bound: u16,
    /// Which way its packets go, by [`Direction`].
    pub lanes: [LaneId; 2],
    /// A reply was seen.
    pub replied: bool,
    /// It survives when there is no room (T5, U1).
    pub assured: bool,
    pub(super) used: bool,
}

impl Session {
    /// Whether its source is translated.
    pub fn has_source_nat(&self) -> bool {
        let [original, reply] = &self.tuples;
        (reply.destination, back(reply)) != (original.source, original.source_port)
    }

    /// The leg whose address it was masqueraded with (N11).
    pub fn leg(&self) -> Option<u16> {
        Some(self.bound).filter(|leg| *leg != UNBOUND)
    }

    /// What [`Session::bound`] is for that leg.
    pub fn bound(leg: Option<u16>) -> u16 {
        leg.unwrap_or(UNBOUND)
    }

    /// What another packet of that direction is to it.
    #[inline]
    pub fn state(&self, direction: Direction) -> State {
        if self.replied || direction == Direction::Reply { State::Established } else { State::New }
    }

    /// Whether its destination is translated.
    pub fn has_destination_nat(&self) -> bool {
        let [original, reply] = &self.tuples;
        let port = if original.is_icmp() { original.destination_port } else { reply.source_port };
        (reply.source, port) != (original.destination, original.destination_port)
    }
}

/// The port, or identifier, that a reply returns to.
fn back(reply: &Tuple) -> u16 {
    if reply.is_icmp() { reply.source_port } else { reply.destination_port }
}

/// The table.
#[derive(Debug)]
pub struct Sessions {
    sip: Sip,
    max: usize,
    slots: Vec<Session>,
    /// How many of the slots hold none.
    free: usize,
    /// Node `2 * slot + direction`.
    flows: Index,
    /// Nodes of `flows`.
    hints: Hints,
    /// The tuple that was last looked for in vain, and its hash: if the packet opens a session, that is asked for again and again.
    missed: Option<(Tuple, u64)>,
    sources: Index,
    mappings: Index,
    wheel: Wheel,
    recipes: Recipes,
    origins: Box<[u32; ORIGINS_MAX]>,
}

impl Sessions {
    /// An empty table of at most `max` sessions, hashing with that key.
    pub fn new(max: usize, hash_key: [u64; 2]) -> Self {
        Self {
            sip: Sip::new(hash_key),
            max: max.min(u32::MAX as usize / 4),
            slots: Vec::new(),
            free: 0,
            flows: Index::default(),
            hints: Hints::default(),
            missed: None,
            sources: Index::default(),
            mappings: Index::default(),
            wheel: Wheel::default(),
            recipes: Recipes::default(),
            origins: Box::new([0; ORIGINS_MAX]),
        }
    }

    /// How many there are, including those that have expired and were not swept.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room for another one.
    pub fn is_full(&self) -> bool {
        self.len() >= self.max
    }

    /// There may be that many from now on. Those that are too many stay until they end.
    pub fn set_max(&mut self, max: usize) {
        self.max = max.min(u32::MAX as usize / 4);
    }

    /// How many there may be.
    pub fn max(&self) -> usize {
        self.max
    }

    /// How much memory the table takes, in bytes.
    pub fn memory(&self) -> usize {
        let indexes = self.flows.memory() + self.sources.memory() + self.mappings.memory();
        let slots = self.slots.capacity() * size_of::<Session>();
        slots + indexes + self.wheel.memory() + self.recipes.memory() + size_of_val(&*self.origins)
    }

    /// How many of them that origin has opened.
    pub fn held_by(&self, origin: u16) -> u32 {
        self.origins[usize::from(origin).min(ORIGINS_MAX - 1)]
    }

    /// The hash of a tuple.
    #[inline]
    pub fn hash(&self, tuple: &Tuple) -> u64 {
        match &self.missed {
            Some((missed, hash)) if missed == tuple => *hash,
            _ => tuple.hash(&self.sip),
        }
    }

    /// The session there.
    #[inline]
    pub fn session(&self, slot: Slot) -> &Session {
        &self.slots[slot.0 as usize]
    }

    /// The session there, to be changed; not its tuples, nor who opened it.
    #[inline]
    pub fn session_mut(&mut self, slot: Slot) -> &mut Session {
        &mut self.slots[slot.0 as usize]
    }

    /// The session that a packet with that tuple is of, and which way it goes.
    #[inline]
    pub fn find(&self, tuple: &Tuple, now: Time) -> Option<(Slot, Direction)> {
        self.seek(tuple, now).ok()
    }

    /// The same, and who asks next is told by a hint; if there is none, the packet is likely to open a session.
    #[inline]
    pub fn look(&mut self, tuple: &Tuple, now: Time) -> Option<(Slot, Direction)> {
        let mixed = tuple.mixed();
        if let Some(node) = self.hints.get(mixed).filter(|node| self.is_of(*node, tuple, now)) {
            return Some(place(node));
        }
        let hash = self.hash(tuple);
        let Some(node) = self.flows.chain(hash).find(|node| self.is_of(*node, tuple, now)) else {
            self.missed = Some((*tuple, hash));
            return None;
        };
        self.hints.note(mixed, node);
        Some(place(node))
    }

    /// The same, or the hash of the tuple, which was needed to find nothing.
    #[inline]
    pub fn seek(&self, tuple: &Tuple, now: Time) -> Result<(Slot, Direction), u64> {
        if let Some(node) = self.hints.get(tuple.mixed()).filter(|node| self.is_of(*node, tuple, now)) {
            return Ok(place(node));
        }
        let hash = self.hash(tuple);
        self.flows.chain(hash).find(|node| self.is_of(*node, tuple, now)).map(place).ok_or(hash)
    }

    /// Whether a packet with that tuple is of the session and direction of that node.
    #[inline]
    fn is_of(&self, node: u32, tuple: &Tuple, now: Time) -> bool {
        let (slot, direction) = place(node);
        let session = self.slots.get(slot.0 as usize);
        session.is_some_and(|session| {
            session.used && session.tuples[direction as usize] == *tuple && session.expires > now
        })
    }

    /// The next packet with that tuple, too, is likely to be of that session and direction.
    #[inline]
    pub fn expect(&mut self, tuple: &Tuple, slot: Slot, direction: Direction) {
        self.hints.note(tuple.mixed(), node(slot, direction));
    }

    /// What is to become of packets with that key, if that is known.
    #[inline]
    pub fn recipe(&self, key: &Key) -> Option<&Recipe> {
        self.recipes.get(key)
    }

    /// A packet had that key, and no recipe: whether one is to be kept.
    #[inline]
    pub fn wants_recipe(&mut self, key: &Key) -> bool {
        self.recipes.wants(key)
    }

    /// Keeps a recipe for as long as its session lives, and nobody else needs the place.
    pub fn keep_recipe(&mut self, recipe: Recipe) {
        self.recipes.keep(recipe);
    }

    /// The sessions that come from the same place, the latest first (P2).
    pub fn from_source<'a>(&'a self, tuple: &'a Tuple, now: Time) -> impl Iterator<Item = &'a Session> {
        let nodes = self.sources.chain(tuple.source().hash(&self.sip));
        let sessions = nodes.map(|node| self.session(Slot(node)));
        sessions.filter(move |session| session.tuples[0].source() == tuple.source() && session.expires > now)
    }

    /// The sessions whose replies come to the place where a packet with that tuple goes, the latest first.
    pub fn mapped_to<'a>(&'a self, tuple: &Tuple, now: Time) -> impl Iterator<Item = &'a Session> + use<'a> {
        let to = tuple.destination();
        let nodes = self.mappings.chain(to.hash(&self.sip));
        let sessions = nodes.map(|node| self.session(Slot(node)));
        sessions.filter(move |session| session.tuples[1].destination() == to && session.expires > now)
    }

    /// Who may go to make room for a flow with that tuple (L2).
    pub fn victim(&self, tuple: &Tuple, now: Time) -> Option<Slot> {
        let hash = self.hash(tuple);
        let near = || {
            let nodes = (0..EVICTION_RANGE).flat_map(|nth| self.flows.near(hash, nth));
            nodes.map(|node| place(node).0)
        };
        let may_go = |session: &Session| !session.assured || session.track.is_closing();
        // one that is over and was not swept yet harms nobody
        let over = near().find(|slot| self.session(*slot).expires <= now);
        over.or_else(|| near().find(|slot| may_go(self.session(*slot))))
    }

    /// Adds a session whose tuples are no other's; `hash` is that of the second, if it is known. There must be room.
    pub fn insert(&mut self, session: Session, hash: Option<u64>) -> Slot {
        debug_assert!(!self.is_full(), "somebody has to go first");
        if self.free == 0 && self.slots.len() == self.slots.capacity() {
            self.grow();
        }
        let origin = session.origin.min(ORIGINS_MAX as u16 - 1);
        let session = Session { used: true, origin, ..session };
        let slot = match self.sources.revive() {
            Some(slot) => {
                self.free -= 1;
                self.slots[slot as usize] = session;
                slot
            }
            None => {
                self.slots.push(session);
                self.slots.len() as u32 - 1
            }
        };
        let [original, reply] = &session.tuples;
        let hashes = [self.hash(original), hash.unwrap_or_else(|| self.hash(reply))];
        self.flows.insert(2 * slot, hashes[0]);
        self.flows.insert(2 * slot + 1, hashes[1]);
        self.sources.insert(slot, original.source().hash(&self.sip));
        self.mappings.insert(slot, reply.destination().hash(&self.sip));
        self.wheel.add(slot, session.expires);
        self.origins[usize::from(origin)] += 1;
        // its next packet is not far
        self.expect(original, Slot(slot), Direction::Original);
        self.expect(reply, Slot(slot), Direction::Reply);
        Slot(slot)
    }

    /// The session there ends at that time.
    #[inline]
    pub fn expire_at(&mut self, slot: Slot, expires: Time) {
        self.slots[slot.0 as usize].expires = expires;
        self.wheel.shorten(slot.0, expires);
    }

    /// Ends the session there. Once: no harm is done if it has gone before.
    pub fn remove(&mut self, slot: Slot) {
        let session = &mut self.slots[slot.0 as usize];
        if !std::mem::replace(&mut session.used, false) {
            return;
        }
        self.origins[usize::from(session.origin)] -= 1;
        self.flows.remove(2 * slot.0);
        self.flows.remove(2 * slot.0 + 1);
        self.sources.remove(slot.0);
        self.mappings.remove(slot.0);
        self.wheel.remove(slot.0);
        self.recipes.forget(slot, &self.slots[slot.0 as usize].tuples);
        self.sources.retire(slot.0);
        self.free += 1;
    }

    /// Gives back the memory of sessions that have expired, looking at no more than `limit`. How many they were.
    pub fn sweep(&mut self, now: Time, limit: usize) -> usize {
        let mut ended = 0;
        for _ in 0..limit {
            let Some(slot) = self.wheel.pop(now) else { break };
            let expires = self.slots[slot as usize].expires;
            if expires <= now {
                self.remove(Slot(slot));
                ended += 1;
            } else {
                self.wheel.add(slot, expires);
            }
        }
        ended
    }

    /// When sweeping may next find something.
    pub fn deadline(&self) -> Option<Time> {
        self.wheel.deadline()
    }

    /// Every session that has not expired, in slab order.
    pub fn iter(&self, now: Time) -> impl Iterator<Item = (Slot, &Session)> {
        let used = self.slots.iter().enumerate().filter(move |(_, s)| s.used && s.expires > now);
        used.map(|(slot, session)| (Slot(slot as u32), session))
    }

    /// How many places there are; [`Sessions::at`] has what is in one.
    pub fn places(&self) -> usize {
        self.slots.len()
    }

    /// The session in that place, unless it has expired. A session stays where it is for as long as it lives: who looks at the
    /// places in their order, at some now and at others later, misses none that was there all the time, and sees none twice.
    pub fn at(&self, place: usize, now: Time) -> Option<&Session> {
        self.slots.get(place).filter(|session| session.used && session.expires > now)
    }

    /// Ends every session for which `keep` says no. Looks at all of them: for rare events.
    pub fn retain(&mut self, mut keep: impl FnMut(&Session) -> bool) -> usize {
        let before = self.len();
        for slot in 0..self.slots.len() {
            if self.slots[slot].used && !keep(&self.slots[slot]) {
                self.remove(Slot(slot as u32));
            }
        }
        before - self.len()
    }

    /// Doubles, up to the limit.
    fn grow(&mut self) {
        let capacity = (2 * self.slots.len()).max(GROWTH_MIN).min(self.max).max(self.slots.len() + 1);
        self.slots.reserve_exact(capacity - self.slots.len());
        self.flows.grow(2 * capacity);
        self.sources.grow(capacity);
        self.mappings.grow(capacity);
        self.wheel.grow(capacity);
        self.recipes.grow(capacity);
    }
}

fn node(slot: Slot, direction: Direction) -> u32 {
    2 * slot.0 + direction as u32
}

fn place(node: u32) -> (Slot, Direction) {
    let direction = if node & 1 == 0 { Direction::Original } else { Direction::Reply };
    (Slot(node >> 1), direction)
}
