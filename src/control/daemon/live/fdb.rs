//! `fdb add` and the static half of `fdb del`.

use super::{NO_LINE, leg};
use crate::bridge::Role;
use crate::control::edit::Vid;
use crate::control::plan::{Plan, StaticStation};
use crate::control::protocol::Refusal;
use crate::wire::mac::Mac;

/// The plan with the entry. An entry that is there already, just so, is no error.
pub(super) fn add(
    plan: &Plan,
    mac: Mac,
    port: &str,
    vlan: Option<Vid>,
    sticky: bool,
) -> Result<Plan, Refusal> {
    let found = leg::find(plan, port)?;
    if !mac.is_station() {
        return Err(Refusal {
            error: format!("{mac} is the address of no single station"),
            hint: Some("groups are for `vswitchd mdb add`".into()),
        });
    }
    if let Some(vlan) = vlan {
        leg::filtering(plan, found.network, vlan)?;
        leg::in_vlan(&found, vlan)?;
    }
    let network = found.network.to_owned();
    let hosts = plan.ports.iter().filter(|p| p.settings.leg.role == Role::Host && p.network == network);
    if hosts.into_iter().any(|host| host.interface.mac == Some(mac)) {
        return Err(Refusal {
            error: format!("{mac} is the host's own address on `{network}`"),
            hint: Some("it is always in the FDB".into()),
        });
    }
    let vlan = vlan.map(Vid::get);
    let same = |s: &&StaticStation| s.network == network && s.mac == mac && overlap(s.vlan, vlan);
    match plan.fdb.iter().find(same) {
        Some(known) if (known.at.as_str(), known.vlan, known.sticky) == (port, vlan, sticky) => {
            return Ok(plan.clone());
        }
        Some(known) => {
            return Err(Refusal {
                error: format!("{mac} has an entry on `{network}` already, behind {}", known.at),
                hint: Some(format!("`vswitchd fdb del {mac} {}` first", known.at)),
            });
        }
        None => {}
    }
    let mut plan = plan.clone();
    plan.fdb.push(StaticStation { network, mac, at: port.to_owned(), vlan, sticky, line: NO_LINE });
    Ok(plan)
}

/// The plan without the entries, and whether there was one.
pub(super) fn del(plan: &Plan, mac: Mac, port: Option<&str>, vlan: Option<Vid>) -> (Plan, bool) {
    let mut edited = plan.clone();
    let meant = |s: &StaticStation| {
        s.mac == mac
            && port.is_none_or(|port| s.at == port)
            && vlan.is_none_or(|vlan| s.vlan == Some(vlan.get()))
    };
    edited.fdb.retain(|station| !meant(station));
    let removed = edited.fdb.len() < plan.fdb.len();
    (edited, removed)
}

/// No VLAN is all of them (B58).
fn overlap(a: Option<u16>, b: Option<u16>) -> bool {
    a.is_none() || b.is_none() || a == b
}
