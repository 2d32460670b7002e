//! The gateway does what the naive model does, whatever happens: conversations, mistakes, errors, pieces, changes and
//! waits go into both. `VSWITCHD_SEED` says where to begin, `VSWITCHD_STORIES` how many stories to try of each kind.

use vswitchd::sim::gateway::{Machine, Stage, Story, Taste};
use vswitchd::sim::seed_from_environment;

const STORY: usize = 300;
const PLAIN: Taste =
    Taste { settings: false, rules: false, changes: false, pieces: false, small: false, odd: 0 };

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
    agree(Taste { settings: true, odd: 15, ..PLAIN });
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
    agree(Taste { settings: true, rules: true, changes: true, pieces: true, small: false, odd: 20 });
}

fn agree(taste: Taste) {
    let stories = std::env::var("VSWITCHD_STORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let first = seed_from_environment(1);
    for seed in first..first + stories {
        let story = Story::new(seed, taste, STORY);
        if tell(&story).is_err() {
            let short = story.shrink(|story| tell(story).is_err());
            let difference = tell(&short).expect_err("it failed a moment ago");
            panic!("{short}{difference}");
        }
    }
}

/// Tells the story to both; what they disagree about, and after how many packets that passed if about nothing.
fn tell(story: &Story) -> Result<usize, String> {
    let mut stage = Stage::new(story, Machine::new(&story.setting));
    for (at, act) in story.acts.iter().enumerate() {
        stage.perform(act).map_err(|error| format!("  act {at}, {act}:\n{error}"))?;
    }
    Ok(stage.passed)
}
