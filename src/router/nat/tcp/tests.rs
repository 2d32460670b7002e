//! Stories of connections: who sends what, and what becomes of the session. Numbers start at 100 and 500.

use std::time::Duration;

use super::*;
use crate::wire::tcp::Flags;

const O: Direction = Direction::Original;
const R: Direction = Direction::Reply;
const S: u8 = Flags::SYN;
const SA: u8 = Flags::SYN | Flags::ACK;
const A: u8 = Flags::ACK;
const FA: u8 = Flags::FIN | Flags::ACK;
const RST: u8 = Flags::RST;
const RA: u8 = Flags::RST | Flags::ACK;

/// Direction, flags, sequence number, acknowledgement, bytes of data; what becomes of it; why.
type Line<'a> = (Direction, u8, u32, u32, usize, &'a str, &'a str);

const HANDSHAKE: &[Line<'_>] = &[
    (O, S, 100, 0, 0, "pass SYN_SENT 120", "opens"),
    (R, SA, 500, 101, 0, "pass SYN_RECV 60", "answers"),
    (O, A, 101, 501, 0, "pass ESTABLISHED 432000 assured", "T5: assured by the third segment"),
];

#[test]
fn a_connection_opens_talks_and_closes() {
    story().tell(HANDSHAKE).tell(&[
        (O, A, 101, 501, 10, "pass ESTABLISHED 300 assured", "T3: data in flight"),
        (R, A, 501, 111, 0, "pass ESTABLISHED 432000 assured", "T3: acknowledged"),
        (O, FA, 111, 501, 0, "pass FIN_WAIT 120", "T16: one side closes"),
        (R, A, 501, 112, 0, "pass CLOSE_WAIT 60", "T16: acknowledged"),
        (R, FA, 501, 112, 0, "pass LAST_ACK 30", "T16: the other side closes"),
        (O, A, 112, 502, 0, "pass TIME_WAIT 120", "T16: the last acknowledgement"),
        (O, A, 112, 502, 0, "pass TIME_WAIT 120", "again"),
    ]);
}

#[test]
fn both_sides_close_at_once() {
    story().tell(HANDSHAKE).tell(&[
        (R, FA, 501, 101, 0, "pass FIN_WAIT 120", "the server may be first"),
        (O, FA, 101, 501, 0, "pass LAST_ACK 30", "T16: both before any acknowledgement"),
        (O, A, 102, 502, 0, "pass TIME_WAIT 120", "the last acknowledgement"),
    ]);
}

#[test]
fn what_is_not_answered_is_not_refreshed() {
    story().tell(&[
        (O, S, 100, 0, 0, "pass SYN_SENT 120", "opens"),
        (O, S, 100, 0, 0, "pass SYN_SENT -", "T4: a retransmission does not refresh"),
        (R, RA, 0, 101, 0, "end", "T11: the port is closed"),
    ]);
}

#[test]
fn data_may_come_with_a_syn() {
    story().tell(&[
        (O, S, 100, 0, 20, "pass SYN_SENT 120", "T20: fast open"),
        (R, SA, 500, 121, 0, "pass SYN_RECV 60", "data accepted"),
        (O, A, 121, 501, 0, "pass ESTABLISHED 432000 assured", ""),
    ]);
    story().tell(&[
        (O, S, 100, 0, 20, "pass SYN_SENT 120", "T20: fast open"),
        (R, SA, 500, 101, 0, "pass SYN_RECV 60", "data not accepted"),
        (O, A, 101, 501, 20, "pass ESTABLISHED 432000 assured", "sent again: nothing new"),
    ]);
}

