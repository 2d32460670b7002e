//! `[[network]]`: bridges, and the host's place on them.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::address;
use super::names;
use super::raw::{RawNetwork, Rows};
use super::scope::{Scope, Wire};
use crate::bridge::{BridgeConfig, LegConfig, Role};
use crate::control::plan::{Interface, Netns, Network, Port};
use crate::frame::NODES_MAX;
use crate::port::PortKind;

/// The least MTU there is (RFC 791).
pub(super) const MTU_MIN: i64 = 68;
/// The largest of a TAP: 64 KiB less one byte and an Ethernet header (`tun.c`).
pub(super) const TAP_MTU_MAX: i64 = 65521;
/// The largest of any other interface.
pub(super) const MTU_MAX: i64 = 65535;
/// Half a year: further than a laboratory needs, and far from any overflow.
const AGEING_MAX: f64 = 16_777_216.0;
const FDB_MAX: i64 = 1_048_576;

/// All networks, and the host's ports on them.
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawNetwork>>) -> (Vec<Network>, Vec<Port>) {
    let (mut networks, mut ports) = (Vec::new(), Vec::new());
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        if networks.len() == NODES_MAX {
            scope
                .error(raw.span.clone(), "one too many", format!("there are more than {NODES_MAX} networks"))
                .help("split the lab into several files");
            break;
        }
        let hint = "every network needs a name, like name = \"lan\"";
        let Some(name) = scope.required(&raw.name, &raw.span, "name", hint) else { continue };
        if let Err(first) = scope.networks.claim(name.get_ref().clone(), name.span()) {
            scope.repeated(name.span(), first, format!("there are two networks named {:?}", name.get_ref()));
            continue;
        }
        let (network, port) = resolve_one(scope, raw, name);
        networks.push(network);
        ports.extend(port);
    }
    (networks, ports)
}

/// Bits that are not allowed in a `group_fwd_mask` (B37), and the value, which is 0 if any of them is set.
pub(super) fn group_fwd_mask(scope: &mut Scope, field: &super::raw::Field<i64>, forbidden: u16) -> u16 {
    let hint = "bit n forwards frames to 01-80-C2-00-00-0n";
    let mask: u16 = scope.whole(field, "group_fwd_mask", 0..=0xffff, 0, hint);
    let Some(written) = field.given() else { return mask };
    if mask & forbidden == 0 {
        return mask;
    }
    let bits = address::list((0..16).filter(|bit| mask & forbidden & 1 << bit != 0));
    let allowed = !forbidden;
    scope
        .error(written.span(), "not allowed", format!("`group_fwd_mask` may not have bit {bits}"))
        .help(format!(
            "pause frames, STP and the like must not be forwarded (IEEE 802.1D); allowed are the bits of {allowed:#06x}"
        ));
    0
}

fn resolve_one(scope: &mut Scope, raw: &RawNetwork, name: &Spanned<String>) -> (Network, Option<Port>) {
    let hint = "bytes behind the Ethernet header; 1500 is usual";
    let mtu = scope.whole(&raw.mtu, "mtu", MTU_MIN..=TAP_MTU_MAX, 1500, hint);
    let default = BridgeConfig::default();
    let hint = "how many stations it may learn";
    let bridge = BridgeConfig {
        ageing: scope.seconds(&raw.ageing, "ageing", (0.0, AGEING_MAX), default.ageing),
        fdb_max: scope.whole(&raw.fdb_max, "fdb_max", 1..=FDB_MAX, default.fdb_max, hint),
        group_fwd_mask: group_fwd_mask(scope, &raw.group_fwd_mask, 0b111),
        no_linklocal_learn: raw.no_linklocal_learn.value().copied().unwrap_or(default.no_linklocal_learn),
        ..default
    };
    if bridge.ageing > Duration::ZERO && bridge.ageing < Duration::from_millis(10) {
        // the kernel counts in hundredths of a second (B12)
        let span = raw.ageing.given().map_or(raw.span.clone(), Spanned::span);
        scope
            .warn(span, "very short", "stations will be forgotten between two frames")
            .help("0 learns nothing");
    }
    let on = Wire::Network(name.get_ref().clone());
    let before = scope.addresses.len();
    let host = address::addresses(scope, &raw.host, &on, mtu);
    scope.hosts.extend(scope.addresses[before..].iter().cloned());
    let is_name = match raw.host.given() {
        Some(_) => names::check_interface(scope, name, "the name of a network that the host sits on"),
        None => names::check_name(scope, name, "the name of a network"),
    };
    let line = scope.line(&raw.span);
    let network = Network { name: name.get_ref().clone(), host: host.clone(), mtu, bridge, line };
    let port = raw
        .host
        .given()
        .filter(|list| is_name && !list.get_ref().0.is_empty())
        .map(|list| host_port(scope, &network, name.span(), list.span()));
    (network, port)
}

/// The port through which the host sits on the network: a TAP named like it.
fn host_port(scope: &mut Scope, network: &Network, name: Range<usize>, host: Range<usize>) -> Port {
    let key = (String::new(), network.name.clone());
    // names of networks are unique, so nobody can have claimed these
    let _ = scope.ports.claim(network.name.clone(), name.clone());
    let _ = scope.interfaces.claim(key, name);
    Port {
        name: network.name.clone(),
        network: network.name.clone(),
        kind: PortKind::Tap,
        interface: Interface {
            name: network.name.clone(),
            address: network.host.clone(),
            mac: None,
            mtu: network.mtu,
            gateway: Vec::new(),
        },
        netns: Netns::Own,
        leg: LegConfig { role: Role::Host, mtu: network.mtu, ..LegConfig::default() },
        line: scope.line(&host),
    }
}
