//! Putting datagrams together from their pieces, in any order (N50, N51; net/ipv4/ip_fragment.c, RFC 5722).
//!
//! Pieces are copied into blocks of `BLOCK` bytes, which hang on their datagram in order of place. Blocks are made when
//! first needed and lent again ever after; the limits are the kernel's, in the kernel's own currency of memory: 4 MiB for IPv4
//! and 256 KiB for IPv6. A piece that would exceed them makes room: datagrams that were begun first go until three
//! quarters are in use. So a flood of halves pushes out old halves, and ends with the flood; where the kernel takes no more
//! pieces at all until old ones expire. All that are not complete are on a list per family in the order in which they were
//! begun: its first is the next to go, for lack of room or of time.
//!
//! A datagram that is not complete within 30 s (IPv4) or 60 s (IPv6) of its first piece is lost. So is one of whose
//! pieces two overlap, because no sound sender makes such and firewalls were fooled with them; a piece that is all there
//! already is a copy, and does no harm. And of IPv4, where the identification has 16 bits only, pieces between which
//! `DISTANCE_MAX` others came from the same source are not of one datagram: what there was is lost, and the new piece
//! begins another. Sources are counted in buckets, chosen by a keyed hash.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::blocks::{BLOCK, Blocks, NIL};
use super::ecn::Marks;
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::datagram::{self, Datagram, FRAGMENT_LEN, IPV6_LEN, seal};

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
    /// How many blocks it has.
    blocks: usize,
    /// Who was begun before and after, of its family.
    neighbours: [u32; 2],
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

/// All datagrams that are not complete.
#[derive(Debug)]
pub struct Gather {
    hasher: SipHasher13,
    index: HashTable<u32>,
    queues: Vec<Option<Queue>>,
    free_queues: Vec<u32>,
    blocks: Blocks,
    /// Who was begun first and last, by family.
    oldest: [u32; 2],
    newest: [u32; 2],
    /// Blocks in use, by family.
    used: [usize; 2],
    sources: Vec<u32>,
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
            blocks: Blocks::default(),
            oldest: [NIL; 2],
            newest: [NIL; 2],
            used: [0; 2],
            sources: vec![0; SOURCES],
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
            self.remove(slot);
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
        let end = |family: usize| {
            let queue = self.queues.get(self.oldest[family] as usize)?.as_ref()?;
            Some(queue.begun + LIFETIME[family])
        };
        [0, 1].into_iter().filter_map(end).min().unwrap_or(Time::NEVER)
    }

    /// Gives one datagram up whose time is over, if there is one; says where it came in, and writes its first piece,
    /// and what follows that without a gap, to `out` if that was there.
    pub fn expire(&mut self, now: Time, out: &mut Vec<u8>) -> Option<LegIndex> {
        let slot = self.oldest.into_iter().find(|slot| *slot != NIL && self.is_expired(*slot, now))?;
        let queue = self.queues[slot as usize].as_ref()?;
        let leg = queue.leg;
        if queue.head_len > 0 {
            out.extend_from_slice(&queue.head[..queue.head_len]);
            // one that is longer than a block would seem to be cut off
            for (_, block) in self.blocks.chain(queue.first) {
                if out.len() != queue.head_len + block.offset {
                    break;
                }
                out.extend_from_slice(block.bytes());
            }
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
        let family = family(&key);
        let queue = Queue {
            key,
            leg,
            begun: now,
            first: NIL,
            last: NIL,
            blocks: 0,
            neighbours: [self.newest[family], NIL],
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
        match self.newest[family] {
            NIL => self.oldest[family] = slot,
            last => self.tie(last, 1, slot),
        }
        self.newest[family] = slot;
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
        let (mut before, mut covered) = (NIL, 0);
        for (at, block) in self.blocks.chain(queue.first) {
            if block.offset >= range.end {
                break;
            }
            let end = block.offset + block.bytes().len();
            covered += end.min(range.end).saturating_sub(block.offset.max(range.start));
            before = at;
        }
        (before, covered)
    }

    /// Makes room for more blocks of that datagram. One that takes too much itself is lost, before it costs others.
    fn make_room(&mut self, slot: u32, family: usize, wanted: usize) -> Result<(), Option<Loss>> {
        if self.used[family] + wanted <= HIGH[family] {
            return Ok(());
        }
        let own = self.queues[slot as usize].as_ref().map_or(0, |queue| queue.blocks);
        if own + wanted > LOW[family] {
            return Err(Some(Loss::Full));
        }
        while self.used[family] + wanted > LOW[family] {
            let mut victim = self.oldest[family];
            if victim == slot {
                victim = self.queues[slot as usize].as_ref().map_or(NIL, |queue| queue.neighbours[1]);
            }
            if victim == NIL {
                return Err(Some(Loss::Full));
            }
            self.remove(victim);
            self.evicted += 1;
        }
        Ok(())
    }

    fn link(&mut self, slot: u32, before: u32, offset: usize, chunk: &[u8]) -> u32 {
        let Some(queue) = self.queues[slot as usize].as_mut() else { return before };
        let next = self.blocks.get(before).map_or(queue.first, |block| block.next);
        let at = self.blocks.lend(chunk, offset, next);
        match before {
            NIL => queue.first = at,
            before => self.blocks.follow(before, at),
        }
        if next == NIL {
            queue.last = at;
        }
        queue.blocks += 1;
        self.used[family(&queue.key)] += 1;
        at
    }

    fn remove(&mut self, slot: u32) {
        let Some(queue) = self.queues[slot as usize].take() else { return };
        let (family, [before, after]) = (family(&queue.key), queue.neighbours);
        self.blocks.take_back(queue.first);
        self.used[family] -= queue.blocks;
        match before {
            NIL => self.oldest[family] = after,
            before => self.tie(before, 1, after),
        }
        match after {
            NIL => self.newest[family] = before,
            after => self.tie(after, 0, before),
        }
        if let Ok(found) = self.index.find_entry(hash(&self.hasher, &queue.key), |found| *found == slot) {
            found.remove();
        }
        self.free_queues.push(slot);
    }

    /// Says who was begun before (0) or after (1) that one.
    fn tie(&mut self, slot: u32, side: usize, other: u32) {
        if let Some(queue) = self.queues[slot as usize].as_mut() {
            queue.neighbours[side] = other;
        }
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
        for (_, block) in self.blocks.chain(queue.first) {
            out.extend_from_slice(block.bytes());
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
