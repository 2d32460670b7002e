//! The same of a gateway: flows that go on, flows that are opened, expire and are opened again, and a full table.

use std::net::Ipv4Addr;
use std::time::Duration;

use etherparse::PacketBuilder;
use vswitchd::bridge::{BridgeConfig, LegConfig, Promiscuous};
use vswitchd::fabric::{Books, Change, Fabric};
use vswitchd::frame::{BATCH_MAX, Batch, End, Frame, Leg, LegIndex, LinkId, NodeId, PortId};
use vswitchd::router::Settings;
use vswitchd::router::interface::{Interface, Role};
use vswitchd::router::policy::config::{Config, Protocol, Publish};
use vswitchd::time::Time;
use vswitchd::verdict::Reason;
use vswitchd::wire::arp::{self, Arp};
use vswitchd::wire::mac::Mac;

use super::FRAMES;
use crate::counting::allocations;

const GUEST: PortId = PortId(0);
const WORLD: PortId = PortId(1);
/// Watches the guest.
const WATCHER: PortId = PortId(2);
const ROUTER: NodeId = NodeId(2);
const GUEST_IP: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 2);
const GATE_IP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const WORLD_IP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
/// How many flows of each sort go on.
const FLOWS: u16 = 16;
const SYN: u8 = 2;
const ACK: u8 = 16;

const fn station(port: PortId) -> Mac {
    Mac([2, 0, 0, 0, 0, port.0 as u8 + 1])
}

const fn gate(port: PortId) -> Mac {
    Mac([2, 0, 0, 0, 0, 0xf0 + port.0 as u8])
}

/// A million frames of flows that go both ways, masqueraded and published, UDP and TCP; and somebody watches the guest.
#[test]
fn a_million_frames_of_established_flows_allocate_nothing() {
    let mut gateway = Gateway::new(Settings::default());
    let mut frames = Vec::new();
    for flow in 0..FLOWS {
        let (guest, there, here) = ((GUEST_IP, 4000 + flow), (WORLD_IP, 53), (GATE_IP, 4000 + flow));
        let (stranger, published, server) = ((WORLD_IP, 5000 + flow), (GATE_IP, 8080), (GUEST_IP, 80));
        frames.push((GUEST, udp(GUEST, guest, there)));
        frames.push((WORLD, udp(WORLD, there, here)));
        frames.push((WORLD, udp(WORLD, stranger, published)));
        frames.push((GUEST, udp(GUEST, server, stranger)));
        for (first, out, second, back) in [
            (GUEST, [guest, there], WORLD, [there, here]),
            (WORLD, [stranger, published], GUEST, [server, stranger]),
        ] {
            let handshake = [
                (first, tcp(first, out, (100, 0, SYN))),
                (second, tcp(second, back, (500, 101, SYN | ACK))),
                (first, tcp(first, out, (101, 501, ACK))),
            ];
            handshake.into_iter().for_each(|(port, frame)| gateway.send(port, &frame));
            frames.push((first, tcp(first, out, (101, 501, ACK))));
            frames.push((second, tcp(second, back, (501, 101, ACK))));
        }
    }
    let books = gateway.run(FRAMES, |at| &frames[at as usize % frames.len()]);
    assert_eq!(gateway.sessions(), usize::from(4 * FLOWS), "no flow more than there were");
    assert_eq!(books.drops.total(), 0, "{:?}", books.drops);
    assert!(gateway.watched > FRAMES / 3, "who watches gets {} frames as they were", gateway.watched);
}

/// Flows by the hundred thousand: each is opened by one frame, expires, and is opened again some frames later.
#[test]
fn new_sessions_allocate_nothing_once_the_table_has_grown() {
    let mut settings = Settings::default();
    settings.conntrack.udp = Duration::from_millis(200);
    new_sessions(settings, 5000..25_000);
}

/// The same where there is never room: each pushes another out.
#[test]
fn new_sessions_allocate_nothing_in_a_full_table() {
    new_sessions(Settings { sessions_max: 2000, ..Settings::default() }, 1999..2001);
}

fn new_sessions(settings: Settings, sessions: std::ops::Range<usize>) {
    let mut gateway = Gateway::new(settings);
    let frames: Vec<_> =
        (0..50_000).map(|n| (GUEST, udp(GUEST, (GUEST_IP, 1024 + n), (WORLD_IP, 53)))).collect();
    let books = gateway.run(FRAMES / 4, |at| &frames[at as usize % frames.len()]);
    assert!(sessions.contains(&gateway.sessions()), "{} sessions", gateway.sessions());
    // only some are looked at for one that may go (L2)
    let refused = books.drops.of(Reason::ConntrackFull);
    assert!(refused == books.drops.total() && refused < books.sent / 100, "{:?}", books.drops);
    let router = gateway.fabric.router(ROUTER).expect("it was added");
    let table = router.sessions().expect("flows are followed");
    let new = table.iter(gateway.now).filter(|(_, session)| session.counts[0].packets == 1).count();
    assert!(new > gateway.sessions() / 10 * 9, "nearly every frame is of a new flow: {new}");
}

struct Gateway {
    fabric: Fabric,
    batch: Batch,
    buffers: Vec<Box<[u8]>>,
    now: Time,
    watched: usize,
}

