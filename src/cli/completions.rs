//! `vswitchd completions`: made from the command line's own definition.

use std::process::ExitCode;

use clap::CommandFactory;

use super::args::Cli;
use super::output;

pub(super) fn run(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    // to memory first: the generators panic where they cannot write
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vswitchd", &mut script);
    output::print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
