//! Chosen BPDUs, told to both at once.

use std::time::Duration;

use vswitchd::bridge::{StpConfig, StpMode};
use vswitchd::frame::PortId;
use vswitchd::wire::bpdu::{BPDU_FRAME_MAX, Bpdu, BridgeId, Configuration, RapidFlags, StpPortId, Ticks};
use vswitchd::wire::mac::Mac;

use crate::kernel_common::rig::Rig;
use crate::kernel_common::{HOST, PORTS};
use crate::lab::{Lab, Side};

const NEIGHBOUR: Mac = Mac([2, 0, 0, 0, 0, 0x11]);
/// Longer than a port holds back what it has to say, and than a root is silent.
const PATIENCE: Duration = Duration::from_millis(2600);

/// What is told, and what then.
pub(crate) struct Case {
    name: &'static str,
    told: Vec<(u16, Vec<u8>)>,
    /// How long both are then listened to.
    patience: Duration,
}

impl Case {
    /// Tells both, and compares what they make of it and what they say.
    pub(crate) fn hold(&self, rig: &mut Rig) {
        // no port gets to the end of listening while this lasts, so states are for certain
        let config = StpConfig { mode: StpMode::Stp, ..StpConfig::default() };
        let mut lab = Lab::new(rig, config, (HOST, config), &[]);
        lab.pass(Duration::from_millis(100));
        lab.heard.clear();
        for (port, bytes) in &self.told {
            lab.tell(Side::Kernel, PortId(*port), bytes);
            lab.tell(Side::Ours, PortId(*port), bytes);
        }
        lab.pass(self.patience);
        let [kernel, ours] = lab.trees();
        assert_eq!(ours, kernel, "{}: ours and the kernel's tree", self.name);
        for port in (1..=PORTS).map(PortId) {
            let [kernel, ours] = [Side::Kernel, Side::Ours].map(|side| said(&lab, side, port));
            assert_eq!(ours, kernel, "{}: what ours and the kernel said at port {}", self.name, port.0);
        }
    }
}

