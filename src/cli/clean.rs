//! `vswitchd clean`.

use std::process::ExitCode;

use super::args::CleanArgs;

pub(super) fn run(_args: &CleanArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("nodes are on another branch")
}
