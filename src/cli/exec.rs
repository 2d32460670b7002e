//! `vswitchd exec NODE -- CMD…`: becomes the program, in the node.
//!
//! Nothing stands between the program and its terminal: its signals, its exit code and its end are its own.

use std::ffi::OsString;
use std::process::ExitCode;

use super::args::ExecArgs;
use super::failure;
use crate::control::client::{Choice, Client};
use crate::lab::exec::exec;

pub(super) fn run(args: &ExecArgs, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let node = Client::connect(choice)?.node(&args.node)?;
    let shell = || {
        let chosen = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
        chosen.unwrap_or_else(|| OsString::from("/bin/sh"))
    };
    let command = if args.command.is_empty() { vec![shell()] } else { args.command.clone() };
    let error = exec(&node.name, &node.netns, Some(node.pid.cast_signed()), &command);
    let code = error.exit_code();
    failure::report(&error.into());
    Ok(code)
}
