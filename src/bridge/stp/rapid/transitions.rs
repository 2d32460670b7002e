//! Port role transitions and port state transition (802.1D-2004 17.29, 17.30): when a port may learn and forward, and
//! when it must stop.
//!
//! Ports depend on each other in two ways only. A root port forwards when no other has been root port lately, and asks
//! those to stop (*reroot*). A root or alternate port agrees when all designated ports are in order, and asks those
//! that are not to stop (*sync*). Both conditions are taken before a round of moves. That is safe: in a round ports
//! only come into order and only stop having been root ports, so a condition may be found late, never early.

use super::Rapid;
use super::port::{MIGRATE_TIME, Port};
use crate::bridge::stp::PortRole;
use crate::bridge::stp::turn::Times;
use crate::time::Time;

/// What a port must know of the others.
#[derive(Clone, Copy, Debug)]
struct Others {
    /// Every port but the root port is in order.
    synced: bool,
    /// How many ports are, or were lately, root ports.
    recent_roots: usize,
}

/// What a port wants of all others.
#[derive(Clone, Copy, Debug, Default)]
struct Wishes {
    sync: bool,
    reroot: bool,
}

impl Rapid {
    /// One round. Whether anything moved.
    pub(super) fn transit(&mut self, now: Time) -> bool {
        let ports = || self.ports.iter().flatten();
        let in_order =
            |port: &Port| port.role == port.selected && (port.synced || port.role == PortRole::Root);
        let others = Others {
            synced: ports().all(in_order),
            recent_roots: ports().filter(|port| port.recent_root(now)).count(),
        };
        let mut wishes = Wishes::default();
        let mut moved = false;
        for port in self.ports.iter_mut().flatten() {
            moved |= port.transit(others, &mut wishes, &self.times, now);
        }
        for port in self.ports.iter_mut().flatten() {
            port.sync |= wishes.sync;
            port.reroot |= wishes.reroot;
        }
        moved
    }
}

impl Port {
    fn transit(&mut self, others: Others, wishes: &mut Wishes, times: &Times, now: Time) -> bool {
        if self.role != self.selected {
            self.change_role(times, now);
            return true;
        }
        match self.role {
            PortRole::Alternate | PortRole::Backup => self.agree_as_alternate(others, wishes),
            PortRole::Designated => self.transit_designated(times, now),
            PortRole::Disabled => std::mem::take(&mut self.sync) | std::mem::take(&mut self.reroot),
            PortRole::Root => self.transit_root(others, wishes, times, now),
        }
    }

    /// Leaves a role, with the timers running that it held, and takes another.
    fn change_role(&mut self, times: &Times, now: Time) {
        match self.role {
            // later standards wait for a hello only where RSTP is spoken; while bridges count a dead root's
            // distance up, and may not send as often as they like, that is too short
            PortRole::Alternate => self.delay_end = now + times.forward_delay,
            PortRole::Backup => {
                self.delay_end = now + times.forward_delay;
                self.backup_end = now + times.hello * 2;
            }
            PortRole::Designated => {}
            PortRole::Disabled => self.delay_end = now + times.max_age,
            PortRole::Root => self.root_end = now + times.forward_delay,
        }
        self.role = self.selected;
        if !matches!(self.role, PortRole::Designated | PortRole::Root) {
            (self.learn, self.forward) = (false, false);
            (self.sync, self.reroot, self.synced) = (false, false, true);
            self.root_end = now;
        }
    }

    fn transit_root(&mut self, others: Others, wishes: &mut Wishes, times: &Times, now: Time) -> bool {
        if self.proposed && !self.agree {
            wishes.sync = true;
            self.proposed = false;
            return true;
        }
        if others.synced && !self.agree || self.proposed && self.agree {
            (self.proposed, self.sync) = (false, false);
            self.agree = true;
            self.news = true;
            return true;
        }
        if self.forward {
            return std::mem::take(&mut self.reroot);
        }
        if !self.reroot {
            wishes.reroot = true;
            return true;
        }
        let alone = others.recent_roots <= 1;
        if self.delay_end <= now || alone && !self.recent_backup(now) {
            self.advance(times, now);
            return true;
        }
        false
    }

    fn transit_designated(&mut self, times: &Times, now: Time) -> bool {
        if !self.forward && !self.agreed && !self.proposing && !self.edge {
            self.proposing = true;
            self.edge_end = now + if self.point_to_point { MIGRATE_TIME } else { times.max_age };
            self.news = true;
            return true;
        }
        let settles = !self.learn || self.agreed || self.edge;
        if settles && !self.synced || self.sync && self.synced {
            self.root_end = now;
            (self.synced, self.sync) = (true, false);
            return true;
        }
        let was_root = now < self.root_end;
        if self.reroot && !was_root {
            self.reroot = false;
            return true;
        }
        let must_stop = self.sync && !self.synced || self.reroot;
        if (must_stop && self.learn || self.disputed) && !self.edge {
            (self.learn, self.forward, self.disputed) = (false, false, false);
            self.delay_end = now + times.forward_delay;
            return true;
        }
        let may_start = self.delay_end <= now || self.agreed || self.edge;
        if may_start && !self.reroot && !self.sync && !self.forward {
            self.advance(times, now);
            self.agreed = if self.forward { self.rapid } else { self.agreed };
            return true;
        }
        false
    }

    fn agree_as_alternate(&mut self, others: Others, wishes: &mut Wishes) -> bool {
        let asked = std::mem::take(&mut self.sync) | std::mem::take(&mut self.reroot);
        if self.proposed && !self.agree {
            wishes.sync = true;
            self.proposed = false;
            return true;
        }
        if others.synced && !self.agree || self.proposed && self.agree {
            self.proposed = false;
            self.agree = true;
            self.news = true;
            return true;
        }
        asked
    }

    /// From blocking to learning, from learning to forwarding.
    fn advance(&mut self, times: &Times, now: Time) {
        if self.learn {
            self.forward = true;
            self.delay_end = now;
        } else {
            self.learn = true;
            self.delay_end = now + times.forward_delay;
        }
    }
}
