//! What guests may do to each other and to the bridge: locks, limits, isolation by protocol, and who watches.

use super::*;
use crate::frame::Gso;
use crate::trace::{Step, Unlearned};

const ANY: &str = "there is room";

/// A bridge whose leg B is locked and takes note of whom it turns away.
fn with_mab() -> Bridge {
    bridge_with(BridgeConfig::default(), |legs| (legs[1].locked, legs[1].mab) = (true, true))
}

#[test]
fn a_locked_port_notes_whom_it_turns_away() {
    let mut bridge = with_mab();
    let locked = Verdict::Drop(Reason::Locked);
    assert_eq!(send(&mut bridge, B, GROUP, mac(0x21), 1), locked, "B21: turned away");
    let entry = |leg, kind| [(mac(0x21), leg, kind), (HOST_MAC, HOST, StationKind::Local)];
    assert_eq!(places(&bridge, 1), entry(B, StationKind::Locked), "B21: and noted");
    assert_eq!(send(&mut bridge, B, GROUP, mac(0x21), 200), locked, "B21: still turned away");
    assert_eq!(places(&bridge, 499), entry(B, StationKind::Locked), "B21: but refreshed");
    assert_eq!(places(&bridge, 500).len(), 1, "it ages like any other");
    send(&mut bridge, B, GROUP, mac(0x21), 500);
    send(&mut bridge, A, GROUP, mac(0x21), 501);
    assert_eq!(places(&bridge, 501), entry(A, StationKind::Learned), "B21: free as soon as it is elsewhere");
    assert_eq!(send(&mut bridge, B, GROUP, mac(0x21), 502), locked, "B21: and does not come back");
    assert_eq!(places(&bridge, 502), entry(A, StationKind::Learned));
    send(&mut bridge, B, GROUP, mac(0x22), 503);
    bridge
        .add_station(mac(0x22), None, B, StationKind::Static, at(503), &mut out())
        .expect("B11: over a locked entry");
    assert_eq!(send(&mut bridge, B, GROUP, mac(0x22), 504), flood([A, C, HOST]), "B21: let in");
    send(&mut bridge, B, GROUP, mac(0x23), 504);
    let plain = LegConfig { locked: true, ..port() };
    bridge.configure_leg(B, plain, at(504), &mut out()).expect("sound");
    assert!(
        places(&bridge, 504).iter().all(|(.., kind)| *kind != StationKind::Locked),
        "B21: without MAB nobody waits"
    );
}

#[test]
fn mab_needs_a_lock_and_learning() {
    let table = [
        (true, true, true, "B21"),
        (false, true, false, "B21: whoever is not kept out need not wait"),
        (true, false, false, "B21: nor can anybody be noted"),
    ];
    for (locked, learning, sound, why) in table {
        let mut bridge = bridge();
        let config = LegConfig { locked, learning, mab: true, ..port() };
        assert_eq!(bridge.configure_leg(B, config, at(1), &mut out()).is_ok(), sound, "{why}");
    }
}

#[test]
fn a_backup_stands_in_for_a_port_that_is_down() {
    let mut bridge = bridge();
    bridge.set_backup(B, Some(C)).expect("both are there");
    bridge.set_backup(C, Some(A)).expect("both are there");
    assert_eq!(bridge.set_backup(A, Some(A)), Err(ConfigError::Invalid), "B30: not for itself");
    assert_eq!(bridge.set_backup(A, Some(LegIndex(9))), Err(ConfigError::Unknown), "B30: no such leg");
    send(&mut bridge, B, GROUP, mac(0x21), 1);
    assert_eq!(send(&mut bridge, A, mac(0x21), mac(0x11), 1), Verdict::Forward(B), "not while it is up");
    bridge.set_up(B, false, at(1), &mut out()).expect("it is there");
    let (decision, trace, _) = decide(&mut bridge, A, &bytes(mac(0x21), mac(0x11)), &Offload::NONE, at(2));
    assert_eq!(decision.verdict, Verdict::Forward(C), "B17, B30: nobody is forgotten");
    assert!(trace.steps().contains(&Step::Backup(B, C)), "and it shows");
    assert_eq!(
        send(&mut bridge, C, mac(0x21), mac(0x31), 2),
        Verdict::Drop(Reason::SamePort),
        "B28, B30: not back"
    );
    assert_eq!(send(&mut bridge, A, GROUP, mac(0x11), 2), flood([C, HOST]), "B30: floods need none");
    bridge.set_up(C, false, at(2), &mut out()).expect("it is there");
    let down = Verdict::Drop(Reason::EgressDown);
    assert_eq!(send(&mut bridge, A, mac(0x21), mac(0x11), 2), down, "B30: a backup has no backup");
    bridge.set_backup(B, None).expect("it is there");
    bridge.set_up(B, false, at(2), &mut out()).expect("it is there");
    let rest = [(mac(0x11), A), (mac(0x31), C)];
    assert_eq!(learned(&bridge, 2), rest, "B17: without one it is forgotten as ever; C still has one");
    bridge.set_backup(A, Some(B)).expect("both are there");
    bridge.detach(B, at(2), &mut out()).expect("it is there");
    bridge.set_up(A, false, at(2), &mut out()).expect("it is there");
    assert_eq!(learned(&bridge, 2), [(mac(0x31), C)], "B30: a backup that was removed is none");
}

