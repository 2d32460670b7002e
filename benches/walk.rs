//! What the core costs: parsing, walking, flooding, learning, sweeping, and how that grows with the table.
//!
//! Times are per batch of 64 frames unless the name says otherwise; throughput is given in frames.

#[allow(dead_code, reason = "other benches walk in more of them")]
mod worlds;

use std::cell::RefCell;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use vswitchd::bridge::{
    Bridge, BridgeConfig, Extras, LegConfig, MulticastConfig, Outbox, VlanConfig, VlanEntry,
};
use vswitchd::fabric::{Change, Fabric, Membership};
use vswitchd::frame::{
    BATCH_MAX, Batch, Edit, Frame, Headers, LegIndex, NodeId, Offload, Passage, Plug, PortId,
};
use vswitchd::time::Time;
use vswitchd::trace::Trace;
use vswitchd::wire::mac::Mac;
use vswitchd::wire::membership::Question;
use vswitchd::wire::{checksum, igmp};
use worlds::bridge::{STATIONS_MANY, Sources, Stations, config, fabric, mac, teach};
use worlds::{Dice, Lot, Rounds, interleave, tried};

fn bytes(dst: Mac, src: Mac) -> Vec<u8> {
    [&dst.0[..], &src.0, &[8, 0], &[0; 46]].concat()
}

fn parse(c: &mut Criterion) {
    let bytes = bytes(mac(1), mac(2));
    c.bench_function("parse/one frame", |b| b.iter(|| Headers::parse(black_box(&bytes), &Offload::NONE)));
}

/// The device alone: one frame, both stations known.
fn bridge(c: &mut Criterion) {
    let (mut extras, mut out) = (Extras::default(), Outbox::default());
    let mut bridge = Bridge::new(config(), [1, 2], Time::ZERO).expect("sound");
    for _ in 0..2 {
        bridge.attach(LegConfig::default(), Time::ZERO, &mut out).expect("there is room");
    }
    let (there, back) = (bytes(mac(1), mac(2)), bytes(mac(2), mac(1)));
    let headers = |bytes| Headers::parse(bytes, &Offload::NONE).expect("long enough");
    let (headers_there, headers_back) = (headers(&there), headers(&back));
    let edit = &Edit::NONE;
    let there = Passage { bytes: &there, edit, headers: &headers_there };
    let back = Passage { bytes: &back, edit, headers: &headers_back };
    let mut now = 0;
    c.bench_function("bridge/known unicast, there and back (two frames)", |b| {
        b.iter(|| {
            now += 1000;
            let now = Time::from_nanos(now);
            for (leg, passage) in [(0, &there), (1, &back)] {
                let (leg, passage) = (LegIndex(leg), black_box(passage));
                black_box(bridge.forward(leg, passage, now, &mut Trace::off(), &mut extras, &mut out));
            }
        });
    });
}

fn unicast(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk/known unicast");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    for stations in [10, STATIONS_MANY] {
        let lot = RefCell::new(Stations::new(8, stations, Sources::One));
        group.bench_function(format!("{stations} stations"), |b| {
            // one batch at a time, and only the walk is timed
            let batches = BatchSize::PerIteration;
            b.iter_batched(|| lot.borrow_mut().fill(), |()| lot.borrow_mut().run(), batches);
        });
        let taught = 64 * u64::from(stations.div_ceil(64));
        assert_eq!(lot.borrow().fabric.books().drops.total(), taught, "only the teaching ended");
    }
}

/// What a frame costs where VLANs are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vlans {
    /// They are not: what the others are compared with.
    Off,
    /// From an access port to another: no tag anywhere.
    Access,
    /// From an access port to a trunk: a tag is put on.
    Push,
    /// From a trunk to an access port: a tag is taken off.
    Pop,
}

impl Vlans {
    const ALL: [Self; 4] = [Self::Off, Self::Access, Self::Push, Self::Pop];

    fn name(self) -> &'static str {
        match self {
            Self::Off => "not filtered",
            Self::Access => "filtered, no tags",
            Self::Push => "filtered, tag put on",
            Self::Pop => "filtered, tag taken off",
        }
    }
}

/// Batches of one sort, between the 64 stations of a network of eight ports.
struct Lane {
    fabric: Fabric,
    rounds: Rounds,
    vlans: Vlans,
    dice: Dice,
}

impl Lane {
    fn new(vlans: Vlans) -> Self {
        let mut fabric = fabric(8);
        let vlan = VlanConfig { filtering: vlans != Vlans::Off, ..VlanConfig::default() };
        let config = BridgeConfig { vlan, ..config() };
        let mut apply = |change| fabric.apply(change, Time::ZERO).expect("the fabric is sound");
        apply(Change::ConfigureBridge(NodeId(0), config));
        let trunk = |port| {
            let entry = VlanEntry { vid: 1, pvid: true, untagged: false };
            Change::AddVlan(Plug::Port(PortId(port)), entry)
        };
        if vlans == Vlans::Push {
            (1..8).for_each(|port| apply(trunk(port)));
        }
        teach(&mut fabric, 8, 64);
        Self { fabric, rounds: Rounds::new(), vlans, dice: Dice::new() }
    }
}

