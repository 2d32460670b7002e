//! An island with its open ports, on its way from one engine to another.
//!
//! What moves is what the devices know and have counted, and the open ports as they are: what a port has read ahead, what it
//! has counted. A frame is read by one engine or by the other; those that come meanwhile wait in the queues of the kernel,
//! whose readiness the other engine's poll reports anew. So no frame is lost that would not be lost when a thread is
//! busy for as long, and none overtakes another.

use super::Switch;
use crate::fabric;
use crate::frame::{NodeId, PortId};
use crate::port::Port;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Island {
    island: fabric::Island,
    ports: Vec<(PortId, Port)>,
}

impl Switch {
    /// Takes devices out, with everything that is plugged into them; `None`, and nothing has happened, if a wire leads from
    /// them to others.
    pub(super) fn take_island(&mut self, nodes: &[NodeId]) -> Option<Island> {
        // what happened here is told here, with the names that legs have here
        self.monitors.tell(&mut self.fabric, self.now);
        let island = self.fabric.take_island(nodes)?;
        let ports = island.ports().filter_map(|id| Some((id, self.detach(id)?))).collect();
        Some(Island { island, ports })
    }

    /// Puts them in; gives them back, and nothing has happened, if an id is in use here. A port that this poll does not take
    /// is closed, as if its interface had gone.
    pub(super) fn put_island(&mut self, island: Island) -> Result<(), Box<Island>> {
        let Island { island, ports } = island;
        if let Err(island) = self.fabric.put_island(island) {
            return Err(Box::new(Island { island, ports }));
        }
        for (id, port) in ports {
            if let Err(error) = self.attach(id, port) {
                self.close(id, error);
            }
        }
        Ok(())
    }
}
