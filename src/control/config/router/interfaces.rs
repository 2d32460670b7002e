//! `[[router.interface]]`: a router's places on networks.

use std::collections::HashMap;
use std::ops::Range;

use ipnet::IpNet;

use super::inside;
use crate::control::config::address;
use crate::control::config::networks::{MTU_MAX, MTU_MIN};
use crate::control::config::scope::{Claim, Scope, Wire};
use crate::control::config::tables::{RawRouter, RawRouterInterface};
use crate::control::config::vlans;
use crate::control::plan::{LinkEnd, Network, RouterInterface, Settings};
use crate::fabric::VlanEntry;
use crate::frame::LEGS_MAX;
use crate::router::interface::{Interface, ReversePath, Role};
use crate::wire::mac::Mac;

/// The interfaces of a router, as far as they are sound.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// In the order of the file.
    pub(super) list: Vec<Place>,
    /// Something was left out because it was wrong, so what seems to be missing may only be that.
    pub(super) is_partial: bool,
}

/// An interface, and where it is written.
#[derive(Debug)]
pub(super) struct Place {
    /// What it means.
    pub(super) interface: RouterInterface,
    /// Where its addresses are written, in their order.
    pub(super) addresses: Vec<Range<usize>>,
    /// Where the name of its network is written.
    pub(super) network: Range<usize>,
    /// Where `internal` is written, if it is.
    pub(super) internal: Option<Range<usize>>,
    /// Where `snat` is written, if it is.
    pub(super) snat: Option<Range<usize>>,
}

impl Place {
    /// Its addresses, and where they are written.
    pub(super) fn nets(&self) -> impl Iterator<Item = (IpNet, &Range<usize>)> {
        self.interface.interface.addresses.iter().copied().zip(&self.addresses)
    }

    /// What is behind it.
    pub(super) fn role(&self) -> Role {
        self.interface.interface.role
    }
}

impl Places {
    /// The interface on whose wire an address is, and the prefix that says so.
    pub(super) fn near(&self, address: std::net::IpAddr) -> Option<(&Place, IpNet, &Range<usize>)> {
        let all = self.list.iter().flat_map(|place| place.nets().map(move |(net, span)| (place, net, span)));
        all.into_iter().find(|(_, net, _)| net.contains(&address))
    }

    /// Whether an address is the router's, and where it says so.
    pub(super) fn own(&self, address: std::net::IpAddr) -> Option<&Range<usize>> {
        let mut all = self.list.iter().flat_map(Place::nets);
        all.find(|(net, _)| net.addr() == address).map(|(_, span)| span)
    }

    /// The interfaces on that network.
    pub(super) fn on<'a>(&'a self, network: &'a str) -> impl Iterator<Item = &'a Place> {
        self.list.iter().filter(move |place| place.interface.network == network)
    }

    /// The networks it is on, as a hint has them.
    pub(super) fn networks(&self) -> String {
        let mut names: Vec<String> =
            self.list.iter().map(|place| format!("{:?}", place.interface.network)).collect();
        names.dedup();
        match names.is_empty() {
            true => "it is on none: give it a [[router.interface]]".to_owned(),
            false => format!("it is on {}", names.join(", ")),
        }
    }

    /// What the plan keeps.
    pub(super) fn into_interfaces(self) -> Vec<RouterInterface> {
        self.list.into_iter().map(|place| place.interface).collect()
    }
}

/// All interfaces of a router; without a name it was reported, and they are checked all the same.
pub(super) fn resolve(
    scope: &mut Scope,
    raw: &RawRouter,
    router: Option<&str>,
    networks: &[Network],
) -> Places {
    let rows = raw.interface.value().map_or(&[][..], |rows| &rows.0);
    let mut places = Places { is_partial: raw.interface.is_wrong(), ..Places::default() };
    if rows.is_empty() && !places.is_partial {
        scope
            .warn(raw.span.clone(), "on no network", "a router without interfaces does nothing")
            .help("give it a [[router.interface]] with `network` and `address` for each network it is on");
    }
    let mut count: HashMap<&str, usize> = HashMap::new();
    for row in rows {
        if places.list.len() == LEGS_MAX {
            let message = format!("there are more than {LEGS_MAX} interfaces");
            scope.error(row.span.clone(), "one too many", message).help("spread them over several routers");
            places.is_partial = true;
            break;
        }
        let hint = "name the [[network]] that it is plugged into";
        let text = scope.required(&row.network, &row.span, "network", hint);
        let network = text.and_then(|text| scope.network(text));
        let network = networks.iter().find(|other| Some(&other.name) == network.as_ref());
        let (interface, addresses) = resolve_interface(scope, row, network);
        let given = row.address.value().map_or(0, |list| list.0.len());
        places.is_partial |= network.is_none() || row.address.is_wrong() || addresses.len() < given;
        let vlans = vlans::leg(scope, &row.vlans, network);
        check_tags(scope, row, network, &vlans);
        let (Some(network), Some(text)) = (network, text) else { continue };
        let ordinal = count.entry(&network.name).or_default();
        *ordinal += 1;
        let suffix = if *ordinal == 1 { String::new() } else { format!("#{ordinal}") };
        let names = router.map(|router| {
            (format!("{router}/{}{suffix}", network.name), format!("{}/{router}{suffix}", network.name))
        });
        let (name, end) = names.unwrap_or_default();
        if router.is_some()
            && let Err(first) = scope.ports.claim(end.clone(), text.span())
        {
            // a network may be named `b#2`
            scope.repeated(text.span(), first, format!("two ends of links would be named {end:?}"));
        }
        let line = scope.line(&row.span);
        // the rest of it follows from the interface, when its hardware address is known
        let settings = Settings { vlans, ..Settings::default() };
        places.list.push(Place {
            interface: RouterInterface {
                name,
                network: network.name.clone(),
                interface,
                end: LinkEnd { name: end, settings, line },
                line,
            },
            addresses,
            network: text.span(),
            internal: row.internal.span(),
            snat: row.snat.span(),
        });
    }
    check_overlaps(scope, &places);
    inside::check_outside(scope, rows, &places);
    inside::check_sources(scope, &places);
    places
}

