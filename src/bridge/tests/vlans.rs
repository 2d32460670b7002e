//! VLANs: who is in which, what that does to tags, and to what is known of stations (B50 to B61).

use super::*;
use crate::frame::Tag;
use crate::trace::Step;

const Q: u16 = 0x8100;
const AD: u16 = 0x88a8;

type Tags = &'static [(u16, u16)];
/// A frame with these tags enters there; it leaves there with those; why.
type Line = (LegIndex, Tags, &'static [(LegIndex, Tags)], &'static str);

fn access(vid: u16) -> VlanEntry {
    VlanEntry { vid, pvid: true, untagged: true }
}

fn trunk(vid: u16) -> VlanEntry {
    VlanEntry { vid, pvid: false, untagged: false }
}

/// A bridge that filters, whose legs are in these VLANs and no other.
fn filtering(protocol: VlanProtocol, entries: &[(LegIndex, VlanEntry)]) -> Bridge {
    let vlan = VlanConfig { filtering: true, protocol, default_pvid: 0 };
    let mut bridge = bridge_with(BridgeConfig { vlan, ..BridgeConfig::default() }, |_| {});
    join(&mut bridge, entries);
    bridge
}

fn join(bridge: &mut Bridge, entries: &[(LegIndex, VlanEntry)]) {
    for (leg, entry) in entries {
        bridge.add_vlan(*leg, *entry, at(0), &mut out()).expect("a leg, and a VLAN that there is");
    }
}

/// What leaves through which leg.
fn outputs(bridge: &mut Bridge, leg: LegIndex, bytes: &[u8], secs: u64) -> Vec<(LegIndex, Vec<u8>)> {
    let (Said { verdict, inside }, ..) = decide(bridge, leg, bytes, &Offload::NONE, at(secs));
    let legs = match verdict {
        Verdict::Flood(legs) => legs,
        Verdict::Forward(leg) => [leg].into_iter().collect(),
        Verdict::Consume | Verdict::Drop(_) => return vec![],
    };
    let written = |leg| {
        let edit = inside.map_or(Some(Edit::NONE), |inside| bridge.exit(&inside, leg, Edit::NONE));
        let edit = edit.expect("there is room for one tag");
        let (head, len) = edit.head(bytes);
        (leg, [&head[..len], &bytes[edit.tail()..]].concat())
    };
    legs.iter().map(written).collect()
}

/// Broadcasts, each from a station of its own leg.
fn hold(bridge: &mut Bridge, table: &[Line]) {
    for (leg, tags, out, why) in table {
        let src = mac(0x11 + 0x10 * leg.0 as u8);
        let frame = |tags: Tags| tagged(Mac::BROADCAST, src, tags);
        let expected: Vec<_> = out.iter().map(|(leg, tags)| (*leg, frame(tags))).collect();
        assert_eq!(outputs(bridge, *leg, &frame(tags), 1), expected, "{why}");
    }
}

/// VLAN, station, leg and kind of everything but the host.
fn known(bridge: &Bridge) -> Vec<(u16, Mac, LegIndex, StationKind)> {
    let stations = bridge.stations(at(1)).into_iter().filter(|entry| entry.mac != HOST_MAC);
    stations.map(|entry| (entry.vid, entry.mac, entry.leg, entry.kind)).collect()
}

#[test]
fn without_filtering_tags_are_payload() {
    let mut bridge = bridge();
    join(&mut bridge, &[(A, access(10))]);
    let everywhere: &[(LegIndex, Tags)] = &[(B, &[(Q, 20)]), (C, &[(Q, 20)]), (HOST, &[(Q, 20)])];
    hold(&mut bridge, &[(A, &[(Q, 20)], everywhere, "B50: whoever is in which VLAN")]);
    assert_eq!(known(&bridge), [(0, mac(0x11), A, StationKind::Learned)], "B3: learned in no VLAN");
}

