//! What the user can set on a bridge and on each of its legs.
//!
//! Names and defaults are those of bridge(8) and ip-link(8); what the kernel lacks says so. These are plain
//! values: what they do to a frame is in the module that each belongs to. VLAN memberships, permitted sources and backup
//! ports are not among them: they are lists or name other legs, and are changed one by one.

use std::time::Duration;

use ipnet::IpNet;

use super::{MulticastConfig, MulticastLegConfig, StpConfig, StpLegConfig};
use crate::wire::mac::Mac;

/// Settings of a whole bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// The bridge's own address: what it signs its BPDUs and queries with, and the tie-breaker of its bridge id (B42).
    pub address: Mac,
    /// How long a learned station is remembered after its last frame; zero learns nothing (B12, B14).
    pub ageing: Duration,
    /// The most stations learned at a time; zero is no limit in the kernel, here it is refused (B19).
    pub fdb_max: u32,
    /// Bit n forwards 01-80-C2-00-00-0n like any group; bits 0, 1 and 2 are refused (B37).
    pub group_fwd_mask: u16,
    /// Frames to 01-80-C2-00-00-0X do not teach their source (B22).
    pub no_linklocal_learn: bool,
    /// Bit n forwards 01-80-C2-00-00-0n, whatever the kernel would say to it: the wire is transparent to that protocol.
    /// Unknown to the kernel. Bit 0 (BPDUs) is refused where there is a spanning tree.
    pub transparent_mask: u16,
    /// Guests may talk IP to each other; `false` is Docker's `--icc=false`, which lets ARP and neighbour discovery pass
    /// (0.4, C9).
    pub icc: bool,
    /// VLAN filtering.
    pub vlan: VlanConfig,
    /// Spanning tree.
    pub stp: StpConfig,
    /// Multicast snooping.
    pub multicast: MulticastConfig,
    /// When a station that appears on several ports at once is a loop.
    pub flap: FlapConfig,
}

impl Default for BridgeConfig {
    fn default() -> Self {
        Self {
            address: Mac([2, 0, 0, 0, 0, 0]),
            ageing: Duration::from_secs(300),
            fdb_max: 4096,
            group_fwd_mask: 0,
            no_linklocal_learn: false,
            transparent_mask: 0,
            icc: true,
            vlan: VlanConfig::default(),
            stp: StpConfig::default(),
            multicast: MulticastConfig::default(),
            flap: FlapConfig::default(),
        }
    }
}

/// The tag a bridge that filters VLANs reads and writes; any other is payload to it (B57).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VlanProtocol {
    /// 802.1ad, the service tag: 0x88a8.
    Dot1ad,
    /// 802.1Q: 0x8100.
    #[default]
    Dot1q,
}

impl VlanProtocol {
    /// The tag's EtherType.
    pub const fn tpid(self) -> u16 {
        match self {
            Self::Dot1ad => 0x88a8,
            Self::Dot1q => 0x8100,
        }
    }
}

/// VLAN filtering of a whole bridge; who is in which VLAN is set leg by leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanConfig {
    /// Off: tags are payload (B50).
    pub filtering: bool,
    /// Whose tags.
    pub protocol: VlanProtocol,
    /// The VLAN that every new leg is put into, untagged; zero for none (B51).
    pub default_pvid: u16,
}

impl Default for VlanConfig {
    fn default() -> Self {
        Self { filtering: false, protocol: VlanProtocol::Dot1q, default_pvid: 1 }
    }
}

/// A leg's place in a VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VlanEntry {
    /// 1 to 4094 (B56).
    pub vid: u16,
    /// Frames without a tag that enter here are in this VLAN; a leg has one such VLAN at most (B54).
    pub pvid: bool,
    /// Frames of this VLAN leave here without their tag (B55).
    pub untagged: bool,
}

