//! Source guard, rule by rule: who may send what, and why.

use super::*;
use crate::frame::{Edit, Headers, Offload, Tag};

const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 2]);
const NOBODY: [u8; 4] = [0; 4];
const FOUR: [u8; 4] = [192, 0, 2, 4];
const FIVE: [u8; 4] = [192, 0, 2, 5];
const SIX: &str = "2001:db8::6";
const SEVEN: &str = "2001:db8::7";
/// What [`OWN`] makes, and what [`OTHER`] makes.
const LINK: &str = "fe80::ff:fe00:1";
const OTHER_LINK: &str = "fe80::ff:fe00:2";
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

type Verdict = Result<(), Spoof>;
const IP: Verdict = Err(Spoof::Ip);
const MAC: Verdict = Err(Spoof::Mac);

fn guard(permits: &[&str]) -> SourceGuard {
    let mut guard = SourceGuard::default();
    for text in permits {
        let permit = match (text.parse(), text.parse()) {
            (Ok(mac), _) => Permit::Mac(mac),
            (_, Ok(net)) => Permit::Ip(net),
            _ => Permit::Ip(IpNet::from(text.parse::<IpAddr>().expect("an address"))),
        };
        guard.add(permit).expect("it can be added");
    }
    guard
}

fn check(guard: &SourceGuard, bytes: &[u8]) -> Verdict {
    let headers = Headers::parse(bytes, &Offload::NONE).expect("a frame");
    guard.check(&Passage { bytes, edit: &Edit::NONE, headers: &headers })
}

fn frame(from: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xff; 6], &from.0[..], &ether_type.to_be_bytes(), payload].concat()
}

fn arp(operation: u16, from: Mac, sender_mac: Mac, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let (sender_ip, target_ip) = (sender.into(), target.into());
    let arp = Arp { operation, sender_mac, sender_ip, target_mac: Mac::ZERO, target_ip };
    frame(from, if operation > 2 { arp::ETHER_TYPE_RARP } else { arp::ETHER_TYPE }, &arp.to_bytes())
}

fn v4(source: [u8; 4], destination: [u8; 4], ports: [u8; 4]) -> Vec<u8> {
    let mut packet = [0; 24];
    (packet[0], packet[9]) = (0x45, 17);
    packet[12..16].copy_from_slice(&source);
    packet[16..20].copy_from_slice(&destination);
    packet[20..].copy_from_slice(&ports);
    frame(OWN, 0x0800, &packet)
}

fn v6(source: &str, next: u8, payload: &[u8]) -> Vec<u8> {
    let source: Ipv6Addr = source.parse().expect("an address");
    let mut packet = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next, 255];
    packet.extend(source.octets());
    packet.extend([0xff; 16]);
    frame(OWN, 0x86dd, &[&packet[..], payload].concat())
}

/// A message of neighbour discovery about `target`, with an option that gives a link-layer address.
fn nd(kind: u8, source: &str, target: &str, option: Option<(u8, Mac)>) -> Vec<u8> {
    let target: Ipv6Addr = target.parse().expect("an address");
    let mut icmp = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    match kind {
        133 => {}
        134 => icmp.extend([0; 8]),
        137 => icmp.extend([target.octets(), target.octets()].concat()),
        _ => icmp.extend(target.octets()),
    }
    if let Some((kind, mac)) = option {
        icmp.extend([kind, 1]);
        icmp.extend(mac.0);
    }
    v6(source, 58, &icmp)
}

fn run(permits: &[&str], table: &[(Vec<u8>, Verdict, &str)]) {
    let guard = guard(permits);
    for (bytes, expected, why) in table {
        assert_eq!(check(&guard, bytes), *expected, "{permits:?}: {why}");
    }
}

#[test]
fn without_permits_everything_passes() {
    run(&[], &[(arp(2, OWN, OTHER, FIVE, NOBODY), Ok(()), "even the wildest lie")]);
}

#[test]
fn macs() {
    let bpdu = |from| frame(from, 38, &[0x42, 0x42, 3]);
    run(
        &["02:00:00:00:00:01"],
        &[
            (bpdu(OWN), Ok(()), "the permitted one"),
            (bpdu(OTHER), MAC, "another"),
            (arp(1, OWN, OWN, FIVE, FOUR), Ok(()), "IP addresses are not asked about"),
            (arp(1, OWN, OTHER, FOUR, FIVE), MAC, "ARP for another"),
            (nd(ADVERTISEMENT, SIX, SIX, Some((2, OTHER))), MAC, "an advertisement for another"),
            (nd(134, LINK, SIX, None), Ok(()), "a router that is known by its MAC only"),
            (frame(OWN, 0x0800, &[1]), Ok(()), "an unreadable packet claims no MAC"),
        ],
    );
}

