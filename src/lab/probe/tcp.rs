//! A TCP connection. Where nobody listens yet, we do, and a mebibyte goes there and back.

use std::hash::Hasher;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use siphasher::sip::SipHasher13;

use super::attempt::{Deadline, milliseconds, now};
use super::open;
use crate::control::plan::Netns;
use crate::lab::netns;

/// What goes in each direction.
const BYTES: usize = 1 << 20;
/// How long one attempt to connect may take; the kernel repeats a lost SYN after one second.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How soon the listener notices that it is no longer needed.
const TICK: Duration = Duration::from_millis(20);

/// Connects, and if the listener is ours, exchanges data. Also gives the port that it came from.
pub(super) fn probe(
    at: &OwnedFd,
    reached: Option<(Netns, SocketAddr)>,
    to: SocketAddr,
    timeout: Duration,
) -> Result<(String, Option<u16>), String> {
    let listener = reached.map(|(owner, there)| listen(&owner, there)).transpose()?.flatten();
    let sent = noise(BYTES);
    let deadline = Deadline::after(timeout);
    let done = AtomicBool::new(false);
    let mut own = None;
    thread::scope(|scope| {
        if let Some(listener) = &listener {
            scope.spawn(|| serve(listener, &done));
        }
        let result = deadline.retry(|| {
            let started = now();
            let stream = connect(at, to, &deadline)?;
            own = stream.local_addr().ok().map(|own| own.port());
            if listener.is_none() {
                return Ok(format!("connected in {}", milliseconds(now() - started)));
            }
            exchange(&stream, &sent, &deadline)
                .map(|()| format!("1 MiB each way in {}", milliseconds(now() - started)))
        });
        done.store(true, Ordering::Relaxed);
        result
    })
    .map(|said| (said, own))
}

/// A listener of ours; `None` if there is one already.
fn listen(owner: &Netns, to: SocketAddr) -> Result<Option<TcpListener>, String> {
    let bound = netns::within(open(owner)?.as_fd(), || TcpListener::bind(to));
    match bound.and_then(|result| result) {
        Ok(listener) => Ok(Some(listener)),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(e) => Err(format!("cannot listen on {to}: {e}")),
    }
}

fn connect(at: &OwnedFd, to: SocketAddr, deadline: &Deadline) -> Result<TcpStream, String> {
    let connected = netns::within(at.as_fd(), || TcpStream::connect_timeout(&to, deadline.left(PATIENCE)));
    connected.and_then(|result| result).map_err(|e| match e.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => format!("no answer in {}", deadline.total()),
        _ => e.to_string(),
    })
}

/// Sends noise, and compares what comes back by its hash.
fn exchange(stream: &TcpStream, sent: &[u8], deadline: &Deadline) -> Result<(), String> {
    let lost = |e: io::Error| match e.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "connected, but the data got stuck".to_owned(),
        _ => format!("connected, but the connection was lost: {e}"),
    };
    let left = deadline.left(Duration::MAX);
    stream.set_read_timeout(Some(left)).map_err(lost)?;
    stream.set_write_timeout(Some(left)).map_err(lost)?;
    let mut received = Vec::with_capacity(BYTES);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut stream = stream;
            stream.write_all(sent)?;
            stream.shutdown(Shutdown::Write)
        });
        let mut reader = stream;
        let read = reader.take(BYTES as u64 + 1).read_to_end(&mut received);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(read.map(drop)).map_err(lost)?;
        reader.flush().map_err(lost)
    })?;
    if hash(&received) == hash(sent) {
        Ok(())
    } else {
        Err(format!("the data came back changed ({} of {BYTES} bytes)", received.len()))
    }
}

/// Sends everything back that comes, connection by connection, until it is no longer needed.
fn serve(listener: &TcpListener, done: &AtomicBool) {
    let over = || done.load(Ordering::Relaxed);
    while !over() {
        if !readable(listener) {
            continue;
        }
        let Ok((mut stream, _)) = listener.accept() else { continue };
        let _ = stream.set_write_timeout(Some(PATIENCE));
        let mut buffer = vec![0; 64 * 1024];
        while !over() {
            if !readable(&stream) {
                continue;
            }
            match stream.read(&mut buffer) {
                Ok(length) if length > 0 && stream.write_all(&buffer[..length]).is_ok() => {}
                _ => break,
            }
        }
    }
}

/// Waits a tick for something to read.
pub(super) fn readable(fd: &impl AsFd) -> bool {
    let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
    rustix::event::poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&tick)).is_ok_and(|n| n > 0)
}

/// Bytes that no fault of ours could produce by accident: neither constant nor periodic.
pub(super) fn noise(length: usize) -> Vec<u8> {
    (0_u64..).flat_map(|n| hash(&n.to_le_bytes()).to_le_bytes()).take(length).collect()
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}
