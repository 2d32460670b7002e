//! Neighbour suppression and proxy ARP, question by question (B83; the cases of the kernel's own
//! test_bridge_neigh_suppress.sh are among them).

use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;
use crate::frame::{Edit, Offload, Tag};

/// Behind leg 1, an ordinary one, which asks.
const ASKER: Host = Host::new(1, 1);
/// Behind leg 2, which is spared.
const FAR: Host = Host::new(2, 2);
/// Behind leg 3, another ordinary one.
const NEAR: Host = Host::new(3, 3);
/// Behind leg 0, the host's.
const HOST: Host = Host::new(0, 4);
const BROADCAST: Mac = Mac::BROADCAST;
const GROUP: Mac = Mac([0x33, 0x33, 0xff, 0, 0, 2]);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Host {
    leg: u16,
    mac: Mac,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

impl Host {
    const fn new(leg: u16, id: u8) -> Self {
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, id as u16);
        Self { leg, mac: Mac([2, 0, 0, 0, 0, id]), v4: Ipv4Addr::new(192, 0, 2, id), v6 }
    }
}

/// A bridge as far as this module sees it.
struct World {
    neighbours: Neighbours,
    legs: [LegConfig; 4],
    fdb: Vec<(u16, Host)>,
    vid: u16,
    now: Time,
}

impl World {
    /// Everybody has been heard, and leg 2 is spared.
    fn new() -> Self {
        let mut world = Self::silent();
        for host in [ASKER, FAR, NEAR, HOST] {
            world.say(host);
        }
        world.legs[2].neigh_suppress = true;
        world
    }

    fn silent() -> Self {
        let mut legs = [LegConfig::default(); 4];
        legs[0].role = Role::Host;
        let neighbours = Neighbours::new([1, 2]);
        Self { neighbours, legs, fdb: Vec::new(), vid: 0, now: Time::ZERO }
    }

    /// The station is in the FDB, and has said its two addresses.
    fn say(&mut self, host: Host) {
        self.fdb.push((self.vid, host));
        self.hear(host, &announcement(host));
        self.hear(host, &advertisement(host, host.v6, true));
    }

    fn judge(&self, from: Host, bytes: &[u8]) -> Option<Judgement> {
        let headers = Headers::parse(bytes, &Offload::NONE).expect("a frame");
        let talk = Talk::of(&Passage { bytes, edit: &Edit::NONE, headers: &headers }, self.vid, false)?;
        let suppression = self.legs.iter().any(|leg| leg.neigh_suppress);
        let config = &self.legs[usize::from(from.leg)];
        let ingress = Ingress { leg: LegIndex(from.leg), config, vid: self.vid, suppression };
        let find = |mac| {
            let (_, host) = self.fdb.iter().find(|(vid, host)| *vid == self.vid && host.mac == mac)?;
            Some((LegIndex(host.leg), &self.legs[usize::from(host.leg)]))
        };
        Some(self.neighbours.judge(&talk, &headers, ingress, self.now, find))
    }

    fn hear(&mut self, from: Host, bytes: &[u8]) {
        if let Some(judgement) = self.judge(from, bytes) {
            self.neighbours.commit(&judgement, self.now);
        }
    }

    /// Whether it is suppressed, and in whose name it is answered.
    fn fate(&self, from: Host, bytes: &[u8]) -> (bool, Option<Mac>) {
        let judgement = self.judge(from, bytes);
        judgement.map_or((false, None), |j| (j.suppressed, j.answer.map(|answer| answer.src)))
    }

    fn knows(&self, ip: impl Into<IpAddr>) -> Option<Mac> {
        self.neighbours.find(self.vid, ip.into(), self.now).map(|neighbour| neighbour.mac)
    }
}

fn frame(dst: Mac, src: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&dst.0[..], &src.0, &ether_type.to_be_bytes(), payload].concat()
}

fn arp(operation: u16, dst: Mac, from: Host, sender_ip: Ipv4Addr, target_ip: Ipv4Addr) -> Vec<u8> {
    let arp = Arp { operation, sender_mac: from.mac, sender_ip, target_mac: Mac::ZERO, target_ip };
    frame(dst, from.mac, arp::ETHER_TYPE, &arp.to_bytes())
}

fn question(from: Host, target: Host) -> Vec<u8> {
    arp(arp::REQUEST, BROADCAST, from, from.v4, target.v4)
}

fn announcement(from: Host) -> Vec<u8> {
    arp(arp::REQUEST, BROADCAST, from, from.v4, from.v4)
}

