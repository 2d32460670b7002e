//! What STP says: configurations, at most one a second from a port, and notices of a change (802.1D-1998 8.6.1, 8.6.6,
//! 8.6.14).

use std::time::Duration;

use super::Classic;
use crate::bridge::stp::Effect;
use crate::bridge::stp::turn::Turn;
use crate::time::Time;
use crate::wire::bpdu::{Bpdu, Configuration, Ticks};

/// A port sends at most one configuration in this time (B80).
const HOLD_TIME: Duration = Duration::from_secs(1);
/// By how much a message ages in passing through a bridge, beside the time it spends there.
const MESSAGE_AGE_INCREMENT: Duration = Duration::from_nanos(1_000_000_000 / 256);

impl Classic {
    /// The root will tell everybody; another bridge tells the root.
    pub(super) fn detect_change<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        let known = self.detected || self.topology_change;
        if self.is_root(turn) {
            self.change_timer = Some(turn.now + turn.config.forward_delay + turn.config.max_age);
            self.detected = true;
            self.set_topology_change(turn, true);
        } else if !self.detected {
            self.detected = true;
            if !known {
                turn.topology_changed();
            }
            self.send_notice(turn);
            self.notice_timer = Some(turn.now + turn.config.hello);
        }
    }

    pub(super) fn set_topology_change<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, change: bool) {
        if self.topology_change == change {
            return;
        }
        self.topology_change = change;
        (turn.emit)(Effect::Ageing(change.then_some(self.times.forward_delay)));
        // a change that we have noticed ourselves was counted then
        if change && (self.is_root(turn) || !self.detected) {
            turn.topology_changed();
        }
    }

    pub(super) fn send_configs<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        for at in 0..self.ports.len() {
            if self.is_designated(turn, at) {
                self.send_config(turn, at);
            }
        }
    }

    pub(super) fn send_config<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        let message_age = self.message_age(turn.now);
        let vector = self.own_vector(turn, at);
        let Some(Some(port)) = self.ports.get_mut(at) else { return };
        if port.hold_timer.is_some_and(|end| turn.now < end) {
            port.config_pending = true;
            return;
        }
        if message_age >= self.times.max_age {
            return;
        }
        let configuration = Configuration {
            root: vector.root,
            cost: vector.cost,
            bridge: vector.bridge,
            port: vector.port,
            message_age: Ticks::from_duration(message_age),
            max_age: Ticks::from_duration(self.times.max_age),
            hello: Ticks::from_duration(self.times.hello),
            forward_delay: Ticks::from_duration(self.times.forward_delay),
            topology_change: self.topology_change,
            acknowledge: port.acknowledge,
        };
        port.acknowledge = false;
        port.config_pending = false;
        port.hold_timer = Some(turn.now + HOLD_TIME);
        turn.send(at, &Bpdu::Config(configuration));
    }

    pub(super) fn send_notice<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        if let Some(at) = self.root_port {
            turn.send(at, &Bpdu::TopologyChange);
        }
    }

    /// How old the root's word is when it leaves here.
    pub(super) fn message_age(&self, now: Time) -> Duration {
        let root_port = self.root_port.and_then(|at| self.port(at));
        root_port
            .map_or(Duration::ZERO, |port| now.since(port.heard.0) + port.heard.1 + MESSAGE_AGE_INCREMENT)
    }
}
