//! `[[router]]`: gateways between networks. A file for each kind of table in it.
//!
//! What a router's parts refer to are its interfaces, so these come first, with the places where their addresses are
//! written: a publish at an address that is not the router's is shown beside those that are.

mod conntrack;
mod inside;
mod interfaces;
mod nat;
mod ports;
mod publish;
mod routes;
mod rules;

use toml::Spanned;

use super::names;
use super::scope::Scope;
use super::tables::RawRouter;
use super::value::Rows;
use crate::control::plan::{Network, Policy, Router};
use crate::frame::NODES_MAX;

/// The most publishes, and the most rules: they are counted with 16 bits.
const RULES_MAX: usize = 1 << 16;

/// All routers. The names of networks and ports must be known.
pub(super) fn resolve(
    scope: &mut Scope,
    rows: Option<&Rows<RawRouter>>,
    networks: &[Network],
) -> Vec<Router> {
    let mut routers = Vec::new();
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        if networks.len() + routers.len() == NODES_MAX {
            let message = format!("there are more than {NODES_MAX} networks and routers");
            scope.error(raw.span.clone(), "one too many", message).help("split the lab into several files");
            break;
        }
        let hint = "every router needs a name, like name = \"gw\"";
        let name = scope.required(&raw.name, &raw.span, "name", hint);
        let name = name.filter(|name| claim_name(scope, name)).map(Spanned::get_ref);
        routers.extend(resolve_one(scope, raw, name, networks));
    }
    routers
}

/// A router; `None` if it has no name, but everything else about it was checked.
fn resolve_one(
    scope: &mut Scope,
    raw: &RawRouter,
    name: Option<&String>,
    networks: &[Network],
) -> Option<Router> {
    let places = interfaces::resolve(scope, raw, name.map(String::as_str), networks);
    let routes = routes::resolve(scope, raw.route.value(), &places);
    let conntrack = conntrack::resolve(scope, raw.conntrack.value());
    let nat = nat::resolve(scope, raw.nat.value());
    let policy = Policy {
        publishes: publish::resolve(scope, raw.publish.value(), &places, networks),
        rules: rules::resolve(scope, raw.rule.value(), &places),
        invalid: conntrack.invalid,
        mapping: nat.mapping,
        filtering: nat.filtering,
        ports: nat.ports,
    };
    let line = scope.line(&raw.span);
    let line_of = |table: Option<std::ops::Range<usize>>| table.map_or(line, |span| scope.line(&span));
    Some(Router {
        name: name?.clone(),
        interfaces: places.into_interfaces(),
        routes,
        policy,
        settings: conntrack.settings,
        line,
        conntrack_line: line_of(raw.conntrack.span()),
        nat_line: line_of(raw.nat.span()),
    })
}

/// Devices have one name space, and `vswitchd capture NAME` looks for ports as well.
fn claim_name(scope: &mut Scope, name: &Spanned<String>) -> bool {
    if !names::check_name(scope, name, "the name of a router") {
        return false;
    }
    let text = name.get_ref();
    let others = [("network", scope.networks.first(text)), ("port", scope.ports.first(text))];
    if let Err(first) = scope.routers.claim(text.clone(), name.span()) {
        scope.repeated(name.span(), first, format!("there are two routers named {text:?}"));
        return false;
    }
    for (what, first) in others {
        let Some(first) = first else { continue };
        let message = format!("a router and a {what} are both named {text:?}");
        scope.repeated(name.span(), first, message).help("rename one of them");
        return false;
    }
    true
}
