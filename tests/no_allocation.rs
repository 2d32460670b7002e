//! The core allocates nothing for a frame: not to learn, forward, flood, move, refuse or drop it.

#[path = "common/counting.rs"]
mod counting;
#[path = "no_allocation/gateway.rs"]
mod gateway;

use std::time::Duration;

use counting::allocations;
use vswitchd::bridge::{BridgeConfig, LegConfig, Promiscuous, Role, VlanConfig, VlanEntry};
use vswitchd::fabric::{Books, Change, Fabric};
use vswitchd::frame::{BATCH_MAX, Batch, Frame, LinkId, NodeId, Plug, PortId};
use vswitchd::time::Time;
use vswitchd::verdict::Reason;
use vswitchd::wire::mac::Mac;

const FRAMES: usize = 1_000_000;
const STATIONS_MAX: u32 = 600;

/// A million frames, in batches that are used again: every station of a full table comes, goes, moves, is flooded to
/// and expires, over a link as well, and strangers are refused.
#[test]
fn a_million_frames_allocate_nothing() {
    let books = run(&mut fabric(VlanConfig::default()));
    let least = FRAMES as u64 / 100;
    assert!(
        books.sent > least && books.flooded > least && books.drops.total() > least,
        "all sorts: {books:?}"
    );
}

/// The same where VLANs are filtered: tags are put on and taken off, on ports and on the wire between the bridges, and
/// somebody watches.
#[test]
fn a_million_frames_in_vlans_allocate_nothing() {
    let mut fabric = fabric(VlanConfig { filtering: true, ..VlanConfig::default() });
    let link = [0, 1].map(|side| Plug::Link(LinkId(0), side));
    let access = |port: u16, vid| {
        let entry = VlanEntry { vid, pvid: true, untagged: true };
        Change::AddVlan(Plug::Port(PortId(port)), entry)
    };
    let trunk = |at, vid| Change::AddVlan(at, VlanEntry { vid, pvid: false, untagged: false });
    let monitor = LegConfig { promiscuous: Promiscuous::Monitor, ..LegConfig::default() };
    let mut changes = vec![Change::ConfigureLeg(Plug::Port(PortId(5)), monitor)];
    changes.extend((0..4).map(|port| access(port, 2)));
    for vid in [2, 3] {
        changes.extend(link.map(|end| trunk(end, vid)));
        changes.extend([6, 7].map(|port| trunk(Plug::Port(PortId(port)), vid)));
    }
    for change in changes {
        fabric.apply(change, Time::ZERO).expect("the fabric is sound");
    }
    let books = run(&mut fabric);
    let least = FRAMES as u64 / 100;
    let turned_away = books.drops.of(Reason::VlanIngress);
    assert!(books.sent > least && books.flooded > least && turned_away > least, "all sorts: {books:?}");
}

fn run(fabric: &mut Fabric) -> Books {
    let mut batch = Batch::new();
    let mut buffers: Vec<Box<[u8]>> = (0..BATCH_MAX).map(|_| vec![0; 128].into_boxed_slice()).collect();
    let (mut random, mut tagged, mut mirrored) = (1_u64, 0, 0);
    let mut round = |fabric: &mut Fabric, number: usize| {
        for _ in 0..BATCH_MAX {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            batch.push(frame(buffers.pop().expect("as many as frames"), (random >> 32) as u32));
        }
        let now = Time::from_nanos(number as u64 * 1_000_000);
        fabric.receive(&mut batch, now);
        fabric.tick(now, &mut batch);
        tagged += batch.deliveries().iter().filter(|delivery| !delivery.edit.is_none()).count();
        mirrored += batch.deliveries().iter().filter(|delivery| delivery.port == PortId(5)).count();
        batch.clear(|buffer| buffers.push(buffer));
    };
    // until the tables have grown to what they may hold
    let warm_up = 1000;
    (0..warm_up).for_each(|number| round(fabric, number));
    let before = allocations();
    (warm_up..warm_up + FRAMES / BATCH_MAX).for_each(|number| round(fabric, number));
    assert_eq!(allocations() - before, 0);

    let books = fabric.books();
    assert!(books.balance());
    let counters = fabric.bridge_counters(NodeId(0)).expect("it was added");
    let learning = [counters.learned, counters.moved, counters.refused];
    let least = FRAMES as u64 / 100;
    assert!(learning.iter().all(|count| *count > least), "all sorts: {counters:?}");
    let filtering = fabric.vlans(NodeId(0)).iter().any(|(_, vlans)| vlans.len() > 1);
    assert_eq!(tagged > FRAMES / 100, filtering, "tags were put on or taken off {tagged} times");
    assert!(mirrored > FRAMES / 100, "{mirrored} frames out of port 5, which may watch");
    books
}

fn fabric(vlan: VlanConfig) -> Fabric {
    let mut fabric = Fabric::new([1, 2]);
    let ageing = Duration::from_millis(20);
    let config = BridgeConfig { fdb_max: STATIONS_MAX, ageing, vlan, ..BridgeConfig::default() };
    let host = LegConfig { role: Role::Host, mac: Some(Mac([2, 0, 0, 0, 0, 0xff])), ..LegConfig::default() };
    let mut changes = vec![
        Change::AddBridge(NodeId(0), config),
        Change::AddBridge(NodeId(1), config),
        Change::AddLink(LinkId(0), [NodeId(0), NodeId(1)], [LegConfig::default(); 2]),
        Change::AddPort(PortId(8), NodeId(0), host),
    ];
    changes.extend((0..8).map(|port| Change::AddPort(PortId(port), NodeId(port % 2), LegConfig::default())));
    for change in changes {
        fabric.apply(change, Time::ZERO).expect("the fabric is sound");
    }
    fabric
}

/// A frame between two of some 1300 stations, sent through a port that is its source's most of the time.
fn frame(mut buffer: Box<[u8]>, random: u32) -> Frame {
    let (src, dst) = ((random % 1300) as u16, (random / 1300 % 1300) as u16);
    let mac = |n: u16| [2, 0, 0, 1, (n >> 8) as u8, n as u8];
    let port = if random >> 28 == 0 { random >> 24 & 7 } else { u32::from(src) % 8 };
    buffer[64..70].copy_from_slice(&if random >> 27 == 5 { [0xff; 6] } else { mac(dst) });
    buffer[70..76].copy_from_slice(&mac(src));
    // one in four with a tag, which is payload to those who do not filter
    let tag = [0x81, 0, 0, (random >> 22 & 3) as u8, 8, 0];
    buffer[76..82].copy_from_slice(if random >> 20 & 3 == 0 { &tag } else { &[8, 0, 0, 0, 0, 0] });
    Frame::new(buffer, 64, 124, PortId(port as u16))
}
