//! `vswitchd -c FILE`.

use std::path::Path;
use std::process::ExitCode;

use super::args::Instance;

pub(super) fn run(_file: &Path, _instance: &Instance) -> anyhow::Result<ExitCode> {
    anyhow::bail!("the control thread is not on this branch")
}
