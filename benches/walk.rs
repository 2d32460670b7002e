//! What the core costs: parsing, walking, flooding, learning, sweeping, and how that grows with the table.
//!
//! Times are per batch of 64 frames unless the name says otherwise; throughput is given in frames.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use vswitchd::bridge::{Bridge, BridgeConfig, Extras, LegConfig, Outbox, VlanConfig, VlanEntry};
use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{
    BATCH_MAX, Batch, Edit, Frame, Headers, LegIndex, NodeId, Offload, Passage, Plug, PortId,
};
use vswitchd::time::Time;
use vswitchd::trace::Trace;
use vswitchd::wire::mac::Mac;

const STATIONS_MANY: u32 = 65_536;

fn mac(n: u32) -> Mac {
    let [a, b, c, d] = n.to_be_bytes();
    Mac([2, 0, a, b, c, d])
}

fn bytes(dst: Mac, src: Mac) -> Vec<u8> {
    [&dst.0[..], &src.0, &[8, 0], &[0; 46]].concat()
}

fn config() -> BridgeConfig {
    BridgeConfig { fdb_max: STATIONS_MANY, ..BridgeConfig::default() }
}

/// One bridge with that many ports.
fn fabric(ports: u16) -> Fabric {
    let mut fabric = Fabric::new([1, 2]);
    let mut apply = |change| fabric.apply(change, Time::ZERO).expect("the fabric is sound");
    apply(Change::AddBridge(NodeId(0), config()));
    (0..ports).for_each(|port| apply(Change::AddPort(PortId(port), NodeId(0), LegConfig::default())));
    fabric
}

/// Frames in small buffers that are handed round, as the edge does.
struct Rounds {
    batch: Batch,
    buffers: Vec<Box<[u8]>>,
}

impl Rounds {
    fn new() -> Self {
        Self {
            batch: Batch::new(),
            buffers: (0..BATCH_MAX).map(|_| vec![0; 60].into_boxed_slice()).collect(),
        }
    }

    fn fill(&mut self, mut each: impl FnMut(usize) -> (Mac, Mac, PortId)) {
        self.batch.clear(|buffer| self.buffers.push(buffer));
        for index in 0..BATCH_MAX {
            let mut buffer = self.buffers.pop().expect("as many as frames");
            let (dst, src, port) = each(index);
            buffer[..6].copy_from_slice(&dst.0);
            buffer[6..12].copy_from_slice(&src.0);
            buffer[12..14].copy_from_slice(&[8, 0]);
            self.batch.push(Frame::new(buffer, 0, 60, port));
        }
    }

    /// Gives every frame a tag of that VLAN, in place of its EtherType.
    fn tag(&mut self, vid: u16) {
        let (frames, _) = self.batch.outgoing();
        for frame in frames {
            frame.bytes_mut()[12..14].copy_from_slice(&[0x81, 0]);
            frame.bytes_mut()[14..16].copy_from_slice(&vid.to_be_bytes());
        }
    }

    fn run(&mut self, fabric: &mut Fabric, now: Time) {
        fabric.receive(&mut self.batch, now);
        black_box(self.batch.deliveries());
    }
}

/// Teaches `count` stations, evenly behind ports 1 and up.
fn teach(fabric: &mut Fabric, ports: u16, count: u32) {
    let mut rounds = Rounds::new();
    for base in (0..count).step_by(BATCH_MAX) {
        rounds.fill(|index| {
            let n = (base + index as u32) % count;
            (mac(n), mac(n), PortId(1 + (n % u32::from(ports - 1)) as u16))
        });
        rounds.run(fabric, Time::ZERO);
    }
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
        let mut fabric = fabric(8);
        teach(&mut fabric, 8, stations);
        let (rounds, mut random) = (RefCell::new(Rounds::new()), 1_u32);
        let source = mac(u32::MAX);
        let mut fill = || {
            rounds.borrow_mut().fill(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (mac((random >> 8) % stations), source, PortId(0))
            });
        };
        group.bench_function(format!("{stations} stations"), |b| {
            // one batch at a time, and only the walk is timed
            b.iter_batched(
                &mut fill,
                |()| rounds.borrow_mut().run(&mut fabric, Time::ZERO),
                BatchSize::PerIteration,
            );
        });
        assert_eq!(
            fabric.books().drops.total(),
            64 * u64::from(stations.div_ceil(64)),
            "only the teaching ended"
        );
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
    random: u32,
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
        Self { fabric, rounds: Rounds::new(), vlans, random: 1 }
    }

    fn fill(&mut self) {
        let (tagged, random) = (self.vlans == Vlans::Pop, &mut self.random);
        self.rounds.fill(|_| {
            *random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (mac((*random >> 8) % 64), mac(u32::MAX), PortId(0))
        });
        if tagged {
            self.rounds.tag(1);
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
        let lane = RefCell::new(Lane::new(vlans));
        group.bench_function(vlans.name(), |b| {
            let batches = BatchSize::PerIteration;
            b.iter_batched(|| lane.borrow_mut().fill(), |()| lane.borrow_mut().run(), batches);
        });
        let edited = !lane.borrow().rounds.batch.deliveries()[0].edit.is_none();
        assert_eq!(edited, matches!(vlans, Vlans::Push | Vlans::Pop), "{}", vlans.name());
    }
    group.finish();
    ratios();
}

/// Rounds of all four in turn, each compared with its neighbour: on a machine that others use as well, only that says
/// anything.
#[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn ratios() {
    const ROUNDS: usize = 301;
    const BATCHES: usize = 100;
    let mut lanes = Vlans::ALL.map(Lane::new);
    let mut ratios = Vlans::ALL.map(|_| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        let mut times = [Duration::ZERO; Vlans::ALL.len()];
        for _ in 0..BATCHES {
            for (lane, time) in lanes.iter_mut().zip(&mut times) {
                lane.fill();
                let begun = std::time::Instant::now();
                lane.run();
                *time += begun.elapsed();
            }
        }
        for (ratios, time) in ratios.iter_mut().zip(times) {
            ratios.push(time.as_secs_f64() / times[0].as_secs_f64());
        }
    }
    for (vlans, mut ratios) in Vlans::ALL.into_iter().zip(ratios) {
        ratios.sort_by(f64::total_cmp);
        println!("walk/VLANs: {}: {:.2} times as long as not filtered", vlans.name(), ratios[ROUNDS / 2]);
    }
}

fn flood(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk/flood");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    for ports in [4, 64] {
        let mut fabric = fabric(ports + 1);
        let mut rounds = Rounds::new();
        group.bench_function(format!("{ports} ports"), |b| {
            b.iter(|| {
                rounds.fill(|_| (Mac::BROADCAST, mac(1), PortId(0)));
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
            rounds.fill(|_| {
                n = n.wrapping_add(1);
                (mac(u32::MAX), mac(n), PortId(0))
            });
            rounds.run(&mut fabric, now);
            fabric.tick(now, &mut rounds.batch);
        });
    });
    // 32 stations come per batch, 32 expire, and the table holds as many as it may
    let interval = BridgeConfig::default().ageing / (STATIONS_MANY / 32);
    let mut full = self::fabric(8);
    let (mut rounds, mut n, mut now) = (Rounds::new(), 0_u32, Time::ZERO);
    let mut round = |full: &mut Fabric| {
        now = now + interval;
        rounds.fill(|index| {
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
            rounds.fill(|index| (mac(u32::MAX), mac(index as u32), PortId((n % 2) as u16)));
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

criterion_group!(benches, parse, bridge, unicast, vlan, flood, churn, sweep);
criterion_main!(benches);
