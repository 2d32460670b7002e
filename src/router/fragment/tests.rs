//! Pieces in any order, twice, overlapping, too many: never a panic, never a wrong datagram.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::cut::cut;
use super::gather::{Gather, Gathered, Loss, Outcome};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::datagram::{Builder, Datagram, UDP, seal};

const LEG: LegIndex = LegIndex(0);
const START: Time = Time::from_secs(100);

fn whole(v6: bool, source: u16, id: u16, len: usize) -> Vec<u8> {
    let [source, destination]: [IpAddr; 2] = match v6 {
        true => [source, 0xffff].map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n).into()),
        false => [source, 0xffff].map(|n| Ipv4Addr::from(0x0a00_0000 + u32::from(n)).into()),
    };
    let builder = Builder { source, destination, protocol: UDP, tos: 0, ttl: 64, id, dont_fragment: false };
    let mut packet = vec![0; builder.header_len() + len];
    builder.write(&mut packet);
    (builder.header_len()..packet.len()).for_each(|at| packet[at] = (at * 7 + usize::from(id)) as u8);
    packet
}

fn pieces(packet: &[u8], max: usize, id: u16) -> Vec<Vec<u8>> {
    let (mut pieces, mut buffer) = (vec![], vec![]);
    cut(packet, max, id.into(), &mut buffer, |piece| pieces.push(piece.to_vec()));
    pieces
}

struct Rig {
    gather: Gather,
    now: Time,
    out: Vec<u8>,
}

impl Rig {
    fn new() -> Self {
        Self { gather: Gather::new([3, 4]), now: START, out: vec![] }
    }

    fn take(&mut self, piece: &[u8]) -> Outcome {
        self.out.clear();
        let read = Datagram::parse(piece).expect("sound");
        self.gather.take(&read, piece, LEG, self.now, &mut self.out)
    }
}

/// A piece of a datagram of IPv4, with these bytes at that place.
fn piece(offset: u16, more: bool, body: &[u8]) -> Vec<u8> {
    let mut packet = whole(false, 1, 5, 0);
    packet.extend_from_slice(body);
    let len = packet.len() as u16;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[6..8].copy_from_slice(&(offset >> 3 | if more { 0x2000 } else { 0 }).to_be_bytes());
    seal(&mut packet);
    packet
}

#[test]
fn n50_what_pieces_may_be() {
    use Outcome::{Complete, Kept, Lost};
    let done = |largest| Complete(Gathered { largest, id: 5 });
    let table: &[(&[(u16, bool, usize)], Outcome, &str)] = &[
        (&[(0, true, 16), (16, false, 3)], done(36), "in order"),
        (&[(16, false, 3), (0, true, 16)], done(36), "the other way round"),
        (&[(0, true, 16), (0, true, 16)], Kept, "a copy does no harm"),
        (&[(0, true, 16), (8, true, 8)], Kept, "nor does a copy of a part"),
        (&[(0, true, 16), (8, false, 16)], Lost(Loss::Overlap), "an overlap kills"),
        (&[(8, true, 16), (0, false, 16)], Lost(Loss::Malformed), "the last is not the last"),
        (&[(16, false, 3), (16, false, 4)], Lost(Loss::Malformed), "two ends"),
        (&[(16, false, 3), (24, true, 8)], Lost(Loss::Malformed), "behind the end"),
        (&[(0, true, 7)], Lost(Loss::Malformed), "nothing of it counts"),
        (&[(0, true, 15), (8, false, 4)], done(35), "what is no multiple of eight is cut off"),
        (&[(65528, false, 8)], Lost(Loss::Malformed), "beyond the longest datagram"),
        (&[(65512, false, 20), (0, true, 8)], Kept, "a long one, with holes"),
    ];
    for (pieces, expected, why) in table {
        let mut rig = Rig::new();
        let last = pieces.iter().map(|(at, more, len)| rig.take(&piece(*at, *more, &vec![7; *len]))).last();
        assert_eq!(last, Some(*expected), "N50: {why}");
    }
}

#[test]
fn n50_an_overlap_loses_all() {
    let mut rig = Rig::new();
    rig.take(&piece(0, true, &[1; 16]));
    assert_eq!(rig.take(&piece(8, true, &[2; 16])), Outcome::Lost(Loss::Overlap));
    assert_eq!(rig.take(&piece(16, false, &[3; 4])), Outcome::Kept, "what came before is gone");
}

#[test]
fn n50_n51_time() {
    for (v6, secs) in [(false, 30), (true, 60)] {
        let sent = pieces(&whole(v6, 1, 5, 2000), 1280, 5);
        let mut rig = Rig::new();
        rig.take(&sent[0]);
        assert_eq!(rig.gather.deadline(), START + Duration::from_secs(secs));
        rig.now = START + Duration::from_secs(secs);
        assert_eq!(rig.take(&sent[1]), Outcome::Kept, "exact at lookup: the first is gone");
        let mut rig = Rig::new();
        rig.take(&sent[0]);
        rig.now = START + Duration::from_secs(secs);
        let mut first = vec![];
        assert_eq!(rig.gather.expire(rig.now, &mut first), Some(LEG));
        assert_eq!(first, sent[0]);
        assert_eq!(rig.gather.expire(rig.now, &mut first), None);
        assert_eq!(rig.gather.deadline(), Time::NEVER);
    }
}

