//! What DESIGN section 6 asks for, row by row, and whether a run shows that it is so.
//!
//! A run shows it only if the interval that holds the true median lies on one side of the limit; a median by itself
//! would make a coin's toss a success. With fewer rounds than an interval needs, nothing is shown either way.

use std::fmt;

use super::statistics::Samples;
use super::{Operand, short};
use crate::figures::{Figure, Round, Subject};
use crate::systems::System;

/// One thing that is asked for.
pub(super) struct Requirement {
    name: &'static str,
    ours: Operand,
    theirs: Compared,
    limit: Limit,
}

/// What ours is held against, within the same round.
#[derive(Clone, Copy)]
enum Compared {
    /// The limit itself.
    Nothing,
    /// The ratio counts.
    By(Operand),
    /// The difference counts.
    To(Operand),
}

#[derive(Clone, Copy)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

use Compared::{By, Nothing, To};
use Limit::{AtLeast, AtMost};
use System::{OpenVswitch, OpenVswitchTso, Relay, Vde, Vswitchd, VswitchdCrowded, VswitchdGateway};

/// One stream, and four, each in both directions.
const STREAM: &[Figure] = &[Figure::Tcp, Figure::TcpIn];
const STREAMS: &[Figure] = &[Figure::Tcp4, Figure::Tcp4In];

pub(super) const REQUIREMENTS: &[Requirement] = &[
    beside("TCP, one stream / relay", Vswitchd, STREAM, Relay, AtLeast(0.95)),
    beside("TCP, one stream / Open vSwitch with TSO", Vswitchd, STREAM, OpenVswitchTso, AtLeast(1.05)),
    beside("TCP, one stream / Open vSwitch", Vswitchd, STREAM, OpenVswitch, AtLeast(6.0)),
    beside("TCP, one stream / VDE", Vswitchd, STREAM, Vde, AtLeast(12.0)),
    beside("TCP, four streams / relay", Vswitchd, STREAMS, Relay, AtLeast(1.0)),
    beside("TCP, out through NAT / our L2", VswitchdGateway, &[Figure::Tcp], Vswitchd, AtLeast(0.90)),
    beside("TCP, in through NAT / our L2", VswitchdGateway, &[Figure::TcpIn], Vswitchd, AtLeast(0.90)),
    beside("TCP ×4, out through NAT / our L2", VswitchdGateway, &[Figure::Tcp4], Vswitchd, AtLeast(0.90)),
    beside("TCP ×4, in through NAT / our L2", VswitchdGateway, &[Figure::Tcp4In], Vswitchd, AtLeast(0.90)),
    beside("calls, out through NAT / relay", VswitchdGateway, &[Figure::Calls], Relay, AtLeast(0.95)),
    beside("calls, in through NAT / relay", VswitchdGateway, &[Figure::CallsIn], Relay, AtLeast(0.95)),
    beside("CPU per 64-byte frame, flood / relay", Vswitchd, &[Figure::CpuFlood], Relay, AtMost(1.15)),
    beside("CPU per 64-byte frame, one by one / relay", Vswitchd, &[Figure::CpuPaced], Relay, AtMost(1.15)),
    Requirement {
        name: "round trip on one CPU − relay, µs",
        ours: Operand::of(Vswitchd, &[Figure::RttOneCpu]),
        theirs: To(Operand::of(Relay, &[Figure::RttOneCpu])),
        limit: AtMost(5.0),
    },
    alone("walk over a bridge, ns", Subject::Core, &[Figure::Walk], 60.0),
    alone("walk through NAT, established, ns", Subject::Core, &[Figure::WalkSession], 150.0),
    alone("walk through NAT, new session, ns", Subject::Core, &[Figure::WalkNewSession], 1000.0),
    alone("allocations in a million steady frames", Subject::Core, &[Figure::Allocations], 0.0),
    growth("walk with 64k stations / with 10", &[Figure::WalkStations], &[Figure::Walk]),
    growth("walk with 1M sessions / with 10", &[Figure::WalkSessions], &[Figure::WalkSession]),
    growth("walk with 256 ports / with 10", &[Figure::WalkPorts], &[Figure::WalkFewPorts]),
    beside(
        "CPU per frame with 64k stations / with 10",
        VswitchdCrowded,
        &[Figure::CpuStations],
        Vswitchd,
        AtMost(1.3),
    ),
    alone("memory of a session, bytes", Subject::Core, &[Figure::SessionBytes], 300.0),
    alone("wakeups while idle, a second", Subject::System(Vswitchd), &[Figure::Wakeups], 0.0),
    alone("resident memory, MiB", Subject::System(Vswitchd), &[Figure::Resident], 30.0),
    alone("a lab of three machines is ready, ms", Subject::Lab, &[Figure::Ready], 200.0),
];

