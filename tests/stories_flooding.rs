//! Who gets what nobody is known to want alone, and who is kept from getting anything.

#[path = "common/frames.rs"]
mod frames;

use frames::{ALL, GROUP, bridge_with, expect, expect_drop, frame, frame_of, plain, station};
use vswitchd::bridge::{LegConfig, Promiscuous};
use vswitchd::frame::{End, PortId};
use vswitchd::verdict::Reason;

#[test]
fn each_kind_of_flood_has_its_switch() {
    let (mut world, _, [a, b, c, d]) = bridge_with([
        plain(),
        LegConfig { flood: false, ..plain() },
        LegConfig { bcast_flood: false, ..plain() },
        LegConfig { mcast_flood: false, ..plain() },
    ]);
    expect(
        &mut world,
        &[
            (a, station(9), station(1), &[c, d], "B23: unknown unicast goes where `flood` is on"),
            (a, ALL, station(1), &[b, d], "B24: broadcast goes where `bcast_flood` is on"),
            (a, GROUP, station(1), &[b, c], "B25: multicast goes where `mcast_flood` is on"),
            (b, ALL, station(2), &[a, d], "what a port does not get, it may still send"),
            (a, station(2), station(1), &[b], "known unicast is no flood"),
        ],
    );
    let withheld = |port: PortId, reason| world.fabric.withheld_out(port).of(reason);
    assert_eq!(withheld(b, Reason::UnicastFloodOff), 1);
    assert_eq!(withheld(c, Reason::BroadcastFloodOff), 2, "from a and from b");
    assert_eq!(withheld(d, Reason::MulticastFloodOff), 1);
}

#[test]
fn a_flood_that_reaches_nobody_is_a_drop() {
    let (mut world, _, [a]) = bridge_with([plain()]);
    expect_drop(&mut world, a, &frame(ALL, station(1)), Reason::NoPort, "a is alone");
    let deaf = LegConfig { flood: false, bcast_flood: false, mcast_flood: false, ..plain() };
    let (mut world, _, [a, _]) = bridge_with([plain(), deaf]);
    let table = [
        (station(9), Reason::UnicastFloodOff, "B23"),
        (ALL, Reason::BroadcastFloodOff, "B24"),
        (GROUP, Reason::MulticastFloodOff, "B25"),
    ];
    for (dst, reason, why) in table {
        expect_drop(&mut world, a, &frame(dst, station(1)), reason, why);
    }
}

#[test]
fn hairpin_returns_what_came() {
    let hairpin = LegConfig { hairpin: true, ..plain() };
    let (mut world, _, [a, b]) = bridge_with([hairpin, plain()]);
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[a, b], "B27: floods too"),
            (a, station(1), station(2), &[a], "B27: known unicast"),
            (b, ALL, station(3), &[a], "not without the flag"),
        ],
    );
    let here = frame(station(3), station(4));
    expect_drop(&mut world, b, &here, Reason::SamePort, "B28: 3 is where it came from");
}

#[test]
fn isolated_ports_do_not_see_each_other() {
    let isolated = LegConfig { isolated: true, ..plain() };
    let (mut world, _, [a, b, c]) = bridge_with([isolated, isolated, plain()]);
    expect(
        &mut world,
        &[
            (a, ALL, station(1), &[c], "B29: broadcast"),
            (b, GROUP, station(2), &[c], "B29: multicast"),
            (a, station(9), station(1), &[c], "B29: unknown unicast"),
            (c, ALL, station(3), &[a, b], "an ordinary port sees both"),
            (a, station(3), station(1), &[c], "and is seen"),
        ],
    );
    expect_drop(&mut world, a, &frame(station(2), station(1)), Reason::Isolated, "B29: known unicast");
    assert_eq!(world.fabric.withheld_out(a).of(Reason::Isolated), 1, "from b's multicast");
}

#[test]
fn the_mtu_allows_four_bytes_more_and_not_five() {
    let (mut world, _, [a, b, c]) = bridge_with([plain(), plain(), LegConfig { mtu: 9000, ..plain() }]);
    let table: [(usize, &[PortId], &str); 4] = [
        (1500, &[b, c], "the MTU itself"),
        (1504, &[b, c], "B47: room for a tag, used or not"),
        (1505, &[c], "B47: one byte more"),
        (9005, &[], "too long for all"),
    ];
    for (payload, to, why) in table {
        world.send(a, &frame_of(ALL, station(1), payload));
        assert_eq!(world.reached(), to, "{payload} bytes: {why}");
    }
    let mut tagged = frame_of(ALL, station(1), 1504);
    tagged.splice(12..12, [0x81, 0, 0, 5]);
    world.send(a, &tagged);
    assert_eq!(world.reached(), [b, c], "B47: bytes are counted behind the outer tag");
    world.send(b, &frame(ALL, station(2)));
    world.reached();
    let long = frame_of(station(2), station(1), 1505);
    expect_drop(&mut world, a, &long, Reason::MtuExceeded, "B47: known unicast");
}

#[test]
fn a_port_that_denies_promiscuity_gets_only_its_own() {
    let deny = LegConfig { promiscuous: Promiscuous::Deny, mac: Some(station(2)), ..plain() };
    let (mut world, _, [a, b, c]) = bridge_with([plain(), deny, plain()]);
    expect(
        &mut world,
        &[
            (a, station(9), station(1), &[c], "unknown, so perhaps not for b: withheld"),
            (a, station(2), station(1), &[b, c], "b's own address, though nobody has heard it"),
            (a, ALL, station(1), &[b, c], "groups are for everybody"),
            (b, ALL, station(7), &[a, c], "b may speak as whom it likes: 7 is learned there"),
        ],
    );
    let for_7 = frame(station(7), station(1));
    expect_drop(&mut world, a, &for_7, Reason::Promiscuous, "but nothing for 7 goes to b: it bridges nobody");
}

#[test]
fn frames_pass_as_they_are() {
    let (mut world, _, [a, b]) = bridge_with([plain(); 2]);
    let table: [(&[u8], &str); 4] = [
        (&[0, 3, 0x42, 0x42, 3], "802.3 with LLC"),
        (&[0x81, 0, 0x60, 5, 8, 0, 0x45, 0xff], "a tag, and nonsense behind it (B50)"),
        (&[0xff, 0xff, 1], "an EtherType nobody has"),
        (&[8, 0], "nothing at all behind the header"),
    ];
    for (tail, why) in table {
        let bytes = [&ALL.0[..], &station(1).0, tail].concat();
        assert_eq!(world.send(a, &bytes), End::Flooded, "B31: {why}");
        assert_eq!(world.received(b), [bytes], "B31: {why}");
    }
    let stubs: [(&[u8], &str); 4] = [
        (&[], "nothing"),
        (&[0xff; 13], "one byte short of a header"),
        (&[0xff; 12], "no type"),
        (
            &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 5, 8, 0, 0],
            "the kernel wants two bytes behind a tag",
        ),
    ];
    for (bytes, why) in stubs {
        expect_drop(&mut world, a, bytes, Reason::FrameShort, why);
    }
}
