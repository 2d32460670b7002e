//! `vswitchd __init JSON`: the first moments of a process in a node.
//!
//! The daemon has threads, and between fork and exec a process with threads may do next to nothing. So the daemon
//! starts itself anew with this hidden subcommand, and what is to happen in the child happens here, in an ordinary
//! program with one thread: tie its life to the daemon's, go to the node, become the program.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, getppid, set_parent_process_death_signal, setsid};
use serde::{Deserialize, Serialize};

use super::{exec, netns};

/// The subcommand's name.
pub const SUBCOMMAND: &str = "__init";

/// What is to become of the process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Spec {
    /// The node's name.
    pub(super) node: String,
    /// The namespace's file.
    pub(super) netns: PathBuf,
    /// The daemon.
    pub(super) parent: u32,
    /// The program and its arguments; not empty.
    pub(super) command: Vec<String>,
}

/// Becomes the program that `arguments` (those after the subcommand's name) describe. Returns only if that fails,
/// with what a shell would return.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let spec = arguments.next().and_then(|a| serde_json::from_slice::<Spec>(a.as_encoded_bytes()).ok());
    let Some(spec) = spec else {
        eprintln!(
            "vswitchd: {SUBCOMMAND} is how vswitchd starts programs in nodes; use `vswitchd exec` instead"
        );
        return ExitCode::from(2);
    };
    let error = become_program(&spec);
    eprintln!("vswitchd: {error}");
    error.exit_code()
}

fn become_program(spec: &Spec) -> exec::ExecError {
    let died = || exec::ExecError::setup("stay tied to vswitchd", std::io::Error::other("it is gone"));
    if let Err(e) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return exec::ExecError::setup("tie the process to vswitchd", e.into());
    }
    // if the daemon died before the line above, no signal will come
    if getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()) != Some(spec.parent) {
        return died();
    }
    let entered = netns::open(&spec.netns).map_err(|e| exec::ExecError::setup("open the node", e));
    if let Err(e) = entered.and_then(|netns| exec::settle(&netns, &spec.node)) {
        return e;
    }
    let _ = setsid(); // fails only for a group's leader, which a fresh child is not
    if let Err(e) = rustix::thread::set_no_new_privs(true) {
        return exec::ExecError::setup("give up new privileges", e.into());
    }
    let Some((program, arguments)) = spec.command.split_first() else {
        return exec::ExecError::setup("start a program", std::io::ErrorKind::InvalidInput.into());
    };
    exec::ExecError::program(program.as_ref(), Command::new(program).args(arguments).exec())
}
