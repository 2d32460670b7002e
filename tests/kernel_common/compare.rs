//! Tells the same story to the kernel and to one of ours, and says where they part.

use std::fmt::Write as _;
use std::io::Write as _;

use vswitchd::bridge::StationKind;
use vswitchd::fabric::Change;
use vswitchd::frame::{Plug, PortId};
use vswitchd::sim::{Action, Model, Stage, Story, Taste, seed_from_environment};
use vswitchd::time::Time;
use vswitchd::wire::mac::Mac;

use super::rig::{Known, Output, Rig};
use super::{BRIDGE, PORTS};

const STORY: usize = 500;

/// As many stories as `VSWITCHD_KERNEL_FRAMES` and `VSWITCHD_SEED` say; a failed one is made short.
///
/// With `VSWITCHD_KERNEL_PROGRESS` set it says how far it has come, for whoever watches a slow machine.
pub(crate) fn random<S: Switch>(rig: &mut Rig, vlan: bool) {
    let taste = Taste { bridges: 1, ports: PORTS, vlan, kernel: Some(rig.kernel) };
    let frames = std::env::var("VSWITCHD_KERNEL_FRAMES").ok().and_then(|text| text.parse().ok());
    let stories = frames.unwrap_or(20_000_usize).div_ceil(STORY) as u64;
    let first = seed_from_environment(1);
    let progress = Progress::new(stories);
    for seed in first..first + stories {
        progress.report(seed - first);
        let story = Story::new(seed, taste, STORY);
        if compare::<S>(&story, rig).is_err() {
            let short = story.shrink(|story| compare::<S>(story, rig).is_err());
            let difference = compare::<S>(&short, rig).expect_err("it failed a moment ago");
            panic!("{short}{difference}");
        }
    }
    progress.report(stories);
}

/// Who is compared with the kernel.
pub(crate) trait Switch: Default {
    /// Makes a change; whether it made sense.
    fn change(&mut self, change: Change) -> bool;
    /// What leaves for a frame, by port, and a word on why.
    fn frame(&mut self, port: PortId, bytes: &[u8]) -> (Vec<Output>, String);
    /// What is known, but for the host's own address.
    fn stations(&mut self) -> Vec<Known>;
}

impl Switch for Stage {
    fn change(&mut self, change: Change) -> bool {
        Stage::change(self, change).is_ok()
    }

    fn frame(&mut self, port: PortId, bytes: &[u8]) -> (Vec<Output>, String) {
        let (outputs, end) = self.exchange(port, bytes);
        (outputs, format!("{end:?}"))
    }

    fn stations(&mut self) -> Vec<Known> {
        let known = self.fabric.stations(BRIDGE, self.now).into_iter();
        without_local(known.map(|(entry, behind)| (entry.vid, entry.mac, behind, entry.kind)))
    }
}

impl Switch for Model {
    fn change(&mut self, change: Change) -> bool {
        self.apply(change, Time::ZERO)
    }

    fn frame(&mut self, port: PortId, bytes: &[u8]) -> (Vec<Output>, String) {
        let fate = self.receive(port, bytes, Time::ZERO);
        (fate.written(), format!("{:?}", fate.reasons))
    }

    fn stations(&mut self) -> Vec<Known> {
        without_local(Model::stations(self, BRIDGE, Time::ZERO).into_iter())
    }
}

