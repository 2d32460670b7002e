//! Pieces of datagrams, in any order, at any time, to a gateway and to what puts them together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use vswitchd::frame::LegIndex;
use vswitchd::router::fragment::cut::cut;
use vswitchd::router::fragment::gather::{Gather, Outcome};
use vswitchd::time::Time;
use vswitchd::wire::datagram::{self, Builder, Datagram, FRAGMENT, ICMP, TCP, UDP};

use super::gate::{GUESTS, Rig, Taste, address, packets, sound};
use super::input::Input;

/// Beside what holds of every gateway: every byte of a datagram that is complete was sent as a byte of it, in its place; and
/// what a gateway cuts again is a sound datagram to whoever puts it together.
pub(crate) fn fragments(data: &[u8]) {
    let mut input = Input(data);
    let mut rig = Rig::new(Taste::of(&mut input));
    let mut bench = Bench { gather: Gather::new([1, 2]), now: Time::from_secs(1), said: BTreeMap::new() };
    let mut count = 0;
    while !input.is_empty() {
        let piece = match input.below(8) {
            0..4 => part(&mut input),
            4..6 => piece(&mut input, count),
            6 => {
                let mut piece = part(&mut input);
                let at = usize::from(input.byte()) % piece.len();
                piece[at] ^= input.byte();
                datagram::seal(&mut piece);
                piece
            }
            _ => {
                let span = Duration::from_millis(u64::from(input.word()));
                rig.wait(span);
                bench.wait(span);
                continue;
            }
        };
        count += 1;
        bench.take(&piece);
        let first = rig.sent.len();
        rig.packet(GUESTS, &piece);
        let mut far_end = Gather::new([3, 4]);
        for sent in &rig.sent[first..] {
            let Ok(read) = Datagram::parse(sent.packet()) else { continue };
            let mut whole = Vec::new();
            let outcome =
                read.fragment.map(|_| far_end.take(&read, sent.packet(), LegIndex(0), rig.now, &mut whole));
            if let (Some(Outcome::Complete(_)), true) = (outcome, rig.taste.strict()) {
                assert!(sound::holds(&whole), "what was cut again can be put together: {whole:02x?}");
            }
        }
        rig.sent.clear();
    }
    rig.wait(Duration::from_secs(120));
    bench.wait(Duration::from_secs(120));
    assert_eq!(bench.gather.deadline(), Time::NEVER, "nobody waits for ever");
}

/// A part of a sound datagram, of which there are a few.
fn part(input: &mut Input<'_>) -> Vec<u8> {
    let [v6, second, tcp, small, tiny, long, ..] = input.flags();
    let (source, destination) = match v6 {
        true => (address("fd00::2"), address("2001:db8::9")),
        false => (address("10.0.0.2"), address("192.0.2.9")),
    };
    let (ends, id) = ([(source, 4000 + u16::from(second)), (destination, 53)], 7 + u32::from(second));
    let data: Vec<u8> =
        (0..if long { 9000 } else { 2100 }).map(|at: usize| (at * 7 + id as usize) as u8).collect();
    let mut whole = match tcp {
        true => packets::tcp(ends[0], ends[1], (1, 0, 2), &[], &data),
        false => packets::udp(ends[0], ends[1], &data),
    };
    if !v6 {
        whole[4..6].copy_from_slice(&(id as u16).to_be_bytes());
        datagram::seal(&mut whole);
    }
    let max = match (small, tiny) {
        (_, true) => 68 + usize::from(v6) * 40,
        (true, false) => 700,
        (false, false) => 1500,
    };
    let mut parts = Vec::new();
    cut(&whole, max, id, &mut Vec::new(), |part| parts.push(part.to_vec()));
    parts.swap_remove(usize::from(input.byte()) % parts.len())
}

