//! `show networks`: as `brctl show`, a network per row with its ports below each other.

use crate::cli::table::{Align, Table};
use crate::control::view::NetworkView;

pub(super) fn render(networks: &[NetworkView], colour: bool) -> String {
    let mut table = Table::new([
        ("network", Align::Left),
        ("host", Align::Left),
        ("mtu", Align::Right),
        ("ageing", Align::Right),
        ("stations", Align::Right),
        ("features", Align::Left),
        ("interfaces", Align::Left),
    ]);
    for network in networks {
        let interfaces: Vec<String> = network.ports.iter().chain(&network.links).cloned().collect();
        let host = if network.host.is_empty() { "-".into() } else { network.host.join("\n") };
        table.row([
            network.name.clone(),
            host,
            network.mtu.to_string(),
            network.ageing.to_string(),
            format!("{}/{}", network.stations, network.fdb_max),
            features(network),
            interfaces.join("\n"),
        ]);
    }
    table.render(colour)
}

/// What is on, one below the other.
fn features(network: &NetworkView) -> String {
    let named = [(network.vlan_filtering, "vlan_filtering"), (network.mcast_snooping, "mcast_snooping")];
    let stp = (network.stp != "off", network.stp.as_str());
    let on: Vec<&str> =
        [stp].into_iter().chain(named).filter(|(is_on, _)| *is_on).map(|(_, name)| name).collect();
    if on.is_empty() { "-".into() } else { on.join("\n") }
}
