//! `show fdb`: the lines of `bridge fdb show`.

use crate::control::view::StationView;

pub(super) fn render(stations: &[StationView]) -> String {
    stations.iter().map(|station| line(station) + "\n").collect()
}

/// `02:42:ac:11:00:02 dev vm1 vlan 10 master lan static`
pub(in crate::cli) fn line(station: &StationView) -> String {
    let StationView { mac, ifname, master, flags, state, .. } = station;
    let vlan = station.vlan.map_or(String::new(), |vlan| format!(" vlan {vlan}"));
    let mut line = format!("{mac} dev {ifname}{vlan} master {master}");
    for word in flags.iter().chain([state]).filter(|word| !word.is_empty()) {
        line.push(' ');
        line.push_str(word);
    }
    line
}
