//! Random networks: what the ports that forward make of them is a tree, before, between and after failures.
//!
//! The loop that no test may see is defined in `network`, with its one excuse. What is assumed: nobody loses a BPDU but on
//! a wire that breaks, delays are below a quarter of a second, and all bridges have the default times.

use super::rng::{Rng, seed};
use super::*;

const ROUNDS: u64 = 40;
/// Longer than it takes STP to forget (20 s), listen and learn (30 s), and for news to cross the network.
const SETTLE: Duration = Duration::from_secs(90);

#[test]
fn stp_makes_trees_of_random_networks() {
    survive(0x51, |_| StpMode::Stp);
}

#[test]
fn rstp_makes_trees_of_random_networks() {
    survive(0x52, |_| StpMode::Rstp);
}

#[test]
fn both_together_make_trees_of_random_networks() {
    survive(0x53, |rng| *rng.pick(&[StpMode::Rstp, StpMode::Stp]));
}

fn survive(salt: u64, mode: impl Fn(&mut Rng) -> StpMode) {
    let seed = seed();
    let mut excused = 0;
    for round in 0..ROUNDS {
        let mut rng = Rng(seed ^ salt << 32 ^ round << 8);
        println!("seed {seed}, round {round}");
        let mut network = random_network(&mut rng, &mode);
        network.run(SETTLE);
        network.assert_tree();
        for _ in 0..4 {
            disturb(&mut network, &mut rng);
            network.run(SETTLE);
            network.assert_tree();
            network.log.clear();
        }
        excused += network.excused;
    }
    println!("{excused} loops for a moment, with a root that was gone");
    assert!(excused as u64 * 10 <= ROUNDS, "{excused} in {ROUNDS} networks is too often to be excused");
}

/// Connected or not, with parallel wires, and wires from a bridge to itself.
fn random_network(rng: &mut Rng, mode: &impl Fn(&mut Rng) -> StpMode) -> Network {
    let mut network = Network::default();
    let count = 2 + rng.below(6);
    for n in 0..count {
        let priority = *rng.pick(&[0x8000, 0x8000, 0x8000, 0x4000, 0xf000]);
        let bridge = network.add(StpConfig { priority, ..config(mode(rng)) }, 100 - n as u8);
        network.host(bridge, StpLegConfig::default());
    }
    let wires = count - 1 + rng.below(count + 2);
    for n in 0..wires {
        let far = rng.below(count) as usize;
        let near = if n + 1 < count && rng.chance(90) { n as usize + 1 } else { rng.below(count) as usize };
        let costs = [0, 1].map(|_| 1 + rng.below(4) as u32);
        let delay = Duration::from_micros(*rng.pick(&[0, 1, 50, 900, 20_000, 200_000]));
        let wire = network.wire([near, far], costs, delay);
        if rng.chance(80) {
            network.plug(wire, true);
        }
        if rng.chance(30) {
            network.run(Duration::from_millis(rng.below(5000)));
        }
    }
    network
}

/// One wire or several at once, or one after the other with hardly time to notice.
fn disturb(network: &mut Network, rng: &mut Rng) {
    for _ in 0..1 + rng.below(3) {
        match rng.below(3) {
            0 | 1 if !network.wires.is_empty() => {
                let wire = rng.below(network.wires.len() as u64) as usize;
                network.plug(wire, !network.wires[wire].up);
            }
            _ => {
                let bridge = rng.below(network.bridges.len() as u64) as usize;
                for wire in 0..network.wires.len() {
                    if network.wires[wire].ends.iter().any(|(at, _)| *at == bridge) {
                        network.plug(wire, false);
                    }
                }
            }
        }
        network.run(Duration::from_millis(*rng.pick(&[0, 1, 700, 4000])));
    }
}