impl Gateway {
    fn new(settings: Settings) -> Self {
        let mut fabric = Fabric::new([1, 2]);
        let watching = LegConfig { promiscuous: Promiscuous::Monitor, ..LegConfig::default() };
        let mut changes = vec![
            Change::AddBridge(NodeId(0), BridgeConfig::default()),
            Change::AddBridge(NodeId(1), BridgeConfig::default()),
            Change::AddPort(GUEST, NodeId(0), LegConfig::default()),
            Change::AddPort(WORLD, NodeId(1), LegConfig::default()),
            Change::AddPort(WATCHER, NodeId(0), watching),
            Change::AddRouter(ROUTER, settings),
        ];
        for (port, net, role) in
            [(GUEST, "172.17.0.1/16", Role::Inside), (WORLD, "192.0.2.1/24", Role::Outside)]
        {
            let interface = Interface::new(gate(port), vec![net.parse().expect("a prefix")], role);
            let at = Leg { node: ROUTER, leg: LegIndex(port.0) };
            changes.push(Change::AddInterface(LinkId(port.0), at, NodeId(port.0), Box::new(interface)));
        }
        let publishes = [Protocol::Tcp, Protocol::Udp].map(|protocol| Publish {
            listen: None,
            protocol,
            ports: (8080, 8080),
            to: GUEST_IP.into(),
            to_port: 80,
            allow_from: vec![],
        });
        changes.push(Change::SetPolicy(
            ROUTER,
            Box::new(Config { publishes: publishes.to_vec(), ..Config::default() }),
        ));
        for change in changes {
            fabric.apply(change, Time::ZERO).expect("the fabric is sound");
        }
        let buffers = (0..BATCH_MAX).map(|_| vec![0; 128].into_boxed_slice()).collect();
        let mut gateway = Self { fabric, batch: Batch::new(), buffers, now: Time::from_secs(1), watched: 0 };
        gateway.greet();
        gateway
    }

    /// Both ask for the router, and answer to it.
    fn greet(&mut self) {
        for (port, sender_ip, target_ip) in
            [(GUEST, GUEST_IP, Ipv4Addr::new(172, 17, 0, 1)), (WORLD, WORLD_IP, GATE_IP)]
        {
            let (sender_mac, target_mac) = (station(port), gate(port));
            for (operation, dst) in [(arp::REQUEST, Mac::BROADCAST), (arp::REPLY, target_mac)] {
                let says = Arp { operation, sender_mac, sender_ip, target_mac, target_ip };
                let frame = [&dst.0[..], &sender_mac.0, &[8, 6], &says.to_bytes()].concat();
                self.push(port, &frame);
            }
            self.fabric.receive(&mut self.batch, self.now);
            self.clear();
        }
    }

    fn send(&mut self, port: PortId, frame: &[u8]) {
        self.push(port, frame);
        self.fabric.receive(&mut self.batch, self.now);
        assert_eq!(self.batch.ends(), [End::Sent]);
        self.clear();
    }

    /// So many frames after those that make the tables grow.
    fn run<'a>(&mut self, count: usize, mut frame: impl FnMut(u64) -> &'a (PortId, Vec<u8>)) -> Books {
        let (mut at, mut before) = (0, allocations());
        let warm_up = 2000;
        for round in 0..warm_up + count / BATCH_MAX {
            if round == warm_up {
                before = allocations();
            }
            self.now = self.now + Duration::from_millis(1);
            // before they are asked
            if round % 10_000 == 9999 {
                let counted = allocations() - before;
                self.greet();
                before = allocations() - counted;
            }
            for _ in 0..BATCH_MAX {
                let (port, bytes) = frame(at);
                at += 1;
                self.push(*port, bytes);
            }
            self.fabric.receive(&mut self.batch, self.now);
            self.fabric.tick(self.now, &mut self.batch);
            let deliveries = self.batch.deliveries().iter();
            self.watched += deliveries.filter(|delivery| delivery.port == WATCHER).count();
            self.clear();
        }
        assert_eq!(allocations() - before, 0);
        let books = self.fabric.books();
        assert!(books.balance() && books.sent as usize > count, "{books:?}");
        books
    }

    fn push(&mut self, port: PortId, bytes: &[u8]) {
        let mut buffer = self.buffers.pop().expect("as many as frames");
        buffer[64..64 + bytes.len()].copy_from_slice(bytes);
        self.batch.push(Frame::new(buffer, 64, 64 + bytes.len(), port));
    }

    fn clear(&mut self) {
        let buffers = &mut self.buffers;
        self.batch.clear(|buffer| buffers.push(buffer));
    }

    fn sessions(&self) -> usize {
        let router = self.fabric.router(ROUTER).expect("it was added");
        router.sessions().expect("flows are followed").iter(self.now).count()
    }
}

fn udp(port: PortId, source: (Ipv4Addr, u16), destination: (Ipv4Addr, u16)) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2(station(port).0, gate(port).0)
        .ipv4(source.0.octets(), destination.0.octets(), 64)
        .udp(source.1, destination.1)
        .write(&mut bytes, &[0; 18])
        .expect("a vector takes all");
    bytes
}

fn tcp(
    port: PortId,
    [source, destination]: [(Ipv4Addr, u16); 2],
    (seq, ack, flags): (u32, u32, u8),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let packet = PacketBuilder::ethernet2(station(port).0, gate(port).0)
        .ipv4(source.0.octets(), destination.0.octets(), 64)
        .tcp(source.1, destination.1, seq, 8192);
    let packet = if flags & SYN != 0 { packet.syn() } else { packet };
    let packet = if flags & ACK != 0 { packet.ack(ack) } else { packet };
    packet.write(&mut bytes, &[]).expect("a vector takes all");
    bytes
}
