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

/// How many sessions these routers follow. To be run on the engine thread.
pub(in crate::control::daemon) fn count_sessions(switch: &Switch, ids: &[NodeId]) -> usize {
    let sessions = |id: &NodeId| switch.fabric.router(*id)?.sessions();
    ids.iter().filter_map(sessions).map(|sessions| sessions.len()).sum()
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
