//! The phases of a TCP connection as somebody in its middle sees them, and the steps between them (T1, T2).
//!
//! The kernel has a table of 2 × 6 × 10 cells (`tcp_conntracks` in net/netfilter/nf_conntrack_proto_tcp.c). Here it is a
//! function that says it by the kind of segment: most kinds do the same thing in both directions, and the exceptions are
//! what is worth reading. Who may open, and who may still be heard after a connection was reset, is all in here; whether
//! the sequence numbers fit is in [`super::window`].

use std::time::Duration;

use crate::router::nat::tuple::Direction;
use crate::wire::tcp::{Flags, Tcp};

/// Where a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// No packet was seen.
    #[default]
    None,
    /// SYN seen.
    SynSent,
    /// SYN and ACK seen.
    SynRecv,
    /// The handshake is complete.
    Established,
    /// One side has sent its FIN.
    FinWait,
    /// Which was acknowledged.
    CloseWait,
    /// Both have sent their FIN.
    LastAck,
    /// Both were acknowledged.
    TimeWait,
    /// It was reset.
    Close,
    /// Both sides have sent a SYN: a simultaneous open (T15).
    SynSent2,
}

impl Phase {
    /// The name in /proc/net/nf_conntrack.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::Established => "ESTABLISHED",
            Self::FinWait => "FIN_WAIT",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::SynSent2 => "SYN_SENT2",
        }
    }

    /// Whether it is on its way out: at least one side has closed. Such connections go first when there is no room.
    pub const fn is_closing(self) -> bool {
        matches!(self, Self::FinWait | Self::CloseWait | Self::LastAck | Self::TimeWait | Self::Close)
    }
}

/// What a segment is, of which only the first that fits counts: RST, SYN with ACK, SYN, FIN, ACK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Acknowledges, and nothing else.
    Ack,
    /// Closes.
    Fin,
    /// None of these.
    #[default]
    None,
    /// Resets.
    Rst,
    /// Opens.
    Syn,
    /// Answers an opening.
    SynAck,
}

impl Kind {
    /// The kind of that segment.
    pub const fn of(tcp: &Tcp<'_>) -> Self {
        if tcp.has(Flags::RST) {
            Self::Rst
        } else if tcp.has(Flags::SYN | Flags::ACK) {
            Self::SynAck
        } else if tcp.has(Flags::SYN) {
            Self::Syn
        } else if tcp.has(Flags::FIN) {
            Self::Fin
        } else if tcp.has(Flags::ACK) {
            Self::Ack
        } else {
            Self::None
        }
    }
}

/// Whether some sound TCP sends that combination of flags (T1). PSH, ECE and CWR go with anything.
pub const fn is_legal(flags: Flags) -> bool {
    const FREE: u8 = Flags::PSH | Flags::ECE | Flags::CWR;
    const URGENT_SYN: u8 = Flags::SYN | Flags::URG;
    const SYN_ACK: u8 = Flags::SYN | Flags::ACK;
    const RST_ACK: u8 = Flags::RST | Flags::ACK;
    const FIN_ACK: u8 = Flags::FIN | Flags::ACK;
    const URGENT_FIN: u8 = FIN_ACK | Flags::URG;
    const URGENT: u8 = Flags::ACK | Flags::URG;
    matches!(
        flags.0 & !FREE,
        Flags::SYN | URGENT_SYN | SYN_ACK | Flags::RST | RST_ACK | FIN_ACK | URGENT_FIN | Flags::ACK | URGENT
    )
}

/// What a segment of some kind does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It may be of a connection that is out of step with what was seen: it passes, and changes nothing yet.
    Ignore,
    /// Nobody sends this now.
    Invalid,
    /// The connection is there now.
    To(Phase),
}

