//! Bytes through a gateway: TCP, UDP in segments that the kernel or the switch cuts, and pings of any size.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type};
use socket2::{Domain, Protocol, Socket, Type};
use vswitchd::sim::Rng;

use crate::real_common::in_node;

/// Nothing takes as long, unless it is lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long datagrams are waited for before they are sent again: UDP may lose them.
const AGAIN: Duration = Duration::from_millis(500);
/// How much goes each way over a connection.
const STREAM: usize = 512 << 10;
/// The bytes of a datagram, and how many are sent at once.
const SEGMENT: usize = 1200;
const SEGMENTS: usize = 40;
/// An option of UDP sockets: what is sent at once is cut into datagrams of that size, by the switch if its port has offloads, else
/// by the kernel.
pub(crate) const UDP_SEGMENT: libc::c_int = 103;
/// The bytes of a datagram that needs fragments.
const LARGE: usize = 9000;

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) near: TcpStream,
    pub(crate) far: TcpStream,
}

impl Connection {
    /// Connects a node to an address, at which `at` in another node is reached.
    #[track_caller]
    pub(crate) fn open(from: &str, to: SocketAddr, (node, at): (&str, SocketAddr)) -> Self {
        Self::try_open(from, to, (node, at))
            .unwrap_or_else(|e| panic!("{from} to {to} ({at} in {node}): {e}"))
    }

    /// The same, where it may fail.
    pub(crate) fn try_open(
        from: &str,
        to: SocketAddr,
        (node, at): (&str, SocketAddr),
    ) -> std::io::Result<Self> {
        let listener = in_node(node, || TcpListener::bind(at))?;
        let near = in_node(from, || TcpStream::connect_timeout(&to, PATIENCE))?;
        let (far, _) = listener.accept()?;
        for end in [&near, &far] {
            end.set_read_timeout(Some(PATIENCE))?;
            end.set_write_timeout(Some(PATIENCE))?;
        }
        Ok(Self { near, far })
    }

    /// Whom the server sees.
    pub(crate) fn client(&self) -> SocketAddr {
        self.far.peer_addr().expect("connected")
    }

    /// A few bytes there and back.
    pub(crate) fn echo(&self) -> std::io::Result<()> {
        let Self { near, far } = self;
        for (mut from, mut to) in [(near, far), (far, near)] {
            from.write_all(b"still there?")?;
            let mut said = [0; 12];
            to.read_exact(&mut said)?;
            assert_eq!(&said, b"still there?");
        }
        Ok(())
    }

