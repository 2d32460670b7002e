//! Stories: made-up frames and changes, decided by a seed, and shrunk to what matters.
//!
//! A [`Story`] is plain data, so the same one can be told to the fabric, to the model and to the kernel. Its few
//! addresses, few ports and edgy lengths are chosen so that interesting things collide: a station that moves onto
//! a locked port, a frame of the host's own address from outside, a group address as source.

use std::fmt;
use std::time::Duration;

use crate::bridge::{
    BridgeConfig, LegConfig, Promiscuous, Role, StationKind, VlanConfig, VlanEntry, VlanProtocol,
};
use crate::fabric::{Change, Station};
use crate::frame::{LinkId, NodeId, Plug, PortId};
use crate::sim::rng::Rng;
use crate::wire::mac::Mac;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Something is changed.
    Change(Change),
    /// A frame enters.
    Frame(PortId, Vec<u8>),
    /// Time passes.
    Wait(Duration),
}

/// A setting, and what happens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// What decided it.
    pub seed: u64,
    /// How the fabric is before anything happens.
    pub setup: Vec<Change>,
    /// What happens.
    pub actions: Vec<Action>,
}

/// What may occur in a story.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
    /// Bridges; more than one are linked to a tree.
    pub bridges: u16,
    /// Ports on each bridge, beside the host's.
    pub ports: u16,
    /// VLANs: filtered or not, and who is in which.
    pub vlan: bool,
    /// Only what this kernel's bridge has as well, and can be told while it runs.
    pub kernel: Option<Kernel>,
}

/// What a kernel's bridge has that older ones have not.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Locked entries (B21; Linux 6.2).
    pub mab: bool,
    /// A limit for learned stations (B19; Linux 6.7).
    pub fdb_max: bool,
}

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

impl Story {
    /// The story of that seed, `length` actions long.
    pub fn new(seed: u64, taste: Taste, length: usize) -> Self {
        let mut teller = Teller { rng: Rng::new(seed), taste, links: Vec::new() };
        let setup = teller.setup();
        let actions = (0..length).map(|_| teller.action()).collect();
        Self { seed, setup, actions }
    }

    /// A shorter and plainer story that `fails` as well: one from which nothing more can be taken away.
    ///
    /// Tries to leave out ever smaller pieces, then to return every setting to its default, until neither helps.
    #[must_use]
    pub fn shrink(mut self, mut fails: impl FnMut(&Self) -> bool) -> Self {
        loop {
            let before = self.clone();
            let mut piece = self.actions.len().div_ceil(2);
            while piece > 0 {
                let mut at = 0;
                while at < self.actions.len() {
                    let mut shorter = self.clone();
                    shorter.actions.drain(at..(at + piece).min(self.actions.len()));
                    if fails(&shorter) { self = shorter } else { at += piece }
                }
                piece /= 2;
            }
            for plain in PLAINER {
                for at in 0..self.setup.len() + self.actions.len() {
                    let mut plainer = self.clone();
                    let change = match at.checked_sub(self.setup.len()) {
                        None => &mut plainer.setup[at],
                        Some(at) => match &mut plainer.actions[at] {
                            Action::Change(change) => change,
                            Action::Frame(..) | Action::Wait(_) => continue,
                        },
                    };
                    plain(change);
                    if plainer != self && fails(&plainer) {
                        self = plainer;
                    }
                }
            }
            if self == before {
                return self;
            }
        }
    }
}

/// Ways to make a change plainer.
const PLAINER: [fn(&mut Change); 19] = [
    |c| on_bridge(c, |bridge| *bridge = BridgeConfig { vlan: bridge.vlan, ..BridgeConfig::default() }),
    |c| on_bridge(c, |bridge| bridge.ageing = BridgeConfig::default().ageing),
    |c| on_bridge(c, |bridge| (bridge.group_fwd_mask, bridge.transparent_mask) = (0, 0)),
    |c| on_bridge(c, |bridge| bridge.vlan.filtering = false),
    |c| on_bridge(c, |bridge| bridge.vlan.protocol = VlanProtocol::Dot1q),
    |c| on_bridge(c, |bridge| bridge.vlan.default_pvid = 0),
    |c| on_bridge(c, |bridge| bridge.fdb_max = BridgeConfig::default().fdb_max),
    |c| on_bridge(c, |bridge| bridge.icc = true),
    |c| on_leg(c, |leg| *leg = LegConfig { role: leg.role, mac: leg.mac, ..LegConfig::default() }),
    |c| on_leg(c, |leg| leg.learning = true),
    |c| on_leg(c, |leg| (leg.flood, leg.mcast_flood, leg.bcast_flood) = (true, true, true)),
    |c| on_leg(c, |leg| leg.hairpin = false),
    |c| on_leg(c, |leg| leg.isolated = false),
    |c| on_leg(c, |leg| leg.mab = false),
    |c| on_leg(c, |leg| (leg.locked, leg.mab) = (false, false)),
    |c| on_leg(c, |leg| leg.mac_limit = 0),
    |c| on_leg(c, |leg| leg.group_fwd_mask = 0),
    |c| on_leg(c, |leg| leg.mtu = 1500),
    |c| on_leg(c, |leg| leg.promiscuous = Promiscuous::Allow),
];

