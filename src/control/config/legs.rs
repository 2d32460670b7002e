//! What every leg of a bridge has, be it a port or an end of a link; and how other sections name one.

use toml::Spanned;

use super::guards;
use super::link_local::group_fwd_mask;
use super::multicast;
use super::raw::Field;
use super::scope::{BackupClaim, Scope};
use super::stp;
use super::tables::RawLeg;
use super::vlans;
use crate::bridge::{LegConfig, Promiscuous};
use crate::control::plan::{LegView, Network, Plan, Settings};

/// What is known of a leg before its settings are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    /// Its name, unless it lacks one, which was reported.
    pub(super) name: Option<&'a str>,
    /// Its network, unless there is none, which was reported.
    pub(super) network: Option<&'a Network>,
    /// Whether it is an end of a link.
    pub(super) is_end: bool,
    /// The interface's address and MTU.
    pub(super) leg: LegConfig,
}

/// All settings of a leg.
pub(super) fn resolve(scope: &mut Scope, raw: &RawLeg, given: Given<'_>) -> Settings {
    let default = given.leg;
    let flag = |field: &Field<bool>, default: bool| field.value().copied().unwrap_or(default);
    check_lock(scope, raw);
    let leg = LegConfig {
        learning: flag(&raw.learning, default.learning),
        flood: flag(&raw.flood, default.flood),
        mcast_flood: flag(&raw.mcast_flood, default.mcast_flood),
        bcast_flood: flag(&raw.bcast_flood, default.bcast_flood),
        hairpin: flag(&raw.hairpin, default.hairpin),
        isolated: flag(&raw.isolated, default.isolated),
        locked: flag(&raw.locked, default.locked),
        mab: flag(&raw.mab, default.mab),
        neigh_suppress: flag(&raw.neigh_suppress, default.neigh_suppress),
        proxy_arp: flag(&raw.proxy_arp, default.proxy_arp),
        group_fwd_mask: group_fwd_mask(scope, &raw.group_fwd_mask, 0b10),
        promiscuous: promiscuous(scope, raw, given.is_end).unwrap_or(default.promiscuous),
        mac_limit: guards::mac_limit(scope, raw, given.network),
        storm_limit: guards::storm_limit(scope, &raw.storm_limit),
        stp: stp::leg(scope, raw, given.network),
        multicast: multicast::leg(scope, raw),
        ..default
    };
    if let (Some(leg), Some(network), Some(text)) = (given.name, given.network, raw.backup_port.given()) {
        scope.backups.push(BackupClaim {
            leg: leg.to_owned(),
            network: network.name.clone(),
            text: text.clone(),
        });
    }
    Settings {
        leg,
        vlans: vlans::leg(scope, &raw.vlans, given.network),
        permits: guards::source_guard(scope, &raw.source_guard),
        backup: raw.backup_port.value().cloned(),
    }
}

/// Warns of what is written but does nothing on any of these networks.
pub(super) fn warn_of_idle(scope: &mut Scope, raw: &RawLeg, networks: &[&Network]) {
    stp::warn_of_idle(scope, raw, networks);
    multicast::warn_of_idle(scope, raw, networks);
}

fn check_lock(scope: &mut Scope, raw: &RawLeg) {
    let is_mab = raw.mab.value() == Some(&true);
    let is_locked = raw.locked.value() == Some(&true);
    if let (true, false, Some(span)) = (is_mab, is_locked, raw.mab.span()) {
        scope
            .error(span, "nothing to bypass", "`mab` needs a locked port")
            .help("write locked = true as well");
    }
    if let (Some(span), true, false, Some(true)) =
        (raw.locked.span(), is_locked, is_mab, raw.learning.value())
    {
        scope
            .warn(span, "learns nothing", "a locked port only knows the stations of its [[fdb]] entries")
            .help("remove `learning = true`");
    }
}

fn promiscuous(scope: &mut Scope, raw: &RawLeg, is_end: bool) -> Option<Promiscuous> {
    let text = raw.promiscuous.given()?;
    let words =
        [("allow", Promiscuous::Allow), ("deny", Promiscuous::Deny), ("monitor", Promiscuous::Monitor)];
    let value = scope.word(text, "promiscuous", &words)?;
    if is_end && value != Promiscuous::Allow {
        scope
            .error(
                text.span(),
                "not for a link",
                format!("`promiscuous = {:?}` on an end of a link", text.get_ref()),
            )
            .help(match value {
                Promiscuous::Monitor => {
                    "the other network would get every frame, as if there were no switch; watch with a [[port]], \
                     or with `vswitchd capture NETWORK`"
                },
                _ => "a link leads to many stations, not to one; remove it",
            });
        return None;
    }
    Some(value)
}

/// Looks at the names of backup ports, when all legs are known.
pub(super) fn check_backups(scope: &mut Scope, plan: &Plan) {
    for claim in std::mem::take(&mut scope.backups) {
        let text = &claim.text;
        if *text.get_ref() == claim.leg {
            scope
                .error(text.span(), "itself", format!("{:?} cannot be its own backup", claim.leg))
                .help("name another port of the same network");
        } else if let Some(found) =
            find(scope, text, &claim.network, plan, "a backup port is on the same network")
            && (found.is_host() || found.is_router())
        {
            let whose = if found.is_host() { "the host" } else { "a router" };
            let message = format!("{whose}'s place on {:?} cannot stand in for a port", claim.network);
            scope.error(text.span(), whose, message).help("name a port, or an end of a link");
        }
    }
}

/// The leg of that name on that network; anything else is reported, with `hint` if it is on another.
pub(super) fn find<'a>(
    scope: &mut Scope,
    text: &Spanned<String>,
    network: &str,
    plan: &'a Plan,
    hint: &str,
) -> Option<LegView<'a>> {
    let given = text.get_ref();
    match plan.leg(given) {
        Some(leg) if leg.network == network => return Some(leg),
        Some(leg) => {
            let message = format!("port {given:?} is not on network {network:?}");
            scope.error(text.span(), format!("on {:?}", leg.network), message).help(hint);
        }
        // it was there, but something else is wrong with it
        None if scope.ports.has(given) => {}
        None => {
            let names: Vec<_> =
                plan.legs().filter(|leg| leg.network == network).map(|leg| leg.name).collect();
            scope.unknown(text, "port", &names);
        }
    }
    None
}
