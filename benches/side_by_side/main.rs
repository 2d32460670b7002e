//! vswitchd beside its peers, in one run: `scripts/bench` is the way to call it.
//!
//! Every system gets the same two namespaces and the same senders and receivers. Rounds are interleaved in an order
//! drawn anew each time, because a shared machine's speed drifts; what is compared is the ratio to the bare relay
//! *of the same round*, and its spread over the rounds is printed beside its median. No time is ever asserted.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock for a living")]

mod measure;
mod systems;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime};

use measure::Machines;
use systems::{A, B, Programs, Running, System};

/// What a round yields for one system, by the name of the figure.
type Figures = BTreeMap<&'static str, f64>;

const TCP: &str = "TCP Gbit/s";
const TCP4: &str = "TCP ×4 Gbit/s";
const RTT: &str = "RTT µs";
const RTT99: &str = "RTT p99 µs";
const RTT1: &str = "RTT 1 CPU µs";
const CPU: &str = "CPU ns/frame";
const RSS: &str = "RSS MiB";
const COLUMNS: [&str; 7] = [TCP, TCP4, RTT, RTT99, RTT1, CPU, RSS];

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
    let systems: Vec<System> = System::ALL.into_iter().filter(|system| wanted(*system, options)).collect();

    let mut rounds: Vec<BTreeMap<System, Figures>> = Vec::new();
    let mut random = seed();
    for round in 0..options.rounds {
        let mut order = systems.clone();
        shuffle(&mut order, &mut random);
        let mut figures = BTreeMap::new();
        for system in order {
            eprint!("\rround {}/{}: {:<24}", round + 1, options.rounds, system.name());
            let result = measure_one(system, &programs, options);
            figures.insert(system, result.map_err(|e| io::Error::other(format!("{}: {e}", system.name())))?);
        }
        rounds.push(figures);
    }
    eprintln!("\r{:<60}\r", "");
    if options.json {
        print_json(&systems, &rounds)
    } else {
        print_table(&systems, &rounds)
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

fn wanted(system: System, options: &Options) -> bool {
    let chosen = options.only.is_empty()
        || system == System::Relay
        || options.only.iter().any(|part| system.name().to_lowercase().contains(&part.to_lowercase()));
    if let (true, Some(program)) = (chosen, system.needs())
        && Command::new(program).arg("--version").output().is_err()
    {
        eprintln!("SKIPPED: {} ({program} is not installed)", system.name());
        return false;
    }
    chosen
}

fn measure_one(system: System, programs: &Programs, options: &Options) -> io::Result<Figures> {
    let running = Running::start(system, programs)?;
    let pids = running.pids();
    let machines = Machines {
        a: format!("/run/netns/{A}"),
        b: format!("/run/netns/{B}"),
        address_b: "10.77.0.2".parse().map_err(io::Error::other)?,
    };
    let duration = Duration::from_secs_f64(options.seconds);
    let round_trips = (options.seconds * 2000.0) as usize + 10;
    // the first packets teach everybody where everybody is
    measure::round_trip(&machines, 20)?;
    let (rtt, rtt99) = measure::round_trip(&machines, round_trips)?;
    let mut figures = Figures::from([(RTT, rtt), (RTT99, rtt99)]);
    figures.insert(TCP, measure::tcp(&machines, 1, duration)?);
    figures.insert(TCP4, measure::tcp(&machines, 4, duration)?);
    if !pids.is_empty() {
        figures.insert(CPU, measure::cpu_per_frame(&machines, &pids, duration)?);
        figures.insert(RSS, measure::resident_mib(&pids)?);
    }
    measure::confine(&pids, true)?;
    let alone = measure::round_trip(&machines, round_trips);
    measure::confine(&pids, false)?;
    figures.insert(RTT1, alone?.0);
    Ok(figures)
}

fn print_table(systems: &[System], rounds: &[BTreeMap<System, Figures>]) {
    println!(
        "medians of {} rounds; in brackets the ratio to the bare relay of the same round and its quartiles",
        rounds.len()
    );
    for column in COLUMNS {
        println!("\n{column}");
        for system in systems {
            let Some(median) = median_of(rounds, |round| round[system].get(column).copied()) else {
                continue;
            };
            let mut ratios: Vec<f64> = rounds
                .iter()
                .filter_map(|r| Some(r[system].get(column)? / r.get(&System::Relay)?.get(column)?))
                .collect();
            ratios.sort_by(f64::total_cmp);
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|q| quantile(&ratios, q));
            println!("  {:<24} {median:>10.2}   {middle:>6.2} ×  ({low:.2}–{high:.2})", system.name());
        }
    }
}

fn print_json(systems: &[System], rounds: &[BTreeMap<System, Figures>]) {
    let all: Vec<_> = systems
        .iter()
        .map(|system| {
            let figures: Vec<_> = rounds.iter().map(|round| &round[system]).collect();
            serde_json::json!({ "system": system.name(), "rounds": figures })
        })
        .collect();
    println!("{}", serde_json::Value::from(all));
}

fn median_of<T>(rounds: &[T], figure: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let mut values: Vec<f64> = rounds.iter().filter_map(figure).collect();
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| quantile(&values, 0.5))
}

/// Of sorted values, between the two nearest.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = q * last as f64;
    let (low, high) = (sorted[place as usize], sorted[(place as usize + 1).min(last)]);
    low + (high - low) * place.fract()
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
