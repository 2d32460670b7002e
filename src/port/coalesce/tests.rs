//! What is joined and what is not, and the law that cutting gives back what was joined.

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;
use crate::frame::{Edit, PortId};
use crate::port::segment::Segments;

/// A segment of a stream, as a sender without offloads sends it.
#[derive(Clone, Debug)]
struct Sent {
    ipv6: bool,
    port: u16,
    id: u16,
    sequence: u32,
    psh: bool,
    window: u16,
    payload: usize,
}

const FIRST: Sent = Sent {
    ipv6: false,
    port: 1000,
    id: 7,
    sequence: u32::MAX - 2000,
    psh: false,
    window: 500,
    payload: 1000,
};

impl Sent {
    fn frame(&self) -> Frame {
        let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip = match self.ipv6 {
            true => ethernet.ipv6([0xfd; 16], [0xfe; 16], 64),
            false => ethernet.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64),
        };
        let tcp = ip.tcp(self.port, 2000, self.sequence, self.window).ack(99);
        let tcp = if self.psh { tcp.psh() } else { tcp };
        let payload: Vec<u8> = (0..self.payload).map(|at| (at as u32 ^ self.sequence) as u8).collect();
        let mut bytes = Vec::new();
        tcp.write(&mut bytes, &payload).expect("a vector takes all");
        if !self.ipv6 {
            bytes[18..20].copy_from_slice(&self.id.to_be_bytes());
            bytes[24..26].fill(0);
            let checksum = !sum(&bytes[14..34]);
            put(&mut bytes, 24, checksum);
        }
        Frame::copy_of(&bytes, PortId(0))
    }

    fn next(&self) -> Self {
        let sequence = self.sequence.wrapping_add(self.payload as u32);
        Self { id: self.id.wrapping_add(1), sequence, ..self.clone() }
    }
}

/// What stays of the frames, in order.
fn joined(frames: impl IntoIterator<Item = Frame>) -> Vec<(Vec<u8>, Offload)> {
    let (mut batch, mut pool) = (Batch::new(), Pool::default());
    frames.into_iter().for_each(|frame| batch.push(frame));
    coalesce(&mut batch, &mut pool);
    assert_eq!(batch.received(), batch.frames().len());
    batch.frames().iter().map(|frame| (frame.bytes().to_vec(), frame.offload)).collect()
}

/// The frames as they leave through a port that takes no large ones.
fn cut((bytes, offload): &(Vec<u8>, Offload)) -> Vec<Vec<u8>> {
    if !offload.is_gso() {
        return vec![bytes.clone()];
    }
    let mut segments = Segments::of(bytes, offload, &Edit::NONE).expect("what was joined can be cut");
    let mut cut = vec![];
    while let Some((headers, payload)) = segments.next() {
        cut.push([headers, payload].concat());
    }
    cut
}

fn spoiled(at: usize, value: u8) -> Frame {
    let mut frame = FIRST.next().frame();
    frame.bytes_mut()[at] = value;
    frame
}

/// The same with IPv4's and TCP's checksums made right.
fn sealed(at: usize, value: u8) -> Frame {
    let mut frame = spoiled(at, value);
    let bytes = frame.bytes_mut();
    put(bytes, 24, 0);
    let checksum = !sum(&bytes[14..34]);
    put(bytes, 24, checksum);
    put(bytes, 50, 0);
    let pseudo = pseudo_header(&bytes[26..34], TCP, (bytes.len() - 34) as u32);
    let checksum = !add(pseudo, sum(&bytes[34..]));
    put(bytes, 50, checksum);
    frame
}

#[test]
fn what_may_follow() {
    let next = FIRST.next();
    let table: Vec<(Frame, usize, &str)> = vec![
        (next.frame(), 1, "the next segment"),
        (Sent { payload: 10, ..next.clone() }.frame(), 1, "a last, short one"),
        (Sent { payload: 1001, ..next.clone() }.frame(), 2, "a longer one would be cut"),
        (Sent { payload: 0, ..next.clone() }.frame(), 2, "an acknowledgement carries nothing"),
        (Sent { sequence: next.sequence.wrapping_add(1), ..next.clone() }.frame(), 2, "a gap"),
        (FIRST.frame(), 2, "the same again"),
        (Sent { id: next.id + 1, ..next.clone() }.frame(), 2, "an identification that is not the next"),
        (Sent { window: 501, ..next.clone() }.frame(), 2, "a window that opens"),
        (Sent { port: 1001, ..next.clone() }.frame(), 2, "another stream"),
        (Sent { psh: true, ..next.clone() }.frame(), 1, "one that is pushed"),
        (sealed(47, 0x11), 2, "FIN"),
        (sealed(47, 0x14), 2, "RST"),
        (sealed(47, 0x90), 2, "CWR"),
        (sealed(22, 63), 2, "another hop limit"),
        (sealed(15, 4), 2, "another class of service"),
        (sealed(20, 0), 2, "no DF, which the first has"),
        (sealed(11, 3), 2, "from another station"),
        (sealed(45, 7), 2, "another acknowledgement"),
        (sealed(47, 0x10), 1, "nothing is wrong with how this table seals"),
        (spoiled(100, 0xff), 2, "a wrong TCP checksum"),
        (spoiled(25, 0xff), 2, "a wrong header checksum"),
    ];
    for (frame, stay, why) in table {
        let whole = frame.bytes().to_vec();
        let kept = joined([FIRST.frame(), frame]);
        assert_eq!(kept.len(), stay, "{why}");
        let cut: Vec<_> = kept.iter().flat_map(cut).collect();
        assert_eq!(cut, [FIRST.frame().bytes().to_vec(), whole], "{why}: as they were");
    }
}

