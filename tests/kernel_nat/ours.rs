//! Our gateway in a fabric, with a bridge in the place of each network, and the same rules.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use vswitchd::bridge::{BridgeConfig, LegConfig};
use vswitchd::fabric::Change;
use vswitchd::frame::{Leg, LegIndex, LinkId, NodeId, PortId};
use vswitchd::router::Settings;
use vswitchd::router::interface::{Interface, Role};
use vswitchd::router::nat::show::View;
use vswitchd::router::policy::config::{Config, Protocol, Publish};
use vswitchd::sim::Stage;
use vswitchd::time::Time;
use vswitchd::wire::arp::{self, Arp};
use vswitchd::wire::datagram::Datagram;
use vswitchd::wire::mac::Mac;
use vswitchd::wire::ndp::{self, Message, Ndp};

use super::conntrack::{self, Flow, Key};
use super::craft::{UDP, frame};
use super::describe::{Output, is_chatter};
use super::place::{PUBLISHED, Who, Wire};
use super::run::Gateway;

const ROUTER: NodeId = NodeId(3);
/// When a story begins: long enough after the hosts have introduced themselves that this is of no weight.
const BEGIN: Time = Time::from_secs(1000);

/// A gateway that is ours.
pub(crate) struct Ours {
    stage: Stage,
    /// How the last frame ended.
    end: String,
}

impl Ours {
    /// # Panics
    /// If it cannot be set up.
    pub(crate) fn new() -> Self {
        let mut stage = Stage::default();
        stage.now = BEGIN;
        for change in changes() {
            let text = format!("{change:?}");
            stage.change(change).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        let mut ours = Self { stage, end: String::new() };
        for host in Who::HOSTS.into_iter().filter(|host| *host != Who::Z) {
            for v6 in [false, true] {
                ours.exchange(host.wire(), &introduction(host, v6));
            }
        }
        ours
    }

    /// What comes out, hosts having answered who is asked for.
    fn exchange(&mut self, wire: Wire, bytes: &[u8]) -> Vec<Output> {
        let (outputs, end) = self.stage.exchange(PortId(wire as u16), bytes);
        self.end = format!("{end:?}");
        self.settle(outputs)
    }

    fn settle(&mut self, outputs: Vec<(PortId, Vec<u8>)>) -> Vec<Output> {
        let mut left = Vec::new();
        let mut outputs = outputs;
        while !outputs.is_empty() {
            for (port, bytes) in std::mem::take(&mut outputs) {
                let wire = Wire::ALL[usize::from(port.0)];
                if let Some(answer) = answer(wire, &bytes) {
                    outputs.extend(self.stage.exchange(port, &answer).0);
                }
                if !is_chatter(&bytes) {
                    left.push((wire, bytes));
                }
            }
        }
        left
    }

    fn pass(&mut self, now: Duration) -> Vec<Output> {
        self.stage.now = BEGIN + now;
        let outputs = self.stage.tick();
        self.settle(outputs)
    }
}

impl Gateway for Ours {
    fn tell(&mut self, wire: Wire, frame: &[u8], now: Duration) -> Vec<Output> {
        let mut outputs = self.pass(now);
        outputs.extend(self.exchange(wire, frame));
        outputs
    }

    fn flows(&mut self, now: Duration) -> BTreeMap<Key, Flow> {
        let now = BEGIN + now;
        let sessions = self.stage.fabric.router(ROUTER).and_then(|router| router.sessions());
        let lines =
            sessions.expect("a gateway").iter(now).map(|(_, session)| View::new(session, now).to_string());
        conntrack::table(&lines.collect::<Vec<_>>().join("\n"))
    }

    fn wait(&mut self, now: Duration) -> Vec<Output> {
        self.pass(now)
    }

