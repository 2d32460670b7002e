//! Buffers to lend to ports.
//!
//! A stack, so that the memory that was used last, and is still in the caches, is lent first. A buffer holds
//! the longest frame there is; most frames are short, and memory nobody wrote to costs nothing.

use crate::frame::BUFFER_SIZE;

/// More than a batch and a port's own reading ahead; what comes back beyond that was a burst.
const KEPT_MAX: usize = 256;

/// Buffers to lend to ports: a stack, so that the warmest memory is lent first. Bounded by what is in flight.
#[derive(Debug)]
pub struct Pool {
    free: Vec<Box<[u8]>>,
}

impl Default for Pool {
    fn default() -> Self {
        Self { free: Vec::with_capacity(KEPT_MAX) }
    }
}

impl Pool {
    /// A buffer of `BUFFER_SIZE` bytes with whatever was in it before.
    pub fn take(&mut self) -> Box<[u8]> {
        self.free.pop().unwrap_or_else(|| vec![0; BUFFER_SIZE].into_boxed_slice())
    }

    /// Takes it back. A buffer of another size, or one too many, is freed.
    pub fn give(&mut self, buffer: Box<[u8]>) {
        if buffer.len() == BUFFER_SIZE && self.free.len() < KEPT_MAX {
            self.free.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_buffer_is_lent_first_and_the_stack_is_bounded() {
        let mut pool = Pool::default();
        let mut first = pool.take();
        first[0] = 7;
        let second = pool.take();
        pool.give(second);
        pool.give(first);
        assert_eq!(pool.take()[0], 7, "what came back last is warm");
        pool.give(vec![0; 60].into_boxed_slice());
        assert_eq!(pool.take().len(), BUFFER_SIZE, "a short buffer would be written past its end");
        for _ in 0..2 * KEPT_MAX {
            pool.give(vec![0; BUFFER_SIZE].into_boxed_slice());
        }
        assert_eq!(pool.free.len(), KEPT_MAX);
    }
}
