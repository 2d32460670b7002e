//! How long it takes, in virtual time.

use super::*;

#[test]
fn stp_takes_twice_forward_delay() {
    let mut network = Network::default();
    for n in [1, 2] {
        network.add(config(StpMode::Stp), n);
    }
    let wire = network.wire([0, 1], [2, 2], MILLISECOND);
    network.plug(wire, true);
    network.run(40 * SECOND);
    for bridge in [0, 1] {
        let after = network.reached(bridge, A, PortState::Forwarding, Time::ZERO);
        assert_eq!(after, Some(30 * SECOND), "B80: 15 s of listening, 15 s of learning");
    }
}

#[test]
fn rstp_takes_a_round_trip() {
    let mut network = Network::default();
    for n in [1, 2, 3, 4] {
        network.add(config(StpMode::Rstp), n);
    }
    for far in 1..4 {
        let wire = network.wire([far - 1, far], [2, 2], MILLISECOND);
        network.plug(wire, true);
    }
    network.run(100 * MILLISECOND);
    network.assert_tree();
    assert!(network.now < Time::ZERO + SECOND, "a chain of four, a tenth of a second");
}

#[test]
fn an_alternate_port_takes_over_at_once() {
    let (mut network, [direct, _, _]) = ring(StpMode::Rstp);
    network.run(10 * SECOND);
    let spare = LegIndex(1);
    let role = network.bridges[2].leg_summary(spare).map(|leg| leg.role);
    assert_eq!(role, Some(PortRole::Alternate), "{}", network.story());
    let broken = network.now;
    network.plug(direct, false);
    let after = network.reached(2, spare, PortState::Forwarding, broken);
    assert_eq!(after, Some(Duration::ZERO), "in the very moment:\n{}", network.story());
    network.run(SECOND);
    network.assert_tree();
}

#[test]
fn the_loss_of_bpdus_alone_is_noticed() {
    // the wire stays up at the near end: only silence tells
    for (mode, most) in [(StpMode::Rstp, 6 * SECOND), (StpMode::Stp, 50 * SECOND)] {
        let (mut network, [direct, _, _]) = ring(mode);
        network.run(60 * SECOND);
        let spare = LegIndex(1);
        assert_eq!(network.bridges[2].state(spare), PortState::Blocking, "{mode:?}");
        let silent = network.now;
        network.wires[direct].up = false;
        network.run(60 * SECOND);
        let after = network.reached(2, spare, PortState::Forwarding, silent);
        assert!(after.is_some_and(|after| after <= most + SECOND), "{mode:?}: {after:?}");
    }
}

#[test]
fn a_dead_root_is_replaced() {
    for (mode, most) in [(StpMode::Rstp, 2 * SECOND), (StpMode::Stp, 52 * SECOND)] {
        let (mut network, wires) = ring(mode);
        network.run(60 * SECOND);
        assert_eq!(network.bridges[2].summary(network.now).root, id(0x8000, 1));
        network.plug(wires[0], false);
        network.plug(wires[1], false);
        network.run(most);
        network.assert_tree();
        assert_eq!(network.bridges[2].summary(network.now).root, id(0x8000, 2), "{mode:?}");
    }
}

#[test]
fn an_idle_bridge_wakes_for_hellos_only() {
    for mode in [StpMode::Stp, StpMode::Rstp] {
        let mut bench = Bench::new(mode, &[StpLegConfig::default(); 2]);
        bench.pass(100 * SECOND);
        let mut wakes = 0;
        let end = bench.now + 20 * SECOND;
        while let Some(due) = bench.stp.deadline().filter(|due| *due < end) {
            let time = due - bench.now;
            bench.pass(time);
            wakes += 1;
        }
        assert!((9..=20).contains(&wakes), "{mode:?}: {wakes} in 20 s, for ten hellos on each of two legs");
    }
}

#[test]
fn on_a_shared_wire_nobody_is_asked() {
    let shared = StpLegConfig { point_to_point: false, edge: EdgePort::No, ..StpLegConfig::default() };
    let mut bench = Bench::new(StpMode::Rstp, &[shared]);
    let agreed = RapidFlags { role: SenderRole::Root, agreement: true, ..RapidFlags::default() };
    bench.hear(A, Bpdu::Rapid(word(id(0x8000, 9), 2, id(0xf000, 3)), agreed));
    assert_eq!(bench.states(), [PortState::Blocking], "one agreement does not speak for all");
    bench.pass(35 * SECOND);
    assert_eq!(bench.states(), [PortState::Forwarding], "max_age and forward_delay do");
}

/// Root 0, then 1 and 2, each joined with each; the wires 0–2, 0–1 and 1–2.
fn ring(mode: StpMode) -> (Network, [usize; 3]) {
    let mut network = Network::default();
    for n in [1, 2, 3] {
        network.add(config(mode), n);
    }
    let wires = [[0, 2], [0, 1], [1, 2]].map(|ends| network.wire(ends, [2, 2], MILLISECOND));
    wires.into_iter().for_each(|wire| network.plug(wire, true));
    (network, wires)
}
