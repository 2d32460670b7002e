//! The graph: devices, the wires between them, the walk, and the books.
//!
//! A [`Fabric`] owns the devices and how they are wired, and walks frames through them. It has no opinion on where a
//! frame should go: devices have (`bridge`), and the wires say what that means (`graph`). Isolation is the absence
//! of a wire.
//!
//! - `graph`: what is plugged into what; a loop of links needs a spanning tree
//! - `walk`: from device to device, for real (`flight`) and hypothetical (`explain`) frames alike; `straight` is how most real
//!   ones go
//! - `post`: frames that devices make go the same ways
//! - `apply`: changes, as data, each all or nothing; those of routers are in `routers`
//! - `agenda`: when there is something to do
//! - `books`: each frame ends in exactly one column
//! - `views`: what there is to be seen, and `news`: what has happened
//! - `island`: parts that no wire joins to the rest, on their way to another fabric
//!
//! Frames and the time go in, frames come out. The fabric reads no clock, does no I/O, takes no lock, and allocates
//! nothing for a frame; nothing a frame contains can make it fail.

mod agenda;
mod apply;
mod books;
mod change;
mod explain;
mod flight;
mod graph;
mod island;
mod news;
mod post;
mod routed;
mod routers;
mod straight;
#[cfg(test)]
mod tests;
mod views;
mod walk;

pub use crate::bridge::{Permit, VlanEntry};
pub use books::Books;
pub use change::{Change, ChangeError, Membership, Station};
pub use island::Island;
pub use news::News;

use std::cell::RefCell;

use self::agenda::Agenda;
use self::flight::Flight;
use self::graph::Graph;
use self::straight::straight;
use self::walk::{Branch, walk};
use crate::bridge::{Bridge, Extras, Inside, Mail, Outbox};
use crate::frame::{Batch, Edit, End, Frame, Headers, Leg, NodeId, PortId};
use crate::router::Router;
use crate::time::Time;
use crate::trace::Trace;
use crate::verdict::{DropCounters, Reason};
use crate::wire::mac::Mac;

/// How many expired entries one [`Fabric::tick`] clears away at most, over all devices: some ten microseconds.
const TICK_BUDGET: usize = 256;

/// From how many frames on it pays to look for what they need at once.
const FORESEEN_LEAST: usize = 8;

/// Everything the core is.
#[derive(Debug)]
pub struct Fabric {
    hash_key: [u64; 2],
    /// By [`NodeId`].
    nodes: Vec<Option<Node>>,
    /// Which of them are routers.
    routers: Vec<NodeId>,
    /// By [`PortId`].
    ports: Vec<Option<Port>>,
    graph: Graph,
    /// In a cell, since asking for what is due changes nothing that anybody could see.
    agenda: RefCell<Agenda>,
    books: Books,
    /// What devices have to say.
    outbox: Outbox,
    /// What is being sent of that.
    mail: Mail,
    /// For walks; kept for its memory.
    stack: Vec<Branch>,
    /// For decisions; kept for its memory.
    extras: Extras,
    /// The device whose turn it is to be swept first.
    sweep_next: usize,
    /// What real frames do not take notes in.
    silence: Trace,
}

/// A device.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "every frame meets a bridge: no detour to it")]
enum Node {
    Bridge(Bridge),
    /// In a box: there are few of them, and they are large.
    Router(Box<Router>),
}

/// A port, as far as the core is concerned.
#[derive(Debug)]
struct Port {
    leg: Leg,
    dropped: DropCounters,
}

impl Fabric {
    /// An empty graph. `hash_key` keys every table a guest can fill; random in life, fixed in tests.
    pub fn new(hash_key: [u64; 2]) -> Self {
        Self {
            hash_key,
            nodes: Vec::new(),
            routers: Vec::new(),
            ports: Vec::new(),
            graph: Graph::default(),
            agenda: RefCell::default(),
            books: Books::default(),
            outbox: Outbox::default(),
            mail: Mail::default(),
            stack: Vec::new(),
            extras: Extras::default(),
            sweep_next: 0,
            silence: Trace::off(),
        }
    }

    /// Walks every frame of the batch through the graph, filling in its deliveries and ends. What devices say to that is
    /// added to the batch.
    pub fn receive(&mut self, batch: &mut Batch, now: Time) {
        self.foresee(batch);
        for index in 0..batch.received() {
            let frame = &batch.frames()[index];
            let ingress = frame.ingress;
            let headers = Headers::parse(frame.bytes(), &frame.offload);
            let end = match (self.port(ingress), headers) {
                (None, _) => End::Dropped(Reason::IngressDown),
                (_, Err(reason)) => End::Dropped(reason),
                (Some(port), Ok(headers)) => {
                    let entry = port.leg;
                    self.walk(batch, index, entry, headers, now)
                }
            };
            self.books.enter(end);
            if let (End::Dropped(reason), Some(port)) = (end, self.port_mut(ingress)) {
                port.dropped.count(reason);
            }
            batch.end(end);
            if !self.outbox.is_empty() {
                self.post(batch, now);
            }
        }
    }

