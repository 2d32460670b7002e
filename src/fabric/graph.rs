//! The wires: what is plugged into which leg of which device, and nothing about what those do.
//!
//! Links between devices form a tree (more exactly a forest): a wire that would close a loop is refused. So a frame
//! that is flooded over links meets every device at most once, without a spanning tree and without memory (B27).

use super::{Behind, ChangeError};
use crate::frame::{Leg, LegIndex, NodeId, PortId};

/// What is at the other end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// A leg of another device.
    Link(Leg),
    /// A port.
    Port(PortId),
}

/// All wires, by the id of the device and the leg at one end of them.
#[derive(Debug, Default)]
pub(super) struct Graph {
    wires: Vec<Vec<Option<Wire>>>,
    links: usize,
}

impl Graph {
    /// What is plugged in there.
    #[inline]
    pub(super) fn wire(&self, leg: Leg) -> Option<Wire> {
        *self.wires.get(usize::from(leg.node.0))?.get(usize::from(leg.leg.0))?
    }

    /// What is plugged in there, for people.
    pub(super) fn behind(&self, leg: Leg) -> Option<Behind> {
        Some(match self.wire(leg)? {
            Wire::Link(peer) => Behind::Bridge(peer.node),
            Wire::Port(port) => Behind::Port(port),
        })
    }

    /// How many links there are: the most branches that one frame can have open at a time.
    pub(super) fn links(&self) -> usize {
        self.links
    }

    /// Whether nothing is plugged into the device.
    pub(super) fn is_bare(&self, node: NodeId) -> bool {
        self.wires_of(node).next().is_none()
    }

    /// The leg of `a` that is linked to `b`, and the leg of `b`.
    pub(super) fn link(&self, a: NodeId, b: NodeId) -> Option<(Leg, Leg)> {
        self.wires_of(a).find_map(|(leg, wire)| match wire {
            Wire::Link(peer) if peer.node == b => Some((Leg { node: a, leg }, peer)),
            _ => None,
        })
    }

    /// Whether a link between the two would keep the links a tree.
    pub(super) fn may_link(&self, a: NodeId, b: NodeId) -> Result<(), ChangeError> {
        let mut reached = vec![a];
        let mut next = 0;
        while let Some(&node) = reached.get(next) {
            next += 1;
            if node == b {
                return Err(ChangeError::Loop);
            }
            for (_, wire) in self.wires_of(node) {
                if let Wire::Link(peer) = wire
                    && !reached.contains(&peer.node)
                {
                    reached.push(peer.node);
                }
            }
        }
        Ok(())
    }

    /// Joins two legs.
    pub(super) fn plug_link(&mut self, a: Leg, b: Leg) {
        *self.place(a) = Some(Wire::Link(b));
        *self.place(b) = Some(Wire::Link(a));
        self.links += 1;
    }

    /// Joins a port and a leg.
    pub(super) fn plug_port(&mut self, leg: Leg, port: PortId) {
        *self.place(leg) = Some(Wire::Port(port));
    }

    /// Takes out what is plugged in there.
    pub(super) fn unplug(&mut self, leg: Leg) {
        if let Some(Wire::Link(peer)) = self.place(leg).take() {
            *self.place(peer) = None;
            self.links -= 1;
        }
    }

    fn wires_of(&self, node: NodeId) -> impl Iterator<Item = (LegIndex, Wire)> + '_ {
        let wires = self.wires.get(usize::from(node.0)).into_iter().flatten();
        (0..).map(LegIndex).zip(wires).filter_map(|(leg, wire)| Some((leg, (*wire)?)))
    }

    fn place(&mut self, leg: Leg) -> &mut Option<Wire> {
        let (node, leg) = (usize::from(leg.node.0), usize::from(leg.leg.0));
        if self.wires.len() <= node {
            self.wires.resize_with(node + 1, Vec::new);
        }
        let wires = &mut self.wires[node];
        if wires.len() <= leg {
            wires.resize(leg + 1, None);
        }
        &mut wires[leg]
    }
}
