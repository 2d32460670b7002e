//! What the gateway costs: an established flow, a new one, a million of them, many that expire at once, an error about one.
//!
//! Times are per batch of 64 frames unless the name says otherwise; throughput is given in frames. `bridged` is the same batch
//! over one bridge: what is above that is the gateway's.

use std::cell::RefCell;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use vswitchd::bridge::{BridgeConfig, LegConfig};
use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{BATCH_MAX, Batch, Frame, Leg, LegIndex, LinkId, NodeId, PortId};
use vswitchd::router::Settings;
use vswitchd::router::interface::{Interface, Role};
use vswitchd::router::nat::rewrite::{self, Ends, Translation};
use vswitchd::router::nat::tuple::Address;
use vswitchd::router::policy::config::{Config, Protocol, Publish};
use vswitchd::time::Time;
use vswitchd::wire::arp::{self, Arp};
use vswitchd::wire::mac::Mac;

const GUEST: PortId = PortId(0);
const UPLINK: PortId = PortId(1);
const SIBLING: PortId = PortId(2);
const ROUTER: NodeId = NodeId(2);

/// Sessions of one address.
const PORTS: u32 = 50_000;

const fn mac(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

/// A million sessions; fewer where the benches are only tried (`--test`), so that they may be without optimisation.
fn many() -> u32 {
    if std::env::args().any(|argument| argument == "--test") { 10_000 } else { 1_000_000 }
}

/// The router's station on each side.
const fn gate(leg: u16) -> Mac {
    mac(0xf0 + leg as u8)
}

/// Guests behind port 0 of bridge 0, the world behind port 1 of bridge 1, and a router between them.
fn gateway(publishes: Vec<Publish>) -> Fabric {
    let mut fabric = Fabric::new([1, 2]);
    let mut apply = |change| fabric.apply(change, Time::ZERO).expect("the fabric is sound");
    for bridge in [0, 1] {
        apply(Change::AddBridge(NodeId(bridge), BridgeConfig::default()));
    }
    for (port, bridge) in [(GUEST, 0), (UPLINK, 1), (SIBLING, 0)] {
        apply(Change::AddPort(port, NodeId(bridge), LegConfig::default()));
    }
    let settings = Settings { sessions_max: 2 * many() as usize, ..Settings::default() };
    apply(Change::AddRouter(ROUTER, settings));
    for (leg, net, role) in [(0, "172.17.0.1/16", Role::Inside), (1, "192.0.2.1/24", Role::Outside)] {
        let interface = Interface::new(gate(leg), vec![net.parse().expect("a prefix")], role);
        let at = Leg { node: ROUTER, leg: LegIndex(leg) };
        apply(Change::AddInterface(LinkId(leg), at, NodeId(leg), Box::new(interface)));
    }
    let default = "0.0.0.0/0".parse().expect("a prefix");
    apply(Change::AddRoute(ROUTER, default, Some(Ipv4Addr::new(192, 0, 2, 9).into()), None));
    apply(Change::SetPolicy(ROUTER, Box::new(Config { publishes, ..Config::default() })));
    introduce(&mut fabric, UPLINK, Ipv4Addr::new(192, 0, 2, 9), Ipv4Addr::new(192, 0, 2, 1));
    introduce(&mut fabric, GUEST, Ipv4Addr::new(172, 17, 0, 2), Ipv4Addr::new(172, 17, 0, 1));
    introduce(&mut fabric, SIBLING, Ipv4Addr::new(172, 17, 0, 3), Ipv4Addr::new(172, 17, 0, 1));
    fabric
}

/// The machine behind that port asks for the router.
fn introduce(fabric: &mut Fabric, port: PortId, sender_ip: Ipv4Addr, target_ip: Ipv4Addr) {
    let sender_mac = mac(port.0 as u8 + 1);
    let question = Arp { operation: arp::REQUEST, sender_mac, sender_ip, target_mac: Mac::ZERO, target_ip };
    let bytes = [&Mac::BROADCAST.0[..], &sender_mac.0, &[8, 6], &question.to_bytes()].concat();
    let mut batch = Batch::new();
    batch.push(Frame::copy_of(&bytes, port));
    fabric.receive(&mut batch, Time::ZERO);
}

/// The first packet of the session of that number.
fn datagram(session: u32) -> Vec<u8> {
    let guest = Ipv4Addr::from(u32::from(Ipv4Addr::new(172, 17, 0, 2)) + session / PORTS);
    let server = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 1)) + session % 65_000);
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2(mac(1).0, gate(0).0)
        .ipv4(guest.octets(), server.octets(), 64)
        .udp(1024 + (session % PORTS) as u16, 53)
        .write(&mut bytes, &[0; 18])
        .expect("a vector takes all");
    bytes
}

/// Batches of frames in small buffers that are handed round, as the edge does.
struct Rounds {
    batch: Batch,
    buffers: Vec<Box<[u8]>>,
}

impl Rounds {
    fn new() -> Self {
        let buffers = (0..BATCH_MAX).map(|_| vec![0; 60].into_boxed_slice()).collect();
        Self { batch: Batch::new(), buffers }
    }

