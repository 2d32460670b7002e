//! Changes to a running fabric. Each is checked before anything is touched, so it is all or nothing.

use super::{Change, ChangeError, Fabric, Membership, Node, Port, Station};
use crate::bridge::{Bridge, BridgeConfig, ConfigError, LegConfig, Outbox, StpMode};
use crate::frame::{Leg, LegIndex, LinkId, NODES_MAX, NodeId, PORTS_MAX, Plug, PortId};
use crate::time::Time;
use crate::verdict::DropCounters;

impl Fabric {
    /// Changes the graph or a device; all or nothing.
    pub fn apply(&mut self, change: Change, now: Time) -> Result<(), ChangeError> {
        self.agenda.get_mut().touch_all();
        match change {
            Change::AddBridge(node, config) => self.add_bridge(node, config, now),
            Change::AddGroup(Membership { bridge, at, vlan, group }) => {
                let leg = self.leg_on(bridge, at)?;
                let (bridge, out) = self.bridge_mut(bridge)?;
                Ok(bridge.add_group(leg, vlan, group, now, out)?)
            }
            Change::AddInterface(link, at, bridge, interface) => {
                self.add_interface(link, at, bridge, *interface, now)
            }
            Change::AddLink(link, nodes, configs) => self.add_link(link, nodes, configs, now),
            Change::AddPermit(at, permit) => {
                let (bridge, leg, _) = self.leg_mut(at)?;
                Ok(bridge.add_permit(leg, permit)?)
            }
            Change::AddPort(port, node, config) => self.add_port(port, node, config, now),
            Change::AddRoute(router, to, via, leg) => Ok(self.router_mut(router)?.add_route(to, via, leg)?),
            Change::AddRouter(node, settings) => self.add_router(node, settings),
            Change::AddStation(Station { bridge, mac, vlan, at, kind }) => {
                let leg = self.leg_on(bridge, at)?;
                let (bridge, out) = self.bridge_mut(bridge)?;
                Ok(bridge.add_station(mac, vlan, leg, kind, now, out)?)
            }
            Change::AddVlan(at, entry) => {
                let (bridge, leg, out) = self.leg_mut(at)?;
                Ok(bridge.add_vlan(leg, entry, now, out)?)
            }
            Change::ConfigureBridge(node, config) => self.configure_bridge(node, config, now),
            Change::ConfigureInterface(link, interface) => self.configure_interface(link, *interface, now),
            Change::ConfigureLeg(at, config) => {
                let (bridge, leg, out) = self.leg_mut(at)?;
                Ok(bridge.configure_leg(leg, config, now, out)?)
            }
            Change::ConfigureRouter(router, settings) => {
                self.router_mut(router)?.configure(settings);
                Ok(())
            }
            Change::Flush(node, at, vid) => {
                let leg = at.map(|at| self.leg_on(node, at)).transpose()?;
                let (bridge, out) = self.bridge_mut(node)?;
                bridge.flush(leg, vid, out);
                Ok(())
            }
            Change::RemoveBridge(node) => self.remove_bridge(node),
            Change::RemoveGroup(Membership { bridge, at, vlan, group }) => {
                let leg = self.leg_on(bridge, at)?;
                let (bridge, out) = self.bridge_mut(bridge)?;
                Ok(bridge.remove_group(leg, vlan, group, now, out)?)
            }
            Change::RemoveLink(link) => {
                let ends = self.graph.link(link).ok_or(ChangeError::Unknown)?;
                self.graph.unplug_link(link);
                ends.into_iter().try_for_each(|end| self.detach(end, now))
            }
            Change::RemovePermit(at, permit) => {
                let (bridge, leg, _) = self.leg_mut(at)?;
                Ok(bridge.remove_permit(leg, permit)?)
            }
            Change::RemovePort(port) => {
                let at = self.leg_of(Plug::Port(port))?;
                self.forget_guests(port, now);
                self.graph.unplug_port(at);
                self.ports[usize::from(port.0)] = None;
                self.detach(at, now)
            }
            Change::RemoveRoute(router, to, via) => match self.router_mut(router)?.remove_route(to, via) {
                true => Ok(()),
                false => Err(ChangeError::Unknown),
            },
            Change::RemoveRouter(router) => self.remove_router(router),
            Change::RemoveStation(Station { bridge, mac, vlan, kind, .. }) => {
                let (bridge, out) = self.bridge_mut(bridge)?;
                Ok(bridge.remove_station(mac, vlan, kind, out)?)
            }
            Change::RemoveVlan(at, vid) => {
                let (bridge, leg, out) = self.leg_mut(at)?;
                Ok(bridge.remove_vlan(leg, vid, out)?)
            }
            Change::SetBackup(at, backup) => {
                let Leg { node, leg } = self.leg_of(at)?;
                let backup = backup.map(|backup| self.leg_on(node, backup)).transpose()?;
                Ok(self.bridge_mut(node)?.0.set_backup(leg, backup)?)
            }
            Change::SetLinkUp(link, up) => {
                let ends = self.graph.link(link).ok_or(ChangeError::Unknown)?;
                ends.into_iter().try_for_each(|end| {
                    let Ok((bridge, out)) = self.bridge_mut(end.node) else { return Ok(()) };
                    Ok(bridge.set_up(end.leg, up, now, out)?)
                })
            }
            Change::SetPolicy(router, config) => {
                self.router_mut(router)?.set_policy(*config);
                Ok(())
            }
            Change::SetPortUp(port, up) => {
                let (bridge, leg, out) = self.leg_mut(Plug::Port(port))?;
                Ok(bridge.set_up(leg, up, now, out)?)
            }
        }
    }

