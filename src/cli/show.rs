//! `vswitchd show`: what the running lab is made of and what it counts.
//!
//! Text is in the shape of the kernel's own tools, for eyes that know them; JSON has the fields of
//! [`crate::control::view`].

mod conntrack;
mod drops;
mod gateway;
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

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::args::{Cli, SessionArgs, ShowArgs};
use super::output;
use crate::control::client::{Choice, Client};
use crate::control::protocol::What;
use crate::control::view::View;

pub(super) fn run(args: &ShowArgs, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let is_plain = args.sessions == SessionArgs::default();
    let mut client = match args.what {
        What::Conntrack => return conntrack::run(args, Client::connect(choice)?),
        _ if !is_plain => refuse_options(args.what),
        _ => Client::connect(choice)?,
    };
    let view = client.show(args.what)?;
    if args.json {
        print_json(&view)?;
    } else {
        output::print(&render(&view, output::colour(&io::stdout())))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse_options(what: What) -> ! {
    let message =
        format!("--src, --dst, --proto, --port and --limit are for `show conntrack`, not for {what}");
    Cli::command().error(ErrorKind::ArgumentConflict, message).exit()
}

/// The view as text.
pub fn render(view: &View, colour: bool) -> String {
    match view {
        View::Conntrack(some) => conntrack::render(some),
        View::Drops(drops) => drops::render(drops, colour),
        View::Fdb(stations) => fdb::render(stations),
        View::Mdb(mdb) => mdb::render(mdb),
        View::Neighbors(neighbours) => gateway::neighbours(neighbours),
        View::Networks(networks) => networks::render(networks, colour),
        View::Nodes(nodes) => nodes::render(nodes, colour),
        View::Ports(ports) => ports::render(ports, colour),
        View::Publish(publishes) => gateway::publishes(publishes, colour),
        View::Routers(routers) => gateway::routers(routers, colour),
        View::Routes(routes) => gateway::routes(routes),
        View::Rules(rules) => gateway::rules(rules),
        View::Stats(stats) => stats::render(stats, colour),
        View::Stp(trees) => stp::render(trees, colour),
        View::Vlan(ports) => vlan::render(ports),
    }
}

/// The list itself, as `bridge -j` and `ip -j` print it; which kind it is the user knows, having asked.
fn print_json(view: &View) -> io::Result<()> {
    match view {
        View::Conntrack(some) => output::print_json(some),
        View::Drops(drops) => output::print_json(drops),
        View::Fdb(stations) => output::print_json(stations),
        // `bridge -j mdb show` has a list of one
        View::Mdb(mdb) => output::print_json(&[mdb]),
        View::Neighbors(neighbours) => output::print_json(neighbours),
        View::Networks(networks) => output::print_json(networks),
        View::Nodes(nodes) => output::print_json(nodes),
        View::Ports(ports) => output::print_json(ports),
        View::Publish(publishes) => output::print_json(publishes),
        View::Routers(routers) => output::print_json(routers),
        View::Routes(routes) => output::print_json(routes),
        View::Rules(rules) => output::print_json(rules),
        View::Stats(stats) => output::print_json(stats),
        View::Stp(trees) => output::print_json(trees),
        View::Vlan(ports) => output::print_json(ports),
    }
}
