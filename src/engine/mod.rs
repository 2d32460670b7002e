//! The data-plane threads.
//!
//! A thread owns everything that its frames meet: the fabric, the open ports, the buffers. It reads, walks and writes, and
//! does nothing else; its loop is in `turn`. Nobody else may touch what it owns, so there is no lock and no shared
//! counter. Whoever wants to know or change something sends a function over a bounded channel and wakes the poll;
//! the thread runs it between two turns and sends back what it returned ([`Engine::with`]). What the thread has to
//! say by itself (a port is gone) it says as an [`Event`].
//!
//! Networks that no wire joins need no common thread: each engine has a fabric of its own with some of the islands, and
//! [`Engines`] are all of them together. Ids and the clock are common, so an island can be handed from one to the other
//! (`island`).
//!
//! The thread has no capabilities: whatever a guest might make it do, it cannot open, configure or mount anything.

mod capture;
mod engines;
mod island;
mod monitor;
mod patience;
mod switch;
mod turn;

pub use capture::{Capture, Captured};
pub use engines::{ENGINES_MAX, Engines};
pub use monitor::{Monitors, Told, Watcher};
pub use switch::{EngineStats, Switch};

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use mio::{Poll, Waker};
use rustix::thread::CapabilitySet;

use crate::frame::{NodeId, PortId};
use crate::router::policy::log::Record;
use turn::{Clock, WAKE};

/// How many functions may wait for the engine.
const COMMANDS_MAX: usize = 64;
/// How many events may wait for the control thread; further ones are not lost but seen at the next turn.
const EVENTS_MAX: usize = 256;

/// Something the engine does between two turns.
type Command = Box<dyn FnOnce(&mut Switch) + Send>;

/// What the engine reports without being asked.
#[derive(Debug)]
pub enum Event {
    /// A rule of a router's wants a line about a packet.
    Logged(NodeId, Box<Record>),
    /// The interface of a port is gone or broken; the port has been closed and its stations forgotten.
    PortGone(PortId, io::Error),
}

/// The engine cannot be reached: its thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine thread has ended")]
pub struct Stopped;

/// The engine as the control thread sees it. Dropping it stops the thread and closes all ports.
#[derive(Debug)]
pub struct Engine {
    commands: Option<Sender<Command>>,
    waker: Arc<Waker>,
    events: Receiver<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the thread of that name with an empty fabric. `hash_key` keys the tables that guests can fill. `notify` is
    /// called, on the engine thread, when there is an event to be fetched.
    ///
    /// # Errors
    /// What the operating system says when there can be no more threads or descriptors.
    fn start(
        name: String,
        clock: Clock,
        hash_key: [u64; 2],
        notify: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (commands, command_receiver) = bounded(COMMANDS_MAX);
        let (event_sender, events) = bounded(EVENTS_MAX);
        let switch = Switch::new(hash_key, poll.registry().try_clone()?);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            drop_capabilities();
            turn::run(poll, switch, clock, &command_receiver, &event_sender, &notify);
        })?;
        Ok(Self { commands: Some(commands), waker, events, thread: Some(thread) })
    }

    /// Runs `work` on the engine thread, between two turns, and returns what it returned.
    ///
    /// # Errors
    /// [`Stopped`] if the thread has ended.
    pub fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Switch) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.ask(work)?.recv().map_err(|_| Stopped)
    }

    /// As [`Engine::with`], without waiting: what it returns can be received.
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Switch) -> T + Send + 'static,
    ) -> Result<Receiver<T>, Stopped> {
        let (sender, receiver) = bounded(1);
        let command: Command = Box::new(move |switch| {
            // the asker waits; if it has gone, so has the interest in the answer
            let _ = sender.send(work(switch));
        });
        self.commands.as_ref().ok_or(Stopped)?.send(command).map_err(|_| Stopped)?;
        self.waker.wake().map_err(|_| Stopped)?;
        Ok(receiver)
    }

    /// The events so far, oldest first.
    fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.events.try_iter()
    }

    /// Lets the thread end, without waiting for that.
    fn end(&mut self) {
        // a closed channel is what ends the thread's loop
        self.commands = None;
        let _ = self.waker.wake();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            // a panic of the engine has been printed by its hook; there is nobody left to tell
            let _ = thread.join();
        }
    }
}

/// Reading and writing open descriptors needs none. Failing to drop them leaves us no worse off than before.
fn drop_capabilities() {
    let none = CapabilitySet::empty();
    let sets = rustix::thread::CapabilitySets { effective: none, permitted: none, inheritable: none };
    let _ = rustix::thread::set_capabilities(None, sets);
}

/// Sends an event without waiting: the engine never waits for anybody.
fn report(events: &Sender<Event>, event: Event) -> Result<(), Event> {
    match events.try_send(event) {
        Err(TrySendError::Full(event)) => Err(event),
        // nobody listens any more: the process is on its way out
        Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
    }
}
