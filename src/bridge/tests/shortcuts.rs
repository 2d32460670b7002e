//! Which frames go the short way, and that everything of which there is something to ask does not. What they become there is
//! compared with the long way for each of them, in every test (`decide`, and debug assertions).

use super::*;

/// 0x11 is behind A, 0x21 behind B, 0x31 behind C, and the host behind HOST.
fn taught(config: BridgeConfig, adjust: impl Fn(&mut [LegConfig; 4])) -> Bridge {
    let mut bridge = bridge_with(config, adjust);
    for (leg, n) in [(A, 0x11), (B, 0x21), (C, 0x31)] {
        send(&mut bridge, leg, GROUP, mac(n), 1);
    }
    bridge
}

fn short(bridge: &mut Bridge, leg: LegIndex, bytes: &[u8], offload: &Offload, secs: u64) -> Option<LegIndex> {
    let headers = Headers::parse(bytes, offload).expect("it is long enough");
    bridge.shortcut(leg, &Passage { bytes, edit: &Edit::NONE, headers: &headers }, at(secs))
}

fn goes(bridge: &mut Bridge, leg: LegIndex, dst: Mac, src: Mac) -> Option<LegIndex> {
    short(bridge, leg, &bytes(dst, src), &Offload::NONE, 2)
}

#[test]
fn stations_that_are_where_they_were_go_the_short_way() {
    let mut bridge = taught(BridgeConfig::default(), |_| {});
    let table = [
        (A, mac(0x21), mac(0x11), Some(B), "from one to another"),
        (A, HOST_MAC, mac(0x11), Some(HOST), "to the host"),
        (HOST, mac(0x11), HOST_MAC, Some(A), "from the host"),
        (A, GROUP, mac(0x11), None, "a group"),
        (A, Mac::BROADCAST, mac(0x11), None, "everybody"),
        (A, link_local(0), mac(0x11), None, "the link itself"),
        (A, mac(0x22), mac(0x11), None, "to nobody who is known"),
        (A, mac(0x21), mac(0x12), None, "from nobody who is known"),
        (B, mac(0x31), mac(0x11), None, "from somebody who moved"),
        (A, mac(0x11), mac(0x11), None, "to himself"),
        (A, mac(0x21), Mac::ZERO, None, "from nobody"),
        (A, mac(0x21), HOST_MAC, None, "in the host's name"),
        (HOST, HOST_MAC, mac(0x11), None, "from the host to itself"),
        (LegIndex(9), mac(0x21), mac(0x11), None, "from nowhere"),
    ];
    for (leg, dst, src, to, why) in table {
        assert_eq!(goes(&mut bridge, leg, dst, src), to, "{why}");
    }
    let counters = *bridge.counters();
    assert_eq!(
        (counters.received, counters.forwarded),
        (3 + 3, 3),
        "what was short is counted, and nothing else"
    );
    let long = [bytes(mac(0x21), mac(0x11)), vec![0; 1500]].concat();
    let cut = Offload { gso: crate::frame::Gso::TcpV4, gso_size: 1000, ..Offload::NONE };
    assert_eq!(short(&mut bridge, A, &long, &Offload::NONE, 2), None, "B47: longer than the MTU");
    assert_eq!(short(&mut bridge, A, &long, &cut, 2), Some(B), "V13: it will be cut");
}

#[test]
fn the_short_way_refreshes_whom_it_is_from_and_nobody_else() {
    let mut bridge = taught(BridgeConfig::default(), |_| {});
    let frame = bytes(mac(0x21), mac(0x11));
    assert_eq!(short(&mut bridge, A, &frame, &Offload::NONE, 300), Some(B), "both are known");
    assert_eq!(learned(&bridge, 301), [(mac(0x11), A)], "only who has sent is younger");
    assert_eq!(short(&mut bridge, A, &frame, &Offload::NONE, 301), None, "who has expired is not known");
}

#[test]
fn what_a_leg_is_set_to_is_asked() {
    type Adjust = fn(&mut [LegConfig; 4]);
    let table: &[(Adjust, Option<LegIndex>, &str)] = &[
        (|_| {}, Some(B), "nothing special"),
        (|legs| legs[0].isolated = true, Some(B), "B29: alone"),
        (|legs| (legs[0].isolated, legs[1].isolated) = (true, true), None, "B29: both"),
        (|legs| legs[0].locked = true, None, "B21"),
        (|legs| legs[0].learning = false, None, "B4: not refreshed"),
        (|legs| legs[1].learning = false, None, "B4: never learned"),
        (|legs| legs[1].promiscuous = Promiscuous::Deny, None, "its own address only"),
        (|legs| legs[2].promiscuous = Promiscuous::Monitor, None, "somebody watches"),
        (|legs| legs[2].neigh_suppress = true, None, "B83: messages are to be heard"),
        (|legs| legs[2].proxy_arp = true, None, "B83"),
        (|legs| legs[1].mtu = 20, None, "B47"),
        (|legs| legs[0].mac_limit = 1, Some(B), "he is known, so not one too many"),
        (|legs| legs[0].flood = false, Some(B), "nothing is flooded"),
    ];
    for (adjust, to, why) in table {
        let mut bridge = taught(BridgeConfig::default(), adjust);
        assert_eq!(goes(&mut bridge, A, mac(0x21), mac(0x11)), *to, "{why}");
    }
    let filtering = VlanConfig { filtering: true, ..VlanConfig::default() };
    let configs = [
        (BridgeConfig { vlan: filtering, ..BridgeConfig::default() }, None, None, "VLANs"),
        (
            BridgeConfig { icc: false, ..BridgeConfig::default() },
            None,
            Some(HOST),
            "guests apart, not the host",
        ),
        (BridgeConfig { ageing: Duration::ZERO, ..BridgeConfig::default() }, None, None, "B14"),
    ];
    for (config, to_guest, to_host, why) in configs {
        let mut bridge = taught(config, |_| {});
        assert_eq!(goes(&mut bridge, A, mac(0x21), mac(0x11)), to_guest, "{why}");
        assert_eq!(goes(&mut bridge, A, HOST_MAC, mac(0x11)), to_host, "{why}");
    }
}

