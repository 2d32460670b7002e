//! All engines together.
//!
//! There is always one, and there are never more than [`ENGINES_MAX`]: an engine costs a thread, a poll and buffers
//! even while it has nothing to do (but no wakeup). Once started they stay until the end, so that what they have counted is
//! not lost. Which island lives on which is decided elsewhere (`control::placement`); here islands are only handed over.
//!
//! Captures and watchers are told to every engine, whatever it has now: ports move.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::tally::Tally;
use super::turn::Clock;
use super::{Event, Stopped, Switch};
use crate::frame::{NodeId, PortId};
use crate::port::Port;
use crate::time::Time;

/// More threads than this have nothing to share: the fixed buffers of each count.
pub const ENGINES_MAX: usize = 16;

/// The engines as the control thread sees them. Dropping them stops the threads and closes all ports.
pub struct Engines {
    engines: Vec<Engine>,
    hash_key: [u64; 2],
    notify: Arc<dyn Fn() + Send + Sync>,
    clock: Clock,
}

impl Engines {
    /// Starts the first. `hash_key` keys the tables that guests can fill. `notify` is called, on an engine's thread, when
    /// there is an event to be fetched.
    ///
    /// # Errors
    /// What the operating system says when there can be no more threads or descriptors.
    pub fn start(hash_key: [u64; 2], notify: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        let (engines, notify) = (Vec::new(), Arc::new(notify));
        let mut engines = Self { engines, hash_key, notify, clock: Clock::start() };
        engines.grow(1)?;
        Ok(engines)
    }

    /// Starts more, until there are `count` (or [`ENGINES_MAX`]). Captures and watchers that there are know them, too.
    ///
    /// # Errors
    /// As with [`Engines::start`]; those that were started stay.
    pub fn grow(&mut self, count: usize) -> io::Result<()> {
        while self.engines.len() < count.min(ENGINES_MAX) {
            let number = self.engines.len();
            let new = Engine::start(number, self.clock, self.hash_key, Arc::clone(&self.notify))?;
            if let Some(first) = self.engines.first() {
                let shared = first.with(|switch| (switch.captures.list(), switch.monitors.list()));
                let (captures, watchers) = shared.map_err(io::Error::other)?;
                let joined = new.with(move |switch| {
                    captures.into_iter().for_each(|capture| switch.captures.add(capture));
                    let Switch { monitors, fabric, .. } = switch;
                    watchers.into_iter().for_each(|watcher| monitors.add(fabric, watcher));
                });
                joined.map_err(io::Error::other)?;
            }
            self.engines.push(new);
        }
        Ok(())
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.engines.len()
    }