#[test]
fn every_leg_begins_in_the_default_vlan() {
    let vlan = VlanConfig { filtering: true, ..VlanConfig::default() };
    let mut bridge = bridge_with(BridgeConfig { vlan, ..BridgeConfig::default() }, |_| {});
    for leg in [A, B, C, HOST] {
        assert_eq!(bridge.vlans(leg), [access(1)], "B51");
    }
    let all: &[(LegIndex, Tags)] = &[(B, &[]), (C, &[]), (HOST, &[])];
    hold(&mut bridge, &[(A, &[], all, "B51"), (A, &[(Q, 1)], all, "B54: its own tag is welcome")]);
    let default = |bridge: &mut Bridge, default_pvid| {
        let vlan = VlanConfig { default_pvid, ..vlan };
        bridge.configure(BridgeConfig { vlan, ..BridgeConfig::default() }, at(1), &mut out())
    };
    join(&mut bridge, &[(B, trunk(1)), (C, access(7))]);
    default(&mut bridge, 5).expect("there is such a VLAN");
    let c = [VlanEntry { vid: 1, pvid: false, untagged: true }, access(7)];
    assert_eq!(bridge.vlans(A), [access(5)], "B51: it moves with the default");
    assert_eq!((bridge.vlans(B), bridge.vlans(C)), (vec![trunk(1)], c.to_vec()), "B51: those changed stay");
    assert_eq!(known(&bridge), [], "B61: and what was learned in the old one is forgotten");
    default(&mut bridge, 0).expect("none is allowed");
    assert_eq!(bridge.vlans(A), [], "B51: without a default they are in none");
    assert_eq!(default(&mut bridge, 4095), Err(ConfigError::Invalid), "B56");
}

#[test]
fn tags_say_which_vlan_and_legs_say_which_tag() {
    let mut bridge = filtering(
        VlanProtocol::Dot1q,
        &[(HOST, trunk(10)), (A, access(10)), (B, trunk(10)), (B, access(20)), (C, access(20))],
    );
    hold(
        &mut bridge,
        &[
            (A, &[], &[(B, &[(Q, 10)]), (HOST, &[(Q, 10)])], "B52, B55: the PVID, tagged on a trunk"),
            (A, &[(Q, 20)], &[], "B52: not a member"),
            (B, &[(Q, 10)], &[(A, &[]), (HOST, &[(Q, 10)])], "B55: stripped, kept"),
            (B, &[], &[(C, &[])], "B59: only into that VLAN"),
            (HOST, &[], &[], "B60: the host has no PVID"),
            (HOST, &[(Q, 10)], &[(A, &[]), (B, &[(Q, 10)])], "B41, B60: it is asked like a port"),
            (A, &[(Q, 0xb000)], &[(B, &[(Q, 0xb00a)]), (HOST, &[(Q, 0xb00a)])], "B53: the priority is kept"),
            (B, &[(Q, 0xf00a)], &[(A, &[]), (HOST, &[(Q, 0xf00a)])], "B53: and goes with the tag"),
            (C, &[(Q, 0)], &[(B, &[])], "B53: a tag that names no VLAN is taken off, too"),
            (A, &[(Q, 4095)], &[], "B56: nobody can be in 4095"),
            (A, &[(AD, 20)], &[(B, &[(Q, 10), (AD, 20)]), (HOST, &[(Q, 10), (AD, 20)])], "B57: QinQ"),
            (B, &[(Q, 10), (Q, 20)], &[(A, &[(Q, 20)]), (HOST, &[(Q, 10), (Q, 20)])], "only the outer one"),
        ],
    );
    let withheld = bridge.withheld(C).of(Reason::VlanEgress);
    assert!(withheld > 0, "B59: counted where it would have gone");
    assert_eq!(bridge.counters().drops.of(Reason::VlanIngress), 3, "B52, B56, and the host's");
}

