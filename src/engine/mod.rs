//! The data-plane threads.
//!
//! An engine owns everything that its frames meet: the fabric, the open ports, the buffers. A thread of it reads, walks and
//! writes, and does nothing else; its loop is in `turn`. Nobody else may touch what it owns, so frames meet no lock and no shared
//! counter. Whoever wants to know or change something sends a function over a bounded channel and wakes the poll;
//! the thread runs it between two turns and sends back what it returned ([`Engines::with`]). What the thread has to
//! say by itself (a port is gone) it says as an [`Event`].
//!
//! Networks that no wire joins need no common thread: each engine has a fabric of its own with some of the islands, and
//! [`Engines`] are all of them together. Ids and the clock are common, so an island can be handed from one to the other
//! (`island`).
//!
//! Where a port has several queues, an engine has several threads (`engine`): they share its fabric, which goes from hand to
//! hand (`baton`), and nothing else.
//!
//! The threads have no capabilities: whatever a guest might make them do, they cannot open, configure or mount anything.

mod baton;
mod capture;
#[expect(clippy::module_inception, reason = "one of the engines")]
mod engine;
mod engines;
mod island;
mod joining;
mod monitor;
mod patience;
mod slot;
mod switch;
mod tally;
mod turn;
mod worker;

pub use baton::Baton;
pub use capture::{Capture, Captured};
pub use engines::{ENGINES_MAX, Engines};
pub use monitor::{Monitors, Told, Watcher};
pub use switch::Switch;
pub use tally::{EngineStats, Tally};

use std::io;

use crossbeam_channel::{Sender, TrySendError};

use crate::frame::{NodeId, PortId};
use crate::router::policy::log::Record;

/// What the engine reports without being asked.
#[derive(Debug)]
pub enum Event {
    /// A rule of a router's wants a line about a packet.
    Logged(NodeId, Box<Record>),
    /// The interface of a port is gone or broken; its stations have been forgotten.
    PortGone(PortId, io::Error),
}

/// The engine cannot be reached: its thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine thread has ended")]
pub struct Stopped;

/// What a thread is called, by the numbers of its engine and of itself there.
pub fn thread_name(engine: usize, thread: usize) -> String {
    if thread == 0 { format!("engine-{engine}") } else { format!("engine-{engine}.{thread}") }
}

/// Sends an event without waiting: the engine never waits for anybody.
fn report(events: &Sender<Event>, event: Event) -> Result<(), Event> {
    match events.try_send(event) {
        Err(TrySendError::Full(event)) => Err(event),
        // nobody listens any more: the process is on its way out
        Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
    }
}
