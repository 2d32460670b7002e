//! The worlds that benches walk in: a bridge with stations, a gateway with sessions; and how to compare them fairly.
//!
//! Shared by the criterion benches, which say what one of them costs, and by the side-by-side bench, which has to say
//! how two of them compare on a machine that others use as well. So nothing here knows criterion.

pub(crate) mod bridge;
pub(crate) mod gateway;

use std::hint::black_box;
use std::time::{Duration, Instant};

use vswitchd::fabric::Fabric;
use vswitchd::frame::{BATCH_MAX, Batch, Frame, PortId};
use vswitchd::time::Time;

/// Bytes of a frame in these worlds: the smallest there is, without its check sequence.
pub(crate) const FRAME: usize = 60;

/// Whether the benches are only tried, so that they may be without optimisation: then little will do.
pub(crate) fn tried() -> bool {
    std::env::args().any(|argument| argument == "--test" || argument == "--quick")
}

/// Frames in small buffers that are handed round, as the edge does.
pub(crate) struct Rounds {
    pub(crate) batch: Batch,
    buffers: Vec<Box<[u8]>>,
}

impl Rounds {
    pub(crate) fn new() -> Self {
        let buffers = (0..BATCH_MAX).map(|_| vec![0; FRAME].into_boxed_slice()).collect();
        Self { batch: Batch::new(), buffers }
    }

    /// A full batch: `each` writes a frame, given its place in the batch, and says which port it comes from.
    pub(crate) fn fill(&mut self, mut each: impl FnMut(usize, &mut [u8]) -> PortId) {
        self.batch.clear(|buffer| self.buffers.push(buffer));
        for index in 0..BATCH_MAX {
            let mut buffer = self.buffers.pop().expect("as many as frames");
            let port = each(index, &mut buffer);
            self.batch.push(Frame::new(buffer, 0, FRAME, port));
        }
    }

    pub(crate) fn run(&mut self, fabric: &mut Fabric, now: Time) {
        fabric.receive(&mut self.batch, now);
        black_box(self.batch.deliveries());
    }
}

/// Batches of one sort, which are filled and then run.
pub(crate) trait Lot {
    fn fill(&mut self);
    fn run(&mut self);
}

/// How long a batch of each lot takes, in each of `turns`: the median of `batches`, half as many having warmed the caches
/// before. The lots take turns, so that what disturbs the machine disturbs all of them; only running is timed.
#[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub(crate) fn interleave(lots: &mut [&mut dyn Lot], turns: usize, batches: usize) -> Vec<Vec<Duration>> {
    let mut medians = vec![Vec::with_capacity(turns); lots.len()];
    let mut times = Vec::with_capacity(batches);
    for _ in 0..turns {
        for (lot, medians) in lots.iter_mut().zip(&mut medians) {
            for _ in 0..batches / 2 {
                lot.fill();
                lot.run();
            }
            times.clear();
            for _ in 0..batches {
                lot.fill();
                let begun = Instant::now();
                lot.run();
                times.push(begun.elapsed());
            }
            times.sort_unstable();
            medians.push(times[batches / 2]);
        }
    }
    medians
}

/// Numbers that look like chance and cost nothing: only that they vary matters.
pub(crate) struct Dice(u32);

impl Dice {
    pub(crate) const fn new() -> Self {
        Self(1)
    }

    /// Below `bound`.
    pub(crate) fn roll(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % bound
    }
}
