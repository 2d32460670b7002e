//! `vswitchd reload`.

use std::process::ExitCode;

use super::output;
use crate::control::client::{Choice, Client};
use crate::control::protocol::{Body, Request};

pub(super) fn run(choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let mut client = Client::connect(choice)?;
    let Body::Lines(lines) = client.request(&Request::Reload)? else {
        return Err(client.unexpected().into());
    };
    output::print(&(lines.join("\n") + "\n"))?;
    Ok(ExitCode::SUCCESS)
}
