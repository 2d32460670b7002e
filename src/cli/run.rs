//! `vswitchd -c FILE`: run the lab in the foreground.
//!
//! Where everything is, and what to try next, goes to standard output and ends with `ready`; what the nodes print and
//! what happens to ports goes to standard error. Without privileges, a lab that needs nothing of the real host runs in
//! a sandbox of its own.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use super::args::Instance;
use super::failure::{EXIT_NO, Failure};
use crate::control::config::Diagnostics;
use crate::control::daemon::{Daemon, DaemonError, Loaded, Options, load};
use crate::control::notify::{State, notify};
use crate::control::place;
use crate::control::plan::{Netns, Plan, Port};
use crate::lab::{self, sandbox};

pub(super) fn run(file: &Path, instance: &Instance) -> anyhow::Result<ExitCode> {
    let started = now();
    let Some(loaded) = load_or_report(file)? else { return Ok(ExitCode::from(EXIT_NO)) };
    if !sandbox::is_privileged() {
        if let Some(need) = loaded.plan.needs_real_host().first() {
            return Err(Failure::cannot(
                format!("{need} belongs to the real host, which takes CAP_NET_ADMIN"),
                "run it as root, or try the lab where it touches nothing: vswitchd verify -c FILE",
            )
            .into());
        }
        // what a killed instance left in a sandbox of its own is out of reach from within ours
        let runtime = place::runtime_dir();
        if runtime.exists() {
            lab::clean(&runtime, false)?;
        }
        sandbox::enter()?;
    }
    let options = Options {
        file: file.to_owned(),
        text: loaded.text.clone(),
        control: instance.control.clone(),
        log: Box::new(|line| {
            // where standard error is closed there is nobody to tell
            let _ = writeln!(stderr(), "{line}");
        }),
    };
    let mut daemon = match Daemon::start(loaded.plan, options) {
        Ok(daemon) => daemon,
        Err(DaemonError::Invalid { text, diagnostics }) => {
            report(file, &text, &diagnostics)?;
            return Ok(ExitCode::from(EXIT_NO));
        }
        Err(error) => return Err(error.into()),
    };
    announce(&daemon, started)?;
    tell(State::Ready);
    daemon.run()?;
    tell(State::Stopping);
    daemon.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the file; prints its warnings, or its errors and returns `None`.
pub(super) fn load_or_report(file: &Path) -> anyhow::Result<Option<Loaded>> {
    match load(file) {
        Ok(loaded) => {
            report(file, &loaded.text, &loaded.warnings.clone().into())?;
            Ok(Some(loaded))
        }
        Err(DaemonError::Invalid { text, diagnostics }) => {
            report(file, &text, &diagnostics)?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn report(file: &Path, text: &str, diagnostics: &Diagnostics) -> std::io::Result<()> {
    let rendered = diagnostics.render(&file.display().to_string(), text, stderr().is_terminal());
    stderr().write_all(rendered.as_bytes())
}

/// A service manager that cannot be reached is no reason to stop.
fn tell(state: State) {
    if let Err(error) = notify(state) {
        let _ = writeln!(stderr(), "vswitchd: cannot tell the service manager: {error}");
    }
}

/// Says where everything is. The last line begins with `ready`.
fn announce(daemon: &Daemon, started: Instant) -> std::io::Result<()> {
    let plan = daemon.plan();
    let mut out = stdout().lock();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    writeln!(
        out,
        "lab {}: {}, {}, {}",
        plan.name,
        count(plan.networks.len(), "network"),
        count(plan.ports.len(), "port"),
        count(plan.nodes.len(), "node"),
    )?;
    writeln!(out, "  control socket     {}", daemon.socket().display())?;
    for port in &plan.ports {
        writeln!(out, "  {:<18} {}", port.name, describe(port))?;
    }
    write!(out, "ready in {} ms", started.elapsed().as_millis())?;
    match hint(plan) {
        Some(hint) => writeln!(out, "; try: {hint}")?,
        None => writeln!(out)?,
    }
    out.flush()
}

fn describe(port: &Port) -> String {
    let place = match &port.netns {
        Netns::Own => String::new(),
        Netns::Named(name) => format!(" in {name}"),
        Netns::Node(node) => format!(" in {node}"),
        Netns::Path(path) => format!(" in {}", path.display()),
    };
    let addresses: Vec<String> = port.interface.address.iter().map(ToString::to_string).collect();
    let addresses = if addresses.is_empty() { String::new() } else { format!(", {}", addresses.join(", ")) };
    format!("{} on {}{place}{addresses}", port.interface.name, port.network)
}

/// A ping between the first two neighbours, or the listing.
fn hint(plan: &Plan) -> Option<String> {
    let in_node = |port: &Port| matches!(port.netns, Netns::Node(_)) && !port.interface.address.is_empty();
    let from = plan.ports.iter().find(|port| in_node(port))?;
    let others = || {
        plan.ports.iter().filter(|port| {
            port.network == from.network && port.name != from.name && !port.interface.address.is_empty()
        })
    };
    let to = others().find(|port| in_node(port)).or_else(|| others().next());
    let Netns::Node(node) = &from.netns else { return None };
    let lab = format!("vswitchd exec {node} --");
    Some(match to.and_then(|port| port.interface.address.first()) {
        Some(address) => format!("{lab} ping -c1 {}", address.addr()),
        None => format!("{lab} sh"),
    })
}

#[expect(clippy::disallowed_methods, reason = "to say how long it took")]
fn now() -> Instant {
    Instant::now()
}
