//! `show vlan`, `show mdb` and `show stp`.

use crate::control::plan::Plan;
use crate::control::view::{GroupView, MdbView, TreeView, VlanEntryView, VlanView};
use crate::fabric::VlanEntry;

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

/// `show stp`.
pub(in crate::control::daemon) fn stp(_plan: &Plan) -> Vec<TreeView> {
    Vec::new()
}
