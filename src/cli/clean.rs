//! `vswitchd clean`: removes what killed instances left; running ones are not touched.

use std::process::ExitCode;

use super::args::CleanArgs;
use super::output;
use crate::control::place;
use crate::lab;

pub(super) fn run(args: &CleanArgs) -> anyhow::Result<ExitCode> {
    let dir = place::runtime_dir();
    // without a directory nothing has ever run, and cleaning must not be what makes it
    let found = if dir.exists() { lab::clean(&dir, args.dry_run)? } else { Vec::new() };
    let mut text = String::new();
    for leftover in &found {
        let verb = if args.dry_run { "would remove" } else { "removed" };
        text.push_str(&format!("lab {}: {verb}\n", leftover.lab));
        leftover.steps.iter().for_each(|step| text.push_str(&format!("  {step}\n")));
    }
    if found.is_empty() {
        text.push_str("nothing was left behind\n");
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
