//! Whatever is changed and whatever is sent, the books balance, explanations are right, and nothing panics.

use std::time::Duration;

use proptest::prelude::*;
use vswitchd::bridge::{
    BridgeConfig, LegConfig, Promiscuous, Role, StationKind, VlanConfig, VlanEntry, VlanProtocol,
};
use vswitchd::fabric::{Change, Fabric, Station};
use vswitchd::frame::{Batch, End, Frame, LinkId, NodeId, Plug, PortId};
use vswitchd::time::Time;
use vswitchd::trace::Step;
use vswitchd::verdict::Reason;
use vswitchd::wire::mac::Mac;

/// Something that happens to the fabric.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few at a time")]
enum Event {
    Change(Change),
    Receive(Vec<(u16, Vec<u8>)>),
    Wait(Duration),
    Tick,
}

fn node() -> impl Strategy<Value = NodeId> {
    (0..10_u16).prop_map(NodeId)
}

fn port() -> impl Strategy<Value = PortId> {
    (0..12_u16).prop_map(PortId)
}

fn plug() -> impl Strategy<Value = Plug> {
    prop_oneof![
        2 => port().prop_map(Plug::Port),
        1 => (0..4_u16, 0..2_u8).prop_map(|(link, side)| Plug::Link(LinkId(link), side)),
    ]
}

fn vlan() -> impl Strategy<Value = VlanEntry> {
    (0..4_u16, any::<bool>(), any::<bool>()).prop_map(|(vid, pvid, untagged)| VlanEntry {
        vid,
        pvid,
        untagged,
    })
}

/// Few enough stations that they meet, and every sort of address.
fn mac() -> impl Strategy<Value = Mac> {
    prop_oneof![
        12 => (0..12_u8).prop_map(|n| Mac([2, 0, 0, 0, 0, n])),
        2 => Just(Mac::BROADCAST),
        2 => (0..17_u8).prop_map(|n| Mac([1, 0x80, 0xc2, 0, 0, n])),
        1 => Just(Mac::ZERO),
        1 => Just(Mac([0x33, 0x33, 0, 0, 0, 1])),
    ]
}

fn bridge_config() -> impl Strategy<Value = BridgeConfig> {
    let vlan = (any::<bool>(), any::<bool>(), 0..4_u16).prop_map(|(filtering, provider, default_pvid)| {
        let protocol = if provider { VlanProtocol::Dot1ad } else { VlanProtocol::Dot1q };
        VlanConfig { filtering, protocol, default_pvid }
    });
    (0..20_u64, 0..6_u32, 0..2_u16, any::<bool>(), vlan).prop_map(
        |(secs, fdb_max, mask, no_linklocal_learn, vlan)| BridgeConfig {
            ageing: Duration::from_secs(secs),
            fdb_max,
            group_fwd_mask: mask << 14,
            no_linklocal_learn,
            vlan,
            ..BridgeConfig::default()
        },
    )
}

fn leg_config() -> impl Strategy<Value = LegConfig> {
    let flags = prop::array::uniform7(prop::bool::weighted(0.2));
    (flags, 0..8_u8, prop::option::of(mac()), 30..80_u32).prop_map(|(flags, kind, mac, mtu)| LegConfig {
        role: if kind == 0 { Role::Host } else { Role::Port },
        mac,
        mtu,
        learning: !flags[0],
        flood: !flags[1],
        mcast_flood: !flags[2],
        bcast_flood: !flags[3],
        hairpin: flags[4],
        isolated: flags[5],
        locked: flags[6],
        group_fwd_mask: 0,
        promiscuous: if kind == 1 { Promiscuous::Deny } else { Promiscuous::Allow },
        ..LegConfig::default()
    })
}

fn station() -> impl Strategy<Value = Station> {
    let kind = prop::sample::select(vec![
        StationKind::Learned,
        StationKind::Local,
        StationKind::Static,
        StationKind::Sticky,
    ]);
    (node(), mac(), port(), kind).prop_map(|(bridge, mac, port, kind)| Station {
        bridge,
        mac,
        vlan: None,
        at: Plug::Port(port),
        kind,
    })
}

