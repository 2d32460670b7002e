//! `vswitchd check`: every error of a file, and nothing done about it.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::args::CheckArgs;
use super::{EXIT_NO, output};
use crate::control::config::{self, Diagnostics};
use crate::control::plan::Plan;

pub(super) fn run(file: &Path, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = file.display().to_string();
    let stem = file.file_stem().map_or("lab".into(), OsStr::to_string_lossy);
    let (plan, diagnostics) = match config::parse(&text, &stem) {
        Ok((plan, warnings)) => (Some(plan), Diagnostics::from(warnings)),
        Err(errors) => (None, errors),
    };
    if args.json {
        output::print_json(&diagnostics.to_json(&name, &text))?;
    } else {
        let found = diagnostics.render(&name, &text, output::colour(&io::stderr()));
        io::stderr().write_all(found.as_bytes())?;
        if let Some(plan) = &plan {
            output::print(&format!("{name}: no errors ({})\n", summary(plan)))?;
        }
    }
    Ok(if plan.is_some() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NO) })
}

fn summary(plan: &Plan) -> String {
    let counts = [
        (plan.networks.len(), "network"),
        (plan.ports.len(), "port"),
        (plan.nodes.len(), "node"),
        (plan.expects.len(), "expectation"),
    ];
    let some = counts.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }))
        .collect::<Vec<_>>()
        .join(", ")
}
