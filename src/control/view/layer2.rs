//! The tables of a bridge besides the FDB: VLANs, multicast groups, the spanning tree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A port's VLANs, with the fields of `bridge -j vlan show`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VlanView {
    /// The port or end of a link.
    pub ifname: String,
    /// In the order of their numbers.
    pub vlans: Vec<VlanEntryView>,
}

/// A port's place in a VLAN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VlanEntryView {
    /// 1 to 4094.
    pub vlan: u16,
    /// `PVID` and `Egress Untagged`, as far as they are so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// Who wants which multicast, with the fields of `bridge -d -j mdb show`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MdbView {
    /// Memberships, a network after the other.
    pub mdb: Vec<GroupView>,
    /// By network: the ports behind which there are multicast routers, which get every group.
    pub router: BTreeMap<String, Vec<RouterView>>,
}

/// A port's membership in a multicast group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    /// The network.
    pub dev: String,
    /// The port or end of a link; the network's name is the host.
    pub port: String,
    /// The group.
    pub grp: String,
    /// The one source it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src: Option<String>,
    /// `permanent` for the user's, `temp` for those that were reported.
    pub state: String,
    /// `include`: only what is in `source_list` is wanted; `exclude`: everything but what is blocked there. Only where
    /// sources matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_mode: Option<String>,
    /// The sources it speaks of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_list: Vec<SourceView>,
    /// The VLAN, where the network filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vid: Option<u16>,
    /// Seconds until it is forgotten, as `  12.34`; only for reported ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<String>,
}

/// A source of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceView {
    /// Its address.
    pub address: String,
    /// Seconds that it is still wanted, as `  12.34`; zero when it is blocked.
    pub timer: String,
}

/// A port with a multicast router behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterView {
    /// The port or end of a link.
    pub port: String,
    /// `temp` for one that was noticed, `permanent` for one that was set.
    #[serde(rename = "type")]
    pub kind: String,
    /// Seconds until it is forgotten, as `  12.34`; only for noticed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<String>,
}

/// The spanning tree of a network; names as in `ip -d -j link`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeView {
    /// The network.
    pub ifname: String,
    /// `stp` or `rstp`.
    pub mode: String,
    /// Priority and address of this bridge, as `8000.020000000001`.
    pub bridge_id: String,
    /// The same of the root.
    pub root_id: String,
    /// Zero at the root.
    pub root_path_cost: u32,
    /// The way to the root; none at the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_port: Option<String>,
    /// One is going on.
    pub topology_change: bool,
    /// How many there have been.
    pub topology_changes: u64,
    /// Seconds since the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology_changed: Option<u64>,
    /// Seconds, as the root wants it.
    pub hello_time: u64,
    /// Seconds, as the root wants it.
    pub max_age: u64,
    /// Seconds, as the root wants it.
    pub forward_delay: u64,
    /// The ports, in the order of the file.
    pub ports: Vec<TreePortView>,
}

/// A port in a spanning tree; names as in `bridge -d -j link` and `ip -d -j link`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreePortView {
    /// The port or end of a link.
    pub ifname: String,
    /// `root`, `designated`, `alternate`, `backup` or `disabled`.
    pub role: String,
    /// `disabled`, `blocking`, `listening`, `learning` or `forwarding`.
    pub state: String,
    /// 0 to 63.
    pub priority: u8,
    /// What the way through here costs.
    pub cost: u32,
    /// Priority and number of this port, as `8001`.
    pub port_id: String,
    /// The bridge that speaks for what is behind this port.
    pub designated_bridge: String,
    /// That bridge's port.
    pub designated_port: String,
    /// That bridge's way to the root.
    pub designated_cost: u32,
    /// It leads to no other bridge.
    pub edge: bool,
    /// `guard`, `root_block`: what was set; `disabled by guard`: what came of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// BPDUs that came in.
    pub rx_bpdu: u64,
    /// BPDUs that went out.
    pub tx_bpdu: u64,
    /// Topology change notices that came in.
    pub rx_tcn: u64,
    /// Topology change notices that went out.
    pub tx_tcn: u64,
}
