//! Ports on real interfaces, with the kernel's own stacks behind them, in namespaces of their own.

mod edits;
mod netns;
#[path = "../common/qemu.rs"]
mod qemu;
mod unreadable;

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::num::NonZero;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use netns::Netns;
use vswitchd::frame::{Batch, Edit, Frame, Gso, Offload, Outgoing, PortId};
use vswitchd::port::{OpenError, Pool, Port, PortCounters, PortKind, Received};
use vswitchd::verdict::Reason;
use vswitchd::wire::vnet;

const KINDS: [PortKind; 3] = [PortKind::PlainTap, PortKind::Raw, PortKind::Tap];
const ONE: NonZero<usize> = NonZero::<usize>::MIN;
const PATIENCE: Duration = Duration::from_secs(20);

/// Pains 1 and 2: small packets pass anywhere; TCP at full size needs every checksum and every cut to be right.
#[test]
fn tcp_and_udp_pass_between_ports_of_every_kind() {
    for one in KINDS {
        for other in KINDS {
            let Some(lab) = Lab::new([one, other]) else { return };
            let counters = lab.run(|machines| {
                for (addresses, why) in [(["10.0.0.1", "10.0.0.2"], "IPv4"), (["fd00::1", "fd00::2"], "IPv6")]
                {
                    let addresses = addresses.map(|address| address.parse().expect("an address"));
                    echo_tcp(machines, addresses, &format!("{one:?} and {other:?}, {why}"));
                    echo_udp(machines, addresses);
                }
            });
            for (kind, counters) in [one, other].into_iter().zip(&counters) {
                assert_eq!(counters.rx_drops.total(), 0, "{one:?} and {other:?}: {:?}", counters.rx_drops);
                let refused = counters.tx_drops.of(Reason::EgressRefused);
                assert_eq!(refused, 0, "{one:?} and {other:?}");
                let average = counters.rx_bytes / counters.rx_frames;
                eprintln!(
                    "{one:?} and {other:?}: {kind:?} read {} frames of {average} bytes",
                    counters.rx_frames
                );
                if kind == PortKind::PlainTap {
                    assert!(average <= 1514, "an interface without offloads cuts for itself");
                }
            }
            if [one, other] == [PortKind::Tap; 2] {
                let average = counters[0].rx_bytes / counters[0].rx_frames;
                assert!(average > 3 * 1514, "large frames travel whole, not {average} bytes on average");
            }
        }
    }
}

/// Pain 7: what the kernel had no room for is neither lost without a word nor counted twice.
#[test]
fn frames_that_come_faster_than_they_are_read_are_counted() {
    let Some((_here, mut sender, mut receiver)) = raw_pair() else { return };
    let mut frames = vec![Frame::copy_of(&udp_frame(&[], 1400), PortId(0))];
    // 1400 bytes take more than 2 KiB of the queue, which is at most a few dozen MiB
    for _ in 0..40_000 {
        send(&mut sender, &mut frames);
    }
    let sent = sender.counters().tx_frames;
    while drain(&mut receiver).is_none() {
        let counters = receiver.ask_counters();
        if counters.rx_frames + counters.rx_drops.of(Reason::IngressOverrun) >= sent {
            break;
        }
    }
    let counters = *receiver.ask_counters();
    assert!(counters.rx_drops.of(Reason::IngressOverrun) > 0, "40,000 frames do not fit the queue");
    assert_eq!(counters.rx_frames + counters.rx_drops.total(), sent, "each is accounted for once");
}

