//! A gateway between guests and the world, with sessions of the guests'.

use std::net::Ipv4Addr;
use std::time::Duration;

use etherparse::PacketBuilder;
use vswitchd::bridge::{BridgeConfig, LegConfig};
use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{BATCH_MAX, Batch, Frame, Leg, LegIndex, LinkId, NodeId, PortId};
use vswitchd::router::Settings;
use vswitchd::router::interface::{Interface, Role};
use vswitchd::router::policy::config::{Config, Publish};
use vswitchd::time::Time;
use vswitchd::wire::arp::{self, Arp};
use vswitchd::wire::mac::Mac;

use super::{Lot, Rounds, tried};

pub(crate) const GUEST: PortId = PortId(0);
pub(crate) const UPLINK: PortId = PortId(1);
pub(crate) const SIBLING: PortId = PortId(2);
pub(crate) const ROUTER: NodeId = NodeId(2);

/// Sessions of one address.
const PORTS: u32 = 50_000;

/// When sessions are opened.
pub(crate) const OPENED: Time = Time::from_secs(1);

/// How many of the packets that sessions are made of are kept at hand.
const PACKETS: u32 = 65_536;

pub(crate) const fn mac(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

/// A million sessions; fewer where the benches are only tried.
pub(crate) fn many() -> u32 {
    if tried() { 10_000 } else { 1_000_000 }
}

/// The router's station on each side.
pub(crate) const fn gate(leg: u16) -> Mac {
    mac(0xf0 + leg as u8)
}

/// Guests behind port 0 of bridge 0, the world behind port 1 of bridge 1, and a router between them.
pub(crate) fn gateway(publishes: Vec<Publish>) -> Fabric {
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
    introduce_all(&mut fabric, Time::ZERO);
    fabric
}

/// Everybody asks for the router.
fn introduce_all(fabric: &mut Fabric, now: Time) {
    introduce(fabric, UPLINK, Ipv4Addr::new(192, 0, 2, 9), Ipv4Addr::new(192, 0, 2, 1), now);
    introduce(fabric, GUEST, Ipv4Addr::new(172, 17, 0, 2), Ipv4Addr::new(172, 17, 0, 1), now);
    introduce(fabric, SIBLING, Ipv4Addr::new(172, 17, 0, 3), Ipv4Addr::new(172, 17, 0, 1), now);
}

/// Time has passed, and the switch does what has become due. Everybody who was there is still there.
fn pass(fabric: &mut Fabric, now: Time) {
    introduce_all(fabric, now);
    let mut batch = Batch::new();
    while fabric.deadline().is_some_and(|due| due <= now) {
        fabric.tick(now, &mut batch);
        batch.clear(drop);
    }
    introduce_all(fabric, now);
}

/// The machine behind that port asks for the router.
pub(crate) fn introduce(
    fabric: &mut Fabric,
    port: PortId,
    sender_ip: Ipv4Addr,
    target_ip: Ipv4Addr,
    now: Time,
) {
    let sender_mac = mac(port.0 as u8 + 1);
    let question = Arp { operation: arp::REQUEST, sender_mac, sender_ip, target_mac: Mac::ZERO, target_ip };
    let bytes = [&Mac::BROADCAST.0[..], &sender_mac.0, &[8, 6], &question.to_bytes()].concat();
    let mut batch = Batch::new();
    batch.push(Frame::copy_of(&bytes, port));
    fabric.receive(&mut batch, now);
}

/// The first packet of the session of that number.
pub(crate) fn datagram(session: u32) -> Vec<u8> {
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

impl Rounds {
    /// A full batch of copies, all from one port.
    pub(crate) fn fill_from<'a>(&mut self, port: PortId, mut each: impl FnMut() -> &'a [u8]) {
        self.fill(|_, buffer| {
            buffer.copy_from_slice(each());
            port
        });
    }
}

/// Opens that many sessions.
pub(crate) fn open(fabric: &mut Fabric, rounds: &mut Rounds, count: u32, now: Time) {
    let mut next = 0;
    while next < count {
        let frames: Vec<_> =
            (next..next + BATCH_MAX as u32).map(|session| datagram(session % count)).collect();
        let mut frames = frames.iter();
        rounds.fill_from(GUEST, || frames.next().expect("as many as a batch has"));
        rounds.run(fabric, now);
        next += BATCH_MAX as u32;
    }
    let sessions = fabric.router(ROUTER).and_then(|router| router.sessions()).expect("flows are followed");
    assert_eq!(sessions.len(), count as usize, "each has opened one");
}

/// Packets of sessions drawn from those that are open, or each of a session that is new.
pub(crate) struct Sessions {
    pub(crate) fabric: Fabric,
    rounds: Rounds,
    packets: Vec<Vec<u8>>,
    at: usize,
    now: Time,
    every_one_new: bool,
}

impl Sessions {
    /// That many are open, of `publishes` or of none.
    pub(crate) fn established(count: u32, publishes: Vec<Publish>) -> Self {
        let (mut fabric, mut rounds) = (gateway(publishes), Rounds::new());
        open(&mut fabric, &mut rounds, count, OPENED);
        Self::opened(fabric, rounds, count)
    }

    /// That many have been opened.
    pub(crate) fn opened(fabric: Fabric, rounds: Rounds, count: u32) -> Self {
        let packets = (0..count.min(PACKETS)).map(|n| datagram(n.wrapping_mul(48_271) % count)).collect();
        Self { fabric, rounds, packets, at: 0, now: OPENED, every_one_new: false }
    }

    /// None is open.
    pub(crate) fn new() -> Self {
        let packets = (0..PACKETS).map(datagram).collect();
        Self {
            fabric: gateway(vec![]),
            rounds: Rounds::new(),
            packets,
            at: 0,
            now: OPENED,
            every_one_new: true,
        }
    }
}

impl Lot for Sessions {
    fn fill(&mut self) {
        let Self { fabric, rounds, packets, at, now, every_one_new } = self;
        let before = *now;
        rounds.fill_from(GUEST, || {
            *at = (*at + 1) % packets.len();
            if *at == 0 && *every_one_new {
                // they have all expired, so each is new once more
                *now = *now + Duration::from_secs(60);
            }
            &packets[*at]
        });
        if *now != before {
            pass(fabric, *now);
        }
    }

    fn run(&mut self) {
        self.rounds.run(&mut self.fabric, self.now);
    }
}
