//! Whole stories: a lab is set up, frames enter, settings change, time passes, all as the bytes say.
//!
//! What must hold, whatever the bytes are:
//!
//! - nothing panics, and the books of the fabric and of every bridge balance after each step
//! - a frame does what [`Fabric::explain`] said a moment before, and no port gets it twice, but for copies to one
//!   station each (B77)
//! - what devices say can be read, and comes from a station
//! - whatever guests can fill stays within what the settings allow
//! - after a bounded number of ticks nothing is due any more
//! - whoever watches the news knows which stations there are
//! - where neither spanning tree nor snooping, guards or neighbours are involved, the model agrees

mod changes;
mod frames;
mod laws;

use std::time::Duration;

use vswitchd::fabric::{Change, ChangeError, Fabric};
use vswitchd::frame::{Batch, Edit, Frame, PortId};
use vswitchd::sim::{Action, Model};
use vswitchd::time::Time;

use self::changes::{PORTS, Taste};
use self::laws::{Bounds, Watcher};
use super::input::Input;

/// How many ticks one moment may take: each may sweep 256 entries and send 64 frames, and there are neither many of the
/// one nor of the other.
const TICKS_MAX: usize = 300;

/// See the module's documentation.
pub(crate) fn story(data: &[u8]) {
    let mut input = Input(data);
    let taste = Taste::of(&mut input);
    let mut stage = Stage::new(taste);
    for change in taste.setup(&mut input) {
        stage.change(change);
    }
    while !input.is_empty() {
        match event(taste, &mut input) {
            Event::Act(Action::Change(change)) => stage.change(change),
            Event::Act(Action::Frame(port, bytes)) => stage.receive(port, &bytes),
            Event::Act(Action::Wait(duration)) => stage.pass(duration),
            Event::Pass(duration) => stage.pass(Duration::from_nanos(duration)),
            Event::Skip(duration) => stage.now = stage.now + Duration::from_nanos(duration),
            Event::Tick => stage.settle(),
        }
        stage.check();
    }
    stage.pass(Duration::from_secs(5));
    stage.check();
}

fn event(taste: Taste, input: &mut Input<'_>) -> Event {
    const SECOND: u64 = 1_000_000_000;
    match input.below(16) {
        0..10 => {
            let port = PortId(input.below(PORTS + 1).into());
            Event::Act(Action::Frame(port, frames::frame(input)))
        }
        10..13 => Event::Act(Action::Change(taste.change(input))),
        13 => Event::Pass(input.pick(&[1, SECOND - 1, SECOND, 2 * SECOND, 15 * SECOND, 40 * SECOND])),
        14 => Event::Skip(input.pick(&[1, SECOND, 10 * SECOND, 260 * SECOND, 300 * SECOND, 4000 * SECOND])),
        _ => Event::Tick,
    }
}

/// What happens next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a fuzzer makes one at a time")]
enum Event {
    /// A frame or a change.
    Act(Action),
    /// Time passes, and what becomes due meanwhile is done in time.
    Pass(u64),
    /// Time passes, and nobody does what is due.
    Skip(u64),
    /// What is due is done.
    Tick,
}

struct Stage {
    fabric: Fabric,
    model: Option<Model>,
    batch: Batch,
    now: Time,
    bounds: Bounds,
    watcher: Watcher,
}

impl Stage {
    fn new(taste: Taste) -> Self {
        let mut fabric = Fabric::new([1, 2]);
        fabric.watch(true);
        let model = taste.modelled.then(Model::default);
        let (bounds, watcher) = (Bounds::default(), Watcher::default());
        Self { fabric, model, batch: Batch::new(), now: Time::ZERO, bounds, watcher }
    }

    fn change(&mut self, change: Change) {
        let made = self.fabric.apply(change.clone(), self.now);
        if made.is_ok() {
            self.bounds.learn_of(&change);
        }
        // the model checks no ranges, and takes ids for unused
        let asked = match made {
            Ok(()) => true,
            Err(ChangeError::Invalid) => matches!(change, Change::AddVlan(..)),
            Err(ChangeError::Exists) => !matches!(change, Change::AddLink(..)),
            Err(_) => true,
        };
        if let Some(model) = self.model.as_mut().filter(|_| asked) {
            assert_eq!(model.apply(change.clone(), self.now), made.is_ok(), "{change:?}: {made:?}");
        }
    }

    fn receive(&mut self, port: PortId, bytes: &[u8]) {
        let told = self.fabric.explain(port, bytes, self.now);
        self.batch.push(Frame::copy_of(bytes, port));
        self.fabric.receive(&mut self.batch, self.now);
        laws::foreseen(&told, &self.batch);
        laws::originated(&self.batch);
        if let Some(model) = &mut self.model {
            let fate = model.receive(port, bytes, self.now);
            let frame = &self.batch.frames()[0];
            let of_frame = self.batch.deliveries().iter().filter(|delivery| delivery.frame == 0);
            let mut outputs: Vec<_> =
                of_frame.map(|delivery| (delivery.port, written(frame, &delivery.edit))).collect();
            outputs.sort();
            let end = self.batch.ends()[0];
            assert_eq!(fate.written(), outputs, "as the model says: {told:?}");
            assert!(fate.allows(end), "{end:?} instead of {fate:?}: {told:?}");
        }
        self.batch.clear(drop);
    }

    /// Time passes, and what becomes due is done when it is.
    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        loop {
            self.settle();
            let Some(deadline) = self.fabric.deadline().filter(|deadline| *deadline <= until) else { break };
            self.now = deadline;
        }
        self.now = until;
    }

    /// Does all that is due now.
    fn settle(&mut self) {
        let mut ticks = 0;
        while self.fabric.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.fabric.tick(self.now, &mut self.batch);
            laws::originated(&self.batch);
            self.batch.clear(drop);
            ticks += 1;
            assert!(ticks < TICKS_MAX, "at {} there is always something left to do", self.now);
        }
    }

    /// What must hold at any time.
    fn check(&mut self) {
        laws::balanced(&self.fabric);
        self.bounds.check(&self.fabric, self.now);
        self.watcher.check(&mut self.fabric, self.now);
        if let Some(model) = &mut self.model {
            for node in laws::NODES {
                let known: Vec<_> = self
                    .fabric
                    .stations(node, self.now)
                    .into_iter()
                    .map(|(entry, behind)| (entry.vid, entry.mac, behind, entry.kind))
                    .collect();
                assert_eq!(known, model.stations(node, self.now), "who is known to {node:?}");
            }
        }
    }
}

/// The bytes that a port writes.
fn written(frame: &Frame, edit: &Edit) -> Vec<u8> {
    let (head, len) = edit.head(frame.bytes());
    [&head[..len], &frame.bytes()[edit.tail()..]].concat()
}
