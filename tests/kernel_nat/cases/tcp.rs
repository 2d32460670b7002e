//! T1 to T20: the connection tracker.

use super::super::case::{Case, Step, answers, back, say, says, tcp, tcp_talk};
use super::super::craft::Damage;
use super::super::place::Who::{A, Ext, X};

fn handshake() -> Vec<Step> {
    vec![
        say(tcp("S", 1000, 0)).out(&["out Ext:4000>X:80 tcp S"]).flows(&["tcp SYN_SENT 120 UNREPLIED"]),
        back(tcp("SA", 5000, 1001)).out(&["br1 X:80>A:4000 tcp SA"]).flows(&["tcp SYN_RECV 60"]),
        say(tcp("A", 1001, 5001)).out(&["out Ext:4000>X:80 tcp A"]).flows(&[ESTABLISHED]),
    ]
}

const ESTABLISHED: &str = "tcp ESTABLISHED 432000 ASSURED A:4000>X:80 X:80>Ext:4000";

fn connected(why: &'static str, steps: Vec<Step>) -> Case {
    let steps = handshake().into_iter().chain(steps).collect();
    Case { why, talks: vec![tcp_talk(A, 4000, X, 80)], steps }
}

fn fresh(why: &'static str, steps: Vec<Step>) -> Case {
    Case { why, talks: vec![tcp_talk(A, 4000, X, 80)], steps }
}

pub(super) fn both() -> Vec<Case> {
    let mut cases = beginnings();
    cases.extend(windows());
    cases.extend(ends());
    cases
}

