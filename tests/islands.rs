//! Whatever happens, it does not matter how islands are spread over fabrics, nor when they move: the same stories are told to
//! one fabric and to several, and everything that can be seen is the same. `VSWITCHD_SEED` says where to begin,
//! `VSWITCHD_STORIES` how many stories to try of each kind.

use std::collections::BTreeMap;

use vswitchd::bridge::LegConfig;
use vswitchd::fabric::{Books, Change, Fabric};
use vswitchd::frame::{LegIndex, LinkId, NodeId, Plug, PortId};
use vswitchd::router::interface::Interface;
use vswitchd::router::policy::config::Config;
use vswitchd::sim::gateway::{self, Machine, Outputs, System};
use vswitchd::sim::{Action, Outcome, Rng, Stage, Story, Taste, seed_from_environment};
use vswitchd::time::Time;
use vswitchd::trace::Trace;

const FABRICS: usize = 3;
const BRIDGES: u16 = 6;
const STORY: usize = 300;
const TASTE: Taste = Taste { bridges: BRIDGES, ports: 2, vlan: false, kernel: None };

#[test]
fn stories_are_the_same_on_several_fabrics() {
    let moved: usize = seeds(10).map(|seed| compare(seed, TASTE)).sum();
    assert!(moved > 1000, "only {moved} moves: little was tried");
}

#[test]
fn stories_with_vlans_are_the_same_on_several_fabrics() {
    seeds(4).for_each(|seed| {
        compare(seed, Taste { vlan: true, ..TASTE });
    });
}

/// The naive gateway agrees with one that is never long in one place.
#[test]
fn a_gateway_that_moves_is_a_gateway() {
    let taste =
        gateway::Taste { settings: true, rules: true, changes: true, pieces: true, small: false, odd: 20 };
    for seed in seeds(10) {
        let story = gateway::Story::new(seed, taste, STORY);
        let mut stage = gateway::Stage::new(&story, Nomad(Machine::new(&story.setting)));
        for (at, act) in story.acts.iter().enumerate() {
            stage.perform(act).unwrap_or_else(|error| panic!("{story}  act {at}, {act}:\n{error}"));
        }
        assert!(stage.passed > 0, "seed {seed}: something passed");
    }
}

fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let stories = std::env::var("VSWITCHD_STORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(count);
    let first = seed_from_environment(1);
    first..first + stories
}

/// Tells a story to one fabric and to several, moving, joining and parting islands in between; says how often one moved.
fn compare(seed: u64, taste: Taste) -> usize {
    let mut rng = Rng::new(seed);
    let mut story = Story::new(seed, taste, STORY);
    // the links of a story make one tree: some are left out at first
    story.setup.retain(|change| !matches!(change, Change::AddLink(..)) || rng.chance(40));
    let (mut one, mut many) = (Stage::default(), Many::new(&mut rng));
    let mut moved = 0;
    let setup = story.setup.into_iter().map(Action::Change);
    for (at, action) in setup.chain(story.actions).enumerate() {
        let mut actions = vec![action];
        if rng.chance(10) {
            actions.push(Action::Change(link(&mut rng, &many.links)));
        }
        for action in actions {
            let told = |one: &Trace| format!("seed {seed}, step {at}, {action}:\n{:?}", one.steps());
            let mut explained = Trace::off();
            if let Action::Frame(port, bytes) = &action {
                explained = one.fabric.explain(*port, bytes, one.now);
                let there = many.stage(many.ports[port]);
                let same = there.fabric.explain(*port, bytes, there.now);
                assert_eq!(same.steps(), explained.steps(), "explained: {}", told(&explained));
            }
            assert_eq!(many.tell(&action), one.tell(&action), "{}", told(&explained));
            many.assert_alike(&one, &|| told(&explained));
        }
        if one.now.as_nanos().is_multiple_of(3) {
            let (mut ours, mut theirs) = (one.tick(), many.tick());
            ours.sort();
            theirs.sort();
            assert_eq!(ours, theirs, "seed {seed}, step {at}: what is sent by itself");
        }
        moved += many.wander(&mut rng);
        many.assert_alike(&one, &|| format!("seed {seed}, step {at}, after islands have moved"));
    }
    moved
}