/// What a segment does to a connection in that phase.
pub const fn step(direction: Direction, kind: Kind, phase: Phase) -> Step {
    use Direction::{Original, Reply};
    use Phase::{Close, CloseWait, Established, FinWait, LastAck, SynRecv, SynSent, SynSent2, TimeWait};
    let to = match (kind, direction, phase) {
        (Kind::None, _, _) => return Step::Invalid,
        (Kind::Rst, _, Phase::None) => return Step::Invalid,
        (Kind::Rst, _, _) => Close,

        // the opener may open, again after the end (T12), and be in doubt at any other time (T13)
        (Kind::Syn, Original, Phase::None | SynSent | TimeWait | Close) => SynSent,
        (Kind::Syn, Original, SynSent2) => SynSent2,
        (Kind::Syn, Original, _) => return Step::Ignore,
        // the other side may open at the same time (T15), or the other way round after the end
        (Kind::Syn, Reply, SynSent | SynSent2) => SynSent2,
        (Kind::Syn, Reply, TimeWait) => SynSent,
        (Kind::Syn, Reply, _) => return Step::Invalid,

        // the opener answers an opening only if both have opened
        (Kind::SynAck, Original, SynRecv | SynSent2) => SynRecv,
        (Kind::SynAck, Original, _) | (Kind::SynAck, Reply, Phase::None) => return Step::Invalid,
        (Kind::SynAck, Reply, SynSent | SynSent2) => SynRecv,
        (Kind::SynAck, Reply, _) => return Step::Ignore,

        // both sides close alike (T16)
        (Kind::Fin, _, Phase::None | SynSent | SynSent2) => return Step::Invalid,
        (Kind::Fin, _, SynRecv | Established) => FinWait,
        (Kind::Fin, _, FinWait | CloseWait | LastAck) => LastAck,
        (Kind::Fin, _, TimeWait) => TimeWait,
        (Kind::Fin, _, Close) => Close,

        // an acknowledgement of nothing known starts in the middle (T6), one of a SYN is a challenge (T14)
        (Kind::Ack, Original, Phase::None) => Established,
        (Kind::Ack, Original, SynSent | SynSent2) | (Kind::Ack, Reply, Phase::None) => return Step::Invalid,
        (Kind::Ack, Reply, SynSent | SynSent2) => return Step::Ignore,
        (Kind::Ack, Original, SynRecv) => Established,
        (Kind::Ack, Reply, SynRecv) => SynRecv,
        (Kind::Ack, _, Established) => Established,
        (Kind::Ack, _, FinWait | CloseWait) => CloseWait,
        (Kind::Ack, _, LastAck | TimeWait) => TimeWait,
        (Kind::Ack, _, Close) => Close,
    };
    Step::To(to)
}

/// How long a connection may be silent, by phase (T2, T3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// 120 s.
    pub syn_sent: Duration,
    /// 60 s.
    pub syn_recv: Duration,
    /// Five days.
    pub established: Duration,
    /// 120 s.
    pub fin_wait: Duration,
    /// 60 s.
    pub close_wait: Duration,
    /// 30 s.
    pub last_ack: Duration,
    /// 120 s.
    pub time_wait: Duration,
    /// 10 s.
    pub close: Duration,
    /// 120 s.
    pub syn_sent2: Duration,
    /// No more than this after many retransmissions, or into a closed window: 300 s.
    pub retransmission: Duration,
    /// No more than this while data is not acknowledged: 300 s.
    pub unacknowledged: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            syn_sent: Duration::from_secs(120),
            syn_recv: Duration::from_secs(60),
            established: Duration::from_secs(432_000),
            fin_wait: Duration::from_secs(120),
            close_wait: Duration::from_secs(60),
            last_ack: Duration::from_secs(30),
            time_wait: Duration::from_secs(120),
            close: Duration::from_secs(10),
            syn_sent2: Duration::from_secs(120),
            retransmission: Duration::from_secs(300),
            unacknowledged: Duration::from_secs(300),
        }
    }
}

