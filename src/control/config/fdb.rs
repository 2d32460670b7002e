//! `[[fdb]]`: static entries.

use std::collections::HashMap;
use std::ops::Range;

use super::raw::{RawFdb, Rows};
use super::scope::Scope;
use crate::bridge::Role;
use crate::control::plan::{Port, StaticStation};
use crate::wire::mac::Mac;

/// All static entries.
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawFdb>>, ports: &[Port]) -> Vec<StaticStation> {
    let mut first: HashMap<(String, Mac), Range<usize>> = HashMap::new();
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
        let Some(known) = find_port(scope, port, &network, ports) else { continue };
        let (Some(mac), Some(text)) = (mac, text) else { continue };
        if let Some(first) = first.insert((network.clone(), mac), text.span()) {
            scope.repeated(text.span(), first, format!("{mac} has an entry on {network:?} already"));
        }
        let host = ports.iter().find(|p| p.leg.role == Role::Host && p.network == network);
        if host.is_some_and(|host| host.interface.mac == Some(mac)) {
            scope
                .error(text.span(), "the host's", format!("{mac} is the host's own address on {network:?}"))
                .help("remove the entry: the host's address is always in the FDB");
        }
        let sticky = raw.sticky.value().copied().unwrap_or(false);
        stations.push(StaticStation { network, mac, port: known, sticky, line: scope.line(&raw.span) });
    }
    warn_of_useless_locks(scope, ports, &stations);
    stations
}

fn find_port(
    scope: &mut Scope,
    text: &toml::Spanned<String>,
    network: &str,
    ports: &[Port],
) -> Option<String> {
    let given = text.get_ref();
    match ports.iter().find(|port| port.name == *given) {
        Some(port) if port.network == network => Some(given.clone()),
        Some(port) => {
            let message = format!("port {given:?} is not on network {network:?}");
            scope
                .error(text.span(), format!("on {:?}", port.network), message)
                .help("a static entry names a port of its own network");
            None
        }
        // it was there, but something else is wrong with it
        None if scope.ports.has(given) => None,
        None => {
            let names: Vec<_> =
                ports.iter().filter(|port| port.network == network).map(|port| port.name.as_str()).collect();
            scope.unknown(text, "port", &names);
            None
        }
    }
}

/// A locked port without an entry lets nobody send (B21).
fn warn_of_useless_locks(scope: &mut Scope, ports: &[Port], stations: &[StaticStation]) {
    for port in ports.iter().filter(|port| port.leg.locked) {
        if stations.iter().any(|station| station.port == port.name) {
            continue;
        }
        let Some(span) = scope.ports.first(&port.name) else { continue };
        let entry =
            format!("[[fdb]] with network = {:?}, port = {:?} and its `mac`", port.network, port.name);
        scope
            .warn(span, "locked", format!("nobody can send through the locked port {:?}", port.name))
            .help(format!("allow a station with {entry}"));
    }
}
