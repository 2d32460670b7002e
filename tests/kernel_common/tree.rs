//! The spanning tree of the kernel's bridge. In a namespace of its own it is always the kernel's, with no helper asked.

use std::io;

use netlink_packet_route::link::{BridgePortState, BridgeStpState, InfoBridge, InfoBridgePort};
use vswitchd::bridge::{PortState, StpConfig, StpMode};
use vswitchd::fabric::Change;
use vswitchd::frame::PortId;
use vswitchd::wire::bpdu::BridgeId;
use vswitchd::wire::mac::Mac;

use super::rig::{BRIDGE, Rig};

/// What a bridge makes of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) root: BridgeId,
    pub(crate) cost: u32,
    pub(crate) root_port: Option<PortId>,
    /// Of each port, in their order.
    pub(crate) states: Vec<PortState>,
}

impl Rig {
    /// Begins to take part, with no port forwarding yet.
    pub(crate) fn span(&mut self, config: &StpConfig) -> io::Result<()> {
        let ports: Vec<_> = self.ports().collect();
        for port in &ports {
            self.apply(Change::SetPortUp(*port, false))?;
        }
        let hundredths = |time: std::time::Duration| time.as_millis() as u32 / 10;
        let on = config.mode != StpMode::Off;
        let data = vec![
            InfoBridge::Priority(config.priority),
            InfoBridge::HelloTime(hundredths(config.hello)),
            InfoBridge::MaxAge(hundredths(config.max_age)),
            InfoBridge::ForwardDelay(hundredths(config.forward_delay)),
            InfoBridge::StpState(if on { BridgeStpState::KernelStp } else { BridgeStpState::Disabled }),
        ];
        self.netlink.set_bridge(self.bridge, data)?;
        for port in ports {
            self.apply(Change::SetPortUp(port, true))?;
        }
        Ok(())
    }

    /// What it makes of the tree now.
    pub(crate) fn tree(&mut self) -> io::Result<Tree> {
        let mut tree = Tree { root: BridgeId::default(), cost: 0, root_port: None, states: Vec::new() };
        for info in self.netlink.bridge_data(BRIDGE)? {
            match info {
                InfoBridge::RootId(id) => {
                    tree.root = BridgeId { priority: id.priority, mac: Mac(id.address) }
                }
                InfoBridge::RootPathCost(cost) => tree.cost = cost,
                InfoBridge::RootPort(port) => tree.root_port = Some(PortId(port)).filter(|port| port.0 > 0),
                _ => {}
            }
        }
        for port in self.ports().collect::<Vec<_>>() {
            let data = self.netlink.port_data(&format!("tap{}", port.0))?;
            let state = data.into_iter().find_map(|info| match info {
                InfoBridgePort::State(state) => Some(state),
                _ => None,
            });
            tree.states.push(match state {
                Some(BridgePortState::Blocking) => PortState::Blocking,
                Some(BridgePortState::Forwarding) => PortState::Forwarding,
                Some(BridgePortState::Learning) => PortState::Learning,
                Some(BridgePortState::Listening) => PortState::Listening,
                _ => PortState::Disabled,
            });
        }
        Ok(tree)
    }
}
