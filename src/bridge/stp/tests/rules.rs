//! One rule at a time: settings (B80), whom to believe (B81), guards (B82), changes at run time.

use super::*;

#[test]
fn settings_are_bounded_as_the_kernel_does() {
    let with = |adjust: fn(&mut StpConfig)| {
        let mut config = StpConfig::default();
        adjust(&mut config);
        config.check()
    };
    let table: [(fn(&mut StpConfig), _, _); 9] = [
        (|_| {}, Ok(()), "B80: the defaults"),
        (|c| c.hello = SECOND, Ok(()), "B80: the fastest hello"),
        (|c| c.hello = 999 * MILLISECOND, Err(StpError::Hello), "faster"),
        (|c| c.hello = 10_001 * MILLISECOND, Err(StpError::Hello), "slower than 10 s"),
        (|c| c.max_age = 5 * SECOND, Err(StpError::MaxAge), "below 6 s"),
        (|c| c.max_age = 41 * SECOND, Err(StpError::MaxAge), "above 40 s"),
        (|c| c.forward_delay = SECOND, Err(StpError::ForwardDelay), "below 2 s"),
        (|c| c.forward_delay = 31 * SECOND, Err(StpError::ForwardDelay), "above 30 s"),
        (|c| c.priority = 0xffff, Ok(()), "any priority"),
    ];
    for (adjust, expected, why) in table {
        assert_eq!(with(adjust), expected, "{why}");
    }
    let times = |hello: u32, max_age: u32, forward_delay: u32| StpConfig {
        hello: SECOND * hello,
        max_age: SECOND * max_age,
        forward_delay: SECOND * forward_delay,
        ..StpConfig::default()
    };
    assert_eq!(StpConfig::default().check_relation(), Ok(()), "28 ≥ 20 ≥ 6");
    assert_eq!(times(2, 20, 11).check_relation(), Ok(()), "20 ≥ 20");
    assert_eq!(times(2, 21, 11).check_relation(), Err(StpError::ForwardDelayRelation), "20 < 21");
    assert_eq!(times(10, 22, 15).check_relation(), Ok(()), "22 ≥ 22");
    assert_eq!(times(10, 21, 15).check_relation(), Err(StpError::MaxAgeRelation), "21 < 22");
    let leg = StpLegConfig::default();
    let table = [
        (leg, StpMode::Stp, Ok(()), "B80: priority 32, cost 2"),
        (StpLegConfig { priority: 64, ..leg }, StpMode::Stp, Err(StpError::LegPriority), "six bits"),
        (StpLegConfig { cost: 0, ..leg }, StpMode::Stp, Err(StpError::Cost), "no way is free"),
        (StpLegConfig { cost: 65_536, ..leg }, StpMode::Stp, Err(StpError::Cost), "16 bits"),
        (StpLegConfig { cost: 65_536, ..leg }, StpMode::Rstp, Ok(()), "32 bits in 2004"),
        (StpLegConfig { cost: 200_000_001, ..leg }, StpMode::Rstp, Err(StpError::Cost), "table 17-3"),
    ];
    for (leg, mode, expected, why) in table {
        assert_eq!(leg.check(mode), expected, "{why}");
    }
}

#[test]
fn without_spanning_tree_legs_forward_and_nothing_is_said() {
    let mut bench = Bench::new(StpMode::Off, &[StpLegConfig::default()]);
    assert_eq!(bench.take(), [Event::State(A, PortState::Forwarding)], "B80: at once");
    bench.hear_config(A, word(id(0, 1), 0, id(0, 1)));
    bench.pass(60 * SECOND);
    assert_eq!(bench.take(), [], "a BPDU is nothing to it");
    assert_eq!(bench.stp.deadline(), None, "nothing is ever due");
    bench.act(|stp, now, mut emit| stp.set_up(A, false, now, &mut emit));
    let down = [Event::State(A, PortState::Disabled), Event::Flush(A)];
    assert_eq!(bench.take(), down, "B17: a leg that goes down is flushed");
}

