//! MLD, the way IPv6 hosts say which groups they want (RFC 2710, RFC 3810): ICMPv6 behind a hop-by-hop header.
//!
//! What is sound is what the kernel takes for sound (`ipv6_mc_check_mld` in net/ipv6/mcast_snoop.c, B70): without
//! a hop-by-hop header nothing is MLD, with one every ICMPv6 message must have a right checksum, and queries come from
//! link-local addresses. It checks neither the hop limit nor what the header holds, so neither does this.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::checksum;
use super::ip::{ETHER_TYPE_IPV6, HOP_BY_HOP, Ipv6};
use super::mac::Mac;
use super::membership::{
    DELAY_MIN, Malformed, Message, Query, Question, QuestionFrame, ROBUSTNESS, Records, SOURCES_MAX, Subject,
    decode, encode,
};

const ICMPV6: u8 = 58;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_SNOOPERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x6a);

const QUERY: u8 = 130;
const REPORT_V1: u8 = 131;
const DONE: u8 = 132;
const REPORT_V2: u8 = 143;
/// A multicast router advertises itself (RFC 4286).
const ROUTER: u8 = 151;

/// Every message has at least these; what is shorter is another protocol's.
const LEN_MIN: usize = 24;
/// From here on a query is one of MLDv2.
const LEN_QUERY_V2: usize = 28;
const MANTISSA_BITS: u32 = 12;
/// The querier's interval, in seconds, has a byte as in IGMP.
const INTERVAL_MANTISSA_BITS: u32 = 4;

/// What the packet says about group membership, if it does. `partial`: its checksum is left to be completed, and is
/// not looked at.
pub fn parse<'a>(ip: &Ipv6<'a>, partial: bool) -> Result<Option<Message<'a>>, Malformed> {
    if ip.next_header != HOP_BY_HOP {
        return Ok(None);
    }
    let (protocol, message) = ip.transport().ok_or(Malformed::Header)?;
    if protocol != ICMPV6 {
        return Ok(None);
    }
    if message.len() < 8 {
        return Err(Malformed::Length);
    }
    if !partial && checksum::add(pseudo_header(ip, message.len()), checksum::sum(message)) != 0xffff {
        return Err(Malformed::Checksum);
    }
    if message[0] == ROUTER && ip.destination == ALL_SNOOPERS {
        return Ok(Some(Message::Router));
    }
    let Some(group) = message.get(8..LEN_MIN).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()) else {
        return Ok(None);
    };
    let group = Ipv6Addr::from(group);
    Ok(Some(match message[0] {
        QUERY => Message::Query(ip.source.into(), query(ip, message, group)?),
        REPORT_V1 => Message::Join(group.into()),
        DONE => Message::Leave(group.into()),
        REPORT_V2 => {
            let records = Records::parse(&message[8..], u16::from_be_bytes([message[6], message[7]]), 16);
            Message::Report(records.ok_or(Malformed::Length)?)
        }
        _ => return Ok(None),
    }))
}

fn query(ip: &Ipv6<'_>, message: &[u8], group: Ipv6Addr) -> Result<Query, Malformed> {
    if !ip.source.is_unicast_link_local() {
        return Err(Malformed::Source);
    }
    if message.len() != LEN_MIN && message.len() < LEN_QUERY_V2 {
        return Err(Malformed::Length);
    }
    if group.is_unspecified() && ip.destination != ALL_NODES {
        return Err(Malformed::Destination);
    }
    let about = |suppress| match group {
        Ipv6Addr::UNSPECIFIED => Subject::Everything,
        group => Subject::Group { group: group.into(), suppress },
    };
    let code = u16::from_be_bytes([message[4], message[5]]);
    if message.len() == LEN_MIN {
        // no time to answer is no question to the kernel
        let subject = if code == 0 { Subject::Other } else { about(false) };
        return Ok(Query { subject, max_delay: Duration::from_millis(code.into()) });
    }
    let subject = if message[26..28] == [0, 0] { about(message[24] & 8 != 0) } else { Subject::Other };
    Ok(Query { subject, max_delay: Duration::from_millis(decode(code, MANTISSA_BITS)).max(DELAY_MIN) })
}

fn pseudo_header(ip: &Ipv6<'_>, len: usize) -> u16 {
    let mut addresses = [0; 32];
    addresses[..16].copy_from_slice(&ip.source.octets());
    addresses[16..].copy_from_slice(&ip.destination.octets());
    checksum::pseudo_header(&addresses, ICMPV6, len as u32)
}

/// The link-local address that an interface makes of its hardware address (RFC 4291, appendix A).
pub const fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    let words = [[a ^ 2, b], [c, 0xff], [0xfe, d], [e, f]];
    Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        u16::from_be_bytes(words[0]),
        u16::from_be_bytes(words[1]),
        u16::from_be_bytes(words[2]),
        u16::from_be_bytes(words[3]),
    )
}

