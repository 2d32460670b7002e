//! `vswitchd man`: the manual page, from the same text as `--help`.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::args::Cli;
use super::{help, output};

/// A page is read on terminals of 80 columns, indented.
const WIDTH: usize = 72;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    output::print(&String::from_utf8(page()?)?)?;
    Ok(ExitCode::SUCCESS)
}

fn page() -> std::io::Result<Vec<u8>> {
    let command = Cli::command().term_width(WIDTH);
    let man = Man::new(command.clone().disable_help_subcommand(true)).section("8").title("VSWITCHD");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    commands(command).to_writer(&mut page)?;
    for (title, text) in help::SECTIONS {
        let mut section = Roff::new();
        section.control("SH", [title.to_uppercase().as_str()]);
        verbatim(&mut section, text);
        section.to_writer(&mut page)?;
    }
    Ok(page)
}

fn commands(mut command: clap::Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    command.build();
    subcommands(&mut roff, &mut command, "");
    roff
}

/// A section for each, followed by those of its own subcommands.
fn subcommands(roff: &mut Roff, command: &mut clap::Command, before: &str) {
    for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let name = format!("{before}{}", sub.get_name());
        roff.control("SS", [name.as_str()]);
        // rendered apart: clap would wrap the examples, which are lines that shall stay lines
        let examples = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut plain = sub.clone().after_help("");
        verbatim(roff, &format!("{}\n\n{examples}", plain.render_help().to_string().trim_end()));
        subcommands(roff, sub, &format!("{name} "));
    }
}

fn verbatim(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.trim_end().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}
