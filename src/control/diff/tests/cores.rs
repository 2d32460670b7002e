//! A difference on several engines, as the daemon puts it to work.

use proptest::collection::vec;
use proptest::prelude::*;

use super::plans;
use crate::control::diff::diff;
use crate::control::placement::{Moves, Placement};
use crate::control::plan::Plan;
use crate::control::registry::Registry;
use crate::fabric::Fabric;
use crate::time::Time;

const ENGINES: usize = 3;

/// Hands islands over as the plan of moves says.
fn hand_over(fabrics: &mut [Fabric], moves: &Moves, registry: &Registry) {
    for ((from, to), devices) in moves {
        let nodes: Vec<_> = devices.iter().map(|name| registry.node(name).expect("it was there")).collect();
        let island = fabrics[*from].take_island(&nodes);
        let island = island.unwrap_or_else(|| panic!("{devices:?} of {from} are wired to others"));
        assert!(fabrics[*to].put_island(island).is_ok(), "{devices:?}: an id is in use on {to}");
    }
}

proptest! {
    /// Whatever a reload changes, and however many engines there are: each change finds its ends together, and what comes of
    /// it is what comes of it in one fabric.
    #[test]
    fn engines_take_every_difference(plans in vec(plans(), 1..4), engines in vec(1..=ENGINES, 4)) {
        let mut fabrics: Vec<Fabric> = std::iter::repeat_with(|| Fabric::new([1, 2])).take(ENGINES).collect();
        let mut one = Fabric::new([1, 2]);
        let (mut registry, mut placement) = (Registry::default(), Placement::default());
        let empty = Plan::empty("any");
        let mut old = &empty;
        for (new, engines) in plans.iter().chain([&empty]).zip(engines) {
            let before = registry.clone();
            let differences = diff(old, new);
            let changes = registry.translate(&differences).expect("there is room");
            let together = placement.gather(old, new, engines);
            hand_over(&mut fabrics, &placement.moves(&together), &before);
            for (difference, change) in differences.iter().zip(changes) {
                let engine = together.engine(difference.device(old, new));
                let applied = fabrics[engine].apply(change.clone(), Time::ZERO);
                prop_assert!(applied.is_ok(), "{:?} on {}: {:?}", change, engine, applied);
                prop_assert!(one.apply(change, Time::ZERO).is_ok());
            }
            placement = together.spread(old, new, engines);
            hand_over(&mut fabrics, &together.moves(&placement), &registry);
            for device in new.devices() {
                let (node, home) = (registry.node(device).expect("in the plan"), placement.engine(device));
                prop_assert!(home < engines, "{} is on {} of {}", device, home, engines);
                for (engine, fabric) in fabrics.iter().enumerate() {
                    let expected = if engine == home { one.island(node) } else { Vec::new() };
                    prop_assert_eq!(fabric.island(node), expected, "{} on {}", device, engine);
                }
                let (there, now) = (&fabrics[home], Time::ZERO);
                prop_assert_eq!(there.stations(node, now), one.stations(node, now));
                prop_assert_eq!(there.vlans(node), one.vlans(node));
            }
            old = new;
        }
    }
}
