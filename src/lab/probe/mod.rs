//! What `verify` tries: do these machines reach each other, and do they know what they should?
//!
//! Each probe is done where the one who looks is, with sockets and netlink of our own; nothing needs to be installed.
//! A probe is tried again until it succeeds or its time is up. One that is expected to fail gets less time, but all of
//! it: "no" is an answer only after every retry could have said "yes".
//!
//! What only the switch knows (its FDB, its drops) is judged here too, from its views ([`fdb`], [`drops`]). And who has
//! joined a multicast group stays a member from one probe to the next ([`multicast`]).

mod attempt;
mod multicast;
mod neighbour;
mod ping;
mod tcp;
mod udp;
mod views;

pub use multicast::{Members, multicast};
pub use views::{drops, fdb, mdb, stp};

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ipnet::IpNet;

use self::attempt::Deadline;
use super::netlink::Netlink;
use super::{netns, runner};
use crate::control::plan::{Netns, PROBE_TIMEOUT, Place, Plan, Probe};

/// How long what is expected to fail is tried, unless the file says otherwise.
pub const FAIL_TIMEOUT: Duration = Duration::from_secs(1);

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// It happened, whether it was wished for or not.
    pub ok: bool,
    /// How, or why not.
    pub detail: String,
}

impl From<Result<String, String>> for Outcome {
    fn from(result: Result<String, String>) -> Self {
        match result {
            Ok(detail) => Self { ok: true, detail },
            Err(detail) => Self { ok: false, detail },
        }
    }
}

/// Tries a probe in a running lab. `succeed` says whether it is hoped to succeed: hopes are given `timeout`, fears no
/// more than [`FAIL_TIMEOUT`] unless `timeout` is not the default. Those that need views ([`fdb`], [`drops`])
/// or memberships ([`multicast()`]) always fail here.
pub fn run(probe: &Probe, plan: &Plan, timeout: Duration, succeed: bool) -> Outcome {
    let timeout = if !succeed && timeout == PROBE_TIMEOUT { FAIL_TIMEOUT } else { timeout };
    let result = match probe {
        Probe::Arp { from, to } => {
            enter(from).and_then(|at| neighbour::probe(&at, owner(plan, *to), *to, timeout))
        }
        Probe::Drops { .. } | Probe::Fdb { .. } | Probe::Mdb { .. } | Probe::Stp { .. } => {
            Err("only the switch knows".to_owned())
        }
        Probe::Multicast { .. } => Err("it is not known who is a member".to_owned()),
        Probe::Interface { from, name } => {
            look(from, timeout, succeed, |netlink| has_interface(netlink, name))
        }
        Probe::Ping { from, to } => enter(from).and_then(|at| ping::probe(&at, *to, timeout)),
        Probe::Route { from, to } => look(from, timeout, succeed, |netlink| has_route(netlink, *to)),
        Probe::Tcp { from, to } => {
            enter(from).and_then(|at| tcp::probe(&at, owner(plan, to.ip()), *to, timeout))
        }
        Probe::Udp { from, to } => {
            enter(from).and_then(|at| udp::probe(&at, owner(plan, to.ip()), *to, timeout))
        }
    };
    result.into()
}

/// The namespace of whoever looks.
fn enter(place: &Place) -> Result<OwnedFd, String> {
    open(&whereabouts(place))
}

fn whereabouts(place: &Place) -> Netns {
    match place {
        Place::Host => Netns::Own,
        Place::Node(node) => Netns::Node(node.clone()),
    }
}

fn open(netns: &Netns) -> Result<OwnedFd, String> {
    let path = runner::path(netns);
    netns::open(&path).map_err(|e| format!("cannot open {}: {e}", path.display()))
}

/// The namespace of the machine that has an address, if it is one of the plan's.
fn owner(plan: &Plan, address: IpAddr) -> Option<Netns> {
    let has = |nets: &[IpNet]| nets.iter().any(|net| net.addr() == address);
    let port = plan.ports.iter().find(|p| has(&p.interface.address)).map(|p| p.netns.clone());
    port.or_else(|| {
        let node = plan.nodes.iter().find(|node| {
            node.cables.iter().any(|c| has(&c.interface.address))
                || node.bridges.iter().any(|b| has(&b.address))
        });
        node.map(|node| Netns::Node(node.name.clone()))
    })
}

/// Looks at what a namespace has, until it is there. What must not be there is looked for once: the lab is up, and
/// nothing is on its way.
fn look(
    from: &Place,
    timeout: Duration,
    succeed: bool,
    find: impl Fn(&mut Netlink) -> Result<String, String> + Sync,
) -> Result<String, String> {
    let at = enter(from)?;
    let mut netlink = conversation(&at)?;
    let deadline = Deadline::after(if succeed { timeout } else { Duration::ZERO });
    deadline.retry(|| find(&mut netlink))
}

fn conversation(at: &OwnedFd) -> Result<Netlink, String> {
    let opened = netns::within(at.as_fd(), Netlink::open).map_err(|e| e.to_string())?;
    opened.map_err(|e| e.to_string())
}

fn has_interface(netlink: &mut Netlink, name: &str) -> Result<String, String> {
    match netlink.link(name).map_err(|e| e.to_string())? {
        Some(link) => Ok(if link.up { "up" } else { "down" }.to_owned()),
        None => Err("there is none".to_owned()),
    }
}

fn has_route(netlink: &mut Netlink, to: IpNet) -> Result<String, String> {
    let routes = netlink.routes().map_err(|e| e.to_string())?;
    let route = routes.iter().find(|r| r.to == to.trunc()).ok_or("there is none")?;
    let links = netlink.links().map_err(|e| e.to_string())?;
    let via = route.gateway.map_or_else(String::new, |gateway| format!("via {gateway} "));
    let name = links.iter().find(|l| Some(l.index) == route.index).map_or("?", |l| l.name.as_str());
    Ok(format!("{via}dev {name}"))
}