#[test]
fn a_stream_stays_in_order() {
    let second = FIRST.next();
    let third = second.next();
    let short = Sent { payload: 10, ..second.clone() };
    let frames = |sent: &[&Sent]| sent.iter().map(|sent| sent.frame()).collect::<Vec<_>>();
    let count = |sent: &[&Sent]| joined(frames(sent)).len();
    assert_eq!(count(&[&FIRST, &second, &third]), 1, "as many as there are");
    assert_eq!(count(&[&FIRST, &short, &short.next()]), 2, "nothing behind a short one");
    let pushed = Sent { psh: true, ..second.clone() };
    assert_eq!(count(&[&FIRST, &pushed, &third]), 2, "nor behind a pushed one");
    let other = Sent { port: 9, ..FIRST };
    assert_eq!(count(&[&FIRST, &other, &second, &other.next()]), 2, "streams between each other");
    let fin = sealed(47, 0x11);
    let kept = joined([FIRST.frame(), fin, third.frame()]);
    assert_eq!(kept.len(), 3, "what could not be joined is not passed by what comes later");
    let mut piece = second.frame();
    piece.bytes_mut()[20] = 0x20;
    assert_eq!(joined([FIRST.frame(), piece, third.frame()]).len(), 3, "a fragment may be of any stream");
}

#[test]
fn a_frame_has_an_end() {
    let mut sent = Sent { payload: 1448, ..FIRST };
    let frames: Vec<_> = (0..50)
        .map(|_| {
            let frame = sent.frame();
            sent = sent.next();
            frame
        })
        .collect();
    let wire: Vec<_> = frames.iter().map(|frame| frame.bytes().to_vec()).collect();
    let kept = joined(frames);
    assert_eq!(kept.len(), 2, "45 segments make a packet of 64 KiB");
    assert!(kept.iter().all(|(bytes, _)| bytes.len() - 14 <= PACKET_MAX));
    assert_eq!(kept.iter().flat_map(cut).collect::<Vec<_>>(), wire);
}

proptest! {
    /// Whatever is joined comes out as it went in, each stream in its order.
    #[test]
    fn joining_and_cutting_changes_nothing(
        steps in prop::collection::vec((0..3_u16, any::<bool>(), 0..8_u8, prop::sample::select(vec![1000, 1000, 1000, 10, 0])), 2..60),
    ) {
        let mut streams: Vec<Sent> = (0..3).map(|port| Sent { port, ipv6: port == 2, ..FIRST }).collect();
        let mut frames = vec![];
        for (stream, psh, odd, payload) in steps {
            let sent = &mut streams[usize::from(stream)];
            let mut this = Sent { psh: psh && odd < 4, payload, ..sent.clone() };
            match odd {
                5 => this.window += 1,
                6 => this.sequence = this.sequence.wrapping_add(17),
                7 => this.id = this.id.wrapping_add(3),
                _ => {}
            }
            frames.push(this.frame());
            *sent = Sent { payload: 1000, psh: false, ..this.next() };
        }
        let of = |port: u16, frames: &[Vec<u8>]| -> Vec<Vec<u8>> {
            let source = |frame: &Vec<u8>| { let at = if frame[12] == 8 { 34 } else { 54 }; short(frame, at) };
            frames.iter().filter(|frame| source(frame) == port).cloned().collect()
        };
        let before: Vec<_> = frames.iter().map(|frame| frame.bytes().to_vec()).collect();
        let after: Vec<_> = joined(frames).iter().flat_map(cut).collect();
        for port in 0..3 {
            prop_assert_eq!(of(port, &before), of(port, &after));
        }
    }
}
