//! Loops, and how a spanning tree opens them (B15, B16, B34, B80 to B82), seen from the machines around: told to a whole fabric
//! in virtual time. The protocol's own tables are in `src/bridge/stp/tests`.

use std::time::Duration;

use vswitchd::bridge::{BridgeConfig, LegConfig, PortState, StpConfig, StpLegConfig, StpMode};
use vswitchd::fabric::{Change, ChangeError};
use vswitchd::frame::{LinkId, NodeId, Plug, PortId};
use vswitchd::sim::World;
use vswitchd::wire::mac::Mac;

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [10, 0, 0, 2];

fn bridge(world: &mut World, mode: StpMode, number: u8) -> NodeId {
    let stp = StpConfig { mode, ..StpConfig::default() };
    world.bridge(BridgeConfig { address: Mac([2, 0, 0, 0, 2, number]), stp, ..BridgeConfig::default() })
}

/// Three bridges, each linked to both others, with a machine on the first two.
fn triangle(modes: [StpMode; 3]) -> (World, [NodeId; 3], [PortId; 2]) {
    let mut world = World::new();
    let bridges = [1, 2, 3].map(|number| bridge(&mut world, modes[usize::from(number) - 1], number));
    let [a, b, c] = bridges;
    let machines = [world.host(a, LegConfig::default(), A), world.host(b, LegConfig::default(), B)];
    for (a, b) in [(a, b), (b, c), (c, a)] {
        world.link(a, b);
    }
    (world, bridges, machines)
}

/// Ends of links and ports that are in that state, over all bridges.
fn in_state(world: &World, bridges: &[NodeId], state: PortState) -> usize {
    let legs = bridges.iter().filter_map(|bridge| world.fabric.tree(*bridge, world.now()));
    legs.flat_map(|(_, legs)| legs).filter(|(_, leg)| leg.state == state).count()
}

/// How often a broadcast of the first machine arrives at the second.
fn broadcasts(world: &mut World, [from, to]: [PortId; 2]) -> usize {
    world.received(to);
    let frame = [&[0xff; 6][..], &[2, 0, 0, 0, 1, 0], &[0x88, 0xb5], &[7; 46]].concat();
    world.send(from, &frame);
    world.run_for(Duration::from_millis(10));
    world.received(to).iter().filter(|bytes| **bytes == frame).count()
}

fn pings(world: &mut World, machines: [PortId; 2]) -> bool {
    world.ping(machines[0], B);
    world.run_for(Duration::from_secs(1));
    world.answered(machines[0], B)
}

#[test]
fn a_loop_of_links_needs_a_tree() {
    use StpMode::{Off, Rstp, Stp};
    let wire = [LegConfig { mtu: u32::MAX, ..LegConfig::default() }; 2];
    let table = [
        ([Off, Off, Off], Err(ChangeError::Loop), "nobody opens it"),
        ([Off, Stp, Off], Ok(()), "one is enough: the others pass its messages on (B34)"),
        ([Rstp, Rstp, Rstp], Ok(()), "all of them"),
    ];
    for (modes, expected, why) in table {
        let mut world = World::new();
        let [a, b, c] = [1, 2, 3].map(|number| bridge(&mut world, modes[usize::from(number) - 1], number));
        world.link(a, b);
        world.link(b, c);
        assert_eq!(world.try_change(Change::AddLink(LinkId(2), [c, a], wire)), expected, "{why}");
        let without = Change::ConfigureBridge(b, BridgeConfig::default());
        let expected = if modes == [Off, Stp, Off] { Err(ChangeError::Loop) } else { Ok(()) };
        assert_eq!(world.try_change(without), expected, "and it cannot be taken away: {why}");
        let itself = Change::AddLink(LinkId(3), [a, a], wire);
        assert_eq!(world.try_change(itself), Err(ChangeError::Loop), "no tree helps against that");
    }
}

#[test]
fn stp_tames_a_triangle_in_twice_the_forward_delay() {
    let (mut world, bridges, machines) = triangle([StpMode::Stp; 3]);
    assert_eq!(broadcasts(&mut world, machines), 0, "B16: nobody forwards before the tree is known");
    world.run_for(Duration::from_secs(29));
    assert_eq!(broadcasts(&mut world, machines), 0, "B80: listening and learning take 15 s each");
    world.run_for(Duration::from_secs(2));
    assert_eq!(broadcasts(&mut world, machines), 1, "once, not for ever");
    assert!(pings(&mut world, machines));
    assert_eq!(in_state(&world, &bridges, PortState::Blocking), 1, "one end of one link");
}

#[test]
fn rstp_tames_it_before_anybody_notices() {
    let (mut world, bridges, machines) = triangle([StpMode::Rstp; 3]);
    world.run_for(Duration::from_millis(100));
    assert_eq!(
        in_state(&world, &bridges, PortState::Blocking),
        1 + 2,
        "one end of a link, and both machines"
    );
    // a machine says nothing, so its port waits to hear whether it is a bridge
    world.run_for(Duration::from_secs(4));
    assert_eq!(broadcasts(&mut world, machines), 1);
    assert!(pings(&mut world, machines));
    assert_eq!(in_state(&world, &bridges, PortState::Blocking), 1);
}

#[test]
fn both_agree_with_each_other_and_with_bridges_that_have_no_tree() {
    use StpMode::{Off, Rstp, Stp};
    for modes in [[Stp, Rstp, Rstp], [Rstp, Stp, Stp], [Rstp, Off, Stp], [Off, Off, Rstp], [Off, Stp, Off]] {
        let (mut world, _, machines) = triangle(modes);
        world.run_for(Duration::from_secs(40));
        assert_eq!(broadcasts(&mut world, machines), 1, "{modes:?}");
        assert!(pings(&mut world, machines), "{modes:?}");
    }
}

