//! U1 to U4, and protocols without ports (N8).

use super::super::case::{Case, answers, back, echo, other_talk, say, says, udp, udp_talk, wait};
use super::super::craft::{Damage, Shape, What};
use super::super::place::Who::{A, B, D, Ext, G1, X, Y};

pub(super) fn both() -> Vec<Case> {
    vec![
        Case {
            why: "U1: datagrams there and back, and after two seconds a stream",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(5)).flows(&["udp 30 UNREPLIED A:1000>X:53 X:53>Ext:1000"]),
                say(udp(5)).flows(&["udp 30 UNREPLIED"]),
                back(udp(5)).flows(&["udp 30 A:1000>X:53"]),
                say(udp(5)).flows(&["udp 30"]),
                wait(2100),
                say(udp(5)).flows(&["udp 120 ASSURED"]),
                back(udp(5)).flows(&["udp 120 ASSURED"]),
            ],
        },
        Case {
            why: "U1: lengths that cannot be, and checksums",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(5).damaged(Damage::Cut(1))).out(&[]).flows(&[]),
                say(udp(5).damaged(Damage::Cut(6))).out(&[]).flows(&[]),
                say(udp(5).damaged(Damage::Length(1))).out(&[]).flows(&[]),
                say(udp(5).damaged(Damage::Checksum)).out(&[]).flows(&[]),
                say(udp(0)).out(&["out Ext:1000>X:53 udp len=0 sum=right"]),
            ],
        },
        Case {
            why: "N8: of protocols without ports, only addresses are translated",
            talks: vec![other_talk(99, A, 0, X)],
            steps: vec![
                say(Shape::new(What::Other(99, 9)))
                    .out(&["out Ext>X proto=99 len=9"])
                    .flows(&["other 600 UNREPLIED"]),
                back(Shape::new(What::Other(99, 9))).out(&["br1 X>A proto=99"]).flows(&["other 600"]),
            ],
        },
        Case {
            why: "N8, N4: another guest with such a protocol to the same peer has no place",
            talks: vec![other_talk(99, A, 0, X), other_talk(99, B, 0, X), other_talk(99, B, 0, Y)],
            steps: vec![
                say(Shape::new(What::Other(99, 9))),
                says(1, Shape::new(What::Other(99, 9))).out(&[]),
                says(2, Shape::new(What::Other(99, 9))).out(&["out Ext>Y proto=99"]),
            ],
        },
    ]
}

pub(super) fn of_ipv4() -> Vec<Case> {
    vec![
        Case {
            why: "U1: no checksum stays none",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(5).damaged(Damage::NoChecksum))
                    .out(&["out Ext:1000>X:53 sum=zero"])
                    .flows(&["udp 30"]),
            ],
        },
        Case {
            why: "U2, U4: pings keep their identifier",
            talks: vec![other_talk(1, A, 77, X)],
            steps: vec![
                say(echo(8, 1))
                    .out(&["out Ext>X:8/0#77 icmp"])
                    .flows(&["icmp 30 UNREPLIED A>X:8/0#77 X>Ext:0/0#77"]),
                back(echo(0, 1)).out(&["br1 X>A:0/0#77 icmp"]).flows(&["icmp 30"]),
                back(echo(0, 1)).out(&["br1 X>A:0/0#77 icmp"]),
            ],
        },
        Case {
            why: "U2: answers to what nobody asked, and types that ask nothing",
            talks: vec![other_talk(1, A, 77, X)],
            steps: [0, 1, 2, 6, 7, 9, 10, 14, 16, 18, 19, 37, 40, 42, 43, 255]
                .map(|kind| say(echo(kind, 1)).out(&[]).flows(&[]))
                .into(),
        },
        Case {
            why: "U2: other questions",
            talks: vec![other_talk(1, A, 77, X)],
            steps: vec![
                say(echo(13, 1)).out(&["out Ext>X:13/0#77"]),
                back(echo(14, 1)).out(&["br1 X>A:14/0#77"]),
                say(echo(15, 1)).out(&["out Ext>X:15/0#77"]),
                say(echo(17, 1)).out(&["out Ext>X:17/0#77"]),
            ],
        },
        Case {
            why: "U2: a ping with a code, and one with a wrong checksum",
            talks: vec![other_talk(1, A, 77, X)],
            steps: vec![
                say(Shape::new(What::Icmp(8, 3, 1, 4))).out(&["out Ext>X:8/3#77"]),
                say(echo(8, 1).damaged(Damage::Checksum)).out(&[]),
                say(echo(8, 1).damaged(Damage::Cut(20))).out(&[]),
                say(echo(8, 1).damaged(Damage::Cut(17))).out(&[]),
            ],
        },
        Case {
            why: "N56: pings to the gateway, at any of its addresses",
            talks: vec![other_talk(1, A, 77, G1), other_talk(1, D, 77, G1), other_talk(1, X, 5, Ext)],
            steps: vec![
                say(echo(8, 1)).out(&["br1 G1>A:0/0#77 icmp ttl=64"]),
                says(1, echo(8, 1)).out(&["br2 G1>D:0/0#77 icmp"]),
                says(2, echo(8, 1)).out(&["out Ext>X:0/0#5 icmp"]),
            ],
        },
        Case {
            why: "U4: an identifier that is taken becomes another, which is used again",
            talks: vec![other_talk(1, A, 77, X), other_talk(1, B, 77, X), other_talk(1, B, 77, Y)],
            steps: vec![
                say(echo(8, 1)).out(&["out Ext>X:8/0#77"]),
                says(1, echo(8, 1)).out(&["out icmp"]),
                answers(1, echo(0, 1)).out(&["br1 X>B:0/0#77"]),
                says(2, echo(8, 1)).out(&["out icmp"]),
                answers(0, echo(0, 1)).out(&["br1 X>A:0/0#77"]),
            ],
        },
        Case {
            why: "N56: nobody listens",
            talks: vec![udp_talk(A, 1000, G1, 9)],
            steps: vec![say(udp(5)).out(&["br1 G1>A 3/3 about=A:1000>G1:9 tos=0xc0 ttl=64"])],
        },
    ]
}

