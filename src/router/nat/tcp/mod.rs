//! TCP connections, followed from the middle (T1–T20).
//!
//! A [`Connection`] is what is remembered of one: its [`Phase`], what each side has sent and allowed ([`Half`]), and the
//! last segment that mattered. [`Connection::follow`] holds the next segment against it. It works on a copy: the caller
//! keeps it when the packet is committed, and drops it when it only wanted to know.
//!
//! Everything difficult here comes from one fact: the two hosts may know better. A SYN on a live connection may be an
//! attack, or a client that lost its memory; what the server answers tells. So such segments pass and are remembered
//! (`Last`), and the answer either synchronises the connection anew (T13), or ends it.

mod phase;
mod window;

pub use phase::{Kind, Phase, Step, Timeouts, is_legal, step};
use std::time::Duration;
use window::{Fit, after};

use super::tuple::Direction;
use crate::wire::tcp::Tcp;

/// How connections are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long they may be silent.
    pub timeouts: Timeouts,
    /// Whether a segment in the middle of an unknown connection starts following it (T6; `tcp_loose`).
    pub loose: bool,
    /// Whether sequence numbers out of the window are tolerated (T9; `tcp_be_liberal`).
    pub liberal: bool,
    /// After how many retransmissions a connection is given less time (T3; `tcp_max_retrans`).
    pub retransmissions_max: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timeouts: Timeouts::default(), loose: true, liberal: false, retransmissions_max: 3 }
    }
}

/// What is remembered of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Half {
    /// Behind the last it has sent.
    end: u32,
    /// Behind the last it may send.
    max_end: u32,
    /// The largest window it has offered; zero: nothing was seen of it.
    max_window: u32,
    /// The furthest it has acknowledged.
    max_ack: u32,
    /// By how many bits its windows are shifted.
    scale: u8,
    flags: u8,
}

impl Half {
    /// It scales its windows.
    const SCALES: u8 = 1;
    /// It takes selective acknowledgements.
    const SACK: u8 = 2;
    /// It closed first.
    const CLOSED_FIRST: u8 = 4;
    /// Its numbers are not to be held against it.
    const LIBERAL: u8 = 8;
    /// Some of what it has sent is not acknowledged.
    const UNACKNOWLEDGED: u8 = 16;
    /// `max_ack` counts.
    const ACKED: u8 = 32;

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The last segment that mattered, and how the SYN among them differed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    seq: u32,
    ack: u32,
    end: u32,
    window: u32,
    kind: Kind,
    direction: Direction,
    /// What a SYN in doubt negotiated.
    scale: u8,
    flags: u8,
    /// A SYN came when only the last ACK was missing: an ACK may be a challenge to it (T14).
    challenge: bool,
    /// Both sides opened (T15).
    simultaneous: bool,
}

/// What is remembered of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    halves: [Half; 2],
    last: Last,
    retransmissions: u8,
    phase: Phase,
}

/// What the session knows beside the connection.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Which way the segment goes.
    pub direction: Direction,
    /// A reply was seen, before this segment.
    pub replied: bool,
    /// The session is assured.
    pub assured: bool,
    /// How long the session would still live.
    pub remaining: Duration,
}

/// What is to become of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The segment passes. With a timeout, the session lives that long from now; without, as long as before.
    Accept {
        /// How long, if that changes.
        timeout: Option<Duration>,
        /// The session is assured from now on (T5).
        assured: bool,
    },
    /// The segment passes, and the session ends with it (T11).
    End,
    /// The segment is of no connection. The session may have to live shorter all the same (T17).
    Invalid {
        /// How long, if that changes.
        timeout: Option<Duration>,
    },
    /// The segment opens a connection anew; the session is of the old one, and over (T12).
    Reopen,
}

const PASS: Outcome = Outcome::Accept { timeout: None, assured: false };
const INVALID: Outcome = Outcome::Invalid { timeout: None };

impl Connection {
    /// The connection that a first segment is of, before it is followed; None if such a segment starts none (T6).
    pub fn start(tcp: &Tcp<'_>, settings: &Settings) -> Option<Self> {
        let last = Last {
            seq: 0,
            ack: 0,
            end: 0,
            window: 0,
            kind: Kind::None,
            direction: Direction::Original,
            scale: 0,
            flags: 0,
            challenge: false,
            simultaneous: false,
        };
        let mut connection =
            Self { halves: [Half::default(); 2], last, retransmissions: 0, phase: Phase::None };
        let [opener, other] = &mut connection.halves;
        match step(Direction::Original, Kind::of(tcp), Phase::None) {
            Step::To(Phase::SynSent) => opener.open(other, Direction::Original, tcp),
            Step::To(_) if settings.loose => {
                opener.end = tcp.end();
                opener.max_window = u32::from(tcp.window).max(1);
                opener.max_end = opener.end.wrapping_add(opener.max_window);
                // whether windows are scaled was said before
                opener.flags = Half::SACK | Half::LIBERAL;
                other.flags = Half::SACK | Half::LIBERAL;
            }
            _ => return None,
        }
        Some(connection)
    }

