//! The kernel's own bridge is the reference: the same frames go into it and into the fabric, and the same frames
//! must come out of the same ports, and the same stations be known afterwards.
//!
//! Stories are made up from a seed (see `vswitchd::sim::Story`) and shrunk when the two disagree.
//! `VSWITCHD_KERNEL_FRAMES` says how many actions to try (20,000), `VSWITCHD_SEED` where to begin.
//!
//! Not compared, because vswitchd differs on purpose: expiry to the moment (B12: the kernel's collector is lazy),
//! `promiscuous`, what counts against `fdb_max`, and the device MACs of the TAPs themselves (B9), which in a lab
//! belong to the guests. Bridges that filter VLANs are the matter of `tests/kernel_vlan.rs`.

mod kernel_common;

use std::time::Duration;

use kernel_common::compare::{Switch, compare, random};
use kernel_common::rig::Rig;
use kernel_common::{BRIDGE, HOST, PORTS, beside_the_kernel, frame, host, station};
use vswitchd::bridge::{BridgeConfig, LegConfig, StationKind, VlanConfig};
use vswitchd::fabric::{Change, Station};
use vswitchd::frame::{Plug, PortId};
use vswitchd::sim::{Action, Model, Stage, Story};
use vswitchd::wire::mac::Mac;

#[test]
fn random_frames_go_where_the_kernel_sends_them() {
    beside_the_kernel(|rig| random::<Stage>(rig, false));
}

/// So that what `tests/model.rs` compares with is itself right.
#[test]
fn the_model_sends_random_frames_where_the_kernel_does() {
    beside_the_kernel(|rig| random::<Model>(rig, false));
}

#[test]
fn chosen_frames_go_where_the_kernel_sends_them() {
    beside_the_kernel(tell_chosen::<Stage>);
}

#[test]
fn the_model_sends_chosen_frames_where_the_kernel_does() {
    beside_the_kernel(tell_chosen::<Model>);
}

fn tell_chosen<S: Switch>(rig: &mut Rig) {
    for (name, legs, actions) in chosen() {
        let mut setup = vec![Change::AddBridge(BRIDGE, bridge())];
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
        for change in [Change::AddBridge(BRIDGE, BridgeConfig { ageing, ..bridge() }), setup[0].clone()] {
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

/// The kernel's side has no default VLAN either.
fn bridge() -> BridgeConfig {
    let vlan = VlanConfig { default_pvid: 0, ..VlanConfig::default() };
    BridgeConfig { vlan, ..BridgeConfig::default() }
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
        Action::Change(Change::AddStation(Station {
            bridge: BRIDGE,
            mac,
            vlan: None,
            at: Plug::Port(PortId(port)),
            kind,
        }))
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
