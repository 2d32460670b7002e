//! What must hold, put as assertions.

use std::collections::{BTreeMap, BTreeSet};

use vswitchd::bridge::{Event, StationKind, StpMode};
use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{Batch, Edit, End, Headers, NodeId, Offload, Passage, PortId};
use vswitchd::time::Time;
use vswitchd::trace::{Step, Trace};
use vswitchd::verdict::Reason;
use vswitchd::wire::arp::Arp;
use vswitchd::wire::bpdu::Bpdu;
use vswitchd::wire::ip::{Ipv4, Ipv6};
use vswitchd::wire::mac::Mac;
use vswitchd::wire::{igmp, mld};

pub(super) const NODES: [NodeId; 2] = [NodeId(0), NodeId(1)];

/// The first frame of the batch went where it was said to go. In a loop a frame meets what it has just taught, so only
/// those that meet no bridge twice can be foreseen.
pub(super) fn foreseen(told: &Trace, batch: &Batch) {
    let steps = told.steps();
    let met: Vec<NodeId> = steps
        .iter()
        .filter_map(|step| if let Step::Arrive(leg) = step { Some(leg.node) } else { None })
        .collect();
    if met.iter().collect::<BTreeSet<_>>().len() < met.len() {
        return;
    }
    let promised: Vec<(PortId, Edit)> = steps
        .iter()
        .filter_map(|step| if let Step::Deliver(port, edit) = step { Some((*port, *edit)) } else { None })
        .collect();
    let of_frame = batch.deliveries().iter().filter(|delivery| delivery.frame == 0);
    let delivered: Vec<_> = of_frame.map(|delivery| (delivery.port, delivery.edit)).collect();
    assert_eq!(delivered, promised, "as explained: {told:?}");
    let once: BTreeSet<_> = delivered.iter().map(|(port, edit)| (*port, edit.dst())).collect();
    assert_eq!(once.len(), delivered.len(), "no port gets it twice: {told:?}");
    let end = batch.ends()[0];
    let says = |wanted: &dyn Fn(&Step) -> bool| steps.iter().any(wanted);
    let consumed = says(&|step| *step == Step::Consume);
    let mirrored = says(&|step| matches!(step, Step::Mirror(_)));
    match end {
        End::Consumed => assert!(consumed, "{told:?}"),
        End::Dropped(reason) => {
            let said = says(&|step| matches!(step, Step::Drop(r) | Step::Withhold(_, r) if *r == reason));
            assert!(said || reason == Reason::NoPort, "nobody said {reason}: {told:?}");
            assert!(delivered.is_empty() || mirrored, "{end:?}, but {told:?}");
        }
        End::Flooded => assert!(!delivered.is_empty() || consumed, "{end:?}, but {told:?}"),
        End::Parked => panic!("bridges keep nothing: {told:?}"),
        End::Sent => assert!(delivered.len() == 1 || (mirrored && !delivered.is_empty()), "{told:?}"),
    }
}

/// What devices made can be read.
pub(super) fn originated(batch: &Batch) {
    for frame in &batch.frames()[batch.received()..] {
        let bytes = frame.bytes();
        let headers = Headers::parse(bytes, &Offload::NONE).expect("a frame");
        assert!(headers.src.is_station() && headers.dst != Mac::ZERO, "{headers:?}");
        let payload = Passage { bytes, edit: &Edit::NONE, headers: &headers }.payload();
        let sound = match headers.ether_type {
            0x0800 => Ipv4::parse(payload).is_some_and(|ip| matches!(igmp::parse(&ip, false), Ok(Some(_)))),
            0x0806 => Arp::parse(payload).is_some(),
            0x86dd => Ipv6::parse(payload).is_some_and(|ip| match ip.next_header {
                0 => matches!(mld::parse(&ip, false), Ok(Some(_))),
                next => next == 58,
            }),
            _ => Bpdu::parse(bytes).is_ok(),
        };
        assert!(sound, "nobody can read {bytes:02x?}");
    }
}

pub(super) fn balanced(fabric: &Fabric) {
    let books = fabric.books();
    assert!(books.balance(), "{books:?}");
    for counters in NODES.into_iter().filter_map(|node| fabric.bridge_counters(node)) {
        let ended = counters.consumed + counters.forwarded + counters.flooded + counters.drops.total();
        assert_eq!(counters.received, ended, "a bridge's books balance too: {counters:?}");
    }
}

/// The most that the settings have allowed so far: what is there when a limit is lowered may stay.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    stations: u32,
    groups: u32,
}

impl Bounds {
    pub(super) fn learn_of(&mut self, change: &Change) {
        if let Change::AddBridge(_, config) | Change::ConfigureBridge(_, config) = change {
            self.stations = self.stations.max(config.fdb_max);
            self.groups = self.groups.max(config.multicast.hash_max);
        }
    }

    pub(super) fn check(&self, fabric: &Fabric, now: Time) {
        for node in NODES {
            let stations = fabric.stations(node, now);
            let learned = stations.iter().filter(|(entry, _)| entry.kind.ages()).count();
            assert!(learned <= self.stations as usize, "{learned} stations");
            let groups = fabric.groups(node, now);
            let groups: BTreeSet<_> = groups.iter().map(|(entry, _)| (entry.vid, entry.group)).collect();
            assert!(groups.len() <= self.groups as usize, "{groups:?}");
            let _ = (fabric.routers(node, now), fabric.queriers(node, now), fabric.vlans(node));
            if let Some((tree, legs)) = fabric.tree(node, now)
                && tree.mode == StpMode::Off
            {
                assert!(legs.is_empty() || !tree.topology_change, "nobody speaks of changes");
            }
        }
    }
}

/// Somebody who knows the stations from the news alone.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    known: BTreeSet<(NodeId, u16, Mac)>,
}

impl Watcher {
    pub(super) fn check(&mut self, fabric: &mut Fabric, now: Time) {
        let lost = fabric.news(|news| match news.event {
            Event::Learned(s) => drop(self.known.insert((news.node, s.vid, s.mac))),
            Event::Forgotten(s) => drop(self.known.remove(&(news.node, s.vid, s.mac))),
            _ => {}
        });
        assert_eq!(lost, 0, "there is little to tell");
        for node in NODES {
            if fabric.bridge_counters(node).is_none() {
                self.known.retain(|(of, ..)| *of != node);
                continue;
            }
            let due = fabric.deadline().is_some_and(|deadline| deadline <= now);
            let listed: BTreeMap<_, _> = fabric
                .stations(node, now)
                .into_iter()
                .map(|(entry, _)| ((node, entry.vid, entry.mac), entry.kind))
                .collect();
            let unheard: Vec<_> = listed
                .iter()
                .filter(|(key, kind)| **kind != StationKind::Local && !self.known.contains(key))
                .collect();
            assert!(unheard.is_empty(), "nobody was told of {unheard:?}");
            let gone: Vec<_> =
                self.known.iter().filter(|key| key.0 == node && !listed.contains_key(key)).collect();
            assert!(due || gone.is_empty(), "nobody was told that these are gone: {gone:?}");
        }
    }
}
