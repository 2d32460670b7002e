//! The real gateway, wired up as stories want it: three bridges, a router between them, a port for every host.
//!
//! Whatever the router asks its neighbours is answered here at once, so that a story is about packets and not about who is
//! at which hardware address.

use std::net::{IpAddr, Ipv6Addr};

use super::packet::{self, ICMPV6};
use super::story::{HOSTS, Setting};
use super::{Entry, Tuple, place};
use crate::bridge::{BridgeConfig, LegConfig, StationKind};
use crate::fabric::{Change, Fabric, Station};
use crate::frame::{Batch, Frame, Leg, LegIndex, LinkId, NodeId, Plug, PortId};
use crate::router::Settings;
use crate::router::interface::Interface;
use crate::router::nat::sessions::Session;
use crate::router::nat::show::View;
use crate::router::nat::tuple;
use crate::router::policy::config::Config;
use crate::sim::world::written;
use crate::time::Time;

const ROUTER: NodeId = NodeId(3);
/// Frames that came out, and where.
pub type Outputs = Vec<(PortId, Vec<u8>)>;

/// What stories are told to.
pub trait System {
    /// What comes out when a frame goes in.
    fn inject(&mut self, port: PortId, frame: &[u8], now: Time) -> Outputs;
    /// What comes out on its own until then.
    fn advance(&mut self, now: Time) -> Outputs;
    /// The rules are others.
    fn set_policy(&mut self, config: &Config, now: Time);
    /// A leg is different.
    fn configure(&mut self, leg: LegIndex, interface: &Interface, now: Time);
    /// The guests behind a port are gone.
    fn forget(&mut self, port: PortId, now: Time);
    /// All flows, in order.
    fn entries(&self, now: Time) -> Vec<Entry>;
    /// Bytes of memory that the flows have.
    fn memory(&self) -> usize;
}

/// A fabric with a gateway in it.
#[derive(Debug)]
pub struct Machine {
    fabric: Fabric,
    batch: Batch,
}

impl Machine {
    /// As a story begins.
    ///
    /// # Panics
    /// If the fabric refuses that.
    pub fn new(setting: &Setting) -> Self {
        Self::with(setting, true)
    }

    /// The same; `memo` says whether it remembers which way packets went.
    ///
    /// # Panics
    /// If the fabric refuses that.
    pub fn with(setting: &Setting, memo: bool) -> Self {
        let mut machine = Self { fabric: Fabric::new([3, 4]), batch: Batch::new() };
        let mut settings = Settings { sessions_max: setting.sessions_max, memo, ..Settings::default() };
        settings.conntrack.tcp.loose = setting.loose;
        settings.conntrack.tcp.liberal = setting.liberal;
        machine.change(Change::AddRouter(ROUTER, settings));
        for (index, interface) in setting.legs.iter().enumerate() {
            let index = index as u16;
            let mut bridge = BridgeConfig::default();
            bridge.multicast.snooping = false;
            machine.change(Change::AddBridge(NodeId(index), bridge));
            let leg = Leg { node: ROUTER, leg: LegIndex(index) };
            let interface = Box::new(interface.clone());
            machine.change(Change::AddInterface(LinkId(index), leg, NodeId(index), interface));
        }
        for (index, host) in HOSTS.iter().enumerate() {
            let (port, bridge) = (place::port(index), NodeId(host.leg));
            machine.change(Change::AddPort(port, bridge, LegConfig { mtu: 9000, ..LegConfig::default() }));
            let (at, kind) = (Plug::Port(port), StationKind::Static);
            machine.change(Change::AddStation(Station { bridge, mac: host.mac(), vlan: None, at, kind }));
        }
        for (to, via, leg) in place::routes() {
            machine.change(Change::AddRoute(ROUTER, to, via, Some(leg)));
        }
        machine.change(Change::SetPolicy(ROUTER, Box::new(setting.config.clone())));
        machine.introduce(Time::ZERO);
        machine
    }

