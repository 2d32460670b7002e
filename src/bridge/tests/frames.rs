//! Where frames go: the table's say, the flags' say, and why nobody got one.

use super::*;
use crate::frame::Gso;

/// What a line of a table does to the legs before it begins.
type Adjust = fn(&mut [LegConfig; 4]);

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
    let table: &[(Adjust, Mac, Reason, &str)] = &[
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
    let mut lonely = Bridge::new(BridgeConfig::default(), KEY, at(0)).expect("the settings are sound");
    lonely.attach(port(), at(0), &mut out()).expect("there is room");
    assert_eq!(send(&mut lonely, A, mac(0x44), mac(0x11), 1), Verdict::Drop(NoPort), "no other port");
    lonely.add_station(mac(1), None, A, StationKind::Local, at(0), &mut out()).expect("there is room");
    assert_eq!(send(&mut lonely, A, mac(1), mac(0x11), 1), Verdict::Drop(NoPort), "B9: and no host");
}

#[test]
fn tags_and_lengths() {
    let mut bridge = bridge();
    let payload =
        |tag: &[u8], len: usize| [&mac(0x21).0[..], &mac(0x11).0, tag, &[8, 0], &vec![0; len]].concat();
    let tag = [0x81, 0, 0, 10];
    let gso = Offload { gso: Gso::TcpV4, gso_size: 1448, ..Offload::NONE };
    send(&mut bridge, B, GROUP, mac(0x21), 1);
    let table = [
        (payload(&[], 1504), Offload::NONE, true, "B47, 0.6: four bytes more than the MTU"),
        (payload(&[], 1505), Offload::NONE, false, "B47, 0.6: five"),
        (
            payload(&tag, 1504),
            Offload::NONE,
            true,
            "B47, 0.6: counted behind the tag; B50: the tag is ignored",
        ),
        (payload(&tag, 1505), Offload::NONE, false, "B47, 0.6"),
        (payload(&[], 65_000), gso, true, "B47: it will be cut on the way out"),
    ];
    for (bytes, offload, fits, why) in table {
        let expected = if fits { Verdict::Forward(B) } else { Verdict::Drop(Reason::MtuExceeded) };
        assert_eq!(decide(&mut bridge, A, &bytes, &offload, at(1)).0.verdict, expected, "{why}");
    }
    assert_eq!(bridge.withheld(B).of(Reason::MtuExceeded), 2, "B49: nobody is told but the counters");
    assert_eq!(learned(&bridge, 1).len(), 2, "B3: one station, whatever its tags");
}
