//! Who asks, and where the routers are.
//!
//! For each family there is at most one querier. It is another one while its timer runs (`querier_interval` after its
//! last general query); the bridge itself asks, if it is told to, while there is none (B72). A querier that is new
//! counts only after the time it gave for answers, so that nobody is cut off before he could report (B65).
//!
//! The bridge asks each port on its own: a port that comes up is asked at once, `startup_query_count` times in quick
//! succession and then at leisure. The host is asked the same way, by the bridge's own timer.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::config::{Family, MulticastConfig, MulticastLegConfig, RouterMode};
use super::{Effect, Multicast, pending};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::mac::Mac;
use crate::wire::membership::{Question, QuestionFrame};
use crate::wire::{igmp, mld};

/// When to ask next, and how often it was asked since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnQuery {
    pub(super) timer: Option<Time>,
    sent: u32,
}

impl OwnQuery {
    pub(super) fn start(&mut self, now: Time) {
        *self = Self { timer: Some(now), sent: 0 };
    }
}

/// What is known of one family.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    /// The bridge's own questions, to the host.
    pub(super) own: OwnQuery,
    /// Another querier is there.
    pub(super) other: Option<Time>,
    /// It was not there before, and its first answers may still be under way.
    pub(super) delay: Option<Time>,
    /// The querier's address; none is lower than any.
    pub(super) querier: Option<IpAddr>,
    /// The port it is behind.
    pub(super) behind: Option<LegIndex>,
    /// The host is a router.
    pub(super) router: Option<Time>,
}

/// A leg.
#[derive(Clone, Copy, Debug)]
pub(super) struct LegState {
    pub(super) config: MulticastLegConfig,
    pub(super) host: bool,
    pub(super) up: bool,
    /// As configured, but see [`LegState::mode`].
    pub(super) set_mode: RouterMode,
    /// By family.
    pub(super) router: [Option<Time>; 2],
    /// By family.
    pub(super) own: [OwnQuery; 2],
}

impl LegState {
    /// How routers are found here. A temporary router is one that was just learned; when it is gone the mode is over,
    /// and what is learned since is no longer its (B71).
    pub(super) fn mode(&self, now: Time) -> RouterMode {
        match self.set_mode {
            RouterMode::Temp if !self.is_any_router(now) => RouterMode::Learn,
            mode => mode,
        }
    }

    pub(super) fn is_router(&self, family: Family, now: Time) -> bool {
        match self.set_mode {
            RouterMode::Always => self.up,
            RouterMode::Learn | RouterMode::Temp => pending(self.router[family as usize], now),
            RouterMode::Never => false,
        }
    }

    pub(super) fn is_any_router(&self, now: Time) -> bool {
        Family::ALL.iter().any(|family| self.is_router(*family, now))
    }

    fn timers(&self) -> impl Iterator<Item = Time> + '_ {
        self.router.iter().copied().chain(self.own.iter().map(|own| own.timer)).flatten()
    }
}

impl Multicast {
    /// Whether forwarding is restricted (B65).
    #[inline]
    pub(super) fn querier_exists(&self, family: Family, now: Time) -> bool {
        let context = &self.contexts[family as usize];
        !pending(context.delay, now) && (self.config.querier || pending(context.other, now))
    }

    /// Whether it is for this bridge to ask.
    pub(super) fn is_querier(&self, family: Family, now: Time) -> bool {
        self.is_on() && self.config.querier && !pending(self.contexts[family as usize].other, now)
    }

    pub(super) fn host_is_router(&self, family: Family, now: Time) -> bool {
        match self.config.router {
            RouterMode::Always => true,
            RouterMode::Learn | RouterMode::Temp => pending(self.contexts[family as usize].router, now),
            RouterMode::Never => false,
        }
    }

    /// A general query came in: who sent it may be the querier from now on. Lower addresses win, equal ones go on,
    /// and where there is no querier anybody is one (B72).
    pub(super) fn general_query(
        &mut self,
        leg: LegIndex,
        source: IpAddr,
        max_delay: Duration,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let family = Family::of(source);
        let interval = self.config.querier_time();
        let behind = Some(leg).filter(|leg| self.leg(*leg).is_some_and(|state| !state.host));
        let context = &mut self.contexts[family as usize];
        let wins = match context.querier {
            None => family == Family::V4,
            Some(querier) => source <= querier,
        };
        let vacant = !pending(context.own.timer, now) && !pending(context.other, now);
        if !wins && !vacant {
            return;
        }
        // to the kernel the unspecified address is nobody's
        (context.querier, context.behind) = (Some(source).filter(|source| !is_nobody(*source)), behind);
        if !pending(context.other, now) {
            context.delay = Some(now + max_delay);
        }
        context.other = Some(now + interval);
        self.mark_router(leg, family, now, emit);
    }

    /// A router was heard behind the leg (B71).
    pub(super) fn mark_router(
        &mut self,
        leg: LegIndex,
        family: Family,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let until = now + self.config.querier_time();
        let Some(state) = self.leg_mut(leg) else { return };
        if state.host {
            if matches!(self.config.router, RouterMode::Learn | RouterMode::Temp) {
                self.contexts[family as usize].router = Some(until);
            }
        } else if matches!(state.set_mode, RouterMode::Learn | RouterMode::Temp) {
            state.set_mode = state.mode(now);
            let known = state.is_any_router(now);
            state.router[family as usize] = Some(until);
            if !known {
                emit(Effect::Router(leg, true));
            }
        }
    }

    /// Starts asking, everywhere.
    pub(super) fn open(&mut self, now: Time) {
        for family in Family::ALL {
            self.start_querier(family, now);
        }
    }