/// A link that comes, or one that goes, anywhere; often one that cannot be. Ids are unique, as the registry sees to it.
fn link(rng: &mut Rng, links: &BTreeMap<LinkId, NodeId>) -> Change {
    let link = LinkId(rng.below(u64::from(BRIDGES)) as u16);
    let mut bridge = || NodeId(rng.below(u64::from(BRIDGES)) as u16);
    let ends = [bridge(), bridge()];
    match links.contains_key(&link) {
        true => Change::RemoveLink(link),
        false => Change::AddLink(link, ends, [LegConfig::default(); 2]),
    }
}

/// Several fabrics, and which device lives where.
struct Many {
    stages: Vec<Stage>,
    homes: BTreeMap<NodeId, usize>,
    ports: BTreeMap<PortId, NodeId>,
    links: BTreeMap<LinkId, NodeId>,
}

impl Many {
    fn new(rng: &mut Rng) -> Self {
        let home = |bridge| (NodeId(bridge), rng.below(FABRICS as u64) as usize);
        Self {
            stages: std::iter::repeat_with(Stage::default).take(FABRICS).collect(),
            homes: (0..BRIDGES).map(home).collect(),
            ports: BTreeMap::new(),
            links: BTreeMap::new(),
        }
    }

    fn stage(&self, node: NodeId) -> &Stage {
        &self.stages[self.homes[&node]]
    }

    fn tell(&mut self, action: &Action) -> Outcome {
        let node = match action {
            Action::Wait(_) => {
                self.stages.iter_mut().for_each(|stage| drop(stage.tell(action)));
                return Outcome::Passed;
            }
            Action::Frame(port, _) => self.ports[port],
            Action::Change(change) => self.find(change),
        };
        if let Action::Change(Change::AddLink(_, [a, b], _)) = action {
            self.hand_over(*b, self.homes[a]);
        }
        let outcome = self.stages[self.homes[&node]].tell(action);
        match (action, &outcome) {
            (Action::Change(Change::AddLink(link, [a, _], _)), Outcome::Changed(Ok(()))) => {
                self.links.insert(*link, *a);
            }
            (Action::Change(Change::RemoveLink(link)), Outcome::Changed(Ok(()))) => {
                self.links.remove(link);
            }
            _ => {}
        }
        outcome
    }

    /// The device that a change is about. Of a wire that was never there, any: all of them refuse.
    fn find(&mut self, change: &Change) -> NodeId {
        let plug = |at: &Plug| match at {
            Plug::Link(link, _) => self.links.get(link).copied().unwrap_or(NodeId(0)),
            Plug::Port(port) => self.ports[port],
        };
        match change {
            Change::AddPort(port, node, _) => *self.ports.entry(*port).or_insert(*node),
            Change::AddBridge(node, _)
            | Change::AddLink(_, [node, _], _)
            | Change::ConfigureBridge(node, _)
            | Change::Flush(node, ..) => *node,
            Change::AddStation(station) | Change::RemoveStation(station) => station.bridge,
            Change::AddVlan(at, _)
            | Change::ConfigureLeg(at, _)
            | Change::RemoveVlan(at, _)
            | Change::SetBackup(at, _) => plug(at),
            Change::RemoveLink(link) => plug(&Plug::Link(*link, 0)),
            Change::RemovePort(port) | Change::SetPortUp(port, _) => self.ports[port],
            other => panic!("no story has {other:?}"),
        }
    }

    /// Some island moves somewhere else; says whether one did.
    fn wander(&mut self, rng: &mut Rng) -> usize {
        let (node, to) = (NodeId(rng.below(u64::from(BRIDGES)) as u16), rng.below(FABRICS as u64) as usize);
        usize::from(self.hand_over(node, to))
    }

    fn hand_over(&mut self, node: NodeId, to: usize) -> bool {
        let from = self.homes[&node];
        let nodes = self.stages[from].fabric.island(node);
        if from == to || nodes.is_empty() {
            return false;
        }
        let island = self.stages[from].fabric.take_island(&nodes).expect("a whole island");
        self.stages[to].fabric.put_island(island).expect("ids are unique");
        self.homes.extend(nodes.into_iter().map(|node| (node, to)));
        true
    }

    fn tick(&mut self) -> Outputs {
        self.stages.iter_mut().flat_map(Stage::tick).collect()
    }

