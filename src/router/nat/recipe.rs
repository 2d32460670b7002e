//! What is to become of the packets of a flow, as bytes.
//!
//! All that translates the plain packets of one direction of a flow is the same for each of them: other addresses, other
//! ports, and by how much that changes the checksums. A [`Recipe`] keeps it beside what has to be looked at for every
//! packet: the session, the lane, the neighbour. It fills one line of the cache and lies where the bytes of the packet say
//! (`Recipes`), so that nothing is looked for.
//!
//! A recipe is of one session, and goes when that goes (`Recipes::forget`); of one lane, which is not current any more as soon as
//! the router has been told anything new; and of one neighbour, who says himself whether he is still there. So it need not be
//! told of changes.
//!
//! It is written where there is none, or when a flow asks for its place the second time in a row: with many more flows than
//! places each would write one that nobody reads.

use std::net::IpAddr;

use super::plain::{HEADER_LEN, Key};
use super::rewrite::{Delta, Ends};
use super::sessions::Slot;
use super::tuple::{Direction, Tuple};
use crate::router::lanes::LaneId;
use crate::router::neighbour::Held;
use crate::wire::packet::protocol;
use crate::wire::{checksum, tcp, udp};

/// How many there are at most: 64 KiB of them.
const RECIPES_MAX: usize = 1024;
/// How many places there are for each session of a small table: two flows at one place keep each other out.
const PLACES: usize = 8;

/// Bytes of the IP header and the ports, behind which checksums lie.
const HEAD: usize = HEADER_LEN + 4;
const UDP_CHECKSUM_AT: usize = udp::CHECKSUM_AT - 4;
const TCP_CHECKSUM_AT: usize = tcp::CHECKSUM_AT - 4;

/// What is written into a plain packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    addresses: [u8; 8],
    ports: [u8; 4],
    /// What other addresses add to a sum.
    of_addresses: u16,
    /// What other addresses and ports add to it.
    of_all: u16,
}

impl Patch {
    /// What makes a packet of that tuple say what `ends` say; `None` if there are no plain packets of it.
    pub fn of(tuple: &Tuple, ends: &Ends) -> Option<Self> {
        let from = Key::of(tuple)?;
        let to = Key::of(&Tuple {
            source: ends.source.unwrap_or(tuple.source),
            destination: ends.destination.unwrap_or(tuple.destination),
            source_port: ends.source_port.unwrap_or(tuple.source_port),
            destination_port: ends.destination_port.unwrap_or(tuple.destination_port),
            ..*tuple
        })?;
        let of_addresses = changed(&from.addresses(), &to.addresses());
        let of_all = of_addresses.and(changed(&from.ports(), &to.ports()));
        Some(Self {
            addresses: to.addresses(),
            ports: to.ports(),
            of_addresses: of_addresses.addend(),
            of_all: of_all.addend(),
        })
    }

    /// Writes it into a plain packet of that protocol, and takes a hop off (N9). What comes out is what
    /// [`super::rewrite::translate_own`] and [`crate::wire::datagram::set_ttl`] make of it: sums of one's complement may be added in
    /// any order, and are zero only if all they are made of is.
    #[inline]
    pub fn write(&self, packet: &mut [u8], protocol: u8, partial: bool) {
        let Some((head, rest)) = packet.split_first_chunk_mut::<HEAD>() else { return };
        let before = u16::from_be_bytes([head[8], head[9]]);
        head[8] = head[8].wrapping_sub(1);
        let after = u16::from_be_bytes([head[8], head[9]]);
        let sum = u16::from_be_bytes([head[10], head[11]]);
        let sum = !add_all([!sum, self.of_addresses, !before, after]);
        head[10..12].copy_from_slice(&sum.to_be_bytes());
        head[12..20].copy_from_slice(&self.addresses);
        head[20..].copy_from_slice(&self.ports);
        let is_udp = protocol == protocol::UDP;
        let at = if is_udp { UDP_CHECKSUM_AT } else { TCP_CHECKSUM_AT };
        let Some([c0, c1]) = rest.get_mut(at..at + 2) else { return };
        let sum = u16::from_be_bytes([*c0, *c1]);
        let sum = match partial {
            true => checksum::add(sum, self.of_addresses),
            // zero means none (U1), and none is what it stays
            false if is_udp && sum == 0 => 0,
            false => match !checksum::add(!sum, self.of_all) {
                0 if is_udp => 0xffff,
                sum => sum,
            },
        };
        [*c0, *c1] = sum.to_be_bytes();
    }

