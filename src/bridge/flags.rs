//! What the user can set on a bridge and on each of its legs.
//!
//! Names and defaults are those of bridge(8) and ip-link(8); what the kernel lacks says so. These are plain
//! values: what they do to a frame is in `deliver` and `learn`.

use std::time::Duration;

use crate::wire::mac::Mac;

/// Settings of a whole bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// How long a learned station is remembered after its last frame; zero learns nothing (B12, B14).
    pub ageing: Duration,
    /// The most stations learned at a time; zero is no limit in the kernel, here it is refused (B19).
    pub fdb_max: u32,
    /// Bit n forwards 01-80-C2-00-00-0n like any group; bits 0, 1 and 2 are refused (B37).
    pub group_fwd_mask: u16,
    /// Frames to 01-80-C2-00-00-0X do not teach their source (B22).
    pub no_linklocal_learn: bool,
}

impl Default for BridgeConfig {
    fn default() -> Self {
        Self { ageing: Duration::from_secs(300), fdb_max: 4096, group_fwd_mask: 0, no_linklocal_learn: false }
    }
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
            group_fwd_mask: 0,
            promiscuous: Promiscuous::Allow,
        }
    }
}