impl Timeouts {
    /// That of a phase.
    pub const fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::None | Phase::SynSent => self.syn_sent,
            Phase::SynRecv => self.syn_recv,
            Phase::Established => self.established,
            Phase::FinWait => self.fin_wait,
            Phase::CloseWait => self.close_wait,
            Phase::LastAck => self.last_ack,
            Phase::TimeWait => self.time_wait,
            Phase::Close => self.close,
            Phase::SynSent2 => self.syn_sent2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every cell: a row per kind and direction, a column per phase in the order of the enum.
    #[test]
    fn every_step_of_the_kernel() {
        use Phase::{
            Close as Cl, CloseWait as Cw, Established as Es, FinWait as Fw, LastAck as La, None as No,
            SynRecv as Sr, SynSent as Ss, SynSent2 as S2, TimeWait as Tw,
        };
        use Step::{Ignore as Ig, Invalid as Iv, To};
        const PHASES: [Phase; 10] = [No, Ss, Sr, Es, Fw, Cw, La, Tw, Cl, S2];
        let fin = [Iv, Iv, To(Fw), To(Fw), To(La), To(La), To(La), To(Tw), To(Cl), Iv];
        let rst = [Iv, To(Cl), To(Cl), To(Cl), To(Cl), To(Cl), To(Cl), To(Cl), To(Cl), To(Cl)];
        let table: &[(Direction, Kind, [Step; 10], &str)] = &[
            (
                Direction::Original,
                Kind::Syn,
                [To(Ss), To(Ss), Ig, Ig, Ig, Ig, Ig, To(Ss), To(Ss), To(S2)],
                "T12, T13: opens; in between it is in doubt",
            ),
            (
                Direction::Original,
                Kind::SynAck,
                [Iv, Iv, To(Sr), Iv, Iv, Iv, Iv, Iv, Iv, To(Sr)],
                "T6, T15: only in a simultaneous open",
            ),
            (Direction::Original, Kind::Fin, fin, "T16"),
            (
                Direction::Original,
                Kind::Ack,
                [To(Es), Iv, To(Es), To(Es), To(Cw), To(Cw), To(Tw), To(Tw), To(Cl), Iv],
                "T6, T16",
            ),
            (Direction::Original, Kind::Rst, rst, "T6, T10"),
            (Direction::Original, Kind::None, [Iv; 10], "T18"),
            (
                Direction::Reply,
                Kind::Syn,
                [Iv, To(S2), Iv, Iv, Iv, Iv, Iv, To(Ss), Iv, To(S2)],
                "T15: opens only at the same time or after the end",
            ),
            (
                Direction::Reply,
                Kind::SynAck,
                [Iv, To(Sr), Ig, Ig, Ig, Ig, Ig, Ig, Ig, To(Sr)],
                "T13: may answer a SYN that was in doubt",
            ),
            (Direction::Reply, Kind::Fin, fin, "T16: as the other side"),
            (
                Direction::Reply,
                Kind::Ack,
                [Iv, Ig, To(Sr), To(Es), To(Cw), To(Cw), To(Tw), To(Tw), To(Cl), Ig],
                "T14: a challenge is in doubt",
            ),
            (Direction::Reply, Kind::Rst, rst, "T10, T11"),
            (Direction::Reply, Kind::None, [Iv; 10], "T18"),
        ];
        for (direction, kind, row, why) in table {
            for (phase, expected) in PHASES.into_iter().zip(row) {
                assert_eq!(
                    step(*direction, *kind, phase),
                    *expected,
                    "{direction:?} {kind:?} {phase:?}: {why}"
                );
            }
        }
    }

    #[test]
    fn nine_combinations_of_flags_are_legal() {
        let legal: Vec<u8> =
            (0..64).filter(|flags| is_legal(Flags(*flags)) && flags & Flags::PSH == 0).collect();
        assert_eq!(legal, [0x02, 0x04, 0x10, 0x11, 0x12, 0x14, 0x22, 0x30, 0x31], "T1");
        assert!(is_legal(Flags(0x02 | 0xc8)), "T1: PSH, ECE and CWR go with anything");
        assert!(!is_legal(Flags(0)) && !is_legal(Flags(0x29)), "T18: NULL and XMAS");
    }

    #[test]
    fn timeouts_are_those_of_the_kernel() {
        let timeouts = Timeouts::default();
        let of = |phase| timeouts.of(phase).as_secs();
        use Phase::{Close, CloseWait, Established, FinWait, LastAck, SynRecv, SynSent, SynSent2, TimeWait};
        let phases = [SynSent, SynRecv, Established, FinWait, CloseWait, LastAck, TimeWait, Close, SynSent2];
        assert_eq!(phases.map(of), [120, 60, 432_000, 120, 60, 30, 120, 10, 120], "T2");
    }
}
