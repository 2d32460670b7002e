//! `show vlan`, `show mdb` and `show stp`.

use super::Trees;
use crate::bridge::{PortRole, PortState, StpLegSummary, StpMode, StpSummary, VlanEntry};
use crate::control::plan::Plan;
use crate::control::registry::Registry;
use crate::control::view::{GroupView, MdbView, TreePortView, TreeView, VlanEntryView, VlanView};
use crate::frame::{NodeId, Plug};
use crate::time::Time;

impl From<VlanEntry> for VlanEntryView {
    fn from(entry: VlanEntry) -> Self {
        let flags = [(entry.pvid, "PVID"), (entry.untagged, "Egress Untagged")];
        let flags = flags.into_iter().filter(|(is_so, _)| *is_so).map(|(_, flag)| flag.to_owned()).collect();
        Self { vlan: entry.vid, flags }
    }
}

/// `show vlan`: the plan is what the fabric was told, and nothing but the plan changes it. Where VLANs are not told
/// apart there is nothing to show.
pub(in crate::control::daemon) fn vlan(plan: &Plan) -> Vec<VlanView> {
    let filters = |name: &str| plan.network(name).is_some_and(|network| network.bridge.vlan.filtering);
    plan.legs()
        .filter(|leg| filters(leg.network))
        .map(|leg| VlanView {
            ifname: leg.name.to_owned(),
            vlans: leg.settings.vlans.iter().map(|entry| VlanEntryView::from(*entry)).collect(),
        })
        .collect()
}

/// `show mdb`.
pub(in crate::control::daemon) fn mdb(plan: &Plan) -> MdbView {
    let group = |group: &crate::control::plan::StaticGroup| GroupView {
        dev: group.network.clone(),
        port: group.at.clone(),
        grp: group.group.to_string(),
        state: "permanent".into(),
        vid: (group.vlan != 0).then_some(group.vlan),
        ..GroupView::default()
    };
    MdbView { mdb: plan.groups.iter().map(group).collect(), ..MdbView::default() }
}

/// `show stp`: the networks that have a spanning tree.
pub(in crate::control::daemon) fn stp(
    trees: &Trees,
    now: Time,
    plan: &Plan,
    registry: &Registry,
) -> Vec<TreeView> {
    let has_tree = |(_, tree, _): &&(NodeId, StpSummary, Vec<_>)| tree.mode != StpMode::Off;
    let view = |(node, tree, legs): &(NodeId, StpSummary, Vec<(Plug, StpLegSummary)>)| {
        let root_port = legs.iter().find(|(_, leg)| leg.role == PortRole::Root);
        let port = |(plug, leg): &(Plug, StpLegSummary)| port(registry.plug_name(*plug)?, leg, plan);
        TreeView {
            ifname: registry.node_name(*node).unwrap_or_default().to_owned(),
            mode: super::stp_name(tree.mode).to_owned(),
            bridge_id: tree.bridge.to_string(),
            root_id: tree.root.to_string(),
            root_path_cost: tree.root_cost,
            root_port: root_port.and_then(|(plug, _)| registry.plug_name(*plug)).map(str::to_owned),
            topology_change: tree.topology_change,
            topology_changes: tree.topology_changes,
            topology_changed: tree.last_change.map(|last| (now - last).as_secs()),
            hello_time: tree.hello.as_secs(),
            max_age: tree.max_age.as_secs(),
            forward_delay: tree.forward_delay.as_secs(),
            ports: legs.iter().filter_map(port).collect(),
        }
    };
    trees.iter().filter(has_tree).map(view).collect()
}

fn port(name: &str, leg: &StpLegSummary, plan: &Plan) -> Option<TreePortView> {
    let config = plan.settings(name)?.leg.stp;
    let flags =
        [(leg.guarded, "disabled by guard"), (config.bpdu_guard, "guard"), (config.root_block, "root_block")];
    Some(TreePortView {
        ifname: name.to_owned(),
        role: role_name(leg.role).to_owned(),
        state: state_name(leg.state).to_owned(),
        priority: config.priority,
        cost: leg.cost,
        port_id: format!("{:04x}", leg.port.0),
        designated_bridge: leg.designated_bridge.to_string(),
        designated_port: format!("{:04x}", leg.designated_port.0),
        designated_cost: leg.designated_cost,
        edge: leg.edge,
        flags: flags.into_iter().filter(|(is_so, _)| *is_so).map(|(_, flag)| flag.to_owned()).collect(),
        rx_bpdu: leg.received.config + leg.received.rapid,
        tx_bpdu: leg.sent.config + leg.sent.rapid,
        rx_tcn: leg.received.topology_change,
        tx_tcn: leg.sent.topology_change,
    })
}

/// As bridge(8) has it.
pub(in crate::control::daemon) const fn state_name(state: PortState) -> &'static str {
    match state {
        PortState::Blocking => "blocking",
        PortState::Disabled => "disabled",
        PortState::Forwarding => "forwarding",
        PortState::Learning => "learning",
        PortState::Listening => "listening",
    }
}

const fn role_name(role: PortRole) -> &'static str {
    match role {
        PortRole::Alternate => "alternate",
        PortRole::Backup => "backup",
        PortRole::Designated => "designated",
        PortRole::Disabled => "disabled",
        PortRole::Root => "root",
    }
}
