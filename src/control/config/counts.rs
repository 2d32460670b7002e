//! How much of everything there may be.

use std::collections::HashMap;

use super::scope::Scope;
use crate::control::plan::Plan;
use crate::frame::{LEGS_MAX, PORTS_MAX};

/// Reports one too many port, wire or leg of a network.
pub(super) fn check(scope: &mut Scope, plan: &Plan) {
    if let Some(extra) = plan.ports.get(PORTS_MAX) {
        let span = scope.ports.first(&extra.name).unwrap_or_default();
        scope
            .error(span, "one too many", format!("the lab has {} ports", plan.ports.len()))
            .help(format!("at most {PORTS_MAX}, as the kernel's bridge; split the lab into several files"));
        return;
    }
    let links = plan.links.iter().map(|link| &link.ends[0].name);
    let places = plan.routers.iter().flat_map(|router| &router.interfaces);
    let mut wires = links.chain(places.map(|place| &place.end.name));
    if let Some(extra) = wires.nth(PORTS_MAX) {
        let span = scope.ports.first(extra).unwrap_or_default();
        scope
            .error(
                span,
                "one too many",
                format!("there are more than {PORTS_MAX} links and interfaces of routers"),
            )
            .help("split the lab into several files");
    }
    let mut legs: HashMap<&str, usize> = HashMap::new();
    for leg in plan.legs() {
        let count = legs.entry(leg.network).or_default();
        *count += 1;
        if *count == LEGS_MAX + 1 {
            let span = scope.ports.first(&leg.name.to_owned()).unwrap_or_default();
            let message =
                format!("more than {LEGS_MAX} ports and ends of links on network {:?}", leg.network);
            scope.error(span, "one too many", message).help("move some of them to another network");
        }
    }
}
