//! Windows (T7, T8, T9).

use super::segment::{Kind, Segment};
use super::{Connection, Last, State};

/// What is known of one side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Side {
    pub(super) end: u32,
    pub(super) maxend: u32,
    pub(super) maxwin: u32,
    pub(super) maxack: Option<u32>,
    pub(super) scale: u8,
    pub(super) scales: bool,
    pub(super) sack: bool,
    pub(super) liberal: bool,
    pub(super) closed_first: bool,
    pub(super) unacknowledged: bool,
}

/// Whether a segment fits.
pub(super) enum Fit {
    Ignore,
    Invalid,
    Yes,
}

impl Side {
    /// From a SYN of this side.
    pub(super) fn announce(&mut self, segment: &Segment) {
        self.end = segment.end;
        self.maxend = segment.end;
        self.maxwin = u32::from(segment.window).max(1);
        if segment.options.is_empty() {
            return;
        }
        let (scale, sack) = segment.handshake();
        (self.scale, self.scales, self.sack) = (scale.unwrap_or(0), scale.is_some(), sack);
        // of what was known, only this stays
        (self.maxack, self.closed_first, self.unacknowledged) = (None, false, false);
    }

    fn ack_window(&self) -> u32 {
        self.maxwin.max(66_000)
    }
}

impl Connection {
    /// T7, T8, T9.
    pub(super) fn window(&mut self, segment: &Segment, reply: bool, liberal: bool) -> Fit {
        let [mut sender, mut receiver] = self.sides;
        if reply {
            std::mem::swap(&mut sender, &mut receiver);
        }
        let fit = self.fit(segment, reply, liberal, &mut sender, &mut receiver);
        self.sides = if reply { [receiver, sender] } else { [sender, receiver] };
        fit
    }

    fn fit(
        &mut self,
        segment: &Segment,
        reply: bool,
        liberal: bool,
        sender: &mut Side,
        receiver: &mut Side,
    ) -> Fit {
        let (mut seq, mut end) = (segment.seq, segment.end);
        let mut ack = segment.ack_field;
        let mut sack = if receiver.sack { segment.sack(ack) } else { ack };
        let opens = segment.has_syn() && matches!(self.state, State::SynSent | State::SynRecv);
        if sender.maxwin == 0 && !segment.has_syn() {
            let window = (u32::from(segment.window) << sender.scale).max(1);
            (sender.end, sender.maxwin) = (end, window);
            sender.maxend = end.wrapping_add(window);
            if receiver.maxwin == 0 {
                (receiver.end, receiver.maxend) = (sack, sack);
            } else if sack == receiver.end.wrapping_add(1) {
                receiver.end = receiver.end.wrapping_add(1);
            }
        } else if sender.maxwin == 0 || (opens && after(end, sender.end)) {
            sender.announce(segment);
            if reply && !(sender.scales && receiver.scales) {
                (sender.scale, receiver.scale) = (0, 0);
            }
            if reply && segment.kind == Kind::Syn {
                return Fit::Yes;
            }
        }
        let (is_rst, is_syn) = (segment.kind == Kind::Rst, segment.has_syn());
        if segment.ack.is_none() || (is_rst && ack == 0) {
            (ack, sack) = (receiver.end, receiver.end);
        }
        if is_rst && seq == 0 && self.state == State::SynSent {
            (seq, end) = (sender.end, sender.end);
        }
        let lenient = liberal || sender.liberal;
        let reaches =
            receiver.maxwin == 0 || after(end, sender.end.wrapping_sub(receiver.maxwin).wrapping_sub(1));
        let recent = after(sack, receiver.end.wrapping_sub(sender.ack_window()).wrapping_sub(1));
        let known = is_before(sack, receiver.end.wrapping_add(1));
        // I
        if !is_before(seq, sender.maxend.wrapping_add(1)) {
            let over = end.wrapping_sub(sender.maxend).wrapping_add(1);
            let mut fit = Fit::Invalid;
            if reaches && recent && known && over <= receiver.maxwin {
                sender.end = end;
                sender.unacknowledged = true;
                fit = Fit::Ignore;
            }
            return if lenient { Fit::Yes } else { fit };
        }
        // III
        if !known {
            return if lenient { Fit::Yes } else { Fit::Invalid };
        }
        // II, IV
        if !reaches || !recent {
            return if lenient { Fit::Yes } else { Fit::Ignore };
        }
        let window = u32::from(segment.window) << if is_syn { 0 } else { sender.scale };
        sender.maxwin = sender.maxwin.max(window.wrapping_add(sack.wrapping_sub(ack)));
        if after(end, sender.end) {
            sender.end = end;
            sender.unacknowledged = true;
        }
        if segment.ack.is_some() && sender.maxack.is_none_or(|furthest| after(ack, furthest)) {
            sender.maxack = Some(ack);
        }
        if receiver.maxwin != 0 && after(end, sender.maxend) {
            receiver.maxwin = receiver.maxwin.wrapping_add(end.wrapping_sub(sender.maxend));
        }
        let allowed = sack.wrapping_add(window);
        if after(allowed, receiver.maxend.wrapping_sub(1)) {
            receiver.maxend = allowed.wrapping_add(u32::from(window == 0));
        }
        if ack == receiver.end {
            receiver.unacknowledged = false;
        }
        if segment.kind == Kind::Ack {
            let this = (reply, seq, ack, end, segment.window);
            let Last { reply, seq, ack, end, window, .. } = self.last;
            if this == (reply, seq, ack, end, window) {
                self.retransmissions += 1;
            } else {
                (self.last.reply, self.last.seq, self.last.ack, self.last.end, self.last.window) = this;
                self.retransmissions = 0;
            }
        }
        Fit::Yes
    }
}

/// Whether `a` is before `b` on the circle of sequence numbers.
pub(super) const fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

pub(super) const fn after(a: u32, b: u32) -> bool {
    is_before(b, a)
}
