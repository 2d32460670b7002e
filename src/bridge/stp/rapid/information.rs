//! What is heard: port receive, port information, port protocol migration and bridge detection (802.1D-2004 17.23 to
//! 17.25, 17.27).
//!
//! A message is compared with what the port knows. Better, or from who said that: it is taken over, and the roles are
//! chosen again. The same: it is good for another three hellos. Worse, from who should be designated in our stead: they
//! do not hear us, or not yet. From a port that listens to us: they may agree.
//!
//! Stricter than the standard, an agreement is about one root. When a root dies, its name lives on for a while in a
//! network with loops: each bridge believes another that is farther away (*counting to infinity*). The standard keeps an
//! agreement when what was agreed to gets better, and takes one that was on its way meanwhile; but a dead root is better
//! than a living one, and so a loop may close for a moment (Elmeleegy, Cox, Ng: "On count-to-infinity induced forwarding
//! loops in Ethernet networks", 2006). Asking again costs a round trip when a better root appears.

use super::Rapid;
use super::port::{Information, MIGRATE_TIME, Port};
use crate::bridge::stp::turn::{Times, Turn, Vector};
use crate::bridge::stp::{EdgePort, Effect};
use crate::time::Time;
use crate::wire::bpdu::{Bpdu, BridgeId, Configuration, RapidFlags, SenderRole, StpPortId};

/// By how much a message ages in passing through a bridge, whole seconds.
pub(super) const MESSAGE_AGE_INCREMENT: std::time::Duration = std::time::Duration::from_secs(1);
/// How many hellos in a row may be lost.
const HELLOS: u32 = 3;

impl Rapid {
    /// What is known gets too old, and who has not heard from a bridge is an edge. Whether anything moved.
    pub(super) fn time_out<E: FnMut(Effect<'_>)>(&mut self, turn: &Turn<'_, E>) -> bool {
        let mut moved = false;
        for (at, port) in self.ports.iter_mut().enumerate() {
            let Some(port) = port else { continue };
            if port.information == Information::Received && port.information_end <= turn.now {
                port.information = Information::Aged;
                self.reselect = true;
                moved = true;
            }
            if !port.edge && port.proposing && port.rapid && port.edge_end <= turn.now {
                let detects = turn.settings(at).edge != EdgePort::No;
                port.edge = detects;
                moved |= detects;
            }
        }
        moved
    }
}

impl Port {
    /// Whether the roles must be chosen again.
    pub(super) fn receive(&mut self, bpdu: &Bpdu, me: BridgeId, id: StpPortId, now: Time) -> bool {
        let (configuration, flags) = match bpdu {
            Bpdu::Config(configuration) => (configuration, None),
            Bpdu::Rapid(configuration, flags) => (configuration, Some(*flags)),
            Bpdu::TopologyChange => {
                self.meet(false, now);
                self.notice_heard = true;
                return false;
            }
        };
        // our own words come back: whatever does that, it is no bridge (9.3.4)
        if configuration.bridge.mac == me.mac && configuration.port.number() == id.number() {
            return false;
        }
        self.meet(flags.is_some(), now);
        match flags.map_or(SenderRole::Designated, |flags| flags.role) {
            SenderRole::Designated => self.hear_designated(configuration, flags.unwrap_or_default(), now),
            SenderRole::Alternate | SenderRole::Root => {
                self.hear_subordinate(configuration, flags.unwrap_or_default());
                false
            }
            SenderRole::Unknown => false,
        }
    }

    /// A bridge is there, and speaks that protocol: so do we, unless we have only just changed.
    fn meet(&mut self, rapid: bool, now: Time) {
        self.edge = false;
        self.edge_end = now + MIGRATE_TIME;
        if self.rapid != rapid && self.migrate_end <= now {
            self.rapid = rapid;
            self.migrate_end = now + MIGRATE_TIME;
        }
    }

    fn hear_designated(&mut self, configuration: &Configuration, flags: RapidFlags, now: Time) -> bool {
        let (told, times) = (Vector::of(configuration), Times::of(configuration));
        let same_source =
            (told.bridge.mac, told.port.number()) == (self.vector.bridge.mac, self.vector.port.number());
        let same = (told, times) == (self.vector, self.times);
        if told < self.vector || same_source && !same {
            let refined = told.root == self.vector.root && told <= self.vector;
            self.agree &= self.information == Information::Received && refined;
            (self.agreed, self.proposing) = (false, false);
            self.vector = told;
            self.times = times;
            self.information = Information::Received;
            self.believe(configuration, flags, now);
            return true;
        }
        if same && self.information == Information::Received {
            self.believe(configuration, flags, now);
        } else if told > self.vector && flags.learning {
            self.disputed = true;
            self.agreed = false;
        }
        false
    }

    /// It is good for a while: until three hellos are missing, or not at all if it is too old already.
    fn believe(&mut self, configuration: &Configuration, flags: RapidFlags, now: Time) {
        self.proposed |= flags.proposal;
        self.hear_changes(configuration);
        let fresh = self.times.message_age + MESSAGE_AGE_INCREMENT <= self.times.max_age;
        self.information_end = if fresh { now + self.times.hello * HELLOS } else { now };
    }

    /// From a port that is not designated. It agrees, if it knows no better and nobody else can be meant.
    fn hear_subordinate(&mut self, configuration: &Configuration, flags: RapidFlags) {
        if Vector::of(configuration) < self.vector {
            return;
        }
        let same_root = configuration.root == self.vector.root;
        self.agreed = flags.agreement && same_root && self.point_to_point;
        self.proposing &= !self.agreed;
        self.hear_changes(configuration);
    }

    fn hear_changes(&mut self, configuration: &Configuration) {
        self.change_heard |= configuration.topology_change;
        self.acknowledge_heard |= configuration.acknowledge;
    }
}
