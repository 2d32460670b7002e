//! How long the engine looks for frames before it sleeps.
//!
//! To be woken costs more than a frame: the sender's call has to wake a thread, perhaps on another CPU, and that thread to come out of
//! the kernel. When the next frame comes a few microseconds later anyway (an answer, an acknowledgement, the next request)
//! that is paid for nothing. So after its last frame the engine goes on looking for a while, and lets every other thread that
//! wants the CPU go first each time. For how long it learns as KVM's halt polling does (`virt/kvm/kvm_main.c`):
//! a sleep that was over sooner than it may look makes it more patient, a longer one not patient at all. An idle switch sleeps,
//! and so does one whose frames are far apart.
//!
//! It holds no clock, and never makes anybody wait: whoever has something to do may run at once.

use std::time::Duration;

use crate::time::Time;

/// The longest it looks: as long as a machine that was woken takes to answer. Longer costs CPU, and makes nothing faster.
const MOST: Duration = Duration::from_micros(30);
/// Where patience begins.
const LEAST: Duration = Duration::from_micros(10);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// How long it looks now.
    span: Duration,
    /// Since when there was nothing to do.
    since: Option<Time>,
}

impl Patience {
    /// There is nothing to do: whether to look once more, rather than sleep.
    pub(super) fn looks(&mut self, now: Time) -> bool {
        let since = *self.since.get_or_insert(now);
        now - since < self.span
    }

    /// There is something to do, after a sleep or after looking.
    pub(super) fn met(&mut self, now: Time, slept: bool) {
        let Some(since) = self.since.take().filter(|_| slept) else { return };
        self.span = match now - since {
            waited if waited > MOST => Duration::ZERO,
            waited if waited > self.span => (2 * self.span).clamp(LEAST, MOST),
            _ => self.span,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something comes `micros` after there was nothing to do; whether it was met without a sleep.
    fn wait(patience: &mut Patience, micros: u64) -> bool {
        let at = |micros: u64| Time::from_nanos(micros * 1000);
        let mut now = 0;
        while now < micros && patience.looks(at(now)) {
            now += 1;
        }
        let slept = now < micros;
        patience.met(at(micros), slept);
        !slept
    }

    #[test]
    fn it_grows_with_what_comes_soon_and_goes_with_what_does_not() {
        let mut patience = Patience::default();
        let table = [
            (25, false, "nothing is known yet"),
            (25, false, "ten microseconds are not enough"),
            (25, false, "nor are twenty"),
            (25, true, "thirty are"),
            (30, true, "the most there is"),
            (31, false, "too long a wait to look for"),
            (5, false, "so it sleeps at once"),
            (5, true, "until something comes soon again"),
        ];
        for (step, (micros, met, why)) in table.into_iter().enumerate() {
            assert_eq!(wait(&mut patience, micros), met, "{step}: {why}");
        }
    }

    #[test]
    fn who_is_idle_does_not_look() {
        let mut patience = Patience::default();
        for _ in 0..100 {
            wait(&mut patience, 10_000);
        }
        assert!(!patience.looks(Time::ZERO));
    }
}