pub(super) fn of_ipv6() -> Vec<Case> {
    let cases = vec![
        Case {
            why: "U2, U4: pings keep their identifier",
            talks: vec![other_talk(58, A, 77, X)],
            steps: vec![
                say(echo(128, 1))
                    .out(&["out Ext>X:128/0#77 icmpv6 sum=right"])
                    .flows(&["icmpv6 30 UNREPLIED"]),
                back(echo(129, 1)).out(&["br1 X>A:129/0#77 icmpv6 sum=right"]).flows(&["icmpv6 30"]),
            ],
        },
        Case {
            why: "U2: answers to what nobody asked, and types that ask nothing",
            talks: vec![other_talk(58, A, 77, X)],
            steps: [0, 5, 100, 127, 129, 139, 140, 144, 200].map(|kind| say(echo(kind, 1))).into(),
        },
        Case {
            why: "U2: a ping with a wrong checksum",
            talks: vec![other_talk(58, A, 77, X)],
            steps: vec![say(echo(128, 1).damaged(Damage::Checksum)).out(&[])],
        },
        Case {
            why: "N56: pings to the gateway, at any of its addresses",
            talks: vec![other_talk(58, A, 77, G1), other_talk(58, D, 77, G1), other_talk(58, X, 5, Ext)],
            steps: vec![
                say(echo(128, 1)).out(&["br1 G1>A:129/0#77 icmpv6 ttl=64"]),
                says(1, echo(128, 1)).out(&["br2 G1>D:129/0#77 icmpv6"]),
                says(2, echo(128, 1)).out(&["out Ext>X:129/0#5 icmpv6"]),
            ],
        },
        Case {
            why: "U4: an identifier that is taken becomes another",
            talks: vec![other_talk(58, A, 77, X), other_talk(58, B, 77, X)],
            steps: vec![
                say(echo(128, 1)).out(&["out Ext>X:128/0#77"]),
                says(1, echo(128, 1)).out(&["out icmpv6"]),
                answers(1, echo(129, 1)).out(&["br1 X>B:129/0#77"]),
            ],
        },
        Case {
            why: "N56: nobody listens",
            talks: vec![udp_talk(A, 1000, G1, 9)],
            steps: vec![say(udp(5)).out(&["br1 G1>A 1/4 about=A:1000>G1:9 ttl=64"])],
        },
        Case {
            why: "U1: UDP of IPv6 without a checksum",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![say(udp(5).damaged(Damage::NoChecksum))],
        },
    ];
    cases.into_iter().map(Case::of_ipv6).collect()
}
