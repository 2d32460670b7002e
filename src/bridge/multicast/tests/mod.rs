//! Stories of snooping in virtual time: a bridge with the host at leg 0 and three ports, 1 to 3.

mod behaviours;
mod bounds;
mod queries;
mod sources;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::*;
use crate::wire::checksum;

const ON: MulticastConfig = MulticastConfig {
    snooping: true,
    querier: false,
    query_use_ifaddr: false,
    address: Ipv4Addr::new(10, 0, 0, 254),
    igmp_version: 2,
    mld_version: 1,
    hash_max: 4096,
    last_member_count: 2,
    startup_query_count: 2,
    last_member_interval: Duration::from_secs(1),
    membership_interval: Duration::from_secs(260),
    querier_interval: Duration::from_secs(255),
    query_interval: Duration::from_secs(125),
    query_response_interval: Duration::from_secs(10),
    startup_query_interval: Duration::from_millis(31_250),
    router: RouterMode::Learn,
    flood_solicited_node: true,
};
const GROUP: &str = "239.10.10.10";
const GROUP6: &str = "ff02::cc";
const BRIDGE: Mac = Mac([2, 0, 0, 0, 0, 0xbb]);

/// The bridge, the time, and what was heard of it.
struct Lab {
    bridge: Multicast,
    now: Time,
    /// Questions as they left: leg, when in seconds, text.
    asked: Vec<(u16, f64, String)>,
    events: Vec<String>,
}

impl Lab {
    fn new(config: MulticastConfig) -> Self {
        Self::with_legs(config, MulticastLegConfig::default())
    }

    fn with_legs(config: MulticastConfig, leg: MulticastLegConfig) -> Self {
        let now = Time::from_secs(1000);
        let bridge = Multicast::new(config, [1, 2], BRIDGE, now);
        let mut lab = Self { bridge, now, asked: Vec::new(), events: Vec::new() };
        for index in 0..4 {
            lab.with(|bridge, now, mut emit| bridge.attach(LegIndex(index), leg, index == 0, now, &mut emit));
        }
        lab
    }

    /// One where a querier on port 3 asked long enough ago for forwarding to be restricted, in both families.
    fn asked(config: MulticastConfig) -> Self {
        let mut lab = Self::new(config);
        lab.ask(3, 10);
        lab.wait(10.0);
        lab
    }

    /// Does something to the bridge and takes note of what it tells.
    fn with<R>(&mut self, act: impl FnOnce(&mut Multicast, Time, &mut dyn FnMut(Effect<'_>)) -> R) -> R {
        let Self { bridge, now, asked, events } = self;
        let mut emit = |effect: Effect<'_>| match effect {
            Effect::Send(leg, _, frame) => asked.push((leg.0, seconds(*now), question(frame))),
            Effect::Disabled => events.push("disabled".into()),
            Effect::Router(leg, there) => events.push(format!("router {} {there}", leg.0)),
            Effect::Joined(change) => events.push(format!("joined {}", text(&change))),
            Effect::Left(change) => events.push(format!("left {}", text(&change))),
        };
        act(bridge, *now, &mut emit)
    }

    /// Lets time pass, and ticks whenever the bridge asks for it.
    fn wait(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        while let Some(due) = self.bridge.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            // a tick looks at 256 groups at most
            let mut left = 1 + self.bridge.mdb.len() / 256;
            while self.bridge.deadline().is_some_and(|due| due <= self.now) {
                assert!(left > 0, "ticks end what is due");
                left -= 1;
                self.with(|bridge, now, mut emit| bridge.tick(now, &mut emit));
            }
        }
        self.now = end;
    }

    /// A packet comes in; whom it goes to.
    fn receive(&mut self, leg: u16, vid: u16, packet: &[u8]) -> String {
        self.receive_from(leg, vid, Mac([2, 0, 0, 0, 0, leg as u8]), packet)
    }

    fn receive_from(&mut self, leg: u16, vid: u16, src: Mac, packet: &[u8]) -> String {
        let ether_type = if packet[0] >> 4 == 4 { ETHER_TYPE_IPV4 } else { ETHER_TYPE_IPV6 };
        let bridge = &self.bridge;
        let judgement = match bridge.judge(ether_type, Mac([1, 0, 0x5e, 0, 0, 1]), packet, false) {
            Ok(judgement) => judgement,
            Err(malformed) => return format!("{:?} {:?}", malformed.family, malformed.why),
        };
        let scope = bridge.scope(judgement.audience, vid, self.now);
        let room = self
            .with(|bridge, now, mut emit| bridge.commit(LegIndex(leg), vid, src, &judgement, now, &mut emit));
        if room { self.say(&scope) } else { "full".into() }
    }

    fn say(&self, scope: &Scope) -> String {
        let Scope::Only(only) = scope else { return "flood".into() };
        let mut words: Vec<_> = only.legs.iter().map(|leg| leg.0.to_string()).collect();
        for leg in only.unicast.iter() {
            let macs: Vec<_> = self.bridge.copies(only, leg, self.now).map(|mac| mac.to_string()).collect();
            words.push(format!("{}:{}", leg.0, macs.join("+")));
        }
        words.extend(only.host.then(|| "host".to_string()));
        if words.is_empty() { "nobody".into() } else { words.join(" ") }
    }

    /// Whom data to the group goes to.
    fn data(&mut self, source: &str, group: &str) -> String {
        self.data_in(0, source, group)
    }

    fn data_in(&mut self, vid: u16, source: &str, group: &str) -> String {
        let packet = ip(address(source), address(group), 17, &[0; 8]);
        self.receive(2, vid, &packet)
    }

