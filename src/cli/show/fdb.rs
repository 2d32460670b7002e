//! `show fdb`: the lines of `bridge fdb show`.

use crate::control::view::StationView;

pub(super) fn render(stations: &[StationView]) -> String {
    stations.iter().map(line).collect()
}

fn line(station: &StationView) -> String {
    let StationView { mac, ifname, master, flags, state, .. } = station;
    let mut line = format!("{mac} dev {ifname} master {master}");
    for word in flags.iter().chain([state]).filter(|word| !word.is_empty()) {
        line.push(' ');
        line.push_str(word);
    }
    line + "\n"
}
