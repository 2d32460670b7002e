//! The program, run as its user runs it.

#![allow(dead_code, reason = "every test crate uses some of it")]

use std::process::{Command, Output, Stdio};

/// The program under test.
pub(crate) const VSWITCHD: &str = env!("CARGO_BIN_EXE_vswitchd");

/// The program with these arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(VSWITCHD);
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// What the program says to these arguments.
pub(crate) fn vswitchd(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program was built")
}

/// What it has written.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program speaks UTF-8")
}