/// Of two systems, the same figures.
const fn beside(
    name: &'static str,
    ours: System,
    figures: &'static [Figure],
    theirs: System,
    limit: Limit,
) -> Requirement {
    Requirement { name, ours: Operand::of(ours, figures), theirs: By(Operand::of(theirs, figures)), limit }
}

const fn alone(name: &'static str, subject: Subject, figures: &'static [Figure], most: f64) -> Requirement {
    Requirement { name, ours: Operand { subject, figures }, theirs: Nothing, limit: AtMost(most) }
}

/// Of the core, with much to remember and with little.
const fn growth(name: &'static str, much: &'static [Figure], little: &'static [Figure]) -> Requirement {
    let (ours, theirs) = (Operand::of_core(much), By(Operand::of_core(little)));
    Requirement { name, ours, theirs, limit: AtMost(1.3) }
}

impl Requirement {
    pub(super) fn judge<'a>(&'a self, rounds: &[Round]) -> Judgement<'a> {
        let theirs = match self.theirs {
            Nothing => None,
            By(operand) | To(operand) => Some(operand),
        };
        let value = |round: &Round| {
            let ours = self.ours.value(round)?;
            match self.theirs {
                Nothing => Some(ours),
                By(operand) => Some(ours / operand.value(round)?),
                To(operand) => Some(ours - operand.value(round)?),
            }
        };
        let median = |operand: Operand| {
            let samples = Samples::new(rounds.iter().filter_map(|round| operand.value(round)))?;
            Some(samples.median() / operand.figures.len() as f64)
        };
        let samples = Samples::new(rounds.iter().filter_map(value));
        let verdict = Verdict::of(samples.as_ref(), self.limit);
        Judgement {
            requirement: self,
            ours: median(self.ours),
            theirs: theirs.and_then(median),
            samples,
            verdict,
        }
    }
}

/// What a run shows of a requirement.
pub(super) struct Judgement<'a> {
    requirement: &'a Requirement,
    /// Medians of the figures themselves; where there are several, of their mean.
    pub(super) ours: Option<f64>,
    pub(super) theirs: Option<f64>,
    /// What each round says.
    pub(super) samples: Option<Samples>,
    pub(super) verdict: Verdict,
}

impl Judgement<'_> {
    pub(super) fn name(&self) -> &'static str {
        self.requirement.name
    }

    /// Such as `≥ 0.95`.
    pub(super) fn limit(&self) -> String {
        match self.requirement.limit {
            AtLeast(limit) => format!("≥ {limit}"),
            AtMost(limit) => format!("≤ {limit}"),
        }
    }
}

/// Whether it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Short,
    Straddles,
    NotMeasured,
}

impl Verdict {
    fn of(samples: Option<&Samples>, limit: Limit) -> Self {
        let Some(samples) = samples else { return Self::NotMeasured };
        let Some([low, high]) = samples.interval() else { return Self::Straddles };
        let (met, short) = match limit {
            AtLeast(limit) => (low >= limit, high < limit),
            AtMost(limit) => (high <= limit, low > limit),
        };
        match (met, short) {
            (true, _) => Self::Met,
            (_, true) => Self::Short,
            _ => Self::Straddles,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Short => "short",
            Self::Straddles => "straddles",
            Self::NotMeasured => "not measured",
        }
    }
}

impl fmt::Display for Judgement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<f64>| value.map(short).unwrap_or_default();
        let digits = |value: f64| if value.abs() < 10.0 { format!("{value:.3}") } else { short(value) };
        let range = |[low, high]: [f64; 2]| format!("{}–{}", digits(low), digits(high));
        let (middle, quartiles, interval) = match &self.samples {
            None => Default::default(),
            Some(samples) => {
                let interval = samples.interval().map_or("too few rounds".to_owned(), range);
                (digits(samples.median()), range(samples.quartiles()), interval)
            }
        };
        write!(
            f,
            "{:<44} {:>9} {:>9} {middle:>9}  {quartiles:<15} {interval:<19} {:>8}  {}",
            self.name(),
            number(self.ours),
            number(self.theirs),
            self.limit(),
            self.verdict.name()
        )
    }
}
