//! E1 to E7: ICMP errors about flows.

use super::super::case::{
    Case, Step, back, complain, complain_so, echo, forge, other_talk, say, tcp, tcp_talk, udp, udp_talk,
};
use super::super::craft::{Damage, Ends, Shape, What, error as error_about, to_gateway};
use super::super::place::Who::{A, B, Ext, R, X, Y};
use super::super::talk::Action;

pub(super) fn of_ipv4() -> Vec<Case> {
    let mut cases = vec![
        Case {
            why: "E1, E3: an error from any router comes back as the sender knows the flow, and changes nothing (E2)",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(50)),
                complain(X, false, (3, 3), 0)
                    .out(&["br1 X>A 3/3 about=A:1000>X:53 sum=right ttl=59"])
                    .flows(&["udp 30 UNREPLIED"]),
                complain(R, false, (11, 0), 0).out(&["br1 R>A 11/0 about=A:1000>X:53"]),
                complain(Y, false, (3, 4), 1400).out(&["br1 Y>A 3/4 rest=0x578"]),
                complain(X, false, (4, 0), 0).out(&["br1 X>A 4/0"]),
                complain(X, false, (12, 0), 0x1400_0000).out(&["br1 X>A 12/0"]),
                // redirects about what is translated are for nobody (E6)
                complain(R, false, (5, 1), 0xc000_02fe).out(&[]),
            ],
        },
        Case {
            why: "E4: an error from inside about what was masqueraded",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(5)),
                back(udp(5)),
                complain(A, true, (3, 3), 0).out(&["out Ext>X 3/3 about=X:53>Ext:1000 sum=right"]),
                complain(B, true, (3, 3), 0).out(&["out Ext>X 3/3 about=X:53>Ext:1000"]),
            ],
        },
        Case {
            why: "E4: an error from inside about what was published",
            talks: vec![udp_talk(X, 1000, Ext, 5353)],
            steps: vec![
                say(udp(5)).out(&["br1 X:1000>B:53"]),
                complain(B, false, (3, 3), 0).out(&["out Ext>X 3/3 about=X:1000>Ext:5353 sum=right"]),
                complain(A, false, (3, 1), 0).out(&["out Ext>X 3/1 about=X:1000>Ext:5353"]),
                back(udp(5)),
                complain(X, true, (3, 3), 0).out(&["br1 X>B 3/3 about=B:53>X:1000"]),
            ],
        },
        Case {
            why: "E3: quotes of any length",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: [548, 33, 28, 27, 24, 21, 20, 19, 8, 0]
                .map(|quote| (quote, Damage::None))
                .into_iter()
                .map(|(quote, damage)| complain_so(X, (3, 3), quote, damage))
                .fold(vec![say(udp(50))], |mut steps, step| {
                    steps.push(step);
                    steps
                }),
        },
        Case {
            why: "E5: a wrong checksum",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![say(udp(50)), complain_so(X, (3, 3), 548, Damage::Checksum).out(&[])],
        },
        Case {
            why: "E1: about TCP",
            talks: vec![tcp_talk(A, 1000, X, 80)],
            steps: vec![
                say(tcp("S", 1, 0)),
                complain(R, false, (3, 1), 0)
                    .out(&["br1 R>A 3/1 about=A:1000>X:80"])
                    .flows(&["tcp SYN_SENT 120"]),
                complain_so(R, (3, 1), 28, Damage::None).out(&["br1 R>A 3/1 about=A:1000>X:80"]),
            ],
        },
        Case {
            why: "E1: about a ping",
            talks: vec![other_talk(1, A, 7, X)],
            steps: vec![
                say(echo(8, 1)),
                complain(R, false, (11, 0), 0).out(&["br1 R>A 11/0 about=A>X:8/0#7 sum=right"]),
                back(echo(0, 1)),
                complain(A, true, (3, 1), 0).out(&["out Ext>X 3/1 about=X>Ext:0/0#7"]),
            ],
        },
        Case {
            why: "E1: about a protocol without ports",
            talks: vec![other_talk(99, A, 0, X)],
            steps: vec![
                say(Shape::new(What::Other(99, 9))),
                complain(R, false, (3, 2), 0).out(&["br1 R>A 3/2 about=A>X"]),
            ],
        },
    ];
    let about = Shape::new(What::Udp(20));
    let strange =
        Ends { source: Ext.v4().into(), source_port: 4, destination: X.v4().into(), destination_port: 5 };
    let error = |damage| error_about(X.v4().into(), (3, 3), 0, &about.packet(strange), 100, damage);
    let packet = error(Damage::None).expect("about something");
    let frame = to_gateway(X.wire(), X.mac(), &packet);
    let first = Shape::new(What::Udp(600)).piece(0, 480);
    let ends =
        Ends { source: Ext.v4().into(), source_port: 1000, destination: X.v4().into(), destination_port: 53 };
    let packet = error_about(X.v4().into(), (11, 1), 0, &first.packet(ends), 100, Damage::None);
    let packet = packet.expect("about something");
    cases.push(Case {
        why: "E3: about the first piece of a packet, of which the others never came",
        talks: vec![udp_talk(A, 1000, X, 53)],
        steps: vec![
            say(udp(600)),
            Step::new(Action::Frame(X.wire(), to_gateway(X.wire(), X.mac(), &packet)))
                .out(&["br1 X>A 11/1 about=A:1000>X:53"]),
        ],
    });
    cases.push(Case {
        why: "E7: about what nobody has said",
        talks: vec![],
        steps: vec![Step::new(Action::Frame(X.wire(), frame)).out(&[]).flows(&[]), forge(X, strange, &about)],
    });
    cases
}

