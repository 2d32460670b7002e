//! N9, N10, N50 to N58: sending packets on.

use std::net::{IpAddr, Ipv4Addr};

use super::super::case::{Case, Step, back, echo, forge, other_talk, say, tcp, tcp_talk, udp, udp_talk};
use super::super::craft::{Damage, Ends};
use super::super::place::Who::{A, B, D, Ext, G1, X};

fn between(source: impl Into<IpAddr>, destination: impl Into<IpAddr>) -> Ends {
    let (source, destination) = (source.into(), destination.into());
    Ends { source, source_port: 1000, destination, destination_port: 53 }
}

fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

pub(super) fn of_ipv4() -> Vec<Case> {
    let mut cases = alone();
    cases.extend(pieces());
    cases.push(martians());
    cases.extend(options(&[
        ("N10: record route without room", &[7, 7, 8, 1, 2, 3, 4, 0]),
        ("N10: a loose source route", &[131, 7, 4, 192, 0, 2, 11, 0]),
        ("N10: an option longer than there is room", &[7, 40, 4, 0]),
        ("N10: an option of one byte that cannot be", &[99, 1, 0, 0]),
        ("N10: an option of no byte", &[99, 0, 0, 0]),
        ("N10: a strange option", &[99, 4, 1, 2]),
    ]));
    cases
}

/// What the kernel writes into, or finds fault with, and ours leaves as it is.
pub(super) fn of_the_kernel_alone() -> Vec<Case> {
    options(&[
        ("N10: record route, with room for one address", &[7, 7, 4, 0, 0, 0, 0, 0]),
        ("N10: timestamps", &[68, 8, 5, 0, 0, 0, 0, 0]),
        ("N10: a router alert that is too short", &[148, 3, 0, 0]),
    ])
}

fn options(table: &[(&'static str, &'static [u8])]) -> Vec<Case> {
    let case = |(why, options): &(&'static str, &'static [u8])| Case {
        why,
        talks: vec![udp_talk(A, 1000, X, 53)],
        steps: vec![say(udp(5).options(options))],
    };
    table.iter().map(case).collect()
}

