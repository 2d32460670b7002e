//! The fabric does what the naive model does, whatever happens: made-up frames, flags, changes and waits go into
//! both. `VSWITCHD_SEED` says where to begin, `VSWITCHD_STORIES` how many stories to try of each kind.

#[path = "common/stories.rs"]
mod stories;

use std::collections::BTreeSet;

use vswitchd::fabric::Change;
use vswitchd::frame::{Batch, NodeId, Plug};
use vswitchd::sim::{Action, Model, Outcome, Stage, Story, Taste};
use vswitchd::trace::Step;
use vswitchd::verdict::Reason;
use vswitchd::wire::mac::Mac;

const STORY: usize = 300;

#[test]
fn one_bridge() {
    agree(Taste { bridges: 1, ports: 5, vlan: false, kernel: None });
}

#[test]
fn a_tree_of_bridges() {
    agree(Taste { bridges: 4, ports: 2, vlan: false, kernel: None });
}

#[test]
fn one_bridge_that_filters_vlans() {
    agree(Taste { bridges: 1, ports: 5, vlan: true, kernel: None });
}

/// Tags of both kinds on the links, one around the other.
#[test]
fn a_tree_of_bridges_that_filter_vlans() {
    agree(Taste { bridges: 4, ports: 2, vlan: true, kernel: None });
}

/// A chain longer than a walk may be.
#[test]
fn more_bridges_than_a_walk_is_long() {
    agree(Taste { bridges: 12, ports: 1, vlan: false, kernel: None });
}

/// What is compared is worth comparing: every reason that these settings can give is given.
#[test]
fn stories_meet_every_reason() {
    let taste = Taste { bridges: 4, ports: 2, vlan: true, kernel: None };
    let mut met = BTreeSet::new();
    for seed in 0..60 {
        let story = Story::new(seed, taste, STORY);
        let mut stage = Stage::default();
        for change in &story.setup {
            // a VLAN that there is not is refused
            let made = stage.change(change.clone()).is_ok();
            assert!(made || matches!(change, Change::AddVlan(..)), "{change:?}");
        }
        for action in &story.actions {
            if let Action::Frame(port, bytes) = action {
                let told = stage.fabric.explain(*port, bytes, stage.now);
                met.extend(told.steps().iter().filter_map(|step| match step {
                    Step::Drop(reason) | Step::Withhold(_, reason) => Some(*reason),
                    _ => None,
                }));
            }
            stage.tell(action);
        }
    }
    let wanted = [
        Reason::BroadcastFloodOff,
        Reason::EgressDown,
        Reason::FrameShort,
        Reason::Icc,
        Reason::IngressDown,
        Reason::Isolated,
        Reason::LinkLocal,
        Reason::Locked,
        Reason::MacLimit,
        Reason::MtuExceeded,
        Reason::MulticastFloodOff,
        Reason::NoPort,
        Reason::Promiscuous,
        Reason::SamePort,
        Reason::SourceInvalid,
        Reason::TagsFull,
        Reason::UnicastFloodOff,
        Reason::VlanEgress,
        Reason::VlanIngress,
    ];
    let missed: Vec<_> = wanted.into_iter().filter(|reason| !met.contains(reason)).collect();
    assert_eq!(missed, []);
}

/// The comparison itself: it sees it when a setting is lost.
#[test]
fn a_lost_setting_is_noticed() {
    let noticed = (0..50).any(|seed| {
        let story = Story::new(seed, Taste { bridges: 1, ports: 5, vlan: false, kernel: None }, STORY);
        let mut model = Model::default();
        let mut stage = Stage::default();
        for change in &story.setup {
            model.apply(change.clone(), stage.now);
            let mut plain = change.clone();
            if let Change::AddPort(_, _, leg) = &mut plain {
                leg.isolated = false;
            }
            stage.change(plain).expect("a set-up makes sense");
        }
        story.actions.iter().any(|action| step(action, &mut model, &mut stage).is_err())
    });
    assert!(noticed);
}

fn agree(taste: Taste) {
    let shrink = |story: Story| story.shrink(|story| tell(story).is_err());
    stories::agree(60, |seed| Story::new(seed, taste, STORY), shrink, tell);
}

/// Tells the story to both; what they disagree about.
fn tell(story: &Story) -> Result<(), String> {
    let mut model = Model::default();
    let mut stage = Stage::default();
    let setup = story.setup.iter().map(|change| Action::Change(change.clone()));
    for (at, action) in setup.chain(story.actions.iter().cloned()).enumerate() {
        step(&action, &mut model, &mut stage)
            .map_err(|error| format!("  step {at} (set-up included), {action}:\n{error}"))?;
    }
    Ok(())
}

fn step(action: &Action, model: &mut Model, stage: &mut Stage) -> Result<(), String> {
    let explained = match action {
        Action::Frame(port, bytes) => Some(stage.fabric.explain(*port, bytes, stage.now)),
        Action::Change(_) | Action::Wait(_) => None,
    };
    match (stage.tell(action), action) {
        (Outcome::Changed(ours), Action::Change(change)) => {
            let expected = model.apply(change.clone(), stage.now);
            if ours.is_ok() != expected {
                return Err(format!("  model accepts: {expected}, fabric says {ours:?}\n"));
            }
        }
        (Outcome::Received(outputs, end), Action::Frame(port, bytes)) => {
            let fate = model.receive(*port, bytes, stage.now);
            if fate.written() != outputs || !fate.allows(end) {
                let (fate, outputs) = (short(&format!("{fate:?}")), short(&format!("{outputs:?}")));
                return Err(format!("  model: {fate}\n  fabric: {outputs}, {end:?}\n"));
            }
            let steps = explained.iter().flat_map(|trace| trace.steps());
            let mut told: Vec<_> = steps
                .filter_map(|step| if let Step::Deliver(port, _) = step { Some(*port) } else { None })
                .collect();
            told.sort_unstable();
            let ports: Vec<_> = outputs.iter().map(|(port, _)| *port).collect();
            if told != ports {
                return Err(format!("  explained: {told:?}\n  happened: {ports:?}\n"));
            }
        }
        _ => {}
    }
    // the sweep comes when it likes, and must not show
    if let Some(deadline) = stage.fabric.deadline()
        && deadline <= stage.now
        && stage.now.as_nanos().is_multiple_of(3)
    {
        stage.fabric.tick(stage.now, &mut Batch::new());
    }
    for bridge in 0..12 {
        let bridge = NodeId(bridge);
        let known: Vec<(u16, Mac, Plug, _)> = stage
            .fabric
            .stations(bridge, stage.now)
            .into_iter()
            .map(|(entry, behind)| (entry.vid, entry.mac, behind, entry.kind))
            .collect();
        let expected = model.stations(bridge, stage.now);
        if known != expected {
            return Err(format!("  {bridge:?} should know {expected:?}\n  and knows {known:?}\n"));
        }
    }
    Ok(())
}

/// Without the many bytes of payload that all frames have alike.
fn short(text: &str) -> String {
    let mut kept = String::new();
    let mut numbers = 0;
    for part in text.split_inclusive(", ") {
        let number = part.trim_end_matches(", ").parse::<u8>().is_ok();
        numbers = if number { numbers + 1 } else { 0 };
        if numbers < 24 {
            kept.push_str(part);
        }
    }
    kept
}
