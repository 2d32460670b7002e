//! The names of everything that is measured, and where what was measured is kept.

use std::collections::BTreeMap;

use crate::systems::System;

/// One thing that can be said of a subject with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    Tcp,
    Tcp4,
    TcpIn,
    Tcp4In,
    Calls,
    CallsIn,
    Rtt,
    Rtt99,
    RttOneCpu,
    Loss,
    CpuTcp,
    CpuCall,
    CpuFlood,
    CpuPaced,
    CpuStations,
    Wakeups,
    CpuIdle,
    Resident,
    Start,
    Ready,
    Walk,
    WalkStations,
    WalkFewPorts,
    WalkPorts,
    WalkSession,
    WalkSessions,
    WalkNewSession,
    SessionBytes,
    Allocations,
}

impl Figure {
    /// What the tables show, in their order.
    pub(crate) const ALL: [Self; 29] = [
        Self::Tcp,
        Self::Tcp4,
        Self::TcpIn,
        Self::Tcp4In,
        Self::Calls,
        Self::CallsIn,
        Self::Rtt,
        Self::Rtt99,
        Self::RttOneCpu,
        Self::Loss,
        Self::CpuTcp,
        Self::CpuCall,
        Self::CpuFlood,
        Self::CpuPaced,
        Self::CpuStations,
        Self::Wakeups,
        Self::CpuIdle,
        Self::Resident,
        Self::Start,
        Self::Ready,
        Self::Walk,
        Self::WalkStations,
        Self::WalkFewPorts,
        Self::WalkPorts,
        Self::WalkSession,
        Self::WalkSessions,
        Self::WalkNewSession,
        Self::SessionBytes,
        Self::Allocations,
    ];

    /// With its unit at the end. `in` is from B to A: from the LAN to the guest, where there is a gateway.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP Gbit/s",
            Self::Tcp4 => "TCP ×4 Gbit/s",
            Self::TcpIn => "TCP in Gbit/s",
            Self::Tcp4In => "TCP ×4 in Gbit/s",
            Self::Calls => "calls /s",
            Self::CallsIn => "calls in /s",
            Self::Rtt => "RTT µs",
            Self::Rtt99 => "RTT p99 µs",
            Self::RttOneCpu => "RTT 1 CPU µs",
            Self::Loss => "UDP loss %",
            Self::CpuTcp => "CPU µs/Mbit",
            Self::CpuCall => "CPU µs/call",
            Self::CpuFlood => "CPU flood ns/frame",
            Self::CpuPaced => "CPU paced ns/frame",
            Self::CpuStations => "CPU stations ns/frame",
            Self::Wakeups => "idle wakeups /s",
            Self::CpuIdle => "idle CPU µs/s",
            Self::Resident => "RSS MiB",
            Self::Start => "start ms",
            Self::Ready => "3 machines ready ms",
            Self::Walk => "bridge, 10 stations, 8 ports ns/frame",
            Self::WalkStations => "bridge, 64k stations ns/frame",
            Self::WalkFewPorts => "bridge, 256 stations, 10 ports ns/frame",
            Self::WalkPorts => "bridge, 256 stations, 256 ports ns/frame",
            Self::WalkSession => "NAT, 10 sessions ns/frame",
            Self::WalkSessions => "NAT, 1M sessions ns/frame",
            Self::WalkNewSession => "NAT, new session ns/frame",
            Self::SessionBytes => "NAT, memory B/session",
            Self::Allocations => "allocations /1M steady frames",
        }
    }

    /// Whether a ratio of two systems says anything: not of what is nothing, or next to it.
    pub(crate) fn has_ratio(self) -> bool {
        !matches!(self, Self::Loss | Self::Wakeups | Self::CpuIdle | Self::Start | Self::Ready)
    }
}

/// Whom a figure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A running system between two machines.
    System(System),
    /// The core by itself, in the bench's process.
    Core,
    /// A lab of three machines, from nothing until it is ready.
    Lab,
    /// The same three machines on a Linux bridge, from a script of `ip` commands.
    Script,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System(system) => system.name(),
            Self::Core => "vswitchd core, in process",
            Self::Lab => "vswitchd lab",
            Self::Script => "Linux bridge, ip script",
        }
    }
}

/// What one round yields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round(BTreeMap<(Subject, Figure), Mean>);

/// Of the slices of one round.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Round {
    /// Adds what a slice yielded; of several in a round the mean is taken.
    pub(crate) fn add(&mut self, subject: Subject, figure: Figure, value: f64) {
        let mean = self.0.entry((subject, figure)).or_default();
        mean.sum += value;
        mean.count += 1;
    }

    pub(crate) fn get(&self, subject: Subject, figure: Figure) -> Option<f64> {
        self.0.get(&(subject, figure)).map(|mean| mean.sum / f64::from(mean.count))
    }
}
