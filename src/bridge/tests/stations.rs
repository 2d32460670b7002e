//! Who is remembered, where, for how long, and who never is.

use super::*;
use crate::frame::LEGS_MAX;
use crate::trace::Unlearned;

/// Settings of the bridge and of leg B, destination, source, why that is not learned if it is not, and why so.
type Lesson = (BridgeConfig, LegConfig, Mac, Mac, Option<Unlearned>, &'static str);

#[test]
fn stations_age_exactly() {
    let config = BridgeConfig { ageing: Duration::from_secs(10), ..BridgeConfig::default() };
    let mut bridge = bridge_with(config, |_| {});
    assert_eq!(bridge.deadline(), None, "the host's own address does not age");
    send(&mut bridge, A, GROUP, mac(0x11), 1);
    assert_eq!(bridge.deadline(), Some(at(11)));
    let to_a = bytes(mac(0x11), mac(0x21));
    let last_moment = Time::from_nanos(11_000_000_000 - 1);
    assert_eq!(forward(&mut bridge, B, &to_a, last_moment), Verdict::Forward(A), "B12: a nanosecond before");
    assert_eq!(
        send(&mut bridge, B, mac(0x11), mac(0x21), 11),
        flood([A, C]),
        "B13: being a destination is no sign of life; nobody has swept"
    );
    assert_eq!(learned(&bridge, 11), [(mac(0x21), B)], "nor does it show");
    assert_eq!(bridge.tick(at(11), 256, &mut out()), 1);
    assert_eq!(bridge.deadline(), Some(at(21)), "0x21 was seen at 11");
    send(&mut bridge, B, GROUP, mac(0x21), 15);
    assert_eq!(
        (bridge.deadline(), bridge.tick(at(21), 256, &mut out())),
        (Some(at(25)), 0),
        "B13: seen again"
    );
    assert_eq!(bridge.tick(at(25), 256, &mut out()), 1);
    send(&mut bridge, B, GROUP, mac(0x21), 30);
    bridge
        .configure(BridgeConfig { ageing: Duration::from_secs(2), ..config }, at(30), &mut out())
        .expect("sound");
    assert_eq!(
        send(&mut bridge, A, mac(0x21), mac(0x11), 32),
        flood([B, C]),
        "a shorter time counts at once"
    );
    bridge.configure(BridgeConfig { ageing: Duration::ZERO, ..config }, at(32), &mut out()).expect("sound");
    send(&mut bridge, B, GROUP, mac(0x21), 33);
    assert_eq!(learned(&bridge, 33), [], "B14: nothing is learned, and what was is forgotten");
    bridge.configure(BridgeConfig { ageing: Duration::MAX, ..config }, at(33), &mut out()).expect("sound");
    send(&mut bridge, B, GROUP, mac(0x22), 34);
    assert_eq!(
        bridge.deadline().filter(|deadline| *deadline < at(1 << 33)),
        None,
        "longer than any lab lives"
    );
}

#[test]
fn who_moves_and_who_stays() {
    let mut bridge = bridge();
    let set = [
        (mac(0x15), A, StationKind::Static),
        (mac(0x16), A, StationKind::Sticky),
        (mac(0x17), A, StationKind::Local),
    ];
    for (mac, leg, kind) in set {
        bridge.add_station(mac, None, leg, kind, at(0), &mut out()).expect("there is room");
    }
    send(&mut bridge, A, GROUP, mac(0x11), 1);
    for n in [0x11, 0x15, 0x16, 0x17] {
        assert_eq!(
            send(&mut bridge, B, GROUP, mac(n), 2),
            flood([A, C, HOST]),
            "B7, B8: forwarded all the same"
        );
    }
    let expected = [
        (mac(0x11), B, StationKind::Learned, "B5: moves at once"),
        (mac(0x15), B, StationKind::Static, "B6: moves, and stays static"),
        (mac(0x16), A, StationKind::Sticky, "B7: does not move"),
        (mac(0x17), A, StationKind::Local, "B8: is not learned"),
        (HOST_MAC, HOST, StationKind::Local, "B41"),
    ];
    assert_eq!(places(&bridge, 2), expected.map(|(mac, leg, kind, _)| (mac, leg, kind)));
    assert_eq!(
        send(&mut bridge, C, mac(0x17), mac(0x31), 2),
        Verdict::Forward(HOST),
        "B9: never out of a port"
    );
    assert_eq!(places(&bridge, 1 << 30).len(), 4, "B6: set entries never age");
    assert_eq!((bridge.counters().moved, bridge.counters().learned), (2, 2));
}

#[test]
fn what_is_not_learned() {
    let host_mac = HOST_MAC;
    let off = LegConfig { learning: false, ..port() };
    let no_ll = BridgeConfig { no_linklocal_learn: true, ..BridgeConfig::default() };
    let forwarded = BridgeConfig { group_fwd_mask: 1 << 14, ..no_ll };
    let full = BridgeConfig { fdb_max: 1, ..BridgeConfig::default() };
    let plain = BridgeConfig::default();
    let table: &[Lesson] = &[
        (plain, port(), GROUP, mac(0x21), None, "the rule"),
        (plain, off, GROUP, mac(0x21), Some(Unlearned::LearningOff), "B4"),
        (full, port(), GROUP, mac(0x21), Some(Unlearned::Full), "B19"),
        (plain, port(), GROUP, host_mac, Some(Unlearned::OwnAddress), "B8"),
        (plain, port(), link_local(14), mac(0x21), None, "B22: teaches though it is not forwarded"),
        (no_ll, port(), link_local(14), mac(0x21), Some(Unlearned::LinkLocal), "B22"),
        (forwarded, port(), link_local(14), mac(0x21), None, "B22, B37: forwarded, so it is like any other"),
        (plain, port(), link_local(1), mac(0x21), Some(Unlearned::LinkLocal), "B35: PAUSE not even that"),
    ];
    for (config, leg, dst, src, unlearned, why) in table {
        let mut bridge = bridge_with(*config, |legs| legs[1] = *leg);
        send(&mut bridge, A, GROUP, mac(0x11), 1);
        let (_, trace, _) = decide(&mut bridge, B, &bytes(*dst, *src), &Offload::NONE, at(1));
        let expected = unlearned.map_or(Step::Learn(*src), |why| Step::NotLearned(*src, why));
        assert!(trace.steps().contains(&expected), "{why}: {:?}", trace.steps());
        assert_eq!(learned(&bridge, 1).len(), 1 + usize::from(unlearned.is_none()), "{why}");
    }
}

#[test]
fn a_full_table_refuses_only_the_new() {
    let config = BridgeConfig { fdb_max: 2, ageing: Duration::from_secs(10), ..BridgeConfig::default() };
    let mut bridge = bridge_with(config, |_| {});
    bridge
        .add_station(mac(0x15), None, A, StationKind::Static, at(0), &mut out())
        .expect("B19: set ones do not count");
    for (leg, n, secs) in [(A, 0x11, 1), (A, 0x12, 2), (A, 0x13, 3), (A, 0x11, 4), (B, 0x12, 5)] {
        send(&mut bridge, leg, GROUP, mac(n), secs);
    }
    assert_eq!(learned(&bridge, 5), [(mac(0x11), A), (mac(0x12), B)], "B19: refresh and move still work");
    assert_eq!(bridge.counters().refused, 1);
    send(&mut bridge, A, GROUP, mac(0x13), 14);
    assert_eq!(
        learned(&bridge, 14),
        [(mac(0x12), B), (mac(0x13), A)],
        "0x11 has expired: its place is free, swept or not"
    );
    bridge.configure(BridgeConfig { fdb_max: 1, ..config }, at(14), &mut out()).expect("sound");
    assert_eq!(learned(&bridge, 14).len(), 2, "a lower limit throws nobody out");
    send(&mut bridge, A, GROUP, mac(0x14), 15);
    assert_eq!(learned(&bridge, 15), [(mac(0x13), A)], "one expired, one is left: still full");
    send(&mut bridge, A, GROUP, mac(0x14), 24);
    assert_eq!(learned(&bridge, 24), [(mac(0x14), A)], "both have expired");
}

#[test]
fn whoever_watches_is_told_who_made_room() {
    let config = BridgeConfig { fdb_max: 1, ageing: Duration::from_secs(10), ..BridgeConfig::default() };
    let mut bridge = bridge_with(config, |_| {});
    let mut watched = out();
    watched.watch(true);
    for (n, secs) in [(0x11, 1), (0x12, 11), (0x12, 21)] {
        let bytes = bytes(GROUP, mac(n));
        let headers = Headers::parse(&bytes, &Offload::NONE).expect("it is long enough");
        let passage = Passage { bytes: &bytes, edit: &Edit::NONE, headers: &headers };
        bridge.forward(A, &passage, at(secs), &mut Trace::off(), &mut Extras::default(), &mut watched);
    }
    let sighting = |n| Sighting { mac: mac(n), vid: 0, leg: A, kind: StationKind::Learned };
    let (learned, forgotten) = (|n| Event::Learned(sighting(n)), |n| Event::Forgotten(sighting(n)));
    let told: Vec<_> = watched.events().0.map(|(_, event)| event).collect();
    let expected = [learned(0x11), forgotten(0x11), learned(0x12), forgotten(0x12), learned(0x12)];
    assert_eq!(told, expected, "expired, but not swept, when the next one came, or it came back itself");
}

#[test]
fn whoever_watches_is_told_whose_address_is_the_hosts_now() {
    let mut bridge = bridge();
    send(&mut bridge, A, GROUP, mac(0xee), 1);
    let mut watched = out();
    watched.watch(true);
    let moved = LegConfig { role: Role::Host, mac: Some(mac(0xee)), ..port() };
    bridge.configure_leg(HOST, moved, at(1), &mut watched).expect("sound");
    let gone = Sighting { mac: mac(0xee), vid: 0, leg: A, kind: StationKind::Learned };
    let told: Vec<_> = watched.events().0.map(|(_, event)| event).collect();
    assert_eq!(told, [Event::Forgotten(gone)], "B11: it is not behind A any more");
}

#[test]
fn a_locked_port_passes_only_whom_it_has() {
    let mut bridge = bridge_with(BridgeConfig::default(), |legs| legs[1].locked = true);
    bridge.add_station(mac(0x21), None, B, StationKind::Static, at(0), &mut out()).expect("there is room");
    send(&mut bridge, A, GROUP, mac(0x11), 1);
    let table = [
        (mac(0x21), flood([A, C, HOST]), "B21: allowed by a static entry here"),
        (mac(0x22), Verdict::Drop(Reason::Locked), "B21: unknown"),
        (mac(0x11), Verdict::Drop(Reason::Locked), "B21: known elsewhere, and it does not move"),
        (HOST_MAC, Verdict::Drop(Reason::Locked), "B21: the host's address"),
    ];
    for (src, expected, why) in table {
        assert_eq!(send(&mut bridge, B, GROUP, src, 1), expected, "{why}");
    }
    assert_eq!(learned(&bridge, 1), [(mac(0x11), A)], "nothing was learned from it");
    send(&mut bridge, B, link_local(3), mac(0x22), 1);
    assert_eq!(learned(&bridge, 1).len(), 2, "B22: link-local frames teach even here, as in the kernel");
}

#[test]
fn legs_come_and_go() {
    let mut bridge = bridge();
    bridge.add_station(mac(0x25), None, B, StationKind::Static, at(0), &mut out()).expect("there is room");
    for (leg, n) in [(A, 0x11), (B, 0x21), (C, 0x31)] {
        send(&mut bridge, leg, GROUP, mac(n), 1);
    }
    bridge.set_up(B, false, at(1), &mut out()).expect("it is there");
    assert_eq!(learned(&bridge, 1), [(mac(0x11), A), (mac(0x31), C)], "B17: forgotten at once");
    let down = Verdict::Drop(Reason::EgressDown);
    assert_eq!(
        send(&mut bridge, A, mac(0x25), mac(0x11), 1),
        down,
        "B17, B30: static stays, and is not flooded"
    );
    assert_eq!(send(&mut bridge, A, GROUP, mac(0x11), 1), flood([C, HOST]), "B30");
    assert_eq!(bridge.withheld(B).of(Reason::EgressDown), 2);
    assert_eq!(send(&mut bridge, B, GROUP, mac(0x21), 1), Verdict::Drop(Reason::IngressDown), "B16");
    bridge.set_up(B, true, at(1), &mut out()).expect("it is there");
    assert_eq!(send(&mut bridge, A, mac(0x25), mac(0x11), 1), Verdict::Forward(B));
    bridge.flush(Some(A), None, &mut out());
    assert_eq!(learned(&bridge, 1), [(mac(0x31), C)], "B20");
    bridge.detach(B, at(1), &mut out()).expect("it is there");
    assert_eq!(places(&bridge, 1).len(), 2, "B18: static ones too");
    assert_eq!(bridge.detach(B, at(1), &mut out()), Err(ConfigError::Unknown), "once");
    assert_eq!(bridge.attach(port(), at(1), &mut out()), Ok(B), "the place is taken again");
    assert_eq!(bridge.withheld(B).total(), 0, "with new counters");
    for _ in 4..LEGS_MAX {
        bridge.attach(port(), at(1), &mut out()).expect("there is room");
    }
    assert_eq!(bridge.attach(port(), at(1), &mut out()), Err(ConfigError::Full));
}

#[test]
fn the_host_owns_its_address() {
    let mut bridge = bridge();
    let host = |n| LegConfig { role: Role::Host, mac: Some(mac(n)), ..port() };
    send(&mut bridge, A, GROUP, mac(0xfe), 1);
    bridge.configure_leg(HOST, host(0xfe), at(1), &mut out()).expect("sound");
    assert_eq!(
        places(&bridge, 1),
        [(mac(0xfe), HOST, StationKind::Local)],
        "B11: over a learned one; the old is gone"
    );
    assert_eq!(
        bridge.remove_station(mac(0xfe), None, StationKind::Local, &mut out()),
        Err(ConfigError::Unknown),
        "it is not set by hand"
    );
    let second = bridge.attach(host(0xfe), at(1), &mut out()).expect("there is room");
    bridge.detach(HOST, at(1), &mut out()).expect("it is there");
    assert_eq!(
        places(&bridge, 1),
        [(mac(0xfe), second, StationKind::Local)],
        "B18: the shared address moves on"
    );
    send(&mut bridge, C, GROUP, mac(0x31), 1);
    bridge.configure_leg(C, host(0xfd), at(1), &mut out()).expect("sound");
    assert_eq!(learned(&bridge, 1), [], "what the new host had taught as a port is forgotten (B41)");
    send(&mut bridge, A, GROUP, mac(0x11), 1);
    assert_eq!(
        bridge.add_station(mac(0x11), None, B, StationKind::Static, at(1), &mut out()),
        Ok(()),
        "B11: over a learned one"
    );
    assert_eq!(
        bridge.add_station(mac(0x11), None, A, StationKind::Sticky, at(1), &mut out()),
        Err(ConfigError::Exists)
    );
    assert_eq!(
        bridge.remove_station(mac(0x11), None, StationKind::Sticky, &mut out()),
        Err(ConfigError::Unknown),
        "of another kind"
    );
    assert_eq!(bridge.remove_station(mac(0x11), None, StationKind::Static, &mut out()), Ok(()));
}