#[test]
fn a_leg_may_have_so_many_stations() {
    let mut bridge = bridge_with(BridgeConfig::default(), |legs| legs[0].mac_limit = 2);
    bridge.add_station(mac(0x15), None, A, StationKind::Static, at(0), &mut out()).expect(ANY);
    let all = flood([B, C, HOST]);
    let limit = Verdict::Drop(Reason::MacLimit);
    let table: &[(LegIndex, u8, u64, Verdict, &str)] = &[
        (A, 0x15, 1, all, "one that was set needs no room"),
        (A, 0x11, 1, all, "the first"),
        (A, 0x12, 2, all, "the second"),
        (A, 0x13, 3, limit, "the third is one too many"),
        (A, 0x11, 4, all, "who is here, stays"),
        (B, 0x21, 5, flood([A, C, HOST]), "others have no limit"),
        (A, 0x21, 5, limit, "nor may one from elsewhere come"),
        (B, 0x12, 6, flood([A, C, HOST]), "one moves away"),
        (A, 0x13, 7, all, "which makes room"),
        (A, 0x14, 304, all, "0x11 has expired, which makes room, swept or not"),
    ];
    for (leg, n, secs, expected, why) in table {
        assert_eq!(send(&mut bridge, *leg, GROUP, mac(*n), *secs), *expected, "{why}");
    }
    let frame = bytes(link_local(14), mac(0x16));
    let (_, trace, _) = decide(&mut bridge, A, &frame, &Offload::NONE, at(305));
    let step = Step::NotLearned(mac(0x16), Unlearned::Limit);
    assert!(trace.steps().contains(&step), "a link-local frame is no way around it (B22)");
}

#[test]
fn a_limit_holds_for_those_who_wait_to_be_let_in() {
    let mut bridge = with_mab();
    let limited = LegConfig { locked: true, mab: true, mac_limit: 1, ..port() };
    bridge.configure_leg(B, limited, at(0), &mut out()).expect("sound");
    for n in [0x21, 0x22] {
        let verdict = send(&mut bridge, B, GROUP, mac(n), 1);
        assert_eq!(verdict, Verdict::Drop(Reason::Locked), "B21");
    }
    let waiting = places(&bridge, 1).into_iter().filter(|(.., kind)| *kind == StationKind::Locked);
    assert_eq!(waiting.map(|(mac, ..)| mac).collect::<Vec<_>>(), [mac(0x21)], "B21: one, and no other");
}

#[test]
fn without_icc_guests_do_not_talk_ip_to_each_other() {
    let mut bridge = bridge_with(BridgeConfig { icc: false, ..BridgeConfig::default() }, |_| {});
    let frame = |dst: Mac, src: Mac, kind: u16, next: u8, message: u8| {
        let mut bytes = [&dst.0[..], &src.0, &kind.to_be_bytes(), &[0; 46]].concat();
        (bytes[14 + 6], bytes[14 + 40]) = (next, message);
        bytes
    };
    let icc = Verdict::Drop(Reason::Icc);
    let guest = mac(0x11);
    send(&mut bridge, B, link_local(2), mac(0x21), 1);
    let table: &[(LegIndex, Vec<u8>, Verdict, &str)] = &[
        (A, frame(mac(0x21), guest, 0x0800, 0, 0), icc, "IPv4"),
        (A, frame(mac(0x21), guest, 0x86dd, 6, 0), icc, "IPv6"),
        (A, frame(mac(0x21), guest, 0x86dd, 58, 128), icc, "a ping is a conversation"),
        (A, frame(mac(0x21), guest, 0x86dd, 58, 135), Verdict::Forward(B), "neighbour discovery is none"),
        (A, frame(mac(0x21), guest, 0x0806, 0, 0), Verdict::Forward(B), "nor is ARP"),
        (A, frame(GROUP, guest, 0x0800, 0, 0), flood([HOST]), "the host is no guest"),
        (HOST, frame(mac(0x21), HOST_MAC, 0x0800, 0, 0), Verdict::Forward(B), "whichever way"),
    ];
    for (leg, bytes, expected, why) in table {
        assert_eq!(forward(&mut bridge, *leg, bytes, at(1)), *expected, "{why}");
    }
    let nested = |tpids: &[u16], mut bytes: Vec<u8>| {
        for tpid in tpids.iter().rev() {
            bytes.splice(12..12, [tpid.to_be_bytes(), [0, 7]].concat());
        }
        bytes
    };
    let v4 = || frame(mac(0x21), guest, 0x0800, 0, 0);
    let discovery = || frame(mac(0x21), guest, 0x86dd, 58, 135);
    let table: &[(&[u16], Vec<u8>, Verdict, &str)] = &[
        (&[0x8100], v4(), icc, "a tag hides nothing"),
        (&[0x88a8, 0x8100], v4(), icc, "nor do two"),
        (&[0x8100; 8], v4(), icc, "nor do eight"),
        (&[0x8100; 9], frame(mac(0x21), guest, 0x0806, 0, 0), icc, "with nine nobody looks"),
        (&[0x88a8, 0x8100], discovery(), Verdict::Forward(B), "neighbour discovery is what it is"),
        (&[0x8100; 8], frame(mac(0x21), guest, 0x0806, 0, 0), Verdict::Forward(B), "and so is ARP"),
    ];
    for (tpids, bytes, expected, why) in table {
        assert_eq!(forward(&mut bridge, A, &nested(tpids, bytes.clone()), at(1)), *expected, "{why}");
    }
    let cut = &nested(&[0x8100, 0x8100], v4())[..20];
    assert_eq!(forward(&mut bridge, A, cut, at(1)), icc, "cut off behind the second tag");
    let cut = &frame(mac(0x21), guest, 0x86dd, 58, 135)[..14 + 40];
    assert_eq!(forward(&mut bridge, A, cut, at(1)), icc, "what cannot be told is not let through");
}

