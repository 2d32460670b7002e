//! Putting datagrams together from their pieces, in any order (N50, N51; net/ipv4/ip_fragment.c, RFC 5722).
//!
//! Pieces are copied into blocks of [`BLOCK`] bytes, which hang on their datagram in order of place. Blocks are made when
//! first needed and lent again ever after; the limits are the kernel's, in the kernel's own currency of memory: 4 MiB for IPv4
//! and 256 KiB for IPv6. A piece that would exceed them makes room: datagrams that were begun first go until three
//! quarters are in use. So whoever sends halves of datagrams only pushes out the halves of others, for as long as it
//! sends.
//!
//! A datagram that is not complete within 30 s (IPv4) or 60 s (IPv6) of its first piece is lost. So is one of whose
//! pieces two overlap, because no sound sender makes such and firewalls were fooled with them; a piece that is all there
//! already is a copy, and does no harm. And of IPv4, where the identification has 16 bits only, pieces between which
//! [`DISTANCE_MAX`] others came from the same source are not of one datagram: what there was is lost, and the new piece
//! begins another. Sources are counted in buckets, chosen by a keyed hash.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::ecn::Marks;
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::datagram::{self, Datagram, FRAGMENT_LEN, IPV6_LEN, seal};

/// Bytes of a block.
const BLOCK: usize = 2048;
/// How many blocks are in use at most, by family: 4 MiB and 256 KiB.
const HIGH: [usize; 2] = [2048, 128];
/// To how many their use is brought when there would be more.
const LOW: [usize; 2] = [1536, 96];
/// How long the pieces of a datagram are waited for, by family.
const LIFETIME: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(60)];
/// How many other pieces of its source may come between two of a datagram (`ipfrag_max_dist`).
const DISTANCE_MAX: u32 = 64;
/// Buckets that sources are counted in.
const SOURCES: usize = 1024;
/// Bytes of the longest headers before the pieces.
const HEAD_MAX: usize = 128;
/// Bytes of the longest datagram, behind its fixed header for IPv6.
const LEN_MAX: usize = 65535;

const NIL: u32 = u32::MAX;

/// A datagram is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// Bytes of the largest piece it came in, headers included.
    pub largest: u16,
    /// What named it.
    pub id: u32,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was the last one missing; the datagram has been written.
    Complete(Gathered),
    /// It waits for the others.
    Kept,
    /// It is lost, and maybe what there was of its datagram.
    Lost(Loss),
}

/// Why a piece is lost. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// There was no room, and none could be made.
    Full,
    /// It cannot be a piece of what the others are pieces of.
    Malformed,
    /// It overlaps another one.
    Overlap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    protocol: u8,
}

impl Key {
    fn of(piece: &Datagram) -> Self {
        // the pieces of IPv6 are named by 32 bits, without a protocol (RFC 8200 §4.5)
        let protocol = if piece.is_ipv6() { 0 } else { piece.protocol };
        let id = piece.fragment.map_or(0, |fragment| fragment.id);
        Self { source: piece.source, destination: piece.destination, id, protocol }
    }
}

#[derive(Debug)]
struct Queue {
    key: Key,
    leg: LegIndex,
    begun: Time,
    first: u32,
    last: u32,
    /// Bytes there are.
    got: usize,
    /// Where the farthest piece ends.
    end: usize,
    /// Whether it is the last one.
    complete: bool,
    head: [u8; HEAD_MAX],
    head_len: usize,
    announced: usize,
    largest: usize,
    largest_df: usize,
    marks: Marks,
    /// What its source had sent when the last piece came.
    seen: u32,
}

#[derive(Debug)]
struct Block {
    next: u32,
    offset: usize,
    len: usize,
    bytes: Box<[u8; BLOCK]>,
}

/// All datagrams that are not complete.
#[derive(Debug)]
pub struct Gather {
    hasher: SipHasher13,
    index: HashTable<u32>,
    queues: Vec<Option<Queue>>,
    free_queues: Vec<u32>,
    blocks: Vec<Block>,
    free: u32,
    /// Blocks in use, by family.
    used: [usize; 2],
    sources: Vec<u32>,
    next: Time,
    /// Datagrams that were given up to make room.
    pub evicted: u64,
}

