//! `[[router.publish]]`: ports of the router that lead to ports of guests.

mod guest;
mod listen;
mod overlap;

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use self::listen::Listen;
use self::overlap::Taken;
use super::RULES_MAX;
use super::interfaces::Places;
use crate::control::config::address;
use crate::control::config::scope::Scope;
use crate::control::config::tables::RawPublish;
use crate::control::config::value::{Either, OneOrMore, Rows};
use crate::control::plan::{Network, Publish};
use crate::router::policy::config::{self, Protocol};

/// All publishes of a router, one for each protocol.
pub(super) fn resolve(
    scope: &mut Scope,
    rows: Option<&Rows<RawPublish>>,
    places: &Places,
    networks: &[Network],
) -> Vec<Publish> {
    let mut publishes = Vec::new();
    let mut taken = Vec::new();
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        let protocols = protocols(scope, raw);
        let listen = scope.required(&raw.listen, &raw.span, "listen", listen::HINT);
        let place = listen.and_then(|value| Listen::read(scope, value));
        let to = scope.required(&raw.to, &raw.span, "to", guest::HINT);
        let target = to.and_then(|text| guest::target(scope, text, places));
        let allowed = allowed(scope, &raw.allow_from);
        let (Some(listen), Some(place)) = (listen, place) else { continue };
        let own = place.address.filter(|ip| !ip.is_loopback());
        let is_sound = own.is_none_or(|own| check_own(scope, &listen.span(), own, places));
        let (Some(text), Some((guest, guest_ports)), true) = (to, target, is_sound) else { continue };
        let Some(first) = first_port(scope, (listen, &place), (text, guest_ports)) else { continue };
        if !check_families(scope, (listen, &place), (text, guest), &allowed) {
            continue;
        }
        let allow_from = match place.address {
            Some(ip) if ip.is_loopback() => hosts(scope, raw, (&listen.span(), guest), places, networks),
            _ => allowed.into_iter().map(|(net, _)| net).collect(),
        };
        for protocol in protocols {
            let (listen_at, ports, to) = (own, place.ports, guest);
            taken.push(Taken {
                address: own,
                is_ipv4: guest.is_ipv4(),
                protocol,
                ports,
                span: listen.span(),
            });
            publishes.push(Publish {
                publish: config::Publish {
                    listen: listen_at,
                    protocol,
                    ports,
                    to,
                    to_port: first,
                    allow_from: allow_from.clone(),
                },
                line: scope.line(&raw.span),
            });
        }
        if publishes.len() > RULES_MAX {
            let message = format!("there are more than {RULES_MAX} publishes");
            scope.error(raw.span.clone(), "one too many", message).help("make one range of several ports");
            break;
        }
    }
    overlap::check(scope, taken);
    publishes
}

/// TCP, unless it says otherwise; what is unknown was reported.
fn protocols(scope: &mut Scope, raw: &RawPublish) -> Vec<Protocol> {
    let Some(list) = raw.protocol.given() else { return vec![Protocol::Tcp] };
    let all = [Protocol::Sctp, Protocol::Tcp, Protocol::Udp];
    let words = all.map(|protocol| (protocol.name(), protocol));
    let mut found: Vec<(Protocol, Range<usize>)> = Vec::new();
    for text in &list.get_ref().0 {
        let Some(protocol) = scope.word(text, "protocol", &words) else { continue };
        match found.iter().find(|(other, _)| *other == protocol) {
            Some((_, first)) => {
                let first = first.clone();
                scope.repeated(text.span(), first, format!("{:?} is given twice", text.get_ref()));
            }
            None => found.push((protocol, text.span())),
        }
    }
    if list.get_ref().0.is_empty() {
        scope.error(list.span(), "none", "a publish of no protocol").help("remove `protocol` for \"tcp\"");
    }
    found.into_iter().map(|(protocol, _)| protocol).collect()
}

/// A port is published at an address that the router has.
fn check_own(scope: &mut Scope, span: &Range<usize>, address: IpAddr, places: &Places) -> bool {
    if places.own(address).is_some() {
        return true;
    }
    if places.is_partial {
        return false;
    }
    let near = places.near(address).map(|(_, net, span)| (net.addr(), span.clone()));
    let all = address::list(places.list.iter().flat_map(|place| place.nets().map(|(net, _)| net.addr())));
    let message = format!("{address} is not an address of the router");
    let diagnostic = scope.error(span.clone(), "not the router's", message);
    if let Some((own, span)) = near {
        diagnostic.also(span, format!("there it is {own}"));
    }
    diagnostic.help(match all.is_empty() {
        true => "it has none".to_owned(),
        false => format!("its addresses are {all}; without an address, a port is published at all of them"),
    });
    false
}

