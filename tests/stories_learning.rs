//! What a bridge remembers of its stations, for how long, and what makes it change its mind.

#[path = "common/frames.rs"]
mod frames;

use std::time::Duration;

use frames::{ALL, HOST, bridge_with, expect, expect_drop, frame, host, plain, station};
use vswitchd::bridge::{BridgeConfig, LegConfig, StationKind};
use vswitchd::fabric::{Change, Station};
use vswitchd::frame::{NodeId, Plug, PortId};
use vswitchd::sim::World;
use vswitchd::verdict::Reason;
use vswitchd::wire::mac::Mac;

/// The addresses a bridge knows, and where.
fn known(world: &World, bridge: NodeId) -> Vec<(Mac, StationKind)> {
    let known = world.fabric.stations(bridge, world.now()).into_iter().map(|(entry, _)| entry);
    // what is set for all VLANs is set for none, too (B58); nothing here filters
    known.filter(|entry| entry.vid == 0).map(|entry| (entry.mac, entry.kind)).collect()
}

#[test]
fn a_station_is_learned_from_its_frames_and_only_from_them() {
    let (mut world, bridge, [a, b, c]) = bridge_with([plain(); 3]);
    expect(
        &mut world,
        &[
            (a, station(2), station(1), &[b, c], "B23: nobody knows 2"),
            (c, station(1), station(3), &[a], "B3: 1 was heard at a"),
            (b, station(3), station(2), &[c], "and 3 at c"),
            (a, station(2), station(1), &[b], "and now 2 at b"),
            (a, station(9), station(1), &[b, c], "B13: being a destination teaches nothing"),
        ],
    );
    assert_eq!(known(&world, bridge).len(), 3, "1, 2 and 3, but not 9");
}

#[test]
fn a_port_with_learning_off_teaches_nothing() {
    let quiet = LegConfig { learning: false, ..plain() };
    let (mut world, _, [a, b, c]) = bridge_with([quiet, plain(), plain()]);
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[b, c], "B4: sent, not learned"),
            (b, station(1), station(2), &[a, c], "so 1 is still unknown"),
            (c, ALL, station(1), &[a, b], "1 is learned at c"),
            (a, ALL, station(1), &[b, c], "B4: and not moved by a port that does not learn"),
            (b, station(1), station(2), &[c], "1 is still at c"),
        ],
    );
}

#[test]
fn a_station_that_moves_is_followed_at_once() {
    let (mut world, _, [a, b, c]) = bridge_with([plain(); 3]);
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[b, c], "1 is at a"),
            (c, station(1), station(3), &[a], "and found there"),
            (b, ALL, station(1), &[a, c], "B5: now it speaks at b"),
            (c, station(1), station(3), &[b], "and is found at b, without a hold-off"),
        ],
    );
}

#[test]
fn ageing_is_exact_at_the_edge_even_if_nothing_sweeps() {
    let (mut world, _, [a, b, c]) = bridge_with([plain(); 3]);
    world.send(a, &frame(ALL, station(1)));
    world.reached();
    world.skip(Duration::from_secs(300) - Duration::from_nanos(1));
    expect(&mut world, &[(b, station(1), station(2), &[a], "B12: a nanosecond before, 1 is known")]);
    world.skip(Duration::from_nanos(1));
    expect(&mut world, &[(b, station(1), station(2), &[a, c], "at 300 s sharp it is not")]);
}

#[test]
fn only_being_heard_keeps_a_station_young() {
    let (mut world, _, [a, b, c]) = bridge_with([plain(); 3]);
    world.send(a, &frame(ALL, station(1)));
    world.skip(Duration::from_secs(200));
    world.send(b, &frame(station(1), station(2)));
    world.skip(Duration::from_secs(99));
    world.reached();
    expect(&mut world, &[(c, station(1), station(3), &[a], "299 s old")]);
    world.skip(Duration::from_secs(1));
    expect(&mut world, &[(c, station(1), station(3), &[a, b], "B13: being spoken to did not count")]);
    world.send(a, &frame(ALL, station(1)));
    world.skip(Duration::from_secs(299));
    world.reached();
    expect(&mut world, &[(c, station(1), station(3), &[a], "speaking does")]);
}

#[test]
fn the_sweep_forgets_what_has_expired_and_then_rests() {
    let (mut world, bridge, [a, ..]) = bridge_with([plain(); 2]);
    for n in 0..200 {
        world.send(a, &frame(ALL, station(n)));
    }
    assert_eq!(known(&world, bridge).len(), 200);
    assert!(world.fabric.deadline().is_some(), "something can expire");
    world.run_for(Duration::from_secs(700));
    assert_eq!(known(&world, bridge), []);
    assert_eq!(world.fabric.deadline(), None, "an idle switch does not wake up");
}

