//! Islands on their way: what is refused, and what comes along. That nothing is lost whatever has happened before is what
//! `tests/islands.rs` tries with stories.

use super::*;
use crate::bridge::{StpConfig, StpMode};
use crate::frame::ORIGINATED_MAX;

fn nodes(ids: &[u16]) -> Vec<NodeId> {
    ids.iter().map(|id| NodeId(*id)).collect()
}

/// Bridges 0 and 1 with a link, 2 and 5 alone; each has the port of the same number.
fn archipelago() -> Fabric {
    let each = [0, 1, 2, 5].into_iter().flat_map(|id| [bridge(id), port(id, id)]);
    built(&each.chain([link(0, 1)]).collect::<Vec<_>>())
}

#[test]
fn an_island_is_what_wires_join() {
    let fabric = archipelago();
    for (node, expected) in [(0, &[0, 1][..]), (1, &[0, 1]), (2, &[2]), (5, &[5]), (3, &[]), (9, &[])] {
        assert_eq!(fabric.island(NodeId(node)), nodes(expected), "of {node}");
    }
}

#[test]
fn only_whole_islands_leave_and_only_where_there_is_room_do_they_land() {
    let (mut here, mut there) = (archipelago(), built(&[bridge(7), port(0, 7)]));
    for (some, why) in
        [(&[0][..], "half an island"), (&[0, 1, 3], "a device that there is not"), (&[2, 1], "half")]
    {
        assert!(here.take_island(&nodes(some)).is_none(), "{why}");
    }
    let broadcast = frame(Mac::BROADCAST, mac(1));
    assert_eq!(send(&mut here, 0, &broadcast), (End::Flooded, vec![1]), "nothing has happened");
    let island = here.take_island(&nodes(&[5, 0, 1])).expect("two islands at once");
    assert_eq!(island.nodes().collect::<Vec<_>>(), nodes(&[0, 1, 5]));
    assert_eq!(island.ports().collect::<Vec<_>>(), [PortId(0), PortId(1), PortId(5)]);
    assert_eq!(send(&mut here, 0, &broadcast), (End::Dropped(Reason::IngressDown), vec![]), "gone");
    assert_eq!(here.island(NodeId(2)), nodes(&[2]), "and the others stay");
    let island = there.put_island(island).expect_err("port 0 is taken there");
    assert_eq!(there.island(NodeId(0)), [], "nothing has happened");
    there.apply(Change::RemovePort(PortId(0)), NOW).expect("a port");
    there.put_island(island).expect("now there is room");
    assert_eq!(
        send(&mut there, 1, &frame(mac(1), mac(2))),
        (End::Sent, vec![0]),
        "it knows what it has learned"
    );
    there
        .apply(Change::AddLink(LinkId(9), [NodeId(7), NodeId(1)], [LegConfig::default(); 2]), NOW)
        .expect("a link");
    assert_eq!(there.island(NodeId(0)), nodes(&[0, 1, 7]), "it can be wired up");
    assert!(here.apply(bridge(0), NOW).is_ok(), "and its ids are free again");
    assert!(here.books().balance() && there.books().balance());
}

/// Two bridges say more at once than a batch has room for; what waits goes along with the one that moves.
#[test]
fn frames_that_wait_to_be_sent_come_along() {
    const PORTS: u16 = ORIGINATED_MAX as u16 + 10;
    let mut config = BridgeConfig::default();
    config.stp = StpConfig { mode: StpMode::Stp, ..config.stp };
    let mut changes = Vec::new();
    for node in [0, 1] {
        changes.push(Change::AddBridge(NodeId(node), config));
        changes.extend((0..PORTS).map(|id| port(node * PORTS + id, node)));
    }
    let (mut here, mut there) = (built(&changes), Fabric::new([1, 2]));
    let hello = here.deadline().expect("both will speak");
    let mut spoken = vec![0; 2 * usize::from(PORTS)];
    let mut speak = |fabric: &mut Fabric| {
        let mut batch = Batch::new();
        fabric.tick(hello, &mut batch);
        batch.deliveries().iter().for_each(|delivery| spoken[usize::from(delivery.port.0)] += 1);
    };
    speak(&mut here);
    assert_eq!(here.deadline(), Some(Time::ZERO), "there was not room for all");
    let island = here.take_island(&nodes(&[0])).expect("an island");
    assert_eq!(here.deadline(), Some(hello), "it was the first one's, whose turn the other waits for");
    there.put_island(island).expect("there is room");
    assert_eq!(there.deadline(), Some(Time::ZERO), "and waits there now");
    for fabric in [&mut here, &mut there] {
        while fabric.deadline().is_some_and(|due| due <= hello) {
            speak(fabric);
        }
    }
    assert!(
        spoken.iter().all(|count| *count == spoken[0] && *count > 0),
        "each port has heard as much: {spoken:?}"
    );
    assert!(here.books().balance() && there.books().balance());
    assert_eq!(here.books().unmade + there.books().unmade, 0);
}