fn icmp(dst: Mac, from: Mac, source: Ipv6Addr, destination: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, message.len() as u8, 58, 255];
    packet.extend([source.octets(), destination.octets()].concat());
    let pseudo = crate::wire::checksum::pseudo_header(&packet[8..40], 58, message.len() as u32);
    let sum = crate::wire::checksum::add(pseudo, crate::wire::checksum::sum(&message));
    message[2..4].copy_from_slice(&crate::wire::checksum::finish(sum).to_be_bytes());
    frame(dst, from, ETHER_TYPE_IPV6, &[packet, message].concat())
}

fn solicitation(dst: Mac, from: Host, source: Ipv6Addr, target: Host) -> Vec<u8> {
    let mut message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.v6.octets()].concat();
    if !source.is_unspecified() {
        message.extend([&[1, 1][..], &from.mac.0].concat());
    }
    icmp(dst, from.mac, source, "ff02::1:ff00:2".parse().expect("an address"), message)
}

fn advertisement(from: Host, target: Ipv6Addr, solicited: bool) -> Vec<u8> {
    let flags = if solicited { 0x60 } else { 0x20 };
    let message = [&[136, 0, 0, 0, flags, 0, 0, 0][..], &target.octets(), &[2, 1], &from.mac.0].concat();
    icmp(GROUP, from.mac, from.v6, "ff02::1".parse().expect("an address"), message)
}

#[test]
fn b83_a_question_is_suppressed_once_all_is_known() {
    let asked = |world: &World| {
        let arp = world.fate(ASKER, &question(ASKER, FAR));
        assert_eq!(arp, world.fate(ASKER, &solicitation(GROUP, ASKER, ASKER.v6, FAR)), "ARP as ND");
        arp
    };
    let mut world = World::silent();
    assert_eq!(asked(&world), (false, None), "nothing is on");
    world.legs[2].neigh_suppress = true;
    assert_eq!(asked(&world), (false, None), "nothing is known");
    world.fdb.push((0, FAR));
    assert_eq!(asked(&world), (false, None), "a station, but nobody's address");
    world.say(FAR);
    assert_eq!(asked(&world), (true, Some(FAR.mac)), "station and address: answered in its name");
    world.fdb.clear();
    assert_eq!(asked(&world), (false, None), "an address, but where is the station?");
    world.fdb.push((0, FAR));
    world.now = Time::from_secs(300);
    assert_eq!(asked(&world), (false, None), "known for too long");
    world.say(FAR);
    world.legs[2].neigh_suppress = false;
    assert_eq!(asked(&world), (false, None), "it is off again");
}

#[test]
fn b83_who_is_answered_and_whom_it_spares() {
    let world = World::new();
    let six = |from: Host, target| solicitation(GROUP, from, from.v6, target);
    let dad = solicitation(GROUP, ASKER, Ipv6Addr::UNSPECIFIED, FAR);
    let far = Some(FAR.mac);
    let table = [
        (ASKER, question(ASKER, FAR), (true, far), "ARP for a station behind the spared leg"),
        (ASKER, six(ASKER, FAR), (true, far), "ND for it"),
        (HOST, question(HOST, FAR), (true, far), "the host is answered too"),
        (HOST, six(HOST, FAR), (true, far), "in both ways"),
        (ASKER, question(ASKER, NEAR), (true, None), "elsewhere: it answers itself, and leg 2 is spared"),
        (ASKER, six(ASKER, NEAR), (true, None), "so with ND"),
        (ASKER, question(ASKER, HOST), (true, None), "the host answers for itself"),
        (ASKER, six(ASKER, HOST), (true, None), "with ND too"),
        (
            ASKER,
            question(ASKER, Host { v4: [192, 0, 2, 99].into(), ..FAR }),
            (false, None),
            "an unknown target",
        ),
        (FAR, question(FAR, NEAR), (false, None), "who asks from the spared leg is left alone"),
        (FAR, six(FAR, NEAR), (false, None), "with ND too"),
        (FAR, announcement(FAR), (false, None), "and announces to everybody"),
        (
            ASKER,
            arp(1, FAR.mac, ASKER, ASKER.v4, FAR.v4),
            (false, None),
            "a unicast poll is for that station",
        ),
        (ASKER, solicitation(FAR.mac, ASKER, ASKER.v6, FAR), (false, None), "with ND too"),
        (
            ASKER,
            arp(1, BROADCAST, ASKER, NOBODY, FAR.v4),
            (true, None),
            "a probe is neither answered nor flooded",
        ),
        (ASKER, arp(1, BROADCAST, ASKER, [0, 0, 0, 9].into(), FAR.v4), (true, None), "all of 0/8 is nobody"),
        (ASKER, dad, (true, None), "duplicate address detection, the same"),
        (ASKER, announcement(ASKER), (true, None), "a gratuitous request"),
        (ASKER, arp(2, BROADCAST, ASKER, ASKER.v4, ASKER.v4), (true, None), "a gratuitous reply"),
        (ASKER, advertisement(ASKER, ASKER.v6, false), (true, None), "an unsolicited advertisement"),
        (
            ASKER,
            advertisement(ASKER, ASKER.v6, true),
            (false, None),
            "a solicited one goes where it is wanted",
        ),
        (ASKER, arp(2, FAR.mac, ASKER, ASKER.v4, FAR.v4), (false, None), "a reply too"),
        (ASKER, arp(3, BROADCAST, ASKER, NOBODY, NOBODY), (false, None), "RARP is not touched"),
        (ASKER, arp(4, BROADCAST, ASKER, NOBODY, NOBODY), (false, None), "nor its replies"),
        (ASKER, arp(1, BROADCAST, ASKER, ASKER.v4, [127, 0, 0, 1].into()), (false, None), "loopback"),
        (ASKER, arp(1, BROADCAST, ASKER, ASKER.v4, [224, 0, 0, 1].into()), (false, None), "a group"),
        (
            ASKER,
            frame(BROADCAST, ASKER.mac, 0x0800, &[0x45; 20]),
            (false, None),
            "not about neighbours at all",
        ),
        (ASKER, frame(BROADCAST, ASKER.mac, 0x0806, &[0, 1, 8]), (false, None), "ARP cut off"),
    ];
    for (from, bytes, expected, why) in table {
        assert_eq!(world.fate(from, &bytes), expected, "B83: {why}");
    }
}

