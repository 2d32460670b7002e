//! The behaviours B1–B49 one by one, on a bridge of four legs: three ports and the host.

use super::*;
use crate::frame::{LEGS_MAX, Offload};
use crate::trace::Unlearned;

const A: LegIndex = LegIndex(0);
const B: LegIndex = LegIndex(1);
const C: LegIndex = LegIndex(2);
const HOST: LegIndex = LegIndex(3);

const KEY: [u64; 2] = [7, 8];
const PORT: LegConfig = LegConfig {
    role: Role::Port,
    mac: None,
    mtu: 1500,
    learning: true,
    flood: true,
    mcast_flood: true,
    bcast_flood: true,
    hairpin: false,
    isolated: false,
    locked: false,
    group_fwd_mask: 0,
    promiscuous: Promiscuous::Allow,
};

/// Station n; by custom 0x1n lives behind A, 0x2n behind B, 0x3n behind C.
const fn mac(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

const HOST_MAC: Mac = mac(0xff);
const GROUP: Mac = Mac([1, 0, 0x5e, 1, 2, 3]);

const fn link_local(n: u8) -> Mac {
    Mac([1, 0x80, 0xc2, 0, 0, n])
}

fn at(secs: u64) -> Time {
    Time::from_secs(secs)
}

fn headers(dst: Mac, src: Mac) -> Headers {
    let bytes = [&dst.0[..], &src.0, &[8, 0], &[0; 46]].concat();
    Headers::parse(&bytes, &Offload::NONE).expect("it is long enough")
}

/// A bridge whose ports A, B, C and host are as `adjust` makes them.
fn bridge_with(config: BridgeConfig, adjust: impl Fn(&mut [LegConfig; 4])) -> Bridge {
    let mut bridge = Bridge::new(config, KEY).expect("the settings are sound");
    let host = LegConfig { role: Role::Host, mac: Some(HOST_MAC), ..PORT };
    let mut legs = [PORT, PORT, PORT, host];
    adjust(&mut legs);
    for config in legs {
        bridge.attach(config, at(0)).expect("there is room");
    }
    bridge
}

fn bridge() -> Bridge {
    bridge_with(BridgeConfig::default(), |_| {})
}

/// Sends, having made sure that the explanation says the same and changes nothing.
fn forward(bridge: &mut Bridge, leg: LegIndex, h: &Headers, now: Time) -> Verdict {
    let before = format!("{bridge:?}");
    let mut told = Trace::on();
    let explained = bridge.explain(leg, h, now, &mut told);
    assert_eq!(format!("{bridge:?}"), before, "explaining changes nothing");
    let mut trace = Trace::on();
    let verdict = bridge.forward(leg, h, now, &mut trace);
    assert_eq!((&explained, told.steps()), (&verdict, trace.steps()));
    verdict
}

fn send(bridge: &mut Bridge, leg: LegIndex, dst: Mac, src: Mac, secs: u64) -> Verdict {
    forward(bridge, leg, &headers(dst, src), at(secs))
}

fn flood<const N: usize>(legs: [LegIndex; N]) -> Verdict {
    Verdict::Flood(legs.into_iter().collect())
}

fn places(bridge: &Bridge, secs: u64) -> Vec<(Mac, LegIndex, StationKind)> {
    bridge.stations(at(secs)).into_iter().map(|e| (e.mac, e.leg, e.kind)).collect()
}

fn learned(bridge: &Bridge, secs: u64) -> Vec<(Mac, LegIndex)> {
    let all = places(bridge, secs).into_iter();
    all.filter(|(_, _, kind)| *kind == StationKind::Learned).map(|(mac, leg, _)| (mac, leg)).collect()
}

#[test]
fn where_frames_go() {
    use Reason::{LinkLocal, SamePort, SourceInvalid};
    use Verdict::{Drop, Forward};
    let table: &[(LegIndex, Mac, Mac, Verdict, &str)] = &[
        (A, mac(0x21), mac(0x11), flood([B, C]), "B23: unknown unicast, not to the host"),
        (B, mac(0x11), mac(0x21), Forward(A), "learned from its first frame"),
        (A, mac(0x21), mac(0x11), Forward(B), "and so was the answer"),
        (A, Mac::BROADCAST, mac(0x11), flood([B, C, HOST]), "B24: broadcast, the host included"),
        (A, GROUP, mac(0x11), flood([B, C, HOST]), "B25: multicast, the host included"),
        (A, HOST_MAC, mac(0x11), Forward(HOST), "B9: the host's address, the host only"),
        (A, mac(0x12), mac(0x11), flood([B, C]), "a second station behind A, still silent"),
        (A, mac(0x11), mac(0x12), Drop(SamePort), "B28: behind the port it came from"),
        (A, mac(0x13), mac(0x13), Drop(SamePort), "to itself: it is learned before it is looked up"),
        (C, mac(0x21), mac(0x21), Drop(SamePort), "to itself, and it moved with this very frame"),
        (A, mac(0x21), HOST_MAC, Forward(C), "B8: the host's address as source is forwarded"),
        (A, GROUP, GROUP, Drop(SourceInvalid), "B1: a group as source"),
        (A, GROUP, Mac::ZERO, Drop(SourceInvalid), "B1: nobody as source"),
        (A, GROUP, Mac::BROADCAST, Drop(SourceInvalid), "B1: everybody as source"),
        (A, Mac::ZERO, mac(0x11), flood([B, C]), "zero is nobody's, but a frame may ask for it"),
        (HOST, mac(0x11), HOST_MAC, Forward(A), "B41: the host uses the same table"),
        (HOST, mac(0x44), HOST_MAC, flood([A, B, C]), "B41: and floods what it does not find"),
        (HOST, HOST_MAC, HOST_MAC, Drop(SamePort), "its own address is here already"),
        (HOST, GROUP, Mac::ZERO, flood([A, B, C]), "B41: what the host sends is not questioned"),
        (HOST, link_local(14), HOST_MAC, flood([A, B, C]), "B41: nor are its link-local frames"),
        (A, link_local(0), mac(0x11), flood([B, C, HOST]), "B34: a BPDU without STP floods"),
        (A, link_local(1), mac(0x11), Drop(LinkLocal), "B35: PAUSE"),
        (A, link_local(2), mac(0x11), Drop(LinkLocal), "B36: LACP"),
        (A, link_local(3), mac(0x11), Drop(LinkLocal), "B36: 802.1X"),
        (A, link_local(14), mac(0x11), Drop(LinkLocal), "B36: LLDP"),
        (A, link_local(15), mac(0x11), Drop(LinkLocal), "B36: the last of them"),
        (A, link_local(16), mac(0x11), flood([B, C, HOST]), "B38: ordinary multicast"),
        (LegIndex(9), mac(0x11), mac(0x91), Drop(Reason::IngressDown), "no such leg"),
    ];
    let mut bridge = bridge();
    for (leg, dst, src, expected, why) in table {
        assert_eq!(send(&mut bridge, *leg, *dst, *src, 1), *expected, "{why}");
    }
    let counters = bridge.counters();
    let ended = counters.forwarded + counters.flooded + counters.drops.total();
    assert_eq!((counters.received, ended), (table.len() as u64, table.len() as u64), "the bridge's books");
    assert!(
        bridge.stations(at(1)).iter().all(|entry| entry.kind == StationKind::Local || entry.mac != HOST_MAC)
    );
}

#[test]
fn what_flags_do() {
    type Adjust = fn(&mut [LegConfig; 4]);
    use Reason::{Isolated, LinkLocal, MtuExceeded, SamePort};
    use Verdict::{Drop, Forward};
    let unknown = mac(0x44);
    // 0x11, 0x12 are behind A, 0x21 behind B, 0x31 behind C
    let table: &[(Adjust, LegIndex, Mac, Verdict, &str)] = &[
        (|l| l[1].flood = false, A, unknown, flood([C]), "B23: flood is for unknown unicast"),
        (|l| l[1].flood = false, A, mac(0x21), Forward(B), "B23: known unicast does not care"),
        (|l| l[1].flood = false, A, GROUP, flood([B, C, HOST]), "B25: nor do groups"),
        (|l| l[1].mcast_flood = false, A, GROUP, flood([C, HOST]), "B25"),
        (|l| l[1].mcast_flood = false, A, Mac::BROADCAST, flood([B, C, HOST]), "B24: its own flag"),
        (|l| l[1].bcast_flood = false, A, Mac::BROADCAST, flood([C, HOST]), "B24"),
        (|l| l[1].bcast_flood = false, HOST, Mac::BROADCAST, flood([A, B, C]), "B26: not for the host's"),
        (|l| l[1].mcast_flood = false, HOST, GROUP, flood([A, B, C]), "B26: not for the host's"),
        (|l| l[1].flood = false, HOST, unknown, flood([A, C]), "B26: but this one is"),
        (|l| l[3].bcast_flood = false, A, Mac::BROADCAST, flood([B, C, HOST]), "B24: the host always"),
        (|l| l[3].mcast_flood = false, A, GROUP, flood([B, C, HOST]), "B25: the host always"),
        (|l| l[0].hairpin = true, A, mac(0x12), Forward(A), "B27: unicast back"),
        (|l| l[0].hairpin = true, A, unknown, flood([A, B, C]), "B27: floods back"),
        (|l| l[1].hairpin = true, A, mac(0x12), Drop(SamePort), "B27: the flag is the ingress's"),
        (|l| l[3].hairpin = true, HOST, GROUP, flood([A, B, C]), "the host has no such flag"),
        (|l| [l[0].isolated, l[1].isolated] = [true; 2], A, mac(0x21), Drop(Isolated), "B29: unicast"),
        (|l| [l[0].isolated, l[1].isolated] = [true; 2], A, GROUP, flood([C, HOST]), "B29: floods"),
        (|l| [l[0].isolated, l[1].isolated] = [true; 2], C, mac(0x21), Forward(B), "B29: from a normal port"),
        (|l| [l[0].isolated, l[1].isolated] = [true; 2], A, mac(0x31), Forward(C), "B29: to a normal port"),
        (|l| [l[0].isolated, l[1].isolated] = [true; 2], HOST, GROUP, flood([A, B, C]), "B29: the host"),
        (
            |l| [l[0].isolated, l[3].isolated] = [true; 2],
            A,
            HOST_MAC,
            Forward(HOST),
            "B41: host never isolated",
        ),
        (|l| [l[0].isolated, l[3].isolated] = [true; 2], HOST, mac(0x11), Forward(A), "B41: either way"),
        (
            |l| [l[0].isolated, l[0].hairpin] = [true; 2],
            A,
            mac(0x12),
            Drop(Isolated),
            "B29: isolated even from itself, as in the kernel",
        ),
        (
            |l| l[1].promiscuous = Promiscuous::Deny,
            A,
            mac(0x21),
            Drop(Reason::Promiscuous),
            "its address is unknown",
        ),
        (|l| deny(l, 0x22), A, mac(0x21), Drop(Reason::Promiscuous), "not its own address"),
        (|l| deny(l, 0x21), A, mac(0x21), Forward(B), "its own address"),
        (|l| deny(l, 0x22), A, unknown, flood([C]), "unknown unicast is for somebody else"),
        (|l| deny(l, 0x44), A, unknown, flood([B, C]), "unless it is for it"),
        (|l| deny(l, 0x22), A, GROUP, flood([B, C, HOST]), "groups it gets"),
        (|l| l[1].mtu = 41, A, mac(0x21), Drop(MtuExceeded), "B47: 46 bytes are more than 41 + 4"),
        (|l| l[1].mtu = 42, A, mac(0x21), Forward(B), "B47: 46 bytes fit 42 + 4"),
        (|l| l[1].mtu = 41, A, GROUP, flood([C, HOST]), "B47, B33: one copy less, the others go"),
        (|l| l[3].mtu = 41, A, HOST_MAC, Forward(HOST), "B47 is on the way out of a port, this goes in"),
        (|l| l[0].group_fwd_mask = 1 << 14, A, link_local(14), flood([B, C, HOST]), "B37: per port"),
        (|l| l[1].group_fwd_mask = 1 << 14, A, link_local(14), Drop(LinkLocal), "B37: the ingress's"),
    ];
    for (adjust, leg, dst, expected, why) in table {
        let mut bridge = bridge_with(BridgeConfig::default(), adjust);
        for (leg, n) in [(A, 0x11), (A, 0x12), (B, 0x21), (C, 0x31)] {
            send(&mut bridge, leg, link_local(2), mac(n), 1); // teaches, and goes nowhere (B22)
        }
        let src = if *leg == HOST { HOST_MAC } else { mac(0x11 + 0x10 * leg.0 as u8) };
        assert_eq!(send(&mut bridge, *leg, *dst, src, 1), *expected, "{why}");
    }
}

fn deny(legs: &mut [LegConfig; 4], own: u8) {
    legs[1].promiscuous = Promiscuous::Deny;
    legs[1].mac = Some(mac(own));
}

#[test]
fn why_nobody_got_it() {
    use Reason::{MtuExceeded, NoPort, UnicastFloodOff};
    let table: &[(fn(&mut [LegConfig; 4]), Mac, Reason, &str)] = &[
        (|l| [l[1].flood, l[2].flood] = [false; 2], mac(0x44), UnicastFloodOff, "all for the same reason"),
        (
            |l| {
                l[1].flood = false;
                [l[0].isolated, l[2].isolated] = [true; 2];
            },
            mac(0x44),
            NoPort,
            "for different reasons",
        ),
        (|l| [l[1].mtu, l[2].mtu] = [1; 2], mac(0x44), MtuExceeded, "all too small"),
    ];
    for (adjust, dst, reason, why) in table {
        let mut bridge = bridge_with(BridgeConfig::default(), adjust);
        assert_eq!(send(&mut bridge, A, *dst, mac(0x11), 1), Verdict::Drop(*reason), "{why}");
        assert_eq!((bridge.withheld(B).total(), bridge.withheld(C).total()), (1, 1), "{why}: counted where");
        assert_eq!((bridge.withheld(A).total(), bridge.withheld(HOST).total()), (0, 0), "{why}: no noise");
    }
    let mut lonely = Bridge::new(BridgeConfig::default(), KEY).expect("the settings are sound");
    lonely.attach(PORT, at(0)).expect("there is room");
    assert_eq!(send(&mut lonely, A, mac(0x44), mac(0x11), 1), Verdict::Drop(NoPort), "no other port");
    lonely.add_station(mac(1), A, StationKind::Local, at(0)).expect("there is room");
    assert_eq!(send(&mut lonely, A, mac(1), mac(0x11), 1), Verdict::Drop(NoPort), "B9: and no host");
}

#[test]
fn stations_age_exactly() {
    let config = BridgeConfig { ageing: Duration::from_secs(10), ..BridgeConfig::default() };
    let mut bridge = bridge_with(config, |_| {});
    assert_eq!(bridge.deadline(), None, "the host's own address does not age");
    send(&mut bridge, A, GROUP, mac(0x11), 1);
    assert_eq!(bridge.deadline(), Some(at(11)));
    let to_a = headers(mac(0x11), mac(0x21));
    let last_moment = Time::from_nanos(11_000_000_000 - 1);
    assert_eq!(forward(&mut bridge, B, &to_a, last_moment), Verdict::Forward(A), "B12: a nanosecond before");
    assert_eq!(
        send(&mut bridge, B, mac(0x11), mac(0x21), 11),
        flood([A, C]),
        "B13: being a destination is no sign of life; nobody has swept"
    );
    assert_eq!(learned(&bridge, 11), [(mac(0x21), B)], "nor does it show");
    assert_eq!(bridge.sweep(at(11), 256), 1);
    assert_eq!(bridge.deadline(), Some(at(21)), "0x21 was seen at 11");
    send(&mut bridge, B, GROUP, mac(0x21), 15);
    assert_eq!((bridge.deadline(), bridge.sweep(at(21), 256)), (Some(at(25)), 0), "B13: seen again");
    assert_eq!(bridge.sweep(at(25), 256), 1);
    send(&mut bridge, B, GROUP, mac(0x21), 30);
    bridge.configure(BridgeConfig { ageing: Duration::from_secs(2), ..config }).expect("sound");
    assert_eq!(
        send(&mut bridge, A, mac(0x21), mac(0x11), 32),
        flood([B, C]),
        "a shorter time counts at once"
    );
    bridge.configure(BridgeConfig { ageing: Duration::ZERO, ..config }).expect("sound");
    send(&mut bridge, B, GROUP, mac(0x21), 33);
    assert_eq!(learned(&bridge, 33), [], "B14: nothing is learned, and what was is forgotten");
    bridge.configure(BridgeConfig { ageing: Duration::MAX, ..config }).expect("sound");
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
        bridge.add_station(mac, leg, kind, at(0)).expect("there is room");
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
    let off = LegConfig { learning: false, ..PORT };
    let no_ll = BridgeConfig { no_linklocal_learn: true, ..BridgeConfig::default() };
    let forwarded = BridgeConfig { group_fwd_mask: 1 << 14, ..no_ll };
    let full = BridgeConfig { fdb_max: 1, ..BridgeConfig::default() };
    let plain = BridgeConfig::default();
    let table: &[(BridgeConfig, LegConfig, Mac, Mac, Option<Unlearned>, &str)] = &[
        (plain, PORT, GROUP, mac(0x21), None, "the rule"),
        (plain, off, GROUP, mac(0x21), Some(Unlearned::LearningOff), "B4"),
        (full, PORT, GROUP, mac(0x21), Some(Unlearned::Full), "B19"),
        (plain, PORT, GROUP, host_mac, Some(Unlearned::OwnAddress), "B8"),
        (plain, PORT, link_local(14), mac(0x21), None, "B22: teaches though it is not forwarded"),
        (no_ll, PORT, link_local(14), mac(0x21), Some(Unlearned::LinkLocal), "B22"),
        (forwarded, PORT, link_local(14), mac(0x21), None, "B22, B37: forwarded, so it is like any other"),
        (plain, PORT, link_local(1), mac(0x21), Some(Unlearned::LinkLocal), "B35: PAUSE not even that"),
    ];
    for (config, leg, dst, src, unlearned, why) in table {
        let mut bridge = bridge_with(*config, |legs| legs[1] = *leg);
        send(&mut bridge, A, GROUP, mac(0x11), 1);
        let mut trace = Trace::on();
        bridge.forward(B, &headers(*dst, *src), at(1), &mut trace);
        let expected = unlearned.map_or(Step::Learn(*src), |why| Step::NotLearned(*src, why));
        assert!(trace.steps().contains(&expected), "{why}: {:?}", trace.steps());
        assert_eq!(learned(&bridge, 1).len(), 1 + usize::from(unlearned.is_none()), "{why}");
    }
}

#[test]
fn a_full_table_refuses_only_the_new() {
    let config = BridgeConfig { fdb_max: 2, ageing: Duration::from_secs(10), ..BridgeConfig::default() };
    let mut bridge = bridge_with(config, |_| {});
    bridge.add_station(mac(0x15), A, StationKind::Static, at(0)).expect("B19: set ones do not count");
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
    bridge.configure(BridgeConfig { fdb_max: 1, ..config }).expect("sound");
    assert_eq!(learned(&bridge, 14).len(), 2, "a lower limit throws nobody out");
    send(&mut bridge, A, GROUP, mac(0x14), 15);
    assert_eq!(learned(&bridge, 15), [(mac(0x13), A)], "one expired, one is left: still full");
    send(&mut bridge, A, GROUP, mac(0x14), 24);
    assert_eq!(learned(&bridge, 24), [(mac(0x14), A)], "both have expired");
}

#[test]
fn a_locked_port_passes_only_whom_it_has() {
    let mut bridge = bridge_with(BridgeConfig::default(), |legs| legs[1].locked = true);
    bridge.add_station(mac(0x21), B, StationKind::Static, at(0)).expect("there is room");
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
    bridge.add_station(mac(0x25), B, StationKind::Static, at(0)).expect("there is room");
    for (leg, n) in [(A, 0x11), (B, 0x21), (C, 0x31)] {
        send(&mut bridge, leg, GROUP, mac(n), 1);
    }
    bridge.set_up(B, false).expect("it is there");
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
    bridge.set_up(B, true).expect("it is there");
    assert_eq!(send(&mut bridge, A, mac(0x25), mac(0x11), 1), Verdict::Forward(B));
    bridge.flush(Some(A));
    assert_eq!(learned(&bridge, 1), [(mac(0x31), C)], "B20");
    bridge.detach(B, at(1)).expect("it is there");
    assert_eq!(places(&bridge, 1).len(), 2, "B18: static ones too");
    assert_eq!(bridge.detach(B, at(1)), Err(ConfigError::Unknown), "once");
    assert_eq!(bridge.attach(PORT, at(1)), Ok(B), "the place is taken again");
    assert_eq!(bridge.withheld(B).total(), 0, "with new counters");
    for _ in 4..LEGS_MAX {
        bridge.attach(PORT, at(1)).expect("there is room");
    }
    assert_eq!(bridge.attach(PORT, at(1)), Err(ConfigError::Full));
}

#[test]
fn the_host_owns_its_address() {
    let mut bridge = bridge();
    let host = |n| LegConfig { role: Role::Host, mac: Some(mac(n)), ..PORT };
    send(&mut bridge, A, GROUP, mac(0xfe), 1);
    bridge.configure_leg(HOST, host(0xfe), at(1)).expect("sound");
    assert_eq!(
        places(&bridge, 1),
        [(mac(0xfe), HOST, StationKind::Local)],
        "B11: over a learned one; the old is gone"
    );
    assert_eq!(
        bridge.remove_station(mac(0xfe), StationKind::Local),
        Err(ConfigError::Unknown),
        "it is not set by hand"
    );
    let second = bridge.attach(host(0xfe), at(1)).expect("there is room");
    bridge.detach(HOST, at(1)).expect("it is there");
    assert_eq!(
        places(&bridge, 1),
        [(mac(0xfe), second, StationKind::Local)],
        "B18: the shared address moves on"
    );
    send(&mut bridge, C, GROUP, mac(0x31), 1);
    bridge.configure_leg(C, host(0xfd), at(1)).expect("sound");
    assert_eq!(learned(&bridge, 1), [], "what the new host had taught as a port is forgotten (B41)");
    send(&mut bridge, A, GROUP, mac(0x11), 1);
    assert_eq!(
        bridge.add_station(mac(0x11), B, StationKind::Static, at(1)),
        Ok(()),
        "B11: over a learned one"
    );
    assert_eq!(bridge.add_station(mac(0x11), A, StationKind::Sticky, at(1)), Err(ConfigError::Exists));
    assert_eq!(
        bridge.remove_station(mac(0x11), StationKind::Sticky),
        Err(ConfigError::Unknown),
        "of another kind"
    );
    assert_eq!(bridge.remove_station(mac(0x11), StationKind::Static), Ok(()));
}

#[test]
fn tags_and_lengths() {
    let mut bridge = bridge();
    let payload = |tag: &[u8], len: usize, offload: &Offload| {
        let bytes = [&mac(0x21).0[..], &mac(0x11).0, tag, &[8, 0], &vec![0; len]].concat();
        Headers::parse(&bytes, offload).expect("it is long enough")
    };
    let tag = [0x81, 0, 0, 10];
    let gso = Offload { gso: crate::frame::Gso::TcpV4, gso_size: 1448, ..Offload::NONE };
    send(&mut bridge, B, GROUP, mac(0x21), 1);
    let table = [
        (payload(&[], 1504, &Offload::NONE), true, "B47, 0.6: four bytes more than the MTU"),
        (payload(&[], 1505, &Offload::NONE), false, "B47, 0.6: five"),
        (
            payload(&tag, 1504, &Offload::NONE),
            true,
            "B47, 0.6: counted behind the tag; B50: the tag is ignored",
        ),
        (payload(&tag, 1505, &Offload::NONE), false, "B47, 0.6"),
        (payload(&[], 65_000, &gso), true, "B47: it will be cut on the way out"),
    ];
    for (h, fits, why) in table {
        let expected = if fits { Verdict::Forward(B) } else { Verdict::Drop(Reason::MtuExceeded) };
        assert_eq!(forward(&mut bridge, A, &h, at(1)), expected, "{why}");
    }
    assert_eq!(bridge.withheld(B).of(Reason::MtuExceeded), 2, "B49: nobody is told but the counters");
    assert_eq!(learned(&bridge, 1).len(), 2, "B3: one station, whatever its tags");
}
