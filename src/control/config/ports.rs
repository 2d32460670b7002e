//! `[[port]]`, and what a node's interfaces have in common with it.

use std::num::NonZero;
use std::path::PathBuf;

use toml::Spanned;

use super::address;
use super::legs::{self, Given};
use super::names;
use super::networks::{MTU_MAX, MTU_MIN, TAP_MTU_MAX};
use super::raw::Field;
use super::scope::{Claim, Scope, Wire};
use super::tables::{RawPort, RawSettings};
use super::value::Rows;
use crate::bridge::{LegConfig, Promiscuous};
use crate::control::plan::{Interface, Netns, Network, Port, Settings};
use crate::engine::ENGINES_MAX;
use crate::port::PortKind;

/// All of `[[port]]`. The nodes' names must be known.
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawPort>>, networks: &[Network]) -> Vec<Port> {
    rows.map_or(&[][..], |rows| &rows.0).iter().filter_map(|raw| resolve_one(scope, raw, networks)).collect()
}

/// The MTU of a network's ports, unless they say otherwise.
pub(super) fn mtu_of(network: &str, networks: &[Network]) -> u32 {
    networks.iter().find(|n| n.name == network).map_or(1500, |n| n.mtu)
}

/// An interface that somebody makes: everything but its name.
pub(super) fn interface(
    scope: &mut Scope,
    name: String,
    raw: &RawSettings,
    on: &Wire,
    (mtu_default, mtu_max): (u32, i64),
) -> Interface {
    let hint = "bytes behind the Ethernet header; 1500 is usual";
    let mtu = scope.whole(&raw.mtu, "mtu", MTU_MIN..=mtu_max, mtu_default, hint);
    let mac = raw.mac.given().and_then(|text| {
        let value = scope.station(text)?;
        scope.macs.push(Claim { value, on: on.clone(), span: text.span() });
        Some(value)
    });
    let address = address::addresses(scope, &raw.address, on, mtu);
    let gateway = address::gateways(scope, &raw.gateway, &address, on);
    Interface { name, address, mac, mtu, gateway }
}

/// What the bridge needs to know of a port.
pub(super) fn settings(
    scope: &mut Scope,
    raw: &RawSettings,
    interface: &Interface,
    name: Option<&str>,
    network: Option<&Network>,
) -> Settings {
    let leg = LegConfig { mac: interface.mac, mtu: interface.mtu, ..LegConfig::default() };
    legs::warn_of_idle(scope, &raw.leg, network.as_slice());
    legs::resolve(scope, &raw.leg, Given { name, network, is_end: false, leg })
}

/// The kind of a TAP.
pub(super) fn tap_kind(raw: &RawSettings) -> PortKind {
    if raw.offload.value() == Some(&false) { PortKind::PlainTap } else { PortKind::Tap }
}

/// How many queues a port of that kind is to have.
pub(super) fn queues(scope: &mut Scope, raw: &RawSettings, kind: PortKind) -> NonZero<usize> {
    let hint = "so many threads can serve the port at the same time, if there are as many CPUs";
    let queues = scope.whole(&raw.queues, "queues", 1..=ENGINES_MAX as i64, 1, hint);
    let queues = NonZero::new(queues).unwrap_or(NonZero::<usize>::MIN);
    if kind == PortKind::PlainTap && queues.get() > 1 {
        let (queues, offload) = (raw.queues.span(), raw.offload.span());
        if let (Some(queues), Some(offload)) = (queues, offload) {
            scope
                .error(queues, "only with offloads", "a TAP without offloads has one queue")
                .also(offload, "switched off here")
                .help("leave one of the two out");
        }
    }
    queues
}

/// Reports an interface that something else in the file has already.
pub(super) fn claim_interface(scope: &mut Scope, netns: &Netns, name: &Spanned<String>) {
    let place = match netns {
        Netns::Own => String::new(),
        Netns::Named(name) => format!("netns {name}"),
        Netns::Node(name) => format!("node {name}"),
        Netns::Path(path) => path.display().to_string(),
    };
    if let Err(first) = scope.interfaces.claim((place, name.get_ref().clone()), name.span()) {
        let message = format!("the interface {:?} is used twice", name.get_ref());
        scope.repeated(name.span(), first, message).help("every port needs an interface of its own");
    }
}

