//! Gateways that nobody has: a machine that sends everything to one is cut off, which is easy to overlook.

use std::collections::HashSet;
use std::net::IpAddr;

use super::scope::{Claim, Scope, Wire};
use super::segments::Forest;
use crate::bridge::Role;
use crate::control::plan::{Netns, Port};
use crate::port::PortKind;

/// Warns of gateways that are on no machine of their segment, where all machines are this file's: behind a guest's TAP or
/// a real interface may be anybody.
pub(super) fn check(scope: &mut Scope, forest: &mut Forest<Wire>, owned: &[Claim<IpAddr>], ports: &[Port]) {
    let owned: HashSet<(usize, IpAddr)> =
        owned.iter().map(|claim| (forest.root(claim.on.clone()), claim.value)).collect();
    let is_cable = |port: &Port| port.netns == Netns::Own && scope.peers.has(&port.interface.name);
    let is_known = |port: &&Port| match port.kind {
        PortKind::Raw => is_cable(port),
        _ => matches!(port.netns, Netns::Node(_)) || port.settings.leg.role == Role::Host,
    };
    let open: HashSet<usize> = ports
        .iter()
        .filter(|port| !is_known(port))
        .map(|port| forest.root(Wire::Network(port.network.clone())))
        .collect();
    let plugged: HashSet<&str> = ports
        .iter()
        .filter(|port| port.kind == PortKind::Raw && port.netns == Netns::Own)
        .map(|port| port.interface.name.as_str())
        .collect();
    for gateway in std::mem::take(&mut scope.gateways) {
        let root = forest.root(gateway.on.clone());
        let is_open = match &gateway.on {
            Wire::Nowhere => true,
            Wire::Cable(peer) => !plugged.contains(peer.as_str()) || open.contains(&root),
            Wire::Bridge(..) | Wire::Network(_) => open.contains(&root),
        };
        // every machine makes up link-local addresses of its own
        let is_link_local = matches!(gateway.value, IpAddr::V6(ip) if ip.is_unicast_link_local());
        if is_open || is_link_local || owned.contains(&(root, gateway.value)) {
            continue;
        }
        let message = format!("nobody on this network has the gateway's address {}", gateway.value);
        scope
            .warn(gateway.span, "whose?", message)
            .help("give it to a [[router.interface]], to a node, or to the host (`host` of the [[network]])");
    }
}
