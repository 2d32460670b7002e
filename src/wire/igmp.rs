//! IGMP, the way IPv4 hosts say which groups they want (RFC 1112, RFC 2236, RFC 3376).
//!
//! What is sound is what the kernel takes for sound (`ip_mc_check_igmp` in net/ipv4/igmp.c, B70). It checks neither
//! the TTL nor the router alert option, so neither does this.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::checksum;
use super::ip::{ETHER_TYPE_IPV4, Ipv4};
use super::membership::{
    DELAY_MIN, Malformed, Message, Query, Question, QuestionFrame, ROBUSTNESS, Records, SOURCES_MAX, Subject,
    decode, encode,
};

/// The IP protocol number of IGMP.
pub const PROTOCOL: u8 = 2;
/// The IP protocol number of PIM (RFC 7761), whose hellos tell where routers are.
const PROTOCOL_PIM: u8 = 103;

const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_PIM_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 13);
const ALL_SNOOPERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 106);

const QUERY: u8 = 0x11;
const REPORT_V1: u8 = 0x12;
const REPORT_V2: u8 = 0x16;
const LEAVE: u8 = 0x17;
const REPORT_V3: u8 = 0x22;
/// A multicast router advertises itself (RFC 4286).
const ROUTER: u8 = 0x30;

/// What a query of IGMPv1, which has no field for it, leaves for the answer.
const DELAY_V1: Duration = Duration::from_secs(10);
/// A field that counts tenths of a second, or seconds, has four bits of mantissa.
const MANTISSA_BITS: u32 = 4;

/// What the packet says about group membership, if it does. `partial`: its checksum is left to be completed, and is
/// not looked at.
pub fn parse<'a>(ip: &Ipv4<'a>, partial: bool) -> Result<Option<Message<'a>>, Malformed> {
    if ip.protocol == PROTOCOL_PIM && ip.destination == ALL_PIM_ROUTERS {
        // version 2, type 0
        return Ok((ip.payload.len() >= 4 && ip.payload[0] == 0x20).then_some(Message::Router));
    }
    if ip.protocol != PROTOCOL {
        return Ok(None);
    }
    let &[kind, code, _, _, a, b, c, d, ..] = ip.payload else {
        return Err(Malformed::Length);
    };
    if !partial && checksum::sum(ip.payload) != 0xffff {
        return Err(Malformed::Checksum);
    }
    let group = Ipv4Addr::new(a, b, c, d);
    Ok(Some(match kind {
        QUERY => Message::Query(ip.source.into(), query(ip, code, group)?),
        REPORT_V1 | REPORT_V2 => Message::Join(group.into()),
        LEAVE => Message::Leave(group.into()),
        REPORT_V3 => {
            let records = Records::parse(&ip.payload[8..], u16::from_be_bytes([c, d]), 4);
            Message::Report(records.ok_or(Malformed::Length)?)
        }
        ROUTER if ip.destination == ALL_SNOOPERS => Message::Router,
        _ => return Ok(None),
    }))
}

fn query(ip: &Ipv4<'_>, code: u8, group: Ipv4Addr) -> Result<Query, Malformed> {
    if matches!(ip.payload.len(), 9..12) {
        return Err(Malformed::Length);
    }
    if group.is_unspecified() && ip.destination != ALL_SYSTEMS {
        return Err(Malformed::Destination);
    }
    let about = |suppress| match group {
        Ipv4Addr::UNSPECIFIED => Subject::Everything,
        group => Subject::Group { group: group.into(), suppress },
    };
    Ok(match *ip.payload {
        // IGMPv1: whatever the group field says, it asks for all
        [_, 0, _, _, _, _, _, _] => Query { subject: Subject::Everything, max_delay: DELAY_V1 },
        [_, _, _, _, _, _, _, _] => Query { subject: about(false), max_delay: tenths(code.into()) },
        [_, _, _, _, _, _, _, _, flags, _, n0, n1, ..] => {
            let subject = if [n0, n1] == [0, 0] { about(flags & 8 != 0) } else { Subject::Other };
            let max_delay = tenths(decode(code.into(), MANTISSA_BITS)).max(DELAY_MIN);
            Query { subject, max_delay }
        }
        _ => return Err(Malformed::Length),
    })
}

const fn tenths(tenths: u64) -> Duration {
    Duration::from_millis(tenths * 100)
}