#[test]
fn who_watches_sees_what_it_would_not_get() {
    let mut bridge = bridge_with(BridgeConfig::default(), |legs| legs[2].promiscuous = Promiscuous::Monitor);
    send(&mut bridge, B, link_local(2), mac(0x21), 1);
    let mut seen = |leg: LegIndex, dst: Mac, src: Mac| {
        let (decision, _, extras) = decide(&mut bridge, leg, &bytes(dst, src), &Offload::NONE, at(1));
        (decision.verdict, extras.mirrors.contains(C))
    };
    let link = Verdict::Drop(Reason::LinkLocal);
    let table: &[(LegIndex, Mac, Mac, (Verdict, bool), &str)] = &[
        (A, mac(0x21), mac(0x11), (Verdict::Forward(B), true), "what others say to each other"),
        (A, HOST_MAC, mac(0x11), (Verdict::Forward(HOST), true), "and to the host"),
        (A, mac(0x44), mac(0x11), (flood([B, C]), false), "what it gets anyway it sees once"),
        (A, link_local(14), mac(0x11), (link, true), "B36: and what ends here"),
        (A, GROUP, GROUP, (Verdict::Drop(Reason::SourceInvalid), true), "B1: for whatever reason"),
        (C, mac(0x21), mac(0x31), (Verdict::Forward(B), false), "its own it knows"),
    ];
    for (leg, dst, src, expected, why) in table {
        assert_eq!(seen(*leg, *dst, *src), *expected, "{why}");
    }
    bridge.set_up(C, false, at(1), &mut out()).expect("it is there");
    let (_, _, extras) = decide(&mut bridge, A, &bytes(mac(0x21), mac(0x11)), &Offload::NONE, at(1));
    assert!(!extras.any, "who is down sees nothing");
}

#[test]
fn a_wire_may_be_transparent_to_a_protocol() {
    let with = |transparent_mask| BridgeConfig { transparent_mask, ..BridgeConfig::default() };
    let all = flood([B, C, HOST]);
    let link = Verdict::Drop(Reason::LinkLocal);
    let table = [
        (1 << 1, 1, all, "B35: PAUSE, which the kernel never forwards"),
        (1 << 2, 2, all, "B36: LACP, which B37 refuses"),
        (1 << 2, 1, link, "one bit, one protocol"),
        (1, 0, all, "B34: BPDUs pass without a spanning tree anyway"),
    ];
    for (mask, n, expected, why) in table {
        let mut bridge = bridge_with(with(mask), |_| {});
        assert_eq!(send(&mut bridge, A, link_local(n), mac(0x11), 1), expected, "{why}");
    }
    let stp = StpConfig { mode: StpMode::Stp, ..StpConfig::default() };
    let both = Bridge::new(BridgeConfig { stp, ..with(1) }, KEY, at(0));
    assert_eq!(both.err(), Some(ConfigError::Invalid), "a spanning tree wants its BPDUs for itself");
}

