//! `vswitchd exec`: this process becomes a program in a node of the lab.

use std::ffi::OsString;
use std::process::ExitCode;

use super::args::ExecArgs;
use super::failure;
use crate::control::client::{Choice, Client};
use crate::lab;

pub(super) fn run(args: &ExecArgs, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let place = Client::connect(choice)?.node(&args.node)?;
    let command = if args.command.is_empty() { vec![shell()] } else { args.command.clone() };
    let error = lab::exec::exec(&place.name, &place.netns, Some(place.pid.cast_signed()), &command);
    let code = error.exit_code();
    failure::report(&error.into());
    Ok(code)
}

fn shell() -> OsString {
    std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into())
}
