//! `show nodes`: the lab's machines.

use crate::cli::table::{Align, Table};
use crate::control::view::NodeView;

pub(super) fn render(nodes: &[NodeView], colour: bool) -> String {
    let mut table = Table::new([
        ("node", Align::Left),
        ("state", Align::Left),
        ("pid", Align::Right),
        ("netns", Align::Left),
        ("interfaces", Align::Left),
    ]);
    for node in nodes {
        table.row([
            node.name.clone(),
            node.state.clone(),
            node.pid.map_or("-".into(), |pid| pid.to_string()),
            node.netns.clone(),
            node.interfaces.join("\n"),
        ]);
    }
    table.render(colour)
}
