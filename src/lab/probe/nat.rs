//! Which kind of NAT is in between: what STUN finds out (RFC 5780), with both ends in our hands.
//!
//! A server has two addresses and two ports at each. The client asks three of the four places from one socket, and is
//! told as whom it was seen: always the same, or each time another (the *mapping*). Then, from a fresh socket, it
//! talks to one place only, and the others try to answer it there (the *filtering*); at last that place itself does, so
//! that "it did not arrive" is not a matter of patience: what was sent before would have arrived before. Mapping goes
//! first and with a port of its own, because what a stranger sends in vain may spoil a port for who calls him later
//! (P8).

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::attempt::Deadline;
use crate::control::plan::NatKind;
use crate::lab::netns;

/// How long to wait for a datagram before it is sent again.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often strangers try: one may be lost where an address has yet to be resolved.
const ROUNDS: usize = 3;

/// Asks until the answer is `expected`, or the time is up.
pub(super) fn probe(
    at: &OwnedFd,
    server: &OwnedFd,
    addresses: [IpAddr; 2],
    expected: NatKind,
    timeout: Duration,
) -> Result<String, String> {
    let deadline = Deadline::after(timeout);
    deadline.retry(|| {
        let found = look(at, server, addresses, &deadline)?;
        let (kind, said) = (found.kind(), found.to_string());
        if kind == expected { Ok(said) } else { Err(format!("it is {kind}: {said}")) }
    })
}

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    /// As whom the client was seen at one address, at another port there, and at the other address.
    seen: [SocketAddr; 3],
    /// Whether a datagram arrived from another port of the address that the client had talked to.
    neighbour: bool,
    /// Whether one arrived from an address that it had not talked to.
    stranger: bool,
}

impl Found {
    fn kind(&self) -> NatKind {
        match (self.seen.iter().all(|seen| *seen == self.seen[0]), self.neighbour, self.stranger) {
            (false, _, _) => NatKind::Symmetric,
            (true, _, true) => NatKind::FullCone,
            (true, true, false) => NatKind::Restricted,
            (true, false, false) => NatKind::PortRestricted,
        }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [first, second, third] = self.seen;
        match self.kind() {
            NatKind::Symmetric => {
                write!(f, "seen as {first}, {second} and {third}")
            }
            NatKind::FullCone => write!(f, "{first} hears everybody"),
            NatKind::Restricted => write!(f, "{first} hears an address that was talked to"),
            NatKind::PortRestricted => write!(f, "{first} hears a port that was talked to"),
        }
    }
}

fn look(
    at: &OwnedFd,
    server: &OwnedFd,
    addresses: [IpAddr; 2],
    deadline: &Deadline,
) -> Result<Found, String> {
    let [first, other] = addresses;
    let near = bind(server, first)?;
    let neighbour = bind(server, first)?;
    let stranger = bind(server, other)?;
    let any: IpAddr = if first.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let client = bind(at, any)?;
    let seen = [
        seen_by(&client, &near, deadline)?,
        seen_by(&client, &neighbour, deadline)?,
        seen_by(&client, &stranger, deadline)?,
    ];
    let client = bind(at, any)?;
    let place = seen_by(&client, &near, deadline)?;
    let mut found = Found { seen, neighbour: false, stranger: false };
    for _ in 0..ROUNDS {
        let [from_stranger, from_neighbour, last] = [token(), token(), token()];
        send(&stranger, &from_stranger, place)?;
        send(&neighbour, &from_neighbour, place)?;
        // the one that is let in, for certain
        deadline.retry(|| {
            send(&near, &last, place)?;
            let mut is_over = false;
            let patience = Deadline::after(deadline.left(PATIENCE));
            while let Some((datagram, _)) = receive(&client, &patience)? {
                found.stranger |= datagram == from_stranger;
                found.neighbour |= datagram == from_neighbour;
                if datagram == last {
                    is_over = true;
                    break;
                }
            }
            if is_over { Ok(String::new()) } else { Err(format!("no answer in {}", deadline.total())) }
        })?;
    }
    Ok(found)
}

/// As whom the client is seen by a server.
fn seen_by(client: &UdpSocket, server: &UdpSocket, deadline: &Deadline) -> Result<SocketAddr, String> {
    let to = server.local_addr().map_err(text)?;
    let token = token();
    loop {
        client.send_to(&token, to).map_err(text)?;
        let patience = Deadline::after(deadline.left(PATIENCE));
        while let Some((datagram, from)) = receive(server, &patience)? {
            if datagram == token {
                return Ok(from);
            }
        }
        if deadline.is_over() {
            return Err(format!("{to} was not reached in {}", deadline.total()));
        }
    }
}

fn bind(at: &OwnedFd, address: IpAddr) -> Result<UdpSocket, String> {
    let bound = netns::within(at.as_fd(), || UdpSocket::bind((address, 0)));
    bound.and_then(|result| result).map_err(|e| format!("cannot use {address}: {e}"))
}

/// Sends, whatever becomes of it: that a port is unreachable is an answer to an earlier one.
fn send(from: &UdpSocket, datagram: &[u8], to: SocketAddr) -> Result<(), String> {
    match from.send_to(datagram, to) {
        Err(e) if e.kind() != io::ErrorKind::ConnectionRefused => Err(e.to_string()),
        _ => Ok(()),
    }
}

/// The next datagram, and who sent it.
fn receive(socket: &UdpSocket, patience: &Deadline) -> Result<Option<(Vec<u8>, SocketAddr)>, String> {
    let mut buffer = [0; 256];
    while !patience.is_over() {
        socket.set_read_timeout(Some(patience.left(PATIENCE))).map_err(text)?;
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => return Ok(Some((buffer[..length].to_vec(), from))),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(None)
}

/// What no other datagram holds.
fn token() -> Vec<u8> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("vswitchd verify, process {}, question {number}", std::process::id()).into_bytes()
}

fn text(error: io::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nat_is_told_by_its_mapping_and_its_filtering() {
        let at = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        for (seen, neighbour, stranger, kind, why) in [
            ([at(1), at(1), at(1)], true, true, NatKind::FullCone, "anybody"),
            ([at(1), at(1), at(1)], false, true, NatKind::FullCone, "one of the neighbour's was lost"),
            ([at(1), at(1), at(1)], true, false, NatKind::Restricted, "the address"),
            ([at(1), at(1), at(1)], false, false, NatKind::PortRestricted, "the port"),
            ([at(1), at(1), at(2)], false, false, NatKind::Symmetric, "each address sees another"),
            ([at(1), at(2), at(1)], false, false, NatKind::Symmetric, "each port sees another"),
            ([at(1), at(2), at(3)], true, true, NatKind::Symmetric, "whoever may answer"),
        ] {
            assert_eq!(Found { seen, neighbour, stranger }.kind(), kind, "{why}");
        }
    }
}