#[test]
fn stp_listens_then_learns_then_forwards() {
    let mut bench = Bench::new(StpMode::Stp, &[StpLegConfig::default()]);
    let states = |bench: &Bench| {
        let state = |(time, event): &(Time, Event)| match event {
            Event::State(_, state) => Some((time.since(Time::ZERO), *state)),
            _ => None,
        };
        bench.events.iter().filter_map(state).collect::<Vec<_>>()
    };
    bench.pass(60 * SECOND);
    let expected = [
        (Duration::ZERO, PortState::Blocking),
        (Duration::ZERO, PortState::Listening),
        (15 * SECOND, PortState::Learning),
        (30 * SECOND, PortState::Forwarding),
    ];
    assert_eq!(states(&bench), expected, "B80: 15 s each");
    assert_eq!(bench.sent(A).len(), 30, "B80: the root speaks every 2 s");
}

#[test]
fn a_rapid_port_with_nobody_behind_it_forwards_after_three_seconds() {
    let leg = StpLegConfig::default();
    let legs = [leg, StpLegConfig { edge: EdgePort::Yes, ..leg }, StpLegConfig { edge: EdgePort::No, ..leg }];
    let mut bench = Bench::new(StpMode::Rstp, &legs);
    use PortState::{Blocking, Forwarding, Learning};
    assert_eq!(bench.states(), [Blocking, Forwarding, Blocking], "who is said to be an edge is one");
    bench.pass(2999 * MILLISECOND);
    assert_eq!(bench.states(), [Blocking, Forwarding, Blocking], "not yet");
    bench.pass(MILLISECOND);
    assert_eq!(bench.states(), [Forwarding, Forwarding, Blocking], "who heard no bridge is one, too");
    bench.pass(17 * SECOND);
    assert_eq!(bench.states(), [Forwarding, Forwarding, Learning], "the others wait for max_age");
    bench.pass(15 * SECOND);
    assert_eq!(bench.states(), [Forwarding; 3], "and for forward_delay");
    let changes = bench.stp.summary(bench.now).topology_changes;
    assert_eq!(changes, 1, "an edge is no change of topology, the third leg is");
}

#[test]
fn the_best_word_decides() {
    let better = word(id(0x7000, 1), 0, id(0x7000, 1));
    let other_port = Configuration { port: StpPortId::new(32, 2), ..better };
    let nearer = word(id(0x7000, 1), 1, id(0x8000, 3));
    let table = [
        ([better, nearer], Some(A), 2, "cost 2 over leg 0 is less than 3 over leg 1"),
        ([word(id(0x8000, 1), 0, id(0x8000, 1)), better], Some(B), 2, "the better root, however far"),
        ([other_port, better], Some(B), 2, "the lower port of the same bridge"),
        ([better, better], Some(A), 2, "the lower port of our own"),
        ([word(id(0x9000, 1), 0, id(0x9000, 1)); 2], None, 0, "worse than ourselves"),
        ([word(id(0x8000, 9), 1, id(0x9000, 1)); 2], None, 0, "that is us, by hearsay"),
        (
            [Configuration { cost: u32::MAX, ..better }, Configuration { cost: u32::MAX - 2, ..better }],
            Some(B),
            u32::MAX,
            "a cost that does not fit does not wrap",
        ),
    ];
    for mode in [StpMode::Stp, StpMode::Rstp] {
        for (words, root_port, cost, why) in &table {
            let mut bench = Bench::new(mode, &[StpLegConfig::default(); 2]);
            for (leg, word) in [A, B].into_iter().zip(words) {
                match mode {
                    StpMode::Rstp => bench.hear(leg, Bpdu::Rapid(*word, designated())),
                    _ => bench.hear_config(leg, *word),
                }
            }
            let summary = bench.stp.summary(bench.now);
            // what does not fit is equally far everywhere, and the port decides
            let root_port = if *cost == u32::MAX { Some(A) } else { *root_port };
            assert_eq!((summary.root_port, summary.root_cost), (root_port, *cost), "{mode:?}: {why}");
        }
    }
}