/// Found by `tests/model.rs`, seed 54: whoever had expired, but not been swept, came back.
#[test]
fn a_longer_ageing_time_revives_nobody() {
    let (mut world, bridge, [a, b, c]) = bridge_with([plain(); 3]);
    let ageing = |secs| {
        let ageing = Duration::from_secs(secs);
        Change::ConfigureBridge(bridge, BridgeConfig { ageing, ..BridgeConfig::default() })
    };
    world.change(ageing(1));
    world.send(a, &frame(ALL, station(1)));
    world.skip(Duration::from_secs(1));
    world.send(b, &frame(ALL, station(2)));
    world.change(ageing(300));
    world.reached();
    expect(
        &mut world,
        &[
            (c, station(1), station(3), &[a, b], "B12: 1 had expired"),
            (c, station(2), station(3), &[b], "2 had not, and lives on under the new time"),
        ],
    );
}

#[test]
fn an_ageing_time_of_zero_learns_nothing() {
    let mut world = World::new();
    let bridge = world.bridge(BridgeConfig { ageing: Duration::ZERO, ..BridgeConfig::default() });
    let [a, b, c] = [(); 3].map(|()| world.port(bridge, plain()));
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[b, c], "heard"),
            (b, station(1), station(2), &[a, c], "B14: and not remembered: a hub"),
        ],
    );
}

#[test]
fn what_the_user_sets_does_not_age_and_moves_only_unless_sticky() {
    let (mut world, bridge, [a, b, c]) = bridge_with([plain(); 3]);
    let fix = |world: &mut World, mac, kind| {
        world.change(Change::AddStation(Station { bridge, mac, vlan: None, at: Plug::Port(a), kind }));
    };
    fix(&mut world, station(1), StationKind::Static);
    fix(&mut world, station(2), StationKind::Sticky);
    world.skip(Duration::from_secs(100_000));
    expect(
        &mut world,
        &[
            (c, station(1), station(3), &[a], "B10: a static entry never ages"),
            (c, station(2), station(3), &[a], "nor a sticky one"),
            (b, station(3), station(1), &[c], "1 shows up at b"),
            (c, station(1), station(3), &[b], "B6: a static entry moves"),
            (b, station(3), station(2), &[c], "2 shows up at b, and is heard"),
            (c, station(2), station(3), &[a], "B7: a sticky entry stays"),
        ],
    );
    world.skip(Duration::from_secs(100_000));
    expect(&mut world, &[(c, station(1), station(3), &[b], "B6: moved, it is still static")]);
    let moved = Station { bridge, mac: station(1), vlan: None, at: Plug::Port(b), kind: StationKind::Static };
    world.change(Change::RemoveStation(moved));
    expect(&mut world, &[(c, station(1), station(3), &[a, b], "removed")]);
}

#[test]
fn a_port_that_goes_down_forgets_what_it_learned() {
    let (mut world, bridge, [a, b, c]) = bridge_with([plain(); 3]);
    world.send(a, &frame(ALL, station(1)));
    let fixed = Station { bridge, mac: station(4), vlan: None, at: Plug::Port(a), kind: StationKind::Static };
    world.change(Change::AddStation(fixed));
    world.reached();
    world.change(Change::SetPortUp(a, false));
    expect(
        &mut world,
        &[
            (b, station(1), station(2), &[c], "B17: 1 is forgotten, and a dead port gets no flood"),
            (b, station(4), station(2), &[], "B30: a static entry stays, and does not fall back to flooding"),
        ],
    );
    expect_drop(&mut world, b, &frame(station(4), station(2)), Reason::EgressDown, "B30");
    expect_drop(
        &mut world,
        a,
        &frame(ALL, station(1)),
        Reason::IngressDown,
        "nothing comes from a dead port",
    );
    world.change(Change::SetPortUp(a, true));
    expect(&mut world, &[(b, station(1), station(2), &[a, c], "up again, 1 is still unknown")]);
}

#[test]
fn flushing_forgets_what_was_learned() {
    let (mut world, bridge, [a, b, c]) = bridge_with([plain(); 3]);
    for (port, n) in [(a, 1), (b, 2)] {
        world.send(port, &frame(ALL, station(n)));
    }
    let fixed = Station { bridge, mac: station(4), vlan: None, at: Plug::Port(a), kind: StationKind::Static };
    world.change(Change::AddStation(fixed));
    world.change(Change::Flush(bridge, Some(Plug::Port(a)), None));
    let learned = StationKind::Learned;
    assert_eq!(
        known(&world, bridge),
        [(station(2), learned), (station(4), StationKind::Static)],
        "B20: of one port"
    );
    world.change(Change::Flush(bridge, None, None));
    assert_eq!(known(&world, bridge), [(station(4), StationKind::Static)], "B20: of all");
    world.reached();
    expect(&mut world, &[(c, station(2), station(3), &[a, b], "2 is unknown again")]);
}