fn link(id: u16, a: NodeId, b: NodeId) -> Change {
    Change::AddLink(LinkId(id), [a, b], [LegConfig::default(); 2])
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (node(), bridge_config()).prop_map(|(n, c)| Change::AddBridge(n, c)),
        6 => (0..20_u16, node(), node()).prop_map(|(id, a, b)| link(id, a, b)),
        8 => (port(), node(), leg_config()).prop_map(|(p, n, c)| Change::AddPort(p, n, c)),
        2 => station().prop_map(Change::AddStation),
        1 => (node(), bridge_config()).prop_map(|(n, c)| Change::ConfigureBridge(n, c)),
        2 => (port(), leg_config()).prop_map(|(p, c)| Change::ConfigureLeg(Plug::Port(p), c)),
        1 => (node(), prop::option::of(port())).prop_map(|(n, p)| Change::Flush(n, p.map(Plug::Port), None)),
        1 => node().prop_map(Change::RemoveBridge),
        1 => (0..20_u16).prop_map(|id| Change::RemoveLink(LinkId(id))),
        1 => port().prop_map(Change::RemovePort),
        1 => station().prop_map(Change::RemoveStation),
        2 => (port(), any::<bool>()).prop_map(|(p, up)| Change::SetPortUp(p, up)),
        4 => (plug(), vlan()).prop_map(|(at, entry)| Change::AddVlan(at, entry)),
        1 => (plug(), 0..4_u16).prop_map(|(at, vid)| Change::RemoveVlan(at, vid)),
        1 => (port(), prop::option::of(port())).prop_map(|(p, backup)| {
            Change::SetBackup(Plug::Port(p), backup.map(Plug::Port))
        }),
    ]
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let tag = (prop::sample::select(vec![0x8100_u16, 0x88a8]), 0..4_u16);
    let tags = prop::collection::vec(tag, 0..3);
    let sound = (mac(), mac(), tags, 0..90_usize).prop_map(|(dst, src, tags, len)| {
        let tags = tags.iter().flat_map(|(tpid, tci)| [tpid.to_be_bytes(), tci.to_be_bytes()].concat());
        [&dst.0[..], &src.0, &tags.collect::<Vec<_>>(), &[8, 0], &vec![0; len]].concat()
    });
    prop_oneof![20 => sound, 1 => prop::collection::vec(any::<u8>(), 0..30)]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => change().prop_map(Event::Change),
        6 => prop::collection::vec((0..13_u16, frame()), 1..8).prop_map(Event::Receive),
        1 => (0..15_u64).prop_map(|secs| Event::Wait(Duration::from_secs(secs))),
        1 => Just(Event::Tick),
    ]
}

/// A lab to begin with, so that most frames find something.
fn lab() -> Vec<Event> {
    let bridges = (0..4).map(|n| Change::AddBridge(NodeId(n), BridgeConfig::default()));
    let links = [(0, 0, 1), (1, 1, 2), (2, 1, 3)].map(|(id, a, b)| link(id, NodeId(a), NodeId(b)));
    let ports = (0..8).map(|p| Change::AddPort(PortId(p), NodeId(p % 4), LegConfig::default()));
    bridges.chain(links).chain(ports).map(Event::Change).collect()
}

/// Sends one frame, and holds what became of it against the explanation that was given before.
fn receive(fabric: &mut Fabric, ingress: PortId, bytes: &[u8], now: Time) -> Result<(), TestCaseError> {
    let told = fabric.explain(ingress, bytes, now);
    let deliveries = told.steps().iter().filter_map(|step| match step {
        Step::Deliver(port, edit) => Some((*port, *edit)),
        _ => None,
    });
    let deliveries: Vec<_> = deliveries.collect();
    let mut batch = Batch::new();
    batch.push(Frame::copy_of(bytes, ingress));
    let dropped_before = fabric.dropped_in(ingress).total();
    fabric.receive(&mut batch, now);

    let delivered: Vec<_> =
        batch.deliveries().iter().map(|delivery| (delivery.port, delivery.edit)).collect();
    prop_assert_eq!(&delivered, &deliveries, "as explained: {:?}", told);
    let mut once: Vec<_> = delivered.iter().map(|(port, _)| *port).collect();
    once.sort_unstable();
    once.dedup();
    prop_assert_eq!(once.len(), delivered.len(), "no port gets it twice");
    let end = batch.ends()[0];
    prop_assert_eq!(matches!(end, End::Dropped(_)), delivered.is_empty(), "{:?}", end);
    prop_assert!(end != End::Sent || delivered.len() == 1);
    let counted = fabric.dropped_in(ingress).total() - dropped_before;
    let known = !matches!(end, End::Dropped(Reason::IngressDown));
    prop_assert!(!known || counted == u64::from(delivered.is_empty()), "counted for the port it entered by");
    Ok(())
}

/// What must hold at any time.
fn check(fabric: &Fabric, now: Time) -> Result<(), TestCaseError> {
    prop_assert!(fabric.books().balance(), "{:?}", fabric.books());
    for node in (0..10).map(NodeId) {
        let stations: Vec<_> =
            fabric.stations(node, now).into_iter().map(|(entry, _)| (entry.vid, entry.mac)).collect();
        prop_assert!(stations.is_sorted(), "listed in order: {:?}", stations);
        if let Some(counters) = fabric.bridge_counters(node) {
            let ended = counters.forwarded + counters.flooded + counters.drops.total();
            prop_assert_eq!(counters.received, ended, "a bridge's books balance too");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn books_balance(events in prop::collection::vec(event(), 1..80)) {
        let mut fabric = Fabric::new([1, 2]);
        let mut now = Time::ZERO;
        let mut received = 0;
        for event in lab().into_iter().chain(events) {
            match event {
                // refusals are part of the game; that they change nothing is tested with the fabric
                Event::Change(change) => drop(fabric.apply(change, now)),
                Event::Receive(frames) => {
                    received += frames.len() as u64;
                    for (ingress, bytes) in frames {
                        receive(&mut fabric, PortId(ingress), &bytes, now)?;
                    }
                }
                Event::Tick => {
                    fabric.tick(now, &mut Batch::new());
                    prop_assert!(fabric.deadline().is_none_or(|deadline| deadline > now), "few enough for one tick");
                }
                Event::Wait(duration) => now = now + duration,
            }
            check(&fabric, now)?;
        }
        prop_assert_eq!(fabric.books().received, received);
    }
}
