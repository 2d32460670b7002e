//! What a router says to single packets: the numbers N9, N10, N52–N58, V11 and V13, line by line.

use super::*;
use crate::frame::Gso;
use crate::router::interface::ReversePath;
use crate::verdict::Reason;

const A: &str = "10.0.0.2";
const B: &str = "10.0.1.2";
const A6: &str = "2001:db8:0::2";
const B6: &str = "2001:db8:1::2";

/// The fate in a word, and the error that was sent.
fn outcome(rig: &mut Rig, leg: u16, packet: &[u8]) -> (String, Option<(u8, u8)>) {
    let decision = rig.packet(leg, packet);
    let told =
        rig.packets().iter().filter_map(|(_, packet)| icmp(packet)).map(|(t, c, _)| (t, c)).next_back();
    let told = told.filter(|_| !matches!(decision.fate, Fate::Forward(_)) || decision.answer.is_some());
    (word(&decision.fate), told)
}

fn word(fate: &Fate) -> String {
    match fate {
        Fate::Consume => "consume".into(),
        Fate::Drop(cause) => format!("{cause:?}"),
        Fate::Forward(_) => "forward".into(),
        Fate::Gather => "gather".into(),
        Fate::Park(_) => "park".into(),
        Fate::Remake(_) => "remake".into(),
    }
}

fn options(bytes: [u8; 4]) -> Vec<u8> {
    edited(udp(A, B, 4), |packet| {
        packet.splice(20..20, bytes);
        packet[0] = 0x46;
        packet[3] += 4;
    })
}

