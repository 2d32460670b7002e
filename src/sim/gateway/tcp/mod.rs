//! The TCP tracker once more (T1 to T20), straight from the numbers.

mod segment;
mod window;

use std::time::Duration;

use self::segment::Kind;
pub(super) use self::segment::Segment;
use self::window::{Fit, Side, is_before};

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    None,
    SynSent,
    SynRecv,
    Established,
    FinWait,
    CloseWait,
    LastAck,
    TimeWait,
    Close,
    SynSent2,
}

/// What a segment does to a state.
enum Next {
    Ignore,
    Invalid,
    To(State),
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is of the connection; from now on it has so long, if that changes.
    Accept { timeout: Option<Duration>, assure: bool },
    /// It passes, and nothing is known of it.
    Ignore,
    /// It is of no connection; the connection has at most that long from now on.
    Invalid { at_most: Option<Duration> },
    /// It passes, and the connection is over (T11).
    Kill,
    /// The connection is over, and the segment starts another (T12).
    Repeat,
}

/// The last segment that counted, or was let through.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    kind: Option<Kind>,
    reply: bool,
    seq: u32,
    ack: u32,
    end: u32,
    window: u16,
    scale: Option<u8>,
    sack: bool,
    challenge: bool,
    simultaneous: bool,
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) state: State,
    sides: [Side; 2],
    last: Last,
    retransmissions: u32,
}

/// What the flow knows beside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) reply: bool,
    pub(super) replied: bool,
    pub(super) assured: bool,
    pub(super) remaining: Duration,
    pub(super) liberal: bool,
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// T2.
pub(super) const fn timeout(state: State) -> Duration {
    match state {
        State::SynSent | State::SynSent2 | State::FinWait | State::TimeWait => secs(120),
        State::SynRecv | State::CloseWait => secs(60),
        State::Established => secs(432_000),
        State::LastAck => secs(30),
        State::Close | State::None => secs(10),
    }
}

const RETRANS: Duration = secs(300);
const UNACK: Duration = secs(300);

impl State {
    pub(super) const fn name(self) -> &'static str {
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
}

fn next(kind: Kind, reply: bool, state: State) -> Next {
    use State::{
        Close, CloseWait, Established, FinWait, LastAck, None, SynRecv, SynSent, SynSent2, TimeWait,
    };
    match (kind, reply, state) {
        (Kind::Syn, false, None | SynSent | TimeWait | Close) => Next::To(SynSent),
        (Kind::Syn, false, SynSent2) => Next::To(SynSent2),
        (Kind::Syn, false, _) => Next::Ignore,
        (_, true, None) => Next::Invalid,
        (Kind::Syn, true, SynSent | SynSent2) => Next::To(SynSent2),
        (Kind::Syn, true, TimeWait) => Next::To(SynSent),
        (Kind::Syn, true, _) => Next::Invalid,
        (Kind::SynAck, false, SynRecv | SynSent2) => Next::To(SynRecv),
        (Kind::SynAck, false, _) => Next::Invalid,
        (Kind::SynAck, true, SynSent | SynSent2) => Next::To(SynRecv),
        (Kind::SynAck, true, _) => Next::Ignore,
        (Kind::Fin, _, None | SynSent | SynSent2) => Next::Invalid,
        (Kind::Fin, _, SynRecv | Established) => Next::To(FinWait),
        (Kind::Fin, _, FinWait | CloseWait | LastAck) => Next::To(LastAck),
        (Kind::Ack, true, SynSent | SynSent2) => Next::Ignore,
        (Kind::Ack, true, SynRecv) => Next::To(SynRecv),
        (Kind::Ack, false, SynSent | SynSent2) => Next::Invalid,
        (Kind::Ack, _, None | SynRecv | Established) => Next::To(Established),
        (Kind::Ack, _, FinWait | CloseWait) => Next::To(CloseWait),
        (Kind::Ack, _, LastAck) => Next::To(TimeWait),
        (Kind::Ack | Kind::Fin, _, TimeWait | Close) => Next::To(state),
        (Kind::Rst, _, None) => Next::Invalid,
        (Kind::Rst, ..) => Next::To(Close),
    }
}

