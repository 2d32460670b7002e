//! What a frame leaves behind in the bridge.
//!
//! Deciding only looks; what is to be remembered of the frame is put into [`Marks`], and written down here, at once and
//! with nothing in between.

use super::fdb::Sight;
use super::{Bridge, Event, Outbox, Sighting, StationKind};
use crate::frame::{LegIndex, Passage};
use crate::time::Time;

/// What is to be written down of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// What the source's sight means to the table; nothing if it does not teach.
    pub(super) sight: Option<Sight>,
    /// How a source stands in the table that was not known before.
    pub(super) kind: StationKind,
    /// It is a message of the spanning tree.
    pub(super) bpdu: bool,
}

impl Default for Marks {
    fn default() -> Self {
        Self { sight: None, kind: StationKind::Learned, bpdu: false }
    }
}

impl Bridge {
    #[inline(always)]
    pub(super) fn commit(
        &mut self,
        leg: LegIndex,
        (vid, passage): (u16, &Passage<'_>),
        marks: &Marks,
        now: Time,
        out: &mut Outbox,
    ) {
        if let Some(sight) = marks.sight {
            self.plane.fdb.commit(sight, leg, marks.kind, now);
            self.counters.sighted(sight);
            let sighting = Sighting { mac: passage.headers.src, vid, leg, kind: marks.kind };
            match sight {
                Sight::Move(_, before) => out.tell(Event::Moved(Sighting { leg: before, ..sighting }, leg)),
                Sight::New(_) => out.tell(Event::Learned(sighting)),
                Sight::Full | Sight::Own | Sight::Refresh(_) | Sight::Stuck(_) => {}
            }
        }
        if marks.bpdu {
            self.plane.hear_bpdu(leg, passage, now, out);
        }
    }
}