#[test]
fn a_connection_is_picked_up_in_its_middle() {
    story().tell(&[
        (O, A, 9000, 7000, 5, "pass ESTABLISHED 300", "T6: assumed, but not for long"),
        (R, A, 7000, 9005, 0, "pass ESTABLISHED 300", "T5: one reply is not enough"),
        (O, A, 9005, 7000, 0, "pass ESTABLISHED 432000 assured", "T5: what follows it assures it"),
        (O, A, 70_000, 7000, 5, "pass ESTABLISHED 432000 assured", "T6: numbers are not held against it"),
    ]);
    for (flags, why) in [(SA, "SYN/ACK"), (FA, "FIN"), (RST, "RST"), (RA, "RST/ACK")] {
        story().tell(&[(O, flags, 9000, 7000, 0, "stray", why)]);
    }
    let mut strict = story();
    strict.settings.loose = false;
    strict.tell(&[
        (O, A, 9000, 7000, 5, "stray", "T6: only if loose"),
        (O, S, 1, 0, 0, "pass SYN_SENT 120", ""),
    ]);
}

#[test]
fn only_what_is_in_the_window_counts() {
    let table: &[Line<'_>] = &[
        (O, A, 1102, 501, 1000, "invalid", "T8, I: starts beyond what the receiver allowed"),
        (O, A, 1101, 501, 0, "pass ESTABLISHED 300 assured", "T7, I: at its very end"),
        (R, A, 501, 102, 0, "invalid", "T8, III: acknowledges what was never sent"),
        (R, A, 501, 101, 0, "pass ESTABLISHED 432000 assured", "T7, III: the last that was sent"),
        (O, A, 101_u32.wrapping_sub(1002), 501, 1, "pass ESTABLISHED -", "T8, II: an old duplicate"),
        (O, A, 101_u32.wrapping_sub(1001), 501, 1, "pass ESTABLISHED 432000 assured", "T7, II: just not"),
        (O, A, 101, 501_u32.wrapping_sub(66_001), 0, "pass ESTABLISHED -", "T8, IV: an old acknowledgement"),
        (O, A, 101, 501_u32.wrapping_sub(66_000), 0, "pass ESTABLISHED 432000 assured", "T7, IV: just not"),
    ];
    for line in table {
        story().tell(HANDSHAKE).tell(&[*line]);
    }
}

#[test]
fn a_little_too_much_is_remembered() {
    story().tell(HANDSHAKE).tell(&[
        (O, A, 101, 501, 1000, "pass ESTABLISHED 300 assured", "fills the window"),
        (O, A, 1102, 501, 100, "pass ESTABLISHED -", "T8: overshoots it a little"),
        (R, A, 501, 1202, 0, "pass ESTABLISHED 432000 assured", "and the receiver took it"),
    ]);
}

#[test]
fn liberal_tolerates_everything_but_forged_resets() {
    let mut liberal = story();
    liberal.settings.liberal = true;
    liberal.tell(HANDSHAKE).tell(&[
        (R, A, 501, 5000, 0, "pass ESTABLISHED 432000 assured", "T9: III"),
        (R, RST, 400, 0, 0, "invalid", "T9: still before what was acknowledged"),
    ]);
}

#[test]
fn windows_are_scaled_if_both_say_so() {
    const SCALE_7: [u8; 4] = [3, 3, 7, 0];
    for (client, server, last, why) in [
        (&SCALE_7[..], &SCALE_7[..], 101 + 128_000, "T7: 1000 << 7"),
        (&SCALE_7, &[], 1101, "T7: the server does not"),
        (&[], &SCALE_7, 1101, "T7: the client did not"),
        (&[3, 3, 15, 0], &[3, 3, 15, 0], 101 + (1000 << 14), "T7: no more than 14"),
    ] {
        let mut story = story();
        story.options = client.to_vec();
        story.tell(&HANDSHAKE[..1]);
        story.options = server.to_vec();
        story.tell(&HANDSHAKE[1..2]);
        story.options = vec![];
        story.tell(&HANDSHAKE[2..]).tell(&[(
            R,
            A,
            501,
            101,
            0,
            "pass ESTABLISHED 432000 assured",
            "scaled now",
        )]);
        story.tell(&[
            (O, A, last, 501, 0, "pass ESTABLISHED 300 assured", why),
            (O, A, last + 1, 501, 0, "pass ESTABLISHED -", why),
        ]);
    }
}

