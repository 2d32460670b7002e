//! What the edge adds to a frame's system calls: reading its virtio-net header, summing, cutting.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use vswitchd::frame::{Gso, Offload};
use vswitchd::port::segment::Segments;
use vswitchd::wire::{checksum, vnet};

fn edge(criterion: &mut Criterion) {
    let frame = tcp_frame(65_000);
    let offload = Offload {
        needs_csum: true,
        gso: Gso::TcpV4,
        hdr_len: 54,
        gso_size: 1460,
        csum_start: 34,
        csum_offset: 16,
        ..Offload::NONE
    };

    let mut group = criterion.benchmark_group("vnet header");
    let header = vnet::encode(&offload);
    assert_eq!(vnet::decode(&header, &frame), Ok(offload));
    group.bench_function("large frame", |b| b.iter(|| vnet::decode(black_box(&header), black_box(&frame))));
    group.bench_function("nothing to do", |b| {
        b.iter(|| vnet::decode(black_box(&[0; vnet::VNET_LEN]), black_box(&frame)))
    });
    group.finish();

    let mut group = criterion.benchmark_group("checksum");
    for len in [1460, 65_000] {
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("{len} bytes"), |b| b.iter(|| checksum::sum(black_box(&frame[..len]))));
    }
    group.finish();

    let mut group = criterion.benchmark_group("segmentation");
    group.throughput(Throughput::Bytes(frame.len() as u64));
    group.bench_function("65000 bytes of TCP in segments of 1460", |b| {
        b.iter(|| {
            let mut segments = Segments::of(black_box(&frame), &offload).expect("it can be cut");
            while let Some((headers, payload)) = segments.next() {
                black_box((headers, payload));
            }
        });
    });
    group.finish();
}

fn tcp_frame(size: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(1000, 2000, 1, 9000)
        .write(&mut frame, &vec![7; size])
        .expect("a vector takes anything");
    frame
}

criterion_group!(benches, edge);
criterion_main!(benches);