/// The frame that asks `question` about `sources`, of which there are none unless it is long. None if the question is
/// not one of IPv6.
pub fn question(question: &Question, sources: impl Iterator<Item = IpAddr>) -> Option<QuestionFrame> {
    let IpAddr::V6(source) = question.source else { return None };
    let group = match question.group {
        None => Ipv6Addr::UNSPECIFIED,
        Some(IpAddr::V6(group)) => group,
        Some(IpAddr::V4(_)) => return None,
    };
    let destination = if question.to_group { group } else { ALL_NODES };
    let mut frame = QuestionFrame::new();
    frame.push(&[0x33, 0x33]);
    frame.push(&destination.octets()[12..]);
    frame.push(&question.mac.0);
    frame.push(&ETHER_TYPE_IPV6.to_be_bytes());
    frame.push(&[0x60, 0, 0, 0, 0, 0, HOP_BY_HOP, 1]);
    frame.push(&source.octets());
    frame.push(&destination.octets());
    frame.push(&[ICMPV6, 0, 5, 2, 0, 0, 0, 0]); // router alert: MLD (RFC 2711), and padding
    let (ip, icmp) = (14, 62);
    let delay = u64::try_from(question.max_delay.as_millis()).unwrap_or(u64::MAX);
    let code = if question.long { encode(delay, MANTISSA_BITS) } else { delay.min(0xffff) as u16 };
    frame.push(&[QUERY, 0, 0, 0]);
    frame.push(&code.to_be_bytes());
    frame.push(&[0, 0]);
    frame.push(&group.octets());
    if question.long {
        let interval = encode(question.interval.as_secs(), INTERVAL_MANTISSA_BITS) as u8;
        frame.push(&[u8::from(question.suppress) << 3 | ROBUSTNESS, interval, 0, 0]);
        let mut count = 0;
        for source in sources.take(SOURCES_MAX) {
            if let IpAddr::V6(source) = source {
                frame.push(&source.octets());
                count += 1;
            }
        }
        frame.patch(icmp + 26, count);
    }
    let len = frame.tail(ip + 40).len() as u16;
    frame.patch(ip + 4, len);
    let message = frame.tail(icmp);
    let payload: &[u8] = &[];
    let pseudo =
        pseudo_header(&Ipv6 { source, destination, next_header: HOP_BY_HOP, payload }, message.len());
    let sum = !checksum::add(pseudo, checksum::sum(message));
    frame.patch(icmp + 2, sum);
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 2);
    const HOST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);

    /// An ICMPv6 message of that kind with its checksum, behind a hop-by-hop header.
    fn packet(source: Ipv6Addr, destination: Ipv6Addr, kind: u8, tail: &[u8]) -> Vec<u8> {
        let mut message = vec![kind, 0, 0, 0];
        message.extend(tail);
        let ip = Ipv6 { source, destination, next_header: HOP_BY_HOP, payload: &[] };
        let sum = !checksum::add(pseudo_header(&ip, message.len()), checksum::sum(&message));
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        [&[ICMPV6, 0, 5, 2, 0, 0, 0, 0][..], &message].concat()
    }

    #[test]
    fn what_is_sound() {
        let group = |head: [u8; 4], tail: &[u8]| [&head[..], &GROUP.octets(), tail].concat();
        let any = |head: [u8; 4], tail: &[u8]| [&head[..], &[0; 16], tail].concat();
        let record = [&[2, 0, 0, 0][..], &GROUP.octets()].concat();
        let report = |count| [&[0, 0, 0, count][..], &record].concat();
        let global = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let table: &[(Ipv6Addr, Ipv6Addr, u8, Vec<u8>, Result<&str, Malformed>, &str)] = &[
            (HOST, GROUP, 131, group([0; 4], &[]), Ok("Join(ff05::1:2)"), "MLDv1"),
            (HOST, GROUP, 132, group([0; 4], &[]), Ok("Leave(ff05::1:2)"), "done"),
            (HOST, ALL_NODES, 130, any([0x27, 0x10, 0, 0], &[]), Ok("Everything, max_delay: 10s"), "general"),
            (HOST, ALL_NODES, 130, any([0, 0, 0, 0], &[]), Ok("Other"), "MLDv1 without time asks nothing"),
            (HOST, GROUP, 130, group([3, 0xe8, 0, 0], &[]), Ok("max_delay: 1s"), "of a group"),
            (
                HOST,
                GROUP,
                130,
                any([3, 0xe8, 0, 0], &[]),
                Err(Malformed::Destination),
                "B70: general, not to all",
            ),
            (global, ALL_NODES, 130, any([3, 0xe8, 0, 0], &[]), Err(Malformed::Source), "a global asker"),
            (
                HOST,
                ALL_NODES,
                130,
                any([0x80, 0, 0, 0], &[2, 125, 0, 0]),
                Ok("max_delay: 32.768s"),
                "v2 floats",
            ),
            (HOST, ALL_NODES, 130, any([0, 0, 0, 0], &[2, 125, 0, 0]), Ok("max_delay: 4ms"), "v2: at once"),
            (HOST, GROUP, 130, group([0, 9, 0, 0], &[10, 125, 0, 0]), Ok("suppress: true"), "the S flag"),
            (HOST, GROUP, 130, group([0, 9, 0, 0], &[2, 125, 0, 1]), Ok("Other"), "of a source"),
            (HOST, ALL_NODES, 130, any([0, 9, 0, 0], &[2]), Err(Malformed::Length), "between v1 and v2"),
            (HOST, ALL_NODES, 143, report(1), Ok("Report"), "MLDv2"),
            (HOST, ALL_NODES, 143, report(2), Err(Malformed::Length), "B70: one record missing"),
            (
                HOST,
                ALL_NODES,
                131,
                vec![0; 4],
                Ok("nothing"),
                "short: the kernel takes it for another protocol",
            ),
            (HOST, ALL_NODES, 131, vec![0; 3], Err(Malformed::Length), "no ICMPv6 at all"),
            (HOST, ALL_SNOOPERS, 151, vec![0; 4], Ok("Router"), "B71: router discovery"),
            (HOST, ALL_NODES, 135, group([0; 4], &[]), Ok("nothing"), "neighbour discovery"),
        ];
        for (source, destination, kind, tail, expected, why) in table {
            let payload = packet(*source, *destination, *kind, tail);
            let ip = Ipv6 { source: *source, destination: *destination, next_header: 0, payload: &payload };
            let read =
                parse(&ip, false).map(|message| message.map_or("nothing".into(), |m| format!("{m:?}")));
            match (expected, &read) {
                (Ok(part), Ok(text)) => assert!(text.contains(part), "{why}: {text}"),
                (Err(expected), Err(reason)) => assert_eq!(expected, reason, "{why}"),
                _ => panic!("{why}: {read:?}"),
            }
        }
    }

    #[test]
    fn checksums_and_headers() {
        let mut payload = packet(HOST, GROUP, 131, &[0; 20]);
        payload[12] ^= 1;
        let ip = Ipv6 { source: HOST, destination: GROUP, next_header: 0, payload: &payload };
        assert_eq!(parse(&ip, false), Err(Malformed::Checksum), "B70");
        assert!(
            matches!(parse(&ip, true), Ok(Some(Message::Join(_)))),
            "left to be completed: not looked at"
        );
        assert_eq!(parse(&Ipv6 { payload: &payload[..4], ..ip }, false), Err(Malformed::Header), "cut off");
        let bare = Ipv6 { next_header: ICMPV6, payload: &payload[8..], ..ip };
        assert_eq!(parse(&bare, false), Ok(None), "without hop-by-hop options nothing is MLD, nor summed");
    }

    #[test]
    fn a_question_is_read_as_it_was_meant() {
        let mac = Mac([0x02, 0x42, 0xac, 0x11, 0, 2]);
        assert_eq!(link_local(mac), "fe80::42:acff:fe11:2".parse::<Ipv6Addr>().expect("an address"));
        let plain = Question {
            mac,
            source: link_local(mac).into(),
            group: None,
            to_group: false,
            long: false,
            suppress: false,
            max_delay: Duration::from_secs(10),
            interval: Duration::from_secs(125),
        };
        let table = [
            (plain, 0, [0x33, 0x33, 0, 0, 0, 1], "general, to all nodes"),
            (
                Question { group: Some(GROUP.into()), ..plain },
                0,
                [0x33, 0x33, 0, 0, 0, 1],
                "the kernel's for a done",
            ),
            (
                Question { group: Some(GROUP.into()), to_group: true, ..plain },
                0,
                [0x33, 0x33, 0, 1, 0, 2],
                "to it",
            ),
            (
                Question { group: Some(GROUP.into()), to_group: true, long: true, ..plain },
                40,
                [0x33, 0x33, 0, 1, 0, 2],
                "MLDv2",
            ),
        ];
        for (ask, sources, mac, why) in table {
            let sources = (0..sources).map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n).into());
            let frame = question(&ask, sources).expect("a question of IPv6");
            let bytes = frame.bytes();
            assert_eq!((&bytes[..6], bytes[21]), (&mac[..], 1), "B72: {why}: hop limit 1");
            assert_eq!(bytes[54..58], [ICMPV6, 0, 5, 2], "B72: {why}: router alert");
            let ip = Ipv6::parse(&bytes[14..]).expect("a sound header");
            let Ok(Some(Message::Query(source, query))) = parse(&ip, false) else { panic!("{why}: a query") };
            assert_eq!((source, query.max_delay), (ask.source, ask.max_delay), "{why}");
            match query.subject {
                Subject::Everything => assert_eq!(ask.group, None, "{why}"),
                Subject::Group { group, .. } => assert_eq!(Some(group), ask.group, "{why}"),
                Subject::Other => {
                    assert_eq!(bytes.len(), 14 + 48 + 28 + 32 * 16, "{why}: 32 sources at most")
                }
            }
        }
    }
}
