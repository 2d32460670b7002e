//! Tags that one bridge puts on and another takes off, on the wire between them.

use super::*;
use crate::bridge::{VlanConfig, VlanProtocol};

const Q: u16 = 0x8100;
const AD: u16 = 0x88a8;

fn filtering(id: u16, protocol: VlanProtocol) -> Change {
    let vlan = VlanConfig { filtering: true, protocol, default_pvid: 0 };
    Change::AddBridge(NodeId(id), BridgeConfig { vlan, ..BridgeConfig::default() })
}

fn access(at: Plug, vid: u16) -> Change {
    Change::AddVlan(at, VlanEntry { vid, pvid: true, untagged: true })
}

fn trunk(at: Plug, vid: u16) -> Change {
    Change::AddVlan(at, VlanEntry { vid, pvid: false, untagged: false })
}

/// A leg whose untagged frames belong to the VLAN, and come out tagged.
fn native(at: Plug, vid: u16) -> Change {
    Change::AddVlan(at, VlanEntry { vid, pvid: true, untagged: false })
}

fn port_plug(id: u16) -> Plug {
    Plug::Port(PortId(id))
}

/// Both ends of the link between `a` and `b`.
fn ends(a: u16, b: u16) -> [Plug; 2] {
    [0, 1].map(|side| Plug::Link(LinkId(16 * a + b), side))
}

fn tagged(dst: Mac, src: Mac, tags: &[(u16, u16)]) -> Vec<u8> {
    let tags = tags.iter().flat_map(|(tpid, tci)| [tpid.to_be_bytes(), tci.to_be_bytes()].concat());
    [&dst.0[..], &src.0, &tags.collect::<Vec<_>>(), &[8, 0], &[0; 46]].concat()
}

/// What became of a frame, and what the ports got.
fn exchange(fabric: &mut Fabric, ingress: u16, bytes: &[u8]) -> (End, Vec<(u16, Vec<u8>)>) {
    let told = fabric.explain(PortId(ingress), bytes, NOW);
    let mut batch = Batch::new();
    batch.push(Frame::copy_of(bytes, PortId(ingress)));
    fabric.receive(&mut batch, NOW);
    let deliveries: Vec<_> =
        batch.deliveries().iter().map(|delivery| Step::Deliver(delivery.port, delivery.edit)).collect();
    let foretold: Vec<_> =
        told.steps().iter().copied().filter(|step| matches!(step, Step::Deliver(..))).collect();
    assert_eq!(foretold, deliveries, "as explained");
    let written = |delivery: &crate::frame::Delivery| {
        let (head, len) = delivery.edit.head(bytes);
        (delivery.port.0, [&head[..len], &bytes[delivery.edit.tail()..]].concat())
    };
    (batch.ends()[0], batch.deliveries().iter().map(written).collect())
}

#[test]
fn a_tag_crosses_a_link_and_comes_off() {
    let [near, far] = ends(0, 1);
    let dot1q = VlanProtocol::Dot1q;
    let mut fabric = built(&[
        filtering(0, dot1q),
        filtering(1, dot1q),
        link(0, 1),
        port(0, 0),
        port(1, 1),
        port(2, 1),
        access(port_plug(0), 10),
        trunk(near, 10),
        trunk(far, 10),
        access(port_plug(1), 10),
        trunk(port_plug(2), 10),
    ]);
    let [src, dst] = [mac(1), mac(2)];
    let (end, got) = exchange(&mut fabric, 0, &frame(Mac::BROADCAST, src));
    let both = vec![(1, frame(Mac::BROADCAST, src)), (2, tagged(Mac::BROADCAST, src, &[(Q, 10)]))];
    assert_eq!((end, got), (End::Flooded, both), "B55: pushed on one bridge, popped on the next");
    let (end, got) = exchange(&mut fabric, 2, &tagged(src, dst, &[(Q, 10)]));
    assert_eq!((end, got), (End::Sent, vec![(0, frame(src, dst))]), "and back, popped at the far end");
    let at = fabric.stations(NodeId(1), NOW).into_iter().map(|(entry, plug)| (entry.vid, entry.mac, plug));
    assert_eq!(at.collect::<Vec<_>>(), [(10, src, far), (10, dst, port_plug(2))], "B58: learned in VLAN 10");
    fabric.apply(Change::RemoveVlan(far, 10), NOW).expect("it is in it");
    let (end, got) = exchange(&mut fabric, 0, &frame(Mac::BROADCAST, src));
    assert_eq!((end, got), (End::Dropped(Reason::VlanIngress), vec![]), "B52: the far end turns it away");
    fabric.apply(Change::RemoveVlan(near, 10), NOW).expect("it is in it");
    let (end, _) = exchange(&mut fabric, 0, &frame(Mac::BROADCAST, src));
    assert_eq!(end, End::Dropped(Reason::VlanEgress), "B59: and now the near one");
}