fn alone() -> Vec<Case> {
    vec![
        Case {
            why: "N9: what has come too far",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(5).ttl(1)).out(&["br1 G1>A 11/0 about=A:1000>X:53"]).flows(&[]),
                say(udp(5).ttl(0)),
                say(udp(5).ttl(2)).out(&["out Ext:1000>X:53 ttl=1"]),
                back(udp(5).ttl(1)).out(&["out Ext>X 11/0 about=X:53>Ext:1000"]),
            ],
        },
        Case {
            why: "N9: a published flow that has come too far is told of as it was sent",
            talks: vec![tcp_talk(X, 1000, Ext, 8080)],
            steps: vec![
                say(tcp("S", 5, 0).ttl(1)).out(&["out Ext>X 11/0 about=X:1000>Ext:8080"]).flows(&[]),
                say(tcp("S", 5, 0)).out(&["br1 X:1000>B:80"]),
                back(tcp("SA", 5, 6).ttl(1)).out(&["br1 G1>B 11/0 about=B:80>X:1000"]),
            ],
        },
        Case {
            why: "N10: identification, DF, TOS and options stay",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(5).id(0xbeef).df().tos(0xb9)).out(&["out Ext:1000>X:53 id=0xbeef df tos=0xb9"]),
                // a router alert, as nobody here is asked by
                say(udp(5).options(&[148, 4, 0, 0])).out(&["out Ext:1000>X:53 options=4"]),
                say(udp(5).options(&[1, 1, 1, 0])).out(&["out Ext:1000>X:53 options=4"]),
            ],
        },
        Case {
            why: "N52: too long for the way out",
            talks: vec![tcp_talk(X, 1000, Ext, 8081)],
            steps: vec![
                say(tcp("S", 1, 0)).out(&["br2 X:1000>D:80"]),
                say(tcp("S", 1, 0).data(1400).df())
                    .out(&["out Ext>X 3/4 rest=0x578 about=X:1000>Ext:8081 tos=0xc0"]),
                say(tcp("S", 1, 0).data(1360).df()).out(&["br2 X:1000>D:80 df len=1360"]),
                say(tcp("S", 1, 0).data(1361).df()).out(&["out Ext>X 3/4"]),
                say(tcp("S", 1, 0).data(1400).id(0x777))
                    .out(&["br2 X:1000>D:80 id=0x0777 more", "br2 X>D piece id=0x0777 last"]),
            ],
        },
        Case {
            why: "N57: an error has the sender's TOS, and no more than 576 bytes",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(1000).ttl(1).tos(0xff)).out(&["br1 G1>A 11/0 len=548 tos=0xde"]),
                say(udp(1000).ttl(1).damaged(Damage::Checksum)),
                say(udp(8).ttl(1).options(&[148, 4, 0, 0])),
            ],
        },
        Case {
            why: "N57: no errors about errors, broadcasts, or later pieces",
            talks: vec![udp_talk(A, 1000, X, 53), other_talk(1, A, 7, X)],
            steps: vec![
                say(udp(100).ttl(1).piece(64, 32)).out(&[]),
                super::super::case::says(1, echo(3, 1).ttl(1)).out(&[]),
                super::super::case::says(1, echo(8, 1).ttl(1)).out(&["br1 G1>A 11/0 about=A>X:8/0#7"]),
                forge(A, between(v4(0, 0, 0, 0), X.v4()), &udp(5).ttl(1)).out(&[]),
            ],
        },
        Case {
            why: "N55: broadcasts and groups stay where they are",
            talks: vec![],
            steps: vec![
                forge(A, between(A.v4(), v4(255, 255, 255, 255)), &udp(5)).out(&[]),
                forge(A, between(A.v4(), v4(10, 1, 0, 255)), &udp(5)).out(&[]),
                forge(A, between(A.v4(), v4(192, 0, 2, 255)), &udp(5)).out(&[]),
                forge(A, between(A.v4(), v4(224, 0, 0, 251)), &udp(5)).out(&[]),
                forge(A, between(A.v4(), v4(239, 1, 2, 3)), &udp(5)).out(&[]),
                forge(A, between(A.v4(), v4(169, 254, 3, 4)), &udp(5)).out(&["out Ext:1000>169.254.3.4:53"]),
            ],
        },
        Case {
            why: "N10: a header that is not sound",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![say(udp(5).damaged(Damage::Header)).out(&[]).flows(&[])],
        },
    ]
}

