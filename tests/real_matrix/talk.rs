//! What machines say to each other: streams, datagrams in segments, DHCP. What arrives must be what was sent, all of it.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::real_common::in_node;
use crate::relay::listen;
use crate::sockets::{Connection, UDP_SEGMENT, assert_same, random_bytes, set_udp};

/// Nothing takes as long, unless it is lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The bytes of a datagram, and how many are sent at once.
pub(crate) const SEGMENT: usize = 1300;
const SEGMENTS: usize = 45;
/// The bytes of a datagram that needs fragments.
const LARGE: usize = 9000;
/// An option of UDP sockets: several datagrams may be read at once.
const UDP_GRO: libc::c_int = 104;
/// Ports of DHCP.
const SERVER: u16 = 67;
const CLIENT: u16 = 68;

/// So many bytes each way at once.
#[track_caller]
pub(crate) fn stream(connection: Connection, length: usize, what: &str) {
    let Connection { near, far } = connection;
    let (there, back) = (random_bytes(length, 1), random_bytes(length, 2));
    thread::scope(|scope| {
        for (mut end, bytes) in [(&near, &there), (&far, &back)] {
            scope.spawn(move || end.write_all(bytes).unwrap_or_else(|e| panic!("{what}: {e}")));
        }
        for (mut end, bytes) in [(&far, &there), (&near, &back)] {
            scope.spawn(move || {
                let mut received = vec![0; length];
                end.read_exact(&mut received).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_same(&received, bytes, what);
            });
        }
    });
}

/// What a receiver has read at once at most, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Largest(pub(crate) usize);

/// Datagrams there and back, cut by whoever can (UDP_SEGMENT); the server, or both, take them together again (UDP_GRO).
/// None may be lost: never more are under way than one queue holds. Gives whom the server sees.
#[track_caller]
pub(crate) fn datagrams(
    from: &str,
    to: SocketAddr,
    (node, at): (&str, SocketAddr),
    bursts: usize,
    what: &str,
) -> (SocketAddr, Largest) {
    let server = in_node(node, || UdpSocket::bind(at)).unwrap_or_else(|e| panic!("{what}: {e}"));
    let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let client = in_node(from, || UdpSocket::bind((any, 0))).expect("a free port");
    client.connect(to).unwrap_or_else(|e| panic!("{what}: {e}"));
    for socket in [&client, &server] {
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        set_udp(socket, UDP_SEGMENT, SEGMENT as libc::c_int);
    }
    set_udp(&server, UDP_GRO, 1);
    let mut seen = None;
    let mut largest = Largest::default();
    for burst in 0..bursts {
        let bytes = random_bytes(SEGMENT * SEGMENTS - 7, burst as u64);
        client.send(&bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
        let (arrived, size, whom) = gather(&server, bytes.len(), what);
        assert_same(&arrived, &bytes, what);
        largest.0 = largest.0.max(size);
        seen = Some(whom);
        server.send_to(&bytes, whom).unwrap_or_else(|e| panic!("{what}: {e}"));
        let (arrived, size, _) = gather(&client, bytes.len(), what);
        assert_same(&arrived, &bytes, what);
        assert!(size <= SEGMENT, "{what}: a datagram of {size} bytes for who cannot take several");
    }
    // and one that needs fragments
    let bytes = random_bytes(LARGE, 99);
    let seen = seen.expect("there is a burst");
    for (socket, to) in [(&client, None), (&server, Some(seen))] {
        set_udp(socket, UDP_SEGMENT, 0);
        let sent = to.map_or_else(|| socket.send(&bytes), |to| socket.send_to(&bytes, to));
        sent.unwrap_or_else(|e| panic!("{what}: {e}"));
        let (arrived, ..) = gather(if to.is_none() { &server } else { &client }, LARGE, what);
        assert_same(&arrived, &bytes, &format!("{what}, in fragments"));
    }
    (seen, largest)
}

#[track_caller]
fn gather(socket: &UdpSocket, length: usize, what: &str) -> (Vec<u8>, usize, SocketAddr) {
    let (mut arrived, mut largest) = (Vec::with_capacity(length), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let (size, whom) = socket
            .recv_from(&mut buffer)
            .unwrap_or_else(|e| panic!("{what}: {e} after {} of {length} bytes", arrived.len()));
        arrived.extend_from_slice(&buffer[..size]);
        largest = largest.max(size);
        if arrived.len() >= length {
            return (arrived, largest, whom);
        }
    }
}

/// An exchange as of DHCP, from the client's port to the server's and back: by broadcast, or to a server beyond. Both
/// messages leave their machines through the kernel, with whatever it leaves undone, and are read as programs do that
/// know no better: beside the kernel, every sum computed.
#[track_caller]
pub(crate) fn dhcp(client: &str, server: &str, unicast: Option<SocketAddr>, what: &str) {
    let open = |node: &str, port: u16| in_node(node, || (Sniffer::open(port), broadcaster(port)));
    let (mut offers, asking) = open(client, CLIENT);
    let (mut questions, answering) = open(server, SERVER);
    let message = |kind: u8, xid: u64| [&[kind, 1, 6, 0][..], &random_bytes(296, xid)].concat();
    let everybody = |port| SocketAddr::new([255; 4].into(), port);
    let question = message(1, 77);
    asking.send_to(&question, unicast.unwrap_or(everybody(SERVER))).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_same(&questions.next(&format!("{what}: the question")), &question, what);
    let mut buffer = [0; 600];
    let (length, whom) = answering.recv_from(&mut buffer).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_same(&buffer[..length], &question, what);
    let answer = message(2, 78);
    let to = if unicast.is_some() { whom } else { everybody(CLIENT) };
    answering.send_to(&answer, to).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_same(&offers.next(&format!("{what}: the offer")), &answer, what);
}

/// A socket for everybody on the wire.
fn broadcaster(port: u16) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).expect("a socket");
    socket.set_broadcast(true).expect("a socket");
    socket.set_reuse_address(true).expect("a socket");
    socket.bind_device(Some(b"eth0")).expect("root here");
    socket.bind(&SocketAddr::from(([0; 4], port)).into()).expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    socket.into()
}

