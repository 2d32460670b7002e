//! What the kernel does, number by number (kernel-semantics.md §2 and table 3c).

mod datagrams;
mod docker;
mod errors;
mod forwarding;
mod ports;
mod tcp;

use super::case::Case;

/// All of them, of both families where both have them.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for both in [docker::both, datagrams::both, ports::both, tcp::both] {
        cases.extend(both());
        cases.extend(both().into_iter().map(Case::of_ipv6));
    }
    for one in [datagrams::of_ipv4, datagrams::of_ipv6, errors::of_ipv4, errors::of_ipv6] {
        cases.extend(one());
    }
    cases.extend(forwarding::of_ipv4());
    cases.extend(forwarding::of_ipv6());
    cases
}

/// Those in which ours differs; nobody minds (see the head of `tests/kernel_nat.rs`).
pub(crate) fn of_the_kernel_alone() -> Vec<Case> {
    forwarding::of_the_kernel_alone()
}
