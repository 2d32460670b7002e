//! The gateway does what the naive model does, whatever happens: conversations, mistakes, errors, pieces, changes and
//! waits go into both. `VSWITCHD_SEED` says where to begin, `VSWITCHD_STORIES` how many stories to try of each kind.

#[path = "common/stories.rs"]
mod stories;

use vswitchd::sim::gateway::{Machine, Stage, Story, Taste};

const STORY: usize = 300;
const PLAIN: Taste =
    Taste { settings: false, rules: false, changes: false, pieces: false, small: false, odd: 0 };
const ODD_SETTINGS: Taste = Taste { settings: true, odd: 25, ..PLAIN };
const EVERYTHING: Taste =
    Taste { settings: true, rules: true, changes: true, pieces: true, small: false, odd: 20 };

#[test]
fn polite_conversations() {
    agree(PLAIN);
}

#[test]
fn rude_conversations() {
    agree(Taste { odd: 30, ..PLAIN });
}

#[test]
fn odd_settings() {
    agree(ODD_SETTINGS);
}

#[test]
fn rules_of_the_users() {
    agree(Taste { rules: true, odd: 15, ..PLAIN });
}

#[test]
fn changes_while_it_runs() {
    agree(Taste { changes: true, rules: true, odd: 15, ..PLAIN });
}

#[test]
fn datagrams_in_pieces() {
    agree(Taste { pieces: true, odd: 5, ..PLAIN });
}

#[test]
fn tables_that_are_full() {
    agree(Taste { small: true, odd: 15, ..PLAIN });
}

#[test]
fn everything_at_once() {
    agree(EVERYTHING);
}

/// What they disagreed about once, and why.
#[test]
fn stories_that_were_told_differently() {
    let table = [
        (EVERYTHING, 35, "L4: an unreachable host that nobody had time to tell of"),
        (EVERYTHING, 101, "P10: an untranslated flow to an address that was ours before and afterwards"),
        (ODD_SETTINGS, 6, "M6: a source that is not of the internal network it is on"),
    ];
    for (taste, seed, why) in table {
        let told = tell(&Story::new(seed, taste, STORY));
        assert!(told.is_ok(), "{why}, seed {seed}: {told:?}");
    }
}

fn agree(taste: Taste) {
    let shrink = |story: Story| story.shrink(|story| tell(story).is_err());
    stories::agree(10, |seed| Story::new(seed, taste, STORY), shrink, tell);
}

/// Tells the story to both; what they disagree about, and after how many packets that passed if about nothing.
fn tell(story: &Story) -> Result<usize, String> {
    let mut stage = Stage::new(story, Machine::new(&story.setting));
    for (at, act) in story.acts.iter().enumerate() {
        stage.perform(act).map_err(|error| format!("  act {at}, {act}:\n{error}"))?;
    }
    Ok(stage.passed)
}
