//! Set-ups and changes: sound ones, and ones that have to be refused.

use std::net::IpAddr;
use std::time::Duration;

use vswitchd::bridge::{
    BridgeConfig, EdgePort, FlapConfig, LegConfig, MulticastConfig, MulticastLegConfig, Permit, Promiscuous,
    Role, RouterMode, StationKind, StormLimit, StpConfig, StpLegConfig, StpMode, VlanConfig, VlanEntry,
    VlanProtocol,
};
use vswitchd::fabric::{Change, Membership, Station};
use vswitchd::frame::{LinkId, NodeId, Plug, PortId};

use super::frames::{GROUPS_V4, GROUPS_V6, HOST, STATIONS, station};
use crate::bodies::input::Input;

/// Ports of either bridge: the even ones of the first, the odd ones of the second. The first of each is the host's.
pub(super) const PORTS: u8 = 8;
const NODES: u8 = 2;

/// What may occur.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taste {
    /// Only what the model knows, and what it takes for granted.
    pub(super) modelled: bool,
    /// There is a second bridge, and so many links to it.
    pub(super) links: u8,
}

impl Taste {
    pub(super) fn of(input: &mut Input<'_>) -> Self {
        let [modelled, linked, twice, ..] = input.flags();
        Self { modelled, links: u8::from(linked) + u8::from(linked && twice && !modelled) }
    }

    pub(super) fn setup(self, input: &mut Input<'_>) -> Vec<Change> {
        let bridges = 1 + self.links.min(1);
        let mut setup: Vec<Change> = (0..bridges)
            .map(|bridge| Change::AddBridge(NodeId(bridge.into()), self.bridge(bridge, input)))
            .collect();
        for link in 0..self.links {
            let configs = [(); 2].map(|()| self.leg(None, input));
            setup.push(Change::AddLink(LinkId(link.into()), [NodeId(0), NodeId(1)], configs));
        }
        let ports = 2 + 2 * input.below(3) + 2;
        for port in (0..ports).filter(|port| port % 2 < bridges) {
            let config = self.leg(Some(port), input);
            setup.push(Change::AddPort(PortId(port.into()), node_of(port), config));
        }
        setup
    }

    pub(super) fn change(self, input: &mut Input<'_>) -> Change {
        let port = input.below(PORTS);
        let (id, node) = (PortId(port.into()), node_of(port));
        let kind = input.below(if self.modelled { 14 } else { 18 });
        match kind {
            0 => Change::ConfigureLeg(Plug::Port(id), self.leg(Some(port), input)),
            1 => {
                let bridge = input.below(NODES);
                Change::ConfigureBridge(NodeId(bridge.into()), self.bridge(bridge, input))
            }
            2 => Change::SetPortUp(id, input.byte() & 1 == 1),
            3 => Change::AddVlan(plug(input), vlan(input)),
            4 => Change::RemoveVlan(plug(input), vid(input)),
            5 => Change::AddStation(self.station(input)),
            6 => Change::RemoveStation(self.station(input)),
            7 => {
                let [leg, in_vlan, ..] = input.flags();
                Change::Flush(node, leg.then(|| plug(input)), in_vlan.then(|| vid(input)))
            }
            8 => Change::SetBackup(plug(input), (input.byte() & 1 == 0).then(|| plug(input))),
            9 => Change::RemovePort(id),
            10 => Change::AddPort(id, node, self.leg(Some(port), input)),
            11 => Change::RemoveLink(LinkId(input.below(3).into())),
            12 => {
                let nodes = [(); 2].map(|()| NodeId(input.below(NODES).into()));
                let configs = [(); 2].map(|()| self.leg(None, input));
                Change::AddLink(LinkId(input.below(3).into()), nodes, configs)
            }
            13 => match input.byte() & 1 == 0 {
                true => Change::RemoveBridge(node),
                false => Change::AddBridge(node, self.bridge(node.0 as u8, input)),
            },
            14 => Change::AddPermit(plug(input), permit(input)),
            15 => Change::RemovePermit(plug(input), permit(input)),
            16 => Change::AddGroup(membership(input)),
            _ => Change::RemoveGroup(membership(input)),
        }
    }