/// The guest's port that the first published one leads to.
fn first_port(
    scope: &mut Scope,
    (listen, place): (&Spanned<Either<i64, String>>, &Listen),
    (to, guest): (&Spanned<String>, Option<(u16, u16)>),
) -> Option<u16> {
    let Some((first, last)) = guest else { return Some(place.ports.0) };
    let (published, led) = (place.ports.1 - place.ports.0, last - first);
    if published == led {
        return Some(first);
    }
    let ports = |count: u16| match count {
        0 => "1 port".to_owned(),
        count => format!("{} ports", u32::from(count) + 1),
    };
    scope
        .error(to.span(), ports(led), format!("{} cannot lead to {}", ports(published), ports(led)))
        .also(listen.span(), ports(published))
        .help("both ranges have the same length; without ports, `to` has those that are published");
    None
}

/// Nothing is translated from one family to the other.
fn check_families(
    scope: &mut Scope,
    (listen, place): (&Spanned<Either<i64, String>>, &Listen),
    (to, guest): (&Spanned<String>, IpAddr),
    allowed: &[(IpNet, Range<usize>)],
) -> bool {
    let family = |is_ipv4: bool| if is_ipv4 { "IPv4" } else { "IPv6" };
    let own = family(guest.is_ipv4());
    if let Some(is_ipv4) = place.is_ipv4.filter(|is_ipv4| *is_ipv4 != guest.is_ipv4()) {
        scope
            .error(to.span(), own, format!("an {} port cannot lead to an {own} address", family(is_ipv4)))
            .also(listen.span(), family(is_ipv4))
            .help("addresses are translated within their family");
        return false;
    }
    let other = allowed.iter().filter(|(net, _)| net.addr().is_ipv4() != guest.is_ipv4());
    let mut is_sound = true;
    for (net, span) in other {
        scope
            .error(span.clone(), "another family", format!("nobody in {net} can use an {own} port"))
            .also(to.span(), own)
            .help(format!("name {own} addresses"));
        is_sound = false;
    }
    is_sound
}

/// Who may use it, each with its place.
fn allowed(
    scope: &mut Scope,
    field: &crate::control::config::raw::Field<OneOrMore>,
) -> Vec<(IpNet, Range<usize>)> {
    let Some(list) = field.given() else { return Vec::new() };
    if list.get_ref().0.is_empty() {
        scope
            .error(list.span(), "empty", "an empty `allow_from` would allow everybody")
            .help("list who may use the port, or remove it to allow any");
    }
    let one = |text: &Spanned<String>| Some((address::prefix(scope, text)?, text.span()));
    list.get_ref().0.iter().filter_map(one).collect()
}

/// The router has no loopback that others could reach: what is published there is for the lab's host.
fn hosts(
    scope: &mut Scope,
    raw: &RawPublish,
    (span, guest): (&Range<usize>, IpAddr),
    places: &Places,
    networks: &[Network],
) -> Vec<IpNet> {
    if let Some(other) = raw.allow_from.span() {
        scope
            .error(other, "and others?", "a port published at a loopback address is for the host alone")
            .also(span.clone(), "loopback")
            .help("publish it at an address of the router, or remove `allow_from`");
    }
    let on = networks.iter().filter(|network| places.on(&network.name).next().is_some());
    let found: Vec<IpNet> = on
        .flat_map(|network| network.host.iter().map(IpNet::addr))
        .filter(|ip| ip.is_ipv4() == guest.is_ipv4())
        .map(IpNet::from)
        .collect();
    if found.is_empty() && !places.is_partial {
        let family = if guest.is_ipv4() { "IPv4" } else { "IPv6" };
        let message =
            "a port published at a loopback address is for the host, and that is on no network of the router";
        scope.error(span.clone(), "who could use it?", message).help(format!(
            "give one of its networks a `host` address of {family}, or publish at the router's"
        ));
    }
    found
}