    /// Runs `work` on the thread of the engine of that number, between two turns, and returns what it returned.
    ///
    /// # Errors
    /// [`Stopped`] if the thread has ended, or there is none of that number.
    pub fn with<T: Send + 'static>(
        &self,
        engine: usize,
        work: impl FnOnce(&mut Switch) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.engines.get(engine).ok_or(Stopped)?.with(work)
    }

    /// Runs one function on the first thread of each engine, all at the same time, and returns what they returned, in the
    /// order of the engines. `work` makes the function for the engine of a number.
    ///
    /// # Errors
    /// [`Stopped`] if one of the threads has ended.
    pub fn each<T: Send + 'static, W: FnOnce(&mut Switch) -> T + Send + 'static>(
        &self,
        mut work: impl FnMut(usize) -> W,
    ) -> Result<Vec<T>, Stopped> {
        let asked =
            self.engines.iter().enumerate().map(|(number, engine)| engine.workers().0.ask(work(number)));
        let asked: Vec<_> = asked.collect::<Result<_, Stopped>>()?;
        asked.into_iter().map(|answer| answer.recv().map_err(|_| Stopped)).collect()
    }

    /// Runs a function on every thread, one after the other.
    ///
    /// # Errors
    /// [`Stopped`] if one of the threads has ended.
    pub fn each_thread<W: FnOnce(&mut Switch) + Send + 'static>(
        &self,
        mut work: impl FnMut() -> W,
    ) -> Result<(), Stopped> {
        for engine in &self.engines {
            let (first, others) = engine.workers();
            std::iter::once(first).chain(others).try_for_each(|worker| worker.with(work()))?;
        }
        Ok(())
    }

    /// Sees to it that the engine of that number has so many threads.
    ///
    /// # Errors
    /// What the operating system says when there can be no more.
    pub fn staff(&mut self, engine: usize, threads: usize) -> io::Result<()> {
        self.engines.get_mut(engine).map_or(Ok(()), |engine| engine.grow(threads))
    }

    /// Puts an open port into its place at that engine: from now on it is read and written. Its place in the fabric is made by
    /// [`crate::fabric::Change::AddPort`], before or after.
    ///
    /// # Errors
    /// What the poll says, or that the thread has ended; the port is closed then.
    pub fn attach(&self, engine: usize, id: PortId, port: Port) -> io::Result<()> {
        self.engines.get(engine).ok_or(Stopped).map_err(io::Error::other)?.attach(id, port)
    }

    /// Takes a port out of its place, to be closed by whoever wants it closed.
    ///
    /// # Errors
    /// [`Stopped`] if one of the threads has ended.
    pub fn detach(&self, engine: usize, id: PortId) -> Result<Option<Port>, Stopped> {
        self.engines.get(engine).ok_or(Stopped)?.detach(id)
    }

    /// Closes what is left of a port after [`Event::PortGone`]; false if it has been opened again meanwhile.
    ///
    /// # Errors
    /// [`Stopped`] if one of the threads has ended.
    pub fn bury(&self, engine: usize, id: PortId) -> Result<bool, Stopped> {
        self.engines.get(engine).ok_or(Stopped)?.bury(id)
    }

    /// What the threads of that engine, but for the first, have counted about themselves and at these ports.
    ///
    /// # Errors
    /// [`Stopped`] if one of the threads has ended.
    pub fn tally_others(&self, engine: usize, ports: &[PortId]) -> Result<Vec<Tally>, Stopped> {
        self.engines.get(engine).ok_or(Stopped)?.tally_others(ports)
    }

    /// Hands devices, with everything that is plugged into them, from one engine to another. Their frames wait meanwhile in
    /// the kernel's queues, so none is overtaken. Whether it was done: not if a wire leads from these devices to others.
    ///
    /// # Errors
    /// [`Stopped`] if one of the threads has ended.
    pub fn hand_over(&self, nodes: Vec<NodeId>, from: usize, to: usize) -> Result<bool, Stopped> {
        let (from, to) = (self.engines.get(from).ok_or(Stopped)?, self.engines.get(to).ok_or(Stopped)?);
        let shares = from.take_shares(&nodes)?;
        let Some(mut island) = from.with(move |switch| switch.take_island(&nodes))? else {
            return from.put_shares(shares).map(|()| false);
        };
        island.join(shares);
        let Err(island) = to.put_island(island)? else { return Ok(true) };
        // it was there a moment ago, so there is room
        from.put_island(*island).map(|_| false)
    }

    /// The events so far; those of one engine in their order.
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.engines.iter().flat_map(|engine| engine.events())
    }

    /// What the clock counts from, as nanoseconds since 1970: to turn a [`Time`] into a date.
    pub fn unix_origin_nanos(&self) -> u64 {
        self.clock.unix_origin_nanos()
    }

    /// How long the first has been running.
    pub fn uptime(&self) -> Duration {
        self.clock.now() - Time::ZERO
    }
}

