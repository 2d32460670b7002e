//! Which address and port a flow gets (P2–P8, U4).
//!
//! What NAT looks for is a *reply tuple* that no other flow has, and nothing else: two guests may use one port of the
//! router as long as they talk to different places (P3). The search goes, until something is free:
//!
//! 1. what the flow has already, if the range allows it;
//! 2. what other flows from the same place have got, so that a guest's port looks the same from everywhere (RFC 4787's
//!    endpoint-independent mapping; P2);
//! 3. an address of the range, with the port it comes from (P3);
//! 4. a few ports of the same class from a random place on (P4, P5).
//!
//! If nothing is free, the last candidate is what it gets, and the packet is then refused. An address of several is
//! chosen by the source alone, so that a guest has one address (RFC 4787 §4.1), other than the kernel's default.
//!
//! Nothing is changed here, and random numbers come from the caller: asking twice gives the same answer.

use super::sessions::{Sessions, Slot};
use super::tcp::Phase;
use super::track::Track;
use super::tuple::{Address, Tuple};
use crate::time::Time;

/// How many ports are tried from one place on.
const TRIES_MAX: u32 = 128;
/// With fewer than this left, flows that are over are evicted (P6).
const TRIES_HARDER: u32 = 32;
/// How many flows of the same place are looked at.
const NEIGHBOURS_MAX: usize = 64;

/// What a rule translates an end of a flow to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first address.
    pub first: Address,
    /// The last address.
    pub last: Address,
    /// The first and the last port, if the rule says.
    pub ports: Option<(u16, u16)>,
    /// How ports are chosen.
    pub mapping: Mapping,
}

/// How a NAT chooses ports (RFC 4787 §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// A port of a guest's looks the same from everywhere, and nobody shares it: what a cone needs.
    EndpointIndependent,
    /// As the kernel: the same from everywhere if possible, and shared between different destinations (P2, P3).
    #[default]
    Kernel,
    /// A random port for every flow (P7; `--random-fully`): a symmetric NAT.
    Symmetric,
}

/// Which strangers may answer a port that a guest has opened (RFC 4787 §5). Together with the [`Mapping`] these are
/// the four kinds of old (RFC 3489): full cone, restricted, port restricted and symmetric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filtering {
    /// Those whose address the guest has talked to: a restricted cone.
    Address,
    /// Only whom the guest has talked to, as the kernel: port restricted, or symmetric.
    #[default]
    AddressAndPort,
    /// Everybody: a full cone.
    None,
}

impl Range {
    /// One address.
    pub fn address(address: impl Into<Address>) -> Self {
        let address = address.into();
        Self { first: address, last: address, ports: None, mapping: Mapping::Kernel }
    }

    /// One address and port.
    pub fn endpoint(address: impl Into<Address>, port: u16) -> Self {
        Self { ports: Some((port, port)), ..Self::address(address) }
    }

    fn has_address(&self, address: Address) -> bool {
        (self.first..=self.last).contains(&address)
    }

    fn has_port(&self, port: u16) -> bool {
        self.ports.is_none_or(|(first, last)| (first.min(last)..=first.max(last)).contains(&port))
    }

    /// The address for that hash.
    fn choose(&self, hash: impl FnOnce() -> u64) -> Address {
        let (first, last) = (self.first.number(), self.last.number());
        match last.saturating_sub(first).saturating_add(1) {
            1 => self.first,
            size => Address::from_number(first + u128::from(hash()) % size),
        }
    }
}

/// Which end of a flow is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Who it is from.
    Source,
    /// Who it is to.
    Destination,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The tuple of the packet after translation.
    pub tuple: Tuple,
    /// The flow that has to go for it (P6).
    pub evict: Option<Slot>,
    /// If the reply tuple was found to be nobody's: its hash.
    pub free: Option<u64>,
}

/// Random numbers from a seed: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Copy, Debug)]
pub struct Random(pub u64);

impl Random {
    fn port(&mut self) -> u16 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 48) as u16
    }
}

/// A search for one flow.
#[derive(Debug)]
pub struct Search<'a> {
    /// What is there already.
    pub sessions: &'a Sessions,
    /// The flow.
    pub track: &'a Track,
    /// A session that is as good as gone (T12).
    pub ignore: Option<Slot>,
    /// Where random numbers come from.
    pub random: Random,
    /// The time.
    pub now: Time,
    /// Set to the flow's own tuple if it must not share its port with other guests.
    pub exclusive: Option<Tuple>,
}

/// Who has a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// That flow.
    Flow(Slot),
    /// Another guest, who shares it with nobody.
    Guest,
    /// It is free; the hash of the reply tuple, if there is one.
    Nobody(Option<u64>),
}

