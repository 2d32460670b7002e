//! `[[mdb]]`: permanent members of multicast groups.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use super::legs;
use super::multicast;
use super::scope::Scope;
use super::tables::RawMdb;
use super::value::Rows;
use super::vlans;
use crate::control::plan::{Plan, StaticGroup};

/// All permanent memberships. Without a VLAN, where there are such, a membership is one in each of the leg's (as the
/// kernel's `br_mdb_add`).
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawMdb>>, plan: &Plan) -> Vec<StaticGroup> {
    let mut first: HashMap<(String, String, u16, IpAddr), Range<usize>> = HashMap::new();
    let mut groups = Vec::new();
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        let network = scope
            .required(&raw.network, &raw.span, "network", "name the network that the group is on")
            .and_then(|text| scope.network(text));
        let text =
            scope.required(&raw.group, &raw.span, "group", "a multicast address, like group = \"239.1.1.1\"");
        let group = text.and_then(|text| multicast_group(scope, text));
        let port = scope.required(&raw.port, &raw.span, "port", "name the port that the member is behind");
        let (Some(name), Some(port)) = (network, port) else { continue };
        let hint = "a membership names a port of its own network";
        let (Some(leg), Some(network)) = (legs::find(scope, port, &name, plan, hint), plan.network(&name))
        else {
            continue;
        };
        if leg.is_router() {
            scope
                .error(
                    port.span(),
                    "gets them all",
                    format!("{:?} leads to a router, which joins no groups", leg.name),
                )
                .help("remove the entry: frames to every group go there anyway");
            continue;
        }
        if !network.bridge.multicast.snooping {
            multicast::warn(scope, "[[mdb]]", raw.span.clone());
        }
        let filtering = network.bridge.vlan.filtering;
        let vlans = &leg.settings.vlans;
        let vids = match raw.vlan.given() {
            Some(text) => match vlans::of_entry(scope, text, (leg.name, vlans), filtering) {
                Some(vid) => vec![if filtering { vid } else { 0 }],
                None => continue,
            },
            None if filtering => vlans.iter().map(|entry| entry.vid).collect(),
            None => vec![0],
        };
        let (Some(group), Some(text)) = (group, text) else { continue };
        let line = scope.line(&raw.span);
        for vlan in vids {
            let key = (name.clone(), leg.name.to_owned(), vlan, group);
            if let Some(first) = first.get(&key) {
                scope.repeated(
                    text.span(),
                    first.clone(),
                    format!("{:?} is a member of {group} already", leg.name),
                );
                break;
            }
            first.insert(key, text.span());
            groups.push(StaticGroup { network: name.clone(), at: leg.name.to_owned(), vlan, group, line });
        }
    }
    groups
}

/// A group that can be registered: those for all nodes on the link are flooded, whoever is a member (B68).
pub(super) fn multicast_group(scope: &mut Scope, text: &toml::Spanned<String>) -> Option<IpAddr> {
    let group = scope.ip(text, "239.1.1.1")?;
    if !group.is_multicast() {
        scope
            .error(text.span(), "not a group", format!("{group} is not a multicast address"))
            .help("224.0.1.0 to 239.255.255.255, or ff00::/8");
        return None;
    }
    let is_link_local = match group {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments() == [0xff02, 0, 0, 0, 0, 0, 0, 1],
    };
    if is_link_local {
        let whole = if group.is_ipv4() { "224.0.0.0/24" } else { "ff02::1" };
        scope
            .error(text.span(), "has no members", format!("{group} is always flooded"))
            .help(format!("frames to {whole} concern every machine, and are not snooped (RFC 4541 §2.1.2)"));
        return None;
    }
    Some(group)
}