    /// All that can be seen of it: what it knows, and what it has counted.
    pub fn state(&self, now: Time) -> String {
        let Some(router) = self.fabric.router(ROUTER) else { return String::new() };
        let mut text = format!("{:#?}\n{:#?}\n", self.fabric.books(), router.neighbours(now));
        for bridge in 0..ROUTER.0 {
            let stations = self.fabric.stations(NodeId(bridge), now);
            text +=
                &format!("{bridge}: {:#?}\n{:#?}\n", self.fabric.bridge_counters(NodeId(bridge)), stations);
        }
        for (_, session) in router.sessions().into_iter().flat_map(|sessions| sessions.iter(now)) {
            let mut session = *session;
            session.lanes = Default::default();
            text += &format!("{session:#?}\n");
        }
        text + &format!("{:#?}", router.policy())
    }

    /// How many packets took the way of one before.
    pub fn along(&self) -> u64 {
        self.fabric.router(ROUTER).map_or(0, |router| router.counters().along)
    }

    /// The fabric, for those who do to it what is in no story.
    pub fn fabric_mut(&mut self) -> &mut Fabric {
        &mut self.fabric
    }

    fn change(&mut self, change: Change) {
        self.apply(change, Time::ZERO);
    }

    fn apply(&mut self, change: Change, now: Time) {
        let text = format!("{change:?}");
        self.fabric.apply(change, now).unwrap_or_else(|error| panic!("{error}: {text}"));
    }

    /// Everybody says who they are.
    fn introduce(&mut self, now: Time) {
        for (index, host) in HOSTS.iter().enumerate() {
            for v6 in [false, true] {
                let (own, gateway) = (host.address(v6), place::host(host.leg, 1, v6));
                let frame = match (own, gateway) {
                    (IpAddr::V6(own), IpAddr::V6(gateway)) => solicitation(index, own, gateway),
                    _ => arp(index, 1, own, place::gateway_mac(host.leg).0, gateway),
                };
                self.exchange(place::port(index), &frame, now);
            }
        }
    }

    fn exchange(&mut self, port: PortId, frame: &[u8], now: Time) -> Outputs {
        self.batch.push(Frame::copy_of(frame, port));
        self.fabric.receive(&mut self.batch, now);
        let mut outputs = self.take(now);
        // what did not fit into the batch
        while self.fabric.deadline() == Some(Time::ZERO) {
            self.fabric.tick(now, &mut self.batch);
            outputs.extend(self.take(now));
        }
        outputs
    }

    /// Takes what is in the batch, and answers what is asked in there.
    fn take(&mut self, now: Time) -> Outputs {
        let frames = self.batch.frames();
        let written = |delivery: &crate::frame::Delivery| {
            (delivery.port, written(&frames[usize::from(delivery.frame)], &delivery.edit))
        };
        let outputs: Outputs = self.batch.deliveries().iter().map(written).collect();
        self.batch.clear(drop);
        let books = self.fabric.books();
        assert!(books.balance(), "the books do not balance: {books:?}");
        let mut kept = vec![];
        for (port, frame) in outputs {
            match reply(usize::from(port.0), &frame) {
                Talk::Other => kept.push((port, frame)),
                Talk::Neighbour(None) => {}
                Talk::Neighbour(Some(answer)) => kept.extend(self.exchange(port, &answer, now)),
            }
        }
        kept
    }
}

impl System for Machine {
    fn inject(&mut self, port: PortId, frame: &[u8], now: Time) -> Outputs {
        self.exchange(port, frame, now)
    }

    fn advance(&mut self, now: Time) -> Outputs {
        const CALLS: usize = 1000;
        let mut outputs = vec![];
        let (mut last, mut calls) = (Time::ZERO, 0);
        while let Some(due) = self.fabric.deadline().filter(|due| *due <= now) {
            calls = if due > last { 0 } else { calls + 1 };
            assert!(calls < CALLS, "at {last} the fabric asks for the same moment for ever");
            last = last.max(due);
            self.fabric.tick(last, &mut self.batch);
            outputs.extend(self.take(last));
        }
        self.introduce(now);
        outputs
    }

    fn set_policy(&mut self, config: &Config, now: Time) {
        self.apply(Change::SetPolicy(ROUTER, Box::new(config.clone())), now);
    }

    fn configure(&mut self, leg: LegIndex, interface: &Interface, now: Time) {
        self.apply(Change::ConfigureInterface(LinkId(leg.0), Box::new(interface.clone())), now);
        self.introduce(now);
    }

    fn forget(&mut self, port: PortId, now: Time) {
        self.fabric.forget_guests(port, now);
        self.introduce(now);
    }

