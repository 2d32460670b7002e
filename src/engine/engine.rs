//! One engine: a fabric, and the threads that serve it.
//!
//! There is one thread, or, where ports have several queues, as many as queues at most. Each reads other queues, but all can write
//! to every port: who has read a frame also writes it. So nothing is handed from thread to thread, frames stay in the cache
//! of one CPU, and a flow, which the kernel keeps in one queue, is read and written by one thread in its order.
//!
//! Frames that no thread has read a moment ago (packets that waited for a neighbour's address, frames that devices make) are
//! written by whichever thread made them leave, before it lets go of the fabric. Nobody can decide about a later frame of
//! the same flow before.

use std::io;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::baton::Baton;
use super::tally::Tally;
use super::turn::Clock;
use super::worker::Worker;
use super::{Event, Stopped, Switch, thread_name};
use crate::fabric::Fabric;
use crate::frame::PortId;
use crate::port::Port;

/// How many events may wait for the control thread; further ones are not lost but seen at the next turn.
const EVENTS_MAX: usize = 256;

/// The engine as the control thread sees it. Dropping it stops the threads and closes all ports.
pub(super) struct Engine {
    number: usize,
    clock: Clock,
    /// At least one. All have some share of every port.
    workers: Vec<Worker>,
    events: Receiver<Event>,
    /// For workers to come.
    event_sender: Sender<Event>,
    notify: Arc<dyn Fn() + Send + Sync>,
}

impl Engine {
    /// Starts the engine of that number with one thread and an empty fabric. `hash_key` keys the tables that guests can fill. `notify` is
    /// called, on the engine's threads, when there is an event to be fetched.
    ///
    /// # Errors
    /// What the operating system says when there can be no more threads or descriptors.
    pub(super) fn start(
        number: usize,
        clock: Clock,
        hash_key: [u64; 2],
        notify: Arc<dyn Fn() + Send + Sync>,
    ) -> io::Result<Self> {
        let (event_sender, events) = bounded(EVENTS_MAX);
        let fabric = Baton::new(Fabric::new(hash_key));
        let first =
            Worker::start(thread_name(number, 0), clock, fabric, event_sender.clone(), Arc::clone(&notify))?;
        Ok(Self { number, clock, workers: vec![first], events, event_sender, notify })
    }

    /// Starts more threads, until there are `count`, and deals all ports anew.
    ///
    /// # Errors
    /// As with [`Engine::start`]; those that were started stay.
    pub(super) fn grow(&mut self, count: usize) -> io::Result<()> {
        while self.workers.len() < count {
            let ports = self.with(|switch| switch.attached()).map_err(io::Error::other)?;
            let fabric = self.with(|switch| switch.fabric.share()).map_err(io::Error::other)?;
            let name = thread_name(self.number, self.workers.len());
            let (events, notify) = (self.event_sender.clone(), Arc::clone(&self.notify));
            let new = Worker::start(name, self.clock, fabric, events, notify)?;
            let listeners = self.with(|switch| (switch.captures.list(), switch.monitors.list()));
            let (captures, watchers) = listeners.map_err(io::Error::other)?;
            let joined = new.with(move |switch| {
                captures.into_iter().for_each(|capture| switch.captures.add(capture));
                let Switch { monitors, fabric, .. } = switch;
                watchers.into_iter().for_each(|watcher| monitors.add(fabric, watcher));
            });
            joined.map_err(io::Error::other)?;
            // a port is out of its place while the new thread is not among the workers, and back when it is
            let ports: Vec<_> = ports.into_iter().map(|id| (id, self.detach(id))).collect();
            self.workers.push(new);
            for (id, port) in ports {
                if let Ok(Some(port)) = port {
                    self.attach(id, port)?;
                }
            }
        }
        Ok(())
    }

    /// How many threads there are.
    pub(super) fn threads(&self) -> usize {
        self.workers.len()
    }

    /// The first thread, and the others.
    pub(super) fn workers(&self) -> (&Worker, &[Worker]) {
        self.workers.split_first().expect("there is one at least")
    }

    /// Runs `work` on the first thread, between two turns and with the fabric, and returns what it returned.
    pub(super) fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Switch) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.workers().0.with(work)
    }

    /// Puts an open port into its place: from now on it is read and written.
    ///
    /// # Errors
    /// What the poll says; the port is closed then.
    pub(super) fn attach(&self, id: PortId, port: Port) -> io::Result<()> {
        let shares = port.deal(self.workers.len());
        let attached = self.workers.iter().zip(shares).try_for_each(|(worker, share)| {
            worker.with(move |switch| switch.attach(id, share)).map_err(io::Error::other)?
        });
        if attached.is_err() {
            // what the other threads have of it; one that cannot be asked has nothing any more
            let _ = self.detach(id);
        }
        attached
    }

    /// Takes a port out of its place, to be closed by whoever wants it closed. Whatever was read is written by then.
    pub(super) fn detach(&self, id: PortId) -> Result<Option<Port>, Stopped> {
        let shares = self.workers.iter().map(|worker| worker.with(move |switch| switch.detach(id)));
        let shares: Vec<Option<Port>> = shares.collect::<Result<_, Stopped>>()?;
        Ok(shares.into_iter().flatten().reduce(|mut port, share| {
            port.join(share);
            port
        }))
    }

    /// Closes what is left of a port after [`Event::PortGone`]; false if it has been opened again meanwhile.
    pub(super) fn bury(&self, id: PortId) -> Result<bool, Stopped> {
        for worker in &self.workers {
            if worker.with(move |switch| switch.has_first_queue(id))? {
                return Ok(false);
            }
        }
        self.detach(id).map(|_| true)
    }

    /// What the threads but the first have counted: about themselves, and at their shares of these ports.
    pub(super) fn tally_others(&self, ports: &[PortId]) -> Result<Vec<Tally>, Stopped> {
        let ask = |worker: &Worker| {
            let ports = ports.to_vec();
            worker.with(move |switch| switch.tally(&ports))
        };
        self.workers().1.iter().map(ask).collect()
    }

    /// The events so far, oldest first.
    pub(super) fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.events.try_iter()
    }

    /// Lets the threads end, without waiting for that.
    pub(super) fn end(&mut self) {
        self.workers.iter_mut().for_each(Worker::end);
    }
}

/// All threads close their ports at the same time, since the kernel lets one wait for that.
impl Drop for Engine {
    fn drop(&mut self) {
        self.end();
    }
}
