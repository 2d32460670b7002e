//! Which engine each device lives on: a pure function of the plans.
//!
//! Islands ([`super::plan::Island`]) are spread over the engines, each whole. The rules, in their order:
//!
//! - While a plan takes the place of another, whatever the wires of *both* join lives on one engine ([`Placement::gather`]):
//!   the wire that goes and the wire that comes then find both ends. Islands that a new wire joins go to the engine that has
//!   most of their ports already, so that few have to move.
//! - What did not change does not move. An island stays where it is for as long as there is that engine.
//! - New islands go to the engine with the fewest ports, large ones first.
//! - Afterwards, the parts of an island that has come apart are spread like new ones, except the largest
//!   ([`Placement::spread`]), and only if that makes the busier engine less busy. Otherwise a wire that was laid and taken away
//!   again would leave all on one engine for ever.
//!
//! An engine's business is counted in ports: nobody knows before which of them will be busy, and an island that moved for
//! each change of traffic would never rest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Island, Plan, islands};

/// The engine of each device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// By the names of networks and routers.
    engines: BTreeMap<String, usize>,
}

/// Devices that move together: from which engine, to which, and their names.
pub type Moves = BTreeMap<(usize, usize), Vec<String>>;

impl Placement {
    /// The engine that a network or router lives on; the first for what has no place.
    pub fn engine(&self, device: &str) -> usize {
        self.engines.get(device).copied().unwrap_or_default()
    }

    /// Where everything has to be while `new` takes the place of `old`, with that many engines (at least one).
    pub fn gather(&self, old: &Plan, new: &Plan, engines: usize) -> Self {
        let together = islands(&[old, new]);
        let mut next = Self::default();
        let mut load = vec![0; engines];
        let mut homeless = Vec::new();
        for island in &together {
            // of equals the first
            match self.held(island, old, engines).max_by_key(|(engine, ports)| (*ports, Reverse(*engine))) {
                Some((engine, _)) => next.put(island, engine, &mut load),
                None => homeless.push(island),
            }
        }
        homeless.sort_by_key(|island| Reverse(weight(island)));
        for island in homeless {
            let engine = idlest(&load);
            next.put(island, engine, &mut load);
        }
        next
    }

    /// Where everything is to be once `new` has taken the place of `old`, with as many engines as for
    /// [`Placement::gather`], which has been put to work. What is no longer there is forgotten.
    pub fn spread(&self, old: &Plan, new: &Plan, engines: usize) -> Self {
        let (mut parts, wholes) = (new.islands(), islands(&[old, new]));
        let mut next = Self::default();
        let mut load = vec![0; engines];
        for part in &parts {
            next.put(part, self.engine(part.name()), &mut load);
        }
        parts.sort_by_key(|part| Reverse(weight(part)));
        let mut seen = BTreeSet::new();
        for part in &parts {
            let whole =
                wholes.iter().position(|whole| whole.devices.iter().any(|device| device == part.name()));
            let is_largest = seen.insert(whole);
            let (from, to) = (next.engine(part.name()), idlest(&load));
            if !is_largest && load[to] + weight(part) < load[from] {
                load[from] -= weight(part);
                next.put(part, to, &mut load);
            }
        }
        next
    }

    /// These have stayed on that engine.
    pub fn keep(&mut self, devices: Vec<String>, engine: usize) {
        self.engines.extend(devices.into_iter().map(|device| (device, engine)));
    }

    /// What has to move for `next` to become true; what is new or gone does not.
    pub fn moves(&self, next: &Self) -> Moves {
        let mut moves = Moves::new();
        for (device, to) in &next.engines {
            if let Some(from) = self.engines.get(device).filter(|from| *from != to) {
                moves.entry((*from, *to)).or_default().push(device.clone());
            }
        }
        moves
    }

    /// The engines that some of the island lives on, each with how many of its ports are there.
    fn held(&self, island: &Island, plan: &Plan, engines: usize) -> impl Iterator<Item = (usize, usize)> {
        let mut held = BTreeMap::new();
        for device in &island.devices {
            if let Some(engine) = self.engines.get(device).filter(|engine| **engine < engines) {
                let ports = plan.ports.iter().filter(|port| port.network == *device).count();
                *held.entry(*engine).or_default() += ports;
            }
        }
        held.into_iter()
    }

    fn put(&mut self, island: &Island, engine: usize, load: &mut [usize]) {
        load[engine] += weight(island);
        self.engines.extend(island.devices.iter().map(|device| (device.clone(), engine)));
    }
}

impl Island {
    /// The first of its devices, to know it by.
    fn name(&self) -> &str {
        &self.devices[0]
    }
}

/// How busy it is expected to be: even an island without ports is something.
fn weight(island: &Island) -> usize {
    island.ports.max(1)
}