    /// Where the connection is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How far the opener has sent: what a later connection has to be beyond (P6).
    pub fn end(&self) -> u32 {
        self.halves[0].end
    }

    /// Whether `self` is beyond `older`, and hence not to be taken for it (P6).
    pub fn is_beyond(&self, older: &Self) -> bool {
        after(self.end(), older.end())
    }

    /// Holds a segment with legal flags against the connection, and moves it on.
    pub fn follow(&mut self, tcp: &Tcp<'_>, context: &Context, settings: &Settings) -> Outcome {
        let Context { direction, .. } = *context;
        let (kind, mut old) = (Kind::of(tcp), self.phase);
        let mut new = match step(direction, kind, old) {
            Step::Invalid => return INVALID,
            Step::Ignore => match self.doubt(tcp, direction) {
                Some(()) => {
                    old = Phase::SynSent;
                    Phase::SynRecv
                }
                None => return PASS,
            },
            Step::To(Phase::SynSent) if matches!(old, Phase::TimeWait | Phase::Close) => {
                if self.is_over(direction) {
                    return Outcome::Reopen;
                }
                self.note(tcp, direction);
                return PASS;
            }
            Step::To(phase) => phase,
        };
        let mut skip_window = false;
        match (new, kind) {
            (Phase::TimeWait, Kind::Ack) if old == Phase::LastAck && self.is_challenge(direction) => {
                self.last.challenge = false;
                return PASS;
            }
            (Phase::SynSent2, _) => self.last.simultaneous = true,
            (Phase::SynRecv, Kind::Ack) if direction == Direction::Reply && self.last.simultaneous => {
                new = Phase::Established;
            }
            (Phase::Close, Kind::Rst) => match self.judge_reset(tcp, context) {
                Reset::Forged => return INVALID,
                Reset::Inexact => new = old,
                Reset::Fits => {}
                Reset::Sure => skip_window = true,
            },
            _ => {}
        }
        if !skip_window {
            match window::check(self, direction, tcp, settings.liberal) {
                Fit::Fits => {}
                Fit::Ignore => return PASS,
                Fit::Invalid => return Outcome::Invalid { timeout: self.refused(kind, context, settings) },
            }
        }
        (self.last.kind, self.last.direction, self.phase) = (kind, direction, new);
        if old != new && new == Phase::FinWait {
            self.halves(direction).0.flags |= Half::CLOSED_FIRST;
        }
        self.accepted(kind, old, context, settings)
    }

    /// A segment that may be of a connection out of step: remembers it. Some if it answers a SYN that was remembered,
    /// so that now the connection is what both hosts think it is (T13).
    fn doubt(&mut self, tcp: &Tcp<'_>, direction: Direction) -> Option<()> {
        let (kind, last) = (Kind::of(tcp), self.last);
        let answers = kind == Kind::SynAck
            && last.kind == Kind::Syn
            && last.direction != direction
            && tcp.ack == last.end;
        if answers {
            let (sender, receiver) = self.halves(direction);
            // what was picked up stays as liberal as it was
            *sender = Half { flags: sender.flags & Half::LIBERAL, ..Half::default() };
            *receiver = Half {
                end: last.end,
                max_end: last.end,
                max_window: last.window.max(1),
                max_ack: receiver.max_ack,
                scale: last.scale,
                flags: last.flags,
            };
            self.last.challenge = false;
            return Some(());
        }
        self.note(tcp, direction);
        None
    }

    fn note(&mut self, tcp: &Tcp<'_>, direction: Direction) {
        let kind = Kind::of(tcp);
        let last = &mut self.last;
        (last.kind, last.direction) = (kind, direction);
        (last.seq, last.end, last.window) = (tcp.seq, tcp.end(), u32::from(tcp.window));
        if kind == Kind::Syn && direction == Direction::Original {
            let mut half = Half::default();
            half.read_options(tcp);
            (last.scale, last.flags) = (half.scale, half.flags);
            (last.challenge, last.simultaneous) = (self.phase == Phase::LastAck, false);
        }
        if self.phase == Phase::SynSent && kind == Kind::Ack && direction == Direction::Reply {
            last.ack = tcp.ack;
        }
    }

