//! Spanning trees among bridges in virtual time (B15, B80–B82), and single bridges to whom a test speaks.

mod handshake;
mod hostile;
mod messages;
mod migration;
mod network;
mod rng;
mod rules;
mod speed;
mod trees;

use std::time::Duration;

use self::network::{Event, Network};
use super::*;
use crate::wire::bpdu::{Configuration, RapidFlags, SenderRole, StpPortId, Ticks};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const A: LegIndex = LegIndex(0);
const B: LegIndex = LegIndex(1);
const C: LegIndex = LegIndex(2);

fn config(mode: StpMode) -> StpConfig {
    StpConfig { mode, ..StpConfig::default() }
}

const fn mac(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

const fn id(priority: u16, n: u8) -> BridgeId {
    BridgeId { priority, mac: mac(n) }
}

/// What a bridge with the default times says.
fn word(root: BridgeId, cost: u32, bridge: BridgeId) -> Configuration {
    Configuration {
        root,
        cost,
        bridge,
        port: StpPortId::new(32, 1),
        message_age: Ticks(0),
        max_age: Ticks(20 * 256),
        hello: Ticks(2 * 256),
        forward_delay: Ticks(15 * 256),
        topology_change: false,
        acknowledge: false,
    }
}

fn designated() -> RapidFlags {
    RapidFlags { role: SenderRole::Designated, ..RapidFlags::default() }
}

/// A bridge with some legs, alone with the test.
struct Bench {
    stp: Stp,
    now: Time,
    events: Vec<(Time, Event)>,
}

impl Bench {
    /// Number 9 of priority 0x8000, whose legs are up.
    fn new(mode: StpMode, legs: &[StpLegConfig]) -> Self {
        let stp = Stp::new(config(mode), mac(9), Time::ZERO);
        let mut bench = Self { stp, now: Time::ZERO, events: Vec::new() };
        for (at, leg) in legs.iter().enumerate() {
            bench.act(|stp, now, mut emit| stp.attach(LegIndex(at as u16), *leg, true, now, &mut emit));
        }
        bench
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Stp, Time, &mut dyn FnMut(Effect<'_>)) -> R) -> R {
        let Self { stp, now, events } = self;
        act(stp, *now, &mut |effect| events.push((*now, Event::of(effect))))
    }

    fn hear(&mut self, leg: LegIndex, bpdu: Bpdu) {
        self.act(|stp, now, mut emit| stp.receive(leg, &bpdu, now, &mut emit));
    }

    fn hear_config(&mut self, leg: LegIndex, configuration: Configuration) {
        self.hear(leg, Bpdu::Config(configuration));
    }

    /// Lets time pass, doing what is due when it is due.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.stp.deadline().filter(|due| *due <= end) {
            assert!(due >= self.now, "a deadline never lies behind what was done");
            self.now = due;
            self.act(|stp, now, mut emit| stp.tick(now, &mut emit));
            let next = self.stp.deadline();
            assert!(next.is_none_or(|next| next > due), "what is due is done: {next:?}");
        }
        self.now = end;
    }

    fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events).into_iter().map(|(_, event)| event).collect()
    }

    fn sent(&mut self, leg: LegIndex) -> Vec<Bpdu> {
        let of_leg = |event| match event {
            Event::Send(at, bpdu) if at == leg => Some(bpdu),
            _ => None,
        };
        self.take().into_iter().filter_map(of_leg).collect()
    }

    fn states(&self) -> Vec<PortState> {
        (0..self.stp.legs.len() as u16).map(|leg| self.stp.state(LegIndex(leg))).collect()
    }
}
