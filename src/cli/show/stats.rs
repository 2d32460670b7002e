//! `show stats`: the books of the whole switch, as a sum whose parts can be checked, and the threads that do the work.

use crate::cli::table::{Align, Table};
use crate::control::view::{EngineView, StatsView};

pub(super) fn render(stats: &StatsView, colour: bool) -> String {
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
    // one of them is the whole switch
    if stats.engines.len() > 1 {
        text.push('\n');
        text.push_str(&engines(&stats.engines, colour));
    }
    text
}

fn engines(engines: &[EngineView], colour: bool) -> String {
    let mut table = Table::new([
        ("thread", Align::Left),
        ("ports", Align::Right),
        ("received", Align::Right),
        ("wakeups", Align::Right),
        ("batches", Align::Right),
        ("networks and routers", Align::Left),
    ]);
    for engine in engines {
        table.row([
            engine.name.clone(),
            engine.ports.to_string(),
            engine.received.to_string(),
            engine.wakeups.to_string(),
            engine.batches.to_string(),
            engine.devices.join("\n"),
        ]);
    }
    table.render(colour)
}
