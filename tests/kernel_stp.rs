//! The spanning tree beside the kernel's own (B16, B80 to B82): joined to a loop the two must agree on what to block, and
//! told the same they must say the same.
//!
//! The kernel's timers go by the real time, so this takes seconds, and no test here minds how many. Not compared, because
//! vswitchd differs on purpose (see `src/bridge/stp/mod.rs`): whose address BPDUs have, and times out of their bounds.

#[path = "kernel_stp/cases.rs"]
mod cases;
mod kernel_common;
#[path = "kernel_stp/lab.rs"]
mod lab;

use std::time::Duration;

use kernel_common::rig::{Rig, in_new_namespace};
use kernel_common::{BRIDGE, HOST, PORTS, beside_the_kernel, frame, station};
use lab::{Lab, Side};
use vswitchd::bridge::{PortState, StpConfig, StpMode};
use vswitchd::frame::PortId;
use vswitchd::wire::bpdu::BridgeId;
use vswitchd::wire::mac::Mac;

const OURS: Mac = Mac([2, 0, 0, 0, 0, 0xdd]);
/// The two ports that are joined to the other side's.
const CABLES: [u16; 2] = [1, 2];

#[test]
fn stp_and_the_kernel_open_a_loop_when_the_kernel_is_root() {
    beside_the_kernel(|rig| open_a_loop(rig, StpMode::Stp, false));
}

#[test]
fn stp_and_the_kernel_open_a_loop_when_we_are_root() {
    beside_the_kernel(|rig| open_a_loop(rig, StpMode::Stp, true));
}

#[test]
fn rstp_and_the_kernel_open_a_loop_when_the_kernel_is_root() {
    beside_the_kernel(|rig| open_a_loop(rig, StpMode::Rstp, false));
}

#[test]
fn rstp_and_the_kernel_open_a_loop_when_we_are_root() {
    beside_the_kernel(|rig| open_a_loop(rig, StpMode::Rstp, true));
}

fn quick(mode: StpMode, priority: u16) -> StpConfig {
    StpConfig {
        mode,
        priority,
        hello: Duration::from_secs(1),
        max_age: Duration::from_secs(6),
        forward_delay: Duration::from_secs(2),
    }
}

fn open_a_loop(rig: &mut Rig, mode: StpMode, we: bool) {
    let (kernel, ours) = if we { (0x8000, 0x1000) } else { (0x1000, 0x8000) };
    let mut lab = Lab::new(rig, quick(StpMode::Stp, kernel), (OURS, quick(mode, ours)), &CABLES);
    let root = BridgeId { priority: 0x1000, mac: if we { OURS } else { HOST } };
    // the kernel's tree is the first
    let loser = usize::from(!we);
    // which end blocks is part of it: one that is still to listen makes three that forward, too, but only for a moment
    let opened = |lab: &mut Lab<'_>, blocking: usize, forwarding: usize| {
        let ends = (lab.ends(PortState::Blocking), lab.ends(PortState::Forwarding));
        let trees = lab.trees();
        let tree = &trees[loser];
        // of equal ways, the lower port of the root's; a TAP costs 2 (B80)
        let way = if blocking == 1 { 1 } else { 2 };
        ends == (blocking, forwarding)
            && (tree.root_port, tree.cost) == (Some(PortId(way)), 2)
            && (blocking == 0 || tree.states[1] == PortState::Blocking)
            && trees.iter().all(|tree| {
                tree.root == root && tree.states[2..].iter().all(|state| *state == PortState::Forwarding)
            })
    };
    lab.until("one end of four blocking, and it is the other's second", |lab| opened(lab, 1, 3));
    both_ways(&mut lab);
    lab.set_up(PortId(1), false);
    lab.until("the other way used", |lab| opened(lab, 0, 2));
    both_ways(&mut lab);
    lab.set_up(PortId(1), true);
    lab.until("the loop open again", |lab| opened(lab, 1, 3));
    both_ways(&mut lab);
}

/// A broadcast on either side reaches every other port of both once. On a machine that is busy a BPDU may come late, and a
/// tree that has settled grow anew for a moment: so it is tried until it holds.
fn both_ways(lab: &mut Lab<'_>) {
    lab.until("broadcasts that reach everybody once", |lab| {
        [(1, Side::Kernel), (2, Side::Ours)].into_iter().all(|(n, side)| reaches_everybody(lab, side, n))
    });
}

fn reaches_everybody(lab: &mut Lab<'_>, side: Side, n: u8) -> bool {
    lab.heard.clear();
    let broadcast = frame(Mac::BROADCAST, station(n));
    lab.tell(side, PortId(3), &broadcast);
    let ports = || (3..=PORTS).map(PortId);
    [Side::Kernel, Side::Ours].into_iter().flat_map(|of| ports().map(move |port| (of, port))).all(
        |(of, port)| {
            let heard = lab.heard.iter().filter(|heard| **heard == (of, port, broadcast.clone())).count();
            heard == usize::from((of, port) != (side, PortId(3)))
        },
    )
}

/// What a port does with frames while it listens, learns and forwards.
#[test]
fn b16_only_who_learns_learns() {
    beside_the_kernel(|rig| {
        let config = quick(StpMode::Stp, 0x8000);
        let mut lab = Lab::new(rig, config, (HOST, config), &[]);
        let mut seen = [Vec::new(), Vec::new()];
        for n in 0.. {
            assert!(n < 200, "neither gets on: {seen:?}");
            lab.pass(Duration::from_millis(100));
            let src = Mac([2, 0, 0, 0, 1, n]);
            let before = lab.trees();
            for (at, side) in [Side::Kernel, Side::Ours].into_iter().enumerate() {
                lab.heard.clear();
                lab.tell(side, PortId(1), &frame(Mac::BROADCAST, src));
                let known = match side {
                    Side::Kernel => lab.rig.stations().expect("a dump").iter().any(|known| known.mac == src),
                    Side::Ours => {
                        let known = lab.stage.fabric.stations(BRIDGE, lab.stage.now);
                        known.iter().any(|(known, _)| known.mac == src)
                    }
                };
                let heard =
                    lab.heard.iter().filter(|(of, _, bytes)| *of == side && bytes[6..12] == src.0).count();
                let (old, new) = (before[at].states[0], lab.trees()[at].states[0]);
                let all = before[at].states == lab.trees()[at].states;
                if old == new && all {
                    let (learns, forwards) = match old {
                        PortState::Forwarding => (true, true),
                        PortState::Learning => (true, false),
                        _ => (false, false),
                    };
                    let text = format!("B16: {side:?} {old:?}");
                    assert_eq!((known, heard > 0), (learns, forwards), "{text}");
                    if !seen[at].contains(&old) {
                        seen[at].push(old);
                    }
                }
            }
            if seen.iter().all(|seen| seen.contains(&PortState::Forwarding)) {
                break;
            }
        }
        assert_eq!(seen[0], [PortState::Listening, PortState::Learning, PortState::Forwarding], "B80");
        assert_eq!(seen[0], seen[1], "B80: as the kernel's");
    });
}

/// Each has a namespace of its own, and all happen at once, for they take seconds.
#[test]
fn b81_chosen_bpdus_are_answered_as_the_kernel_answers_them() {
    beside_the_kernel(|_| {
        std::thread::scope(|scope| {
            for case in cases::cases() {
                scope.spawn(move || {
                    let done = in_new_namespace(|| {
                        let mut rig = Rig::new(PORTS, HOST).expect("a bridge and TAPs");
                        case.hold(&mut rig);
                    });
                    assert!(done, "who may make one namespace may make another");
                });
            }
        });
    });
}
