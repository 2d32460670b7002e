//! `vswitchd verify`: the lab, brought up where it can touch nothing, and every expectation tried.
//!
//! The process enters namespaces of its own before it starts a thread, hides the runtime directory behind an empty
//! one, runs the lab as `run` would, and then tries the `[[expect]]`s in the order of the file: some look at what
//! earlier ones left behind (an ARP cache, a counter of drops, a member of a group).
//!
//! Of what a protocol has to bring about, it also says how long after `ready` it was seen. As one expectation is tried
//! when the one before it is through, that is the latest it can have been, and exact where they stand in the order in
//! which things happen.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::args::VerifyArgs;
use super::failure::{EXIT_CANNOT, EXIT_NO};
use super::progress::Progress;
use super::run::load_or_report;
use crate::control::daemon::{Daemon, Options};
use crate::control::plan::{Expect, Place, Probe, Seen};
use crate::control::protocol::What;
use crate::control::view::View;
use crate::lab::probe::{self, Members, Outcome};
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
    /// Seconds from the moment the lab was ready until it was seen.
    after: f64,
    /// Whether that is worth a word.
    #[serde(skip)]
    takes_time: bool,
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
    let ready = now();
    let expects = daemon.plan().expects.clone();
    let mut tried = Vec::with_capacity(expects.len());
    let mut members = Members::default();
    let colour = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let progress = Progress::new(!args.json);
    for (index, expect) in expects.iter().enumerate() {
        let what = sentence(expect);
        let waiting = format!("{}/{} {what}", index + 1, expects.len());
        let Outcome { ok, detail } =
            progress.during(&waiting, || settle(expect, &mut daemon, &mut members))?;
        if daemon.is_stopping() {
            writeln!(stderr(), "vswitchd: interrupted")?;
            return Ok(ExitCode::from(EXIT_CANNOT));
        }
        let result = Tried {
            line: expect.line.0,
            expect: what,
            ok: ok == expect.succeed,
            detail,
            after: (ready.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            takes_time: takes_time(&expect.probe),
        };
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

/// Tries one until it is as expected, or its time is up.
fn settle(expect: &Expect, daemon: &mut Daemon, members: &mut Members) -> anyhow::Result<Outcome> {
    // what the nodes print must not fill their pipes meanwhile
    daemon.turn(Some(Duration::ZERO))?;
    let mut outcome = attempt(expect, daemon, members)?;
    // protocols take their time, and the switch has no way to wait for them; the other probes wait themselves
    if matches!(expect.probe, Probe::Mdb { .. } | Probe::Stp { .. }) {
        for _ in 0..expect.timeout.as_millis() / PAUSE.as_millis() {
            if outcome.ok == expect.succeed || daemon.is_stopping() {
                break;
            }
            std::thread::sleep(PAUSE);
            daemon.turn(Some(Duration::ZERO))?;
            outcome = attempt(expect, daemon, members)?;
        }
    }
    daemon.turn(Some(Duration::ZERO))?;
    Ok(outcome)
}

fn attempt(expect: &Expect, daemon: &Daemon, members: &mut Members) -> anyhow::Result<Outcome> {
    Ok(match &expect.probe {
        Probe::Drops { port, reason } => match daemon.view(What::Drops)? {
            View::Drops(drops) => probe::drops(&drops, daemon.plan(), port, *reason),
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
        Probe::Multicast { from, to, at, join } => {
            let Expect { timeout, succeed, .. } = *expect;
            probe::multicast(members, daemon.plan(), (from, *to, at), *join, timeout, succeed)
        }
        Probe::Stp { at, state } => match daemon.view(What::Stp)? {
            View::Stp(trees) => probe::stp(&trees, at, *state),
            _ => unreachable!("a view is of what was asked for"),
        },
        other => probe::run(other, daemon.plan(), expect.timeout, expect.succeed),
    })
}

fn print(tried: &Tried, colour: bool) -> std::io::Result<()> {
    let (mark, code) = if tried.ok { ("✓", "32") } else { ("✗", "31") };
    let mark = if colour { format!("\x1b[{code}m{mark}\x1b[0m") } else { mark.to_owned() };
    let after = if tried.takes_time { format!("after {:.1} s, ", tried.after) } else { String::new() };
    writeln!(stdout(), "{mark} {} ({}, {after}line {})", tried.expect, tried.detail, tried.line)
}

/// What there may have to be waited for: for a spanning tree, for a querier, for members that report.
fn takes_time(probe: &Probe) -> bool {
    matches!(probe, Probe::Mdb { .. } | Probe::Multicast { .. } | Probe::Ping { .. } | Probe::Stp { .. })
}

fn sentence(expect: &Expect) -> String {
    let negation = if expect.succeed { "" } else { ", and must not" };
    format!("{}{negation}", describe(&expect.probe))
}

#[expect(clippy::disallowed_methods, reason = "to say how long things took")]
fn now() -> Instant {
    Instant::now()
}

/// The expectation as a sentence that can be negated by `, and must not`.
fn describe(probe: &Probe) -> String {
    let place = |place: &Place| match place {
        Place::Host => "the host".to_owned(),
        Place::Node(name) => name.clone(),
    };
    let seen = |sees: &Option<Seen>| {
        sees.map_or_else(String::new, |Seen { address, keeps_port }| {
            let port = match keeps_port {
                None => "",
                Some(true) => " with its own port",
                Some(false) => " with another port",
            };
            format!(", which sees it as {address}{port}")
        })
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
        Probe::Multicast { from, to, at, join: true } => {
            format!("{} joins and gets {to} from {}", place(at), place(from))
        }
        Probe::Multicast { from, to, at, join: false } => {
            format!("{} is sent {to} from {} unasked", place(at), place(from))
        }
        Probe::Nat { from, at, kind, .. } => {
            format!("{} is behind a {kind} NAT, seen from {at}", place(from))
        }
        Probe::Ping { from, to, sees } => format!("{} pings {to}{}", place(from), seen(sees)),
        Probe::Route { from, to } => format!("{} has the route {to}", place(from)),
        Probe::Stp { at, state } => format!("{at} is {state}"),
        Probe::Tcp { from, to, sees } => format!("{} talks TCP with {to}{}", place(from), seen(sees)),
        Probe::Udp { from, to, sees } => format!("{} talks UDP with {to}{}", place(from), seen(sees)),
    }
}
