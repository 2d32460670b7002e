//! Port role selection (802.1D-2004 17.28): which port leads to the root, and what the others are.

use super::Rapid;
use super::information::MESSAGE_AGE_INCREMENT;
use super::port::{Information, Port};
use crate::bridge::stp::turn::{Times, Turn, Vector};
use crate::bridge::stp::{Effect, PortRole};

impl Rapid {
    /// Gives every port its role. Where this bridge is to be heard and says something new, that is now what is known.
    pub(super) fn select<E: FnMut(Effect<'_>)>(&mut self, turn: &Turn<'_, E>) {
        self.select_root(turn);
        for (at, port) in self.ports.iter_mut().enumerate() {
            let Some(port) = port else { continue };
            let own = Vector { bridge: turn.me, port: turn.port_id(at), ..self.root };
            port.selected = match port.information {
                Information::Disabled => PortRole::Disabled,
                Information::Received if self.root_port == Some(at) => PortRole::Root,
                Information::Received if port.vector <= own && port.vector.bridge == turn.me => {
                    PortRole::Backup
                }
                Information::Received if port.vector <= own => PortRole::Alternate,
                Information::Aged | Information::Mine | Information::Received => PortRole::Designated,
            };
            if port.selected == PortRole::Designated {
                port.tell(own, self.times);
            }
        }
    }

    /// The best way to the best root: here, or through a port that has heard of a better one.
    fn select_root<E: FnMut(Effect<'_>)>(&mut self, turn: &Turn<'_, E>) {
        let here = Vector { root: turn.me, bridge: turn.me, ..Vector::default() };
        let mut best = (here, Default::default());
        (self.root_port, self.times) = (None, Times::own(turn.config));
        for (at, port) in self.ports.iter().enumerate() {
            let Some(port) = port else { continue };
            let settings = turn.settings(at);
            let heard = port.information == Information::Received && port.vector.bridge != turn.me;
            if !heard || settings.root_block {
                continue;
            }
            let path = (port.vector.through(settings.cost), turn.port_id(at));
            if path < best {
                best = path;
                let message_age = port.times.message_age + MESSAGE_AGE_INCREMENT;
                self.root_port = Some(at);
                self.times = Times { message_age, hello: turn.config.hello, ..port.times };
            }
        }
        self.root = best.0;
    }
}

impl Port {
    /// What this bridge says on the segment is what is known there. Those who agreed to something do not mind if it got
    /// better, as long as it is about the same root; see `information`.
    fn tell(&mut self, own: Vector, times: Times) {
        let mine = self.information == Information::Mine;
        if mine && (self.vector, self.times) == (own, times) {
            return;
        }
        (self.proposing, self.proposed) = (false, false);
        self.agreed &= mine && own.root == self.vector.root && own <= self.vector;
        self.synced &= self.agreed;
        self.vector = own;
        self.times = times;
        self.information = Information::Mine;
        self.news = true;
    }
}
