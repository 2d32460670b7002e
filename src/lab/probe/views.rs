//! What only the switch knows, judged from what it shows.

use std::net::IpAddr;

use super::Outcome;
use crate::control::plan::{Netns, Plan, StpState};
use crate::control::view::{DropView, MdbView, StationView, TreeView};
use crate::verdict::Reason;

/// Whether frames have been dropped for a reason, on their way in or out, at a port or an end of a link, or at any of a
/// network.
pub fn drops(drops: &[DropView], plan: &Plan, at: &str, reason: Reason) -> Outcome {
    let is_here = |name: &str| name == at || plan.leg(name).is_some_and(|leg| leg.network == at);
    let here = drops.iter().filter(|d| is_here(&d.port));
    let count: u64 = here.filter(|d| d.reason == reason.name()).map(|d| d.count).sum();
    Outcome { ok: count > 0, detail: format!("{count} dropped") }
}

/// Whether a network has learned every interface that a node has on it.
pub fn fdb(stations: &[StationView], plan: &Plan, network: &str, node: &str) -> Outcome {
    let here = Netns::Node(node.to_owned());
    let ports = plan.ports.iter().filter(|p| p.network == network && p.netns == here);
    let expected: Vec<_> = ports.filter_map(|p| p.interface.mac.map(|mac| (mac, &p.name))).collect();
    let result = match expected.iter().find(|(mac, port)| {
        !stations.iter().any(|s| s.master == network && s.mac == *mac && s.ifname == **port)
    }) {
        Some((mac, port)) => Err(format!("{mac} at {port} is not in it")),
        None if expected.is_empty() => Err(format!("{node} has no interface there")),
        None => Ok(expected.iter().map(|(mac, _)| mac.to_string()).collect::<Vec<_>>().join(", ")),
    };
    result.into()
}

/// Whether a network knows a member of a group, at a certain leg if one is named.
pub fn mdb(mdb: &MdbView, network: &str, group: IpAddr, at: Option<&str>) -> Outcome {
    let members = mdb.mdb.iter().filter(|g| g.dev == network && g.grp.parse() == Ok(group));
    let ports: Vec<&str> = members.map(|g| g.port.as_str()).collect();
    let ok = at.map_or(!ports.is_empty(), |at| ports.contains(&at));
    let detail =
        if ports.is_empty() { "no member".to_owned() } else { format!("members at {}", ports.join(", ")) };
    Outcome { ok, detail }
}

/// Whether a spanning tree has put a leg into a state. RSTP has one name for three of STP's.
pub fn stp(trees: &[TreeView], at: &str, state: StpState) -> Outcome {
    let Some(port) = trees.iter().flat_map(|tree| &tree.ports).find(|port| port.ifname == at) else {
        return Outcome { ok: false, detail: format!("{at} is in no spanning tree") };
    };
    let ok = match state {
        StpState::Discarding => ["blocking", "disabled", "listening"].contains(&port.state.as_str()),
        other => port.state == other.name(),
    };
    let detail = match ok {
        true => format!("{} port", port.role),
        false => format!("it is {}", port.state),
    };
    Outcome { ok, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::view::{GroupView, TreePortView};

    #[test]
    fn drops_are_found_where_they_are_counted() {
        let text = "[[network]]\nname = \"a\"\n[[network]]\nname = \"b\"\n[[link]]\nnetworks = [\"a\", \"b\"]\n\
                    [[port]]\nname = \"p\"\nnetwork = \"a\"\nkind = \"tap\"\n";
        let plan = crate::control::config::parse(text, "any").expect("sound").0;
        let counted = |port: &str, reason: Reason| DropView {
            port: port.into(),
            direction: "out".into(),
            reason: reason.name().into(),
            count: 2,
            explanation: String::new(),
        };
        let seen = [counted("p", Reason::Icc), counted("b/a", Reason::MacLimit), counted("a/b", Reason::Icc)];
        for (at, reason, count) in [
            ("p", Reason::Icc, 2),
            ("p", Reason::MacLimit, 0),
            ("b/a", Reason::MacLimit, 2),
            ("a", Reason::Icc, 4),
            ("a", Reason::MacLimit, 0),
            ("b", Reason::MacLimit, 2),
        ] {
            let outcome = drops(&seen, &plan, at, reason);
            assert_eq!(
                (outcome.ok, outcome.detail),
                (count > 0, format!("{count} dropped")),
                "{at} {reason}"
            );
        }
    }

    #[test]
    fn groups_and_states_are_found() {
        let group: IpAddr = "239.1.1.1".parse().expect("an address");
        let member = GroupView {
            dev: "lan".into(),
            port: "vm1".into(),
            grp: group.to_string(),
            ..GroupView::default()
        };
        let known = MdbView { mdb: vec![member], ..MdbView::default() };
        for (network, at, ok) in [
            ("lan", None, true),
            ("lan", Some("vm1"), true),
            ("lan", Some("vm2"), false),
            ("dmz", None, false),
        ] {
            assert_eq!(mdb(&known, network, group, at).ok, ok, "{network} {at:?}");
        }
        let port = TreePortView { ifname: "vm1".into(), state: "blocking".into(), ..TreePortView::default() };
        let trees = [TreeView { ports: vec![port], ..TreeView::default() }];
        assert!(stp(&trees, "vm1", StpState::Blocking).ok && stp(&trees, "vm1", StpState::Discarding).ok);
        assert!(!stp(&trees, "vm1", StpState::Forwarding).ok && !stp(&trees, "vm2", StpState::Blocking).ok);
    }
}
