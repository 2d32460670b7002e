//! Tells the same story to the kernel and to one of ours, and says where they part.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use vswitchd::bridge::{GroupEntry, StationKind};
use vswitchd::fabric::Change;
use vswitchd::frame::{Plug, PortId};
use vswitchd::sim::{Action, Model, Stage, Story, Taste, seed_from_environment};
use vswitchd::time::Time;
use vswitchd::wire::mac::Mac;

use super::groups;
use super::mdb::{Groups, Wish};
use super::rig::{Known, Output, Rig};
use super::{BRIDGE, PORTS};

const STORY: usize = 500;
/// A few of the kernel's ticks, whose length nobody knows.
const TICKS: Duration = Duration::from_millis(20);
const IO: &str = "the kernel's side works";

/// Stories as everybody likes them; see [`stories`].
pub(crate) fn random<S: Switch>(rig: &mut Rig, vlan: bool) {
    let taste = Taste { bridges: 1, ports: PORTS, vlan, kernel: Some(rig.kernel) };
    stories::<S>(rig, 20_000, |seed| Story::new(seed, taste, STORY));
}

/// As many stories as `VSWITCHD_KERNEL_FRAMES` and `VSWITCHD_SEED` say; a failed one is made short.
///
/// With `VSWITCHD_KERNEL_PROGRESS` set it says how far it has come, for whoever watches a slow machine.
pub(crate) fn stories<S: Switch>(rig: &mut Rig, frames: usize, tell: impl Fn(u64) -> Story) {
    let wanted = std::env::var("VSWITCHD_KERNEL_FRAMES").ok().and_then(|text| text.parse().ok());
    let first = seed_from_environment(1);
    let length = tell(first).actions.len().max(1);
    let stories = wanted.unwrap_or(frames).div_ceil(length) as u64;
    let progress = Progress::new(stories, length as u64);
    for seed in first..first + stories {
        progress.report(seed - first);
        let story = tell(seed);
        if let Err(first) = compare::<S>(&story, rig) {
            assert!(compare::<S>(&story, rig).is_err(), "seed {seed}, once and not again: {first}");
            let short = story.shrink(|story| compare::<S>(story, rig).is_err());
            let difference = compare::<S>(&short, rig).err();
            panic!("{short}{}", difference.unwrap_or_else(|| format!("not again, but at first {first}")));
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
    /// The members and routers it knows.
    fn groups(&mut self) -> Groups {
        unreachable!("it knows nothing of groups")
    }
    /// Time passes; what leaves meanwhile.
    fn wait(&mut self, _: Duration) -> Vec<Output> {
        unreachable!("it has no clock")
    }
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

    fn groups(&mut self) -> Groups {
        let wish = |(entry, plug): (GroupEntry, Option<Plug>)| {
            let mut sources: Vec<_> = entry.sources.iter().map(|one| (one.address, one.expires)).collect();
            sources.sort();
            Wish {
                group: entry.group,
                port: plug.map_or(PortId(0), port_of),
                permanent: entry.permanent,
                exclude: Some(entry.exclude),
                expires: entry.expires,
                sources,
            }
        };
        let mut wishes: Vec<_> = self.fabric.groups(BRIDGE, self.now).into_iter().map(wish).collect();
        let routers = self.fabric.routers(BRIDGE, self.now).into_iter();
        let mut routers: Vec<_> = routers.map(|(_, plug)| port_of(plug)).collect();
        wishes.sort();
        routers.sort();
        (wishes, Some(routers))
    }

    fn wait(&mut self, time: Duration) -> Vec<Output> {
        let (end, step) = (self.now + time, Duration::from_millis(5));
        let mut outputs = Vec::new();
        while self.now < end {
            self.now = (self.now + step).min(end);
            outputs.append(&mut self.tick());
        }
        outputs
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
    rig.reset(&story.setup).expect(IO);
    let mut switch = S::default();
    for change in &story.setup {
        // those that are refused were told so by the rig, too, or the stations would differ
        let made = switch.change(change.clone());
        assert!(made || matches!(change, Change::AddVlan(..)), "set-up {change:?} refused");
    }
    let watch = Watch::new();
    settle(rig, &mut switch);
    for (at, action) in story.actions.iter().enumerate() {
        match action {
            Action::Frame(port, bytes) => {
                let (ours, why) = switch.frame(*port, bytes);
                let ours = asked(ours);
                let mut kernel = receive(rig, *port, bytes);
                if ours != kernel && rig.snooped {
                    // what is gone is in the kernel's way until its next tick
                    std::thread::sleep(TICKS);
                    if groups::is_message(bytes) {
                        groups::forget_idle_questions(&mut kernel, &rig.groups().expect(IO).0);
                    } else {
                        kernel = receive(rig, *port, bytes);
                        groups::add_what_is_owed(&mut kernel, &ours, bytes, rig.groups().expect(IO).0);
                    }
                }
                if ours != kernel {
                    return Err(difference(at, action, &kernel, &ours, &why));
                }
            }
            Action::Change(change) => {
                let (ours, kernel) = (switch.change(change.clone()), rig.apply(change.clone()).expect(IO));
                if ours != kernel {
                    return Err(format!("  action {at}: {action}: kernel {kernel}, vswitchd {ours}\n"));
                }
                if matches!(change, Change::ConfigureBridge(..)) {
                    settle(rig, &mut switch);
                }
            }
            Action::Wait(time) => {
                std::thread::sleep(*time);
                let (mut ours, mut kernel) = (asked(switch.wait(*time)), asked(rig.outputs().expect(IO)));
                // the last time is when what is asked about ends, and either may be first in the kernel
                ours.dedup();
                kernel.dedup();
                if ours != kernel {
                    return Err(difference(at, action, &kernel, &ours, "time passed"));
                }
            }
        }
        if at % 20 == 19 || at + 1 == story.actions.len() {
            let (kernel, ours) = (rig.stations().expect(IO), switch.stations());
            if kernel != ours {
                return Err(format!(
                    "  after action {at}: kernel knows  {kernel:?}\n  vswitchd knows {ours:?}\n"
                ));
            }
            if rig.snooped {
                groups::compare(at, rig.groups().expect(IO), switch.groups(), watch.passed())?;
            }
        }
    }
    Ok(())
}

/// Lets the kernel begin: its first questions are due at its next tick, and until then it counts as a querier.
fn settle(rig: &Rig, switch: &mut impl Switch) {
    if rig.snooped {
        std::thread::sleep(TICKS);
        switch.wait(TICKS);
    }
}

/// What comes out of the kernel.
fn receive(rig: &mut Rig, port: PortId, bytes: &[u8]) -> Vec<Output> {
    asked(rig.receive(port, bytes).expect(IO))
}

/// The same, but for the bridge's own questions to everybody, in order.
fn asked(mut outputs: Vec<Output>) -> Vec<Output> {
    outputs.retain(|(_, bytes)| !groups::is_general_query(bytes));
    outputs.sort();
    outputs
}

fn port_of(plug: Plug) -> PortId {
    match plug {
        Plug::Port(port) => port,
        Plug::Link(link, _) => panic!("{link:?}, but there is only one bridge"),
    }
}

fn difference(at: usize, action: &Action, kernel: &[Output], ours: &[Output], end: &str) -> String {
    let mut text = format!("  action {at}: {action}\n");
    for (who, outputs, others) in [("kernel  ", kernel, ours), ("vswitchd", ours, kernel)] {
        writeln!(text, "  {who}: out of ports {}", list(outputs)).expect("a string takes everything");
        for (port, bytes) in outputs.iter().filter(|output| !others.contains(output)) {
            let frame = Action::Frame(*port, bytes.clone()).to_string().replace("into", "out of");
            writeln!(text, "    alone with {frame}").expect("a string takes everything");
        }
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
    let mut known: Vec<_> =
        known.map(|(vid, mac, behind, kind)| Known { mac, vid, port: port_of(behind), kind }).collect();
    known.sort_by_key(|station| (station.mac, station.vid));
    known
}

/// Tells how far a long comparison has come.
struct Progress {
    stories: u64,
    length: u64,
    watch: Option<Watch>,
}

impl Progress {
    fn new(stories: u64, length: u64) -> Self {
        let wanted = std::env::var_os("VSWITCHD_KERNEL_PROGRESS").is_some();
        Self { stories, length, watch: wanted.then(Watch::new) }
    }

    /// Past the test harness, which would keep it until the end.
    fn report(&self, done: u64) {
        let Some(watch) = &self.watch else { return };
        let step = (self.stories / 10).max(1);
        if done > 0 && done.is_multiple_of(step) {
            let (done, all) = (done * self.length, self.stories * self.length);
            let rate = done as f64 / watch.passed().as_secs_f64();
            writeln!(std::io::stderr(), "{done} of {all} actions, {rate:.0} a second").ok();
        }
    }
}

/// The time that really passes.
struct Watch(std::time::Instant);

impl Watch {
    #[allow(clippy::disallowed_methods, reason = "the kernel's timers go by it")]
    fn new() -> Self {
        Self(std::time::Instant::now())
    }

    fn passed(&self) -> Duration {
        self.0.elapsed()
    }
}
