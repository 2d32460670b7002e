//! Bridges that filter VLANs, beside the kernel's own: the same frames go in, and the same frames, tags and all, must
//! come out of the same ports.
//!
//! Many kernels are built without VLAN filtering, and then this says that it was skipped. `scripts/kernel-vlan`
//! runs it on one that has it, in a virtual machine. As in `tests/kernel_bridge.rs`, `VSWITCHD_KERNEL_FRAMES` says how
//! many actions to try, `VSWITCHD_SEED` where to begin.

mod kernel_common;

use kernel_common::compare::{list, random};
use kernel_common::rig::{Filtering, Known, Output, Rig, Vlan};
use kernel_common::{HOST, beside_the_kernel, skipped, station};
use vswitchd::bridge::StationKind;
use vswitchd::frame::PortId;
use vswitchd::sim::Stage;
use vswitchd::wire::mac::Mac;

/// 802.1Q and 802.1ad.
const Q: u16 = 0x8100;
const AD: u16 = 0x88a8;

fn beside_a_filtering_kernel(test: impl FnOnce(&mut Rig) + Send) {
    beside_the_kernel(|rig| match rig.can_filter().expect("a bridge can be asked") {
        true => test(rig),
        false => skipped("a kernel with CONFIG_BRIDGE_VLAN_FILTERING: scripts/kernel-vlan boots one"),
    });
}

/// The kernel that can filter need not be the one that `tests/kernel_bridge.rs` ran on.
#[test]
fn frames_go_where_this_kernel_sends_them_without_filtering() {
    beside_a_filtering_kernel(random::<Stage>);
}

/// So that what the numbers say is what the kernel does.
#[test]
fn the_kernel_behaves_as_its_numbers_say() {
    beside_a_filtering_kernel(|rig| {
        for Case { why, tpid, default_pvid, vlans, steps } in cases() {
            rig.reset(&[]).expect("a rig can be reset");
            rig.set_filtering(Some(Filtering { tpid, default_pvid })).expect("this kernel can filter");
            for (port, vlan) in vlans {
                assert!(rig.add_vlan(PortId(port), vlan), "{why}: port {port} into {vlan:?}");
            }
            for (at, step) in steps.into_iter().enumerate() {
                step.take(rig, &format!("{why}, step {at}"));
            }
        }
    });
}

/// A bridge, who is in which VLAN on it, and what happens then.
struct Case {
    why: &'static str,
    tpid: u16,
    default_pvid: u16,
    vlans: Vec<(u16, Vlan)>,
    steps: Vec<Step>,
}

/// Tags, the outer one first: TPID and TCI.
type Tags = &'static [(u16, u16)];

enum Step {
    /// A frame enters a port, and leaves so.
    Frame { port: u16, dst: Mac, src: Mac, tags: Tags, out: &'static [(u16, Tags)] },
    /// These stations are known.
    Known(Vec<(u8, u16, u16)>),
    /// A port is taken out of a VLAN.
    Leave(u16, u16),
    /// A port is put into a VLAN, which the kernel refuses.
    Refused(u16, Vlan),
    /// A port is in these VLANs.
    Vlans(u16, Vec<Vlan>),
}

impl Step {
    fn take(self, rig: &mut Rig, why: &str) {
        const IO: &str = "the kernel's side works";
        match self {
            Self::Frame { port, dst, src, tags, out } => {
                let got = rig.receive(PortId(port), &frame(dst, src, tags)).expect(IO);
                let wanted: Vec<Output> =
                    out.iter().map(|(port, tags)| (PortId(*port), frame(dst, src, tags))).collect();
                assert!(got == wanted, "{why}: {}, and should {}", list(&got), list(&wanted));
            }
            Self::Known(stations) => {
                let wanted: Vec<Known> = stations
                    .into_iter()
                    .map(|(n, vid, port)| Known {
                        mac: station(n),
                        vid,
                        port: PortId(port),
                        kind: StationKind::Learned,
                    })
                    .collect();
                assert_eq!(rig.stations().expect(IO), wanted, "{why}");
            }
            Self::Leave(port, vid) => assert!(rig.remove_vlan(PortId(port), vid), "{why}"),
            Self::Refused(port, vlan) => assert!(!rig.add_vlan(PortId(port), vlan), "{why}"),
            Self::Vlans(port, vlans) => assert_eq!(rig.vlans(PortId(port)).expect(IO), vlans, "{why}"),
        }
    }
}

fn cases() -> Vec<Case> {
    let all = Mac::BROADCAST;
    let broadcast = |port: u16, tags, out| Step::Frame { port, dst: all, src: source(port), tags, out };
    let to =
        |port: u16, n: u8, tags, out| Step::Frame { port, dst: station(n), src: source(port), tags, out };
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
                Step::Known(vec![(1, 1, 1)]),
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
                Step::Known(vec![(1, 10, 1), (2, 10, 2), (2, 20, 2), (3, 20, 3), (4, 10, 4)]),
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
                Step::Frame { port: 1, dst: HOST, src: station(1), tags: &[], out: &[(0, &[])] },
                Step::Frame { port: 2, dst: HOST, src: station(2), tags: &[], out: &[(3, &[])] },
            ],
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

fn source(port: u16) -> Mac {
    if port == 0 { HOST } else { station(u8::try_from(port).expect("few ports")) }
}

fn frame(dst: Mac, src: Mac, tags: &[(u16, u16)]) -> Vec<u8> {
    let mut bytes = [dst.0, src.0].concat();
    for (tpid, tci) in tags {
        bytes.extend(tpid.to_be_bytes());
        bytes.extend(tci.to_be_bytes());
    }
    bytes.extend([0x90, 0]);
    bytes.extend([0x42; 46]);
    bytes
}
