//! P1 to P9: which port a flow gets.

use super::super::case::{Case, answers, back, say, says, tcp, tcp_talk, udp, udp_talk};
use super::super::place::Who::{A, B, D, Ext, X, Y, Z};

pub(super) fn both() -> Vec<Case> {
    let mut cases = vec![
        Case {
            why: "P3: the port stays, and two may share it towards different peers",
            talks: vec![udp_talk(A, 1000, X, 53), udp_talk(B, 1000, Y, 53), udp_talk(D, 1000, Z, 53)],
            steps: vec![
                say(udp(1)).out(&["out Ext:1000>X:53"]),
                says(1, udp(1)).out(&["out Ext:1000>Y:53"]),
                says(2, udp(1)).out(&["out Ext:1000>Z:53"]),
                back(udp(1)).out(&["br1 X:53>A:1000"]),
                answers(1, udp(1)).out(&["br1 Y:53>B:1000"]),
                answers(2, udp(1)).out(&["br2 Z:53>D:1000"]),
            ],
        },
        Case {
            why: "P2: the mapping of a clash is used towards others, too",
            talks: vec![udp_talk(A, 2000, X, 53), udp_talk(B, 2000, X, 53), udp_talk(B, 2000, Y, 53)],
            steps: vec![
                say(udp(1)).out(&["out Ext:2000>X:53"]),
                says(1, udp(1)).out(&["out udp"]),
                says(2, udp(1)).out(&["out udp"]),
                answers(1, udp(1)).out(&["br1 X:53>B:2000"]),
                answers(2, udp(1)).out(&["br1 Y:53>B:2000"]),
            ],
        },
        Case {
            why: "N3: a flow that no rule is about gives way, too",
            talks: vec![tcp_talk(A, 3000, X, 80), tcp_talk(X, 80, Ext, 3000)],
            steps: vec![say(tcp("S", 1, 0)).out(&["out Ext:3000>X:80"]), says(1, tcp("S", 1, 0))],
        },
    ];
    for (why, port) in [
        ("P4: a clash below 512", 300),
        ("P4: a clash at 511", 511),
        ("P4: a clash from 512 to 1023", 512),
        ("P4: a clash at 1023", 1023),
        ("P4: a clash above", 1024),
    ] {
        cases.push(Case {
            why,
            talks: vec![udp_talk(A, port, X, 53), udp_talk(B, port, X, 53), tcp_talk(B, port, X, 53)],
            steps: vec![
                say(udp(1)).out(&["out udp"]),
                says(1, udp(1)).out(&["out udp"]),
                answers(1, udp(1)).out(&["br1 udp"]),
                answers(0, udp(1)).out(&["br1 udp"]),
                says(2, tcp("S", 1, 0)).out(&["out tcp S"]),
            ],
        });
    }
    cases.push(Case {
        why: "P6: a new connection in the place of one that has ended",
        talks: vec![tcp_talk(A, 3000, X, 80), tcp_talk(B, 3000, X, 80)],
        steps: vec![
            say(tcp("S", 1000, 0)),
            back(tcp("SA", 5000, 1001)),
            say(tcp("A", 1001, 5001)),
            back(tcp("RA", 5001, 1001)).flows(&["tcp CLOSE 10"]),
            says(1, tcp("S", 90_000, 0)).out(&["out tcp S"]),
        ],
    });
    cases
}
