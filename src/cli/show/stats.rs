//! `show stats`: the books of the whole switch, as a sum whose parts can be checked.

use crate::control::view::StatsView;

pub(super) fn render(stats: &StatsView) -> String {
    let rows: [(&str, u64, &str); 11] = [
        ("frames received", stats.received, ""),
        ("  sent to one port", stats.sent, ""),
        ("  flooded", stats.flooded, ""),
        ("  consumed", stats.consumed, "meant for a device"),
        ("  parked", stats.parked, "waiting for an answer"),
        ("  dropped", stats.dropped, "`show drops` says why"),
        ("copies delivered", stats.delivered, ""),
        ("stations known", stats.stations as u64, ""),
        ("wakeups", stats.wakeups, ""),
        ("batches", stats.batches, ""),
        ("uptime", stats.uptime, "seconds"),
    ];
    let mut text = format!("lab {}\n", stats.lab);
    for (name, number, note) in rows {
        let line = format!("{name:<20} {number:>14}  {note}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
