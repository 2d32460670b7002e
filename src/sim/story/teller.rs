//! Who makes stories up.

use std::time::Duration;

use super::{Action, Kernel, Taste};
use crate::bridge::{
    BridgeConfig, LegConfig, Promiscuous, Role, StationKind, VlanConfig, VlanEntry, VlanProtocol,
};
use crate::fabric::{Change, Station};
use crate::frame::{LinkId, NodeId, Plug, PortId};
use crate::sim::rng::Rng;
use crate::wire::mac::Mac;

/// The host's own address.
const HOST: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
/// What frames are to and from: few, so that they meet.
const ADDRESSES: [Mac; 17] = [
    Mac([2, 0, 0, 0, 0, 1]),
    Mac([2, 0, 0, 0, 0, 2]),
    Mac([2, 0, 0, 0, 0, 3]),
    Mac([2, 0, 0, 0, 0, 4]),
    Mac([0, 0, 0, 0, 0, 5]),
    HOST,
    Mac::BROADCAST,
    Mac([0x01, 0x00, 0x5e, 0, 0, 1]),
    Mac([0x33, 0x33, 0, 0, 0, 1]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x00]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x01]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x02]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x03]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x0e]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x0f]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x10]),
    Mac::ZERO,
];
/// How many of [`ADDRESSES`] are stations'.
const STATIONS: usize = 6;
const MTUS: [u32; 3] = [1400, 1500, 9000];
const MASKS: [u16; 4] = [0, 1 << 3, 1 << 14, 0xfff8];
/// VLANs that legs are in.
const VIDS: [u16; 4] = [1, 2, 3, 4094];
/// VLANs that tags name: none, those, one that nobody is in, and one that nobody can be in.
const TAGGED_VIDS: [u16; 9] = [0, 1, 1, 2, 2, 3, 4094, 5, 4095];

pub(super) struct Teller {
    rng: Rng,
    taste: Taste,
    /// The two bridges of each link.
    links: Vec<[u16; 2]>,
}

impl Teller {
    pub(super) fn new(seed: u64, taste: Taste) -> Self {
        Self { rng: Rng::new(seed), taste, links: Vec::new() }
    }

    pub(super) fn setup(&mut self) -> Vec<Change> {
        let mut setup = Vec::new();
        for bridge in 0..self.taste.bridges {
            let config = self.bridge_config(true);
            setup.push(Change::AddBridge(NodeId(bridge), config));
            if let Some(last) = bridge.checked_sub(1) {
                let parent =
                    if self.rng.chance(70) { last } else { self.rng.below(u64::from(bridge)) as u16 };
                let wire = LegConfig { mtu: u32::MAX, ..LegConfig::default() };
                self.links.push([parent, bridge]);
                let nodes = [NodeId(parent), NodeId(bridge)];
                setup.push(Change::AddLink(LinkId(last), nodes, [wire; 2]));
            }
        }
        for port in 0..self.ports() {
            let config = self.leg_config(port);
            setup.push(Change::AddPort(PortId(port), self.bridge_of(port), config));
        }
        if self.taste.vlan {
            let memberships = u64::from(self.ports()) * 2;
            setup.extend((0..memberships).map(|_| Change::AddVlan(self.plug(), self.vlan_entry())));
        }
        setup
    }

    pub(super) fn action(&mut self) -> Action {
        match self.rng.below(100) {
            0..4 => Action::Change(self.change()),
            4..6 if self.taste.vlan => Action::Change(self.vlan_change()),
            6..9 if self.taste.kernel.is_none() => Action::Wait(self.wait()),
            _ => {
                let port = self.rng.below(u64::from(self.ports())) as u16;
                Action::Frame(PortId(port), self.frame(self.is_host(port)))
            }
        }
    }

