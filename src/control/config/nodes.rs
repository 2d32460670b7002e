//! `[[node]]`: machines, their interfaces, the cables they hang on and the kernel bridges inside them.

use std::ops::Range;

use toml::Spanned;

use super::address;
use super::names;
use super::networks::MTU_MAX;
use super::networks::TAP_MTU_MAX;
use super::ports;
use super::scope::{Members, Scope, Wire};
use super::suggest;
use super::tables::{RawBridge, RawInterface, RawNode, RawSettings};
use super::value::{OneOrMore, Rows};
use crate::control::plan::{Cable, KernelBridge, Netns, Network, Node, Port};

/// Takes note of the nodes' names, so that what comes before them in the plan can refer to them.
pub(super) fn claim_names(scope: &mut Scope, rows: Option<&Rows<RawNode>>) {
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        let hint = "every node needs a name, like name = \"boxA\"";
        let Some(name) = scope.required(&raw.name, &raw.span, "name", hint) else { continue };
        if name.get_ref() == "host" {
            scope
                .error(name.span(), "reserved", "a node cannot be named \"host\"")
                .help("in [[expect]], \"host\" is the machine that vswitchd runs on");
        } else if names::check_name(scope, name, "the name of a node")
            && let Err(first) = scope.nodes.claim(name.get_ref().clone(), name.span())
        {
            scope.repeated(name.span(), first, format!("there are two nodes named {:?}", name.get_ref()));
        }
    }
}

/// All nodes, and their ports.
pub(super) fn resolve(
    scope: &mut Scope,
    rows: Option<&Rows<RawNode>>,
    networks: &[Network],
) -> (Vec<Node>, Vec<Port>) {
    let (mut nodes, mut ports) = (Vec::new(), Vec::new());
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        // a nameless node was reported; its interfaces are checked all the same
        let name = raw.name.value().map_or("", String::as_str);
        let mut node = Node {
            name: name.to_owned(),
            cables: Vec::new(),
            bridges: Vec::new(),
            setup: raw.setup.value().map_or_else(Vec::new, |list| texts(&list.0)),
            command: raw.command.value().map_or_else(Vec::new, |list| texts(&list.0)),
            line: scope.line(&raw.span),
        };
        let mut wires = Vec::new();
        for interface in raw.interface.value().map_or(&[][..], |rows| &rows.0) {
            match resolve_interface(scope, &node.name, interface, networks) {
                Some(Made::Cable(cable)) => node.cables.push(cable),
                Some(Made::Port(port)) => ports.push(port),
                None => {}
            }
            wires.extend(wire_of(interface));
        }
        resolve_bridges(scope, raw, &mut node, &wires);
        check_command(scope, raw);
        nodes.push(node);
    }
    (nodes, ports)
}

enum Made {
    Cable(Cable),
    Port(Port),
}

/// The name of an interface and what it is plugged into, as far as it is written.
fn wire_of(raw: &RawInterface) -> Option<(String, Wire)> {
    let wire = match (raw.peer.value(), raw.settings.network.value()) {
        (Some(peer), _) => Wire::Cable(peer.clone()),
        (None, Some(network)) => Wire::Network(network.clone()),
        (None, None) => return None,
    };
    Some((raw.name.value()?.clone(), wire))
}