    fn add_bridge(&mut self, node: NodeId, config: BridgeConfig, now: Time) -> Result<(), ChangeError> {
        let bridge = Bridge::new(config, self.hash_key, now)?;
        *self.place(node)? = Some(Node::Bridge(bridge));
        Ok(())
    }

    /// The place of a new device.
    pub(super) fn place(&mut self, node: NodeId) -> Result<&mut Option<Node>, ChangeError> {
        let index = usize::from(node.0);
        if index >= NODES_MAX {
            return Err(ChangeError::Full);
        }
        if self.node(node).is_some() {
            return Err(ChangeError::Exists);
        }
        if self.nodes.len() <= index {
            self.nodes.resize_with(index + 1, || None);
        }
        Ok(&mut self.nodes[index])
    }

    /// A spanning tree may not be taken from a bridge that keeps a loop open.
    fn configure_bridge(&mut self, node: NodeId, config: BridgeConfig, now: Time) -> Result<(), ChangeError> {
        self.bridge_mut(node)?;
        let gives_up = config.stp.mode == StpMode::Off && self.has_tree(node);
        let without = |other| other == node || self.is_bridge(other) && !self.has_tree(other);
        if gives_up && self.graph.has_loop(without) {
            return Err(ChangeError::Loop);
        }
        let (bridge, out) = self.bridge_mut(node)?;
        Ok(bridge.configure(config, now, out)?)
    }

    /// A link is an ordinary port to both bridges, as a veth between two kernel bridges is. One bridge with a spanning tree
    /// on a loop opens it, because the others pass its messages on (B34); so bridges without one must form trees.
    fn add_link(
        &mut self,
        link: LinkId,
        [a, b]: [NodeId; 2],
        configs: [LegConfig; 2],
        now: Time,
    ) -> Result<(), ChangeError> {
        if usize::from(link.0) >= PORTS_MAX {
            return Err(ChangeError::Full);
        }
        if self.graph.link(link).is_some() {
            return Err(ChangeError::Exists);
        }
        self.bridge_mut(a)?;
        self.bridge_mut(b)?;
        let without = |node: NodeId| self.is_bridge(node) && !self.has_tree(node);
        if without(a) && without(b) && self.graph.joins(a, b, without) || a == b {
            return Err(ChangeError::Loop);
        }
        let [config_a, config_b] = configs;
        let at_a = self.attach(a, config_a, now)?;
        let at_b = match self.attach(b, config_b, now) {
            Ok(leg) => leg,
            Err(error) => {
                self.detach(at_a, now)?;
                return Err(error);
            }
        };
        self.graph.plug_link(link, [at_a, at_b]);
        self.stack.reserve(2 * self.graph.links());
        Ok(())
    }

