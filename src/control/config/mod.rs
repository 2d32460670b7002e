//! What was written: from the text of a file to a [`Plan`], or to everything that is wrong with it.
//!
//! Three steps, each of which goes on after a fault and only adds to the list: toml's parser recovers from
//! syntax errors and gives a tree with byte ranges; `raw` turns the tree into structs, checking keys and types;
//! the sections (one file each) give them their meaning, checking values, references and what collides. A plan
//! comes out only if nothing is wrong. All of it is a pure function of the text: whether the plan fits this
//! machine is [`super::check`]'s question.
//!
//! No text whatever makes it panic, and its work is bounded by the size of the text.

mod address;
mod counts;
mod diagnostic;
mod expects;
mod fdb;
mod gateways;
mod guards;
mod legs;
mod link_local;
mod links;
mod macs;
mod mdb;
mod multicast;
mod names;
mod networks;
mod nodes;
mod ports;
mod raw;
mod router;
mod rows;
mod scope;
mod segments;
mod stp;
mod suggest;
mod syntax;
mod tables;
mod value;
mod vlans;

pub use diagnostic::{Diagnostic, Diagnostics, Severity, position};

use scope::Scope;
use tables::RawFile;

use crate::control::plan::Plan;
use crate::engine::ENGINES_MAX;

/// What the text means. `stem` is the file's name without its extension, and the lab's unless the text names it.
///
/// # Errors
/// Everything that is wrong, warnings included, in the order of the text.
pub fn parse(text: &str, stem: &str) -> Result<(Plan, Vec<Diagnostic>), Diagnostics> {
    let (tree, broken, mut found) = syntax::parse(text);
    let raw: RawFile = raw::read(tree.get_ref(), 0..0, &mut found);
    if broken {
        // half a file: what is missing may only be unreadable
        return Err(syntax::without_echoes(found, text).sorted());
    }
    let mut scope = Scope::new(text, found);
    let plan = resolve(&mut scope, &raw, stem);
    let found = scope.found.sorted();
    if found.has_errors() { Err(found) } else { Ok((plan, found.into())) }
}

fn resolve(scope: &mut Scope, raw: &RawFile, stem: &str) -> Plan {
    let name = lab_name(scope, raw, stem);
    let (networks, mut ports) = networks::resolve(scope, raw.network.value());
    nodes::claim_names(scope, raw.node.value());
    ports.extend(ports::resolve(scope, raw.port.value(), &networks));
    let (nodes, node_ports) = nodes::resolve(scope, raw.node.value(), &networks);
    ports.extend(node_ports);
    let links = links::resolve(scope, raw.link.value(), &networks);
    let routers = router::resolve(scope, raw.router.value(), &networks);
    segments::check(scope, &links, &ports, &networks);
    let threads = threads(scope, raw);
    let mut plan = Plan { threads, networks, links, routers, ports, nodes, ..Plan::empty(&name) };
    macs::assign(scope, &mut plan);
    counts::check(scope, &plan);
    legs::check_backups(scope, &plan);
    plan.fdb = fdb::resolve(scope, raw.fdb.value(), &plan);
    plan.groups = mdb::resolve(scope, raw.mdb.value(), &plan);
    plan.expects = expects::resolve(scope, raw.expect.value(), &plan);
    plan
}

/// How many engine threads there may be, if that is said.
fn threads(scope: &mut Scope, raw: &RawFile) -> Option<usize> {
    let field = &raw.lab.value()?.threads;
    field.given()?;
    let hint = "networks that no link and no router joins are spread over so many threads";
    Some(scope.whole(field, "threads", 1..=ENGINES_MAX as i64, ENGINES_MAX, hint))
}

fn lab_name(scope: &mut Scope, raw: &RawFile, stem: &str) -> String {
    match raw.lab.value().and_then(|lab| lab.name.given()) {
        Some(name) => {
            names::check_name(scope, name, "the lab's name");
            name.get_ref().clone()
        }
        None => names::from_stem(stem),
    }
}
