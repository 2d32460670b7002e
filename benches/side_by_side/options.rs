//! The command line of the bench.

use std::path::PathBuf;

/// What is to be done, and how thoroughly.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// How long one slice takes: one figure of one system, once.
    pub(crate) seconds: f64,
    /// Only to see that everything works: few stations and sessions, short rests.
    pub(crate) quick: bool,
    /// Parts of the names of the systems that are wanted; all if there are none.
    pub(crate) only: Vec<String>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
}

/// What `--help` says.
const HELP: &str = "\
vswitchd beside a bare relay, the Linux bridge, Open vSwitch and VDE, in one run; its gateway beside the kernel's with
Docker's rules; its core by itself; and what DESIGN section 6 asks for, requirement by requirement.

usage: scripts/bench [--rounds N] [--seconds S] [--only PART]... [--json FILE] [--svg FILE] [--quick]

  --rounds N     how often everything is measured [15]. An interval of 95 % needs 6 rounds; with fewer, no requirement
                 is called met or short
  --seconds S    how long a slice takes: one figure of one system, once [0.15]
  --only PART    only systems with PART in their name, in any case, and what they are compared with; may be repeated
                 (`--only gateway`, `--only tap --only tso`, `--only core` for the walk alone, `--only lab`)
  --json FILE    every figure of every round, all ratios and the requirements, for other programs
  --svg FILE     a chart of the systems beside the bare relay (the README's is benches/side_by_side/chart.svg)
  --quick        does it still work? One round of tiny slices with small tables; its figures mean nothing

How to read it: all systems are up at once, each between two machines of its own, and take turns, so that what
disturbs this machine disturbs all of them. A ratio is taken within a round, of two figures that were measured within
seconds of each other; of the rounds' ratios you see the median, the quartiles, and the interval that holds the true
median with 95 %. A requirement is `met` or `short` if that interval lies on one side of its limit, and `straddles` if
it does not.

Needs root, iproute2 and a C compiler. What else is not installed is skipped, and says so. Everything happens in
namespaces of its own; nothing is left behind, also after Ctrl-C.";

impl Options {
    /// Reads the arguments; `None` if there is nothing to do but what has been said.
    ///
    /// # Errors
    /// A sentence about the argument that is wrong.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        let (mut rounds, mut seconds) = (None, None);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                // how cargo calls every bench
                "--bench" => {}
                "--test" | "--list" => return Ok(None),
                "--help" | "-h" => {
                    println!("{HELP}");
                    return Ok(None);
                }
                "--quick" => options.quick = true,
                "--rounds" => rounds = Some(number(&arg, &value()?, 1.0, 10_000.0)? as usize),
                "--seconds" => seconds = Some(number(&arg, &value()?, 0.01, 60.0)?),
                "--only" => options.only.push(value()?.to_lowercase()),
                "--json" => options.json = Some(value()?.into()),
                "--svg" => options.svg = Some(value()?.into()),
                other => {
                    return Err(format!("unknown argument `{other}`; `scripts/bench --help` tells them all"));
                }
            }
        }
        let default = if options.quick { (1, 0.02) } else { (15, 0.15) };
        (options.rounds, options.seconds) = (rounds.unwrap_or(default.0), seconds.unwrap_or(default.1));
        Ok(Some(options))
    }

    /// Whether what has this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.to_lowercase().contains(part))
    }
}

fn number(name: &str, text: &str, least: f64, most: f64) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or(format!("{name} takes a number from {least} to {most}, not `{text}`"))
}
