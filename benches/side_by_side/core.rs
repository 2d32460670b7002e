//! The core by itself, in this process: what the walk costs with little and with much to remember.
//!
//! The worlds are those of the criterion benches. They take turns of milliseconds, long enough for each to find its tables
//! in the cache as a switch in use would, and of many batches the median counts, so a neighbour who takes the CPU for a
//! while is not noticed.

use std::io;
use std::time::Duration;

use vswitchd::frame::BATCH_MAX;

use crate::counting::allocations;
use crate::figures::{Figure, Round, Subject};
use crate::measure;
use crate::worlds::bridge::{STATIONS_MANY, Sources, Stations};
use crate::worlds::gateway::{OPENED, Sessions, gateway, many, open};
use crate::worlds::{Lot, Rounds, interleave};

/// How much is done in a round.
#[derive(Clone, Copy)]
struct Effort {
    turns: usize,
    /// Of a turn.
    batches: usize,
    /// Frames that are watched for allocations.
    steady: usize,
}

/// The worlds that stay the same from round to round.
pub(crate) struct Core {
    effort: Effort,
    few_stations: Stations,
    stations: Stations,
    few_ports: Stations,
    ports: Stations,
    few_sessions: Sessions,
    new_sessions: Sessions,
}

impl Core {
    pub(crate) fn new(quick: bool) -> Self {
        let effort = match quick {
            true => Effort { turns: 3, batches: 4, steady: 10_000 },
            false => Effort { turns: 9, batches: 500, steady: 1_000_000 },
        };
        Self {
            effort,
            few_stations: Stations::new(8, 10, Sources::One),
            stations: Stations::new(8, STATIONS_MANY, Sources::One),
            few_ports: Stations::new(10, 256, Sources::Any),
            ports: Stations::new(256, 256, Sources::Any),
            few_sessions: Sessions::established(10, vec![]),
            new_sessions: Sessions::new(),
        }
    }

    /// One round of everything. The million sessions are opened anew in each: also what they take is a sample.
    pub(crate) fn measure(&mut self, round: &mut Round) -> io::Result<()> {
        let before = measure::resident_mib(&[std::process::id()])?;
        let (mut fabric, mut rounds) = (gateway(vec![]), Rounds::new());
        open(&mut fabric, &mut rounds, many(), OPENED);
        let grown = measure::resident_mib(&[std::process::id()])? - before;
        round.add(Subject::Core, Figure::SessionBytes, grown * f64::from(1 << 20) / f64::from(many()));
        let mut sessions = Sessions::opened(fabric, rounds, many());

        let effort = self.effort;
        let per_frame = |batch: Duration| batch.as_secs_f64() * 1e9 / BATCH_MAX as f64;
        let figures = [
            Figure::Walk,
            Figure::WalkStations,
            Figure::WalkFewPorts,
            Figure::WalkPorts,
            Figure::WalkSession,
            Figure::WalkSessions,
            Figure::WalkNewSession,
        ];
        let lots: &mut [&mut dyn Lot] = &mut [
            &mut self.few_stations,
            &mut self.stations,
            &mut self.few_ports,
            &mut self.ports,
            &mut self.few_sessions,
            &mut sessions,
            &mut self.new_sessions,
        ];
        let times = interleave(lots, effort.turns, effort.batches);
        for (figure, mut times) in figures.into_iter().zip(times) {
            times.sort_unstable();
            round.add(Subject::Core, figure, per_frame(times[effort.turns / 2]));
        }
        let steady: &mut [&mut dyn Lot] = &mut [&mut self.stations, &mut sessions];
        round.add(Subject::Core, Figure::Allocations, count_allocations(steady, effort.steady));
        Ok(())
    }
}

/// In that many frames of lots that have run before.
fn count_allocations(lots: &mut [&mut dyn Lot], frames: usize) -> f64 {
    let before = allocations();
    for _ in 0..frames.div_ceil(BATCH_MAX * lots.len()) {
        for lot in lots.iter_mut() {
            lot.fill();
            lot.run();
        }
    }
    (allocations() - before) as f64
}
