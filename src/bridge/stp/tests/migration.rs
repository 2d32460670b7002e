//! RSTP beside STP: each port speaks what its neighbour understands.

use super::*;

#[test]
fn a_port_speaks_what_it_hears_after_three_seconds() {
    let mut bench = Bench::new(StpMode::Rstp, &[StpLegConfig::default(); 2]);
    let legacy = word(id(0xf000, 1), 0, id(0xf000, 1));
    let kinds = |bench: &mut Bench| {
        let rapid = |bpdu| matches!(bpdu, Bpdu::Rapid(..));
        bench.sent(A).into_iter().map(rapid).collect::<Vec<_>>()
    };
    bench.hear_config(A, legacy);
    bench.pass(2900 * MILLISECOND);
    assert!(kinds(&mut bench).iter().all(|rapid| *rapid), "17.24: first it insists");
    bench.pass(100 * MILLISECOND);
    bench.hear_config(A, legacy);
    assert!(bench.stp.leg_summary(A).is_some_and(|leg| !leg.rapid), "then it gives in");
    assert!(bench.stp.leg_summary(B).is_some_and(|leg| leg.rapid), "on that port only");
    bench.take();
    bench.pass(10 * SECOND);
    let sent = kinds(&mut bench);
    assert!(sent.len() >= 4 && sent.iter().all(|rapid| !rapid), "configurations: {sent:?}");
    bench.hear(A, Bpdu::Rapid(legacy, designated()));
    assert!(bench.stp.leg_summary(A).is_some_and(|leg| leg.rapid), "and back");
    bench.hear_config(A, legacy);
    assert!(bench.stp.leg_summary(A).is_some_and(|leg| leg.rapid), "but not to and fro");
}

#[test]
fn towards_stp_a_port_waits_as_stp_does() {
    let mut network = Network::default();
    network.add(config(StpMode::Rstp), 1);
    network.add(config(StpMode::Stp), 2);
    let wire = network.wire([0, 1], [2, 2], MILLISECOND);
    network.plug(wire, true);
    network.run(60 * SECOND);
    network.assert_tree();
    let after = network.reached(0, A, PortState::Forwarding, Time::ZERO);
    assert!(after.is_some_and(|after| after >= 30 * SECOND), "nobody agreed to anything: {after:?}");
    let leg = network.bridges[0].leg_summary(A).expect("attached");
    assert!(!leg.rapid && leg.sent.config > 10 && leg.role == PortRole::Designated, "{leg:?}");
}

#[test]
fn changes_cross_the_border_both_ways() {
    // RSTP root 0 — STP 1, with another leg each where things change
    let mut network = Network::default();
    network.add(config(StpMode::Rstp), 1);
    network.add(config(StpMode::Stp), 2);
    let wire = network.wire([0, 1], [2, 2], MILLISECOND);
    network.plug(wire, true);
    network.run(120 * SECOND);
    network.log.clear();
    network.act(1, |stp, now, mut emit| stp.receive(A, &Bpdu::TopologyChange, now, &mut emit));
    assert!(network.log.is_empty(), "a notice from the root's side is none");
    let started = network.now;
    let spare = network.host(1, StpLegConfig::default());
    network.run(40 * SECOND);
    let notices = network
        .log
        .iter()
        .filter(|(_, bridge, event)| *bridge == 1 && *event == Event::Send(A, Bpdu::TopologyChange));
    assert_eq!(notices.count(), 1, "acknowledged at once:\n{}", network.story());
    let after = network.reached(1, spare, PortState::Forwarding, started);
    assert_eq!(after, Some(30 * SECOND));
    let aged = (started + 30 * SECOND, 1, Event::Ageing(Some(15 * SECOND)));
    let found = network.log.iter().find(|(_, _, event)| matches!(event, Event::Ageing(Some(_))));
    assert!(found.is_some_and(|found| found.0 - aged.0 < 2 * SECOND && found.2 == aged.2), "{found:?}");

    network.run(100 * SECOND);
    network.log.clear();
    network.host(0, StpLegConfig { edge: EdgePort::No, ..StpLegConfig::default() });
    network.run(40 * SECOND);
    let told =
        |(_, bridge, event): &(Time, usize, Event)| *bridge == 1 && matches!(event, Event::Ageing(Some(_)));
    assert!(network.log.iter().any(told), "the root's own change reaches STP:\n{}", network.story());
}

#[test]
fn a_stp_root_port_notices_only_changes() {
    let mut bench = Bench::new(StpMode::Rstp, &[StpLegConfig::default()]);
    let root = word(id(0, 1), 0, id(0, 1));
    for _ in 0..100 {
        bench.hear_config(A, root);
        bench.pass(SECOND);
    }
    bench.take();
    for _ in 0..100 {
        bench.hear_config(A, root);
        bench.pass(SECOND);
    }
    assert_eq!(bench.sent(A), [], "a root port that has nothing to report is silent");
}