fn on_bridge(change: &mut Change, plain: impl Fn(&mut BridgeConfig)) {
    if let Change::AddBridge(_, config) | Change::ConfigureBridge(_, config) = change {
        plain(config);
    }
}

fn on_leg(change: &mut Change, plain: impl Fn(&mut LegConfig)) {
    if let Change::AddPort(_, _, config) | Change::ConfigureLeg(_, config) = change {
        plain(config);
    }
}

struct Teller {
    rng: Rng,
    taste: Taste,
    /// The two bridges of each link.
    links: Vec<[u16; 2]>,
}

impl Teller {
    fn setup(&mut self) -> Vec<Change> {
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

    fn action(&mut self) -> Action {
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
            10 if self.taste.kernel.is_none() => *self.rng.pick(&[
                Change::RemovePort(PortId(port)),
                Change::AddPort(PortId(port), bridge, LegConfig::default()),
            ]),
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

/// As a reader wants it: what was set up, and what happened then.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "story of seed {}:", self.seed)?;
        self.setup.iter().try_for_each(|change| writeln!(f, "  set up  {}", Plain(change)))?;
        self.actions.iter().enumerate().try_for_each(|(at, action)| writeln!(f, "  {at:5}  {action}"))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(change) => write!(f, "{}", Plain(change)),
            Self::Frame(port, bytes) => {
                write!(f, "frame into port {}, {} bytes: ", port.0, bytes.len())?;
                bytes.iter().take(24).try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Wait(duration) => write!(f, "wait {duration:?}"),
        }
    }
}

/// A change with only those settings that are not the default.
struct Plain<'a>(&'a Change);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            Change::AddPort(..) | Change::ConfigureLeg(..) => {
                without(&format!("{:?}", self.0), &format!("{:?}", LegConfig::default()))
            }
            Change::AddBridge(..) | Change::ConfigureBridge(..) => {
                without(&format!("{:?}", self.0), &format!("{:?}", BridgeConfig::default()))
            }
            other => format!("{other:?}"),
        };
        f.write_str(&text)
    }
}

/// The text without those `name: value` that stand in the default as well.
fn without(text: &str, default: &str) -> String {
    let fields = |text: &str| -> Vec<String> {
        let inside =
            text.split_once("{ ").and_then(|(_, rest)| rest.rsplit_once(" }")).map(|(inside, _)| inside);
        inside.unwrap_or_default().split(", ").map(str::to_owned).collect()
    };
    let default = fields(default);
    let kept: Vec<_> = fields(text).into_iter().filter(|field| !default.contains(field)).collect();
    let head = text.split_once(" {").map_or(text, |(head, _)| head);
    format!("{head} {{ {} }})", kept.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASTE: Taste = Taste { bridges: 2, ports: 3, vlan: true, kernel: None };

    #[test]
    fn a_seed_is_a_story() {
        assert_eq!(Story::new(1, TASTE, 50), Story::new(1, TASTE, 50));
        assert_ne!(Story::new(1, TASTE, 50), Story::new(2, TASTE, 50));
    }

    #[test]
    fn only_what_is_special_is_printed() {
        let leg = LegConfig { locked: true, mtu: 9000, ..LegConfig::default() };
        let text = Action::Change(Change::AddPort(PortId(1), NodeId(0), leg)).to_string();
        assert_eq!(text, "AddPort(PortId(1), NodeId(0), LegConfig { mtu: 9000, locked: true })");
    }

    #[test]
    fn shrinking_leaves_what_matters() {
        let is_broadcast =
            |a: &Action| matches!(a, Action::Frame(_, bytes) if bytes.starts_with(&Mac::BROADCAST.0));
        let story = Story::new(3, TASTE, 300);
        assert!(story.actions.iter().filter(|a| is_broadcast(a)).count() > 2, "a long story has several");
        let short = story.shrink(|s| s.actions.iter().filter(|a| is_broadcast(a)).count() >= 2);
        assert_eq!(short.actions.len(), 2, "{short}");
        assert!(
            short.setup.iter().all(|c| !matches!(c, Change::AddPort(_, _, leg) if leg.locked || !leg.flood)),
            "settings that do not matter are back at their defaults"
        );
    }
}
