//! What a message teaches: who joins, who leaves, who asks.
//!
//! The differences between the versions are the kernel's, odd as some are. To a bridge of an older version a report of
//! the newer one is a join if it wants anything, and a leave if it does not (B75). A leave is followed by a question to
//! all systems and moves the port's next general question forward, where the newer versions ask the group itself. And
//! a question about sources is first asked one `last_member_interval` after the report that raised it.

use std::net::IpAddr;

use super::config::{Family, Group};
use super::mdb::EntryId;
use super::member::Member;
use super::sources::{self, Terms};
use super::{Change, Effect, Judgement, Multicast, pending};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::mac::Mac;
use crate::wire::membership::{Message, Query, Record, RecordKind, Subject};

/// How many reporters of a group are told apart behind a leg: more copies than that of each frame are worse than the frame.
const REPORTERS_MAX: usize = 64;

/// Where a message came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) leg: LegIndex,
    pub(super) vid: u16,
    pub(super) src: Mac,
    pub(super) host: bool,
}

impl Multicast {
    /// Does what the message says. False if there was no room for a group it wants: then the kernel drops the frame.
    pub(in crate::bridge) fn commit(
        &mut self,
        leg: LegIndex,
        vid: u16,
        src: Mac,
        judgement: &Judgement<'_>,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) -> bool {
        let Some((family, message)) = judgement.message.filter(|_| self.is_on()) else { return true };
        let Some(state) = self.leg(leg).filter(|state| state.up) else { return true };
        let origin = Origin { leg, vid, src, host: state.host };
        let room = match message {
            Message::Join(group) => self.join(origin, group, true, now, emit),
            Message::Leave(group) => {
                self.leave(origin, group, now, emit);
                true
            }
            Message::Query(source, query) => {
                self.query(origin, source, &query, now, emit);
                true
            }
            Message::Report(mut records) => records.all(|record| self.report(origin, &record, now, emit)),
            Message::Router => {
                self.mark_router(leg, family, now, emit);
                true
            }
        };
        self.reckon(now);
        room
    }

    /// A wish for a group: for all of it if it is an old one, else for what the record will say.
    fn join(
        &mut self,
        from: Origin,
        group: IpAddr,
        old: bool,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) -> bool {
        let Some(id) = self.entry(from.vid, group, now, emit) else {
            return !Group::Ip(group).is_registrable();
        };
        let until = now + self.config.membership_interval;
        let to_unicast = self.to_unicast(from.leg);
        let Self { mdb, ledger, .. } = self;
        let Some(entry) = mdb.get_mut(id) else { return true };
        let change = Change { leg: from.leg, vid: from.vid, group: Group::Ip(group), source: None };
        let mut room = true;
        if from.host {
            if !std::mem::replace(&mut entry.host.joined, true) {
                emit(Effect::Joined(change));
            }
            entry.host.timer = Some(until);
        } else {
            let at = match find(&entry.members, from, to_unicast) {
                Some(at) => Some(at),
                None if ledger.take(from.leg) => {
                    let at = entry.members.partition_point(|member| member.leg <= from.leg);
                    let crowded = to_unicast && is_crowded(&entry.members, from.leg);
                    let reporter = if crowded { Mac::BROADCAST } else { from.src };
                    entry.members.insert(at, Member::new(from.leg, reporter, old));
                    emit(Effect::Joined(change));
                    Some(at)
                }
                None => None,
            };
            room = at.is_some();
            if let Some(member) = at.and_then(|at| entry.members.get_mut(at)) {
                if member.is_only_set() && !member.permanent {
                    member.exclude = old;
                }
                if old && !member.permanent {
                    member.timer = Some(until);
                }
            }
        }
        self.mdb.tidy(id);
        room
    }

    /// The entry of the group, which is made if there is room for it (B76); settled.
    fn entry(
        &mut self,
        vid: u16,
        group: IpAddr,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) -> Option<EntryId> {
        let group = Group::Ip(group);
        if !group.is_registrable() {
            return None;
        }
        self.find(vid, group, now, emit).or_else(|| {
            if self.mdb.len() >= self.config.hash_max as usize {
                self.tripped = true;
                self.ledger.refuse();
                emit(Effect::Disabled);
                return None;
            }
            Some(self.mdb.insert(vid, group))
        })
    }

