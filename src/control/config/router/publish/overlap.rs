//! Publishes that want the same port: of one protocol, at one address, where none stands for all of a family.

use std::net::IpAddr;
use std::ops::Range;

use crate::control::config::scope::Scope;
use crate::router::policy::config::Protocol;

/// Ports that are published.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// At which address; none is all.
    pub(super) address: Option<IpAddr>,
    /// Of which family.
    pub(super) is_ipv4: bool,
    /// Of which protocol.
    pub(super) protocol: Protocol,
    /// The first and the last.
    pub(super) ports: (u16, u16),
    /// Where that is written.
    pub(super) span: Range<usize>,
}

impl Taken {
    /// Whether a packet could be for both, if it is for a port of both.
    fn meets(&self, other: &Self) -> bool {
        let is_same = self.address.is_none() || other.address.is_none() || self.address == other.address;
        (self.protocol, self.is_ipv4) == (other.protocol, other.is_ipv4) && is_same
    }
}

/// Reports what is published twice, at the later of the two. Work is bounded by how many of the router's addresses one
/// port is published at: of those that meet, only the one that reaches farther is kept in mind.
pub(super) fn check(scope: &mut Scope, mut all: Vec<Taken>) {
    all.sort_by_key(|taken| (taken.protocol, taken.is_ipv4, taken.ports, taken.span.start));
    let mut open: Vec<Taken> = Vec::new();
    for taken in all {
        open.retain(|other| other.ports.1 >= taken.ports.0 && other.protocol == taken.protocol);
        let Some(at) = open.iter().position(|other| other.meets(&taken)) else {
            open.push(taken);
            continue;
        };
        let other = &open[at];
        let port = taken.ports.0;
        let (first, later) =
            if other.span.start <= taken.span.start { (other, &taken) } else { (&taken, other) };
        let what = match later.address.or(first.address) {
            Some(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            Some(IpAddr::V4(address)) => format!("{address}:{port}"),
            None => format!("port {port}"),
        };
        let help = match (first.address, later.address) {
            (None, None) | (Some(_), Some(_)) => "publish it at another port, or at another address",
            _ => "without an address, or at a loopback address, a port is published at all of the router's",
        };
        let message = format!("{what} ({}) is published already", later.protocol.name());
        scope.repeated(later.span.clone(), first.span.clone(), message).help(help);
        if taken.ports.1 > other.ports.1 {
            open[at] = taken;
        }
    }
}