    /// Data from somebody.
    fn to(&mut self, group: &str) -> String {
        let source = if group.contains(':') { "2001:db8:1::99" } else { "192.0.2.99" };
        self.data(source, group)
    }

    /// General queries of both families, with so many seconds for the answer.
    fn ask(&mut self, leg: u16, seconds: u8) {
        self.receive(leg, 0, &igmp("10.0.0.9", "224.0.0.1", &[0x11, seconds * 10, 0, 0, 0, 0, 0, 0]));
        let delay = u16::from(seconds) * 1000;
        let head = [&[130, 0, 0, 0][..], &delay.to_be_bytes(), &[0; 18]].concat();
        self.receive(leg, 0, &mld("fe80::9", "ff02::1", &head));
    }

    fn join(&mut self, leg: u16, group: &str) -> String {
        self.receive(leg, 0, &join(group))
    }

    fn leave(&mut self, leg: u16, group: &str) -> String {
        self.receive(leg, 0, &leave(group))
    }

    /// A record of the newer version.
    fn report(&mut self, leg: u16, group: &str, kind: u8, sources: &[&str]) -> String {
        self.receive(leg, 0, &report(group, &[(kind, group, sources)]))
    }
}

fn seconds(now: Time) -> f64 {
    (now - Time::from_secs(1000)).as_secs_f64()
}

fn text(change: &Change) -> String {
    let Group::Ip(group) = change.group else { return format!("{} {:?}", change.leg.0, change.group) };
    let source = change.source.map(|source| format!(" {source}")).unwrap_or_default();
    format!("{} {group}{source}", change.leg.0)
}

/// A question in words.
fn question(frame: &[u8]) -> String {
    let message = match frame[12..14] {
        [8, 0] => {
            let ip = Ipv4::parse(&frame[14..]).expect("sound");
            igmp::parse(&ip, false).map(|message| (ip.destination.to_string(), message, ip.payload.len()))
        }
        _ => {
            let ip = Ipv6::parse(&frame[14..]).expect("sound");
            mld::parse(&ip, false).map(|message| (ip.destination.to_string(), message, ip.payload.len() - 8))
        }
    };
    let Ok((to, Some(Message::Query(from, query)), len)) = message else { panic!("{message:?}") };
    let about = match query.subject {
        membership::Subject::Everything => "all".into(),
        membership::Subject::Group { group, suppress: false } => group.to_string(),
        membership::Subject::Group { group, suppress: true } => format!("{group} suppress"),
        membership::Subject::Other => format!("sources in {len} bytes"),
    };
    format!("{from} > {to}: {about}, {:?}", query.max_delay)
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// An IP packet.
fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let len = (20 + payload.len()) as u16;
            let mut packet = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, 1, protocol, 0, 0];
            packet[2..4].copy_from_slice(&len.to_be_bytes());
            packet.extend(source.octets());
            packet.extend(destination.octets());
            let sum = !checksum::sum(&packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend(payload);
            packet
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut packet = vec![0x60, 0, 0, 0, 0, 0, protocol, 1];
            packet[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(payload);
            packet
        }
        _ => panic!("of one family"),
    }
}

fn igmp(source: &str, destination: &str, message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    let sum = !checksum::sum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(address(source), address(destination), 2, &message)
}

fn mld(source: &str, destination: &str, message: &[u8]) -> Vec<u8> {
    let (source, destination): (Ipv6Addr, Ipv6Addr) =
        (source.parse().expect("IPv6"), destination.parse().expect("IPv6"));
    let addresses = [source.octets(), destination.octets()].concat();
    let mut message = message.to_vec();
    let pseudo = checksum::pseudo_header(&addresses, 58, message.len() as u32);
    let sum = !checksum::add(pseudo, checksum::sum(&message));
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let payload = [&[58, 0, 5, 2, 0, 0, 0, 0][..], &message].concat();
    ip(source.into(), destination.into(), 0, &payload)
}

fn octets(text: &str) -> Vec<u8> {
    match address(text) {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn old(group: &str, v4: u8, v6: u8, to: &str) -> Vec<u8> {
    if group.contains(':') {
        mld("fe80::5", to, &[&[v6, 0, 0, 0, 0, 0, 0, 0][..], &octets(group)].concat())
    } else {
        igmp("10.0.0.5", to, &[&[v4, 0, 0, 0][..], &octets(group)].concat())
    }
}

/// A report of IGMPv2 or MLDv1.
fn join(group: &str) -> Vec<u8> {
    old(group, 0x16, 131, group)
}

fn leave(group: &str) -> Vec<u8> {
    old(group, 0x17, 132, if group.contains(':') { "ff02::2" } else { "224.0.0.2" })
}

/// A report of IGMPv3 or MLDv2, of the family that `family` is of.
fn report(family: &str, records: &[(u8, &str, &[&str])]) -> Vec<u8> {
    let mut tail = Vec::new();
    for (kind, group, sources) in records {
        tail.extend([*kind, 0, 0, sources.len() as u8]);
        tail.extend(octets(group));
        tail.extend(sources.iter().flat_map(|source| octets(source)));
    }
    let [high, low] = (records.len() as u16).to_be_bytes();
    if family.contains(':') {
        mld("fe80::5", "ff02::16", &[&[143, 0, 0, 0, 0, 0, high, low][..], &tail].concat())
    } else {
        igmp("10.0.0.5", "224.0.0.22", &[&[0x22, 0, 0, 0, 0, 0, high, low][..], &tail].concat())
    }
}