impl Gather {
    /// Nothing yet, hashing with that key.
    pub fn new(hash_key: [u64; 2]) -> Self {
        Self {
            hasher: SipHasher13::new_with_keys(hash_key[0], hash_key[1]),
            index: HashTable::new(),
            queues: Vec::new(),
            free_queues: Vec::new(),
            blocks: Vec::new(),
            free: NIL,
            used: [0; 2],
            sources: vec![0; SOURCES],
            next: Time::NEVER,
            evicted: 0,
        }
    }

    /// Takes a piece that came in on that leg. If it completes a datagram, that is written to `out`, which must be empty.
    pub fn take(
        &mut self,
        piece: &Datagram,
        packet: &[u8],
        leg: LegIndex,
        now: Time,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let Some((range, body)) = place(piece, packet) else { return Outcome::Lost(Loss::Malformed) };
        let key = Key::of(piece);
        let slot = match self.find(&key) {
            Some(slot) if self.is_expired(slot, now) => {
                self.remove(slot);
                self.begin(key, leg, now)
            }
            Some(slot) => slot,
            None => self.begin(key, leg, now),
        };
        self.count(slot, piece, now);
        if let Err(loss) = self.insert(slot, piece, packet, range, body) {
            // a copy of what is there changes nothing
            let Some(loss) = loss else { return Outcome::Kept };
            if loss != Loss::Full {
                self.remove(slot);
            }
            return Outcome::Lost(loss);
        }
        match &self.queues[slot as usize] {
            Some(queue) if queue.complete && queue.got == queue.end && queue.head_len > 0 => {
                self.finish(slot, out)
            }
            _ => Outcome::Kept,
        }
    }

    /// When [`Gather::expire`] has something to do at the earliest.
    pub fn deadline(&self) -> Time {
        self.next
    }

    /// Gives one datagram up whose time is over, if there is one; says where it came in, and writes the beginning of its
    /// first piece to `out` if that was there.
    pub fn expire(&mut self, now: Time, out: &mut Vec<u8>) -> Option<LegIndex> {
        if now < self.next {
            return None;
        }
        let slots = 0..self.queues.len() as u32;
        let Some(slot) = slots.into_iter().find(|slot| self.is_expired(*slot, now)) else {
            let ends = self.queues.iter().flatten().map(|queue| queue.begun + LIFETIME[family(&queue.key)]);
            self.next = ends.min().unwrap_or(Time::NEVER);
            return None;
        };
        let queue = self.queues[slot as usize].as_ref()?;
        let (leg, first) = (queue.leg, queue.first);
        if queue.head_len > 0 && first != NIL {
            out.extend_from_slice(&queue.head[..queue.head_len]);
            let block = &self.blocks[first as usize];
            out.extend_from_slice(&block.bytes[..block.len]);
        }
        self.remove(slot);
        Some(leg)
    }

    fn find(&self, key: &Key) -> Option<u32> {
        let same = |slot: &u32| self.queues[*slot as usize].as_ref().is_some_and(|queue| queue.key == *key);
        self.index.find(hash(&self.hasher, key), same).copied()
    }

    fn is_expired(&self, slot: u32, now: Time) -> bool {
        let queue = self.queues[slot as usize].as_ref();
        queue.is_some_and(|queue| now >= queue.begun + LIFETIME[family(&queue.key)])
    }

    fn begin(&mut self, key: Key, leg: LegIndex, now: Time) -> u32 {
        let queue = Queue {
            key,
            leg,
            begun: now,
            first: NIL,
            last: NIL,
            got: 0,
            end: 0,
            complete: false,
            head: [0; HEAD_MAX],
            head_len: 0,
            announced: 0,
            largest: 0,
            largest_df: 0,
            marks: Marks::default(),
            seen: 0,
        };
        self.next = self.next.min(now + LIFETIME[family(&key)]);
        let slot = match self.free_queues.pop() {
            Some(slot) => {
                self.queues[slot as usize] = Some(queue);
                slot
            }
            None => {
                self.queues.push(Some(queue));
                (self.queues.len() - 1) as u32
            }
        };
        let Self { hasher, index, queues, .. } = self;
        let rehash = |slot: &u32| queues[*slot as usize].as_ref().map_or(0, |queue| hash(hasher, &queue.key));
        index.insert_unique(hash(hasher, &key), slot, rehash);
        slot
    }