/// What the router is told, and where the addresses are written.
fn resolve_interface(
    scope: &mut Scope,
    raw: &RawRouterInterface,
    network: Option<&Network>,
) -> (Interface, Vec<Range<usize>>) {
    let on = network.map_or(Wire::Nowhere, |network| Wire::Network(network.name.clone()));
    let hint = "bytes behind the Ethernet header; the network's unless it says otherwise";
    // no network's is larger than what fits
    let default = network.map_or(1500, |network| u16::try_from(network.mtu).unwrap_or(u16::MAX));
    let mtu: u16 = scope.whole(&raw.mtu, "mtu", MTU_MIN..=MTU_MAX, default, hint);
    if let (Some(span), Some(network)) = (raw.mtu.span(), network.filter(|net| net.mtu < u32::from(mtu))) {
        let message = format!("an MTU of {mtu}, on a network of {}", network.mtu);
        scope
            .warn(span, "larger than the network's", message)
            .help("its machines will not get the largest packets (`mtu-exceeded`)");
    }
    let hint = "its address there, and the length of the prefix: address = \"192.168.50.1/24\"";
    let given = scope.required(&raw.address, &raw.span, "address", hint);
    if let Some(list) = given.filter(|list| list.get_ref().0.is_empty()) {
        scope.error(list.span(), "none", "an interface of a router without an address").help(hint);
    }
    let before = scope.addresses.len();
    let addresses = address::addresses(scope, &raw.address, &on, u32::from(mtu));
    let spans = scope.addresses[before..].iter().map(|claim| claim.span.clone()).collect();
    let mac = raw.mac.given().and_then(|text| {
        let value = scope.station(text)?;
        scope.macs.push(Claim { value, on: on.clone(), span: text.span() });
        Some(value)
    });
    let words = [("inside", Role::Inside), ("outside", Role::Outside), ("plain", Role::Plain)];
    let role = raw.role.given().and_then(|text| scope.word(text, "role", &words));
    // one that is not written is made up when all that are written are known
    let mut interface = Interface::new(mac.unwrap_or(Mac::ZERO), addresses, role.unwrap_or_default());
    interface.mtu = mtu;
    let words = [("loose", ReversePath::Loose), ("off", ReversePath::Off), ("strict", ReversePath::Strict)];
    let reverse_path = raw.rp_filter.given().and_then(|text| scope.word(text, "rp_filter", &words));
    interface.reverse_path = reverse_path.unwrap_or(interface.reverse_path);
    interface.tcp_reset = raw.tcp_reset.value().copied().unwrap_or(interface.tcp_reset);
    interface.clamp_mss = raw.clamp_mss.value().copied().unwrap_or(interface.clamp_mss);
    interface.redirects = raw.redirects.value().copied().unwrap_or(interface.redirects);
    interface.inside = inside::resolve(scope, raw, role);
    (interface, spans)
}

/// A router has no VLAN devices: it hears what comes without a tag, and says so.
fn check_tags(scope: &mut Scope, raw: &RawRouterInterface, network: Option<&Network>, vlans: &[VlanEntry]) {
    let filtering = network.is_some_and(|network| network.bridge.vlan.filtering);
    let Some((key, span)) = raw.vlans.given().first().cloned() else { return };
    let is_heard = vlans.iter().any(|entry| entry.pvid && entry.untagged);
    if filtering && !vlans.is_empty() && !is_heard {
        scope
            .warn(span, "all tagged", format!("`{key}` leaves the router no VLAN without a tag"))
            .help("a router knows no tags; give it an interface with `access` for each VLAN");
    }
}

/// A router cannot tell two networks with one prefix apart. Link-local addresses mean something only on their wire.
fn check_overlaps(scope: &mut Scope, places: &Places) {
    let is_local = |net: &IpNet| matches!(net, IpNet::V6(net) if net.addr().is_unicast_link_local());
    let all: Vec<_> = places
        .list
        .iter()
        .flat_map(|place| place.nets().map(|(net, span)| (&place.interface.network, net, span)))
        .filter(|(_, net, _)| !is_local(net))
        .collect();
    for (index, (network, net, span)) in all.iter().enumerate() {
        let overlap = |other: &IpNet| other.contains(&net.network()) || net.contains(&other.network());
        let Some((_, other, first)) =
            all[..index].iter().find(|(on, other, _)| on != network && overlap(other))
        else {
            continue;
        };
        let (a, b) = (net.trunc(), other.trunc());
        scope
            .error((*span).clone(), "overlaps", format!("the router cannot tell {a} from {b}"))
            .also((*first).clone(), "with this")
            .help("give each network of a router a range of its own");
    }
}
