//! What `verify` is to try once the lab is up.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::Line;
use crate::verdict::Reason;

/// Who looks, in an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// vswitchd's own namespace.
    Host,
    /// A node.
    Node(String),
}

/// Something `verify` checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// What is tried.
    pub probe: Probe,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether it must succeed (`result = "ok"`) or must not (`"fail"`).
    pub succeed: bool,
    /// Where it stands.
    pub line: Line,
}

/// What can be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `kind = "arp"`: after one attempt to reach it, `from` has the address of the machine that owns `to` in its
    /// neighbour table, with that machine's hardware address.
    Arp {
        /// Who looks.
        from: Place,
        /// Whose hardware address.
        to: IpAddr,
    },
    /// `kind = "drops"`: the counter of `to` (a reason) is above zero on `from`: a port, an end of a link, or a network.
    Drops {
        /// The name of the port, of the link's end (`NET/OTHER`) or of the network.
        port: String,
        /// The reason.
        reason: Reason,
    },
    /// `kind = "fdb"`: the network `from` has learned every interface of the node `to` that is on it.
    Fdb {
        /// The network's name.
        network: String,
        /// The node's name.
        node: String,
    },
    /// `kind = "interface"`: `from` has an interface named `to`.
    Interface {
        /// Who looks.
        from: Place,
        /// The interface's name.
        name: String,
    },
    /// `kind = "mdb"`: the network `from` knows a member of the group `to`; with `port`, one there.
    Mdb {
        /// The network's name.
        network: String,
        /// A multicast address.
        group: IpAddr,
        /// The name of a port or of a link's end; `None` is any.
        at: Option<String>,
    },
    /// `kind = "multicast"`: a datagram that `from` sends to the group `to` arrives `at` a machine.
    Multicast {
        /// Who sends.
        from: Place,
        /// The group, and a UDP port.
        to: SocketAddr,
        /// Where it is to arrive.
        at: Place,
        /// Whether that machine joins the group, and is a member from then on; with `join = false` it leaves, if it is
        /// one, and what counts is whether the datagram is sent to it all the same.
        join: bool,
    },
    /// `kind = "nat"`: what is between `from` and a node beyond a router translates like this.
    Nat {
        /// Who is behind it.
        from: Place,
        /// The node whom it talks to.
        at: String,
        /// Two addresses of that node's.
        servers: [IpAddr; 2],
        /// How it is to behave.
        kind: NatKind,
    },
    /// `kind = "ping"`: an echo request is answered.
    Ping {
        /// Who asks.
        from: Place,
        /// Who is to answer.
        to: IpAddr,
        /// Whom who answers must see.
        sees: Option<Seen>,
    },
    /// `kind = "route"`: `from` has exactly this route in its main table.
    Route {
        /// Who looks.
        from: Place,
        /// The destination.
        to: IpNet,
    },
    /// `kind = "stp"`: the port or link's end `from` is in the state `to`.
    Stp {
        /// The name of the port or of the link's end.
        at: String,
        /// The state.
        state: StpState,
    },
    /// `kind = "tcp"`: a connection opens; if nothing listens there, a listener of ours is started in the node that
    /// owns the address, and a hash of 1 MiB in both directions must match. Behind an address of a router, the node is
    /// the one that the port is published for.
    Tcp {
        /// Who connects.
        from: Place,
        /// Where to.
        to: SocketAddr,
        /// Whom the listener must see.
        sees: Option<Seen>,
    },
    /// `kind = "udp"`: as `tcp`, with datagrams that must come back unchanged.
    Udp {
        /// Who sends.
        from: Place,
        /// Where to.
        to: SocketAddr,
        /// Whom who answers must see.
        sees: Option<Seen>,
    },
}

/// Whom the other side sees (`sees`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The address that it all comes from.
    pub address: IpAddr,
    /// Whether the port that it comes from is the sender's own (`keeps_port`); `None` if that does not matter.
    pub keeps_port: Option<bool>,
}

impl From<IpAddr> for Seen {
    fn from(address: IpAddr) -> Self {
        Self { address, keeps_port: None }
    }
}

/// How long a probe may take before it counts as failed, unless the file says otherwise (`timeout`, in seconds).
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// The kinds of NAT, as RFC 3489 calls them: what a peer-to-peer program finds before it. In the terms of RFC 4787, the
/// first three map a port of a guest's to one of their own, whoever it talks to, and differ in who may answer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatKind {
    /// Anybody may answer.
    FullCone,
    /// Who was talked to may answer, from the port that was talked to.
    PortRestricted,
    /// Whose address was talked to may answer, from any port.
    Restricted,
    /// Every destination sees another port, and only the one that it is for may answer there.
    Symmetric,
}

impl NatKind {
    /// All of them, in the order of the alphabet.
    pub const ALL: [Self; 4] = [Self::FullCone, Self::PortRestricted, Self::Restricted, Self::Symmetric];

    /// As `[router.nat]` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullCone => "full-cone",
            Self::PortRestricted => "port-restricted",
            Self::Restricted => "restricted",
            Self::Symmetric => "symmetric",
        }
    }
}

impl fmt::Display for NatKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a spanning tree lets a port do: the states of 802.1D-1998, and the one that 802.1D-2004 makes of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StpState {
    /// Carries nothing, hears BPDUs.
    Blocking,
    /// Down, or shut by BPDU guard.
    Disabled,
    /// RSTP's word for blocking, disabled or listening.
    Discarding,
    /// Carries frames.
    Forwarding,
    /// Learns stations, carries nothing yet.
    Learning,
    /// Takes part in the election, carries nothing yet.
    Listening,
}

impl StpState {
    /// All of them, in the order of the alphabet.
    pub const ALL: [Self; 6] =
        [Self::Blocking, Self::Disabled, Self::Discarding, Self::Forwarding, Self::Learning, Self::Listening];

    /// As the file and bridge(8) call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Disabled => "disabled",
            Self::Discarding => "discarding",
            Self::Forwarding => "forwarding",
            Self::Learning => "learning",
            Self::Listening => "listening",
        }
    }
}

impl fmt::Display for StpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