fn pieces() -> Vec<Case> {
    let talk = || vec![udp_talk(A, 1000, X, 53)];
    let first = |shape: super::super::craft::Shape| say(shape.piece(0, 480));
    vec![
        Case {
            why: "N50: pieces in order are translated once, and leave as they came",
            talks: talk(),
            steps: vec![
                first(udp(1000)).out(&[]).flows(&[]),
                say(udp(1000).piece(480, 480)).out(&[]).flows(&[]),
                say(udp(1000).piece(960, 480))
                    .out(&["out Ext:1000>X:53 frag=0+480", "out frag=480+480", "out frag=960+48 last"])
                    .flows(&["udp 30 UNREPLIED"]),
            ],
        },
        Case {
            why: "N50: in any order",
            talks: talk(),
            steps: vec![
                say(udp(1000).id(9).piece(960, 480)).out(&[]),
                say(udp(1000).id(9).piece(0, 480)).out(&[]),
                say(udp(1000).id(9).piece(480, 480)).out(&[
                    "out Ext:1000>X:53 frag=0+480",
                    "out frag=480+480",
                    "out frag=960+48 last",
                ]),
            ],
        },
        Case {
            why: "N50: the largest piece decides",
            talks: talk(),
            steps: vec![
                say(udp(1000).id(10).piece(0, 104)).out(&[]),
                say(udp(1000).id(10).piece(104, 600)).out(&[]),
                say(udp(1000).id(10).piece(704, 480)),
            ],
        },
        Case {
            why: "N50: pieces that overlap are all lost",
            talks: talk(),
            steps: vec![
                say(udp(1000).id(11).piece(0, 480)).out(&[]),
                say(udp(1000).id(11).piece(472, 480)).out(&[]),
                say(udp(1000).id(11).piece(480, 480)).out(&[]),
                say(udp(1000).id(11).piece(960, 480)).out(&[]).flows(&[]),
            ],
        },
        Case {
            why: "N50: the same piece twice",
            talks: talk(),
            steps: vec![
                say(udp(1000).id(12).piece(0, 480)).out(&[]),
                say(udp(1000).id(12).piece(0, 480)).out(&[]),
                say(udp(1000).id(12).piece(480, 480)).out(&[]),
                say(udp(1000).id(12).piece(960, 480)),
            ],
        },
        Case {
            why: "N51: pieces that must not be cut smaller",
            talks: vec![udp_talk(X, 1000, Ext, 5354)],
            steps: vec![
                say(udp(2500).id(13).df().piece(0, 1480)).out(&[]),
                say(udp(2500).id(13).df().piece(1480, 1480)).out(&["out Ext>X 3/4 rest=0x578"]),
            ],
        },
        Case {
            why: "N51: pieces that must not be cut smaller, and need not be",
            talks: talk(),
            steps: vec![
                say(udp(1000).id(14).df().piece(0, 480)).out(&[]),
                say(udp(1000).id(14).df().piece(480, 1000)),
            ],
        },
        Case {
            why: "N50: pieces cut smaller for the way out",
            talks: vec![udp_talk(X, 1000, Ext, 5354)],
            steps: vec![
                say(udp(2500).id(15).piece(0, 1480)).out(&[]),
                say(udp(2500).id(15).piece(1480, 1480)).out(&["br2 X:1000>D:53 more", "br2 X>D last"]),
            ],
        },
        Case {
            why: "N56: pieces of a ping to the gateway",
            talks: vec![other_talk(1, A, 7, G1)],
            steps: vec![
                say(echo(8, 1).id(16).piece(0, 16)).out(&[]),
                say(echo(8, 1).id(16).piece(16, 480)).out(&["br1 G1>A:0/0#7"]),
            ],
        },
        Case {
            why: "N50: a first piece too short for its header",
            talks: vec![tcp_talk(A, 1000, X, 80)],
            steps: vec![
                say(tcp("S", 1, 0).id(17).piece(0, 8)).out(&[]),
                say(tcp("S", 1, 0).id(17).piece(8, 480)),
            ],
        },
    ]
}

fn martians() -> Case {
    let sources: [(Ipv4Addr, bool); 8] = [
        (v4(127, 0, 0, 1), false),
        (v4(0, 0, 0, 0), false),
        (v4(0, 1, 2, 3), false),
        (v4(224, 0, 0, 5), false),
        (v4(255, 255, 255, 255), false),
        (Ext.v4(), false),
        (G1.v4(), false),
        (v4(240, 0, 0, 1), true),
    ];
    let mut steps: Vec<Step> = Vec::new();
    for (source, passes) in sources {
        let step = forge(X, between(source, Ext.v4()), &tcp("S", 1, 0));
        let _ = passes;
        steps.push(step);
    }
    // guests are not believed to be somebody else (rp_filter)
    steps.push(forge(A, between(X.v4(), v4(198, 51, 100, 9)), &udp(5)).out(&[]));
    steps.push(forge(A, between(D.v4(), X.v4()), &udp(5)).out(&[]));
    steps.push(forge(A, between(v4(10, 1, 0, 99), X.v4()), &udp(5)).out(&["out Ext:1000>X:53"]));
    for destination in [v4(0, 0, 0, 0), v4(0, 0, 0, 1), v4(127, 0, 0, 1), v4(240, 0, 0, 1)] {
        steps.push(forge(B, between(B.v4(), destination), &udp(5)));
    }
    Case { why: "N54: martians", talks: vec![], steps }
}

