//! Whether a segment fits the connection it claims to be of (T7–T9).
//!
//! Sequence numbers seen from the middle (Guido van Rooij, "Real Stateful TCP Packet Filtering in IP Filter", SANE 2000):
//! of each side one remembers how far it has sent, how far the other side allowed it to send, and the largest window it
//! ever offered. A segment fits if
//!
//! - I: it starts no later than the receiver allowed;
//! - II: it ends no earlier than one window before what the sender has already sent;
//! - III: it acknowledges (selectively too) nothing that was not sent;
//! - IV: it acknowledges nothing that is older than one window.
//!
//! What is too late (II, IV) is an old duplicate: harmless, hence ignored. What is too early (I, III) nobody could have
//! sent who follows the connection: invalid. One exception: data that overshoots the window by no more than a window
//! passes and is remembered, since its receiver may take it, and its acknowledgement must then not look forged.

use super::phase::{Kind, Phase};
use super::{Connection, Half};
use crate::router::nat::tuple::Direction;
use crate::wire::tcp::{Flags, Tcp, TcpOption};

/// The smallest window that (IV) goes back by.
const ACK_WINDOW_MIN: u32 = 66_000;
/// The largest shift of windows (RFC 7323 §2.3).
const SCALE_MAX: u8 = 14;

/// What the numbers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It fits.
    Fits,
    /// An old duplicate, or a little too much: passes and changes nothing.
    Ignore,
    /// Nobody who follows the connection sends this.
    Invalid,
}

/// Whether `a` comes after `b`, on a circle of 2³² numbers.
pub(super) const fn after(a: u32, b: u32) -> bool {
    (b.wrapping_sub(a) as i32) < 0
}

/// Holds a segment against the connection and, if it fits, remembers what it says.
pub(super) fn check(connection: &mut Connection, direction: Direction, tcp: &Tcp<'_>, liberal: bool) -> Fit {
    let (phase, last) = (connection.phase, connection.last);
    let (sender, receiver) = connection.halves(direction);
    let liberal = liberal || sender.has(Half::LIBERAL);
    let tolerate = |fit: Fit| if liberal { Fit::Fits } else { fit };

    let (mut seq, mut end) = (tcp.seq, tcp.end());
    let (mut ack, mut sack) = (tcp.ack, tcp.ack);
    if receiver.has(Half::SACK) {
        sack = rightmost(tcp);
    }
    if sender.max_window == 0 {
        if tcp.has(Flags::SYN) {
            sender.open(receiver, direction, tcp);
            if !tcp.has(Flags::ACK) {
                return Fit::Fits;
            }
        } else {
            sender.join(receiver, tcp, sack);
        }
    } else if tcp.has(Flags::SYN)
        && after(end, sender.end)
        && matches!(phase, Phase::SynSent | Phase::SynRecv)
    {
        sender.open(receiver, direction, tcp);
        if direction == Direction::Reply && !tcp.has(Flags::ACK) {
            return Fit::Fits;
        }
    }
    // some set ACK in a RST and acknowledge nothing
    if !tcp.has(Flags::ACK) || (tcp.has(Flags::RST) && ack == 0) {
        (ack, sack) = (receiver.end, receiver.end);
    }
    if tcp.has(Flags::RST) && seq == 0 && phase == Phase::SynSent {
        (seq, end) = (sender.end, sender.end);
    }

    let recent = |sender: &Half, receiver: &Half| {
        after(end, sender.end.wrapping_sub(receiver.max_window).wrapping_sub(1))
    };
    let ack_window = sender.max_window.max(ACK_WINDOW_MIN);
    let ack_is_recent = after(sack, receiver.end.wrapping_sub(ack_window).wrapping_sub(1));
    let ack_is_known = !after(sack, receiver.end);
    if after(seq, sender.max_end) {
        let overshot = end.wrapping_sub(sender.max_end).wrapping_add(1);
        let window = receiver.max_window;
        let little = window != 0 && recent(sender, receiver) && overshot <= window;
        if little && ack_is_recent && ack_is_known {
            sender.end = end;
            sender.flags |= Half::UNACKNOWLEDGED;
            if !liberal {
                return Fit::Ignore;
            }
            return Fit::Fits;
        }
        return tolerate(Fit::Invalid);
    }
    if !ack_is_known {
        return tolerate(Fit::Invalid);
    }
    if (receiver.max_window != 0 && !recent(sender, receiver)) || !ack_is_recent {
        return tolerate(Fit::Ignore);
    }

    let scale = if tcp.has(Flags::SYN) { 0 } else { sender.scale };
    let window = u32::from(tcp.window) << scale;
    sender.max_window = sender.max_window.max(window.wrapping_add(sack.wrapping_sub(ack)));
    if receiver.max_window != 0 && after(end, sender.max_end) {
        receiver.max_window = receiver.max_window.wrapping_add(end.wrapping_sub(sender.max_end));
    }
    if after(end, sender.end) {
        sender.end = end;
        sender.flags |= Half::UNACKNOWLEDGED;
    }
    if tcp.has(Flags::ACK) && (!sender.has(Half::ACKED) || after(ack, sender.max_ack)) {
        sender.max_ack = ack;
        sender.flags |= Half::ACKED;
    }
    let allowed = sack.wrapping_add(window);
    if after(allowed, receiver.max_end.wrapping_sub(1)) {
        receiver.max_end = if window == 0 { allowed.wrapping_add(1) } else { allowed };
    }
    if ack == receiver.end {
        receiver.flags &= !Half::UNACKNOWLEDGED;
    }
    if Kind::of(tcp) == Kind::Ack {
        let same =
            (last.direction, last.seq, last.ack, last.end, last.window) == (direction, seq, ack, end, window);
        connection.retransmissions = if same { connection.retransmissions.saturating_add(1) } else { 0 };
        let last = &mut connection.last;
        (last.direction, last.seq, last.ack, last.end, last.window) = (direction, seq, ack, end, window);
    }
    Fit::Fits
}

