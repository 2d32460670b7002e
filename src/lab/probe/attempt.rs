//! Trying until it works or the time is up.

use std::thread;
use std::time::{Duration, Instant};

/// Between two attempts that fail at once.
const PAUSE: Duration = Duration::from_millis(50);

/// A point in time until which to try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    start: Instant,
    end: Instant,
}

impl Deadline {
    /// That long from now.
    pub(super) fn after(time: Duration) -> Self {
        let start = now();
        Self { start, end: start + time }
    }

    /// How long is left, for an attempt that may take `most`; never zero, which to sockets means forever.
    pub(super) fn left(&self, most: Duration) -> Duration {
        self.end.saturating_duration_since(now()).min(most).max(Duration::from_millis(1))
    }

    /// Whether there is nothing left.
    pub(super) fn is_over(&self) -> bool {
        now() >= self.end
    }

    /// The whole of it, in words.
    pub(super) fn total(&self) -> String {
        format!("{} s", (self.end - self.start).as_secs_f64())
    }

    /// Repeats `attempt` until it succeeds; at the end, what it said last. At least once.
    pub(super) fn retry(
        &self,
        mut attempt: impl FnMut() -> Result<String, String>,
    ) -> Result<String, String> {
        loop {
            match attempt() {
                Err(_) if !self.is_over() => thread::sleep(self.left(PAUSE)),
                result => return result,
            }
        }
    }
}

/// A time that was measured, in words.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

#[expect(clippy::disallowed_methods, reason = "probes are tried in real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
