//! Addresses that interfaces are given, and the gateways they use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use super::raw::Field;
use super::scope::{Claim, Scope, Wire};
use super::value::OneOrMore;

/// The least MTU of an interface with an IPv6 address (RFC 8200 §5); the kernel refuses the address below it.
const IPV6_MTU_MIN: u32 = 1280;

/// The addresses of an interface. What is wrong is reported and left out.
pub(super) fn addresses(scope: &mut Scope, field: &Field<OneOrMore>, on: &Wire, mtu: u32) -> Vec<IpNet> {
    let mut result = Vec::new();
    for text in field.value().map_or(&[][..], |list| &list.0) {
        let Some(net) = host_in_net(scope, text) else { continue };
        if net.addr().is_ipv6() && mtu < IPV6_MTU_MIN {
            scope
                .error(text.span(), "needs a larger MTU", format!("IPv6 does not work with an MTU of {mtu}"))
                .help(format!("give the interface an MTU of at least {IPV6_MTU_MIN}, or no IPv6 address"));
        }
        scope.addresses.push(Claim { value: net, on: on.clone(), span: text.span() });
        result.push(net);
    }
    result
}

/// The destination of a route: the address of a network, not of a machine in it. Anything else is reported.
pub(super) fn destination(scope: &mut Scope, span: Range<usize>, net: IpNet) -> Option<IpNet> {
    if net.addr() == net.network() {
        return Some(net);
    }
    scope
        .error(span, "not a network", format!("no route has the destination {net}"))
        .help(format!("the network is {:?}", net.trunc().to_string()));
    None
}

/// The default gateways of an interface: on its link, not itself, one per family.
pub(super) fn gateways(
    scope: &mut Scope,
    field: &Field<OneOrMore>,
    address: &[IpNet],
    on: &Wire,
) -> Vec<IpAddr> {
    let mut result: Vec<IpAddr> = Vec::new();
    for text in field.value().map_or(&[][..], |list| &list.0) {
        let Some(gateway) = scope.ip(text, "192.168.50.1") else { continue };
        let on_link = address.iter().any(|net| net.contains(&gateway)) || is_link_local(gateway);
        if address.iter().any(|net| net.addr() == gateway) {
            scope
                .error(text.span(), "its own address", format!("the interface itself is {gateway}"))
                .help("a gateway is another machine on the same network");
        } else if !on_link {
            scope
                .error(
                    text.span(),
                    "not on the link",
                    format!("gateway {gateway} cannot be reached directly"),
                )
                .help(match address {
                    [] => "give the interface an address in the gateway's network".to_owned(),
                    nets => format!("the interface is in {}", list(nets.iter().map(IpNet::trunc))),
                });
        } else if result.iter().any(|other| other.is_ipv4() == gateway.is_ipv4()) {
            let family = if gateway.is_ipv4() { "IPv4" } else { "IPv6" };
            scope
                .error(
                    text.span(),
                    "a second one",
                    format!("there is a default gateway for {family} already"),
                )
                .help("one gateway per family");
        } else {
            scope.gateways.push(Claim { value: gateway, on: on.clone(), span: text.span() });
            result.push(gateway);
        }
    }
    result
}

/// An address, or a network of them.
pub(super) fn prefix(scope: &mut Scope, text: &Spanned<String>) -> Option<IpNet> {
    let given = text.get_ref();
    let Some(net) = given.parse().ok().or_else(|| Some(IpNet::from(given.parse::<IpAddr>().ok()?))) else {
        scope
            .error(text.span(), "not an address", format!("{given:?} is neither an IP address nor a network"))
            .help("such as \"172.17.0.2\" or \"172.17.0.0/24\"");
        return None;
    };
    if net.addr() != net.network() {
        scope.error(text.span(), "not a network", format!("{net} is an address within a network")).help(
            format!(
                "one address is {:?}, the network is {:?}",
                net.addr().to_string(),
                net.trunc().to_string()
            ),
        );
        return None;
    }
    Some(net)
}

