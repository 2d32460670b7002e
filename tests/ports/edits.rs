//! Edited frames on real interfaces: what arrives on the other side of the kernel.
//!
//! This kernel may have no VLAN devices, so what arrives is read by a packet socket on the interface.

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use vswitchd::frame::{Batch, Edit, FRAME_MAX, Frame, Gso, Offload, Outgoing, PortId, Tag};
use vswitchd::port::{Pool, Port, PortKind};
use vswitchd::verdict::Reason;
use vswitchd::wire::mac::Mac;

use crate::netns::Netns;
use crate::{KINDS, drain, open, receive_one, send, wait};

const DST: [u8; 6] = [2, 0, 0, 0, 0, 2];
const SRC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ELSEWHERE: [u8; 6] = [4, 0, 0, 0, 0, 4];
const SEQUENCE: u32 = u32::MAX - 1000;
/// Payload of each segment of a large frame.
const SIZE: usize = 1000;
/// Two tags, the outer one first.
const TWO: [u8; 8] = [0x88, 0xa8, 0, 7, 0x81, 0, 0, 8];

/// V12, V15, V19: whatever is left to do, and whoever has to do it, an edited frame arrives as the written out one
/// would.
#[test]
fn edited_frames_arrive_as_they_should_through_ports_of_every_kind() {
    for kind in KINDS {
        let Some((_netns, mut port, mut observer)) = pair(kind) else { return };
        for (tags, edit, dst, expected, why) in edits() {
            for content in contents() {
                let what = format!("{kind:?}, {why}, {content:?}");
                let mut frame = Frame::copy_of(&content.frame(tags), PortId(0));
                frame.offload = content.offload(tags);
                let (before, offload) = (frame.bytes().to_vec(), frame.offload);
                let mut frames = [frame];
                port.send(&mut frames, &[Outgoing { frame: 0, edit }]);
                assert_eq!(port.counters().tx_drops.total(), 0, "{what}: {:?}", port.counters().tx_drops);
                assert!(
                    frames[0].bytes() == before && frames[0].offload == offload,
                    "{what}: left as it was"
                );
                let head = [&dst[..], &SRC, expected].concat();
                let arrived = content.receive(&mut observer, &head, &what);
                let whole = kind == PortKind::Tap || offload.gso == Gso::None;
                if whole {
                    assert_eq!(arrived, 1, "{what}: nobody had to cut it");
                } else if kind == PortKind::PlainTap {
                    assert_eq!(arrived, content.size.div_ceil(SIZE), "{what}: it was cut before the kernel");
                }
            }
        }
        let counters = observer.counters();
        assert_eq!(counters.rx_drops.total(), 0, "{kind:?}: {:?}", counters.rx_drops);
    }
}

/// V20: the kernel allows four bytes more behind an 802.1Q tag, and only there.
#[test]
fn full_sized_frames_with_tags_meet_the_mtu() {
    let tag = |tpid, tci| Tag { tpid, tci };
    let one = |tpid| Edit::NONE.push(tag(tpid, 5)).expect("there is room");
    let table = [
        (Edit::NONE, true, "as long as it may be"),
        (one(0x8100), true, "802.1Q is allowed for"),
        (one(0x88a8), false, "802.1ad is not"),
        (one(0x8100).push(tag(0x8100, 6)).expect("there is room"), false, "nor are two tags"),
    ];
    for kind in KINDS {
        let Some((_netns, mut port, mut observer)) = pair(kind) else { return };
        for (edit, allowed, why) in table {
            let mut frames = [Frame::copy_of(&Content::SMALL.sized(1500 - 28).frame(&[]), PortId(0))];
            let before = port.counters().tx_drops.of(Reason::MtuExceeded);
            port.send(&mut frames, &[Outgoing { frame: 0, edit }]);
            let exceeded = port.counters().tx_drops.of(Reason::MtuExceeded) - before;
            // a TAP takes what it is given
            let passes = allowed || kind != PortKind::Raw;
            assert_eq!(exceeded, u64::from(!passes), "{kind:?}: {why}: {:?}", port.counters());
            if passes {
                assert_eq!(
                    receive_one(&mut observer).len() as isize,
                    1514 + edit.growth(),
                    "{kind:?}: {why}"
                );
            }
        }
    }
}