#[test]
fn b83_proxy_arp_answers_whoever_asks_there() {
    let mut world = World::new();
    world.legs[2].neigh_suppress = false;
    world.legs[1].proxy_arp = true;
    let table = [
        (ASKER, question(ASKER, FAR), (true, Some(FAR.mac)), "known and elsewhere"),
        (ASKER, arp(1, FAR.mac, ASKER, ASKER.v4, FAR.v4), (true, Some(FAR.mac)), "even if asked of it alone"),
        (ASKER, arp(1, BROADCAST, ASKER, NOBODY, FAR.v4), (true, Some(FAR.mac)), "a probe: it is taken"),
        (ASKER, question(ASKER, Host { leg: 1, ..ASKER }), (false, None), "behind the same leg"),
        (ASKER, question(ASKER, HOST), (false, None), "the host answers for itself"),
        (NEAR, question(NEAR, FAR), (false, None), "from another leg"),
        (ASKER, solicitation(GROUP, ASKER, ASKER.v6, FAR), (false, None), "it is proxy ARP, not ND"),
        (ASKER, advertisement(ASKER, ASKER.v6, false), (false, None), "nor suppression"),
    ];
    for (from, bytes, expected, why) in table {
        assert_eq!(world.fate(from, &bytes), expected, "B83: {why}");
    }
    world.legs[1].neigh_suppress = true;
    assert_eq!(world.fate(ASKER, &question(ASKER, FAR)), (false, None), "B83: a spared leg is left alone");
    world.legs[1] = LegConfig { role: Role::Host, proxy_arp: true, ..LegConfig::default() };
    assert_eq!(world.fate(ASKER, &question(ASKER, FAR)), (false, None), "B41: the host has no flags");
}

#[test]
fn b83_vlans_are_apart() {
    let mut world = World::new();
    world.vid = 10;
    assert_eq!(world.fate(ASKER, &question(ASKER, FAR)), (false, None), "nothing was heard in VLAN 10");
    world.say(FAR);
    assert_eq!(world.fate(ASKER, &question(ASKER, FAR)), (true, Some(FAR.mac)));
    world.vid = 20;
    assert_eq!(world.fate(ASKER, &question(ASKER, FAR)), (false, None), "nor in VLAN 20");
    world.vid = 0;
    let tagged =
        |vid| [&question(ASKER, FAR)[..12], &[0x81, 0, 0, vid], &question(ASKER, FAR)[12..]].concat();
    assert_eq!(world.fate(ASKER, &tagged(10)), (false, None), "without filtering, a VLAN is somebody else's");
    assert_eq!(world.fate(ASKER, &tagged(0)), (true, Some(FAR.mac)), "a mere priority is none");
}