#[test]
fn a_first_piece_longer_than_a_block_was_cut_off_when_its_time_was_over() {
    let mut rig = Rig::new();
    let sent = pieces(&whole(false, 1, 5, 9000), 5000, 5);
    rig.take(&sent[0]);
    let mut first = vec![];
    assert_eq!(rig.gather.expire(START + Duration::from_secs(30), &mut first), Some(LEG));
    assert_eq!(first, sent[0], "or it cannot be told about");
}

#[test]
fn n50_pieces_too_far_apart_are_not_of_one() {
    for (between, expected) in [(63, true), (64, false)] {
        let mut rig = Rig::new();
        let sent = pieces(&whole(false, 1, 5, 2000), 1280, 5);
        rig.take(&sent[0]);
        for id in 0..between {
            rig.take(&pieces(&whole(false, 1, 1000 + id, 2000), 1280, 0)[0]);
        }
        let complete = matches!(rig.take(&sent[1]), Outcome::Complete(_));
        assert_eq!(complete, expected, "N50: max_dist 64, {between} between");
    }
}

#[test]
fn n50_memory_is_bounded_and_old_halves_make_room() {
    let mut rig = Rig::new();
    let sent = pieces(&whole(false, 7, 5, 2000), 1280, 5);
    rig.take(&sent[0]);
    for source in 0..5000 {
        rig.now = rig.now + Duration::from_millis(1);
        let half = pieces(&whole(false, 8 + source % 1000, source, 2000), 1280, 0)[0].clone();
        assert_eq!(rig.take(&half), Outcome::Kept, "the newest always finds room");
    }
    assert!(rig.gather.evicted > 0);
    assert!(!matches!(rig.take(&sent[1]), Outcome::Complete(_)), "the oldest went first");
    let fresh = pieces(&whole(false, 9, 60_000, 60_000), 1280, 5);
    let last = fresh.iter().map(|piece| rig.take(piece)).last();
    assert!(matches!(last, Some(Outcome::Complete(_))), "a whole one gets through meanwhile");
}

#[test]
fn n51_one_that_takes_all_the_room_costs_nobody_else() {
    let mut rig = Rig::new();
    let other = pieces(&whole(true, 2, 7, 2000), 1280, 7);
    rig.take(&other[0]);
    let greedy = pieces(&whole(true, 1, 5, 20_000), 100, 5);
    let lost =
        greedy.iter().map(|piece| rig.take(piece)).filter(|outcome| matches!(outcome, Outcome::Lost(_)));
    assert!(lost.count() > 0, "256 KiB are less than {} blocks", greedy.len());
    assert!(matches!(rig.take(&other[1]), Outcome::Complete(_)), "who was there before is still there");
    assert_eq!(rig.gather.evicted, 0);
}

proptest! {
    #[test]
    fn any_order_gives_the_datagram_back(
        v6 in any::<bool>(),
        len in 3000..9000_usize,
        max in 200..3000_usize,
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let sent = whole(v6, 1, 5, len);
        let mut queue = pieces(&sent, max, 5);
        // copies of some, and all of them in any order
        let copies: Vec<_> = order.iter().map(|index| index.get(&queue).clone()).collect();
        queue.extend(copies);
        for (at, index) in order.iter().enumerate() {
            let other = index.index(queue.len());
            let at = at % queue.len();
            queue.swap(at, other);
        }
        let mut rig = Rig::new();
        let mut complete = 0;
        for piece in &queue {
            if let Outcome::Complete(gathered) = rig.take(piece) {
                complete += 1;
                prop_assert_eq!(&rig.out, &sent);
                prop_assert!(usize::from(gathered.largest) <= max && gathered.id == 5);
            }
        }
        prop_assert!(complete >= 1);
    }

    #[test]
    fn any_pieces_do_no_harm(pieces in prop::collection::vec((0..9000_u16, any::<bool>(), 0..5000_usize, 0..90_u64), 1..60)) {
        let mut rig = Rig::new();
        for (offset, more, len, secs) in pieces {
            rig.now = rig.now + Duration::from_secs(secs / 10);
            if let Outcome::Complete(_) = rig.take(&piece(offset << 3 & 0xfff8, more, &vec![1; len])) {
                prop_assert_eq!(Datagram::parse(&rig.out).map(|d| d.len), Ok(rig.out.len()));
            }
            let mut first = vec![];
            while rig.gather.expire(rig.now, &mut first).is_some() {}
        }
    }
}
