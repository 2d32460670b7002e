//! `show ports`: the numbers of `ip -s link`, a port per row.

use crate::cli::table::{Align, Table};
use crate::control::view::PortView;

pub(super) fn render(ports: &[PortView], colour: bool) -> String {
    let mut table = Table::new([
        ("port", Align::Left),
        ("network", Align::Left),
        ("kind", Align::Left),
        ("interface", Align::Left),
        ("state", Align::Left),
        ("mtu", Align::Right),
        ("rx frames", Align::Right),
        ("bytes", Align::Right),
        ("drops", Align::Right),
        ("tx frames", Align::Right),
        ("bytes", Align::Right),
        ("drops", Align::Right),
        ("flags", Align::Left),
    ]);
    for port in ports {
        table.row([
            port.name.clone(),
            port.network.clone(),
            port.kind.clone(),
            port.interface.clone(),
            port.state.clone(),
            port.mtu.to_string(),
            port.rx.packets.to_string(),
            port.rx.bytes.to_string(),
            port.rx.dropped.to_string(),
            port.tx.packets.to_string(),
            port.tx.bytes.to_string(),
            port.tx.dropped.to_string(),
            port.flags.join(", "),
        ]);
    }
    table.render(colour)
}