    /// Whom a packet is for then.
    pub fn destination(&self) -> IpAddr {
        let [.., a, b, c, d] = self.addresses;
        IpAddr::from([a, b, c, d])
    }
}

/// What has changed of two fields that lie behind each other.
fn changed(before: &[u8], after: &[u8]) -> Delta {
    let half = before.len() / 2;
    let fields = [(&before[..half], &after[..half]), (&before[half..], &after[half..])];
    let changed = fields.into_iter().filter(|(before, after)| before != after);
    changed.fold(Delta::NONE, |all, (before, after)| all.and(Delta::between(before, after)))
}

/// The sum of four sums.
#[inline]
fn add_all(sums: [u16; 4]) -> u16 {
    let total: u32 = sums.into_iter().map(u32::from).sum();
    checksum::add((total >> 16) as u16, total as u16)
}

/// See the module's documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(64))]
pub struct Recipe {
    /// What the packets have that it is for. No packet has that of none: its protocol is zero.
    pub key: Key,
    /// What is written into them.
    pub patch: Patch,
    /// Whom they are handed to.
    pub neighbour: Held,
    /// Which way they go.
    pub lane: LaneId,
    slot: u32,
    is_reply: bool,
    /// Who asked for this place last, and had no recipe.
    candidate: u32,
}

const _: () = assert!(size_of::<Recipe>() == 64, "one line of the cache");

impl Recipe {
    /// For packets of that session and direction.
    pub fn new(
        (slot, direction): (Slot, Direction),
        key: Key,
        patch: Patch,
        lane: LaneId,
        neighbour: Held,
    ) -> Self {
        let is_reply = direction == Direction::Reply;
        Self { key, patch, neighbour, lane, slot: slot.0, is_reply, candidate: 0 }
    }

    /// The session it is of, and which way the packets go.
    #[inline]
    pub fn place(&self) -> (Slot, Direction) {
        (Slot(self.slot), if self.is_reply { Direction::Reply } else { Direction::Original })
    }
}

/// The recipes there are; see the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Recipes {
    /// As many as a power of two, or none.
    places: Vec<Recipe>,
}

impl Recipes {
    /// Makes room for those of so many sessions, as far as there may be that many. Those that are there are forgotten.
    pub(super) fn grow(&mut self, sessions: usize) {
        let wanted = (PLACES * sessions).next_power_of_two().min(RECIPES_MAX);
        if wanted > self.places.len() {
            self.places.clear();
            self.places.reserve_exact(wanted);
            self.places.resize(wanted, Recipe::default());
        }
    }

    /// How much memory they take, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.places.capacity() * size_of::<Recipe>()
    }

    /// That for packets with that key.
    #[inline]
    pub(super) fn get(&self, key: &Key) -> Option<&Recipe> {
        self.places.get(key.mixed().among(self.places.len())).filter(|recipe| recipe.key == *key)
    }

    /// Whether one for that key is to be written: its place is empty, or it was wanted before, and nobody else has wanted the
    /// place since.
    #[inline]
    pub(super) fn wants(&mut self, key: &Key) -> bool {
        let mixed = key.mixed();
        let place = mixed.among(self.places.len());
        let Some(recipe) = self.places.get_mut(place) else { return false };
        recipe.key == Key::default() || std::mem::replace(&mut recipe.candidate, mixed.tag()) == mixed.tag()
    }

    /// Keeps one, in the place of whatever was there.
    pub(super) fn keep(&mut self, recipe: Recipe) {
        let place = recipe.key.mixed().among(self.places.len());
        if let Some(kept) = self.places.get_mut(place) {
            *kept = Recipe { candidate: kept.candidate, ..recipe };
        }
    }

    /// The session there has ended, whose tuples those were.
    pub(super) fn forget(&mut self, slot: Slot, tuples: &[Tuple; 2]) {
        for key in tuples.iter().filter_map(Key::of) {
            let place = key.mixed().among(self.places.len());
            if let Some(recipe) = self.places.get_mut(place).filter(|recipe| recipe.slot == slot.0) {
                *recipe = Recipe::default();
            }
        }
    }
}