fn beginnings() -> Vec<Case> {
    vec![
        connected("T2, T5: a handshake", vec![]),
        fresh(
            "T1, T18: flags that nobody sends",
            ["", "SF", "FPU", "F", "SR", "FR", "P", "U", "SFRPAU", "SP", "SAU", "RU"]
                .into_iter()
                .map(|flags| say(tcp(flags, 1, 0)))
                .collect(),
        ),
        fresh(
            "T1: SYN with URG, ECE and CWR",
            vec![say(tcp("SUEC", 1, 0)).out(&["out Ext:4000>X:80 tcp SUEC"]).flows(&["tcp SYN_SENT 120"])],
        ),
        fresh(
            "T6: what is picked up",
            vec![
                say(tcp("SA", 1, 7)).out(&[]).flows(&[]),
                say(tcp("RA", 1, 7)).out(&[]).flows(&[]),
                say(tcp("FA", 1, 7)).out(&[]).flows(&[]),
                say(tcp("A", 1, 7).data(10))
                    .out(&["out Ext:4000>X:80 tcp A len=10"])
                    .flows(&["tcp ESTABLISHED 300 UNREPLIED"]),
                back(tcp("A", 7, 11).data(3)).out(&["br1 X:80>A:4000 tcp A"]).flows(&["tcp ESTABLISHED 300"]),
                say(tcp("A", 11, 10)).flows(&["tcp ESTABLISHED ASSURED"]),
                back(tcp("A", 10, 11)).flows(&["tcp ESTABLISHED ASSURED"]),
            ],
        ),
        fresh(
            "T4: a SYN once more",
            vec![
                say(tcp("S", 1000, 0)),
                say(tcp("S", 1000, 0)).out(&["out Ext:4000>X:80 tcp S"]).flows(&["tcp SYN_SENT 120"]),
                say(tcp("S", 2000, 0)).out(&["out Ext:4000>X:80 tcp S"]),
            ],
        ),
        fresh(
            "T11: a reset as the first answer",
            vec![
                say(tcp("S", 1000, 0)),
                back(tcp("RA", 0, 1001)).out(&["br1 X:80>A:4000 tcp RA"]).flows(&[]),
            ],
        ),
        fresh(
            "T10: a reset as the first answer to something else",
            vec![say(tcp("S", 1000, 0)), back(tcp("RA", 0, 1)), back(tcp("R", 77, 0))],
        ),
        fresh(
            "T15: both begin",
            vec![
                say(tcp("S", 1000, 0)).flows(&["tcp SYN_SENT"]),
                back(tcp("S", 5000, 0)).out(&["br1 X:80>A:4000 tcp S"]).flows(&["tcp SYN_SENT2 120"]),
                say(tcp("SA", 1000, 5001)).flows(&["tcp SYN_RECV 60"]),
                back(tcp("SA", 5000, 1001)),
                say(tcp("A", 1001, 5001)).flows(&[ESTABLISHED]),
            ],
        ),
        fresh(
            "T14: a challenge to a SYN",
            vec![
                say(tcp("S", 1000, 0)),
                back(tcp("A", 7777, 4242)).out(&["br1 X:80>A:4000 tcp A"]),
                say(tcp("R", 4242, 0)),
                say(tcp("S", 1000, 0)),
                back(tcp("SA", 9000, 1001)),
            ],
        ),
        fresh(
            "T20: a SYN with data",
            vec![
                say(tcp("S", 1000, 0).data(100)).out(&["out Ext:4000>X:80 tcp S len=100"]),
                back(tcp("SA", 5000, 1101)).flows(&["tcp SYN_RECV"]),
                say(tcp("A", 1101, 5001)).flows(&[ESTABLISHED]),
            ],
        ),
        fresh(
            "T19: headers that are cut, or claim more than there is",
            vec![
                say(tcp("S", 1, 0).damaged(Damage::Cut(4))).flows(&[]),
                say(tcp("S", 1, 0).damaged(Damage::Length(1))).flows(&[]),
                say(tcp("S", 1, 0).damaged(Damage::Length(12))).flows(&[]),
                say(tcp("S", 1, 0).damaged(Damage::Checksum)).out(&[]).flows(&[]),
            ],
        ),
        Case {
            why: "T6: what X sends to nobody is the gateway's",
            talks: vec![tcp_talk(X, 80, Ext, 4000)],
            steps: vec![
                say(tcp("SA", 1, 7)).out(&["out Ext:4000>X:80 tcp R seq=7"]),
                say(tcp("A", 1, 7)).out(&["out Ext:4000>X:80 tcp R seq=7"]),
                say(tcp("RA", 1, 7)).out(&[]),
                say(tcp("FA", 1, 7)),
                say(tcp("S", 1, 7)).out(&["out Ext:4000>X:80 tcp RA ack=2"]),
                say(tcp("", 1, 7)),
                say(tcp("S", 1, 7).damaged(Damage::Checksum)).out(&[]),
            ],
        },
    ]
}