#[test]
fn an_edit_that_leaves_no_frame_is_refused_and_the_others_go_on() {
    let tag = Edit::NONE.push(Tag { tpid: 0x8100, tci: 5 }).expect("there is room");
    for kind in KINDS {
        let Some((_netns, mut port, mut observer)) = pair(kind) else { return };
        let small = |size| Frame::copy_of(&Content::SMALL.sized(size).frame(&[]), PortId(0));
        let mut frames = [small(100), Frame::copy_of(&[7; FRAME_MAX], PortId(0)), small(200), small(300)];
        let pops = (0..4).fold(Edit::NONE, |edit, _| edit.pop());
        frames[2].offload = Offload { needs_csum: true, csum_start: 20, csum_offset: 6, ..Offload::NONE };
        let which = [(0, tag), (1, tag), (2, pops), (3, tag)];
        port.send(&mut frames, &which.map(|(frame, edit)| Outgoing { frame, edit }));
        let counters = port.counters();
        assert_eq!(counters.tx_drops.of(Reason::EgressRefused), 2, "{kind:?}: {counters:?}");
        let len = |size: usize| 14 + 4 + 28 + size;
        let bytes = (len(100) + len(300)) as u64;
        assert_eq!((counters.tx_frames, counters.tx_bytes), (2, bytes), "{kind:?}: as they leave");
        for size in [100, 300] {
            assert_eq!(receive_one(&mut observer).len(), len(size), "{kind:?}");
        }
    }
}

/// What a device made has a small buffer, and leaves with and without a tag like anything else.
#[test]
fn frames_that_a_device_made_leave_through_ports_of_every_kind() {
    let tag = Edit::NONE.push(Tag { tpid: 0x8100, tci: 5 }).expect("there is room");
    for kind in KINDS {
        let Some((_netns, mut port, mut observer)) = pair(kind) else { return };
        let mut batch = Batch::new();
        for size in [0, 1514 - 42] {
            let bytes = Content::SMALL.sized(size).frame(&[]);
            let made = batch.originate(&bytes).expect("there is room") as u16;
            port.send(batch.outgoing().0, &[Edit::NONE, tag].map(|edit| Outgoing { frame: made, edit }));
            assert_eq!(receive_one(&mut observer).bytes(), bytes, "{kind:?}");
            let tagged = [&bytes[..12], &[0x81, 0, 0, 5], &bytes[12..]].concat();
            assert_eq!(receive_one(&mut observer).bytes(), tagged, "{kind:?}");
        }
    }
}

/// A virtio-net header cannot say CRC32c: what asks for it gets it where it comes in.
#[test]
fn an_unfinished_sctp_packet_is_finished_where_it_enters() {
    let Some((_netns, mut port, mut observer)) = pair(PortKind::Tap) else { return };
    let mut ip = [0; 20];
    (ip[0], ip[3], ip[8], ip[9]) = (0x45, 36, 64, 132);
    ip[12..].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    let sctp = |crc: [u8; 4]| [&[0, 1, 0, 2, 0, 0, 0, 9][..], &crc, &[11, 0, 0, 4]].concat();
    let bytes = |crc| [&DST[..], &SRC, &[8, 0], &ip, &sctp(crc)].concat();
    let mut frame = Frame::copy_of(&bytes([0; 4]), PortId(0));
    frame.offload = Offload { needs_csum: true, csum_start: 34, csum_offset: 8, ..Offload::NONE };
    let tag = Edit::NONE.push(Tag { tpid: 0x8100, tci: 5 }).expect("there is room");
    let mut frames = [frame];
    port.send(&mut frames, &[Edit::NONE, tag].map(|edit| Outgoing { frame: 0, edit }));
    let finished = bytes([0x3e, 0x4e, 0xeb, 0x5b]);
    for expected in [finished.clone(), [&finished[..12], &[0x81, 0, 0, 5], &finished[12..]].concat()] {
        let arrived = receive_one(&mut observer);
        assert_eq!((arrived.bytes(), arrived.offload), (&expected[..], Offload::NONE));
    }
    drop(frames);
    send(&mut port, &mut [Frame::copy_of(&finished, PortId(0))]);
    assert_eq!(receive_one(&mut observer).bytes(), finished, "what is finished is left alone");
}

/// A port of that kind, and a packet socket on the other side of its interface.
fn pair(kind: PortKind) -> Option<(Netns, Port, Port)> {
    let netns = Netns::new()?;
    netns.without_ipv6();
    let port = if kind == PortKind::Raw {
        netns.add_veth("port0", &netns, "eth0");
        open(kind, "port0", &netns)
    } else {
        let port = open(kind, "eth0", &netns);
        netns.set_up("eth0", true);
        port
    };
    let mut observer = open(PortKind::Raw, "eth0", &netns);
    drain(&mut observer);
    Some((netns, port, observer))
}

