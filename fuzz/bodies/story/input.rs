//! The fuzzer's bytes as a row of choices. Whoever has no more of them chooses zero, so zero is always the plain choice.

use vswitchd::sim::Action;

/// What is left of the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number below `limit`, which is above zero.
    pub(super) fn below(&mut self, limit: u8) -> u8 {
        self.byte() % limit
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// Eight flags.
    pub(super) fn flags(&mut self) -> [bool; 8] {
        let byte = self.byte();
        std::array::from_fn(|bit| byte >> bit & 1 == 1)
    }

    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}

/// What happens next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a fuzzer makes one at a time")]
pub(super) enum Event {
    /// A frame or a change.
    Act(Action),
    /// Time passes, and what becomes due meanwhile is done in time.
    Pass(u64),
    /// Time passes, and nobody does what is due.
    Skip(u64),
    /// What is due is done.
    Tick,
}
