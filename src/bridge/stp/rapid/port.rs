//! The variables of a port (802.1D-2004 17.19), and when the next of its timers ends.

use std::time::Duration;

use crate::bridge::stp::turn::{Times, Vector, earlier};
use crate::bridge::stp::{EdgePort, PortRole, PortState, StpLegConfig};
use crate::time::Time;

/// How long a port that has just spoken one protocol keeps to it, and how long it waits for a bridge to show up
/// (Migrate Time of table 17-1).
pub(super) const MIGRATE_TIME: Duration = Duration::from_secs(3);
/// How many BPDUs a port may send at once; then one a second (table 17-1).
pub(super) const TX_HOLD_COUNT: u8 = 6;
const TX_HOLD_TIME: Duration = Duration::from_secs(1);

/// Where what a port knows comes from (`infoIs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Information {
    /// It was received, and is too old.
    Aged,
    /// The port is disabled.
    Disabled,
    /// From this bridge.
    Mine,
    /// From another.
    Received,
}

/// The state of the topology change machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// The port is part of the tree: changes go in and out.
    Active,
    /// It has no stations behind it.
    Inactive,
    /// It has, but is not part of the tree yet.
    Learning,
}

/// The variables; behind each the name in the standard where it differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    /// `infoIs`
    pub(super) information: Information,
    /// The best that is known about the segment: `portPriority`
    pub(super) vector: Vector,
    /// `portTimes`
    pub(super) times: Times,
    pub(super) role: PortRole,
    /// `selectedRole`
    pub(super) selected: PortRole,
    /// We have agreed to what the designated port says.
    pub(super) agree: bool,
    /// They have agreed to what we say.
    pub(super) agreed: bool,
    /// Somebody claims to be designated here, and forwards, though we are better: they do not hear us.
    pub(super) disputed: bool,
    pub(super) proposed: bool,
    pub(super) proposing: bool,
    /// It shall be in order with a new root: `sync`
    pub(super) sync: bool,
    /// It is.
    pub(super) synced: bool,
    /// It shall stop if it was a root port lately: `reRoot`
    pub(super) reroot: bool,
    pub(super) learn: bool,
    pub(super) forward: bool,
    /// `operEdge`
    pub(super) edge: bool,
    /// At most one bridge is behind it: `operPointToPointMAC`
    pub(super) point_to_point: bool,
    /// RSTP is spoken here: `sendRSTP`
    pub(super) rapid: bool,
    /// There is something to say: `newInfo`
    pub(super) news: bool,
    pub(super) watch: Watch,
    /// Acknowledge the notice with the next configuration: `tcAck`
    pub(super) acknowledge: bool,
    /// Another port has learned of a change: `tcProp`
    pub(super) propagate: bool,
    /// `rcvdTc`
    pub(super) change_heard: bool,
    /// `rcvdTcn`
    pub(super) notice_heard: bool,
    /// `rcvdTcAck`
    pub(super) acknowledge_heard: bool,

    /// `edgeDelayWhile`
    pub(super) edge_end: Time,
    /// `fdWhile`
    pub(super) delay_end: Time,
    /// `helloWhen`
    pub(super) hello: Time,
    /// `mdelayWhile`
    pub(super) migrate_end: Time,
    /// `rbWhile`, for when the port is no backup any more
    pub(super) backup_end: Time,
    /// `rcvdInfoWhile`
    pub(super) information_end: Time,
    /// `rrWhile`, for when the port is no root port any more
    pub(super) root_end: Time,
    /// `tcWhile`
    pub(super) change_end: Time,
    /// `txCount`, as it was when it last went up
    sent: u8,
    /// When that goes down by one.
    sent_end: Time,
}

