//! What a thread of an engine owns, and one turn of it.
//!
//! A turn takes each ready port once: read a batch, walk it through the fabric, hand the copies to the ports they
//! leave through. A batch is limited in bytes as well as in frames, so that large frames are written while they are
//! still in the cache: the batch is for small frames, whose cost is the call. Copies are sorted by port before they
//! are written because one call may then carry many (raw ports), and keep the order they arrived in.
//!
//! A port that is tired of what its guards refuse (`slot`) rests: it is not read for a while, and what its guest sends
//! meanwhile waits in the guest's own queue.
//!
//! If several threads serve the fabric, each has a `Switch` of its own with its share of the ports, and takes the fabric while a
//! batch is walked, but not while it is read or written. The exception are batches in which frames leave that were
//! not read just now (`engine::engine` says why).
//!
//! After birth nothing here allocates per frame.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::Event;
use super::baton::Baton;
use super::capture::Captures;
use super::monitor::Monitors;
use super::slot::Slot;
use super::tally::{EngineStats, Tally};
use crate::fabric::Change;
use crate::frame::{BATCH_MAX, Batch, Outgoing, PORTS_MAX, PortId};
use crate::port::coalesce::coalesce;
use crate::port::{Pool, Port, PortCounters, Received};
use crate::time::Time;

/// Frames one port may put into a batch while it is the only one that is ready.
const FRAMES_PER_TURN: usize = BATCH_MAX;
/// The same while others wait. So many small frames, flooded to a few ports, take about as long as the one large frame that a
/// busy port has in its turn: who floods gets a share of the thread, not most of it.
const FRAMES_PER_TURN_SHARED: usize = 16;
/// Bytes after which a batch is closed: one large frame, so that it is written while it is still in the cache.
const BYTES_PER_TURN: usize = 32 * 1024;

/// While there is always a port that is ready, how long until the fabric is asked again what is due.
const ASK: Duration = Duration::from_millis(1);

/// How many batches of frames that devices have made are sent in a row: three times what can wait at a time.
const MAIL_BATCHES: usize = 96;

/// How long a port rests. A flood then takes some 32,000 reads per second, a few percent of the thread's time.
const REST: Duration = Duration::from_millis(2);

/// Everything a frame meets.
#[derive(Debug)]
pub struct Switch {
    /// The graph. A function that is run between two turns has it.
    pub fabric: Baton,
    /// Who listens in.
    pub captures: Captures,
    /// Who watches.
    pub monitors: Monitors,
    /// What the engine counts.
    pub stats: EngineStats,
    /// When the current command or turn started.
    pub now: Time,
    /// When the fabric had something to do next, the last time it was asked, and when that was.
    due: Time,
    asked: Time,
    registry: Registry,
    /// By [`PortId`]; only for ports that have been here, since each engine has but some of them.
    slots: Vec<Option<Box<Slot>>>,
    ready: VecDeque<PortId>,
    /// Ports that are not read for now, with the end of that, the first to end first.
    resting: VecDeque<(Time, PortId)>,
    pool: Pool,
    batch: Batch,
    /// Ports with something in their `outgoing`, in the order they got it.
    sending: Vec<PortId>,
    gone: VecDeque<Event>,
}

impl Switch {
    pub(super) fn new(fabric: Baton, registry: Registry) -> Self {
        Self {
            fabric,
            captures: Captures::default(),
            monitors: Monitors::default(),
            stats: EngineStats::default(),
            now: Time::ZERO,
            due: Time::ZERO,
            asked: Time::ZERO,
            registry,
            slots: std::iter::repeat_with(|| None).take(PORTS_MAX).collect(),
            ready: VecDeque::with_capacity(PORTS_MAX),
            resting: VecDeque::with_capacity(PORTS_MAX),
            pool: Pool::default(),
            batch: Batch::new(),
            sending: Vec::with_capacity(PORTS_MAX),
            gone: VecDeque::new(),
        }
    }

    /// Puts this thread's share of an open port into its place: from now on it is read and written. Its place in the fabric
    /// is made by [`Change::AddPort`], before or after.
    ///
    /// # Errors
    /// What the poll says; the share is closed then.
    pub fn attach(&mut self, id: PortId, mut port: Port) -> io::Result<()> {
        port.set_id(id);
        let token = Token(usize::from(id.0));
        for reader in port.readers() {
            self.registry.register(&mut SourceFd(&reader), token, Interest::READABLE)?;
        }
        let reads = port.queues() > 0;
        let slot = self.slots[usize::from(id.0)].get_or_insert_default();
        slot.outgoing.reserve(BATCH_MAX);
        slot.port = Some(port);
        if reads {
            // frames may have arrived before the poll knew the descriptor
            self.wake(id);
        }
        Ok(())
    }

