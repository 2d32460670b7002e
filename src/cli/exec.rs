//! `vswitchd exec NODE -- CMD…`: becomes the program, in the node.
//!
//! Nothing stands between the program and its terminal: its signals, its exit code and its end are its own.

use std::ffi::OsString;
use std::process::ExitCode;

use super::args::ExecArgs;
use super::failure::Failure;
use crate::control::client::{Choice, Client};
use crate::control::protocol::{Body, Request};
use crate::lab::exec::exec;

pub(super) fn run(args: &ExecArgs, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let mut client = Client::connect(choice)?;
    let Body::Node(node) = client.request(&Request::Node { name: args.node.clone() })? else {
        return Err(Failure::cannot("the switch answered something else", "is it of another version?").into());
    };
    drop(client);
    let shell = || std::env::var_os("SHELL").unwrap_or_else(|| OsString::from("/bin/sh"));
    let command = if args.command.is_empty() { vec![shell()] } else { args.command.clone() };
    let error = exec(&node.name, &node.netns, Some(node.pid.cast_signed()), &command);
    eprintln!("vswitchd: {error}");
    Ok(error.exit_code())
}
