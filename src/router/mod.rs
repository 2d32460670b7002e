//! The router: a device that sends IP packets on from wire to wire, and answers for its own addresses.
//!
//! It behaves as a Linux host with `ip_forward` does, IPv4 and IPv6 in one implementation; the numbers N… are behaviours of
//! the kernel that it keeps to. Like every device it is a function of frames and time: [`Router::decide`] says what is to
//! become of a frame and changes nothing, [`Router::commit`] does it, [`Router::tick`] does what time makes due.
//!
//! | part | knows |
//! |---|---|
//! | [`interface`] | the legs, and which addresses are the router's |
//! | [`routes`] | where packets go |
//! | [`neighbour`] | who is at which hardware address, and what waits for that |
//! | [`forward`] | the order in which a packet is judged |
//! | [`decision`] | what is said to a packet, as values |
//! | [`rewrite`], [`mss`] | what is written into it |
//! | [`fragment`] | datagrams in pieces |
//! | [`icmp`] | what senders are told |
//! | `commit` | doing all that |
//! | [`nat`] | flows, and what their packets are translated into |
//!
//! The fabric does not know this device yet, and the router does not ask `nat` yet: ARCHITECTURE.md says what is left.
//!
//! It never edits a frame while it decides, never waits, and never takes memory for a packet beyond the bounded rooms of
//! [`neighbour::parked`] and [`fragment::gather`]. It sends no router advertisements, runs no routing protocol, and routes
//! no multicast.

mod commit;
pub mod decision;
pub mod forward;
pub mod fragment;
pub mod icmp;
pub mod interface;
pub mod mss;
pub mod nat;
pub mod neighbour;
pub mod policy;
pub mod rewrite;
pub mod routes;

use std::net::IpAddr;

use ipnet::IpNet;

use self::decision::Decision;
use self::fragment::gather::Gather;
use self::icmp::Error;
use self::icmp::limit::Limit;
use self::interface::{Interface, Interfaces, MTU_MIN, is_link_local};
use self::neighbour::{Neighbour, Neighbours};
use self::routes::{Origin, Route, RouteError, Routes};
use crate::frame::{FRAME_MAX, LegIndex, Offload, Passage};
use crate::time::Time;
use crate::wire::datagram::Datagram;

/// What is said of a router as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether datagrams in pieces are put together before they are sent on: who looks at ports needs that (N50).
    pub gather: bool,
}

/// What a router has counted that belongs to no frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that never became complete.
    pub incomplete: u64,
    /// Packets that waited for a neighbour that did not answer.
    pub unreachable: u64,
    /// Packets of the router's own that had nowhere to go, or no room to wait.
    pub unsent: u64,
    /// Errors that were one too many (L4).
    pub untold: u64,
}

/// A router.
#[derive(Debug)]
pub struct Router {
    plane: Plane,
    gather: Gather,
    limit: Limit,
    counters: Counters,
    /// The identification of the last packet it made.
    id: u16,
    /// A datagram that was put together.
    whole: Vec<u8>,
    /// A packet in the making.
    work: Vec<u8>,
    /// A piece of it.
    piece: Vec<u8>,
    /// The frame around it.
    frame: Vec<u8>,
}

/// What decisions are made from.
#[derive(Debug)]
struct Plane {
    settings: Settings,
    interfaces: Interfaces,
    routes: Routes,
    neighbours: Neighbours,
}

impl Router {
    /// A router without legs. What guests can fill is hashed with that key.
    pub fn new(settings: Settings, hash_key: [u64; 2]) -> Self {
        let buffer = || Vec::with_capacity(FRAME_MAX);
        Self {
            plane: Plane {
                settings,
                interfaces: Interfaces::default(),
                routes: Routes::default(),
                neighbours: Neighbours::new(hash_key),
            },
            gather: Gather::new(hash_key),
            limit: Limit::new(hash_key),
            counters: Counters::default(),
            id: 0,
            whole: buffer(),
            work: buffer(),
            piece: buffer(),
            frame: buffer(),
        }
    }

    /// What becomes of a frame that comes in on a leg. Changes nothing.
    pub fn decide(&self, leg: LegIndex, passage: &Passage<'_>, offload: &Offload, now: Time) -> Decision {
        self.plane.decide(leg, passage, offload, now)
    }

    /// When [`Router::tick`] has something to do at the earliest.
    pub fn deadline(&self) -> Option<Time> {
        let next = self.plane.neighbours.deadline().min(self.gather.deadline());
        (next != Time::NEVER).then_some(next)
    }

    /// Says how it behaves as a whole.
    pub fn configure(&mut self, settings: Settings) {
        self.plane.settings = settings;
    }

    /// Plugs a wire in, or configures one anew: its prefixes become routes. What is known of its neighbours is forgotten if
    /// its hardware address changes. An MTU below [`MTU_MIN`] is raised to that.
    ///
    /// # Errors
    /// [`RouteError::Full`] if not all prefixes found a place; the leg is there all the same.
    pub fn attach(&mut self, leg: LegIndex, mut interface: Interface) -> Result<(), RouteError> {
        interface.mtu = interface.mtu.max(MTU_MIN);
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
        result
    }

    /// Unplugs a wire: its routes go, and its neighbours are forgotten.
    pub fn detach(&mut self, leg: LegIndex) {
        self.plane.interfaces.set(leg, None);
        self.plane.routes.retain(|route| route.leg != leg);
        self.plane.neighbours.forget(leg);
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
        routes.add(Route { to, via, leg, origin: Origin::Static, source: None })
    }

    /// Removes what [`Router::add_route`] has added; says whether it was there.
    pub fn remove_route(&mut self, to: IpNet, via: Option<IpAddr>) -> bool {
        let to = to.trunc();
        self.plane
            .routes
            .retain(|route| !(route.to == to && route.via == via && route.origin == Origin::Static))
    }

    /// The legs.
    pub fn interfaces(&self) -> impl Iterator<Item = (LegIndex, &Interface)> {
        self.plane.interfaces.iter()
    }

    /// The routes, in the order of their prefixes.
    pub fn routes(&self) -> Vec<Route> {
        self.plane.routes.list()
    }

    /// The neighbours, in the order of legs and addresses.
    pub fn neighbours(&self, now: Time) -> Vec<Neighbour> {
        self.plane.neighbours.list(now)
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

impl Plane {
    /// The address that tells the sender of a packet what was wrong with it: the one it was sent to if that is ours, else
    /// that of the leg towards the sender.
    fn speaker(&self, error: Error, about: &Datagram, leg: LegIndex) -> Option<IpAddr> {
        if matches!(error, Error::Redirect(_)) && about.is_ipv6() {
            return self.interfaces.get(leg).map(|own| own.link_local().into());
        }
        if self.interfaces.is_local(leg, about.destination) {
            return Some(about.destination);
        }
        let back = self.routes.lookup(about.source).map(|route| route.leg);
        let back = back.filter(|_| !is_link_local(about.source)).unwrap_or(leg);
        self.interfaces.get(back)?.source_for(about.source)
    }
}

#[cfg(test)]
mod tests;
