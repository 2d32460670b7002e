//! The kernel's own bridge is the reference: the same frames go into it and into the fabric, and the same frames
//! must come out of the same ports, and the same stations be known afterwards.
//!
//! Stories are made up from a seed (see `vswitchd::sim::Story`) and shrunk when the two disagree.
//! `VSWITCHD_KERNEL_FRAMES` says how many actions to try (20,000), `VSWITCHD_SEED` where to begin.
//!
//! Not compared, because vswitchd differs on purpose: expiry to the moment (B12: the kernel's collector is lazy),
//! `promiscuous`, what counts against `fdb_max`, and the device MACs of the TAPs themselves (B9), which in a lab
//! belong to the guests. The host's raw socket is handed frames without their VLAN tag (V19).

#[path = "kernel_bridge/netlink.rs"]
mod netlink;
#[path = "kernel_bridge/rig.rs"]
mod rig;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use rig::{Output, Rig, in_new_namespace};
use vswitchd::bridge::{BridgeConfig, LegConfig, Role, StationKind};
use vswitchd::fabric::{Behind, Change, Station};
use vswitchd::frame::{NodeId, PortId};
use vswitchd::sim::{Action, Model, Stage, Story, Taste, seed_from_environment};
use vswitchd::time::Time;
use vswitchd::wire::mac::Mac;

const HOST: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
const PORTS: u16 = 5;
const TASTE: Taste = Taste { bridges: 1, ports: PORTS, kernel: true };
const STORY: usize = 500;
const BRIDGE: NodeId = NodeId(0);

/// Runs a test beside a kernel bridge, if need be as root of a user namespace, or says why it cannot.
fn beside_the_kernel(test: impl FnOnce(&mut Rig) + Send) {
    if let Err(error) = File::options().read(true).write(true).open("/dev/net/tun") {
        return skipped(&format!("TAPs, but /dev/net/tun: {error}"));
    }
    let allowed = in_new_namespace(|| {
        let mut rig = Rig::new(PORTS, HOST).expect("a bridge and TAPs in a namespace of our own");
        test(&mut rig);
    });
    if !allowed && !again_as_root() {
        skipped("root, or user namespaces and `unshare`");
    }
}

/// Says so past the test harness, which would keep it to itself.
fn skipped(needs: &str) {
    let mut terminal = std::io::stderr();
    writeln!(terminal, "SKIPPED: comparing with the kernel's bridge needs {needs}").ok();
}

/// Runs the test of this thread once more, in a process that may make network namespaces; false if there is no way.
fn again_as_root() -> bool {
    const MARK: &str = "VSWITCHD_TEST_AGAIN";
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user"]).args(arguments).env(MARK, "1");
        command.status().is_ok_and(|status| status.success())
    };
    let (executable, thread) = (std::env::current_exe().expect("Linux knows"), std::thread::current());
    let (Some(executable), Some(test)) = (executable.to_str(), thread.name()) else { return false };
    if std::env::var_os(MARK).is_some() || !unshare(&["unshare", "--net", "true"]) {
        return false;
    }
    assert!(
        unshare(&[executable, test, "--exact", "--nocapture"]),
        "it failed as root of a user namespace, see above"
    );
    true
}

#[test]
fn random_frames_go_where_the_kernel_sends_them() {
    beside_the_kernel(random::<Stage>);
}

/// So that what `tests/model.rs` compares with is itself right.
#[test]
fn the_model_sends_random_frames_where_the_kernel_does() {
    beside_the_kernel(random::<Model>);
}

#[test]
fn chosen_frames_go_where_the_kernel_sends_them() {
    beside_the_kernel(tell_chosen::<Stage>);
}

#[test]
fn the_model_sends_chosen_frames_where_the_kernel_does() {
    beside_the_kernel(tell_chosen::<Model>);
}

fn random<S: Switch>(rig: &mut Rig) {
    let frames = std::env::var("VSWITCHD_KERNEL_FRAMES").ok().and_then(|text| text.parse().ok());
    let stories = frames.unwrap_or(20_000_usize).div_ceil(STORY) as u64;
    let first = seed_from_environment(1);
    for seed in first..first + stories {
        let story = Story::new(seed, TASTE, STORY);
        if compare::<S>(&story, rig).is_err() {
            let short = story.shrink(|story| compare::<S>(story, rig).is_err());
            let difference = compare::<S>(&short, rig).expect_err("it failed a moment ago");
            panic!("{short}{difference}");
        }
    }
}

fn tell_chosen<S: Switch>(rig: &mut Rig) {
    for (name, legs, actions) in chosen() {
        let mut setup = vec![Change::AddBridge(BRIDGE, BridgeConfig::default())];
        setup.push(Change::AddPort(PortId(0), BRIDGE, host()));
        setup.extend((1..=PORTS).map(|port| {
            let config = legs.iter().find(|(at, _)| *at == port).map(|(_, config)| *config);
            Change::AddPort(PortId(port), BRIDGE, config.unwrap_or_default())
        }));
        let story = Story { seed: 0, setup, actions };
        if let Err(difference) = compare::<S>(&story, rig) {
            panic!("{name}: {story}{difference}");
        }
    }
}