    fn entries(&self, now: Time) -> Vec<Entry> {
        let sessions = self.fabric.router(ROUTER).and_then(|router| router.sessions());
        let list = sessions.into_iter().flat_map(|sessions| sessions.iter(now));
        let mut entries: Vec<_> = list.map(|(_, session)| entry(session, now)).collect();
        entries.sort();
        entries
    }

    fn memory(&self) -> usize {
        self.fabric
            .router(ROUTER)
            .and_then(|router| router.sessions())
            .map_or(0, |sessions| sessions.memory())
    }
}

fn entry(session: &Session, now: Time) -> Entry {
    let view = View::new(session, now);
    Entry {
        original: plain(&session.tuples[0]),
        reply: plain(&session.tuples[1]),
        state: view.phase().map(str::to_owned),
        replied: session.replied,
        assured: session.assured,
        remaining: view.remaining.as_nanos(),
    }
}

fn plain(tuple: &tuple::Tuple) -> Tuple {
    Tuple {
        protocol: tuple.protocol,
        src: tuple.source.ip(tuple.ipv6),
        sport: tuple.source_port,
        dst: tuple.destination.ip(tuple.ipv6),
        dport: tuple.destination_port,
    }
}

enum Talk {
    /// Of neighbours, and what is answered.
    Neighbour(Option<Vec<u8>>),
    Other,
}

/// What a host says to a frame that asks who it is.
fn reply(index: usize, frame: &[u8]) -> Talk {
    let Some(host) = HOSTS.get(index) else { return Talk::Other };
    match (&frame[12..14], frame.len()) {
        ([0x08, 0x06], 42..) => {
            let asked = IpAddr::from(<[u8; 4]>::try_from(&frame[38..42]).expect("four bytes"));
            let asker = IpAddr::from(<[u8; 4]>::try_from(&frame[28..32]).expect("four bytes"));
            let to = <[u8; 6]>::try_from(&frame[6..12]).expect("six bytes");
            let is_question = frame[21] == 1 && asked == host.address(false);
            Talk::Neighbour(is_question.then(|| arp(index, 2, asked, to, asker)))
        }
        ([0x86, 0xdd], 62..) => match packet::transport(&frame[14..]) {
            Some((ICMPV6, at)) if matches!(frame[14 + at], 133..=137 | 143) => {
                let (at, kind) = (14 + at, frame[14 + at]);
                let asked = frame.get(at + 8..at + 24).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
                let is_question = kind == 135 && asked.map(IpAddr::from) == Some(host.address(true));
                let to = <[u8; 6]>::try_from(&frame[6..12]).expect("six bytes");
                let asker = <[u8; 16]>::try_from(&frame[22..38]).expect("sixteen bytes");
                Talk::Neighbour(is_question.then(|| advertisement(index, to, Ipv6Addr::from(asker))))
            }
            _ => Talk::Other,
        },
        _ => Talk::Other,
    }
}

fn arp(index: usize, operation: u8, own: IpAddr, to: [u8; 6], target: IpAddr) -> Vec<u8> {
    let mac = HOSTS[index].mac().0;
    let four = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => [0; 4],
    };
    let head = [&to[..], &mac, &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation]].concat();
    [&head[..], &mac, &four(own), &to, &four(target)].concat()
}

fn solicitation(index: usize, own: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let mac = HOSTS[index].mac().0;
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), &[1, 1], &mac].concat();
    neighbour(index, place::gateway_mac(HOSTS[index].leg).0, own, target, &message)
}

fn advertisement(index: usize, to: [u8; 6], asker: Ipv6Addr) -> Vec<u8> {
    let IpAddr::V6(own) = HOSTS[index].address(true) else { return vec![] };
    let mac = HOSTS[index].mac().0;
    let message = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &own.octets(), &[2, 1], &mac].concat();
    neighbour(index, to, own, asker, &message)
}

fn neighbour(index: usize, to: [u8; 6], src: Ipv6Addr, dst: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let mut packet = packet::build(src.into(), dst.into(), ICMPV6, 0, 255, message);
    packet::seal_icmp(&mut packet);
    [&to[..], &HOSTS[index].mac().0, &[0x86, 0xdd], &packet].concat()
}
