//! Our settings as the kernel takes them.

use std::io;
use std::time::Duration;

use netlink_packet_route::link::{BridgeMulticastRouterType, InfoBridge, InfoBridgePort, LinkAttribute};
use vswitchd::bridge::{BridgeConfig, LegConfig, MulticastConfig, Role, RouterMode, VlanConfig};
use vswitchd::frame::PortId;

use super::rig::Rig;

impl Rig {
    pub(super) fn configure_bridge(&mut self, config: &BridgeConfig) -> io::Result<()> {
        let mut data = vec![
            InfoBridge::AgeingTime(config.ageing.as_secs() as u32 * 100),
            InfoBridge::GroupFwdMask(config.group_fwd_mask),
        ];
        if self.kernel.fdb_max {
            data.push(InfoBridge::FdbMaxLearned(config.fdb_max));
        }
        let VlanConfig { filtering, protocol, default_pvid } = config.vlan;
        if self.vlans || filtering || default_pvid != 0 {
            self.vlans = true;
            data.extend([
                InfoBridge::VlanProtocol(protocol.tpid().into()),
                InfoBridge::VlanFiltering(filtering),
                InfoBridge::VlanDefaultPvid(default_pvid),
            ]);
        }
        self.netlink.set_bridge(self.bridge, data)?;
        if !self.snooped && !config.multicast.snooping {
            return Ok(());
        }
        self.snooped = true;
        self.configure_multicast(&config.multicast)
    }

    fn configure_multicast(&mut self, config: &MulticastConfig) -> io::Result<()> {
        self.tells_routers = config.router != RouterMode::Never;
        let times = vec![
            InfoBridge::MulticastRouter(router(config.router)),
            InfoBridge::MulticastHashMax(config.hash_max),
            InfoBridge::MulticastIgmpVersion(config.igmp_version),
            InfoBridge::MulticastMldVersion(config.mld_version),
            InfoBridge::MulticastLastMemberCount(config.last_member_count),
            InfoBridge::MulticastStartupQueryCount(config.startup_query_count),
            InfoBridge::MulticastLastMemberInterval(hundredths(config.last_member_interval)),
            InfoBridge::MulticastMembershipInterval(hundredths(config.membership_interval)),
            InfoBridge::MulticastQuerierInterval(hundredths(config.querier_interval)),
            InfoBridge::MulticastQueryInterval(hundredths(config.query_interval)),
            InfoBridge::MulticastQueryResponseInterval(hundredths(config.query_response_interval)),
            InfoBridge::MulticastStartupQueryInterval(hundredths(config.startup_query_interval)),
        ];
        self.netlink.set_bridge(self.bridge, times)?;
        // afterwards, for they begin with the times there are
        let on = vec![
            InfoBridge::MulticastSnooping(config.snooping),
            InfoBridge::MulticastQuerier(config.querier),
        ];
        self.netlink.set_bridge(self.bridge, on)
    }

    pub(super) fn configure_port(&mut self, port: PortId, config: &LegConfig) -> io::Result<()> {
        if config.role == Role::Host {
            return Ok(());
        }
        let index = self.tap(port).index;
        let mut data = vec![
            InfoBridgePort::HairpinMode(config.hairpin),
            InfoBridgePort::Learning(config.learning),
            InfoBridgePort::UnicastFlood(config.flood),
            InfoBridgePort::MulticastFlood(config.mcast_flood),
            InfoBridgePort::BroadcastFlood(config.bcast_flood),
            InfoBridgePort::GroupFwdMask(config.group_fwd_mask),
            InfoBridgePort::Isolated(config.isolated),
            InfoBridgePort::Locked(config.locked),
        ];
        if self.kernel.mab {
            data.push(InfoBridgePort::Mab(config.mab));
        }
        // a router for a while is so for longer where it is told so again, which a plan that stays the same does not
        let before = std::mem::replace(&mut self.tap_mut(port).multicast, config.multicast);
        if self.snooped && before != config.multicast {
            data.extend([
                InfoBridgePort::MulticastRouter(router(config.multicast.router)),
                InfoBridgePort::FastLeave(config.multicast.fastleave),
                InfoBridgePort::MulticastToUnicast(config.multicast.to_unicast),
                InfoBridgePort::MulticastMaxGroups(config.multicast.max_groups),
            ]);
        }
        self.netlink.set_bridge_port(index, data)?;
        self.netlink.set_link(index, vec![LinkAttribute::Mtu(config.mtu)])
    }
}

/// The kernel counts in hundredths of a second.
fn hundredths(time: Duration) -> u64 {
    time.as_millis() as u64 / 10
}

const fn router(mode: RouterMode) -> BridgeMulticastRouterType {
    match mode {
        RouterMode::Always => BridgeMulticastRouterType::Permanent,
        RouterMode::Learn => BridgeMulticastRouterType::TempQuery,
        RouterMode::Never => BridgeMulticastRouterType::Disabled,
        RouterMode::Temp => BridgeMulticastRouterType::Temp,
    }
}
