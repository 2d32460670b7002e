//! Routers: their places on networks, their routes and their rules.
//!
//! Values that mean the same to the router are the router's own types. What the router knows by a number (a leg) has its
//! name here, and every part keeps its line, for whoever has to say where a decision was written down.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Line, LinkEnd};
use crate::bridge::{LegConfig, MulticastLegConfig, Role, RouterMode};
use crate::frame::LegIndex;
use crate::router::Settings;
use crate::router::interface::Interface;
use crate::router::nat::ports::{Filtering, Mapping};
use crate::router::policy::config::{self, Config, Invalid};

/// A device that sends IP packets on from network to network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// Unique among routers, networks and ports.
    pub name: String,
    /// In the order of the file.
    pub interfaces: Vec<RouterInterface>,
    /// In the order of the file.
    pub routes: Vec<Route>,
    /// What it lets pass, and what it translates.
    pub policy: Policy,
    /// How it follows flows, and how many at a time.
    pub settings: Settings,
    /// Where it stands.
    pub line: Line,
    /// Where `[router.conntrack]` stands; the router's line if it does not.
    pub conntrack_line: Line,
    /// Where `[router.nat]` stands; the router's line if it does not.
    pub nat_line: Line,
}

/// A router's place on a network: a wire, with an end on the router and one on the network's bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterInterface {
    /// The router's end: `GW/NET`, or `GW/NET#2` for its second place on the same network.
    pub name: String,
    /// The network.
    pub network: String,
    /// What the router needs to know.
    pub interface: Interface,
    /// The bridge's end, `NET/GW`: a leg of the network like a port. To the bridge the router is what the host is.
    pub end: LinkEnd,
    /// Where it stands.
    pub line: Line,
}

/// A route of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whom to; a prefix without host bits.
    pub to: IpNet,
    /// The next router; without one, the destinations are on the wire.
    pub via: Option<IpAddr>,
    /// The name of the interface it leaves through.
    pub interface: String,
    /// Where it stands.
    pub line: Line,
}

/// What the router lets pass, and what it translates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// In the order of the file; one per protocol.
    pub publishes: Vec<Publish>,
    /// In the order in which they are asked.
    pub rules: Vec<Rule>,
    /// What happens to packets of no flow.
    pub invalid: Invalid,
    /// How ports are chosen.
    pub mapping: Mapping,
    /// Which strangers may answer.
    pub filtering: Filtering,
    /// The ports that masqueraded flows get.
    pub ports: Option<(u16, u16)>,
}

/// A published port, or a range of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// What the router needs to know.
    pub publish: config::Publish,
    /// Where it stands.
    pub line: Line,
}

/// A rule of the user's. One of the file that is about several things is several here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name of the interface it came in on.
    pub from: Option<String>,
    /// The name of the interface it leaves through.
    pub to: Option<String>,
    /// The rest; `from` and `to` in it are empty.
    pub rule: config::Rule,
    /// Where it stands.
    pub line: Line,
}

impl Router {
    /// The interface of that name: `GW/NET`.
    pub fn interface(&self, name: &str) -> Option<&RouterInterface> {
        self.interfaces.iter().find(|place| place.name == name)
    }
}

impl RouterInterface {
    /// What the bridge's end is like unless it is told otherwise: the router is to the bridge what the host is, and gets
    /// all groups. The fabric makes it so by itself.
    pub fn bare_leg(&self) -> LegConfig {
        LegConfig {
            role: Role::Host,
            mac: Some(self.interface.mac),
            mtu: self.interface.mtu.into(),
            multicast: MulticastLegConfig { router: RouterMode::Always, ..MulticastLegConfig::default() },
            ..LegConfig::default()
        }
    }
}

impl Policy {
    /// The same for the router, which knows an interface by the index that `leg` gives for its name. The order stays, so
    /// that the router's number of a publish or of a rule is its place here.
    pub fn config(&self, leg: impl Fn(&str) -> LegIndex) -> Config {
        let rule = |rule: &Rule| config::Rule {
            from: rule.from.as_deref().map(&leg),
            to: rule.to.as_deref().map(&leg),
            ..rule.rule.clone()
        };
        Config {
            publishes: self.publishes.iter().map(|publish| publish.publish.clone()).collect(),
            rules: self.rules.iter().map(rule).collect(),
            invalid: self.invalid,
            mapping: self.mapping,
            filtering: self.filtering,
            ports: self.ports,
        }
    }

    /// Whether a rule is about that interface.
    pub fn names(&self, interface: &str) -> bool {
        self.rules
            .iter()
            .any(|rule| [&rule.from, &rule.to].into_iter().flatten().any(|name| name == interface))
    }
}
