//! `[[router.route]]`: ways that are on no wire of the router. Each names its interface in the plan, written or not.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use toml::Spanned;

use super::interfaces::Places;
use crate::control::config::address;
use crate::control::config::scope::Scope;
use crate::control::config::tables::RawRoute;
use crate::control::config::value::Rows;
use crate::control::plan::Route;
use crate::router::interface::is_link_local;
use crate::router::routes::ROUTES_MAX;

/// All routes of a router.
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawRoute>>, places: &Places) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    let mut first: HashMap<IpNet, Range<usize>> = HashMap::new();
    // the router adds one for each of its prefixes
    let room =
        ROUTES_MAX - places.list.iter().map(|place| place.addresses.len()).sum::<usize>().min(ROUTES_MAX);
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        if routes.len() == room {
            let message = format!("a router has at most {ROUTES_MAX} routes");
            scope.error(raw.span.clone(), "one too many", message).help("make one route of several");
            break;
        }
        let via = raw.via.given().map(|text| (scope.ip(text, "192.168.50.254"), text));
        let family = via.and_then(|(via, _)| via).map(|via| via.is_ipv4());
        let hint = "the network that it leads to, like to = \"10.0.0.0/8\", or \"default\"";
        let to = scope.required(&raw.to, &raw.span, "to", hint);
        let net = to.and_then(|text| destination(scope, text, family));
        if let (Some(text), Some(net)) = (to, net) {
            check_repeated(scope, &mut first, text, net);
            check_connected(scope, text, net, places);
        }
        let interface = interface(scope, raw, via, places);
        let (Some(net), Some(text), Some(interface)) = (net, to, interface) else { continue };
        let via = match via {
            Some((Some(via), gateway)) => {
                if via.is_ipv4() != net.addr().is_ipv4() {
                    let message = format!("{net} and {via} are not of one family");
                    scope
                        .error(gateway.span(), "another family", message)
                        .also(text.span(), "the destination")
                        .help("a route leads through a gateway of its own family");
                    continue;
                }
                Some(via)
            }
            Some((None, _)) => continue,
            None => None,
        };
        routes.push(Route { to: net, via, interface, line: scope.line(&raw.span) });
    }
    routes
}

/// Whom a route is for. `default` is of the gateway's family.
fn destination(scope: &mut Scope, text: &Spanned<String>, is_ipv4: Option<bool>) -> Option<IpNet> {
    let given = text.get_ref();
    if given == "default" {
        return Some(match is_ipv4.unwrap_or(true) {
            true => Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0).into(),
            false => Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0).into(),
        });
    }
    let Some(net) = given.parse().ok().or_else(|| Some(IpNet::from(given.parse::<IpAddr>().ok()?))) else {
        scope
            .error(text.span(), "not a route", format!("{given:?} is not a destination"))
            .help("write a network and the length of its prefix, like \"10.0.0.0/8\", or \"default\"");
        return None;
    };
    let net = address::destination(scope, text.span(), net)?;
    if net.addr().is_multicast() || net.addr().is_loopback() {
        scope.error(text.span(), "not routed", format!("a router sends nothing to {net}")).help("remove it");
        return None;
    }
    Some(net)
}

fn check_repeated(
    scope: &mut Scope,
    first: &mut HashMap<IpNet, Range<usize>>,
    text: &Spanned<String>,
    net: IpNet,
) {
    let Some(span) = first.get(&net) else {
        first.insert(net, text.span());
        return;
    };
    let span = span.clone();
    let family = if net.addr().is_ipv4() { "IPv4" } else { "IPv6" };
    let message = match net.prefix_len() {
        0 => format!("there is a default route for {family} already"),
        _ => format!("there is a route to {net} already"),
    };
    scope.repeated(text.span(), span, message).help("there are no metrics: only the first would be used");
}

/// What is on the wire is reached there, whatever a route says.
fn check_connected(scope: &mut Scope, text: &Spanned<String>, net: IpNet, places: &Places) {
    let mut all = places.list.iter().flat_map(|place| place.nets());
    if let Some((_, span)) = all.find(|(own, _)| own.trunc() == net) {
        scope
            .warn(text.span(), "never used", format!("{net} is on a wire of the router"))
            .also(span.clone(), "here")
            .help("remove the route");
    }
}

/// The name of the interface that it leaves through.
fn interface(
    scope: &mut Scope,
    raw: &RawRoute,
    via: Option<(Option<IpAddr>, &Spanned<String>)>,
    places: &Places,
) -> Option<String> {
    let named = match raw.network.given() {
        Some(text) => {
            let network = scope.network(text)?;
            if places.on(&network).next().is_none() {
                if !places.is_partial {
                    let message = format!("the router is not on network {network:?}");
                    scope.error(text.span(), "not on it", message).help(places.networks());
                }
                return None;
            }
            Some(network)
        }
        None if raw.network.is_wrong() => return None,
        None => None,
    };
    match (via, named) {
        (Some((via, text)), named) => gateway(scope, via?, text, named.as_deref(), places),
        (None, Some(named)) if !raw.via.is_wrong() => {
            places.on(&named).next().map(|p| p.interface.name.clone())
        }
        (None, None) if raw.via.is_absent() => {
            scope
                .error(raw.span.clone(), "has neither `via` nor `network`", "a route that leads nowhere")
                .help(
                    "name the next router (`via`), or the network that the destinations are on (`network`)",
                );
            None
        }
        _ => None,
    }
}

/// The interface on whose wire a gateway is.
fn gateway(
    scope: &mut Scope,
    via: IpAddr,
    text: &Spanned<String>,
    network: Option<&str>,
    places: &Places,
) -> Option<String> {
    if let Some(span) = places.own(via) {
        scope
            .error(text.span(), "the router itself", format!("the gateway {via} is the router's own address"))
            .also(span.clone(), "here")
            .help("a gateway is another machine on one of the router's networks");
        return None;
    }
    if is_link_local(via) {
        let place = network.and_then(|network| places.on(network).next());
        if place.is_none() && network.is_none() {
            scope
                .error(
                    text.span(),
                    "on which network?",
                    format!("{via} means something only on its own wire"),
                )
                .help("name it: `network` beside `via`");
        }
        return place.map(|place| place.interface.name.clone());
    }
    let is_near = |place: &&super::interfaces::Place| place.nets().any(|(net, _)| net.contains(&via));
    let all = || places.list.iter().filter(is_near);
    let found = all().find(|place| network.is_none_or(|network| place.interface.network == network));
    if let Some(place) = found {
        return Some(place.interface.name.clone());
    }
    if places.is_partial {
        return None;
    }
    let elsewhere = places.near(via).map(|(place, _, span)| (place.interface.network.clone(), span.clone()));
    let message = match network {
        Some(network) => format!("gateway {via} is not on network {network:?}"),
        None => format!("gateway {via} is on no wire of the router"),
    };
    let nets = crate::control::config::address::list(
        places.list.iter().flat_map(|p| p.nets().map(|(net, _)| net.trunc())),
    );
    let diagnostic = scope.error(text.span(), "cannot be reached directly", message);
    match elsewhere {
        Some((network, span)) => {
            diagnostic.also(span, "here").help(format!("it is on {network:?}"));
        }
        None if nets.is_empty() => {
            diagnostic.help("the router has no addresses");
        }
        None => {
            diagnostic.help(format!("its wires are {nets}"));
        }
    }
    None
}