    /// Lets the bridge that many frames of the batch come in at, and the routers behind it, look for all their destinations
    /// at once.
    #[inline]
    fn foresee(&mut self, batch: &Batch) {
        let frames = &batch.frames()[..batch.received()];
        if let Some(first) = frames.first().filter(|_| frames.len() >= FORESEEN_LEAST)
            && let Some(Leg { node, .. }) = self.port(first.ingress).map(|port| port.leg)
        {
            self.foresee_at(
                node,
                frames.iter().filter(|frame| frame.ingress == first.ingress).map(Frame::bytes),
            );
        }
    }

    fn foresee_at<'a>(&mut self, node: NodeId, frames: impl Iterator<Item = &'a [u8]> + Clone) {
        let Self { graph, nodes, routers, .. } = self;
        if let Some(Some(Node::Bridge(bridge))) = nodes.get_mut(usize::from(node.0)) {
            let destinations = frames.clone().filter_map(|frame| frame.first_chunk());
            bridge.foresee(destinations.map(|destination| Mac(*destination)));
        }
        if routers.is_empty() {
            return;
        }
        for at in graph.peers(node) {
            if let Some(Some(Node::Router(router))) = nodes.get_mut(usize::from(at.node.0)) {
                router.foresee(at.leg, frames.clone());
            }
        }
    }

    /// Does what is due: forgets what has expired, and lets devices speak, into the batch. A bounded piece of work per
    /// call; what is left is due at once ([`Fabric::deadline`]).
    pub fn tick(&mut self, now: Time, batch: &mut Batch) {
        self.post(batch, now);
        let mut budget = TICK_BUDGET;
        for _ in 0..self.nodes.len() {
            let index = self.sweep_next % self.nodes.len();
            self.agenda.get_mut().touch(NodeId(index as u16));
            let out = self.outbox.of(NodeId(index as u16));
            match &mut self.nodes[index] {
                Some(Node::Bridge(bridge)) => budget -= bridge.tick(now, budget, out),
                Some(Node::Router(router)) => {
                    budget -= router.tick(now, budget, &mut |leg, frame| out.send(leg, frame));
                }
                None => {}
            }
            // whoever used the budget up was swept; the next call begins with its neighbour, so none is starved
            self.sweep_next = index + 1;
            self.post(batch, now);
            if budget == 0 || batch.room() == 0 {
                return;
            }
        }
    }

    /// When `tick` should be called next; `None` while nothing can become due.
    pub fn deadline(&self) -> Option<Time> {
        if !self.outbox.is_empty() || !self.mail.is_empty() {
            return Some(Time::ZERO);
        }
        let earliest = self.agenda.borrow_mut().earliest(self.nodes.len(), |node| self.due(node));
        debug_assert_eq!(
            Some(earliest),
            (0..self.nodes.len()).map(|node| self.due(NodeId(node as u16))).chain([Time::NEVER]).min(),
            "who has changed was touched"
        );
        (earliest != Time::NEVER).then_some(earliest)
    }

    /// When that device has something to do.
    fn due(&self, node: NodeId) -> Time {
        let due = match self.node(node) {
            Some(Node::Bridge(bridge)) => bridge.deadline(),
            Some(Node::Router(router)) => router.deadline(),
            None => None,
        };
        due.unwrap_or(Time::NEVER)
    }

    #[inline(always)]
    fn walk(&mut self, batch: &mut Batch, index: usize, entry: Leg, mut headers: Headers, now: Time) -> End {
        let Self { graph, nodes, agenda, .. } = self;
        match straight(graph, (nodes, agenda.get_mut()), (batch, index), entry, &mut headers, now) {
            Ok(Some(port)) => {
                self.books.delivered += 1;
                batch.deliver(index, port, Edit::NONE);
                End::Sent
            }
            Ok(None) => End::Dropped(Reason::NoPort),
            Err(branch) => self.walk_on(batch, index, branch, headers, now),
        }
    }

    fn walk_on(
        &mut self,
        batch: &mut Batch,
        index: usize,
        branch: Branch,
        headers: Headers,
        now: Time,
    ) -> End {
        let Self { nodes, graph, agenda, stack, books, silence, extras, outbox, .. } = self;
        let agenda = agenda.get_mut();
        let mut flight = Flight { nodes, agenda, books, batch, index, headers, now, silence, extras, outbox };
        walk(graph, branch, stack, &mut flight)
    }

    fn exit(&self, leg: Leg, inside: &Inside, edit: Edit) -> Option<Edit> {
        let Some(Node::Bridge(bridge)) = self.node(leg.node) else { return Some(edit) };
        bridge.exit(inside, leg.leg, edit)
    }

    fn node(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(usize::from(node.0))?.as_ref()
    }

    #[inline]
    fn port(&self, port: PortId) -> Option<&Port> {
        self.ports.get(usize::from(port.0))?.as_ref()
    }

    fn port_mut(&mut self, port: PortId) -> Option<&mut Port> {
        self.ports.get_mut(usize::from(port.0))?.as_mut()
    }
}
