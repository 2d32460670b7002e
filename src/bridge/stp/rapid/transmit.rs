//! Port transmit (802.1D-2004 17.26): what is said, how often at most and how seldom at least.
//!
//! Two departures from the letter. A root port whose neighbour speaks STP sends a notice only while the topology is
//! changing, not whenever it has anything new (which would be a false alarm for the whole network). And what an
//! alternate port would like to say to such a neighbour, who has no words for it, is forgotten.

use super::Rapid;
use super::port::Port;
use crate::bridge::stp::turn::{Times, Turn, Vector};
use crate::bridge::stp::{Effect, PortRole};
use crate::time::Time;
use crate::wire::bpdu::{Bpdu, Configuration, RapidFlags, SenderRole, Ticks};

impl Rapid {
    pub(super) fn transmit<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        for at in 0..self.ports.len() {
            let own = Vector { bridge: turn.me, port: turn.port_id(at), ..self.root };
            let Some(Some(port)) = self.ports.get_mut(at) else { continue };
            if let Some(bpdu) = port.speak(own, &self.times, turn.config.hello, turn.now) {
                turn.send(at, &bpdu);
            }
        }
    }
}

impl Port {
    fn speak(&mut self, own: Vector, times: &Times, hello: std::time::Duration, now: Time) -> Option<Bpdu> {
        let changing = self.changing(now);
        if self.hello <= now {
            self.news |= self.role == PortRole::Designated || self.role == PortRole::Root && changing;
            self.hello = now + hello;
        }
        if !self.news || !self.may_send(now) {
            return None;
        }
        self.news = false;
        let configuration = Configuration {
            root: own.root,
            cost: own.cost,
            bridge: own.bridge,
            port: own.port,
            message_age: Ticks::from_duration(times.message_age),
            max_age: Ticks::from_duration(times.max_age),
            hello: Ticks::from_duration(times.hello),
            forward_delay: Ticks::from_duration(times.forward_delay),
            topology_change: changing,
            acknowledge: self.acknowledge,
        };
        let role = match self.role {
            PortRole::Alternate | PortRole::Backup => SenderRole::Alternate,
            PortRole::Designated => SenderRole::Designated,
            PortRole::Disabled => return None,
            PortRole::Root => SenderRole::Root,
        };
        let flags = RapidFlags {
            role,
            proposal: self.proposing,
            agreement: self.agree,
            learning: self.learn,
            forwarding: self.forward,
        };
        let bpdu = match (self.rapid, role) {
            (true, _) => Bpdu::Rapid(configuration, flags),
            (false, SenderRole::Designated) if times.message_age < times.max_age => {
                Bpdu::Config(configuration)
            }
            (false, SenderRole::Root) if changing => Bpdu::TopologyChange,
            (false, _) => return None,
        };
        self.acknowledge = false;
        self.hello = now + hello;
        self.count_sent(now);
        Some(bpdu)
    }
}
