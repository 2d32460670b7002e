//! A real frame on its walk: it teaches the devices it meets, is written into by routers, and is delivered.
//!
//! A router writes where the frame lies, unless somebody else gets it as it is: a port that watches, another branch of a
//! flood. Then the branch goes on with a copy, which is a frame of the batch with a number of its own.

use super::agenda::Agenda;
use super::walk::{Branch, Traveller};
use super::{Books, Node};
use crate::bridge::{Decision, Extras, Inside, Outbox};
use crate::frame::{Batch, Edit, Headers, Leg, LegIndex, Passage, PortId};
use crate::router::decision::{Fate, Ingress};
use crate::time::Time;
use crate::trace::{Step, Trace};
use crate::verdict::{Reason, Verdict};
use crate::wire::mac::Mac;

/// See the module's documentation.
pub(super) struct Flight<'a> {
    pub(super) nodes: &'a mut [Option<Node>],
    pub(super) agenda: &'a mut Agenda,
    pub(super) books: &'a mut Books,
    pub(super) batch: &'a mut Batch,
    /// The frame's place in the batch.
    pub(super) index: usize,
    /// What it says as it lies.
    pub(super) headers: Headers,
    pub(super) now: Time,
    pub(super) silence: &'a mut Trace,
    pub(super) extras: &'a mut Extras,
    pub(super) outbox: &'a mut Outbox,
}

impl Traveller for Flight<'_> {
    #[inline]
    fn ask(&mut self, branch: &mut Branch) -> Decision {
        self.extras.clear();
        let Leg { node, leg } = branch.at;
        self.agenda.touch(node);
        let frame = &self.batch.frames()[usize::from(branch.frame)];
        let (bytes, edit) = (frame.bytes(), &branch.edit);
        let edited;
        let headers = match edit.is_none() && usize::from(branch.frame) == self.index {
            true => &self.headers,
            false => match Headers::edited(bytes, edit, &frame.offload) {
                Ok(headers) => {
                    edited = headers;
                    &edited
                }
                Err(reason) => return drop(reason),
            },
        };
        let passage = Passage { bytes, edit, headers };
        match self.nodes.get_mut(usize::from(node.0)).and_then(Option::as_mut) {
            Some(Node::Bridge(bridge)) => {
                if !branch.stopped
                    && let Some(leg) = bridge.shortcut(leg, &passage, self.now)
                {
                    return Verdict::Forward(leg).into();
                }
                bridge.forward(leg, &passage, self.now, self.silence, self.extras, self.outbox.of(node))
            }
            Some(Node::Router(router)) => {
                let now = self.now;
                if !branch.stopped
                    && let Some(along) = router.shortcut(leg, &passage, &frame.offload, now)
                {
                    let payload = headers.payload;
                    return self.write(branch, along.leg, along.ends, |frame| along.write(frame, payload));
                }
                let out = self.outbox.of(node);
                let decision = router.decide(leg, &passage, &frame.offload, now);
                let at = Ingress { leg, origin: frame.ingress.0 };
                let mut emit = |leg: LegIndex, frame: &[u8]| out.send(leg, frame);
                let ended = router.commit(&decision, at, &passage, &frame.offload, now, &mut emit);
                match (decision.fate, ended) {
                    (Fate::Drop(reason), _) | (_, Some(reason)) => drop(reason),
                    (Fate::Consume | Fate::Remake(_), None) => Verdict::Consume.into(),
                    (Fate::Gather | Fate::Park(_), None) => Verdict::Park.into(),
                    (Fate::Forward(onward), None) => {
                        let Some((mac, _)) = onward.neighbour else { return drop(Reason::NoPort) };
                        let payload = headers.payload;
                        self.write(branch, onward.leg, (onward.src, mac), |frame| {
                            onward.write(frame, payload)
                        })
                    }
                }
            }
            None => drop(Reason::NoPort),
        }
    }

    #[inline]
    fn exit(&self, leg: Leg, inside: &Inside, edit: Edit) -> Option<Edit> {
        match self.nodes.get(usize::from(leg.node.0)).and_then(Option::as_ref) {
            Some(Node::Bridge(bridge)) => bridge.exit(inside, leg.leg, edit),
            Some(Node::Router(_)) | None => Some(edit),
        }
    }

    #[inline]
    fn extras(&self) -> &Extras {
        self.extras
    }

    #[inline]
    fn deliver(&mut self, frame: u16, port: PortId, edit: Edit) {
        self.books.delivered += 1;
        self.batch.deliver(usize::from(frame), port, edit);
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

impl Flight<'_> {
    /// A router sends the frame on: what has to change is written into it, or into a copy if others get it as it is.
    #[inline]
    fn write(
        &mut self,
        branch: &mut Branch,
        leg: LegIndex,
        (src, dst): (Mac, Mac),
        write: impl FnOnce(&mut [u8]),
    ) -> Decision {
        let own = usize::from(branch.frame);
        if branch.from.is_some() || self.batch.is_delivered(own) {
            let Some(copy) = self.batch.copy(own) else { return drop(Reason::CopiesFull) };
            branch.frame = copy as u16;
        }
        let frame = self.batch.frame_mut(usize::from(branch.frame));
        write(frame.bytes_mut());
        branch.edit = branch.edit.as_addressed();
        if usize::from(branch.frame) == self.index {
            (self.headers.dst, self.headers.src) = (dst, src);
        }
        Verdict::Forward(leg).into()
    }
}

const fn drop(reason: Reason) -> Decision {
    Decision { verdict: Verdict::Drop(reason), inside: None }
}
