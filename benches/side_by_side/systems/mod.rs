//! The systems: which there are, and how they come up, all of them at once, each between two machines of its own.
//!
//! Most are nothing else but one switch with two ports, and give machine A and B an `eth0` with 10.77.0.1/24 and
//! 10.77.0.2/24. The gateways have two networks: B is on the LAN with 10.77.0.2, A is a guest with 10.78.0.2 behind
//! the gateway's 10.77.0.1. So A calls 10.77.0.2 and B calls 10.77.0.1, whatever is in between. What is not installed,
//! or does not start, says so once and is left out; vswitchd itself has to start.

mod gateways;
mod machines;
mod open_vswitch;
mod running;
mod switches;

use std::process::Command;

pub(crate) use running::{Programs, Running, ip, program, run, stop, wait_for_ready};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    Relay,
    Vswitchd,
    VswitchdQueues,
    VswitchdCrowded,
    VswitchdRaw,
    VswitchdMixed,
    VswitchdPlain,
    VswitchdAccess,
    VswitchdTrunk,
    VswitchdGateway,
    LinuxBridge,
    LinuxGateway,
    OpenVswitchTso,
    OpenVswitch,
    OpenVswitchCrowded,
    Vde,
    VdeCrowded,
}

impl System {
    pub(crate) const ALL: [Self; 17] = [
        Self::Relay,
        Self::Vswitchd,
        Self::VswitchdQueues,
        Self::VswitchdCrowded,
        Self::VswitchdRaw,
        Self::VswitchdMixed,
        Self::VswitchdPlain,
        Self::VswitchdAccess,
        Self::VswitchdTrunk,
        Self::VswitchdGateway,
        Self::LinuxBridge,
        Self::LinuxGateway,
        Self::OpenVswitchTso,
        Self::OpenVswitch,
        Self::OpenVswitchCrowded,
        Self::Vde,
        Self::VdeCrowded,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "bare relay",
            Self::Vswitchd => "vswitchd (tap)",
            Self::VswitchdQueues => "vswitchd (2 queues)",
            Self::VswitchdCrowded => "vswitchd (64k stations)",
            Self::VswitchdRaw => "vswitchd (raw on veth)",
            Self::VswitchdMixed => "vswitchd (tap, raw)",
            Self::VswitchdPlain => "vswitchd (plain tap)",
            Self::VswitchdAccess => "vswitchd (VLAN access)",
            Self::VswitchdTrunk => "vswitchd (VLAN trunk)",
            Self::VswitchdGateway => "vswitchd gateway (tap)",
            Self::LinuxBridge => "Linux bridge (veth)",
            Self::LinuxGateway => "Linux bridge gateway",
            Self::OpenVswitchTso => "Open vSwitch with TSO",
            Self::OpenVswitch => "Open vSwitch userspace",
            Self::OpenVswitchCrowded => "Open vSwitch (64k stat.)",
            Self::Vde => "VDE",
            Self::VdeCrowded => "VDE (64k stations)",
        }
    }

    /// A word for the names of files and namespaces.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Vswitchd => "tap",
            Self::VswitchdQueues => "queues",
            Self::VswitchdCrowded => "tap64k",
            Self::VswitchdRaw => "raw",
            Self::VswitchdMixed => "mixed",
            Self::VswitchdPlain => "plain",
            Self::VswitchdAccess => "access",
            Self::VswitchdTrunk => "trunk",
            Self::VswitchdGateway => "gateway",
            Self::LinuxBridge => "bridge",
            Self::LinuxGateway => "kernelgw",
            Self::OpenVswitchTso => "ovstso",
            Self::OpenVswitch => "ovs",
            Self::OpenVswitchCrowded => "ovs64k",
            Self::Vde => "vde",
            Self::VdeCrowded => "vde64k",
        }
    }

    /// The same with one network instead of two and a gateway.
    pub(crate) fn without_gateway(self) -> Option<Self> {
        match self {
            Self::VswitchdGateway => Some(Self::Vswitchd),
            Self::LinuxGateway => Some(Self::LinuxBridge),
            _ => None,
        }
    }

    /// The same with a handful of stations instead of 64k.
    pub(crate) fn without_crowd(self) -> Option<Self> {
        match self {
            Self::VswitchdCrowded => Some(Self::Vswitchd),
            Self::OpenVswitchCrowded => Some(Self::OpenVswitch),
            Self::VdeCrowded => Some(Self::Vde),
            _ => None,
        }
    }

    /// What it is compared with, besides the relay.
    pub(crate) fn base(self) -> Option<Self> {
        self.without_gateway().or(self.without_crowd())
    }

    /// Of ours: nothing excuses it.
    pub(crate) fn is_ours(self) -> bool {
        self.name().starts_with("vswitchd")
    }

    /// What this machine lacks for it.
    pub(crate) fn lacks(self) -> Option<String> {
        let program = match self {
            Self::LinuxGateway => return gateways::iptables_lacks(),
            Self::OpenVswitch | Self::OpenVswitchCrowded => "ovs-vswitchd",
            Self::OpenVswitchTso => open_vswitch::WITH_DPDK,
            Self::Vde | Self::VdeCrowded => "vde_switch",
            _ => return None,
        };
        let absent = Command::new(program).arg("--version").output().is_err();
        absent.then(|| format!("{program} is not installed"))
    }
}
