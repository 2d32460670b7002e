//! A walk that changes nothing and takes note of everything.

use super::walk::{Traveller, walk};
use super::{Fabric, Node};
use crate::bridge::{Decision, Extras, Inside};
use crate::frame::{Edit, Headers, Leg, Offload, Passage, PortId};
use crate::time::Time;
use crate::trace::{Step, Trace};
use crate::verdict::{Reason, Verdict};

impl Fabric {
    /// What would happen to a frame now; nothing changes.
    ///
    /// The steps are those of the very code that walks real frames. A frame of more than the MTU counts as such: it
    /// is taken to come without a virtio-net header.
    pub fn explain(&self, port: PortId, frame: &[u8], now: Time) -> Trace {
        let mut trace = Trace::on();
        let headers = Headers::parse(frame, &Offload::NONE);
        match (self.port(port), headers) {
            (None, _) => trace.note(Step::Drop(Reason::IngressDown)),
            (_, Err(reason)) => trace.note(Step::Drop(reason)),
            (Some(port), Ok(_)) => {
                let mut traveller = Thought { fabric: self, frame, now, trace, extras: Extras::default() };
                walk(&self.graph, port.leg, &mut Vec::new(), &mut traveller);
                trace = traveller.trace;
            }
        }
        trace
    }
}

struct Thought<'a> {
    fabric: &'a Fabric,
    frame: &'a [u8],
    now: Time,
    trace: Trace,
    extras: Extras,
}

impl Thought<'_> {
    /// No device has looked at it, so it is said here.
    fn ends(&mut self, reason: Reason) -> Decision {
        self.trace.note(Step::Drop(reason));
        Decision { verdict: Verdict::Drop(reason), inside: None }
    }
}

impl Traveller for Thought<'_> {
    fn ask(&mut self, leg: Leg, edit: &Edit) -> Decision {
        self.extras.clear();
        let headers = match Headers::edited(self.frame, edit, &Offload::NONE) {
            Ok(headers) => headers,
            Err(reason) => return self.ends(reason),
        };
        let passage = Passage { bytes: self.frame, edit, headers: &headers };
        match self.fabric.node(leg.node) {
            Some(Node::Bridge(bridge)) => {
                bridge.explain(leg.leg, &passage, self.now, &mut self.trace, &mut self.extras)
            }
            None => self.ends(Reason::NoPort),
        }
    }

    fn exit(&self, leg: Leg, inside: &Inside, edit: Edit) -> Option<Edit> {
        self.fabric.exit(leg, inside, edit)
    }

    fn extras(&self) -> &Extras {
        &self.extras
    }

    fn deliver(&mut self, port: PortId, edit: Edit) {
        self.trace.note(Step::Deliver(port, edit));
    }

    fn withhold(&mut self, _leg: Leg, _reason: Reason) {}

    fn note(&mut self, step: Step) {
        self.trace.note(step);
    }
}
