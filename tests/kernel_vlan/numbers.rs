//! What the numbered behaviours say about VLANs, frame by frame.

use super::case::{Case, Step, Tags};
use super::kernel_common::rig::Known;
use super::kernel_common::vlans::Vlan;
use super::kernel_common::{HOST, station};
use vswitchd::bridge::StationKind;
use vswitchd::frame::PortId;
use vswitchd::wire::mac::Mac;

/// 802.1Q and 802.1ad.
const Q: u16 = 0x8100;
const AD: u16 = 0x88a8;

pub(crate) fn cases() -> Vec<Case> {
    let all = Mac::BROADCAST;
    let frame = |port, dst, src, tags, out| Step::Frame { port, dst, src, tags, payload: 46, out };
    let broadcast = |port, tags, out| frame(port, all, source(port), tags, out);
    let to = |port, n, tags, out| frame(port, station(n), source(port), tags, out);
    let long =
        |port, tags, payload, out| Step::Frame { port, dst: all, src: source(port), tags, payload, out };
    vec![
        Case {
            why: "B51: every port and the host is in the default VLAN, untagged",
            tpid: Q,
            default_pvid: 1,
            vlans: vec![],
            steps: vec![
                Step::Vlans(0, vec![access(1)]),
                Step::Vlans(3, vec![access(1)]),
                broadcast(1, &[], &[(0, &[]), (2, &[]), (3, &[]), (4, &[]), (5, &[])]),
                Step::Known(vec![learned(1, 1, 1)]),
            ],
        },
        Case {
            why: "B52, B54, B55: an access port, a trunk, and a port of another VLAN",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(0, tagged(10)), (1, access(10)), (2, tagged(10)), (2, access(20)), (3, access(20))],
            steps: vec![
                broadcast(1, &[], &[(0, &[(Q, 10)]), (2, &[(Q, 10)])]),
                broadcast(1, &[(Q, 10)], &[(0, &[(Q, 10)]), (2, &[(Q, 10)])]),
                broadcast(1, &[(Q, 20)], &[]),
                broadcast(2, &[(Q, 10)], &[(0, &[(Q, 10)]), (1, &[])]),
                broadcast(2, &[], &[(3, &[])]),
                broadcast(4, &[], &[]),
                broadcast(0, &[], &[]),
                broadcast(0, &[(Q, 10)], &[(1, &[]), (2, &[(Q, 10)])]),
                Step::Leave(1, 10),
                broadcast(1, &[], &[]),
            ],
        },
        Case {
            why: "B53: a priority is kept as long as there is a tag",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, access(10)), (2, tagged(10)), (3, access(10))],
            steps: vec![
                broadcast(1, &[(Q, 0xb000)], &[(2, &[(Q, 0xb00a)]), (3, &[])]),
                broadcast(2, &[(Q, 0xf00a)], &[(1, &[]), (3, &[])]),
                broadcast(2, &[(Q, 0xe000)], &[]),
            ],
        },
        Case {
            why: "B54: one VLAN for untagged frames; another replaces it",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, access(10)), (1, access(20)), (2, tagged(10)), (3, tagged(20))],
            steps: vec![
                Step::Vlans(1, vec![Vlan { vid: 10, pvid: false, untagged: true }, access(20)]),
                broadcast(1, &[], &[(3, &[(Q, 20)])]),
                broadcast(2, &[(Q, 10)], &[(1, &[])]),
            ],
        },
        Case {
            why: "B56: no VLAN 0, no VLAN 4095",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, tagged(4094))],
            steps: vec![
                Step::Refused(1, tagged(0)),
                Step::Refused(1, tagged(4095)),
                broadcast(1, &[(Q, 4095)], &[]),
                Step::Vlans(1, vec![tagged(4094)]),
            ],
        },
        Case {
            why: "B57: the other kind of tag is payload",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, access(10)), (2, tagged(10)), (3, access(10))],
            steps: vec![
                broadcast(1, &[(AD, 20)], &[(2, &[(Q, 10), (AD, 20)]), (3, &[(AD, 20)])]),
                broadcast(2, &[(Q, 10), (AD, 20)], &[(1, &[(AD, 20)]), (3, &[(AD, 20)])]),
                broadcast(2, &[(Q, 10), (Q, 20)], &[(1, &[(Q, 20)]), (3, &[(Q, 20)])]),
            ],
        },
        Case {
            why: "B57: a service bridge carries customers' tags",
            tpid: AD,
            default_pvid: 0,
            vlans: vec![(1, access(10)), (2, tagged(10)), (3, access(10))],
            steps: vec![
                broadcast(1, &[(Q, 20)], &[(2, &[(AD, 10), (Q, 20)]), (3, &[(Q, 20)])]),
                broadcast(2, &[(AD, 10), (Q, 20)], &[(1, &[(Q, 20)]), (3, &[(Q, 20)])]),
                broadcast(2, &[(Q, 10)], &[]),
            ],
        },
        Case {
            why: "B58, B59: a station is known in one VLAN and not in another",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, access(10)), (2, tagged(10)), (2, tagged(20)), (3, access(20)), (4, access(10))],
            steps: vec![
                broadcast(1, &[], &[(2, &[(Q, 10)]), (4, &[])]),
                to(2, 1, &[(Q, 10)], &[(1, &[])]),
                to(2, 1, &[(Q, 20)], &[(3, &[])]),
                to(3, 2, &[], &[(2, &[(Q, 20)])]),
                to(4, 2, &[], &[(2, &[(Q, 10)])]),
                Step::Known(vec![
                    learned(1, 10, 1),
                    learned(2, 10, 2),
                    learned(2, 20, 2),
                    learned(3, 20, 3),
                    learned(4, 10, 4),
                ]),
            ],
        },
        Case {
            why: "B40: the host hears of its own VLANs only, and is reached by its address only there",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(0, access(10)), (1, access(10)), (2, access(20)), (3, access(20))],
            steps: vec![
                broadcast(1, &[], &[(0, &[])]),
                broadcast(2, &[], &[(3, &[])]),
                frame(1, HOST, station(1), &[], &[(0, &[])]),
                frame(2, HOST, station(2), &[], &[(3, &[])]),
            ],
        },
        Case {
            why: "B8: the host's address is its own where the host is, and anybody's elsewhere",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(0, access(10)), (1, access(10)), (2, access(20)), (3, access(20))],
            steps: vec![
                frame(1, all, HOST, &[], &[(0, &[])]),
                Step::Known(vec![]),
                frame(2, all, HOST, &[], &[(3, &[])]),
                Step::Known(vec![Known { mac: HOST, ..learned(0, 20, 2) }]),
            ],
        },
        Case {
            why: "B41: the host's own frames are put into a VLAN like anybody's",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(0, access(10)), (0, tagged(20)), (1, access(10)), (2, tagged(10)), (3, access(20))],
            steps: vec![
                broadcast(0, &[], &[(1, &[]), (2, &[(Q, 10)])]),
                broadcast(0, &[(Q, 0xa000)], &[(1, &[]), (2, &[(Q, 0xa00a)])]),
                broadcast(0, &[(AD, 20)], &[(1, &[(AD, 20)]), (2, &[(Q, 10), (AD, 20)])]),
                broadcast(0, &[(Q, 20)], &[(3, &[])]),
                broadcast(0, &[(Q, 30)], &[]),
                broadcast(3, &[], &[(0, &[(Q, 20)])]),
            ],
        },
        Case {
            why: "B6, B58: a station that was set moves in one VLAN and stays in the other",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, tagged(10)), (1, tagged(20)), (2, tagged(10)), (2, tagged(20))],
            steps: vec![
                Step::Set(1, 2, None),
                broadcast(2, &[(Q, 10)], &[(1, &[(Q, 10)])]),
                Step::Known(vec![set(2, 0, 1), set(2, 10, 2), set(2, 20, 1)]),
            ],
        },
        Case {
            why: "B47: the tag that names the VLAN does not count, any other does",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, access(10)), (1, tagged(20)), (2, tagged(10)), (3, access(10)), (2, tagged(20))],
            steps: vec![
                long(1, &[], 1504, &[(2, &[(Q, 10)]), (3, &[])]),
                long(1, &[], 1505, &[]),
                long(1, &[(Q, 20)], 1504, &[(2, &[(Q, 20)])]),
                long(1, &[(Q, 20)], 1505, &[]),
                long(1, &[(Q, 0)], 1504, &[(2, &[(Q, 10)]), (3, &[])]),
                long(1, &[(Q, 0)], 1505, &[]),
                long(1, &[(AD, 20)], 1500, &[(2, &[(Q, 10), (AD, 20)]), (3, &[(AD, 20)])]),
                long(1, &[(AD, 20)], 1501, &[]),
                long(1, &[(Q, 10), (Q, 20)], 1500, &[(2, &[(Q, 10), (Q, 20)]), (3, &[(Q, 20)])]),
                long(1, &[(Q, 10), (Q, 20)], 1501, &[]),
            ],
        },
        Case {
            why: "B54: put in again without it, a port has no VLAN for untagged frames",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, access(10)), (2, tagged(10))],
            steps: vec![
                Step::Join(1, tagged(10)),
                Step::Vlans(1, vec![tagged(10)]),
                broadcast(1, &[], &[]),
                broadcast(1, &[(Q, 10)], &[(2, &[(Q, 10)])]),
            ],
        },
        Case {
            why: "B58: a station set in every VLAN, and in one",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, access(10)), (1, tagged(20)), (2, tagged(10)), (2, tagged(20)), (3, access(20))],
            steps: vec![
                Step::Set(1, 9, None),
                Step::Known(vec![set(9, 0, 1), set(9, 10, 1), set(9, 20, 1)]),
                to(2, 9, &[(Q, 20)], &[(1, &[(Q, 20)])]),
                Step::Unset(1, 9, None),
                Step::Known(vec![learned(2, 20, 2)]),
                Step::Set(1, 9, Some(20)),
                Step::Known(vec![learned(2, 20, 2), set(9, 20, 1)]),
                to(2, 9, &[(Q, 10)], &[(1, &[])]),
                to(3, 9, &[], &[(1, &[(Q, 20)])]),
            ],
        },
        Case {
            why: "B61: a port that leaves a VLAN forgets what it learned there, but not what was set",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(1, access(10)), (1, tagged(20)), (2, tagged(10)), (2, tagged(20))],
            steps: vec![
                Step::Set(1, 9, None),
                broadcast(1, &[], &[(2, &[(Q, 10)])]),
                broadcast(1, &[(Q, 20)], &[(2, &[(Q, 20)])]),
                Step::Leave(1, 20),
                Step::Known(vec![learned(1, 10, 1), set(9, 0, 1), set(9, 10, 1), set(9, 20, 1)]),
            ],
        },
        Case {
            why: "B51: another default VLAN takes the place of the one before where that was left as it was",
            tpid: Q,
            default_pvid: 1,
            vlans: vec![(2, tagged(1)), (3, access(30)), (4, tagged(40))],
            steps: vec![
                Step::DefaultPvid(5),
                Step::Vlans(1, vec![access(5)]),
                Step::Vlans(2, vec![tagged(1)]),
                Step::Vlans(3, vec![Vlan { pvid: false, ..access(1) }, access(30)]),
                Step::Vlans(4, vec![access(5), tagged(40)]),
                Step::DefaultPvid(0),
                Step::Vlans(0, vec![]),
                Step::Vlans(1, vec![]),
            ],
        },
        Case {
            why: "B22, B34, B36: link-local groups, in a VLAN and outside of all",
            tpid: Q,
            default_pvid: 0,
            vlans: vec![(0, access(10)), (1, access(10)), (2, tagged(10)), (1, tagged(20))],
            steps: vec![
                frame(1, group(0), station(1), &[], &[(0, &[]), (2, &[(Q, 10)])]),
                frame(2, group(0), station(2), &[], &[]),
                frame(2, group(14), station(3), &[], &[]),
                frame(1, group(14), station(4), &[(Q, 20)], &[]),
                Step::Known(vec![learned(1, 10, 1), learned(4, 20, 1)]),
            ],
        },
        Case {
            why: "B39: a service bridge lets its customers' groups through",
            tpid: AD,
            default_pvid: 0,
            vlans: vec![(0, access(10)), (1, access(10)), (2, access(10))],
            steps: (0..=15)
                .map(|n| {
                    let out: &[(u16, Tags)] = match n {
                        0 | 11 | 12 | 13 | 15 => &[(0, &[]), (2, &[])],
                        _ => &[],
                    };
                    frame(1, group(n), station(1), &[], out)
                })
                .collect(),
        },
    ]
}

/// Untagged frames belong to it, and leave untagged.
const fn access(vid: u16) -> Vlan {
    Vlan { vid, pvid: true, untagged: true }
}

const fn tagged(vid: u16) -> Vlan {
    Vlan { vid, pvid: false, untagged: false }
}

const fn learned(n: u8, vid: u16, port: u16) -> Known {
    Known { mac: station(n), vid, port: PortId(port), kind: StationKind::Learned }
}

const fn set(n: u8, vid: u16, port: u16) -> Known {
    Known { kind: StationKind::Static, ..learned(n, vid, port) }
}

/// The link-local group 01-80-C2-00-00-0n.
const fn group(n: u8) -> Mac {
    Mac([0x01, 0x80, 0xc2, 0, 0, n])
}

fn source(port: u16) -> Mac {
    if port == 0 { HOST } else { station(u8::try_from(port).expect("few ports")) }
}
