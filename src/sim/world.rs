//! A fabric with things plugged into it, and a clock that only moves when told.
//!
//! [`World::send`] puts a frame into a port at once; whatever the fabric delivers travels the wire of the port it
//! leaves through (see [`Wire`]) and ends in the inbox of that port, or at the [`Host`] plugged in there, which
//! may answer over the same wire. [`World::run_for`] lets time pass: arrivals and the fabric's own deadlines
//! happen in the order of their times, and of their creation where times are equal.
//!
//! The books are checked after every step. A test that fails with a world in its hands leaves behind the seed, a
//! capture file and the explanation of the last frame.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::bridge::{BridgeConfig, LegConfig};
use crate::fabric::{Change, ChangeError, Fabric};
use crate::frame::{Batch, Edit, End, Frame, LinkId, NodeId, PortId};
use crate::sim::host::Host;
use crate::sim::record::Recording;
use crate::sim::rng::{Rng, seed_from_environment};
use crate::time::Time;
use crate::trace::Trace;
use crate::wire::mac::Mac;

/// How often the fabric may ask for the same moment again before that counts as being stuck.
const TICKS_MAX: usize = 100_000;

/// What lies between a port and what is plugged into it, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// How long a frame is on its way.
    pub delay: Duration,
    /// How many of a hundred frames are lost.
    pub loss: u64,
}

/// A virtual world.
#[derive(Debug)]
pub struct World {
    /// The switch.
    pub fabric: Fabric,
    now: Time,
    seed: u64,
    rng: Rng,
    sockets: BTreeMap<PortId, Socket>,
    flights: BTreeMap<(Time, u64), Flight>,
    flown: u64,
    bridges: u16,
    links: u16,
    recording: Recording,
    last: Trace,
}

