//! A walk that changes nothing and takes note of everything.

use super::routed;
use super::walk::{Branch, Traveller, walk};
use super::{Fabric, Node};
use crate::bridge::{Decision, Extras, Inside};
use crate::frame::{Edit, Headers, Leg, Offload, Passage, PortId};
use crate::router::decision::Fate;
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
                let frames = vec![frame.to_vec()];
                let mut traveller = Thought { fabric: self, frames, now, trace, extras: Extras::default() };
                walk(&self.graph, Branch::enters(port.leg, 0), &mut Vec::new(), &mut traveller);
                trace = traveller.trace;
            }
        }
        trace
    }
}

struct Thought<'a> {
    fabric: &'a Fabric,
    /// The frame, and what routers have made of it.
    frames: Vec<Vec<u8>>,
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
    fn ask(&mut self, branch: &mut Branch) -> Decision {
        self.extras.clear();
        let Leg { node, leg } = branch.at;
        let frame = &self.frames[usize::from(branch.frame)];
        let headers = match Headers::edited(frame, &branch.edit, &Offload::NONE) {
            Ok(headers) => headers,
            Err(reason) => return self.ends(reason),
        };
        let passage = Passage { bytes: frame, edit: &branch.edit, headers: &headers };
        match self.fabric.node(node) {
            Some(Node::Bridge(bridge)) => {
                bridge.explain(leg, &passage, self.now, &mut self.trace, &mut self.extras)
            }
            Some(Node::Router(router)) => {
                let decision = router.decide(leg, &passage, &Offload::NONE, self.now);
                routed::note(&decision, &mut self.trace);
                if let Fate::Forward(onward) = decision.fate {
                    let mut frame = frame.clone();
                    onward.write(&mut frame, headers.payload);
                    branch.frame = self.frames.len() as u16;
                    branch.edit = branch.edit.as_addressed();
                    self.frames.push(frame);
                }
                match decision.fate {
                    Fate::Drop(reason) => Verdict::Drop(reason),
                    Fate::Consume | Fate::Remake(_) => Verdict::Consume,
                    Fate::Gather | Fate::Park(_) => Verdict::Park,
                    Fate::Forward(onward) => Verdict::Forward(onward.leg),
                }
                .into()
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

    fn deliver(&mut self, _frame: u16, port: PortId, edit: Edit) {
        self.trace.note(Step::Deliver(port, edit));
    }

    fn withhold(&mut self, _leg: Leg, _reason: Reason) {}

    fn note(&mut self, step: Step) {
        self.trace.note(step);
    }
}
