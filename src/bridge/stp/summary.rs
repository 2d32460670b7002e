//! What `show stp` tells: plain values, taken when somebody asks.

use std::time::Duration;

use super::turn::{Vector, port_id};
use super::{Machine, PortRole, PortState, Stp, StpMode};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::bpdu::{Bpdu, BridgeId, StpPortId};

/// BPDUs of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BpduCounts {
    /// STP configurations.
    pub config: u64,
    /// RSTP.
    pub rapid: u64,
    /// STP notices of a change.
    pub topology_change: u64,
}

impl BpduCounts {
    pub(super) fn count(&mut self, bpdu: &Bpdu) {
        match bpdu {
            Bpdu::Config(_) => self.config += 1,
            Bpdu::Rapid(..) => self.rapid += 1,
            Bpdu::TopologyChange => self.topology_change += 1,
        }
    }
}

/// A bridge in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StpSummary {
    /// Which protocol.
    pub mode: StpMode,
    /// The bridge.
    pub bridge: BridgeId,
    /// The root; the bridge itself without spanning tree.
    pub root: BridgeId,
    /// How far it is.
    pub root_cost: u32,
    /// The way to it, unless it is here.
    pub root_port: Option<LegIndex>,
    /// As the root wants it.
    pub max_age: Duration,
    /// As the root wants it; in RSTP this bridge's own.
    pub hello: Duration,
    /// As the root wants it.
    pub forward_delay: Duration,
    /// The topology is changing.
    pub topology_change: bool,
    /// How often it has begun to.
    pub topology_changes: u64,
    /// When it last did.
    pub last_change: Option<Time>,
}

/// A leg in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StpLegSummary {
    /// Its id in BPDUs.
    pub port: StpPortId,
    /// What it is to the tree.
    pub role: PortRole,
    /// What it does with frames.
    pub state: PortState,
    /// What the way through it costs.
    pub cost: u32,
    /// The root, according to whoever is designated on the segment.
    pub designated_root: BridgeId,
    /// The distance from it.
    pub designated_cost: u32,
    /// Who is designated.
    pub designated_bridge: BridgeId,
    /// With which port.
    pub designated_port: StpPortId,
    /// Only hosts are behind it (RSTP).
    pub edge: bool,
    /// RSTP is spoken there.
    pub rapid: bool,
    /// `bpdu_guard` has disabled it.
    pub guarded: bool,
    /// When what was heard there is too old.
    pub message_age: Option<Time>,
    /// When the leg may learn, or forward.
    pub forward_delay: Option<Time>,
    /// When the next configuration may be sent (STP).
    pub hold: Option<Time>,
    /// What came in.
    pub received: BpduCounts,
    /// What went out.
    pub sent: BpduCounts,
}

impl Stp {
    /// The bridge.
    pub(in crate::bridge) fn summary(&self, now: Time) -> StpSummary {
        let (root_cost, root_port, times) = match &self.machine {
            Machine::Off => (0, None, None),
            Machine::Rstp(rapid) => (rapid.root.cost, rapid.root_port, Some(rapid.times)),
            Machine::Stp(classic) => (classic.root_cost, classic.root_port, Some(classic.times)),
        };
        let times = times.unwrap_or(super::Times::own(&self.config));
        StpSummary {
            mode: self.config.mode,
            bridge: self.me(),
            root: self.root,
            root_cost,
            root_port: root_port.map(super::turn::index),
            max_age: times.max_age,
            hello: times.hello,
            forward_delay: times.forward_delay,
            topology_change: self.machine.topology_change(now),
            topology_changes: self.news.changes,
            last_change: self.news.last,
        }
    }

    /// A leg, if it is there.
    pub(in crate::bridge) fn leg_summary(&self, leg: LegIndex) -> Option<StpLegSummary> {
        let at = usize::from(leg.0);
        let place = self.legs.get(at)?.as_ref()?;
        let port = port_id(&place.config, at);
        let me = self.me();
        let own = Vector { root: self.root, cost: 0, bridge: me, port };
        let role = if place.enabled() { PortRole::Designated } else { PortRole::Disabled };
        let plain = StpLegSummary {
            port,
            role,
            state: place.state,
            cost: place.config.cost,
            designated_root: own.root,
            designated_cost: own.cost,
            designated_bridge: own.bridge,
            designated_port: own.port,
            edge: false,
            rapid: false,
            guarded: place.guarded,
            message_age: None,
            forward_delay: None,
            hold: None,
            received: place.received,
            sent: place.sent,
        };
        Some(match &self.machine {
            Machine::Off => plain,
            Machine::Rstp(rapid) => rapid.view(at).map_or(plain, |view| StpLegSummary {
                role: view.role,
                edge: view.edge,
                rapid: view.rapid,
                message_age: view.message_age,
                forward_delay: view.forward_delay,
                ..plain.designated(view.vector)
            }),
            Machine::Stp(classic) => classic.view(at, me).map_or(plain, |view| StpLegSummary {
                role: view.role,
                message_age: view.message_age,
                forward_delay: view.forward_delay,
                hold: view.hold,
                ..plain.designated(view.vector)
            }),
        })
    }
}

impl StpLegSummary {
    fn designated(self, vector: Vector) -> Self {
        Self {
            designated_root: vector.root,
            designated_cost: vector.cost,
            designated_bridge: vector.bridge,
            designated_port: vector.port,
            ..self
        }
    }
}
