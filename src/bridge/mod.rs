//! The learning bridge.

mod flags;

pub use flags::{BridgeConfig, LegConfig, Promiscuous, Role};

use std::time::Duration;

use crate::frame::{Headers, LegIndex};
use crate::time::Time;
use crate::trace::Trace;
use crate::verdict::{DropCounters, Verdict};
use crate::wire::mac::Mac;

/// How firmly a station stands in the FDB (B6, B7, B9, B10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StationKind {
    /// Learned from a frame: ages, moves.
    Learned,
    /// The host's own address: never moves, only the host gets it (B9).
    Local,
    /// Set by the user: never ages, but moves when seen elsewhere (B6).
    Static,
    /// Set by the user: never ages, never moves (B7).
    Sticky,
}

/// An entry of the FDB, as `show fdb` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationEntry {
    /// The station.
    pub mac: Mac,
    /// Where it is.
    pub leg: LegIndex,
    /// How firmly.
    pub kind: StationKind,
    /// How long since it was last seen.
    pub idle: Duration,
}

/// A bridge.
#[derive(Debug)]
pub struct Bridge {}

impl Bridge {
    /// Where the frame goes. Learns, and counts per leg what was withheld.
    pub fn forward(&mut self, _leg: LegIndex, _h: &Headers, _now: Time, _trace: &mut Trace) -> Verdict {
        todo!()
    }

    /// Where it would go; nothing is learned or counted.
    pub fn explain(&self, _leg: LegIndex, _h: &Headers, _now: Time, _trace: &mut Trace) -> Verdict {
        todo!()
    }

    /// Copies that would have left through this leg but were withheld.
    pub fn withheld(&self, _leg: LegIndex) -> DropCounters {
        todo!()
    }

    /// The FDB's entries that are valid now, in the order of their addresses.
    pub fn stations(&self, _now: Time) -> Vec<StationEntry> {
        todo!()
    }
}
