//! `[[network]]`: bridges, and the host's place on them.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::address;
use super::guards;
use super::link_local::{group_fwd_mask, transparent_mask};
use super::multicast;
use super::names;
use super::scope::{Claim, Scope, Wire};
use super::stp;
use super::tables::RawNetwork;
use super::value::Rows;
use super::vlans;
use crate::bridge::{BridgeConfig, LegConfig, Role};
use crate::control::plan::{Interface, Netns, Network, Port, Settings};
use crate::fabric::VlanEntry;
use crate::frame::NODES_MAX;
use crate::port::PortKind;
use crate::wire::mac::Mac;

/// The least MTU there is (RFC 791).
pub(super) const MTU_MIN: i64 = 68;
/// The largest of a TAP: 64 KiB less one byte and an Ethernet header (`tun.c`).
pub(super) const TAP_MTU_MAX: i64 = 65521;
/// The largest of any other interface.
pub(super) const MTU_MAX: i64 = 65535;
/// Half a year: further than a laboratory needs, and far from any overflow.
const AGEING_MAX: f64 = 16_777_216.0;
/// The most stations, and the most groups.
pub(super) const FDB_MAX: i64 = 1_048_576;

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

fn resolve_one(scope: &mut Scope, raw: &RawNetwork, name: &Spanned<String>) -> (Network, Option<Port>) {
    let hint = "bytes behind the Ethernet header; 1500 is usual";
    let mtu = scope.whole(&raw.mtu, "mtu", MTU_MIN..=TAP_MTU_MAX, 1500, hint);
    let default = BridgeConfig::default();
    let hint = "how many stations it may learn";
    let on = Wire::Network(name.get_ref().clone());
    let address = raw.mac.given().and_then(|text| {
        let value = scope.station(text)?;
        scope.macs.push(Claim { value, on: on.clone(), span: text.span() });
        Some(value)
    });
    let stp = stp::bridge(scope, raw);
    let bridge = BridgeConfig {
        // one that is not written is made up when all that are written are known
        address: address.unwrap_or(Mac::ZERO),
        ageing: scope.seconds(&raw.ageing, "ageing", (0.0, AGEING_MAX), default.ageing),
        fdb_max: scope.whole(&raw.fdb_max, "fdb_max", 1..=FDB_MAX, default.fdb_max, hint),
        group_fwd_mask: group_fwd_mask(scope, &raw.group_fwd_mask, 0b111),
        no_linklocal_learn: raw.no_linklocal_learn.value().copied().unwrap_or(default.no_linklocal_learn),
        transparent_mask: transparent_mask(scope, &raw.l2_control, stp.mode),
        icc: raw.icc.value().copied().unwrap_or(default.icc),
        vlan: vlans::bridge(scope, raw),
        stp,
        multicast: multicast::bridge(scope, raw),
        flap: guards::flap(scope, &raw.flap),
    };
    if bridge.ageing > Duration::ZERO && bridge.ageing < Duration::from_millis(10) {
        // the kernel counts in hundredths of a second (B12)
        let span = raw.ageing.given().map_or(raw.span.clone(), Spanned::span);
        scope
            .warn(span, "very short", "stations will be forgotten between two frames")
            .help("0 learns nothing");
    }
    let before = scope.addresses.len();
    let host = address::addresses(scope, &raw.host, &on, mtu);
    scope.hosts.extend(scope.addresses[before..].iter().cloned());
    let is_name = match raw.host.given() {
        Some(_) => names::check_interface(scope, name, "the name of a network that the host sits on"),
        None => names::check_name(scope, name, "the name of a network"),
    };
    let host_vlans = vlans::host(scope, raw, bridge.vlan);
    let line = scope.line(&raw.span);
    let network = Network { name: name.get_ref().clone(), host: host.clone(), mtu, bridge, line };
    let port = raw
        .host
        .given()
        .filter(|list| is_name && !list.get_ref().0.is_empty())
        .map(|list| host_port(scope, &network, name.span(), list.span(), host_vlans));
    (network, port)
}

/// The port through which the host sits on the network: a TAP named like it.
fn host_port(
    scope: &mut Scope,
    network: &Network,
    name: Range<usize>,
    host: Range<usize>,
    vlans: Vec<VlanEntry>,
) -> Port {
    let key = (String::new(), network.name.clone());
    // names of networks are unique, so nobody can have claimed these
    let _ = scope.ports.claim(network.name.clone(), name.clone());
    let _ = scope.interfaces.claim(key, name);
    Port {
        name: network.name.clone(),
        network: network.name.clone(),
        kind: PortKind::Tap,
        queues: std::num::NonZero::<usize>::MIN,
        interface: Interface {
            name: network.name.clone(),
            address: network.host.clone(),
            mac: None,
            mtu: network.mtu,
            gateway: Vec::new(),
        },
        netns: Netns::Own,
        settings: Settings {
            leg: LegConfig { role: Role::Host, mtu: network.mtu, ..LegConfig::default() },
            vlans,
            ..Settings::default()
        },
        line: scope.line(&host),
    }
}
