//! The gateway beside the kernel's own: the same packets go into it and into a network namespace with Docker's iptables
//! rules, and the same packets must come out of the same interfaces, and the same flows be followed afterwards: their
//! tuples, state, remaining time (to the second), counters, and whether they are assured.
//!
//! Stories are made up from a seed and shrunk when the two disagree. `VSWITCHD_KERNEL_FRAMES` says how many packets to try
//! (20,000), `VSWITCHD_SEED` where to begin. Chosen ones (`kernel_nat/cases/`) also say what the kernel does, and are held
//! against it alone as well, so that the numbers of kernel-semantics.md are themselves tested.
//!
//! Not compared, because vswitchd differs on purpose, or may: ports chosen at random (but that both had to choose, from the
//! same class, and stay with it), the numbers of packets that the gateway makes, errors beyond the limit of ours (L4; the
//! kernel is told to have none), flows to the gateway itself, which only the kernel follows, resets of connections that a
//! segment does not fit (0.2), how a packet that came in pieces is cut again (the kernel keeps the pieces as they were), guests'
//! addresses and the gateway's own from outside, and options of IPv4 that routers write into.

#[path = "kernel_nat/alike.rs"]
mod alike;
#[path = "kernel_nat/case.rs"]
mod case;
#[path = "kernel_nat/cases/mod.rs"]
mod cases;
#[path = "kernel_nat/conntrack.rs"]
mod conntrack;
#[path = "kernel_nat/craft.rs"]
mod craft;
#[path = "kernel_nat/ctnetlink.rs"]
mod ctnetlink;
#[path = "kernel_nat/describe.rs"]
mod describe;
#[path = "kernel_nat/kernel.rs"]
mod kernel;
mod kernel_common;
#[path = "kernel_nat/ours.rs"]
mod ours;
#[path = "kernel_nat/place.rs"]
mod place;
#[path = "kernel_nat/rules.rs"]
mod rules;
#[path = "kernel_nat/run.rs"]
mod run;
#[path = "kernel_nat/story.rs"]
mod story;
#[path = "kernel_nat/talk.rs"]
mod talk;

use case::Case;
use kernel::Kernel;
use kernel_common::{in_a_namespace, skipped};
use ours::Ours;
use run::{Gateway, Run};
use story::{Story, Taste};
use vswitchd::sim::seed_from_environment;

/// Packets in all, unless it is said otherwise, and in a story.
const FRAMES: usize = 20_000;
const STORY: usize = 200;
/// How often tables are compared: the kernel's is long, however few flows are in it.
const TABLES: usize = 4;

/// Runs a test beside a kernel with Docker's rules, or says why it cannot.
fn beside_the_kernel(test: impl FnOnce(&mut Kernel) + Send) {
    if let Some(missing) = kernel::missing() {
        return skipped(&missing);
    }
    in_a_namespace(|| match Kernel::new().expect("a namespace with TAPs") {
        Ok(mut kernel) => test(&mut kernel),
        Err(missing) => skipped(&missing),
    });
}

/// So that what the numbers say is what the kernel does.
#[test]
fn the_kernel_behaves_as_its_numbers_say() {
    beside_the_kernel(|kernel| {
        hold(kernel, cases::all(), || None);
        hold(kernel, cases::of_the_kernel_alone(), || None);
    });
}

#[test]
fn chosen_packets_fare_as_in_the_kernel() {
    beside_the_kernel(|kernel| hold(kernel, cases::all(), || Some(Box::new(Ours::new()))));
}

/// # Panics
/// With all that did not hold.
fn hold(kernel: &mut Kernel, cases: Vec<Case>, ours: impl Fn() -> Option<Box<dyn Gateway>>) {
    let wrong: Vec<_> = cases.iter().filter_map(|case| case.hold(kernel, ours()).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.concat());
}

#[test]
fn random_packets_fare_as_in_the_kernel() {
    beside_the_kernel(|kernel| random(kernel, Taste::All));
}

#[test]
fn random_connections_fare_as_in_the_kernel() {
    beside_the_kernel(|kernel| random(kernel, Taste::Tcp));
}

/// As many stories as `VSWITCHD_KERNEL_FRAMES` and `VSWITCHD_SEED` say; a failed one is made short.
fn random(kernel: &mut Kernel, taste: Taste) {
    let wanted = std::env::var("VSWITCHD_KERNEL_FRAMES").ok().and_then(|text| text.parse().ok());
    let first = seed_from_environment(1);
    let stories = wanted.unwrap_or(FRAMES).div_ceil(STORY) as u64;
    for seed in first..first + stories {
        let story = Story::new(seed, taste, STORY);
        let Err(text) = tell(kernel, &story, TABLES) else { continue };
        // a timer may have ended between the two, or the kernel have chosen a port that another needed later
        if (0..3).any(|_| tell(kernel, &story, 1).is_ok()) {
            continue;
        }
        let short = story.shrink(|story| tell(kernel, story, 1).is_err());
        let text = tell(kernel, &short, 1).err().unwrap_or_else(|| format!("not again, but at first {text}"));
        panic!("{short}{text}");
    }
}

/// Compares flows after so many actions each, and after the last.
fn tell(kernel: &mut Kernel, story: &Story, tables: usize) -> Result<(), String> {
    let mut run = Run::new(kernel, Some(Box::new(Ours::new())), story.talks.clone());
    for (at, action) in story.actions.iter().enumerate() {
        let look = at % tables == 0 || at + 1 == story.actions.len();
        run.act(action, look).map_err(|text| format!("  action {at}:\n{text}"))?;
    }
    Ok(())
}