/// Pain 9: the kernel takes the outer tag out of every frame before a packet socket sees it.
#[test]
fn a_raw_port_keeps_vlan_tags() {
    let Some((here, mut sender, mut receiver)) = raw_pair() else { return };
    let tags: [(&[u8], &str); 5] = [
        (&[], "untagged"),
        (&[0x81, 0, 0x20, 10], "802.1Q with a priority"),
        (&[0x81, 0, 0x60, 0], "a priority tag: VLAN 0 must not vanish"),
        (&[0x88, 0xa8, 0, 7], "802.1ad"),
        (&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8], "two tags"),
    ];
    for (tag, why) in tags {
        let mut sent = Frame::copy_of(&udp_frame(tag, 200), PortId(0));
        let csum_start = (14 + tag.len() + 20) as u16;
        sent.offload = Offload { needs_csum: true, csum_start, csum_offset: 6, ..Offload::NONE };
        let (bytes, offload) = (sent.bytes().to_vec(), sent.offload);
        send(&mut sender, &mut [sent]);
        let received = receive_one(&mut receiver);
        assert_eq!(received.bytes(), bytes, "{why}");
        assert_eq!(received.offload, offload, "{why}: the checksum starts behind the tag");
    }
    drop(here);
}

#[test]
fn a_raw_port_skips_what_the_kernel_refuses_and_sends_the_rest() {
    let Some((_here, mut sender, mut receiver)) = raw_pair() else { return };
    let sizes = [200, 3000, 300, 4000, 400];
    let mut frames = sizes.map(|size| Frame::copy_of(&udp_frame(&[], size), PortId(0)));
    send(&mut sender, &mut frames);
    assert_eq!(sender.counters().tx_frames, 3);
    assert_eq!(sender.counters().tx_drops.of(Reason::MtuExceeded), 2, "V20: over the MTU, and not to be cut");
    for size in [200, 300, 400] {
        assert_eq!(receive_one(&mut receiver).len(), udp_frame(&[], size).len());
    }
}

/// The kernel lets a sender write headers that make no sense (V6); they must not travel on.
#[test]
fn nonsense_headers_are_dropped_where_they_enter() {
    let Some(netns) = Netns::new() else { return };
    netns.without_ipv6();
    let mut tap = open(PortKind::Tap, "tap0", &netns);
    netns.set_up("tap0", true);
    let mut raw = open(PortKind::Raw, "tap0", &netns);
    let mut frame = Frame::copy_of(&[&[2; 12][..], &[0x88, 0xb5], &[0; 400]].concat(), PortId(0));
    frame.offload = Offload { gso: Gso::TcpV4, gso_size: 100, ..csum(34, 16) };
    send(&mut tap, &mut [frame]);
    assert_eq!(tap.counters().tx_frames, 1, "the kernel believes it");
    wait(&[&raw]);
    assert!(drain(&mut raw).is_none());
    assert_eq!(raw.counters().rx_drops.of(Reason::OffloadHeaders), 1, "{:?}", raw.counters());
    assert_eq!(raw.counters().rx_frames, 0);

    let mut beyond = Frame::copy_of(&[0; 60], PortId(0));
    beyond.offload = csum(59, 16);
    send(&mut tap, &mut [beyond]);
    assert_eq!(tap.counters().tx_drops.of(Reason::EgressRefused), 1, "V6: the kernel's EINVAL is counted");
}

/// Every combination of likely and unlikely values on sound frames: what passes our check must pass the kernel's.
#[test]
fn no_header_that_is_let_in_is_refused_on_the_way_out() {
    let Some((netns, mut raw, _peer)) = raw_pair() else { return };
    let mut tap = open(PortKind::Tap, "tap0", &netns);
    netns.set_up("tap0", true);
    let udp = udp_frame(&[], 1400);
    let tagged = udp_frame(&[0x81, 0, 0, 5], 1400);
    let mut tcp = udp.clone();
    (tcp[23], tcp[46]) = (6, 0x50);
    let mut taken = 0;
    for (frame, shift) in [(udp, 0u16), (tagged, 4), (tcp, 0)] {
        let len = frame.len() as u16;
        let mut frames = [Frame::copy_of(&frame, PortId(0))];
        for header in headers(len, shift) {
            let Ok(offload) = vnet::decode(&header, &frame) else { continue };
            frames[0].offload = offload;
            for port in [&mut tap, &mut raw] {
                send(port, &mut frames);
                let refused = port.counters().tx_drops.of(Reason::EgressRefused);
                assert_eq!(refused, 0, "{header:?}: {offload:?}");
            }
            taken += 1;
        }
    }
    assert!(taken > 1000, "only {taken} headers were let in");
}