    fn change(&mut self) -> Change {
        let port = self.rng.below(u64::from(self.ports())) as u16;
        let bridge = self.bridge_of(port);
        let station = Station {
            bridge,
            mac: *self.rng.pick(&ADDRESSES[..STATIONS - 1]),
            vlan: self.vid(),
            at: Plug::Port(PortId(port)),
            kind: *self.rng.pick(&[StationKind::Static, StationKind::Sticky]),
        };
        // one port stays up, or the kernel's bridge would lose its carrier
        let fixed = self.is_host(port) || port == 1;
        match self.rng.below(13) {
            0..4 => Change::ConfigureLeg(Plug::Port(PortId(port)), self.leg_config(port)),
            4..6 if !self.is_host(port) => Change::AddStation(station),
            6..8 if !self.is_host(port) => Change::RemoveStation(station),
            8 => Change::ConfigureBridge(bridge, self.bridge_config(false)),
            9 => {
                let vid = if self.taste.kernel.is_some() { None } else { self.vid() };
                Change::Flush(bridge, self.rng.chance(70).then_some(Plug::Port(PortId(port))), vid)
            }
            12 if !self.is_host(port) => {
                let first = port - port % (self.taste.ports + 1);
                let other = first + 1 + self.rng.below(u64::from(self.taste.ports)) as u16;
                let backup = self.rng.chance(70).then_some(Plug::Port(PortId(other)));
                Change::SetBackup(Plug::Port(PortId(port)), backup)
            }
            _ if self.taste.kernel.is_some() && fixed => Change::Flush(bridge, None, None),
            10 if self.taste.kernel.is_none() => match self.rng.pick(&[false, true]) {
                false => Change::RemovePort(PortId(port)),
                true => Change::AddPort(PortId(port), bridge, LegConfig::default()),
            },
            _ => Change::SetPortUp(PortId(port), self.rng.chance(60)),
        }
    }

    fn bridge_config(&mut self, birth: bool) -> BridgeConfig {
        let default = BridgeConfig::default();
        let kernel = self.taste.kernel;
        let ageing = match kernel {
            // the kernel forgets when its collector gets round to it: only never and always can be compared
            Some(_) if birth && self.rng.chance(10) => Duration::ZERO,
            Some(_) => default.ageing,
            None => Duration::from_secs(*self.rng.pick(&[0, 1, 10, 300, 300])),
        };
        BridgeConfig {
            ageing,
            fdb_max: match kernel {
                Some(Kernel { fdb_max: false, .. }) => default.fdb_max,
                _ => *self.rng.pick(&[1, 3, 4096, 4096]),
            },
            group_fwd_mask: *self.rng.pick(&MASKS),
            no_linklocal_learn: kernel.is_none() && self.rng.chance(30),
            transparent_mask: match kernel {
                Some(_) => 0,
                None => *self.rng.pick(&[0, 0, 0, 1 << 1, 1 << 14, 0xffff]),
            },
            icc: kernel.is_some() || self.rng.chance(80),
            vlan: self.vlan_config(),
            ..default
        }
    }

    fn leg_config(&mut self, port: u16) -> LegConfig {
        if self.is_host(port) {
            return LegConfig { role: Role::Host, mac: Some(HOST), ..LegConfig::default() };
        }
        let kernel = self.taste.kernel;
        let mac = kernel.is_none().then(|| ADDRESSES[usize::from(port) % (STATIONS - 1)]);
        let mut config = LegConfig { mac, ..LegConfig::default() };
        if self.rng.chance(30) {
            return config;
        }
        let rng = &mut self.rng;
        config.learning = rng.chance(80);
        config.flood = rng.chance(80);
        config.mcast_flood = rng.chance(80);
        config.bcast_flood = rng.chance(80);
        config.hairpin = rng.chance(20);
        config.isolated = rng.chance(30);
        config.locked = rng.chance(15);
        config.group_fwd_mask = *rng.pick(&MASKS);
        config.mtu = *rng.pick(&MTUS);
        let mab = kernel.is_none_or(|kernel| kernel.mab);
        config.mab = mab && config.locked && config.learning && rng.chance(60);
        if kernel.is_none() {
            config.promiscuous = *rng.pick(&[
                Promiscuous::Allow,
                Promiscuous::Allow,
                Promiscuous::Allow,
                Promiscuous::Deny,
                Promiscuous::Monitor,
            ]);
            config.mac_limit = *rng.pick(&[0, 0, 1, 2]);
        }
        config
    }

    fn vlan_config(&mut self) -> VlanConfig {
        let rng = &mut self.rng;
        match self.taste.vlan {
            // whoever sets a station without a VLAN would set it in the default one as well (B58)
            false => VlanConfig { default_pvid: 0, ..VlanConfig::default() },
            true => VlanConfig {
                filtering: rng.chance(80),
                protocol: *rng.pick(&[VlanProtocol::Dot1q, VlanProtocol::Dot1q, VlanProtocol::Dot1ad]),
                default_pvid: *rng.pick(&[0, 1, 1, 1, 2]),
            },
        }
    }