#[test]
fn selective_acknowledgements_count() {
    const PERMITTED: [u8; 4] = [4, 2, 1, 1];
    let mut story = story();
    story.options = PERMITTED.to_vec();
    story.tell(&HANDSHAKE[..2]);
    story.options = vec![];
    story.tell(&HANDSHAKE[2..]).tell(&[(O, A, 101, 501, 50, "pass ESTABLISHED 300 assured", "data")]);
    let block = |right: u32| [&[1, 1, 5, 10], &140_u32.to_be_bytes()[..], &right.to_be_bytes()].concat();
    story.options = block(152);
    story.tell(&[(R, A, 501, 101, 0, "invalid", "T7: a block beyond what was sent")]);
    story.options = block(151);
    story.tell(&[(R, A, 501, 101, 0, "pass ESTABLISHED 300 assured", "T7: one that was sent")]);
}

#[test]
fn silence_after_retransmissions_and_closed_windows_is_shorter() {
    story().tell(HANDSHAKE).tell(&[
        (R, A, 501, 101, 0, "pass ESTABLISHED 432000 assured", ""),
        (R, A, 501, 101, 0, "pass ESTABLISHED 432000 assured", "once more"),
        (R, A, 501, 101, 0, "pass ESTABLISHED 432000 assured", "twice"),
        (R, A, 501, 101, 0, "pass ESTABLISHED 300 assured", "T3: three times"),
        (O, A, 101, 501, 0, "pass ESTABLISHED 432000 assured", "something else"),
    ]);
    let mut closed = story();
    closed.tell(HANDSHAKE);
    closed.window = 0;
    closed.tell(&[(R, A, 501, 101, 0, "pass ESTABLISHED 300 assured", "T3: a closed window")]);
}

#[test]
fn resets_are_exact_or_wait() {
    let table: &[(Line<'_>, Line<'_>)] = &[
        (
            (R, RST, 501, 0, 0, "pass CLOSE 10", "T10: exact"),
            (O, A, 101, 501, 0, "pass CLOSE 10", "and it stays so"),
        ),
        (
            (R, RST, 500, 0, 0, "invalid", "T10: before what was acknowledged"),
            (O, A, 101, 501, 0, "pass ESTABLISHED 432000 assured", "nothing happened"),
        ),
        (
            (R, RST, 700, 0, 0, "pass ESTABLISHED 10 assured", "T10: inexact; it will be challenged"),
            (O, A, 101, 501, 0, "pass ESTABLISHED 300 assured", "RFC 5961: and was"),
        ),
        (
            (R, RST, 3000, 0, 0, "invalid", "T7: beyond the window"),
            (O, A, 101, 501, 0, "pass ESTABLISHED 432000 assured", "nothing happened"),
        ),
    ];
    for (reset, after) in table {
        story().tell(HANDSHAKE).tell(&[*reset, *after]);
    }
    story().tell(HANDSHAKE).tell(&[
        (R, A, 501, 101, 19, "pass ESTABLISHED 300 assured", "data"),
        (R, RST, 520, 0, 0, "pass CLOSE 10", "T10: behind it, in one train"),
    ]);
    story().tell(HANDSHAKE).tell(&[
        (O, FA, 101, 501, 0, "pass FIN_WAIT 120", ""),
        (R, RST, 77, 0, 0, "pass CLOSE 10", "T10: while it closes, any number will do"),
    ]);
}