#[test]
fn ordinary_groups_that_look_like_link_local_ones() {
    let mut bridge = bridge();
    for n in [0x10, 0x20, 0x21] {
        let verdict = send(&mut bridge, A, link_local(n), mac(0x11), 1);
        assert_eq!(verdict, flood([B, C, HOST]), "B38: -{n:x} is ordinary multicast");
    }
    let refused = [(0b001, "-00"), (0b010, "-01"), (0b100, "-02")];
    for (mask, why) in refused {
        let config = BridgeConfig { group_fwd_mask: mask, ..BridgeConfig::default() };
        let answer = bridge.configure(config, at(1), &mut out());
        assert_eq!(answer, Err(ConfigError::Invalid), "B37: {why} of the bridge");
    }
    let of_port = |mask| LegConfig { group_fwd_mask: mask, ..port() };
    for (mask, sound) in [(0b001, true), (0b010, false), (0b100, true)] {
        let answer = bridge.configure_leg(A, of_port(mask), at(1), &mut out());
        assert_eq!(answer.is_ok(), sound, "B37: a port's mask {mask:b}");
    }
    assert_eq!(send(&mut bridge, A, link_local(2), mac(0x11), 1), flood([B, C, HOST]), "B37: LACP, per port");
}

#[test]
fn a_station_that_moves_to_and_fro_silences_the_port_it_moved_to() {
    let flap = FlapConfig { moves: 3, ..FlapConfig::default() };
    let quarantined = Verdict::Drop(Reason::Quarantined);
    let link = Verdict::Drop(Reason::LinkLocal);
    for (dst, heard, why) in [
        (GROUP, flood([B, C, HOST]), "by ordinary frames"),
        (link_local(14), link, "B22: by frames that end here and teach all the same"),
    ] {
        let mut bridge = bridge_with(BridgeConfig { flap, ..BridgeConfig::default() }, |_| {});
        send(&mut bridge, A, dst, mac(0x11), 1);
        let moves: Vec<_> = [B, A, B].map(|leg| send(&mut bridge, leg, dst, mac(0x11), 1)).into();
        assert!(!moves[..2].contains(&quarantined), "{why}");
        assert_eq!(moves[2], quarantined, "{why}");
        assert_eq!(learned(&bridge, 1), [(mac(0x11), A)], "{why}: it stays where it can be heard");
        assert_eq!(send(&mut bridge, B, dst, mac(0x21), 10), quarantined, "{why}: nobody there is heard");
        assert_eq!(send(&mut bridge, A, dst, mac(0x12), 10), heard, "{why}: others are");
        assert_ne!(
            send(&mut bridge, B, dst, mac(0x21), 11),
            quarantined,
            "{why}: ten seconds later it is over"
        );
    }
}

#[test]
fn a_guarded_port_cannot_move_others_by_link_local_frames() {
    let mut bridge = bridge();
    bridge.add_permit(B, Permit::Mac(mac(0x21))).expect(ANY);
    send(&mut bridge, A, GROUP, mac(0x11), 1);
    let spoofed = Verdict::Drop(Reason::SourceMacGuard);
    assert_eq!(send(&mut bridge, B, link_local(14), mac(0x11), 1), spoofed, "B22 is no way around it");
    assert_eq!(learned(&bridge, 1), [(mac(0x11), A)], "nobody moved");
    let verdict = send(&mut bridge, B, link_local(14), mac(0x21), 1);
    assert_eq!(verdict, Verdict::Drop(Reason::LinkLocal), "B36");
    assert_eq!(learned(&bridge, 1), [(mac(0x11), A), (mac(0x21), B)], "B22: its own teaches");
}

/// Both directions of the mistake: what is cut later counted as one, and what is not must go on to count as one.
#[test]
fn a_limit_means_the_same_with_offloads() {
    let limited = |legs: &mut [LegConfig; 4]| {
        legs[0].storm_limit = StormLimit { unknown_unicast: 100, multicast: 100, ..StormLimit::default() };
    };
    let udp = [0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 9, 0, 9, 0, 0, 0, 0];
    let large = |dst: Mac| [&dst.0[..], &mac(0x11).0, &[8, 0], &udp, &vec![0; 6000]].concat();
    let offload = Offload { gso: Gso::Udp, gso_size: 1000, ..Offload::NONE };
    let storm = Verdict::Drop(Reason::StormLimit);
    for dst in [mac(0x44), GROUP] {
        let mut bridge = bridge_with(BridgeConfig::default(), limited);
        let mut send = |offload: &Offload| decide(&mut bridge, A, &large(dst), offload, at(1)).0.verdict;
        assert_ne!(send(&offload), storm, "six of ten");
        assert_eq!(send(&offload), storm, "twelve of ten");
        for nth in 7..=10 {
            let jumbo = send(&Offload::NONE);
            assert!(jumbo != storm, "the {nth}th: what will not be cut is one");
        }
        assert_eq!(send(&Offload::NONE), storm, "the eleventh");
    }
}
