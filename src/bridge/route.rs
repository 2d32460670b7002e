//! Where an admitted frame goes.

use super::admit::vid;
use super::commit::Marks;
use super::deliver::{Crossing, End, may_deliver};
use super::fdb::{Place, Sight};
use super::guard::storm::{self, Storm};
use super::vlan::Inside;
use super::{Extras, Plane, StationKind, drop};
use crate::frame::{LegIndex, Passage};
use crate::time::Time;
use crate::trace::{Cast, Step, Trace};
use crate::verdict::{LegSet, Reason, Verdict};

impl Plane {
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "one step of `decide`, which has them all")]
    pub(super) fn route<'a>(
        &self,
        from: End<'_>,
        passage: &Passage<'a>,
        inside: Option<&Inside>,
        now: Time,
        marks: &mut Marks<'a>,
        trace: &mut Trace,
        extras: &mut Extras,
        mut withhold: impl FnMut(LegIndex, Reason),
    ) -> Verdict {
        let h = passage.headers;
        let vid = vid(inside);
        let mut crossing = Crossing::new(&self.config, from, passage, inside);
        if let Some(talk) = self.talk(&crossing, passage, vid, now) {
            crossing.suppressed = talk.suppressed;
            marks.talk = Some(talk);
        }
        if h.dst.is_group() {
            let cast = if h.dst.is_broadcast() { Cast::Broadcast } else { Cast::Multicast };
            let limited = h.dst.link_local().is_none();
            if limited && self.is_storm(from, cast, passage, marks, now) {
                return drop(Reason::StormLimit, trace);
            }
            if cast == Cast::Broadcast {
                return self.flood(&crossing, cast, trace, extras, withhold);
            }
            return self.route_group(&crossing, passage, (vid, now), marks, trace, extras, withhold);
        }
        let place = self.destination(&crossing, vid, marks.sight, now);
        trace.note(Step::Lookup(h.dst, place.map(|place| place.leg)));
        let to = match place {
            None => {
                if self.is_storm(from, Cast::UnknownUnicast, passage, marks, now) {
                    return drop(Reason::StormLimit, trace);
                }
                return self.flood(&crossing, Cast::UnknownUnicast, trace, extras, withhold);
            }
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
    fn destination(
        &self,
        crossing: &Crossing<'_>,
        vid: u16,
        sight: Option<Sight>,
        now: Time,
    ) -> Option<Place> {
        let h = crossing.h;
        match sight {
            Some(Sight::Move(..) | Sight::New(_) | Sight::Refresh(_)) if h.dst == h.src => {
                Some(Place { leg: crossing.from.leg, kind: StationKind::Learned })
            }
            _ => self.fdb.lookup(vid, h.dst, now),
        }
    }

    /// Whether the leg sends more of that kind than it may; what it owes otherwise is noted.
    #[inline]
    fn is_storm(
        &self,
        from: End<'_>,
        cast: Cast,
        passage: &Passage<'_>,
        marks: &mut Marks<'_>,
        now: Time,
    ) -> bool {
        let frames = || storm::frames(passage);
        match from.state.storm.check(&from.state.config.storm_limit, cast, frames, now) {
            Storm::Pass(charge) => {
                marks.charge = Some(charge);
                false
            }
            Storm::TooMany => true,
            Storm::Unlimited => false,
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
    pub(super) fn flood(
        &self,
        crossing: &Crossing<'_>,
        cast: Cast,
        trace: &mut Trace,
        extras: &mut Extras,
        mut withhold: impl FnMut(LegIndex, Reason),
    ) -> Verdict {
        trace.note(Step::Flood(cast));
        extras.flood = LegSet::EMPTY;
        let mut anybody = false;
        let mut common = None;
        for to in self.ends() {
            match may_deliver(crossing, &self.vlans, to, Some(cast)) {
                Ok(()) => {
                    extras.flood.insert(to.leg);
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
        if anybody { Verdict::Flood } else { drop(common.unwrap_or(Reason::NoPort), trace) }
    }
}
