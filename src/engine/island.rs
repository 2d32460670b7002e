//! An island with its open ports, on its way from one engine to another.
//!
//! What moves is what the devices know and have counted, and the open ports as they are: what a port has read ahead, what it
//! has counted. A frame is read by one engine or by the other; those that come meanwhile wait in the queues of the kernel,
//! whose readiness the other engine's poll reports anew. So no frame is lost that would not be lost when a thread is
//! busy for as long, and none overtakes another. Other threads of the same engine give up their shares of the ports before, and
//! those of the other engine get theirs afterwards ([`Engines::hand_over`](super::Engines::hand_over)).

use super::engine::Engine;
use super::{Stopped, Switch};
use crate::fabric;
use crate::frame::{NodeId, PortId};
use crate::port::Port;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Island {
    island: fabric::Island,
    /// Of each port what the engine's first thread has of it, or all of it.
    ports: Vec<(PortId, Port)>,
}

/// What each of an engine's threads but the first has of some ports.
pub(super) type Shares = Vec<Vec<(PortId, Port)>>;

impl Island {
    /// Makes the ports whole.
    pub(super) fn join(&mut self, shares: Shares) {
        for (id, share) in shares.into_iter().flatten() {
            match self.ports.iter_mut().find(|(there, _)| *there == id) {
                Some((_, port)) => port.join(share),
                // the first thread has closed what it had: the interface is gone
                None => drop(share),
            }
        }
    }

    /// What is for each thread but the first of so many; the rest stays.
    fn deal(&mut self, threads: usize) -> Shares {
        let mut shares: Shares = (1..threads).map(|_| Vec::new()).collect();
        for (id, port) in std::mem::take(&mut self.ports) {
            let mut dealt = port.deal(threads).into_iter();
            self.ports.extend(dealt.next().map(|first| (id, first)));
            shares.iter_mut().zip(dealt).for_each(|(shares, share)| shares.push((id, share)));
        }
        shares
    }
}

impl Engine {
    /// Takes what the threads but the first have of the ports of these devices, so that only that one reads and writes there.
    pub(super) fn take_shares(&self, nodes: &[NodeId]) -> Result<Shares, Stopped> {
        let (first, others) = self.workers();
        if others.is_empty() {
            return Ok(Shares::new());
        }
        let nodes = nodes.to_vec();
        let ports: Vec<PortId> = first.with(move |switch| switch.fabric.ports_of(&nodes).collect())?;
        let take = |ports: Vec<PortId>| {
            move |switch: &mut Switch| {
                ports.into_iter().filter_map(|id| Some((id, switch.detach(id)?))).collect()
            }
        };
        others.iter().map(|worker| worker.with(take(ports.clone()))).collect()
    }

    /// Puts them back. A share that the poll does not take is closed.
    pub(super) fn put_shares(&self, shares: Shares) -> Result<(), Stopped> {
        let put = |shares: Vec<(PortId, Port)>| {
            move |switch: &mut Switch| {
                shares.into_iter().for_each(|(id, share)| switch.attach_again(id, share));
            }
        };
        self.workers().1.iter().zip(shares).try_for_each(|(worker, shares)| worker.with(put(shares)))
    }

    /// Puts an island with whole ports in; gives it back, and nothing has happened, if an id is in use here.
    pub(super) fn put_island(&self, mut island: Island) -> Result<Result<(), Box<Island>>, Stopped> {
        let shares = island.deal(self.threads());
        match self.with(move |switch| switch.put_island(island))? {
            Ok(()) => self.put_shares(shares).map(Ok),
            Err(mut island) => {
                island.join(shares);
                Ok(Err(island))
            }
        }
    }
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

    /// Puts them in, with what this thread is to have of the ports; gives them back, and nothing has happened, if an id is in use here. A port that this poll does not take
    /// is closed, as if its interface had gone.
    pub(super) fn put_island(&mut self, island: Island) -> Result<(), Box<Island>> {
        let Island { island, ports } = island;
        if let Err(island) = self.fabric.put_island(island) {
            return Err(Box::new(Island { island, ports }));
        }
        ports.into_iter().for_each(|(id, port)| self.attach_again(id, port));
        Ok(())
    }
}
