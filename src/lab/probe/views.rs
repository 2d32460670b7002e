//! What only the switch knows, judged from what it shows.

use super::Outcome;
use crate::control::plan::{Netns, Plan};
use crate::control::view::{DropView, StationView};
use crate::verdict::Reason;

/// Whether frames have been dropped at a port for a reason, on their way in or out.
pub fn drops(drops: &[DropView], port: &str, reason: Reason) -> Outcome {
    let here = drops.iter().filter(|d| d.port == port);
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
