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
//! | [`policy`] | what may pass: Docker's rules, and the user's before them |
//! | [`gateway`] | where these three meet |
//! | [`lanes`], `shortcut` | which way the packets of a flow went, and how others follow them |
//! | `manage` | what whoever configures it says |
//!
//! It never edits a frame while it decides, never waits, and never takes memory for a packet beyond the bounded rooms of
//! [`neighbour::parked`] and [`fragment::gather`]. It sends no router advertisements, runs no routing protocol, and routes
//! no multicast.

mod commit;
pub mod decision;
pub mod forward;
pub mod fragment;
pub mod gateway;
pub mod icmp;
pub mod interface;
pub mod lanes;
mod manage;
pub mod mss;
pub mod nat;
pub mod neighbour;
pub mod policy;
pub mod rewrite;
pub mod routes;
mod shortcut;

use std::net::IpAddr;

use self::decision::Decision;
use self::fragment::gather::Gather;
use self::gateway::Gateway;
use self::icmp::Error;
use self::icmp::limit::Limit;
use self::interface::{Interface, Interfaces, is_link_local};
use self::nat::sessions::Sessions;
use self::nat::track;
use self::neighbour::{Neighbour, Neighbours};
use self::policy::Policy;
use self::policy::log::Record;
use self::routes::{Route, Routes};
use crate::frame::{FRAME_MAX, LegIndex, Offload, Passage};
use crate::time::Time;
use crate::wire::datagram::Datagram;

/// Bytes of an Ethernet header without tags.
const ETHERNET_LEN: usize = 14;

/// How many sessions a router follows unless it is said otherwise: the kernel's number for a machine of a few GiB (L1).
pub const SESSIONS_MAX: usize = 65_536;

/// What is said of a router as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How flows are followed.
    pub conntrack: track::Settings,
    /// How many sessions there may be.
    pub sessions_max: usize,
    /// Whether it remembers which way the packets of a flow went ([`lanes`]). No answer depends on it.
    pub memo: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { conntrack: track::Settings::default(), sessions_max: SESSIONS_MAX, memo: true }
    }
}

/// What a router has counted that belongs to no frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that followed a lane ([`lanes`]): nothing had to be decided about them.
    pub along: u64,
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
    settings: Settings,
    hash_key: [u64; 2],
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
    /// What follows flows, if anything has to.
    gateway: Option<Box<Gateway>>,
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
                gateway: None,
                interfaces: Interfaces::default(),
                routes: Routes::default(),
                neighbours: Neighbours::new(hash_key),
            },
            settings,
            hash_key,
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

    /// These frames are about to come in on a leg, which changes nothing but how long it takes to find what they are of.
    pub fn foresee<'a>(&mut self, leg: LegIndex, frames: impl Iterator<Item = &'a [u8]>) {
        if let (Some(gateway), Some(own)) = (&mut self.plane.gateway, self.plane.interfaces.get(leg)) {
            let own = frames.filter(|frame| frame.starts_with(&own.mac.0));
            gateway.nat.foresee(own.filter_map(|frame| frame.get(ETHERNET_LEN..)));
        }
    }

    /// When [`Router::tick`] has something to do at the earliest.
    pub fn deadline(&self) -> Option<Time> {
        let sessions = self.plane.gateway.as_ref().and_then(|gateway| gateway.nat.deadline());
        let next = self.plane.neighbours.deadline().min(self.gather.deadline());
        let next = next.min(sessions.unwrap_or(Time::NEVER));
        (next != Time::NEVER).then_some(next)
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

    /// The sessions; none if nothing has to be followed.
    pub fn sessions(&self) -> Option<&Sessions> {
        self.plane.gateway.as_ref().map(|gateway| gateway.nat.sessions())
    }

    /// The rules, if there are any.
    pub fn policy(&self) -> Option<&Policy> {
        self.plane.gateway.as_ref().map(|gateway| &gateway.policy)
    }

    /// Takes the oldest record that a rule of the user's has made.
    #[inline]
    pub fn take_record(&mut self) -> Option<Record> {
        self.plane.gateway.as_mut()?.policy.take_record()
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
