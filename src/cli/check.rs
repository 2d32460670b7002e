//! `vswitchd check`: every error of a file, and whether this machine has room for it. Touches nothing.

use std::path::Path;
use std::process::ExitCode;

use super::args::CheckArgs;
use super::failure::EXIT_NO;
use super::output;
use super::run::report;
use crate::control::check::{Inventory, conflicts};
use crate::control::config::Diagnostics;
use crate::control::daemon::{DaemonError, Loaded, load};

pub(super) fn run(file: &Path, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (text, found) = match load(file) {
        Ok(loaded) => everything(loaded),
        Err(DaemonError::Invalid { text, diagnostics }) => (text, diagnostics),
        Err(error) => return Err(error.into()),
    };
    if args.json {
        output::print(&format!("{}\n", found.to_json(&file.display().to_string(), &text)))?;
    } else if found.is_empty() {
        output::print(&format!("{}: no errors\n", file.display()))?;
    } else {
        report(file, &text, &found)?;
    }
    Ok(if found.has_errors() { ExitCode::from(EXIT_NO) } else { ExitCode::SUCCESS })
}

/// Warnings about the file, and what is in the way on this machine.
fn everything(loaded: Loaded) -> (String, Diagnostics) {
    let mut found = loaded.warnings;
    found.extend(conflicts(&loaded.plan, &loaded.text, &Inventory::read(&loaded.plan.name)));
    (loaded.text, found.into())
}
