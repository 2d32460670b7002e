//! `vswitchd show`: what the running lab is made of and what it counts.
//!
//! Text is in the shape of the kernel's own tools, for eyes that know them; JSON has the fields of
//! [`crate::control::view`].

mod drops;
mod networks;
mod nodes;
mod ports;
mod stats;
mod stp;

pub(super) mod fdb;
pub(super) mod mdb;
pub(super) mod vlan;

use std::io;
use std::process::ExitCode;

use super::args::ShowArgs;
use super::output;
use crate::control::client::{Choice, Client};
use crate::control::view::View;

pub(super) fn run(args: &ShowArgs, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let view = Client::connect(choice)?.show(args.what)?;
    if args.json {
        print_json(&view)?;
    } else {
        output::print(&render(&view, output::colour(&io::stdout())))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The view as text.
pub fn render(view: &View, colour: bool) -> String {
    match view {
        View::Drops(drops) => drops::render(drops, colour),
        View::Fdb(stations) => fdb::render(stations),
        View::Mdb(mdb) => mdb::render(mdb),
        View::Networks(networks) => networks::render(networks, colour),
        View::Nodes(nodes) => nodes::render(nodes, colour),
        View::Ports(ports) => ports::render(ports, colour),
        View::Stats(stats) => stats::render(stats),
        View::Stp(trees) => stp::render(trees, colour),
        View::Vlan(ports) => vlan::render(ports),
    }
}

/// The list itself, as `bridge -j` and `ip -j` print it; which kind it is the user knows, having asked.
fn print_json(view: &View) -> io::Result<()> {
    match view {
        View::Drops(drops) => output::print_json(drops),
        View::Fdb(stations) => output::print_json(stations),
        // `bridge -j mdb show` has a list of one
        View::Mdb(mdb) => output::print_json(&[mdb]),
        View::Networks(networks) => output::print_json(networks),
        View::Nodes(nodes) => output::print_json(nodes),
        View::Ports(ports) => output::print_json(ports),
        View::Stats(stats) => output::print_json(stats),
        View::Stp(trees) => output::print_json(trees),
        View::Vlan(ports) => output::print_json(ports),
    }
}