    fn bridge(self, bridge: u8, input: &mut Input<'_>) -> BridgeConfig {
        let [filtering, provider, silent, masks, small, more, private, short] = input.flags();
        let mut config = BridgeConfig::default();
        config.address.0[5] = 0xb0 + bridge;
        let protocol = if provider { VlanProtocol::Dot1ad } else { VlanProtocol::Dot1q };
        // the model takes it for granted that whoever does not filter is in no VLAN: set stations would differ (B58)
        let default_pvid = if filtering { 1 } else { 0 };
        config.vlan = VlanConfig { filtering, protocol, default_pvid };
        (config.no_linklocal_learn, config.icc) = (silent, !private);
        if masks {
            config.group_fwd_mask = input.word();
            config.transparent_mask = input.word();
        }
        if small {
            config.fdb_max = input.below(5).into();
        }
        if short {
            config.ageing = Duration::from_secs(input.byte().into());
        }
        if self.modelled || !more {
            return config;
        }
        let [stp, rapid, snooping, querier, flap, versions, times, other] = input.flags();
        let mode = match (stp, rapid) {
            (false, _) => StpMode::Off,
            (true, false) => StpMode::Stp,
            (true, true) => StpMode::Rstp,
        };
        config.stp = StpConfig { mode, ..StpConfig::default() };
        config.multicast = MulticastConfig { snooping, querier, ..MulticastConfig::default() };
        if flap {
            config.flap = FlapConfig {
                moves: 1 + u32::from(input.below(3)),
                quarantine: Duration::from_secs(input.below(16).into()),
                ..config.flap
            };
        }
        if versions {
            (config.multicast.igmp_version, config.multicast.mld_version) = (3, 2);
        }
        if times {
            config.stp.priority = u16::from(input.byte()) << 12;
            let mut seconds = || Duration::from_secs(input.below(42).into());
            config.stp.hello = seconds();
            config.stp.max_age = seconds();
            config.stp.forward_delay = seconds();
            config.multicast.last_member_interval = seconds();
            config.multicast.membership_interval = seconds();
            config.multicast.querier_interval = seconds();
            config.multicast.query_interval = seconds();
            config.multicast.query_response_interval = seconds();
            config.multicast.startup_query_interval = seconds();
            config.multicast.startup_query_count = input.byte().into();
            config.multicast.last_member_count = input.byte().into();
        }
        if other {
            config.vlan.default_pvid = vid(input);
            let [ifaddr, solicited, tight, foreign, ..] = input.flags();
            config.multicast.query_use_ifaddr = ifaddr;
            config.multicast.flood_solicited_node = !solicited;
            config.multicast.router = router(input);
            if tight {
                config.multicast.hash_max = input.below(4).into();
            }
            if foreign {
                config.address = station(input);
            }
        }
        config
    }