pub(super) fn of_ipv6() -> Vec<Case> {
    let cases = vec![
        Case {
            why: "E1, E3, E6: an error from any router comes back as the sender knows the flow",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(50)),
                complain(X, false, (1, 4), 0)
                    .out(&["br1 X>A 1/4 about=A:1000>X:53 sum=right ttl=59"])
                    .flows(&["udp 30 UNREPLIED"]),
                complain(R, false, (3, 0), 0).out(&["br1 R>A 3/0 about=A:1000>X:53"]),
                complain(Y, false, (2, 0), 1400).out(&["br1 Y>A 2/0 rest=0x578 sum=right"]),
                complain(X, false, (4, 1), 6).out(&["br1 X>A 4/1"]),
                complain(R, false, (137, 0), 0),
            ],
        },
        Case {
            why: "E4: an error from inside",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![
                say(udp(5)),
                back(udp(5)),
                complain(A, true, (1, 4), 0).out(&["out Ext>X 1/4 about=X:53>Ext:1000 sum=right"]),
                complain(B, true, (1, 4), 0).out(&["out Ext>X 1/4 about=X:53>Ext:1000"]),
            ],
        },
        Case {
            why: "E4: an error from inside about what was published",
            talks: vec![udp_talk(X, 1000, Ext, 5353)],
            steps: vec![
                say(udp(5)).out(&["br1 X:1000>B:53"]),
                complain(B, false, (1, 4), 0).out(&["out Ext>X 1/4 about=X:1000>Ext:5353 sum=right"]),
                back(udp(5)),
                complain(X, true, (1, 4), 0).out(&["br1 X>B 1/4 about=B:53>X:1000"]),
            ],
        },
        Case {
            why: "E3: quotes of any length",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: [1200, 53, 48, 47, 44, 41, 40, 39, 8, 0]
                .map(|quote| complain_so(X, (1, 4), quote, Damage::None))
                .into_iter()
                .fold(vec![say(udp(50))], |mut steps, step| {
                    steps.push(step);
                    steps
                }),
        },
        Case {
            why: "E5: a wrong checksum",
            talks: vec![udp_talk(A, 1000, X, 53)],
            steps: vec![say(udp(50)), complain_so(X, (1, 4), 548, Damage::Checksum).out(&[])],
        },
    ];
    cases.into_iter().map(Case::of_ipv6).collect()
}
