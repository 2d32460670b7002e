//! A memo never changes an answer: whatever happens, a gateway that remembers which way the packets of a flow went sends what
//! one without memory sends, and afterwards knows and has counted the same. `VSWITCHD_SEED` says where to begin,
//! `VSWITCHD_STORIES` how many stories to try of each kind.

#[path = "common/stories.rs"]
mod stories;

use vswitchd::frame::{LegIndex, PortId};
use vswitchd::router::interface::Interface;
use vswitchd::router::policy::config::Config;
use vswitchd::sim::gateway::{Entry, Machine, Outputs, Stage, Story, System, Taste};
use vswitchd::time::Time;

const STORY: usize = 300;
const PLAIN: Taste =
    Taste { settings: false, rules: false, changes: false, pieces: false, small: false, odd: 0 };

/// Two gateways that are told the same.
struct Twins {
    with: Machine,
    without: Machine,
    difference: Option<String>,
}

impl Twins {
    fn new(story: &Story) -> Self {
        let [with, without] = [true, false].map(|memo| Machine::with(&story.setting, memo));
        Self { with, without, difference: None }
    }

    fn both<T: PartialEq + std::fmt::Debug>(
        &mut self,
        now: Time,
        mut tell: impl FnMut(&mut Machine) -> T,
    ) -> T {
        let (with, without) = (tell(&mut self.with), tell(&mut self.without));
        if with != without {
            self.differ(format!("with a memo: {with:?}\n without it: {without:?}"));
        }
        let states = [&self.with, &self.without].map(|machine| machine.state(now));
        if states[0] != states[1] {
            let lines = states[0].lines().zip(states[1].lines());
            let differing = lines.filter(|(with, without)| with != without);
            self.differ(format!("with a memo, and without: {:#?}", differing.take(5).collect::<Vec<_>>()));
        }
        with
    }

    fn differ(&mut self, difference: String) {
        self.difference.get_or_insert(difference);
    }
}

impl System for Twins {
    fn inject(&mut self, port: PortId, frame: &[u8], now: Time) -> Outputs {
        self.both(now, |machine| machine.inject(port, frame, now))
    }

    fn advance(&mut self, now: Time) -> Outputs {
        self.both(now, |machine| machine.advance(now))
    }

    fn set_policy(&mut self, config: &Config, now: Time) {
        self.both(now, |machine| machine.set_policy(config, now));
    }

    fn configure(&mut self, leg: LegIndex, interface: &Interface, now: Time) {
        self.both(now, |machine| machine.configure(leg, interface, now));
    }

    fn forget(&mut self, port: PortId, now: Time) {
        self.both(now, |machine| machine.forget(port, now));
    }

    fn entries(&self, now: Time) -> Vec<Entry> {
        self.with.entries(now)
    }

    fn memory(&self) -> usize {
        self.with.memory()
    }
}

#[test]
fn polite_conversations() {
    agree(PLAIN, true);
}

#[test]
fn odd_conversations_in_odd_settings() {
    agree(Taste { settings: true, odd: 25, ..PLAIN }, true);
}

#[test]
fn rules_and_changes() {
    agree(Taste { rules: true, changes: true, odd: 10, ..PLAIN }, true);
}

#[test]
fn tables_that_are_full() {
    agree(Taste { small: true, odd: 15, ..PLAIN }, true);
}

#[test]
fn everything_at_once() {
    agree(Taste { settings: true, rules: true, changes: true, pieces: true, small: false, odd: 20 }, false);
}

/// `used` says that the memo must have been of use somewhere: else nothing was tested.
fn agree(taste: Taste, used: bool) {
    let shrink = |story: Story| story.shrink(|story| tell(story).is_err());
    let along = stories::agree(6, |seed| Story::new(seed, taste, STORY), shrink, tell);
    assert!(along.iter().sum::<u64>() > 0 || !used, "no packet took the way of another");
}

/// Tells the story to both; what they disagree about, or how many packets took the way of one before.
fn tell(story: &Story) -> Result<u64, String> {
    let mut stage = Stage::new(story, Twins::new(story));
    for (at, act) in story.acts.iter().enumerate() {
        // whether the model agrees is for tests/gateway_model.rs to say
        let _ = stage.perform(act);
        if let Some(difference) = &stage.system().difference {
            return Err(format!("  act {at}, {act}:\n{difference}"));
        }
    }
    let Twins { with, without, .. } = stage.system();
    assert_eq!(without.along(), 0, "it has no memory");
    Ok(with.along())
}
