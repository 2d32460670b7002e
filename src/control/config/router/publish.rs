//! `[[router.publish]]`: ports of the router that lead to ports of guests.

mod overlap;

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use self::overlap::Taken;
use super::interfaces::Places;
use super::{RULES_MAX, ports};
use crate::control::config::address;
use crate::control::config::scope::Scope;
use crate::control::config::tables::RawPublish;
use crate::control::config::value::{Either, OneOrMore, Rows};
use crate::control::plan::{Network, Publish};
use crate::router::interface::Role;
use crate::router::policy::config::{self, Protocol};

const LISTEN_HINT: &str = "where the port is published, like listen = \"192.168.178.27:80\", or listen = 80 for all of the router's addresses";
const TO_HINT: &str =
    "the guest and its port, like to = \"172.17.0.2:80\"; without a port, it is the one that is published";

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
        let listen = scope.required(&raw.listen, &raw.span, "listen", LISTEN_HINT);
        let place = listen.and_then(|value| Listen::read(scope, value));
        let to = scope.required(&raw.to, &raw.span, "to", TO_HINT);
        let target = to.and_then(|text| target(scope, text, places));
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

/// What is published.
#[derive(Clone, Copy, Debug)]
struct Listen {
    /// At which address; a loopback one is the host's.
    address: Option<IpAddr>,
    /// Of which family, if it says so.
    is_ipv4: Option<bool>,
    /// The first and the last port.
    ports: (u16, u16),
}

impl Listen {
    fn read(scope: &mut Scope, value: &Spanned<Either<i64, String>>) -> Option<Self> {
        let span = value.span();
        let text = match value.get_ref() {
            Either::One(number) => {
                let port = ports::one(scope, *number, &span, "listen")?;
                return Some(Self { address: None, is_ipv4: None, ports: (port, port) });
            }
            Either::Other(text) => text,
        };
        let Some((host, numbers)) = split(text) else {
            let message = match text.parse::<IpAddr>() {
                Ok(_) => format!("`listen` lacks a port: {text:?}"),
                Err(_) => format!("`listen` cannot be {text:?}"),
            };
            scope.error(span, "not a place to publish at", message).help(LISTEN_HINT);
            return None;
        };
        let ports = ports::range(scope, numbers, &span, "listen")?;
        let address = match host {
            "" => None,
            host => match host.parse::<IpAddr>() {
                Ok(ip) => Some(ip),
                Err(_) => {
                    scope
                        .error(span, "not an address", format!("{host:?} is not an IP address"))
                        .help(LISTEN_HINT);
                    return None;
                }
            },
        };
        let is_ipv4 = address.map(|ip| ip.is_ipv4());
        Some(Self { address: address.filter(|ip| !ip.is_unspecified()), is_ipv4, ports })
    }
}

/// An address and a port, or one of them: `192.0.2.1:80`, `[2001:db8::1]:80`, `:80`, `80`. The address without its
/// brackets; `None` if there is no port.
fn split(text: &str) -> Option<(&str, &str)> {
    match text.rsplit_once(':') {
        Some((host, ports)) => match host.strip_prefix('[') {
            Some(host) => Some((host.strip_suffix(']')?, ports)),
            None if host.contains(':') => None,
            None => Some((host, ports)),
        },
        None if text.contains('.') => None,
        None => Some(("", text)),
    }
}

/// The guest, and its ports if they are given.
fn target(
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
        scope.error(span, "not a guest's port", format!("`to` cannot be {given:?}")).help(TO_HINT);
        return None;
    };
    check_guest(scope, guest, &span, places).then_some((guest, ports))
}

/// A target is a machine behind an inside interface.
fn check_guest(scope: &mut Scope, guest: IpAddr, span: &Range<usize>, places: &Places) -> bool {
    if let Some(own) = places.own(guest) {
        scope
            .error(span.clone(), "the router itself", format!("{guest} is the router's own address"))
            .also(own.clone(), "here")
            .help("a port is published for a machine behind the router");
        return false;
    }
    let is_inside = |place: &&super::interfaces::Place| place.role() == Role::Inside;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_publish_at() {
        let table = [
            ("192.0.2.1:80", Some(("192.0.2.1", "80")), "an address and a port"),
            ("192.0.2.1:80-90", Some(("192.0.2.1", "80-90")), "a range"),
            ("[2001:db8::1]:80", Some(("2001:db8::1", "80")), "IPv6 in brackets"),
            (":80", Some(("", "80")), "any address"),
            ("80", Some(("", "80")), "any address"),
            ("8000-8010", Some(("", "8000-8010")), "any address, a range"),
            ("192.0.2.1", None, "no port"),
            ("2001:db8::1", None, "no port, and no brackets"),
            ("2001:db8::1:80", None, "is 80 the port?"),
            ("[2001:db8::1:80", None, "half a bracket"),
        ];
        for (text, expected, why) in table {
            assert_eq!(split(text), expected, "{text}: {why}");
        }
    }
}
