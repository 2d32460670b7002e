//! What differs between legs in what is a list or names another leg. Lists are compared with what the fabric will
//! have by then, which is not always what the old plan says: it puts a new leg into the default VLAN, lets legs follow the
//! bridge's default, and knows one PVID at most.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::PlanChange;
use crate::bridge::LegConfig;
use crate::control::plan::{LegView, Plan, Settings};
use crate::fabric::{Permit, VlanEntry};

/// A difference between two legs of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegChange {
    /// A source that may send.
    AddPermit(Permit),
    /// A VLAN, or another place in it.
    AddVlan(VlanEntry),
    /// The source may no longer send.
    RemovePermit(Permit),
    /// The leg leaves that VLAN.
    RemoveVlan(u16),
    /// Another backup, by its name.
    SetBackup(Option<String>),
}

impl fmt::Display for LegChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddPermit(Permit::Ip(net)) => write!(f, "source {net} permitted"),
            Self::AddPermit(Permit::Mac(mac)) => write!(f, "source {mac} permitted"),
            Self::AddVlan(VlanEntry { vid, pvid, untagged }) => {
                let pvid = if *pvid { " pvid" } else { "" };
                let untagged = if *untagged { " untagged" } else { "" };
                write!(f, "vlan {vid}{pvid}{untagged}")
            }
            Self::RemovePermit(Permit::Ip(net)) => write!(f, "source {net} no longer permitted"),
            Self::RemovePermit(Permit::Mac(mac)) => write!(f, "source {mac} no longer permitted"),
            Self::RemoveVlan(vid) => write!(f, "vlan {vid} removed"),
            Self::SetBackup(Some(name)) => write!(f, "backup port {name}"),
            Self::SetBackup(None) => write!(f, "no backup port"),
        }
    }
}

/// The legs of the new plan, each with what the fabric has of it, if it stays.
pub(super) struct Stay<'a> {
    legs: Vec<(LegView<'a>, Option<LegView<'a>>)>,
    /// By network: what the default PVID was, and what it will be.
    defaults: BTreeMap<&'a str, (u16, u16)>,
    /// Legs that go, or are replaced.
    gone: &'a BTreeSet<String>,
}

impl<'a> Stay<'a> {
    pub(super) fn new(old: &'a Plan, new: &'a Plan, gone: &'a BTreeSet<String>) -> Self {
        let before: BTreeMap<&str, LegView<'a>> =
            old.legs().filter(|leg| !gone.contains(leg.name)).map(|leg| (leg.name, leg)).collect();
        let pvids: BTreeMap<&str, u16> =
            old.networks.iter().map(|n| (n.name.as_str(), n.bridge.vlan.default_pvid)).collect();
        let defaults = new.networks.iter().filter_map(|network| {
            let name = network.name.as_str();
            Some((name, (*pvids.get(name)?, network.bridge.vlan.default_pvid)))
        });
        let legs = new.legs().map(|leg| (leg, before.get(leg.name).copied())).collect();
        Self { legs, defaults: defaults.collect(), gone }
    }

    /// Backups that go while the leg they stand in for stays: it must not name what is no more.
    pub(super) fn backups_lost(&self) -> Vec<PlanChange> {
        let lost = self.legs.iter().filter(|(_, old)| old.is_some_and(|old| self.has_lost(old)));
        lost.map(|(leg, _)| change(leg.name, LegChange::SetBackup(None))).collect()
    }

    /// Backups that are other than they were, when all legs are there.
    pub(super) fn backups(&self) -> Vec<PlanChange> {
        let mut changes = Vec::new();
        for (leg, old) in &self.legs {
            let had = old.filter(|old| !self.has_lost(*old)).and_then(|old| old.settings.backup.as_ref());
            if had != leg.settings.backup.as_ref() {
                changes.push(change(leg.name, LegChange::SetBackup(leg.settings.backup.clone())));
            }
        }
        changes
    }

    /// VLANs and permits of the legs that stay.
    pub(super) fn lists(&self) -> Vec<PlanChange> {
        let mut changes = Vec::new();
        for (leg, old) in &self.legs {
            let Some(old) = old else { continue };
            let mut had = old.settings.clone();
            if let Some((before, after)) = self.defaults.get(leg.network) {
                had.follow_default(*before, *after);
            }
            changes.extend(lists(leg.name, had, leg.settings));
        }
        changes
    }

    fn has_lost(&self, leg: LegView<'_>) -> bool {
        leg.settings.backup.as_ref().is_some_and(|backup| self.gone.contains(backup))
    }
}

/// What follows a new leg: it is in the network's default VLAN (B51), and everybody may send.
pub(super) fn new_lists(name: &str, network: &str, settings: &Settings, plan: &Plan) -> Vec<PlanChange> {
    let pvid = plan.network(network).map_or(0, |network| network.bridge.vlan.default_pvid);
    lists(name, Settings::new(LegConfig::default(), pvid), settings)
}

fn lists(name: &str, mut had: Settings, wanted: &Settings) -> Vec<PlanChange> {
    let mut changes = Vec::new();
    for vid in had.vlans.iter().map(|entry| entry.vid).collect::<Vec<_>>() {
        if wanted.vlan(vid).is_none() {
            had.remove_vlan(vid);
            changes.push(LegChange::RemoveVlan(vid));
        }
    }
    // the new PVID first: it takes that from the old one, which may then be as it is to be
    let mut entries = wanted.vlans.clone();
    entries.sort_by_key(|entry| !entry.pvid);
    for entry in entries {
        if had.vlan(entry.vid) != Some(entry) {
            had.add_vlan(entry);
            changes.push(LegChange::AddVlan(entry));
        }
    }
    // what comes before what goes: a leg without permits is open to all
    let added = wanted.permits.iter().filter(|permit| !had.permits.contains(permit));
    changes.extend(added.copied().map(LegChange::AddPermit));
    let removed = had.permits.iter().filter(|permit| !wanted.permits.contains(permit));
    changes.extend(removed.copied().map(LegChange::RemovePermit));
    changes.into_iter().map(|what| change(name, what)).collect()
}

fn change(name: &str, what: LegChange) -> PlanChange {
    PlanChange::Leg(name.to_owned(), what)
}