impl Connection {
    /// What a first segment starts, before it is followed like any other (T6).
    pub(super) fn start(segment: &Segment, loose: bool) -> Option<Self> {
        let mut first = Side::default();
        let mut second = Side::default();
        match segment.kind {
            Kind::Syn => first.announce(segment),
            Kind::Ack if loose => {
                first.end = segment.end;
                first.maxwin = u32::from(segment.window).max(1);
                first.maxend = first.end.wrapping_add(first.maxwin);
                (first.sack, first.liberal) = (true, true);
                (second.sack, second.liberal) = (true, true);
            }
            _ => return None,
        }
        Some(Self { state: State::None, sides: [first, second], last: Last::default(), retransmissions: 0 })
    }

    pub(super) fn follow(&mut self, segment: &Segment, known: &Known) -> Outcome {
        let reply = known.reply;
        let mut before = self.state;
        let mut after_it = match next(segment.kind, reply, before) {
            Next::Invalid => return Outcome::Invalid { at_most: None },
            Next::Ignore => State::None,
            Next::To(state) => state,
        };
        let reopens = after_it == State::SynSent && matches!(before, State::TimeWait | State::Close);
        if reopens {
            // T12
            let closed_here = self.sides.iter().any(|side| side.closed_first);
            let reset_here = self.last.reply == reply && self.last.kind == Some(Kind::Rst);
            if closed_here || reset_here {
                return Outcome::Repeat;
            }
        }
        let mut looks = true;
        if after_it == State::None || reopens {
            // T13: the answer to a SYN that was let through
            let answers = segment.kind == Kind::SynAck
                && self.last.kind == Some(Kind::Syn)
                && self.last.reply != reply
                && segment.ack_field == self.last.end;
            if !answers {
                self.note(segment, reply);
                return Outcome::Ignore;
            }
            let Last { end, window, scale, sack, reply: theirs, .. } = self.last;
            before = State::SynSent;
            after_it = State::SynRecv;
            self.last.challenge = false;
            self.sides[usize::from(theirs)] = Side {
                end,
                maxend: end,
                maxwin: u32::from(window).max(1),
                maxack: None,
                scale: scale.unwrap_or(0),
                scales: scale.is_some(),
                sack,
                ..Side::default()
            };
            // what was picked up stays liberal (T6)
            let liberal = self.sides[usize::from(reply)].liberal;
            self.sides[usize::from(reply)] = Side { liberal, ..Side::default() };
        }
        match after_it {
            // T14
            State::TimeWait
                if before == State::LastAck
                    && self.last.reply != reply
                    && self.last.kind == Some(Kind::Syn)
                    && self.last.challenge =>
            {
                self.last.challenge = false;
                return Outcome::Ignore;
            }
            State::SynSent2 => self.last.simultaneous = true,
            // T15
            State::SynRecv if reply && segment.kind == Kind::Ack && self.last.simultaneous => {
                after_it = State::Established;
            }
            State::Close if segment.kind == Kind::Rst => match self.reset(segment, reply, before, known) {
                Reset::Invalid => return Outcome::Invalid { at_most: None },
                Reset::Keep => after_it = before,
                Reset::Closes { checked } => looks = !checked,
            },
            _ => {}
        }
        if looks {
            match self.window(segment, reply, known.liberal) {
                Fit::Yes => {}
                Fit::Ignore => return Outcome::Ignore,
                Fit::Invalid => return self.misfit(segment.kind, known),
            }
        }
        self.last.kind = Some(segment.kind);
        self.last.reply = reply;
        self.state = after_it;
        if before != after_it && after_it == State::FinWait {
            self.sides[usize::from(reply)].closed_first = true;
        }
        self.patience(segment.kind, before, after_it, known)
    }

