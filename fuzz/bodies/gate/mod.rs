//! A gateway that knows everybody, and what must hold of whatever it sends.
//!
//! Guests are behind the legs 0 and 2, the world is behind 1. What must hold at any time:
//!
//! - deciding changes nothing: asked twice, the router says the same
//! - what it makes comes from the leg's station, fits into a frame that a device may make, and can be read
//! - what had right checksums has right checksums, once hardware has done what was left to it; what the router makes of its
//!   own has them anyway
//! - no frame from a guest leaves for the world with a source that is not the router's
//! - there are no more sessions than there may be, no two have a tuple in common, and their memory is bounded

pub(crate) mod packets;
pub(crate) mod sound;

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use vswitchd::frame::{Edit, Headers, LegIndex, ORIGINATED_LEN_MAX, Offload, Passage};
use vswitchd::router::decision::{Decision, Fate, Ingress};
use vswitchd::router::interface::{Interface, ReversePath, Role};
use vswitchd::router::nat::ports::{Filtering, Mapping};
use vswitchd::router::nat::sessions::Sessions;
use vswitchd::router::policy::config::{Action, Config, Invalid, Log, Protocol, Publish, Rule};
use vswitchd::router::{Router, Settings};
use vswitchd::time::Time;
use vswitchd::wire::arp::{self, Arp};
use vswitchd::wire::datagram::Datagram;
use vswitchd::wire::mac::Mac;
use vswitchd::wire::ndp;

use super::input::Input;

/// The legs.
pub(crate) const GUESTS: u16 = 0;
pub(crate) const WORLD: u16 = 1;
pub(crate) const OTHERS: u16 = 2;

/// The router's own addresses, by leg.
pub(crate) const GATES: [[&str; 2]; 3] =
    [["10.0.0.1/24", "fd00::1/64"], ["192.0.2.1/24", "2001:db8::1/64"], ["10.1.0.1/24", "fd01::1/64"]];

/// Who there is, behind which leg; the last two of the world are the ways on.
pub(crate) const HOSTS: [(u16, &str); 11] = [
    (GUESTS, "10.0.0.2"),
    (WORLD, "192.0.2.9"),
    (GUESTS, "fd00::2"),
    (WORLD, "2001:db8::9"),
    (GUESTS, "10.0.0.3"),
    (OTHERS, "10.1.0.2"),
    (OTHERS, "fd01::2"),
    (WORLD, "198.51.100.7"),
    (WORLD, "2001:db8:7::7"),
    (WORLD, "192.0.2.254"),
    (WORLD, "2001:db8::fe"),
];

/// The most memory that a table of so many sessions needs, in bytes: they are a few hundred each, and a wheel.
const TABLE_MAX: usize = 256;
const MEMORY_MAX: usize = 1 << 20;

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn gate_mac(leg: u16) -> Mac {
    Mac([2, 0, 0, 0, 0xff, leg as u8])
}

/// The station of a host: one for each leg, which has all its addresses.
pub(crate) fn host_mac(leg: u16) -> Mac {
    Mac([2, 0, 0, 0, 0, leg as u8 + 1])
}

pub(crate) fn is_guests(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] == 10,
        IpAddr::V6(address) => address.octets()[0] == 0xfd,
    }
}

/// Something that left.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) leg: u16,
    pub(crate) frame: Vec<u8>,
    pub(crate) offload: Offload,
}

impl Sent {
    pub(crate) fn packet(&self) -> &[u8] {
        self.frame.get(14..).unwrap_or_default()
    }
}

/// How the gateway is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taste {
    /// What is of no flow may pass.
    pub(crate) accepts_invalid: bool,
    /// The MSS is clamped towards the world.
    pub(crate) clamps: bool,
    /// There is nothing to follow: a plain router.
    pub(crate) plain: bool,
    /// Packets towards the world have to be small.
    pub(crate) narrow: bool,
    /// There is room for hardly any session.
    pub(crate) crowded: bool,
    cone: bool,
    symmetric: bool,
    logs: bool,
}

impl Taste {
    pub(crate) fn of(input: &mut Input<'_>) -> Self {
        let [accepts_invalid, clamps, plain, narrow, cone, symmetric, crowded, logs] = input.flags();
        Self { accepts_invalid, clamps, plain, narrow, cone, symmetric, crowded, logs }
    }

    /// Every packet that passes was translated, and held against its checksum.
    pub(crate) fn strict(&self) -> bool {
        !self.accepts_invalid && !self.plain
    }