#[test]
fn a_new_syn_ends_what_was_closed() {
    let closed: &[Line<'_>] = &[
        (O, FA, 101, 501, 0, "pass FIN_WAIT 120", ""),
        (R, FA, 501, 102, 0, "pass LAST_ACK 30", ""),
        (O, A, 102, 502, 0, "pass TIME_WAIT 120", ""),
    ];
    story().tell(HANDSHAKE).tell(closed).tell(&[(O, S, 9000, 0, 0, "reopen", "T12: in TIME_WAIT")]);
    story().tell(HANDSHAKE).tell(closed).tell(&[(R, S, 9000, 0, 0, "reopen", "T12: the other way round")]);
    story().tell(HANDSHAKE).tell(&[
        (O, RST, 101, 0, 0, "pass CLOSE 10", "aborted"),
        (O, S, 9000, 0, 0, "reopen", "T12: by the same side"),
    ]);
    story().tell(HANDSHAKE).tell(&[
        (R, RST, 501, 0, 0, "pass CLOSE 10", "aborted"),
        (O, S, 9000, 0, 0, "pass CLOSE -", "T12: by the other side, it is in doubt"),
    ]);
}

#[test]
fn a_syn_on_a_live_connection_is_in_doubt() {
    let doubt: Line<'_> = (O, S, 9000, 0, 0, "pass ESTABLISHED -", "T13: passes, and changes nothing");
    story().tell(HANDSHAKE).tell(&[
        doubt,
        (R, SA, 3000, 9001, 0, "pass SYN_RECV 60", "T13: both sides agree; so do we"),
        (O, A, 9001, 3001, 0, "pass ESTABLISHED 432000 assured", "on new numbers"),
        (O, A, 101, 501, 0, "pass ESTABLISHED -", "the old ones are old duplicates"),
    ]);
    story()
        .tell(HANDSHAKE)
        .tell(&[doubt, (R, SA, 3000, 9000, 0, "pass ESTABLISHED -", "T13: acknowledges something else")]);
    story().tell(HANDSHAKE).tell(&[
        doubt,
        (R, A, 501, 101, 0, "pass ESTABLISHED 432000 assured", "T14: a challenge"),
        (O, RST, 101, 0, 0, "pass CLOSE 10", "T14: the client knows of nothing"),
        (O, S, 9000, 0, 0, "reopen", "and tries again"),
    ]);
    story()
        .tell(HANDSHAKE)
        .tell(&[doubt, (R, RA, 0, 9001, 0, "pass CLOSE 10", "T13: the server refuses the new one")]);
}

#[test]
fn a_challenge_closes_nothing() {
    story().tell(HANDSHAKE).tell(&[
        (O, FA, 101, 501, 0, "pass FIN_WAIT 120", ""),
        (R, FA, 501, 102, 0, "pass LAST_ACK 30", ""),
        (O, S, 9000, 0, 0, "pass LAST_ACK -", "T14: the port is used again"),
        (R, A, 502, 102, 0, "pass LAST_ACK -", "T14: a challenge, not the last acknowledgement"),
    ]);
    story().tell(&[
        (O, S, 100, 0, 0, "pass SYN_SENT 120", ""),
        (R, A, 7000, 8000, 0, "pass SYN_SENT -", "T14: the server is in an older connection"),
        (O, RST, 8000, 0, 0, "pass CLOSE 10", "T14: the client says no, with the number it was told"),
    ]);
}

#[test]
fn both_open_at_once() {
    story().tell(&[
        (O, S, 100, 0, 0, "pass SYN_SENT 120", ""),
        (R, S, 500, 0, 0, "pass SYN_SENT2 -", "T15: from the other side as well"),
        (O, SA, 100, 501, 0, "pass SYN_RECV 60", "T15: one answers"),
        (R, SA, 500, 101, 0, "pass SYN_RECV -", "T15: and the other"),
        (O, A, 101, 501, 0, "pass ESTABLISHED 432000 assured", ""),
    ]);
    story().tell(&[
        (O, S, 100, 0, 0, "pass SYN_SENT 120", ""),
        (R, S, 500, 0, 0, "pass SYN_SENT2 -", ""),
        (O, SA, 100, 501, 0, "pass SYN_RECV 60", ""),
        (R, A, 501, 101, 0, "pass ESTABLISHED 432000 assured", "T15: an acknowledgement will do"),
    ]);
}