#[test]
fn arp_and_ipv4() {
    let dhcp = [0, 68, 0, 67];
    run(
        &["02:00:00:00:00:01", "192.0.2.4"],
        &[
            (arp(1, OWN, OWN, FOUR, FIVE), Ok(()), "asks as itself"),
            (arp(2, OWN, OWN, FOUR, FIVE), Ok(()), "answers as itself"),
            (arp(1, OWN, OWN, FIVE, FOUR), IP, "asks as another, which teaches too"),
            (arp(2, OWN, OWN, FIVE, FOUR), IP, "answers as another"),
            (arp(2, OWN, OTHER, FOUR, FIVE), MAC, "answers for another MAC"),
            (arp(1, OWN, OWN, NOBODY, FOUR), Ok(()), "a probe for its own address (RFC 5227)"),
            (arp(1, OWN, OWN, NOBODY, FIVE), IP, "a probe for another's, which would scare that away"),
            (arp(2, OWN, OWN, NOBODY, FOUR), IP, "a reply from nobody"),
            (arp(3, OWN, OWN, NOBODY, NOBODY), Ok(()), "RARP, as QEMU announces a guest that moved"),
            (arp(3, OWN, OTHER, NOBODY, NOBODY), MAC, "RARP for another"),
            (arp(4, OWN, OWN, FIVE, NOBODY), IP, "RARP that gives addresses away"),
            (frame(OWN, 0x0806, &[0, 1, 8, 0, 6]), IP, "ARP cut off"),
            (v4(FOUR, FIVE, [0; 4]), Ok(()), "a packet of its own"),
            (v4(FIVE, FOUR, [0; 4]), IP, "a packet of another"),
            (v4(NOBODY, [255; 4], dhcp), Ok(()), "a DHCP client"),
            (v4(NOBODY, FIVE, dhcp), IP, "from nobody to somebody"),
            (v4(NOBODY, [255; 4], [0, 67, 0, 68]), IP, "a DHCP server of no address"),
            (v4(FIVE, [255; 4], dhcp), IP, "only nobody needs to be excused"),
            (frame(OWN, 0x0800, &[0x45; 19]), IP, "cut off before its source"),
            (nd(SOLICITATION, LINK, SIX, None), IP, "no IPv6 without a permit for it"),
            (v6(SIX, 17, &[]), IP, "none at all"),
            (nd(SOLICITATION, "::", LINK, None), IP, "not even from nobody"),
            (frame(OWN, 0x88cc, &[2, 7]), Ok(()), "LLDP has no network address"),
        ],
    );
}

#[test]
fn neighbour_discovery_and_ipv6() {
    let report = v6("::", 0, &[58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0]);
    let mut to_one = nd(SOLICITATION, "::", SIX, None);
    to_one[0] = 2;
    run(
        &["02:00:00:00:00:01", "2001:db8::6"],
        &[
            (v6(SIX, 17, &[]), Ok(()), "a packet of its own"),
            (v6(SEVEN, 17, &[]), IP, "a packet of another"),
            (v6(LINK, 17, &[]), Ok(()), "DHCPv6, from the address that its MAC makes"),
            (v6(OTHER_LINK, 17, &[]), IP, "from the one that another's makes"),
            (v6("fe80::1234", 17, &[]), IP, "from one of its choice (RFC 7217): to be permitted"),
            (v6("::", 17, &[]), IP, "from nobody"),
            (nd(SOLICITATION, SIX, SEVEN, Some((1, OWN))), Ok(()), "asks as itself"),
            (nd(SOLICITATION, SEVEN, SIX, Some((1, OWN))), IP, "asks as another"),
            (nd(SOLICITATION, SIX, SEVEN, Some((1, OTHER))), MAC, "says that it is elsewhere"),
            (nd(SOLICITATION, "::", SIX, None), Ok(()), "is its address free? (RFC 4862)"),
            (nd(SOLICITATION, "::", LINK, None), Ok(()), "is its link-local address free?"),
            (nd(SOLICITATION, "::", SEVEN, None), IP, "is another's?"),
            (to_one, IP, "asked of one station"),
            (nd(ADVERTISEMENT, SIX, SIX, Some((2, OWN))), Ok(()), "answers as itself"),
            (nd(ADVERTISEMENT, LINK, SIX, Some((2, OWN))), Ok(()), "from its other address"),
            (nd(ADVERTISEMENT, SIX, SEVEN, Some((2, OWN))), IP, "answers as another"),
            (nd(ADVERTISEMENT, SEVEN, SIX, Some((2, OWN))), IP, "from another's address"),
            (nd(ADVERTISEMENT, SIX, SIX, Some((2, OTHER))), MAC, "sends them elsewhere"),
            (nd(133, "::", SIX, None), Ok(()), "is there a router?"),
            (nd(133, LINK, SIX, Some((1, OWN))), Ok(()), "the same with an address"),
            (nd(133, LINK, SIX, Some((1, OTHER))), MAC, "and a wrong one"),
            (nd(134, LINK, SIX, None), IP, "is no router"),
            (nd(137, LINK, SIX, None), IP, "and redirects nobody"),
            (report, Ok(()), "an MLD report (RFC 3810 §5.2.13)"),
            (v6("::", 58, &[128, 0, 0, 0]), IP, "an echo request from nobody"),
            (v6(SIX, 58, &[]), IP, "ICMPv6 that cannot be read"),
            (arp(1, OWN, OWN, FOUR, FIVE), IP, "no ARP without a permit for IPv4"),
            (arp(3, OWN, OWN, NOBODY, NOBODY), IP, "nor RARP"),
            (v4(NOBODY, [255; 4], [0, 68, 0, 67]), IP, "nor DHCP"),
        ],
    );
}