#[test]
fn a_word_too_old_is_not_believed() {
    let told = |age, max_age| {
        let word = word(id(0, 1), 0, id(0, 1));
        Configuration { message_age: Ticks(age), max_age: Ticks(max_age), ..word }
    };
    let table = [
        (told(0, 5120), true, "fresh"),
        (told(4864, 5120), true, "RSTP: a second more, and it would be too old to pass on"),
        (told(5120, 5120), false, "B81: as old as it may get"),
        (told(6000, 5120), false, "older"),
        (told(0, 0), false, "never fresh"),
        (told(11_000, 65_535), false, "B80: whatever its root allows, 40 s is too old"),
    ];
    for mode in [StpMode::Stp, StpMode::Rstp] {
        for (configuration, believed, why) in &table {
            let mut bench = Bench::new(mode, &[StpLegConfig::default()]);
            bench.hear_config(A, *configuration);
            assert_eq!(bench.stp.summary(bench.now).root == id(0, 1), *believed, "{mode:?}: {why}");
        }
    }
    for (mode, end) in [(StpMode::Stp, 20), (StpMode::Rstp, 6)] {
        let mut bench = Bench::new(mode, &[StpLegConfig::default()]);
        bench.hear(
            A,
            if mode == StpMode::Stp {
                Bpdu::Config(told(0, 5120))
            } else {
                Bpdu::Rapid(told(0, 5120), designated())
            },
        );
        bench.pass(SECOND * end - MILLISECOND);
        assert_eq!(bench.stp.summary(bench.now).root, id(0, 1), "{mode:?}: still good");
        bench.pass(MILLISECOND);
        assert_eq!(bench.stp.summary(bench.now).root, id(0x8000, 9), "{mode:?}: max_age, or three hellos");
    }
}

#[test]
fn a_neighbours_times_are_kept_in_bounds() {
    let hasty = Configuration {
        hello: Ticks(0),
        forward_delay: Ticks(0),
        max_age: Ticks(1),
        ..word(id(0, 1), 0, id(0, 1))
    };
    for mode in [StpMode::Stp, StpMode::Rstp] {
        let mut bench = Bench::new(mode, &[StpLegConfig::default(); 2]);
        bench.hear_config(A, hasty);
        let summary = bench.stp.summary(bench.now);
        assert_eq!(summary.forward_delay, 2 * SECOND, "B80: the least there is");
        assert_eq!(summary.max_age, 6 * SECOND, "B80: the least there is");
        assert_ne!(bench.stp.state(B), PortState::Forwarding, "nobody makes us forward without listening");
    }
}

#[test]
fn a_guarded_leg_is_disabled_by_any_bpdu() {
    let guarded = StpLegConfig { bpdu_guard: true, ..StpLegConfig::default() };
    let heard = [
        Bpdu::Config(word(id(0xf000, 1), 0, id(0xf000, 1))),
        Bpdu::Rapid(word(id(0xf000, 1), 0, id(0xf000, 1)), designated()),
        Bpdu::TopologyChange,
    ];
    for mode in [StpMode::Off, StpMode::Rstp, StpMode::Stp] {
        for bpdu in heard {
            let mut bench = Bench::new(mode, &[guarded, StpLegConfig::default()]);
            bench.pass(40 * SECOND);
            assert_eq!(bench.states(), [PortState::Forwarding; 2]);
            bench.take();
            bench.hear(A, bpdu);
            let events = bench.take();
            let said = [Event::Guarded(A), Event::State(A, PortState::Disabled), Event::Flush(A)];
            let without_sends = events.iter().filter(|event| !matches!(event, Event::Send(..)));
            assert!(without_sends.copied().eq(said), "B82: {mode:?} {events:?}");
            bench.hear(A, bpdu);
            bench.pass(90 * SECOND);
            let quiet = bench.sent(A).is_empty() && bench.stp.state(A) == PortState::Disabled;
            assert!(quiet, "B82: it stays so, and says nothing");
            assert!(bench.stp.leg_summary(A).is_some_and(|leg| leg.guarded));

            bench.act(|stp, now, mut emit| stp.set_up(A, false, now, &mut emit));
            bench.act(|stp, now, mut emit| stp.set_up(A, true, now, &mut emit));
            assert_ne!(bench.stp.state(A), PortState::Disabled, "down and up is another chance");
            bench.hear(A, bpdu);
            let trusting = StpLegConfig::default();
            bench.act(|stp, now, mut emit| stp.configure_leg(A, trusting, now, &mut emit));
            assert_ne!(bench.stp.state(A), PortState::Disabled, "so are other settings");
        }
    }
}