#[test]
fn links_go_down_and_come_back() {
    for kind in KINDS {
        let Some(lab) = Lab::new([kind, PortKind::Tap]) else { return };
        let Lab { outside, machines, ports: [mut port, _other] } = lab;
        let (netns, name) = if kind == PortKind::Raw { (&outside, "port0") } else { (&machines[0], "eth0") };
        netns.set_up(name, false);
        let mut frames = [Frame::copy_of(&udp_frame(&[], 100), PortId(0))];
        send(&mut port, &mut frames);
        assert_eq!(port.counters().tx_drops.of(Reason::EgressDown), 1, "{kind:?}: {:?}", port.counters());
        assert!(drain(&mut port).is_none(), "{kind:?}: a link that is down is no reason to give up");
        netns.set_up(name, true);
        send(&mut port, &mut frames);
        assert_eq!(port.counters().tx_frames, 1, "{kind:?}: {:?}", port.counters());
        assert!(drain(&mut port).is_none(), "{kind:?}: up again");
    }
}

#[test]
fn a_deleted_interface_is_gone_and_wakes_the_poll() {
    for kind in KINDS {
        let Some(lab) = Lab::new([kind, PortKind::Tap]) else { return };
        let Lab { outside: _outside, machines, ports: [mut port, _other] } = lab;
        drain(&mut port);
        let deleted = AtomicBool::new(false);
        let gone = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                // a busy kernel takes its time to delete, but must have said so when it is done
                let mut tries = 0;
                while tries < 10 {
                    tries += u8::from(deleted.load(Ordering::Relaxed));
                    wait(&[&port]);
                    if let Some(error) = drain(&mut port) {
                        return error;
                    }
                }
                panic!("{kind:?}: nothing says that the interface is gone");
            });
            machines[0].delete("eth0");
            deleted.store(true, Ordering::Relaxed);
            watcher.join().expect("the watcher does not panic")
        });
        eprintln!("{kind:?}: {gone}");
        send(&mut port, &mut [Frame::copy_of(&udp_frame(&[], 100), PortId(0))]);
        assert_eq!(port.counters().tx_drops.of(Reason::EgressGone), 1, "{kind:?}: {:?}", port.counters());
    }
}

#[test]
fn opening_says_what_is_wrong() {
    let Some(netns) = Netns::new() else { return };
    let result = |kind, name: &str| Port::open(PortId(0), kind, name, ONE, Some(netns.0.as_fd()));
    let _first = result(PortKind::Tap, "tap0").expect("a TAP in a namespace of its own");
    for kind in [PortKind::PlainTap, PortKind::Tap] {
        let error = result(kind, "tap0").expect_err("there is one already");
        assert!(matches!(&error, OpenError::Exists(name) if name == "tap0"), "{kind:?}: {error}");
        let error = result(kind, "a-name-of-16-byt").expect_err("too long");
        assert!(matches!(&error, OpenError::Name { .. }), "{kind:?}: {error}");
        let error = result(kind, "lo").expect_err("not ours to take");
        assert!(matches!(&error, OpenError::Exists(_)), "{kind:?}: {error}");
    }
    let error = result(PortKind::Raw, "tap1").expect_err("nobody made it");
    assert_eq!(error.to_string(), "there is no interface `tap1` here: did you mean `tap0`?");
    let file = std::fs::File::open("/dev/null").expect("/dev/null");
    let error =
        Port::open(PortId(0), PortKind::Tap, "tap2", ONE, Some(file.as_fd())).expect_err("no namespace");
    assert!(matches!(error, OpenError::Namespace(_)), "{error}");
}

/// Two machines with an interface `eth0` each, and the ports their wires end in.
struct Lab {
    outside: Netns,
    machines: [Netns; 2],
    ports: [Port; 2],
}