#[test]
fn answers_are_what_the_station_would_say() {
    let world = World::new();
    let write = |bytes: &[u8], tag| {
        let answer = world.judge(ASKER, bytes).and_then(|judgement| judgement.answer).expect("an answer");
        let mut buffer = [0; ANSWER_MAX];
        let len = answer.write(tag, &mut buffer);
        buffer[..len].to_vec()
    };
    let reply = write(&question(ASKER, FAR), None);
    assert_eq!((&reply[..6], &reply[6..12]), (&ASKER.mac.0[..], &FAR.mac.0[..]), "from the one to the other");
    let said = Arp::parse(&reply[14..]).expect("ARP");
    assert_eq!((said.operation, said.sender_mac, said.sender_ip), (arp::REPLY, FAR.mac, FAR.v4));
    assert_eq!((said.target_mac, said.target_ip), (ASKER.mac, ASKER.v4));

    let tag = Tag { tpid: 0x8100, tci: 0x600a };
    let tagged = write(&solicitation(GROUP, ASKER, ASKER.v6, FAR), Some(tag));
    assert_eq!(tagged.len(), ANSWER_MAX, "nothing is longer");
    assert_eq!(tagged[12..18], [0x81, 0, 0x60, 0x0a, 0x86, 0xdd]);
    let (ndp, icmp) = source::plain_ndp(&tagged[18..]).expect("neighbour discovery");
    assert!(ndp::checksum_holds(ndp.source, ndp.destination, icmp));
    let expected = Message::Advertisement { target: FAR.v6, router: false, solicited: true, replace: true };
    assert_eq!((ndp.source, ndp.destination, ndp.target_link), (FAR.v6, ASKER.v6, Some(FAR.mac)));
    assert_eq!(ndp.message, expected);

    let mut lying = question(ASKER, FAR);
    lying[22..28].copy_from_slice(&BROADCAST.0);
    assert_eq!(world.fate(ASKER, &lying), (true, None), "no answer to all stations");
}

#[test]
fn what_teaches() {
    let all = |bytes: &[u8], from: usize| {
        let mut bent = bytes.to_vec();
        bent[from] ^= 1;
        bent
    };
    let anycast = icmp(GROUP, FAR.mac, FAR.v6, ASKER.v6, {
        [&[136, 0, 0, 0, 0x40, 0, 0, 0][..], &FAR.v6.octets(), &[2, 1], &FAR.mac.0].concat()
    });
    let far_away = {
        let mut bytes = advertisement(FAR, FAR.v6, true);
        bytes[14 + 7] = 254;
        bytes
    };
    let router = |kind: u8, fixed: usize| {
        let message = [&[kind][..], &vec![0; fixed - 1], &[1, 1], &FAR.mac.0].concat();
        icmp(GROUP, FAR.mac, FAR.v6, ASKER.v6, message)
    };
    let (v4, v6) = (IpAddr::V4(FAR.v4), IpAddr::V6(FAR.v6));
    let table = [
        (question(FAR, NEAR), v4, true, "who asks"),
        (arp(2, ASKER.mac, FAR, FAR.v4, ASKER.v4), v4, true, "who replies"),
        (announcement(FAR), v4, true, "who announces"),
        (arp(1, BROADCAST, FAR, NOBODY, FAR.v4), v4, false, "not who only asks whether it may"),
        (arp(3, BROADCAST, FAR, FAR.v4, FAR.v4), v4, false, "not by RARP"),
        (all(&announcement(FAR), 11), v4, false, "not at second hand: another MAC sent it"),
        (solicitation(GROUP, FAR, FAR.v6, NEAR), v6, true, "who solicits"),
        (advertisement(FAR, FAR.v6, true), v6, true, "who advertises"),
        (advertisement(FAR, FAR.v6, false), v6, true, "unasked too"),
        (anycast, v6, false, "not for an address that several have"),
        (router(133, 8), v6, true, "who looks for a router"),
        (router(134, 16), v6, true, "who is one"),
        (all(&advertisement(FAR, FAR.v6, true), 11), v6, false, "not at second hand"),
        (all(&advertisement(FAR, FAR.v6, true), 62), v6, false, "not with a wrong checksum"),
        (far_away, v6, false, "not from beyond the link"),
        (advertisement(FAR, "ff02::1".parse().expect("an address"), true), v6, false, "nobody is a group"),
    ];
    for (bytes, ip, teaches, why) in table {
        let mut world = World::silent();
        world.hear(FAR, &bytes);
        assert_eq!(world.knows(ip), teaches.then_some(FAR.mac), "{why}");
        assert_eq!(world.neighbours.counters().learned, u64::from(teaches), "{why}");
        let known = world.neighbours.entries(world.now);
        assert_eq!(known.len(), usize::from(teaches), "{why}");
        if bytes.len() > 60 && bytes[54] == 134 {
            assert!(known[0].router, "and that it is a router");
        }
    }
}

