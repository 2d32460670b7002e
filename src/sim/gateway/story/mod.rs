//! Stories told to a gateway: who talks to whom, what each packet is, what is changed and when.
//!
//! What is said is written down by its meaning (the third byte after the handshake, from the server), never by its bytes:
//! only who tells the story knows which port the gateway chose, and a story stays one when parts of it are taken out.

pub(in crate::sim::gateway) mod place;
mod show;
mod shrink;
mod teller;

use std::net::IpAddr;
use std::time::Duration;

pub(super) use self::place::host;
pub use self::place::{HOSTS, Host};
use self::teller::Teller;
use crate::frame::{LegIndex, PortId};
use crate::router::interface::Interface;
use crate::router::policy::config::Config;

/// How the gateway is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its legs: two networks inside, one outside.
    pub legs: Vec<Interface>,
    /// Its rules.
    pub config: Config,
    /// How many flows there may be.
    pub sessions_max: usize,
    /// T6.
    pub loose: bool,
    /// T9.
    pub liberal: bool,
}

/// Two who may talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// IANA's number.
    pub protocol: u8,
    /// Who begins, by number.
    pub client: usize,
    /// From which address of theirs.
    pub from: IpAddr,
    /// From which port, or the identifier.
    pub port: u16,
    /// To whom.
    pub to: IpAddr,
    /// To which port.
    pub to_port: u16,
    /// Where somebody answers who was not asked, by number.
    pub server: usize,
    /// The first sequence numbers.
    pub first: [u32; 2],
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The rules are others.
    Policy(Box<Config>),
    /// A leg is different.
    Leg(LegIndex, Box<Interface>),
    /// The guests behind a port are gone.
    Gone(PortId),
    /// Somebody says something; the one who began, or the other.
    Say(usize, bool, Say, Spoil),
    /// Time passes; and what is due is done meanwhile, or not.
    Wait(Duration, bool),
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// Bytes, in the protocol's own packet.
    Data(u16),
    /// An error about the last packet heard: type, code, and how much of it is quoted.
    Error(u8, u8, u16),
    /// A segment.
    Tcp(Segment),
}

/// A segment of TCP; numbers count from the sides' first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// As in the header's byte.
    pub flags: u8,
    /// Where it begins.
    pub seq: u32,
    /// What it acknowledges.
    pub ack: u32,
    /// The window it offers.
    pub window: u16,
    /// Bytes of data.
    pub len: u16,
    /// Its options.
    pub options: Vec<u8>,
}

/// What is odd about a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoil {
    /// How far it may go.
    pub ttl: u8,
    /// It must not be cut.
    pub whole: bool,
    /// Its transport checksum is wrong.
    pub sum: bool,
    /// It is sent in pieces of so many bytes of data, in that order.
    pub pieces: Option<(u16, Order)>,
    /// It claims to be from there.
    pub from: Option<IpAddr>,
    /// The byte at that place is another.
    pub byte: Option<(u16, u8)>,
}

/// In which order pieces are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The first first.
    Forward,
    /// The last first.
    Backward,
    /// The last is not sent at all.
    Lost,
    /// The first twice.
    Twice,
    /// Two overlap.
    Overlap,
}

/// What happens to a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// What decided it.
    pub seed: u64,
    /// How the gateway is before anything happens.
    pub setting: Setting,
    /// Who may talk.
    pub talks: Vec<Talk>,
    /// What happens.
    pub acts: Vec<Act>,
}

/// What may occur in a story.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
    /// Settings other than the usual.
    pub settings: bool,
    /// Rules of the user's.
    pub rules: bool,
    /// Changes while it runs.
    pub changes: bool,
    /// Pieces of datagrams, and long ones.
    pub pieces: bool,
    /// A table of a few flows.
    pub small: bool,
    /// Packets that are not what they should be, in a hundred.
    pub odd: u64,
}

impl Default for Spoil {
    fn default() -> Self {
        Self { ttl: 64, whole: true, sum: false, pieces: None, from: None, byte: None }
    }
}

impl Story {
    /// The story of that seed, `length` acts long.
    pub fn new(seed: u64, taste: Taste, length: usize) -> Self {
        let mut teller = Teller::new(seed, taste);
        let setting = teller.setting();
        let talks = teller.talks();
        let acts = (0..length).map(|_| teller.act()).collect();
        Self { seed, setting, talks, acts }
    }
}