impl Port {
    /// One that has just come up.
    pub(super) fn new(settings: &StpLegConfig, times: &Times, now: Time) -> Self {
        Self {
            information: Information::Aged,
            vector: Vector::default(),
            times: *times,
            role: PortRole::Disabled,
            selected: PortRole::Disabled,
            agree: false,
            agreed: false,
            disputed: false,
            proposed: false,
            proposing: false,
            sync: false,
            synced: true,
            reroot: false,
            learn: false,
            forward: false,
            edge: settings.edge == EdgePort::Yes,
            point_to_point: settings.point_to_point,
            rapid: true,
            news: true,
            watch: Watch::Inactive,
            acknowledge: false,
            propagate: false,
            change_heard: false,
            notice_heard: false,
            acknowledge_heard: false,
            edge_end: now + MIGRATE_TIME,
            delay_end: now,
            hello: now + times.hello,
            migrate_end: now + MIGRATE_TIME,
            backup_end: now,
            information_end: now,
            root_end: now,
            change_end: now,
            sent: 0,
            sent_end: now,
        }
    }

    pub(super) fn disable(&mut self) {
        self.information = Information::Disabled;
        (self.agree, self.agreed, self.disputed) = (false, false, false);
        (self.proposed, self.proposing) = (false, false);
        // whoever disabled it flushes it
        self.watch = Watch::Inactive;
    }

    pub(super) fn state(&self) -> PortState {
        match (self.information, self.learn, self.forward) {
            (Information::Disabled, ..) => PortState::Disabled,
            (_, _, true) => PortState::Forwarding,
            (_, true, false) => PortState::Learning,
            (_, false, false) => PortState::Blocking,
        }
    }

    /// Whether it is the root port, or was a moment ago (`rrWhile` is not 0).
    pub(super) fn recent_root(&self, now: Time) -> bool {
        self.role == PortRole::Root || now < self.root_end
    }

    /// Whether it is a backup port, or was a moment ago (`rbWhile` is not 0).
    pub(super) fn recent_backup(&self, now: Time) -> bool {
        self.role == PortRole::Backup || now < self.backup_end
    }

    /// Whether a change of topology is still told here (`tcWhile` is not 0).
    pub(super) fn changing(&self, now: Time) -> bool {
        now < self.change_end
    }

    /// Whether the limit on sending lets one more pass.
    pub(super) fn may_send(&self, now: Time) -> bool {
        self.sent_lately(now) < TX_HOLD_COUNT
    }

    pub(super) fn count_sent(&mut self, now: Time) {
        let before = self.sent_lately(now);
        if before == 0 {
            self.sent_end = now + TX_HOLD_TIME;
        } else {
            self.sent_end = self.sent_end + TX_HOLD_TIME * u32::from(self.sent - before);
        }
        self.sent = before + 1;
    }

    fn sent_lately(&self, now: Time) -> u8 {
        if self.sent == 0 || now < self.sent_end {
            return self.sent;
        }
        let gone = 1 + now.since(self.sent_end).as_secs() / TX_HOLD_TIME.as_secs();
        self.sent.saturating_sub(u8::try_from(gone).unwrap_or(u8::MAX))
    }

    /// The next end of a timer, after `ran`, that could move anything. A pending message needs no timer: either it may
    /// be sent and was, or the limit lets one pass with the next full second.
    pub(super) fn deadline(&self, ran: Time) -> Option<Time> {
        let designated = self.role == PortRole::Designated;
        let waits = (designated || self.role == PortRole::Root) && !self.forward;
        let timers = [
            (designated && self.proposing && self.rapid && !self.edge, self.edge_end),
            (waits, self.delay_end),
            (designated || self.role == PortRole::Root && self.changing(ran), self.hello),
            (waits, self.backup_end),
            (self.information == Information::Received, self.information_end),
            (self.role != PortRole::Root, self.root_end),
            (self.news && self.sent > 0, self.sent_end),
        ];
        let next = |(counts, end): (bool, Time)| (counts && ran < end).then_some(end);
        timers.into_iter().map(next).fold(None, earlier)
    }
}
