//! The graph: devices, the wires between them, the walk, and the books.
//!
//! A [`Fabric`] owns the devices and how they are wired, and walks frames through them. It has no opinion on where a
//! frame should go: devices have (`bridge`), and the wires say what that means (`graph`). Isolation is the absence
//! of a wire.
//!
//! - `graph`: what is plugged into what; links form a tree
//! - `walk`: from device to device, for real and hypothetical frames alike
//! - `apply`: changes, as data, each all or nothing
//! - `explain`: a walk that changes nothing
//! - `books`: each received frame ends in exactly one column
//!
//! Frames and the time go in, frames come out. The fabric reads no clock, does no I/O, takes no lock, and allocates
//! nothing for a frame; nothing a frame contains can make it fail.

mod apply;
mod books;
mod change;
mod explain;
mod graph;
#[cfg(test)]
mod tests;
mod walk;

pub use books::Books;
pub use change::{Change, ChangeError, Membership, Station, VlanEntry};

pub use crate::bridge::Permit;

use self::graph::Graph;
use self::walk::{Branch, Traveller, walk};
use crate::bridge::{Bridge, BridgeCounters, StationEntry};
use crate::frame::{Batch, End, Headers, Leg, NodeId, PortId};
use crate::time::Time;
use crate::trace::{Step, Trace};
use crate::verdict::{DropCounters, Reason, Verdict};

/// How many expired entries one [`Fabric::tick`] clears away at most, over all devices: some ten microseconds.
const TICK_BUDGET: usize = 256;

/// Everything the core is.
#[derive(Debug)]
pub struct Fabric {
    hash_key: [u64; 2],
    /// By [`NodeId`].
    nodes: Vec<Option<Node>>,
    /// By [`PortId`].
    ports: Vec<Option<Port>>,
    graph: Graph,
    books: Books,
    /// For walks; kept for its memory.
    stack: Vec<Branch>,
    /// The device whose turn it is to be swept first.
    sweep_next: usize,
    /// What real frames do not take notes in.
    silence: Trace,
}

/// A device.
#[derive(Debug)]
enum Node {
    Bridge(Bridge),
}

/// A port, as far as the core is concerned.
#[derive(Debug)]
struct Port {
    leg: Leg,
    dropped: DropCounters,
}

/// What is plugged into a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Another bridge, by a link.
    Bridge(NodeId),
    /// A port.
    Port(PortId),
}

impl Fabric {
    /// An empty graph. `hash_key` keys every table a guest can fill; random in life, fixed in tests.
    pub fn new(hash_key: [u64; 2]) -> Self {
        Self {
            hash_key,
            nodes: Vec::new(),
            ports: Vec::new(),
            graph: Graph::default(),
            books: Books::default(),
            stack: Vec::new(),
            sweep_next: 0,
            silence: Trace::off(),
        }
    }

    /// Walks every frame of the batch through the graph, filling in its deliveries and ends.
    pub fn receive(&mut self, batch: &mut Batch, now: Time) {
        for index in 0..batch.frames().len() {
            let frame = &batch.frames()[index];
            let ingress = frame.ingress;
            let headers = Headers::parse(frame.bytes(), &frame.offload);
            let end = match (self.port(ingress), headers) {
                (None, _) => End::Dropped(Reason::IngressDown),
                (_, Err(reason)) => End::Dropped(reason),
                (Some(port), Ok(headers)) => {
                    let entry = port.leg;
                    let Self { nodes, graph, stack, books, silence, .. } = self;
                    let mut flight = Flight { nodes, books, batch, index, headers: &headers, now, silence };
                    walk(graph, entry, stack, &mut flight)
                }
            };
            self.books.enter(end);
            if let (End::Dropped(reason), Some(port)) = (end, self.port_mut(ingress)) {
                port.dropped.count(reason);
            }
            batch.end(end);
        }
    }

    /// Forgets what has expired: a bounded piece of work per call. What is left is due at once ([`Fabric::deadline`]).
    pub fn tick(&mut self, now: Time) {
        let mut budget = TICK_BUDGET;
        for _ in 0..self.nodes.len() {
            let index = self.sweep_next % self.nodes.len();
            if let Some(Node::Bridge(bridge)) = &mut self.nodes[index] {
                budget -= bridge.sweep(now, budget);
            }
            // whoever used the budget up was swept; the next call begins with its neighbour, so none is starved
            self.sweep_next = index + 1;
            if budget == 0 {
                return;
            }
        }
    }

    /// When `tick` should be called next; `None` while nothing can expire.
    pub fn deadline(&self) -> Option<Time> {
        let nodes = self.nodes.iter().flatten();
        nodes.filter_map(|Node::Bridge(bridge)| bridge.deadline()).min()
    }

    /// The books of the whole fabric.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// What a bridge has done; `None` if there is no such bridge.
    pub fn bridge_counters(&self, bridge: NodeId) -> Option<BridgeCounters> {
        self.node(bridge).map(|Node::Bridge(bridge)| *bridge.counters())
    }

    /// Why frames that entered through this port ended.
    pub fn dropped_in(&self, port: PortId) -> DropCounters {
        self.port(port).map(|port| port.dropped).unwrap_or_default()
    }

    /// Why copies that would have left through this port were withheld.
    pub fn withheld_out(&self, port: PortId) -> DropCounters {
        let Some(Leg { node, leg }) = self.port(port).map(|port| port.leg) else {
            return DropCounters::default();
        };
        self.node(node).map(|Node::Bridge(bridge)| bridge.withheld(leg)).unwrap_or_default()
    }

    /// The stations a bridge knows, in the order of their addresses, each with the port it is behind or, behind a
    /// link, the bridge there.
    pub fn stations(&self, bridge: NodeId, now: Time) -> Vec<(StationEntry, Behind)> {
        let stations = self.node(bridge).map(|Node::Bridge(bridge)| bridge.stations(now)).unwrap_or_default();
        let behind = |leg| self.graph.behind(Leg { node: bridge, leg });
        stations.into_iter().filter_map(|entry| Some((entry, behind(entry.leg)?))).collect()
    }

    /// What is plugged into a leg: to name the legs of a trace.
    pub fn behind(&self, leg: Leg) -> Option<Behind> {
        self.graph.behind(leg)
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

/// A real frame on its walk.
struct Flight<'a> {
    nodes: &'a mut [Option<Node>],
    books: &'a mut Books,
    batch: &'a mut Batch,
    index: usize,
    headers: &'a Headers,
    now: Time,
    silence: &'a mut Trace,
}

impl Traveller for Flight<'_> {
    #[inline]
    fn ask(&mut self, leg: Leg) -> Verdict {
        match self.nodes.get_mut(usize::from(leg.node.0)).and_then(Option::as_mut) {
            Some(Node::Bridge(bridge)) => bridge.forward(leg.leg, self.headers, self.now, self.silence),
            None => Verdict::Drop(Reason::NoPort),
        }
    }

    #[inline]
    fn deliver(&mut self, port: PortId) {
        self.books.delivered += 1;
        self.batch.deliver(self.index, port);
    }

    fn withhold(&mut self, leg: Leg, reason: Reason) {
        if let Some(Node::Bridge(bridge)) =
            self.nodes.get_mut(usize::from(leg.node.0)).and_then(Option::as_mut)
        {
            bridge.withhold(leg.leg, reason);
        }
    }

    #[inline]
    fn note(&mut self, _step: Step) {}
}