    /// Counts a piece of its source; too far from the one before, it begins anew.
    fn count(&mut self, slot: u32, piece: &Datagram, now: Time) {
        let bucket = self.hasher.hash(&datagram::octets(piece.source)) as usize % SOURCES;
        self.sources[bucket] = self.sources[bucket].wrapping_add(1);
        let sent = self.sources[bucket];
        let Some(queue) = self.queues[slot as usize].as_mut() else { return };
        let far = queue.first != NIL && sent.wrapping_sub(queue.seen) > DISTANCE_MAX;
        queue.seen = sent;
        if far && !piece.is_ipv6() {
            let (key, leg) = (queue.key, queue.leg);
            self.remove(slot);
            let again = self.begin(key, leg, now);
            debug_assert_eq!(again, slot, "the place that became free last");
            if let Some(queue) = self.queues[again as usize].as_mut() {
                queue.seen = sent;
            }
        }
    }

    /// Puts a piece in its place. `Err(None)` if it is there already.
    fn insert(
        &mut self,
        slot: u32,
        piece: &Datagram,
        packet: &[u8],
        range: std::ops::Range<usize>,
        body: &[u8],
    ) -> Result<(), Option<Loss>> {
        let Some(queue) = self.queues[slot as usize].as_ref() else { return Err(Some(Loss::Full)) };
        let last = !piece.fragment.is_some_and(|fragment| fragment.more);
        let contradiction = match last {
            true => range.end < queue.end || queue.complete && range.end != queue.end,
            false => queue.complete && range.end > queue.end,
        };
        if contradiction {
            return Err(Some(Loss::Malformed));
        }
        let (before, covered) = self.neighbourhood(queue, &range);
        if covered > 0 {
            return Err((covered < range.len()).then_some(Loss::Overlap));
        }
        self.make_room(slot, family_of(piece), range.len().div_ceil(BLOCK))?;
        let mut after = before;
        for (n, chunk) in body.chunks(BLOCK).enumerate() {
            after = self.link(slot, after, range.start + n * BLOCK, chunk);
        }
        let Some(queue) = self.queues[slot as usize].as_mut() else { return Err(Some(Loss::Full)) };
        queue.got += range.len();
        queue.end = queue.end.max(range.end);
        queue.complete |= last;
        queue.largest = queue.largest.max(piece.len);
        if piece.dont_fragment {
            queue.largest_df = queue.largest_df.max(piece.len);
        }
        queue.marks.add(piece.tos);
        if range.start == 0 {
            let start = piece.len - body_len(piece);
            queue.head[..start].copy_from_slice(&packet[..start]);
            (queue.head_len, queue.announced) = (start, piece.fragment.map_or(0, |f| f.announced));
        }
        Ok(())
    }

    /// The block after which a range belongs, and how many of its bytes are there already.
    fn neighbourhood(&self, queue: &Queue, range: &std::ops::Range<usize>) -> (u32, usize) {
        // in order, mostly
        if range.start >= queue.end && queue.last != NIL {
            return (queue.last, 0);
        }
        let (mut at, mut before, mut covered) = (queue.first, NIL, 0);
        while at != NIL {
            let block = &self.blocks[at as usize];
            if block.offset >= range.end {
                break;
            }
            let from = block.offset.max(range.start);
            covered += (block.offset + block.len).min(range.end).saturating_sub(from);
            (before, at) = (at, block.next);
        }
        (before, covered)
    }

    fn make_room(&mut self, keep: u32, family: usize, wanted: usize) -> Result<(), Option<Loss>> {
        if self.used[family] + wanted <= HIGH[family] {
            return Ok(());
        }
        while self.used[family] + wanted > LOW[family] {
            let all = self.queues.iter().enumerate();
            let others = all.filter_map(|(slot, queue)| Some((slot as u32, queue.as_ref()?)));
            let others = others.filter(|(slot, queue)| {
                *slot != keep && self::family(&queue.key) == family && queue.first != NIL
            });
            match others.min_by_key(|(_, queue)| queue.begun).map(|(slot, _)| slot) {
                Some(oldest) => self.remove(oldest),
                None if self.used[family] + wanted <= HIGH[family] => break,
                None => return Err(Some(Loss::Full)),
            }
            self.evicted += 1;
        }
        Ok(())
    }

