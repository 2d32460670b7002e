//! Stories: hosts that know nothing yet talk through the router.

use super::*;
use crate::router::neighbour::State;
use crate::wire::ndp::{self, Message, Ndp};

const A: &str = "10.0.0.2";
const B: &str = "10.0.1.2";

/// What the host of that leg does with a frame: the frame it answers with.
fn host(leg: u16, bytes: &[u8]) -> Option<Vec<u8>> {
    let (mine, my6) = (format!("10.0.{leg}.2"), format!("2001:db8:{leg}::2"));
    let mac = host_mac(leg);
    if bytes[12..14] == [8, 6] {
        let packet = Arp::parse(&bytes[14..]).expect("ARP");
        let asked = packet.operation == arp::REQUEST && IpAddr::from(packet.target_ip) == ip(&mine);
        return asked.then(|| frame(packet.sender_mac, mac, arp::ETHER_TYPE, &packet.reply(mac).to_bytes()));
    }
    let packet = &bytes[14..];
    let read = Datagram::parse(packet).expect("sound");
    let gateway = leg_mac(leg);
    if let (IpAddr::V6(source), IpAddr::V6(destination)) = (read.source, read.destination)
        && let Ok(Some(Ndp { message: Message::Solicitation { target }, .. })) =
            Ndp::parse(source, destination, read.ttl, read.payload(packet))
    {
        let answer = ndp::advertisement(target, mac, false, source);
        return (IpAddr::from(target) == ip(&my6)).then(|| frame(gateway, mac, 0x86dd, &answer));
    }
    let (kind, _, message) = icmp(packet)?;
    let reply = if read.is_ipv6() { 129 } else { 0 };
    let mut answer = message;
    answer[0] = reply;
    let (from, to) = (read.destination.to_string(), read.source.to_string());
    let answer = super::packet(&from, &to, read.protocol, &answer);
    let ether_type = if read.is_ipv6() { 0x86dd } else { 0x0800 };
    matches!(kind, 8 | 128).then(|| frame(gateway, mac, ether_type, &answer))
}

/// Carries frames between the router and hosts until nobody says anything; what came to the host of `leg` but was not
/// answered.
fn settle(rig: &mut Rig, leg: u16) -> Vec<Vec<u8>> {
    let mut arrived = Vec::new();
    while !rig.sent.is_empty() {
        for (to, bytes) in std::mem::take(&mut rig.sent) {
            match host(to, &bytes) {
                Some(answer) => {
                    rig.meet(to, &answer);
                }
                None if to == leg => arrived.push(bytes),
                None => {}
            }
        }
    }
    arrived
}

#[test]
fn a_ping_finds_its_way_there_and_back() {
    for (a, b) in [(A, B), ("2001:db8:0::2", "2001:db8:1::2")] {
        let mut rig = Rig::new();
        let ping = echo(a, b, 56);
        assert!(matches!(rig.packet(0, &ping).fate, Fate::Park(_)), "nobody is known yet");
        assert_eq!(rig.sent.len(), 1, "but is asked for");
        let arrived = settle(&mut rig, 0);
        let (kind, _, reply) = icmp(&arrived[0][14..]).expect("an echo");
        assert_eq!((kind & 0x7f, &reply[4..]), (ip(a).is_ipv6().into(), &ping[ping.len() - 60..]));
        assert_eq!(Datagram::parse(&arrived[0][14..]).map(|d| d.ttl), Ok(63));
        let known = rig.router.neighbours(rig.now);
        let states: Vec<_> = known.iter().map(|n| (n.address, n.state)).collect();
        assert_eq!(states, [(ip(a), State::Reachable), (ip(b), State::Reachable)], "both have answered");
        assert!(matches!(rig.packet(0, &ping).fate, Fate::Forward(_)), "and now it just goes on");
    }
}

#[test]
fn a_traceroute_sees_the_router_and_then_the_host() {
    let mut rig = Rig::acquainted();
    let mut seen = Vec::new();
    for hops in 1..=2 {
        for _ in 0..3 {
            rig.packet(0, &ttl(echo(A, B, 32), hops));
            for bytes in settle(&mut rig, 0) {
                let source = Datagram::parse(&bytes[14..]).expect("sound").source;
                seen.push((hops, source.to_string(), icmp(&bytes[14..]).expect("ICMP").0));
            }
        }
    }
    let expected = [(1, "10.0.0.1", 11), (2, B, 0)];
    let expected: Vec<_> = expected.iter().flat_map(|(h, s, k)| vec![(*h, s.to_string(), *k); 3]).collect();
    assert_eq!(seen, expected, "N9, L4: all three probes are answered");
}

#[test]
fn path_mtu_discovery_converges() {
    let mut rig = Rig::acquainted();
    rig.configure(1, |leg| leg.mtu = 1300);
    let (mut size, mut tries) = (1500_usize, 0);
    let arrived = loop {
        tries += 1;
        rig.packet(0, &echo(A, B, size - 28));
        let bytes = settle(&mut rig, 0).pop().expect("an answer");
        let (kind, code, message) = icmp(&bytes[14..]).expect("ICMP");
        if (kind, code) != (3, 4) {
            break kind;
        }
        size = usize::from(u16::from_be_bytes([message[6], message[7]]));
    };
    assert_eq!((arrived, size, tries), (0, 1300, 2), "N52: told once, and then it fits");
}

