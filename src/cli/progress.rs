//! One line on a terminal that says what is waited for, gone again when it has come.

use std::io::{self, IsTerminal, Write, stderr};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// What takes less is not worth a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// Where the terminal does not say how wide it is.
const WIDTH: usize = 80;
/// Back to the start of the line, which is cleared.
const CLEAR: &str = "\r\x1b[K";

/// Whether anybody watches.
#[derive(Debug)]
pub(super) struct Progress {
    shown: bool,
}

impl Progress {
    /// For a person at a terminal; nothing for anybody else, nor if it is not `wanted`.
    pub(super) fn new(wanted: bool) -> Self {
        Self { shown: wanted && stderr().is_terminal() }
    }

    /// Does the work; from one second on, says what is waited for.
    pub(super) fn during<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        if !self.shown {
            return work();
        }
        let (done, waiting) = mpsc::channel::<()>();
        thread::scope(|scope| {
            // without a terminal to write to, nobody is told
            scope.spawn(move || tell(what, &waiting).unwrap_or_default());
            let result = work();
            drop(done);
            result
        })
    }
}

fn tell(what: &str, waiting: &Receiver<()>) -> io::Result<()> {
    let mut seconds = 0;
    while waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
        seconds += 1;
        write!(stderr(), "{CLEAR}{}", line(what, seconds, width()))?;
    }
    if seconds > 0 { write!(stderr(), "{CLEAR}") } else { Ok(()) }
}

/// Not so long that it would wrap: a wrapped line cannot be cleared.
fn line(what: &str, seconds: u32, width: usize) -> String {
    let time = format!(" … {seconds} s");
    let room = width.saturating_sub(time.chars().count() + 1);
    let what: String = what.chars().take(room).collect();
    what + &time
}

fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(stderr());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits() {
        assert_eq!(line("3/7 boxA pings 10.0.0.1", 2, 80), "3/7 boxA pings 10.0.0.1 … 2 s");
        for width in [12, 20, 27, 28] {
            let line = line("boxA pings 10.0.0.1", 10, width);
            assert!(line.chars().count() < width && line.ends_with(" … 10 s"), "{width}: {line}");
        }
    }
}
