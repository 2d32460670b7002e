//! What the file means: every default filled in, every reference resolved, nothing left to doubt.
//!
//! A [`Plan`] is made from the file's text alone, by a pure function: no clock, no system call. Two plans can be
//! compared, and what differs is all that a reload has to do. Everything is identified by its name; ids come later,
//! when the plan is put to work.

mod expect;
mod islands;
mod legs;
mod reach;
mod router;

pub use expect::{Expect, NatKind, PROBE_TIMEOUT, Place, Probe, Seen, StpState};
pub use islands::{Island, islands};
pub use legs::{LegView, Settings, default_vlans};
pub use router::{Policy, Publish, Route, Router, RouterInterface, Rule};

use std::net::IpAddr;
use std::num::NonZero;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::bridge::BridgeConfig;
use crate::port::PortKind;
use crate::wire::mac::Mac;

/// A line of the file, counted from 1; what `explain` names when it says who decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(pub u32);

/// A whole lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Names the control socket; unique among the labs that run at a time.
    pub name: String,
    /// At most so many engine threads; `None` is one for each CPU.
    pub threads: Option<usize>,
    /// In the order of the file.
    pub networks: Vec<Network>,
    /// In the order of the file.
    pub links: Vec<Link>,
    /// In the order of the file.
    pub routers: Vec<Router>,
    /// The host's ports first, then those of `[[port]]`, then those of the nodes.
    pub ports: Vec<Port>,
    /// In the order of the file.
    pub fdb: Vec<StaticStation>,
    /// In the order of the file.
    pub groups: Vec<StaticGroup>,
    /// In the order of the file.
    pub nodes: Vec<Node>,
    /// In the order of the file.
    pub expects: Vec<Expect>,
}

impl Plan {
    /// A lab of that name with nothing in it.
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            threads: None,
            networks: Vec::new(),
            links: Vec::new(),
            routers: Vec::new(),
            ports: Vec::new(),
            fdb: Vec::new(),
            groups: Vec::new(),
            nodes: Vec::new(),
            expects: Vec::new(),
        }
    }

    /// What in the lab belongs to the machine it runs on, as `port NAME`: the host's own interfaces, TAPs outside the
    /// lab's nodes, and interfaces that are none of the lab's cables. Empty for a lab that can run in a sandbox.
    pub fn needs_real_host(&self) -> Vec<String> {
        let is_cable = |name: &str| self.nodes.iter().flat_map(|n| &n.cables).any(|cable| cable.peer == name);
        let real = |port: &&Port| match (&port.netns, port.kind) {
            (Netns::Node(_), _) => false,
            (Netns::Own, PortKind::Raw) => !is_cable(&port.interface.name),
            _ => true,
        };
        self.ports.iter().filter(real).map(|port| format!("port {}", port.name)).collect()
    }
}

/// An Ethernet segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name, at most 15 bytes if it has a host interface.
    pub name: String,
    /// The host's addresses; empty for an internal network.
    pub host: Vec<IpNet>,
    /// The MTU of its ports, unless a port says otherwise.
    pub mtu: u32,
    /// What the bridge needs to know.
    pub bridge: BridgeConfig,
    /// Where it stands.
    pub line: Line,
}

/// A wire between two networks. Which of several between the same two it is, is in the names of its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The networks' names, as written.
    pub networks: [String; 2],
    /// What is plugged into each of them, in the same order.
    pub ends: [LinkEnd; 2],
    /// Where it stands.
    pub line: Line,
}

/// An end of a link, or of the wire to a router, which is a leg of a network as a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEnd {
    /// `NET/OTHER`: the end on `NET` of the link to `OTHER`; `NET/OTHER#2` for the second link between the two. `OTHER` is
    /// a network or a router.
    pub name: String,
    /// What the bridge needs to know.
    pub settings: Settings,
    /// Where its settings stand: its `[[link.end]]`, or else the link; the router's interface.
    pub line: Line,
}

/// The network namespace of a port's interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Netns {
    /// vswitchd's own.
    Own,
    /// A name under /run/netns.
    Named(String),
    /// A node of this lab.
    Node(String),
    /// A file, such as /proc/1234/ns/net.
    Path(PathBuf),
}

/// A port of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Unique. `[[port]]`: as written. A node's interface: `NODE:INTERFACE`. The host's: the network's name.
    pub name: String,
    /// The network it is plugged into.
    pub network: String,
    /// What opens it.
    pub kind: PortKind,
    /// How many queues it has: how many threads can serve it at the same time.
    pub queues: NonZero<usize>,
    /// The interface, as the kernel will know it; 1 to 15 bytes.
    pub interface: Interface,
    /// Where the interface is.
    pub netns: Netns,
    /// What the bridge needs to know; `mac` and `mtu` of the leg are those of `interface`.
    pub settings: Settings,
    /// Where it stands.
    pub line: Line,
}

/// An interface, and what it is to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// 1 to 15 bytes.
    pub name: String,
    /// Its addresses with their prefixes.
    pub address: Vec<IpNet>,
    /// Its hardware address. Always `Some` for what we make: derived from the names unless written.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: u32,
    /// Default routes, at most one per family.
    pub gateway: Vec<IpAddr>,
}

/// A static FDB entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticStation {
    /// The network.
    pub network: String,
    /// The station.
    pub mac: Mac,
    /// The name of the port or of the link's end.
    pub at: String,
    /// The VLAN; `None` is every VLAN of the leg (B58).
    pub vlan: Option<u16>,
    /// Never moves (B7).
    pub sticky: bool,
    /// Where it stands.
    pub line: Line,
}

/// A permanent membership in a multicast group (B74).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticGroup {
    /// The network.
    pub network: String,
    /// The name of the port or of the link's end.
    pub at: String,
    /// The VLAN; 0 on a network without VLAN filtering.
    pub vlan: u16,
    /// A multicast address.
    pub group: IpAddr,
    /// Where it stands.
    pub line: Line,
}

/// A lab machine in a network namespace of its own. Its interfaces on networks are among [`Plan::ports`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, and that of its namespace under /run/netns.
    pub name: String,
    /// Cables to vswitchd's own namespace.
    pub cables: Vec<Cable>,
    /// Kernel bridges inside the node (`[[node.bridge]]`), made when its interfaces are there.
    pub bridges: Vec<KernelBridge>,
    /// Shell commands, run one after the other when the interfaces are there; the lab fails if one fails.
    pub setup: Vec<String>,
    /// A supervised program and its arguments; empty for none.
    pub command: Vec<String>,
    /// Where it stands.
    pub line: Line,
}

/// A veth pair: one end in the node, the other in vswitchd's own namespace, where a raw port or nobody takes it, as
/// a real NIC's cable leads to a machine (`peer = "lan0"` in `[[node.interface]]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cable {
    /// The end in the node.
    pub interface: Interface,
    /// The name of the end in vswitchd's own namespace; it is brought up without an address.
    pub peer: String,
    /// Where it stands.
    pub line: Line,
}

/// A Linux bridge inside a node, joining interfaces of that node: the machine that bridges two networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelBridge {
    /// 1 to 15 bytes.
    pub name: String,
    /// Interfaces of the same node.
    pub interfaces: Vec<String>,
    /// The bridge's own addresses.
    pub address: Vec<IpNet>,
    /// Where it stands.
    pub line: Line,
}
