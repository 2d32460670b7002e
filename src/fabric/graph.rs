//! The wires: what is plugged into which leg of which device, and nothing about what those do.
//!
//! Whether a link may be made is for the owner of the devices to say: a loop is sound if a spanning tree opens it. The
//! graph only tells whether two devices are joined already ([`Graph::joins`]).

use crate::frame::{Leg, LegIndex, LinkId, NodeId, Plug, PortId};

/// What is at the other end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// A leg of another device, and what this end of the link is called.
    Link(Leg, Plug),
    /// A port.
    Port(PortId),
}

/// All wires, by the id of the device and the leg at one end of them.
#[derive(Debug, Default)]
pub(super) struct Graph {
    wires: Vec<Vec<Option<Wire>>>,
    /// The legs of other devices that links lead to, by the id of the device, in the order of its own legs.
    joined: Vec<Vec<Leg>>,
    /// The two ends of each link, by its id.
    links: Vec<Option<[Leg; 2]>>,
}

impl Graph {
    /// What is plugged in there.
    #[inline]
    pub(super) fn wire(&self, leg: Leg) -> Option<Wire> {
        *self.wires.get(usize::from(leg.node.0))?.get(usize::from(leg.leg.0))?
    }

    /// What is plugged in there, as it is called outside.
    pub(super) fn plug(&self, leg: Leg) -> Option<Plug> {
        Some(match self.wire(leg)? {
            Wire::Link(_, plug) => plug,
            Wire::Port(port) => Plug::Port(port),
        })
    }

    /// The ends of a link.
    pub(super) fn link(&self, link: LinkId) -> Option<[Leg; 2]> {
        *self.links.get(usize::from(link.0))?
    }

    /// How many ids of links are in use: no frame has more branches open at a time than twice that.
    pub(super) fn links(&self) -> usize {
        self.links.len()
    }

    /// How many devices there may be.
    pub(super) fn devices(&self) -> usize {
        self.wires.len()
    }

    /// Whether nothing is plugged into the device.
    pub(super) fn is_bare(&self, node: NodeId) -> bool {
        self.wires_of(node).next().is_none()
    }

    /// Whether links lead from `a` to `b` by way of devices that `count`.
    pub(super) fn joins(&self, a: NodeId, b: NodeId, count: impl Fn(NodeId) -> bool) -> bool {
        let mut reached = vec![a];
        let mut next = 0;
        while let Some(&node) = reached.get(next) {
            next += 1;
            if node == b {
                return true;
            }
            for (_, wire) in self.wires_of(node) {
                if let Wire::Link(peer, _) = wire
                    && count(peer.node)
                    && !reached.contains(&peer.node)
                {
                    reached.push(peer.node);
                }
            }
        }
        false
    }

    /// Whether there is a loop among the devices that `count`: among them, more links than a forest has.
    pub(super) fn has_loop(&self, count: impl Fn(NodeId) -> bool) -> bool {
        let mut trees = Self::default();
        for (id, [a, b]) in (0..).map(LinkId).zip(&self.links).filter_map(|(id, ends)| Some((id, (*ends)?))) {
            if !(count(a.node) && count(b.node)) {
                continue;
            }
            if trees.joins(a.node, b.node, |_| true) {
                return true;
            }
            trees.plug_link(id, [a, b]);
        }
        false
    }

    /// Joins two legs by a link whose id is free.
    pub(super) fn plug_link(&mut self, link: LinkId, ends: [Leg; 2]) {
        let [a, b] = ends;
        *self.place(a) = Some(Wire::Link(b, Plug::Link(link, 0)));
        *self.place(b) = Some(Wire::Link(a, Plug::Link(link, 1)));
        ends.into_iter().for_each(|end| self.join(end.node));
        let index = usize::from(link.0);
        if self.links.len() <= index {
            self.links.resize(index + 1, None);
        }
        self.links[index] = Some(ends);
    }

    /// Joins a port and a leg.
    pub(super) fn plug_port(&mut self, leg: Leg, port: PortId) {
        *self.place(leg) = Some(Wire::Port(port));
    }

    /// Takes a link out.
    pub(super) fn unplug_link(&mut self, link: LinkId) {
        if let Some(ends) = self.links.get_mut(usize::from(link.0)).and_then(Option::take) {
            ends.into_iter().for_each(|leg| *self.place(leg) = None);
            ends.into_iter().for_each(|end| self.join(end.node));
        }
    }

    /// Takes a port out of its leg.
    pub(super) fn unplug_port(&mut self, leg: Leg) {
        *self.place(leg) = None;
    }

    /// Takes out all wires of these devices, whose links lead to no others.
    pub(super) fn take(
        &mut self,
        is_in: impl Fn(NodeId) -> bool,
        wires: &mut Vec<(NodeId, Vec<Option<Wire>>)>,
        links: &mut Vec<(LinkId, [Leg; 2])>,
    ) {
        let theirs = (0..).map(NodeId).zip(&mut self.wires).filter(|(node, _)| is_in(*node));
        wires.extend(theirs.map(|(node, wires)| (node, std::mem::take(wires))));
        let theirs = (0..).map(NodeId).zip(&mut self.joined).filter(|(node, _)| is_in(*node));
        theirs.for_each(|(_, joined)| joined.clear());
        for (id, ends) in (0..).map(LinkId).zip(&mut self.links) {
            links.extend(ends.take_if(|[a, _]| is_in(a.node)).map(|ends| (id, ends)));
        }
    }

    /// Puts in what [`Graph::take`] has taken out of another graph.
    pub(super) fn put(&mut self, wires: Vec<(NodeId, Vec<Option<Wire>>)>, links: Vec<(LinkId, [Leg; 2])>) {
        for (NodeId(node), wires) in wires {
            let node = usize::from(node);
            if self.wires.len() <= node {
                self.wires.resize_with(node + 1, Vec::new);
            }
            self.wires[node] = wires;
        }
        for (id, ends) in links {
            self.plug_link(id, ends);
        }
    }

    /// What is plugged into the device, in the order of its legs.
    pub(super) fn plugs(&self, node: NodeId) -> impl Iterator<Item = (LegIndex, Plug)> + '_ {
        self.wires_of(node).filter_map(move |(leg, _)| Some((leg, self.plug(Leg { node, leg })?)))
    }

    /// The legs of other devices that are linked to this one.
    pub(super) fn peers(&self, node: NodeId) -> impl Iterator<Item = Leg> + '_ {
        self.joined.get(usize::from(node.0)).into_iter().flatten().copied()
    }

    /// Notes which links lead away from a device, so that nobody who wants to know has to look at all its legs.
    fn join(&mut self, node: NodeId) {
        let peer = |(_, wire)| match wire {
            Wire::Link(peer, _) => Some(peer),
            Wire::Port(_) => None,
        };
        let peers = self.wires_of(node).filter_map(peer).collect();
        let index = usize::from(node.0);
        if self.joined.len() <= index {
            self.joined.resize_with(index + 1, Vec::new);
        }
        self.joined[index] = peers;
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
