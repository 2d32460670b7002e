//! The host's leg: what the machine a bridge lives in hears and may say; and link-local groups.

#[path = "common/frames.rs"]
mod frames;

use frames::{
    ALL, GROUP, HOST, bridge_with, expect, expect_drop, frame, frame_of, host, link_local, plain, station,
};
use vswitchd::bridge::{BridgeConfig, LegConfig};
use vswitchd::fabric::{Change, ChangeError};
use vswitchd::frame::PortId;
use vswitchd::verdict::Reason;

#[test]
fn the_host_hears_what_is_for_it_and_what_is_for_all() {
    let (mut world, _, [h, a, b]) = bridge_with([host(), plain(), plain()]);
    expect(
        &mut world,
        &[
            (a, HOST, station(1), &[h], "B9, B40: its own address"),
            (a, ALL, station(1), &[h, b], "B24: broadcast"),
            (a, GROUP, station(1), &[h, b], "B25: multicast"),
            (a, station(9), station(1), &[b], "B23: but no unknown unicast"),
            (a, station(1), station(2), &[], "nor what arrived already"),
        ],
    );
    world.send(a, &frame_of(HOST, station(1), 9000));
    assert_eq!(world.reached(), [h], "B48: the host takes what its ports brought, whatever the length");
}

#[test]
fn the_hosts_own_frames_reach_further() {
    let deaf = LegConfig { flood: false, bcast_flood: false, mcast_flood: false, ..plain() };
    let (mut world, bridge, [h, a, b]) = bridge_with([host(), deaf, plain()]);
    expect(
        &mut world,
        &[
            (h, ALL, HOST, &[a, b], "B26: `bcast_flood` is not for the host's frames"),
            (h, GROUP, HOST, &[a, b], "B26: nor is `mcast_flood`"),
            (h, link_local(14), HOST, &[a, b], "B41: its LLDP is its own affair"),
            (h, station(9), HOST, &[b], "B26: but `flood` is"),
            (h, ALL, station(4), &[a, b], "B41: speaking as another is allowed"),
            (
                b,
                station(4),
                station(2),
                &[],
                "B41: and not learned: a is deaf to unknown unicast, and the host too",
            ),
        ],
    );
    expect_drop(&mut world, h, &frame(HOST, HOST), Reason::SamePort, "B41: to itself");
    let known = world.fabric.stations(bridge, world.now());
    assert!(known.iter().all(|(entry, _)| entry.mac != station(4)), "{known:?}");
}

#[test]
fn isolation_and_locks_do_not_concern_the_host() {
    let isolated = LegConfig { isolated: true, ..plain() };
    let odd_host = LegConfig { isolated: true, locked: true, ..host() };
    let (mut world, _, [h, a, b]) = bridge_with([odd_host, isolated, isolated]);
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[h], "B29: isolated ports reach the host"),
            (a, HOST, station(1), &[h], "B29: by address too"),
            (h, ALL, HOST, &[a, b], "B41: and it reaches them"),
            (h, station(1), HOST, &[a], "B41"),
        ],
    );
}

#[test]
fn link_local_groups_end_at_the_bridge_unless_the_mask_says_otherwise() {
    let open = LegConfig { group_fwd_mask: 1 << 3, ..plain() };
    let (mut world, bridge, [h, a, b]) = bridge_with([host(), open, plain()]);
    let table: [(u8, &[PortId], &[PortId], &str); 5] = [
        (0x00, &[h, b], &[h, a], "B34: without spanning tree, BPDUs are ordinary multicast"),
        (0x01, &[], &[], "B35: PAUSE never passes"),
        (0x03, &[h, b], &[], "B37: 802.1X passes from a, whose mask has bit 3"),
        (0x0e, &[], &[], "B36: LLDP ends here"),
        (0x10, &[h, b], &[h, a], "B38: -10 is ordinary multicast"),
    ];
    for (n, from_a, from_b, why) in table {
        expect(
            &mut world,
            &[(a, link_local(n), station(1), from_a, why), (b, link_local(n), station(2), from_b, why)],
        );
    }
    let mask = |mask| {
        let config = BridgeConfig { group_fwd_mask: mask, ..BridgeConfig::default() };
        Change::ConfigureBridge(bridge, config)
    };
    for bit in 0..3 {
        assert_eq!(world.try_change(mask(1 << bit)), Err(ChangeError::Invalid), "B37: bit {bit} is refused");
    }
    world.change(mask(1 << 14));
    expect(
        &mut world,
        &[
            (b, link_local(0x0e), station(2), &[h, a], "B37: the bridge's mask is for all ports"),
            (b, link_local(0x01), station(2), &[], "B35: PAUSE cannot be enabled"),
        ],
    );
}

#[test]
fn link_local_frames_teach_their_source() {
    let (mut world, bridge, [a, b, c]) = bridge_with([plain(); 3]);
    let lldp = frame(link_local(14), station(1));
    expect_drop(&mut world, a, &lldp, Reason::LinkLocal, "B36");
    expect(&mut world, &[(b, station(1), station(2), &[a], "B22: though it went nowhere, 1 was heard")]);
    let pause = frame(link_local(1), station(3));
    expect_drop(&mut world, a, &pause, Reason::LinkLocal, "B35");
    expect(&mut world, &[(b, station(3), station(2), &[a, c], "B22: PAUSE teaches nothing")]);
    let deaf = BridgeConfig { no_linklocal_learn: true, ..BridgeConfig::default() };
    world.change(Change::ConfigureBridge(bridge, deaf));
    world.change(Change::Flush(bridge, None, None));
    expect_drop(&mut world, a, &lldp, Reason::LinkLocal, "B36");
    expect(&mut world, &[(b, station(1), station(2), &[a, c], "B22: no_linklocal_learn")]);
}
