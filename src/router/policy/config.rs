//! What is said of a gateway's rules: plain values, as they come from the file.
//!
//! Legs are named by their index, addresses by value. Whoever makes a [`Config`] has made sure that no two publishes
//! overlap and that targets exist; a policy made from one that breaks that is still sound, only not what anybody meant.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::frame::LegIndex;
use crate::router::nat::ports::{Filtering, Mapping};
use crate::wire::packet::protocol;

/// All rules of a router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Published ports, in the order of the file.
    pub publishes: Vec<Publish>,
    /// The user's rules (DOCKER-USER, C1), in the order in which they are asked.
    pub rules: Vec<Rule>,
    /// What happens to packets of no flow (N6).
    pub invalid: Invalid,
    /// How ports are chosen.
    pub mapping: Mapping,
    /// Which strangers may answer a port that a guest has opened.
    pub filtering: Filtering,
    /// The ports that masqueraded flows get; `None` for their own, or one of its class (P3, P4).
    pub ports: Option<(u16, u16)>,
}

/// What happens to packets that are of no flow and start none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Invalid {
    /// What the kernel does under Docker's rules: they go on untranslated if a rule lets them (N6).
    Accept,
    /// They end here, so that no private address leaks out (0.2).
    #[default]
    Drop,
}

/// A published port, or a range of them (C14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The router's address that it is published at; `None` for all of the target's family.
    pub listen: Option<IpAddr>,
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The first and the last port that is published.
    pub ports: (u16, u16),
    /// The guest.
    pub to: IpAddr,
    /// The guest's port that the first published one leads to; the others follow.
    pub to_port: u16,
    /// Who may use it; empty for everybody.
    pub allow_from: Vec<IpNet>,
}

impl Publish {
    /// The port of the guest that a published port leads to.
    pub const fn target(&self, port: u16) -> u16 {
        self.to_port.wrapping_add(port.wrapping_sub(self.ports.0))
    }

    /// Whether somebody may use it. To others it is as if it were not there.
    pub fn allows(&self, source: IpAddr) -> bool {
        self.allow_from.is_empty() || self.allow_from.iter().any(|net| net.contains(&source))
    }
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// SCTP.
    Sctp,
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// IANA's number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Sctp => protocol::SCTP,
            Self::Tcp => protocol::TCP,
            Self::Udp => protocol::UDP,
        }
    }

    /// The name in the file and in rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sctp => "sctp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A rule of the user's. It matches what all of its conditions hold for; an empty condition holds for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The leg it came in on.
    pub from: Option<LegIndex>,
    /// The leg it leaves through.
    pub to: Option<LegIndex>,
    /// Who sent it: any of these.
    pub source: Vec<IpNet>,
    /// Whom to, after DNAT (C1): any of these.
    pub destination: Vec<IpNet>,
    /// The protocol (IANA's number).
    pub protocol: Option<u8>,
    /// The port it is for, after DNAT: first and last of any of these. Only packets of protocols with ports match.
    pub ports: Vec<(u16, u16)>,
    /// The port it is from, likewise.
    pub source_ports: Vec<(u16, u16)>,
    /// The states that match; empty for all.
    pub states: States,
    /// What then.
    pub action: Action,
}

/// A set of the states that rules know, as `--ctstate` has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct States(u8);

impl States {
    /// Of a flow that goes both ways.
    pub const ESTABLISHED: Self = Self(1);
    /// Of no flow.
    pub const INVALID: Self = Self(2);
    /// Of a flow that nobody has answered yet.
    pub const NEW: Self = Self(4);
    /// An error about a flow.
    pub const RELATED: Self = Self(8);
    /// Not followed.
    pub const UNTRACKED: Self = Self(16);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether none is in it, which stands for all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a rule does with what it matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It may pass; no other rule is asked.
    Accept,
    /// It ends here, without a word.
    Drop,
    /// A line is written (N61), and the next rule is asked.
    Log(Log),
    /// It ends here, and its sender is told.
    Reject(Reject),
    /// The user's other rules are not asked.
    #[default]
    Return,
}

/// How lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What they begin with; at most 29 bytes, as in iptables.
    pub prefix: String,
    /// Lines per second; more are counted only.
    pub limit: u32,
}

/// What the sender of a rejected packet is told. Alphabetical; the names are iptables' (`--reject-with`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reject {
    /// Communication is administratively prohibited (3/13; 1/1).
    AdminProhibited,
    /// The host is unreachable (3/1; 1/3).
    HostUnreachable,
    /// The port is unreachable (3/3; 1/4): iptables' default.
    #[default]
    PortUnreachable,
    /// A TCP reset; others are told that the port is unreachable.
    TcpReset,
}