/// A packet socket that is told nothing about checksums.
struct Sniffer {
    socket: Socket,
    port: u16,
}

impl Sniffer {
    fn open(port: u16) -> Self {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None).expect("root here");
        vswitchd::port::sys::packet_set_option(
            std::os::fd::AsFd::as_fd(&socket),
            libc::PACKET_IGNORE_OUTGOING,
            1,
        )
        .expect("Linux 4.20 has it");
        listen(&socket, "eth0");
        socket.set_nonblocking(false).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Self { socket, port }
    }

    /// The payload of the next datagram for that port, if its checksums are right.
    #[track_caller]
    fn next(&mut self, what: &str) -> Vec<u8> {
        let mut buffer = [0; 2000];
        loop {
            let length = self.socket.read(&mut buffer).unwrap_or_else(|e| panic!("{what}: {e}"));
            let frame = &buffer[..length];
            let is_datagram = length >= 42 && frame[12..14] == [8, 0] && frame[14] == 0x45 && frame[23] == 17;
            if !is_datagram || frame[36..38] != self.port.to_be_bytes() {
                continue;
            }
            let end = 34 + usize::from(u16::from_be_bytes([frame[38], frame[39]]));
            let datagram = &frame[34..end];
            let pseudo = [&frame[26..34], &[0, 17], &datagram[4..6]].concat();
            assert_eq!(sum(&frame[14..34]), 0xffff, "{what}: the checksum of the IP header: {frame:02x?}");
            assert_ne!(datagram[6..8], [0, 0], "{what}: there is a checksum");
            let whole = sum(&[&pseudo, datagram].concat());
            assert_eq!(whole, 0xffff, "{what}: the checksum of the datagram: {frame:02x?}");
            return datagram[8..].to_vec();
        }
    }
}

/// The plain sum of 16-bit words.
fn sum(bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(0, |total: u16, pair| {
        let (sum, carry) = total.overflowing_add(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        sum + u16::from(carry)
    })
}
