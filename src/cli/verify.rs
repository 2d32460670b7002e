//! `vswitchd verify`: the lab, brought up where it can touch nothing, and every expectation tried.
//!
//! The process enters namespaces of its own before it starts a thread, hides the runtime directory behind an empty
//! one, runs the lab as `run` would, and then tries the `[[expect]]`s in the order of the file: some look at what
//! earlier ones left behind (an ARP cache, a counter of drops).

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::args::VerifyArgs;
use super::failure::{EXIT_CANNOT, EXIT_NO};
use super::run::load_or_report;
use crate::control::daemon::{Daemon, Options};
use crate::control::plan::{Expect, Place, Probe};
use crate::control::protocol::What;
use crate::control::view::View;
use crate::lab::probe::{self, Outcome};
use crate::lab::sandbox;

/// How long to wait before what only the switch knows is looked at again.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of one expectation.
#[derive(Debug, Serialize)]
struct Tried {
    /// The line of the file.
    line: u32,
    /// What was tried.
    expect: String,
    /// Whether it was as expected.
    ok: bool,
    /// What was seen.
    detail: String,
}

pub(super) fn run(file: &Path, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let Some(loaded) = load_or_report(file)? else { return Ok(ExitCode::from(EXIT_NO)) };
    sandbox::enter()?;
    sandbox::hide_runtime()?;
    let options = Options {
        file: file.to_owned(),
        text: loaded.text,
        control: None,
        log: Box::new(|line| {
            // where standard error is closed there is nobody to tell
            let _ = writeln!(stderr(), "{line}");
        }),
    };
    let mut daemon = Daemon::start(loaded.plan, options)?;
    let expects = daemon.plan().expects.clone();
    let mut tried = Vec::with_capacity(expects.len());
    let colour = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for expect in &expects {
        // what the nodes print must not fill their pipes meanwhile
        daemon.turn(Some(Duration::ZERO))?;
        if daemon.is_stopping() {
            writeln!(stderr(), "vswitchd: interrupted")?;
            return Ok(ExitCode::from(EXIT_CANNOT));
        }
        let mut result = attempt(expect, &daemon)?;
        // protocols take their time, and the switch has no way to wait for them
        if matches!(expect.probe, Probe::Mdb { .. } | Probe::Stp { .. }) {
            for _ in 0..expect.timeout.as_millis() / PAUSE.as_millis() {
                if result.ok || daemon.is_stopping() {
                    break;
                }
                std::thread::sleep(PAUSE);
                daemon.turn(Some(Duration::ZERO))?;
                result = attempt(expect, &daemon)?;
            }
        }
        if !args.json {
            print(&result, colour)?;
        }
        tried.push(result);
    }
    daemon.stop()?;
    let missed = tried.iter().filter(|tried| !tried.ok).count();
    if args.json {
        writeln!(stdout(), "{}", serde_json::to_string(&tried)?)?;
    } else if missed > 0 {
        writeln!(stdout(), "{missed} of {} expectations missed", tried.len())?;
    }
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NO) })
}

fn attempt(expect: &Expect, daemon: &Daemon) -> anyhow::Result<Tried> {
    let outcome = match &expect.probe {
        Probe::Drops { port, reason } => match daemon.view(What::Drops)? {
            View::Drops(drops) => probe::drops(&drops, port, *reason),
            _ => unreachable!("a view is of what was asked for"),
        },
        Probe::Fdb { network, node } => match daemon.view(What::Fdb)? {
            View::Fdb(fdb) => probe::fdb(&fdb, daemon.plan(), network, node),
            _ => unreachable!("a view is of what was asked for"),
        },
        Probe::Mdb { network, group, at } => match daemon.view(What::Mdb)? {
            View::Mdb(mdb) => probe::mdb(&mdb, network, *group, at.as_deref()),
            _ => unreachable!("a view is of what was asked for"),
        },
        Probe::Stp { at, state } => match daemon.view(What::Stp)? {
            View::Stp(trees) => probe::stp(&trees, at, *state),
            _ => unreachable!("a view is of what was asked for"),
        },
        other => probe::run(other, daemon.plan(), expect.timeout, expect.succeed),
    };
    let Outcome { ok, detail } = outcome;
    let negation = if expect.succeed { "" } else { ", and must not" };
    Ok(Tried {
        line: expect.line.0,
        expect: format!("{}{negation}", describe(&expect.probe)),
        ok: ok == expect.succeed,
        detail,
    })
}

fn print(tried: &Tried, colour: bool) -> std::io::Result<()> {
    let (mark, code) = if tried.ok { ("✓", "32") } else { ("✗", "31") };
    let mark = if colour { format!("\x1b[{code}m{mark}\x1b[0m") } else { mark.to_owned() };
    writeln!(stdout(), "{mark} {} ({}, line {})", tried.expect, tried.detail, tried.line)
}

/// The expectation as a sentence that can be negated by `, and must not`.
fn describe(probe: &Probe) -> String {
    let place = |place: &Place| match place {
        Place::Host => "the host".to_owned(),
        Place::Node(name) => name.clone(),
    };
    match probe {
        Probe::Arp { from, to } => format!("{} has the owner of {to} in its ARP cache", place(from)),
        Probe::Drops { port, reason } => format!("frames are dropped at {port} because of {reason}"),
        Probe::Fdb { network, node } => format!("{network} has learned {node}"),
        Probe::Interface { from, name } => format!("{} has the interface {name}", place(from)),
        Probe::Mdb { network, group, at } => {
            let at = at.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
            format!("{network} knows a member of {group}{at}")
        }
        Probe::Ping { from, to } => format!("{} pings {to}", place(from)),
        Probe::Route { from, to } => format!("{} has the route {to}", place(from)),
        Probe::Stp { at, state } => format!("{at} is {state}"),
        Probe::Tcp { from, to } => format!("{} talks TCP with {to}", place(from)),
        Probe::Udp { from, to } => format!("{} talks UDP with {to}", place(from)),
    }
}
