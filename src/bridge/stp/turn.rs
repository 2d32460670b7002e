//! What both protocols work with: legs, messages, and what they may do to the world.
//!
//! A [`Turn`] is handed down for the length of one call. Through it the machines see the settings, the legs and the
//! time, and whatever they do shows: each change of a leg's state, each frame. They keep their own variables elsewhere.

use std::time::Duration;

use super::settings::{Bounds, FORWARD_DELAY, HELLO, MAX_AGE, StpConfig, StpLegConfig};
use super::{BpduCounts, Effect, PortState};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::bpdu::{BPDU_FRAME_MAX, Bpdu, BridgeId, Configuration, StpPortId, Ticks};

/// A leg, as far as both protocols know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    pub(super) config: StpLegConfig,
    pub(super) up: bool,
    /// `bpdu_guard` has disabled it (B82).
    pub(super) guarded: bool,
    /// What was last said about it.
    pub(super) state: PortState,
    pub(super) received: BpduCounts,
    pub(super) sent: BpduCounts,
}

impl Leg {
    pub(super) fn enabled(&self) -> bool {
        self.up && !self.guarded
    }
}

/// A spanning tree priority vector: the root, how far it is, and who says so through which port. The least is the best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Vector {
    pub(super) root: BridgeId,
    pub(super) cost: u32,
    pub(super) bridge: BridgeId,
    pub(super) port: StpPortId,
}

impl Vector {
    pub(super) fn of(configuration: &Configuration) -> Self {
        let Configuration { root, cost, bridge, port, .. } = *configuration;
        Self { root, cost, bridge, port }
    }

    /// The same, seen from behind a way of that cost. A cost too large to write down is as bad as can be.
    pub(super) fn through(self, cost: u32) -> Self {
        Self { cost: self.cost.saturating_add(cost), ..self }
    }
}

/// The times that go with a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) message_age: Duration,
    pub(super) max_age: Duration,
    pub(super) hello: Duration,
    pub(super) forward_delay: Duration,
}

impl Times {
    /// Those of a bridge that is root.
    pub(super) fn own(config: &StpConfig) -> Self {
        let StpConfig { hello, max_age, forward_delay, .. } = *config;
        Self { message_age: Duration::ZERO, max_age, hello, forward_delay }
    }

    /// Those of a message, brought within the bounds of B80: a neighbour must not make us forward without listening.
    pub(super) fn of(configuration: &Configuration) -> Self {
        let within = |ticks: Ticks, (least, most): Bounds| ticks.to_duration().clamp(least, most);
        Self {
            message_age: configuration.message_age.to_duration(),
            max_age: within(configuration.max_age, MAX_AGE),
            hello: within(configuration.hello, HELLO),
            forward_delay: within(configuration.forward_delay, FORWARD_DELAY),
        }
    }
}

/// How often the topology has changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    pub(super) changes: u64,
    pub(super) last: Option<Time>,
}

/// One call's worth of working.
pub(super) struct Turn<'a, E> {
    pub(super) config: &'a StpConfig,
    pub(super) me: BridgeId,
    pub(super) legs: &'a mut [Option<Leg>],
    pub(super) news: &'a mut News,
    pub(super) now: Time,
    pub(super) emit: &'a mut E,
}

impl<E: FnMut(Effect<'_>)> Turn<'_, E> {
    /// What is set on a leg; the default for one that is not there.
    pub(super) fn settings(&self, at: usize) -> StpLegConfig {
        self.legs.get(at).and_then(Option::as_ref).map(|leg| leg.config).unwrap_or_default()
    }

    pub(super) fn enabled(&self, at: usize) -> bool {
        self.legs.get(at).and_then(Option::as_ref).is_some_and(Leg::enabled)
    }

    pub(super) fn state(&self, at: usize) -> PortState {
        let leg = self.legs.get(at).and_then(Option::as_ref);
        leg.map_or(PortState::Disabled, |leg| leg.state)
    }

    pub(super) fn port_id(&self, at: usize) -> StpPortId {
        port_id(&self.settings(at), at)
    }

    /// Says so if it is news.
    pub(super) fn set_state(&mut self, at: usize, state: PortState) {
        let Some(Some(leg)) = self.legs.get_mut(at) else { return };
        if leg.state != state {
            leg.state = state;
            (self.emit)(Effect::State(index(at), state));
        }
    }

    pub(super) fn send(&mut self, at: usize, bpdu: &Bpdu) {
        let Some(Some(leg)) = self.legs.get_mut(at) else { return };
        leg.sent.count(bpdu);
        let mut buffer = [0; BPDU_FRAME_MAX];
        (self.emit)(Effect::Send(index(at), bpdu.encode(self.me.mac, &mut buffer)));
    }

    pub(super) fn flush(&mut self, at: usize) {
        (self.emit)(Effect::Flush(index(at)));
    }

    pub(super) fn topology_changed(&mut self) {
        self.news.changes += 1;
        self.news.last = Some(self.now);
        (self.emit)(Effect::TopologyChange);
    }
}

pub(super) fn index(at: usize) -> LegIndex {
    LegIndex(at as u16)
}

/// The kernel counts ports from 1.
pub(super) fn port_id(config: &StpLegConfig, at: usize) -> StpPortId {
    StpPortId::new(config.priority, at as u16 + 1)
}

/// The earlier of two moments that may never come.
pub(super) fn earlier(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