#[test]
fn single_packets() {
    let from = |source: &str| udp(source, B, 4);
    let to = |destination: &str| udp(A, destination, 4);
    let table: Vec<(Vec<u8>, &str, Option<(u8, u8)>, &str)> = vec![
        (to(B), "forward", None, "from wire to wire"),
        (udp(A6, B6, 4), "forward", None, "IPv6 just so"),
        (ttl(to(B), 2), "forward", None, "N9: one hop is left"),
        (ttl(to(B), 1), "TtlExceeded", Some((11, 0)), "N9: none is left"),
        (ttl(to(B), 0), "TtlExceeded", Some((11, 0)), "N9: less than none"),
        (ttl(udp(A6, B6, 4), 1), "TtlExceeded", Some((3, 0)), "N59: of IPv6"),
        (ttl(to("10.0.0.1"), 1), "consume", Some((3, 3)), "who is there needs no hop"),
        (from("127.0.0.1"), "MartianSource", None, "N54: loopback is never on a wire"),
        (from("224.0.0.5"), "MartianSource", None, "N54: a group sends nothing"),
        (from("255.255.255.255"), "MartianSource", None, "N54: nor does everybody"),
        (from("0.0.0.0"), "MartianSource", None, "N54: nor nobody"),
        (from("10.0.1.1"), "MartianSource", None, "N54: the router's own address, from outside"),
        (from("240.0.0.9"), "forward", None, "N54: 240/4 is an address like any"),
        (from("10.0.1.77"), "forward", None, "N54: spoofed, but rp_filter is off"),
        (udp("::1", B6, 4), "MartianSource", None, "N54: loopback of IPv6"),
        (udp("::ffff:10.0.0.2", B6, 4), "MartianSource", None, "IPv4 in disguise"),
        (to("127.0.0.1"), "MartianDestination", None, "N54"),
        (to("0.0.0.0"), "MartianDestination", None, "N54: nobody"),
        (to("0.0.0.1"), "forward", None, "N54: but this is somebody, behind the default route"),
        (to("240.0.0.9"), "forward", None, "N54"),
        (to("169.254.7.7"), "forward", None, "N55: link-local of IPv4 is routed like any"),
        (to("10.0.1.255"), "BroadcastNotRouted", None, "N55: a directed broadcast"),
        (to("10.0.0.255"), "consume", None, "one of its own wire, to which nobody answers"),
        (to("255.255.255.255"), "consume", None, "everybody here"),
        (to("224.0.0.9"), "consume", None, "a group of the wire"),
        (to("239.1.2.3"), "MulticastNotRouted", None, "N55: a group"),
        (udp(A6, "ff05::2", 4), "MulticastNotRouted", None, "N55: a group of IPv6"),
        (udp(A6, "2001:db9::1", 4), "NoRoute", Some((1, 0)), "no way, and no default of IPv6"),
        (udp(A6, "fe80::77", 4), "BeyondScope", None, "link-local goes nowhere"),
        (udp("fe80::77", B6, 4), "BeyondScope", Some((1, 2)), "and leaves its wire as little"),
        (to("10.0.0.1"), "consume", Some((3, 3)), "N56: nobody listens"),
        (to("10.0.1.1"), "consume", Some((3, 3)), "N56: weak host: any address of the router"),
        (udp(A6, "2001:db8:1::1", 4), "consume", Some((1, 4)), "N56: of IPv6"),
        (echo(A, "10.0.0.1", 5), "consume", Some((0, 0)), "N56: an echo"),
        (echo(A, "10.0.1.1", 5), "consume", Some((0, 0)), "N56: from any address of the router"),
        (echo(A6, "2001:db8:0::1", 5), "consume", Some((129, 0)), "N56: of IPv6"),
        (echo(A6, "ff02::1", 5), "consume", Some((129, 0)), "all nodes of IPv6 are answered"),
        (echo(A, "224.0.0.1", 5), "consume", None, "all hosts of IPv4 are not"),
        (packet(A, "10.0.0.1", 132, &[0; 12]), "consume", Some((3, 2)), "no SCTP here"),
        (packet(A6, "2001:db8:0::1", 132, &[0; 12]), "consume", Some((4, 1)), "nor over IPv6"),
        (packet(A6, "2001:db8:0::1", 59, &[]), "consume", None, "nothing in it"),
        (edited(echo(A, "10.0.0.1", 5), |p| p[30] ^= 1), "ChecksumWrong", None, "damaged"),
        (edited(to("10.0.0.1"), |p| p[30] ^= 1), "ChecksumWrong", None, "damaged"),
        (edited(to("10.0.0.1"), |p| p[26..28].fill(0)), "consume", Some((3, 3)), "UDP without a checksum"),
        (options([131, 3, 4, 0]), "SourceRouted", None, "accept_source_route is off"),
        (options([7, 9, 0, 0]), "IpOptions", Some((12, 0)), "longer than the header"),
        (options([148, 4, 0, 0]), "forward", None, "router alert"),
        (edited(to(B), |p| p[6] = 0x20), "forward", None, "a piece is like any packet for a mere router"),
        (edited(to("10.0.0.1"), |p| p[6] = 0x20), "gather", None, "but is put together for itself"),
        (udp(A, "10.0.1.9", 4), "park", None, "a neighbour that is not known"),
    ];
    for (packet, fate, told, why) in table {
        let found = outcome(&mut Rig::acquainted(), 0, &packet);
        assert_eq!((found.0.as_str(), found.1), (fate, told), "{why}");
    }
}

#[test]
fn frames_that_are_not_for_the_router() {
    let mut rig = Rig::acquainted();
    let packet = udp(A, B, 4);
    let tagged = frame(leg_mac(0), host_mac(0), 0x8100, &[&[0, 5, 8, 0][..], &packet].concat());
    let table = [
        (frame(host_mac(9), host_mac(0), 0x0800, &packet), "NotForRouter", "somebody else's"),
        (frame(leg_mac(1), host_mac(0), 0x0800, &packet), "NotForRouter", "another leg's"),
        (frame(Mac::BROADCAST, host_mac(0), 0x0800, &packet), "BroadcastNotRouted", "pkt_type is not HOST"),
        (frame(leg_mac(0), host_mac(0), 0x88cc, &packet), "NotForRouter", "LLDP"),
        (frame(leg_mac(0), host_mac(0), 0x86dd, &packet), "IpMalformed", "IPv4 that calls itself IPv6"),
        (frame(leg_mac(0), host_mac(0), 0x0800, &packet[..19]), "IpMalformed", "cut off"),
        (tagged, "NotForRouter", "with a tag"),
        (frame(leg_mac(0), host_mac(0), 0x0806, &[0; 28]), "NeighbourMalformed", "no ARP"),
    ];
    for (frame, fate, why) in table {
        assert_eq!(word(&rig.meet(0, &frame).fate), fate, "{why}");
    }
    let headers =
        Headers::parse(&frame(leg_mac(0), host_mac(0), 0x0800, &packet), &Offload::NONE).expect("one");
    let bytes = frame(leg_mac(0), host_mac(0), 0x0800, &packet);
    let passage = Passage { bytes: &bytes, edit: &Edit::NONE, headers: &headers };
    let nowhere = rig.router.decide(LegIndex(9), &passage, &Offload::NONE, rig.now);
    assert_eq!(nowhere.fate, Fate::Drop(Reason::RouterLegDown));
}

