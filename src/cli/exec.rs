//! `vswitchd exec`.

use std::process::ExitCode;

use super::args::ExecArgs;
use crate::control::client::Choice;

pub(super) fn run(_args: &ExecArgs, _choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    anyhow::bail!("nodes are on another branch")
}