#[test]
fn the_root_is_never_behind_a_root_block() {
    let block = StpLegConfig { root_block: true, ..StpLegConfig::default() };
    for (mode, state) in [(StpMode::Stp, PortState::Listening), (StpMode::Rstp, PortState::Blocking)] {
        let mut bench = Bench::new(mode, &[block]);
        bench.pass(40 * SECOND);
        assert_eq!(bench.states(), [PortState::Forwarding]);
        for _ in 0..30 {
            let superior = word(id(0, 1), 0, id(0, 1));
            bench.hear(
                A,
                if mode == StpMode::Stp {
                    Bpdu::Config(superior)
                } else {
                    Bpdu::Rapid(superior, designated())
                },
            );
            assert_eq!(
                bench.states(),
                [state],
                "B82: {mode:?}: it carries nothing while it claims to lead there"
            );
            assert_eq!(bench.stp.summary(bench.now).root, id(0x8000, 9), "B82: {mode:?}: we are root");
            bench.pass(2 * SECOND);
        }
        bench.pass(60 * SECOND);
        assert_eq!(bench.states(), [PortState::Forwarding], "{mode:?}: until it is quiet");
    }
}

#[test]
fn a_change_of_settings_is_heard() {
    for mode in [StpMode::Stp, StpMode::Rstp] {
        let mut bench = Bench::new(mode, &[StpLegConfig::default(); 2]);
        bench.pass(40 * SECOND);
        bench.take();
        let eager = StpConfig { priority: 0x1000, hello: SECOND, ..config(mode) };
        bench.act(|stp, now, mut emit| stp.configure(eager, mac(8), now, &mut emit));
        bench.pass(5 * SECOND);
        assert!(bench.events.iter().any(|(_, event)| *event == Event::NewRoot(id(0x1000, 8))));
        let last = bench.sent(A).pop();
        let (Some(Bpdu::Config(said)) | Some(Bpdu::Rapid(said, _))) = last else {
            unreachable!("a root speaks: {last:?}")
        };
        assert_eq!((said.root, said.bridge), (id(0x1000, 8), id(0x1000, 8)), "{mode:?}");
        assert_eq!(said.hello, Ticks(256), "{mode:?}");
        assert_eq!(bench.states(), [PortState::Forwarding; 2], "{mode:?}: a name is no reason to stop");
        let dear = StpLegConfig { priority: 1, ..StpLegConfig::default() };
        bench.act(|stp, now, mut emit| stp.configure_leg(A, dear, now, &mut emit));
        bench.pass(5 * SECOND);
        let (Some(Bpdu::Config(said)) | Some(Bpdu::Rapid(said, _))) = bench.sent(A).pop() else {
            unreachable!("a root speaks")
        };
        assert_eq!(said.port, StpPortId::new(1, 1), "{mode:?}");
        assert_eq!(bench.states(), [PortState::Forwarding; 2], "{mode:?}: nor is a port's");
    }
}

#[test]
fn the_mode_changes_while_running() {
    let mut bench = Bench::new(StpMode::Off, &[StpLegConfig::default(); 2]);
    let switch = |bench: &mut Bench, mode| {
        bench.act(|stp, now, mut emit| stp.configure(config(mode), mac(9), now, &mut emit));
        bench.states()
    };
    use PortState::{Blocking, Disabled, Forwarding};
    assert_eq!(switch(&mut bench, StpMode::Stp), [Forwarding; 2], "as the kernel: until they hear better");
    bench.hear_config(A, word(id(0, 1), 0, id(0, 1)));
    bench.hear_config(B, word(id(0, 1), 0, id(0, 1)));
    assert_eq!(bench.states(), [Forwarding, Blocking], "which is at once");
    bench.hear_config(A, Configuration { topology_change: true, ..word(id(0, 1), 0, id(0, 1)) });
    bench.take();
    assert_eq!(switch(&mut bench, StpMode::Off), [Forwarding; 2]);
    assert_eq!(bench.take()[0], Event::Ageing(None), "B15: nothing is left of a change");
    assert_eq!(switch(&mut bench, StpMode::Rstp), [Blocking; 2], "RSTP asks first");
    bench.act(|stp, now, mut emit| stp.detach(A, now, &mut emit));
    bench.pass(3 * SECOND);
    assert_eq!(bench.states(), [Disabled, Forwarding]);
    assert_eq!(bench.stp.leg_summary(A), None, "gone");
}
