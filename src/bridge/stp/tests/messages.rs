//! What is said when: limits on sending (B80), and changes of topology (B15).

use super::*;

#[test]
fn stp_says_one_configuration_a_second() {
    let mut bench = Bench::new(StpMode::Stp, &[StpLegConfig::default()]);
    bench.take();
    for _ in 0..1000 {
        bench.hear_config(A, word(id(0xf000, 1), 0, id(0xf000, 1)));
        bench.pass(10 * MILLISECOND);
    }
    let sent: Vec<_> = bench.events.iter().filter(|(_, event)| matches!(event, Event::Send(..))).collect();
    assert!((10..=11).contains(&sent.len()), "B80: hold time is 1 s: {} in 10 s", sent.len());
    assert!(sent.windows(2).all(|pair| pair[1].0 - pair[0].0 >= SECOND), "B80: never two within a second");
}

#[test]
fn rstp_says_six_at_once_then_one_a_second() {
    let mut bench = Bench::new(StpMode::Rstp, &[StpLegConfig::default(); 2]);
    bench.pass(11_500 * MILLISECOND);
    bench.take();
    let started = bench.now;
    for n in 0..1000_u32 {
        // each is news for the other leg
        bench.hear(B, Bpdu::Rapid(word(id(0x7000, 1), n % 2, id(0x7000, 1)), designated()));
        bench.pass(10 * MILLISECOND);
    }
    let on_a = |(_, event): &&(Time, Event)| matches!(event, Event::Send(leg, _) if *leg == A);
    let sent: Vec<_> = bench.events.iter().filter(on_a).map(|(time, _)| *time - started).collect();
    assert!(sent[5] < 200 * MILLISECOND, "TxHoldCount: six at once: {sent:?}");
    assert!((15..=16).contains(&sent.len()), "then one a second: {} in 10 s", sent.len());
    assert!(sent[6..].windows(2).all(|pair| pair[1] - pair[0] >= SECOND), "{sent:?}");
}

#[test]
fn the_root_answers_a_notice_and_tells_everybody() {
    let mut bench = Bench::new(StpMode::Stp, &[StpLegConfig::default(); 2]);
    bench.pass(100 * SECOND);
    assert_eq!(bench.stp.summary(bench.now).topology_changes, 1, "its own start");
    bench.take();
    bench.pass(500 * MILLISECOND);
    bench.take();
    bench.hear(A, Bpdu::TopologyChange);
    bench.pass(SECOND);
    let events = bench.take();
    assert_eq!(events[0], Event::Ageing(Some(15 * SECOND)), "B15: stations age within forward_delay");
    assert_eq!(events[1], Event::TopologyChange);
    let answer = events.iter().find_map(|event| match event {
        Event::Send(leg, Bpdu::Config(said)) if *leg == A => Some(*said),
        _ => None,
    });
    assert!(answer.is_some_and(|said| said.acknowledge && said.topology_change), "{answer:?}");
    bench.pass(2 * SECOND);
    let both =
        [bench.stp.leg_summary(A), bench.stp.leg_summary(B)].map(|leg| leg.expect("attached").sent.config);
    assert!(both.iter().all(|count| *count > 50), "spoken to: {both:?}");
    let later = bench.take();
    let again = |event: &Event| matches!(event, Event::Send(_, Bpdu::Config(said)) if said.acknowledge);
    assert!(!later.iter().any(again), "one acknowledgement for a notice");
    bench.pass(31 * SECOND);
    assert!(!bench.take().contains(&Event::Ageing(None)), "not before max_age + forward_delay");
    bench.pass(SECOND);
    assert!(bench.take().contains(&Event::Ageing(None)), "B15: then as configured again");
}

#[test]
fn who_is_not_root_sends_notices_until_one_is_acknowledged() {
    let mut bench = Bench::new(StpMode::Stp, &[StpLegConfig::default(); 2]);
    let root = word(id(0, 1), 0, id(0, 1));
    let hear = |bench: &mut Bench, seconds: u32, configuration: Configuration| {
        for _ in 0..seconds {
            bench.hear_config(A, configuration);
            bench.pass(SECOND);
        }
    };
    hear(&mut bench, 100, Configuration { acknowledge: true, ..root });
    bench.take();
    bench.hear(B, Bpdu::TopologyChange);
    assert_eq!(bench.sent(A), [Bpdu::TopologyChange], "inwards, at once");
    hear(&mut bench, 6, root);
    assert_eq!(bench.sent(A), [Bpdu::TopologyChange; 3], "every hello");
    hear(&mut bench, 6, Configuration { acknowledge: true, topology_change: true, ..root });
    let events = bench.take();
    assert!(events.contains(&Event::Ageing(Some(15 * SECOND))), "B15: the root says so");
    assert!(!events.contains(&Event::Send(A, Bpdu::TopologyChange)), "acknowledged");
    let outwards = |event: &Event| matches!(event, Event::Send(leg, Bpdu::Config(said)) if *leg == B && said.topology_change);
    assert!(events.iter().any(outwards), "and is passed on");
    hear(&mut bench, 2, root);
    assert!(bench.take().contains(&Event::Ageing(None)), "B15: until it no longer does");
}

#[test]
fn rstp_flushes_everywhere_but_where_it_heard_of_the_change() {
    let edge = StpLegConfig { edge: EdgePort::Yes, ..StpLegConfig::default() };
    let mut bench = Bench::new(StpMode::Rstp, &[StpLegConfig::default(), StpLegConfig::default(), edge]);
    bench.pass(5 * SECOND);
    let root = word(id(0, 1), 0, id(0, 1));
    bench.hear(A, Bpdu::Rapid(root, designated()));
    let agreed = RapidFlags { role: SenderRole::Root, agreement: true, ..RapidFlags::default() };
    bench.hear(B, Bpdu::Rapid(word(id(0, 1), 4, id(0xf000, 3)), agreed));
    bench.pass(5 * SECOND);
    assert_eq!(bench.states(), [PortState::Forwarding; 3]);
    bench.hear(A, Bpdu::Rapid(root, designated()));
    bench.take();
    bench.hear(A, Bpdu::Rapid(Configuration { topology_change: true, ..root }, designated()));
    let events = bench.take();
    assert!(events.contains(&Event::Flush(B)) && events.contains(&Event::TopologyChange), "{events:?}");
    assert!(!events.contains(&Event::Flush(A)), "not where it came from");
    assert!(!events.contains(&Event::Flush(C)), "nor where only hosts are");
    let outwards = |event: &Event| matches!(event, Event::Send(leg, Bpdu::Rapid(said, _)) if *leg == B && said.topology_change);
    assert!(events.iter().any(outwards), "told at once: {events:?}");
}
