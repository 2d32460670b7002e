//! Multicast snooping: groups go where they are wanted.
//!
//! Hosts say which groups they want, and routers ask for it, in IGMP and MLD messages that pass through the bridge.
//! From them it learns members (`learn`, `mdb`, `member`, `sources`) and routers, and who asks (`querier`). A frame to a group
//! then goes to the members and the routers instead of everywhere; but only while somebody asks, because what nobody
//! asks for nobody repeats, and a bridge that relied on it would cut hosts off (B65).
//!
//! A frame is looked at in two steps that change nothing: [`Multicast::judge`] reads it, [`Multicast::scope`] says
//! whom it is for. What a message teaches is written by [`Multicast::commit`], and what ends with time by
//! [`Multicast::tick`] (`expire`); both tell of it through `emit`. Everything that has a time is right at any moment, however
//! late the tick comes.
//!
//! The behaviours are those of net/bridge/br_multicast.c with `mcast_vlan_snooping` off: groups are kept by VLAN, but
//! there is one querier and one set of routers. `tests/kernel_snooping.rs` compares the two. Known differences, all in
//! favour of the hosts:
//!
//! - Solicited-node groups are flooded unless told otherwise. A report is taken whole or not at all, and one for
//!   which there is no room still reaches its other receivers. Switching snooping off forgets nobody.
//! - Copies to reporters (`to_unicast`) mind sources too; a leg that gets the frame itself gets no copies beside it; a
//!   leave ends the wish of who leaves, not that of who reported first; and the user removes all reporters at once.
//! - `fastleave` with sources takes a leg for one host instead of tracking each. Sources of a group do not count as
//!   groups of `hash_max`.
//! - With sources, a leg that wants all gets all, also if it joined in the old way after others had named sources, or has
//!   blocked a source before, which the kernel's entries by source forget; who wants nothing is no member; and a
//!   source that a report names twice counts once. Times above 12.8 s are written as RFC 3376 wants them, not cut off.
//! - A router does not get its own first advertisement back through a hairpin.
//!
//! What it never does: keep a report from being handled because of who sent it, delay a frame, or ask in a VLAN:
//! questions are untagged, as the kernel's.

mod config;
mod expire;
mod learn;
mod manage;
mod mdb;
mod member;
mod querier;
mod queue;
mod show;
mod sources;
#[cfg(test)]
mod tests;

pub use config::{Family, Group, MulticastConfig, MulticastLegConfig, RouterMode};
pub use show::{GroupEntry, QuerierEntry, RouterEntry, SourceEntry};

pub(super) use manage::EntryError;

use std::net::IpAddr;

use self::mdb::{EntryId, Ledger, Mdb};
use self::querier::{Context, LegState};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::verdict::LegSet;
use crate::wire::ip::{ETHER_TYPE_IPV4, ETHER_TYPE_IPV6, Ipv4, Ipv6};
use crate::wire::mac::Mac;
use crate::wire::membership::{self, Message};
use crate::wire::{igmp, mld};

/// The longest message that is read, in bytes with its IP header: a jumbo frame's worth of records. A guest can write 64 KiB
/// at once, and each record is work.
const MESSAGE_MAX: usize = 9216;

/// A frame to a group as snooping reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judgement<'a> {
    /// What it says of groups, if it does: for [`Multicast::commit`].
    pub(super) message: Option<(Family, Message<'a>)>,
    /// Who is to have it, by what it is.
    pub(super) audience: Audience,
}

/// Who is to have a frame once a querier exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Everybody: queries, leaves, the reports of the newer versions, and what snooping does not know (B68, B69).
    Everybody,
    /// The members of the group and the routers; of an unregistered one only the routers, if it is one of IP (B67).
    Members {
        /// The group.
        group: Group,
        /// Who sends to it.
        source: Option<IpAddr>,
    },
    /// Only the routers: reports of the older versions, whose hosts would keep silent if they heard others (B69).
    Routers(Family),
}

/// A frame that is to be dropped: not sound IP, IGMP or MLD (B70).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Which of the protocols.
    pub(super) family: Family,
    /// What is wrong.
    pub(super) why: membership::Malformed,
}

/// Whom a frame is for.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack, and a box would be memory per frame")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Every leg that takes floods, and the host.
    Flood,
    /// These and nobody else, whether or not they take floods.
    Only(Only),
}

