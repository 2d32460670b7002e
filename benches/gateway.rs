//! What the gateway costs: an established flow, a new one, a million of them, many that expire at once, an error about one.
//!
//! Times are per batch of 64 frames unless the name says otherwise; throughput is given in frames. `bridged` is the same batch
//! over one bridge: what is above that is the gateway's.

#[allow(dead_code, reason = "other benches walk in more of them")]
mod worlds;

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use vswitchd::frame::{BATCH_MAX, Batch};
use vswitchd::router::nat::rewrite::{self, Ends, Translation};
use vswitchd::router::nat::tuple::Address;
use vswitchd::router::policy::config::{Protocol, Publish};
use vswitchd::time::Time;
use worlds::gateway::{GUEST, Sessions, datagram, gateway, mac, many, open};
use worlds::{Lot, Rounds};

fn established(c: &mut Criterion) {
    let mut group = c.benchmark_group("established");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    let now = Time::from_secs(1);

    let mut bridged = gateway(vec![]);
    let mut rounds = Rounds::new();
    let mut frame = datagram(0);
    frame[..6].copy_from_slice(&mac(3).0);
    group.bench_function("bridged", |b| {
        b.iter_batched_ref(
            || (),
            |()| {
                rounds.fill_from(GUEST, || &frame);
                rounds.run(&mut bridged, now)
            },
            BatchSize::SmallInput,
        );
    });
    for (name, count, published) in [
        ("10 sessions", 10, 0),
        ("a million", many(), 0),
        ("10 and 65536 published ports", 10, 1),
        ("10 and 4096 publishes", 10, 4096),
    ] {
        let publish = |first: u16, last: u16| Publish {
            listen: None,
            protocol: Protocol::Tcp,
            ports: (first, last),
            to: Ipv4Addr::new(172, 17, 0, 2).into(),
            to_port: first,
            allow_from: vec![],
        };
        let publishes = match published {
            0 => vec![],
            1 => vec![publish(0, u16::MAX)],
            many => (0..many).map(|n| publish(2 * n, 2 * n)).collect(),
        };
        let mut lot = Sessions::established(count, publishes);
        group.bench_function(name, |b| {
            b.iter(|| {
                lot.fill();
                lot.run();
            });
        });
    }
    group.finish();
}

fn new_sessions(c: &mut Criterion) {
    let mut group = c.benchmark_group("new");
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    let mut lot = Sessions::new();
    group.bench_function("session", |b| {
        b.iter(|| {
            lot.fill();
            lot.run();
        });
    });
    group.finish();
}

fn storm(c: &mut Criterion) {
    let mut group = c.benchmark_group("expiry");
    let mut rounds = Rounds::new();
    group.sample_size(10);
    group.bench_function("one call while 65536 expire", |b| {
        b.iter_batched_ref(
            || {
                let mut fabric = gateway(vec![]);
                open(&mut fabric, &mut rounds, many().min(65_536), Time::from_secs(1));
                (fabric, Batch::new())
            },
            |(fabric, batch)| fabric.tick(Time::from_secs(100), batch),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn errors(c: &mut Criterion) {
    let mut group = c.benchmark_group("error");
    let mut fabric = gateway(vec![]);
    let mut frame = datagram(0);
    // TTL 1: its sender is told, as often as the limit allows
    frame[22] = 1;
    frame[24..26].fill(0);
    let sum = vswitchd::wire::checksum::finish(vswitchd::wire::checksum::sum(&frame[14..34]));
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    let mut rounds = Rounds::new();
    let mut now = Time::from_secs(1);
    group.throughput(Throughput::Elements(BATCH_MAX as u64));
    group.bench_function("time exceeded", |b| {
        b.iter(|| {
            now = now + Duration::from_secs(2);
            rounds.fill_from(GUEST, || &frame);
            rounds.run(&mut fabric, now);
        });
    });
    group.finish();
}

fn patch(c: &mut Criterion) {
    let mut group = c.benchmark_group("patch");
    let translation = Translation {
        packet: Ends {
            source: Some(Address::from(std::net::IpAddr::from([192, 0, 2, 1]))),
            source_port: Some(4711),
            ..Ends::NONE
        },
        quote: Ends::NONE,
    };
    let mut packet = datagram(0).split_off(14);
    group.bench_function("address and port", |b| {
        b.iter(|| rewrite::apply(black_box(&mut packet), black_box(&translation), false));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = established, new_sessions, storm, errors, patch
}
criterion_main!(benches);
