//! A bare fabric that stories are told to, one action at a time.

use super::world::written;
use crate::fabric::{Change, ChangeError, Fabric};
use crate::frame::{Batch, End, Frame, PortId};
use crate::sim::Action;
use crate::time::Time;

/// A fabric and its clock.
#[derive(Debug)]
pub struct Stage {
    /// The fabric.
    pub fabric: Fabric,
    /// The time.
    pub now: Time,
    batch: Batch,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The change was made, or refused.
    Changed(Result<(), ChangeError>),
    /// Time passed.
    Passed,
    /// This left through which port, in ascending order, and so the frame ended.
    Received(Vec<(PortId, Vec<u8>)>, End),
}

impl Default for Stage {
    fn default() -> Self {
        Self { fabric: Fabric::new([1, 2]), now: Time::ZERO, batch: Batch::new() }
    }
}

impl Stage {
    /// Does it.
    pub fn tell(&mut self, action: &Action) -> Outcome {
        match action {
            Action::Change(change) => Outcome::Changed(self.change(change.clone())),
            Action::Frame(port, bytes) => {
                let (outputs, end) = self.exchange(*port, bytes);
                Outcome::Received(outputs, end)
            }
            Action::Wait(duration) => {
                self.now = self.now + *duration;
                Outcome::Passed
            }
        }
    }

    /// Makes a change.
    pub fn change(&mut self, change: Change) -> Result<(), ChangeError> {
        self.fabric.apply(change, self.now)
    }

    /// Lets the fabric do what is due, and says what it sends through which port.
    ///
    /// # Panics
    /// If it never gets done, or the books do not balance.
    pub fn tick(&mut self) -> Vec<(PortId, Vec<u8>)> {
        const CALLS: usize = 1000;
        let mut outputs = Vec::new();
        for _ in 0..CALLS {
            if self.fabric.deadline().is_none_or(|due| due > self.now) {
                return outputs;
            }
            self.fabric.tick(self.now, &mut self.batch);
            outputs.append(&mut self.take());
        }
        panic!("at {} the fabric asks for the same moment for ever", self.now);
    }

    /// Where a frame leaves, and how it ends.
    ///
    /// # Panics
    /// If a frame would leave through one port twice, or the books do not balance.
    pub fn receive(&mut self, port: PortId, bytes: &[u8]) -> (Vec<PortId>, End) {
        let (written, end) = self.exchange(port, bytes);
        let ports: Vec<_> = written.into_iter().map(|(port, _)| port).collect();
        assert!(ports.is_sorted_by(|a, b| a < b), "twice out of one port: {ports:?}");
        (ports, end)
    }

    /// What leaves through which port, in ascending order, when a frame enters, and how that frame ends.
    ///
    /// # Panics
    /// If the books do not balance.
    pub fn exchange(&mut self, port: PortId, bytes: &[u8]) -> (Vec<(PortId, Vec<u8>)>, End) {
        self.batch.push(Frame::copy_of(bytes, port));
        self.fabric.receive(&mut self.batch, self.now);
        let end = self.batch.ends()[0];
        (self.take(), end)
    }

    /// What is in the batch, in order; it is empty afterwards.
    fn take(&mut self) -> Vec<(PortId, Vec<u8>)> {
        let frames = self.batch.frames();
        let mut outputs: Vec<_> = self
            .batch
            .deliveries()
            .iter()
            .map(|delivery| (delivery.port, written(&frames[usize::from(delivery.frame)], &delivery.edit)))
            .collect();
        outputs.sort();
        self.batch.clear(drop);
        let books = self.fabric.books();
        assert!(books.balance(), "the books do not balance: {books:?}");
        outputs
    }
}
