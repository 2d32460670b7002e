//! `show vlan`: the lines of `bridge vlan show`.

use crate::control::view::{VlanEntryView, VlanView};

/// The kernel's names are no longer than this; ours may be.
const NAME_WIDTH: usize = 16;

pub(super) fn render(ports: &[VlanView]) -> String {
    let longest = ports.iter().map(|port| port.ifname.chars().count()).max().unwrap_or(0);
    let width = longest.max(NAME_WIDTH);
    let mut text = format!("{:<width$}  vlan-id\n", "port");
    for port in ports {
        let mut name = port.ifname.as_str();
        for vlan in &port.vlans {
            text.push_str(&format!("{name:<width$}  {}\n", entry(vlan)));
            // the kernel's tool leaves it out from the second line on
            name = "";
        }
        if port.vlans.is_empty() {
            text.push_str(&format!("{name:<width$}  None\n"));
        }
    }
    text
}

/// `10 PVID Egress Untagged`
pub(in crate::cli) fn entry(entry: &VlanEntryView) -> String {
    std::iter::once(entry.vlan.to_string()).chain(entry.flags.iter().cloned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_vlans_are_listed_as_bridge_lists_them() {
        let vlan = |vlan, flags: &[&str]| VlanEntryView {
            vlan,
            flags: flags.iter().map(ToString::to_string).collect(),
        };
        let port = |name: &str, vlans| VlanView { ifname: name.into(), vlans };
        let ports = [
            port("vm1", vec![vlan(1, &["PVID", "Egress Untagged"]), vlan(10, &[])]),
            port("machine-one:eth0", vec![vlan(20, &["Egress Untagged"])]),
            port("trunk", vec![]),
        ];
        let expected = "\
port              vlan-id
vm1               1 PVID Egress Untagged
                  10
machine-one:eth0  20 Egress Untagged
trunk             None
";
        assert_eq!(render(&ports), expected);
        assert!(
            render(&[port("machine-seventeen", vec![vlan(1, &[])])]).ends_with("\nmachine-seventeen  1\n")
        );
        let json = serde_json::to_string(&ports[0]).expect("plain data");
        assert_eq!(
            json, r#"{"ifname":"vm1","vlans":[{"vlan":1,"flags":["PVID","Egress Untagged"]},{"vlan":10}]}"#,
            "as bridge -j vlan show"
        );
    }
}
