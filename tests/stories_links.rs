//! Networks joined in the switch, and machines that talk across them.

#[path = "common/frames.rs"]
mod frames;

use std::time::Duration;

use frames::{ALL, expect, expect_drop, frame, frame_of, plain, station};
use vswitchd::bridge::BridgeConfig;
use vswitchd::fabric::{Change, ChangeError};
use vswitchd::frame::{LinkId, NodeId, Plug, PortId};
use vswitchd::sim::{Wire, World};
use vswitchd::verdict::Reason;

/// `N` bridges in a row, with a port on each.
fn row<const N: usize>() -> (World, [NodeId; N], [PortId; N]) {
    let mut world = World::new();
    let bridges = [(); N].map(|()| world.bridge(BridgeConfig::default()));
    let ports = bridges.map(|bridge| world.port(bridge, plain()));
    for pair in bridges.windows(2) {
        world.link(pair[0], pair[1]);
    }
    (world, bridges, ports)
}

#[test]
fn linked_bridges_are_one_segment_with_two_memories() {
    let (mut world, [left, right], [a, b]) = row::<2>();
    let c = world.port(left, plain());
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[b, c], "a flood crosses the link"),
            (b, station(1), station(2), &[a], "and teaches the other bridge, which sends straight back"),
            (c, station(2), station(3), &[b], "and so does the answer"),
        ],
    );
    let behind = |bridge| -> Vec<_> {
        world
            .fabric
            .stations(bridge, world.now())
            .iter()
            .map(|(entry, behind)| (entry.mac, *behind))
            .collect()
    };
    assert_eq!(
        behind(right),
        [
            (station(1), Plug::Link(LinkId(0), 1)),
            (station(2), Plug::Port(b)),
            (station(3), Plug::Link(LinkId(0), 1)),
        ]
    );
    assert_eq!(behind(left)[1], (station(2), Plug::Link(LinkId(0), 0)));
    world.change(Change::RemoveLink(LinkId(0)));
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[c], "without the wire they are two networks"),
            (a, station(2), station(1), &[c], "B18: what was behind the link is forgotten"),
        ],
    );
}

#[test]
fn networks_without_a_wire_never_meet() {
    let mut world = World::new();
    let [left, right] = [(); 2].map(|()| world.bridge(BridgeConfig::default()));
    let [a, b] = [(); 2].map(|()| world.port(left, plain()));
    let [c, d] = [(); 2].map(|()| world.port(right, plain()));
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[b], "B59: isolation is the absence of a wire"),
            (c, station(1), station(3), &[d], "the same address may exist on both"),
        ],
    );
}

#[test]
fn links_form_a_tree() {
    let (mut world, [a, b, c], _) = row::<3>();
    let wire = |from, to| Change::AddLink(LinkId(9), [from, to], [plain(); 2]);
    let table = [
        (a, a, "a bridge with itself"),
        (a, b, "the same link twice"),
        (b, a, "and backwards"),
        (a, c, "the third side of a triangle"),
    ];
    for (from, to, why) in table {
        assert_eq!(world.try_change(wire(from, to)), Err(ChangeError::Loop), "{why}");
    }
    let nowhere = wire(a, NodeId(99));
    assert_eq!(world.try_change(nowhere), Err(ChangeError::Unknown), "to nowhere");
    assert_eq!(world.try_change(Change::RemoveBridge(b)), Err(ChangeError::InUse), "still wired");
    world.change(Change::RemoveLink(LinkId(0)));
    world.link(c, a);
}

#[test]
fn a_walk_is_eight_devices_long() {
    let (mut world, _, ports) = row::<10>();
    world.send(ports[0], &frame(ALL, station(1)));
    assert_eq!(world.reached(), ports[1..8], "a flood reaches the eighth bridge");
    world.send(ports[9], &frame(ALL, station(2)));
    assert_eq!(world.reached(), ports[2..9], "and so does one from the other end");
    // every bridge learns the way to 2, first from the middle and then, in the same direction, from the end
    for port in [ports[7], ports[9]] {
        world.send(port, &frame(ALL, station(2)));
    }
    world.reached();
    let far = frame(station(2), station(1));
    expect_drop(&mut world, ports[0], &far, Reason::HopLimit, "a known station ten bridges away");
    world.send(ports[2], &far);
    assert_eq!(world.reached(), [ports[9]], "eight are fine");
}

#[test]
fn a_link_has_no_mtu_of_its_own() {
    let mut world = World::new();
    let [left, right] = [(); 2].map(|()| world.bridge(BridgeConfig::default()));
    let jumbo = vswitchd::bridge::LegConfig { mtu: 9000, ..plain() };
    let [a, b] = [left, right].map(|bridge| world.port(bridge, jumbo));
    world.link(left, right);
    world.send(a, &frame_of(ALL, station(1), 9000));
    assert_eq!(world.reached(), [b], "only ports limit the length of frames");
}

#[test]
fn machines_ping_across_networks_and_bad_wires() {
    let (mut world, [left, right], _) = row::<2>();
    let a = world.host(left, plain(), [10, 0, 0, 1]);
    let b = world.host(right, plain(), [10, 0, 0, 2]);
    world.wire(b, Wire { delay: Duration::from_millis(20), loss: 30 });
    for _ in 0..40 {
        world.ping(a, [10, 0, 0, 2]);
        world.run_for(Duration::from_secs(1));
    }
    assert!(world.answered(a, [10, 0, 0, 2]), "in forty tries, with a third of the frames lost");
    world.ping(a, [10, 0, 0, 3]);
    world.run_for(Duration::from_secs(1));
    assert!(!world.answered(a, [10, 0, 0, 3]), "nobody has that address");
}

#[test]
fn the_same_seed_is_the_same_world() {
    let run = |seed| {
        let mut world = World::with_seed(seed);
        let bridge = world.bridge(BridgeConfig::default());
        let [a, b] = [1, 2].map(|n| world.host(bridge, plain(), [10, 0, 0, n]));
        world.wire(b, Wire { delay: Duration::from_micros(7), loss: 50 });
        for _ in 0..20 {
            world.ping(a, [10, 0, 0, 2]);
            world.run_for(Duration::from_millis(1));
        }
        (world.received(a), world.received(b), world.fabric.books())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).0.len(), run(6).0.len(), "another seed loses other frames");
}
