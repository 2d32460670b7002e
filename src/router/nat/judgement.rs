//! What is found out about a packet, as a value.
//!
//! A [`Judgement`] is made and completed by functions that change nothing, and carries everything that committing it
//! needs, so that who only wants to know can drop it.

use std::time::Duration;

use super::rewrite::{Ends, Translation};
use super::sessions::Slot;
use super::track::{Invalid, Track};
use super::tuple::{Direction, Tuple};

/// What a packet is to its flow (N5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Of a flow that goes both ways.
    Established,
    /// Of no flow. Never translated (N6).
    Invalid(Invalid),
    /// Of a flow that nobody has answered yet.
    New,
    /// An error about a flow (E1).
    Related,
    /// Neighbour discovery and MLD, which are not followed (U2).
    Untracked,
}

impl State {
    /// The name in rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::Invalid(_) => "INVALID",
            Self::New => "NEW",
            Self::Related => "RELATED",
            Self::Untracked => "UNTRACKED",
        }
    }
}

/// Why a new flow cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Every tuple it could have had is another's (P5).
    Clash,
    /// The table is full of flows that must not go (L2).
    Full,
}

/// What was found out about a packet, and what would come of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// What it is to its flow.
    pub state: State,
    /// Which way it goes, if it is of a flow.
    pub direction: Direction,
    /// What is to become of it.
    pub translation: Translation,
    /// An error that must not be passed on, since it says something of addresses that are not the reader's (E6).
    pub withheld: bool,
    pub(super) tuple: Option<Tuple>,
    pub(super) bytes: u64,
    pub(super) effect: Effect,
}

impl Judgement {
    /// The session it is of, if that is known already.
    pub fn session(&self) -> Option<Slot> {
        match self.effect {
            Effect::End(slot) | Effect::Follow { slot, .. } | Effect::Related(slot) => Some(slot),
            Effect::None | Effect::Open(_) | Effect::Shorten { .. } => None,
        }
    }

    /// Whether it is the first packet of a flow.
    pub fn opens(&self) -> bool {
        matches!(self.effect, Effect::Open(_))
    }

    /// Whether it is a later packet of a flow, and fits it.
    #[inline]
    pub fn follows(&self) -> bool {
        matches!(self.effect, Effect::Follow { .. })
    }

    /// Nothing is to come of it.
    pub fn disregard(&mut self) {
        self.effect = Effect::None;
    }

    /// The session it is of is to be ended.
    pub fn end(&mut self) {
        if let Some(slot) = self.session() {
            self.effect = Effect::End(slot);
        }
    }

    /// Bytes of the packet, from its IP header on.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tuple of the packet, if it has one.
    pub fn tuple(&self) -> Option<&Tuple> {
        self.tuple.as_ref()
    }

    /// The tuple of the packet as translated so far: where it is to be routed.
    pub fn translated(&self) -> Option<Tuple> {
        let tuple = self.tuple?;
        let Ends { source, destination, source_port, destination_port } = self.translation.packet;
        Some(Tuple {
            source: source.unwrap_or(tuple.source),
            destination: destination.unwrap_or(tuple.destination),
            source_port: source_port.unwrap_or(tuple.source_port),
            destination_port: destination_port.unwrap_or(tuple.destination_port),
            ..tuple
        })
    }

    pub(super) const fn plain(state: State, tuple: Option<Tuple>) -> Self {
        Self {
            state,
            direction: Direction::Original,
            translation: Translation::NONE,
            withheld: false,
            tuple,
            bytes: 0,
            effect: Effect::None,
        }
    }
}

/// What committing does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effect {
    None,
    /// The session is over (T11).
    End(Slot),
    Follow {
        slot: Slot,
        track: Track,
        timeout: Option<Duration>,
        assured: bool,
    },
    Open(Draft),
    /// Nothing (E2).
    Related(Slot),
    /// The packet was of no use, but told something about the session (T17).
    Shorten {
        slot: Slot,
        track: Track,
        timeout: Option<Duration>,
    },
}

/// A session that is not yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) reply: Tuple,
    /// If `reply` was found to be nobody's: its hash.
    pub(super) free: Option<u64>,
    pub(super) track: Track,
    pub(super) timeout: Duration,
    pub(super) leg: Option<u16>,
    /// The session of the same tuple that is over (T12).
    pub(super) replaces: Option<Slot>,
    /// The session that is over and has to go for the port (P6).
    pub(super) evicts: Option<Slot>,
    /// Who has to go for want of room (L2).
    pub(super) victim: Option<Slot>,
    pub(super) confirmed: bool,
}
