//! What the user can set about multicast, on a bridge and on each of its legs.
//!
//! Names and defaults are those of bridge(8) and ip-link(8), without their `mcast_` (B64); where a default differs it
//! says so. Two differ, and for one reason: snooping without a querier is the classic way to lose neighbour discovery.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::wire::mac::Mac;

/// Which of the two protocols, and so which querier and which routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IGMP.
    V4,
    /// MLD.
    V6,
}

impl Family {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub(super) const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// When a leg, or the bridge itself, is where a multicast router is (B71).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RouterMode {
    /// Always (2 to the kernel).
    Always,
    /// While one is heard (1 to the kernel).
    #[default]
    Learn,
    /// Never (0 to the kernel).
    Never,
    /// From now on for as long as after a query, then `Learn` (3 to the kernel). For the bridge itself the same as
    /// `Learn`; the kernel refuses it there.
    Temp,
}

/// Settings of a whole bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MulticastConfig {
    /// Groups go only where they are wanted, once a querier exists (B65, B79). The kernel's default is on.
    pub snooping: bool,
    /// Ask for members while nobody else does (B72).
    pub querier: bool,
    /// Questions have the address of [`MulticastConfig::address`] instead of 0.0.0.0 (IGMP).
    pub query_use_ifaddr: bool,
    /// The bridge's own IPv4 address, for questions; 0.0.0.0 if it has none.
    pub address: Ipv4Addr,
    /// 2, or 3 to remember sources (B75); other values are 2.
    pub igmp_version: u8,
    /// 1, or 2 to remember sources (B75); other values are 1.
    pub mld_version: u8,
    /// The most groups; one more switches snooping off (B76).
    pub hash_max: u32,
    /// How often a group is asked for its last member.
    pub last_member_count: u32,
    /// How many questions the first quick ones are.
    pub startup_query_count: u32,
    /// How long the last member may take to answer.
    pub last_member_interval: Duration,
    /// How long after its last report a member is one, and a source wanted.
    pub membership_interval: Duration,
    /// How long after its last query another querier, or a router, is there.
    pub querier_interval: Duration,
    /// How often the bridge asks; at least a second.
    pub query_interval: Duration,
    /// How long members may take to answer that.
    pub query_response_interval: Duration,
    /// How often it asks at first; at least a second.
    pub startup_query_interval: Duration,
    /// Whether the host is a multicast router.
    pub router: RouterMode,
    /// ff02::1:ff00:0/104, where neighbours are asked for, is flooded whoever joined it. The kernel snoops it (B68).
    pub flood_solicited_node: bool,
}

impl Default for MulticastConfig {
    fn default() -> Self {
        Self {
            snooping: false,
            querier: false,
            query_use_ifaddr: false,
            address: Ipv4Addr::UNSPECIFIED,
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
            flood_solicited_node: true,
        }
    }
}

impl MulticastConfig {
    /// Whether sources are remembered and minded (B75).
    pub(super) const fn minds_sources(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.igmp_version == 3,
            Family::V6 => self.mld_version == 2,
        }
    }

    /// How long after it was asked for its last member a group has none: the RFCs' last member query time.
    pub(super) fn last_member_time(&self) -> Duration {
        self.last_member_interval.saturating_mul(self.last_member_count)
    }

    /// How long until the next question, `sent` questions after the start.
    pub(super) fn pause(&self, sent: u32) -> Duration {
        let startup = sent < self.startup_query_count;
        let pause = if startup { self.startup_query_interval } else { self.query_interval };
        pause.max(Duration::from_secs(1)) // BR_MULTICAST_QUERY_INTVL_MIN
    }
}

/// Settings of one leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MulticastLegConfig {
    /// Whether a multicast router is there.
    pub router: RouterMode,
    /// Who leaves is the last: nobody is asked (B74).
    pub fastleave: bool,
    /// Each reporter gets a copy of its own, addressed to it (B77).
    pub to_unicast: bool,
    /// The most groups and sources of groups here; zero is no limit of its own (B78).
    pub max_groups: u32,
}

/// A group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// One of IP.
    Ip(IpAddr),
    /// One of another protocol, set by the user.
    Mac(Mac),
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(group) => group.fmt(f),
            Self::Mac(group) => group.fmt(f),
        }
    }
}

impl Group {
    /// Whether it may have members at all. 224.0.0.0/24 and ff02::1 are everybody's (B68), and what is no group is
    /// nobody's, though the kernel would remember it.
    pub(super) fn is_registrable(self) -> bool {
        match self {
            Self::Ip(IpAddr::V4(group)) => group.is_multicast() && !is_local(group),
            Self::Ip(IpAddr::V6(group)) => group.is_multicast() && group != ALL_NODES,
            Self::Mac(group) => group.is_group() && !group.is_broadcast(),
        }
    }
}

pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Whether it is in 224.0.0.0/24.
pub(super) const fn is_local(group: Ipv4Addr) -> bool {
    matches!(group.octets(), [224, 0, 0, _])
}

/// Whether it is in ff02::1:ff00:0/104.
pub(super) const fn is_solicited_node(group: Ipv6Addr) -> bool {
    matches!(group.segments(), [0xff02, 0, 0, 0, 0, 1, 0xff00..=0xffff, _])
}
