//! vswitchd beside its peers, in one run: `scripts/bench` is the way to call it.
//!
//! Every system gets the same two namespaces and the same senders and receivers. Rounds are interleaved in an order
//! drawn anew each time, because a shared machine's speed drifts; what is compared is the ratio to the bare relay
//! *of the same round*, and its spread over the rounds is printed beside its median. A gateway is also compared with
//! the same system without one, and with the other gateway. No time is ever asserted.
//!
//! All of it happens in mount and network namespaces of the bench's own, which go with its last process. It takes
//! down what it has set up before it ends, also when it is told to end.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock for a living")]

mod measure;
mod report;
mod systems;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use vswitchd::lab::sandbox;

use measure::{Amount, Way};
use report::{Figures, Round};
use systems::{A, ADDRESS_OF_A, ADDRESS_OF_B, B, Programs, Running, System};

/// Somebody wants us to end.
static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

struct Options {
    rounds: usize,
    seconds: f64,
    json: bool,
    only: Vec<String>,
}

fn main() -> ExitCode {
    let options = match options() {
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

/// `None` when cargo only lists or compiles.
fn options() -> Result<Option<Options>, String> {
    let mut options = Options { rounds: 5, seconds: 2.0, json: false, only: Vec::new() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = |what: &str| args.next().ok_or(format!("{what} needs a value"));
        match arg.as_str() {
            "--bench" => {}
            "--test" | "--list" => return Ok(None),
            "--json" => options.json = true,
            "--rounds" => {
                options.rounds = value("--rounds")?.parse().map_err(|_| "--rounds takes a number")?
            }
            "--seconds" => {
                options.seconds = value("--seconds")?.parse().map_err(|_| "--seconds takes a number")?
            }
            "--only" => options.only.push(value("--only")?),
            other => {
                return Err(format!(
                    "unknown argument `{other}` (there are --rounds N, --seconds S, --only PART-OF-NAME, --json)"
                ));
            }
        }
    }
    Ok(Some(options))
}

fn run(options: &Options) -> io::Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED))?;
    }
    // should only cargo be told to end
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    sandbox::enter()?;
    // somebody else may run the same bench
    sandbox::hide_runtime()?;
    measure::count_cpus()?;
    let scratch = std::env::temp_dir().join(format!("vswitchd-bench-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let _scratch = Scratch(scratch.clone());
    let relay = scratch.join("relay");
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/side_by_side/relay.c");
    let compiled = Command::new("cc").arg("-O2").arg("-o").arg(&relay).arg(source).status()?;
    if !compiled.success() {
        return Err(io::Error::other("the bare relay does not compile"));
    }
    let programs = Programs { vswitchd: env!("CARGO_BIN_EXE_vswitchd").into(), relay, scratch };
    let systems: Vec<System> = System::ALL.into_iter().filter(|system| usable(*system, options)).collect();

    let mut rounds: Vec<Round> = Vec::new();
    let mut random = seed();
    for round in 0..options.rounds {
        let mut order = systems.clone();
        shuffle(&mut order, &mut random);
        let mut figures = Round::new();
        for system in order {
            eprint!("\rround {}/{}: {:<24}", round + 1, options.rounds, system.name());
            let result = measure_one(system, &programs, options);
            figures.insert(system, result.map_err(|e| io::Error::other(format!("{}: {e}", system.name())))?);
        }
        rounds.push(figures);
    }
    eprintln!("\r{:<60}\r", "");
    if options.json {
        report::print_json(&systems, &rounds)
    } else {
        report::print_table(&systems, &rounds)
    }
    Ok(())
}

/// A directory that goes with us, however we go.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn usable(system: System, options: &Options) -> bool {
    let is_named = |system: System| {
        options.only.iter().any(|part| system.name().to_lowercase().contains(&part.to_lowercase()))
    };
    // a gateway brings along what it is compared with, and so does everything
    let is_base = || System::ALL.iter().any(|s| is_named(*s) && s.without_gateway() == Some(system));
    let wanted = options.only.is_empty() || system == System::Relay || is_named(system) || is_base();
    if let (true, Some(why)) = (wanted, system.lacks()) {
        eprintln!("SKIPPED: {} ({why})", system.name());
        return false;
    }
    wanted
}

fn measure_one(system: System, programs: &Programs, options: &Options) -> io::Result<Figures> {
    let running = Running::start(system, programs)?;
    let pids = running.pids();
    let [a, b] = [A, B].map(|netns| format!("/run/netns/{netns}"));
    let out = Way { client: a.clone(), server: b.clone(), address: ADDRESS_OF_B };
    let back = Way { client: b, server: a, address: ADDRESS_OF_A };
    let duration = Duration::from_secs_f64(options.seconds);
    let round_trips = (options.seconds * 2000.0) as usize + 10;
    // the first packets teach everybody where everybody is
    measure::round_trip(&out, 20)?;
    let (rtt, rtt99) = measure::round_trip(&out, round_trips)?;
    let mut figures = Figures::from([(report::RTT, rtt), (report::RTT99, rtt99)]);
    for (name, way, streams) in [
        (report::TCP, &out, 1),
        (report::TCP4, &out, 4),
        (report::TCP_IN, &back, 1),
        (report::TCP4_IN, &back, 4),
    ] {
        let (gigabits, cpu) = watched(&pids, || measure::tcp(way, streams, duration))?;
        figures.insert(name, gigabits.per_second);
        if name == report::TCP && !pids.is_empty() {
            figures.insert(report::CPU_TCP, cpu / 1e6 / gigabits.total);
        }
    }
    for (name, way) in [(report::CALLS, &out), (report::CALLS_IN, &back)] {
        let (calls, cpu) = watched(&pids, || measure::calls(way, duration))?;
        figures.insert(name, calls.per_second);
        if name == report::CALLS && !pids.is_empty() {
            figures.insert(report::CPU_CALL, cpu / 1e3 / calls.total);
        }
    }
    go_on()?;
    if !pids.is_empty() {
        figures.insert(report::CPU, measure::cpu_per_frame(&out, &pids, duration)?);
        figures.insert(report::RSS, measure::resident_mib(&pids)?);
    }
    measure::confine(&pids, true)?;
    let alone = measure::round_trip(&out, round_trips);
    measure::confine(&pids, false)?;
    figures.insert(report::RTT1, alone?.0);
    go_on()?;
    Ok(figures)
}

/// Measures, and beside it the nanoseconds of CPU that the processes spend meanwhile: a busy machine changes speeds
/// much, and what something costs little.
fn watched(pids: &[u32], work: impl FnOnce() -> io::Result<Amount>) -> io::Result<(Amount, f64)> {
    go_on()?;
    let before = measure::cpu_nanos(pids)?;
    let amount = work()?;
    Ok((amount, (measure::cpu_nanos(pids)? - before) as f64))
}

fn go_on() -> io::Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    Ok(())
}

fn seed() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64 | 1)
}

/// Fisher and Yates, with xorshift: the order needs to vary, not to be unpredictable.
fn shuffle<T>(items: &mut [T], random: &mut u64) {
    for index in (1..items.len()).rev() {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        items.swap(index, (*random % (index as u64 + 1)) as usize);
    }
}