fn windows() -> Vec<Case> {
    let scaled = |flags, seq, ack| tcp(flags, seq, ack).with(&[2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7]);
    vec![
        connected(
            "T3: data that is not acknowledged",
            vec![
                say(tcp("PA", 1001, 5001).data(100)).flows(&["tcp ESTABLISHED 300 ASSURED"]),
                back(tcp("A", 5001, 1101)).flows(&[ESTABLISHED]),
                back(tcp("PA", 5001, 1101).data(10)).flows(&["tcp ESTABLISHED 300"]),
                say(tcp("A", 1101, 5011)).flows(&[ESTABLISHED]),
            ],
        ),
        connected(
            "T3: a window of nothing",
            vec![
                back(tcp("A", 5001, 1001).window(0)).flows(&["tcp ESTABLISHED ASSURED"]),
                say(tcp("A", 1001, 5001).data(1)),
                back(tcp("A", 5001, 1001).window(0)),
                back(tcp("A", 5001, 1001).window(9)),
            ],
        ),
        connected(
            "T3: the same once more, and once more",
            vec![
                say(tcp("PA", 1001, 5001).data(100)),
                say(tcp("PA", 1001, 5001).data(100)),
                say(tcp("PA", 1001, 5001).data(100)),
                say(tcp("PA", 1001, 5001).data(100)),
                say(tcp("PA", 1001, 5001).data(100)),
                back(tcp("A", 5001, 1101)),
                back(tcp("A", 5001, 1101)),
                back(tcp("A", 5001, 1101)),
                back(tcp("A", 5001, 1101)),
            ],
        ),
        connected(
            "T7, T8: around the upper edge of the sequence numbers",
            vec![
                say(tcp("A", 61_000, 5001)),
                say(tcp("A", 61_001, 5001)),
                say(tcp("A", 61_002, 5001)),
                say(tcp("A", 1001, 5001).data(1)),
                say(tcp("A", 121_003, 5001)).out(&[]),
                say(tcp("A", 900_000, 5001)).out(&[]),
            ],
        ),
        connected(
            "T7, T8: acknowledging what was never sent",
            vec![
                say(tcp("A", 1001, 5001)),
                say(tcp("A", 1001, 5002)).out(&[]),
                say(tcp("A", 1001, 65_000)).out(&[]),
                // the gateway itself answers what is of no flow
                back(tcp("A", 5001, 1002)).out(&["out Ext:4000>X:80 tcp R seq=1002"]),
            ],
        ),
        connected(
            "T8: long ago",
            vec![
                say(tcp("A", 900, 5001)),
                say(tcp("A", 1001, 4000)),
                say(tcp("A", 1001, 5001u32.wrapping_sub(66_000))),
                say(tcp("A", 1001, 5001u32.wrapping_sub(66_002))),
                say(tcp("A", 1001u32.wrapping_sub(1000), 5001)),
                say(tcp("A", 1001u32.wrapping_sub(60_001), 5001)),
                say(tcp("A", 1001u32.wrapping_sub(70_000), 5001).data(10)),
            ],
        ),
        fresh(
            "T7: windows scaled by both",
            vec![
                say(scaled("S", 1000, 0)),
                back(scaled("SA", 5000, 1001)),
                say(tcp("A", 1001, 5001).window(1000)),
                back(tcp("A", 5001, 1001).window(1000).data(100)),
                back(tcp("A", 128_900, 1001).data(100)),
                back(tcp("A", 133_001, 1001)),
                back(tcp("A", 400_001, 1001)),
            ],
        ),
        fresh(
            "T7: windows scaled by one, which does not count",
            vec![
                say(scaled("S", 1000, 0)),
                back(tcp("SA", 5000, 1001)),
                say(tcp("A", 1001, 5001).window(1000)),
                back(tcp("A", 6001, 1001)),
                back(tcp("A", 66_002, 1001)),
                back(tcp("A", 166_002, 1001)),
            ],
        ),
        fresh(
            "T7: selective acknowledgements",
            vec![
                say(scaled("S", 1000, 0)),
                back(scaled("SA", 5000, 1001)),
                say(tcp("A", 1001, 5001)),
                back(tcp("A", 5001, 1001).data(100)),
                back(tcp("A", 5201, 1001).data(100)),
                say(tcp("A", 1001, 5101).with(&[1, 1, 5, 10, 0, 0, 0x14, 0x51, 0, 0, 0x14, 0xb5])),
                say(tcp("A", 1001, 5101).with(&[1, 1, 5, 10, 0, 0, 0x14, 0x51, 0, 0, 0x14, 0xb6])),
            ],
        ),
    ]
}