/// What is kept of a leg is made anew whenever it changes.
#[test]
fn a_change_is_noticed_at_once() {
    type Change = fn(&mut Bridge);
    let table: &[(Change, Change, &str)] = &[
        (
            |bridge| bridge.add_permit(A, Permit::Mac(mac(0x12))).expect("sound"),
            |bridge| bridge.remove_permit(A, Permit::Mac(mac(0x12))).expect("it is there"),
            "source guard",
        ),
        (
            |bridge| {
                bridge
                    .configure_leg(A, LegConfig { locked: true, ..port() }, at(2), &mut out())
                    .expect("sound")
            },
            |bridge| bridge.configure_leg(A, port(), at(2), &mut out()).expect("sound"),
            "settings of a leg",
        ),
        (
            |bridge| {
                let vlan = VlanConfig { filtering: true, ..VlanConfig::default() };
                let config = BridgeConfig { vlan, ..BridgeConfig::default() };
                bridge.configure(config, at(2), &mut out()).expect("sound");
            },
            |bridge| bridge.configure(BridgeConfig::default(), at(2), &mut out()).expect("sound"),
            "settings of the bridge",
        ),
        (
            |bridge| {
                bridge.set_backup(B, Some(C)).expect("both are there");
                bridge.set_up(B, false, at(2), &mut out()).expect("it is there");
            },
            |bridge| bridge.set_up(B, true, at(2), &mut out()).expect("it is there"),
            "a carrier",
        ),
        (
            |bridge| {
                let stp = StpConfig { mode: StpMode::Stp, ..StpConfig::default() };
                let config = BridgeConfig { stp, ..BridgeConfig::default() };
                bridge.configure(config, at(2), &mut out()).expect("sound");
                bridge.set_backup(B, Some(C)).expect("both are there");
                bridge.set_up(B, false, at(2), &mut out()).expect("it is there");
                bridge.set_up(B, true, at(2), &mut out()).expect("it is there");
            },
            |bridge| bridge.configure(BridgeConfig::default(), at(2), &mut out()).expect("sound"),
            "a spanning tree, which listens first",
        ),
        (
            |bridge| {
                let watcher = LegConfig { promiscuous: Promiscuous::Monitor, ..port() };
                bridge.attach(watcher, at(2), &mut out()).expect("there is room");
            },
            |bridge| bridge.detach(LegIndex(4), at(2), &mut out()).expect("it is there"),
            "a new leg",
        ),
    ];
    for (change, undo, why) in table {
        let mut bridge = taught(BridgeConfig::default(), |_| {});
        assert_eq!(goes(&mut bridge, A, mac(0x21), mac(0x11)), Some(B), "{why}: before");
        change(&mut bridge);
        assert_eq!(goes(&mut bridge, A, mac(0x21), mac(0x11)), None, "{why}: at once");
        undo(&mut bridge);
        assert_eq!(goes(&mut bridge, A, mac(0x21), mac(0x11)), Some(B), "{why}: and back");
    }
}

#[test]
fn a_quarantine_is_noticed_at_once() {
    let flap = FlapConfig { moves: 1, window: Duration::from_secs(10), quarantine: Duration::from_secs(5) };
    let mut bridge = taught(BridgeConfig { flap, ..BridgeConfig::default() }, |_| {});
    assert_eq!(goes(&mut bridge, A, mac(0x21), mac(0x11)), Some(B), "before");
    send(&mut bridge, A, GROUP, mac(0x31), 3);
    let frame = bytes(mac(0x21), mac(0x11));
    assert_eq!(
        forward(&mut bridge, A, &frame, at(4)),
        Verdict::Drop(Reason::Quarantined),
        "its leg is not heard"
    );
    assert_eq!(short(&mut bridge, A, &frame, &Offload::NONE, 4), None);
    bridge.tick(at(9), 16, &mut out());
    assert_eq!(short(&mut bridge, A, &frame, &Offload::NONE, 9), Some(B), "it is over");
}