/// The engine with the least to do; of equals the first.
fn idlest(load: &[usize]) -> usize {
    (0..load.len()).min_by_key(|engine| load[*engine]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::config::parse;

    /// A lab drawn as `ab:3 c:1`: chains of networks, each chain with so many ports, all on its first network.
    fn plan(drawing: &str) -> Plan {
        let mut text = String::new();
        for island in drawing.split_whitespace() {
            let (names, ports) = island.split_once(':').expect("names and a number");
            let names: Vec<char> = names.chars().collect();
            names.iter().for_each(|name| text += &format!("[[network]]\nname = \"{name}\"\n"));
            for pair in names.windows(2) {
                text += &format!("[[link]]\nnetworks = [\"{}\", \"{}\"]\n", pair[0], pair[1]);
            }
            for port in 0..ports.parse().expect("a number") {
                let name = names[0];
                text += &format!("[[port]]\nname = \"{name}{port}\"\nkind = \"tap\"\nnetwork = \"{name}\"\n");
            }
        }
        parse(&text, "lab").unwrap_or_else(|found| panic!("{found:?}")).0
    }

    /// `a0 b0 c1`: the engine of each.
    fn drawn(placement: &Placement) -> String {
        let each = placement.engines.iter().map(|(device, engine)| format!("{device}{engine}"));
        each.collect::<Vec<_>>().join(" ")
    }

    /// What a start and then reloads make of these plans: gathered and spread, plan by plan.
    fn history(plans: &[&str], engines: &[usize]) -> Vec<[String; 2]> {
        let (mut placement, mut old) = (Placement::default(), Plan::empty("lab"));
        let mut told = Vec::new();
        for (drawing, engines) in plans.iter().zip(engines) {
            let new = plan(drawing);
            let gathered = placement.gather(&old, &new, *engines);
            let spread = gathered.spread(&old, &new, *engines);
            told.push([drawn(&gathered), drawn(&spread)]);
            (placement, old) = (spread, new);
        }
        told
    }

    #[test]
    fn a_start_balances_the_ports() {
        let table = [
            ("a:1", 1, "a0", "one"),
            ("a:1 b:1 c:1", 1, "a0 b0 c0", "all there is"),
            ("a:1 b:1 c:1 d:1", 2, "a0 b1 c0 d1", "as many each"),
            ("a:1 b:1 c:1 d:3", 2, "a1 b1 c1 d0", "the largest first"),
            ("ab:2 c:1 d:1", 2, "a0 b0 c1 d1", "an island stays whole"),
            ("a:0 b:0", 2, "a0 b1", "without ports, too"),
            ("a:1 b:1", 5, "a0 b1", "more engines than islands"),
        ];
        for (drawing, engines, expected, why) in table {
            let expected = [expected.to_owned(), expected.to_owned()];
            assert_eq!(history(&[drawing], &[engines]), [expected], "{why}");
        }
    }

    #[test]
    fn what_did_not_change_does_not_move() {
        let table: [(&[&str], &[usize], [&str; 2], &str); 9] = [
            (
                &["a:1 b:1 c:1 d:1", "a:1 c:1"],
                &[2, 2],
                ["a0 b1 c0 d1", "a0 c0"],
                "unbalanced, and left alone",
            ),
            (
                &["a:1 b:1", "a:1 b:5 c:1"],
                &[2, 2],
                ["a0 b1 c0", "a0 b1 c0"],
                "the new one goes where there is room",
            ),
            (&["a:1 b:1", "a:1 b:1 c:1"], &[2, 3], ["a0 b1 c2", "a0 b1 c2"], "to a new engine"),
            (&["a:1 b:3", "ab:4"], &[2, 2], ["a0 b0", "a0 b0"], "b is the larger, and was there first"),
            (&["a:1 c:2 b:3", "c:2 ba:4"], &[2, 2], ["a0 b0 c1", "a0 b0 c1"], "to where most ports are"),
            (&["a:2 b:1", "ba:3"], &[2, 2], ["a0 b0", "a0 b0"], "the other way round"),
            (&["ab:2", "a:1 b:1"], &[2, 2], ["a0 b0", "a0 b1"], "an island that comes apart is spread"),
            (&["ab:4 c:4", "a:4 b:0 c:4"], &[2, 2], ["a0 b0 c1", "a0 b0 c1"], "unless that gains nothing"),
            (&["a:1 b:1", "a:1 b:1"], &[2, 1], ["a0 b0", "a0 b0"], "fewer engines: whoever must, moves"),
        ];
        for (plans, engines, expected, why) in table {
            let told = history(plans, engines);
            assert_eq!(told.last(), Some(&expected.map(str::to_owned)), "{why}: {told:?}");
        }
    }

    /// A wire goes and another comes, at the same network, in one reload.
    #[test]
    fn a_wire_that_goes_and_one_that_comes_both_find_their_ends() {
        let told = history(&["ab:2 c:2", "a:2 bc:0"], &[2, 2]);
        assert_eq!(told[1][0], "a0 b0 c0", "all three together while it happens");
        let told = history(&["ab:2 c:2", "a:2 cb:2"], &[2, 2]);
        assert_eq!(told[1], ["a0 b0 c0", "a0 b1 c1"].map(str::to_owned), "and apart again");
    }

    #[test]
    fn moves_are_what_differs() {
        let (a, b) = (plan("a:1 b:1 c:1 d:1"), plan("ab:2 cd:2 e:1"));
        let before = Placement::default().gather(&Plan::empty("lab"), &a, 2);
        let after = before.gather(&a, &b, 2);
        assert_eq!((drawn(&before).as_str(), drawn(&after).as_str()), ("a0 b1 c0 d1", "a0 b0 c0 d0 e1"));
        let expected = Moves::from([((1, 0), vec!["b".to_owned(), "d".to_owned()])]);
        assert_eq!(before.moves(&after), expected, "e is new: it comes into being where it is to live");
        assert_eq!(after.moves(&after), Moves::new());
    }
}
