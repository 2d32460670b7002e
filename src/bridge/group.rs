//! What groups and neighbours do to the bridge: frames to groups find their members (B66, B67), messages about groups and
//! questions after addresses are heard and answered (B83).
//!
//! `multicast` and `neighbour` say what is to be done; here it is done.

use super::commit::Marks;
use super::deliver::{Crossing, may_deliver};
use super::multicast::{Change, Effect, Judgement, Malformed, Only, Scope};
use super::neighbour::{self, ANSWER_MAX, Ingress, Talk};
use super::vlan::Inside;
use super::{
    Bridge, Event, Extras, Family, GroupEntry, Joining, Neighbourly, Outbox, Plane, QuerierEntry,
    RouterEntry, drop,
};
use crate::frame::{LegIndex, Passage};
use crate::time::Time;
use crate::trace::{Cast, Step, Trace};
use crate::verdict::{LegSet, Reason, Verdict};
use crate::wire::mac::Mac;

impl Bridge {
    /// Who is in which group now.
    pub fn groups(&self, now: Time) -> Vec<GroupEntry> {
        self.plane.multicast.entries(now)
    }

    /// How many memberships and sources are remembered, and how many there was no room for.
    pub fn membership_usage(&self) -> (u32, u64) {
        self.plane.multicast.usage()
    }

    /// Behind which legs multicast routers are now.
    pub fn routers(&self, now: Time) -> Vec<RouterEntry> {
        self.plane.multicast.routers(now)
    }

    /// Who asks after groups, for each family.
    pub fn queriers(&self, now: Time) -> Vec<QuerierEntry> {
        self.plane.multicast.queriers(now).collect()
    }
}