fn ends() -> Vec<Case> {
    let finished = || {
        vec![
            say(tcp("FA", 1001, 5001)).flows(&["tcp FIN_WAIT 120"]),
            back(tcp("A", 5001, 1002)).flows(&["tcp CLOSE_WAIT 60"]),
            back(tcp("FA", 5001, 1002)).flows(&["tcp LAST_ACK 30"]),
            say(tcp("A", 1002, 5002)).flows(&["tcp TIME_WAIT 120 ASSURED"]),
        ]
    };
    let after = |why, steps: Vec<Step>| connected(why, finished().into_iter().chain(steps).collect());
    vec![
        after("T16: an end as it should be", vec![]),
        after(
            "T12: and a new beginning",
            vec![
                say(tcp("S", 90_000, 0))
                    .out(&["out Ext:4000>X:80 tcp S"])
                    .flows(&["tcp SYN_SENT 120 UNREPLIED"]),
            ],
        ),
        after(
            "T16: the last words again",
            vec![back(tcp("FA", 5001, 1002)), say(tcp("A", 1002, 5002)), say(tcp("R", 1002, 0))],
        ),
        connected(
            "T16: both at once",
            vec![
                say(tcp("FA", 1001, 5001)).flows(&["tcp FIN_WAIT 120"]),
                back(tcp("FA", 5001, 1001)).flows(&["tcp LAST_ACK 30"]),
                say(tcp("A", 1002, 5002)),
                back(tcp("A", 5002, 1002)),
            ],
        ),
        connected(
            "T10: an exact reset",
            vec![
                back(tcp("RA", 5001, 1001)).out(&["br1 X:80>A:4000 tcp RA"]).flows(&["tcp CLOSE 10 ASSURED"]),
                say(tcp("A", 1001, 5001)),
                say(tcp("S", 70_000, 0)).flows(&["tcp CLOSE 10"]),
            ],
        ),
        connected(
            "T10: a reset that is not quite exact",
            vec![
                back(tcp("R", 5100, 0))
                    .out(&["br1 X:80>A:4000 tcp R"])
                    .flows(&["tcp ESTABLISHED 10 ASSURED"]),
                say(tcp("A", 1001, 5001)).flows(&["tcp ESTABLISHED 300 ASSURED"]),
            ],
        ),
        connected(
            "T10: a reset of long ago",
            vec![
                back(tcp("R", 4000, 0)).out(&[]).flows(&[ESTABLISHED]),
                say(tcp("R", 10, 0)).out(&[]).flows(&[ESTABLISHED]),
            ],
        ),
        connected(
            "T10: a reset after a FIN",
            vec![say(tcp("FA", 1001, 5001)), back(tcp("R", 5001, 0)).flows(&["tcp CLOSE 10"])],
        ),
        connected(
            "T10: a reset after a FIN, not exact",
            vec![say(tcp("FA", 1001, 5001)), back(tcp("R", 5200, 0)), back(tcp("R", 4900, 0))],
        ),
        connected(
            "T13: a SYN on a connection that lives, acknowledged",
            vec![
                say(tcp("S", 300_000, 0)).out(&["out Ext:4000>X:80 tcp S"]),
                back(tcp("SA", 700_000, 300_001)),
                say(tcp("A", 300_001, 700_001)),
            ],
        ),
        connected(
            "T13: a SYN on a connection that lives, challenged and reset",
            vec![
                say(tcp("S", 300_000, 0)),
                back(tcp("A", 5001, 1001)),
                say(tcp("R", 5001, 0)),
                say(tcp("S", 300_000, 0)),
                back(tcp("RA", 0, 300_001)),
                say(tcp("S", 300_000, 0)),
            ],
        ),
        connected(
            "T13: a SYN of the other side on a connection that lives",
            vec![back(tcp("S", 300_000, 0)), say(tcp("A", 1001, 5001)), back(tcp("R", 1001, 0))],
        ),
        connected(
            "T17: ends out of the window",
            vec![
                say(tcp("FA", 500_000, 5001)).out(&[]),
                back(tcp("RA", 5001, 500_001)),
                say(tcp("RA", 500_000, 5001)),
                back(tcp("FA", 500_000, 1001)),
            ],
        ),
        Case {
            why: "T5: answers through a publish",
            talks: vec![tcp_talk(X, 4000, Ext, 8080)],
            steps: vec![
                says(0, tcp("S", 1000, 0)).flows(&["tcp SYN_SENT 120 UNREPLIED X:4000>Ext:8080 B:80>X:4000"]),
                answers(0, tcp("SA", 5000, 1001)).flows(&["tcp SYN_RECV 60"]),
                says(0, tcp("A", 1001, 5001)).flows(&["tcp ESTABLISHED 432000 ASSURED"]),
                answers(0, tcp("FA", 5001, 1001)).flows(&["tcp FIN_WAIT 120"]),
            ],
        },
    ]
}
