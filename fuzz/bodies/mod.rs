//! What the fuzz targets do with the bytes they are given, apart from the fuzzer, so that `cargo test` can replay the
//! corpus on a stable toolchain (`tests/fuzz_corpus.rs`).
//!
//! Each must return whatever the bytes are; what it asserts beside that is said at each.

#![allow(dead_code, reason = "each target uses one")]

mod fragments;
mod gate;
mod gateway;
mod icmp_error;
mod input;
mod options;
mod packet;
mod story;

use std::net::IpAddr;
use std::time::Duration;

pub(crate) use self::fragments::fragments;
pub(crate) use self::gateway::gateway;
pub(crate) use self::icmp_error::icmp_error;
pub(crate) use self::options::options;
pub(crate) use self::packet::packet;
pub(crate) use self::story::story;

use vswitchd::bridge::guard::source::SourceGuard;
use vswitchd::bridge::neighbour::{ANSWER_MAX, Ingress, NEIGHBOURS_MAX, Neighbours, Talk};
use vswitchd::bridge::{BridgeConfig, LegConfig, Permit};
use vswitchd::control::config;
use vswitchd::control::protocol::Request;
use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{
    Batch, Edit, FRAME_MAX, Frame, Headers, LegIndex, LinkId, NodeId, Offload, Passage, PortId, Tag,
};
use vswitchd::port::segment::{Segments, checksum};
use vswitchd::time::Time;
use vswitchd::wire::bpdu::{BPDU_FRAME_MAX, Bpdu};
use vswitchd::wire::ip::{Ipv4, Ipv6};
use vswitchd::wire::mac::Mac;
use vswitchd::wire::membership::{Malformed, Message, QUESTION_MAX, Question};
use vswitchd::wire::{igmp, mld, vnet};

/// A frame to the bridges. What is read must be writable, and then be the same again.
pub(crate) fn bpdu(data: &[u8]) {
    let Ok(bpdu) = Bpdu::parse(data) else { return };
    let mut buffer = [0; BPDU_FRAME_MAX];
    let frame = bpdu.encode(Mac::ZERO, &mut buffer);
    assert_eq!(Bpdu::parse(frame), Ok(bpdu), "what passed once passes again");
    assert!(frame.len() <= data.len(), "nothing is added");
}

/// Frames of any content into two linked bridges: first byte the port, next two the length, then the frame, and so on.
/// The books must balance, and explaining a frame must foresee what becomes of it.
pub(crate) fn frame(data: &[u8]) {
    let mut fabric = two_bridges();
    let mut batch = Batch::new();
    let mut rest = data;
    let mut now = Time::ZERO;
    while let [port, high, low, tail @ ..] = rest {
        let len = (usize::from(*high) << 8 | usize::from(*low)).min(tail.len()).min(FRAME_MAX);
        let (bytes, next) = tail.split_at(len);
        rest = next;
        let port = PortId(u16::from(port % 5));
        let _ = fabric.explain(port, bytes, now);
        batch.push(Frame::copy_of(bytes, port));
        fabric.receive(&mut batch, now);
        assert_eq!(batch.ends().len(), 1, "every frame ends once");
        batch.clear(drop);
        now = now + Duration::from_secs(7);
        fabric.tick(now, &mut batch);
        batch.clear(drop);
    }
    assert!(fabric.books().balance(), "the books balance: {:?}", fabric.books());
}

fn two_bridges() -> Fabric {
    let mut fabric = Fabric::new([1, 2]);
    let [a, b] = [NodeId(0), NodeId(1)];
    let bridge = BridgeConfig { fdb_max: 8, ..BridgeConfig::default() };
    let plain = LegConfig::default();
    let link = Change::AddLink(LinkId(0), [a, b], [plain; 2]);
    let mut changes = vec![Change::AddBridge(a, bridge), Change::AddBridge(b, bridge), link];
    let odd = LegConfig { isolated: true, hairpin: true, mtu: 68, ..plain };
    let legs = [(0, a, plain), (1, a, odd), (2, b, plain), (3, b, odd)];
    changes.extend(legs.map(|(id, node, leg)| Change::AddPort(PortId(id), node, leg)));
    for change in changes {
        fabric.apply(change, Time::ZERO).expect("a sound graph");
    }
    fabric
}

/// An IPv4 packet that may say something of groups. What it says does not depend on who sums it up, its records fit it,
/// and what it says of a group can be asked for.
pub(crate) fn igmp(data: &[u8]) {
    let Some(ip) = Ipv4::parse(data) else { return };
    let [summed, partial] = [false, true].map(|partial| igmp::parse(&ip, partial));
    membership(data, summed, partial, ip.source.into(), |question, sources| {
        let frame = igmp::question(question, sources.iter().copied())?;
        let ip = Ipv4::parse(&frame.bytes()[14..]).expect("a sound packet");
        Some((frame.bytes().len(), matches!(igmp::parse(&ip, false), Ok(Some(Message::Query(..))))))
    });
}

/// An IPv6 packet that may say something of groups; as [`igmp`].
pub(crate) fn mld(data: &[u8]) {
    let Some(ip) = Ipv6::parse(data) else { return };
    let [summed, partial] = [false, true].map(|partial| mld::parse(&ip, partial));
    let source = mld::link_local(Mac([2, 0, 0, 0, 0, 1])).into();
    membership(data, summed, partial, source, |question, sources| {
        let frame = mld::question(question, sources.iter().copied())?;
        let ip = Ipv6::parse(&frame.bytes()[14..]).expect("a sound packet");
        Some((frame.bytes().len(), matches!(mld::parse(&ip, false), Ok(Some(Message::Query(..))))))
    });
}

