//! Slices: the smallest pieces of a measurement, one figure or two of one system that is running.

use std::io;
use std::time::Duration;

use crate::figures::{Figure, Round, Subject};
use crate::measure::{self, Amount, Pace};
use crate::systems::Running;

/// Frames a second, for a switch that is to fall asleep between two of them.
const PACED: u32 = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slice {
    Tcp,
    Tcp4,
    TcpIn,
    Tcp4In,
    Calls,
    CallsIn,
    RoundTrip,
    RoundTripOneCpu,
    Loss,
    CpuFlood,
    CpuPaced,
    CpuStations,
}

impl Slice {
    pub(crate) const ALL: [Self; 12] = [
        Self::Tcp,
        Self::Tcp4,
        Self::TcpIn,
        Self::Tcp4In,
        Self::Calls,
        Self::CallsIn,
        Self::RoundTrip,
        Self::RoundTripOneCpu,
        Self::Loss,
        Self::CpuFlood,
        Self::CpuPaced,
        Self::CpuStations,
    ];

    /// Whether it can be measured of this system, and would say anything.
    pub(crate) fn concerns(self, running: &Running) -> bool {
        let (system, in_a_process) = (running.system, !running.pids().is_empty());
        let is_crowded = system.without_crowd().is_some();
        match self {
            Self::RoundTrip | Self::RoundTripOneCpu => running.talks_ip,
            Self::CpuStations => in_a_process && system.without_gateway().is_none() && measure::cpus() > 1,
            Self::CpuFlood | Self::CpuPaced => {
                in_a_process && running.talks_ip && !is_crowded && measure::cpus() > 1
            }
            _ => running.talks_ip && !is_crowded,
        }
    }

    /// Takes it.
    pub(crate) fn take(self, running: &Running, duration: Duration, round: &mut Round) -> io::Result<()> {
        let pids = running.pids();
        let [out, back] = running.machines.ways();
        let mut add = |figure, value| round.add(Subject::System(running.system), figure, value);
        let stream = |way, streams| watched(&pids, || measure::tcp(way, streams, duration));
        match self {
            Self::Tcp => {
                let (gigabits, cpu) = stream(&out, 1)?;
                add(Figure::Tcp, gigabits.per_second);
                if !pids.is_empty() {
                    add(Figure::CpuTcp, cpu / 1e6 / gigabits.total);
                }
            }
            Self::Tcp4 => add(Figure::Tcp4, stream(&out, 4)?.0.per_second),
            Self::TcpIn => add(Figure::TcpIn, stream(&back, 1)?.0.per_second),
            Self::Tcp4In => add(Figure::Tcp4In, stream(&back, 4)?.0.per_second),
            Self::Calls => {
                let (calls, cpu) = watched(&pids, || measure::calls(&out, duration))?;
                add(Figure::Calls, calls.per_second);
                if !pids.is_empty() {
                    add(Figure::CpuCall, cpu / 1e3 / calls.total);
                }
            }
            Self::CallsIn => add(Figure::CallsIn, measure::calls(&back, duration)?.per_second),
            Self::RoundTrip => {
                let (median, slow) = measure::round_trip(&out, duration)?;
                add(Figure::Rtt, median);
                add(Figure::Rtt99, slow);
            }
            Self::RoundTripOneCpu => {
                let _confined = measure::confine(&pids, 0, 0)?;
                add(Figure::RttOneCpu, measure::round_trip(&out, duration)?.0);
            }
            Self::Loss => add(Figure::Loss, measure::loss(&out, duration)?),
            Self::CpuFlood => {
                add(Figure::CpuFlood, measure::cost_of_datagrams(&out, &pids, Pace::Flood, duration)?);
            }
            Self::CpuPaced => {
                add(Figure::CpuPaced, measure::cost_of_datagrams(&out, &pids, Pace::Even(PACED), duration)?);
            }
            Self::CpuStations => {
                add(Figure::CpuStations, measure::cost_to_stations(&out, &pids, &running.crowd, duration)?);
            }
        }
        Ok(())
    }
}

/// Measures, and beside it the nanoseconds of CPU that the processes spend meanwhile: a busy machine changes speeds
/// much, and what something costs little.
fn watched(pids: &[u32], work: impl FnOnce() -> io::Result<Amount>) -> io::Result<(Amount, f64)> {
    let before = measure::cpu_nanos(pids)?;
    let amount = work()?;
    Ok((amount, (measure::cpu_nanos(pids)? - before) as f64))
}