    /// Takes this thread's share of a port out of its place, to be closed by whoever wants it closed.
    pub fn detach(&mut self, id: PortId) -> Option<Port> {
        let port = self.slot(id)?.port.take()?;
        for reader in port.readers() {
            // fails only for a descriptor that the poll has forgotten already
            let _ = self.registry.deregister(&mut SourceFd(&reader));
        }
        Some(port)
    }

    /// The ports that this thread has a share of.
    pub fn attached(&self) -> Vec<PortId> {
        (0..PORTS_MAX as u16).map(PortId).filter(|id| self.is_attached(*id)).collect()
    }

    /// Whether the first queue of that port is read by this thread.
    pub fn has_first_queue(&self, id: PortId) -> bool {
        let slot = self.slots.get(usize::from(id.0)).and_then(Option::as_ref);
        slot.and_then(|slot| slot.port.as_ref()).is_some_and(Port::has_first_queue)
    }

    /// Whether there is an open port in that place.
    pub fn is_attached(&self, id: PortId) -> bool {
        let slot = self.slots.get(usize::from(id.0)).and_then(Option::as_ref);
        slot.is_some_and(|slot| slot.port.is_some())
    }

    /// What this thread has counted, and at its shares of these ports.
    pub fn tally(&mut self, ports: &[PortId]) -> Tally {
        let open = self.slots.iter().flatten().filter_map(|slot| slot.port.as_ref());
        let reads = open.filter(|port| port.queues() > 0).count();
        let ports = ports.iter().filter_map(|id| Some((*id, self.counters(*id)?))).collect();
        Tally { stats: self.stats, reads, ports }
    }

    /// What has been counted at this thread's share of the open port in that place.
    pub fn counters(&mut self, id: PortId) -> Option<PortCounters> {
        Some(*self.slot(id)?.port.as_mut()?.ask_counters())
    }

