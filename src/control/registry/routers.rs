//! Routers, their wires, and the numbers of their own ends.

use super::{KNOWN, Registry, RegistryError};
use crate::control::plan::{Route, Router, RouterInterface};
use crate::fabric::Change;
use crate::frame::{LEGS_MAX, Leg, LegIndex, LinkId, NODES_MAX, NodeId, Plug};

impl Registry {
    /// The number that the router of that name knows its interface `GW/NET` by.
    pub fn router_leg(&self, router: &str, interface: &str) -> Option<LegIndex> {
        self.legs.get(router)?.id(interface).map(LegIndex)
    }

    /// What the plan calls an interface of the router of that name: `GW/NET`.
    pub fn interface_name(&self, router: &str, leg: LegIndex) -> Option<&str> {
        self.legs.get(router)?.name(leg.0)
    }

    pub(super) fn add_router(&mut self, router: &Router) -> Result<Change, RegistryError> {
        let id = self.nodes.add("router", &router.name, NODES_MAX)?;
        self.legs.insert(router.name.clone(), super::Names::default());
        Ok(Change::AddRouter(NodeId(id), router.settings))
    }

    pub(super) fn remove_router(&mut self, router: &Router) -> Change {
        let id = self.known_node(&router.name);
        self.nodes.remove(&router.name);
        self.legs.remove(&router.name);
        Change::RemoveRouter(id)
    }

    pub(super) fn add_interface(
        &mut self,
        router: &str,
        place: &RouterInterface,
    ) -> Result<Change, RegistryError> {
        let link = self.add_wire("interface", &place.name, [place.name.clone(), place.end.name.clone()])?;
        let legs = self.legs.get_mut(router).expect(KNOWN);
        let leg = LegIndex(legs.add("interface", &place.name, LEGS_MAX)?);
        let at = Leg { node: self.known_node(router), leg };
        let bridge = self.known_node(&place.network);
        Ok(Change::AddInterface(link, at, bridge, Box::new(place.interface.clone())))
    }

    pub(super) fn configure_interface(&self, place: &RouterInterface) -> Change {
        Change::ConfigureInterface(self.known_wire(place), Box::new(place.interface.clone()))
    }

    pub(super) fn remove_interface(&mut self, router: &str, place: &RouterInterface) -> Change {
        let link = self.known_wire(place);
        self.remove_wire(&place.name, link);
        self.legs.get_mut(router).expect(KNOWN).remove(&place.name);
        Change::RemoveLink(link)
    }

    pub(super) fn add_route(&self, router: &str, route: &Route) -> Change {
        let leg = self.router_leg(router, &route.interface).expect(KNOWN);
        Change::AddRoute(self.known_node(router), route.to, route.via, Some(leg))
    }

    pub(super) fn policy(&self, router: &Router) -> Change {
        let leg = |name: &str| self.router_leg(&router.name, name).expect(KNOWN);
        Change::SetPolicy(self.known_node(&router.name), Box::new(router.policy.config(leg)))
    }

    fn known_wire(&self, place: &RouterInterface) -> LinkId {
        match self.plug(&place.name) {
            Some(Plug::Link(link, _)) => Some(link),
            Some(Plug::Port(_)) | None => None,
        }
        .expect(KNOWN)
    }
}
