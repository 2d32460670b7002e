//! `[router.conntrack]`: how flows are followed. Names are the kernel's (`nf_conntrack_…`), defaults too.

use std::time::Duration;

use crate::control::config::scope::Scope;
use crate::control::config::tables::{RawConntrack, RawTimeouts};
use crate::control::config::value::Inline;
use crate::router::Settings;
use crate::router::nat::{tcp, track};
use crate::router::policy::config::Invalid;

/// As many take a few gigabytes.
const MAX_MAX: i64 = 8_388_608;
/// A tenth of a second, for labs in which something is to expire while one waits.
const SECONDS_MIN: f64 = 0.1;
/// Half a year: further than a laboratory needs, and far from any overflow.
const SECONDS_MAX: f64 = 16_777_216.0;

/// What is said of flows.
pub(super) struct Conntrack {
    /// How they are followed, and how many.
    pub(super) settings: Settings,
    /// What happens to packets of none.
    pub(super) invalid: Invalid,
}

/// The table, or the defaults.
pub(super) fn resolve(scope: &mut Scope, raw: Option<&Inline<RawConntrack>>) -> Conntrack {
    let mut settings = Settings::default();
    let Some(Inline(raw)) = raw else { return Conntrack { settings, invalid: Invalid::default() } };
    let track = &mut settings.conntrack;
    if let Some(Inline(raw)) = raw.timeouts.value() {
        timeouts(scope, raw, track);
    }
    track.tcp.loose = raw.loose.value().copied().unwrap_or(track.tcp.loose);
    track.tcp.liberal = raw.liberal.value().copied().unwrap_or(track.tcp.liberal);
    track.checksums = raw.checksum.value().copied().unwrap_or(track.checksums);
    let hint = "how many flows are followed at a time";
    settings.sessions_max = scope.whole(&raw.max, "max", 1..=MAX_MAX, settings.sessions_max, hint);
    let words = [("accept", Invalid::Accept), ("drop", Invalid::Drop)];
    let invalid = raw.invalid.given().and_then(|text| scope.word(text, "invalid", &words));
    Conntrack { settings, invalid: invalid.unwrap_or_default() }
}

/// How long flows may be silent.
fn timeouts(scope: &mut Scope, raw: &RawTimeouts, settings: &mut track::Settings) {
    let track::Settings {
        tcp: tcp::Settings { timeouts: tcp, .. },
        udp,
        udp_stream,
        icmp,
        gre,
        gre_stream,
        sctp,
        sctp_stream,
        generic,
        ..
    } = settings;
    let table: [(_, _, &mut Duration); 19] = [
        (&raw.generic, "generic", generic),
        (&raw.gre, "gre", gre),
        (&raw.gre_stream, "gre_stream", gre_stream),
        (&raw.icmp, "icmp", icmp),
        (&raw.sctp, "sctp", sctp),
        (&raw.sctp_stream, "sctp_stream", sctp_stream),
        (&raw.tcp_close, "tcp_close", &mut tcp.close),
        (&raw.tcp_close_wait, "tcp_close_wait", &mut tcp.close_wait),
        (&raw.tcp_established, "tcp_established", &mut tcp.established),
        (&raw.tcp_fin_wait, "tcp_fin_wait", &mut tcp.fin_wait),
        (&raw.tcp_last_ack, "tcp_last_ack", &mut tcp.last_ack),
        (&raw.tcp_max_retrans, "tcp_max_retrans", &mut tcp.retransmission),
        (&raw.tcp_syn_recv, "tcp_syn_recv", &mut tcp.syn_recv),
        (&raw.tcp_syn_sent, "tcp_syn_sent", &mut tcp.syn_sent),
        (&raw.tcp_syn_sent2, "tcp_syn_sent2", &mut tcp.syn_sent2),
        (&raw.tcp_time_wait, "tcp_time_wait", &mut tcp.time_wait),
        (&raw.tcp_unacknowledged, "tcp_unacknowledged", &mut tcp.unacknowledged),
        (&raw.udp, "udp", udp),
        (&raw.udp_stream, "udp_stream", udp_stream),
    ];
    for (field, key, value) in table {
        *value = scope.seconds(field, key, (SECONDS_MIN, SECONDS_MAX), *value);
    }
}
