//! `vlan add` and `vlan del`.

use super::leg;
use crate::bridge::VlanEntry;
use crate::control::edit::Vid;
use crate::control::plan::Plan;
use crate::control::protocol::Refusal;

/// What a port is to a VLAN besides being in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Untagged frames that enter are in it.
    pub(super) pvid: bool,
    /// Frames leave untagged.
    pub(super) untagged: bool,
}

/// The plan with the port in those VLANs. What it was to them before is replaced, and a port has one PVID: another
/// entry that was it is no longer (B54).
pub(super) fn add(
    plan: &Plan,
    port: &str,
    first: Vid,
    last: Option<Vid>,
    place: Place,
) -> Result<Plan, Refusal> {
    let range = range(plan, port, first, last)?;
    if place.pvid && last.is_some() {
        return Err(Refusal {
            error: format!("`{port}` can have one PVID, not {first} to {}", range.end()),
            hint: Some("name one VLAN, or leave `pvid` out".into()),
        });
    }
    let mut plan = plan.clone();
    if let Some(settings) = plan.settings_mut(port) {
        let Place { pvid, untagged } = place;
        range.for_each(|vid| settings.add_vlan(VlanEntry { vid, pvid, untagged }));
    }
    Ok(plan)
}

/// The plan with the port in none of those VLANs; it must have been in one.
pub(super) fn del(plan: &Plan, port: &str, first: Vid, last: Option<Vid>) -> Result<Plan, Refusal> {
    let range = range(plan, port, first, last)?;
    let found = leg::find(plan, port)?;
    if !found.settings.vlans.iter().any(|entry| range.contains(&entry.vid)) {
        let known: Vec<String> = found.settings.vlans.iter().map(|entry| entry.vid.to_string()).collect();
        let which = last.map_or(format!("VLAN {first}"), |last| format!("any VLAN from {first} to {last}"));
        return Err(Refusal {
            error: format!("`{port}` is not in {which}"),
            hint: Some(match known.as_slice() {
                [] => "it is in none".into(),
                known => format!("it is in: {}", known.join(", ")),
            }),
        });
    }
    let mut plan = plan.clone();
    if let Some(settings) = plan.settings_mut(port) {
        settings.vlans.retain(|entry| !range.contains(&entry.vid));
    }
    Ok(plan)
}

fn range(
    plan: &Plan,
    port: &str,
    first: Vid,
    last: Option<Vid>,
) -> Result<std::ops::RangeInclusive<u16>, Refusal> {
    let found = leg::find(plan, port)?;
    leg::filtering(plan, found.network, first)?;
    let last = last.unwrap_or(first);
    if last < first {
        return Err(Refusal { error: format!("VLAN {last} is before {first}"), hint: None });
    }
    Ok(first.get()..=last.get())
}