#[test]
fn n10_v11_nothing_changes_but_a_hop_and_two_addresses() {
    for (source, destination, hop) in [(A, B, 8), (A6, B6, 7)] {
        let mut rig = Rig::acquainted();
        let before = udp(source, destination, 100);
        rig.packet(0, &before);
        let (leg, after) = rig.sent.pop().expect("it went on");
        assert_eq!((leg, &after[..6], &after[6..12]), (1, &host_mac(1).0[..], &leg_mac(1).0[..]));
        let mut expected = before.clone();
        expected[hop] -= 1;
        let expected = edited(expected, |_| {});
        assert_eq!(
            after[14..],
            expected,
            "N10, V11: TOS, id, DF, and all behind the IP header are as before"
        );
    }
}

#[test]
fn n9_n57_an_error_quotes_what_was_sent() {
    let mut rig = Rig::acquainted();
    let sent = ttl(udp(A, B, 1000), 1);
    rig.packet(0, &sent);
    let (leg, error) = rig.packets().pop().expect("it was told");
    let read = Datagram::parse(&error).expect("sound");
    assert_eq!((leg, read.source, read.destination), (0, ip("10.0.0.1"), ip(A)), "N9: from the near address");
    assert_eq!((read.len, read.tos, read.ttl), (576, 0xda, 64), "N57: 576 bytes, (0x1a & 0x1e) | 0xc0");
    assert_eq!(error[28..], sent[..548], "N9: as it was sent, TTL and all");
    let sent = ttl(udp(A6, B6, 1300), 1);
    rig.packet(0, &sent);
    let (_, error) = rig.packets().pop().expect("it was told");
    let read = Datagram::parse(&error).expect("sound");
    assert_eq!((read.len, read.source), (1280, ip("2001:db8:0::1")), "RFC 4443: 1280 bytes");
    assert_eq!(error[48..], sent[..1232]);
}

