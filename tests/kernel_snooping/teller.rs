//! Makes up stories of groups: who wants them, who asks for them, and who sends to them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use vswitchd::bridge::{
    BridgeConfig, LegConfig, MulticastConfig, MulticastLegConfig, RouterMode, VlanConfig,
};
use vswitchd::fabric::{Change, Membership};
use vswitchd::frame::{Plug, PortId};
use vswitchd::sim::{Action, Rng, Story};
use vswitchd::wire::mac::Mac;

use crate::kernel_common::{BRIDGE, HOST, PORTS, host, station};
use crate::messages::{self, Packet, advertisement, pim_hello};

/// How long stories are: short, for each has a bridge of its own.
pub(crate) const STORY: usize = 250;
/// Longer than the shortest time a querier can give for answers, and a few of the kernel's ticks.
pub(crate) const PATIENCE: Duration = Duration::from_millis(40);

/// The last two are everybody's, and share no MAC with others.
const GROUPS_V4: [Ipv4Addr; 5] = [
    Ipv4Addr::new(239, 1, 1, 1),
    Ipv4Addr::new(239, 129, 1, 1), // the same MAC
    Ipv4Addr::new(232, 1, 1, 2),
    Ipv4Addr::new(224, 0, 0, 251),
    Ipv4Addr::new(224, 0, 0, 1),
];
const GROUPS_V6: [Ipv6Addr; 6] = [
    Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 2),
    Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 1, 2), // the same MAC
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb),
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 9),
    Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
];
const SOURCES_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(10, 0, 0, 2),
    Ipv4Addr::new(10, 0, 0, 3),
    Ipv4Addr::UNSPECIFIED,
];
const SOURCES_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 3),
    Ipv6Addr::UNSPECIFIED,
];

