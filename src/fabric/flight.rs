//! A real frame on its walk: it teaches the devices it meets, and is delivered.

use super::walk::Traveller;
use super::{Books, Node};
use crate::bridge::{Decision, Extras, Inside, Outbox};
use crate::frame::{Batch, Edit, Headers, Leg, Passage, PortId};
use crate::time::Time;
use crate::trace::{Step, Trace};
use crate::verdict::{Reason, Verdict};

/// See the module's documentation.
pub(super) struct Flight<'a> {
    pub(super) nodes: &'a mut [Option<Node>],
    pub(super) books: &'a mut Books,
    pub(super) batch: &'a mut Batch,
    /// The frame's place in the batch.
    pub(super) index: usize,
    /// What it says as it lies.
    pub(super) headers: &'a Headers,
    pub(super) now: Time,
    pub(super) silence: &'a mut Trace,
    pub(super) extras: &'a mut Extras,
    pub(super) outbox: &'a mut Outbox,
}

impl Traveller for Flight<'_> {
    #[inline]
    fn ask(&mut self, leg: Leg, edit: &Edit) -> Decision {
        self.extras.clear();
        let frame = &self.batch.frames()[self.index];
        let bytes = frame.bytes();
        let edited;
        let headers = match edit.is_none() {
            true => self.headers,
            false => match Headers::edited(bytes, edit, &frame.offload) {
                Ok(headers) => {
                    edited = headers;
                    &edited
                }
                Err(reason) => return Decision { verdict: Verdict::Drop(reason), inside: None },
            },
        };
        let passage = Passage { bytes, edit, headers };
        match self.nodes.get_mut(usize::from(leg.node.0)).and_then(Option::as_mut) {
            Some(Node::Bridge(bridge)) => {
                let out = self.outbox.of(leg.node);
                bridge.forward(leg.leg, &passage, self.now, self.silence, self.extras, out)
            }
            None => Decision { verdict: Verdict::Drop(Reason::NoPort), inside: None },
        }
    }

    #[inline]
    fn exit(&self, leg: Leg, inside: &Inside, edit: Edit) -> Option<Edit> {
        match self.nodes.get(usize::from(leg.node.0)).and_then(Option::as_ref) {
            Some(Node::Bridge(bridge)) => bridge.exit(inside, leg.leg, edit),
            None => Some(edit),
        }
    }

    #[inline]
    fn extras(&self) -> &Extras {
        self.extras
    }

    #[inline]
    fn deliver(&mut self, port: PortId, edit: Edit) {
        self.books.delivered += 1;
        self.batch.deliver(self.index, port, edit);
    }

    fn withhold(&mut self, leg: Leg, reason: Reason) {
        if let Some(Node::Bridge(bridge)) =
            self.nodes.get_mut(usize::from(leg.node.0)).and_then(Option::as_mut)
        {
            bridge.withhold(leg.leg, reason);
        }
    }

    #[inline]
    fn note(&mut self, _step: Step) {}
}
