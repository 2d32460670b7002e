//! Rounds: what is measured in which order.
//!
//! All systems are up at once and take turns, a slice of a figure each, in an order drawn anew for each figure of each
//! round. Those whose ratios have to be told to the percent get a second turn, in the reverse order: what drifts evenly
//! then cancels out. So two figures of a round that are compared were taken within seconds of each other.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crate::core::Core;
use crate::figures::{Figure, Round, Subject};
use crate::lab;
use crate::measure::{self, Idle};
use crate::options::Options;
use crate::slices::Slice;
use crate::systems::{Programs, Running, System};
use crate::{INTERRUPTED, note, tell};

/// Those that get two turns at each figure.
const CLOSE: [System; 5] = [
    System::Relay,
    System::Vswitchd,
    System::VswitchdQueues,
    System::VswitchdGateway,
    System::OpenVswitchTso,
];

/// All that is measured, again and again.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    pub(crate) programs: &'a Programs,
    pub(crate) running: Vec<Running>,
    pub(crate) core: Option<Core>,
    /// What has gone wrong with somebody else's, so that it is said once.
    failed: BTreeSet<String>,
    random: u64,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(
        options: &'a Options,
        programs: &'a Programs,
        running: Vec<Running>,
        core: Option<Core>,
    ) -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let random = since_1970.map_or(1, |d| d.as_nanos() as u64 | 1);
        Self { options, programs, running, core, failed: BTreeSet::new(), random }
    }

    /// Measures everything once.
    ///
    /// # Errors
    /// If vswitchd fails, or the relay, or somebody wants us to end. Others that fail lack a figure.
    pub(crate) fn round(&mut self, number: usize) -> io::Result<Round> {
        let mut round = Round::default();
        let mut slices = Slice::ALL;
        shuffle(&mut slices, &mut self.random);
        for (done, slice) in slices.into_iter().enumerate() {
            self.tell(number, &format!("{:>2}/{} {slice:?}", done + 1, slices.len()));
            self.take_turns(slice, &mut round)?;
        }
        if !self.running.is_empty() {
            self.tell(number, "idle");
            self.rest(&mut round)?;
        }
        self.tell(number, "labs");
        if self.options.wants(Subject::Lab.name()) {
            lab::measure(self.programs, &mut round)?;
        }
        self.tell(number, "core");
        if let Some(core) = &mut self.core {
            core.measure(&mut round)?;
        }
        go_on()?;
        Ok(round)
    }

    fn tell(&self, number: usize, what: &str) {
        tell(&format!("round {}/{}: {what}", number + 1, self.options.rounds));
    }

    fn take_turns(&mut self, slice: Slice, round: &mut Round) -> io::Result<()> {
        let concerned = |index: &usize| slice.concerns(&self.running[*index]);
        let mut order: Vec<usize> = (0..self.running.len()).filter(concerned).collect();
        shuffle(&mut order, &mut self.random);
        let is_close = |index: &usize| CLOSE.contains(&self.running[*index].system);
        let again: Vec<usize> = order.iter().rev().copied().filter(is_close).collect();
        let duration = Duration::from_secs_f64(self.options.seconds);
        for index in order.into_iter().chain(again) {
            go_on()?;
            let running = &self.running[index];
            // once more for one that somebody else's load has spoilt
            let mut take = || slice.take(running, duration, round);
            let Err(error) = take().or_else(|_| go_on().and_then(|()| take())) else { continue };
            go_on()?;
            let system = running.system;
            let what = format!("{}, {slice:?}: {error}", system.name());
            if system.is_ours() || system == System::Relay {
                return Err(io::Error::other(what));
            }
            if self.failed.insert(format!("{system:?} {slice:?}")) {
                note(&format!("FAILED: {what}"));
            }
        }
        Ok(())
    }

    /// Leaves everybody in peace, and looks how often each wakes up all the same; and how much memory it has by now.
    fn rest(&self, round: &mut Round) -> io::Result<()> {
        let (settle, watch) = if self.options.quick { (0.2, 0.3) } else { (1.0, 2.0) };
        let sleep = |seconds| std::thread::sleep(Duration::from_secs_f64(seconds));
        sleep(settle);
        let all: Vec<_> = self.running.iter().map(Running::pids).collect();
        let before = all.iter().map(|pids| Idle::of(pids)).collect::<io::Result<Vec<_>>>()?;
        sleep(watch);
        let after = all.iter().map(|pids| Idle::of(pids)).collect::<io::Result<Vec<_>>>()?;
        go_on()?;
        for (((running, pids), before), after) in self.running.iter().zip(&all).zip(before).zip(after) {
            if pids.is_empty() {
                continue;
            }
            let mut add = |figure, value| round.add(Subject::System(running.system), figure, value);
            let (wakeups, nanos) = after.since(&before);
            add(Figure::Wakeups, wakeups / watch);
            add(Figure::CpuIdle, nanos / 1e3 / watch);
            add(Figure::Resident, measure::resident_mib(pids)?);
        }
        Ok(())
    }
}

/// An error if somebody wants us to end.
pub(crate) fn go_on() -> io::Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    Ok(())
}

/// Fisher and Yates, with xorshift: the order needs to vary, not to be unpredictable.
fn shuffle<T>(items: &mut [T], random: &mut u64) {
    for index in (1..items.len()).rev() {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        items.swap(index, (*random % (index as u64 + 1)) as usize);
    }
}
