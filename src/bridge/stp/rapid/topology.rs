//! Topology change (802.1D-2004 17.31): stations may have moved, so forget where they were.
//!
//! Only a port that begins to forward changes the topology; an edge does not. Who notices tells everybody else at once,
//! in all directions. A port that hears of it has all others forget what they learned; where STP is spoken, notices
//! and acknowledgements are used as there.

use std::time::Duration;

use super::Rapid;
use super::port::{Port, Watch};
use crate::bridge::stp::turn::{Times, Turn};
use crate::bridge::stp::{Effect, PortRole};
use crate::time::Time;

/// What the other ports, and who has learned something, are to do.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    moved: bool,
    flush: bool,
    propagate: bool,
}

impl Rapid {
    /// One round. Whether anything moved.
    pub(super) fn notice_changes<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) -> bool {
        let mut moved = false;
        for at in 0..self.ports.len() {
            let Some(Some(port)) = self.ports.get_mut(at) else { continue };
            let outcome = port.watch(&self.times, turn.now);
            let end = port.change_end;
            moved |= outcome.moved;
            if outcome.flush {
                turn.flush(at);
            }
            if outcome.propagate {
                let others = self.ports.iter_mut().enumerate().filter(|(other, _)| *other != at);
                others.filter_map(|(_, port)| port.as_mut()).for_each(|port| port.propagate = true);
            }
            if turn.now < end {
                if self.changing_until <= turn.now {
                    turn.topology_changed();
                }
                self.changing_until = self.changing_until.max(end);
            }
        }
        moved
    }
}

impl Port {
    fn watch(&mut self, times: &Times, now: Time) -> Outcome {
        let belongs = matches!(self.role, PortRole::Designated | PortRole::Root);
        let heard = self.change_heard || self.notice_heard || self.acknowledge_heard || self.propagate;
        let moved = Outcome { moved: true, ..Outcome::default() };
        match self.watch {
            Watch::Inactive if self.learn => self.watch = Watch::Learning,
            Watch::Inactive => return Outcome::default(),
            Watch::Learning if belongs && self.forward && !self.edge => {
                self.watch = Watch::Active;
                self.tell_change(times, now);
                self.news = true;
                return Outcome { propagate: true, ..moved };
            }
            Watch::Learning if !belongs && !self.learn => {
                self.watch = Watch::Inactive;
                self.change_end = now;
                self.acknowledge = false;
                self.forget_changes();
                return Outcome { flush: true, ..moved };
            }
            Watch::Learning if heard => self.forget_changes(),
            Watch::Learning => return Outcome::default(),
            Watch::Active if !belongs || self.edge => self.watch = Watch::Learning,
            Watch::Active => return self.pass_on(times, now),
        }
        moved
    }

    fn pass_on(&mut self, times: &Times, now: Time) -> Outcome {
        let moved = Outcome { moved: true, ..Outcome::default() };
        if self.change_heard || self.notice_heard {
            if self.notice_heard {
                self.tell_change(times, now);
            }
            self.acknowledge |= self.role == PortRole::Designated;
            (self.change_heard, self.notice_heard) = (false, false);
            return Outcome { propagate: true, ..moved };
        }
        if self.propagate {
            self.propagate = false;
            self.tell_change(times, now);
            return Outcome { flush: true, ..moved };
        }
        if self.acknowledge_heard {
            self.acknowledge_heard = false;
            self.change_end = now;
            return moved;
        }
        Outcome::default()
    }

    /// `newTcWhile`: two hellos where RSTP is spoken, else until everybody's stations have aged.
    fn tell_change(&mut self, times: &Times, now: Time) {
        if self.changing(now) {
            return;
        }
        if self.rapid {
            self.change_end = now + times.hello + Duration::from_secs(1);
            self.news = true;
        } else {
            self.change_end = now + times.max_age + times.forward_delay;
        }
    }

    fn forget_changes(&mut self) {
        (self.change_heard, self.notice_heard) = (false, false);
        (self.acknowledge_heard, self.propagate) = (false, false);
    }
}
