//! Settings of modules that are on their way.

use std::net::Ipv4Addr;
use std::time::Duration;

/// Who is a multicast router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RouterMode {
    /// It is.
    Always,
    /// Whoever behaves like one.
    #[default]
    Learn,
    /// Nobody.
    Never,
    /// For a while.
    Temp,
}

/// Snooping of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MulticastConfig {
    /// Whether at all.
    pub snooping: bool,
    /// Whether to ask.
    pub querier: bool,
    /// 2 or 3.
    pub igmp_version: u8,
    /// 1 or 2.
    pub mld_version: u8,
    /// Groups.
    pub hash_max: u32,
    /// B64.
    pub last_member_count: u32,
    /// B64.
    pub startup_query_count: u32,
    /// B64.
    pub last_member_interval: Duration,
    /// B64.
    pub membership_interval: Duration,
    /// B64.
    pub querier_interval: Duration,
    /// B64.
    pub query_interval: Duration,
    /// B64.
    pub query_response_interval: Duration,
    /// B64.
    pub startup_query_interval: Duration,
    /// The bridge itself.
    pub router: RouterMode,
    /// B72.
    pub query_use_ifaddr: Option<Ipv4Addr>,
    /// Pain 18.
    pub flood_solicited_node: bool,
}

impl Default for MulticastConfig {
    fn default() -> Self {
        Self {
            snooping: false,
            querier: false,
            igmp_version: 2,
            mld_version: 1,
            hash_max: 4096,
            last_member_count: 2,
            startup_query_count: 2,
            last_member_interval: Duration::from_secs(1),
            membership_interval: Duration::from_secs(260),
            querier_interval: Duration::from_secs(255),
            query_interval: Duration::from_secs(125),
            query_response_interval: Duration::from_secs(10),
            startup_query_interval: Duration::from_millis(31_250),
            router: RouterMode::Learn,
            query_use_ifaddr: None,
            flood_solicited_node: true,
        }
    }
}

/// Snooping of a leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MulticastLegConfig {
    /// B71.
    pub router: RouterMode,
    /// B74.
    pub fastleave: bool,
    /// B77.
    pub to_unicast: bool,
    /// 0 is no limit of its own.
    pub max_groups: u32,
}
