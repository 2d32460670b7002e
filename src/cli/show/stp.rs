//! `show stp`: what `brctl showstp` tells, a port per row.

use crate::cli::output;
use crate::cli::table::{Align, Table};
use crate::control::view::TreeView;

pub(super) fn render(trees: &[TreeView], colour: bool) -> String {
    if trees.is_empty() {
        return "no network has a spanning tree\n".into();
    }
    let blocks: Vec<String> = trees.iter().map(|tree| head(tree, colour) + &ports(tree, colour)).collect();
    blocks.join("\n")
}

fn head(tree: &TreeView, colour: bool) -> String {
    let root = match &tree.root_port {
        None => "this bridge".to_owned(),
        Some(port) => format!("cost {} through {port}", tree.root_path_cost),
    };
    let since = tree.topology_changed.map_or(String::new(), |seconds| format!(", the last {seconds} s ago"));
    let now = if tree.topology_change { ", one is going on" } else { "" };
    let rows = [
        ("bridge id", tree.bridge_id.clone()),
        ("root id", format!("{} ({root})", tree.root_id)),
        (
            "times",
            format!(
                "hello {} s, max age {} s, forward delay {} s",
                tree.hello_time, tree.max_age, tree.forward_delay
            ),
        ),
        ("changes", format!("{}{since}{now}", tree.topology_changes)),
    ];
    let mut text = format!("{} ({})\n", output::bold(&tree.ifname, colour), tree.mode);
    rows.iter().for_each(|(name, value)| text.push_str(&format!("  {name:<10} {value}\n")));
    text
}

fn ports(tree: &TreeView, colour: bool) -> String {
    let mut table = Table::new([
        ("port", Align::Left),
        ("id", Align::Left),
        ("role", Align::Left),
        ("state", Align::Left),
        ("cost", Align::Right),
        ("designated bridge", Align::Left),
        ("port", Align::Left),
        ("cost", Align::Right),
        ("bpdus in", Align::Right),
        ("out", Align::Right),
        ("flags", Align::Left),
    ]);
    for port in &tree.ports {
        let edge = port.edge.then(|| "edge".to_owned());
        table.row([
            port.ifname.clone(),
            port.port_id.clone(),
            port.role.clone(),
            port.state.clone(),
            port.cost.to_string(),
            port.designated_bridge.clone(),
            port.designated_port.clone(),
            port.designated_cost.to_string(),
            (port.rx_bpdu + port.rx_tcn).to_string(),
            (port.tx_bpdu + port.tx_tcn).to_string(),
            edge.iter().chain(&port.flags).cloned().collect::<Vec<_>>().join(", "),
        ]);
    }
    table.render(colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::view::TreePortView;

    #[test]
    fn a_tree_is_a_head_and_a_table() {
        let (here, root) = ("8000.020000000002", "8000.020000000001");
        let port = |name: &str, id: &str, role: &str, state: &str| TreePortView {
            ifname: name.into(),
            role: role.into(),
            state: state.into(),
            cost: 2,
            port_id: id.into(),
            designated_bridge: if role == "root" { root } else { here }.into(),
            designated_port: "8001".into(),
            rx_bpdu: 12,
            rx_tcn: 1,
            ..TreePortView::default()
        };
        let tree = TreeView {
            ifname: "lan".into(),
            mode: "rstp".into(),
            bridge_id: here.into(),
            root_id: root.into(),
            root_path_cost: 2,
            root_port: Some("lan/dmz".into()),
            topology_changes: 3,
            topology_changed: Some(12),
            hello_time: 2,
            max_age: 20,
            forward_delay: 15,
            ports: vec![
                port("lan/dmz", "8001", "root", "forwarding"),
                TreePortView {
                    edge: true,
                    flags: vec!["guard".into()],
                    rx_bpdu: 0,
                    rx_tcn: 0,
                    tx_bpdu: 7,
                    ..port("vm1", "8002", "designated", "learning")
                },
            ],
            ..TreeView::default()
        };
        let expected = "\
lan (rstp)
  bridge id  8000.020000000002
  root id    8000.020000000001 (cost 2 through lan/dmz)
  times      hello 2 s, max age 20 s, forward delay 15 s
  changes    3, the last 12 s ago
port     id    role        state       cost  designated bridge  port  cost  bpdus in  out  flags
lan/dmz  8001  root        forwarding     2  8000.020000000001  8001     0        13    0
vm1      8002  designated  learning       2  8000.020000000002  8001     0         0    7  edge, guard
";
        assert_eq!(render(std::slice::from_ref(&tree), false), expected);
        let root = TreeView { root_port: None, root_id: here.into(), topology_change: true, ..tree };
        let text = render(&[root.clone(), root], false);
        assert!(text.contains("8000.020000000002 (this bridge)"), "{text}");
        assert!(text.contains("12 s ago, one is going on\n"), "{text}");
        assert!(text.contains("\n\nlan (rstp)\n"), "an empty line between networks: {text}");
        assert_eq!(render(&[], false), "no network has a spanning tree\n");
    }
}
