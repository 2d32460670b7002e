//! How a report changes what a member wants: the router side of IGMPv3 and MLDv2 (RFC 3376 §6.4, RFC 3810 §7.4, B75).
//!
//! The RFCs give a table of states, reports and actions, and so does this: [`Rule::of`]. A rule says what becomes of
//! the sources that a report lists and the member knows, of those it lists and the member does not know, and of those
//! it does not list. Reading a report is then one walk over its list and one over the member's.

use std::net::IpAddr;
use std::time::Duration;

use super::mdb::Ledger;
use super::member::{Member, Source};
use super::pending;
use crate::time::Time;
use crate::wire::membership::{Record, RecordKind, SOURCES_MAX};

/// What becomes of a source that the member knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Ask whether somebody still wants it; it has until then.
    Ask,
    /// Forget it.
    Drop,
    /// Leave it as it is.
    Keep,
    /// It is wanted from now on.
    Want,
}

/// What becomes of a source that the member does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    /// Ask whether somebody wants it; nobody said so.
    Ask,
    /// Nothing.
    Ignore,
    /// It is not wanted.
    Shun,
    /// It is wanted.
    Want,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    listed: Known,
    new: Unknown,
    unlisted: Known,
    /// The member wants everything else from now on.
    everything: bool,
    /// Ask whether somebody still wants everything.
    ask_group: bool,
}

impl Rule {
    const fn of(exclude: bool, kind: RecordKind) -> Self {
        use RecordKind::{Allow, Block, IsExclude, IsInclude, ToExclude, ToInclude};
        let (listed, new, unlisted) = match (exclude, kind) {
            (_, Allow | IsInclude) => (Known::Want, Unknown::Want, Known::Keep),
            (_, ToInclude) => (Known::Want, Unknown::Want, Known::Ask),
            (false, IsExclude) => (Known::Keep, Unknown::Shun, Known::Drop),
            (false, ToExclude) => (Known::Ask, Unknown::Shun, Known::Drop),
            (false, Block) => (Known::Ask, Unknown::Ignore, Known::Keep),
            (true, IsExclude) => (Known::Keep, Unknown::Want, Known::Drop),
            (true, ToExclude) => (Known::Ask, Unknown::Ask, Known::Drop),
            (true, Block) => (Known::Ask, Unknown::Ask, Known::Keep),
        };
        let everything = matches!(kind, IsExclude | ToExclude);
        Self { listed, new, unlisted, everything, ask_group: exclude && matches!(kind, ToInclude) }
    }
}

/// The circumstances of a report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) now: Time,
    /// How long what is reported lasts.
    pub(super) interval: Duration,
    /// How long what is asked for has.
    pub(super) last_member_time: Duration,
    /// How often to ask; zero if this bridge is not the one that asks.
    pub(super) asks: u32,
    /// Whoever reports is alone behind the leg: what he does not want, nobody wants.
    pub(super) fastleave: bool,
}

/// What is to be done after a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Aftermath {
    /// Ask for the sources that have [`Source::asks_left`].
    pub(super) ask_sources: bool,
    /// Ask for the group.
    pub(super) ask_group: bool,
    /// Nothing is left of the member.
    pub(super) gone: bool,
}

/// Changes the member as the record says. `tell` hears of sources that are new (true) or gone (false).
pub(super) fn apply(
    member: &mut Member,
    record: &Record<'_>,
    terms: &Terms,
    ledger: &mut Ledger,
    mut tell: impl FnMut(IpAddr, bool),
) -> Aftermath {
    let Terms { now, .. } = *terms;
    let rule = Rule::of(member.exclude, record.kind);
    if terms.fastleave && record.kind == RecordKind::ToInclude && record.sources.is_empty() {
        return Aftermath { gone: true, ..Aftermath::default() };
    }
    // which of the sources known before are listed, and which are new: 32 of them fit a word
    let (mut listed, before) = (0_u64, member.sources.len());
    let mut aftermath = Aftermath { ask_group: rule.ask_group, ..Aftermath::default() };
    let ends = if rule.everything { true } else { member.exclude };
    for address in record.sources {
        match member.sources.iter().position(|source| source.address == address) {
            Some(at) if at < before => listed |= 1 << at,
            Some(_) => {}
            None if rule.new == Unknown::Ignore => {}
            None if !is_source(address) => {}
            None if member.sources.len() >= SOURCES_MAX => ledger.refuse(),
            None if !ledger.take(member.leg) => {}
            None => {
                let timer = match rule.new {
                    Unknown::Want => Some(now + terms.interval),
                    Unknown::Ask if !terms.fastleave => member.timer,
                    Unknown::Ask | Unknown::Ignore | Unknown::Shun => None,
                };
                let mut source = Source { address, permanent: false, timer, asks_left: 0 };
                if rule.new == Unknown::Ask {
                    aftermath.ask_sources |= ask(&mut source, terms);
                }
                member.sources.push(source);
                tell(address, true);
            }
        }
    }
    let mut dropped = 0_u64;
    for (at, source) in
        member.sources[..before].iter_mut().enumerate().filter(|(_, source)| !source.permanent)
    {
        match if listed >> at & 1 == 1 { rule.listed } else { rule.unlisted } {
            // alone, so nobody is asked: it is gone, or unwanted if everything else is wanted
            Known::Ask if terms.fastleave && ends => source.timer = None,
            Known::Ask if terms.fastleave => dropped |= 1 << at,
            Known::Ask => aftermath.ask_sources |= ask(source, terms),
            Known::Drop => dropped |= 1 << at,
            Known::Keep => {}
            // nor need anybody be asked any more
            Known::Want => (source.timer, source.asks_left) = (Some(now + terms.interval), 0),
        }
    }
    let mut at = 0;
    let leg = member.leg;
    member.sources.retain(|source| {
        let keep = at >= before || dropped >> at & 1 == 0;
        at += 1;
        if !keep {
            ledger.give(leg);
            tell(source.address, false);
        }
        keep
    });
    if rule.everything {
        member.exclude = true;
        member.timer = Some(now + terms.interval);
    }
    aftermath.gone =
        !member.exclude && member.timer.is_none() && member.sources.is_empty() && !member.permanent;
    aftermath
}

/// Gives a wanted source only until the question is answered; says whether it was to be asked at all.
fn ask(source: &mut Source, terms: &Terms) -> bool {
    let until = terms.now + terms.last_member_time;
    if pending(source.timer, terms.now) && source.timer > Some(until) {
        source.asks_left = terms.asks;
        source.timer = Some(until);
    }
    pending(source.timer, terms.now)
}

/// Whether anything can come from there.
fn is_source(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] != 0 && !address.is_multicast(),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    }
}