/// The receivers of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Only {
    /// Ports that get the frame as it is. No host is among them.
    pub(super) legs: LegSet,
    /// Ports whose reporters get a copy each: see [`Multicast::copies`] (B77).
    pub(super) unicast: LegSet,
    /// The host gets it (B66, B67).
    pub(super) host: bool,
    entry: Option<EntryId>,
    source: Option<IpAddr>,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect<'a> {
    /// There are too many groups: snooping is off until it is switched on again, or may have more (B76).
    Disabled,
    /// A leg joined; a source of a group, if one is named.
    Joined(Change),
    /// A leg left.
    Left(Change),
    /// A router was found or lost behind a leg.
    Router(LegIndex, bool),
    /// A frame of the bridge's own is to leave through the leg, whatever the flags of the leg. The VLAN is the one
    /// of the group that is asked for, but the kernel asks untagged.
    Send(LegIndex, u16, &'a [u8]),
}

/// Who joined or left what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Who; the first host there is, if the host.
    pub(super) leg: LegIndex,
    /// In which VLAN.
    pub(super) vid: u16,
    /// Which group.
    pub(super) group: Group,
    /// Which source of it; none is the group.
    pub(super) source: Option<IpAddr>,
}

/// Snooping on one bridge.
#[derive(Debug)]
pub(super) struct Multicast {
    config: MulticastConfig,
    /// There were too many groups (B76).
    tripped: bool,
    /// The bridge's own address, for questions.
    mac: Mac,
    /// By [`LegIndex`].
    legs: Vec<Option<LegState>>,
    ledger: Ledger,
    mdb: Mdb,
    /// By [`Family`].
    contexts: [Context; 2],
    /// When the next timer ends that is not one of a group.
    timers: Time,
}

impl Multicast {
    pub(super) fn new(config: MulticastConfig, hash_key: [u64; 2], mac: Mac, now: Time) -> Self {
        let mut multicast = Self {
            config,
            tripped: false,
            mac,
            legs: Vec::new(),
            ledger: Ledger::default(),
            mdb: Mdb::new(hash_key),
            contexts: [Context::default(); 2],
            timers: Time::NEVER,
        };
        if config.snooping {
            multicast.open(now);
            multicast.await_answers(now);
        }
        multicast.reckon(now);
        multicast
    }

