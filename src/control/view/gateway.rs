//! Routers: what they are made of, what they know, whom they follow, which rules they keep to.
//!
//! `text` in these views is the line that the kernel's own tool has for it; the fields beside it are the same for programs.

use serde::{Deserialize, Serialize};

use crate::control::sessions::SessionPlace;
use crate::wire::mac::Mac;

/// A router, as `show routers` lists it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GatewayView {
    /// Its name.
    pub name: String,
    /// In the order of the file.
    pub interfaces: Vec<InterfaceView>,
    /// How many routes it has, those of its own prefixes included.
    pub routes: usize,
    /// How many neighbours it knows or asks for.
    pub neighbors: usize,
    /// The flows it follows; absent if it only routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conntrack: Option<UsageView>,
    /// Datagrams in pieces that never became complete.
    pub incomplete: u64,
    /// Packets that waited for a neighbour that did not answer.
    pub unreachable: u64,
    /// Packets of its own that had nowhere to go, or no room to wait.
    pub unsent: u64,
    /// Errors that it did not send, because they were too many.
    pub untold: u64,
    /// Lines of its rules that were not written, because they were too many.
    pub unlogged: u64,
}

/// A router's place on a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InterfaceView {
    /// The router's end of the wire: `GW/NET`.
    pub name: String,
    /// The network.
    pub network: String,
    /// `inside`, `outside` or `plain`.
    pub role: String,
    /// Its address on the wire.
    pub mac: Mac,
    /// Bytes of the largest packet.
    pub mtu: u16,
    /// Its addresses with their prefixes, and the link-local one of IPv6.
    pub addresses: Vec<String>,
    /// The settings that are not as usual for its role, by their names in the file.
    pub flags: Vec<String>,
}

/// How full a table of sessions is, and who fills it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UsageView {
    /// How many sessions there are.
    pub count: usize,
    /// How many there may be.
    pub max: usize,
    /// The ports that have opened most of them, the first of them first; a few.
    pub holders: Vec<HolderView>,
}

/// Who holds sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HolderView {
    /// The port that their first packets came in through; `switch` for those that came through none.
    pub port: String,
    /// How many.
    pub sessions: u32,
}

/// A route, with the fields of `ip -j route`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteView {
    /// Whom to: a prefix, an address, or `default`.
    pub dst: String,
    /// The next router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The interface it leaves through.
    pub dev: String,
    /// `kernel` for the prefixes of its own addresses; absent for routes of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Whose packets the router sends that way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefsrc: Option<String>,
    /// The router.
    pub router: String,
    /// The line of `ip route`.
    pub text: String,
}

/// A neighbour, with the fields of `ip -j neighbour`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NeighbourView {
    /// Its address.
    pub dst: String,
    /// The interface it is behind.
    pub dev: String,
    /// Its hardware address, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lladdr: Option<Mac>,
    /// One of `REACHABLE`, `STALE`, `DELAY`, `PROBE`, `INCOMPLETE`, `FAILED`; a list because `ip` has one.
    pub state: Vec<String>,
    /// The router.
    pub router: String,
    /// The line of `ip neighbour`.
    pub text: String,
}

/// Some of the sessions, as `show conntrack` lists them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConntrackView {
    /// Those that were asked for and found, in the order of their places.
    pub sessions: Vec<SessionView>,
    /// How many there are on all routers, asked for or not.
    pub total: usize,
    /// Where to go on; absent when all have been looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<SessionPlace>,
}

/// A session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// The router that follows it.
    pub router: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// `tcp`, `udp`, `icmp`, … or `unknown`.
    pub protocol: String,
    /// Seconds until it ends if no packet comes.
    pub timeout: u64,
    /// Where a TCP connection is: `ESTABLISHED`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What packets look like as they arrive from whoever opened it.
    pub original: FlowView,
    /// What answers look like as they arrive.
    pub reply: FlowView,
    /// An answer has been seen.
    pub replied: bool,
    /// It goes on when the table is full.
    pub assured: bool,
    /// The port that opened it; `switch` for none.
    pub opened_by: String,
    /// The line of /proc/net/nf_conntrack.
    pub text: String,
}

/// One direction of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowView {
    /// Who sends.
    pub src: String,
    /// Whom to.
    pub dst: String,
    /// The sender's port, of protocols with ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sport: Option<u16>,
    /// The receiver's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dport: Option<u16>,
    /// The identifier, of ICMP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u16>,
    /// Packets; one of 64 KiB that the receiver will cut counts once.
    pub packets: u64,
    /// Their bytes, from the IP header on.
    pub bytes: u64,
}

/// How often something was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountView {
    /// Packets.
    pub packets: u64,
    /// Their bytes, from the IP header on.
    pub bytes: u64,
}

/// A published port, or a range of them, as `show publish` lists it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PublishView {
    /// The router.
    pub router: String,
    /// Its address that the port is published at; `0.0.0.0` or `::` for all of that family.
    pub listen: String,
    /// The port, or the first and the last as `8000-8010`.
    pub port: String,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The guest.
    pub to: String,
    /// The guest's port, or its first and last.
    pub to_port: String,
    /// Who may use it; absent for everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_from: Vec<String>,
    /// Flows that were led to the guest: their first packets.
    pub translated: CountView,
    /// What was let in of them.
    pub accepted: CountView,
    /// The line of the file, from 1.
    pub line: u32,
}

/// A line of `show rules`: a chain, or a rule of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleView {
    /// The router.
    pub router: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// `filter`, `nat` or `raw`.
    pub table: String,
    /// The line of `iptables -v -S` or `ip6tables -v -S`.
    pub text: String,
    /// What it has matched, of both families; absent for what does not count: chains, jumps, and all lines but the first of
    /// a rule that takes several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<CountView>,
    /// The line of the file that it comes from, from 1: a rule's, a publish's, an interface's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
