//! Bridges that filter VLANs, beside the kernel's own: the same frames go in, and the same frames, tags and all, must
//! come out of the same ports.
//!
//! Many kernels are built without VLAN filtering, and then this says that it was skipped. `scripts/kernel-vlan`
//! runs it on one that has it, in a virtual machine. As in `tests/kernel_bridge.rs`, `VSWITCHD_KERNEL_FRAMES` says how
//! many actions to try, `VSWITCHD_SEED` where to begin.

#[path = "kernel_vlan/case.rs"]
mod case;
mod kernel_common;
#[path = "kernel_vlan/numbers.rs"]
mod numbers;

use kernel_common::compare::random;
use kernel_common::rig::Rig;
use kernel_common::{beside_the_kernel, skipped};
use vswitchd::sim::{Model, Stage};

fn beside_a_filtering_kernel(test: impl FnOnce(&mut Rig) + Send) {
    beside_the_kernel(|rig| match rig.can_filter().expect("a bridge can be asked") {
        true => test(rig),
        false => skipped("a kernel with CONFIG_BRIDGE_VLAN_FILTERING: scripts/kernel-vlan boots one"),
    });
}

/// The kernel that can filter need not be the one that `tests/kernel_bridge.rs` ran on.
#[test]
fn frames_go_where_this_kernel_sends_them_without_filtering() {
    beside_a_filtering_kernel(|rig| random::<Stage>(rig, false));
}

#[test]
fn random_frames_go_into_the_vlans_the_kernel_puts_them_in() {
    beside_a_filtering_kernel(|rig| random::<Stage>(rig, true));
}

/// So that what `tests/model.rs` compares with is itself right.
#[test]
fn the_model_puts_random_frames_into_the_vlans_the_kernel_does() {
    beside_a_filtering_kernel(|rig| random::<Model>(rig, true));
}

/// So that what the numbers say is what the kernel does.
#[test]
fn the_kernel_behaves_as_its_numbers_say() {
    beside_a_filtering_kernel(|rig| {
        for case in numbers::cases() {
            case.hold(rig);
        }
    });
}
