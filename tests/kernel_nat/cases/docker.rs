//! Table 3c: who reaches whom.

use super::super::case::{Case, answers, back, say, says, tcp, tcp_talk, udp, udp_talk};
use super::super::place::Who::{A, B, D, Ext, G1, G2, X, Y};

pub(super) fn both() -> Vec<Case> {
    vec![
        Case {
            why: "3c: A→X and back: masqueraded (C15, M5, M10)",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(5)).out(&["out Ext:1000>X:53 udp ttl=63 sum=right"]),
                back(udp(6)).out(&["br1 X:53>A:1000 udp ttl=63 sum=right"]),
            ],
        },
        Case {
            why: "3c: X→EXT:HP→B:CP: the server sees X (C14, M8)",
            talks: vec![tcp_talk(X, 1000, Ext, 8080)],
            steps: vec![
                say(tcp("S", 1, 0)).out(&["br1 X:1000>B:80 tcp S ttl=63"]),
                back(tcp("SA", 9, 2)).out(&["out Ext:8080>X:1000 tcp SA ttl=63"]),
            ],
        },
        Case {
            why: "3c: ports of a range lead to their own (P8)",
            talks: vec![tcp_talk(X, 1000, Ext, 9002)],
            steps: vec![say(tcp("S", 1, 0)).out(&["br1 X:1000>B:7002 tcp S"])],
        },
        Case {
            why: "3c: published at any of the gateway's addresses (C11, C14)",
            talks: vec![tcp_talk(X, 1000, G1, 8080), udp_talk(D, 1000, G1, 5353)],
            steps: vec![
                say(tcp("S", 1, 0)).out(&["br1 X:1000>B:80 tcp S"]),
                back(tcp("SA", 9, 2)).out(&["out G1:8080>X:1000 tcp SA"]),
                says(1, udp(1)).out(&["br1 G1:1000>B:53 udp"]),
                answers(1, udp(1)).out(&["br2 G1:5353>D:1000 udp"]),
            ],
        },
        Case {
            why: "3c: X→B:CP directly: nobody does that (M1)",
            talks: vec![tcp_talk(X, 1000, B, 80), udp_talk(X, 1000, B, 53)],
            steps: vec![say(tcp("S", 1, 0)).out(&[]).flows(&[]), says(1, udp(5)).out(&[]).flows(&[])],
        },
        Case {
            why: "3c: X→B:unpublished",
            talks: vec![tcp_talk(X, 1000, B, 81)],
            steps: vec![say(tcp("S", 1, 0)).out(&[]).flows(&[])],
        },
        Case {
            why: "3c: A→EXT:HP, whose server B is on the same network: masqueraded, so that the answer comes back",
            talks: vec![tcp_talk(A, 1000, Ext, 8080)],
            steps: vec![
                say(tcp("S", 1, 0)).out(&["br1 G1:1000>B:80 tcp S ttl=63"]),
                back(tcp("SA", 9, 2)).out(&["br1 Ext:8080>A:1000 tcp SA ttl=63"]),
            ],
        },
        Case {
            why: "3c: B→EXT:HP, which is B itself (C16)",
            talks: vec![tcp_talk(B, 1000, Ext, 8080)],
            steps: vec![
                say(tcp("S", 1, 0)).out(&["br1 G1:1000>B:80 tcp S"]),
                back(tcp("SA", 9, 2)).out(&["br1 Ext:8080>B:1000 tcp SA"]),
            ],
        },
        Case {
            why: "3c: D→EXT:HP, whose server is on another network (M8)",
            talks: vec![tcp_talk(D, 1000, Ext, 8080)],
            steps: vec![
                say(tcp("S", 1, 0)).out(&["br1 G1:1000>B:80 tcp S"]),
                back(tcp("SA", 9, 2)).out(&["br2 Ext:8080>D:1000 tcp SA"]),
            ],
        },
        Case {
            why: "3c: D→B at any port directly: isolated (M1)",
            talks: vec![tcp_talk(D, 1000, B, 80), udp_talk(D, 1000, B, 9)],
            steps: vec![say(tcp("S", 1, 0)).out(&[]).flows(&[]), says(1, udp(5)).out(&[]).flows(&[])],
        },
        Case {
            why: "C9: A→B through the gateway, which nobody translates",
            talks: vec![udp_talk(A, 1000, B, 9)],
            steps: vec![
                say(udp(5)).out(&["br1 A:1000>B:9 udp ttl=63"]),
                back(udp(5)).out(&["br1 B:9>A:1000 udp ttl=63"]),
            ],
        },
        Case {
            why: "N56: who asks the gateway itself is answered",
            talks: vec![tcp_talk(A, 1000, G1, 22), tcp_talk(A, 1001, G2, 22)],
            steps: vec![
                say(tcp("S", 1, 0)).out(&["br1 G1:22>A:1000 tcp RA ack=2 ttl=64"]).flows(&[]),
                says(1, tcp("S", 1, 0)).out(&["br1 G2:22>A:1001 tcp RA ack=2"]).flows(&[]),
            ],
        },
        Case {
            why: "N2: a stranger gets no answer through another's port",
            talks: vec![udp_talk(A, 1000, X, 53), udp_talk(Y, 53, Ext, 1000)],
            steps: vec![
                say(udp(5)),
                // it goes to the gateway itself, where nobody listens
                says(1, udp(5)).out(&["out Ext>Y"]),
            ],
        },
    ]
}