impl Half {
    /// This side opens: what it says counts from here on.
    pub(super) fn open(&mut self, other: &mut Self, direction: Direction, tcp: &Tcp<'_>) {
        (self.end, self.max_end) = (tcp.end(), tcp.end());
        self.max_window = u32::from(tcp.window).max(1);
        self.read_options(tcp);
        // RFC 7323 §2.2: windows are scaled only if both say so
        if direction == Direction::Reply && !(self.has(Self::SCALES) && other.has(Self::SCALES)) {
            (self.scale, other.scale) = (0, 0);
        }
    }

    /// What was said before this segment was not heard: it is taken as it is.
    fn join(&mut self, other: &mut Self, tcp: &Tcp<'_>, sack: u32) {
        self.end = tcp.end();
        self.max_window = (u32::from(tcp.window) << self.scale).max(1);
        self.max_end = self.end.wrapping_add(self.max_window);
        if other.max_window == 0 {
            (other.end, other.max_end) = (sack, sack);
        } else if sack == other.end.wrapping_add(1) {
            // the answer to a keepalive, which counts a byte that was never sent
            other.end = sack;
        }
    }

    /// Reads what a SYN negotiates.
    pub(super) fn read_options(&mut self, tcp: &Tcp<'_>) {
        if tcp.options.is_empty() {
            return;
        }
        self.scale = 0;
        self.flags &= Self::LIBERAL;
        for option in tcp.options() {
            match option {
                TcpOption::SackPermitted => self.flags |= Self::SACK,
                TcpOption::WindowScale(scale) => {
                    self.scale = scale.min(SCALE_MAX);
                    self.flags |= Self::SCALES;
                }
                TcpOption::MaxSegment(_) | TcpOption::Sack(_) => {}
            }
        }
    }
}

/// The furthest number that a segment acknowledges, selectively or not.
fn rightmost(tcp: &Tcp<'_>) -> u32 {
    let blocks = tcp.options().find_map(|option| match option {
        TcpOption::Sack(blocks) => Some(blocks),
        _ => None,
    });
    let edges = blocks.unwrap_or_default().iter();
    let edges = edges.map(|[_, _, _, _, edge @ ..]| u32::from_be_bytes(*edge));
    edges.fold(tcp.ack, |furthest, edge| if after(edge, furthest) { edge } else { furthest })
}
