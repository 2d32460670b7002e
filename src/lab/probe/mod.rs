//! Probes: what `verify` tries on a live lab.
//!
//! Each is a small program of our own inside a namespace, on a thread that ends with it: an echo request, a connection,
//! a look at a table. None needs anything installed, and none but `tcp` and `udp` (a listener, when nobody listens)
//! changes anything.
//!
//! A probe that is to succeed is tried until it does or its time is up. One that is to fail is tried in the same way for
//! [`PATIENCE`], so that a slow success is not taken for a failure.

mod echo;
mod ping;
mod tables;

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::netns;
use crate::control::plan::{Netns, Place, Plan, Port, Probe};
use crate::control::view::{DropView, StationView};
use crate::verdict::Reason;
use crate::wire::mac::Mac;

/// How long a probe that should fail is tried.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it succeeded.
    pub ok: bool,
    /// What was seen: a round-trip time, an address, why not.
    pub detail: String,
}

impl Outcome {
    fn yes(detail: impl Into<String>) -> Self {
        Self { ok: true, detail: detail.into() }
    }

    fn no(detail: impl Into<String>) -> Self {
        Self { ok: false, detail: detail.into() }
    }
}

/// Tries a probe for at most `timeout`. `Drops` and `Fdb` are answered by [`drops`] and [`fdb`]: they look at the
/// switch, not at the machines, and here they fail.
pub fn run(probe: &Probe, plan: &Plan, timeout: Duration, succeed: bool) -> Outcome {
    let timeout = if succeed { timeout } else { timeout.min(PATIENCE) };
    let from = match probe {
        Probe::Arp { from, .. }
        | Probe::Interface { from, .. }
        | Probe::Ping { from, .. }
        | Probe::Route { from, .. }
        | Probe::Tcp { from, .. }
        | Probe::Udp { from, .. } => from,
        Probe::Drops { .. } | Probe::Fdb { .. } => return Outcome::no("it is a question to the switch"),
    };
    let here = match namespace(from) {
        Ok(here) => here,
        Err(error) => return Outcome::no(format!("its namespace cannot be entered: {error}")),
    };
    let result = match probe {
        Probe::Arp { to, .. } => {
            let owner = owner(plan, *to).and_then(|port| port.interface.mac);
            netns::within(here.as_fd(), || until(timeout, |left| arp(*to, owner, left)))
        }
        Probe::Interface { name, .. } => netns::within(here.as_fd(), || tables::interface(name)),
        Probe::Ping { to, .. } => {
            netns::within(here.as_fd(), || until(timeout, |left| ping::once(*to, left)))
        }
        Probe::Route { to, .. } => netns::within(here.as_fd(), || tables::route(*to)),
        Probe::Tcp { to, .. } => {
            let listener = listener(plan, to.ip());
            Ok(echo::tcp(here.as_fd(), listener.as_ref().map(AsFd::as_fd), *to, timeout))
        }
        Probe::Udp { to, .. } => {
            let listener = listener(plan, to.ip());
            Ok(echo::udp(here.as_fd(), listener.as_ref().map(AsFd::as_fd), *to, timeout))
        }
        Probe::Drops { .. } | Probe::Fdb { .. } => unreachable!("answered above"),
    };
    result.unwrap_or_else(|error| Outcome::no(error.to_string()))
}

/// Whether the counter of that reason is above zero on that port, in either direction.
pub fn drops(views: &[DropView], port: &str, reason: Reason) -> Outcome {
    let of_port = || views.iter().filter(|view| view.port == port);
    let counted: u64 = of_port().filter(|view| view.reason == reason.name()).map(|view| view.count).sum();
    match counted {
        0 => {
            let others: Vec<String> =
                of_port().map(|view| format!("{} {}", view.reason, view.count)).collect();
            let others = if others.is_empty() { "none at all".to_owned() } else { others.join(", ") };
            Outcome::no(format!("no drops of that kind; {others}"))
        }
        count => Outcome::yes(format!("{count} frames")),
    }
}

/// Whether every interface that the node has on the network is known there.
pub fn fdb(views: &[StationView], plan: &Plan, network: &str, node: &str) -> Outcome {
    let ports = plan.ports.iter().filter(|port| port.network == network);
    let macs =
        ports.filter(|port| port.netns == Netns::Node(node.to_owned())).filter_map(|p| p.interface.mac);
    let known = |mac: &Mac| views.iter().find(|view| view.master == network && view.mac == *mac);
    let mut seen = Vec::new();
    for mac in macs {
        match known(&mac) {
            Some(view) => seen.push(format!("{mac} behind {}", view.ifname)),
            None => return Outcome::no(format!("{mac} is not known")),
        }
    }
    if seen.is_empty() { Outcome::no("it has no interface there") } else { Outcome::yes(seen.join(", ")) }
}

/// The neighbour's hardware address, after making the kernel ask for it.
fn arp(to: IpAddr, owner: Option<Mac>, timeout: Duration) -> Outcome {
    match tables::neighbour(to) {
        Some(mac) if owner.is_none_or(|owner| owner == mac) => return Outcome::yes(mac.to_string()),
        Some(mac) => return Outcome::no(format!("it has {mac}, which is somebody else's")),
        None => {}
    }
    // whether it answers is not the question, only whether it is found
    let _ = ping::once(to, timeout.min(PAUSE * 4));
    match tables::neighbour(to) {
        Some(mac) if owner.is_none_or(|owner| owner == mac) => Outcome::yes(mac.to_string()),
        _ => Outcome::no("nobody has answered for it"),
    }
}

/// Repeats `attempt` until it succeeds or the time is up; gives it the time that is left.
fn until(timeout: Duration, mut attempt: impl FnMut(Duration) -> Outcome) -> Outcome {
    let start = now();
    loop {
        let outcome = attempt(timeout.saturating_sub(start.elapsed()));
        if outcome.ok || start.elapsed() + PAUSE >= timeout {
            return outcome;
        }
        std::thread::sleep(PAUSE);
    }
}

fn namespace(place: &Place) -> std::io::Result<OwnedFd> {
    match place {
        Place::Host => netns::own(),
        Place::Node(name) => netns::open(&netns::path(name)),
    }
}

/// Where to put a listener for an address: with whoever owns it in this lab.
fn listener(plan: &Plan, address: IpAddr) -> Option<OwnedFd> {
    let has = |nets: &[IpNet]| nets.iter().any(|net| net.addr() == address);
    if let Some(port) = owner(plan, address) {
        return match &port.netns {
            Netns::Own => netns::own().ok(),
            Netns::Named(name) | Netns::Node(name) => netns::open(&netns::path(name)).ok(),
            Netns::Path(path) => netns::open(path).ok(),
        };
    }
    let node = plan.nodes.iter().find(|node| {
        node.cables.iter().any(|cable| has(&cable.interface.address))
            || node.bridges.iter().any(|bridge| has(&bridge.address))
    })?;
    netns::open(&netns::path(&node.name)).ok()
}

/// The port whose interface has the address.
fn owner(plan: &Plan, address: IpAddr) -> Option<&Port> {
    plan.ports.iter().find(|port| port.interface.address.iter().any(|net| net.addr() == address))
}

#[expect(clippy::disallowed_methods, reason = "a probe waits for the world, which has its own time")]
fn now() -> Instant {
    Instant::now()
}
