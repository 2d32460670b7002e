//! A walk that changes nothing and takes note of everything.

use super::Fabric;
use super::walk::{Traveller, walk};
use crate::frame::{Headers, Leg, Offload, PortId};
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
            (Some(port), Ok(headers)) => {
                let mut traveller = Thought { fabric: self, headers, now, trace };
                walk(&self.graph, port.leg, &mut Vec::new(), &mut traveller);
                trace = traveller.trace;
            }
        }
        trace
    }
}

struct Thought<'a> {
    fabric: &'a Fabric,
    headers: Headers,
    now: Time,
    trace: Trace,
}

impl Traveller for Thought<'_> {
    fn ask(&mut self, leg: Leg) -> Verdict {
        match self.fabric.node(leg.node) {
            Some(super::Node::Bridge(bridge)) => {
                bridge.explain(leg.leg, &self.headers, self.now, &mut self.trace)
            }
            None => Verdict::Drop(Reason::NoPort),
        }
    }

    fn deliver(&mut self, port: PortId) {
        self.trace.note(Step::Deliver(port));
    }

    fn withhold(&mut self, _leg: Leg, _reason: Reason) {}

    fn note(&mut self, step: Step) {
        self.trace.note(step);
    }
}
