//! What a leg wants of a group: everything but some sources, or nothing but some.
//!
//! A timer is None when it does not run. What has run out is gone at that very moment for [`Member::wants`], whether
//! or not [`Member::settle`] has come by to take it away.

use std::net::IpAddr;

use super::mdb::Ledger;
use super::pending;
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::mac::Mac;

/// A source that a member speaks of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) address: IpAddr,
    /// Set by the user: wanted, and does not end.
    pub(super) permanent: bool,
    /// Wanted while it runs. Of a member that wants everything else, a source whose timer does not run is the one
    /// it does not want.
    pub(super) timer: Option<Time>,
    /// How often it is still to be asked for.
    pub(super) asks_left: u32,
}

impl Source {
    fn is_wanted(&self, now: Time) -> bool {
        self.permanent || pending(self.timer, now)
    }
}

/// A leg in a group; where `to_unicast` is on, one reporter behind it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) leg: LegIndex,
    /// Who reported first; broadcast if the user did.
    pub(super) reporter: Mac,
    /// Wants everything but the unwanted sources, while its timer runs; else nothing but the wanted ones.
    pub(super) exclude: bool,
    /// Set by the user: does not end.
    pub(super) permanent: bool,
    pub(super) timer: Option<Time>,
    /// How often the group is still to be asked for, and when.
    pub(super) asks_left: u32,
    pub(super) ask_at: Option<Time>,
    pub(super) sources: Vec<Source>,
}

impl Member {
    pub(super) const fn new(leg: LegIndex, reporter: Mac, exclude: bool) -> Self {
        Self {
            leg,
            reporter,
            exclude,
            permanent: false,
            timer: None,
            asks_left: 0,
            ask_at: None,
            sources: Vec::new(),
        }
    }

    /// Whether it wants a frame of `source`; `minds_sources` is off in the old versions, to which a member is a member
    /// whatever it said of sources.
    #[inline]
    pub(super) fn wants(&self, source: Option<IpAddr>, minds_sources: bool, now: Time) -> bool {
        let all = self.permanent || pending(self.timer, now);
        if !minds_sources {
            return all || self.sources.iter().any(|known| !known.permanent && known.is_wanted(now));
        }
        let known = source.and_then(|source| self.source(source));
        match known {
            Some(known) => known.is_wanted(now),
            None => all && self.exclude,
        }
    }

    pub(super) fn source(&self, address: IpAddr) -> Option<&Source> {
        self.sources.iter().find(|source| source.address == address)
    }

    /// Whether nothing but what the user set is left of it: reports then start from the beginning.
    pub(super) fn is_only_set(&self) -> bool {
        self.timer.is_none() && self.sources.iter().all(|source| source.permanent)
    }

    /// Whether nothing of it holds any more.
    pub(super) fn is_over(&self, now: Time) -> bool {
        let holds = self.permanent || pending(self.timer, now);
        !holds && !self.sources.iter().any(|source| source.is_wanted(now))
    }

    /// When something ends here, or is to be asked; [`Time::NEVER`] if nothing is.
    pub(super) fn due(&self) -> Time {
        let own = [self.timer.filter(|_| !self.permanent), self.ask_at];
        let sources = self.sources.iter().filter(|source| !source.permanent).map(|source| source.timer);
        own.into_iter().chain(sources).flatten().min().unwrap_or(Time::NEVER)
    }

    /// Takes away what has run out, and says whether anything is left. A member whose time is over wants no longer
    /// everything, only the sources it named (RFC 3376 §6.5).
    pub(super) fn settle(&mut self, now: Time, ledger: &mut Ledger, mut gone: impl FnMut(IpAddr)) -> bool {
        for source in self.sources.iter_mut().filter(|source| !pending(source.timer, now)) {
            source.timer = None;
        }
        if !self.permanent && !pending(self.timer, now) {
            self.timer = None;
            self.exclude = false;
        }
        if !self.exclude {
            self.drop_sources(ledger, |source| source.timer.is_none(), &mut gone);
        }
        self.permanent || self.timer.is_some() || !self.sources.is_empty()
    }

    /// Forgets the sources for which `is_gone` says so, but for the user's.
    pub(super) fn drop_sources(
        &mut self,
        ledger: &mut Ledger,
        is_gone: impl Fn(&Source) -> bool,
        gone: &mut impl FnMut(IpAddr),
    ) {
        let leg = self.leg;
        self.sources.retain(|source| {
            let keep = source.permanent || !is_gone(source);
            if !keep {
                ledger.give(leg);
                gone(source.address);
            }
            keep
        });
    }
}
