//! Datagrams that must come back unchanged. Where nobody answers yet, we do.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::attempt::{Deadline, milliseconds, now};
use super::open;
use super::tcp::{noise, readable};
use crate::control::plan::Netns;
use crate::lab::netns;

/// Small, middling, and the largest that needs no fragments anywhere (IPv6's least MTU).
const SIZES: [usize; 3] = [1, 512, 1232];
/// How long to wait for one before it is sent again.
const PATIENCE: Duration = Duration::from_millis(200);

/// Sends datagrams of several sizes until each has come back. Also gives the port that they came from.
pub(super) fn probe(
    at: &OwnedFd,
    reached: Option<(Netns, SocketAddr)>,
    to: SocketAddr,
    timeout: Duration,
) -> Result<(String, Option<u16>), String> {
    let server = reached.map(|(owner, there)| bind(&owner, there)).transpose()?.flatten();
    let client = client(at, to).map_err(|e| e.to_string())?;
    let deadline = Deadline::after(timeout);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        if let Some(server) = &server {
            scope.spawn(|| echo(server, &done));
        }
        let started = now();
        let noise = noise(SIZES[SIZES.len() - 1]);
        let result = SIZES.iter().try_for_each(|&size| {
            deadline
                .retry(|| exchange(&client, to, &noise[..size], &deadline).map(|()| String::new()))
                .map(drop)
        });
        done.store(true, Ordering::Relaxed);
        let own = client.local_addr().ok().map(|own| own.port());
        result.map(|()| (format!("{} datagrams in {}", SIZES.len(), milliseconds(now() - started)), own))
    })
}

/// A socket of ours at the far end; `None` if there is one already.
fn bind(owner: &Netns, to: SocketAddr) -> Result<Option<UdpSocket>, String> {
    let bound = netns::within(open(owner)?.as_fd(), || UdpSocket::bind(to));
    match bound.and_then(|result| result) {
        Ok(socket) => Ok(Some(socket)),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(e) => Err(format!("cannot listen on {to}: {e}")),
    }
}

fn client(at: &OwnedFd, to: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    netns::within(at.as_fd(), || UdpSocket::bind((any, 0)))?
}

fn exchange(client: &UdpSocket, to: SocketAddr, datagram: &[u8], deadline: &Deadline) -> Result<(), String> {
    client.send_to(datagram, to).map_err(|e| e.to_string())?;
    let patience = Deadline::after(deadline.left(PATIENCE));
    let mut buffer = [0; 2048];
    while !patience.is_over() {
        client.set_read_timeout(Some(patience.left(PATIENCE))).map_err(|e| e.to_string())?;
        match client.recv_from(&mut buffer) {
            // a copy of an earlier one that was sent twice has another length, and is passed over
            Ok((length, from)) if from == to && length == datagram.len() => {
                return if &buffer[..length] == datagram {
                    Ok(())
                } else {
                    Err("the data came back changed".to_owned())
                };
            }
            Ok(_) => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    Err(format!("no answer in {}", deadline.total()))
}

fn echo(server: &UdpSocket, done: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !done.load(Ordering::Relaxed) {
        if readable(server)
            && let Ok((length, from)) = server.recv_from(&mut buffer)
        {
            let _ = server.send_to(&buffer[..length], from);
        }
    }
}