    /// Of a port, or of an end of a link.
    fn leg(self, port: Option<u8>, input: &mut Input<'_>) -> LegConfig {
        let mut config = LegConfig::default();
        let host = port.is_some_and(|port| port < NODES);
        if host {
            (config.role, config.mac) = (Role::Host, Some(HOST));
        } else if let Some(port) = port {
            config.mac = Some(STATIONS[usize::from(port) % 4]);
        } else {
            config.mtu = u32::MAX;
        }
        let [special, silent, quiet, hairpin, isolated, locked, mab, more] = input.flags();
        if !special || (host && self.modelled) {
            return config;
        }
        (config.learning, config.isolated) = (!silent, isolated);
        // a link that sends back what it got makes a loop, and the model walks trees
        config.hairpin = hairpin && (port.is_some() || !self.modelled);
        (config.locked, config.mab) = (locked, mab);
        if quiet {
            let [flood, multicast, broadcast, ..] = input.flags();
            (config.flood, config.mcast_flood, config.bcast_flood) = (flood, multicast, broadcast);
        }
        if !more {
            return config;
        }
        let [limits, promiscuous, masks, mtu, neighbours, storm, tree, groups] = input.flags();
        if limits {
            config.mac_limit = input.below(4).into();
        }
        if promiscuous {
            config.promiscuous = input.pick(&[Promiscuous::Deny, Promiscuous::Monitor]);
        }
        if masks {
            config.group_fwd_mask = input.word();
        }
        if mtu {
            config.mtu = input.pick(&[60, 1496, 0]);
        }
        if self.modelled {
            return config;
        }
        if neighbours {
            [config.neigh_suppress, config.proxy_arp, ..] = input.flags();
            let [becomes_host, nobody, ..] = input.flags();
            if becomes_host {
                config.role = Role::Host;
            }
            if nobody {
                config.mac = (input.byte() & 1 == 1).then(|| station(input));
            }
        }
        if storm {
            config.storm_limit = StormLimit {
                broadcast: input.below(4).into(),
                multicast: input.below(4).into(),
                unknown_unicast: input.below(4).into(),
            };
        }
        if tree {
            let [bpdu_guard, root_block, shared, ..] = input.flags();
            let (priority, cost) = (input.byte(), input.byte().into());
            let edge = input.pick(&[EdgePort::Auto, EdgePort::Yes, EdgePort::No]);
            config.stp =
                StpLegConfig { priority, cost, bpdu_guard, root_block, edge, point_to_point: !shared };
        }
        if groups {
            let [fastleave, to_unicast, ..] = input.flags();
            let (router, max_groups) = (router(input), input.below(4).into());
            config.multicast = MulticastLegConfig { router, fastleave, to_unicast, max_groups };
        }
        config
    }

    fn station(self, input: &mut Input<'_>) -> Station {
        let at = plug(input);
        let port = match at {
            Plug::Port(port) => port.0 as u8,
            Plug::Link(_, side) => side,
        };
        let mut kind =
            input.pick(&[StationKind::Static, StationKind::Sticky, StationKind::Local, StationKind::Learned]);
        if self.modelled && !matches!(kind, StationKind::Static | StationKind::Sticky) {
            kind = StationKind::Static;
        }
        let vlan = (input.byte() & 1 == 1).then(|| vid(input));
        Station { bridge: node_of(port), mac: station(input), vlan, at, kind }
    }
}

pub(super) fn node_of(port: u8) -> NodeId {
    NodeId((port % NODES).into())
}

fn plug(input: &mut Input<'_>) -> Plug {
    match input.byte() {
        byte @ 0..=199 => Plug::Port(PortId((byte % PORTS).into())),
        byte => Plug::Link(LinkId((byte >> 1 & 1).into()), byte & 1),
    }
}

fn vid(input: &mut Input<'_>) -> u16 {
    input.pick(&[1, 2, 3, 4094, 0, 4095])
}

fn vlan(input: &mut Input<'_>) -> VlanEntry {
    let [pvid, untagged, ..] = input.flags();
    VlanEntry { vid: vid(input), pvid, untagged }
}

fn router(input: &mut Input<'_>) -> RouterMode {
    input.pick(&[RouterMode::Learn, RouterMode::Always, RouterMode::Never, RouterMode::Temp])
}

fn permit(input: &mut Input<'_>) -> Permit {
    let nets = ["192.0.2.1/32", "192.0.2.0/30", "fe80::/10", "::/0"];
    match input.byte() & 1 == 0 {
        true => Permit::Mac(station(input)),
        false => Permit::Ip(input.pick(&nets).parse().expect("a network")),
    }
}

fn membership(input: &mut Input<'_>) -> Membership {
    let at = plug(input);
    let bridge = NodeId(input.below(NODES).into());
    let group: IpAddr = match input.byte() & 1 == 0 {
        true => input.pick(&GROUPS_V4).into(),
        false => input.pick(&GROUPS_V6).into(),
    };
    Membership { bridge, at, vlan: vid(input), group }
}