/// Gives every frame a tag of that VLAN, in place of its EtherType.
fn tag(rounds: &mut Rounds, vid: u16) {
    let (frames, _) = rounds.batch.outgoing();
    for frame in frames {
        frame.bytes_mut()[12..14].copy_from_slice(&[0x81, 0]);
        frame.bytes_mut()[14..16].copy_from_slice(&vid.to_be_bytes());
    }
}

impl Lot for Lane {
    fn fill(&mut self) {
        let dice = &mut self.dice;
        self.rounds.fill_between(|_| (mac(dice.roll(64)), mac(u32::MAX), PortId(0)));
        if self.vlans == Vlans::Pop {
            tag(&mut self.rounds, 1);
        }
    }

    fn run(&mut self) {
        self.rounds.run(&mut self.fabric, Time::ZERO);
    }
}

fn vlan(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk/VLANs");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    for vlans in Vlans::ALL {
        let mut lane = Lane::new(vlans);
        lane.fill();
        lane.run();
        let edited = !lane.rounds.batch.deliveries()[0].edit.is_none();
        assert_eq!(edited, matches!(vlans, Vlans::Push | Vlans::Pop), "{}", vlans.name());
        let lane = RefCell::new(lane);
        group.bench_function(vlans.name(), |b| {
            let batches = BatchSize::PerIteration;
            b.iter_batched(|| lane.borrow_mut().fill(), |()| lane.borrow_mut().run(), batches);
        });
    }
    group.finish();
    ratios(Vlans::ALL.map(Lane::new), |index, ratio| {
        println!("walk/VLANs: {}: {ratio:.2} times as long as not filtered", Vlans::ALL[index].name());
    });
}

/// Rounds of all lots in turn, each compared with the first of its round: on a machine that others use as well, only that
/// says anything.
fn ratios<L: Lot, const LOTS: usize>(mut lots: [L; LOTS], describe: impl Fn(usize, f64)) {
    let (rounds, batches) = if tried() { (3, 3) } else { (301, 100) };
    let mut lots: Vec<_> = lots.iter_mut().map(|lot| lot as &mut dyn Lot).collect();
    let times = interleave(&mut lots, rounds, batches);
    for (index, each) in times.iter().enumerate() {
        let ratio = |(time, first): (&Duration, &Duration)| time.as_secs_f64() / first.as_secs_f64();
        let mut ratios: Vec<f64> = each.iter().zip(&times[0]).map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        describe(index, ratios[rounds / 2]);
    }
}

/// How many groups are known.
const GROUPS: [u32; 2] = [10, 4096];
/// Its query was heard long enough ago.
const SNOOPED: Time = Time::from_secs(60);

/// Datagrams to groups, each of which has two members of eight ports; a router is behind a third.
struct Groups {
    fabric: Fabric,
    rounds: Rounds,
    count: u32,
    dice: Dice,
}

impl Groups {
    fn new(count: u32) -> Self {
        let mut fabric = fabric(8);
        let multicast = MulticastConfig { snooping: true, ..MulticastConfig::default() };
        let configure = Change::ConfigureBridge(NodeId(0), BridgeConfig { multicast, ..config() });
        fabric.apply(configure, Time::ZERO).expect("the fabric is sound");
        let question = Question {
            mac: mac(1),
            source: Ipv4Addr::new(192, 0, 2, 1).into(),
            group: None,
            to_group: false,
            long: false,
            suppress: false,
            max_delay: Duration::from_secs(10),
            interval: Duration::from_secs(125),
        };
        let query = igmp::question(&question, std::iter::empty()).expect("of one family");
        let mut batch = Batch::new();
        batch.push(Frame::copy_of(query.bytes(), PortId(7)));
        fabric.receive(&mut batch, Time::ZERO);
        for n in 0..count {
            for port in [1 + n % 3, 4 + n % 3] {
                let at = Plug::Port(PortId(port as u16));
                let membership =
                    Membership { bridge: NodeId(0), at, vlan: 0, group: Self::address(n).into() };
                fabric.apply(Change::AddGroup(membership), Time::ZERO).expect("there is room");
            }
        }
        Self { fabric, rounds: Rounds::new(), count, dice: Dice::new() }
    }

    fn address(n: u32) -> Ipv4Addr {
        Ipv4Addr::from(0xef01_0000 + n)
    }
}