/// Joins values with commas.
pub(super) fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}

/// An address with its prefix that a machine may own.
fn host_in_net(scope: &mut Scope, text: &Spanned<String>) -> Option<IpNet> {
    let given = text.get_ref();
    let Ok(net) = given.parse::<IpNet>() else {
        let help = match given.parse::<IpAddr>() {
            Ok(ip) => format!(
                "add the length of the network's prefix: \"{ip}/{}\"",
                if ip.is_ipv4() { 24 } else { 64 }
            ),
            Err(_) => {
                "write an address and the length of its network's prefix, like \"192.168.50.4/24\"".to_owned()
            }
        };
        scope
            .error(
                text.span(),
                "not an address with a prefix",
                format!("{given:?} is not an interface's address"),
            )
            .help(help);
        return None;
    };
    let Some((problem, help)) = fault_of(net) else { return Some(net) };
    scope.error(text.span(), "not a machine's address", format!("{net} {problem}")).help(help);
    None
}

/// What forbids an interface to have this address, and a hint.
fn fault_of(net: IpNet) -> Option<(String, String)> {
    let example = net
        .hosts()
        .next()
        .map_or_else(String::new, |host| format!("such as \"{host}/{}\"", net.prefix_len()));
    let say = |text: &str, help: &str| Some((text.to_owned(), help.to_owned()));
    let ordinary = "use one of a private network, like 192.168.50.4/24";
    if net.prefix_len() == 0 {
        return say("claims every address there is", "give the length of the network's prefix, like /24");
    }
    match net.addr() {
        ip if ip.is_unspecified() => say("is no address", ordinary),
        ip if ip.is_loopback() => say("is a loopback address: it never leaves a machine", ordinary),
        ip if ip.is_multicast() => say("is a multicast address: a group's, not a machine's", ordinary),
        IpAddr::V4(Ipv4Addr::BROADCAST) => say("is the broadcast address", ordinary),
        IpAddr::V4(ip) if ip.octets()[0] >= 240 || ip.octets()[0] == 0 => {
            say("is in a reserved range", ordinary)
        }
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => say("is an IPv4 address in disguise", ordinary),
        ip if net.prefix_len() < net.max_prefix_len() - 1 && ip == net.network() => {
            say("is the network, not a machine in it", &example)
        }
        ip if ip.is_ipv4() && net.prefix_len() < 31 && ip == net.broadcast() => {
            say("is the network's broadcast address", &example)
        }
        _ => None,
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if Ipv6Addr::is_unicast_link_local(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_a_machine_may_own() {
        let table = [
            ("192.168.50.4/24", true, "ordinary"),
            ("10.0.0.0/31", true, "RFC 3021: both addresses of a /31 are machines"),
            ("10.0.0.1/32", true, "a host route"),
            ("fe80::1/64", true, "link-local"),
            ("10.0.0.0/24", false, "the network"),
            ("10.0.0.255/24", false, "its broadcast"),
            ("10.0.0.1/0", false, "everything"),
            ("0.0.0.0/8", false, "nothing"),
            ("0.1.2.3/8", false, "this network (RFC 1122)"),
            ("127.0.0.5/8", false, "loopback"),
            ("224.0.0.1/24", false, "multicast"),
            ("240.0.0.1/24", false, "class E"),
            ("255.255.255.255/32", false, "broadcast"),
            ("::/64", false, "nothing"),
            ("::1/128", false, "loopback"),
            ("ff02::1/64", false, "multicast"),
            ("2001:db8::/64", false, "the routers' anycast address (RFC 4291 §2.6.1)"),
            ("::ffff:10.0.0.1/128", false, "IPv4-mapped"),
        ];
        for (text, valid, why) in table {
            let mut scope = Scope::new("", Default::default());
            let result = host_in_net(&mut scope, &Spanned::new(0..0, text.to_owned()));
            assert_eq!(result.is_some(), valid, "{text}: {why}");
            assert_eq!(scope.found.has_errors(), !valid, "{text}: said, too");
        }
    }
}
