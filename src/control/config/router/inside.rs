//! How a router treats the guests behind an inside interface: `internal`, `icc`, `masquerade` and `snat`.

use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;

use super::interfaces::Places;
use crate::control::config::scope::Scope;
use crate::control::config::tables::RawRouterInterface;
use crate::router::interface::{Inside, Role, SourceNat};

/// What is said of the guests; the defaults where there are none.
pub(super) fn resolve(scope: &mut Scope, raw: &RawRouterInterface, role: Option<Role>) -> Inside {
    let default = Inside::default();
    let is_unknown = role.is_none() && !raw.role.is_absent();
    if role != Some(Role::Inside) && !is_unknown {
        for (key, span) in keys(raw) {
            scope
                .error(span, "whose guests?", format!("`{key}` is for an interface with guests behind it"))
                .help(match key {
                    "masquerade" | "snat" => {
                        "write it at the interface whose guests are to be hidden, which has role = \"inside\""
                    }
                    _ => "write role = \"inside\", or remove it",
                });
        }
        return default;
    }
    let internal = raw.internal.value().copied().unwrap_or(default.internal);
    let masquerade = raw.masquerade.value().copied();
    let snat = raw.snat.given().and_then(|text| to_source(scope, text));
    if let (Some(true), Some(first), Some(text)) = (masquerade, raw.masquerade.span(), raw.snat.span()) {
        scope
            .error(text, "and this", "an interface cannot have both `masquerade` and `snat`")
            .also(first, "this")
            .help("`masquerade` takes the address of the interface that packets leave through, `snat` a given one");
    }
    if let (true, Some(first)) = (internal, raw.internal.span()) {
        let nat = raw.masquerade.span().filter(|_| masquerade == Some(true));
        for (key, span) in [("masquerade", nat), ("snat", raw.snat.span())] {
            let Some(span) = span else { continue };
            scope
                .error(span, "nobody leaves", format!("`{key}` on an internal network (C20)"))
                .also(first.clone(), "nobody may leave")
                .help("remove one of them");
        }
    }
    let hidden = masquerade.unwrap_or(!internal);
    let source_nat = match snat {
        Some((first, last)) => SourceNat::To(first, last),
        None if hidden => SourceNat::Masquerade,
        None => SourceNat::None,
    };
    Inside { internal, icc: raw.icc.value().copied().unwrap_or(default.icc), source_nat }
}

/// What only inside interfaces have, where it is written.
fn keys(raw: &RawRouterInterface) -> Vec<(&'static str, Range<usize>)> {
    let keys = [
        ("internal", raw.internal.span()),
        ("icc", raw.icc.span()),
        ("masquerade", raw.masquerade.span()),
        ("snat", raw.snat.span()),
    ];
    keys.into_iter().filter_map(|(key, span)| Some((key, span?))).collect()
}

/// One address, or the first and the last of several.
fn to_source(scope: &mut Scope, text: &Spanned<String>) -> Option<(IpAddr, IpAddr)> {
    let given = text.get_ref();
    let parse = |text: &str| text.trim().parse::<IpAddr>().ok();
    let (first, last) = match given.split_once('-') {
        Some((first, last)) => (parse(first), parse(last)),
        None => (parse(given), parse(given)),
    };
    let (Some(first), Some(last)) = (first, last) else {
        scope
            .error(text.span(), "not an address", format!("`snat` cannot be {given:?}"))
            .help("an address, or the first and the last of several: \"192.0.2.1-192.0.2.4\"");
        return None;
    };
    if first.is_ipv4() != last.is_ipv4() {
        scope
            .error(text.span(), "two families", format!("{first} and {last} are not of one family"))
            .help("a range is of IPv4 or of IPv6 addresses");
        return None;
    }
    if first > last {
        scope
            .error(text.span(), "the wrong way round", format!("the range {given:?} ends before it begins"))
            .help(format!("write \"{last}-{first}\""));
        return None;
    }
    if [first, last].iter().any(|ip| ip.is_unspecified() || ip.is_multicast() || ip.is_loopback()) {
        scope
            .error(text.span(), "not a machine's address", format!("nobody can answer to {given:?}"))
            .help("name an address of the interface that packets leave through");
        return None;
    }
    Some((first, last))
}

/// Masquerading, where it is asked for or usual, needs somewhere to go.
pub(super) fn check_outside(scope: &mut Scope, rows: &[RawRouterInterface], places: &Places) {
    let [place] = &places.list[..] else { return };
    let [raw] = rows else { return };
    if place.role() != Role::Inside || places.is_partial {
        return;
    }
    let help = "add a [[router.interface]] with role = \"outside\", or write masquerade = false";
    let role = raw.role.span().unwrap_or_else(|| raw.span.clone());
    let written = raw.masquerade.span().map(|span| ("masquerade", span));
    match (place.interface.interface.inside.source_nat, written.or(raw.snat.span().map(|s| ("snat", s)))) {
        (SourceNat::None, _) => {}
        (_, Some((key, span))) => {
            scope
                .error(span, "towards what?", format!("`{key}` on a router without an outside"))
                .also(role, "its only interface is this one")
                .help(help);
        }
        (_, None) => {
            scope
                .error(
                    role,
                    "its guests are masqueraded, but towards what?",
                    "a masquerade without an outside",
                )
                .also(place.network.clone(), "the router's only network")
                .help(help);
        }
    }
}

/// What is on a wire has to answer there, and the router answers for its own addresses only. Addresses that are on no wire
/// may be routed to it.
pub(super) fn check_sources(scope: &mut Scope, places: &Places) {
    for place in &places.list {
        let (SourceNat::To(first, last), Some(span)) =
            (place.interface.interface.inside.source_nat, &place.snat)
        else {
            continue;
        };
        let foreign = [first, last].into_iter().find_map(|ip| match places.own(ip) {
            Some(_) => None,
            None => places.near(ip).map(|(_, net, near)| (ip, net, near)),
        });
        let Some((ip, net, near)) = foreign else { continue };
        scope
            .warn(span.clone(), "not the router's", format!("answers to {ip} will not find the router"))
            .also(near.clone(), format!("there it is {}", net.addr()))
            .help("give the router that address as well: `address` takes a list");
    }
}