#[test]
fn a_host_that_is_not_there_is_unreachable() {
    let mut rig = Rig::acquainted();
    let sent = udp(A, "10.0.1.9", 4);
    for _ in 0..3 {
        rig.packet(0, &sent);
    }
    assert_eq!(rig.sent.len(), 1, "one question for all of them");
    rig.wait(Duration::from_millis(2999));
    assert_eq!(rig.sent.len(), 3, "asked three times, a second apart");
    rig.sent.clear();
    rig.wait(Duration::from_millis(1));
    let told = rig.packets();
    assert_eq!(told.len(), 3, "each is told");
    let (kind, code, message) = icmp(&told[0].1).expect("ICMP");
    assert_eq!((told[0].0, kind, code), (0, 3, 1));
    assert_eq!(message[8..], sent, "N9: as it was sent, though it was already on its way");
    assert_eq!(rig.router.counters().unreachable, 3);
    assert!(matches!(rig.packet(0, &sent).fate, Fate::Park(_)), "the next one begins anew");
    assert_eq!(rig.sent.len(), 1);
    rig.sent.clear();
    rig.packet(0, &udp("2001:db8:0::2", "2001:db8:1::9", 4));
    rig.wait(Duration::from_secs(3));
    let told: Vec<_> = rig.packets().iter().filter_map(|(_, p)| icmp(p)).map(|(t, c, _)| (t, c)).collect();
    assert!(told.contains(&(1, 3)), "address unreachable: {told:?}");
}

#[test]
fn v15_what_waits_has_its_checksum_completed() {
    let mut rig = Rig::new();
    let whole = udp(A, B, 21);
    let mut partial = whole.clone();
    let pseudo = Datagram::parse(&whole).expect("sound").pseudo_header(29);
    partial[26..28].copy_from_slice(&pseudo.to_be_bytes());
    rig.offload = Offload { needs_csum: true, csum_start: 34, csum_offset: 6, ..Offload::NONE };
    rig.packet(0, &partial);
    rig.offload = Offload::NONE;
    let arrived = settle(&mut rig, 1);
    assert_eq!(arrived[0][34..], whole[20..], "the frame that is made later says it all itself");
}

#[test]
fn n56_arp_for_any_address_and_dad() {
    let mut rig = Rig::new();
    let ask = |sender: &str, target: &str| {
        let address = |text: &str| text.parse().expect("an address");
        let packet = Arp {
            operation: arp::REQUEST,
            sender_mac: host_mac(0),
            sender_ip: address(sender),
            target_mac: Mac::ZERO,
            target_ip: address(target),
        };
        frame(Mac::BROADCAST, host_mac(0), arp::ETHER_TYPE, &packet.to_bytes())
    };
    let table = [
        ("10.0.0.2", "10.0.0.1", true, "its address"),
        ("10.0.0.2", "10.0.1.1", true, "N56: the weak host has it, too"),
        ("0.0.0.0", "10.0.0.1", true, "who wants it hears that it is taken"),
        ("10.0.0.2", "10.0.0.3", false, "somebody else's"),
        ("10.0.0.2", "10.0.1.2", false, "no proxy"),
    ];
    for (sender, target, answered, why) in table {
        rig.meet(0, &ask(sender, target));
        let answer = rig.sent.pop().map(|(_, bytes)| Arp::parse(&bytes[14..]).expect("ARP"));
        assert_eq!(answer.map(|a| (a.sender_mac, a.sender_ip)).is_some(), answered, "{why}");
        if let Some(answer) = answer {
            let wanted: std::net::Ipv4Addr = target.parse().expect("an address");
            assert_eq!(
                (answer.sender_mac, answer.sender_ip, answer.operation),
                (leg_mac(0), wanted, 2),
                "{why}"
            );
        }
    }
    let unspecified = std::net::Ipv6Addr::UNSPECIFIED;
    let target: std::net::Ipv6Addr = "2001:db8:0::1".parse().expect("an address");
    let mut wanted = ndp::solicitation(target, unspecified, host_mac(0), None).to_vec();
    wanted.truncate(64);
    wanted[5] = 24;
    wanted[42..44].fill(0);
    let group = ip("ff02::1:ff00:1");
    let sum =
        checksum::add(pseudo_header(unspecified.into(), group, ICMPV6, 24), checksum::sum(&wanted[40..]));
    wanted[42..44].copy_from_slice(&(!sum).to_be_bytes());
    rig.meet(0, &frame(Mac([0x33, 0x33, 0xff, 0, 0, 1]), host_mac(0), 0x86dd, &wanted));
    let (_, answer) = rig.sent.pop().expect("DAD: it is taken");
    assert_eq!((&answer[..6], answer[14 + 40], answer[14 + 44]), (&[0x33, 0x33, 0, 0, 0, 1][..], 136, 0xa0));
}