#[test]
fn a_dead_connection_is_not_kept_for_days() {
    story().tell(HANDSHAKE).tell(&[
        (O, RST, 90_000, 0, 0, "invalid", "T17: one side, out of the window"),
        (R, FA, 90_000, 101, 0, "invalid 300", "T17: and the other"),
    ]);
    story().tell(HANDSHAKE).tell(&[
        (O, RST, 90_000, 0, 0, "invalid", ""),
        (O, RST, 90_000, 0, 0, "invalid", "T17: the same side proves nothing"),
    ]);
}

#[test]
fn acknowledgements_of_the_past_do_not_stall() {
    story().tell(HANDSHAKE).tell(&[
        (R, A, 501, 101, 1000, "pass ESTABLISHED 300 assured", "data"),
        (O, A, 101, 1501, 0, "pass ESTABLISHED 432000 assured", "acknowledged"),
        (R, A, 501, 101, 1000, "pass ESTABLISHED 432000 assured", "T8: again, within a window of the end"),
    ]);
}

struct Story {
    connection: Option<Connection>,
    settings: Settings,
    replied: bool,
    assured: bool,
    remaining: Duration,
    window: u16,
    options: Vec<u8>,
}

fn story() -> Story {
    Story {
        connection: None,
        settings: Settings::default(),
        replied: false,
        assured: false,
        remaining: Duration::ZERO,
        window: 1000,
        options: vec![],
    }
}

impl Story {
    #[track_caller]
    fn tell(&mut self, lines: &[Line<'_>]) -> &mut Self {
        for line @ (_, _, _, _, _, expected, why) in lines {
            assert_eq!(self.send(line), *expected, "{why}: {line:?}");
        }
        self
    }

    fn send(&mut self, (direction, flags, seq, ack, data, _, _): &Line<'_>) -> String {
        let mut bytes = [&[0, 1, 0, 2][..], &seq.to_be_bytes(), &ack.to_be_bytes()].concat();
        bytes.extend([(5 + self.options.len() as u8 / 4) << 4, *flags]);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(&self.options);
        bytes.extend(vec![0; *data]);
        let tcp = Tcp::parse(&bytes).expect("sound");
        assert!(is_legal(tcp.flags));
        let Some(mut connection) = self.connection.or_else(|| Connection::start(&tcp, &self.settings)) else {
            return "stray".into();
        };
        let context = Context {
            direction: *direction,
            replied: self.replied,
            assured: self.assured,
            remaining: self.remaining,
        };
        let outcome = connection.follow(&tcp, &context, &self.settings);
        self.connection = Some(connection);
        match outcome {
            Outcome::Accept { timeout, assured } => {
                self.replied |= *direction == R;
                self.assured |= assured;
                self.remaining = timeout.unwrap_or(self.remaining);
                let timeout = timeout.map_or("-".into(), |timeout| timeout.as_secs().to_string());
                let assured = if assured { " assured" } else { "" };
                format!("pass {} {timeout}{assured}", connection.phase().name())
            }
            Outcome::End => "end".into(),
            Outcome::Invalid { timeout: None } => "invalid".into(),
            Outcome::Invalid { timeout: Some(timeout) } => format!("invalid {}", timeout.as_secs()),
            Outcome::Reopen => "reopen".into(),
        }
    }
}

proptest::proptest! {
    /// Whatever comes, in whatever order, is answered.
    #[test]
    fn no_segment_is_too_strange(segments in proptest::collection::vec(
        (proptest::prelude::any::<bool>(), 0..64_u8, proptest::prelude::any::<u32>(), proptest::prelude::any::<u32>(), 0..3_usize), 1..60,
    )) {
        let mut story = story();
        for (reply, flags, seq, ack, data) in segments {
            if is_legal(Flags(flags)) {
                story.send(&(if reply && story.connection.is_some() { R } else { O }, flags, seq, ack, data, "", ""));
            }
        }
    }
}
