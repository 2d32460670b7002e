//! What the rounds say: medians, and ratios between two systems of the same round.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::systems::System;

/// What a round yields for one system, by the name of the figure.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// What a round yields.
pub(crate) type Round = BTreeMap<System, Figures>;

pub(crate) const TCP: &str = "TCP Gbit/s";
pub(crate) const TCP4: &str = "TCP ×4 Gbit/s";
pub(crate) const TCP_IN: &str = "TCP in Gbit/s";
pub(crate) const TCP4_IN: &str = "TCP ×4 in Gbit/s";
pub(crate) const CALLS: &str = "calls /s";
pub(crate) const CALLS_IN: &str = "calls in /s";
pub(crate) const RTT: &str = "RTT µs";
pub(crate) const RTT99: &str = "RTT p99 µs";
pub(crate) const RTT1: &str = "RTT 1 CPU µs";
pub(crate) const CPU_TCP: &str = "CPU µs/Mbit";
pub(crate) const CPU_CALL: &str = "CPU µs/call";
pub(crate) const CPU: &str = "CPU ns/frame";
pub(crate) const RSS: &str = "RSS MiB";
const COLUMNS: [&str; 13] =
    [TCP, TCP4, TCP_IN, TCP4_IN, CALLS, CALLS_IN, RTT, RTT99, RTT1, CPU_TCP, CPU_CALL, CPU, RSS];

/// What is asked of the gateways: what one costs beside one network, and how far we are from the kernel.
const COMPARED: [(&str, System, System); 4] = [
    ("vswitchd, gateway/network", System::VswitchdGateway, System::Vswitchd),
    ("Linux, gateway/network", System::LinuxGateway, System::LinuxBridge),
    ("network, vswitchd/Linux", System::Vswitchd, System::LinuxBridge),
    ("gateway, vswitchd/Linux", System::VswitchdGateway, System::LinuxGateway),
];

pub(crate) fn print_table(systems: &[System], rounds: &[Round]) {
    println!(
        "medians of {} rounds; in brackets the ratio to the bare relay of the same round and its quartiles",
        rounds.len()
    );
    for column in COLUMNS {
        println!("\n{column}");
        for system in systems {
            let figures = sorted(rounds.iter().filter_map(|round| round.get(system)?.get(column).copied()));
            if figures.is_empty() {
                continue;
            }
            let median = quantile(&figures, 0.5);
            let ratio = spread(&sorted(ratios(rounds, column, *system, System::Relay)));
            println!("  {:<24} {median:>10.2}   {ratio}", system.name());
        }
    }
    let compared: Vec<_> =
        COMPARED.iter().filter(|(_, of, to)| [of, to].iter().all(|s| systems.contains(s))).collect();
    if compared.is_empty() {
        return;
    }
    println!(
        "\nThrough a gateway and not, beside Linux and not: ratios of the same round and their quartiles"
    );
    println!(
        "{}",
        compared.iter().fold(format!("  {:<18}", ""), |line, (name, ..)| line + &format!(" {name:>26}"))
    );
    for column in COLUMNS {
        let mut line = format!("  {column:<18}");
        for (_, of, to) in &compared {
            let ratios = sorted(ratios(rounds, column, *of, *to));
            let text = if ratios.is_empty() { String::new() } else { spread(&ratios) };
            line += &format!(" {text:>26}");
        }
        println!("{}", line.trim_end());
    }
}

pub(crate) fn print_json(systems: &[System], rounds: &[Round]) {
    let all = systems.iter().map(|system| {
        let figures: Vec<_> = rounds.iter().filter_map(|round| round.get(system)).collect();
        json!({ "system": system.name(), "rounds": figures })
    });
    let compared = COMPARED.iter().flat_map(|(name, of, to)| {
        COLUMNS.iter().filter_map(move |column| {
            let each: Vec<f64> = ratios(rounds, column, *of, *to).collect();
            let sorted = sorted(each.iter().copied());
            (!sorted.is_empty()).then(|| {
                let [low, median, high] = QUARTILES.map(|q| quantile(&sorted, q));
                json!({
                    "ratio": name, "of": of.name(), "to": to.name(), "figure": column,
                    "median": median, "low": low, "high": high, "rounds": each,
                })
            })
        })
    });
    println!("{}", json!({ "systems": all.collect::<Value>(), "ratios": compared.collect::<Value>() }));
}

const QUARTILES: [f64; 3] = [0.25, 0.5, 0.75];

/// Of every round that has both figures.
fn ratios(rounds: &[Round], column: &str, of: System, to: System) -> impl Iterator<Item = f64> {
    rounds.iter().filter_map(move |round| Some(round.get(&of)?.get(column)? / round.get(&to)?.get(column)?))
}

/// The median of sorted values, and between which quartiles it lies.
fn spread(sorted: &[f64]) -> String {
    let [low, median, high] = QUARTILES.map(|q| quantile(sorted, q));
    format!("{median:>6.2} ×  ({low:.2}–{high:.2})")
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of sorted values, between the two nearest.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = q * last as f64;
    let (low, high) = (sorted[place as usize], sorted[(place as usize + 1).min(last)]);
    low + (high - low) * place.fract()
}