    /// How long the connection has from now on.
    fn patience(&self, kind: Kind, before: State, now: State, known: &Known) -> Outcome {
        let usual = timeout(now);
        let waits = self.sides.iter().any(|side| side.unacknowledged);
        let mut patience = if self.retransmissions >= 3 && usual > RETRANS {
            RETRANS
        } else if kind == Kind::Rst {
            timeout(State::Close)
        } else if waits && usual > UNACK {
            UNACK
        } else if self.last.window == 0 && usual > RETRANS {
            RETRANS
        } else {
            usual
        };
        let mut assure = false;
        if !known.replied {
            if kind == Kind::Rst {
                return Outcome::Kill;
            }
            // T4
            if kind == Kind::Syn && before == State::SynSent {
                return Outcome::Accept { timeout: None, assure: false };
            }
            if now == State::Established && patience > UNACK {
                patience = UNACK;
            }
        } else if !known.assured
            && matches!(before, State::SynRecv | State::Established)
            && now == State::Established
        {
            assure = true;
        }
        Outcome::Accept { timeout: Some(patience), assure }
    }

    /// Remembers a segment that is let through without being understood.
    fn note(&mut self, segment: &Segment, reply: bool) {
        let last = &mut self.last;
        (last.kind, last.reply) = (Some(segment.kind), reply);
        (last.seq, last.end, last.window) = (segment.seq, segment.end, segment.window);
        if segment.kind == Kind::Syn && !reply {
            (last.scale, last.sack) = segment.handshake();
            last.simultaneous = false;
            last.challenge = self.state == State::LastAck;
        }
        if self.state == State::SynSent && segment.kind == Kind::Ack && reply {
            last.ack = segment.ack_field;
        }
    }

    /// T10, T13.
    fn reset(&self, segment: &Segment, reply: bool, before: State, known: &Known) -> Reset {
        use State::{Close, CloseWait, Established, FinWait, LastAck, SynSent, TimeWait};
        if matches!(before, FinWait | CloseWait | LastAck | TimeWait | Close) {
            return Reset::Closes { checked: true };
        }
        let established = known.assured && before == Established;
        let last = &self.last;
        let mut keep = false;
        if let Some(expected) = self.sides[usize::from(!reply)].maxack
            && last.kind != Some(Kind::Syn)
        {
            if segment.seq == 0 && !established {
                return Reset::Closes { checked: false };
            }
            if is_before(segment.seq, expected) {
                return Reset::Invalid;
            }
            if !established || segment.seq == expected {
                return Reset::Closes { checked: false };
            }
            // the end of a train of segments
            if last.kind == Some(Kind::Ack) && last.reply == reply && segment.seq == last.end {
                return Reset::Closes { checked: false };
            }
            keep = true;
        }
        let to_ignored = (known.replied && last.kind == Some(Kind::Syn) && last.reply != reply)
            || (!known.assured && last.kind == Some(Kind::Ack));
        let to_challenge =
            before == SynSent && last.kind == Some(Kind::Ack) && last.reply && segment.seq == last.ack;
        if (to_ignored && segment.ack_field == last.end) || to_challenge {
            return if keep { Reset::Keep } else { Reset::Closes { checked: true } };
        }
        if keep { Reset::Keep } else { Reset::Closes { checked: false } }
    }

    /// T17.
    fn misfit(&mut self, kind: Kind, known: &Known) -> Outcome {
        let ends = |kind| matches!(kind, Kind::Fin | Kind::Rst);
        if !known.assured || !ends(kind) {
            return Outcome::Invalid { at_most: None };
        }
        if self.last.reply != known.reply && self.last.kind.is_some_and(ends) {
            let long = known.remaining >= secs(120) && known.remaining > UNACK;
            return Outcome::Invalid { at_most: long.then_some(UNACK) };
        }
        (self.last.kind, self.last.reply) = (Some(kind), known.reply);
        Outcome::Invalid { at_most: None }
    }
}

enum Reset {
    /// It ends the connection; `checked` says that it need not be in the window.
    Closes {
        checked: bool,
    },
    Invalid,
    /// It might: the connection stays as it is.
    Keep,
}
