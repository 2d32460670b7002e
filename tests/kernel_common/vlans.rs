//! The VLANs of the kernel's bridge.

use std::io;

use netlink_packet_route::link::{BridgeVlanInfo, BridgeVlanInfoFlags, InfoBridge};
use vswitchd::frame::PortId;

use super::rig::{BRIDGE, Rig};

/// How a bridge filters VLANs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filtering {
    /// 0x8100 or 0x88a8.
    pub(crate) tpid: u16,
    /// The VLAN of every port that has none; zero for none.
    pub(crate) default_pvid: u16,
}

/// A VLAN of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vlan {
    pub(crate) vid: u16,
    pub(crate) pvid: bool,
    pub(crate) untagged: bool,
}

impl Rig {
    /// Whether this kernel's bridge can filter VLANs at all.
    pub(crate) fn can_filter(&mut self) -> io::Result<bool> {
        self.netlink.can_filter_vlans(BRIDGE)
    }

    /// Filters VLANs or not. Either way no port is in any afterwards but in the default one.
    pub(crate) fn set_filtering(&mut self, filtering: Option<Filtering>) -> io::Result<()> {
        self.vlans = filtering.is_some();
        let Filtering { tpid, default_pvid } =
            filtering.unwrap_or(Filtering { tpid: 0x8100, default_pvid: 0 });
        self.netlink.set_bridge(
            self.bridge,
            vec![
                InfoBridge::VlanDefaultPvid(0),
                InfoBridge::VlanProtocol(tpid.into()),
                InfoBridge::VlanFiltering(filtering.is_some()),
            ],
        )?;
        for (interface, vlan) in self.netlink.vlans()? {
            self.netlink.remove_vlan(interface, self.bridge, vlan.vid)?;
        }
        self.set_default_pvid(default_pvid)
    }

    /// Sets the VLAN of ports that have none; zero for none.
    pub(crate) fn set_default_pvid(&mut self, vid: u16) -> io::Result<()> {
        self.netlink.set_bridge(self.bridge, vec![InfoBridge::VlanDefaultPvid(vid)])
    }

    /// Puts a port into a VLAN, or changes how it is in it; whether the kernel agreed.
    pub(crate) fn add_vlan(&mut self, port: PortId, vlan: Vlan) -> bool {
        let mut flags = BridgeVlanInfoFlags::empty();
        flags.set(BridgeVlanInfoFlags::Pvid, vlan.pvid);
        flags.set(BridgeVlanInfoFlags::Untagged, vlan.untagged);
        let info = BridgeVlanInfo { flags, vid: vlan.vid };
        self.netlink.add_vlan(self.interface(port), self.bridge, info).is_ok()
    }

    /// Takes a port out of a VLAN; whether it was in it.
    pub(crate) fn remove_vlan(&mut self, port: PortId, vid: u16) -> bool {
        self.netlink.remove_vlan(self.interface(port), self.bridge, vid).is_ok()
    }

    /// The VLANs that a port is in, ascending.
    pub(crate) fn vlans(&mut self, port: PortId) -> io::Result<Vec<Vlan>> {
        let interface = self.interface(port);
        let all = self.netlink.vlans()?.into_iter().filter(|(of, _)| *of == interface);
        let vlan = |BridgeVlanInfo { flags, vid }| Vlan {
            vid,
            pvid: flags.contains(BridgeVlanInfoFlags::Pvid),
            untagged: flags.contains(BridgeVlanInfoFlags::Untagged),
        };
        Ok(all.map(|(_, info)| vlan(info)).collect())
    }
}
