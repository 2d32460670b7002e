//! `vswitchd explain`: the walk of a frame, in words.

use std::io::{self, Read};
use std::process::ExitCode;

use super::args::ExplainArgs;
use super::{Failure, output};
use crate::control::client::{Choice, Client};
use crate::control::protocol::{Body, ExplainStep, Hex, LINE_MAX, Request};

pub(super) fn run(args: &ExplainArgs, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let text = match args.frame.as_slice() {
        [dash] if dash == "-" => read_stdin()?,
        words => words.join(" "),
    };
    let frame: Hex = text.parse().map_err(|error| {
        Failure::cannot(
            format!("the frame is not hexadecimal: {error}"),
            "two digits per byte, as in ff:ff:00:01",
        )
    })?;
    let mut client = Client::connect(choice)?;
    let request = Request::Explain { port: args.port.clone(), frame };
    let Body::Explain(steps) = client.request(&request)? else { return Err(client.unexpected().into()) };
    if args.json {
        output::print_json(&steps)?;
    } else {
        output::print(&render(&steps))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// At most what a request can carry and a little, so that an endless input ends with the right error.
fn read_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().lock().take(2 * LINE_MAX as u64).read_to_string(&mut text)?;
    Ok(text)
}

fn render(steps: &[ExplainStep]) -> String {
    let line = |(index, step): (usize, &ExplainStep)| {
        let source = step.line.map_or(String::new(), |line| format!("  (line {line})"));
        format!("{:>2}. {}{source}\n", index + 1, step.text)
    };
    steps.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_and_name_their_line() {
        let step = |text: &str, line| ExplainStep { text: text.into(), line };
        let steps = [step("arrives at docker0 from vm1", Some(12)), step("dropped: isolated", None)];
        assert_eq!(render(&steps), " 1. arrives at docker0 from vm1  (line 12)\n 2. dropped: isolated\n");
    }
}