/// A piece of anything.
fn piece(input: &mut Input<'_>, count: u8) -> Vec<u8> {
    let [v6, more, far, dont_fragment, options, marked, ..] = input.flags();
    let (source, destination): (IpAddr, IpAddr) = match v6 {
        true => (address("fd00::2"), address("2001:db8::9")),
        false => (address("10.0.0.2"), address(input.pick(&["192.0.2.9", "10.0.0.1"]))),
    };
    let protocol = input.pick(&[UDP, TCP, ICMP, 58, 99, FRAGMENT]);
    let id = 7 + u16::from(input.below(3));
    let offset = if far { input.word() } else { u16::from(input.byte()) << 3 } & !7;
    let len = if far { input.word() & 0x7ff } else { u16::from(input.byte()) };
    let mut body: Vec<u8> = (0..usize::from(len)).map(|at| (at as u8).wrapping_mul(3) ^ count).collect();
    if protocol == FRAGMENT && offset == 0 {
        // a piece within a piece
        let inner = [UDP, 0, 0, 1, 0, 0, 0, 9];
        body.iter_mut().zip(inner).for_each(|(byte, said)| *byte = said);
    }
    let extra: &[u8] = match (options, v6) {
        (false, _) => &[],
        (true, true) => &[FRAGMENT, 0, 1, 4, 0, 0, 0, 0],
        (true, false) => &[7, 3, 4, 148, 4, 0, 0, 0],
    };
    let fragment = match v6 {
        true => [&[protocol, 0][..], &(offset | u16::from(more)).to_be_bytes(), &[0, 0], &id.to_be_bytes()]
            .concat(),
        false => vec![],
    };
    let tos = if marked { input.byte() } else { 0 };
    let announced = if !v6 {
        protocol
    } else if options {
        0
    } else {
        FRAGMENT
    };
    let builder = Builder { source, destination, protocol: announced, tos, ttl: 64, id, dont_fragment };
    let mut packet = vec![0; builder.header_len()];
    packet.extend([extra, &fragment, &body].concat());
    builder.write(&mut packet);
    if !v6 {
        packet[0] += extra.len() as u8 / 4;
        let bits = offset >> 3 | u16::from(more) << 13 | u16::from(dont_fragment) << 14;
        packet[6..8].copy_from_slice(&bits.to_be_bytes());
        datagram::seal(&mut packet);
    }
    packet
}

/// Who sends what to whom: addresses, and the number that names the datagram.
type Name = (IpAddr, IpAddr, u32);

/// Puts together without a router, and remembers what there was.
struct Bench {
    gather: Gather,
    now: Time,
    said: BTreeMap<Name, Vec<(usize, Vec<u8>)>>,
}

impl Bench {
    fn take(&mut self, piece: &[u8]) {
        let Ok(read) = Datagram::parse(piece) else { return };
        let Some(fragment) = read.fragment else { return };
        let start = fragment.common + if read.is_ipv6() { 8 } else { 0 };
        let said = self.said.entry((read.source, read.destination, fragment.id)).or_default();
        said.push((fragment.offset.into(), piece[start..read.len].to_vec()));
        let mut whole = Vec::new();
        if let Outcome::Complete(gathered) = self.gather.take(&read, piece, LegIndex(0), self.now, &mut whole)
        {
            let out = Datagram::parse(&whole).expect("a datagram");
            assert_eq!(out.len, whole.len());
            assert!(usize::from(gathered.largest) <= whole.len() + 8, "no piece is larger than the whole");
            let payload = match (out.is_ipv6(), whole[6]) {
                (false, _) => &whole[out.transport..],
                (true, 0 | 43 | 44 | 51 | 60) => return,
                (true, _) => &whole[40..],
            };
            let mut known = vec![false; payload.len()];
            for (offset, bytes) in said {
                let there = known.iter_mut().zip(payload).skip(*offset);
                there.zip(bytes).for_each(|((known, byte), said)| *known |= byte == said);
            }
            assert!(known.iter().all(|known| *known), "nobody has sent all of {whole:02x?}");
        }
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        let mut first = Vec::new();
        while self.gather.expire(self.now, &mut first).is_some() {
            first.clear();
        }
        assert!(self.gather.deadline() > self.now, "nothing is overdue");
    }
}