#[test]
fn networks_and_routers() {
    let everything = ["0.0.0.0/0", "::/0"];
    run(
        &everything,
        &[
            (v4(FIVE, FOUR, [0; 4]), Ok(()), "a router's packets are anybody's"),
            (v6(SEVEN, 17, &[]), Ok(()), "of both families"),
            (v4(NOBODY, FOUR, [0; 4]), IP, "nobody is in no network"),
            (nd(134, LINK, SIX, None), IP, "to advertise takes an address permitted by itself"),
            (arp(1, OTHER, OTHER, FIVE, FOUR), Ok(()), "no MAC permitted: any"),
            (arp(1, OTHER, OWN, FIVE, FOUR), MAC, "but the frame's own"),
        ],
    );
    let router = [&everything[..], &["fe80::ff:fe00:1"]].concat();
    run(&router, &[(nd(134, LINK, SIX, None), Ok(()), "like this"), (nd(134, SIX, SIX, None), IP, "alone")]);
    run(&["fe80::/10"], &[(nd(134, "fe80::", SIX, None), IP, "a network's first address is not by itself")]);
    run(
        &["2001:db8::/64"],
        &[(v6(OTHER_LINK, 17, &[]), IP, "no MAC permitted: the link-local of the frame's own")],
    );
}

#[test]
fn tags_hide_nothing() {
    let guard = guard(&["192.0.2.4"]);
    let spoof = v4(FIVE, FOUR, [0; 4]);
    let tagged = |times| [&spoof[..12], &[0x81, 0, 0, 7].repeat(times), &spoof[12..]].concat();
    for times in 0..12 {
        assert_eq!(check(&guard, &tagged(times)), IP, "behind {times} tags");
    }
    let tag = Tag { tpid: 0x8100, tci: 7 };
    let edit = Edit::NONE.push(tag).and_then(|edit| edit.push(tag)).expect("two tags");
    for (bytes, expected) in [(&spoof, IP), (&v4(FOUR, FIVE, [0; 4]), Ok(()))] {
        let headers = Headers::edited(bytes, &edit, &Offload::NONE).expect("a frame");
        assert_eq!(
            guard.check(&Passage { bytes, edit: &edit, headers: &headers }),
            expected,
            "tagged twice on its way"
        );
    }
}

#[test]
fn the_list_is_bounded_and_has_no_doubles() {
    let mut guard = guard(&["192.0.2.4/24"]);
    let net = |text: &str| Permit::Ip(text.parse().expect("a network"));
    assert_eq!(guard.add(net("192.0.2.9/24")), Err(PermitError::Exists), "the same network");
    assert_eq!(guard.add(Permit::Mac(Mac::BROADCAST)), Err(PermitError::Invalid));
    for id in 1..PERMITS_MAX as u16 {
        let [high, low] = id.to_be_bytes();
        assert_eq!(guard.add(Permit::Mac(Mac([2, 0, 0, 0, high, low]))), Ok(()));
    }
    assert_eq!(guard.add(Permit::Mac(Mac([4; 6]))), Err(PermitError::Full));
    assert!(guard.remove(net("192.0.2.0/24")));
    assert!(!guard.remove(net("192.0.2.0/24")), "it is gone");
    assert_eq!(guard.add(Permit::Mac(Mac([4; 6]))), Ok(()));
}