/// Long before and long after, for the kernel's collector is in no hurry (B12).
#[test]
fn stations_are_forgotten_when_the_kernel_forgets_them() {
    beside_the_kernel(|rig| {
        let setup = [Change::AddPort(PortId(1), BRIDGE, LegConfig::default())];
        rig.reset(&setup).expect("the kernel's bridge takes defaults");
        rig.set_ageing(200).expect("the kernel takes two seconds");
        let mut stage = Stage::default();
        let ageing = Duration::from_secs(2);
        for change in
            [Change::AddBridge(BRIDGE, BridgeConfig { ageing, ..BridgeConfig::default() }), setup[0]]
        {
            stage.change(change).expect("a simple set-up");
        }
        let frame = frame(Mac::BROADCAST, station(1));
        rig.receive(PortId(1), &frame).expect("a TAP takes a frame");
        stage.receive(PortId(1), &frame);
        for (wait, known) in [(0, 1), (4000, 0)] {
            std::thread::sleep(Duration::from_millis(wait));
            stage.now = stage.now + Duration::from_millis(wait);
            let kernel = rig.stations().expect("a dump");
            assert_eq!(kernel.len(), known, "the kernel's after {wait} ms");
            assert_eq!(Switch::stations(&mut stage), kernel, "ours after {wait} ms");
        }
    });
}

