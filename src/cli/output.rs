//! Standard output: text or JSON, with colours only where a person is looking.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// Writes a whole text.
///
/// # Errors
/// `BrokenPipe` when the reader went away, which ends the command quietly.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes JSON: on one line for programs, indented for people.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &impl Serialize) -> io::Result<()> {
    let pretty = io::stdout().is_terminal();
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    print(&(text.map_err(io::Error::other)? + "\n"))
}

/// Whether to use colours there: a terminal that can, and a user who has not said no (<https://no-color.org>).
pub fn colour(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && !refused && !dumb
}

/// The text in bold, if `colour`.
pub fn bold(text: &str, colour: bool) -> String {
    if colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}