#[test]
fn a_port_that_is_removed_takes_its_stations_along() {
    let (mut world, bridge, [a, b, _]) = bridge_with([plain(); 3]);
    world.send(a, &frame(ALL, station(1)));
    world.change(Change::AddStation(Station {
        bridge,
        mac: station(4),
        vlan: None,
        at: Plug::Port(a),
        kind: StationKind::Sticky,
    }));
    world.send(b, &frame(ALL, station(2)));
    world.change(Change::RemovePort(a));
    assert_eq!(known(&world, bridge), [(station(2), StationKind::Learned)], "B18: static ones too");
    let ghost = Change::AddStation(Station {
        bridge,
        mac: station(5),
        vlan: None,
        at: Plug::Port(a),
        kind: StationKind::Static,
    });
    assert!(world.try_change(ghost).is_err(), "there is no such port");
}

#[test]
fn a_full_fdb_learns_nobody_new_and_keeps_what_it_has() {
    let mut world = World::new();
    let bridge = world.bridge(BridgeConfig { fdb_max: 2, ..BridgeConfig::default() });
    let [a, b, c] = [(); 3].map(|()| world.port(bridge, plain()));
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[b, c], "the first"),
            (b, ALL, station(2), &[a, c], "the second"),
            (c, ALL, station(3), &[a, b], "B19: the third is one too many, but its frame passes"),
            (a, station(3), station(1), &[b, c], "3 is unknown"),
            (c, ALL, station(1), &[a, b], "B19: moving is not learning"),
            (b, station(1), station(2), &[c], "1 moved"),
        ],
    );
    world.change(Change::AddStation(Station {
        bridge,
        mac: station(4),
        vlan: None,
        at: Plug::Port(a),
        kind: StationKind::Static,
    }));
    expect(&mut world, &[(b, station(4), station(2), &[a], "B19: what the user sets does not count")]);
    world.skip(Duration::from_secs(300));
    expect(
        &mut world,
        &[
            (c, ALL, station(3), &[a, b], "what has expired takes up no room, swept or not"),
            (b, station(3), station(2), &[c], "3 is known"),
        ],
    );
}

#[test]
fn nobodys_addresses_are_dropped() {
    let (mut world, bridge, [a, ..]) = bridge_with([plain(); 2]);
    let table = [
        (Mac::ZERO, "B1: zero is nobody"),
        (Mac([1, 0, 0x5e, 0, 0, 1]), "B1: a group sends nothing"),
        (Mac::BROADCAST, "B1: nor do all"),
    ];
    for (src, why) in table {
        expect_drop(&mut world, a, &frame(ALL, src), Reason::SourceInvalid, why);
    }
    assert_eq!(known(&world, bridge), []);
}

#[test]
fn the_hosts_address_is_its_own_even_if_somebody_else_had_it() {
    let (mut world, bridge, [a, b]) = bridge_with([plain(); 2]);
    world.send(a, &frame(ALL, HOST));
    world.reached();
    let h = world.port(bridge, host());
    expect(
        &mut world,
        &[
            (b, HOST, station(2), &[h], "B11: a local entry replaces the learned one"),
            (a, station(2), HOST, &[b], "B8: the host's address as source is forwarded"),
            (b, HOST, station(2), &[h], "and not learned"),
        ],
    );
    assert_eq!(known(&world, bridge).last(), Some(&(HOST, StationKind::Local)));
    assert_eq!(world.received(PortId(0)), Vec::<Vec<u8>>::new(), "a never got what was for the host");
}

#[test]
fn a_locked_port_lets_in_only_who_is_entered_there() {
    let locked = LegConfig { locked: true, ..plain() };
    let (mut world, bridge, [a, b, c]) = bridge_with([locked, plain(), plain()]);
    expect_drop(&mut world, a, &frame(ALL, station(1)), Reason::Locked, "B21: nobody knows 1");
    world.change(Change::AddStation(Station {
        bridge,
        mac: station(1),
        vlan: None,
        at: Plug::Port(a),
        kind: StationKind::Static,
    }));
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[b, c], "B21: 1 is entered at a"),
            (b, ALL, station(2), &[a, c], "2 is learned at b: only ingress is locked"),
        ],
    );
    expect_drop(&mut world, a, &frame(ALL, station(2)), Reason::Locked, "B21: and may not roam onto a");
    expect(&mut world, &[(c, station(2), station(3), &[b], "2 is still at b")]);
}