impl Search<'_> {
    /// Translates that end of `current`, which is the packet's tuple after what was translated before.
    pub fn find(&mut self, original: &Tuple, current: &Tuple, end: End, range: &Range) -> Choice {
        if end == End::Source && range.mapping != Mapping::Symmetric {
            if range.has_address(current.source) && range.has_port(current.source_port) {
                if let Holder::Nobody(free) = self.holder(current) {
                    return Choice { tuple: *current, evict: None, free };
                }
            } else if let Some(tuple) = self.as_neighbours(original, current, range)
                && let Holder::Nobody(free) = self.holder(&tuple)
            {
                return Choice { tuple, evict: None, free };
            }
        }
        let mut tuple = *current;
        match end {
            End::Source => {
                let key =
                    Tuple { destination: current.source, source_port: 0, destination_port: 0, ..*current };
                tuple.source = range.choose(|| self.sessions.hash(&key));
            }
            End::Destination => {
                let key = Tuple { source_port: 0, destination_port: 0, ..*current };
                tuple.destination = range.choose(|| self.sessions.hash(&key));
            }
        }
        if range.mapping != Mapping::Symmetric {
            let single = range.ports.is_some_and(|(first, last)| first == last);
            let port = if end == End::Source || tuple.is_icmp() {
                tuple.source_port
            } else {
                tuple.destination_port
            };
            let keeps = !(tuple.has_ports() || tuple.is_icmp()) || range.has_port(port);
            if keeps && range.ports.is_some() && single {
                return Choice { tuple, evict: None, free: None };
            }
            if keeps && let Holder::Nobody(free) = self.holder(&tuple) {
                return Choice { tuple, evict: None, free };
            }
        }
        self.another_port(tuple, end, range)
    }

    /// What the latest flow from the same place was translated to, if the range allows that (P2).
    fn as_neighbours(&self, original: &Tuple, current: &Tuple, range: &Range) -> Option<Tuple> {
        let gone = self.ignore.map(|slot| self.sessions.session(slot).tuples[0]);
        let neighbours = self.sessions.from_source(original, self.now).take(NEIGHBOURS_MAX);
        let neighbours = neighbours.filter(|session| Some(session.tuples[0]) != gone);
        let theirs = neighbours.filter_map(|session| session.tuples[1].inverted());
        let mut fitting =
            theirs.filter(|theirs| range.has_address(theirs.source) && range.has_port(theirs.source_port));
        let Tuple { source, source_port, .. } = fitting.next()?;
        Some(Tuple { source, source_port, ..*current })
    }

    /// A port of the same class that is free, or the last one that was tried (P4, P5).
    fn another_port(&mut self, mut tuple: Tuple, end: End, range: &Range) -> Choice {
        let by_source = end == End::Source || tuple.is_icmp();
        let port = if by_source { tuple.source_port } else { tuple.destination_port };
        let class = match range.ports {
            _ if !(tuple.is_icmp() || tuple.has_ports()) => None,
            Some((first, last)) => Some((first.min(last), first.max(last))),
            None if tuple.is_icmp() => Some((0, u16::MAX)),
            None if end == End::Destination => None,
            // some servers trust ports below 512, as credentials; why not from 512 on, only the kernel's past knows
            None if port < 512 => Some((1, 511)),
            None if port < 1024 => Some((600, 1023)),
            None => Some((1024, u16::MAX)),
        };
        let Some((first, last)) = class else {
            return Choice { tuple, evict: None, free: None };
        };
        let size = u32::from(last - first) + 1;
        let mut offset =
            if range.mapping == Mapping::Symmetric || end == End::Source { self.random.port() } else { 0 };
        let mut tries = size.min(TRIES_MAX);
        loop {
            for left in (1..=tries).rev() {
                let port = first + (u32::from(offset) % size) as u16;
                if by_source {
                    tuple.source_port = port;
                } else {
                    tuple.destination_port = port;
                }
                match self.holder(&tuple) {
                    Holder::Nobody(free) => return Choice { tuple, evict: None, free },
                    Holder::Flow(slot) if left <= TRIES_HARDER && self.is_over(slot) => {
                        return Choice { tuple, evict: Some(slot), free: None };
                    }
                    Holder::Flow(_) | Holder::Guest => {}
                }
                offset = offset.wrapping_add(1);
            }
            if tries >= size || tries < 16 {
                return Choice { tuple, evict: None, free: None };
            }
            tries /= 2;
            offset = self.random.port();
        }
    }

    /// Whether somebody has the reply tuple that a packet with that tuple would get, or must not share its port (P3).
    fn holder(&self, tuple: &Tuple) -> Holder {
        let Some(reply) = tuple.inverted() else { return Holder::Nobody(None) };
        let hash = match self.sessions.seek(&reply, self.now) {
            Ok((slot, _)) if Some(slot) != self.ignore => return Holder::Flow(slot),
            Ok(_) => self.sessions.hash(&reply),
            Err(hash) => hash,
        };
        // everybody who has the port is the same guest, or it would not be his alone: the latest will do
        let latest = self.exclusive.and_then(|_| self.sessions.mapped_to(&reply, self.now).next());
        match (latest, &self.exclusive) {
            (Some(session), Some(original)) if session.tuples[0].source() != original.source() => {
                Holder::Guest
            }
            _ => Holder::Nobody(Some(hash)),
        }
    }

    /// Whether the flow there is a translated connection that has ended, and ours cannot be taken for it (P6).
    fn is_over(&self, slot: Slot) -> bool {
        let session = self.sessions.session(slot);
        match (&session.track, self.track) {
            (Track::Tcp(old), Track::Tcp(new)) => {
                matches!(old.phase(), Phase::TimeWait | Phase::Close)
                    && session.has_source_nat()
                    && new.is_beyond(old)
            }
            _ => false,
        }
    }
}

/// Where a stranger's packet to a port of ours goes, if it is not of a flow: to the guest who has opened that port, if
/// `filtering` lets it in. Of a port with many flows, the latest are asked.
pub fn behind(sessions: &Sessions, tuple: &Tuple, filtering: Filtering, now: Time) -> Option<Range> {
    let knows = |original: &Tuple| match filtering {
        Filtering::Address => original.destination == tuple.source,
        Filtering::AddressAndPort => false,
        Filtering::None => true,
    };
    let mapped = sessions.mapped_to(tuple, now).take(NEIGHBOURS_MAX);
    let mut opened =
        mapped.filter(|session| session.has_source_nat() && tuple.has_ports()).map(|s| &s.tuples[0]);
    let original = opened.find(|original| knows(original))?;
    let (address, port) = (original.source, original.source_port);
    Some(Range { first: address, last: address, ports: Some((port, port)), mapping: Mapping::Kernel })
}
