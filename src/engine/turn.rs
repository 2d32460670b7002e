//! The loop of the data plane, on one screen.
//!
//! mio reports readiness once, when it begins (edge-triggered), so a port that was ready stays on a list until a
//! read found it empty. A turn gives each port on the list one batch, and the poll is asked for newly ready ports after a few
//! turns: a port that never runs dry costs the others a few batches of delay, never more. While the list is not empty the poll only looks; otherwise it sleeps until a
//! frame, a command or the fabric's next deadline; before that it looks for a while, if that has been of use ([`super::patience`]).
//! The clock is read once per turn.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use mio::{Events, Poll, Token};

use super::patience::Patience;
use super::switch::Switch;
use super::worker::Command;
use super::{Event, report};
use crate::frame::PortId;
use crate::time::Time;

/// The token of the waker; ports use their own numbers, which are below it.
pub(super) const WAKE: Token = Token(usize::MAX);
/// How many events one look at the poll fetches.
const EVENTS_PER_POLL: usize = 256;
/// How many commands run between two turns, so that a chatty control thread cannot starve the ports.
const COMMANDS_PER_TURN: usize = 8;

/// How many turns the ports that are ready get before the poll is asked for others: with large frames a turn is short.
const TURNS_PER_POLL: usize = 8;

/// Runs until the command channel is closed.
pub(super) fn run(
    mut poll: Poll,
    mut switch: Switch,
    clock: Clock,
    commands: &Receiver<Command>,
    events_out: &Sender<Event>,
    notify: &dyn Fn(),
) {
    let mut events = Events::with_capacity(EVENTS_PER_POLL);
    let mut patience = Patience::default();
    let mut unreported = None;
    let mut more_commands = false;
    loop {
        let now = clock.now();
        let busy = switch.is_busy() || more_commands;
        let looks = !busy && patience.looks(now);
        if looks {
            std::thread::yield_now();
        }
        let sleep = if busy || looks { Some(Duration::ZERO) } else { switch.sleep(now) };
        if let Err(error) = poll.poll(&mut events, sleep)
            && error.kind() != io::ErrorKind::Interrupted
        {
            // epoll itself is broken (no memory): better slow than dead
            std::thread::yield_now();
        }
        let slept = sleep != Some(Duration::ZERO);
        switch.stats.wakeups += u64::from(slept);
        if !events.is_empty() && !busy {
            patience.met(clock.now(), slept);
        }
        for event in &events {
            match event.token() {
                WAKE => more_commands = true,
                Token(port) => switch.wake(PortId(port as u16)),
            }
        }
        if more_commands {
            match run_commands(commands, &mut switch, clock) {
                Some(more) => more_commands = more,
                None => return,
            }
        }
        for _ in 0..TURNS_PER_POLL {
            switch.turn(clock.now());
            if !switch.is_busy() {
                break;
            }
        }
        while let Some(event) = unreported.take().or_else(|| switch.next_event()) {
            if let Err(event) = report(events_out, event) {
                unreported = Some(event);
                break;
            }
            notify();
        }
    }
}

/// Whether there may be more, or `None` when nobody can send any.
fn run_commands(commands: &Receiver<Command>, switch: &mut Switch, clock: Clock) -> Option<bool> {
    for _ in 0..COMMANDS_PER_TURN {
        match commands.try_recv() {
            Ok(command) => {
                // not earlier than what another engine did before the command was sent
                switch.fabric.take();
                switch.now = clock.now();
                command(switch);
                switch.fabric.pass();
            }
            Err(TryRecvError::Empty) => return Some(false),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
    Some(true)
}

/// Where time comes from: the only clock the data plane reads. A copy counts from the same moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
    unix_origin_nanos: u64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the engine is where the clock is read")]
    pub(super) fn start() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), unix_origin_nanos: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX) }
    }

    pub(super) fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    pub(super) fn unix_origin_nanos(&self) -> u64 {
        self.unix_origin_nanos
    }
}
