//! The command line, as clap reads it: the one source of `--help`, completions and the man page.

mod live;

pub use live::{FdbCommand, MdbArgs, MdbCommand, MonitorArgs, PortCommand, VlanCommand};

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::help;
use crate::control::protocol::What;
use crate::control::sessions::{Prefix, Protocol};

/// A virtual network lab in one process
///
/// vswitchd reads one TOML file with networks, ports and machines, brings them up, and switches Ethernet frames
/// between them exactly as the Linux bridge would. It can tell why any frame went where it went. When it stops,
/// nothing is left behind.
#[derive(Debug, Parser)]
#[command(
    name = "vswitchd",
    version,
    arg_required_else_help = true,
    subcommand_help_heading = "Commands",
    override_usage = "vswitchd -c FILE\n       vswitchd [OPTIONS] COMMAND",
    after_help = help::MAIN,
    after_long_help = help::main_long()
)]
pub struct Cli {
    /// The lab's file: without a command, run the lab in the foreground
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Which running instance is meant.
    #[command(flatten)]
    pub instance: Instance,

    /// What to do, if not run.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Which running instance is meant.
#[derive(Args, Clone, Debug, Default)]
pub struct Instance {
    /// The running lab of this name; not needed while only one runs
    #[arg(long, value_name = "NAME", global = true, conflicts_with = "control")]
    pub lab: Option<String>,

    /// The control socket itself, instead of /run/vswitchd/NAME.sock
    #[arg(long, value_name = "PATH", global = true)]
    pub control: Option<PathBuf>,
}

/// What to do, if not run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Stream the frames of a port or network as pcapng
    #[command(after_help = help::CAPTURE)]
    Capture(CaptureArgs),

    /// Find every error of a file, touching nothing
    #[command(after_help = help::CHECK)]
    Check(CheckArgs),

    /// Remove what a killed instance left behind
    #[command(after_help = help::CLEAN)]
    Clean(CleanArgs),

    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Run a program in a machine of the lab
    #[command(after_help = help::EXEC)]
    Exec(ExecArgs),

    /// Tell what would happen to a frame, and why
    #[command(after_help = help::EXPLAIN)]
    Explain(ExplainArgs),

    /// Change where stations are in the running lab
    #[command(after_help = help::live::FDB)]
    Fdb {
        /// What to do
        #[command(subcommand)]
        command: FdbCommand,
    },

    /// Print the manual page
    #[command(after_help = help::MAN)]
    Man,

    /// Change who is in which multicast group in the running lab
    #[command(after_help = help::live::MDB)]
    Mdb {
        /// What to do
        #[command(subcommand)]
        command: MdbCommand,
    },

    /// Tell what happens in the running lab, as it happens
    #[command(after_help = help::live::MONITOR)]
    Monitor(MonitorArgs),

    /// Change a port of the running lab
    #[command(after_help = help::live::PORT)]
    Port {
        /// What to do
        #[command(subcommand)]
        command: PortCommand,
    },

    /// Apply the changed file to the running lab
    #[command(after_help = help::RELOAD)]
    Reload,

    /// Show what the running lab is made of and what it counts
    #[command(after_help = help::SHOW)]
    Show(ShowArgs),

    /// Bring the lab up where it touches nothing, and try its expectations
    #[command(after_help = help::VERIFY)]
    Verify(VerifyArgs),

    /// Change which port is in which VLANs in the running lab
    #[command(after_help = help::live::VLAN)]
    Vlan {
        /// What to do
        #[command(subcommand)]
        command: VlanCommand,
    },
}

/// `capture`
#[derive(Args, Debug)]
pub struct CaptureArgs {
    /// A port, a network, or `drops`; without it, list what can be captured
    pub name: Option<String>,

    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,

    /// Keep this many bytes of each frame
    #[arg(short, long, value_name = "BYTES", default_value_t = crate::control::protocol::SNAPLEN_MAX,
          hide_default_value = true, value_parser = clap::value_parser!(u32).range(1..=262_144))]
    pub snaplen: u32,

    /// Stop after this many frames
    #[arg(long, value_name = "FRAMES", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// List what can be captured as JSON
    #[arg(long, conflicts_with_all = ["name", "write", "count"])]
    pub json: bool,
}

/// `check`
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The lab's file
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// `clean`
#[derive(Args, Debug)]
pub struct CleanArgs {
    /// Only say what would be removed
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// `exec`
#[derive(Args, Debug)]
pub struct ExecArgs {
    /// The machine's name in the file
    pub node: String,

    /// The program and its arguments; a shell when absent
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `explain`
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The port the frame would come in on
    pub port: String,

    /// The frame in hexadecimal, from its destination address on; `-` reads it from standard input
    #[arg(required = true, value_name = "HEX")]
    pub frame: Vec<String>,

    /// Print the steps as JSON
    #[arg(long)]
    pub json: bool,
}

/// `show`
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// What to show
    pub what: What,

    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Which sessions.
    #[command(flatten)]
    pub sessions: SessionArgs,
}

/// `show conntrack`: which sessions.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Options of conntrack")]
pub struct SessionArgs {
    /// Only sessions of that protocol: a name or a number
    #[arg(long, value_name = "PROTOCOL")]
    pub proto: Option<Protocol>,

    /// Only sessions that this address has opened, or one of this prefix
    #[arg(long, value_name = "ADDRESS")]
    pub src: Option<Prefix>,

    /// Only sessions that were opened to this address, or to one of this prefix
    #[arg(long, value_name = "ADDRESS")]
    pub dst: Option<Prefix>,

    /// Only sessions with this port at either end
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// At most so many sessions, 1000 unless it is said; 0 is all of them
    #[arg(long, value_name = "SESSIONS")]
    pub limit: Option<usize>,
}

/// `verify`
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The lab's file
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print the results as JSON
    #[arg(long)]
    pub json: bool,
}
