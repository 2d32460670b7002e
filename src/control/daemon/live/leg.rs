//! What an edit is about: a port or an end of a link, found by its name.

use crate::control::daemon::answer::unknown;
use crate::control::edit::Vid;
use crate::control::plan::{LegView, Network, Plan};
use crate::control::protocol::Refusal;

/// The port or end of a link of that name.
pub(super) fn find<'a>(plan: &'a Plan, name: &str) -> Result<LegView<'a>, Refusal> {
    plan.leg(name).ok_or_else(|| unknown("port", name, plan.legs().map(|leg| leg.name)))
}

/// The network of that name.
pub(super) fn network<'a>(plan: &'a Plan, name: &str) -> Result<&'a Network, Refusal> {
    plan.network(name).ok_or_else(|| unknown("network", name, plan.networks.iter().map(|n| n.name.as_str())))
}

/// A VLAN means something on that network.
pub(super) fn filtering(plan: &Plan, name: &str, vlan: Vid) -> Result<(), Refusal> {
    if network(plan, name)?.bridge.vlan.filtering {
        return Ok(());
    }
    Err(Refusal {
        error: format!("there is no VLAN {vlan} on `{name}`: it does not tell VLANs apart"),
        hint: Some(format!("set `vlan_filtering = true` in the file for network `{name}`")),
    })
}

/// The leg is in that VLAN.
pub(super) fn in_vlan(leg: &LegView<'_>, vlan: Vid) -> Result<(), Refusal> {
    if leg.settings.vlan(vlan.get()).is_some() {
        return Ok(());
    }
    let name = leg.name;
    Err(Refusal {
        error: format!("`{name}` is not in VLAN {vlan}"),
        hint: Some(format!("`vswitchd vlan add {name} {vlan}` puts it there")),
    })
}