#[test]
fn what_is_said_later_counts_and_what_is_not_repeated_is_forgotten() {
    let mut world = World::silent();
    world.hear(FAR, &announcement(FAR));
    let thief = Host { v4: FAR.v4, ..NEAR };
    world.now = Time::from_secs(100);
    world.hear(thief, &announcement(thief));
    assert_eq!(world.knows(FAR.v4), Some(NEAR.mac), "as any host believes it");
    assert_eq!(world.neighbours.deadline(), Some(Time::from_secs(400)));
    world.now = Time::from_nanos(399_999_999_999);
    assert_eq!(world.knows(FAR.v4), Some(NEAR.mac));
    world.now = Time::from_secs(400);
    assert_eq!(world.knows(FAR.v4), None, "exact, though nobody has swept");
    assert_eq!((world.neighbours.sweep(world.now, 9), world.neighbours.deadline()), (1, None));
}

#[test]
fn a_leg_that_floods_leaves_room_for_others() {
    let mut world = World::silent();
    let many = |leg: u16, n: u32| {
        let [_, b, c, d] = n.to_be_bytes();
        Host { v4: [10 + leg as u8, b, c, d].into(), ..Host::new(leg, leg as u8) }
    };
    let known = |world: &World, leg: u16| {
        world.neighbours.entries(world.now).iter().filter(|entry| entry.leg.0 == leg).count()
    };
    for leg in [1, 2] {
        for n in 1..10_000 {
            world.hear(many(leg, n), &announcement(many(leg, n)));
        }
    }
    assert_eq!((known(&world, 1), known(&world, 2)), (NEIGHBOURS_MAX / 2, NEIGHBOURS_MAX / 4));
    assert!(world.neighbours.counters().refused > 10_000);
    world.hear(NEAR, &announcement(NEAR));
    assert_eq!(world.knows(NEAR.v4), Some(NEAR.mac), "a quiet one is still heard");
    world.neighbours.retain(|vid, leg| vid == 0 && leg.0 != 1);
    assert_eq!(known(&world, 1), 0);
    world.hear(many(1, 1), &announcement(many(1, 1)));
    assert_eq!(known(&world, 1), 1, "what is forgotten no longer counts");
    world.now = Time::from_secs(300);
    for n in 1..10_000 {
        world.hear(many(3, n), &announcement(many(3, n)));
    }
    assert!(known(&world, 3) >= NEIGHBOURS_MAX / 2, "what has expired is in nobody's way");
}

#[test]
fn judging_changes_nothing_and_committing_counts() {
    let mut world = World::new();
    let before = (world.neighbours.counters(), world.neighbours.entries(world.now));
    let first = world.judge(ASKER, &question(ASKER, FAR));
    assert_eq!(world.judge(ASKER, &question(ASKER, FAR)), first);
    assert_eq!((world.neighbours.counters(), world.neighbours.entries(world.now)), before);
    world.hear(ASKER, &question(ASKER, FAR));
    world.hear(ASKER, &announcement(ASKER));
    let after = world.neighbours.counters();
    assert_eq!((after.answered, after.suppressed - before.0.suppressed), (1, 2));
}

proptest! {
    /// Sound questions with bytes changed and cut off, into whatever flags: no panic, and an answer only to a
    /// station.
    #[test]
    fn no_bytes_are_too_strange(
        which in 0..4_usize,
        edits in prop::collection::vec((12..90_usize, any::<u8>()), 0..6),
        end in 14..100_usize,
        flags in 0..16_u8,
    ) {
        let mut world = World::new();
        world.legs[1].proxy_arp = flags & 1 == 1;
        world.legs[2].neigh_suppress = flags & 2 == 2;
        world.legs[1].neigh_suppress = flags & 4 == 4;
        world.vid = u16::from(flags >> 3);
        let sound = [
            question(ASKER, FAR),
            solicitation(GROUP, ASKER, ASKER.v6, FAR),
            advertisement(ASKER, ASKER.v6, false),
            announcement(ASKER),
        ];
        let mut bytes = sound[which].clone();
        for (at, value) in edits {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(end);
        if Headers::parse(&bytes, &Offload::NONE).is_ok() {
            if let Some(answer) = world.judge(ASKER, &bytes).and_then(|judgement| judgement.answer) {
                prop_assert!(answer.dst.is_station() && answer.src.is_station());
                prop_assert!(answer.write(None, &mut [0; ANSWER_MAX]) <= ANSWER_MAX - 4);
            }
            world.hear(ASKER, &bytes);
        }
    }
}
