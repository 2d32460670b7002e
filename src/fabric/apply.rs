//! Changes to a running fabric. Each is checked before anything is touched, so it is all or nothing.

use super::{Change, ChangeError, Fabric, Node, Port, Station};
use crate::bridge::{Bridge, BridgeConfig, ConfigError, LegConfig};
use crate::frame::{Leg, LegIndex, NODES_MAX, NodeId, PORTS_MAX, PortId};
use crate::time::Time;
use crate::verdict::DropCounters;

impl Fabric {
    /// Changes the graph or a device; all or nothing.
    pub fn apply(&mut self, change: Change, now: Time) -> Result<(), ChangeError> {
        match change {
            Change::AddBridge(node, config) => self.add_bridge(node, config),
            Change::AddLink(a, b) => self.add_link(a, b, now),
            Change::AddPort(port, node, config) => self.add_port(port, node, config, now),
            Change::AddStation(Station { bridge, mac, port, kind }) => {
                let leg = self.leg_on(bridge, port)?;
                Ok(self.bridge_mut(bridge)?.add_station(mac, leg, kind, now)?)
            }
            Change::ConfigureBridge(node, config) => Ok(self.bridge_mut(node)?.configure(config, now)?),
            Change::ConfigurePort(port, config) => {
                let Leg { node, leg } = self.leg_of(port)?;
                Ok(self.bridge_mut(node)?.configure_leg(leg, config, now)?)
            }
            Change::Flush(node, port) => {
                let leg = port.map(|port| self.leg_on(node, port)).transpose()?;
                self.bridge_mut(node)?.flush(leg);
                Ok(())
            }
            Change::RemoveBridge(node) => self.remove_bridge(node),
            Change::RemoveLink(a, b) => {
                let (a, b) = self.graph.link(a, b).ok_or(ChangeError::Unknown)?;
                self.graph.unplug(a);
                self.bridge_mut(a.node)?.detach(a.leg, now)?;
                Ok(self.bridge_mut(b.node)?.detach(b.leg, now)?)
            }
            Change::RemovePort(port) => {
                let at = self.leg_of(port)?;
                self.graph.unplug(at);
                self.ports[usize::from(port.0)] = None;
                Ok(self.bridge_mut(at.node)?.detach(at.leg, now)?)
            }
            Change::RemoveStation(Station { bridge, mac, kind, .. }) => {
                Ok(self.bridge_mut(bridge)?.remove_station(mac, kind)?)
            }
            Change::SetPortUp(port, up) => {
                let Leg { node, leg } = self.leg_of(port)?;
                Ok(self.bridge_mut(node)?.set_up(leg, up)?)
            }
        }
    }

    fn add_bridge(&mut self, node: NodeId, config: BridgeConfig) -> Result<(), ChangeError> {
        let index = usize::from(node.0);
        if index >= NODES_MAX {
            return Err(ChangeError::Full);
        }
        if self.node(node).is_some() {
            return Err(ChangeError::Exists);
        }
        let bridge = Bridge::new(config, self.hash_key)?;
        if self.nodes.len() <= index {
            self.nodes.resize_with(index + 1, || None);
        }
        self.nodes[index] = Some(Node::Bridge(bridge));
        Ok(())
    }

    /// A link is an ordinary port to both bridges, as a veth between two kernel bridges is, but for a limited MTU.
    fn add_link(&mut self, a: NodeId, b: NodeId, now: Time) -> Result<(), ChangeError> {
        self.bridge_mut(a)?;
        self.bridge_mut(b)?;
        self.graph.may_link(a, b)?;
        let config = LegConfig { mtu: u32::MAX, ..LegConfig::default() };
        let at_a = self.bridge_mut(a)?.attach(config, now)?;
        let at_b = match self.bridge_mut(b)?.attach(config, now) {
            Ok(leg) => leg,
            Err(error) => {
                self.bridge_mut(a)?.detach(at_a, now)?;
                return Err(error.into());
            }
        };
        self.graph.plug_link(Leg { node: a, leg: at_a }, Leg { node: b, leg: at_b });
        self.stack.reserve(self.graph.links());
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
        let leg = Leg { node, leg: self.bridge_mut(node)?.attach(config, now)? };
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

    fn bridge_mut(&mut self, node: NodeId) -> Result<&mut Bridge, ChangeError> {
        match self.nodes.get_mut(usize::from(node.0)).and_then(Option::as_mut) {
            Some(Node::Bridge(bridge)) => Ok(bridge),
            None => Err(ChangeError::Unknown),
        }
    }

    fn leg_of(&self, port: PortId) -> Result<Leg, ChangeError> {
        self.port(port).map(|port| port.leg).ok_or(ChangeError::Unknown)
    }

    /// The leg of `node` that `port` is plugged into, if it is that bridge's.
    fn leg_on(&self, node: NodeId, port: PortId) -> Result<LegIndex, ChangeError> {
        let at = self.leg_of(port)?;
        if at.node == node { Ok(at.leg) } else { Err(ChangeError::Unknown) }
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
