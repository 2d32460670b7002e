//! Datagrams in pieces on their way through the router (N50–N52).

use super::*;
use crate::router::fragment::cut::cut;
use crate::verdict::Reason;

const A: &str = "10.0.0.2";
const B: &str = "10.0.1.2";

fn pieces(packet: &[u8], max: usize) -> Vec<Vec<u8>> {
    let (mut pieces, mut buffer) = (vec![], vec![]);
    cut(packet, max, 99, &mut buffer, |piece| pieces.push(piece.to_vec()));
    pieces
}

fn gathering() -> Rig {
    let mut rig = Rig::acquainted();
    rig.follow();
    rig
}

#[test]
fn n50_pieces_leave_as_large_as_they_came() {
    for (a, b) in [(A, B), ("2001:db8:0::2", "2001:db8:1::2")] {
        let whole = edited(udp(a, b, 5000), |packet| {
            if packet[0] >> 4 == 4 {
                packet[6] = 0;
            }
        });
        let mut sent = pieces(&whole, 1300);
        sent.reverse();
        let mut rig = gathering();
        for (at, piece) in sent.iter().enumerate() {
            assert_eq!(rig.packet(0, piece).fate, Fate::Gather);
            assert_eq!(rig.sent.is_empty(), at + 1 < sent.len(), "N50: lone pieces never leave");
        }
        sent.reverse();
        let expected: Vec<_> = sent.into_iter().map(|piece| (1, ttl(piece, 63))).collect();
        assert_eq!(rig.packets(), expected, "N50: in order, as large, of one id, a hop less");
    }
}

#[test]
fn n51_df_stays_and_counts() {
    let whole = udp(A, B, 3000);
    let sent = pieces(&whole, 1300);
    let mut rig = gathering();
    for piece in &sent {
        rig.packet(0, piece);
    }
    let left = rig.packets();
    assert_eq!(left.len(), sent.len());
    assert!(left.iter().all(|(_, piece)| piece[6] & 0x40 != 0), "N51: with DF as before");
    rig.configure(1, |leg| leg.mtu = 1200);
    for piece in &sent {
        rig.packet(0, piece);
    }
    let told: Vec<_> = rig.packets().iter().filter_map(|(_, p)| icmp(p)).map(|(t, c, _)| (t, c)).collect();
    assert_eq!(told, [(3, 4)], "N51: the pieces do not fit, and may not be cut");
}

#[test]
fn n52_what_is_too_long_is_cut() {
    let mut rig = Rig::acquainted();
    rig.configure(1, |leg| leg.mtu = 600);
    let whole = edited(udp(A, B, 1400), |packet| packet[6] = 0);
    rig.packet(0, &whole);
    let left: Vec<_> = rig.packets().into_iter().map(|(_, piece)| piece).collect();
    assert_eq!(left, pieces(&ttl(whole, 63), 600), "N52: in order, of the same id");
    let first = left[0].clone();
    rig.configure(1, |leg| leg.mtu = 300);
    rig.packet(0, &first);
    assert_eq!(rig.packets().len(), 3, "a piece is cut again");
}

#[test]
fn n56_a_long_ping_to_the_router() {
    let long = edited(echo(A, "10.0.0.1", 20_000), |packet| packet[6] = 0);
    let mut rig = Rig::acquainted();
    for piece in pieces(&long, 1500) {
        assert_eq!(rig.packet(0, &piece).fate, Fate::Gather);
    }
    let replies = rig.packets();
    let len: usize =
        replies.iter().map(|(_, piece)| Datagram::parse(piece).expect("sound").payload(piece).len()).sum();
    assert_eq!((replies.len(), len), (14, 20_008), "all of it comes back, in pieces");
    assert!(replies.iter().all(|(leg, piece)| *leg == 0 && piece.len() <= 1500));
}

#[test]
fn what_never_becomes_complete() {
    let mut rig = Rig::acquainted();
    let long = edited(echo(A, "10.0.0.1", 3000), |packet| packet[6] = 0);
    let sent = pieces(&long, 1500);
    rig.packet(0, &sent[0]);
    rig.wait(Duration::from_secs(29));
    assert!(rig.packets().is_empty());
    rig.wait(Duration::from_secs(1));
    let told = rig.packets().pop().and_then(|(_, packet)| icmp(&packet)).expect("told");
    assert_eq!((told.0, told.1, &told.2[8..12]), (11, 1, &sent[0][..4]), "N50: after 30 s");
    rig.packet(0, &sent[1]);
    rig.wait(Duration::from_secs(31));
    assert!(rig.packets().is_empty(), "without the first piece there is nothing to quote");
    assert_eq!(rig.router.counters().incomplete, 2);
    let mut rig = gathering();
    rig.packet(0, &pieces(&edited(udp(A, B, 3000), |packet| packet[6] = 0), 1500)[0]);
    rig.wait(Duration::from_secs(31));
    assert!(rig.packets().is_empty(), "what was to go on is lost in silence, as in the kernel");
}

#[test]
fn pieces_of_pieces_took_memory_for_each_datagram() {
    let mut rig = gathering();
    let (a, b) = ("2001:db8:0::2", "2001:db8:1::2");
    let head = |next: u8, more: u8, id: u8| [next, 0, 0, more, 0, 0, 0, id];
    // what is complete is a piece again, and so on
    let nested = |last: u8| [&head(44, 1, 1)[..], &head(44, 1, 2), &head(UDP, 1, 3), &[last; 8]].concat();
    let first = packet(a, b, 44, &nested(1));
    assert_eq!(rig.packet(0, &first).fate, Fate::Gather, "only the innermost counts");
    let end = packet(
        a,
        b,
        44,
        &[&head(44, 1, 1)[..], &head(44, 1, 2), &[UDP, 0, 0, 8, 0, 0, 0, 3], &[2; 8]].concat(),
    );
    assert_eq!(rig.packet(0, &end).fate, Fate::Drop(Reason::FragmentMalformed));
    assert!(rig.sent.is_empty());
}
