//! What can be changed in a running fabric, as data.
//!
//! Configuration and reconfiguration are the same thing: a list of changes, the difference of two plans. Ids are
//! given by whoever makes the changes (the control thread); the fabric only checks that they make sense.

use crate::bridge::{BridgeConfig, LegConfig, StationKind};
use crate::frame::{NodeId, PortId};
use crate::wire::mac::Mac;

/// One change. Applied one at a time; each is all or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new bridge.
    AddBridge(NodeId, BridgeConfig),
    /// A wire between two bridges; refused if it would close a loop.
    AddLink(NodeId, NodeId),
    /// A port, plugged into a bridge. It is up until [`Change::SetPortUp`] says otherwise.
    AddPort(PortId, NodeId, LegConfig),
    /// A static FDB entry, as `bridge fdb add … static|permanent` (B10).
    AddStation(Station),
    /// New settings for a bridge; what it learned stays.
    ConfigureBridge(NodeId, BridgeConfig),
    /// New settings for a port; what it taught stays, unless it is now the host.
    ConfigurePort(PortId, LegConfig),
    /// Forgets learned stations: of one port, or of the whole bridge (B20).
    Flush(NodeId, Option<PortId>),
    /// A bridge goes; its ports and links must have gone before.
    RemoveBridge(NodeId),
    /// The wire between two bridges goes.
    RemoveLink(NodeId, NodeId),
    /// A port goes, and with it every station behind it, static ones too (B18).
    RemovePort(PortId),
    /// A static entry goes.
    RemoveStation(Station),
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
    /// Where it is.
    pub port: PortId,
    /// Static, sticky or local.
    pub kind: StationKind,
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
    /// The wire would close a loop: links between bridges form a tree.
    #[error("the link would close a loop")]
    Loop,
    /// No such node, port, link or station.
    #[error("there is no such thing")]
    Unknown,
}