#[test]
fn n57_whom_nothing_is_told() {
    let hop = |packet| ttl(packet, 1);
    let kind = |kind| packet(A, B, ICMP, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    let kind6 = |kind| packet(A6, B6, ICMPV6, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    let table = vec![
        (hop(kind(8)), true, "an echo request"),
        (hop(kind(0)), true, "an echo reply"),
        (hop(kind(3)), false, "an error"),
        (hop(kind(5)), false, "a redirect"),
        (hop(kind(11)), false, "an error"),
        (hop(kind(42)), false, "what is unknown may be an error"),
        (hop(kind6(128)), true, "an echo request"),
        (hop(kind6(1)), false, "an error"),
        (hop(edited(udp(A, B, 64), |p| p[6..8].copy_from_slice(&[0, 1]))), false, "a later piece"),
        (hop(edited(udp(A, B, 64), |p| p[6..8].copy_from_slice(&[0x20, 0]))), true, "a first piece"),
    ];
    for (packet, told, why) in table {
        let mut rig = Rig::acquainted();
        assert_eq!(outcome(&mut rig, 0, &packet).1.is_some(), told, "N57: {why}");
    }
    let mut rig = Rig::acquainted();
    rig.meet(0, &frame(Mac::BROADCAST, host_mac(0), 0x0800, &udp(A, "10.0.0.1", 4)));
    assert!(rig.packets().is_empty(), "N57: a frame to everybody");
}

#[test]
fn n52_v13_what_fits_through() {
    let df = |len: usize| udp(A, B, len - 28);
    let free = |len: usize| edited(df(len), |packet| packet[6] = 0);
    let gso = |gso, size, mut packet: Vec<u8>| {
        if gso != Gso::Udp {
            packet[9] = TCP;
            packet[32] = 0x50;
        }
        (edited(packet, |_| {}), Offload { gso, gso_size: size, ..Offload::NONE })
    };
    let plain = |packet| (packet, Offload::NONE);
    let v6 = |len: usize| plain(udp(A6, B6, len - 48));
    let table: Vec<((Vec<u8>, Offload), &str, Option<u32>, &str)> = vec![
        (plain(df(1400)), "forward", None, "just so"),
        (plain(df(1401)), "MtuExceeded", Some(1400), "N52: one byte more, and DF"),
        (plain(free(1401)), "remake", None, "N52: cut"),
        (v6(1400), "forward", None, "just so"),
        (v6(1401), "MtuExceeded", Some(1400), "N59: IPv6 is never cut"),
        (gso(Gso::TcpV4, 1360, df(9000)), "forward", None, "V13: segments of 1400"),
        (gso(Gso::TcpV4, 1361, df(9000)), "MtuExceeded", Some(1400), "V13: segments of 1401"),
        (gso(Gso::TcpV4, 1361, free(9000)), "MtuExceeded", None, "V13: which are not cut as well"),
        (gso(Gso::Udp, 1372, df(9000)), "forward", None, "V13: datagrams of 1400"),
        (gso(Gso::Udp, 1373, df(9000)), "MtuExceeded", Some(1400), "V13: datagrams of 1401"),
    ];
    for ((packet, offload), fate, mtu, why) in table {
        let mut rig = Rig::acquainted();
        rig.configure(1, |leg| leg.mtu = 1400);
        rig.offload = offload;
        let decision = rig.packet(0, &packet);
        assert_eq!(word(&decision.fate), fate, "{why}");
        let told = rig.packets().into_iter().filter_map(|(_, packet)| icmp(&packet)).next();
        let told = told.filter(|(kind, ..)| matches!(kind, 2 | 3));
        let told = told.map(|(_, _, m)| u32::from_be_bytes([m[4], m[5], m[6], m[7]]));
        assert_eq!(told, mtu, "{why}");
    }
}

#[test]
fn n53_the_mss_is_clamped_where_it_is_asked_for() {
    let syn = packet(
        A,
        B,
        TCP,
        &[0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 4, 0, 0, 0, 0, 0, 2, 4, 5, 180],
    );
    for (clamp, value) in [(false, 1460_u16), (true, 1360)] {
        let mut rig = Rig::acquainted();
        rig.configure(1, |leg| (leg.mtu, leg.clamp_mss) = (1400, clamp));
        rig.packet(0, &syn);
        let (_, sent) = rig.packets().pop().expect("it went on");
        assert_eq!(sent[42..44], value.to_be_bytes(), "N53");
        let read = Datagram::parse(&sent).expect("sound");
        assert!(crate::router::icmp::local::is_sound(&read, &sent, false), "the checksum was mended");
    }
    let syn = tcp(A, B, 2);
    let mut rig = Rig::acquainted();
    rig.configure(1, |leg| leg.clamp_mss = true);
    assert_eq!(word(&rig.packet(0, &syn).fate), "remake", "N53: one more option is a longer packet");
    let (_, sent) = rig.packets().pop().expect("it went on");
    assert_eq!((sent.len(), &sent[40..44]), (44, &[2, 4, 2, 24][..]), "536");
    assert_eq!(sent[8], 63, "N9: and a hop less");
}

#[test]
fn n54_reverse_path() {
    let table = [
        (ReversePath::Off, "10.0.1.77", "forward", "spoofed, and nobody looks"),
        (ReversePath::Strict, "10.0.1.77", "ReversePath", "spoofed"),
        (ReversePath::Strict, A, "forward", "where it belongs"),
        (ReversePath::Loose, "10.0.1.77", "forward", "there is a way back, though another"),
        (ReversePath::Loose, "2001:db9::9", "ReversePath", "there is none"),
    ];
    for (mode, source, fate, why) in table {
        let mut rig = Rig::acquainted();
        rig.configure(0, |leg| leg.reverse_path = mode);
        let destination = if ip(source).is_ipv6() { B6 } else { B };
        let found = outcome(&mut rig, 0, &udp(source, destination, 4));
        assert_eq!(found.0, fate, "N54: {why}");
    }
}

#[test]
fn n56_tcp_to_the_router() {
    let to = "10.0.2.1";
    let table = [
        (0, tcp(A, to, 2), "consume", Some((0, 101, 0x14)), "a SYN takes one"),
        (0, tcp(A, to, 16), "consume", Some((200, 0, 4)), "an ACK says what comes next"),
        (0, tcp(A, to, 4), "PortClosed", None, "a reset is never answered with one"),
        (0, edited(tcp(A, to, 2), |p| p[30] ^= 1), "ChecksumWrong", None, "damaged"),
        (2, tcp("10.0.2.2", to, 2), "PortClosed", None, "RFC 5382 REQ-4: silence outside"),
    ];
    for (leg, segment, fate, reset, why) in table {
        let mut rig = Rig::acquainted();
        assert_eq!(word(&rig.packet(leg, &segment).fate), fate, "{why}");
        let found = rig.packets().pop().map(|(_, packet)| {
            let read = Datagram::parse(&packet).expect("sound");
            assert!(crate::router::icmp::local::is_sound(&read, &packet, false));
            assert_eq!((read.source, &packet[20..24]), (ip(to), &[0, 80, 0x12, 0x34][..]), "turned round");
            let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| packet[at + i]));
            (word(24), word(28), packet[33])
        });
        assert_eq!(found, reset, "{why}");
    }
}

