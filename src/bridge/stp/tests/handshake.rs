//! Proposal, sync and agreement: what makes RSTP rapid, and what keeps it from closing a loop.

use super::*;
use crate::bridge::stp::PortState::{Blocking, Forwarding};

const ROOT: BridgeId = id(0, 1);
const US: BridgeId = id(0x8000, 9);

fn flags(role: SenderRole, agreement: bool) -> RapidFlags {
    RapidFlags { role, agreement, ..RapidFlags::default() }
}

fn proposal() -> RapidFlags {
    RapidFlags { proposal: true, ..designated() }
}

/// We are root; behind B is a bridge that has agreed, behind C a host.
fn settled() -> Bench {
    let leg = StpLegConfig::default();
    let mut bench = Bench::new(StpMode::Rstp, &[leg, leg, StpLegConfig { edge: EdgePort::Yes, ..leg }]);
    bench.hear(A, Bpdu::Rapid(word(US, 2, id(0xf000, 2)), flags(SenderRole::Root, true)));
    bench.hear(B, Bpdu::Rapid(word(US, 2, id(0xf000, 3)), flags(SenderRole::Root, true)));
    assert_eq!(bench.states(), [Forwarding; 3], "agreed to");
    bench.pass(2500 * MILLISECOND);
    bench.take();
    bench
}

#[test]
fn who_is_asked_stops_the_others_and_agrees() {
    let mut bench = settled();
    bench.hear(A, Bpdu::Rapid(word(ROOT, 0, ROOT), proposal()));
    assert_eq!(
        bench.states(),
        [Forwarding, Blocking, Forwarding],
        "B has not agreed to that root; hosts do not blink"
    );
    let events = bench.take();
    let agreed = |event: &Event| match event {
        Event::Send(leg, Bpdu::Rapid(said, flags)) => {
            *leg == A && flags.agreement && flags.role == SenderRole::Root && said.root == ROOT
        }
        _ => false,
    };
    let asks = |event: &Event| matches!(event, Event::Send(leg, Bpdu::Rapid(_, flags)) if *leg == B && flags.proposal);
    assert!(events.iter().any(agreed), "inwards, at once: {events:?}");
    assert!(events.iter().any(asks), "and the cut travels outwards: {events:?}");
    bench.hear(B, Bpdu::Rapid(word(ROOT, 4, id(0xf000, 3)), flags(SenderRole::Root, true)));
    assert_eq!(bench.states(), [Forwarding; 3]);

    bench.hear(A, Bpdu::Rapid(word(ROOT, 0, ROOT), proposal()));
    assert_eq!(bench.states(), [Forwarding; 3], "asked again, nobody has to stop");
    assert!(bench.take().iter().any(agreed), "but the answer is given again, should it have been lost");
}

#[test]
fn who_is_not_asked_neither_stops_nor_agrees() {
    let mut bench = settled();
    bench.hear(A, Bpdu::Rapid(word(ROOT, 0, ROOT), designated()));
    assert_eq!(bench.states(), [Forwarding; 3]);
    let agreed = |bpdu: &Bpdu| matches!(bpdu, Bpdu::Rapid(_, flags) if flags.agreement);
    assert!(!bench.sent(A).iter().any(agreed), "B is not in order");
    bench.hear(B, Bpdu::Rapid(word(ROOT, 4, id(0xf000, 3)), flags(SenderRole::Root, true)));
    assert!(bench.sent(A).iter().any(agreed), "now it is, and that is news");
}

#[test]
fn an_alternate_port_agrees_too() {
    let mut bench = settled();
    bench.hear(A, Bpdu::Rapid(word(ROOT, 0, ROOT), proposal()));
    bench.take();
    bench.hear(B, Bpdu::Rapid(word(ROOT, 1, id(0x8000, 3)), proposal()));
    let role = bench.stp.leg_summary(B).map(|leg| leg.role);
    assert_eq!((role, bench.stp.state(B)), (Some(PortRole::Alternate), Blocking));
    let agreed = |bpdu: &Bpdu| matches!(bpdu, Bpdu::Rapid(_, flags) if flags.agreement && flags.role == SenderRole::Alternate);
    assert!(bench.sent(B).iter().any(agreed), "their port may forward: ours does not");
}

#[test]
fn whose_agreement_counts() {
    let table = [
        (word(US, 2, id(0xf000, 2)), flags(SenderRole::Root, true), true, "a root port"),
        (word(US, 2, id(0xf000, 2)), flags(SenderRole::Alternate, true), true, "an alternate port"),
        (word(US, 2, id(0xf000, 2)), flags(SenderRole::Root, false), false, "it does not agree"),
        (word(US, 2, id(0xf000, 2)), flags(SenderRole::Unknown, true), false, "nobody sends that"),
        (
            word(US, 2, id(0xf000, 2)),
            flags(SenderRole::Designated, true),
            false,
            "who claims to be designated",
        ),
        (
            word(id(0x9000, 1), 2, id(0xf000, 2)),
            flags(SenderRole::Root, true),
            false,
            "it agrees to another root",
        ),
        (word(ROOT, 2, id(0xf000, 2)), flags(SenderRole::Root, true), false, "it knows better"),
    ];
    for (configuration, flags, counts, why) in table {
        let mut bench = Bench::new(StpMode::Rstp, &[StpLegConfig::default()]);
        bench.hear(A, Bpdu::Rapid(configuration, flags));
        assert_eq!(bench.states() == [Forwarding], counts, "{why}");
    }
}

