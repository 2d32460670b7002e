//! What can be changed in a running fabric, as data.
//!
//! Configuration and reconfiguration are the same thing: a list of changes, the difference of two plans. Ids are
//! given by whoever makes the changes (the control thread); the fabric only checks that they make sense. What is a list
//! in the file (VLANs, permitted sources, static stations) is changed entry by entry, so that a change stays a small
//! value and what did not change is not mentioned.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::bridge::{BridgeConfig, LegConfig, Permit, StationKind, VlanEntry};
use crate::frame::{Leg, LegIndex, LinkId, NodeId, Plug, PortId};
use crate::router::interface::Interface;
use crate::router::{Settings, policy};
use crate::wire::mac::Mac;

/// One change. Applied one at a time; each is all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new bridge.
    AddBridge(NodeId, BridgeConfig),
    /// The user's membership in a multicast group, as `bridge mdb add … permanent` (B74).
    AddGroup(Membership),
    /// A wire from a leg of a router to a bridge, with what the leg is like. To the bridge, the router is what the kernel's bridge
    /// is to itself: the host ([`crate::bridge::Role::Host`]), and a multicast router.
    AddInterface(LinkId, Leg, NodeId, Box<Interface>),
    /// A wire between two bridges, with the settings of either end; refused if it would close a loop that no spanning
    /// tree opens: every bridge on a loop needs one.
    AddLink(LinkId, [NodeId; 2], [LegConfig; 2]),
    /// A source that may send here; as soon as there is one, no other may.
    AddPermit(Plug, Permit),
    /// A port, plugged into a bridge. It is up until [`Change::SetPortUp`] says otherwise.
    AddPort(PortId, NodeId, LegConfig),
    /// A route of a router; without a leg, through the one on whose wire the gateway is.
    AddRoute(NodeId, IpNet, Option<IpAddr>, Option<LegIndex>),
    /// A new router, without legs.
    AddRouter(NodeId, Settings),
    /// A static FDB entry, as `bridge fdb add … static|permanent` (B10).
    AddStation(Station),
    /// The leg is put into a VLAN, or its place in it changes, as `bridge vlan add` (B51 to B56).
    AddVlan(Plug, VlanEntry),
    /// New settings for a bridge; what it learned stays.
    ConfigureBridge(NodeId, BridgeConfig),
    /// A router's leg is like that now.
    ConfigureInterface(LinkId, Box<Interface>),
    /// New settings for a port or an end of a link; what it taught stays, unless it is now the host.
    ConfigureLeg(Plug, LegConfig),
    /// New settings for a router.
    ConfigureRouter(NodeId, Settings),
    /// Forgets learned stations: of a leg, of a VLAN, or of the whole bridge (B20).
    Flush(NodeId, Option<Plug>, Option<u16>),
    /// A bridge goes; its ports and links must have gone before.
    RemoveBridge(NodeId),
    /// The user's membership goes.
    RemoveGroup(Membership),
    /// The wire between two devices goes.
    RemoveLink(LinkId),
    /// The source may no longer send here; with the last one everybody may again.
    RemovePermit(Plug, Permit),
    /// The route goes.
    RemoveRoute(NodeId, IpNet, Option<IpAddr>),
    /// A router goes; its legs must have gone before.
    RemoveRouter(NodeId),
    /// A port goes, and with it every station behind it, static ones too (B18).
    RemovePort(PortId),
    /// A static entry goes.
    RemoveStation(Station),
    /// The leg leaves a VLAN, which forgets what was learned there (B61).
    RemoveVlan(Plug, u16),
    /// Where frames to stations behind this leg go while it is down, as `bridge link set … backup_port` (B30).
    SetBackup(Plug, Option<Plug>),
    /// All rules of a router, in place of those it had.
    SetPolicy(NodeId, Box<policy::config::Config>),
    /// A link's cable is plugged in or pulled: both ends go up, or down and forget what was learned there (B17).
    SetLinkUp(LinkId, bool),
    /// The interface behind a port went up or down; down forgets what was learned there (B17).
    SetPortUp(PortId, bool),
}

/// A static FDB entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The bridge.
    pub bridge: NodeId,
    /// The station.
    pub mac: Mac,
    /// The VLAN; `None` is every VLAN of the leg and, without filtering, the only one there is (B58).
    pub vlan: Option<u16>,
    /// Where it is.
    pub at: Plug,
    /// Static, sticky or local.
    pub kind: StationKind,
}

/// A leg's membership in a multicast group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The bridge.
    pub bridge: NodeId,
    /// The member.
    pub at: Plug,
    /// The VLAN; 0 without filtering.
    pub vlan: u16,
    /// A multicast address.
    pub group: IpAddr,
}

/// Why a change was refused; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The id is taken.
    #[error("that id is in use")]
    Exists,
    /// More legs, ports or nodes than there is room for.
    #[error("there is no room for another")]
    Full,
    /// A bridge that still has ports or links.
    #[error("it is still wired to something")]
    InUse,
    /// A value out of its range: no station's address, a limit of zero, a forwarding bit that may not be set.
    #[error("a value is out of its range")]
    Invalid,
    /// The wire would close a loop that no spanning tree opens.
    #[error("the link would close a loop, and not every bridge on it has a spanning tree")]
    Loop,
    /// No such node, port, link or station.
    #[error("there is no such thing")]
    Unknown,
}