    fn link(&mut self, slot: u32, before: u32, offset: usize, chunk: &[u8]) -> u32 {
        let at = match self.free {
            NIL => {
                self.blocks.push(Block { next: NIL, offset: 0, len: 0, bytes: Box::new([0; BLOCK]) });
                (self.blocks.len() - 1) as u32
            }
            at => {
                self.free = self.blocks[at as usize].next;
                at
            }
        };
        let Some(queue) = self.queues[slot as usize].as_mut() else { return at };
        let next = match before {
            NIL => std::mem::replace(&mut queue.first, at),
            before => std::mem::replace(&mut self.blocks[before as usize].next, at),
        };
        if next == NIL {
            queue.last = at;
        }
        self.used[family(&queue.key)] += 1;
        let block = &mut self.blocks[at as usize];
        (block.next, block.offset, block.len) = (next, offset, chunk.len());
        block.bytes[..chunk.len()].copy_from_slice(chunk);
        at
    }

    fn remove(&mut self, slot: u32) {
        let Some(queue) = self.queues[slot as usize].take() else { return };
        let mut at = queue.first;
        while at != NIL {
            let next = std::mem::replace(&mut self.blocks[at as usize].next, self.free);
            self.free = at;
            self.used[family(&queue.key)] -= 1;
            at = next;
        }
        if let Ok(found) = self.index.find_entry(hash(&self.hasher, &queue.key), |found| *found == slot) {
            found.remove();
        }
        self.free_queues.push(slot);
    }

    /// Writes the datagram, whose pieces are all there.
    fn finish(&mut self, slot: u32, out: &mut Vec<u8>) -> Outcome {
        let Some(queue) = self.queues[slot as usize].as_ref() else { return Outcome::Kept };
        let ipv6 = family(&queue.key) == 1;
        let common = queue.head_len - if ipv6 { FRAGMENT_LEN } else { 0 };
        let len = common + queue.end;
        let tos = queue.marks.tos(if ipv6 { queue.head[0] << 4 | queue.head[1] >> 4 } else { queue.head[1] });
        let fits = len - if ipv6 { IPV6_LEN } else { 0 } <= LEN_MAX;
        let Some(tos) = tos.filter(|_| fits) else {
            self.remove(slot);
            return Outcome::Lost(Loss::Malformed);
        };
        out.extend_from_slice(&queue.head[..common]);
        let mut at = queue.first;
        while at != NIL {
            let block = &self.blocks[at as usize];
            out.extend_from_slice(&block.bytes[..block.len]);
            at = block.next;
        }
        if ipv6 {
            out[queue.announced] = queue.head[common];
            (out[0], out[1]) = (0x60 | tos >> 4, tos << 4 | out[1] & 15);
            out[4..6].copy_from_slice(&((len - IPV6_LEN) as u16).to_be_bytes());
        } else {
            out[1] = tos;
            out[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            // N51: only if the largest piece asked for it
            let df = queue.largest_df == queue.largest;
            (out[6], out[7]) = (if df { 0x40 } else { 0 }, 0);
            seal(out);
        }
        let gathered = Gathered { largest: queue.largest as u16, id: queue.key.id };
        self.remove(slot);
        Outcome::Complete(gathered)
    }
}

/// Which bytes of its datagram a piece is, and those bytes; `None` if it cannot be one.
fn place<'a>(piece: &Datagram, packet: &'a [u8]) -> Option<(std::ops::Range<usize>, &'a [u8])> {
    let fragment = piece.fragment?;
    let start = piece.len - body_len(piece);
    let mut body = packet.get(start..piece.len)?;
    if fragment.more {
        // IPv4 takes what is a multiple of eight of it; IPv6 takes none
        let whole = body.len() & !7;
        if piece.is_ipv6() && whole != body.len() {
            return None;
        }
        body = &body[..whole];
    }
    let from = usize::from(fragment.offset);
    let range = from..from + body.len();
    (start <= HEAD_MAX && !body.is_empty() && range.end <= LEN_MAX).then_some((range, body))
}

/// Bytes behind the headers that every piece has.
fn body_len(piece: &Datagram) -> usize {
    let common = piece.fragment.map_or(0, |fragment| fragment.common);
    piece.len - common - if piece.is_ipv6() { FRAGMENT_LEN } else { 0 }
}

fn family(key: &Key) -> usize {
    usize::from(key.source.is_ipv6())
}

fn family_of(piece: &Datagram) -> usize {
    usize::from(piece.is_ipv6())
}

fn hash(hasher: &SipHasher13, key: &Key) -> u64 {
    let mut bytes = [0; 37];
    bytes[..16].copy_from_slice(&datagram::octets(key.source));
    bytes[16..32].copy_from_slice(&datagram::octets(key.destination));
    bytes[32..36].copy_from_slice(&key.id.to_ne_bytes());
    bytes[36] = key.protocol;
    hasher.hash(&bytes)
}