impl Lab {
    fn new(kinds: [PortKind; 2]) -> Option<Self> {
        let outside = Netns::new()?;
        outside.without_ipv6();
        let machines = [Netns::new()?, Netns::new()?];
        let plug = |index: usize| {
            let (kind, machine) = (kinds[index], &machines[index]);
            let port = match kind {
                PortKind::Raw => {
                    let name = format!("port{index}");
                    outside.add_veth(&name, machine, "eth0");
                    open(kind, &name, &outside)
                }
                PortKind::PlainTap | PortKind::Tap => open(kind, "eth0", machine),
            };
            machine.set_up("eth0", true);
            let host = index as u8 + 1;
            machine.add_address("eth0", IpAddr::from([10, 0, 0, host]), 24);
            machine.add_address("eth0", IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, host.into()]), 64);
            port
        };
        let ports = [plug(0), plug(1)];
        Some(Self { outside, machines, ports })
    }

    /// Carries frames between the ports while the machines do `work`.
    fn run(self, work: impl FnOnce(&[Netns; 2])) -> [PortCounters; 2] {
        let Self { outside: _outside, machines, mut ports } = self;
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let relay = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    wait(&[&ports[0], &ports[1]]);
                    let [one, other] = &mut ports;
                    carry(one, other);
                    carry(other, one);
                }
                ports.map(|port| *port.counters())
            });
            let _end = OnDrop(&over);
            work(&machines);
            over.store(true, Ordering::Relaxed);
            relay.join().expect("the relay does not panic")
        })
    }
}

/// Ends the relay even when the work panics.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn carry(from: &mut Port, to: &mut Port) {
    let mut pool = Pool::default();
    let mut batch = Batch::new();
    loop {
        let received = from.receive(&mut pool, &mut batch, 64, 1 << 20);
        let before: Vec<Vec<u8>> = batch.frames().iter().map(|frame| frame.bytes().to_vec()).collect();
        send(to, batch.outgoing().0);
        for (frame, before) in batch.frames().iter().zip(before) {
            assert!(frame.bytes() == before, "sending leaves frames as they were");
        }
        batch.clear(|buffer| pool.give(buffer));
        match received {
            Received::Drained => return,
            Received::Gone(error) => panic!("the interface is there: {error}"),
            Received::More => {}
        }
    }
}

/// Sends two megabytes there and back and compares.
fn echo_tcp(machines: &[Netns; 2], addresses: [IpAddr; 2], why: &str) {
    let listener = machines[1].enter(|| TcpListener::bind((addresses[1], 0))).expect("a listener");
    let to = listener.local_addr().expect("its address");
    let data: Vec<u8> = (0..2u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let mut received = Vec::new();
            stream.read_to_end(&mut received).expect("all of it");
            stream.write_all(&received).expect("all of it back");
        });
        let stream = machines[0].enter(|| TcpStream::connect_timeout(&to, PATIENCE));
        let mut stream = stream.unwrap_or_else(|error| panic!("{why}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(&data).expect("all of it");
        stream.shutdown(Shutdown::Write).expect("an end");
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap_or_else(|error| panic!("{why}: {error}"));
        assert!(back == data, "{why}: the same bytes");
    });
}

fn echo_udp(machines: &[Netns; 2], addresses: [IpAddr; 2]) {
    let bind = |index: usize| {
        let socket = machines[index].enter(|| UdpSocket::bind(SocketAddr::new(addresses[index], 0)));
        let socket = socket.expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    };
    let (client, server) = (bind(0), bind(1));
    client.connect(server.local_addr().expect("its address")).expect("a peer");
    for size in [1, 17, 1400, 9000] {
        client.send(&vec![size as u8; size]).expect("sent");
        let mut buffer = vec![0; 10_000];
        let (len, from) = server.recv_from(&mut buffer).expect("it arrives");
        server.send_to(&buffer[..len], from).expect("sent back");
        let len = client.recv(&mut buffer).expect("it comes back");
        assert_eq!(buffer[..len], vec![size as u8; size]);
    }
}

