//! What a lab is made of, as a list of steps: pure data, computed from the plan, nothing done yet.
//!
//! [`steps`] lists them so that each comes after those it needs. Undoing them backwards is therefore always right,
//! and [`Step::needs`] says which of them a change drags along (see `difference`). Every step is its own undo's
//! description: the runner that performs a step also knows how to take it back, from the step alone, which is what
//! makes a journal of steps enough to clean up after a killed instance.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZero;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::control::plan::{Interface, Netns, Plan};
use crate::port::PortKind;
use crate::wire::mac::Mac;

/// Something to be done to the system, and later undone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Gives an interface an address. Undo: takes it away.
    AddAddress {
        /// The interface.
        on: Location,
        /// The address and its prefix.
        address: IpNet,
    },
    /// Makes a gateway the default. Undo: removes the route.
    AddRoute {
        /// The interface it is behind.
        on: Location,
        /// The gateway.
        gateway: IpAddr,
    },
    /// Gives an interface that we made its hardware address and MTU, and brings it up. Undo: nothing, it goes with
    /// the interface.
    Configure {
        /// The interface.
        on: Location,
        /// `None` leaves the kernel's choice.
        mac: Option<Mac>,
        /// In bytes; `None` leaves the kernel's choice.
        mtu: Option<u32>,
    },
    /// Puts an interface into a kernel bridge of the same namespace. Undo: takes it out.
    Enslave {
        /// The interface.
        on: Location,
        /// The bridge.
        bridge: String,
    },
    /// Makes a kernel bridge. Undo: deletes it.
    MakeBridge {
        /// The bridge.
        on: Location,
    },
    /// Makes a veth pair between a node and vswitchd's own namespace. Undo: deletes it.
    MakeCable {
        /// The end in the node.
        on: Location,
        /// The name of the end in vswitchd's own namespace.
        peer: String,
    },
    /// Makes a node's namespace. Undo: ends the processes in it and takes its name away.
    MakeNamespace {
        /// The node.
        node: String,
        /// Its setup commands: a node whose setup changed is made anew, for only that undoes what they did.
        setup: Vec<String>,
    },
    /// Opens a port; a TAP is thereby made. Undo: deletes the TAP.
    OpenPort {
        /// The interface.
        on: Location,
        /// The port's name in the plan.
        port: String,
        /// How.
        #[serde(with = "PortKindName")]
        kind: PortKind,
        /// How many threads can read it at the same time. Journals of older versions do not say.
        #[serde(default = "one_queue")]
        queues: NonZero<usize>,
    },
}

/// An interface and the namespace it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location {
    /// Where.
    #[serde(with = "NetnsName")]
    pub netns: Netns,
    /// The interface's name.
    pub interface: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the interface `{}`", self.interface)?;
        match &self.netns {
            Netns::Own => Ok(()),
            Netns::Named(name) => write!(f, " in the namespace `{name}`"),
            Netns::Node(node) => write!(f, " of the node `{node}`"),
            Netns::Path(path) => write!(f, " in the namespace {}", path.display()),
        }
    }
}

fn one_queue() -> NonZero<usize> {
    NonZero::<usize>::MIN
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddAddress { on, address } => write!(f, "the address {address} of {on}"),
            Self::AddRoute { on, gateway } => write!(f, "the default route to {gateway} through {on}"),
            Self::Configure { on, .. } => write!(f, "the settings of {on}"),
            Self::Enslave { on, bridge } => write!(f, "the place of {on} in the bridge `{bridge}`"),
            Self::MakeBridge { on } => write!(f, "{on}, a bridge"),
            Self::MakeCable { on, peer } => write!(f, "the cable from {on} to `{peer}`"),
            Self::MakeNamespace { node, .. } => write!(f, "the namespace of the node `{node}`"),
            Self::OpenPort { on, port, .. } => write!(f, "the port `{port}` on {on}"),
        }
    }
}

/// How a [`PortKind`] is written in the journal.
#[derive(Serialize, Deserialize)]
#[serde(remote = "PortKind", rename_all = "snake_case")]
enum PortKindName {
    PlainTap,
    Raw,
    Tap,
}

/// How a [`Netns`] is written in the journal.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Netns", rename_all = "snake_case")]
enum NetnsName {
    Own,
    Named(String),
    Node(String),
    Path(PathBuf),
}