/// A story.
pub(crate) fn tell(seed: u64) -> Story {
    let mut rng = Rng::new(seed);
    let minds_sources = rng.chance(40);
    let querier = *rng.pick(&[Querier::None, Querier::Other, Querier::Other, Querier::Other, Querier::Own]);
    let copies = !minds_sources && rng.chance(30);
    let mut teller = Teller { rng, minds_sources, copies, querier };
    let mut setup = vec![Change::AddBridge(BRIDGE, teller.bridge())];
    setup.push(Change::AddPort(PortId(0), BRIDGE, host()));
    setup.extend((1..=PORTS).map(|port| Change::AddPort(PortId(port), BRIDGE, teller.leg(port))));
    let mut actions = teller.querier();
    actions.extend((0..STORY).map(|_| teller.action()));
    Story { seed, setup, actions }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Querier {
    /// Nobody yet.
    None,
    /// A router.
    Other,
    /// The bridge; only of IPv4, for without an address the kernel's does not ask for IPv6.
    Own,
}

struct Teller {
    rng: Rng,
    minds_sources: bool,
    /// Some ports send a copy to each reporter. Then no member is set, and no router is there: one that gets the frame
    /// itself gets no copy, but some in the kernel.
    copies: bool,
    querier: Querier,
}

impl Teller {
    fn bridge(&mut self) -> BridgeConfig {
        let router = [RouterMode::Learn, RouterMode::Learn, RouterMode::Always, RouterMode::Never];
        let multicast = MulticastConfig {
            snooping: true,
            querier: self.querier == Querier::Own,
            igmp_version: if self.minds_sources { 3 } else { 2 },
            mld_version: if self.minds_sources { 2 } else { 1 },
            router: *self.rng.pick(&router),
            // comes not while a story is told, and is no longer than the kernel can write
            last_member_interval: Duration::from_secs(12),
            query_response_interval: Duration::from_millis(10),
            flood_solicited_node: false,
            ..MulticastConfig::default()
        };
        let vlan = VlanConfig { default_pvid: 0, ..VlanConfig::default() };
        BridgeConfig { address: HOST, vlan, multicast, ..BridgeConfig::default() }
    }

    fn leg(&mut self, port: u16) -> LegConfig {
        let rng = &mut self.rng;
        let modes = [RouterMode::Learn, RouterMode::Always, RouterMode::Never, RouterMode::Temp];
        // reporters told apart before would get a frame each from the kernel when they no longer are
        let to_unicast = self.copies && port.is_multiple_of(2);
        LegConfig {
            flood: rng.chance(90),
            mcast_flood: rng.chance(80),
            hairpin: may_hairpin(port) && rng.chance(30),
            isolated: rng.chance(20),
            multicast: MulticastLegConfig {
                router: match to_unicast {
                    true => RouterMode::Never,
                    false if rng.chance(50) => RouterMode::Learn,
                    false => *rng.pick(&modes),
                },
                // or a leave would shorten the wish of the first reporter, whoever leaves
                fastleave: to_unicast || (!self.minds_sources && rng.chance(30)),
                to_unicast,
                max_groups: 0,
            },
            ..LegConfig::default()
        }
    }

    /// Whoever asks is there before anything else happens, and his first answers are over (B65).
    fn querier(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.querier == Querier::Other {
            for source in [IpAddr::V4(SOURCES_V4[1]), IpAddr::V6(SOURCES_V6[1])] {
                let query = messages::long_query(nobody(source), 0, false, &[]);
                let packet = Packet::message(station(9), source, all(source), query);
                actions.push(Action::Frame(PortId(PORTS), packet.bytes()));
            }
        }
        actions.push(Action::Wait(PATIENCE));
        actions
    }

    fn action(&mut self) -> Action {
        let port = self.rng.below(u64::from(PORTS) + 1) as u16;
        match self.rng.below(100) {
            0..2 => {
                let port = port.max(1);
                let mut leg = self.leg(port);
                // told so while it is down, the kernel's port has a timer and is no router
                if leg.multicast.router == RouterMode::Temp {
                    leg.multicast.router = RouterMode::Learn;
                }
                Action::Change(Change::ConfigureLeg(Plug::Port(PortId(port)), leg))
            }
            2..4 if !self.copies => {
                let (at, add) = (Plug::Port(PortId(port.max(1))), self.rng.chance(60));
                let group = if add { self.group() } else { self.old_group() };
                let membership = Membership { bridge: BRIDGE, at, vlan: 0, group };
                Action::Change(if add {
                    Change::AddGroup(membership)
                } else {
                    Change::RemoveGroup(membership)
                })
            }
            // one port stays up, or the kernel's bridge would lose its carrier
            4..6 => Action::Change(Change::SetPortUp(PortId(port.max(2)), self.rng.chance(60))),
            6 => Action::Change(Change::ConfigureBridge(BRIDGE, self.bridge())),
            _ => Action::Frame(PortId(port), self.frame(port)),
        }
    }

    fn frame(&mut self, port: u16) -> Vec<u8> {
        let src = station(if port == 0 { 10 } else { 1 + self.rng.below(5) as u8 });
        let mut packet = match self.rng.below(100) {
            0..45 => self.data(src),
            45..60 => self.old_report(src),
            60..68 => self.leave(src),
            68..84 => self.report(src),
            84..94 => self.query(src),
            // the kernel sends an advertisement back to a router that it has just got to know by it
            94..97 if !may_hairpin(port) => self.router(src),
            _ => return self.other(src),
        };
        // tags that the host's frames have count as payload there
        if port != 0 && self.rng.chance(8) {
            let tpid = *self.rng.pick(&[[0x81, 0], [0x88, 0xa8]]);
            packet.tags = vec![[tpid[0], tpid[1], 0, 5]; 1 + self.rng.below(2) as usize];
        }
        if self.rng.chance(5) {
            packet.dst = Some(*self.rng.pick(&[Mac::BROADCAST, station(2), Mac([1, 0, 0x5e, 1, 1, 1])]));
        }
        let mut bytes = packet.bytes();
        if self.rng.chance(6) {
            self.spoil(&mut bytes);
        }
        bytes
    }

    fn data(&mut self, src: Mac) -> Packet {
        let to = self.group();
        Packet::data(src, self.source(to), to)
    }

    fn old_report(&mut self, src: Mac) -> Packet {
        let group = self.old_group();
        Packet::message(src, self.source(group), group, messages::join(group, self.rng.chance(30)))
    }

    fn leave(&mut self, src: Mac) -> Packet {
        let group = self.old_group();
        Packet::message(src, self.source(group), group, messages::leave(group))
    }

    /// A group that old messages are about. Where sources are minded it is one that others leave alone: to the kernel, who
    /// once spoke of sources does not want all when he says so in the old way, and who wanted none is still a member.
    fn old_group(&mut self) -> IpAddr {
        match (self.minds_sources, self.family()) {
            (true, true) => GROUPS_V4[0].into(),
            (true, false) => GROUPS_V6[0].into(),
            (false, v4) => self.group_of(v4),
        }
    }

    fn report(&mut self, src: Mac) -> Packet {
        let v4 = self.family();
        let records: Vec<_> = (0..1 + self.rng.below(3))
            .map(|_| {
                let mut group = self.group_of(v4);
                while self.minds_sources && [GROUPS_V4[0].into(), IpAddr::from(GROUPS_V6[0])].contains(&group)
                {
                    group = self.group_of(v4);
                }
                // each once: the kernel counts how many it knows, and is led astray by two of one
                let sources: BTreeSet<_> = (0..self.rng.below(4)).map(|_| self.source(group)).collect();
                let sources = sources.into_iter().collect();
                // 0 and 7 are no kinds
                let kind = if self.rng.chance(95) { 1 + self.rng.below(6) } else { self.rng.below(2) * 7 };
                // the host's wish for nothing is a leave, see `old_group`
                let kind = if self.minds_sources && src == station(10) { 4 } else { kind };
                (kind as u8, group, sources)
            })
            .collect();
        let group = self.group_of(v4);
        let source = self.source(group);
        let to = match v4 {
            true => Ipv4Addr::new(224, 0, 0, 22).into(),
            false => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16).into(),
        };
        Packet::message(src, source, to, messages::report(v4, &records))
    }

    fn query(&mut self, src: Mac) -> Packet {
        let group = self.group();
        let source = self.source(group);
        // whoever is new does not restrict anything while a story is told
        let delay =
            if group.is_ipv4() { *self.rng.pick(&[100, 200]) } else { *self.rng.pick(&[10_000, 20_000]) };
        let (group, to) = match self.rng.below(10) {
            0..4 => (nobody(group), all(group)),
            4 => (nobody(group), group), // not to all
            5 => (group, all(group)),
            _ => (group, group),
        };
        let message = match self.rng.below(3) {
            0 => messages::query(group, delay),
            1 => messages::long_query(group, delay, self.rng.chance(30), &[]),
            _ => {
                let sources: Vec<_> = (0..self.rng.below(3)).map(|_| self.source(group)).collect();
                messages::long_query(group, delay, self.rng.chance(30), &sources)
            }
        };
        Packet::message(src, source, to, message)
    }

    fn router(&mut self, src: Mac) -> Packet {
        let v4 = self.family();
        let group = self.group_of(v4);
        let source = self.source(group);
        if v4 && self.rng.chance(50) {
            return pim_hello(src, source);
        }
        let (message, to) = advertisement(v4);
        Packet::message(src, source, to, message)
    }

    /// Another protocol, a type that nobody knows, or another station.
    fn other(&mut self, src: Mac) -> Vec<u8> {
        let group = self.old_group();
        let packet = Packet::data(src, self.source(group), group);
        match self.rng.below(3) {
            0 => {
                let mut message = messages::join(group, false);
                message[0] = self.rng.below(256) as u8;
                Packet::message(src, packet.from, packet.to, message).bytes()
            }
            1 => Packet { dst: Some(station(1 + self.rng.below(5) as u8)), ..packet }.bytes(),
            _ => {
                let mut bytes = packet.bytes();
                bytes[12..14].copy_from_slice(&[0x90, 0]);
                bytes
            }
        }
    }

    /// Cuts something off, or changes a bit.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        let start = 26; // behind two tags
        let at = start + self.rng.below(bytes.len() as u64 - start as u64) as usize;
        if self.rng.chance(50) {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << self.rng.below(8);
        }
    }

    fn family(&mut self) -> bool {
        self.querier == Querier::Own || self.rng.chance(60)
    }

    fn group(&mut self) -> IpAddr {
        let v4 = self.family();
        self.group_of(v4)
    }

    fn group_of(&mut self, v4: bool) -> IpAddr {
        match v4 {
            true => (*self.rng.pick(&GROUPS_V4)).into(),
            false => (*self.rng.pick(&GROUPS_V6)).into(),
        }
    }

    /// A source of the same family.
    fn source(&mut self, group: IpAddr) -> IpAddr {
        match group.is_ipv4() {
            true => (*self.rng.pick(&SOURCES_V4)).into(),
            false => (*self.rng.pick(&SOURCES_V6)).into(),
        }
    }
}

const fn may_hairpin(port: u16) -> bool {
    port >= 3
}

/// The group that a general query names.
pub(crate) fn nobody(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Everybody.
pub(crate) fn all(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::new(224, 0, 0, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into(),
    }
}