    fn fill<'a>(&mut self, port: PortId, mut each: impl FnMut() -> &'a [u8]) {
        self.batch.clear(|buffer| self.buffers.push(buffer));
        for _ in 0..BATCH_MAX {
            let mut buffer = self.buffers.pop().expect("as many as frames");
            buffer.copy_from_slice(each());
            self.batch.push(Frame::new(buffer, 0, 60, port));
        }
    }

    fn run(&mut self, fabric: &mut Fabric, now: Time) {
        fabric.receive(&mut self.batch, now);
        black_box(self.batch.deliveries());
    }
}

/// Opens that many sessions.
fn open(fabric: &mut Fabric, rounds: &mut Rounds, count: u32, now: Time) {
    let mut next = 0;
    while next < count {
        let frames: Vec<_> =
            (next..next + BATCH_MAX as u32).map(|session| datagram(session % count)).collect();
        let mut frames = frames.iter();
        rounds.fill(GUEST, || frames.next().expect("as many as a batch has"));
        rounds.run(fabric, now);
        next += BATCH_MAX as u32;
    }
    let sessions = fabric.router(ROUTER).and_then(|router| router.sessions()).expect("flows are followed");
    assert_eq!(sessions.len(), count as usize, "each has opened one");
}

fn established(c: &mut Criterion) {
    let mut group = c.benchmark_group("established");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    let now = Time::from_secs(1);

    let mut bridged = gateway(vec![]);
    let mut rounds = Rounds::new();
    let mut frame = datagram(0);
    frame[..6].copy_from_slice(&mac(3).0);
    group.bench_function("bridged", |b| {
        b.iter_batched_ref(
            || (),
            |()| {
                rounds.fill(GUEST, || &frame);
                rounds.run(&mut bridged, now)
            },
            BatchSize::SmallInput,
        );
    });
    for (name, count, published) in [
        ("10 sessions", 10, 0),
        ("a million", many(), 0),
        ("10 and 65536 published ports", 10, 1),
        ("10 and 4096 publishes", 10, 4096),
    ] {
        let publish = |first: u16, last: u16| Publish {
            listen: None,
            protocol: Protocol::Tcp,
            ports: (first, last),
            to: Ipv4Addr::new(172, 17, 0, 2).into(),
            to_port: first,
            allow_from: vec![],
        };
        let publishes = match published {
            0 => vec![],
            1 => vec![publish(0, u16::MAX)],
            many => (0..many).map(|n| publish(2 * n, 2 * n)).collect(),
        };
        let mut fabric = gateway(publishes);
        open(&mut fabric, &mut rounds, count, now);
        let frames: Vec<_> =
            (0..count.min(65_536)).map(|n| datagram(n.wrapping_mul(48_271) % count)).collect();
        let mut at = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                rounds.fill(GUEST, || {
                    at = (at + 1) % frames.len();
                    &frames[at]
                });
                rounds.run(&mut fabric, now);
            });
        });
    }
    group.finish();
}

fn new_sessions(c: &mut Criterion) {
    let mut group = c.benchmark_group("new");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    let mut fabric = gateway(vec![]);
    let rounds = RefCell::new(Rounds::new());
    let frames: Vec<_> = (0..65_536).map(datagram).collect();
    let (mut at, mut now) = (0, Time::from_secs(1));
    group.bench_function("session", |b| {
        b.iter(|| {
            let mut rounds = rounds.borrow_mut();
            rounds.fill(GUEST, || {
                at = (at + 1) % frames.len();
                if at == 0 {
                    // they have all expired, so each is new once more
                    now = now + Duration::from_secs(60);
                }
                &frames[at]
            });
            rounds.run(&mut fabric, now);
        });
    });
    group.finish();
}

fn storm(c: &mut Criterion) {
    let mut group = c.benchmark_group("expiry");
    let mut rounds = Rounds::new();
    group.sample_size(10);
    group.bench_function("one call while 65536 expire", |b| {
        b.iter_batched_ref(
            || {
                let mut fabric = gateway(vec![]);
                open(&mut fabric, &mut rounds, many().min(65_536), Time::from_secs(1));
                (fabric, Batch::new())
            },
            |(fabric, batch)| fabric.tick(Time::from_secs(100), batch),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn errors(c: &mut Criterion) {
    let mut group = c.benchmark_group("error");
    let mut fabric = gateway(vec![]);
    let mut frame = datagram(0);
    // TTL 1: its sender is told, as often as the limit allows
    frame[22] = 1;
    frame[24..26].fill(0);
    let sum = vswitchd::wire::checksum::finish(vswitchd::wire::checksum::sum(&frame[14..34]));
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    let mut rounds = Rounds::new();
    let mut now = Time::from_secs(1);
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    group.bench_function("time exceeded", |b| {
        b.iter(|| {
            now = now + Duration::from_secs(2);
            rounds.fill(GUEST, || &frame);
            rounds.run(&mut fabric, now);
        });
    });
    group.finish();
}

fn patch(c: &mut Criterion) {
    let mut group = c.benchmark_group("patch");
    let translation = Translation {
        packet: Ends {
            source: Some(Address::from(std::net::IpAddr::from([192, 0, 2, 1]))),
            source_port: Some(4711),
            ..Ends::NONE
        },
        quote: Ends::NONE,
    };
    let mut packet = datagram(0).split_off(14);
    group.bench_function("address and port", |b| {
        b.iter(|| rewrite::apply(black_box(&mut packet), black_box(&translation), false));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = established, new_sessions, storm, errors, patch
}
criterion_main!(benches);