    /// Forwarding is not restricted before the first question can be answered (B65). The kernel waits when the querier
    /// is switched on, but not when snooping is; the reason is the same.
    pub(super) fn await_answers(&mut self, now: Time) {
        let Self { config, contexts, .. } = self;
        for context in contexts.iter_mut().filter(|context| config.querier && !pending(context.other, now)) {
            context.delay = Some(now + config.query_response_interval);
        }
    }

    fn start_querier(&mut self, family: Family, now: Time) {
        self.contexts[family as usize].own.start(now);
        for leg in self.legs.iter_mut().flatten().filter(|leg| leg.up && !leg.host) {
            leg.own[family as usize].start(now);
        }
    }

    /// Asks whatever is due, and forgets routers and queriers that are gone.
    pub(super) fn run_timers(&mut self, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        if self.timers > now {
            return;
        }
        for family in Family::ALL {
            let context = &mut self.contexts[family as usize];
            for timer in [&mut context.delay, &mut context.router] {
                *timer = timer.filter(|end| *end > now);
            }
            if context.other.is_some_and(|end| end <= now) {
                context.other = None;
                if self.is_on() {
                    self.start_querier(family, now);
                }
            }
            self.ask_host(family, now, emit);
        }
        for index in 0..self.legs.len() {
            self.run_leg(LegIndex(index as u16), now, emit);
        }
        self.reckon(now);
    }

    fn run_leg(&mut self, leg: LegIndex, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let Some(state) = self.leg_mut(leg) else { return };
        let ended = state.router.iter().flatten().any(|end| *end <= now);
        state.router = state.router.map(|timer| timer.filter(|end| *end > now));
        if ended && !state.is_any_router(now) {
            emit(Effect::Router(leg, false));
        }
        for family in Family::ALL {
            let querier = self.is_querier(family, now);
            let config = self.config;
            let Some(state) = self.leg_mut(leg) else { return };
            if !take_turn(&mut state.own[family as usize], &config, querier, now) {
                continue;
            }
            if let Some(frame) = self.asker().general(family) {
                emit(Effect::Send(leg, 0, frame.bytes()));
            }
        }
    }

    fn ask_host(&mut self, family: Family, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let (querier, asker) = (self.is_querier(family, now), self.asker());
        let context = &mut self.contexts[family as usize];
        if !take_turn(&mut context.own, &self.config, querier, now) {
            return;
        }
        context.behind = None;
        context.querier = Some(asker.source(family)).filter(|source| !is_nobody(*source));
        let Some(frame) = asker.general(family) else { return };
        for (index, leg) in self.legs.iter().enumerate() {
            if leg.is_some_and(|leg| leg.host && leg.up) {
                emit(Effect::Send(LegIndex(index as u16), 0, frame.bytes()));
            }
        }
    }

    /// Finds out when the next of these timers ends. To be called after any of them was set.
    pub(super) fn reckon(&mut self, now: Time) {
        let contexts = self.contexts.iter().flat_map(|context| {
            [context.own.timer, context.other, context.delay, context.router].into_iter().flatten()
        });
        let legs = self.legs.iter().flatten().flat_map(LegState::timers);
        self.timers = contexts.chain(legs).min().unwrap_or(Time::NEVER).max(now);
    }

    pub(super) fn asker(&self) -> Asker {
        Asker { mac: self.mac, config: self.config }
    }
}

/// Whether it is time to ask; sets the time of the next question. Who is not the querier does not ask again until he
/// is told to start.
fn take_turn(own: &mut OwnQuery, config: &MulticastConfig, querier: bool, now: Time) -> bool {
    if own.timer.is_none_or(|timer| timer > now) {
        return false;
    }
    own.sent = own.sent.saturating_add(1).min(config.startup_query_count);
    own.timer = querier.then(|| now + config.pause(own.sent));
    querier
}

fn is_nobody(address: IpAddr) -> bool {
    address == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

/// Whatever it takes to ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    mac: Mac,
    config: MulticastConfig,
}

impl Asker {
    fn source(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 if self.config.query_use_ifaddr => self.config.address.into(),
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => mld::link_local(self.mac).into(),
        }
    }

    fn general(&self, family: Family) -> Option<QuestionFrame> {
        write(family, &self.question(family, self.config.query_response_interval), [].into_iter())
    }

    /// The question about a group that follows a leave: to all systems, as the kernel's.
    pub(super) fn after_leave(&self, group: IpAddr) -> Option<QuestionFrame> {
        let family = Family::of(group);
        let question = self.question(family, self.config.last_member_interval);
        write(family, &Question { group: Some(group), ..question }, [].into_iter())
    }

    /// The question to a group about itself, or about those sources of it.
    pub(super) fn group(
        &self,
        group: IpAddr,
        suppress: bool,
        sources: impl Iterator<Item = IpAddr>,
    ) -> Option<QuestionFrame> {
        let family = Family::of(group);
        let question = self.question(family, self.config.last_member_interval);
        write(family, &Question { group: Some(group), to_group: true, suppress, ..question }, sources)
    }

    fn question(&self, family: Family, max_delay: Duration) -> Question {
        Question {
            mac: self.mac,
            source: self.source(family),
            group: None,
            to_group: false,
            long: self.config.minds_sources(family),
            suppress: false,
            max_delay,
            interval: self.config.query_interval,
        }
    }
}

fn write(
    family: Family,
    question: &Question,
    sources: impl Iterator<Item = IpAddr>,
) -> Option<QuestionFrame> {
    match family {
        Family::V4 => igmp::question(question, sources),
        Family::V6 => mld::question(question, sources),
    }
}
