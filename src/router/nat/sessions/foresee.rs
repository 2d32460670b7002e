//! Looking for the sessions of many packets at once.
//!
//! With a million sessions nearly every packet waits for memory, several times over: a bucket, a node, a session, a link of
//! the wheel. A processor waits for many places at the same time if it is asked for them in short loops, one place after
//! the other with nothing in between; while packets are walked one by one there is too much in between. So what a batch will
//! need is touched beforehand, and where it was found is left as hints. No answer depends on it.

use std::hint::black_box;

use super::{Sessions, place};
use crate::router::nat::tuple::Tuple;

/// How many sessions can be foreseen at a time.
const FORESEEN_MAX: usize = 64;
/// From how many sessions on it pays, and for how many of them.
const FORESEEN_MIN: usize = 512;
const FORESEEN_LEAST: usize = 8;

impl Sessions {
    /// Packets with these tuples are about to come: finds out where their sessions are, of those that hints do not tell, all of
    /// them at once (as [`crate::table::AgedTable::foresee`]).
    pub fn foresee(&mut self, tuples: impl Iterator<Item = Tuple>) {
        // fewer than that many fit into the cache
        if self.len() < FORESEEN_MIN {
            return;
        }
        let (mut sought, mut hashes, mut count) = ([None; FORESEEN_MAX], [0; FORESEEN_MAX], 0);
        for tuple in tuples.filter(|tuple| self.hints.get(tuple.mixed()).is_none()).take(FORESEEN_MAX) {
            (sought[count], hashes[count]) = (Some(tuple), self.hash(&tuple));
            count += 1;
        }
        if count < FORESEEN_LEAST {
            return;
        }
        for (tuple, node) in sought.into_iter().zip(self.flows.latest(&hashes)) {
            let (Some(tuple), Some(node)) = (tuple, node) else { continue };
            let (slot, direction) = place(node);
            let session = self.session(slot);
            if session.tuples[direction as usize] == tuple {
                // the rest of it, and of what goes with it, lies elsewhere
                black_box((
                    session.tuples[1].protocol,
                    session.expires,
                    session.counts[1].bytes,
                    session.track.is_closing(),
                ));
                black_box(self.wheel.second(slot.0));
                self.expect(&tuple, slot, direction);
            }
        }
    }
}