    /// Whether anything is snooped at all.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.config.snooping && !self.tripped
    }

    /// Reads a frame to a group that is not broadcast; `packet` is what lies behind the EtherType. `partial`: its
    /// checksum is left to be completed, so it is not looked at.
    #[inline]
    pub(super) fn judge<'a>(
        &self,
        ether_type: u16,
        dst: Mac,
        packet: &'a [u8],
        partial: bool,
    ) -> Result<Judgement<'a>, Malformed> {
        if !self.is_on() {
            return Ok(Judgement { message: None, audience: Audience::Everybody }); // B79
        }
        let (family, judgement) = match ether_type {
            ETHER_TYPE_IPV4 => (Family::V4, judge_v4(packet, partial)),
            ETHER_TYPE_IPV6 => (Family::V6, judge_v6(packet, partial)),
            _ => {
                let audience = Audience::Members { group: Group::Mac(dst), source: None };
                return Ok(Judgement { message: None, audience });
            }
        };
        match judgement {
            Ok(Judgement { message: Some(_), .. }) if packet.len() > MESSAGE_MAX => {
                Err(Malformed { family, why: membership::Malformed::Length })
            }
            judgement => judgement.map_err(|why| Malformed { family, why }),
        }
    }

    /// Whom the frame is for. The same before and after [`Multicast::commit`], but for a router that was just heard.
    #[inline]
    pub(super) fn scope(&self, audience: Audience, vid: u16, now: Time) -> Scope {
        if !self.is_on() {
            return Scope::Flood;
        }
        match audience {
            Audience::Everybody => Scope::Flood,
            Audience::Members { group: Group::Ip(IpAddr::V6(group)), .. }
                if self.config.flood_solicited_node && config::is_solicited_node(group) =>
            {
                Scope::Flood
            }
            Audience::Members { group, source } => self.members(vid, group, source, now),
            Audience::Routers(family) if self.querier_exists(family, now) => {
                Scope::Only(self.with_routers(family, now))
            }
            Audience::Routers(_) => Scope::Flood,
        }
    }

    /// Who is to get a copy behind a leg of [`Only::unicast`]. A copy is never for the address it comes from, even on
    /// a hairpin leg (B77): that is the caller's to see to, who knows where the frame came from.
    pub(super) fn copies(&self, only: &Only, leg: LegIndex, now: Time) -> impl Iterator<Item = Mac> + '_ {
        let entry = only.entry.and_then(|id| self.mdb.get(id));
        let minds = entry.is_some_and(|entry| self.minds_sources(entry.group));
        let source = only.source;
        let members = entry.map_or(&[][..], |entry| &entry.members);
        let behind = members.iter().filter(move |m| m.leg == leg && m.wants(source, minds, now));
        behind.map(|member| member.reporter)
    }

    #[inline]
    fn members(&self, vid: u16, group: Group, source: Option<IpAddr>, now: Time) -> Scope {
        let found = self.mdb.find(vid, group);
        let entry = found.and_then(|id| self.mdb.get(id)).filter(|entry| {
            // one whose last member has just run out counts for nothing
            entry.host.holds(now) || entry.members.iter().any(|member| !member.is_over(now))
        });
        let family = match group {
            Group::Ip(group) => {
                let family = Family::of(group);
                if !self.querier_exists(family, now) {
                    return Scope::Flood; // B65
                }
                family
            }
            // of other protocols nothing is unregistered, and nobody asks
            Group::Mac(_) if entry.is_none() => return Scope::Flood,
            Group::Mac(_) => Family::V4,
        };
        let mut only = self.with_routers(family, now);
        (only.entry, only.source) = (found, source);
        let Some(entry) = entry else { return Scope::Only(only) }; // B67
        only.host |= entry.host.holds(now); // B66
        let minds = self.minds_sources(group);
        for member in entry.members.iter().filter(|member| member.wants(source, minds, now)) {
            match self.leg(member.leg) {
                Some(leg) if leg.config.to_unicast && !member.reporter.is_broadcast() => {
                    only.unicast.insert(member.leg);
                }
                _ => only.legs.insert(member.leg),
            }
        }
        // who gets the frame as it is needs no copy of it
        for leg in only.legs.iter() {
            only.unicast.remove(leg);
        }
        Scope::Only(only)
    }

    fn with_routers(&self, family: Family, now: Time) -> Only {
        let host = self.host_is_router(family, now);
        let mut only = Only { legs: LegSet::EMPTY, unicast: LegSet::EMPTY, host, entry: None, source: None };
        for (leg, state) in (0..).map(LegIndex).zip(&self.legs) {
            if state.as_ref().is_some_and(|state| !state.host && state.is_router(family, now)) {
                only.legs.insert(leg);
            }
        }
        only
    }

    fn minds_sources(&self, group: Group) -> bool {
        matches!(group, Group::Ip(group) if self.config.minds_sources(Family::of(group)))
    }

    fn leg(&self, leg: LegIndex) -> Option<&LegState> {
        self.legs.get(usize::from(leg.0))?.as_ref()
    }

    fn leg_mut(&mut self, leg: LegIndex) -> Option<&mut LegState> {
        self.legs.get_mut(usize::from(leg.0))?.as_mut()
    }
}

/// Whether the timer runs: it ends at its very moment, as the kernel's.
#[inline]
fn pending(timer: Option<Time>, now: Time) -> bool {
    timer.is_some_and(|end| end > now)
}

fn judge_v4(packet: &[u8], partial: bool) -> Result<Judgement<'_>, membership::Malformed> {
    let ip = Ipv4::parse(packet).ok_or(membership::Malformed::Header)?;
    let message = igmp::parse(&ip, partial)?;
    let audience = match message {
        Some(Message::Join(_)) => Audience::Routers(Family::V4),
        Some(_) => Audience::Everybody,
        None if config::is_local(ip.destination) => Audience::Everybody,
        None => {
            let group = Group::Ip(ip.destination.into());
            Audience::Members { group, source: Some(ip.source.into()) }
        }
    };
    Ok(Judgement { message: message.map(|message| (Family::V4, message)), audience })
}

fn judge_v6(packet: &[u8], partial: bool) -> Result<Judgement<'_>, membership::Malformed> {
    let ip = Ipv6::parse(packet).ok_or(membership::Malformed::Header)?;
    let message = mld::parse(&ip, partial)?;
    let audience = match message {
        Some(Message::Join(_)) => Audience::Routers(Family::V6),
        // a router's advertisement is data to the kernel, to a group nobody is registered in
        None | Some(Message::Router) if ip.destination != config::ALL_NODES => {
            let group = Group::Ip(ip.destination.into());
            Audience::Members { group, source: Some(ip.source.into()) }
        }
        _ => Audience::Everybody,
    };
    Ok(Judgement { message: message.map(|message| (Family::V6, message)), audience })
}
