//! Names and numbers: what the plan calls a port, and which id the fabric knows it by.
//!
//! An id stays with its name for as long as the name is in the plan, across reloads; afterwards it is given to the next
//! newcomer, the lowest first. Translating a plan's changes is the only way to change the registry, so it cannot
//! disagree with the fabric that is given the result.
//!
//! Networks and routers are devices, with one set of ids; links and the wires to routers are wires, likewise. A router's
//! own ends of its wires are numbered for each router by itself.

mod routers;

use std::collections::BTreeMap;

use crate::bridge::StationKind;
use crate::control::diff::{LegChange, PlanChange, link_name};
use crate::control::plan::{Link, LinkEnd, StaticGroup, StaticStation};
use crate::fabric::{Change, Membership, Station};
use crate::frame::{LinkId, NODES_MAX, NodeId, PORTS_MAX, Plug, PortId};

/// How many wires a process may have, as the fabric has it.
const LINKS_MAX: usize = PORTS_MAX;
const KNOWN: &str = "a difference of plans speaks of what is there";

/// The names in use.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// Networks and routers.
    nodes: Names,
    ports: Names,
    /// By the lesser of their ends' names, so that it does not matter which network is named first; a wire to a router by
    /// the name of the router's end.
    links: Names,
    /// The interfaces of each router.
    legs: BTreeMap<String, Names>,
    /// The names of the ends of each wire, in the order in which the fabric knows them.
    ends: BTreeMap<u16, [String; 2]>,
    /// The ends of wires, by their names.
    plugs: BTreeMap<String, Plug>,
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
    /// The bridge of that network, or the router of that name.
    pub fn node(&self, name: &str) -> Option<NodeId> {
        self.nodes.id(name).map(NodeId)
    }

    /// The port of that name.
    pub fn port(&self, name: &str) -> Option<PortId> {
        self.ports.id(name).map(PortId)
    }

    /// The network whose bridge that is, or the router.
    pub fn node_name(&self, node: NodeId) -> Option<&str> {
        self.nodes.name(node.0)
    }

    /// The port's name.
    pub fn port_name(&self, port: PortId) -> Option<&str> {
        self.ports.name(port.0)
    }

    /// The link whose ends have these names, in either order.
    pub fn link(&self, ends: &[LinkEnd; 2]) -> Option<LinkId> {
        match self.plugs.get(&ends[0].name)? {
            Plug::Link(link, _) => Some(*link),
            Plug::Port(_) => None,
        }
    }

    /// The port of that name, or the end of a wire.
    pub fn plug(&self, name: &str) -> Option<Plug> {
        self.port(name).map(Plug::Port).or_else(|| self.plugs.get(name).copied())
    }

    /// What the plan calls it.
    pub fn plug_name(&self, plug: Plug) -> Option<&str> {
        match plug {
            Plug::Link(link, end) => self.ends.get(&link.0)?.get(usize::from(end)).map(String::as_str),
            Plug::Port(port) => self.port_name(port),
        }
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
        changes.iter().map(|change| self.translate_one(change)).collect()
    }

    fn translate_one(&mut self, change: &PlanChange) -> Result<Change, RegistryError> {
        Ok(match change {
            PlanChange::AddGroup(group) => Change::AddGroup(self.membership(group)),
            PlanChange::AddInterface(router, place) => self.add_interface(router, place)?,
            PlanChange::AddLink(link) => self.add_link(link)?,
            PlanChange::AddNetwork(network) => {
                let id = self.nodes.add("network", &network.name, NODES_MAX)?;
                Change::AddBridge(NodeId(id), network.bridge)
            }
            PlanChange::AddPort(port) => {
                let id = self.ports.add("port", &port.name, PORTS_MAX)?;
                Change::AddPort(PortId(id), self.known_node(&port.network), port.settings.leg)
            }
            PlanChange::AddRoute(router, route) => self.add_route(router, route),
            PlanChange::AddRouter(router) => self.add_router(router)?,
            PlanChange::AddStation(station) => Change::AddStation(self.station(station)),
            PlanChange::ConfigureEnd(end) => {
                Change::ConfigureLeg(self.known_plug(&end.name), end.settings.leg)
            }
            PlanChange::ConfigureInterface(_, place) => self.configure_interface(place),
            PlanChange::ConfigureNetwork(network) => {
                Change::ConfigureBridge(self.known_node(&network.name), network.bridge)
            }
            PlanChange::ConfigurePort(port) => {
                Change::ConfigureLeg(self.known_plug(&port.name), port.settings.leg)
            }
            PlanChange::ConfigureRouter(router) => {
                Change::ConfigureRouter(self.known_node(&router.name), router.settings)
            }
            PlanChange::Leg(name, change) => self.leg_change(self.known_plug(name), change),
            PlanChange::RemoveGroup(group) => Change::RemoveGroup(self.membership(group)),
            PlanChange::RemoveInterface(router, place) => self.remove_interface(router, place),
            PlanChange::RemoveLink(link) => self.remove_link(link),
            PlanChange::RemoveNetwork(network) => {
                let id = self.known_node(&network.name);
                self.nodes.remove(&network.name);
                Change::RemoveBridge(id)
            }
            PlanChange::RemovePort(port) => {
                let id = self.port(&port.name).expect(KNOWN);
                self.ports.remove(&port.name);
                Change::RemovePort(id)
            }
            PlanChange::RemoveRoute(router, route) => {
                Change::RemoveRoute(self.known_node(router), route.to, route.via)
            }
            PlanChange::RemoveRouter(router) => self.remove_router(router),
            PlanChange::RemoveStation(station) => Change::RemoveStation(self.station(station)),
            PlanChange::SetPolicy(router) => self.policy(router),
        })
    }

    fn leg_change(&self, plug: Plug, change: &LegChange) -> Change {
        match change {
            LegChange::AddPermit(permit) => Change::AddPermit(plug, *permit),
            LegChange::AddVlan(entry) => Change::AddVlan(plug, *entry),
            LegChange::RemovePermit(permit) => Change::RemovePermit(plug, *permit),
            LegChange::RemoveVlan(vid) => Change::RemoveVlan(plug, *vid),
            LegChange::SetBackup(name) => {
                Change::SetBackup(plug, name.as_ref().map(|name| self.known_plug(name)))
            }
        }
    }

    fn add_link(&mut self, link: &Link) -> Result<Change, RegistryError> {
        let id = self.add_wire("link", &link_name(link), link.ends.clone().map(|end| end.name))?;
        let [a, b] = &link.networks;
        let nodes = [self.known_node(a), self.known_node(b)];
        let [a, b] = &link.ends;
        Ok(Change::AddLink(id, nodes, [a.settings.leg, b.settings.leg]))
    }

    fn remove_link(&mut self, link: &Link) -> Change {
        let id = self.link(&link.ends).expect(KNOWN);
        self.remove_wire(&link_name(link), id);
        Change::RemoveLink(id)
    }

    /// An id for a wire, by which its ends are known as well.
    fn add_wire(
        &mut self,
        kind: &'static str,
        name: &str,
        ends: [String; 2],
    ) -> Result<LinkId, RegistryError> {
        let id = self.links.add(kind, name, LINKS_MAX)?;
        for (name, end) in ends.iter().zip(0..) {
            self.plugs.insert(name.clone(), Plug::Link(LinkId(id), end));
        }
        self.ends.insert(id, ends);
        Ok(LinkId(id))
    }

    fn remove_wire(&mut self, name: &str, id: LinkId) {
        self.links.remove(name);
        for name in self.ends.remove(&id.0).into_iter().flatten() {
            self.plugs.remove(&name);
        }
    }

    fn membership(&self, group: &StaticGroup) -> Membership {
        Membership {
            bridge: self.known_node(&group.network),
            at: self.known_plug(&group.at),
            vlan: group.vlan,
            group: group.group,
        }
    }

    fn station(&self, station: &StaticStation) -> Station {
        Station {
            bridge: self.known_node(&station.network),
            mac: station.mac,
            vlan: station.vlan,
            at: self.known_plug(&station.at),
            kind: if station.sticky { StationKind::Sticky } else { StationKind::Static },
        }
    }

    fn known_node(&self, name: &str) -> NodeId {
        self.node(name).expect(KNOWN)
    }

    fn known_plug(&self, name: &str) -> Plug {
        self.plug(name).expect(KNOWN)
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
impl Registry {
    /// One that knows a network of that name, as device 0.
    pub(in crate::control) fn of_network(name: &str) -> Self {
        use crate::bridge::BridgeConfig;
        use crate::control::plan::{Line, Network};
        let bridge = BridgeConfig::default();
        let network = Network { name: name.to_owned(), host: Vec::new(), mtu: 1500, bridge, line: Line(1) };
        let mut registry = Self::default();
        registry.translate(&[PlanChange::AddNetwork(network)]).expect("there is room");
        registry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::config::parse;
    use crate::control::diff::diff;
    use crate::control::plan::Plan;

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

    #[test]
    fn plugs_have_names_and_names_have_plugs() {
        let file = |ends: &str| {
            let networks = "[[network]]\nname = \"a\"\nstp = true\n[[network]]\nname = \"b\"\nstp = true\n";
            let port = "[[port]]\nname = \"p\"\nnetwork = \"a\"\nkind = \"tap\"\n";
            let link = format!("[[link]]\nnetworks = [{ends}]\n");
            parse(&format!("{networks}{port}{link}{link}"), "lab").expect("a sound file").0
        };
        let (mut registry, plan) = (Registry::default(), file("\"b\", \"a\""));
        let changes = registry.translate(&diff(&Plan::empty("lab"), &plan)).expect("there is room");
        let nodes = [registry.node("b").expect("a bridge"), registry.node("a").expect("a bridge")];
        let is_link = |change: &&Change| matches!(change, Change::AddLink(_, at, _) if *at == nodes);
        assert_eq!(changes.iter().filter(is_link).count(), 2, "as written: b first");
        let table = [
            ("p", Plug::Port(PortId(0)), "a port"),
            ("b/a", Plug::Link(LinkId(0), 0), "the first end of the first link"),
            ("a/b", Plug::Link(LinkId(0), 1), "its other end"),
            ("a/b#2", Plug::Link(LinkId(1), 1), "the second link"),
        ];
        let turned = file("\"a\", \"b\"");
        assert!(registry.translate(&diff(&plan, &turned)).expect("there is room").is_empty());
        for (name, plug, why) in table {
            assert_eq!(registry.plug(name), Some(plug), "{why}");
            assert_eq!(registry.plug_name(plug), Some(name), "{why}, and back");
        }
        registry.translate(&diff(&turned, &Plan::empty("lab"))).expect("nothing is added");
        assert_eq!(registry.plug("a/b"), None, "gone with the link");
        assert_eq!(registry.plug_name(Plug::Link(LinkId(1), 0)), None);
    }
}
