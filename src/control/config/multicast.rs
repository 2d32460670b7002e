//! Multicast snooping: of a network, and of each leg. Names are those of ip-link(8) and bridge(8), without `mcast_` where
//! the table says so already; times are in seconds.

use std::net::Ipv4Addr;

use toml::Spanned;

use super::networks::FDB_MAX;
use super::raw::Field;
use super::scope::Scope;
use super::suggest;
use super::tables::{RawLeg, RawMulticast, RawNetwork};
use super::value::{Either, Inline};
use crate::bridge::{MulticastConfig, MulticastLegConfig, RouterMode};
use crate::control::plan::Network;

/// By their number, which is the kernel's (B71).
const ROUTER_WORDS: [(&str, RouterMode); 4] = [
    ("never", RouterMode::Never),
    ("learn", RouterMode::Learn),
    ("always", RouterMode::Always),
    ("temp", RouterMode::Temp),
];
/// A day.
const SECONDS_MAX: f64 = 86_400.0;
/// The longest that a query can ask for in IGMPv2 (RFC 2236 §2.2).
const RESPONSE_MAX: f64 = 25.5;

/// Multicast snooping of a network.
pub(super) fn bridge(scope: &mut Scope, raw: &RawNetwork) -> MulticastConfig {
    let default = MulticastConfig::default();
    let snooping = raw.multicast_snooping.value().copied().unwrap_or(default.snooping);
    let Some(given) = raw.multicast.given() else { return MulticastConfig { snooping, ..default } };
    if !snooping {
        warn(scope, "multicast", given.span());
    }
    let Inline(raw) = given.get_ref();
    let address = raw.query_address.given().and_then(|text| query_address(scope, text));
    let count = "how many queries";
    let config = MulticastConfig {
        snooping,
        querier: raw.querier.value().copied().unwrap_or(default.querier),
        igmp_version: scope.whole(&raw.igmp_version, "igmp_version", 2..=3, default.igmp_version, "of IGMP"),
        mld_version: scope.whole(&raw.mld_version, "mld_version", 1..=2, default.mld_version, "of MLD"),
        hash_max: scope.whole(&raw.hash_max, "hash_max", 1..=FDB_MAX, default.hash_max, "how many groups"),
        last_member_count: scope.whole(
            &raw.last_member_count,
            "last_member_count",
            0..=255,
            default.last_member_count,
            count,
        ),
        startup_query_count: scope.whole(
            &raw.startup_query_count,
            "startup_query_count",
            0..=255,
            default.startup_query_count,
            count,
        ),
        router: router(scope, &raw.router, "router", 3).unwrap_or(default.router),
        query_use_ifaddr: address.is_some(),
        address: address.unwrap_or(default.address),
        flood_solicited_node: raw
            .flood_solicited_node
            .value()
            .copied()
            .unwrap_or(default.flood_solicited_node),
        ..default
    };
    times(scope, raw, config)
}

fn times(scope: &mut Scope, raw: &RawMulticast, default: MulticastConfig) -> MulticastConfig {
    let mut seconds = |field, key, low, high, default| scope.seconds(field, key, (low, high), default);
    let config = MulticastConfig {
        last_member_interval: seconds(
            &raw.last_member_interval,
            "last_member_interval",
            0.1,
            RESPONSE_MAX,
            default.last_member_interval,
        ),
        membership_interval: seconds(
            &raw.membership_interval,
            "membership_interval",
            1.0,
            SECONDS_MAX,
            default.membership_interval,
        ),
        querier_interval: seconds(
            &raw.querier_interval,
            "querier_interval",
            1.0,
            SECONDS_MAX,
            default.querier_interval,
        ),
        // below a second the kernel takes a second (BR_MULTICAST_QUERY_INTVL_MIN)
        query_interval: seconds(
            &raw.query_interval,
            "query_interval",
            1.0,
            SECONDS_MAX,
            default.query_interval,
        ),
        query_response_interval: seconds(
            &raw.query_response_interval,
            "query_response_interval",
            0.1,
            RESPONSE_MAX,
            default.query_response_interval,
        ),
        startup_query_interval: seconds(
            &raw.startup_query_interval,
            "startup_query_interval",
            1.0,
            SECONDS_MAX,
            default.startup_query_interval,
        ),
        ..default
    };
    let span = raw.query_response_interval.span().or(raw.query_interval.span());
    if let (Some(span), true) = (span, config.query_response_interval >= config.query_interval) {
        scope
            .warn(span, "answers pile up", "`query_response_interval` is not shorter than `query_interval`")
            .help("all answers to a query should be in before the next (RFC 2236 §8.3)");
    }
    config
}

