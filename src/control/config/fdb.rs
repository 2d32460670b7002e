//! `[[fdb]]`: static entries.

use std::collections::HashMap;
use std::ops::Range;

use super::legs;
use super::scope::Scope;
use super::tables::RawFdb;
use super::value::Rows;
use super::vlans;
use crate::control::plan::{LegView, Plan, StaticStation};
use crate::wire::mac::Mac;

/// All static entries.
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawFdb>>, plan: &Plan) -> Vec<StaticStation> {
    let mut first: HashMap<(String, Mac, u16), Range<usize>> = HashMap::new();
    let mut stations = Vec::new();
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        let network = scope
            .required(&raw.network, &raw.span, "network", "name the network whose FDB it is")
            .and_then(|text| scope.network(text));
        let hint = "the station's address, like mac = \"02:42:ac:11:00:02\"";
        let text = scope.required(&raw.mac, &raw.span, "mac", hint);
        let mac = text.and_then(|text| scope.station(text));
        let port = scope.required(&raw.port, &raw.span, "port", "name the port that the station is behind");
        let (Some(network), Some(port)) = (network, port) else { continue };
        let hint = "a static entry names a port of its own network";
        let Some(leg) = legs::find(scope, port, &network, plan, hint) else { continue };
        let filtering = plan.network(&network).is_some_and(|network| network.bridge.vlan.filtering);
        let vlan = raw
            .vlan
            .given()
            .map(|text| vlans::of_entry(scope, text, (leg.name, &leg.settings.vlans), filtering));
        let (Some(mac), Some(text)) = (mac, text) else { continue };
        // what was wrong with the VLAN was reported
        let vlan = match vlan {
            Some(None) => continue,
            Some(Some(vid)) => Some(vid),
            None => None,
        };
        for vid in places(vlan, leg) {
            if let Some(first) = first.insert((network.clone(), mac, vid), text.span()) {
                scope.repeated(text.span(), first, format!("{mac} has an entry on {network:?} already"));
                break;
            }
        }
        let is_own = |other: &LegView<'_>| {
            other.network == network
                && other.settings.leg.mac == Some(mac)
                && (other.is_host() || other.is_router())
        };
        if let Some(other) = plan.legs().find(is_own) {
            let (label, owner) = match other.leads_to {
                Some(router) => ("the router's", format!("router {router:?}'s")),
                None => ("the host's", "the host's".to_owned()),
            };
            scope
                .error(text.span(), label, format!("{mac} is {owner} own address on {network:?}"))
                .help(format!("remove the entry: {label} address is always in the FDB"));
        }
        let sticky = raw.sticky.value().copied().unwrap_or(false);
        let (at, line) = (leg.name.to_owned(), scope.line(&raw.span));
        stations.push(StaticStation { network, mac, at, vlan, sticky, line });
    }
    warn_of_useless_locks(scope, plan, &stations);
    stations
}

/// The VLANs that an entry is for: one without is for none, and for all of its leg (B58).
fn places(vlan: Option<u16>, leg: LegView<'_>) -> Vec<u16> {
    match vlan {
        Some(vid) => vec![vid],
        None => std::iter::once(0).chain(leg.settings.vlans.iter().map(|entry| entry.vid)).collect(),
    }
}

/// A locked port without an entry lets nobody send (B21), unless an authenticator is to release whom it likes.
fn warn_of_useless_locks(scope: &mut Scope, plan: &Plan, stations: &[StaticStation]) {
    let is_shut = |leg: &LegView<'_>| leg.settings.leg.locked && !leg.settings.leg.mab;
    for leg in plan.legs().filter(is_shut) {
        if stations.iter().any(|station| station.at == leg.name) {
            continue;
        }
        let Some(span) = scope.ports.first(&leg.name.to_owned()) else { continue };
        let entry = format!("[[fdb]] with network = {:?}, port = {:?} and its `mac`", leg.network, leg.name);
        scope
            .warn(span, "locked", format!("nobody can send through the locked port {:?}", leg.name))
            .help(format!("allow a station with {entry}"));
    }
}
