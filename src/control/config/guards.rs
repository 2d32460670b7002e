//! Guards of a leg: who may send, how many may be learned, how fast; and when a moving station is a loop.

use std::collections::BTreeMap;
use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use super::address;
use super::networks::FDB_MAX;
use super::raw::Field;
use super::scope::Scope;
use super::tables::{RawFlap, RawLeg, RawSourceGuard, RawStormLimit};
use super::value::{Inline, OneOrMore};
use crate::bridge::{FlapConfig, StormLimit};
use crate::control::plan::Network;
use crate::fabric::Permit;

/// How many stations the leg may teach.
pub(super) fn mac_limit(scope: &mut Scope, raw: &RawLeg, network: Option<&Network>) -> u32 {
    let hint = "how many stations may be learned there at a time; 0 is no limit";
    let limit = scope.whole(&raw.mac_limit, "mac_limit", 0..=FDB_MAX, 0, hint);
    let (Some(span), Some(network)) = (raw.mac_limit.span(), network) else { return limit };
    let max = network.bridge.fdb_max;
    if limit > max {
        scope
            .warn(
                span,
                "never reached",
                format!("a `mac_limit` of {limit} is above `fdb_max` of its network"),
            )
            .help(format!("network {:?} learns at most {max} stations", network.name));
    }
    limit
}

/// How many frames per second may enter.
pub(super) fn storm_limit(scope: &mut Scope, field: &Field<Inline<RawStormLimit>>) -> StormLimit {
    let Some(Inline(raw)) = field.value() else { return StormLimit::default() };
    let hint = "frames per second; 0 is no limit";
    let mut limit = |field: &Field<i64>, key| scope.whole(field, key, 0..=i64::from(u32::MAX), 0, hint);
    StormLimit {
        broadcast: limit(&raw.broadcast, "broadcast"),
        multicast: limit(&raw.multicast, "multicast"),
        unknown_unicast: limit(&raw.unknown_unicast, "unknown_unicast"),
    }
}

/// When a station that moves is a loop.
pub(super) fn flap(scope: &mut Scope, field: &Field<Inline<RawFlap>>) -> FlapConfig {
    /// A day.
    const SECONDS_MAX: f64 = 86_400.0;
    let default = FlapConfig::default();
    let Some(Inline(raw)) = field.value() else { return default };
    let hint = "so many moves of one station within `window` are a flap";
    if let (true, Some(span)) = (raw.moves.is_absent(), field.span()) {
        scope
            .error(span, "has no `moves`", "`moves` is missing")
            .help("flap = { moves = 5, window = 1, quarantine = 10 }");
    }
    FlapConfig {
        moves: scope.whole(&raw.moves, "moves", 0..=65_535, default.moves, hint),
        window: scope.seconds(&raw.window, "window", (0.001, SECONDS_MAX), default.window),
        quarantine: scope.seconds(&raw.quarantine, "quarantine", (0.0, SECONDS_MAX), default.quarantine),
    }
}

/// Who may send: sorted, empty for everybody.
pub(super) fn source_guard(scope: &mut Scope, field: &Field<Inline<RawSourceGuard>>) -> Vec<Permit> {
    let Some(given) = field.given() else { return Vec::new() };
    let Inline(raw) = given.get_ref();
    if raw.mac.is_absent() && raw.ip.is_absent() {
        scope.error(given.span(), "empty", "`source_guard` permits nobody").help(
            "list who may send: source_guard = { mac = [\"02:42:ac:11:00:02\"], ip = [\"172.17.0.2\"] }",
        );
    }
    let mut permits = Permits::default();
    for text in members(scope, &raw.mac, "mac") {
        if let Some(mac) = scope.station(text) {
            permits.add(scope, Permit::Mac(mac), text);
        }
    }
    for text in members(scope, &raw.ip, "ip") {
        if let Some(net) = prefix(scope, text) {
            permits.add(scope, Permit::Ip(net), text);
        }
    }
    permits.0.into_keys().collect()
}

/// Sorted, each with its place.
#[derive(Debug, Default)]
struct Permits(BTreeMap<Permit, Range<usize>>);

impl Permits {
    fn add(&mut self, scope: &mut Scope, permit: Permit, text: &Spanned<String>) {
        if let Some(first) = self.0.insert(permit, text.span()) {
            let message = format!("{:?} is permitted twice", text.get_ref());
            scope.repeated(text.span(), first, message);
        }
    }
}

fn members<'a>(scope: &mut Scope, field: &'a Field<OneOrMore>, key: &str) -> &'a [Spanned<String>] {
    let Some(list) = field.given() else { return &[] };
    if list.get_ref().0.is_empty() {
        scope
            .error(list.span(), "empty", format!("an empty `{key}` in `source_guard` permits nobody"))
            .help(format!("list who may send, or remove `{key}` to permit any"));
    }
    &list.get_ref().0
}

/// An address, or a network of them, that somebody may send from.
fn prefix(scope: &mut Scope, text: &Spanned<String>) -> Option<IpNet> {
    let net = address::prefix(scope, text)?;
    if net.addr().is_multicast() {
        scope
            .error(text.span(), "a group", format!("nobody sends from the multicast address {net}"))
            .help("name the addresses of machines");
        return None;
    }
    Some(net)
}