/// The outer side of a port.
#[derive(Debug, Default)]
struct Socket {
    wire: Wire,
    host: Option<Host>,
    /// The port at the other end of a cable.
    cable: Option<PortId>,
    inbox: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Flight {
    port: PortId,
    into: bool,
    bytes: Vec<u8>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty world with the user's seed (`VSWITCHD_SEED`), or seed 1.
    pub fn new() -> Self {
        Self::with_seed(seed_from_environment(1))
    }

    /// An empty world with that seed.
    pub fn with_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            fabric: Fabric::new([rng.next_u64(), rng.next_u64()]),
            now: Time::ZERO,
            seed,
            rng,
            sockets: BTreeMap::new(),
            flights: BTreeMap::new(),
            flown: 0,
            bridges: 0,
            links: 0,
            recording: Recording::default(),
            last: Trace::off(),
        }
    }

    /// A new bridge.
    pub fn bridge(&mut self, config: BridgeConfig) -> NodeId {
        let id = NodeId(self.bridges);
        self.bridges += 1;
        self.change(Change::AddBridge(id, config));
        id
    }

    /// A new port that nothing is plugged into: what it gets stays in its inbox.
    pub fn port(&mut self, bridge: NodeId, config: LegConfig) -> PortId {
        let id = PortId(self.sockets.len() as u16);
        self.sockets.insert(id, Socket::default());
        self.change(Change::AddPort(id, bridge, config));
        id
    }

    /// A new port with a machine on it. Its address is 02:00:00:00:01:NN on port NN.
    pub fn host(&mut self, bridge: NodeId, config: LegConfig, ip: [u8; 4]) -> PortId {
        let mac = Mac([2, 0, 0, 0, 1, self.sockets.len() as u8]);
        let port = self.port(bridge, LegConfig { mac: Some(mac), ..config });
        self.socket(port).host = Some(Host::new(mac, Ipv4Addr::from(ip)));
        port
    }

    /// Joins two bridges.
    pub fn link(&mut self, a: NodeId, b: NodeId) {
        let wire = LegConfig { mtu: u32::MAX, ..LegConfig::default() };
        let link = LinkId(self.links);
        self.links += 1;
        self.change(Change::AddLink(link, [a, b], [wire; 2]));
    }

    /// Joins two ports by a cable outside: what leaves through one enters through the other.
    pub fn cable(&mut self, a: PortId, b: PortId) {
        self.socket(a).cable = Some(b);
        self.socket(b).cable = Some(a);
    }

    /// Takes the cable out again.
    pub fn cut(&mut self, a: PortId) {
        if let Some(b) = self.socket(a).cable.take() {
            self.socket(b).cable = None;
        }
    }

    /// Lays another wire to a port.
    pub fn wire(&mut self, port: PortId, wire: Wire) {
        self.socket(port).wire = wire;
    }

    /// Makes a change that must succeed.
    ///
    /// # Panics
    /// If the fabric refuses it.
    pub fn change(&mut self, change: Change) {
        if let Err(error) = self.try_change(change.clone()) {
            panic!("{change:?}: {error}");
        }
    }

    /// Makes a change.
    pub fn try_change(&mut self, change: Change) -> Result<(), ChangeError> {
        self.fabric.apply(change, self.now)
    }

    /// Puts a frame into a port now, past its wire. What became of it.
    pub fn send(&mut self, port: PortId, bytes: &[u8]) -> End {
        self.last = self.fabric.explain(port, bytes, self.now);
        self.recording.add(self.now, port, true, bytes);
        let mut batch = Batch::new();
        batch.push(Frame::copy_of(bytes, port));
        self.fabric.receive(&mut batch, self.now);
        let [end] = batch.ends() else { panic!("one frame, one end, but {:?}", batch.ends()) };
        let end = *end;
        self.take_deliveries(&batch);
        end
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        let mut ticks = 0;
        loop {
            let arrival = self.flights.keys().next().map_or(Time::NEVER, |(at, _)| *at);
            let deadline = self.fabric.deadline().unwrap_or(Time::NEVER);
            let next = arrival.min(deadline);
            if next > until {
                break;
            }
            ticks = if next > self.now { 0 } else { ticks + 1 };
            assert!(ticks < TICKS_MAX, "at {} the fabric asks for the same moment for ever", self.now);
            self.now = self.now.max(next);
            if deadline <= arrival {
                let mut batch = Batch::new();
                self.fabric.tick(self.now, &mut batch);
                self.take_deliveries(&batch);
            } else if let Some((_, flight)) = self.flights.pop_first() {
                self.arrive(flight);
            }
        }
        self.now = until;
    }

    /// Jumps ahead without a tick: what has expired must be gone all the same.
    pub fn skip(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// The machine on a port pings an address; run the world to see whether it is answered.
    pub fn ping(&mut self, port: PortId, to: [u8; 4]) {
        let host = self.socket(port).host.as_mut().expect("a machine is on that port");
        let frame = host.ping(Ipv4Addr::from(to));
        self.fly(port, true, frame);
    }

    /// Whether a ping of the machine on `port` was answered from that address.
    pub fn answered(&self, port: PortId, from: [u8; 4]) -> bool {
        let host = self.sockets.get(&port).and_then(|socket| socket.host.as_ref());
        host.is_some_and(|host| host.pongs.contains(&Ipv4Addr::from(from)))
    }

    /// What arrived at a port since this was last asked, oldest first; frames still on the wire are not there yet.
    pub fn received(&mut self, port: PortId) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.socket(port).inbox)
    }

    /// The ports at which something has arrived since this was last asked; their inboxes are emptied.
    pub fn reached(&mut self) -> Vec<PortId> {
        let mut reached = Vec::new();
        for (port, socket) in &mut self.sockets {
            if !std::mem::take(&mut socket.inbox).is_empty() {
                reached.push(*port);
            }
        }
        reached
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What decided everything random.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn socket(&mut self, port: PortId) -> &mut Socket {
        self.sockets.get_mut(&port).unwrap_or_else(|| panic!("the world has no port {}", port.0))
    }

    /// Sends a frame over the wire of a port; without delay it is there at once, or, on the way in, at the next
    /// run, so that two machines that answer each other do not do so for ever at one moment.
    fn fly(&mut self, port: PortId, into: bool, bytes: Vec<u8>) {
        let wire = self.socket(port).wire;
        if self.rng.chance(wire.loss) {
            return;
        }
        let flight = Flight { port, into, bytes };
        if wire.delay.is_zero() && !into {
            return self.arrive(flight);
        }
        self.flown += 1;
        self.flights.insert((self.now + wire.delay, self.flown), flight);
    }

    fn arrive(&mut self, Flight { port, into, bytes }: Flight) {
        if into {
            self.send(port, &bytes);
            return;
        }
        let socket = self.socket(port);
        if let Some(other) = socket.cable {
            return self.fly(other, true, bytes);
        }
        let answer = socket.host.as_mut().and_then(|host| host.receive(&bytes));
        socket.inbox.push(bytes);
        if let Some(answer) = answer {
            self.fly(port, true, answer);
        }
    }

    /// What the fabric delivered leaves through the ports, as its edits want it.
    fn take_deliveries(&mut self, batch: &Batch) {
        for delivery in batch.deliveries() {
            let bytes = written(&batch.frames()[usize::from(delivery.frame)], &delivery.edit);
            self.recording.add(self.now, delivery.port, false, &bytes);
            self.fly(delivery.port, false, bytes);
        }
        self.check_books();
    }

    /// The law: what was received is what ended, in one way each.
    fn check_books(&self) {
        let books = self.fabric.books();
        assert!(books.balance(), "the books do not balance: {books:?}");
    }
}

/// The bytes that a port writes.
pub(super) fn written(frame: &Frame, edit: &Edit) -> Vec<u8> {
    let (head, len) = edit.head(frame.bytes());
    [&head[..len], &frame.bytes()[edit.tail()..]].concat()
}

/// Says how to have a failure again.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let name = std::thread::current().name().unwrap_or("world").replace("::", "-");
        let path = std::env::temp_dir().join(format!("vswitchd-{name}-{}.pcapng", self.seed));
        eprintln!("the world at {}: VSWITCHD_SEED={}", self.now, self.seed);
        match self.recording.save(&path) {
            Ok(()) => eprintln!("what crossed its ports: {}", path.display()),
            Err(error) => eprintln!("could not write {}: {error}", path.display()),
        }
        eprintln!("the last frame, explained:");
        for step in self.last.steps() {
            eprintln!("  {step:?}");
        }
    }
}
