//! Neighbours that say anything, at any time: nothing may panic, run in circles, or be due in the past.

use super::rng::Rng;
use super::*;
use crate::wire::bpdu::BPDU_FRAME_MAX;

#[test]
fn any_message_is_survived() {
    for seed in 0..12 {
        for mode in [StpMode::Stp, StpMode::Rstp] {
            let mut rng = Rng(seed);
            let mut bench = Bench::new(mode, &[StpLegConfig::default(); 4]);
            for _ in 0..1000 {
                let leg = LegIndex(rng.below(6) as u16);
                match rng.below(20) {
                    0 => {
                        let up = rng.chance(70);
                        bench.act(|stp, now, mut emit| stp.set_up(leg, up, now, &mut emit));
                    }
                    1 => {
                        let settings = any_settings(&mut rng);
                        bench.act(|stp, now, mut emit| stp.configure_leg(leg, settings, now, &mut emit));
                    }
                    2 => {
                        let config = StpConfig { priority: rng.next_u64() as u16, ..config(mode) };
                        bench.act(|stp, now, mut emit| stp.configure(config, mac(9), now, &mut emit));
                    }
                    _ => bench.hear(leg, any_bpdu(&mut rng)),
                }
                bench.pass(Duration::from_millis(*rng.pick(&[0, 0, 1, 100, 3000, 20_000])));
                if rng.chance(10) {
                    // somebody is late
                    bench.now = bench.now + SECOND * rng.below(100) as u32;
                    bench.act(|stp, now, mut emit| stp.tick(now, &mut emit));
                }
                let due = bench.stp.deadline();
                assert!(due.is_none_or(|due| due >= bench.now), "seed {seed}: due in the past");
                bench.events.clear();
            }
        }
    }
}

#[test]
fn every_leg_of_a_full_bridge_works() {
    let legs = [StpLegConfig::default(); crate::frame::LEGS_MAX];
    for mode in [StpMode::Stp, StpMode::Rstp] {
        let mut bench = Bench::new(mode, &legs);
        bench.events.clear();
        bench.pass(40 * SECOND);
        assert!(bench.states().iter().all(|state| *state == PortState::Forwarding), "{mode:?}");
        let last = LegIndex(crate::frame::LEGS_MAX as u16 - 1);
        bench.hear_config(last, word(id(0, 1), 0, id(0, 1)));
        assert_eq!(bench.stp.summary(bench.now).root_port, Some(last), "{mode:?}");
    }
}

#[test]
fn a_leg_that_is_not_there_does_nothing() {
    let mut bench = Bench::new(StpMode::Rstp, &[StpLegConfig::default()]);
    bench.take();
    let nowhere = LegIndex(7);
    bench.hear(nowhere, Bpdu::TopologyChange);
    bench.act(|stp, now, mut emit| stp.set_up(nowhere, true, now, &mut emit));
    bench.act(|stp, now, mut emit| stp.detach(nowhere, now, &mut emit));
    assert_eq!(bench.take(), []);
    assert_eq!(bench.stp.state(nowhere), PortState::Disabled);
}

#[test]
fn our_own_words_are_no_neighbour() {
    let mut bench = Bench::new(StpMode::Rstp, &[StpLegConfig::default()]);
    for _ in 0..20 {
        for bpdu in bench.sent(A) {
            bench.hear(A, bpdu);
        }
        bench.pass(SECOND);
    }
    let leg = bench.stp.leg_summary(A).expect("attached");
    assert_eq!((leg.role, leg.designated_bridge), (PortRole::Designated, id(0x8000, 9)), "9.3.4");
}

/// Frames around those that are sound, and sound ones from a small world, so that they concern each other.
fn any_bpdu(rng: &mut Rng) -> Bpdu {
    let mut bridge = || id(*rng.pick(&[0, 0x8000, 0xffff]), *rng.pick(&[1, 2, 9]));
    let (root, sender) = (bridge(), bridge());
    let mut ticks = || Ticks(*rng.pick(&[0, 1, 256, 512, 5120, 10_240, 65_535]));
    let configuration = Configuration {
        message_age: ticks(),
        max_age: ticks(),
        hello: ticks(),
        forward_delay: ticks(),
        ..word(root, 0, sender)
    };
    let configuration = Configuration {
        cost: *rng.pick(&[0, 1, 2, 3, u32::MAX - 1, u32::MAX]),
        port: StpPortId(*rng.pick(&[0, 0x8001, 0x8002, 0x8003, 0xffff])),
        topology_change: rng.chance(30),
        acknowledge: rng.chance(30),
        ..configuration
    };
    let flags = RapidFlags {
        role: *rng.pick(&[
            SenderRole::Alternate,
            SenderRole::Designated,
            SenderRole::Designated,
            SenderRole::Root,
            SenderRole::Unknown,
        ]),
        proposal: rng.chance(50),
        agreement: rng.chance(50),
        learning: rng.chance(50),
        forwarding: rng.chance(50),
    };
    let bpdu = match rng.below(10) {
        0 => Bpdu::TopologyChange,
        1..5 => Bpdu::Config(configuration),
        _ => Bpdu::Rapid(configuration, flags),
    };
    let mut frame = [0; BPDU_FRAME_MAX];
    let len = bpdu.encode(mac(1), &mut frame).len();
    frame[17 + rng.below(len as u64 - 17) as usize] ^= 1 << rng.below(8);
    Bpdu::parse(&frame[..len]).unwrap_or(bpdu)
}

fn any_settings(rng: &mut Rng) -> StpLegConfig {
    StpLegConfig {
        priority: rng.below(64) as u8,
        cost: *rng.pick(&[1, 2, 65_535]),
        bpdu_guard: rng.chance(10),
        root_block: rng.chance(30),
        edge: *rng.pick(&[EdgePort::Auto, EdgePort::No, EdgePort::Yes]),
        point_to_point: rng.chance(70),
    }
}
