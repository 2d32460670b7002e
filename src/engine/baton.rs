//! The fabric, and whose turn it is to have it.
//!
//! A fabric belongs to one thread at a time. With one thread that is always the same. If several serve it, they pass it on: a
//! channel with room for one is where it lies, and who takes it out has it, until it is put back. So nothing about the fabric
//! itself knows of threads, and what a thread does while it has the fabric happens before whatever the next one does.
//!
//! It is a lock, but one that is taken for a batch, not for a frame, and only where an operator has asked for several threads
//! (`queues`); reading and writing, which take most of the time, are done without it.
//!
//! When a thread panics the fabric may be half changed: nobody gets it again, and all threads of the engine end.

use std::ops::{Deref, DerefMut};
use std::panic::resume_unwind;
use std::thread::panicking;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::fabric::Fabric;

/// A fabric that this thread has now, or can take.
#[derive(Debug)]
pub struct Baton {
    held: Option<Box<Fabric>>,
    /// Where it lies when nobody has it; `None` while there is one thread.
    place: Option<Place>,
}

/// `None` instead of a fabric is the end.
#[derive(Clone, Debug)]
struct Place {
    put: Sender<Option<Box<Fabric>>>,
    take: Receiver<Option<Box<Fabric>>>,
}

/// What a thread ends with after another has panicked.
struct Lost;

impl Baton {
    /// One thread has it for good.
    pub(super) fn new(fabric: Fabric) -> Self {
        Self { held: Some(Box::new(fabric)), place: None }
    }

    /// For one more thread to take its turn. This one has to put the fabric down from now on.
    pub(super) fn share(&mut self) -> Self {
        let place = self.place.get_or_insert_with(|| {
            let (put, take) = bounded(1);
            Place { put, take }
        });
        Self { held: None, place: Some(place.clone()) }
    }

    /// Waits until nobody else has the fabric, and takes it. Nothing happens if this thread has it.
    #[inline]
    pub(super) fn take(&mut self) {
        if let (None, Some(place)) = (&self.held, &self.place) {
            self.held = place.wait();
        }
    }

    /// Puts the fabric down, if there is anybody else.
    #[inline]
    pub(super) fn pass(&mut self) {
        if let Some(place) = &self.place
            && let Some(fabric) = self.held.take()
        {
            place.put(Some(fabric));
        }
    }
}

impl Place {
    fn wait(&self) -> Option<Box<Fabric>> {
        // both ends of the channel are here, so it is never disconnected
        let fabric = self.take.recv().ok().flatten();
        if fabric.is_none() {
            self.put(None);
            // the panic that was the reason has been reported
            resume_unwind(Box::new(Lost));
        }
        fabric
    }

    fn put(&self, fabric: Option<Box<Fabric>>) {
        // there is room: nobody else can have put anything there while this thread had it
        let _ = self.put.try_send(fabric);
    }
}

impl Deref for Baton {
    type Target = Fabric;

    #[inline]
    fn deref(&self) -> &Fabric {
        self.held.as_deref().expect("the fabric is taken before it is used")
    }
}

impl DerefMut for Baton {
    #[inline]
    fn deref_mut(&mut self) -> &mut Fabric {
        self.held.as_deref_mut().expect("the fabric is taken before it is used")
    }
}

impl Drop for Baton {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            if panicking() {
                // whoever had put it down has put down a sound one, but this thread's ports are served no more
                let _ = self.held.take().or_else(|| place.take.recv().ok().flatten());
                place.put(None);
            } else {
                self.pass();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::*;
    use crate::bridge::BridgeConfig;
    use crate::fabric::Change;
    use crate::frame::NodeId;
    use crate::time::Time;

    #[test]
    fn one_at_a_time_sees_all_that_was_done_before() {
        let mut first = Baton::new(Fabric::new([1, 2]));
        let others: Vec<Baton> = (0..3).map(|_| first.share()).collect();
        first.pass();
        let each = |mut baton: Baton, number: u16| {
            move || {
                for turn in 0..50 {
                    baton.take();
                    let bridge = NodeId(number + 4 * turn);
                    baton
                        .apply(Change::AddBridge(bridge, BridgeConfig::default()), Time::ZERO)
                        .expect("room");
                    baton.pass();
                }
            }
        };
        let threads: Vec<_> =
            others.into_iter().zip(1..).map(|(baton, number)| thread::spawn(each(baton, number))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("nobody panics"));
        first.take();
        let there = |node| first.bridge_counters(NodeId(node)).is_some();
        assert_eq!((0..200).filter(|node| there(*node)).count(), 150);
        first.pass();
        first.take();
        assert!(first.bridge_counters(NodeId(1)).is_some(), "it was still there to be taken");
    }

    #[test]
    fn nobody_waits_for_who_has_panicked() {
        for holding in [true, false] {
            let mut first = Baton::new(Fabric::new([1, 2]));
            let mut second = first.share();
            first.pass();
            let died = thread::spawn(move || {
                if holding {
                    second.take();
                }
                // a panic without a message of its own
                resume_unwind(Box::new("died"));
            });
            died.join().expect_err("it panics");
            let mut third = first.share();
            for baton in [&mut first, &mut third] {
                catch_unwind(AssertUnwindSafe(|| baton.take())).expect_err("there is nothing to be had");
            }
        }
    }

    #[test]
    fn one_thread_never_lets_go() {
        let mut only = Baton::new(Fabric::new([1, 2]));
        only.pass();
        only.take();
        assert!(only.books().received == 0, "it has it still");
    }
}