    /// One record of a report of the newer version.
    fn report(
        &mut self,
        from: Origin,
        record: &Record<'_>,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) -> bool {
        let family = Family::of(record.group);
        let plain = from.host || !self.config.minds_sources(family);
        let nothing =
            matches!(record.kind, RecordKind::ToInclude | RecordKind::IsInclude) && record.sources.is_empty();
        let id = match (nothing, plain) {
            (true, true) => {
                self.leave(from, record.group, now, emit);
                return true;
            }
            (false, true) => return self.join(from, record.group, true, now, emit),
            (true, false) => self.find(from.vid, Group::Ip(record.group), now, emit),
            (false, false) if !self.join(from, record.group, false, now, emit) => return false,
            // not settled: a member that wants nothing yet would be taken away
            (false, false) => self.mdb.find(from.vid, Group::Ip(record.group)),
        };
        if let Some(id) = id {
            self.apply(id, from, record, now, emit);
            self.mdb.tidy(id);
        }
        true
    }

    fn apply(
        &mut self,
        id: EntryId,
        from: Origin,
        record: &Record<'_>,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let asks = self.is_querier(Family::of(record.group), now);
        let terms = Terms {
            now,
            interval: self.config.membership_interval,
            last_member_time: self.config.last_member_time(),
            asks: if asks { self.config.last_member_count } else { 0 },
            fastleave: self.leg(from.leg).is_some_and(|leg| leg.config.fastleave),
        };
        let (to_unicast, asker, interval) =
            (self.to_unicast(from.leg), self.asker(), self.config.last_member_interval);
        let Self { mdb, ledger, .. } = self;
        let Some(entry) = mdb.get_mut(id) else { return };
        let Some(at) = find(&entry.members, from, to_unicast) else { return };
        let Some(member) = entry.members.get_mut(at).filter(|member| !member.permanent) else { return };
        let change = Change { leg: from.leg, vid: from.vid, group: entry.group, source: None };
        let after = sources::apply(member, record, &terms, ledger, |source, new| {
            let change = Change { source: Some(source), ..change };
            emit(if new { Effect::Joined(change) } else { Effect::Left(change) });
        });
        let next = Some(now + interval);
        if asks && after.ask_sources && member.ask_at.is_none_or(|at| Some(at) > next) {
            member.ask_at = next;
        }
        if after.ask_group {
            if asks {
                member.asks_left = self.config.last_member_count.saturating_sub(1);
                if let Some(frame) = asker.group(record.group, false, [].into_iter()) {
                    emit(Effect::Send(from.leg, from.vid, frame.bytes()));
                }
                if member.ask_at.is_none_or(|at| Some(at) > next) {
                    member.ask_at = next;
                }
            }
            if member.exclude {
                shorten(&mut member.timer, now + terms.last_member_time, now);
            }
        }
        if after.gone {
            self.remove_member(id, at, emit);
        }
    }

    /// Somebody does not want the group any more (B73, B74).
    fn leave(&mut self, from: Origin, group: IpAddr, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let family = Family::of(group);
        let Some(id) = self.find(from.vid, Group::Ip(group), now, emit) else { return };
        let to_unicast = self.to_unicast(from.leg);
        let fastleave = !from.host && self.leg(from.leg).is_some_and(|leg| leg.config.fastleave);
        let Some(entry) = self.mdb.get(id) else { return };
        let at = find(&entry.members, from, to_unicast);
        let set = at.and_then(|at| entry.members.get(at)).is_none_or(|member| member.permanent);
        if fastleave {
            if let Some(at) = at.filter(|_| !set) {
                self.remove_member(id, at, emit);
                self.mdb.tidy(id);
            }
            return;
        }
        if pending(self.contexts[family as usize].other, now) {
            return; // it will ask
        }
        let end = now + self.config.last_member_time();
        if self.is_querier(family, now) {
            if let Some(frame) = self.asker().after_leave(group) {
                emit(Effect::Send(from.leg, from.vid, frame.bytes()));
            }
            if from.host {
                self.contexts[family as usize].own.timer = Some(end);
            } else if let Some(leg) = self.leg_mut(from.leg) {
                leg.own[family as usize].timer = Some(end);
            }
        }
        let Some(entry) = self.mdb.get_mut(id) else { return };
        if from.host && entry.host.joined {
            shorten(&mut entry.host.timer, end, now);
        } else if !from.host
            && let Some(member) = at.and_then(|at| entry.members.get_mut(at))
            && !member.is_only_set()
        {
            shorten(&mut member.timer, end, now);
        }
        self.mdb.tidy(id);
    }