/// A station that moves to and fro between legs is a loop, or an address in use twice. Unknown to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlapConfig {
    /// So many moves of one station within `window` are a flap; zero looks for none.
    pub moves: u32,
    /// See `moves`.
    pub window: Duration,
    /// How long the leg that the station last moved to is not heard; zero only tells.
    pub quarantine: Duration,
}

impl Default for FlapConfig {
    fn default() -> Self {
        Self { moves: 0, window: Duration::from_secs(1), quarantine: Duration::from_secs(10) }
    }
}

/// How many frames per second of each kind may enter at a leg; zero is no limit. A large frame counts as those that it will be
/// cut into. Unknown to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StormLimit {
    /// Broadcasts.
    pub broadcast: u32,
    /// Multicasts, but for the link-local groups.
    pub multicast: u32,
    /// Frames to stations that nobody knows.
    pub unknown_unicast: u32,
}

/// Who may send at a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permit {
    /// Frames, ARP and neighbour discovery from an address of this network. A leg with any such permits, and no address of a
    /// family, permits none of that family.
    Ip(IpNet),
    /// Frames from this address.
    Mac(Mac),
}

/// What a leg is to the bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// A port like any other.
    #[default]
    Port,
    /// The machine the bridge lives in, as the bridge device itself is to the kernel (B40, B41): its address is a
    /// local entry, it gets no unknown unicast, and is not subject to isolation.
    Host,
}

/// Whom the port is willing to receive frames for; VirtualBox's setting of the same name, unknown to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Promiscuous {
    /// An ordinary switch port.
    #[default]
    Allow,
    /// Only frames to its own address and to groups.
    Deny,
    /// An ordinary switch port that also gets a copy of every frame that enters the bridge elsewhere.
    Monitor,
}

/// Settings of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegConfig {
    /// Port or host.
    pub role: Role,
    /// The address of the interface behind the leg, if it is known: a local entry if `role` is `Host`, and what
    /// `promiscuous = "deny"` compares with.
    pub mac: Option<Mac>,
    /// The interface's MTU in bytes (B47).
    pub mtu: u32,
    /// Sources are remembered (B4).
    pub learning: bool,
    /// Gets unknown unicast (B23).
    pub flood: bool,
    /// Gets multicast (B25).
    pub mcast_flood: bool,
    /// Gets broadcast (B24).
    pub bcast_flood: bool,
    /// May get back what it sent (B27).
    pub hairpin: bool,
    /// Talks to no other isolated leg (B29).
    pub isolated: bool,
    /// Only sources that the FDB already has here may send (B21).
    pub locked: bool,
    /// A locked leg notes who was turned away, as locked FDB entries that an authenticator may release (B21).
    pub mab: bool,
    /// ARP and neighbour discovery that can be answered from what is known are not flooded here (B83).
    pub neigh_suppress: bool,
    /// ARP requests that enter here are answered from what is known (B83).
    pub proxy_arp: bool,
    /// The most stations learned here at a time; zero is no limit but the bridge's. Unknown to the kernel.
    pub mac_limit: u32,
    /// Storm limits.
    pub storm_limit: StormLimit,
    /// Spanning tree.
    pub stp: StpLegConfig,
    /// Multicast snooping.
    pub multicast: MulticastLegConfig,
    /// As [`BridgeConfig::group_fwd_mask`], for frames that enter here; bit 1 is refused (B37).
    pub group_fwd_mask: u16,
    /// Whom it receives for.
    pub promiscuous: Promiscuous,
}

impl Default for LegConfig {
    fn default() -> Self {
        Self {
            role: Role::Port,
            mac: None,
            mtu: 1500,
            learning: true,
            flood: true,
            mcast_flood: true,
            bcast_flood: true,
            hairpin: false,
            isolated: false,
            locked: false,
            mab: false,
            neigh_suppress: false,
            proxy_arp: false,
            mac_limit: 0,
            storm_limit: StormLimit::default(),
            stp: StpLegConfig::default(),
            multicast: MulticastLegConfig::default(),
            group_fwd_mask: 0,
            promiscuous: Promiscuous::Allow,
        }
    }
}