/// Tags of the frame as it lies, the edit, then what must be seen: destination, tags.
fn edits() -> Vec<(&'static [u8], Edit, [u8; 6], &'static [u8], &'static str)> {
    let (none, ctag, stag) = (Edit::NONE, |tci| Tag { tpid: 0x8100, tci }, |tci| Tag { tpid: 0x88a8, tci });
    let push = |edit: Edit, tag| edit.push(tag).expect("there is room");
    let one: &[u8] = &[0x81, 0, 0x20, 7];
    vec![
        (&[], none, DST, &[], "none"),
        (one, none, DST, one, "a tag stays"),
        (&TWO, none, DST, &TWO, "two tags stay"),
        (&[], push(none, ctag(0x600a)), DST, &[0x81, 0, 0x60, 10], "push 802.1Q, with a priority"),
        (&[], push(none, ctag(0x2000)), DST, &[0x81, 0, 0x20, 0], "push a priority tag"),
        (&[], push(none, stag(10)), DST, &[0x88, 0xa8, 0, 10], "push 802.1ad"),
        (one, none.pop(), DST, &[], "pop"),
        (&TWO, none.pop(), DST, &TWO[4..], "pop the outer of two"),
        (&TWO, none.pop().pop(), DST, &[], "pop both"),
        (one, push(none.pop(), ctag(9)), DST, &[0x81, 0, 0, 9], "replace"),
        (one, push(none, stag(3)), DST, &[0x88, 0xa8, 0, 3, 0x81, 0, 0x20, 7], "push before a tag"),
        (&[], push(push(none, ctag(9)), stag(3)), DST, &[0x88, 0xa8, 0, 3, 0x81, 0, 0, 9], "push two"),
        (
            &TWO,
            push(none, ctag(9)),
            DST,
            &[0x81, 0, 0, 9, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 8],
            "push before two",
        ),
        (&[], none.to(Mac(ELSEWHERE)), ELSEWHERE, &[], "another destination"),
        (
            one,
            push(none.pop(), stag(1)).to(Mac(ELSEWHERE)),
            ELSEWHERE,
            &[0x88, 0xa8, 0, 1],
            "another destination and another tag",
        ),
    ]
}

fn contents() -> impl Iterator<Item = Content> {
    [false, true].into_iter().flat_map(|ipv6| {
        let headers = if ipv6 { 40 } else { 20 };
        // with three tags, as long as a frame may be
        let largest = 65535 - 4 - headers - 20;
        [
            Content { ipv6, ..Content::SMALL },
            Content { ipv6, udp: false, needs_csum: true, size: SIZE, ..Content::SMALL },
            Content { ipv6, udp: false, needs_csum: true, size: largest, large: true },
            Content { ipv6, needs_csum: true, size: 60_000, large: true, ..Content::SMALL },
        ]
    })
}

/// What is in a frame behind its tags.
#[derive(Clone, Copy, Debug)]
struct Content {
    ipv6: bool,
    udp: bool,
    needs_csum: bool,
    large: bool,
    /// Bytes of payload.
    size: usize,
}

impl Content {
    const SMALL: Self = Self { ipv6: false, udp: true, needs_csum: false, large: false, size: 100 };

    fn sized(self, size: usize) -> Self {
        Self { size, ..self }
    }