#[test]
fn a_cut_link_is_replaced() {
    for (mode, within) in [(StpMode::Rstp, 1), (StpMode::Stp, 52)] {
        let (mut world, [a, ..], machines) = triangle([mode; 3]);
        world.run_for(Duration::from_secs(40));
        assert!(pings(&mut world, machines));
        let (_, legs) = world.fabric.tree(a, world.now()).expect("it has a tree");
        assert!(legs.iter().all(|(_, leg)| leg.state == PortState::Forwarding), "it is the root");
        world.change(Change::RemoveLink(LinkId(0)));
        world.run_for(Duration::from_secs(within));
        assert_eq!(broadcasts(&mut world, machines), 1, "{mode:?}: by way of the third bridge");
        assert!(pings(&mut world, machines), "{mode:?}");
    }
}

#[test]
fn a_pulled_cable_is_noticed_at_both_ends() {
    let (mut world, bridges, machines) = triangle([StpMode::Rstp; 3]);
    world.run_for(Duration::from_secs(5));
    world.change(Change::SetLinkUp(LinkId(0), false));
    assert_eq!(in_state(&world, &bridges, PortState::Disabled), 2);
    world.run_for(Duration::from_secs(1));
    assert_eq!(broadcasts(&mut world, machines), 1, "the other way round");
    world.change(Change::SetLinkUp(LinkId(0), true));
    world.run_for(Duration::from_secs(5));
    assert_eq!(in_state(&world, &bridges, PortState::Blocking), 1, "as before");
    assert_eq!(broadcasts(&mut world, machines), 1);
}

/// As a machine with two interfaces and a bridge of its own makes one.
#[test]
fn a_loop_outside_is_found_and_blocked() {
    for mode in [StpMode::Rstp, StpMode::Stp] {
        let mut world = World::new();
        let node = bridge(&mut world, mode, 1);
        let machines = [world.host(node, LegConfig::default(), A), world.host(node, LegConfig::default(), B)];
        let loose = [(); 2].map(|()| world.port(node, LegConfig::default()));
        world.run_for(Duration::from_secs(40));
        assert!(pings(&mut world, machines));
        world.change(Change::SetPortUp(loose[1], false));
        world.cable(loose[0], loose[1]);
        world.change(Change::SetPortUp(loose[1], true));
        world.run_for(Duration::from_secs(40));
        let (_, legs) = world.fabric.tree(node, world.now()).expect("it has a tree");
        let blocked: Vec<Plug> =
            legs.iter().filter(|(_, leg)| leg.state == PortState::Blocking).map(|(plug, _)| *plug).collect();
        assert_eq!(blocked, [Plug::Port(loose[1])], "{mode:?}: the one with the higher number");
        assert_eq!(broadcasts(&mut world, machines), 1, "{mode:?}");
        world.cut(loose[0]);
        world.run_for(Duration::from_secs(60));
        assert_eq!(in_state(&world, &[node], PortState::Blocking), 0, "{mode:?}: the cable is gone");
    }
}

#[test]
fn b15_a_changed_topology_makes_stations_age_faster() {
    let (mut world, [a, b, _], machines) = triangle([StpMode::Stp; 3]);
    world.run_for(Duration::from_secs(60));
    let known = |world: &World| world.fabric.stations(a, world.now()).len();
    world.send(machines[1], &[&[0xff; 6][..], &[2, 0, 0, 0, 1, 1], &[0x88, 0xb5], &[7; 46]].concat());
    assert_eq!(known(&world), 1);
    world.run_for(Duration::from_secs(100));
    assert_eq!(known(&world), 1, "B12: 300 s while nothing changes");
    let port = world.port(b, LegConfig::default());
    world.change(Change::SetPortUp(port, true));
    world.run_for(Duration::from_secs(31));
    world.change(Change::SetPortUp(port, false));
    world.run_for(Duration::from_secs(16));
    assert_eq!(known(&world), 0, "B15: the forward delay while the root says that something has changed");
    world.run_for(Duration::from_secs(60));
    world.send(machines[1], &[&[0xff; 6][..], &[2, 0, 0, 0, 1, 1], &[0x88, 0xb5], &[7; 46]].concat());
    world.run_for(Duration::from_secs(100));
    assert_eq!(known(&world), 1, "and as before when it is over");
}

#[test]
fn b82_a_guarded_port_is_disabled_by_a_bpdu_until_it_is_set_down_and_up() {
    let mut world = World::new();
    let node = bridge(&mut world, StpMode::Rstp, 1);
    let guard = StpLegConfig { bpdu_guard: true, ..StpLegConfig::default() };
    let port = world.port(node, LegConfig { stp: guard, ..LegConfig::default() });
    let mut other = World::new();
    let peer = bridge(&mut other, StpMode::Rstp, 0);
    let tap = other.port(peer, LegConfig::default());
    other.run_for(Duration::from_secs(3));
    let bpdu = other.received(tap).pop().expect("a bridge says that it is there");
    let state = |world: &World| {
        world.fabric.tree(node, world.now()).map(|(_, legs)| (legs[0].1.state, legs[0].1.guarded))
    };
    world.run_for(Duration::from_secs(4));
    assert_eq!(state(&world), Some((PortState::Forwarding, false)));
    world.send(port, &bpdu);
    assert_eq!(state(&world), Some((PortState::Disabled, true)), "B82");
    world.run_for(Duration::from_secs(100));
    assert_eq!(state(&world), Some((PortState::Disabled, true)), "time does not help");
    world.change(Change::SetPortUp(port, false));
    world.change(Change::SetPortUp(port, true));
    world.run_for(Duration::from_secs(4));
    assert_eq!(state(&world), Some((PortState::Forwarding, false)));
}
