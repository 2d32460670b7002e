//! Names and numbers: what the plan calls a port, and which id the fabric knows it by.
//!
//! An id stays with its name for as long as the name is in the plan, across reloads; afterwards it is given to the next
//! newcomer, the lowest first. Translating a plan's changes is the only way to change the registry, so it cannot
//! disagree with the fabric that is given the result.

use std::collections::BTreeMap;

use crate::bridge::{LegConfig, StationKind};
use crate::control::diff::PlanChange;
use crate::control::plan::StaticStation;
use crate::fabric::{Change, Station};
use crate::frame::{LinkId, NODES_MAX, NodeId, PORTS_MAX, Plug, PortId};

/// The names in use.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    links: Names,
    networks: Names,
    ports: Names,
}

/// There is no id left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for the {kind} `{name}`: one process has at most {max}")]
pub struct RegistryError {
    kind: &'static str,
    name: String,
    max: usize,
}

impl Registry {
    /// The bridge of that network.
    pub fn node(&self, network: &str) -> Option<NodeId> {
        self.networks.id(network).map(NodeId)
    }

    /// The port of that name.
    pub fn port(&self, name: &str) -> Option<PortId> {
        self.ports.id(name).map(PortId)
    }

    /// The network whose bridge that is.
    pub fn node_name(&self, node: NodeId) -> Option<&str> {
        self.networks.name(node.0)
    }

    /// The port's name.
    pub fn port_name(&self, port: PortId) -> Option<&str> {
        self.ports.name(port.0)
    }

    /// The two networks of a link.
    pub fn link_name(&self, link: LinkId) -> Option<(&str, &str)> {
        self.links.name(link.0)?.split_once(' ')
    }

    /// What the fabric has to change, in order, for the plan to change like this. Ids of what goes are free
    /// afterwards.
    ///
    /// # Errors
    /// When there are more names than ids; the registry is then not to be used any more.
    ///
    /// # Panics
    /// When a change speaks of something that is not there, which `diff` never makes one do.
    pub fn translate(&mut self, changes: &[PlanChange]) -> Result<Vec<Change>, RegistryError> {
        let mut translated = Vec::with_capacity(changes.len());
        for change in changes {
            translated.push(match change {
                PlanChange::AddNetwork(network) => {
                    let id = self.networks.add("network", &network.name, NODES_MAX)?;
                    Change::AddBridge(NodeId(id), network.bridge)
                }
                PlanChange::AddPort(port) => {
                    let id = self.ports.add("port", &port.name, PORTS_MAX)?;
                    Change::AddPort(PortId(id), self.known_node(&port.network), port.leg)
                }
                PlanChange::AddLink([a, b]) => {
                    let id = LinkId(self.links.add("link", &format!("{a} {b}"), PORTS_MAX)?);
                    let wire = LegConfig { mtu: u32::MAX, ..LegConfig::default() };
                    Change::AddLink(id, [self.known_node(a), self.known_node(b)], [wire; 2])
                }
                PlanChange::AddStation(station) => Change::AddStation(self.station(station)),
                PlanChange::ConfigureNetwork(network) => {
                    Change::ConfigureBridge(self.known_node(&network.name), network.bridge)
                }
                PlanChange::ConfigurePort(port) => {
                    Change::ConfigureLeg(Plug::Port(self.known_port(&port.name)), port.leg)
                }
                PlanChange::RemoveLink([a, b]) => {
                    let name = format!("{a} {b}");
                    let id =
                        self.links.id(&name).expect("a difference of plans speaks of links that are there");
                    self.links.remove(&name);
                    Change::RemoveLink(LinkId(id))
                }
                PlanChange::RemoveNetwork(network) => {
                    let id = self.known_node(&network.name);
                    self.networks.remove(&network.name);
                    Change::RemoveBridge(id)
                }
                PlanChange::RemovePort(port) => {
                    let id = self.known_port(&port.name);
                    self.ports.remove(&port.name);
                    Change::RemovePort(id)
                }
                PlanChange::RemoveStation(station) => Change::RemoveStation(self.station(station)),
            });
        }
        Ok(translated)
    }

    fn station(&self, station: &StaticStation) -> Station {
        Station {
            bridge: self.known_node(&station.network),
            mac: station.mac,
            vlan: None,
            at: Plug::Port(self.known_port(&station.port)),
            kind: if station.sticky { StationKind::Sticky } else { StationKind::Static },
        }
    }

    fn known_node(&self, network: &str) -> NodeId {
        self.node(network).expect("a difference of plans speaks of networks that are there")
    }

    fn known_port(&self, port: &str) -> PortId {
        self.port(port).expect("a difference of plans speaks of ports that are there")
    }
}

/// Names with an id each.
#[derive(Clone, Debug, Default)]
struct Names {
    ids: BTreeMap<String, u16>,
    /// By id; `None` is free.
    names: Vec<Option<String>>,
}

impl Names {
    fn id(&self, name: &str) -> Option<u16> {
        self.ids.get(name).copied()
    }

    fn name(&self, id: u16) -> Option<&str> {
        self.names.get(usize::from(id))?.as_deref()
    }

    fn add(&mut self, kind: &'static str, name: &str, max: usize) -> Result<u16, RegistryError> {
        let free = self.names.iter().position(Option::is_none).unwrap_or(self.names.len());
        if free >= max {
            return Err(RegistryError { kind, name: name.to_owned(), max });
        }
        if free == self.names.len() {
            self.names.push(None);
        }
        self.names[free] = Some(name.to_owned());
        let id = u16::try_from(free).expect("there are fewer than 65536 ids");
        self.ids.insert(name.to_owned(), id);
        Ok(id)
    }

    fn remove(&mut self, name: &str) {
        if let Some(id) = self.ids.remove(name) {
            self.names[usize::from(id)] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_with_their_names_and_are_given_again() {
        let mut names = Names::default();
        for (name, id, why) in
            [("a", 0, "the lowest first"), ("b", 1, "then the next"), ("c", 2, "and so on")]
        {
            assert_eq!(names.add("port", name, 3), Ok(id), "{why}");
        }
        assert!(names.add("port", "d", 3).is_err(), "no more than there are");
        names.remove("b");
        assert_eq!(names.id("c"), Some(2), "others keep theirs");
        assert_eq!(names.add("port", "d", 3), Ok(1), "a freed one is given again");
        assert_eq!((names.name(1), names.id("b")), (Some("d"), None));
    }
}
