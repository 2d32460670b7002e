//! What the edge adds to a frame's system calls: reading its virtio-net header, summing, cutting; and what the calls
//! cost when a frame is edited on the way out.

#[path = "../tests/ports/netns.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod netns;

use std::hint::black_box;
use std::num::NonZero;
use std::os::fd::AsFd;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use netns::Netns;
use vswitchd::frame::{Edit, Frame, Gso, Offload, Outgoing, PortId, Tag};
use vswitchd::port::segment::Segments;
use vswitchd::port::{Port, PortKind};
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
            let mut segments = Segments::of(black_box(&frame), &offload, &Edit::NONE).expect("it can be cut");
            while let Some((headers, payload)) = segments.next() {
                black_box((headers, payload));
            }
        });
    });
    group.finish();
}

/// The same bytes leave in each pair: what differs is whether they lie there like that or are made to.
fn edits(criterion: &mut Criterion) {
    let push = Edit::NONE.push(Tag { tpid: 0x8100, tci: 5 }).expect("there is room");
    let pop = Edit::NONE.pop();
    for (kind, name) in [(PortKind::PlainTap, "plain"), (PortKind::Raw, "raw"), (PortKind::Tap, "tap")] {
        let Some((_netns, mut port)) = port(kind) else { return };
        for (size, count) in [(60, 1), (60, 32), (60_000, 1)] {
            let mut group = criterion.benchmark_group(format!("{name}: {count} frames of {size} bytes"));
            let cases = [
                ("leave tagged as they lie", true, Edit::NONE),
                ("leave tagged by a push", false, push),
                ("leave untagged as they lie", false, Edit::NONE),
                ("leave untagged by a pop", true, pop),
            ];
            for (what, tagged, edit) in cases {
                let mut frames: Vec<Frame> = (0..count).map(|_| unfinished(size, tagged)).collect();
                let which: Vec<Outgoing> = (0..count).map(|frame| Outgoing { frame, edit }).collect();
                group.bench_function(what, |b| b.iter(|| port.send(&mut frames, black_box(&which))));
            }
            group.finish();
        }
        let counters = port.counters();
        assert!(counters.tx_frames > 0 && counters.tx_drops.total() == 0, "{name}: {counters:?}");
    }
}

/// A port in a namespace of its own; `None` where that is not allowed.
fn port(kind: PortKind) -> Option<(Netns, Port)> {
    let netns = Netns::new()?;
    netns.without_ipv6();
    if kind == PortKind::Raw {
        netns.add_veth("port0", &netns, "peer");
    }
    let port = Port::open(PortId(0), kind, "port0", NonZero::<usize>::MIN, Some(netns.0.as_fd()))
        .expect("a port of our own");
    netns.set_up("port0", true);
    Some((netns, port))
}

/// TCP with an open checksum, and to be cut if it is large.
fn unfinished(size: usize, tagged: bool) -> Frame {
    let mut bytes = tcp_frame(size);
    if tagged {
        bytes.splice(12..12, [0x81, 0, 0, 5]);
    }
    let shift = if tagged { 4 } else { 0 };
    let mut frame = Frame::copy_of(&bytes, PortId(0));
    let whole = Offload { needs_csum: true, csum_start: 34 + shift, csum_offset: 16, ..Offload::NONE };
    frame.offload = if size > 1460 {
        Offload { gso: Gso::TcpV4, gso_size: 1460, hdr_len: 54 + shift, ..whole }
    } else {
        whole
    };
    frame
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

criterion_group!(benches, edge, edits);
criterion_main!(benches);
