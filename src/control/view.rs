//! What `show` can show: plain values that the engine and the control thread fill in and the command line prints.
//!
//! They are the control protocol's answers too, so their field names are a public interface: `show fdb`, `show vlan`
//! and `show mdb` use those of `bridge -j`, `show routes` and `show neighbors` those of `ip -j`, the others those of
//! `ip -d -j -s link` where there is one.

mod gateway;
mod layer2;

pub use gateway::{
    ConntrackView, CountView, FlowView, GatewayView, HolderView, InterfaceView, NeighbourView, PublishView,
    RouteView, RuleView, SessionView, UsageView,
};
pub use layer2::{
    GroupView, MdbView, RouterView, SourceView, TreePortView, TreeView, VlanEntryView, VlanView,
};

use serde::{Deserialize, Serialize};

use crate::wire::mac::Mac;

/// A port, as `show ports` lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortView {
    /// The port's name in the file; `NODE:INTERFACE` for a node's interface, the network's name for the host's.
    pub name: String,
    /// The network it is plugged into.
    pub network: String,
    /// `tap`, `plain` (a TAP without offloads) or `raw`.
    pub kind: String,
    /// The interface's name.
    pub interface: String,
    /// The node whose interface it is, if it is a node's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The interface's address, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// The interface's MTU.
    pub mtu: u32,
    /// `up`, `down`, or `gone` when the interface was deleted under us.
    pub state: String,
    /// The flags that differ from their defaults, by their bridge(8) names, such as `isolated` or `flood off`.
    pub flags: Vec<String>,
    /// What came in.
    pub rx: Traffic,
    /// What went out.
    pub tx: Traffic,
}

/// Counters of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Frames; one of 64 KiB that the receiver will cut counts once.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames dropped.
    pub dropped: u64,
}

/// A network, as `show networks` lists it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkView {
    /// Its name.
    pub name: String,
    /// The host's addresses on it; empty for an internal network.
    pub host: Vec<String>,
    /// Its MTU.
    pub mtu: u32,
    /// Seconds.
    pub ageing: u64,
    /// Stations remembered now.
    pub stations: usize,
    /// The most it will learn.
    pub fdb_max: u32,
    /// Its ports, in the order of the file.
    pub ports: Vec<String>,
    /// The ends of links that are plugged into it, as `NETWORK/OTHER`.
    pub links: Vec<String>,
    /// `off`, `stp` or `rstp`.
    pub stp: String,
    /// Whether VLANs are told apart.
    pub vlan_filtering: bool,
    /// Whether multicast goes only to those who want it.
    pub mcast_snooping: bool,
    /// Who asks after groups, for each family somebody does for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mcast_queriers: Vec<QuerierView>,
    /// Memberships and sources remembered now.
    pub mcast_members: u32,
    /// Memberships and sources that there was no room for.
    pub mcast_refused: u64,
    /// What its bridge has done.
    pub counters: BridgeCountersView,
}

/// Who asks after multicast groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QuerierView {
    /// `igmp` or `mld`.
    pub family: String,
    /// Its address, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The port or end of a link it is behind; the network's name is the bridge itself, or the host.
    pub port: String,
    /// Seconds until the bridge gives it up, as `  12.34`; absent if the bridge asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<String>,
}

/// What a bridge has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeCountersView {
    /// Frames that came in: the sum of the next four.
    pub received: u64,
    /// Frames meant for the bridge itself.
    pub consumed: u64,
    /// Frames sent out of one leg.
    pub forwarded: u64,
    /// Frames sent out of several.
    pub flooded: u64,
    /// Frames that ended here.
    pub dropped: u64,
    /// Stations seen for the first time.
    pub learned: u64,
    /// Stations that moved.
    pub moved: u64,
    /// Times a station was not learned because the table was full.
    pub refused: u64,
}

/// An FDB entry, with the fields of `bridge -j fdb show`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StationView {
    /// The station.
    pub mac: Mac,
    /// The port or end of a link it is behind.
    pub ifname: String,
    /// `sticky`, `locked`, if it is.
    pub flags: Vec<String>,
    /// The network.
    pub master: String,
    /// The VLAN, where the network filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// `permanent`, `static` or empty for a learned one.
    pub state: String,
    /// Seconds since it was last seen; only for learned ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<u64>,
}

/// A line of `show drops`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DropView {
    /// The port or end of a link.
    pub port: String,
    /// `in`: frames that came in here and ended; `out`: copies that would have left here but were withheld or lost, or
    /// that left over this link and ended behind it.
    pub direction: String,
    /// The reason's name.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// What the reason means.
    pub explanation: String,
}

/// A node, as `show nodes` lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Where its network namespace is, for `nsenter --net=`.
    pub netns: String,
    /// Its interfaces as `name address…`.
    pub interfaces: Vec<String>,
    /// The process id of its command, if one is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// `running`, `exited N`, `killed by signal N` or `idle` when it has no command.
    pub state: String,
}

/// The whole switch, as `show stats` prints it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatsView {
    /// The lab's name.
    pub lab: String,
    /// Seconds since start.
    pub uptime: u64,
    /// Frames received by the fabric: the sum of the five that follow.
    pub received: u64,
    /// Forwarded to one port.
    pub sent: u64,
    /// Flooded to at least one.
    pub flooded: u64,
    /// Meant for a device.
    pub consumed: u64,
    /// Kept until something is known.
    pub parked: u64,
    /// Dropped, for all reasons.
    pub dropped: u64,
    /// Copies handed to ports.
    pub delivered: u64,
    /// Times the engines woke up.
    pub wakeups: u64,
    /// Batches they processed.
    pub batches: u64,
    /// Stations remembered on all networks.
    pub stations: usize,
    /// The threads of the engines.
    pub engines: Vec<EngineView>,
}

/// One of the threads that move frames.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineView {
    /// The thread's name.
    pub name: String,
    /// The networks and routers that live there.
    pub devices: Vec<String>,
    /// How many ports it reads.
    pub ports: usize,
    /// Frames it has received, whatever lived on it then.
    pub received: u64,
    /// Times it woke up.
    pub wakeups: u64,
    /// Batches it processed.
    pub batches: u64,
}

/// What `show` answered with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// `show conntrack`
    Conntrack(ConntrackView),
    /// `show drops`
    Drops(Vec<DropView>),
    /// `show fdb`
    Fdb(Vec<StationView>),
    /// `show mdb`
    Mdb(MdbView),
    /// `show neighbors`
    Neighbors(Vec<NeighbourView>),
    /// `show networks`
    Networks(Vec<NetworkView>),
    /// `show nodes`
    Nodes(Vec<NodeView>),
    /// `show ports`
    Ports(Vec<PortView>),
    /// `show publish`
    Publish(Vec<PublishView>),
    /// `show routers`
    Routers(Vec<GatewayView>),
    /// `show routes`
    Routes(Vec<RouteView>),
    /// `show rules`
    Rules(Vec<RuleView>),
    /// `show stats`
    Stats(StatsView),
    /// `show stp`
    Stp(Vec<TreeView>),
    /// `show vlan`
    Vlan(Vec<VlanView>),
}