    /// `context` is asked for only if they are not.
    fn assert_alike(&self, one: &Stage, context: &dyn Fn() -> String) {
        let fabrics = || self.stages.iter().map(|stage| &stage.fabric);
        assert!(fabrics().all(|fabric| fabric.books().balance()), "{}: the books of each balance", context());
        let books = fabrics().fold(Books::default(), |sum, fabric| sum.and(&fabric.books()));
        assert_eq!(books, one.fabric.books(), "{}: the sum of the books", context());
        let deadline = fabrics().filter_map(Fabric::deadline).min();
        assert_eq!(deadline, one.fabric.deadline(), "{}: when there is something to do", context());
        for node in self.homes.keys() {
            let (there, here, now) = (&self.stage(*node).fabric, &one.fabric, one.now);
            assert_eq!(there.stations(*node, now), here.stations(*node, now), "{}: stations", context());
            assert_eq!(there.vlans(*node), here.vlans(*node), "{}: VLANs", context());
            assert_eq!(there.bridge_counters(*node), here.bridge_counters(*node), "{}: counters", context());
            assert_eq!(
                there.withheld_at_links(*node),
                here.withheld_at_links(*node),
                "{}: at links",
                context()
            );
        }
        for (port, node) in &self.ports {
            let (there, here) = (&self.stage(*node).fabric, &one.fabric);
            assert_eq!(
                there.dropped_in(*port),
                here.dropped_in(*port),
                "{}: dropped at port {}",
                context(),
                port.0
            );
            assert_eq!(
                there.withheld_out(*port),
                here.withheld_out(*port),
                "{}: withheld at {}",
                context(),
                port.0
            );
        }
    }
}

/// A gateway that lives in another fabric each time it is spoken to.
struct Nomad(Machine);

impl Nomad {
    fn travel(&mut self, now: Time) {
        let fabric = self.0.fabric_mut();
        let nodes = fabric.island(NodeId(0));
        let seen = |fabric: &Fabric| {
            let router = nodes.iter().find_map(|node| fabric.router(*node)).expect("it is on the island");
            (fabric.deadline(), router.neighbours(now), router.routes(), router.counters())
        };
        let before = seen(fabric);
        let island = fabric.take_island(&nodes).expect("it is an island");
        assert_eq!(fabric.deadline(), None, "nothing of it has stayed");
        assert!(fabric.books().balance());
        let mut next = Fabric::new([3, 4]);
        next.put_island(island).expect("it is empty");
        assert_eq!(seen(&next), before);
        *fabric = next;
    }
}

impl System for Nomad {
    fn inject(&mut self, port: PortId, frame: &[u8], now: Time) -> Outputs {
        self.travel(now);
        self.0.inject(port, frame, now)
    }

    fn advance(&mut self, now: Time) -> Outputs {
        self.travel(now);
        self.0.advance(now)
    }

    fn set_policy(&mut self, config: &Config, now: Time) {
        self.travel(now);
        self.0.set_policy(config, now);
    }

    fn configure(&mut self, leg: LegIndex, interface: &Interface, now: Time) {
        self.travel(now);
        self.0.configure(leg, interface, now);
    }

    fn forget(&mut self, port: PortId, now: Time) {
        self.travel(now);
        self.0.forget(port, now);
    }

    fn entries(&self, now: Time) -> Vec<gateway::Entry> {
        self.0.entries(now)
    }

    fn memory(&self) -> usize {
        self.0.memory()
    }
}

/// The comparison itself: it sees it when something is left behind.
#[test]
fn what_stays_behind_is_noticed() {
    let mut rng = Rng::new(1);
    let (mut one, mut many) = (Stage::default(), Many::new(&mut rng));
    let story = Story::new(1, TASTE, STORY);
    let setup = story.setup.into_iter().filter(|change| !matches!(change, Change::AddLink(..)));
    for action in setup.map(Action::Change).chain(story.actions) {
        assert_eq!(one.tell(&action), many.tell(&action));
    }
    many.assert_alike(&one, &|| "before".into());
    let knows = |node: &NodeId| !many.stage(*node).fabric.stations(*node, one.now).is_empty();
    let node = (0..BRIDGES).map(NodeId).find(knows).expect("somebody has learned something");
    let home = many.homes[&node];
    drop(many.stages[home].fabric.take_island(&[node]).expect("there is no link"));
    let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        many.assert_alike(&one, &|| "one is lost".into())
    }));
    assert!(noticed.is_err());
}