fn resolve_interface(
    scope: &mut Scope,
    node: &str,
    raw: &RawInterface,
    networks: &[Network],
) -> Option<Made> {
    let name = scope.required(&raw.name, &raw.span, "name", "what the node calls it, like name = \"eth0\"");
    if let Some(name) = name
        && names::check_interface(scope, name, "the interface")
    {
        ports::claim_interface(scope, &Netns::Node(node.to_owned()), name);
    }
    if let Some(text) = raw.settings.kind.given()
        && text.get_ref() != "tap"
    {
        scope
            .error(text.span(), "must be \"tap\"", "a node's interface is made for it")
            .help("remove `kind`; for an interface that exists, write a [[port]] with kind = \"raw\"");
    }
    if !raw.peer.is_absent() {
        return resolve_cable(scope, raw, name).map(Made::Cable);
    }
    let hint = "name the [[network]] it is plugged into, or write peer = \"…\" for a cable to the host";
    let network = scope
        .required(&raw.settings.network, &raw.span, "network", hint)
        .and_then(|text| scope.network(text));
    let on = network.as_ref().map_or(Wire::Nowhere, |name| Wire::Network(name.clone()));
    let mtu_default = network.as_ref().map_or(1500, |name| ports::mtu_of(name, networks));
    let interface_name = name.map_or_else(String::new, |name| name.get_ref().clone());
    let interface = ports::interface(scope, interface_name, &raw.settings, &on, (mtu_default, TAP_MTU_MAX));
    let port_name = format!("{node}:{}", interface.name);
    let known = networks.iter().find(|n| Some(&n.name) == network.as_ref());
    let settings = ports::settings(scope, &raw.settings, &interface, Some(&port_name), known);
    // a second interface of that name was reported above
    let _ = scope.ports.claim(port_name.clone(), name?.span());
    let kind = ports::tap_kind(&raw.settings);
    let queues = ports::queues(scope, &raw.settings, kind);
    Some(Made::Port(Port {
        name: port_name,
        network: network?,
        kind,
        queues,
        interface,
        netns: Netns::Node(node.to_owned()),
        settings,
        line: scope.line(&raw.span),
    }))
}

/// A veth pair instead of a port.
fn resolve_cable(scope: &mut Scope, raw: &RawInterface, name: Option<&Spanned<String>>) -> Option<Cable> {
    let peer = raw.peer.given()?;
    if let Some(network) = raw.settings.network.given() {
        scope
            .error(network.span(), "and a network", "an interface cannot have both `peer` and `network`")
            .also(peer.span(), "a cable to the host")
            .help("remove one of them: a cable is plugged into a network by a [[port]] with kind = \"raw\" at its other end");
    }
    for (key, span) in port_keys(&raw.settings) {
        scope
            .error(span, "not for a cable", format!("`{key}` is a setting of a port, and a cable is none"))
            .help(format!("set it on the [[port]] with interface = {:?}, if there is one", peer.get_ref()));
    }
    if names::check_interface(scope, peer, "the cable's end")
        && let Err(first) = scope.peers.claim(peer.get_ref().clone(), peer.span())
    {
        scope.repeated(
            peer.span(),
            first,
            format!("two cables end in an interface named {:?}", peer.get_ref()),
        );
    }
    let on = Wire::Cable(peer.get_ref().clone());
    let name = name?.get_ref().clone();
    let interface = ports::interface(scope, name, &raw.settings, &on, (1500, MTU_MAX));
    Some(Cable { interface, peer: peer.get_ref().clone(), line: scope.line(&raw.span) })
}

/// The settings that only a port can have, where they are given.
fn port_keys(raw: &RawSettings) -> Vec<(&'static str, Range<usize>)> {
    let offload = raw.offload.span().map(|span| ("offload", span));
    let queues = raw.queues.span().map(|span| ("queues", span));
    offload.into_iter().chain(queues).chain(raw.leg.given()).chain(raw.leg.vlans.given()).collect()
}