/// Raw ports on both ends of a veth pair, in a silent namespace.
fn raw_pair() -> Option<(Netns, Port, Port)> {
    let netns = Netns::new()?;
    netns.without_ipv6();
    netns.add_veth("one", &netns, "two");
    let (one, two) = (open(PortKind::Raw, "one", &netns), open(PortKind::Raw, "two", &netns));
    Some((netns, one, two))
}

/// Writes all of them as they lie.
fn send(port: &mut Port, frames: &mut [Frame]) {
    let all: Vec<Outgoing> =
        (0..frames.len() as u16).map(|frame| Outgoing { frame, edit: Edit::NONE }).collect();
    port.send(frames, &all);
}

fn open(kind: PortKind, interface: &str, netns: &Netns) -> Port {
    Port::open(PortId(0), kind, interface, ONE, Some(netns.0.as_fd()))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Reads until there is nothing more; the error if the port is gone.
fn drain(port: &mut Port) -> Option<std::io::Error> {
    let mut pool = Pool::default();
    let mut batch = Batch::new();
    loop {
        match port.receive(&mut pool, &mut batch, 64, usize::MAX) {
            Received::Drained => return None,
            Received::Gone(error) => return Some(error),
            Received::More => batch.clear(|buffer| pool.give(buffer)),
        }
    }
}

fn receive_one(port: &mut Port) -> Frame {
    let mut pool = Pool::default();
    let mut batch = Batch::new();
    for _ in 0..100 {
        wait(&[port]);
        port.receive(&mut pool, &mut batch, 1, usize::MAX);
        if let [frame] = batch.frames() {
            let mut copy = Frame::copy_of(frame.bytes(), frame.ingress);
            copy.offload = frame.offload;
            return copy;
        }
    }
    panic!("nothing arrives: {:?}", port.counters());
}

/// Waits until one of the ports has something, or a short while; with mio, as the engine does.
fn wait(ports: &[&Port]) {
    let mut poll = Poll::new().expect("epoll");
    for port in ports {
        poll.registry()
            .register(
                &mut SourceFd(&port.readers().next().expect("it is whole")),
                Token(0),
                Interest::READABLE,
            )
            .expect("a port can be polled");
    }
    poll.poll(&mut Events::with_capacity(ports.len()), Some(Duration::from_millis(100))).expect("poll");
}

fn headers(len: u16, shift: u16) -> impl Iterator<Item = [u8; vnet::VNET_LEN]> {
    let kinds = [0, 1, 3, 4, 5, 0x80, 0x81, 0x85];
    let hdr_lens = [0, 1, 13, 14, 42 + shift, 54, len, len + 1];
    let sizes = [0, 1, 10, 11, 1000, 1400, 0xffff];
    let starts = [0, 14, 19, 20, 33, 34, 34 + shift, len - 18, len - 2, 0xffff];
    let offsets = [0, 6, 16, 17, 0xffff];
    let combine = move |flags: u8, kind: u8| {
        let shorts = hdr_lens.into_iter().flat_map(move |hdr_len| {
            sizes.into_iter().flat_map(move |size| {
                starts.into_iter().flat_map(move |start| offsets.map(|offset| [hdr_len, size, start, offset]))
            })
        });
        shorts.map(move |shorts: [u16; 4]| {
            let mut header = [flags, kind, 0, 0, 0, 0, 0, 0, 0, 0];
            for (place, short) in header[2..].chunks_mut(2).zip(shorts) {
                place.copy_from_slice(&short.to_ne_bytes());
            }
            header
        })
    };
    [0, 1, 2].into_iter().flat_map(move |flags| kinds.into_iter().flat_map(move |kind| combine(flags, kind)))
}

fn csum(csum_start: u16, csum_offset: u16) -> Offload {
    Offload { needs_csum: true, csum_start, csum_offset, ..Offload::NONE }
}

/// A UDP datagram with `size` bytes of payload behind that tag, its checksum still partial.
fn udp_frame(tag: &[u8], size: usize) -> Vec<u8> {
    let macs = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    let mut packet = Vec::new();
    etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(1, 2)
        .write(&mut packet, &vec![7; size])
        .expect("a vector takes anything");
    [&macs[..], tag, &[8, 0], &packet].concat()
}
