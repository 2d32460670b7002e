//! Errors as the user sees them: one sentence, perhaps a hint, and an exit code that scripts can rely on.

use std::io;
use std::process::ExitCode;

use crate::control::client::ClientError;

/// The answer is no: errors in the file, an expectation that does not hold.
pub const EXIT_NO: u8 = 1;
/// It cannot be done.
pub const EXIT_CANNOT: u8 = 3;
/// 128 + SIGPIPE, what a shell reports for a program that wrote to nobody.
const EXIT_PIPE: u8 = 141;

/// An error with a hint.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// One sentence: what is wrong, with the value.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// [`EXIT_CANNOT`] or [`EXIT_NO`].
    pub code: u8,
}

impl Failure {
    /// Something cannot be done, and what to do about that.
    pub fn cannot(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()), code: EXIT_CANNOT }
    }
}

/// Prints the error and says how to exit. Silent when the output's reader went away: nobody asked for more.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    let is_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_pipe) {
        return ExitCode::from(EXIT_PIPE);
    }
    let failure = error.downcast_ref::<Failure>();
    let hint = failure
        .and_then(|failure| failure.hint.clone())
        .or_else(|| error.downcast_ref::<ClientError>().and_then(ClientError::hint));
    // where standard error is closed there is nobody to tell
    let mut text = format!("vswitchd: {}\n", sentence(error));
    if let Some(hint) = hint {
        text.push_str(&format!("hint: {hint}\n"));
    }
    let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes());
    ExitCode::from(failure.map_or(EXIT_CANNOT, |failure| failure.code))
}

/// The error and its causes, each said once: some errors quote their cause themselves.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open it: {source}")]
    struct Quoting {
        source: io::Error,
    }

    #[test]
    fn an_error_does_not_say_its_cause_twice() {
        let cause = || io::Error::other("no such thing");
        let quoting = anyhow::Error::from(Quoting { source: cause() });
        assert_eq!(sentence(&quoting), "cannot open it: no such thing");
        let wrapped = Err::<(), _>(cause()).context("cannot write").expect_err("an error");
        assert_eq!(sentence(&wrapped), "cannot write: no such thing");
    }
}
