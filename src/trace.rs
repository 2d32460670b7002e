//! What a walk did, step by step.
//!
//! Every walk is given a [`Trace`]. On the data path it is switched off and each note costs one branch; `explain`
//! switches it on and prints what it finds. The steps name legs and reasons, never text: the words, and the line
//! of the file that decided, are added where the plan is known.

use crate::frame::{Leg, LegIndex, PortId};
use crate::verdict::Reason;
use crate::wire::mac::Mac;

/// One thing that happened on a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The frame arrived at a device.
    Arrive(Leg),
    /// It was delivered to a port.
    Deliver(PortId),
    /// The walk of this branch ended.
    Drop(Reason),
    /// Where the destination was looked up: the leg it is behind, or nowhere.
    Lookup(Mac, Option<LegIndex>),
    /// The source was seen for the first time.
    Learn(Mac),
    /// The source was behind another leg before, and moved.
    Move(Mac, LegIndex),
    /// The source is not remembered, and why not is for the reader of the port's flags.
    NotLearned(Mac),
    /// A copy would have gone to this leg but for the reason.
    Withhold(LegIndex, Reason),
}

/// The steps of one walk; off unless made with [`Trace::on`].
#[derive(Clone, Debug, Default)]
pub struct Trace {
    on: bool,
    steps: Vec<Step>,
}

impl Trace {
    /// Records nothing: for the data path.
    pub const fn off() -> Self {
        Self { on: false, steps: Vec::new() }
    }

    /// Records every step: for `explain` and for tests.
    pub const fn on() -> Self {
        Self { on: true, steps: Vec::new() }
    }

    /// Takes note of a step.
    #[inline]
    pub fn note(&mut self, step: Step) {
        if self.on {
            self.steps.push(step);
        }
    }

    /// What happened, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
