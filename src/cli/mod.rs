//! What the user's hands touch: the command line, one file per subcommand.
//!
//! Every command returns its exit code or an error; errors are printed here, in one place, as one sentence and perhaps
//! a hint. Whatever is printed is built first and written in one piece, so that a reader who goes away is noticed.

pub mod args;
pub mod output;
pub mod show;

mod capture;
mod check;
mod clean;
mod completions;
mod edit;
mod exec;
mod explain;
mod failure;
mod fdb;
mod help;
mod man;
mod mdb;
mod monitor;
mod port;
mod progress;
mod reload;
mod run;
mod stream;
mod table;
mod verify;
mod vlan;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::control::client::Choice;
use crate::lab::init;
use args::{Cli, Command, Instance};
pub use failure::{EXIT_CANNOT, EXIT_NO, Failure};

/// Does what the command line says.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == init::SUBCOMMAND) {
        // before anything else: it becomes another program and must have no thread
        return init::main(arguments);
    }
    dispatch(Cli::parse()).unwrap_or_else(|error| failure::report(&error))
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { config, instance, command } = cli;
    match command {
        None => run::run(&file_for("vswitchd", config), &instance),
        Some(Command::Check(args)) => check::run(&file_for("check", args.config.clone().or(config)), &args),
        Some(Command::Verify(args)) => {
            verify::run(&file_for("verify", args.config.clone().or(config)), &args)
        }
        Some(_) if config.is_some() => refuse_file(),
        Some(Command::Capture(args)) => capture::run(&args, instance.choice()),
        Some(Command::Clean(args)) => clean::run(&args),
        Some(Command::Completions { shell }) => completions::run(shell),
        Some(Command::Exec(args)) => exec::run(&args, instance.choice()),
        Some(Command::Explain(args)) => explain::run(&args, instance.choice()),
        Some(Command::Fdb { command }) => fdb::run(&command, instance.choice()),
        Some(Command::Man) => man::run(),
        Some(Command::Mdb { command }) => mdb::run(&command, instance.choice()),
        Some(Command::Monitor(args)) => monitor::run(&args, instance.choice()),
        Some(Command::Port { command }) => port::run(&command, instance.choice()),
        Some(Command::Reload) => reload::run(instance.choice()),
        Some(Command::Show(args)) => show::run(&args, instance.choice()),
        Some(Command::Vlan { command }) => vlan::run(&command, instance.choice()),
    }
}

/// The file, or the end with a usage error.
fn file_for(command: &str, config: Option<PathBuf>) -> PathBuf {
    config.unwrap_or_else(|| {
        let message = format!("`{command}` needs a lab's file: -c FILE");
        Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit()
    })
}

fn refuse_file() -> ! {
    let message = "-c FILE is for running, `check` and `verify`; choose a running lab with --lab NAME";
    Cli::command().error(ErrorKind::ArgumentConflict, message).exit()
}

impl Instance {
    /// As the client wants it.
    pub fn choice(&self) -> Choice<'_> {
        Choice { lab: self.lab.as_deref(), control: self.control.as_deref() }
    }
}
