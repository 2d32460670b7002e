//! What a user changed, told leg by leg: two plans compared. Frames change neither settings nor VLANs.

use crate::bridge::VlanEntry;
use crate::control::event::Happening;
use crate::control::plan::{LegView, Plan};
use crate::control::setting;
use crate::control::view::VlanEntryView;

/// What differs, each with whether it is gone.
pub(super) fn changes(old: &Plan, new: &Plan) -> Vec<(bool, Happening)> {
    let mut found = Vec::new();
    let twin = |plan: &Plan, leg: &LegView<'_>| {
        plan.leg(leg.name).filter(|twin| twin.network == leg.network).map(|twin| twin.settings.clone())
    };
    for leg in old.legs() {
        let now = twin(new, &leg).unwrap_or_default();
        let gone = leg.settings.vlans.iter().filter(|entry| now.vlan(entry.vid).is_none());
        found.extend(gone.map(|entry| (true, vlan(&leg, entry))));
    }
    for leg in new.legs() {
        let before = twin(old, &leg).unwrap_or_default();
        let differs = setting::differences(&before.leg, &leg.settings.leg);
        let backup = setting::Setting::BackupPort(leg.settings.backup.clone());
        let backup = (before.backup != leg.settings.backup).then_some(backup);
        let flags: Vec<String> = differs.iter().chain(&backup).map(ToString::to_string).collect();
        if !flags.is_empty() {
            let (ifname, master) = (leg.name.to_owned(), leg.network.to_owned());
            found.push((false, Happening::Link { ifname, master, state: String::new(), flags }));
        }
        let came = leg.settings.vlans.iter().filter(|entry| before.vlan(entry.vid) != Some(**entry));
        found.extend(came.map(|entry| (false, vlan(&leg, entry))));
    }
    found
}

fn vlan(leg: &LegView<'_>, entry: &VlanEntry) -> Happening {
    Happening::Vlan { ifname: leg.name.to_owned(), entry: VlanEntryView::from(*entry) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::config::parse;
    use crate::control::event::EventView;

    const FILE: &str = r#"
        [[network]]
        name = "lan"
        vlan_filtering = true
        [[port]]
        name = "vm1"
        kind = "tap"
        network = "lan"
    "#;

    #[test]
    fn settings_and_vlans_that_differ_are_told() {
        let (old, _) = parse(FILE, "lab").expect("a lab");
        let mut new = old.clone();
        let settings = new.settings_mut("vm1").expect("a port");
        settings.leg.isolated = true;
        settings.backup = Some("vm2".into());
        settings.add_vlan(VlanEntry { vid: 10, pvid: true, untagged: false });
        let lines = |old: &Plan, new: &Plan| {
            let line = |(deleted, happened): (bool, Happening)| {
                serde_json::to_string(&EventView { time: 1.5, deleted, happened }).expect("plain data")
            };
            changes(old, new).into_iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(
            lines(&old, &new),
            [
                r#"{"time":1.5,"event":"link","ifname":"vm1","master":"lan","state":"","flags":["isolated on","backup_port vm2"]}"#,
                r#"{"time":1.5,"event":"vlan","ifname":"vm1","vlan":1,"flags":["Egress Untagged"]}"#,
                r#"{"time":1.5,"event":"vlan","ifname":"vm1","vlan":10,"flags":["PVID"]}"#,
            ]
        );
        assert_eq!(
            lines(&new, &old),
            [
                r#"{"time":1.5,"deleted":true,"event":"vlan","ifname":"vm1","vlan":10,"flags":["PVID"]}"#,
                r#"{"time":1.5,"event":"link","ifname":"vm1","master":"lan","state":"","flags":["isolated off","backup_port none"]}"#,
                r#"{"time":1.5,"event":"vlan","ifname":"vm1","vlan":1,"flags":["PVID","Egress Untagged"]}"#,
            ]
        );
        assert!(lines(&old, &old).is_empty());
    }
}
