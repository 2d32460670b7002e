//! `vswitchd clean`: removes what a killed instance left.

use std::process::ExitCode;

use super::args::CleanArgs;
use super::output;
use crate::control::place;
use crate::lab::{self, Leftover};

pub(super) fn run(args: &CleanArgs) -> anyhow::Result<ExitCode> {
    let dir = place::runtime_dir();
    // without a directory nothing has ever run
    let leftovers = if dir.exists() { lab::clean(&dir, args.dry_run)? } else { Vec::new() };
    output::print(&render(&leftovers, args.dry_run))?;
    Ok(ExitCode::SUCCESS)
}

fn render(leftovers: &[Leftover], dry_run: bool) -> String {
    if leftovers.is_empty() {
        return "nothing to clean\n".into();
    }
    let verb = if dry_run { "would remove" } else { "removed" };
    let mut text = String::new();
    for Leftover { lab, steps } in leftovers {
        text.push_str(&format!("{verb} what lab {lab} left:\n"));
        steps.iter().for_each(|step| text.push_str(&format!("  {step}\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_listed_by_lab() {
        let leftover = Leftover { lab: "docker".into(), steps: vec!["namespace boxA".into()] };
        assert_eq!(render(&[], true), "nothing to clean\n");
        assert_eq!(render(&[leftover], true), "would remove what lab docker left:\n  namespace boxA\n");
    }
}
