//! Taking away from a story what does not matter.

use super::{Action, Story};
use crate::bridge::{BridgeConfig, LegConfig, MulticastConfig, Promiscuous, RouterMode, VlanProtocol};
use crate::fabric::Change;

impl Story {
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
const PLAINER: [fn(&mut Change); 25] = [
    |c| {
        on_bridge(c, |bridge| {
            let BridgeConfig { address, vlan, multicast, .. } = *bridge;
            *bridge = BridgeConfig { address, vlan, multicast, ..BridgeConfig::default() };
        });
    },
    |c| on_bridge(c, |bridge| bridge.multicast.querier = false),
    |c| on_bridge(c, |bridge| bridge.multicast.hash_max = MulticastConfig::default().hash_max),
    |c| on_bridge(c, |bridge| (bridge.multicast.igmp_version, bridge.multicast.mld_version) = (2, 1)),
    |c| on_bridge(c, |bridge| bridge.multicast.router = RouterMode::Learn),
    |c| on_bridge(c, |bridge| bridge.ageing = BridgeConfig::default().ageing),
    |c| on_bridge(c, |bridge| (bridge.group_fwd_mask, bridge.transparent_mask) = (0, 0)),
    |c| on_bridge(c, |bridge| bridge.vlan.filtering = false),
    |c| on_bridge(c, |bridge| bridge.vlan.protocol = VlanProtocol::Dot1q),
    |c| on_bridge(c, |bridge| bridge.vlan.default_pvid = 0),
    |c| on_bridge(c, |bridge| bridge.fdb_max = BridgeConfig::default().fdb_max),
    |c| on_bridge(c, |bridge| bridge.icc = true),
    |c| {
        on_leg(c, |leg| {
            let LegConfig { role, mac, multicast, .. } = *leg;
            *leg = LegConfig { role, mac, multicast, ..LegConfig::default() };
        });
    },
    |c| on_leg(c, |leg| leg.multicast.router = RouterMode::Learn),
    |c| on_leg(c, |leg| leg.multicast.fastleave = false),
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
