//! Configuration update and port state selection (802.1D-1998 8.6.4, 8.6.11): which port leads to the root, where this
//! bridge is designated, and what that means for the state of the ports.

use super::Classic;
use crate::bridge::stp::turn::Turn;
use crate::bridge::stp::{Effect, PortState};

impl Classic {
    /// Chooses the root, the way to it, and where this bridge is designated.
    pub(super) fn select<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        let mut best = None;
        for at in 0..self.ports.len() {
            let Some(port) = self.port(at).filter(|_| !self.is_designated(turn, at)) else { continue };
            if port.vector.root >= turn.me {
                continue;
            }
            let settings = turn.settings(at);
            let path = (port.vector.through(settings.cost), turn.port_id(at), at);
            if best.is_some_and(|best| path >= best) {
                continue;
            }
            if settings.root_block {
                self.listen(turn, at);
            } else {
                best = Some(path);
            }
        }
        (self.root, self.root_cost, self.root_port) = match best {
            Some((path, _, at)) => (path.root, path.cost, Some(at)),
            None => (turn.me, 0, None),
        };
        for at in 0..self.ports.len() {
            let Some(port) = self.port(at) else { continue };
            let own = self.own_vector(turn, at);
            if self.is_designated(turn, at) || port.vector.root != self.root || own < port.vector {
                self.designate(turn, at);
            }
        }
    }

    pub(super) fn select_states<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        for at in 0..self.ports.len() {
            let designated = self.is_designated(turn, at);
            let is_root_port = self.root_port == Some(at);
            let Some(Some(port)) = self.ports.get_mut(at) else { continue };
            if designated && !is_root_port {
                port.message_age_timer = None;
            } else {
                port.config_pending = false;
                port.acknowledge = false;
            }
            match turn.state(at) {
                PortState::Blocking if designated || is_root_port => self.listen(turn, at),
                PortState::Forwarding | PortState::Learning if !designated && !is_root_port => {
                    self.detect_change(turn);
                    self.block(turn, at);
                }
                PortState::Listening if !designated && !is_root_port => self.block(turn, at),
                _ => {}
            }
        }
    }

    pub(super) fn listen<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        turn.set_state(at, PortState::Listening);
        self.set_delay(at, Some(turn.now + self.times.forward_delay));
    }

    pub(super) fn block<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        turn.set_state(at, PortState::Blocking);
        self.set_delay(at, None);
    }
}
