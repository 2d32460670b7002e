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
        ("interfaces", Align::Left),
    ]);
    for network in networks {
        let links = network.links.iter().map(|other| format!("(link to {other})"));
        let interfaces: Vec<String> = network.ports.iter().cloned().chain(links).collect();
        let host = if network.host.is_empty() { "-".into() } else { network.host.join("\n") };
        table.row([
            network.name.clone(),
            host,
            network.mtu.to_string(),
            network.ageing.to_string(),
            format!("{}/{}", network.stations, network.fdb_max),
            interfaces.join("\n"),
        ]);
    }
    table.render(colour)
}
