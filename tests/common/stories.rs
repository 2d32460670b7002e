//! Stories that two must tell alike: many of them, from a seed on, and the shortest that they do not.

use std::fmt::Display;

use vswitchd::sim::seed_from_environment;

/// Tells stories to both, as many as `VSWITCHD_STORIES` says or else `count`, from `VSWITCHD_SEED` on; gives what `tell` gives for
/// each. `tell` fails with what they disagree about, `shrink` gives the shortest story that fails.
///
/// # Panics
/// With a story that they disagree about, made as short as it can be.
pub(crate) fn agree<S: Display, T>(
    count: u64,
    story: impl Fn(u64) -> S,
    shrink: impl Fn(S) -> S,
    tell: impl Fn(&S) -> Result<T, String>,
) -> Vec<T> {
    let stories = std::env::var("VSWITCHD_STORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(count);
    let first = seed_from_environment(1);
    let told = (first..first + stories).map(|seed| {
        let story = story(seed);
        tell(&story).unwrap_or_else(|_| {
            let short = shrink(story);
            let difference = tell(&short).err().expect("it failed a moment ago");
            panic!("{short}{difference}");
        })
    });
    told.collect()
}