fn query_address(scope: &mut Scope, text: &Spanned<String>) -> Option<Ipv4Addr> {
    let given = text.get_ref();
    let address = given.parse::<Ipv4Addr>().ok();
    let usable = address.filter(|ip| !ip.is_multicast() && !ip.is_broadcast() && !ip.is_unspecified());
    if usable.is_none() {
        scope
            .error(text.span(), "not a machine's address", format!("queries cannot come from {given:?}"))
            .help("write an IPv4 address of this network, or remove it: queries then come from 0.0.0.0");
    }
    usable
}

/// Multicast snooping of a leg.
pub(super) fn leg(scope: &mut Scope, raw: &RawLeg) -> MulticastLegConfig {
    let default = MulticastLegConfig::default();
    let hint = "how many groups may have members there; 0 is no limit";
    MulticastLegConfig {
        router: router(scope, &raw.mcast_router, "mcast_router", 4).unwrap_or(default.router),
        fastleave: raw.fastleave.value().copied().unwrap_or(default.fastleave),
        to_unicast: raw.mcast_to_unicast.value().copied().unwrap_or(default.to_unicast),
        max_groups: scope.whole(
            &raw.mcast_max_groups,
            "mcast_max_groups",
            0..=FDB_MAX,
            default.max_groups,
            hint,
        ),
    }
}

/// Warns of what is written but does nothing on any of these networks.
pub(super) fn warn_of_idle(scope: &mut Scope, raw: &RawLeg, networks: &[&Network]) {
    if networks.iter().any(|network| network.bridge.multicast.snooping) || networks.is_empty() {
        return;
    }
    let keys = [
        ("mcast_router", raw.mcast_router.span()),
        ("fastleave", raw.fastleave.span()),
        ("mcast_to_unicast", raw.mcast_to_unicast.span()),
        ("mcast_max_groups", raw.mcast_max_groups.span()),
    ];
    for (key, span) in keys {
        let Some(span) = span else { continue };
        warn(scope, key, span);
    }
}

/// Says that a key needs snooping.
pub(super) fn warn(scope: &mut Scope, key: &str, span: std::ops::Range<usize>) {
    scope
        .warn(span, "ignored", format!("`{key}` has no effect on a network without multicast snooping"))
        .help("write multicast_snooping = true in the [[network]]");
}

/// One of the first `count` of the words, or its number.
fn router(
    scope: &mut Scope,
    field: &Field<Either<i64, String>>,
    key: &str,
    count: usize,
) -> Option<RouterMode> {
    let value = field.given()?;
    let words = &ROUTER_WORDS[..count];
    let (found, given) = match value.get_ref() {
        Either::One(number) => {
            (usize::try_from(*number).ok().and_then(|at| words.get(at)), number.to_string())
        }
        Either::Other(text) => (words.iter().find(|(word, _)| word == text), format!("{text:?}")),
    };
    if found.is_none() {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        scope.error(value.span(), "unknown", format!("`{key}` cannot be {given}")).help(suggest::hint(
            &given,
            &format!("0 to {}, or the same as a word", count - 1),
            &words,
        ));
    }
    found.map(|(_, mode)| *mode)
}
