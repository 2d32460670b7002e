//! What ends with time: wishes that nobody repeats, and questions that are asked more than once.
//!
//! An entry is settled whenever a message or the user touches it, and when it is due. Nobody who looks at it depends
//! on that: [`Member::wants`](super::member::Member::wants) goes by the time, so a late tick only keeps memory longer
//! and questions waiting.

use std::time::Duration;

use super::config::{Family, Group};
use super::mdb::EntryId;
use super::{Change, Effect, Multicast};
use crate::frame::LegIndex;
use crate::time::Time;

/// How many entries a tick looks at; the rest is still due.
const SWEEP_MAX: usize = 256;

impl Multicast {
    /// Ends what has run out and asks what is due. Looks at so many groups and no more: the rest stays due.
    pub(in crate::bridge) fn tick(&mut self, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        for _ in 0..SWEEP_MAX {
            let Some((_, id)) = self.mdb.first_due().filter(|(due, _)| *due <= now) else { break };
            self.settle(id, now, emit);
            self.ask_again(id, now, emit);
            self.mdb.tidy(id);
        }
        self.run_timers(now, emit);
    }

    /// When [`Multicast::tick`] has something to do.
    #[inline]
    pub(in crate::bridge) fn deadline(&self) -> Option<Time> {
        let groups = self.mdb.first_due().map_or(Time::NEVER, |(due, _)| due);
        Some(groups.min(self.timers)).filter(|due| *due < Time::NEVER)
    }

    /// The entry of the group, if anybody is left in it.
    pub(super) fn find(
        &mut self,
        vid: u16,
        group: Group,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) -> Option<EntryId> {
        let id = self.mdb.find(vid, group)?;
        self.settle(id, now, emit);
        self.mdb.tidy(id);
        self.mdb.get(id).map(|_| id)
    }

    /// Takes away what has run out in an entry.
    pub(super) fn settle(&mut self, id: EntryId, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let host = self.host_leg();
        let Self { mdb, ledger, .. } = self;
        let Some(entry) = mdb.get_mut(id) else { return };
        let (vid, group) = (entry.vid, entry.group);
        let left = |leg, source| Effect::Left(Change { leg, vid, group, source });
        if entry.host.joined && !entry.host.holds(now) {
            entry.host.joined = false;
            if let Some(host) = host {
                emit(left(host, None));
            }
        }
        entry.members.retain_mut(|member| {
            let leg = member.leg;
            let keep = member.settle(now, ledger, |source| emit(left(leg, Some(source))));
            if !keep {
                ledger.give(leg);
                emit(left(leg, None));
            }
            keep
        });
    }

    /// Repeats the questions of an entry that are due, if it is still for this bridge to ask.
    fn ask_again(&mut self, id: EntryId, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let asker = self.asker();
        let Some(Group::Ip(group)) = self.mdb.get(id).map(|entry| entry.group) else { return };
        let asks = self.is_querier(Family::of(group), now);
        let interval = self.config.last_member_interval.max(Duration::from_millis(1));
        let Some(entry) = self.mdb.get_mut(id) else { return };
        let vid = entry.vid;
        for member in entry.members.iter_mut().filter(|member| member.ask_at.is_some_and(|at| at <= now)) {
            member.ask_at = None;
            if !asks {
                continue;
            }
            if member.asks_left > 0 {
                member.asks_left -= 1;
                if let Some(frame) = asker.group(group, true, [].into_iter()) {
                    emit(Effect::Send(member.leg, vid, frame.bytes()));
                }
            }
            let wanted = member.sources.iter().filter(|source| source.asks_left > 0);
            if wanted.clone().next().is_some()
                && let Some(frame) = asker.group(group, false, wanted.map(|source| source.address))
            {
                emit(Effect::Send(member.leg, vid, frame.bytes()));
            }
            for source in &mut member.sources {
                source.asks_left = source.asks_left.saturating_sub(1);
            }
            if member.asks_left > 0 || member.sources.iter().any(|source| source.asks_left > 0) {
                member.ask_at = Some(now + interval);
            }
        }
    }

    /// The first host there is.
    pub(super) fn host_leg(&self) -> Option<LegIndex> {
        let at = self.legs.iter().position(|leg| leg.is_some_and(|leg| leg.host))?;
        Some(LegIndex(at as u16))
    }
}
