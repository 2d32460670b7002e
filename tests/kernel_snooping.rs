//! Multicast snooping beside the kernel's own: the same reports, leaves, queries and data go in, the same frames must
//! come out of the same ports, and both must know the same members, sources and routers afterwards (B64 to B79).
//!
//! A story happens within an instant, but for the moment in which a querier's first answers are awaited (B65); the
//! times that are still to run are compared as well. `VSWITCHD_KERNEL_FRAMES` says how many actions to try (5,000),
//! `VSWITCHD_SEED` where to begin.
//!
//! Not compared, because vswitchd differs on purpose (see `src/bridge/multicast/mod.rs`): solicited-node groups, which it
//! would flood; `fastleave` and `to_unicast` where sources are minded; what counts against `hash_max`.

#[path = "kernel_snooping/chosen.rs"]
mod chosen;
mod kernel_common;
#[path = "kernel_snooping/messages.rs"]
mod messages;
#[path = "kernel_snooping/teller.rs"]
mod teller;

use kernel_common::beside_the_kernel;
use kernel_common::compare::{compare, stories};
use vswitchd::sim::Stage;

#[test]
fn random_groups_go_where_the_kernel_sends_them() {
    beside_the_kernel(|rig| stories::<Stage>(rig, 5_000, teller::tell));
}

#[test]
fn chosen_groups_go_where_the_kernel_sends_them() {
    beside_the_kernel(|rig| {
        for (name, story) in chosen::stories() {
            if let Err(difference) = compare::<Stage>(&story, rig) {
                panic!("{name}: {story}{difference}");
            }
        }
    });
}