#[test]
fn an_agreement_is_about_one_root() {
    let mut bench = settled();
    bench.hear(A, Bpdu::Rapid(word(ROOT, 5, id(0x8000, 2)), proposal()));
    bench.hear(B, Bpdu::Rapid(word(ROOT, 9, id(0xf000, 3)), flags(SenderRole::Root, true)));
    assert_eq!(bench.states(), [Forwarding; 3]);
    bench.hear(A, Bpdu::Rapid(word(ROOT, 4, id(0x8000, 2)), proposal()));
    assert_eq!(bench.states(), [Forwarding; 3], "nearer to the same root: who agreed does not mind");
    bench.hear(A, Bpdu::Rapid(word(ROOT, 6, id(0x8000, 2)), proposal()));
    assert_eq!(bench.states(), [Forwarding, Blocking, Forwarding], "farther: they may know a better way now");
    bench.hear(B, Bpdu::Rapid(word(ROOT, 9, id(0xf000, 3)), flags(SenderRole::Root, true)));
    assert_eq!(bench.states(), [Forwarding; 3]);
    bench.hear(A, Bpdu::Rapid(word(id(0, 0), 6, id(0x8000, 2)), proposal()));
    assert_eq!(
        bench.states(),
        [Forwarding, Blocking, Forwarding],
        "a better root, which may be a ghost: ask again"
    );
}

#[test]
fn who_is_not_heard_stops() {
    let mut bench = settled();
    let claim = word(id(0x9000, 3), 0, id(0x9000, 3));
    bench.hear(B, Bpdu::Rapid(claim, designated()));
    assert_eq!(bench.stp.state(B), Forwarding, "they will know in a moment");
    bench.hear(B, Bpdu::Rapid(claim, RapidFlags { learning: true, ..designated() }));
    assert_eq!(bench.stp.state(B), Blocking, "they forward, so they do not hear us");
}

#[test]
fn a_new_root_port_stops_the_old_one_first() {
    let mut bench = settled();
    bench.hear(A, Bpdu::Rapid(word(ROOT, 9, id(0x8000, 2)), proposal()));
    bench.hear(B, Bpdu::Rapid(word(ROOT, 1, id(0x8000, 3)), designated()));
    let summary = bench.stp.summary(bench.now);
    assert_eq!((summary.root_port, bench.states()), (Some(B), vec![Blocking, Forwarding, Forwarding]));
    let states = |event: &Event| matches!(event, Event::State(..));
    let order: Vec<_> = bench.take().into_iter().filter(states).rev().take(2).collect();
    assert_eq!(order, [Event::State(B, Forwarding), Event::State(A, Blocking)], "last first");
}

#[test]
fn a_backup_port_does_not_take_over_at_once() {
    let leg = StpLegConfig { point_to_point: false, edge: EdgePort::No, ..StpLegConfig::default() };
    let mut bench = Bench::new(StpMode::Rstp, &[leg; 2]);
    // both legs are on one segment
    let own = Configuration { port: StpPortId::new(32, 1), ..word(US, 0, US) };
    bench.hear(B, Bpdu::Rapid(own, designated()));
    assert_eq!(bench.stp.leg_summary(B).map(|leg| leg.role), Some(PortRole::Backup));
    bench.hear(B, Bpdu::Rapid(word(ROOT, 0, ROOT), designated()));
    assert_eq!(bench.stp.leg_summary(B).map(|leg| leg.role), Some(PortRole::Root));
    assert_eq!(bench.stp.state(B), Blocking, "the leg it was backup for may not know yet");
    bench.pass(4 * SECOND);
    assert_eq!(bench.stp.state(B), Forwarding, "two hellos later it does");
}

#[test]
fn a_better_root_joins_a_running_chain() {
    let mut network = Network::default();
    for n in 1..=6 {
        network.add(config(StpMode::Rstp), n);
    }
    for far in 1..6 {
        let wire = network.wire([far - 1, far], [2, 2], MILLISECOND);
        network.plug(wire, true);
    }
    network.run(20 * SECOND);
    network.assert_tree();
    let eager = network.add(StpConfig { priority: 0, ..config(StpMode::Rstp) }, 7);
    let wire = network.wire([5, eager], [2, 2], MILLISECOND);
    network.plug(wire, true);
    network.run(SECOND / 2);
    network.assert_tree();
    assert_eq!(network.bridges[0].summary(network.now).root_cost, 12, "the cut went through all six");
}