    fn interface(&self, leg: u16) -> Interface {
        let role = match leg {
            _ if self.plain => Role::Plain,
            WORLD => Role::Outside,
            _ => Role::Inside,
        };
        let nets = GATES[usize::from(leg)].map(|net| net.parse().expect("a prefix")).to_vec();
        let mut interface = Interface::new(gate_mac(leg), nets, role);
        if leg == WORLD {
            // a stranger with a guest's address may open the guest's flow before him, untranslated
            interface.reverse_path = ReversePath::Strict;
            (interface.clamp_mss, interface.mtu) = (self.clamps, if self.narrow { 600 } else { 1500 });
        }
        interface
    }

    fn config(&self) -> Config {
        let publish = |protocol, port, last, to: &str, to_port| Publish {
            listen: None,
            protocol,
            ports: (port, last),
            to: address(to),
            to_port,
            allow_from: vec![],
        };
        let log = Action::Log(Log { prefix: "fuzz ".to_owned(), limit: 3 });
        Config {
            publishes: vec![
                publish(Protocol::Tcp, 80, 80, "10.0.0.2", 8080),
                publish(Protocol::Udp, 53, 53, "10.0.0.2", 53),
                publish(Protocol::Udp, 6000, 6003, "10.1.0.2", 7000),
                publish(Protocol::Sctp, 9, 9, "10.0.0.3", 9),
                publish(Protocol::Tcp, 80, 81, "fd00::2", 80),
                publish(Protocol::Udp, 53, 53, "fd01::2", 53),
            ],
            rules: if self.logs { vec![Rule { action: log, ..Rule::default() }] } else { vec![] },
            invalid: if self.accepts_invalid { Invalid::Accept } else { Invalid::Drop },
            mapping: match (self.cone, self.symmetric) {
                (true, _) => Mapping::EndpointIndependent,
                (false, true) => Mapping::Symmetric,
                (false, false) => Mapping::Kernel,
            },
            filtering: if self.cone { Filtering::None } else { Filtering::AddressAndPort },
            ports: (self.cone && self.symmetric).then_some((40_000, 40_003)),
        }
    }
}

/// The gateway, and what it has sent.
pub(crate) struct Rig {
    pub(crate) router: Router,
    pub(crate) now: Time,
    pub(crate) taste: Taste,
    pub(crate) sent: Vec<Sent>,
}

impl Rig {
    /// Everybody is known.
    pub(crate) fn new(taste: Taste) -> Self {
        let sessions_max = if taste.crowded { 3 } else { TABLE_MAX };
        let mut router = Router::new(Settings { sessions_max, ..Settings::default() }, [1, 2]);
        for leg in [GUESTS, WORLD, OTHERS] {
            router.attach(LegIndex(leg), taste.interface(leg)).expect("there is room");
        }
        for (to, via) in [("0.0.0.0/0", "192.0.2.254"), ("::/0", "2001:db8::fe")] {
            router.add_route(to.parse().expect("a prefix"), Some(address(via)), None).expect("on the wire");
        }
        if !taste.plain {
            router.set_policy(taste.config());
        }
        let mut rig = Self { router, now: Time::from_secs(1000), taste, sent: vec![] };
        rig.greet();
        rig
    }

    /// Everybody says who they are.
    pub(crate) fn greet(&mut self) {
        for (leg, host) in HOSTS {
            let [gate4, gate6] =
                GATES[usize::from(leg)].map(|net| address(net.split('/').next().expect("an address")));
            let frame = match (address(host), gate4, gate6) {
                (IpAddr::V4(sender_ip), IpAddr::V4(target_ip), _) => {
                    let (sender_mac, target_mac) = (host_mac(leg), Mac::ZERO);
                    let packet =
                        Arp { operation: arp::REQUEST, sender_mac, sender_ip, target_mac, target_ip };
                    packets::frame(Mac::BROADCAST, host_mac(leg), arp::ETHER_TYPE, &packet.to_bytes())
                }
                (IpAddr::V6(asker), _, IpAddr::V6(target)) => {
                    let packet = ndp::solicitation(target, asker, host_mac(leg), None);
                    let group = ndp::group_mac(ndp::solicited_node(target));
                    packets::frame(group, host_mac(leg), 0x86dd, &packet)
                }
                _ => unreachable!("two families"),
            };
            let count = self.sent.len();
            self.meet(leg, &frame, &Offload::NONE);
            self.sent.truncate(count);
        }
    }

    /// A packet comes in from the hosts of that leg.
    pub(crate) fn packet(&mut self, leg: u16, packet: &[u8]) -> Option<Decision> {
        let ether_type = if packet.first().is_some_and(|first| first >> 4 == 6) { 0x86dd } else { 0x0800 };
        let frame = packets::frame(gate_mac(leg), host_mac(leg), ether_type, packet);
        self.meet(leg, &frame, &Offload::NONE)
    }

