//! What a thread counts. Whoever asks adds up; no counter is shared.

use crate::frame::PortId;
use crate::port::PortCounters;

/// What the engine counts about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Times it slept and was woken.
    pub wakeups: u64,
    /// Batches that held at least one frame.
    pub batches: u64,
    /// Frames received.
    pub frames: u64,
}

/// A thread's counters.
#[derive(Debug, Default)]
pub struct Tally {
    /// What it counts about itself.
    pub stats: EngineStats,
    /// How many ports it reads.
    pub reads: usize,
    /// What it has counted at its shares of some ports.
    pub ports: Vec<(PortId, PortCounters)>,
}