/// The frame that asks `question` about `sources`, of which there are none unless it is long. None if the question is
/// not one of IPv4.
pub fn question(question: &Question, sources: impl Iterator<Item = IpAddr>) -> Option<QuestionFrame> {
    let IpAddr::V4(source) = question.source else { return None };
    let group = match question.group {
        None => Ipv4Addr::UNSPECIFIED,
        Some(IpAddr::V4(group)) => group,
        Some(IpAddr::V6(_)) => return None,
    };
    let destination = if question.to_group { group } else { ALL_SYSTEMS };
    let mut frame = QuestionFrame::new();
    let [_, high, middle, low] = destination.octets();
    frame.push(&[0x01, 0x00, 0x5e, high & 0x7f, middle, low]);
    frame.push(&question.mac.0);
    frame.push(&ETHER_TYPE_IPV4.to_be_bytes());
    // 24 bytes of header, network control, not to be fragmented, TTL 1 (RFC 3376 §4)
    frame.push(&[0x46, 0xc0, 0, 0, 0, 0, 0x40, 0, 1, PROTOCOL, 0, 0]);
    frame.push(&source.octets());
    frame.push(&destination.octets());
    frame.push(&[0x94, 4, 0, 0]); // router alert (RFC 2113)
    let (ip, igmp) = (14, 38);
    let delay = u64::try_from(question.max_delay.as_millis() / 100).unwrap_or(u64::MAX);
    let code = if question.long { encode(delay, MANTISSA_BITS) as u8 } else { delay.min(255) as u8 };
    frame.push(&[QUERY, code, 0, 0]);
    frame.push(&group.octets());
    if question.long {
        let interval = encode(question.interval.as_secs(), MANTISSA_BITS) as u8;
        frame.push(&[u8::from(question.suppress) << 3 | ROBUSTNESS, interval, 0, 0]);
        let mut count = 0;
        for source in sources.take(SOURCES_MAX) {
            if let IpAddr::V4(source) = source {
                frame.push(&source.octets());
                count += 1;
            }
        }
        frame.patch(igmp + 10, count);
    }
    let len = frame.tail(ip).len() as u16;
    frame.patch(ip + 2, len);
    let sum = !checksum::sum(&frame.tail(ip)[..igmp - ip]);
    frame.patch(ip + 10, sum);
    let sum = !checksum::sum(frame.tail(igmp));
    frame.patch(igmp + 2, sum);
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mac::Mac;

    /// An IGMP message with its checksum, read as sent to `destination`.
    fn read(destination: Ipv4Addr, message: &[u8]) -> Result<Option<String>, Malformed> {
        let mut payload = message.to_vec();
        let sum = !checksum::sum(message);
        payload[2..4].copy_from_slice(&sum.to_be_bytes());
        let ip =
            Ipv4 { source: Ipv4Addr::new(10, 0, 0, 9), destination, protocol: PROTOCOL, payload: &payload };
        parse(&ip, false).map(|message| message.map(|message| format!("{message:?}")))
    }

    #[test]
    fn what_is_sound() {
        let group = Ipv4Addr::new(239, 1, 1, 1);
        let table: &[(Ipv4Addr, &[u8], Result<&str, Malformed>, &str)] = &[
            (group, &[0x12, 0, 0, 0, 239, 1, 1, 1], Ok("Join(239.1.1.1)"), "IGMPv1"),
            (group, &[0x16, 0, 0, 0, 239, 1, 1, 1], Ok("Join(239.1.1.1)"), "IGMPv2"),
            (group, &[0x17, 0, 0, 0, 239, 1, 1, 1], Ok("Leave(239.1.1.1)"), "to whomever it is sent"),
            (
                ALL_SYSTEMS,
                &[0x11, 100, 0, 0, 0, 0, 0, 0],
                Ok("Everything, max_delay: 10s"),
                "IGMPv2, general",
            ),
            (
                ALL_SYSTEMS,
                &[0x11, 0, 0, 0, 1, 1, 1, 1],
                Ok("Everything, max_delay: 10s"),
                "IGMPv1 has no groups",
            ),
            (group, &[0x11, 10, 0, 0, 239, 1, 1, 1], Ok("max_delay: 1s"), "IGMPv2, of a group"),
            (group, &[0x11, 100, 0, 0, 0, 0, 0, 0], Err(Malformed::Destination), "B70: general, not to all"),
            (ALL_SYSTEMS, &[0x11, 0x80, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0], Ok("max_delay: 12.8s"), "v3 floats"),
            (ALL_SYSTEMS, &[0x11, 0, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0], Ok("max_delay: 4ms"), "v3: at once"),
            (group, &[0x11, 10, 0, 0, 239, 1, 1, 1, 10, 125, 0, 0], Ok("suppress: true"), "the S flag"),
            (group, &[0x11, 10, 0, 0, 239, 1, 1, 1, 2, 125, 0, 1, 10, 0, 0, 1], Ok("Other"), "of a source"),
            (
                ALL_SYSTEMS,
                &[0x11, 100, 0, 0, 0, 0, 0, 0, 2],
                Err(Malformed::Length),
                "B70: between v2 and v3",
            ),
            (group, &[0x16, 0, 0, 0, 239, 1, 1], Err(Malformed::Length), "B70: short"),
            (group, &[0x22, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 239, 1, 1, 1], Ok("Report"), "IGMPv3"),
            (
                group,
                &[0x22, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 239, 1, 1, 1],
                Err(Malformed::Length),
                "one missing",
            ),
            (ALL_SNOOPERS, &[0x30, 20, 0, 0, 0, 125, 0, 2], Ok("Router"), "B71: router discovery"),
            (group, &[0x30, 20, 0, 0, 0, 125, 0, 2], Ok("nothing"), "not to the snoopers"),
            (group, &[0x13, 0, 0, 0, 0, 0, 0, 0], Ok("nothing"), "DVMRP is not our business"),
        ];
        for (destination, message, expected, why) in table {
            let read = read(*destination, message).map(|message| message.unwrap_or("nothing".into()));
            match (expected, &read) {
                (Ok(part), Ok(text)) => assert!(text.contains(part), "{why}: {text}"),
                (Err(expected), Err(reason)) => assert_eq!(expected, reason, "{why}"),
                _ => panic!("{why}: {read:?}"),
            }
        }
    }

    #[test]
    fn checksums_and_hellos() {
        let bad = [0x16, 0, 0, 0, 239, 1, 1, 1];
        let ip = Ipv4 { source: ALL_SYSTEMS, destination: ALL_SYSTEMS, protocol: PROTOCOL, payload: &bad };
        assert_eq!(parse(&ip, false), Err(Malformed::Checksum), "B70");
        assert!(
            matches!(parse(&ip, true), Ok(Some(Message::Join(_)))),
            "left to be completed: not looked at"
        );
        let hello =
            Ipv4 { protocol: PROTOCOL_PIM, destination: ALL_PIM_ROUTERS, payload: &[0x20, 0, 0, 0], ..ip };
        assert_eq!(parse(&hello, false), Ok(Some(Message::Router)), "B71: a PIM hello");
        assert_eq!(
            parse(&Ipv4 { payload: &[0x21, 0, 0, 0], ..hello }, false),
            Ok(None),
            "a PIM register is none"
        );
        assert_eq!(
            parse(&Ipv4 { destination: ALL_SYSTEMS, ..hello }, false),
            Ok(None),
            "nor one sent elsewhere"
        );
        assert_eq!(parse(&Ipv4 { protocol: 17, ..ip }, false), Ok(None), "data");
    }

    #[test]
    fn a_question_is_read_as_it_was_meant() {
        let group = Ipv4Addr::new(239, 129, 2, 3);
        let plain = Question {
            mac: Mac([2, 0, 0, 0, 0, 1]),
            source: Ipv4Addr::UNSPECIFIED.into(),
            group: None,
            to_group: false,
            long: false,
            suppress: false,
            max_delay: Duration::from_secs(10),
            interval: Duration::from_secs(125),
        };
        let table = [
            (plain, 0, "01005e000001", "general, to all systems"),
            (Question { group: Some(group.into()), ..plain }, 0, "01005e000001", "the kernel's for a leave"),
            (
                Question { group: Some(group.into()), to_group: true, ..plain },
                0,
                "01005e010203",
                "to the group",
            ),
            (
                Question { group: Some(group.into()), to_group: true, long: true, ..plain },
                40,
                "01005e010203",
                "v3",
            ),
        ];
        for (ask, sources, mac, why) in table {
            let sources = (0..sources).map(|n| Ipv4Addr::new(10, 0, 0, n).into());
            let frame = question(&ask, sources).expect("a question of IPv4");
            let bytes = frame.bytes();
            let text: String = bytes[..6].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((text.as_str(), &bytes[6..14]), (mac, &[2, 0, 0, 0, 0, 1, 8, 0][..]), "{why}");
            assert_eq!((bytes[15], bytes[22], &bytes[34..38]), (0xc0, 1, &[0x94, 4, 0, 0][..]), "B72: {why}");
            let ip = Ipv4::parse(&bytes[14..]).expect("a sound header");
            let Ok(Some(Message::Query(source, query))) = parse(&ip, false) else { panic!("{why}: a query") };
            assert_eq!((source, query.max_delay), (ask.source, ask.max_delay), "{why}");
            match query.subject {
                Subject::Everything => assert_eq!(ask.group, None, "{why}"),
                Subject::Group { group, .. } => assert_eq!(Some(group), ask.group, "{why}"),
                Subject::Other => assert_eq!(bytes.len(), 14 + 24 + 12 + 32 * 4, "{why}: 32 sources at most"),
            }
        }
        let group = Some(Ipv4Addr::new(239, 10, 10, 10).into());
        let second =
            Question { group, to_group: true, long: true, max_delay: Duration::from_secs(1), ..plain };
        let source = Ipv4Addr::new(192, 0, 2, 1).into();
        let table = [
            (Question { long: false, to_group: false, ..second }, None, "110af5e0ef0a0a0a", "after a leave"),
            (second, None, "110af363ef0a0a0a027d0000", "of the group"),
            (Question { suppress: true, ..second }, None, "110aeb63ef0a0a0a0a7d0000", "again"),
            (second, Some(source), "110a3161ef0a0a0a027d0001c0000201", "of a source"),
        ];
        for (ask, source, expected, why) in table {
            let frame = question(&ask, source.into_iter()).expect("a question of IPv4");
            let text: String = frame.bytes()[38..].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(text, expected, "{why}: what Linux 6.18 sends");
        }
        let other = Question { source: std::net::Ipv6Addr::UNSPECIFIED.into(), ..plain };
        assert!(question(&other, std::iter::empty()).is_none(), "not a question of IPv4");
    }
}
