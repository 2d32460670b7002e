//! What the user can see: members, routers and queriers as they are now.

use std::net::IpAddr;
use std::time::Duration;

use super::config::{Family, Group, RouterMode};
use super::mdb::Ledger;
use super::{Multicast, pending};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::mac::Mac;

/// A member of a group, as `show mdb` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupEntry {
    /// The VLAN; zero without filtering.
    pub vid: u16,
    /// The group.
    pub group: Group,
    /// The member; none is the host.
    pub leg: Option<LegIndex>,
    /// Who reported first, if a guest did.
    pub reporter: Option<Mac>,
    /// Wants everything but what is blocked, instead of only what is not.
    pub exclude: bool,
    /// Set by the user.
    pub permanent: bool,
    /// How long its wish for everything still lasts.
    pub expires: Option<Duration>,
    /// The sources it speaks of.
    pub sources: Vec<SourceEntry>,
}

/// A source of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceEntry {
    /// The source.
    pub address: IpAddr,
    /// Its frames are kept from the member.
    pub blocked: bool,
    /// Set by the user.
    pub permanent: bool,
    /// How long it is still wanted.
    pub expires: Option<Duration>,
}

/// A port with a router behind it, as `bridge mdb show` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterEntry {
    /// The port.
    pub leg: LegIndex,
    /// It is one whatever is heard there.
    pub permanent: bool,
    /// How long it still is one, for IPv4 and IPv6.
    pub expires: [Option<Duration>; 2],
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuerierEntry {
    /// Whom.
    pub family: Family,
    /// Its address, if it has one.
    pub address: Option<IpAddr>,
    /// Where it is; none is the bridge itself, or the host.
    pub leg: Option<LegIndex>,
    /// How long another querier is still there; none if the bridge asks.
    pub expires: Option<Duration>,
    /// Whether forwarding is restricted already (B65).
    pub restricts: bool,
}

impl Multicast {
    /// Every member of every group, in the order of VLAN, group and leg.
    pub(in crate::bridge) fn entries(&self, now: Time) -> Vec<GroupEntry> {
        let mut entries = Vec::new();
        // settling gives back what it takes away: to a ledger of nobody
        let mut ledger = Ledger::default();
        for entry in self.mdb.ids().filter_map(|id| self.mdb.get(id)) {
            let row = GroupEntry {
                vid: entry.vid,
                group: entry.group,
                leg: None,
                reporter: None,
                exclude: true,
                permanent: entry.host.permanent,
                expires: left(entry.host.timer, now),
                sources: Vec::new(),
            };
            for member in &entry.members {
                let mut member = member.clone();
                if !member.settle(now, &mut ledger, |_| {}) {
                    continue;
                }
                let source = |source: &super::member::Source| SourceEntry {
                    address: source.address,
                    blocked: !source.permanent && !pending(source.timer, now),
                    permanent: source.permanent,
                    expires: left(source.timer, now),
                };
                entries.push(GroupEntry {
                    leg: Some(member.leg),
                    reporter: Some(member.reporter).filter(|reporter| !reporter.is_broadcast()),
                    exclude: member.exclude,
                    permanent: member.permanent,
                    expires: left(member.timer, now),
                    sources: member.sources.iter().map(source).collect(),
                    ..row
                });
            }
            if entry.host.holds(now) {
                entries.push(row);
            }
        }
        entries.sort_by_key(|entry| (entry.vid, entry.group, entry.leg));
        entries
    }

    /// Every port with a router behind it, in order.
    pub(in crate::bridge) fn routers(&self, now: Time) -> Vec<RouterEntry> {
        let legs = (0..).map(LegIndex).zip(&self.legs).filter_map(|(leg, state)| Some((leg, (*state)?)));
        let routers = legs.filter(|(_, state)| !state.host && state.is_any_router(now));
        let entry = |(leg, state): (LegIndex, super::querier::LegState)| RouterEntry {
            leg,
            permanent: state.set_mode == RouterMode::Always,
            expires: state.router.map(|timer| left(timer, now)),
        };
        routers.map(entry).collect()
    }

    /// Who asks, by family; nobody is in neither.
    pub(in crate::bridge) fn queriers(&self, now: Time) -> impl Iterator<Item = QuerierEntry> + '_ {
        Family::ALL.into_iter().filter_map(move |family| {
            let context = &self.contexts[family as usize];
            let other = left(context.other, now);
            (other.is_some() || self.is_querier(family, now)).then(|| QuerierEntry {
                family,
                address: context.querier,
                leg: context.behind.filter(|_| other.is_some()),
                expires: other,
                restricts: self.querier_exists(family, now),
            })
        })
    }

    /// How many members and sources there are, and how many were refused for want of room.
    pub(in crate::bridge) fn usage(&self) -> (u32, u64) {
        (self.ledger.total(), self.ledger.refused())
    }
}

fn left(timer: Option<Time>, now: Time) -> Option<Duration> {
    timer.filter(|end| *end > now && *end < Time::NEVER).map(|end| end - now)
}
