//! Where a published port leads: to a machine behind an inside interface.

use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;

use super::listen::split;
use crate::control::config::address;
use crate::control::config::router::interfaces::{Place, Places};
use crate::control::config::router::ports;
use crate::control::config::scope::Scope;
use crate::router::interface::Role;

/// How it is written.
pub(super) const HINT: &str =
    "the guest and its port, like to = \"172.17.0.2:80\"; without a port, it is the one that is published";

/// The guest, and its ports if they are given.
pub(super) fn target(
    scope: &mut Scope,
    text: &Spanned<String>,
    places: &Places,
) -> Option<(IpAddr, Option<(u16, u16)>)> {
    let (given, span) = (text.get_ref(), text.span());
    let (guest, ports) = match given.parse::<IpAddr>() {
        Ok(guest) => (Some(guest), None),
        Err(_) => match split(given) {
            Some((host, numbers)) if !host.is_empty() => {
                let guest = host.parse::<IpAddr>().ok();
                let ports = match guest {
                    Some(_) => Some(ports::range(scope, numbers, &span, "to")?),
                    None => None,
                };
                (guest, ports)
            }
            _ => (None, None),
        },
    };
    let Some(guest) = guest else {
        scope.error(span, "not a guest's port", format!("`to` cannot be {given:?}")).help(HINT);
        return None;
    };
    check_guest(scope, guest, &span, places).then_some((guest, ports))
}

/// It is a machine, and may be reached.
fn check_guest(scope: &mut Scope, guest: IpAddr, span: &Range<usize>, places: &Places) -> bool {
    if let Some(own) = places.own(guest) {
        scope
            .error(span.clone(), "the router itself", format!("{guest} is the router's own address"))
            .also(own.clone(), "here")
            .help("a port is published for a machine behind the router");
        return false;
    }
    let is_inside = |place: &&Place| place.role() == Role::Inside;
    let inside =
        || places.list.iter().filter(is_inside).flat_map(|place| place.nets().map(move |n| (place, n)));
    if let Some((place, (net, _))) = inside().find(|(_, (net, _))| net.contains(&guest)) {
        if let (true, Some(first)) = (place.interface.interface.inside.internal, &place.internal) {
            scope
                .error(span.clone(), "nobody comes in", format!("{guest} is on an internal network (C20)"))
                .also(first.clone(), "nobody may enter")
                .help("remove `internal`, or the publish");
            return false;
        }
        let is_group = net.max_prefix_len() - net.prefix_len() > 1
            && (guest == net.network() || (guest.is_ipv4() && guest == net.broadcast()));
        if is_group {
            scope
                .error(
                    span.clone(),
                    "not a machine's address",
                    format!("{guest} is no machine in {}", net.trunc()),
                )
                .help("name the guest that the port leads to");
        }
        return !is_group;
    }
    if places.is_partial {
        return true;
    }
    let nets = address::list(inside().map(|(_, (net, _))| net.trunc()));
    let other = places.near(guest).map(|(_, _, span)| span.clone());
    let message = format!("{guest} is in no inside network of the router");
    let diagnostic = scope.error(span.clone(), "not inside", message);
    match (other, nets.is_empty()) {
        (Some(other), _) => {
            diagnostic
                .also(other, "its network is not inside")
                .help("write role = \"inside\" in its [[router.interface]]");
        }
        (None, true) => {
            diagnostic.help("no interface of the router has role = \"inside\"");
        }
        (None, false) => {
            diagnostic.help(format!("the inside networks are {nets}"));
        }
    }
    false
}