    fn query(
        &mut self,
        from: Origin,
        source: IpAddr,
        query: &Query,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let (group, suppress) = match query.subject {
            Subject::Everything => return self.general_query(from.leg, source, query.max_delay, now, emit),
            Subject::Group { group, suppress } => (group, suppress),
            Subject::Other => return,
        };
        let minds = self.config.minds_sources(Family::of(group));
        if minds && suppress {
            return;
        }
        let Some(id) = self.find(from.vid, Group::Ip(group), now, emit) else { return };
        let end = now + query.max_delay.saturating_mul(self.config.last_member_count);
        let Some(entry) = self.mdb.get_mut(id) else { return };
        if entry.host.joined && !entry.host.permanent {
            shorten(&mut entry.host.timer, end, now);
        }
        for member in entry.members.iter_mut().filter(|member| !member.is_only_set()) {
            if member.timer.is_some() || !minds || member.exclude {
                shorten(&mut member.timer, end, now);
            }
        }
        self.mdb.tidy(id);
    }

    /// Removes a member with all its sources; one the user set sources for keeps those.
    pub(super) fn remove_member(&mut self, id: EntryId, at: usize, emit: &mut impl FnMut(Effect<'_>)) {
        let Self { mdb, ledger, .. } = self;
        let Some(entry) = mdb.get_mut(id) else { return };
        let change = |leg, source| Change { leg, vid: entry.vid, group: entry.group, source };
        let Some(member) = entry.members.get_mut(at) else { return };
        let leg = member.leg;
        member.drop_sources(ledger, |_| true, &mut |source| emit(Effect::Left(change(leg, Some(source)))));
        if !member.sources.is_empty() {
            (member.exclude, member.timer, member.ask_at) = (false, None, None);
            return;
        }
        emit(Effect::Left(change(leg, None)));
        ledger.give(leg);
        entry.members.remove(at);
    }

    pub(super) fn to_unicast(&self, leg: LegIndex) -> bool {
        self.leg(leg).is_some_and(|leg| leg.config.to_unicast)
    }
}

/// The member that a message from there is of: the leg's, or with `to_unicast` that of the reporter (B77). Beyond
/// [`REPORTERS_MAX`] all others are one, that of [`Mac::BROADCAST`].
fn find(members: &[Member], from: Origin, to_unicast: bool) -> Option<usize> {
    let start = members.partition_point(|member| member.leg < from.leg);
    let behind = || members[start..].iter().take_while(|member| member.leg == from.leg);
    let of = |reporter| behind().position(|member| member.reporter == reporter);
    let found = match to_unicast {
        false => behind().next().map(|_| 0),
        true if is_crowded(members, from.leg) => of(from.src).or_else(|| of(Mac::BROADCAST)),
        true => of(from.src),
    };
    found.map(|at| start + at)
}

/// Whether so many have reported behind the leg that the next ones are not told apart.
fn is_crowded(members: &[Member], leg: LegIndex) -> bool {
    let start = members.partition_point(|member| member.leg < leg);
    members.get(start + REPORTERS_MAX - 1).is_some_and(|member| member.leg == leg)
}

/// Lets the timer end at `end`, if it would not sooner.
fn shorten(timer: &mut Option<Time>, end: Time, now: Time) {
    if !pending(*timer, now) || *timer > Some(end) {
        *timer = Some(end);
    }
}
