//! Where an admitted frame goes.

use super::admit::Admission;
use super::deliver::{Crossing, End, may_deliver};
use super::fdb::{Place, Sight};
use super::{Plane, StationKind, drop};
use crate::frame::{LegIndex, Passage};
use crate::time::Time;
use crate::trace::{Cast, Step, Trace};
use crate::verdict::{LegSet, Reason, Verdict};

impl Plane {
    #[inline(always)]
    pub(super) fn route(
        &self,
        from: End<'_>,
        passage: &Passage<'_>,
        admission: &Admission,
        now: Time,
        trace: &mut Trace,
        mut withhold: impl FnMut(LegIndex, Reason),
    ) -> Verdict {
        let h = &passage.headers;
        let crossing = Crossing::new(&self.config, from, passage, admission.inside.as_ref());
        if h.dst.is_broadcast() {
            return self.flood(&crossing, Cast::Broadcast, trace, withhold);
        }
        if h.dst.is_group() {
            return self.flood(&crossing, Cast::Multicast, trace, withhold);
        }
        let place = self.destination(&crossing, admission, now);
        trace.note(Step::Lookup(h.dst, place.map(|place| place.leg)));
        let to = match place {
            None => return self.flood(&crossing, Cast::UnknownUnicast, trace, withhold),
            Some(place) if place.kind == StationKind::Local => self.host(place.leg),
            Some(place) => self.end(place.leg).map(|to| self.backed_up(to, trace)),
        };
        let Some(to) = to else { return drop(Reason::NoPort, trace) };
        match may_deliver(&crossing, &self.vlans, to, None) {
            Ok(()) => Verdict::Forward(to.leg),
            Err(reason) => {
                if reason != Reason::SamePort {
                    trace.note(Step::Withhold(to.leg, reason));
                    withhold(to.leg, reason);
                }
                drop(reason, trace)
            }
        }
    }

    /// Where the table has the destination once the source has taught it.
    #[inline]
    fn destination(&self, crossing: &Crossing<'_>, admission: &Admission, now: Time) -> Option<Place> {
        let h = crossing.h;
        match admission.marks.sight {
            Some(Sight::Move(..) | Sight::New(_) | Sight::Refresh(_)) if h.dst == h.src => {
                Some(Place { leg: crossing.from.leg, kind: StationKind::Learned })
            }
            _ => self.fdb.lookup(admission.vid(), h.dst, now),
        }
    }

    /// The leg, or the one that stands in for it while it is down (B30).
    #[inline]
    fn backed_up<'a>(&'a self, to: End<'a>, trace: &mut Trace) -> End<'a> {
        match to.state.backup {
            Some(backup) if !to.state.up => {
                trace.note(Step::Backup(to.leg, backup));
                self.end(backup).unwrap_or(to)
            }
            _ => to,
        }
    }

    /// The host that a local entry means: the leg it names if that is a host, else the first host there is. An
    /// internal network has none.
    fn host(&self, leg: LegIndex) -> Option<End<'_>> {
        let named = self.end(leg).filter(|end| end.state.is_host());
        named.or_else(|| self.ends().find(|end| end.state.is_host()))
    }

    /// A copy to every leg that may have one. If none may, it is a drop: for the reason that all of them gave, or
    /// because there is no port if they differ or were none.
    #[inline(never)]
    fn flood(
        &self,
        crossing: &Crossing<'_>,
        cast: Cast,
        trace: &mut Trace,
        mut withhold: impl FnMut(LegIndex, Reason),
    ) -> Verdict {
        trace.note(Step::Flood(cast));
        let mut legs = LegSet::EMPTY;
        let mut anybody = false;
        let mut common = None;
        for to in self.ends() {
            match may_deliver(crossing, &self.vlans, to, Some(cast)) {
                Ok(()) => {
                    legs.insert(to.leg);
                    anybody = true;
                }
                Err(Reason::NoPort | Reason::SamePort) => {}
                Err(reason) => {
                    trace.note(Step::Withhold(to.leg, reason));
                    withhold(to.leg, reason);
                    common = Some(if common.is_none_or(|c| c == reason) { reason } else { Reason::NoPort });
                }
            }
        }
        if anybody { Verdict::Flood(legs) } else { drop(common.unwrap_or(Reason::NoPort), trace) }
    }
}
