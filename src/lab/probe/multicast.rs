//! Datagrams to a multicast group, and whether a machine gets them.
//!
//! A machine that is to join does so as any program would: with a socket, for which the kernel of its namespace sends
//! the IGMP or MLD report. It stays a member until the end ([`Members`]), so that what the switch then knows can be
//! looked at. A machine that is not to join is watched with a packet socket, which shows what arrives at its interface
//! before the kernel throws it away: the question is whether the switch sends it there at all.
//!
//! Snooping takes its time: reports travel, queries are waited for, a member that leaves is asked for once more. So
//! "no" is not the first datagram that fails to arrive but a while in which none does ([`QUIET`]), and "yes" the first
//! that arrives.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};

use super::attempt::{Deadline, milliseconds, now};
use super::witness::watch;
use super::{Outcome, conversation, enter, whereabouts};
use crate::control::plan::{Netns, Place, Plan};
use crate::lab::netns;
use crate::port::PortKind;

/// Between two datagrams.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long nothing must arrive for the answer to be no.
const QUIET: Duration = Duration::from_secs(1);

/// Who is in which group, until this is dropped.
#[derive(Debug, Default)]
pub struct Members(Vec<Member>);

#[derive(Debug)]
struct Member {
    at: Place,
    group: IpAddr,
    /// Only held: while they are open, the kernel answers queries.
    _sockets: Vec<Socket>,
}

/// Sends datagrams from one machine to a group until one arrives at another, or none has for a while.
///
/// With `join` that machine joins the group and is a member from then on; without, it leaves if it is one.
/// `succeed` says what is hoped for; the other answer is given only at the end of `timeout`, or when nothing has arrived
/// for a while after it.
pub fn multicast(
    members: &mut Members,
    plan: &Plan,
    (from, to, at): (&Place, SocketAddr, &Place),
    join: bool,
    timeout: Duration,
    succeed: bool,
) -> Outcome {
    let mut result = || -> Result<String, String> {
        let senders = senders(plan, from, to)?;
        let listeners = if join {
            let listeners = join_group(plan, at, to)?;
            let sockets = listeners.iter().map(Socket::try_clone).collect::<Result<_, _>>();
            members.0.push(Member { at: at.clone(), group: to.ip(), _sockets: sockets.map_err(text)? });
            listeners
        } else {
            members.0.retain(|member| !(member.at == *at && member.group == to.ip()));
            vec![watch(&enter(at)?).map_err(|e| format!("cannot open a packet socket: {e}"))?]
        };
        send_until_known(&senders, &listeners, to, timeout, succeed)
    };
    result().into()
}

fn send_until_known(
    senders: &[Socket],
    listeners: &[Socket],
    to: SocketAddr,
    timeout: Duration,
    succeed: bool,
) -> Result<String, String> {
    let token = token();
    let deadline = Deadline::after(timeout);
    let mut quiet = Deadline::after(QUIET.min(timeout));
    let mut in_vain = 0_u32;
    loop {
        let started = now();
        for sender in senders {
            sender.send_to(&token, &to.into()).map_err(text)?;
        }
        let arrived = arrives(listeners, &token, Deadline::after(INTERVAL))?;
        let took = now() - started;
        if arrived && (succeed || deadline.is_over()) {
            return Ok(format!("arrived in {}", milliseconds(took)));
        }
        if arrived {
            in_vain = 0;
            quiet = Deadline::after(QUIET);
            thread::sleep(INTERVAL.saturating_sub(took));
            continue;
        }
        in_vain += 1;
        if quiet.is_over() && (deadline.is_over() || !succeed) {
            return Err(format!("{in_vain} sent in vain"));
        }
    }
}