    #[inline]
    fn slot(&mut self, id: PortId) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(id.0))?.as_deref_mut()
    }

    /// Whether some port may have more frames.
    pub(super) fn is_busy(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How long there is nothing to do unless somebody speaks.
    pub(super) fn sleep(&mut self, now: Time) -> Option<Duration> {
        let rested = self.resting.front().map(|(until, _)| *until);
        self.fabric.take();
        let due = self.fabric.deadline();
        self.fabric.pass();
        (self.due, self.asked) = (due.unwrap_or(Time::NEVER), now);
        let next = [due, rested].into_iter().flatten().min();
        next.map(|deadline| deadline - now)
    }

    /// The poll has something to say about a port.
    pub(super) fn wake(&mut self, id: PortId) {
        if let Some(slot) = self.slot(id)
            && slot.port.is_some()
            && !slot.ready
        {
            slot.ready = true;
            self.ready.push_back(id);
        }
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        let gone = self.gone.pop_front();
        gone.or_else(|| {
            self.fabric.take();
            let record = self.fabric.take_record();
            self.fabric.pass();
            record.map(|(router, record)| Event::Logged(router, Box::new(record)))
        })
    }

    /// One batch for each port that is ready now, then the fabric's timers.
    pub(super) fn turn(&mut self, now: Time) {
        self.now = now;
        while let Some((_, id)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            self.ready.push_back(id);
        }
        for _ in 0..self.ready.len() {
            let Some(id) = self.ready.pop_front() else { break };
            match self.serve(id) {
                Served::Again => self.ready.push_back(id),
                Served::Gone(error) => self.close(id, error),
                Served::Idle => self.slot(id).into_iter().for_each(|slot| slot.ready = false),
                Served::Tired => self.resting.push_back((now + REST, id)),
            }
        }
        let asks = self.due <= now || now - self.asked >= ASK;
        if !asks && self.monitors.is_empty() {
            return;
        }
        self.fabric.take();
        if asks {
            (self.due, self.asked) = (self.fabric.deadline().unwrap_or(Time::NEVER), now);
            if self.due <= now {
                self.fabric.tick(now, &mut self.batch);
                self.finish();
                self.send_mail();
                self.due = Time::ZERO;
            }
        }
        self.monitors.tell(&mut self.fabric, now);
        self.fabric.pass();
    }

    /// Reads a batch from the port and sees it through.
    fn serve(&mut self, id: PortId) -> Served {
        let frames_max = if self.ready.is_empty() { FRAMES_PER_TURN } else { FRAMES_PER_TURN_SHARED };
        let Some(slot) = &mut self.slots[usize::from(id.0)] else { return Served::Idle };
        let Some(port) = &mut slot.port else { return Served::Idle };
        let received = port.receive(&mut self.pool, &mut self.batch, frames_max, BYTES_PER_TURN);
        if slot.joining.joins() {
            coalesce(&mut self.batch, &mut self.pool);
        }
        let mut tired = false;
        if !self.batch.is_empty() {
            self.stats.batches += 1;
            self.stats.frames += self.batch.received() as u64;
            self.captures.look(&self.batch);
            self.fabric.take();
            self.fabric.receive(&mut self.batch, self.now);
            let others_leave = self.batch.frames().len() > self.batch.received();
            if !others_leave {
                self.fabric.pass();
            }
            tired = slot.is_tired(&self.batch);
            let cut = self.finish();
            if others_leave {
                self.send_mail();
                self.fabric.pass();
            }
            if cut && let Some(slot) = self.slot(id) {
                slot.joining.was_cut();
            }
        }
        match received {
            Received::Gone(error) => Served::Gone(error),
            Received::Drained | Received::More if tired => Served::Tired,
            Received::Drained => Served::Idle,
            Received::More => Served::Again,
        }
    }

    /// Sends what devices have made, as far as there was no room for it in the batch: packets that waited for an address leave
    /// before anybody decides about later ones of the same flow. Not without end, if devices go on answering each other.
    fn send_mail(&mut self) {
        for _ in 0..MAIL_BATCHES {
            if !self.fabric.has_mail() {
                return;
            }
            self.fabric.send_mail(&mut self.batch, self.now);
            self.finish();
        }
    }

    /// Sees a batch off that the fabric has decided on. Whether a large frame of it had to be cut.
    fn finish(&mut self) -> bool {
        let mut cut = false;
        if !self.batch.is_empty() {
            self.captures.record(&self.batch, self.now);
            cut = self.send();
            self.batch.clear(|buffer| self.pool.give(buffer));
        }
        cut
    }

    /// Hands the batch's deliveries to the ports. Whether a large frame had to be cut for one.
    fn send(&mut self) -> bool {
        let mut cut = false;
        let (frames, deliveries) = self.batch.outgoing();
        for delivery in deliveries {
            // a port that was never opened here gets nothing
            let Some(Some(slot)) = self.slots.get_mut(usize::from(delivery.port.0)) else { continue };
            cut |= frames[usize::from(delivery.frame)].offload.is_gso()
                && slot.port.as_ref().is_some_and(Port::cuts);
            let outgoing = &mut slot.outgoing;
            if outgoing.is_empty() {
                self.sending.push(delivery.port);
            }
            outgoing.push(Outgoing { frame: delivery.frame, edit: delivery.edit });
        }
        for id in self.sending.drain(..) {
            let Some(slot) = &mut self.slots[usize::from(id.0)] else { continue };
            if let Some(port) = &mut slot.port {
                port.send(frames, &slot.outgoing);
            }
            slot.outgoing.clear();
        }
        cut
    }

    /// The port's interface is gone: nobody else notices but those who spoke with it. Threads that read other queues of it
    /// find out themselves, and say nothing.
    fn close(&mut self, id: PortId, error: io::Error) {
        let port = self.detach(id);
        self.slot(id).into_iter().for_each(|slot| slot.ready = false);
        if port.is_some_and(|port| port.has_first_queue()) {
            self.fabric.take();
            self.lose(id, error);
            self.fabric.pass();
        }
    }

    /// Puts a share into its place that was elsewhere before. If the poll does not take it, that is as if the interface had gone.
    /// Only with the fabric.
    pub(super) fn attach_again(&mut self, id: PortId, port: Port) {
        let tells = port.has_first_queue();
        match self.attach(id, port) {
            Err(error) if tells => self.lose(id, error),
            _ => {}
        }
    }

    /// Nobody is behind the port any more.
    fn lose(&mut self, id: PortId, error: io::Error) {
        self.fabric.forget_guests(id, self.now);
        // fails only if the fabric has forgotten the port already
        let _ = self.fabric.apply(Change::SetPortUp(id, false), self.now);
        self.gone.push_back(Event::PortGone(id, error));
    }
}

/// What is to be done with a port after its turn.
enum Served {
    Again,
    Gone(io::Error),
    Idle,
    Tired,
}
