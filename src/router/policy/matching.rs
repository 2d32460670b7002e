//! What a rule of the user's is for.
//!
//! A rule sees a packet as DOCKER-USER does (C1): the destination is translated, the source is not. Of a list, any entry
//! will do; an empty one asks for nothing.

use super::Passing;
use super::config::{Rule, States};
use crate::router::nat::judgement::State;

impl Rule {
    /// Whether all of its conditions hold for a packet.
    pub fn matches(&self, passing: &Passing<'_>) -> bool {
        let tuple = passing.tuple;
        let (source, destination) = (tuple.source.ip(tuple.ipv6), tuple.destination.ip(tuple.ipv6));
        self.from.is_none_or(|leg| leg == passing.from.0)
            && self.to.is_none_or(|leg| leg == passing.to.0)
            && self.protocol.is_none_or(|protocol| protocol == tuple.protocol)
            && (self.states.is_empty() || self.states.contains(States::of(passing.state)))
            && any(&self.source, |net| net.contains(&source))
            && any(&self.destination, |net| net.contains(&destination))
            && any(&self.ports, |range| tuple.has_ports() && within(*range, tuple.destination_port))
            && any(&self.source_ports, |range| tuple.has_ports() && within(*range, tuple.source_port))
    }
}

impl States {
    /// The one that a packet is in.
    pub const fn of(state: State) -> Self {
        match state {
            State::Established => Self::ESTABLISHED,
            State::Invalid(_) => Self::INVALID,
            State::New => Self::NEW,
            State::Related => Self::RELATED,
            State::Untracked => Self::UNTRACKED,
        }
    }
}

fn any<T>(wanted: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(holds)
}

fn within((first, last): (u16, u16), port: u16) -> bool {
    (first..=last).contains(&port)
}