impl Plane {
    /// Whom a frame to a group goes to.
    #[expect(clippy::too_many_arguments, reason = "one step of `route`, which has them all")]
    pub(super) fn route_group<'a>(
        &self,
        crossing: &Crossing<'_>,
        passage: &Passage<'a>,
        (vid, now): (u16, Time),
        marks: &mut Marks<'a>,
        trace: &mut Trace,
        extras: &mut Extras,
        withhold: impl FnMut(LegIndex, Reason),
    ) -> Verdict {
        if !self.multicast.is_on() {
            return self.flood(crossing, Cast::Multicast, trace, extras, withhold); // B79
        }
        let judgement = match self.judge(passage) {
            Ok(judgement) => judgement,
            Err(malformed) => return drop(reason_of(&malformed), trace), // B70
        };
        marks.message = judgement.message.is_some().then_some(judgement);
        match self.multicast.scope(judgement.audience, vid, now) {
            Scope::Flood => self.flood(crossing, Cast::Multicast, trace, extras, withhold),
            Scope::Only(only) => self.deliver_group(crossing, &only, now, trace, extras, withhold),
        }
    }

    /// What a frame says of groups that goes no further because its leg is only learning: it is heard all the same, as the
    /// kernel does (B2, B16).
    #[cold]
    pub(super) fn overhear<'a>(&self, passage: &Passage<'a>, marks: &mut Marks<'a>) {
        if passage.headers.dst.is_group() && !passage.headers.dst.is_broadcast() {
            marks.message = self.judge(passage).ok().filter(|judgement| judgement.message.is_some());
        }
    }

    fn judge<'a>(&self, passage: &Passage<'a>) -> Result<Judgement<'a>, Malformed> {
        let h = passage.headers;
        self.multicast.judge(h.ether_type, h.dst, passage.payload(), h.partial)
    }

    /// To the members and the routers, and the host if it is one of them.
    #[inline(never)]
    fn deliver_group(
        &self,
        crossing: &Crossing<'_>,
        only: &Only,
        now: Time,
        trace: &mut Trace,
        extras: &mut Extras,
        mut withhold: impl FnMut(LegIndex, Reason),
    ) -> Verdict {
        trace.note(Step::Members);
        extras.flood = LegSet::EMPTY;
        let mut common = Reason::NoMember;
        let mut may = |leg, trace: &mut Trace| {
            let Some(to) = self.end(leg) else { return false };
            match may_deliver(crossing, &self.vlans, to, None) {
                Ok(()) => true,
                Err(Reason::SamePort) => false,
                Err(reason) => {
                    trace.note(Step::Withhold(leg, reason));
                    withhold(leg, reason);
                    common = reason;
                    false
                }
            }
        };
        only.legs.iter().filter(|leg| may(*leg, trace)).for_each(|leg| extras.flood.insert(leg));
        if only.host {
            let hosts = self.ends().filter(|end| end.state.is_host());
            hosts.filter(|end| may(end.leg, trace)).for_each(|end| extras.flood.insert(end.leg));
        }
        for leg in only.unicast.iter() {
            if !may(leg, trace) {
                continue;
            }
            // not even behind a hairpin does a sender get its own frame back (B77)
            let others = |mac: &Mac| leg != crossing.from.leg || *mac != crossing.h.src;
            for mac in self.multicast.copies(only, leg, now).filter(others) {
                trace.note(Step::Copy(leg, mac));
                extras.copies.push((leg, mac));
                extras.any = true;
            }
        }
        match extras.flood.is_empty() && extras.copies.is_empty() {
            true => drop(common, trace),
            false => Verdict::Flood,
        }
    }

    /// A message about groups has come in.
    #[cold]
    pub(super) fn hear_message(
        &mut self,
        leg: LegIndex,
        vid: u16,
        src: Mac,
        message: &Judgement<'_>,
        now: Time,
        out: &mut Outbox,
    ) {
        // without room for a group the kernel drops the report; here its other receivers get it
        let _ = self.multicast.commit(leg, vid, src, message, now, &mut |effect| tell(out, effect));
    }

    /// What the frame says of neighbours, where that matters (B83).
    #[inline(always)]
    pub(super) fn talk(
        &self,
        crossing: &Crossing<'_>,
        passage: &Passage<'_>,
        vid: u16,
        now: Time,
    ) -> Option<neighbour::Judgement> {
        let Neighbourly { proxy, suppression } = self.neighbourly;
        if proxy || suppression { self.listen(crossing, passage, vid, now) } else { None }
    }

    #[cold]
    fn listen(
        &self,
        crossing: &Crossing<'_>,
        passage: &Passage<'_>,
        vid: u16,
        now: Time,
    ) -> Option<neighbour::Judgement> {
        let suppression = self.neighbourly.suppression;
        let h = passage.headers;
        let talk = Talk::of(passage, vid, h.partial)?;
        let from = crossing.from;
        let ingress = Ingress { leg: from.leg, config: &from.state.config, vid, suppression };
        let find = |mac| {
            let place = self.fdb.lookup(vid, mac, now)?;
            Some((place.leg, &self.end(place.leg)?.state.config))
        };
        Some(self.neighbours.judge(&talk, h, ingress, now, find))
    }

    /// Remembers it, and answers where it came from.
    #[cold]
    pub(super) fn hear_talk(
        &mut self,
        leg: LegIndex,
        inside: Option<&Inside>,
        talk: &neighbour::Judgement,
        now: Time,
        out: &mut Outbox,
    ) {
        self.neighbours.commit(talk, now);
        let Some(answer) = &talk.answer else { return };
        // as the question was tagged, but for the VLAN that is the leg's without (`br_arp_send`)
        let entry = inside.and_then(|inside| self.vlans.entry(leg, inside.tag.vid()));
        let tag = inside.map(|inside| inside.tag).filter(|_| entry.is_some_and(|entry| !entry.pvid));
        let mut buffer = [0; ANSWER_MAX];
        let len = answer.write(tag, &mut buffer);
        out.send(leg, &buffer[..len]);
    }
}

/// What comes of a message about groups, or of time.
pub(super) fn tell(out: &mut Outbox, effect: Effect<'_>) {
    tell_whose(out, effect, false);
}

/// The same; `permanent` if it is the user who says so.
pub(super) fn tell_whose(out: &mut Outbox, effect: Effect<'_>, permanent: bool) {
    let joining = |change: Change| {
        let Change { leg, vid, group, source } = change;
        Joining { leg, vid, group, source, permanent }
    };
    match effect {
        Effect::Disabled => out.tell(Event::SnoopingOff),
        Effect::Joined(change) => out.tell(Event::Joined(joining(change))),
        Effect::Left(change) => out.tell(Event::Left(joining(change))),
        Effect::Router(leg, found) => out.tell(Event::Router(leg, found)),
        Effect::Send(leg, _vid, frame) => out.send(leg, frame),
    }
}

fn reason_of(malformed: &Malformed) -> Reason {
    match malformed.family {
        Family::V4 => Reason::IgmpMalformed,
        Family::V6 => Reason::MldMalformed,
    }
}
