//! What is said about packets, and how often.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::router::policy::config::Log;
use crate::router::policy::line::Line;
use crate::router::policy::log::RECORDS_MAX;
use crate::wire::packet::Packet;

const LINES: &str = include_str!("kernel_lines.txt");
const FRAME: [u8; 14] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xaa, 8, 0];

/// A policy with one rule that logs, at most `limit` lines per second.
fn logging(prefix: &str, limit: u32) -> World {
    let log = Action::Log(Log { prefix: prefix.into(), limit });
    World::new(Config { rules: vec![rule(log), rule(Action::Drop)], ..Config::default() })
}

/// A packet passes from br1 to the rest of the world, with its destination as it is.
fn note(world: &mut World, packet: &[u8], now: Time) {
    let destination = match packet[0] >> 4 {
        4 => IpAddr::from(*packet[16..].first_chunk::<4>().expect("a header")),
        _ => IpAddr::from(*packet[24..].first_chunk::<16>().expect("a header")),
    };
    let none = Tuple {
        destination: destination.into(),
        ipv6: destination.is_ipv6(),
        ..super::packet("::", "::", 0)
    };
    let tuple = Packet::quoted(packet).and_then(|packet| Tuple::of(&packet)).unwrap_or(none);
    let World { legs, policy } = world;
    let passing = Passing {
        from: (BR1, &legs[1]),
        to: (EXT, &legs[0]),
        tuple: &tuple,
        state: State::New,
        destination_nat: false,
    };
    policy.note(&passing, &FRAME, packet, now);
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (0..hex.len()).step_by(2).map(digits).collect()
}

#[test]
fn lines_are_the_kernels() {
    let mut world = logging("", 1000);
    let mut count = 0;
    let mut lines = LINES.lines();
    while let Some(line) = lines.next() {
        let Some(why) = line.strip_prefix("# ") else { continue };
        let Some(packet) = lines.next().filter(|line| !line.is_empty() && !line.starts_with('#')) else {
            continue;
        };
        let expected = lines.next().and_then(|line| line.strip_suffix('$')).expect("a line");
        note(&mut world, &bytes(packet), Time::ZERO);
        let record = world.policy.take_record().expect("a record");
        assert_eq!(record.line("br1", "ext").to_string(), expected, "N61: {why}");
        count += 1;
    }
    assert_eq!(count, 60, "all of them were read");
}

#[test]
fn lines_show_packets_as_the_rules_see_them() {
    let mut packets = LINES.lines().filter(|line| line.starts_with(['4', '6'])).map(bytes);
    let mut find = |protocol| packets.find(|bytes| bytes[9] == protocol).expect("there is one");
    let (tcp, echo) = (find(6), find(1));
    let world = logging("to the guest: ", 10);
    let World { legs, mut policy } = world;
    let mut say = |tuple: Tuple, frame: &[u8], packet: &[u8]| {
        let (from, to) = ((EXT, &legs[0]), (BR1, &legs[1]));
        let passing = Passing { from, to, tuple: &tuple, state: State::Established, destination_nat: true };
        policy.note(&passing, frame, packet, Time::ZERO);
        let record = policy.take_record().expect("a record");
        assert_eq!((record.rule, record.from, record.to), (0, EXT, BR1));
        record.line("ext", "br1").to_string()
    };
    let tuple = Tuple { source_port: 77, ..packet("10.9.1.2", "10.1.0.3", 8080) };
    let line = say(tuple, &[], &tcp);
    let expected = "to the guest: IN=ext OUT=br1 MAC= SRC=10.9.1.2 DST=10.1.0.3 LEN=44 TOS=0x00 PREC=0x00 TTL=63 \
                    ID=4660 DF PROTO=TCP SPT=40000 DPT=8080 WINDOW=1024 RES=0x00 SYN URGP=0 ";
    assert_eq!(line, expected, "C1: after DNAT; and what was put together has no frame");
    let line = say(Tuple { destination_port: 0x0800, protocol: 1, ..tuple }, &FRAME, &echo);
    assert!(line.contains("DST=10.1.0.3") && line.ends_with("TYPE=8 CODE=0 ID=77 SEQ=9 "), "U4: {line}");
}

