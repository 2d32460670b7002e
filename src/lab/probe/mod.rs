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
mod nat;
mod neighbour;
mod ping;
mod tcp;
mod udp;
mod views;
mod witness;

pub use multicast::{Members, multicast};
pub use views::{drops, fdb, mdb, stp};

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ipnet::IpNet;

use self::attempt::Deadline;
use self::witness::{Watched, Witness};
use super::netlink::Netlink;
use super::{netns, runner};
use crate::control::plan::{Netns, PROBE_TIMEOUT, Place, Plan, Probe, Seen};
use crate::router::policy::config::Protocol;

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
        Probe::Arp { from, to } => enter(from).and_then(|at| neighbour::probe(&at, plan, *to, timeout)),
        Probe::Drops { .. } | Probe::Fdb { .. } | Probe::Mdb { .. } | Probe::Stp { .. } => {
            Err("only the switch knows".to_owned())
        }
        Probe::Multicast { .. } => Err("it is not known who is a member".to_owned()),
        Probe::Interface { from, name } => {
            look(from, timeout, succeed, |netlink| has_interface(netlink, name))
        }
        Probe::Nat { from, at, servers, kind } => enter(from).and_then(|from| {
            let server = open(&Netns::Node(at.clone()))?;
            nat::probe(&from, &server, *servers, *kind, timeout)
        }),
        Probe::Ping { from, to, sees } => enter(from).and_then(|at| {
            let reached = plan.owner(*to).map(|owner| (owner, Watched::Ping(*to)));
            seen(reached.as_ref(), *sees, || ping::probe(&at, *to, timeout).map(|said| (said, None)))
        }),
        Probe::Route { from, to } => look(from, timeout, succeed, |netlink| has_route(netlink, *to)),
        Probe::Tcp { from, to, sees } => enter(from).and_then(|at| {
            let reached = plan.reached(Protocol::Tcp, *to);
            let watched = reached.clone().map(|(owner, there)| (owner, Watched::Tcp(there)));
            seen(watched.as_ref(), *sees, || tcp::probe(&at, reached, *to, timeout))
        }),
        Probe::Udp { from, to, sees } => enter(from).and_then(|at| {
            let reached = plan.reached(Protocol::Udp, *to);
            let watched = reached.clone().map(|(owner, there)| (owner, Watched::Udp(there)));
            seen(watched.as_ref(), *sees, || udp::probe(&at, reached, *to, timeout))
        }),
    };
    result.into()
}

/// Tries something, and looks whom who answers sees, if that is asked for. `attempt` also tells the port that it came from.
fn seen(
    reached: Option<&(Netns, Watched)>,
    sees: Option<Seen>,
    attempt: impl FnOnce() -> Result<(String, Option<u16>), String>,
) -> Result<String, String> {
    let Some(sees) = sees else { return attempt().map(|(said, _)| said) };
    let Some((owner, watched)) = reached else {
        return Err("who answers is not of this lab, and cannot be asked whom it sees".to_owned());
    };
    let witness = Witness::open(&open(owner)?, *watched)?;
    let (said, own) = attempt()?;
    let port = witness.confirm(sees.address)?;
    match sees.keeps_port {
        Some(keeps) if keeps != (port == own) => {
            let word = |port: Option<u16>| port.map_or("none".to_owned(), |port| port.to_string());
            Err(format!("its port {} is seen as {}", word(own), word(port)))
        }
        _ => Ok(format!("{said}, seen as {}", sees.address)),
    }
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