impl Step {
    /// Whether this step cannot stand when `other` is undone.
    pub fn needs(&self, other: &Self) -> bool {
        match other {
            Self::MakeNamespace { node, .. } => {
                self.on().is_some_and(|on| matches!(&on.netns, Netns::Node(n) if n == node))
            }
            // removing an address takes the routes that lead through it along
            Self::AddAddress { on, address } => {
                matches!(self, Self::AddRoute { on: mine, gateway } if mine == on
                    && gateway.is_ipv4() == address.addr().is_ipv4())
            }
            _ if self == other => false,
            Self::MakeBridge { on } => {
                self.on() == Some(on)
                    || matches!(self, Self::Enslave { on: mine, bridge } if mine.netns == on.netns
                        && *bridge == on.interface)
            }
            Self::MakeCable { on, peer } => self
                .on()
                .is_some_and(|mine| mine == on || (mine.netns == Netns::Own && mine.interface == *peer)),
            Self::OpenPort { on, kind, .. } => *kind != PortKind::Raw && self.on() == Some(on),
            Self::AddRoute { .. } | Self::Configure { .. } | Self::Enslave { .. } => false,
        }
    }

    /// Whether undoing `other`, which this step needs, undoes this one as well. Not so for a cable, whose far end
    /// must be gone at once and not when the kernel gets round to burying the node's namespace.
    pub fn goes_with(&self, other: &Self) -> bool {
        self.needs(other) && !matches!(self, Self::MakeCable { .. })
    }

    /// The interface it is about.
    pub fn on(&self) -> Option<&Location> {
        match self {
            Self::AddAddress { on, .. }
            | Self::AddRoute { on, .. }
            | Self::Configure { on, .. }
            | Self::Enslave { on, .. }
            | Self::MakeBridge { on }
            | Self::MakeCable { on, .. }
            | Self::OpenPort { on, .. } => Some(on),
            Self::MakeNamespace { .. } => None,
        }
    }
}

/// Everything the plan wants, each step after those it needs.
pub fn steps(plan: &Plan) -> Vec<Step> {
    let mut steps = Vec::new();
    for node in &plan.nodes {
        steps.push(Step::MakeNamespace { node: node.name.clone(), setup: node.setup.clone() });
    }
    for node in &plan.nodes {
        for cable in &node.cables {
            let on = location(&Netns::Node(node.name.clone()), &cable.interface.name);
            steps.push(Step::MakeCable { on: on.clone(), peer: cable.peer.clone() });
            configure(&mut steps, &on, &cable.interface);
        }
    }
    for port in &plan.ports {
        let on = location(&port.netns, &port.interface.name);
        steps.push(Step::OpenPort {
            on: on.clone(),
            port: port.name.clone(),
            kind: port.kind,
            queues: port.queues,
        });
        if port.kind == PortKind::Raw {
            // somebody else's interface: it keeps its settings, and gets only what the file gives it by name
            address(&mut steps, &on, &port.interface.address, &port.interface.gateway);
        } else {
            configure(&mut steps, &on, &port.interface);
        }
    }
    for node in &plan.nodes {
        for bridge in &node.bridges {
            let netns = Netns::Node(node.name.clone());
            let on = location(&netns, &bridge.name);
            steps.push(Step::MakeBridge { on: on.clone() });
            let members = bridge.interfaces.iter().map(|interface| location(&netns, interface));
            steps.extend(members.map(|on| Step::Enslave { on, bridge: bridge.name.clone() }));
            steps.push(Step::Configure { on: on.clone(), mac: None, mtu: None });
            address(&mut steps, &on, &bridge.address, &[]);
        }
    }
    steps
}

fn location(netns: &Netns, interface: &str) -> Location {
    Location { netns: netns.clone(), interface: interface.to_owned() }
}

fn configure(steps: &mut Vec<Step>, on: &Location, interface: &Interface) {
    steps.push(Step::Configure { on: on.clone(), mac: interface.mac, mtu: Some(interface.mtu) });
    address(steps, on, &interface.address, &interface.gateway);
}

fn address(steps: &mut Vec<Step>, on: &Location, addresses: &[IpNet], gateways: &[IpAddr]) {
    steps.extend(addresses.iter().map(|&address| Step::AddAddress { on: on.clone(), address }));
    steps.extend(gateways.iter().map(|&gateway| Step::AddRoute { on: on.clone(), gateway }));
}
