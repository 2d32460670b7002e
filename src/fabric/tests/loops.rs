//! Links that form loops, which a spanning tree has to open, and the frames by which it does.

use std::time::Duration;

use super::*;
use crate::bridge::{StpConfig, StpMode};
use crate::frame::ORIGINATED_MAX;

fn tree(id: u16, mode: StpMode) -> Change {
    let stp = StpConfig { mode, ..StpConfig::default() };
    let address = Mac([2, 0, 0, 0, 9, id as u8]);
    Change::AddBridge(NodeId(id), BridgeConfig { stp, address, ..BridgeConfig::default() })
}

fn set(id: u16, mode: StpMode) -> Change {
    match tree(id, mode) {
        Change::AddBridge(node, config) => Change::ConfigureBridge(node, config),
        other => other,
    }
}

/// Lets everything that is due until then happen.
fn run(fabric: &mut Fabric, until: Time) {
    let mut batch = Batch::new();
    let mut now = NOW;
    for _ in 0..100_000 {
        match fabric.deadline() {
            Some(due) if due <= until => now = now.max(due),
            _ => return,
        }
        fabric.tick(now, &mut batch);
        batch.clear(drop);
    }
    panic!("it never rests");
}

#[test]
fn a_loop_needs_a_bridge_that_opens_it() {
    let (off, on) = (StpMode::Off, StpMode::Stp);
    let looped = Err(ChangeError::Loop);
    let table = [
        ([off, off, off], looped, "nobody would open it"),
        ([on, off, off], Ok(()), "one is enough: the others pass its BPDUs on (B34)"),
        ([off, on, off], Ok(()), "whichever"),
        ([on, on, on], Ok(()), "all of them"),
        ([StpMode::Rstp, off, on], Ok(()), "of any kind"),
    ];
    for (modes, expected, why) in table {
        let bridges = (0..).zip(modes).map(|(id, mode)| tree(id, mode));
        let mut fabric = built(&bridges.chain([link(0, 1), link(1, 2)]).collect::<Vec<_>>());
        assert_eq!(fabric.apply(link(0, 2), NOW), expected, "{why}");
    }
    let mut fabric = built(&[tree(0, on), tree(1, off), tree(2, off), link(0, 1), link(1, 2), link(0, 2)]);
    assert_eq!(fabric.apply(link(2, 1), NOW), looped, "a loop of those two alone");
    assert_eq!(fabric.apply(link(0, 0), NOW), looped, "a bridge with itself is one even so");
    assert_eq!(fabric.apply(set(0, off), NOW), looped, "and it may not give up");
    fabric.apply(Change::RemoveLink(LinkId(2)), NOW).expect("it is there");
    fabric.apply(set(0, off), NOW).expect("there is no loop left");
    assert_eq!(fabric.apply(link(0, 2), NOW), looped, "and none to come");
}

#[test]
fn a_loop_is_opened_before_a_frame_runs_round_it() {
    let modes = [StpMode::Stp, StpMode::Rstp];
    for mode in modes {
        let mut fabric = built(&[
            tree(0, mode),
            tree(1, mode),
            tree(2, mode),
            link(0, 1),
            link(1, 2),
            link(0, 2),
            port(0, 0),
            port(1, 1),
            port(2, 2),
        ]);
        let broadcast = frame(Mac::BROADCAST, mac(1));
        let (end, _) = send(&mut fabric, 0, &broadcast);
        assert_eq!(end, End::Dropped(Reason::PortBlocking), "B16, B80: nobody forwards yet ({mode:?})");
        run(&mut fabric, NOW + Duration::from_secs(60));
        let mut batch = Batch::new();
        batch.push(Frame::copy_of(&broadcast, PortId(0)));
        fabric.receive(&mut batch, NOW + Duration::from_secs(60));
        let mut reached: Vec<_> = batch.deliveries().iter().map(|delivery| delivery.port.0).collect();
        reached.sort_unstable();
        assert_eq!(reached, [1, 2], "B80: once at each ({mode:?})");
        let books = fabric.books();
        assert!(books.originated > 0 && books.balance(), "BPDUs are in the books, too: {books:?}");
    }
}

#[test]
fn what_devices_say_waits_for_room() {
    let mut changes = vec![tree(0, StpMode::Stp)];
    let ports = ORIGINATED_MAX as u16 + 10;
    changes.extend((0..ports).map(|id| port(id, 0)));
    let mut fabric = built(&changes);
    let hello = StpConfig::default().hello;
    let (mut now, mut sent, mut most) = (NOW, 0, 0);
    let mut batch = Batch::new();
    while let Some(due) = fabric.deadline().filter(|due| *due <= NOW + hello) {
        now = now.max(due);
        fabric.tick(now, &mut batch);
        assert!(batch.frames().iter().all(|frame| frame.ingress == PortId::SWITCH), "made here");
        assert_eq!(batch.frames().len(), batch.deliveries().len(), "one for each port");
        most = most.max(batch.frames().len());
        sent += batch.frames().len();
        batch.clear(drop);
        assert!(sent < 100 * usize::from(ports), "it never rests");
    }
    assert!(sent >= usize::from(ports), "every port hears of the bridge: {sent}");
    assert_eq!(most, ORIGINATED_MAX, "as many at a time as there is room for");
    assert_eq!(fabric.books().originated, sent as u64);
    assert!(fabric.books().balance());
}
