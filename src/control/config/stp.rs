//! Spanning tree: of a network, and of each leg.

use std::ops::Range;
use std::time::Duration;

use super::raw::Field;
use super::scope::Scope;
use super::suggest;
use super::tables::{RawLeg, RawNetwork};
use super::value::Either;
use crate::bridge::{EdgePort, StpConfig, StpLegConfig, StpMode};
use crate::control::plan::Network;

/// Spanning tree of a network.
pub(super) fn bridge(scope: &mut Scope, raw: &RawNetwork) -> StpConfig {
    let default = StpConfig::default();
    let words = [("rstp", StpMode::Rstp), ("stp", StpMode::Stp)];
    let mode = flag_or_word(scope, &raw.stp, "stp", (StpMode::Stp, StpMode::Off), &words);
    let hint = "the lowest becomes the root";
    let config = StpConfig {
        mode: mode.unwrap_or(default.mode),
        priority: scope.whole(&raw.priority, "priority", 0..=65_535, default.priority, hint),
        hello: scope.seconds(&raw.hello_time, "hello_time", (1.0, 10.0), default.hello),
        max_age: scope.seconds(&raw.max_age, "max_age", (6.0, 40.0), default.max_age),
        forward_delay: scope.seconds(&raw.forward_delay, "forward_delay", (2.0, 30.0), default.forward_delay),
    };
    let keys = [
        ("priority", raw.priority.span()),
        ("hello_time", raw.hello_time.span()),
        ("max_age", raw.max_age.span()),
        ("forward_delay", raw.forward_delay.span()),
    ];
    if config.mode == StpMode::Off && mode.is_some() | raw.stp.is_absent() {
        for (key, span) in keys {
            let Some(span) = span else { continue };
            scope
                .warn(span, "ignored", format!("`{key}` has no effect on a network without a spanning tree"))
                .help("write stp = true");
        }
    } else if let Some(span) =
        [&raw.max_age, &raw.forward_delay, &raw.hello_time].into_iter().find_map(Field::span)
    {
        check_times(scope, span, &config);
    }
    config
}

/// 802.1D (8.10.2): information must not live longer than the tree waits, nor die of a lost hello.
fn check_times(scope: &mut Scope, span: Range<usize>, config: &StpConfig) {
    let second = Duration::from_secs(1);
    let (hello, age, delay) = (config.hello, config.max_age, config.forward_delay);
    let seconds = |duration: Duration| duration.as_secs_f64();
    if 2 * (delay - second) < age {
        let message = format!(
            "a `max_age` of {} s is too long for a `forward_delay` of {} s",
            seconds(age),
            seconds(delay)
        );
        scope
            .warn(span.clone(), "may loop for a moment", message)
            .help("IEEE 802.1D wants 2 × (forward_delay − 1) ≥ max_age");
    }
    if age < 2 * (hello + second) {
        let message = format!(
            "a `max_age` of {} s is too short for a `hello_time` of {} s",
            seconds(age),
            seconds(hello)
        );
        scope
            .warn(span, "forgets the root too soon", message)
            .help("IEEE 802.1D wants max_age ≥ 2 × (hello_time + 1)");
    }
}

/// Spanning tree of a leg.
pub(super) fn leg(scope: &mut Scope, raw: &RawLeg, network: Option<&Network>) -> StpLegConfig {
    // 802.1D-1998 has 16 bits for it, 802.1D-2004 counts to 200 million (17.14)
    let is_rapid = network.is_some_and(|network| network.bridge.stp.mode == StpMode::Rstp);
    let cost_max = if is_rapid { 200_000_000 } else { 65_535 };
    let default = StpLegConfig::default();
    let edge =
        flag_or_word(scope, &raw.edge, "edge", (EdgePort::Yes, EdgePort::No), &[("auto", EdgePort::Auto)]);
    let priority = scope.whole(
        &raw.priority,
        "priority",
        0..=63,
        default.priority,
        "among the ports of a bridge, the lowest wins",
    );
    StpLegConfig {
        priority,
        cost: scope.whole(
            &raw.cost,
            "cost",
            1..=cost_max,
            default.cost,
            "the way with the lowest sum leads to the root",
        ),
        bpdu_guard: raw.bpdu_guard.value().copied().unwrap_or(default.bpdu_guard),
        root_block: raw.root_block.value().copied().unwrap_or(default.root_block),
        edge: edge.unwrap_or(default.edge),
        point_to_point: raw.point_to_point.value().copied().unwrap_or(default.point_to_point),
    }
}

/// Warns of what is written but does nothing on any of these networks.
pub(super) fn warn_of_idle(scope: &mut Scope, raw: &RawLeg, networks: &[&Network]) {
    if networks.is_empty() {
        return;
    }
    let modes = || networks.iter().map(|network| network.bridge.stp.mode);
    let keys = [
        ("cost", raw.cost.span()),
        ("priority", raw.priority.span()),
        ("bpdu_guard", raw.bpdu_guard.span()),
        ("root_block", raw.root_block.span()),
    ];
    for (key, span) in keys {
        let (Some(span), true) = (span, modes().all(|mode| mode == StpMode::Off)) else { continue };
        scope
            .warn(span, "ignored", format!("`{key}` has no effect on a network without a spanning tree"))
            .help("write stp = true in the [[network]]");
    }
    for (key, span) in [("edge", raw.edge.span()), ("point_to_point", raw.point_to_point.span())] {
        let (Some(span), true) = (span, modes().all(|mode| mode != StpMode::Rstp)) else { continue };
        scope
            .warn(span, "ignored", format!("`{key}` has no effect on a network without rapid spanning tree"))
            .help("write stp = \"rstp\" in the [[network]]");
    }
}

/// A key that is true, false or a word.
fn flag_or_word<T: Copy>(
    scope: &mut Scope,
    field: &Field<Either<bool, String>>,
    key: &str,
    (yes, no): (T, T),
    words: &[(&str, T)],
) -> Option<T> {
    let value = field.given()?;
    match value.get_ref() {
        Either::One(flag) => Some(if *flag { yes } else { no }),
        Either::Other(text) => {
            let known = words.iter().find(|(word, _)| word == text).map(|(_, value)| *value);
            if known.is_none() {
                let words: Vec<_> =
                    ["true", "false"].into_iter().chain(words.iter().map(|(word, _)| *word)).collect();
                scope
                    .error(value.span(), "unknown", format!("`{key}` cannot be {text:?}"))
                    .help(suggest::hint(text, "it is one of", &words));
            }
            known
        }
    }
}
