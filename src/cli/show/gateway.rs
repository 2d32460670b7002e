//! `show routers`, `show routes`, `show neighbors`, `show rules` and `show publish`.

use crate::cli::output;
use crate::cli::table::{Align, Table};
use crate::control::view::{
    GatewayView, InterfaceView, NeighbourView, PublishView, RouteView, RuleView, UsageView,
};

/// `show routers`: a block for each.
pub(super) fn routers(routers: &[GatewayView], colour: bool) -> String {
    if routers.is_empty() {
        return "the lab has no routers\n".into();
    }
    let blocks: Vec<String> = routers.iter().map(|router| block(router, colour)).collect();
    blocks.join("\n")
}

fn block(router: &GatewayView, colour: bool) -> String {
    let counts = format!(": {} routes, {} neighbors\n", router.routes, router.neighbors);
    let mut text = output::bold(&router.name, colour) + &counts;
    text.push_str(&indented(&interfaces(&router.interfaces)));
    text.push_str(&indented(&match &router.conntrack {
        Some(usage) => sessions(usage),
        None => "follows no flows: it only routes\n".to_owned(),
    }));
    let GatewayView { incomplete, unreachable, unsent, untold, unlogged, .. } = router;
    let counters = format!(
        "incomplete {incomplete}  unreachable {unreachable}  unsent {unsent}  untold {untold}  unlogged {unlogged}"
    );
    text + &indented(&counters)
}

/// As `ip -br addr`, with the role where that has the state.
fn interfaces(interfaces: &[InterfaceView]) -> String {
    let mut table = Table::new([
        ("interface", Align::Left),
        ("role", Align::Left),
        ("mac", Align::Left),
        ("mtu", Align::Right),
        ("addresses", Align::Left),
        ("flags", Align::Left),
    ]);
    for interface in interfaces {
        table.row([
            interface.name.clone(),
            interface.role.clone(),
            interface.mac.to_string(),
            interface.mtu.to_string(),
            interface.addresses.join("\n"),
            interface.flags.join("\n"),
        ]);
    }
    table.render(false)
}

/// Who fills the table: the guests with the most sessions.
fn sessions(usage: &UsageView) -> String {
    let mut text = format!("{} of {} sessions\n", usage.count, usage.max);
    let width = usage.holders.first().map_or(0, |most| most.sessions.to_string().len());
    for holder in &usage.holders {
        text.push_str(&format!("  {:>width$} opened by {}\n", holder.sessions, holder.port));
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// `show routes`: the lines of `ip route`.
pub(super) fn routes(routes: &[RouteView]) -> String {
    routes.iter().map(|route| route.text.clone() + "\n").collect()
}

/// `show neighbors`: the lines of `ip neighbour`.
pub(super) fn neighbours(neighbours: &[NeighbourView]) -> String {
    neighbours.iter().map(|neighbour| neighbour.text.clone() + "\n").collect()
}

/// `show rules`: what iptables and ip6tables would print, each list under the command for it.
pub(super) fn rules(rules: &[RuleView]) -> String {
    let is_same =
        |a: &RuleView, b: &RuleView| (&a.router, &a.family, &a.table) == (&b.router, &b.family, &b.table);
    let list = |rules: &[RuleView]| {
        let lines: String = rules.iter().map(|rule| rule.text.clone() + "\n").collect();
        format!("# {}: {}\n{lines}", rules[0].router, command(&rules[0]))
    };
    rules.chunk_by(is_same).map(list).collect::<Vec<_>>().join("\n")
}

fn command(rule: &RuleView) -> String {
    let program = if rule.family == "ipv6" { "ip6tables" } else { "iptables" };
    match rule.table.as_str() {
        "filter" => format!("{program} -v -S"),
        table => format!("{program} -t {table} -v -S"),
    }
}

/// `show publish`: `docker ps` has the arrows, the rest is in columns.
pub(super) fn publishes(publishes: &[PublishView], colour: bool) -> String {
    let mut table = Table::new([
        ("router", Align::Left),
        ("published", Align::Left),
        ("from", Align::Left),
        ("flows", Align::Right),
        ("bytes", Align::Right),
        ("let in", Align::Right),
        ("bytes", Align::Right),
        ("line", Align::Right),
    ]);
    for publish in publishes {
        table.row([
            publish.router.clone(),
            arrow(publish),
            if publish.allow_from.is_empty() { "everybody".into() } else { publish.allow_from.join("\n") },
            publish.translated.packets.to_string(),
            publish.translated.bytes.to_string(),
            publish.accepted.packets.to_string(),
            publish.accepted.bytes.to_string(),
            publish.line.to_string(),
        ]);
    }
    table.render(colour)
}

/// `192.168.178.27:80->172.17.0.2:80/tcp`
fn arrow(publish: &PublishView) -> String {
    let host =
        |address: &str| if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let PublishView { listen, port, to, to_port, protocol, .. } = publish;
    format!("{}:{port}->{}:{to_port}/{protocol}", host(listen), host(to))
}
