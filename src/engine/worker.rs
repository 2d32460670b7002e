//! A thread of an engine, as the control thread sees it.
//!
//! It is asked by sending it a function, which it runs between two turns while it has the fabric. The answer comes back
//! through a channel of its own, so that several threads can be asked at once and waited for afterwards.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use mio::{Poll, Waker};
use rustix::thread::CapabilitySet;

use super::baton::Baton;
use super::turn::{self, Clock, WAKE};
use super::{Event, Stopped, Switch};

/// How many functions may wait for a thread.
const COMMANDS_MAX: usize = 64;

/// Something the thread does between two turns.
pub(super) type Command = Box<dyn FnOnce(&mut Switch) + Send>;

/// See the module's documentation. Dropping it stops the thread and closes what it has of ports.
#[derive(Debug)]
pub(super) struct Worker {
    commands: Option<Sender<Command>>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread of that name. What it has to say goes to `events`, and then it calls `notify`.
    ///
    /// # Errors
    /// What the operating system says when there can be no more threads or descriptors.
    pub(super) fn start(
        name: String,
        clock: Clock,
        fabric: Baton,
        events: Sender<Event>,
        notify: Arc<dyn Fn() + Send + Sync>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (commands, command_receiver) = bounded(COMMANDS_MAX);
        let switch = Switch::new(fabric, poll.registry().try_clone()?);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            drop_capabilities();
            turn::run(poll, switch, clock, &command_receiver, &events, &*notify);
        })?;
        Ok(Self { commands: Some(commands), waker, thread: Some(thread) })
    }

    /// Runs `work` between two turns. What it returned can be received.
    ///
    /// # Errors
    /// [`Stopped`] if the thread has ended.
    pub(super) fn ask<T: Send + 'static>(
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

    /// As [`Worker::ask`], waiting for what it returned.
    ///
    /// # Errors
    /// [`Stopped`] if the thread has ended.
    pub(super) fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Switch) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.ask(work)?.recv().map_err(|_| Stopped)
    }

    /// Lets the thread end, without waiting for that.
    pub(super) fn end(&mut self) {
        // a closed channel is what ends the thread's loop
        self.commands = None;
        let _ = self.waker.wake();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            // a panic of the thread has been printed by its hook; there is nobody left to tell
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