    /// Whether a SYN from that side means that it has forgotten the connection: somebody closed it, or it reset it.
    fn is_over(&self, direction: Direction) -> bool {
        let closed = self.halves.iter().any(|half| half.has(Half::CLOSED_FIRST));
        closed || (self.last.direction == direction && self.last.kind == Kind::Rst)
    }

    /// Whether an ACK answers a SYN rather than the last FIN (T14, RFC 5961 §4).
    fn is_challenge(&self, direction: Direction) -> bool {
        self.last.challenge && self.last.kind == Kind::Syn && self.last.direction != direction
    }

    fn judge_reset(&self, tcp: &Tcp<'_>, context: &Context) -> Reset {
        let Context { direction, replied, assured, .. } = *context;
        let (last, peer) = (self.last, &self.halves[direction.other() as usize]);
        if self.phase.is_closing() {
            return Reset::Sure;
        }
        let established = self.phase == Phase::Established && assured;
        let mut verdict = Reset::Fits;
        if peer.has(Half::ACKED) && last.kind != Kind::Syn {
            if tcp.seq == 0 && !established {
                return Reset::Fits;
            }
            if after(peer.max_ack, tcp.seq) {
                return Reset::Forged;
            }
            // behind data of the same side, in one train
            let follows = last.kind == Kind::Ack && last.direction == direction && tcp.seq == last.end;
            if !established || tcp.seq == peer.max_ack || follows {
                return Reset::Fits;
            }
            verdict = Reset::Inexact;
        }
        let again = replied && last.kind == Kind::Syn && last.direction != direction;
        let doubtful = again || (!assured && last.kind == Kind::Ack);
        let challenged = self.phase == Phase::SynSent
            && last.kind == Kind::Ack
            && last.direction == Direction::Reply
            && tcp.seq == last.ack;
        // after "inexact" neither can hold: that takes an assured connection that is established
        match (doubtful && tcp.ack == last.end) || challenged {
            true => Reset::Sure,
            false => verdict,
        }
    }

    /// A segment did not fit. When both sides try to end a connection with numbers that do not fit, it is dead, and need
    /// not be kept for days (T17).
    fn refused(&mut self, kind: Kind, context: &Context, settings: &Settings) -> Option<Duration> {
        const ENOUGH: Duration = Duration::from_secs(120);
        if !context.assured || !matches!(kind, Kind::Rst | Kind::Fin) {
            return None;
        }
        let last = &mut self.last;
        if last.direction != context.direction && matches!(last.kind, Kind::Rst | Kind::Fin) {
            let shorter = settings.timeouts.unacknowledged;
            return (context.remaining >= ENOUGH && context.remaining > shorter).then_some(shorter);
        }
        (last.kind, last.direction) = (kind, context.direction);
        None
    }

    /// A segment fitted: how long the session lives now.
    fn accepted(&self, kind: Kind, old: Phase, context: &Context, settings: &Settings) -> Outcome {
        let timeouts = &settings.timeouts;
        let usual = timeouts.of(self.phase);
        let unacknowledged = self.halves.iter().any(|half| half.has(Half::UNACKNOWLEDGED));
        let repeated = self.retransmissions >= settings.retransmissions_max;
        let mut timeout = if repeated && usual > timeouts.retransmission {
            timeouts.retransmission
        } else if kind == Kind::Rst {
            timeouts.close
        } else if unacknowledged {
            usual.min(timeouts.unacknowledged)
        } else if self.last.window == 0 {
            usual.min(timeouts.retransmission)
        } else {
            usual
        };
        let mut assured = false;
        if !context.replied {
            if kind == Kind::Rst {
                return Outcome::End;
            }
            // T4: or a client that tries for ever would keep it for ever
            if kind == Kind::Syn && old == Phase::SynSent {
                return PASS;
            }
            if self.phase == Phase::Established {
                timeout = timeout.min(timeouts.unacknowledged);
            }
        } else {
            assured = matches!(old, Phase::SynRecv | Phase::Established) && self.phase == Phase::Established;
        }
        Outcome::Accept { timeout: Some(timeout), assured }
    }

    /// Sender and receiver of what goes that way.
    fn halves(&mut self, direction: Direction) -> (&mut Half, &mut Half) {
        let [original, reply] = &mut self.halves;
        match direction {
            Direction::Original => (original, reply),
            Direction::Reply => (reply, original),
        }
    }
}

/// What is to be thought of a RST (T10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reset {
    /// As good as any other segment: the window decides.
    Fits,
    /// Before what its receiver has acknowledged already: somebody guessed.
    Forged,
    /// Not the number that its receiver expects: it will be challenged (RFC 5961 §3), so the connection lives.
    Inexact,
    /// Whatever its number.
    Sure,
}

#[cfg(test)]
mod tests;