    /// Much in both directions at once; what arrives is what was sent.
    #[track_caller]
    pub(crate) fn exchange(self, what: &str) {
        let Self { near, far } = self;
        let (there, back) = (random_bytes(STREAM, 1), random_bytes(STREAM, 2));
        thread::scope(|scope| {
            for (end, bytes) in [(&near, &there), (&far, &back)] {
                scope.spawn(move || {
                    let mut end = end;
                    end.write_all(bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
                    end.shutdown(Shutdown::Write).unwrap_or_else(|e| panic!("{what}: {e}"));
                });
            }
            for (mut end, bytes) in [(&far, &there), (&near, &back)] {
                let mut received = Vec::with_capacity(STREAM);
                let read = end.read_to_end(&mut received);
                assert!(read.is_ok(), "{what}: {read:?} after {} bytes", received.len());
                assert_same(&received, bytes, what);
            }
        });
    }
}

/// Datagrams there and back, many at once; gives whom the server sees.
#[track_caller]
pub(crate) fn datagrams(from: &str, to: SocketAddr, at: (&str, SocketAddr), what: &str) -> SocketAddr {
    let (client, server) = pair(from, to, at, what);
    for socket in [&client, &server] {
        set_udp(socket, UDP_SEGMENT, SEGMENT as libc::c_int);
    }
    there_and_back(&client, &server, (SEGMENT * SEGMENTS, SEGMENT), what)
}

/// One datagram there and back that needs fragments; gives whom the server sees.
#[track_caller]
pub(crate) fn large_datagrams(from: &str, to: SocketAddr, at: (&str, SocketAddr), what: &str) -> SocketAddr {
    let (client, server) = pair(from, to, at, what);
    there_and_back(&client, &server, (LARGE, LARGE), what)
}

#[track_caller]
fn pair(from: &str, to: SocketAddr, (node, at): (&str, SocketAddr), what: &str) -> (UdpSocket, UdpSocket) {
    let server = in_node(node, || UdpSocket::bind(at)).unwrap_or_else(|e| panic!("{what}: {e}"));
    let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let client = in_node(from, || UdpSocket::bind((any, 0))).expect("a free port");
    client.connect(to).unwrap_or_else(|e| panic!("{what}: {e}"));
    for socket in [&client, &server] {
        socket.set_read_timeout(Some(AGAIN)).expect("a socket");
    }
    (client, server)
}

/// Sends so many bytes at once, which arrive in datagrams of that size.
#[track_caller]
fn there_and_back(
    client: &UdpSocket,
    server: &UdpSocket,
    (length, size): (usize, usize),
    what: &str,
) -> SocketAddr {
    let bytes = random_bytes(length, 3);
    let mut buffer = vec![0; 2 * size];
    let mut seen = None;
    pass(
        &bytes,
        size,
        what,
        || drop(client.send(&bytes)),
        || {
            let (length, from) = server.recv_from(&mut buffer).ok()?;
            seen = Some(from);
            Some(buffer[..length].to_vec())
        },
    );
    let seen = seen.expect("they have arrived");
    pass(
        &bytes,
        size,
        what,
        || drop(server.send_to(&bytes, seen)),
        || {
            let length = client.recv(&mut buffer).ok()?;
            Some(buffer[..length].to_vec())
        },
    );
    seen
}

/// Sends until all has arrived.
#[track_caller]
fn pass(
    bytes: &[u8],
    size: usize,
    what: &str,
    send: impl Fn(),
    mut receive: impl FnMut() -> Option<Vec<u8>>,
) {
    let mut received = Vec::new();
    for _ in 0..10 {
        received.clear();
        send();
        while received.len() < bytes.len() {
            let Some(datagram) = receive() else { break };
            assert!(datagram.len() <= size, "{what}: a datagram of {} bytes", datagram.len());
            received.extend(datagram);
        }
        if received.len() == bytes.len() {
            return assert_same(&received, bytes, what);
        }
    }
    panic!("{what}: {} of {} bytes arrived", received.len(), bytes.len());
}

/// Asks for an echo of so many bytes, and compares the answer; gives nothing if none comes.
#[track_caller]
pub(crate) fn echo(from: &str, to: IpAddr, size: usize, what: &str) {
    let (domain, protocol) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = in_node(from, || Socket::new(domain, Type::RAW, Some(protocol))).expect("root here");
    socket.set_read_timeout(Some(AGAIN)).expect("a socket");
    let payload = random_bytes(size, 4);
    let (id, seq) = (std::process::id() as u16, size as u16);
    let header = match to {
        IpAddr::V4(_) => {
            let kind = Icmpv4Type::EchoRequest(IcmpEchoHeader { id, seq });
            Icmpv4Header::with_checksum(kind, &payload).to_bytes().to_vec()
        }
        // the kernel fills in its checksum
        IpAddr::V6(_) => [[128, 0], [0, 0], id.to_be_bytes(), seq.to_be_bytes()].concat(),
    };
    let request = [&header[..], &payload].concat();
    let reply = if to.is_ipv4() { 0 } else { 129 };
    let mut buffer = vec![0; 65536];
    for _ in 0..10 {
        socket.send_to(&request, &SocketAddr::new(to, 0).into()).unwrap_or_else(|e| panic!("{what}: {e}"));
        while let Ok(length) = (&socket).read(&mut buffer) {
            let start = if to.is_ipv4() { usize::from(buffer[0] & 15) * 4 } else { 0 };
            let message = &buffer[start..length];
            if message[0] == reply && message[4..8] == request[4..8] {
                return assert_same(&message[8..], &payload, what);
            }
        }
    }
    panic!("{what}: no answer of {size} bytes");
}

/// Sets an option of UDP that is a number.
pub(crate) fn set_udp(socket: &UdpSocket, option: libc::c_int, value: libc::c_int) {
    let length = libc::socklen_t::try_from(size_of_val(&value)).expect("small");
    #[expect(unsafe_code, reason = "no crate of ours knows these options")]
    // SAFETY: the option takes an int, which outlives the call
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, option, (&raw const value).cast(), length)
    };
    assert_eq!(result, 0, "Linux 5.0 has them: {}", std::io::Error::last_os_error());
}

/// Noise, so that what was mixed up shows.
pub(crate) fn random_bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    std::iter::repeat_with(|| rng.next_u64().to_ne_bytes()).flatten().take(length).collect()
}

/// Compares what has arrived.
#[track_caller]
pub(crate) fn assert_same(received: &[u8], sent: &[u8], what: &str) {
    let first = received.iter().zip(sent).position(|(a, b)| a != b);
    assert_eq!((first, received.len()), (None, sent.len()), "{what}: the first wrong byte, and the length");
}