    /// Somebody joins a VLAN, or leaves one.
    fn vlan_change(&mut self) -> Change {
        let at = self.plug();
        match self.rng.chance(65) {
            true => Change::AddVlan(at, self.vlan_entry()),
            false => Change::RemoveVlan(at, *self.rng.pick(&VIDS)),
        }
    }

    fn vlan_entry(&mut self) -> VlanEntry {
        let rng = &mut self.rng;
        let vid = if rng.chance(3) { *rng.pick(&[0, 4095]) } else { *rng.pick(&VIDS) };
        VlanEntry { vid, pvid: rng.chance(40), untagged: rng.chance(40) }
    }

    /// A VLAN, or none in particular.
    fn vid(&mut self) -> Option<u16> {
        (self.taste.vlan && self.rng.chance(50)).then(|| *self.rng.pick(&VIDS))
    }

    /// A port, or an end of a link.
    fn plug(&mut self) -> Plug {
        match self.links.len() as u64 {
            links @ 1.. if self.rng.chance(40) => {
                Plug::Link(LinkId(self.rng.below(links) as u16), self.rng.below(2) as u8)
            }
            _ => Plug::Port(PortId(self.rng.below(u64::from(self.ports())) as u16)),
        }
    }

    fn frame(&mut self, host: bool) -> Vec<u8> {
        let rng = &mut self.rng;
        let dst = if rng.chance(60) { rng.pick(&ADDRESSES[..STATIONS]) } else { rng.pick(&ADDRESSES) };
        let src = if rng.chance(90) { rng.pick(&ADDRESSES[..STATIONS]) } else { rng.pick(&ADDRESSES) };
        let mut frame = [dst.0, src.0].concat();
        let tags =
            if self.taste.vlan { rng.below(6).saturating_sub(2) } else { rng.below(5).saturating_sub(2) };
        for _ in 0..tags.min(2) {
            let tpid = *rng.pick(&[0x8100_u16, 0x8100, 0x88a8]);
            frame.extend(tpid.to_be_bytes());
            let priority = *rng.pick(&[0, 0x2000, 0xf000]);
            frame.extend((*rng.pick(&TAGGED_VIDS) | priority).to_be_bytes());
        }
        let kind = *rng.pick(&[0x0800_u16, 0x0806, 0x86dd, 0x88cc, 0x8808, 0x9000, 38]);
        frame.extend(kind.to_be_bytes());
        let mtu = *rng.pick(&MTUS) as u64;
        // what is at the kernel's host leaves tags in what it sends, so that they count as payload and need nothing
        // behind them, and takes out what is the outer one of what it gets, which may have been the inner one
        let kernel = self.taste.kernel.is_some();
        let payload = match rng.below(10) {
            0 if !kernel || tags == 0 || (tags == 1 && !host) => rng.below(8),
            1..3 if !kernel || tags == 0 || !host => mtu - 3 + rng.below(10),
            _ => 46 + rng.below(20),
        };
        let start = frame.len();
        // LLC to the spanning tree's address, so that no stack finds a reason to answer
        frame.extend((0..payload).map(|at| if at < 2 { 0x42 } else { at as u8 }));
        // neighbour discovery, or another message of ICMPv6
        if kind == 0x86dd && payload > 40 && rng.chance(50) {
            frame[start + 6] = 58;
            frame[start + 40] = *rng.pick(&[128, 133, 135, 137]);
        }
        if host {
            frame.truncate(14 + 1500);
        }
        frame
    }

    fn wait(&mut self) -> Duration {
        let rng = &mut self.rng;
        match rng.below(4) {
            0 => Duration::from_nanos(1),
            1 => Duration::from_nanos(999_999_999),
            2 => Duration::from_secs(1),
            _ => Duration::from_secs(rng.below(301)),
        }
    }

    /// Ports of all bridges; the first of each bridge is the host's.
    fn ports(&self) -> u16 {
        self.taste.bridges * (self.taste.ports + 1)
    }

    fn is_host(&self, port: u16) -> bool {
        port.is_multiple_of(self.taste.ports + 1)
    }

    fn bridge_of(&self, port: u16) -> NodeId {
        NodeId(port / (self.taste.ports + 1))
    }
}