impl Lot for Groups {
    fn fill(&mut self) {
        let Self { rounds, count, dice, .. } = self;
        rounds.fill(|_, bytes| {
            let group = Self::address(dice.roll(*count)).octets();
            bytes[..6].copy_from_slice(&[0x01, 0x00, 0x5e, group[1] & 0x7f, group[2], group[3]]);
            bytes[6..12].copy_from_slice(&mac(2).0);
            bytes[12..14].copy_from_slice(&[8, 0]);
            bytes[14..26].copy_from_slice(&[0x45, 0, 0, 46, 0, 0, 0x40, 0, 1, 17, 0, 0]);
            bytes[26..30].copy_from_slice(&[192, 0, 2, 2]);
            bytes[30..34].copy_from_slice(&group);
            let sum = !checksum::sum(&bytes[14..34]);
            bytes[24..26].copy_from_slice(&sum.to_be_bytes());
            PortId(0)
        });
    }

    fn run(&mut self) {
        self.rounds.run(&mut self.fabric, SNOOPED);
    }
}

fn snooping(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk/groups");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    for count in GROUPS {
        let mut lot = Groups::new(count);
        lot.fill();
        lot.run();
        let delivered = lot.rounds.batch.deliveries().len();
        assert_eq!(delivered, 3 * BATCH_MAX, "two members and the router get it, and nobody else");
        let lot = RefCell::new(lot);
        group.bench_function(format!("{count} groups"), |b| {
            let batches = BatchSize::PerIteration;
            b.iter_batched(|| lot.borrow_mut().fill(), |()| lot.borrow_mut().run(), batches);
        });
    }
    group.finish();
    ratios(GROUPS.map(Groups::new), |index, ratio| {
        println!("walk/groups: {} groups: {ratio:.2} times as long as with {}", GROUPS[index], GROUPS[0]);
    });
}

fn flood(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk/flood");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    for ports in [4, 64] {
        let mut fabric = fabric(ports + 1);
        let mut rounds = Rounds::new();
        group.bench_function(format!("{ports} ports"), |b| {
            b.iter(|| {
                rounds.fill_between(|_| (Mac::BROADCAST, mac(1), PortId(0)));
                rounds.run(&mut fabric, Time::ZERO);
            });
        });
    }
}

/// Every frame has a new source, in a table that is full of expired ones.
fn churn(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk/learn");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    let mut fabric = fabric(2);
    let (mut rounds, mut n, mut now) = (Rounds::new(), 0_u32, Time::ZERO);
    group.bench_function("every source is new", |b| {
        b.iter(|| {
            now = now + Duration::from_secs(1);
            rounds.fill_between(|_| {
                n = n.wrapping_add(1);
                (mac(u32::MAX), mac(n), PortId(0))
            });
            rounds.run(&mut fabric, now);
            fabric.tick(now, &mut rounds.batch);
        });
    });
    // 32 stations come per batch, 32 expire, and the table holds as many as it may
    let interval = BridgeConfig::default().ageing / (STATIONS_MANY / 32);
    let mut full = worlds::bridge::fabric(8);
    let (mut rounds, mut n, mut now) = (Rounds::new(), 0_u32, Time::ZERO);
    let mut round = |full: &mut Fabric| {
        now = now + interval;
        rounds.fill_between(|index| {
            n = n.wrapping_add((index % 2) as u32);
            let known = mac(n.wrapping_sub(1 + n.wrapping_mul(0x9e37_79b9) % (STATIONS_MANY / 2)));
            match index % 2 {
                0 => (known, mac(n), PortId(0)),
                _ => (known, mac(n), PortId(1 + (n % 7) as u16)),
            }
        });
        rounds.run(full, now);
        full.tick(now, &mut rounds.batch);
    };
    (0..3 * STATIONS_MANY / 32).for_each(|_| round(&mut full));
    group.bench_function("half of the sources are new, 64k stations", |b| b.iter(|| round(&mut full)));
    let (mut rounds, mut n) = (Rounds::new(), 0_u32);
    group.bench_function("every source moves", |b| {
        b.iter(|| {
            n = n.wrapping_add(1);
            rounds.fill_between(|index| (mac(u32::MAX), mac(index as u32), PortId((n % 2) as u16)));
            rounds.run(&mut fabric, now);
        });
    });
}

fn sweep(c: &mut Criterion) {
    let (late, batch) = (Time::from_secs(1000), RefCell::new(Batch::new()));
    let taught = || {
        let mut fabric = fabric(8);
        teach(&mut fabric, 8, STATIONS_MANY);
        fabric
    };
    let mut group = c.benchmark_group("ageing");
    group.sample_size(10);
    group.bench_function("one tick of 64k expired stations", |b| {
        b.iter_batched_ref(
            taught,
            |fabric| fabric.tick(late, &mut batch.borrow_mut()),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("all ticks of 64k expired stations", |b| {
        let all = |fabric: &mut Fabric| {
            while fabric.deadline().is_some() {
                fabric.tick(late, &mut batch.borrow_mut());
            }
        };
        b.iter_batched_ref(taught, all, BatchSize::PerIteration);
    });
}

criterion_group!(benches, parse, bridge, unicast, vlan, snooping, flood, churn, sweep);
criterion_main!(benches);