/// A port; `None` if it lacks what identifies it, but everything else about it was checked.
fn resolve_one(scope: &mut Scope, raw: &RawPort, networks: &[Network]) -> Option<Port> {
    let settings = &raw.settings;
    let name = scope.required(&raw.name, &raw.span, "name", "every port needs a name, like name = \"vm1\"");
    let network = scope
        .required(&settings.network, &raw.span, "network", "name the [[network]] it is plugged into")
        .and_then(|text| scope.network(text));
    let hint = "kind = \"tap\" makes an interface, kind = \"raw\" takes one that exists";
    let is_raw = scope
        .required(&settings.kind, &raw.span, "kind", hint)
        .and_then(|text| scope.word(text, "kind", &[("raw", true), ("tap", false)]))
        .unwrap_or(false);
    let netns = netns(scope, &raw.netns);
    let interface_name = resolve_names(scope, raw, name, &netns, is_raw).unwrap_or_default();
    let on = network.as_ref().map_or(Wire::Nowhere, |name| Wire::Network(name.clone()));
    let mtu_default = network.as_ref().map_or(1500, |name| mtu_of(name, networks));
    let mtu_max = if is_raw { MTU_MAX } else { TAP_MTU_MAX };
    let interface = interface(scope, interface_name, settings, &on, (mtu_default, mtu_max));
    let known = networks.iter().find(|n| Some(&n.name) == network.as_ref());
    let name = name.map(|name| name.get_ref().clone());
    let plan = self::settings(scope, settings, &interface, name.as_deref(), known);
    if is_raw {
        check_raw(scope, settings, &plan.leg);
    }
    let kind = if is_raw { PortKind::Raw } else { tap_kind(settings) };
    let queues = queues(scope, settings, kind);
    let line = scope.line(&raw.span);
    Some(Port { name: name?, network: network?, kind, queues, interface, netns, settings: plan, line })
}

/// Takes the port's name and its interface's; returns the latter.
fn resolve_names(
    scope: &mut Scope,
    raw: &RawPort,
    name: Option<&Spanned<String>>,
    netns: &Netns,
    is_raw: bool,
) -> Option<String> {
    let written = raw.interface.given();
    if let Some(name) = name {
        // one that is the interface's name as well is checked as such, which is stricter
        if written.is_none() || names::check_name(scope, name, "the name of a port") {
            claim_name(scope, name);
        }
    }
    let what = if written.is_some() { "the interface" } else { "the port's name is its interface's, and" };
    let text = written.or(name)?;
    // a raw port may sit on an interface that we would never make, such as lo
    if (is_raw && text.get_ref() == "lo") || names::check_interface(scope, text, what) {
        claim_interface(scope, netns, text);
    }
    Some(text.get_ref().clone())
}

/// Two ports of one name cannot be told apart, nor can a port and a network in `vswitchd capture NAME`.
fn claim_name(scope: &mut Scope, name: &Spanned<String>) {
    let text = name.get_ref();
    if let Err(first) = scope.ports.claim(text.clone(), name.span()) {
        scope.repeated(name.span(), first, format!("there are two ports named {text:?}"));
    } else if let Some(first) = scope.networks.first(text) {
        scope
            .repeated(name.span(), first, format!("a port and a network are both named {text:?}"))
            .help("`vswitchd capture NAME` could not tell which is meant; rename the port");
    }
}

/// A raw port takes an interface as it is.
fn check_raw(scope: &mut Scope, raw: &RawSettings, leg: &LegConfig) {
    let made_by_others = [
        ("address", raw.address.given().map(Spanned::span)),
        ("gateway", raw.gateway.given().map(Spanned::span)),
        ("offload", raw.offload.given().map(Spanned::span)),
    ];
    for (key, span) in made_by_others {
        let Some(span) = span else { continue };
        scope
            .error(
                span,
                "not for a raw port",
                format!("`{key}` cannot be set on an interface that exists already"),
            )
            .help(format!("remove `{key}`; what belongs to the interface is set by whoever made it"));
    }
    if let (Promiscuous::Deny, Field::Absent, Some(text)) =
        (leg.promiscuous, &raw.mac, raw.leg.promiscuous.given())
    {
        scope
            .error(text.span(), "whose address?", "`promiscuous = \"deny\"` on a raw port needs `mac`")
            .help("give the address of the machine behind the interface, which is the only one it is to receive for");
    }
}

/// Where the interface is or is to be.
fn netns(scope: &mut Scope, field: &Field<String>) -> Netns {
    let Some(text) = field.given() else { return Netns::Own };
    let given = text.get_ref();
    let named = ["/run/netns/", "/var/run/netns/"].iter().find_map(|folder| given.strip_prefix(folder));
    let name = match named {
        Some(name) if !name.contains('/') => name,
        _ if given.starts_with('/') && !given.contains('\0') => return Netns::Path(PathBuf::from(given)),
        _ => given,
    };
    let name = Spanned::new(text.span(), name.to_owned());
    if given.contains('/') && named.is_none() {
        scope
            .error(text.span(), "neither a name nor a path", format!("`netns` cannot be {given:?}"))
            .help("write a name under /run/netns, or a path that begins with /, like /proc/1234/ns/net");
    } else if names::check_name(scope, &name, "the network namespace") {
        let name = name.into_inner();
        return if scope.nodes.has(&name) { Netns::Node(name) } else { Netns::Named(name) };
    }
    Netns::Own
}