#[test]
fn a_service_bridge_carries_customers_tags() {
    let mut bridge = filtering(VlanProtocol::Dot1ad, &[(HOST, access(10)), (A, access(10)), (B, trunk(10))]);
    hold(
        &mut bridge,
        &[
            (A, &[(Q, 20)], &[(B, &[(AD, 10), (Q, 20)]), (HOST, &[(Q, 20)])], "B57: a C-tag is payload"),
            (B, &[(AD, 10), (Q, 20)], &[(A, &[(Q, 20)]), (HOST, &[(Q, 20)])], "B57: and comes out again"),
            (B, &[(Q, 10)], &[], "B57: it names no VLAN here, and B has no PVID"),
        ],
    );
    for n in 0..16 {
        let passes = [0x0, 0xb, 0xc, 0xd, 0xf].contains(&n);
        let verdict = send(&mut bridge, A, link_local(n), mac(0x11), 1);
        let expected = if passes { flood([B, HOST]) } else { Verdict::Drop(Reason::LinkLocal) };
        assert_eq!(verdict, expected, "B39: the customers' group {n:x}");
    }
    let vlan = VlanConfig { filtering: false, ..bridge.config().vlan };
    bridge.configure(BridgeConfig { vlan, ..BridgeConfig::default() }, at(1), &mut out()).expect("sound");
    let verdict = send(&mut bridge, A, link_local(0xb), mac(0x11), 1);
    assert_eq!(verdict, Verdict::Drop(Reason::LinkLocal), "B39: only while it filters");
}

#[test]
fn a_leg_has_one_pvid_or_none() {
    let mut bridge = filtering(VlanProtocol::Dot1q, &[(A, access(10)), (A, access(20)), (B, trunk(10))]);
    let old = VlanEntry { vid: 10, pvid: false, untagged: true };
    assert_eq!(bridge.vlans(A), [old, access(20)], "B54: it moved");
    bridge.add_vlan(A, VlanEntry { pvid: false, ..access(20) }, at(1), &mut out()).expect("it is there");
    hold(&mut bridge, &[(A, &[], &[], "B54: given up"), (A, &[(Q, 10)], &[(B, &[(Q, 10)])], "tagged")]);
    join(&mut bridge, &[(A, access(10))]);
    bridge.remove_vlan(A, 10, &mut out()).expect("it is there");
    hold(&mut bridge, &[(A, &[], &[], "B54: gone with its VLAN")]);
    assert_eq!(bridge.remove_vlan(A, 10, &mut out()), Err(ConfigError::Unknown), "once");
    for vid in [0, 4095, u16::MAX] {
        assert_eq!(
            bridge.add_vlan(A, trunk(vid), at(1), &mut out()),
            Err(ConfigError::Invalid),
            "B56: {vid}"
        );
    }
    assert_eq!(
        bridge.add_vlan(LegIndex(9), trunk(1), at(1), &mut out()),
        Err(ConfigError::Unknown),
        "no such leg"
    );
}

#[test]
fn a_station_may_be_elsewhere_in_another_vlan() {
    let mut bridge = filtering(
        VlanProtocol::Dot1q,
        &[(A, access(10)), (A, trunk(20)), (B, access(20)), (B, trunk(10)), (C, trunk(10)), (C, trunk(20))],
    );
    for leg in [A, B] {
        forward(&mut bridge, leg, &bytes(Mac::BROADCAST, mac(0x11)), at(1));
    }
    let learned = |vid, leg| (vid, mac(0x11), leg, StationKind::Learned);
    assert_eq!(known(&bridge), [learned(10, A), learned(20, B)], "B58: the same address, twice");
    for (vid, leg) in [(10, A), (20, B)] {
        let frame = tagged(mac(0x11), mac(0x31), &[(Q, vid)]);
        assert_eq!(forward(&mut bridge, C, &frame, at(1)), Verdict::Forward(leg), "B58: VLAN {vid}");
    }
    let frame = tagged(mac(0x44), mac(0x31), &[(Q, 20)]);
    assert_eq!(forward(&mut bridge, C, &frame, at(1)), flood([A, B]), "B59: unknown: all of VLAN 20");
}

