//! Changes of routers, and of the wires that lead to them.
//!
//! A router's interface is a wire: one end is a leg of the router, the other a leg of a bridge, to which the router is what the
//! kernel's bridge device is to the kernel's bridge. So it has a local entry there that no guest can take (B8, B41), is told
//! what concerns it only (B23), and is asked for no spanning tree. It joins no groups, so it gets them all, as a multicast
//! router does.

use super::{ChangeError, Fabric, Node};
use crate::bridge::{LegConfig, MulticastLegConfig, Role, RouterMode};
use crate::frame::{Leg, LinkId, NodeId, PORTS_MAX, PortId};
use crate::router::interface::Interface;
use crate::router::policy::log::Record;
use crate::router::routes::RouteError;
use crate::router::{Router, Settings};
use crate::time::Time;
use crate::wire::mac::Mac;

impl Fabric {
    pub(super) fn add_router(&mut self, node: NodeId, settings: Settings) -> Result<(), ChangeError> {
        let router = Box::new(Router::new(settings, self.hash_key));
        *self.place(node)? = Some(Node::Router(router));
        self.routers.push(node);
        Ok(())
    }

    pub(super) fn remove_router(&mut self, node: NodeId) -> Result<(), ChangeError> {
        self.router_mut(node)?;
        if !self.graph.is_bare(node) {
            return Err(ChangeError::InUse);
        }
        self.nodes[usize::from(node.0)] = None;
        self.routers.retain(|router| *router != node);
        Ok(())
    }

    pub(super) fn add_interface(
        &mut self,
        link: LinkId,
        at: Leg,
        bridge: NodeId,
        interface: Interface,
        now: Time,
    ) -> Result<(), ChangeError> {
        if usize::from(link.0) >= PORTS_MAX {
            return Err(ChangeError::Full);
        }
        let taken = self.router_mut(at.node)?.interfaces().any(|(leg, _)| leg == at.leg);
        if taken || self.graph.link(link).is_some() {
            return Err(ChangeError::Exists);
        }
        let there = self.attach(bridge, leg_config(&interface), now)?;
        if let Err(error) = self.router_mut(at.node)?.attach(at.leg, interface) {
            self.detach(at, now)?;
            self.detach(there, now)?;
            return Err(error.into());
        }
        self.graph.plug_link(link, [at, there]);
        self.stack.reserve(2 * self.graph.links());
        Ok(())
    }

    pub(super) fn configure_interface(
        &mut self,
        link: LinkId,
        interface: Interface,
        now: Time,
    ) -> Result<(), ChangeError> {
        let [at, there] = self.graph.link(link).ok_or(ChangeError::Unknown)?;
        self.router_mut(at.node)?;
        let config = leg_config(&interface);
        let (bridge, out) = self.bridge_mut(there.node)?;
        bridge.configure_leg(there.leg, config, now, out)?;
        Ok(self.router_mut(at.node)?.attach(at.leg, interface)?)
    }

    /// Whoever is behind a port has gone for good: routers on that network forget him, and his sessions end (P10).
    pub fn forget_guests(&mut self, port: PortId, now: Time) {
        let Some(Leg { node, leg }) = self.port(port).map(|port| port.leg) else { return };
        let stations = match self.node(node) {
            Some(Node::Bridge(bridge)) => bridge.stations(now),
            _ => return,
        };
        let is_gone = |mac: Mac| stations.iter().any(|station| station.leg == leg && station.mac == mac);
        let Self { graph, nodes, agenda, .. } = self;
        for at in graph.peers(node) {
            agenda.get_mut().touch(at.node);
            if let Some(Node::Router(router)) = nodes.get_mut(usize::from(at.node.0)).and_then(Option::as_mut)
            {
                router.forget_guests(at.leg, is_gone);
            }
        }
    }

    /// What a rule of some router's wants a line about, the oldest of that router first.
    #[inline]
    pub fn take_record(&mut self) -> Option<(NodeId, Record)> {
        let Self { nodes, routers, .. } = self;
        routers.iter().find_map(|id| match nodes.get_mut(usize::from(id.0))? {
            Some(Node::Router(router)) => Some((*id, router.take_record()?)),
            _ => None,
        })
    }

    pub(super) fn router_mut(&mut self, node: NodeId) -> Result<&mut Router, ChangeError> {
        match self.nodes.get_mut(usize::from(node.0)).and_then(Option::as_mut) {
            Some(Node::Router(router)) => Ok(router),
            Some(Node::Bridge(_)) | None => Err(ChangeError::Unknown),
        }
    }

    pub(super) fn is_bridge(&self, node: NodeId) -> bool {
        matches!(self.node(node), Some(Node::Bridge(_)))
    }
}

/// What a bridge is told of a router behind one of its legs.
fn leg_config(interface: &Interface) -> LegConfig {
    LegConfig {
        role: Role::Host,
        mac: Some(interface.mac),
        mtu: interface.mtu.into(),
        multicast: MulticastLegConfig { router: RouterMode::Always, ..MulticastLegConfig::default() },
        ..LegConfig::default()
    }
}

impl From<RouteError> for ChangeError {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::Exists => Self::Exists,
            RouteError::Full => Self::Full,
            RouteError::Family | RouteError::NoLeg | RouteError::Unreachable => Self::Invalid,
        }
    }
}