fn membership<'a>(
    data: &[u8],
    summed: Result<Option<Message<'a>>, Malformed>,
    partial: Result<Option<Message<'a>>, Malformed>,
    source: IpAddr,
    ask: impl Fn(&Question, &[IpAddr]) -> Option<(usize, bool)>,
) {
    assert!(summed == partial || summed == Err(Malformed::Checksum), "a sum is right or wrong, no more");
    let Ok(Some(Message::Report(records))) = partial else { return };
    let mut bytes = 0;
    for record in records {
        let sources: Vec<_> = record.sources.collect();
        bytes += 8 + 4 * sources.len();
        let question = Question {
            mac: Mac([2, 0, 0, 0, 0, 1]),
            source,
            group: Some(record.group),
            to_group: true,
            long: true,
            suppress: false,
            max_delay: Duration::from_millis(bytes as u64 * 97),
            interval: Duration::from_secs(bytes as u64),
        };
        let (len, is_query) = ask(&question, &sources).expect("of the same family");
        assert!(
            len <= QUESTION_MAX && (is_query || record.group.is_unspecified()),
            "a question is a question"
        );
    }
    assert!(bytes <= data.len(), "records are neither invented nor repeated");
}

/// Frames as ARP, neighbour discovery and the addresses they claim: first byte the leg, next the length, then the frame,
/// and so on. Asking must change nothing, answers go from stations to stations, and neighbours stay within their bound.
pub(crate) fn neighbour(data: &[u8]) {
    let mut neighbours = Neighbours::new([1, 2]);
    let spared = LegConfig { neigh_suppress: true, ..LegConfig::default() };
    let proxy = LegConfig { proxy_arp: true, ..LegConfig::default() };
    let legs = [LegConfig::default(), spared, proxy];
    let guards = [&[][..], &["192.0.2.1/32", "fe80::/10"], &["::/0"]].map(guard);
    let mut now = Time::ZERO;
    let mut rest = data;
    while let [leg, len, tail @ ..] = rest {
        let (bytes, next) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = next;
        now = now + std::time::Duration::from_secs(20);
        let Ok(headers) = Headers::parse(bytes, &Offload::NONE) else { continue };
        let frame = Passage { bytes, edit: &Edit::NONE, headers: &headers };
        let leg = usize::from(leg % 3);
        assert!(guards[0].check(&frame).is_ok(), "without permits everything passes");
        let _ = guards[1].check(&frame);
        let _ = guards[2].check(&frame);
        let vid = headers.tag.map_or(0, |tag| tag.vid());
        let Some(talk) = Talk::of(&frame, vid, leg == 2) else { continue };
        let ingress = Ingress { leg: LegIndex(leg as u16), config: &legs[leg], vid, suppression: true };
        // a station is behind the leg that its last byte says
        let find = |mac: Mac| Some((LegIndex(u16::from(mac.0[5] % 3)), &legs[usize::from(mac.0[5] % 3)]));
        let judgement = neighbours.judge(&talk, &headers, ingress, now, find);
        assert_eq!(neighbours.judge(&talk, &headers, ingress, now, find), judgement);
        neighbours.commit(&judgement, now);
        if let Some(answer) = judgement.answer {
            assert!(answer.dst.is_station() && answer.src.is_station() && judgement.suppressed);
            assert!(answer.write(headers.tag, &mut [0; ANSWER_MAX]) <= ANSWER_MAX);
        }
        assert!(neighbours.entries(now).len() <= NEIGHBOURS_MAX);
    }
}

fn guard(nets: &[&str]) -> SourceGuard {
    let mut guard = SourceGuard::default();
    for net in nets {
        guard.add(Permit::Ip(net.parse().expect("a network"))).expect("there is room");
    }
    guard
}

/// A line of the control protocol. What it reads it must write back to the same.
pub(crate) fn request(data: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let text = serde_json::to_string(&request).expect("plain data");
        assert_eq!(serde_json::from_str::<Request>(&text).ok(), Some(request));
    }
}

/// A lab's file. Diagnostics must render whatever they point at.
pub(crate) fn toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match config::parse(text, "fuzz") {
        Ok((plan, _)) => assert!(!plan.name.is_empty()),
        Err(diagnostics) => assert!(!diagnostics.render("fuzz.toml", text, false).is_empty()),
    }
}

/// A virtio-net header and its frame. What passes must be writable: it can be cut into segments that fit and
/// completed within its bounds, and survives encoding.
pub(crate) fn vnet(data: &[u8]) {
    let Some((header, frame)) = data.split_first_chunk::<10>() else { return };
    let Ok(offload) = vnet::decode(header, frame) else { return };
    assert_eq!(vnet::decode(&vnet::encode(&offload), frame), Ok(offload), "what passed once passes again");
    if offload.is_gso() {
        let tag = Tag { tpid: 0x88a8, tci: 7 };
        for edit in
            [Some(Edit::NONE), Edit::NONE.push(tag), Some(Edit::NONE.pop()), Edit::NONE.pop().push(tag)]
        {
            let edit = edit.expect("one tag more is no tag too many");
            let Some(mut segments) = Segments::of(frame, &offload, &edit) else { continue };
            let mut total = 0;
            while let Some((headers, payload)) = segments.next() {
                assert!(!payload.is_empty() && payload.len() <= usize::from(offload.gso_size));
                assert!(headers.len() < frame.len().saturating_add_signed(edit.growth()));
                total += payload.len();
            }
            assert!(total < frame.len(), "payload is neither invented nor repeated");
        }
    } else if offload.needs_csum {
        let (place, _) = checksum(frame, &offload);
        assert!(place + 2 <= frame.len());
    }
}
