//! `mdb add` and `mdb del`.

use std::net::IpAddr;

use super::{NO_LINE, leg};
use crate::control::edit::Member;
use crate::control::plan::{Plan, StaticGroup};
use crate::control::protocol::Refusal;

/// The plan with the membership. One that is there already is no error.
pub(super) fn add(plan: &Plan, member: &Member) -> Result<Plan, Refusal> {
    let groups = resolve(plan, member)?;
    let Some(group) = groups.first() else { return Err(in_no_vlan(member)) };
    if let Some(why) = unsnooped(group.group) {
        return Err(Refusal {
            error: format!("`{}` is no group that can be joined: {why}", group.group),
            hint: Some("groups are like 239.1.1.1 or ff05::1:3".into()),
        });
    }
    if !leg::network(plan, &group.network)?.bridge.multicast.snooping {
        return Err(Refusal {
            error: format!("`{}` does not look at who wants which multicast", group.network),
            hint: Some(format!(
                "set `multicast_snooping = true` in the file for network `{}`",
                group.network
            )),
        });
    }
    let mut edited = plan.clone();
    for group in groups {
        if !plan.groups.iter().any(|known| same(known, &group)) {
            edited.groups.push(group);
        }
    }
    Ok(edited)
}

/// The plan without it.
pub(super) fn del(plan: &Plan, member: &Member) -> Result<Plan, Refusal> {
    let groups = resolve(plan, member)?;
    let mut edited = plan.clone();
    edited.groups.retain(|known| !groups.iter().any(|group| same(known, group)));
    if edited.groups.len() == plan.groups.len() {
        return Err(Refusal {
            error: format!("`{}` has not been put into {}", member.port, member.group),
            hint: Some("`vswitchd show mdb` lists the groups; only permanent ones can be removed".into()),
        });
    }
    Ok(edited)
}

/// The memberships that are meant: without a VLAN, where VLANs are told apart, one in each VLAN of the port.
fn resolve(plan: &Plan, member: &Member) -> Result<Vec<StaticGroup>, Refusal> {
    let found = leg::find(plan, &member.port)?;
    if found.is_router() {
        return Err(Refusal {
            error: format!("`{}` leads to a router, which joins no groups", member.port),
            hint: Some("frames to every group go there anyway".into()),
        });
    }
    if let Some(network) = &member.network
        && network != found.network
    {
        leg::network(plan, network)?;
        return Err(Refusal {
            error: format!("port `{}` is not on `{network}`", member.port),
            hint: Some(format!("it is on `{}`", found.network)),
        });
    }
    if let Some(vlan) = member.vlan {
        leg::filtering(plan, found.network, vlan)?;
        leg::in_vlan(&found, vlan)?;
    }
    let vlans = match member.vlan {
        Some(vlan) => vec![vlan.get()],
        None if leg::network(plan, found.network)?.bridge.vlan.filtering => {
            found.settings.vlans.iter().map(|entry| entry.vid).collect()
        }
        None => vec![0],
    };
    let network = found.network.to_owned();
    let group = |vlan| StaticGroup {
        network: network.clone(),
        at: member.port.clone(),
        vlan,
        group: member.group,
        line: NO_LINE,
    };
    Ok(vlans.into_iter().map(group).collect())
}

fn in_no_vlan(member: &Member) -> Refusal {
    Refusal {
        error: format!("`{}` is in no VLAN", member.port),
        hint: Some(format!("`vswitchd vlan add {} VID` puts it into one", member.port)),
    }
}

fn same(a: &StaticGroup, b: &StaticGroup) -> bool {
    (&a.network, &a.at, a.vlan, a.group) == (&b.network, &b.at, b.vlan, b.group)
}

/// Why an address is none that a bridge keeps members of: those groups go everywhere.
fn unsnooped(group: IpAddr) -> Option<&'static str> {
    match group {
        _ if !group.is_multicast() => Some("it is the address of one machine"),
        IpAddr::V4(group) if group.octets()[..3] == [224, 0, 0] => Some("it is everybody's on the link"),
        IpAddr::V6(group) if group.segments() == [0xff02, 0, 0, 0, 0, 0, 0, 1] => {
            Some("it is everybody's on the link")
        }
        _ => None,
    }
}
