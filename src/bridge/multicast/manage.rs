//! Changes by the user: settings, legs that come and go, entries that stay.

use std::net::IpAddr;

use super::config::{Family, Group, MulticastConfig, MulticastLegConfig, RouterMode};
use super::mdb::EntryId;
use super::member::{Member, Source};
use super::querier::{LegState, OwnQuery};
use super::{Change, Effect, Multicast};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::mac::Mac;
use crate::wire::membership::SOURCES_MAX;

/// Why an entry cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bridge) enum EntryError {
    /// As many groups, members or sources as there may be (B76, B78).
    Full,
    /// Everybody's group, or no group at all (B68).
    Group,
    /// There is no such leg.
    Leg,
    /// Another family than the group's, or for the host, whose wish is for all of them.
    Source,
}

impl Multicast {
    /// Takes other settings. What was learned stays; snooping that had switched itself off is on again if it is
    /// switched on anew, or may have more groups than there are (B76).
    pub(in crate::bridge) fn configure(&mut self, config: MulticastConfig, now: Time) {
        let (was_on, before) = (self.is_on(), std::mem::replace(&mut self.config, config));
        if (config.snooping && !before.snooping) || config.hash_max > before.hash_max {
            self.tripped = false;
        }
        if (config.querier && !before.querier) || (self.is_on() && !was_on) {
            self.open(now);
            self.await_answers(now);
        }
        if matches!(config.router, RouterMode::Always | RouterMode::Never) {
            for context in &mut self.contexts {
                context.router = None;
            }
        }
        self.reckon(now);
    }

    /// The bridge has another address now.
    pub(in crate::bridge) fn set_mac(&mut self, mac: Mac) {
        self.mac = mac;
    }

    /// Adds a leg that is up; replaces what was there.
    pub(in crate::bridge) fn attach(
        &mut self,
        leg: LegIndex,
        config: MulticastLegConfig,
        host: bool,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        self.detach(leg, now, emit);
        let index = usize::from(leg.0);
        if index >= self.legs.len() {
            self.legs.resize(index + 1, None);
        }
        let own = [OwnQuery::default(); 2];
        self.legs[index] =
            Some(LegState { config, host, up: false, set_mode: RouterMode::Learn, router: [None; 2], own });
        self.ledger.limit(leg, config.max_groups);
        self.set_up(leg, true, now, emit);
        self.set_router(leg, config.router, now, emit);
    }

    /// Removes a leg and everything behind it.
    pub(in crate::bridge) fn detach(&mut self, leg: LegIndex, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        if self.leg(leg).is_none() {
            return;
        }
        self.set_up(leg, false, now, emit);
        self.flush(leg, None, true, emit);
        self.legs[usize::from(leg.0)] = None;
        self.reckon(now);
    }

    /// Takes other settings for a leg; members that are there stay, even above a new limit.
    pub(in crate::bridge) fn configure_leg(
        &mut self,
        leg: LegIndex,
        config: MulticastLegConfig,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let Some(state) = self.leg_mut(leg) else { return };
        let before = std::mem::replace(&mut state.config, config);
        self.ledger.limit(leg, config.max_groups);
        if before.router != config.router || config.router == RouterMode::Temp {
            self.set_router(leg, config.router, now, emit);
        }
    }

    /// The leg came up, or went down: who was behind it is gone, but for what the user set (B78).
    pub(in crate::bridge) fn set_up(
        &mut self,
        leg: LegIndex,
        up: bool,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let asks = self.is_on();
        let Some(state) = self.leg_mut(leg) else { return };
        let was_router = state.is_any_router(now) && !state.host;
        if std::mem::replace(&mut state.up, up) == up {
            return;
        }
        for own in &mut state.own {
            *own = OwnQuery::default();
            if up && asks && !state.host {
                own.start(now);
            }
        }
        if up {
            if state.is_any_router(now) && !state.host {
                emit(Effect::Router(leg, true));
            }
        } else {
            state.router = [None; 2];
            if was_router {
                emit(Effect::Router(leg, false));
            }
            self.flush(leg, None, false, emit);
        }
        self.reckon(now);
    }

    /// The leg is no longer in the VLAN.
    pub(in crate::bridge) fn remove_vlan(
        &mut self,
        leg: LegIndex,
        vid: u16,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        self.flush(leg, Some(vid), false, emit);
    }

    /// Sets a member, or a source of one, that no timer and no message removes (B74); of the host, that it wants the
    /// group.
    pub(in crate::bridge) fn add_entry(
        &mut self,
        leg: LegIndex,
        vid: u16,
        group: Group,
        source: Option<IpAddr>,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) -> Result<(), EntryError> {
        let host = self.leg(leg).ok_or(EntryError::Leg)?.host;
        if !group.is_registrable() {
            return Err(EntryError::Group);
        }
        let is_of =
            |source: IpAddr| matches!(group, Group::Ip(group) if Family::of(group) == Family::of(source));
        if source.is_some_and(|source| host || !is_of(source)) {
            return Err(EntryError::Source);
        }
        let known = self.find(vid, group, now, emit);
        if known.is_none() && self.mdb.len() >= self.config.hash_max as usize {
            return Err(EntryError::Full);
        }
        let id = known.unwrap_or_else(|| self.mdb.insert(vid, group));
        let set = if host { self.set_host(id) } else { self.set_member(id, leg, source, emit) };
        self.mdb.tidy(id);
        let new = set?;
        if new {
            emit(Effect::Joined(Change { leg, vid, group, source }));
        }
        Ok(())
    }