/// All threads close their ports at the same time, since the kernel lets one wait for that.
impl Drop for Engines {
    fn drop(&mut self) {
        self.engines.iter_mut().for_each(Engine::end);
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;
    use crate::bridge::{BridgeConfig, LegConfig};
    use crate::engine::{Capture, Watcher};
    use crate::fabric::Change;
    use crate::frame::{Batch, Frame, LinkId, PortId};
    use crate::verdict::LegSet;

    fn engines(count: usize) -> Engines {
        let mut engines = Engines::start([1, 2], || {}).expect("a thread");
        engines.grow(count).expect("threads");
        engines
    }

    fn change(engines: &Engines, engine: usize, change: Change) {
        let made = engines.with(engine, |switch| switch.fabric.apply(change, switch.now)).expect("it runs");
        made.expect("a simple change");
    }

    /// A frame from a new station enters there; whether there is such a port.
    fn learn(engines: &Engines, engine: usize, port: PortId) -> bool {
        let received = engines.with(engine, move |switch| {
            let mut batch = Batch::new();
            batch.push(Frame::copy_of(&[[0xff; 6], [2, 0, 0, 0, 0, 7], [8; 6]].concat(), port));
            switch.fabric.receive(&mut batch, switch.now);
            switch.fabric.dropped_in(port).total()
        });
        received.expect("it runs") > 0
    }

    #[test]
    fn threads_have_names_and_there_are_not_too_many() {
        let engines = engines(ENGINES_MAX + 5);
        let name = |_| |_: &mut Switch| std::thread::current().name().map(str::to_owned);
        let names: Vec<_> = engines.each(name).expect("they run").into_iter().flatten().collect();
        let expected: Vec<String> = (0..ENGINES_MAX).map(|number| format!("engine-{number}")).collect();
        assert_eq!(names, expected);
        assert_eq!(engines.len(), ENGINES_MAX);
        assert_eq!(engines.with(ENGINES_MAX, |_| ()), Err(Stopped));
        let earlier = engines.with(0, |switch| switch.now).expect("it runs");
        let later = engines.with(1, |switch| switch.now).expect("it runs");
        assert!(earlier <= later, "one clock");
    }

    #[test]
    fn an_island_is_handed_over_with_what_it_knows() {
        let engines = engines(2);
        let (a, b, port) = (NodeId(0), NodeId(1), PortId(3));
        for node in [a, b] {
            change(&engines, 0, Change::AddBridge(node, BridgeConfig::default()));
        }
        change(&engines, 0, Change::AddPort(port, a, LegConfig::default()));
        assert!(learn(&engines, 0, port), "there is nobody else: it is dropped, and counted");
        assert_eq!(engines.hand_over(vec![a], 0, 1), Ok(true));
        let known = |engine| {
            let known = engines.with(engine, move |switch| {
                (switch.fabric.stations(a, switch.now).len(), switch.fabric.dropped_in(port).total())
            });
            known.expect("it runs")
        };
        assert_eq!((known(0), known(1)), ((0, 0), (1, 1)));
        assert_eq!(engines.hand_over(vec![a], 0, 1), Ok(false), "it is not there");
        assert_eq!(engines.hand_over(vec![b], 0, 1), Ok(true));
        change(&engines, 1, Change::AddLink(LinkId(0), [a, b], [LegConfig::default(); 2]));
        assert_eq!(engines.hand_over(vec![a], 1, 0), Ok(false), "half of it");
        change(&engines, 0, Change::AddBridge(a, BridgeConfig::default()));
        assert_eq!(engines.hand_over(vec![a, b], 1, 0), Ok(false), "an id is taken there");
        assert_eq!(known(1), (1, 1), "and it is back where it was");
    }

    #[test]
    fn who_looks_on_sees_engines_that_come_later() {
        let mut engines = engines(1);
        let ((sink, told), (copies, _captured), reader) = (bounded(8), bounded(8), Arc::new(()));
        let watcher = Watcher { sink, reader: Arc::downgrade(&reader) };
        let capture = Capture {
            ports: LegSet::EMPTY,
            drops_only: true,
            snaplen: 60,
            sink: copies,
            reader: Arc::downgrade(&reader),
        };
        let begin = move |switch: &mut Switch| {
            switch.monitors.add(&mut switch.fabric, watcher);
            switch.captures.add(capture);
        };
        engines.with(0, begin).expect("it runs");
        engines.grow(2).expect("a thread");
        change(&engines, 1, Change::AddBridge(NodeId(0), BridgeConfig::default()));
        change(&engines, 1, Change::AddPort(PortId(0), NodeId(0), LegConfig::default()));
        learn(&engines, 1, PortId(0));
        let news = told.recv_timeout(Duration::from_secs(10)).expect("the turn after the command tells");
        assert_eq!(news.news.node, NodeId(0));
        let captures = engines.each(|_| |switch: &mut Switch| switch.captures.list().len());
        assert_eq!(captures, Ok(vec![1, 1]));
        drop(reader);
    }
}
