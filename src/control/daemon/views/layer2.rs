//! `show vlan`, `show mdb` and `show stp`.

use std::time::Duration;

use crate::bridge::{
    GroupEntry, PortRole, PortState, RouterEntry, StpLegSummary, StpMode, StpSummary, VlanEntry,
};
use crate::control::plan::Plan;
use crate::control::registry::Registry;
use crate::control::view::{
    GroupView, MdbView, RouterView, SourceView, TreePortView, TreeView, VlanEntryView, VlanView,
};
use crate::engine::Switch;
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

/// Groups and routers, each with the bridge they are known to.
pub(in crate::control::daemon) type Groups =
    (NodeId, Vec<(GroupEntry, Option<Plug>)>, Vec<(RouterEntry, Plug)>);

/// What a bridge knows of groups. To be run on the engine thread.
pub(in crate::control::daemon) fn groups(switch: &Switch, id: NodeId) -> Groups {
    let (fabric, now) = (&switch.fabric, switch.now);
    (id, fabric.groups(id, now), fabric.routers(id, now))
}

/// A tree, with the bridge it is of and when it was looked at.
pub(in crate::control::daemon) type Tree = (NodeId, Time, StpSummary, Vec<(Plug, StpLegSummary)>);

/// The spanning tree of a bridge. To be run on the engine thread.
pub(in crate::control::daemon) fn tree(switch: &Switch, id: NodeId) -> Option<Tree> {
    let (tree, legs) = switch.fabric.tree(id, switch.now)?;
    Some((id, switch.now, tree, legs))
}

/// `show mdb`.
pub(in crate::control::daemon) fn mdb(groups: &[Groups], registry: &Registry) -> MdbView {
    let mut view = MdbView::default();
    for (node, entries, routers) in groups {
        let network = registry.node_name(*node).unwrap_or_default();
        // the host goes by the name of its network
        let name = |plug: Option<Plug>| plug.map_or(Some(network), |plug| registry.plug_name(plug));
        view.mdb.extend(entries.iter().filter_map(|(entry, plug)| Some(group(entry, name(*plug)?, network))));
        let routers: Vec<RouterView> =
            routers.iter().filter_map(|(entry, plug)| Some(router(entry, name(Some(*plug))?))).collect();
        if !routers.is_empty() {
            view.router.insert(network.to_owned(), routers);
        }
    }
    view
}

fn group(entry: &GroupEntry, port: &str, network: &str) -> GroupView {
    let source = |source: &crate::bridge::SourceEntry| SourceView {
        address: source.address.to_string(),
        timer: timer(source.expires.unwrap_or_default()),
    };
    let mode = if entry.exclude { "exclude" } else { "include" };
    GroupView {
        dev: network.to_owned(),
        port: port.to_owned(),
        grp: entry.group.to_string(),
        src: None,
        state: if entry.permanent { "permanent" } else { "temp" }.to_owned(),
        filter_mode: (!entry.sources.is_empty() || !entry.exclude).then(|| mode.to_owned()),
        source_list: entry.sources.iter().map(source).collect(),
        vid: (entry.vid != 0).then_some(entry.vid),
        timer: entry.expires.map(timer),
    }
}

fn router(entry: &RouterEntry, port: &str) -> RouterView {
    RouterView {
        port: port.to_owned(),
        kind: if entry.permanent { "permanent" } else { "temp" }.to_owned(),
        timer: entry.expires.into_iter().flatten().max().map(timer),
    }
}

/// As iproute2 prints what is left of a time.
pub(super) fn timer(left: Duration) -> String {
    format!("{:>4}.{:02}", left.as_secs(), left.subsec_millis() / 10)
}

/// `show stp`: the networks that have a spanning tree.
pub(in crate::control::daemon) fn stp(trees: &[Tree], plan: &Plan, registry: &Registry) -> Vec<TreeView> {
    let has_tree = |(_, _, tree, _): &&Tree| tree.mode != StpMode::Off;
    let view = |(node, now, tree, legs): &Tree| {
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
            topology_changed: tree.last_change.map(|last| (*now - last).as_secs()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{Group, SourceEntry};

    #[test]
    fn groups_are_told_as_bridge_tells_them() {
        let registry = Registry::of_network("lan");
        let host = GroupEntry {
            vid: 10,
            group: Group::Ip("239.1.1.1".parse().expect("an address")),
            leg: None,
            reporter: None,
            exclude: true,
            permanent: false,
            expires: Some(Duration::from_millis(250_123)),
            sources: Vec::new(),
        };
        let source = SourceEntry {
            address: "10.0.0.1".parse().expect("an address"),
            blocked: false,
            permanent: false,
            expires: Some(Duration::from_millis(9500)),
        };
        let picky =
            GroupEntry { vid: 0, exclude: false, sources: vec![source], expires: None, ..host.clone() };
        let groups: Groups = (NodeId(0), vec![(host, None), (picky, None)], Vec::new());
        assert_eq!(
            serde_json::to_string(&mdb(&[groups], &registry)).expect("plain data"),
            concat!(
                r#"{"mdb":[{"dev":"lan","port":"lan","grp":"239.1.1.1","state":"temp","vid":10,"timer":" 250.12"},"#,
                r#"{"dev":"lan","port":"lan","grp":"239.1.1.1","state":"temp","filter_mode":"include","#,
                r#""source_list":[{"address":"10.0.0.1","timer":"   9.50"}]}],"router":{}}"#
            )
        );
    }
}