    /// A frame comes in.
    pub(crate) fn meet(&mut self, leg: u16, bytes: &[u8], offload: &Offload) -> Option<Decision> {
        let headers = Headers::parse(bytes, offload).ok()?;
        let passage = Passage { bytes, edit: &Edit::NONE, headers: &headers };
        let (at, now, first) = (LegIndex(leg), self.now, self.sent.len());
        let decision = self.router.decide(at, &passage, offload, now);
        assert_eq!(self.router.decide(at, &passage, offload, now), decision, "deciding changes nothing");
        let sent = &mut self.sent;
        let mut emit = |leg: LegIndex, frame: &[u8]| {
            sent.push(Sent { leg: leg.0, frame: frame.to_vec(), offload: Offload::NONE });
        };
        let ingress = Ingress { leg: at, origin: leg };
        self.router.commit(&decision, ingress, &passage, offload, now, &mut emit);
        self.made(first);
        if let Fate::Forward(onward) = decision.fate {
            let mut frame = bytes.to_vec();
            onward.write(&mut frame, headers.payload);
            let sent = Sent { leg: onward.leg.0, frame, offload: *offload };
            self.forwarded(leg, bytes, &sent);
            self.sent.push(sent);
        }
        while self.router.take_record().is_some() {}
        if let Some(sessions) = self.router.sessions() {
            consistent(sessions, self.now);
        }
        Some(decision)
    }

    /// So much time goes by, and what becomes due meanwhile is done. Then everybody speaks up, or would be forgotten.
    pub(crate) fn wait(&mut self, span: Duration) {
        let (end, first) = (self.now + span, self.sent.len());
        for turn in 0.. {
            let Some(due) = self.router.deadline().filter(|due| *due <= end) else { break };
            assert!(turn < 5000, "at {} there is always something left to do", self.now);
            self.now = self.now.max(due);
            let sent = &mut self.sent;
            self.router.tick(self.now, 256, &mut |leg, frame| {
                sent.push(Sent { leg: leg.0, frame: frame.to_vec(), offload: Offload::NONE });
            });
        }
        self.now = end;
        self.made(first);
        self.greet();
    }

    /// What the router made since then.
    fn made(&self, first: usize) {
        for Sent { leg, frame, .. } in &self.sent[first..] {
            assert!(frame.len() <= ORIGINATED_LEN_MAX, "it fits into a frame that a device makes");
            assert_eq!(frame[6..12], gate_mac(*leg).0);
            if frame[12..14] == [8, 6] {
                continue;
            }
            assert!(Datagram::parse(&frame[14..]).is_ok(), "what is sent can be read: {frame:02x?}");
            assert!(!self.taste.strict() || sound::holds(&frame[14..]), "and is right: {frame:02x?}");
        }
    }

    /// What the router forwarded.
    fn forwarded(&self, from: u16, before: &[u8], sent: &Sent) {
        assert_eq!(sent.frame.len(), before.len(), "nothing moves");
        assert_eq!(sent.frame[6..12], gate_mac(sent.leg).0);
        let was_right = sound::finished(before, &sent.offload).iter().all(|frame| sound::holds(&frame[14..]));
        for finished in sound::finished(&sent.frame, &sent.offload) {
            let packet = finished.get(14..).unwrap_or_default();
            let demanded = was_right || self.taste.strict() && sent.offload == Offload::NONE;
            assert!(!demanded || sound::holds(packet), "{before:02x?} became {finished:02x?}");
            let from_guest = from != WORLD && sent.leg == WORLD && self.taste.strict();
            assert!(!from_guest || is_of_gate(packet), "{before:02x?} leaks out as {finished:02x?}");
        }
    }
}

/// Whether a packet comes from the router.
fn is_of_gate(packet: &[u8]) -> bool {
    let Ok(read) = Datagram::parse(packet) else { return false };
    GATES[usize::from(WORLD)]
        .iter()
        .any(|net| address(net.split('/').next().unwrap_or_default()) == read.source)
}

/// What must hold of a table of sessions.
pub(crate) fn consistent(sessions: &Sessions, now: Time) {
    assert!(sessions.len() <= sessions.max(), "no more than there may be");
    assert!(sessions.memory() <= MEMORY_MAX, "{} bytes", sessions.memory());
    let mut tuples = HashSet::new();
    for (slot, session) in sessions.iter(now) {
        let [original, reply] = session.tuples;
        for tuple in [original, reply] {
            // who talks to himself is his own reply
            assert!(original == reply || tuples.insert(tuple), "two sessions have {tuple:?}");
            let found = sessions.find(&tuple, now).map(|(found, _)| found);
            assert_eq!(found, Some(slot), "it can be found by {tuple:?}");
        }
    }
}
