//! Talking TCP and UDP across the lab, and comparing what comes back.
//!
//! Where a program of the lab listens at the address already, opening a connection is all that can be asked of it.
//! Otherwise the owner of the address gets a listener of ours for as long as the probe takes, which sends back what it
//! is sent: a mebibyte each way over TCP, which makes the stacks use 64 KiB frames, or datagrams of several sizes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::super::netns;
use super::{Outcome, now};

/// How much goes each way over TCP.
const BYTES: usize = 1 << 20;
/// The datagrams' sizes: small, odd, one that fills a frame, one that has to be fragmented.
const DATAGRAMS: [usize; 4] = [1, 777, 1472, 4000];
/// How long to wait for one datagram before it is sent again.
const DATAGRAM_WAIT: Duration = Duration::from_millis(200);

/// A connection from the namespace `from` to the address.
pub(super) fn tcp(
    from: BorrowedFd<'_>,
    owner: Option<BorrowedFd<'_>>,
    to: SocketAddr,
    timeout: Duration,
) -> Outcome {
    let listener = match owner.map(|owner| within(owner, || listen(to, timeout))) {
        None => None,
        Some(Ok(listener)) => Some(listener),
        // somebody listens there already
        Some(Err(error)) if error.kind() == io::ErrorKind::AddrInUse => None,
        Some(Err(error)) => return Outcome::no(format!("no listener could be put there: {error}")),
    };
    let is_ours = listener.is_some();
    std::thread::scope(|scope| {
        let server = listener.map(|listener| scope.spawn(move || serve(&listener, timeout)));
        let start = now();
        let result = within(from, || converse(to, timeout, is_ours));
        let elapsed = start.elapsed();
        if let Some(server) = server {
            // how the conversation went, its other end knows
            let _ = server.join();
        }
        match result {
            Ok(()) if is_ours => {
                Outcome::yes(format!("1 MiB each way in {:.1} ms", elapsed.as_secs_f64() * 1000.0))
            }
            Ok(()) => Outcome::yes("connected"),
            Err(error) => Outcome::no(describe(&error)),
        }
    })
}

/// Datagrams from the namespace `from` to the address, and back.
pub(super) fn udp(
    from: BorrowedFd<'_>,
    owner: Option<BorrowedFd<'_>>,
    to: SocketAddr,
    timeout: Duration,
) -> Outcome {
    let Some(owner) = owner else {
        return Outcome::no("nobody in the lab has the address, and only ours answers datagrams");
    };
    let socket = match within(owner, || UdpSocket::bind(to)) {
        Ok(socket) => socket,
        Err(error) => return Outcome::no(format!("no socket could be put there: {error}")),
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| reflect(&socket, &done));
        let result = within(from, || exchange(to, timeout));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        match result {
            Ok(()) => Outcome::yes(format!("{} datagrams came back unchanged", DATAGRAMS.len())),
            Err(error) => Outcome::no(describe(&error)),
        }
    })
}

fn within<T: Send>(netns: BorrowedFd<'_>, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    netns::within(netns, work)?
}

fn listen(at: SocketAddr, timeout: Duration) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(at))?;
    socket.listen(1)?;
    // accept(2) gives up after this too
    socket.set_read_timeout(Some(timeout))?;
    Ok(socket)
}

/// Sends back what one client sends.
fn serve(listener: &Socket, timeout: Duration) -> io::Result<()> {
    let mut client = TcpStream::from(listener.accept()?.0);
    client.set_read_timeout(Some(timeout))?;
    client.set_write_timeout(Some(timeout))?;
    let mut received = vec![0; BYTES];
    client.read_exact(&mut received)?;
    client.write_all(&received)
}

fn converse(to: SocketAddr, timeout: Duration, is_ours: bool) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, timeout)?;
    if !is_ours {
        return Ok(());
    }
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let sent = pattern(BYTES);
    stream.write_all(&sent)?;
    let mut returned = vec![0; BYTES];
    stream.read_exact(&mut returned)?;
    if returned == sent { Ok(()) } else { Err(io::Error::other("what came back is not what was sent")) }
}

fn reflect(socket: &UdpSocket, done: &std::sync::atomic::AtomicBool) {
    let mut datagram = [0; 65536];
    // a socket that cannot time out could not be told to end
    if socket.set_read_timeout(Some(DATAGRAM_WAIT)).is_err() {
        return;
    }
    while !done.load(std::sync::atomic::Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut datagram) {
            let _ = socket.send_to(&datagram[..length], from);
        }
    }
}

/// Each datagram is sent until it comes back: UDP may lose some.
fn exchange(to: SocketAddr, timeout: Duration) -> io::Result<()> {
    let start = now();
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(DATAGRAM_WAIT))?;
    let mut returned = [0; 65536];
    for length in DATAGRAMS {
        let sent = pattern(length);
        loop {
            let result = socket.send(&sent).and_then(|_| socket.recv(&mut returned));
            if result.as_ref().is_ok_and(|length| returned[..*length] == sent) {
                break;
            }
            if start.elapsed() >= timeout {
                result?;
                return Err(io::Error::other("what came back is not what was sent"));
            }
        }
    }
    Ok(())
}

/// Bytes that repeat nowhere near: what is lost, doubled or moved shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}
