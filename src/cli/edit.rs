//! Sends an edit to the running lab and prints what it did.

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::args::Cli;
use super::output;
use crate::control::client::{Choice, Client};
use crate::control::edit::{Edit, Vid};
use crate::control::protocol::{Body, Request};

/// Does what was read from the words behind `command`; words that mean nothing are a mistake in the command line.
pub(super) fn run(
    command: [&str; 2],
    edit: Result<Edit, String>,
    choice: Choice<'_>,
) -> anyhow::Result<ExitCode> {
    let edit = edit.unwrap_or_else(|message| refuse(command, &message));
    let mut client = Client::connect(choice)?;
    let Body::Lines(lines) = client.request(&Request::Edit { edit })? else {
        return Err(client.unexpected().into());
    };
    output::print(&(lines.join("\n") + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The VLAN that was given, by an option or by a word.
pub(super) fn vlan(option: Option<&str>, word: Option<&str>) -> Result<Option<Vid>, String> {
    if let (Some(option), Some(word)) = (option, word) {
        return Err(format!("the VLAN is `{option}` or `{word}`, not both"));
    }
    option
        .or(word)
        .map(|text| text.parse().map_err(|error: crate::control::edit::VidError| error.to_string()))
        .transpose()
}

/// Ends with a usage error of a command of two words.
fn refuse(command: [&str; 2], message: &str) -> ! {
    let mut cli = Cli::command();
    cli.build();
    let found = command.iter().try_fold(&mut cli, |at, name| at.find_subcommand_mut(name));
    match found {
        Some(found) => found.error(ErrorKind::InvalidValue, message).exit(),
        None => Cli::command().error(ErrorKind::InvalidValue, message).exit(),
    }
}

#[cfg(test)]
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