    fn add_port(
        &mut self,
        port: PortId,
        node: NodeId,
        config: LegConfig,
        now: Time,
    ) -> Result<(), ChangeError> {
        let index = usize::from(port.0);
        if index >= PORTS_MAX {
            return Err(ChangeError::Full);
        }
        if self.port(port).is_some() {
            return Err(ChangeError::Exists);
        }
        let leg = self.attach(node, config, now)?;
        self.graph.plug_port(leg, port);
        if self.ports.len() <= index {
            self.ports.resize_with(index + 1, || None);
        }
        self.ports[index] = Some(Port { leg, dropped: DropCounters::default() });
        Ok(())
    }

    fn remove_bridge(&mut self, node: NodeId) -> Result<(), ChangeError> {
        self.bridge_mut(node)?;
        if !self.graph.is_bare(node) {
            return Err(ChangeError::InUse);
        }
        self.nodes[usize::from(node.0)] = None;
        Ok(())
    }

    pub(super) fn attach(&mut self, node: NodeId, config: LegConfig, now: Time) -> Result<Leg, ChangeError> {
        let (bridge, out) = self.bridge_mut(node)?;
        Ok(Leg { node, leg: bridge.attach(config, now, out)? })
    }

    pub(super) fn detach(&mut self, at: Leg, now: Time) -> Result<(), ChangeError> {
        if let Ok(router) = self.router_mut(at.node) {
            router.detach(at.leg);
            return Ok(());
        }
        let (bridge, out) = self.bridge_mut(at.node)?;
        Ok(bridge.detach(at.leg, now, out)?)
    }

    /// A bridge, and where it may say something.
    pub(super) fn bridge_mut(&mut self, node: NodeId) -> Result<(&mut Bridge, &mut Outbox), ChangeError> {
        match self.nodes.get_mut(usize::from(node.0)).and_then(Option::as_mut) {
            Some(Node::Bridge(bridge)) => Ok((bridge, self.outbox.of(node))),
            Some(Node::Router(_)) | None => Err(ChangeError::Unknown),
        }
    }

    fn leg_mut(&mut self, at: Plug) -> Result<(&mut Bridge, LegIndex, &mut Outbox), ChangeError> {
        let Leg { node, leg } = self.leg_of(at)?;
        let (bridge, out) = self.bridge_mut(node)?;
        Ok((bridge, leg, out))
    }

    fn leg_of(&self, at: Plug) -> Result<Leg, ChangeError> {
        let leg = match at {
            Plug::Link(link, side) => {
                self.graph.link(link).and_then(|ends| ends.get(usize::from(side)).copied())
            }
            Plug::Port(port) => self.port(port).map(|port| port.leg),
        };
        leg.ok_or(ChangeError::Unknown)
    }

    /// The leg of `node` that `at` is plugged into, if it is that bridge's.
    fn leg_on(&self, node: NodeId, at: Plug) -> Result<LegIndex, ChangeError> {
        let at = self.leg_of(at)?;
        if at.node == node { Ok(at.leg) } else { Err(ChangeError::Unknown) }
    }

    fn has_tree(&self, node: NodeId) -> bool {
        matches!(self.node(node), Some(Node::Bridge(bridge)) if bridge.config().stp.mode != StpMode::Off)
    }
}

impl From<ConfigError> for ChangeError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Exists => Self::Exists,
            ConfigError::Full => Self::Full,
            ConfigError::Invalid => Self::Invalid,
            ConfigError::Unknown => Self::Unknown,
        }
    }
}