/// A name, the ports that are not ordinary, and what happens.
type Chosen = (&'static str, Vec<(u16, LegConfig)>, Vec<Action>);

/// Stories about what random ones rarely hit.
fn chosen() -> Vec<Chosen> {
    let from = |port: u16, dst: Mac, src: Mac| Action::Frame(PortId(port), frame(dst, src));
    let long = |port: u16, dst: Mac, payload: usize, tag: bool| {
        let mut bytes = [dst.0, station(u8::try_from(port).expect("few ports")).0].concat();
        if tag {
            bytes.extend([0x81, 0, 0, 5]);
        }
        bytes.extend([0x90, 0]);
        bytes.resize(bytes.len() + payload, 0x42);
        Action::Frame(PortId(port), bytes)
    };
    let plain = LegConfig::default;
    let fixed = |port: u16, mac: Mac, kind| {
        Action::Change(Change::AddStation(Station { bridge: BRIDGE, mac, port: PortId(port), kind }))
    };
    let link_local = |n: u8| Mac([0x01, 0x80, 0xc2, 0, 0, n]);
    vec![
        (
            "B1: nobody's sources",
            vec![],
            vec![from(1, Mac::BROADCAST, Mac::ZERO), from(1, station(2), Mac([1, 0, 0, 0, 0, 1]))],
        ),
        (
            "B5, B6, B7: moves",
            vec![],
            vec![
                from(1, Mac::BROADCAST, station(1)),
                from(2, Mac::BROADCAST, station(1)),
                from(3, station(1), station(3)),
                fixed(1, station(2), StationKind::Static),
                fixed(1, station(4), StationKind::Sticky),
                from(2, Mac::BROADCAST, station(2)),
                from(2, Mac::BROADCAST, station(4)),
                from(3, station(2), station(3)),
                from(3, station(4), station(3)),
            ],
        ),
        (
            "B8, B9, B23: the host's own address",
            vec![],
            vec![from(1, station(2), HOST), from(2, HOST, station(2)), from(0, station(2), HOST)],
        ),
        (
            "B21, B22: a locked port, and a link-local frame that opens it",
            vec![(1, LegConfig { locked: true, ..plain() })],
            vec![
                from(1, Mac::BROADCAST, station(1)),
                from(1, link_local(3), station(1)),
                from(1, Mac::BROADCAST, station(1)),
                from(2, Mac::BROADCAST, station(1)),
                from(1, Mac::BROADCAST, station(1)),
            ],
        ),
        (
            "B26, B41: the host's own frames",
            vec![(1, LegConfig { flood: false, mcast_flood: false, bcast_flood: false, ..plain() })],
            vec![
                from(0, Mac::BROADCAST, HOST),
                from(0, link_local(14), HOST),
                from(0, link_local(1), HOST),
                from(0, Mac([0x33, 0x33, 0, 0, 0, 1]), HOST),
                from(0, station(1), HOST),
                from(0, HOST, HOST),
                from(0, Mac::BROADCAST, station(4)),
            ],
        ),
        (
            "B27, B29: hairpin, and isolation even from oneself",
            vec![
                (1, LegConfig { hairpin: true, ..plain() }),
                (2, LegConfig { hairpin: true, isolated: true, ..plain() }),
                (3, LegConfig { isolated: true, ..plain() }),
            ],
            vec![
                from(1, Mac::BROADCAST, station(1)),
                from(1, station(1), station(1)),
                from(2, Mac::BROADCAST, station(2)),
                from(2, station(2), station(4)),
                from(3, station(2), station(3)),
            ],
        ),
        (
            "B34 to B38: link-local groups",
            vec![(2, LegConfig { group_fwd_mask: 1 << 3, ..plain() })],
            (0..=16)
                .flat_map(|n| [from(1, link_local(n), station(1)), from(2, link_local(n), station(2))])
                .collect(),
        ),
        (
            "B47: the edge of the MTU, with and without a tag",
            vec![(2, LegConfig { mtu: 9000, ..plain() })],
            [1500, 1504, 1505, 9004, 9005]
                .into_iter()
                .flat_map(|n| [long(1, Mac::BROADCAST, n, false), long(1, Mac::BROADCAST, n, true)])
                .collect(),
        ),
        (
            "the shortest frames",
            vec![],
            (0..4)
                .flat_map(|n| [long(1, Mac::BROADCAST, n, false), long(1, Mac::BROADCAST, n, true)])
                .collect(),
        ),
    ]
}

/// Who is compared with the kernel.
trait Switch: Default {
    /// Makes a change; whether it made sense.
    fn change(&mut self, change: Change) -> bool;
    /// The ports a frame leaves through, ascending, and a word on why.
    fn frame(&mut self, port: PortId, bytes: &[u8]) -> (Vec<PortId>, String);
    /// What is known, but for the host's own address.
    fn stations(&mut self) -> Vec<(Mac, PortId, StationKind)>;
}

impl Switch for Stage {
    fn change(&mut self, change: Change) -> bool {
        Stage::change(self, change).is_ok()
    }

    fn frame(&mut self, port: PortId, bytes: &[u8]) -> (Vec<PortId>, String) {
        let (ports, end) = self.receive(port, bytes);
        (ports, format!("{end:?}"))
    }

    fn stations(&mut self) -> Vec<(Mac, PortId, StationKind)> {
        let known = self.fabric.stations(BRIDGE, self.now).into_iter();
        without_local(known.map(|(entry, behind)| (entry.mac, behind, entry.kind)))
    }
}

impl Switch for Model {
    fn change(&mut self, change: Change) -> bool {
        self.apply(change, Time::ZERO)
    }

    fn frame(&mut self, port: PortId, bytes: &[u8]) -> (Vec<PortId>, String) {
        let fate = self.receive(port, bytes, Time::ZERO);
        let why = format!("{fate:?}");
        (fate.ports.into_iter().collect(), why)
    }

    fn stations(&mut self) -> Vec<(Mac, PortId, StationKind)> {
        without_local(Model::stations(self, BRIDGE, Time::ZERO).into_iter())
    }
}

/// Tells the story to both; what they disagree about.
fn compare<S: Switch>(story: &Story, rig: &mut Rig) -> Result<(), String> {
    const IO: &str = "the kernel's side works";
    rig.reset(&story.setup).expect(IO);
    let mut switch = S::default();
    for change in &story.setup {
        assert!(switch.change(*change), "set-up {change:?} refused");
    }
    for (at, action) in story.actions.iter().enumerate() {
        match action {
            Action::Frame(port, bytes) => {
                let (ports, why) = switch.frame(*port, bytes);
                let ours: Vec<_> = ports.into_iter().map(|port| output(port, bytes)).collect();
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

/// What comes out of a port when `bytes` are delivered to it.
fn output(port: PortId, bytes: &[u8]) -> Output {
    let tagged = matches!(bytes.get(12..14), Some([0x81, 0] | [0x88, 0xa8]));
    match port.0 == 0 && tagged {
        true => (port, [&bytes[..12], &bytes[16..]].concat()),
        false => (port, bytes.to_vec()),
    }
}

fn difference(at: usize, action: &Action, kernel: &[Output], ours: &[Output], end: &str) -> String {
    let mut text = format!("  action {at}: {action}\n");
    for (who, outputs) in [("kernel  ", kernel), ("vswitchd", ours)] {
        let list: Vec<_> =
            outputs.iter().map(|(port, bytes)| format!("{}({} B)", port.0, bytes.len())).collect();
        writeln!(text, "  {who}: out of ports [{}]", list.join(", ")).expect("a string takes everything");
    }
    text + &format!("  vswitchd says {end}\n")
}

fn without_local(known: impl Iterator<Item = (Mac, Behind, StationKind)>) -> Vec<(Mac, PortId, StationKind)> {
    let known = known.filter(|(.., kind)| *kind != StationKind::Local);
    known
        .map(|(mac, behind, kind)| match behind {
            Behind::Port(port) => (mac, port, kind),
            Behind::Bridge(bridge) => panic!("{mac} is behind {bridge:?}, but there is only one"),
        })
        .collect()
}

fn host() -> LegConfig {
    LegConfig { role: Role::Host, mac: Some(HOST), ..LegConfig::default() }
}

fn station(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

fn frame(dst: Mac, src: Mac) -> Vec<u8> {
    [&dst.0[..], &src.0, &[0x90, 0], &[0x42; 46]].concat()
}
