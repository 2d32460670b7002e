//! What whoever configures a router says to it: legs, routes, rules, and that guests have gone.
//!
//! Legs and routes are set one by one, rules all at once: they are a list whose order counts. Sessions that nobody would
//! answer for any more end with what they were made from: an address, a published port, a guest. Others survive every change.

use std::net::IpAddr;

use ipnet::IpNet;

use super::gateway::Gateway;
use super::interface::{Interface, MTU_MIN, Role, is_link_local};
use super::lanes::Lanes;
use super::nat::Nat;
use super::nat::tuple::{Address, Tuple};
use super::policy::Policy;
use super::policy::config::Config;
use super::routes::{Origin, Route, RouteError};
use super::{Plane, Router, Settings};
use crate::frame::LegIndex;
use crate::wire::mac::Mac;

impl Router {
    /// Says how it behaves as a whole. Sessions stay; if there may be fewer, until they end.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
        if let Some(gateway) = &mut self.plane.gateway {
            gateway.nat.configure(settings.conntrack, settings.sessions_max);
            gateway.memo = settings.memo;
        }
        self.forget_lanes();
    }

    /// Sets all rules. Sessions whose published port leads elsewhere now, or nowhere, end (P10); others follow what was
    /// decided for them (N2).
    pub fn set_policy(&mut self, config: Config) {
        match &mut self.plane.gateway {
            Some(gateway) => {
                let before = Policy::new(gateway.policy.config().clone());
                gateway.policy.configure(config);
                let Gateway { nat, policy, .. } = &mut **gateway;
                let leads =
                    |policy: &Policy, tuple: &Tuple| policy.destination(tuple).map(|(range, _)| range);
                nat.end_all(|session| {
                    let original = &session.tuples[0];
                    session.has_destination_nat() && leads(&before, original) != leads(policy, original)
                });
            }
            None => {
                let Settings { conntrack, sessions_max, memo } = self.settings;
                let (nat, policy) = (Nat::new(conntrack, sessions_max, self.hash_key), Policy::new(config));
                let mut gateway = Box::new(Gateway { nat, policy, lanes: Lanes::default(), memo });
                self.plane.interfaces.iter().for_each(|(leg, _)| gateway.policy.attach(leg));
                self.plane.gateway = Some(gateway);
            }
        }
        self.settle();
    }

    /// Every flow is to find its way anew.
    fn forget_lanes(&mut self) {
        if let Some(gateway) = &mut self.plane.gateway {
            gateway.lanes.forget();
        }
    }

    /// Follows flows if, and only if, a leg has a role or there is a rule; those that it follows have to find their way anew.
    fn settle(&mut self) {
        self.forget_lanes();
        let roles = self.plane.interfaces.iter().any(|(_, own)| own.role != Role::Plain);
        let rules = self.plane.gateway.as_ref().is_some_and(|gateway| {
            let config = gateway.policy.config();
            !(config.publishes.is_empty() && config.rules.is_empty())
        });
        match &self.plane.gateway {
            None if roles => self.set_policy(Config::default()),
            Some(_) if !roles && !rules => self.plane.gateway = None,
            _ => {}
        }
    }

    /// The guests with these hardware addresses have gone: what is known of them is forgotten, and their sessions end (P10).
    pub fn forget_guests(&mut self, leg: LegIndex, gone: impl Fn(Mac) -> bool) {
        while let Some(address) = self.plane.neighbours.forget_one(leg, &gone) {
            let address = Address::from(address);
            if let Some(gateway) = &mut self.plane.gateway {
                gateway.nat.end_all(|session| {
                    session.tuples[0].source == address || session.tuples[1].source == address
                });
            }
        }
    }

    /// Addresses that are the router's no longer: what was translated with them ends (P10).
    fn end_sessions_of(&mut self, gone: &[IpAddr]) {
        let Some(gateway) = self.plane.gateway.as_mut().filter(|_| !gone.is_empty()) else { return };
        let is_gone = |address: Address, ipv6: bool| gone.contains(&address.ip(ipv6));
        gateway.nat.end_all(|session| {
            let [original, reply] = &session.tuples;
            (session.has_source_nat() && is_gone(reply.destination, reply.ipv6))
                || (session.has_destination_nat() && is_gone(original.destination, original.ipv6))
        });
    }

    /// Plugs a wire in, or configures one anew: its prefixes become routes. What is known of its neighbours is forgotten if
    /// its hardware address changes. An MTU below [`MTU_MIN`] is raised to that.
    ///
    /// # Errors
    /// [`RouteError::Full`] if not all prefixes found a place; the leg is there all the same.
    pub fn attach(&mut self, leg: LegIndex, mut interface: Interface) -> Result<(), RouteError> {
        interface.mtu = interface.mtu.max(MTU_MIN);
        let before = self.plane.interfaces.get(leg).map_or(&[][..], |before| &before.addresses);
        let gone: Vec<IpAddr> =
            before.iter().filter(|net| !interface.addresses.contains(net)).map(IpNet::addr).collect();
        self.end_sessions_of(&gone);
        let Plane { interfaces, routes, neighbours, .. } = &mut self.plane;
        if interfaces.get(leg).is_some_and(|before| before.mac != interface.mac) {
            neighbours.forget(leg);
        }
        routes.retain(|route| route.leg != leg || route.origin != Origin::Connected);
        let mut result = Ok(());
        for net in interface.addresses.iter().filter(|net| net.prefix_len() < net.max_prefix_len()) {
            let source = Some(net.addr());
            match routes.add(Route { to: *net, via: None, leg, origin: Origin::Connected, source }) {
                Ok(()) | Err(RouteError::Exists) => {}
                Err(error) => result = Err(error),
            }
        }
        interfaces.set(leg, Some(interface));
        if let Some(gateway) = &mut self.plane.gateway {
            gateway.policy.attach(leg);
        }
        self.settle();
        result
    }

    /// Unplugs a wire: its routes go, and its neighbours are forgotten.
    pub fn detach(&mut self, leg: LegIndex) {
        let before = self.plane.interfaces.get(leg).map_or(&[][..], |before| &before.addresses);
        let gone: Vec<IpAddr> = before.iter().map(IpNet::addr).collect();
        self.end_sessions_of(&gone);
        self.plane.interfaces.set(leg, None);
        self.plane.routes.retain(|route| route.leg != leg);
        self.plane.neighbours.forget(leg);
        self.settle();
    }

    /// Adds a route; without a leg, it is the one on whose wire the gateway is.
    ///
    /// # Errors
    /// If it cannot be used, is there already, or is one too many.
    pub fn add_route(
        &mut self,
        to: IpNet,
        via: Option<IpAddr>,
        leg: Option<LegIndex>,
    ) -> Result<(), RouteError> {
        let Plane { interfaces, routes, .. } = &mut self.plane;
        if via.is_some_and(|via| via.is_ipv4() != to.addr().is_ipv4()) {
            return Err(RouteError::Family);
        }
        let leg = match (leg, via) {
            (Some(leg), _) => leg,
            (None, Some(via)) => {
                let near = interfaces.iter().find(|(_, own)| !is_link_local(via) && own.on_link(via));
                near.map(|(leg, _)| leg).ok_or(RouteError::Unreachable)?
            }
            (None, None) => return Err(RouteError::NoLeg),
        };
        let own = interfaces.get(leg).ok_or(RouteError::NoLeg)?;
        if via.is_some_and(|via| !own.on_link(via) || interfaces.is_local(leg, via)) {
            return Err(RouteError::Unreachable);
        }
        routes.add(Route { to, via, leg, origin: Origin::Static, source: None })?;
        self.forget_lanes();
        Ok(())
    }

    /// Removes what [`Router::add_route`] has added; says whether it was there.
    pub fn remove_route(&mut self, to: IpNet, via: Option<IpAddr>) -> bool {
        let to = to.trunc();
        self.forget_lanes();
        self.plane
            .routes
            .retain(|route| !(route.to == to && route.via == via && route.origin == Origin::Static))
    }
}
