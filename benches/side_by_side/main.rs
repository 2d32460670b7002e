//! vswitchd beside its peers, in one run: `scripts/bench` is the way to call it, and `scripts/bench --help` the
//! way to learn how to read it.
//!
//! Every system is between two machines of its own, with the same senders and receivers, and all are up at once
//! and take turns (`rounds`), because a shared machine's speed drifts. What is compared is the ratio to the bare relay
//! *of the same round*, and its spread over the rounds is printed beside its median (`report`). The core is
//! measured in the same run, in this process (`core`). At the end stands what DESIGN section 6 asks for, and whether it
//! is met (`report::requirements`). No time is ever asserted.
//!
//! All of it happens in mount and network namespaces of the bench's own, which go with its last process; what files
//! it needs are in a file system in memory that goes with them. Its processes are tied to it, so they end when it
//! ends, also when it is killed.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock for a living")]

mod core;
#[path = "../../tests/common/counting.rs"]
mod counting;
mod figures;
mod lab;
mod measure;
mod options;
mod report;
mod rounds;
mod slices;
mod systems;
#[allow(dead_code, reason = "the criterion benches walk in more of them")]
#[path = "../worlds/mod.rs"]
mod worlds;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use vswitchd::control::place;
use vswitchd::lab::sandbox;

use core::Core;
use figures::{Figure, Subject};
use options::Options;
use report::Report;
use rounds::{Bench, go_on};
use systems::{Programs, Running, System};

/// Somebody wants us to end.
static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            return ExitCode::from(2);
        }
    };
    if !rustix::process::geteuid().is_root() || Command::new("ip").arg("-V").output().is_err() {
        eprintln!("SKIPPED: the side-by-side bench needs root and the `ip` program");
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if INTERRUPTED.load(Ordering::Relaxed) => {
            eprintln!("\nbench: interrupted; nothing is left behind");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("\nbench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED))?;
    }
    // should only cargo be told to end
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    let relay = compile_relay()?;
    sandbox::enter()?;
    // somebody else may run the same bench; and it is a file system of our own
    sandbox::hide_runtime()?;
    measure::count_cpus()?;
    let scratch = place::runtime_dir().join("bench");
    fs::create_dir_all(&scratch)?;
    let crowd = if options.quick { 1_000 } else { 65_536 };
    let programs = Programs { vswitchd: env!("CARGO_BIN_EXE_vswitchd").into(), relay, scratch, crowd };

    let running = start(options, &programs)?;
    let core = options.wants(Subject::Core.name()).then(|| Core::new(options.quick));
    let mut bench = Bench::new(options, &programs, running, core);
    let mut rounds = Vec::new();
    for number in 0..options.rounds {
        let mut round = bench.round(number)?;
        if number == 0 {
            for running in &bench.running {
                let millis = running.start.as_secs_f64() * 1e3;
                round.add(Subject::System(running.system), Figure::Start, millis);
            }
        }
        rounds.push(round);
    }
    tell("");
    eprint!("\r");
    let report = Report::new(&rounds);
    report.print();
    let write = |file: &Option<PathBuf>, text: &dyn Fn() -> String| {
        file.as_ref().map_or(Ok(()), |file| fs::write(file, text()))
    };
    write(&options.json, &|| report.json())?;
    write(&options.svg, &|| report.chart())
}

/// Brings up what is wanted and can be had.
fn start(options: &Options, programs: &Programs) -> io::Result<Vec<Running>> {
    let is_named = |system: System| options.wants(system.name());
    let mut all = Vec::new();
    for system in System::ALL {
        // one that is named brings along what it is compared with, and all are compared with the relay
        let is_base = System::ALL.iter().any(|other| is_named(*other) && other.base() == Some(system));
        let any = System::ALL.into_iter().any(is_named);
        let wanted = is_named(system) || is_base || (system == System::Relay && any);
        if !wanted {
            continue;
        }
        if let Some(why) = system.lacks() {
            note(&format!("SKIPPED: {} ({why})", system.name()));
            continue;
        }
        tell(&format!("up comes {}", system.name()));
        go_on()?;
        match Running::start(system, programs) {
            Ok(running) => all.push(running),
            Err(error) if system.is_ours() || system == System::Relay => {
                return Err(io::Error::other(format!("{}: {error}", system.name())));
            }
            Err(error) => note(&format!("SKIPPED: {} (it did not start: {error})", system.name())),
        }
    }
    go_on()?;
    Ok(all)
}

/// What is being done, in place of what was being done before.
fn tell(what: &str) {
    eprint!("\r{what:<60}");
}

/// What is to be read later, too.
fn note(text: &str) {
    eprintln!("\r{text:<60}");
}

/// Compiles the bare relay, once for all times that it stays as it is.
fn compile_relay() -> io::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/side_by_side/relay.c");
    let relay = Path::new(env!("CARGO_TARGET_TMPDIR")).join("relay");
    let changed = |file: &Path| fs::metadata(file).and_then(|file| file.modified());
    if changed(&relay).is_ok_and(|compiled| changed(&source).is_ok_and(|written| written < compiled)) {
        return Ok(relay);
    }
    // under a name of its own until it is whole: the same bench may be running twice
    let fresh = relay.with_extension(std::process::id().to_string());
    let compiled = Command::new("cc").arg("-O2").arg("-o").arg(&fresh).arg(source).status()?;
    if !compiled.success() {
        return Err(io::Error::other("the bare relay does not compile"));
    }
    fs::rename(&fresh, &relay)?;
    Ok(relay)
}