/// Waits for the datagram at any of the sockets.
fn arrives(listeners: &[Socket], token: &[u8], patience: Deadline) -> Result<bool, String> {
    let mut buffer = [0; 2048];
    loop {
        for listener in listeners {
            loop {
                match (&*listener).read(&mut buffer) {
                    // a packet socket shows the headers before it
                    Ok(length) if buffer[..length].ends_with(token) => return Ok(true),
                    Ok(_) => {}
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e.to_string()),
                }
            }
        }
        if patience.is_over() {
            return Ok(false);
        }
        let left = patience.left(INTERVAL);
        let left = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
        let mut fds: Vec<_> = listeners.iter().map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
        // interrupted or not, they are looked at
        let _ = rustix::event::poll(&mut fds, Some(&left));
    }
}

/// A socket for each interface that the sender can send from.
fn senders(plan: &Plan, from: &Place, to: SocketAddr) -> Result<Vec<Socket>, String> {
    on_each(plan, from, to, |socket, _| Ok(socket))
}

/// A socket for each interface of the machine, a member of the group there.
fn join_group(plan: &Plan, at: &Place, to: SocketAddr) -> Result<Vec<Socket>, String> {
    on_each(plan, at, to, |socket, index| {
        // there may be a program that listens already
        socket.set_reuse_address(true)?;
        match to {
            SocketAddr::V4(to) => {
                socket.join_multicast_v4_n(to.ip(), &InterfaceIndexOrAddress::Index(index))?;
                socket.bind(&SocketAddr::V4(to).into())?;
            }
            SocketAddr::V6(to) => {
                socket.join_multicast_v6(to.ip(), index)?;
                socket.bind(&SocketAddr::V6(SocketAddrV6::new(*to.ip(), to.port(), 0, index)).into())?;
            }
        }
        Ok(socket)
    })
}

/// A datagram socket on each interface of a machine that has an address to send from, prepared by `prepare`, which is
/// also told the interface's number.
fn on_each(
    plan: &Plan,
    place: &Place,
    to: SocketAddr,
    prepare: impl Fn(Socket, u32) -> io::Result<Socket> + Sync,
) -> Result<Vec<Socket>, String> {
    let names = interfaces(plan, place, to.is_ipv4());
    if names.is_empty() {
        return Err(format!("it has no IP{} address", if to.is_ipv4() { "v4" } else { "" }));
    }
    let at = enter(place)?;
    let mut netlink = conversation(&at)?;
    let indices = names.iter().map(|name| netlink.index(name));
    let indices = indices.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    netns::within(at.as_fd(), || {
        names
            .iter()
            .zip(&indices)
            .map(|(name, index)| {
                let socket = Socket::new(Domain::for_address(to), Type::DGRAM, None)?;
                socket.bind_device(Some(name.as_bytes()))?;
                socket.set_nonblocking(true)?;
                prepare(socket, *index)
            })
            .collect::<io::Result<Vec<_>>>()
    })
    .and_then(|sockets| sockets)
    .map_err(text)
}

/// The interfaces of a machine with an address of the family; every one with any has one of IPv6, its link-local.
fn interfaces<'a>(plan: &'a Plan, place: &Place, is_v4: bool) -> Vec<&'a str> {
    let netns = whereabouts(place);
    let fits = |nets: &[IpNet]| nets.iter().any(|net| !is_v4 || net.addr().is_ipv4());
    // a raw port's interface leads away from vswitchd, and is not where it sits itself
    let ports = plan.ports.iter().filter(|port| port.kind == PortKind::Tap && port.netns == netns);
    let node = plan.nodes.iter().find(|node| Netns::Node(node.name.clone()) == netns);
    let cables = node.iter().flat_map(|node| &node.cables).map(|cable| &cable.interface);
    let bridges = node.iter().flat_map(|node| &node.bridges);
    let bridges = bridges.filter(|bridge| fits(&bridge.address)).map(|bridge| bridge.name.as_str());
    let interfaces = ports.map(|port| &port.interface).chain(cables);
    interfaces.filter(|it| fits(&it.address)).map(|it| it.name.as_str()).chain(bridges).collect()
}

/// What no other datagram holds; long enough that Ethernet appends nothing to it.
fn token() -> Vec<u8> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("vswitchd verify, process {:10}, probe {number:10}", std::process::id()).into_bytes()
}

fn text(error: io::Error) -> String {
    error.to_string()
}
