//! Islands: parts of the graph that no wire joins to the rest, taken out of one fabric and put into another.
//!
//! Networks that no link and no router joins have nothing to say to each other, so they can live in fabrics of their own,
//! each with a thread of its own; and when a wire is to join them they have to live in one. An [`Island`] is everything that
//! a fabric knows of such a part, as one value: the devices with all they have learned, their wires, the ports with what was
//! counted there, and the frames that devices have made but that have not left yet. Ids are the same everywhere, so nothing
//! is renamed, and times are of one clock, so no timer is touched.
//!
//! What is not taken: the books, which are about frames that have ended, and are added up over all fabrics by whoever wants
//! the sum; and news, which [`Fabric::news`] hands out before.

use super::graph::Wire;
use super::{Fabric, Node, Port};
use crate::frame::{Leg, LegIndex, LinkId, NODES_MAX, NodeId, PORTS_MAX, PortId};

/// A part of the graph, on its way from one fabric to another.
#[derive(Debug, Default)]
pub struct Island {
    nodes: Vec<(NodeId, Node)>,
    /// What is plugged into the legs of each.
    wires: Vec<(NodeId, Vec<Option<Wire>>)>,
    links: Vec<(LinkId, [Leg; 2])>,
    ports: Vec<(PortId, Port)>,
    /// Frames that devices have made, the oldest first.
    mail: Vec<(NodeId, LegIndex, Vec<u8>)>,
}

impl Island {
    /// The ports, in the order of their ids.
    pub fn ports(&self) -> impl Iterator<Item = PortId> + '_ {
        self.ports.iter().map(|(id, _)| *id)
    }

    /// The devices, in the order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().map(|(id, _)| *id)
    }
}

impl Fabric {
    /// Every device that wires join to this one, itself included, in the order of their ids; none if there is no such device.
    pub fn island(&self, node: NodeId) -> Vec<NodeId> {
        let mut found = Vec::from_iter(self.node(node).map(|_| node));
        let mut next = 0;
        while let Some(&node) = found.get(next) {
            next += 1;
            for peer in self.graph.peers(node) {
                if !found.contains(&peer.node) {
                    found.push(peer.node);
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// The ports that are plugged into these devices, in the order of their ids.
    pub fn ports_of(&self, nodes: &[NodeId]) -> impl Iterator<Item = PortId> {
        let is_there = |port: &Port| nodes.contains(&port.leg.node);
        let ids = (0..).map(PortId).zip(&self.ports);
        ids.filter(move |(_, port)| port.as_ref().is_some_and(is_there)).map(|(id, _)| id)
    }

    /// Takes out these devices and everything that is plugged into them. `None`, and nothing has happened, if one of them is
    /// not here, or a wire leads to a device that is not among them.
    pub fn take_island(&mut self, nodes: &[NodeId]) -> Option<Island> {
        let is_in = |node: NodeId| nodes.contains(&node);
        let is_whole =
            |node: &NodeId| self.node(*node).is_some() && self.graph.peers(*node).all(|p| is_in(p.node));
        if !nodes.iter().all(is_whole) {
            return None;
        }
        self.agenda.get_mut().touch_all();
        let mut island = Island::default();
        for (id, node) in (0..).map(NodeId).zip(&mut self.nodes).filter(|(id, _)| is_in(*id)) {
            island.nodes.extend(node.take().map(|node| (id, node)));
        }
        for (id, port) in (0..).map(PortId).zip(&mut self.ports) {
            let port = port.take_if(|port| is_in(port.leg.node));
            island.ports.extend(port.map(|port| (id, port)));
        }
        self.graph.take(is_in, &mut island.wires, &mut island.links);
        self.routers.retain(|router| !is_in(*router));
        // what is being sent is older than what waits
        self.mail.extract(is_in, &mut island.mail);
        self.outbox.extract(is_in, &mut island.mail);
        Some(island)
    }

    /// Puts an island in. Gives it back, and nothing has happened, if one of its ids is in use here. Frames that there is no
    /// room for are lost and counted, as always.
    pub fn put_island(&mut self, island: Island) -> Result<(), Island> {
        let is_free = island
            .nodes
            .iter()
            .all(|(id, _)| usize::from(id.0) < NODES_MAX && self.node(*id).is_none())
            && island.ports.iter().all(|(id, _)| usize::from(id.0) < PORTS_MAX && self.port(*id).is_none())
            && island.links.iter().all(|(id, _)| self.graph.link(*id).is_none());
        if !is_free {
            return Err(island);
        }
        self.agenda.get_mut().touch_all();
        let Island { nodes, wires, links, ports, mail } = island;
        for (id, node) in nodes {
            if matches!(node, Node::Router(_)) {
                self.routers.push(id);
            }
            *place(&mut self.nodes, id.0) = Some(node);
        }
        for (id, port) in ports {
            *place(&mut self.ports, id.0) = Some(port);
        }
        self.graph.put(wires, links);
        self.stack.reserve(2 * self.graph.links());
        for (node, leg, bytes) in mail {
            self.outbox.of(node).send(leg, &bytes);
        }
        Ok(())
    }
}

/// The place of that number, made if need be.
fn place<T>(list: &mut Vec<Option<T>>, id: u16) -> &mut Option<T> {
    let index = usize::from(id);
    if list.len() <= index {
        list.resize_with(index + 1, || None);
    }
    &mut list[index]
}