#[test]
fn a_station_is_set_in_one_vlan_or_in_all_of_its_leg() {
    let mut bridge =
        filtering(VlanProtocol::Dot1q, &[(A, access(10)), (A, trunk(20)), (B, trunk(10)), (B, trunk(20))]);
    let fixed = |vid, leg| (vid, mac(0x15), leg, StationKind::Static);
    let set = |bridge: &mut Bridge, vlan| {
        bridge.add_station(mac(0x15), vlan, A, StationKind::Static, at(1), &mut out())
    };
    set(&mut bridge, None).expect("there is room");
    assert_eq!(known(&bridge), [fixed(0, A), fixed(10, A), fixed(20, A)], "B58");
    forward(&mut bridge, B, &tagged(GROUP, mac(0x15), &[(Q, 20)]), at(1));
    assert_eq!(known(&bridge), [fixed(0, A), fixed(10, A), fixed(20, B)], "B6, B58: each moves on its own");
    assert_eq!(set(&mut bridge, Some(10)), Err(ConfigError::Exists), "it is set there already");
    bridge.remove_station(mac(0x15), None, StationKind::Static, &mut out()).expect("it is there");
    assert_eq!(known(&bridge), [], "B58: gone from all of them, wherever it was");
    set(&mut bridge, Some(20)).expect("A is in 20");
    assert_eq!(known(&bridge), [fixed(20, A)], "B58: in one");
    assert_eq!(set(&mut bridge, Some(30)), Err(ConfigError::Invalid), "B58: A is not in 30");
    let elsewhere = bridge.remove_station(mac(0x15), Some(10), StationKind::Static, &mut out());
    assert_eq!(elsewhere, Err(ConfigError::Unknown), "it is set in another");
}

#[test]
fn leaving_a_vlan_forgets_who_was_learned_there() {
    let mut bridge =
        filtering(VlanProtocol::Dot1q, &[(A, access(10)), (A, trunk(20)), (B, trunk(10)), (B, trunk(20))]);
    bridge
        .add_station(mac(0x15), Some(20), A, StationKind::Static, at(1), &mut out())
        .expect("there is room");
    for tags in [&[][..], &[(Q, 20)]] {
        forward(&mut bridge, A, &tagged(GROUP, mac(0x11), tags), at(1));
    }
    let mut watched = out();
    watched.watch(true);
    bridge.remove_vlan(A, 20, &mut watched).expect("A is in it");
    let stay = [(10, mac(0x11), A, StationKind::Learned), (20, mac(0x15), A, StationKind::Static)];
    assert_eq!(known(&bridge), stay, "B61: what was set stays, and so does another VLAN's");
    let gone = Sighting { mac: mac(0x11), vid: 20, leg: A, kind: StationKind::Learned };
    let told: Vec<_> = watched.events().0.map(|(_, event)| event).collect();
    assert_eq!(told, [Event::Forgotten(gone)], "and whoever watches is told");
}

#[test]
fn news_says_in_which_vlan() {
    let mut bridge = filtering(VlanProtocol::Dot1q, &[(A, access(10)), (B, trunk(10))]);
    let mut watched = out();
    watched.watch(true);
    for (leg, tags) in [(A, &[][..]), (B, &[(Q, 10)])] {
        let bytes = tagged(GROUP, mac(0x11), tags);
        let headers = Headers::parse(&bytes, &Offload::NONE).expect("it is long enough");
        let passage = Passage { bytes: &bytes, edit: &Edit::NONE, headers: &headers };
        bridge.forward(leg, &passage, at(1), &mut Trace::off(), &mut Extras::default(), &mut watched);
    }
    bridge.tick(at(301), 256, &mut watched);
    let sighting = |leg| Sighting { mac: mac(0x11), vid: 10, leg, kind: StationKind::Learned };
    let told: Vec<_> = watched.events().0.map(|(_, event)| event).collect();
    assert_eq!(
        told,
        [Event::Learned(sighting(A)), Event::Moved(sighting(A), B), Event::Forgotten(sighting(B))]
    );
}