pub(super) fn of_ipv6() -> Vec<Case> {
    let talk = || vec![udp_talk(A, 1000, X, 53)];
    let cases = vec![
        Case {
            why: "N59, N9: what has come too far",
            talks: talk(),
            steps: vec![
                say(udp(5).ttl(1)).out(&["br1 G1>A 3/0 about=A:1000>X:53"]).flows(&[]),
                say(udp(5).ttl(2)).out(&["out Ext:1000>X:53 ttl=1"]),
                back(udp(5).ttl(1)).out(&["out Ext>X 3/0 about=X:53>Ext:1000"]),
            ],
        },
        Case {
            why: "N59, N52: too long for the way out",
            talks: vec![tcp_talk(X, 1000, Ext, 8081)],
            steps: vec![
                say(tcp("S", 1, 0)).out(&["br2 X:1000>D:80"]),
                say(tcp("S", 1, 0).data(1400)).out(&["out Ext>X 2/0 rest=0x578 about=X:1000>Ext:8081"]),
                say(tcp("S", 1, 0).data(1340)).out(&["br2 X:1000>D:80 len=1340"]),
                say(tcp("S", 1, 0).data(1341)).out(&["out Ext>X 2/0"]),
            ],
        },
        Case {
            why: "N51: pieces in any order leave as they came",
            talks: talk(),
            steps: vec![
                say(udp(2000).id(20).piece(1400, 1400)).out(&[]),
                say(udp(2000).id(20).piece(0, 1400))
                    .out(&["out Ext:1000>X:53 frag=0+1400", "out frag=1400+608 last"])
                    .flows(&["udp 30 UNREPLIED"]),
            ],
        },
        Case {
            why: "N51: small pieces",
            talks: talk(),
            steps: vec![
                say(udp(1000).id(21).piece(0, 480)).out(&[]),
                say(udp(1000).id(21).piece(480, 480)).out(&[]),
                say(udp(1000).id(21).piece(960, 480)),
            ],
        },
        Case {
            why: "N51: pieces that overlap are all lost",
            talks: talk(),
            steps: vec![
                say(udp(1000).id(22).piece(0, 480)).out(&[]),
                say(udp(1000).id(22).piece(472, 480)).out(&[]),
                say(udp(1000).id(22).piece(480, 480)).out(&[]),
                say(udp(1000).id(22).piece(960, 480)).out(&[]).flows(&[]),
            ],
        },
        Case {
            why: "N51: pieces too long for the way out",
            talks: vec![udp_talk(X, 1000, Ext, 5354)],
            steps: vec![
                say(udp(2500).id(23).piece(0, 1448)).out(&[]),
                say(udp(2500).id(23).piece(1448, 1448)).out(&["out Ext>X 2/0 rest=0x578"]),
            ],
        },
        Case {
            why: "N57: an error is as long as a packet may be at least, and has no more than that",
            talks: talk(),
            steps: vec![say(udp(1400).ttl(1).tos(0xff)).out(&["br1 G1>A 3/0 len=1232"])],
        },
        Case {
            why: "N54: rp_filter, which IPv6 has from a rule",
            talks: vec![],
            steps: vec![
                forge(A, between(X.v6(), D.v6()), &udp(5)).out(&[]),
                forge(A, between(D.v6(), X.v6()), &udp(5)).out(&[]),
                forge(B, between(B.v6(), X.v6()), &udp(5)).out(&["out Ext:1000>X:53"]),
            ],
        },
    ];
    cases.into_iter().map(Case::of_ipv6).collect()
}