#[test]
fn n58_a_better_way() {
    let mut rig = Rig::acquainted();
    rig.introduce(0, "10.0.0.9");
    rig.router.add_route("10.9.0.0/16".parse().expect("a prefix"), Some(ip("10.0.0.9")), None).expect("near");
    rig.sent.clear();
    let (fate, told) = outcome(&mut rig, 0, &udp(A, "10.9.1.1", 4));
    assert_eq!((fate.as_str(), told), ("forward", Some((5, 1))), "N58: out where it came in, and told");
    rig.packet(0, &udp(A, "10.9.1.1", 4));
    let redirect = rig.packets().into_iter().find_map(|(_, p)| icmp(&p).filter(|(kind, ..)| *kind == 5));
    assert_eq!(redirect.expect("told again").2[4..8], [10, 0, 0, 9], "N58: the nearer router");
    let (fate, told) = outcome(&mut rig, 0, &udp("10.7.7.7", "10.9.1.1", 4));
    assert_eq!((fate.as_str(), told), ("forward", None), "N58: not to who is not on the wire");
    rig.configure(0, |leg| leg.redirects = false);
    let (fate, told) = outcome(&mut rig, 0, &udp(A, "10.9.1.1", 4));
    assert_eq!((fate.as_str(), told), ("forward", None), "send_redirects = 0");
}

#[test]
fn l4_no_more_than_that_is_told() {
    let mut rig = Rig::acquainted();
    for _ in 0..20 {
        rig.packet(0, &ttl(udp(A, B, 4), 1));
    }
    assert_eq!((rig.packets().len(), rig.router.counters().untold), (6, 14), "L4: per receiver");
    rig.configure(1, |leg| leg.mtu = 1400);
    for _ in 0..20 {
        rig.packet(0, &udp(A, B, 1400));
    }
    assert_eq!(rig.packets().len(), 20, "L4: too big is exempt");
    for _ in 0..20 {
        rig.packet(0, &echo(A, "10.0.0.1", 4));
    }
    assert_eq!(rig.packets().len(), 20, "L4: an echo is no error");
}