    fn payload(self) -> Vec<u8> {
        (0..self.size as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    fn ip_len(self) -> usize {
        if self.ipv6 { 40 } else { 20 }
    }

    fn frame(self, tags: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        let builder = if self.ipv6 {
            PacketBuilder::ipv6([0xfd; 16], [0xfe; 16], 64)
        } else {
            PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        };
        let written = if self.udp {
            builder.udp(1000, 2000).write(&mut packet, &self.payload())
        } else {
            builder.tcp(1000, 2000, SEQUENCE, 9000).ack(7).psh().write(&mut packet, &self.payload())
        };
        written.expect("a vector takes anything");
        if self.needs_csum {
            let at = self.ip_len() + if self.udp { 6 } else { 16 };
            let pseudo = self.pseudo_sum(packet.len() - self.ip_len());
            packet[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
        }
        let ether_type: [u8; 2] = if self.ipv6 { [0x86, 0xdd] } else { [8, 0] };
        [&DST[..], &SRC, tags, &ether_type, &packet].concat()
    }

    fn offload(self, tags: &[u8]) -> Offload {
        if !self.needs_csum {
            return Offload::NONE;
        }
        let csum_start = (14 + tags.len() + self.ip_len()) as u16;
        let (csum_offset, header, gso) = match (self.udp, self.ipv6) {
            (true, _) => (6, 8, Gso::Udp),
            (false, false) => (16, 20, Gso::TcpV4),
            (false, true) => (16, 20, Gso::TcpV6),
        };
        let unfinished = Offload { needs_csum: true, csum_start, csum_offset, ..Offload::NONE };
        if self.large {
            Offload { gso, gso_size: SIZE as u16, hdr_len: csum_start + header, ..unfinished }
        } else {
            unfinished
        }
    }

    /// Reads until the whole payload is there; how many frames it took. Each must start with `head` and be sound.
    fn receive(self, observer: &mut Port, head: &[u8], what: &str) -> usize {
        let mut joined = Vec::new();
        let before = observer.counters().rx_frames;
        while joined.len() < self.size {
            for frame in receive_some(observer, what) {
                let part = self.check(&frame, head, joined.len(), what);
                joined.extend_from_slice(&part);
            }
        }
        assert!(joined == self.payload(), "{what}: the same bytes");
        // a port hands segments on as one, but counts each
        (observer.counters().rx_frames - before) as usize
    }

    /// Holds a frame that arrived against what was sent, with somebody else's parser; returns its payload.
    fn check(self, frame: &Frame, head: &[u8], passed: usize, what: &str) -> Vec<u8> {
        let mut bytes = frame.bytes().to_vec();
        assert_eq!(bytes[..head.len()], *head, "{what}: addresses and tags");
        let network = head.len() + 2;
        if frame.offload.needs_csum {
            let start = network + self.ip_len();
            assert_eq!(usize::from(frame.offload.csum_start), start, "{what}: tags move the checksum");
            let at = start + usize::from(frame.offload.csum_offset);
            let partial = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
            assert_eq!(partial, self.pseudo_sum(bytes.len() - start), "{what}: V9");
            let complete = !sum(&bytes[start..]);
            bytes[at..at + 2].copy_from_slice(&complete.to_be_bytes());
        }
        let sliced =
            SlicedPacket::from_ip(&bytes[network..]).unwrap_or_else(|error| panic!("{what}: {error}"));
        match sliced.net {
            Some(NetSlice::Ipv4(ip)) => {
                let header = ip.header().to_header();
                assert_eq!(header.header_checksum, header.calc_header_checksum(), "{what}");
                assert_eq!(usize::from(header.total_len), bytes.len() - network, "{what}");
            }
            Some(NetSlice::Ipv6(ip)) => {
                let len = ip.header().to_header().payload_length;
                assert_eq!(usize::from(len), bytes.len() - network - 40, "{what}");
            }
            other => panic!("{what}: {other:?}"),
        }
        let transport = &bytes[network + self.ip_len()..];
        let whole = u32::from(self.pseudo_sum(transport.len())) + u32::from(sum(transport));
        assert_eq!(whole % 0xffff, 0, "{what}: the checksum is right");
        let (header, size) = match sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                assert_eq!(tcp.sequence_number(), SEQUENCE.wrapping_add(passed as u32), "{what}");
                let last = passed + tcp.payload().len() == self.size;
                assert_eq!(tcp.psh(), last, "{what}: V12");
                (20, tcp.payload().len())
            }
            Some(TransportSlice::Udp(udp)) => (8, udp.payload().len()),
            other => panic!("{what}: {other:?}"),
        };
        assert!(frame.offload.is_gso() || size <= SIZE, "{what}: cut to size");
        if frame.offload.is_gso() {
            assert_eq!(usize::from(frame.offload.gso_size), SIZE, "{what}");
        }
        transport[header..].to_vec()
    }

    /// The sum of the pseudo-header, folded, not complemented.
    fn pseudo_sum(self, len: usize) -> u16 {
        let protocol = if self.udp { 17 } else { 6 };
        let addresses =
            if self.ipv6 { [[0xfd; 16], [0xfe; 16]].concat() } else { vec![10, 0, 0, 1, 10, 0, 0, 2] };
        sum(&[&addresses[..], &[0, protocol], &(len as u32).to_be_bytes()].concat())
    }
}

/// The plain sum of 16-bit words.
fn sum(bytes: &[u8]) -> u16 {
    let mut total = 0;
    for pair in bytes.chunks(2) {
        total += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// At least one frame.
fn receive_some(port: &mut Port, what: &str) -> Vec<Frame> {
    let mut pool = Pool::default();
    let mut batch = Batch::new();
    for _ in 0..100 {
        wait(&[port]);
        port.receive(&mut pool, &mut batch, 64, usize::MAX);
        if !batch.is_empty() {
            let copy = |frame: &Frame| {
                let mut copy = Frame::copy_of(frame.bytes(), frame.ingress);
                copy.offload = frame.offload;
                copy
            };
            return batch.frames().iter().map(copy).collect();
        }
    }
    panic!("{what}: nothing arrives: {:?}", port.counters());
}
