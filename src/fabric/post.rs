//! Frames that devices make, on their way.
//!
//! A device says through which of its legs a frame is to leave. Behind the leg is a port, which gets it, or another
//! device, which meets it like any frame; what that one says in turn comes next. As many as the batch has room for are sent
//! at a time; the others wait for the next call, which is due at once.

use super::Fabric;
use super::graph::Wire;
use crate::frame::{Batch, Edit, End, Headers, Leg, Offload};
use crate::time::Time;
use crate::verdict::Reason;

/// How many frames are sent in one call, most of which do not leave: devices that answer each other without end must not
/// keep everybody else waiting.
const FRAMES_PER_CALL: usize = 4096;

impl Fabric {
    /// Whether something that devices have made still waits: there was no room for it in the batch.
    #[inline]
    pub fn has_mail(&self) -> bool {
        !self.outbox.is_empty() || !self.mail.is_empty()
    }

    /// Sends, in an empty batch, what there was no room for in the one before. Whoever wants packets that waited for an
    /// address to leave before later ones of the same flow calls this before the next frames are received.
    pub fn send_mail(&mut self, batch: &mut Batch, now: Time) {
        self.post(batch, now);
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn post(&mut self, batch: &mut Batch, now: Time) {
        for _ in 0..FRAMES_PER_CALL {
            if batch.room() == 0 {
                return;
            }
            if self.mail.is_empty() {
                if self.outbox.is_empty() {
                    return;
                }
                self.outbox.swap(&mut self.mail);
            }
            let Some((node, leg, bytes)) = self.mail.take() else { continue };
            let made = batch.originate(bytes);
            match made {
                Some(index) => self.send(batch, index, Leg { node, leg }, now),
                None => self.books.unmade += 1,
            }
        }
    }

    fn send(&mut self, batch: &mut Batch, index: usize, from: Leg, now: Time) {
        let before = batch.deliveries().len();
        let end = match self.graph.wire(from) {
            Some(Wire::Link(peer, _)) => {
                match Headers::parse(batch.frames()[index].bytes(), &Offload::NONE) {
                    Ok(headers) => self.walk(batch, index, peer, headers, now),
                    Err(reason) => End::Dropped(reason),
                }
            }
            Some(Wire::Port(port)) => {
                self.books.delivered += 1;
                batch.deliver(index, port, Edit::NONE);
                End::Sent
            }
            None => End::Dropped(Reason::NoPort),
        };
        self.books.originate(end);
        if batch.deliveries().len() == before {
            batch.take_back();
        }
    }
}