    /// Removes what the user set, or what was learned, as `bridge mdb del`; says whether it was there.
    pub(in crate::bridge) fn remove_entry(
        &mut self,
        leg: LegIndex,
        vid: u16,
        group: Group,
        source: Option<IpAddr>,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) -> bool {
        let Some(host) = self.leg(leg).map(|leg| leg.host) else { return false };
        let Some(id) = self.find(vid, group, now, emit) else { return false };
        let Self { mdb, ledger, .. } = self;
        let Some(entry) = mdb.get_mut(id) else { return false };
        let change = |source| Change { leg, vid, group, source };
        let mut found = false;
        if host {
            found = std::mem::take(&mut entry.host).joined;
            if found {
                emit(Effect::Left(change(None)));
            }
        } else {
            entry.members.retain_mut(|member| {
                if member.leg != leg {
                    return true;
                }
                member.sources.retain(|known| {
                    let keep = source.is_some_and(|source| known.address != source);
                    if !keep {
                        found = true;
                        ledger.give(leg);
                        emit(Effect::Left(change(Some(known.address))));
                    }
                    keep
                });
                let wants_all = member.permanent || member.exclude || member.timer.is_some();
                let keep = source.is_some() && (wants_all || !member.sources.is_empty());
                if !keep {
                    found = true;
                    ledger.give(leg);
                    emit(Effect::Left(change(None)));
                }
                keep
            });
        }
        self.mdb.tidy(id);
        found
    }

    fn set_host(&mut self, id: EntryId) -> Result<bool, EntryError> {
        let entry = self.mdb.get_mut(id).ok_or(EntryError::Full)?;
        entry.host.permanent = true;
        Ok(!std::mem::replace(&mut entry.host.joined, true))
    }

    fn set_member(
        &mut self,
        id: EntryId,
        leg: LegIndex,
        source: Option<IpAddr>,
        emit: &mut impl FnMut(Effect<'_>),
    ) -> Result<bool, EntryError> {
        let Self { mdb, ledger, .. } = self;
        let entry = mdb.get_mut(id).ok_or(EntryError::Full)?;
        let change = Change { leg, vid: entry.vid, group: entry.group, source: None };
        let at = entry.members.partition_point(|member| member.leg < leg);
        let known = entry.members.get(at).is_some_and(|member| member.leg == leg);
        if ledger.room(leg) < u32::from(!known) + u32::from(source.is_some()) {
            return Err(EntryError::Full);
        }
        if !known {
            ledger.take(leg);
            entry.members.insert(at, Member::new(leg, Mac::BROADCAST, false));
        }
        let member = entry.members.get_mut(at).ok_or(EntryError::Full)?;
        let Some(address) = source else {
            let new = !known || !member.permanent;
            (member.permanent, member.exclude, member.timer) = (true, true, None);
            member.reporter = Mac::BROADCAST;
            // what a guest did not want of it, the user does
            member.drop_sources(ledger, |_| true, &mut |source| {
                emit(Effect::Left(Change { source: Some(source), ..change }));
            });
            return Ok(new);
        };
        if let Some(source) = member.sources.iter_mut().find(|source| source.address == address) {
            return Ok(!std::mem::replace(&mut source.permanent, true));
        }
        if member.sources.len() >= SOURCES_MAX {
            return Err(EntryError::Full);
        }
        ledger.take(leg);
        member.sources.push(Source { address, permanent: true, timer: None, asks_left: 0 });
        Ok(true)
    }

    /// Another mode for where a router is (B71).
    fn set_router(&mut self, leg: LegIndex, mode: RouterMode, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let until = now + self.config.querier_time();
        let Some(state) = self.leg_mut(leg).filter(|state| !state.host) else { return };
        if mode == RouterMode::Learn && state.mode(now) == mode {
            return;
        }
        let before = state.is_any_router(now);
        state.set_mode = mode;
        state.router = [(mode == RouterMode::Temp && state.up).then_some(until); 2];
        let after = state.is_any_router(now);
        if before != after {
            emit(Effect::Router(leg, after));
        }
        self.reckon(now);
    }

    /// Removes what is behind a leg, in one VLAN or in all; what the user set only if `all`. What the host wants is no leg's in
    /// particular, so it stays while another leg is the host's, or a router's.
    fn flush(&mut self, leg: LegIndex, vid: Option<u16>, all: bool, emit: &mut impl FnMut(Effect<'_>)) {
        let hosts = self.legs.iter().flatten().filter(|leg| leg.host).count();
        let host = hosts == 1 && self.leg(leg).is_some_and(|leg| leg.host);
        for id in self.mdb.ids() {
            let Self { mdb, ledger, .. } = self;
            let Some(entry) = mdb.get_mut(id).filter(|entry| vid.is_none_or(|vid| entry.vid == vid)) else {
                continue;
            };
            let change = Change { leg, vid: entry.vid, group: entry.group, source: None };
            if host && entry.host.joined {
                if entry.host.permanent && !all {
                    entry.host.timer = None;
                } else {
                    entry.host = Default::default();
                    emit(Effect::Left(change));
                }
            }
            entry.members.retain_mut(|member| {
                if member.leg != leg || (member.permanent && !all) {
                    return true;
                }
                (member.exclude, member.timer, member.ask_at) = (false, None, None);
                member.sources.retain(|source| {
                    let keep = source.permanent && !all;
                    if !keep {
                        ledger.give(leg);
                        emit(Effect::Left(Change { source: Some(source.address), ..change }));
                    }
                    keep
                });
                let keep = !member.sources.is_empty();
                if !keep {
                    ledger.give(leg);
                    emit(Effect::Left(change));
                }
                keep
            });
            self.mdb.tidy(id);
        }
    }
}