#[test]
fn the_host_is_known_in_its_own_vlans() {
    let mut bridge = filtering(VlanProtocol::Dot1q, &[(A, access(10)), (B, trunk(10)), (B, access(20))]);
    let to_host = |bridge: &mut Bridge| send(bridge, A, HOST_MAC, mac(0x11), 1);
    assert_eq!(to_host(&mut bridge), flood([B]), "B60: unknown where the host is not");
    forward(&mut bridge, B, &tagged(GROUP, HOST_MAC, &[(Q, 10)]), at(1));
    assert_eq!(to_host(&mut bridge), Verdict::Forward(B), "B8: and may be somebody else");
    join(&mut bridge, &[(HOST, trunk(10))]);
    assert_eq!(to_host(&mut bridge), Verdict::Forward(HOST), "B11, B60: until the host joins");
    bridge.remove_vlan(HOST, 10, &mut out()).expect("it is in it");
    assert_eq!(to_host(&mut bridge), flood([B]), "B61: its own entry goes with it");
}

#[test]
fn link_local_frames_teach_in_their_vlan_only() {
    let mut bridge = filtering(VlanProtocol::Dot1q, &[(A, access(10)), (B, trunk(20))]);
    send(&mut bridge, A, link_local(14), mac(0x11), 1);
    send(&mut bridge, B, link_local(14), mac(0x21), 1);
    assert_eq!(known(&bridge), [(10, mac(0x11), A, StationKind::Learned)], "B22: B has no PVID");
}

#[test]
fn flushing_one_vlan_leaves_the_others() {
    let mut bridge = filtering(VlanProtocol::Dot1q, &[(A, access(10)), (A, trunk(20)), (B, access(20))]);
    for (leg, tags) in [(A, &[][..]), (A, &[(Q, 20)])] {
        forward(&mut bridge, leg, &tagged(GROUP, mac(0x11), tags), at(1));
    }
    send(&mut bridge, B, GROUP, mac(0x21), 1);
    bridge.flush(Some(A), Some(20), &mut out());
    let stay = [(10, mac(0x11), A, StationKind::Learned), (20, mac(0x21), B, StationKind::Learned)];
    assert_eq!(known(&bridge), stay, "B20: of a leg and a VLAN");
    bridge.flush(None, Some(20), &mut out());
    assert_eq!(known(&bridge), stay[..1], "B20: of a VLAN");
}

#[test]
fn a_tag_that_names_the_vlan_is_not_payload() {
    let long = |tags: &[(u16, u16)], payload: usize| {
        let mut bytes = tagged(Mac::BROADCAST, mac(0x11), tags);
        bytes.resize(14 + 4 * tags.len() + payload, 0);
        bytes
    };
    let table: &[(Tags, usize, bool, &str)] = &[
        (&[], 1504, true, "B47: as without VLANs"),
        (&[], 1505, false, "B47"),
        (&[(Q, 10)], 1504, true, "B47: the bridge's own tag does not count"),
        (&[(Q, 0xe000)], 1504, true, "B47: nor a priority"),
        (&[(AD, 10)], 1500, true, "B47: another protocol's does"),
        (&[(AD, 10)], 1501, false, "B47"),
        (&[(Q, 10), (Q, 20)], 1500, true, "B47: and an inner one"),
        (&[(Q, 10), (Q, 20)], 1501, false, "B47"),
    ];
    for (tags, payload, fits, why) in table {
        let mut bridge = filtering(VlanProtocol::Dot1q, &[(A, access(10)), (B, trunk(10))]);
        // C and the host are kept out for another reason
        let expected = if *fits { flood([B]) } else { Verdict::Drop(Reason::NoPort) };
        assert_eq!(forward(&mut bridge, A, &long(tags, *payload), at(1)), expected, "{why}: {tags:x?}");
        assert_eq!(bridge.withheld(B).of(Reason::MtuExceeded), u64::from(!fits), "{why}: {tags:x?}");
    }
}

#[test]
fn an_explanation_names_the_vlan() {
    let mut bridge = filtering(VlanProtocol::Dot1q, &[(A, access(10)), (B, trunk(10))]);
    let frame = bytes(mac(0x44), mac(0x11));
    let (decision, trace, _) = decide(&mut bridge, A, &frame, &Offload::NONE, at(1));
    assert_eq!(trace.steps()[0], Step::Vlan(10));
    let tag = Tag { tpid: Q, tci: 10 };
    assert_eq!(decision.inside, Some(Inside { tag, came: Came::Untagged }));
}