fn resolve_bridges(scope: &mut Scope, raw: &RawNode, node: &mut Node, wires: &[(String, Wire)]) {
    let mut bridged: Vec<(&str, Range<usize>)> = Vec::new();
    for bridge in raw.bridge.value().map_or(&[][..], |rows| &rows.0) {
        let name = scope.required(&bridge.name, &bridge.span, "name", "such as name = \"br0\"");
        let hint = "list interfaces of this node, like interfaces = [\"eth0\", \"eth1\"]";
        let list = scope.required(&bridge.interfaces, &bridge.span, "interfaces", hint);
        let (Some(name), Some(list)) = (name, list) else { continue };
        if names::check_interface(scope, name, "the bridge") {
            ports::claim_interface(scope, &Netns::Node(node.name.clone()), name);
        }
        let mut members = Members::new();
        for member in &list.get_ref().0 {
            if let Some((_, first)) = bridged.iter().find(|(other, _)| other == member.get_ref()) {
                let message = format!("the interface {:?} is bridged twice", member.get_ref());
                scope.repeated(member.span(), first.clone(), message);
                continue;
            }
            bridged.push((member.get_ref(), member.span()));
            match wires.iter().find(|(name, _)| name == member.get_ref()) {
                Some((_, wire)) => members.push((wire.clone(), member.span())),
                None => unknown_member(scope, node, member, wires),
            }
            check_member(scope, raw, bridge, member);
        }
        node.bridges.push(kernel_bridge(scope, node, bridge, name, list, members));
    }
}

fn kernel_bridge(
    scope: &mut Scope,
    node: &Node,
    bridge: &RawBridge,
    name: &Spanned<String>,
    list: &Spanned<OneOrMore>,
    members: Members,
) -> KernelBridge {
    let on = Wire::Bridge(node.name.clone(), name.get_ref().clone());
    // a bridge's MTU is the smallest of its members'; 1500 unless they differ, which is close enough for IPv6
    let address = address::addresses(scope, &bridge.address, &on, 1500);
    scope.bridges.push((on, members));
    KernelBridge {
        name: name.get_ref().clone(),
        interfaces: texts(&list.get_ref().0),
        address,
        line: scope.line(&bridge.span),
    }
}

fn unknown_member(scope: &mut Scope, node: &Node, member: &Spanned<String>, wires: &[(String, Wire)]) {
    let names: Vec<_> = wires.iter().map(|(name, _)| name.as_str()).collect();
    let help = match names.is_empty() {
        true => "it has no interfaces: write [[node.interface]] before [[node.bridge]]".to_owned(),
        false => suggest::hint(member.get_ref(), "its interfaces are", &names),
    };
    let message = format!("node {:?} has no interface {:?}", node.name, member.get_ref());
    scope.error(member.span(), "not in this node", message).help(help);
}

/// An interface in a bridge is only a port: its own address would be unreachable.
fn check_member(scope: &mut Scope, raw: &RawNode, bridge: &RawBridge, member: &Spanned<String>) {
    let interfaces = raw.interface.value().map_or(&[][..], |rows| &rows.0);
    let named = interfaces.iter().find(|interface| interface.name.value() == Some(member.get_ref()));
    let Some(address) = named.and_then(|interface| interface.settings.address.given()) else { return };
    let bridge = bridge.name.value().map_or("", String::as_str);
    scope
        .warn(
            address.span(),
            "will not answer",
            format!("{:?} is a port of the bridge {bridge:?}", member.get_ref()),
        )
        .also(member.span(), "bridged here")
        .help("give the address to the bridge: `address` in [[node.bridge]]");
}

fn check_command(scope: &mut Scope, raw: &RawNode) {
    let Some(command) = raw.command.given() else { return };
    match command.get_ref().0.first() {
        None => {
            scope
                .error(command.span(), "empty", "`command` names no program")
                .help("remove it, or write a program and its arguments: command = [\"sleep\", \"infinity\"]");
        }
        Some(program) if program.get_ref().trim().is_empty() => {
            scope
                .error(program.span(), "no program", "`command` begins with an empty word")
                .help("name a program");
        }
        Some(_) => {}
    }
    for word in &command.get_ref().0 {
        if word.get_ref().contains('\0') {
            scope.error(word.span(), "a NUL", "an argument cannot contain a NUL character").help("remove it");
        }
    }
}

fn texts(list: &[Spanned<String>]) -> Vec<String> {
    list.iter().map(|text| text.get_ref().clone()).collect()
}