#[test]
fn a_provider_carries_a_customers_tags_through() {
    let ([near, far], [near2, far2]) = (ends(0, 1), ends(1, 2));
    let mut fabric = built(&[
        filtering(0, VlanProtocol::Dot1q),
        filtering(1, VlanProtocol::Dot1ad),
        filtering(2, VlanProtocol::Dot1q),
        link(0, 1),
        link(1, 2),
        port(0, 0),
        port(1, 1),
        port(2, 2),
        access(port_plug(0), 10),
        trunk(near, 10),
        access(far, 200),
        trunk(port_plug(1), 200),
        access(near2, 200),
        trunk(far2, 10),
        access(port_plug(2), 10),
    ]);
    let src = mac(1);
    let (end, got) = exchange(&mut fabric, 0, &frame(Mac::BROADCAST, src));
    let both = vec![(1, tagged(Mac::BROADCAST, src, &[(AD, 200), (Q, 10)])), (2, frame(Mac::BROADCAST, src))];
    assert_eq!((end, got), (End::Flooded, both), "B57: QinQ inside, nothing of it outside");
}

#[test]
fn a_third_tag_is_one_too_many() {
    let ([near, far], [near2, far2]) = (ends(0, 1), ends(1, 2));
    let mut fabric = built(&[
        filtering(0, VlanProtocol::Dot1q),
        filtering(1, VlanProtocol::Dot1ad),
        filtering(2, VlanProtocol::Dot1q),
        link(0, 1),
        link(1, 2),
        port(0, 0),
        port(2, 2),
        access(port_plug(0), 10),
        trunk(near, 10),
        native(far, 200),
        trunk(near2, 200),
        native(far2, 30),
        trunk(port_plug(2), 30),
    ]);
    let (end, got) = exchange(&mut fabric, 0, &frame(Mac::BROADCAST, mac(1)));
    assert_eq!(got, [], "two is what an edit has room for");
    assert!(matches!(end, End::Dropped(_)), "{end:?}");
    assert_eq!(fabric.withheld_out(PortId(2)).of(Reason::TagsFull), 1, "counted where it would have left");
    fabric.apply(access(port_plug(2), 30), NOW).expect("it is in it");
    let (end, got) = exchange(&mut fabric, 0, &frame(Mac::BROADCAST, mac(1)));
    let two = vec![(2, tagged(Mac::BROADCAST, mac(1), &[(AD, 200), (Q, 10)]))];
    assert_eq!((end, got), (End::Flooded, two), "and two there are");
    fabric.apply(trunk(port_plug(2), 30), NOW).expect("it is in it");
    send(&mut fabric, 2, &tagged(mac(1), mac(2), &[(Q, 30), (AD, 200), (Q, 10)]));
    let (end, _) = exchange(&mut fabric, 0, &frame(mac(2), mac(1)));
    assert_eq!(end, End::Dropped(Reason::TagsFull), "known unicast says so itself");
    assert!(fabric.books().balance());
}

#[test]
fn a_watcher_sees_the_frame_as_it_came_to_its_bridge() {
    let [near, far] = ends(0, 1);
    let dot1q = VlanProtocol::Dot1q;
    let watch = LegConfig { promiscuous: crate::bridge::Promiscuous::Monitor, ..LegConfig::default() };
    let mut fabric = built(&[
        filtering(0, dot1q),
        filtering(1, dot1q),
        link(0, 1),
        port(0, 0),
        port(1, 1),
        Change::AddPort(PortId(5), NodeId(1), watch),
        access(port_plug(0), 10),
        trunk(near, 10),
        trunk(far, 10),
        access(port_plug(1), 10),
    ]);
    let src = mac(1);
    let (end, got) = exchange(&mut fabric, 0, &frame(Mac::BROADCAST, src));
    let both = vec![(5, tagged(Mac::BROADCAST, src, &[(Q, 10)])), (1, frame(Mac::BROADCAST, src))];
    assert_eq!((end, got), (End::Flooded, both), "with the tag of the wire, though it is in no VLAN");
    let (end, got) = exchange(&mut fabric, 0, &tagged(Mac::BROADCAST, src, &[(Q, 20)]));
    assert_eq!((end, got), (End::Dropped(Reason::VlanIngress), vec![]), "it does not watch the other bridge");
    assert_eq!(fabric.books().delivered, 2, "a watcher's copy is a delivery, too");
}

#[test]
fn an_explanation_says_that_nothing_is_left_under_a_stripped_tag() {
    let [near, far] = ends(0, 1);
    let dot1q = VlanProtocol::Dot1q;
    let mut fabric = built(&[
        filtering(0, dot1q),
        filtering(1, dot1q),
        link(0, 1),
        port(0, 0),
        port(1, 1),
        trunk(port_plug(0), 10),
        access(near, 10),
        access(far, 10),
        access(port_plug(1), 10),
    ]);
    let mut bytes = tagged(Mac::BROADCAST, mac(1), &[(Q, 10), (Q, 10)]);
    bytes.truncate(22);
    let told = fabric.explain(PortId(0), &bytes, NOW);
    let (end, got) = exchange(&mut fabric, 0, &bytes);
    assert_eq!((end, got), (End::Dropped(Reason::FrameShort), vec![]), "the inner tag has nothing behind it");
    assert_eq!(told.steps().last(), Some(&Step::Drop(Reason::FrameShort)), "{told:?}");
}
