//! The graph: devices, the wires between them, the walk, and the books.

mod change;

pub use change::{Change, ChangeError, Station};

use crate::bridge::StationEntry;
use crate::frame::{Batch, NodeId, PortId};
use crate::time::Time;
use crate::trace::Trace;
use crate::verdict::DropCounters;

/// Everything the core is.
#[derive(Debug)]
pub struct Fabric {}

/// What became of all frames so far: `received` is the sum of the others but `delivered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Frames that entered.
    pub received: u64,
    /// Ended at a device.
    pub consumed: u64,
    /// Ended, with a reason.
    pub drops: DropCounters,
    /// Handed to all eligible ports of a flood.
    pub flooded: u64,
    /// Kept by a device.
    pub parked: u64,
    /// Handed to one port.
    pub sent: u64,
    /// Copies handed to ports, by sending and flooding.
    pub delivered: u64,
}

impl Fabric {
    /// An empty graph. `hash_key` keys every table a guest can fill; random in life, fixed in tests.
    pub fn new(_hash_key: [u64; 2]) -> Self {
        todo!()
    }

    /// Walks every frame of the batch through the graph, filling in its deliveries and ends.
    pub fn receive(&mut self, _batch: &mut Batch, _now: Time) {
        todo!()
    }

    /// Forgets what has expired: a bounded piece of work per call.
    pub fn tick(&mut self, _now: Time) {
        todo!()
    }

    /// When `tick` should be called next; `None` while nothing can expire.
    pub fn deadline(&self) -> Option<Time> {
        todo!()
    }

    /// Changes the graph or a device; all or nothing.
    pub fn apply(&mut self, _change: Change, _now: Time) -> Result<(), ChangeError> {
        todo!()
    }

    /// What would happen to a frame now; nothing changes.
    pub fn explain(&self, _port: PortId, _frame: &[u8], _now: Time) -> Trace {
        todo!()
    }

    /// The books of the whole fabric.
    pub fn books(&self) -> &Books {
        todo!()
    }

    /// Why frames that entered through this port ended.
    pub fn dropped_in(&self, _port: PortId) -> DropCounters {
        todo!()
    }

    /// Why copies that would have left through this port were withheld.
    pub fn withheld_out(&self, _port: PortId) -> DropCounters {
        todo!()
    }

    /// The stations a bridge knows, in the order of their addresses, each with the port it is behind or, behind a
    /// link, the bridge there.
    pub fn stations(&self, _bridge: NodeId, _now: Time) -> Vec<(StationEntry, Behind)> {
        todo!()
    }
}

/// What is plugged into a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Another bridge, by a link.
    Bridge(NodeId),
    /// A port.
    Port(PortId),
}
