//! `show conntrack`: a piece of a router's table at a time.

use std::ops::Range;

use super::gateway::opener;
use crate::control::registry::Registry;
use crate::control::view::{FlowView, SessionView};
use crate::engine::Switch;
use crate::frame::NodeId;
use crate::router::nat::sessions::{Count, Session, Sessions};
use crate::router::nat::show::{self, Filter};
use crate::router::nat::tuple::Tuple;
use crate::time::Time;

/// How many sessions a router follows. To be run on the engine thread.
pub(in crate::control::daemon) fn count_sessions(switch: &Switch, id: NodeId) -> usize {
    switch.fabric.router(id).and_then(|router| router.sessions()).map_or(0, Sessions::len)
}

/// Some places of a table, and the sessions that were found there.
#[derive(Debug)]
pub(in crate::control::daemon) struct Piece {
    places: Range<usize>,
    filter: Filter,
    /// With room for as many as are wanted, so that the engine takes no memory.
    found: Vec<Session>,
    next: Option<usize>,
    now: Time,
}

impl Piece {
    /// At most `room` sessions that match, of those in these places.
    pub(in crate::control::daemon) fn new(places: Range<usize>, room: usize, filter: Filter) -> Self {
        Self { places, filter, found: Vec::with_capacity(room), next: None, now: Time::ZERO }
    }

    /// Looks for them. To be run on the engine thread.
    pub(in crate::control::daemon) fn take(self, switch: &Switch, id: NodeId) -> Self {
        match switch.fabric.router(id).and_then(|router| router.sessions()) {
            Some(sessions) => self.look(sessions, switch.now),
            None => self,
        }
    }

    fn look(mut self, sessions: &Sessions, now: Time) -> Self {
        self.now = now;
        let end = self.places.end.min(sessions.places());
        for place in self.places.start..end {
            if self.found.len() == self.found.capacity() {
                self.next = Some(place);
                return self;
            }
            let session = sessions.at(place, now);
            self.found.extend(session.filter(|session| self.filter.matches(session)));
        }
        self.next = (end < sessions.places()).then_some(end);
        self
    }

    /// The place after the last that was looked at, unless the table ends there.
    pub(in crate::control::daemon) fn next(&self) -> Option<usize> {
        self.next
    }
}

/// The sessions of a piece. Where there are several routers, the lines say whose they are: `tag`.
pub(in crate::control::daemon) fn sessions(
    router: &str,
    tag: Option<&str>,
    piece: &Piece,
    registry: &Registry,
) -> Vec<SessionView> {
    let view = |session: &Session| {
        let shown = show::View::new(session, piece.now);
        let [original, reply] = &session.tuples;
        let tag = tag.map_or(String::new(), |tag| format!(" router={tag}"));
        SessionView {
            router: router.to_owned(),
            family: if original.ipv6 { "ipv6" } else { "ipv4" }.to_owned(),
            protocol: shown.protocol().to_owned(),
            timeout: shown.remaining.as_secs(),
            state: shown.phase().map(str::to_owned),
            original: flow(original, session.counts[0]),
            reply: flow(reply, session.counts[1]),
            replied: session.replied,
            assured: session.assured,
            opened_by: opener(session.origin, registry),
            text: format!("{shown}{tag}"),
        }
    };
    piece.found.iter().map(view).collect()
}

fn flow(tuple: &Tuple, count: Count) -> FlowView {
    FlowView {
        src: tuple.source.ip(tuple.ipv6).to_string(),
        dst: tuple.destination.ip(tuple.ipv6).to_string(),
        sport: tuple.has_ports().then_some(tuple.source_port),
        dport: tuple.has_ports().then_some(tuple.destination_port),
        id: tuple.is_icmp().then_some(tuple.source_port),
        packets: count.packets,
        bytes: count.bytes,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::router::nat::Nat;
    use crate::router::nat::track::Settings;
    use crate::wire::checksum;
    use crate::wire::packet::Packet;

    /// A datagram without a checksum.
    fn datagram(last: u8) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, last, 10, 9, 0, 1];
        let sum = !checksum::sum(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend([0, 9, 0, 53, 0, 8, 0, 0]);
        bytes
    }

    fn nat(sessions: u8, now: Time) -> Nat {
        let mut nat = Nat::new(Settings::default(), 100, [1, 2]);
        for last in 0..sessions {
            let bytes = datagram(last);
            let mut judgement = nat.judge(&Packet::parse(&bytes).expect("a packet"), false, now);
            nat.confirm(&mut judgement, now).expect("there is room");
            nat.commit(&judgement, u16::from(last), now).expect("a new flow");
        }
        nat
    }

    #[test]
    fn pieces_together_are_the_table() {
        let now = Time::from_secs(100);
        let nat = nat(10, now);
        let all = |places: usize, room: usize| {
            let (mut from, mut seen, mut pieces) = (0, Vec::new(), 0);
            loop {
                let piece =
                    Piece::new(from..from + places, room, Filter::default()).look(nat.sessions(), now);
                pieces += 1;
                seen.extend(piece.found.iter().map(|session| session.origin));
                match piece.next() {
                    Some(next) => from = next,
                    None => return (seen, pieces),
                }
            }
        };
        let table = [
            (100, 100, 1, "all at once"),
            (3, 100, 4, "a few places at a time"),
            (10, 100, 1, "the last piece ends where the table does"),
            (100, 4, 3, "a few sessions at a time"),
            (3, 2, 5, "both: what finds no room is where the next begins"),
        ];
        for (places, room, pieces, why) in table {
            assert_eq!(all(places, room), ((0..10).collect(), pieces), "{why}");
        }
    }

    #[test]
    fn a_session_is_told_as_in_proc_and_in_fields() {
        let now = Time::from_secs(100);
        let later = now + Duration::from_secs(1);
        let piece = Piece::new(0..9, 9, Filter::default()).look(nat(1, now).sessions(), later);
        let views = sessions("gw", Some("gw"), &piece, &Registry::default());
        let text = "ipv4     2 udp      17 29 src=10.0.0.0 dst=10.9.0.1 sport=9 dport=53 packets=1 bytes=28 \
                    [UNREPLIED] src=10.9.0.1 dst=10.0.0.0 sport=53 dport=9 packets=0 bytes=0 mark=0 use=1 router=gw";
        let expected = format!(
            concat!(
                r#"[{{"router":"gw","family":"ipv4","protocol":"udp","timeout":29,"#,
                r#""original":{{"src":"10.0.0.0","dst":"10.9.0.1","sport":9,"dport":53,"packets":1,"bytes":28}},"#,
                r#""reply":{{"src":"10.9.0.1","dst":"10.0.0.0","sport":53,"dport":9,"packets":0,"bytes":0}},"#,
                r#""replied":false,"assured":false,"opened_by":"switch","text":"{}"}}]"#
            ),
            text
        );
        assert_eq!(serde_json::to_string(&views).expect("plain data"), expected);
    }
}