/// What somebody said at a port: that the topology changed, and the last configuration, without its age; whether any
/// told of a change or acknowledged one.
fn said(lab: &Lab<'_>, side: Side, port: PortId) -> (bool, Option<Configuration>, bool, bool) {
    let mut said = (false, None, false, false);
    for (_, _, bytes) in lab.heard.iter().filter(|(of, at, _)| (*of, *at) == (side, port)) {
        match Bpdu::parse(bytes).expect("nobody says anything else") {
            Bpdu::Config(config) => {
                said.2 |= config.topology_change;
                said.3 |= config.acknowledge;
                let (topology_change, acknowledge) = (false, false);
                said.1 =
                    Some(Configuration { message_age: Ticks(0), topology_change, acknowledge, ..config });
            }
            Bpdu::TopologyChange => said.0 = true,
            Bpdu::Rapid(..) => panic!("{side:?} speaks RSTP"),
        }
    }
    said
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let case = |name, told| Case { name, told, patience: PATIENCE };
    let tell = |port: u16, bpdu: Bpdu| (port, encode(&bpdu));
    let config = |port: u16, config: Configuration| (port, encode(&Bpdu::Config(config)));
    let better = best();
    let me = BridgeId { priority: 0x8000, mac: HOST };
    let other = |n: u8| BridgeId { priority: 0x9000, mac: Mac([2, 0, 0, 0, 0, n]) };
    let malformed = |change: fn(&mut Vec<u8>)| {
        let mut bytes = encode(&Bpdu::Config(best()));
        change(&mut bytes);
        (1, bytes)
    };
    vec![
        case("nothing", vec![]),
        case("another root", vec![config(1, better)]),
        case(
            "an inferior root on a designated port",
            vec![config(2, Configuration { root: other(1), bridge: other(1), ..better })],
        ),
        case(
            "two ways, the second cheaper",
            vec![
                config(1, Configuration { cost: 8, ..better }),
                config(2, Configuration { cost: 4, ..better }),
            ],
        ),
        case(
            "two ways, equal but for the bridge",
            vec![
                config(1, Configuration { bridge: other(9), ..better }),
                config(2, Configuration { bridge: other(8), ..better }),
            ],
        ),
        case(
            "two ways to one bridge, equal but for its port",
            vec![
                config(2, Configuration { port: StpPortId(0x8002), ..better }),
                config(1, Configuration { port: StpPortId(0x8003), ..better }),
            ],
        ),
        case("the same twice", vec![config(2, better), config(1, better)]),
        case(
            "a segment that another serves",
            vec![
                config(1, Configuration { cost: 4, ..better }),
                config(3, Configuration { cost: 5, bridge: other(9), ..better }),
            ],
        ),
        case(
            "a segment that another would serve worse",
            vec![
                config(1, Configuration { cost: 4, ..better }),
                config(3, Configuration { cost: 7, bridge: other(9), ..better }),
            ],
        ),
        case(
            "the root gets worse by its own word",
            vec![config(1, better), config(1, Configuration { root: other(1), bridge: other(1), ..better })],
        ),
        case(
            "the way gets dearer by the word of who serves it",
            vec![
                config(1, better),
                config(2, Configuration { cost: 3, bridge: other(9), ..better }),
                config(1, Configuration { cost: 9, ..better }),
            ],
        ),
        case(
            "our own word from our other port",
            vec![config(
                2,
                Configuration { root: me, bridge: me, cost: 0, port: StpPortId(0x8001), ..better },
            )],
        ),
        case(
            "our own word on the same port",
            vec![config(
                2,
                Configuration { root: me, bridge: me, cost: 0, port: StpPortId(0x8002), ..better },
            )],
        ),
        case("a change on a designated port", vec![tell(2, Bpdu::TopologyChange)]),
        case("a change passed on to the root", vec![config(1, better), tell(2, Bpdu::TopologyChange)]),
        case("a change on the root port", vec![config(1, better), tell(1, Bpdu::TopologyChange)]),
        case(
            "a change that the root tells of",
            vec![config(1, Configuration { topology_change: true, ..better })],
        ),
        case(
            "a change that is acknowledged",
            vec![
                config(1, better),
                tell(2, Bpdu::TopologyChange),
                config(1, Configuration { acknowledge: true, ..better }),
            ],
        ),
        case(
            "B81: older than it may get",
            vec![config(1, Configuration { message_age: Ticks(better.max_age.0 + 1), ..better })],
        ),
        case(
            "B81: nearly as old",
            vec![config(1, Configuration { message_age: Ticks(better.max_age.0 - 256 * 6), ..better })],
        ),
        Case {
            name: "the root falls silent",
            // a second of age is left
            told: vec![config(
                1,
                Configuration { message_age: Ticks(5 * 256), max_age: Ticks(6 * 256), ..better },
            )],
            patience: Duration::from_secs(5),
        },
        case("RSTP", vec![tell(1, Bpdu::Rapid(better, RapidFlags::default()))]),
        case("padded", vec![malformed(|bytes| bytes.resize(60, 0))]),
        case("cut off", vec![malformed(|bytes| bytes.truncate(51))]),
        case("a length that ends too soon", vec![malformed(|bytes| bytes[13] -= 1)]),
        case("another protocol", vec![malformed(|bytes| bytes[18] = 1)]),
        case("another version", vec![malformed(|bytes| bytes[19] = 1)]),
        case("another type", vec![malformed(|bytes| bytes[20] = 7)]),
        case("another LLC", vec![malformed(|bytes| bytes[14] = 0x40)]),
        case("LLC with the poll bit", vec![malformed(|bytes| bytes[16] = 0x13)]),
        case("from a group", vec![malformed(|bytes| bytes[6] = 3)]),
        case("from ourselves", vec![malformed(|bytes| bytes[6..12].copy_from_slice(&HOST.0))]),
    ]
}

/// What a better root says.
fn best() -> Configuration {
    let root = BridgeId { priority: 0x1000, mac: NEIGHBOUR };
    Configuration {
        root,
        cost: 0,
        bridge: root,
        port: StpPortId(0x8001),
        message_age: Ticks(0),
        max_age: Ticks(20 * 256),
        hello: Ticks(2 * 256),
        forward_delay: Ticks(15 * 256),
        topology_change: false,
        acknowledge: false,
    }
}

fn encode(bpdu: &Bpdu) -> Vec<u8> {
    bpdu.encode(NEIGHBOUR, &mut [0; BPDU_FRAME_MAX]).to_vec()
}