#[test]
fn rules_say_no_more_than_they_may() {
    let mut world = logging("a prefix that is far too long: ä", 3);
    let packet = LINES.lines().find(|line| line.starts_with('4')).map(bytes).expect("a packet");
    let second = Duration::from_secs(1);
    for _ in 0..10 {
        note(&mut world, &packet, Time::ZERO);
    }
    let records = |world: &mut World| std::iter::from_fn(|| world.policy.take_record()).collect::<Vec<_>>();
    let first = records(&mut world);
    assert_eq!(
        first.iter().map(|record| record.suppressed).collect::<Vec<_>>(),
        [0, 0, 0],
        "three lines in a second"
    );
    assert_eq!(world.policy.suppressed(0), 7, "the others are counted");
    assert_eq!(world.policy.counts(RuleId::User(0)).packets, 10, "as matches, all are");
    assert_eq!(world.policy.counts(RuleId::User(1)).packets, 10, "and the next rule was asked about all");
    let line = first[0].line("a", "b").to_string();
    assert!(line.starts_with("a prefix that is far too longIN=a OUT=b MAC=02:00"), "29 bytes: {line}");
    note(&mut world, &packet, Time::ZERO + second);
    assert_eq!(
        records(&mut world).first().map(|record| record.suppressed),
        Some(7),
        "a second later, it goes on"
    );
    for _ in 0..3 {
        note(&mut world, &packet, Time::ZERO + second * 2);
    }
    assert_eq!(
        records(&mut world).iter().map(|record| record.suppressed).sum::<u64>(),
        0,
        "nothing was missed"
    );
    let mut silent = logging("", 0);
    note(&mut silent, &packet, Time::ZERO);
    assert_eq!((silent.policy.take_record(), silent.policy.suppressed(0)), (None, 1), "none is none");
}

#[test]
fn what_nobody_reads_goes() {
    let mut world = logging("", u32::MAX);
    let packet = LINES.lines().find(|line| line.starts_with('4')).map(bytes).expect("a packet");
    for second in 0..RECORDS_MAX as u64 + 5 {
        note(&mut world, &packet, Time::from_secs(second));
    }
    assert_eq!(world.policy.records_lost(), 5);
    assert_eq!(
        world.policy.take_record().map(|record| record.at),
        Some(Time::from_secs(5)),
        "the oldest went"
    );
    let others = Config { rules: vec![rule(Action::Drop)], ..Config::default() };
    world.policy.configure(others);
    assert!(world.policy.take_record().is_some(), "what was said stays said");
}

proptest! {
    /// Whatever bytes there are, and wherever they end.
    #[test]
    fn any_bytes_make_a_line(
        which in 0..60_usize, cut in 0..200_usize, more in 0..100_usize, changes in proptest::collection::vec((0..120_usize, any::<u8>()), 0..6),
    ) {
        let packets = LINES.lines().filter(|line| line.starts_with(['4', '6']));
        let mut packet = packets.map(bytes).nth(which).expect("there are that many");
        for (at, byte) in changes {
            if let Some(place) = packet.get_mut(at) {
                *place = byte;
            }
        }
        let kept = &packet[..packet.len().min(cut)];
        let line = Line { prefix: "", input: "a", output: "b", link: &[], packet: kept, len: kept.len() + more };
        let text = line.to_string();
        prop_assert!(text.starts_with("IN=a OUT=b MAC= ") && text.len() < 1000, "{text}");
        if Packet::quoted(&packet).is_some() {
            note(&mut logging("", 1), &packet, Time::ZERO);
        }
    }
}