    fn why(&self) -> &str {
        &self.end
    }
}

fn changes() -> Vec<Change> {
    let mut changes = vec![Change::AddRouter(ROUTER, Settings::default())];
    for (nth, wire) in Wire::ALL.into_iter().enumerate() {
        let nth = nth as u16;
        let bridge = NodeId(nth);
        changes.push(Change::AddBridge(bridge, BridgeConfig::default()));
        changes.push(Change::AddPort(PortId(nth), bridge, LegConfig::default()));
        let leg = Leg { node: ROUTER, leg: LegIndex(nth) };
        changes.push(Change::AddInterface(LinkId(nth), leg, bridge, Box::new(interface(wire))));
    }
    for v6 in [false, true] {
        let everywhere = if v6 { "::/0" } else { "0.0.0.0/0" }.parse().expect("a prefix");
        changes.push(Change::AddRoute(ROUTER, everywhere, Some(Who::R.address(v6)), None));
    }
    let publishes = PUBLISHED.into_iter().flat_map(|(protocol, ports, to, to_port)| {
        [false, true].map(|v6| Publish {
            listen: None,
            protocol: if protocol == UDP { Protocol::Udp } else { Protocol::Tcp },
            ports,
            to: to.address(v6),
            to_port,
            allow_from: vec![],
        })
    });
    let config = Config { publishes: publishes.collect(), ..Config::default() };
    changes.push(Change::SetPolicy(ROUTER, Box::new(config)));
    changes
}

fn interface(wire: Wire) -> Interface {
    let net = |v6: bool| {
        let length = wire.prefix(v6).split_once('/').expect("a prefix").1;
        format!("{}/{length}", wire.gateway().address(v6)).parse().expect("an address with a prefix")
    };
    let role = if wire == Wire::Out { Role::Outside } else { Role::Inside };
    Interface {
        mtu: wire.mtu(),
        tcp_reset: true,
        redirects: false,
        ..Interface::new(wire.mac(), vec![net(false), net(true)], role)
    }
}

/// What a host says to make itself known.
fn introduction(host: Who, v6: bool) -> Vec<u8> {
    let gateway = host.wire().gateway();
    if v6 {
        let packet = ndp::solicitation(gateway.v6(), host.v6(), host.mac(), None);
        let [.., a, b, c] = gateway.v6().octets();
        return frame(Mac([0x33, 0x33, 0xff, a, b, c]), host.mac(), &packet);
    }
    let packet = Arp {
        operation: arp::REQUEST,
        sender_mac: host.mac(),
        sender_ip: host.v4(),
        target_mac: Mac::ZERO,
        target_ip: gateway.v4(),
    };
    arp_frame(Mac::BROADCAST, host.mac(), &packet)
}

/// What a host on that wire answers to a question who it is.
fn answer(wire: Wire, bytes: &[u8]) -> Option<Vec<u8>> {
    let host = |address: IpAddr| Who::of(address).filter(|who| who.wire() == wire && !who.is_gateway());
    let packet = bytes.get(14..)?;
    let asker = bytes.get(6..12)?.first_chunk().copied().map(Mac)?;
    if bytes[12..14] == [8, 6] {
        let question = Arp::parse(packet).filter(|arp| arp.operation == arp::REQUEST)?;
        let host = host(question.target_ip.into())?;
        return Some(arp_frame(asker, host.mac(), &question.reply(host.mac())));
    }
    let read = Datagram::parse(packet).ok()?;
    let (IpAddr::V6(source), IpAddr::V6(destination)) = (read.source, read.destination) else { return None };
    match Ndp::parse(source, destination, read.ttl, read.payload(packet)) {
        Ok(Some(Ndp { message: Message::Solicitation { target }, .. })) => {
            let host = host(target.into())?;
            Some(frame(asker, host.mac(), &ndp::advertisement(target, host.mac(), false, source)))
        }
        _ => None,
    }
}

fn arp_frame(dst: Mac, src: Mac, packet: &Arp) -> Vec<u8> {
    [&dst.0[..], &src.0, &[8, 6], &packet.to_bytes()].concat()
}
