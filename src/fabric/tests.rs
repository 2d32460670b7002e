//! The graph as its users see it: links, loops, hop limits, changes, and where everything is counted.

mod gateway;
mod islands;
mod loops;
mod tags;

use super::walk::DEVICES_MAX;
use super::*;
use crate::bridge::{BridgeConfig, LegConfig, Role, StationKind};
use crate::frame::{Frame, LinkId, NODES_MAX, PORTS_MAX, Plug};
use crate::trace::{Cast, Step, Unlearned};
use crate::wire::mac::Mac;

const NOW: Time = Time::from_secs(1);

fn mac(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

fn frame(dst: Mac, src: Mac) -> Vec<u8> {
    [&dst.0[..], &src.0, &[8, 0], &[0; 46]].concat()
}

/// A fabric to which `changes` were made.
fn built(changes: &[Change]) -> Fabric {
    let mut fabric = Fabric::new([1, 2]);
    for change in changes {
        fabric.apply(change.clone(), NOW).unwrap_or_else(|error| panic!("{change:?}: {error}"));
    }
    fabric
}

fn bridge(id: u16) -> Change {
    Change::AddBridge(NodeId(id), BridgeConfig::default())
}

fn port(id: u16, node: u16) -> Change {
    Change::AddPort(PortId(id), NodeId(node), LegConfig::default())
}

/// A link between `a` and `b`, below 16, called 16 `a` + `b`.
fn link(a: u16, b: u16) -> Change {
    Change::AddLink(LinkId(16 * a + b), [NodeId(a), NodeId(b)], [LegConfig::default(); 2])
}

/// Bridges 0, 1 … in a row, linked, each with a port of the same number.
fn row(bridges: u16) -> Fabric {
    let mut changes = Vec::new();
    for id in 0..bridges {
        changes.extend([bridge(id), port(id, id)]);
        changes.extend((id > 0).then(|| link(id - 1, id)));
    }
    built(&changes)
}

/// What became of a frame, and the ports that got it.
fn send(fabric: &mut Fabric, ingress: u16, bytes: &[u8]) -> (End, Vec<u16>) {
    let mut batch = Batch::new();
    batch.push(Frame::copy_of(bytes, PortId(ingress)));
    fabric.receive(&mut batch, NOW);
    (batch.ends()[0], batch.deliveries().iter().map(|delivery| delivery.port.0).collect())
}

#[test]
fn a_frame_crosses_links() {
    let mut fabric = row(3);
    let (a, c) = (mac(1), mac(3));
    assert_eq!(
        send(&mut fabric, 0, &frame(c, a)),
        (End::Flooded, vec![0, 1, 2][1..].to_vec()),
        "unknown: everywhere"
    );
    assert_eq!(
        send(&mut fabric, 2, &frame(a, c)),
        (End::Sent, vec![0]),
        "every bridge on the way has learned a"
    );
    assert_eq!(send(&mut fabric, 0, &frame(c, a)), (End::Sent, vec![2]), "and now c");
    assert_eq!(
        send(&mut fabric, 2, &frame(Mac::BROADCAST, c)),
        (End::Flooded, vec![1, 0]),
        "never back (B27)"
    );
    let behind: Vec<_> = fabric.stations(NodeId(1), NOW).into_iter().map(|(e, b)| (e.mac, b)).collect();
    assert_eq!(behind, [(a, Plug::Link(LinkId(1), 1)), (c, Plug::Link(LinkId(18), 0))]);
    assert!(fabric.books().balance());
    assert_eq!((fabric.books().sent, fabric.books().flooded, fabric.books().delivered), (2, 2, 6));
}

#[test]
fn a_flood_over_a_link_that_reaches_nobody_is_a_drop() {
    let mut fabric = built(&[bridge(0), bridge(1), port(0, 0), link(0, 1)]);
    let broadcast = frame(Mac::BROADCAST, mac(1));
    assert_eq!(send(&mut fabric, 0, &broadcast), (End::Dropped(Reason::NoPort), vec![]), "an empty network");
    let deaf = LegConfig { bcast_flood: false, ..LegConfig::default() };
    fabric.apply(Change::AddPort(PortId(1), NodeId(1), deaf), NOW).expect("there is room");
    let dropped = End::Dropped(Reason::BroadcastFloodOff);
    assert_eq!(send(&mut fabric, 0, &broadcast), (dropped, vec![]), "the reason is that of the far bridge");
    assert_eq!(fabric.withheld_out(PortId(1)).of(Reason::BroadcastFloodOff), 1);
    assert_eq!(fabric.dropped_in(PortId(0)).total(), 2);
    assert_eq!(fabric.dropped_in(PortId(1)).total(), 0, "nothing entered there");
}

#[test]
fn a_walk_is_eight_devices_long() {
    let last = u16::from(DEVICES_MAX) - 1;
    let mut fabric = row(last + 2);
    let (end, ports) = send(&mut fabric, 0, &frame(Mac::BROADCAST, mac(1)));
    assert_eq!((end, ports), (End::Flooded, (1..=last).collect()), "the ninth bridge gets none");
    let (end, ports) = send(&mut fabric, last + 1, &frame(Mac::BROADCAST, mac(9)));
    assert_eq!((end, ports), (End::Flooded, (1..=last).rev().collect()), "nor, the other way, the first");
    let far = send(&mut fabric, 0, &frame(mac(9), mac(1)));
    assert_eq!(far, (End::Dropped(Reason::HopLimit), vec![]), "bridge 1 knows where 9 is: too far");
    assert!(fabric.books().balance());
}

#[test]
fn changes_are_refused_whole() {
    let mut fabric = built(&[bridge(0), bridge(1), bridge(2), port(0, 0), link(0, 1), link(1, 2)]);
    let none = LegConfig::default();
    let station = |bridge, mac, port, kind| {
        let at = Plug::Port(PortId(port));
        Station { bridge: NodeId(bridge), mac, vlan: None, at, kind }
    };
    let table = [
        (bridge(0), ChangeError::Exists, "one bridge per id"),
        (bridge(NODES_MAX as u16), ChangeError::Full, "ids have a bound"),
        (port(0, 1), ChangeError::Exists, "one port per id"),
        (port(PORTS_MAX as u16, 0), ChangeError::Full, "ids have a bound"),
        (port(1, 9), ChangeError::Unknown, "no such bridge"),
        (link(0, 0), ChangeError::Loop, "the shortest loop"),
        (link(0, 1), ChangeError::Exists, "one link per id"),
        (link(1, 0), ChangeError::Loop, "two wires are a loop"),
        (link(2, 0), ChangeError::Loop, "a triangle"),
        (link(0, 9), ChangeError::Unknown, "no such bridge"),
        (Change::RemoveBridge(NodeId(0)), ChangeError::InUse, "it has a port"),
        (Change::RemoveBridge(NodeId(2)), ChangeError::InUse, "it has a link"),
        (Change::RemoveBridge(NodeId(9)), ChangeError::Unknown, "no such bridge"),
        (Change::RemoveLink(LinkId(2)), ChangeError::Unknown, "linked, but not to each other"),
        (Change::RemovePort(PortId(7)), ChangeError::Unknown, "no such port"),
        (Change::SetPortUp(PortId(7), true), ChangeError::Unknown, "no such port"),
        (Change::ConfigureLeg(Plug::Port(PortId(7)), none), ChangeError::Unknown, "no such port"),
        (
            Change::Flush(NodeId(1), Some(Plug::Port(PortId(0))), None),
            ChangeError::Unknown,
            "a port of another bridge",
        ),
        (
            Change::AddStation(station(1, mac(1), 0, StationKind::Static)),
            ChangeError::Unknown,
            "a port of another bridge",
        ),
        (
            Change::AddStation(station(0, Mac::BROADCAST, 0, StationKind::Static)),
            ChangeError::Invalid,
            "a group is no station",
        ),
        (
            Change::RemoveStation(station(0, mac(1), 0, StationKind::Static)),
            ChangeError::Unknown,
            "no such station",
        ),
        (
            Change::ConfigureBridge(NodeId(0), BridgeConfig { fdb_max: 0, ..Default::default() }),
            ChangeError::Invalid,
            "B19: no limit is not on offer",
        ),
        (
            Change::ConfigureBridge(NodeId(0), BridgeConfig { group_fwd_mask: 4, ..Default::default() }),
            ChangeError::Invalid,
            "B37: bits 0, 1 and 2",
        ),
        (
            Change::ConfigureLeg(Plug::Port(PortId(0)), LegConfig { group_fwd_mask: 2, ..none }),
            ChangeError::Invalid,
            "B37: bit 1",
        ),
    ];
    let state = |fabric: &Fabric| format!("{:?}", (&fabric.nodes, &fabric.ports, &fabric.graph));
    let before = state(&fabric);
    for (change, error, why) in table {
        assert_eq!(fabric.apply(change.clone(), NOW), Err(error), "{why}: {change:?}");
        assert!(state(&fabric) == before, "nothing changed: {change:?}");
    }
}

#[test]
fn what_was_taken_apart_can_be_put_together_again() {
    let mut fabric = row(2);
    send(&mut fabric, 1, &frame(mac(1), mac(2)));
    fabric.apply(Change::RemoveLink(LinkId(1)), NOW).expect("it is there");
    assert_eq!(fabric.stations(NodeId(0), NOW), [], "what was behind the link went with it (B18)");
    let alone = (End::Dropped(Reason::NoPort), vec![]);
    assert_eq!(send(&mut fabric, 0, &frame(Mac::BROADCAST, mac(1))), alone, "no wire, no way");
    fabric.apply(link(0, 1), NOW).expect("no longer a loop");
    assert_eq!(send(&mut fabric, 0, &frame(Mac::BROADCAST, mac(1))), (End::Flooded, vec![1]));
    fabric.apply(Change::RemovePort(PortId(1)), NOW).expect("it is there");
    let gone = (End::Dropped(Reason::IngressDown), vec![]);
    assert_eq!(send(&mut fabric, 1, &frame(Mac::BROADCAST, mac(1))), gone, "no such port");
    fabric.apply(Change::RemoveLink(LinkId(1)), NOW).expect("it is there");
    fabric.apply(Change::RemoveBridge(NodeId(1)), NOW).expect("it is bare");
    fabric.apply(bridge(1), NOW).expect("the id is free");
    assert!(fabric.books().balance());
}

#[test]
fn what_enters_badly_is_a_drop_with_a_reason() {
    let mut fabric = row(2);
    fabric.apply(Change::SetPortUp(PortId(1), false), NOW).expect("it is there");
    let table: &[(u16, &[u8], Reason, &str)] = &[
        (0, &[2; 13], Reason::FrameShort, "no EtherType"),
        (0, &[], Reason::FrameShort, "nothing at all"),
        (7, &[2; 60], Reason::IngressDown, "a port nobody opened"),
        (u16::MAX, &[2; 60], Reason::IngressDown, "not even a possible one"),
        (1, &[2; 60], Reason::IngressDown, "a port that is down"),
        (0, &[1; 60], Reason::SourceInvalid, "B1: a group as source"),
    ];
    for (ingress, bytes, reason, why) in table {
        assert_eq!(send(&mut fabric, *ingress, bytes), (End::Dropped(*reason), vec![]), "{why}");
        let last = fabric.explain(PortId(*ingress), bytes, NOW).steps().last().copied();
        assert_eq!(last, Some(Step::Drop(*reason)), "explain agrees: {why}");
    }
    assert_eq!(fabric.books().drops.total(), table.len() as u64);
    assert!(fabric.books().balance());
}

#[test]
fn an_explanation_reads_like_the_walk() {
    let host = LegConfig { role: Role::Host, mac: Some(mac(9)), ..LegConfig::default() };
    let mut fabric = row(2);
    fabric.apply(Change::AddPort(PortId(5), NodeId(0), host), NOW).expect("there is room");
    let at = |node, leg| Leg { node: NodeId(node), leg: crate::frame::LegIndex(leg) };
    let steps =
        |fabric: &Fabric, port, bytes: &[u8]| fabric.explain(PortId(port), bytes, NOW).steps().to_vec();
    let first = [
        Step::Arrive(at(0, 0)),
        Step::Learn(mac(1)),
        Step::Lookup(mac(2), None),
        Step::Flood(Cast::UnknownUnicast),
        Step::Arrive(at(1, 1)),
        Step::Learn(mac(1)),
        Step::Lookup(mac(2), None),
        Step::Flood(Cast::UnknownUnicast),
        Step::Deliver(PortId(1), Edit::NONE),
    ];
    let bytes = frame(mac(2), mac(1));
    assert_eq!(steps(&fabric, 0, &bytes), first);
    assert_eq!(steps(&fabric, 0, &bytes), first, "explaining changed nothing");
    send(&mut fabric, 1, &frame(Mac::BROADCAST, mac(2)));
    let leg = Some(crate::frame::LegIndex(1));
    let known =
        [Step::Arrive(at(0, 0)), Step::Learn(mac(1)), Step::Lookup(mac(2), leg), Step::Arrive(at(1, 1))];
    assert_eq!(steps(&fabric, 0, &bytes)[..4], known);
    let unlearned = Step::NotLearned(mac(9), Unlearned::OwnAddress);
    assert_eq!(steps(&fabric, 0, &frame(mac(2), mac(9)))[1], unlearned, "B8");
}

#[test]
fn ticks_are_bounded_and_fair() {
    let ageing = std::time::Duration::from_secs(10);
    let config = BridgeConfig { ageing, ..BridgeConfig::default() };
    let mut fabric = built(&[Change::AddBridge(NodeId(0), config), port(0, 0), bridge(1), port(1, 1)]);
    assert_eq!(fabric.deadline(), None, "nothing can expire");
    for n in 0..300_u16 {
        let [high, low] = n.to_be_bytes();
        send(&mut fabric, 0, &frame(Mac::BROADCAST, Mac([2, 1, 0, 0, high, low])));
    }
    send(&mut fabric, 1, &frame(Mac::BROADCAST, mac(1)));
    assert_eq!(fabric.deadline(), Some(Time::from_secs(11)), "the earliest of all bridges");
    assert_eq!(fabric.stations(NodeId(0), Time::from_secs(11)).len(), 0, "expired, though nobody swept");
    fabric.tick(Time::from_secs(11), &mut Batch::new());
    assert_eq!(fabric.deadline(), Some(Time::from_secs(11)), "more than one tick may do: due at once");
    fabric.tick(Time::from_secs(11), &mut Batch::new());
    assert_eq!(fabric.deadline(), Some(Time::from_secs(301)), "the other bridge");
    fabric.tick(Time::from_secs(301), &mut Batch::new());
    assert_eq!(fabric.deadline(), None);
}