/// Tells the story to both; what they disagree about.
pub(crate) fn compare<S: Switch>(story: &Story, rig: &mut Rig) -> Result<(), String> {
    const IO: &str = "the kernel's side works";
    rig.reset(&story.setup).expect(IO);
    let mut switch = S::default();
    for change in &story.setup {
        // those that are refused were told so by the rig, too, or the stations would differ
        let made = switch.change(*change);
        assert!(made || matches!(change, Change::AddVlan(..)), "set-up {change:?} refused");
    }
    for (at, action) in story.actions.iter().enumerate() {
        match action {
            Action::Frame(port, bytes) => {
                let (ours, why) = switch.frame(*port, bytes);
                let kernel = rig.receive(*port, bytes).expect(IO);
                if ours != kernel {
                    return Err(difference(at, action, &kernel, &ours, &why));
                }
            }
            Action::Change(change) => {
                let (ours, kernel) = (switch.change(*change), rig.apply(*change).expect(IO));
                if ours != kernel {
                    return Err(format!("  action {at}: {action}: kernel {kernel}, vswitchd {ours}\n"));
                }
            }
            Action::Wait(_) => unreachable!("no story for the kernel waits"),
        }
        if at % 20 == 19 || at + 1 == story.actions.len() {
            let (kernel, ours) = (rig.stations().expect(IO), switch.stations());
            if kernel != ours {
                return Err(format!(
                    "  after action {at}: kernel knows  {kernel:?}\n  vswitchd knows {ours:?}\n"
                ));
            }
        }
    }
    Ok(())
}

fn difference(at: usize, action: &Action, kernel: &[Output], ours: &[Output], end: &str) -> String {
    let mut text = format!("  action {at}: {action}\n");
    for (who, outputs) in [("kernel  ", kernel), ("vswitchd", ours)] {
        writeln!(text, "  {who}: out of ports {}", list(outputs)).expect("a string takes everything");
    }
    text + &format!("  vswitchd says {end}\n")
}

/// What came out of which port.
pub(crate) fn list(outputs: &[Output]) -> String {
    let list: Vec<_> = outputs.iter().map(|(port, bytes)| describe(*port, bytes)).collect();
    format!("[{}]", list.join(", "))
}

/// A port, and what came out of it, as far as two frames from the same one can differ.
fn describe(port: PortId, bytes: &[u8]) -> String {
    let mut text = format!("{}({} B", port.0, bytes.len());
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let [0x81, 0, high, low, ..] | [0x88, 0xa8, high, low, ..] = rest {
        let tci = u16::from_be_bytes([*high, *low]);
        let tpid = if rest[0] == 0x81 { "Q" } else { "ad" };
        write!(text, ", .1{tpid} {} priority {}", tci & 0xfff, tci >> 12).expect("a string takes everything");
        rest = &rest[4..];
    }
    text + ")"
}

/// As the kernel's are sorted: by address, then by VLAN.
fn without_local(known: impl Iterator<Item = (u16, Mac, Plug, StationKind)>) -> Vec<Known> {
    let known = known.filter(|(.., kind)| *kind != StationKind::Local);
    let mut known: Vec<_> = known
        .map(|(vid, mac, behind, kind)| match behind {
            Plug::Port(port) => Known { mac, vid, port, kind },
            Plug::Link(link, _) => panic!("{mac} is behind {link:?}, but there is only one bridge"),
        })
        .collect();
    known.sort_by_key(|station| (station.mac, station.vid));
    known
}

/// Tells how far a long comparison has come.
struct Progress {
    stories: u64,
    begun: Option<std::time::Instant>,
}

impl Progress {
    #[allow(clippy::disallowed_methods, reason = "a rate for whoever watches; nothing depends on it")]
    fn new(stories: u64) -> Self {
        let wanted = std::env::var_os("VSWITCHD_KERNEL_PROGRESS").is_some();
        Self { stories, begun: wanted.then(std::time::Instant::now) }
    }

    /// Past the test harness, which would keep it until the end.
    fn report(&self, done: u64) {
        let Some(begun) = self.begun else { return };
        let step = (self.stories / 10).max(1);
        if done > 0 && done.is_multiple_of(step) {
            let (done, all) = (done * STORY as u64, self.stories * STORY as u64);
            let rate = done as f64 / begun.elapsed().as_secs_f64();
            writeln!(std::io::stderr(), "{done} of {all} actions, {rate:.0} a second").ok();
        }
    }
}
