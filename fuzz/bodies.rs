//! What the fuzz targets do with the bytes they are given, apart from the fuzzer, so that `cargo test` can replay the
//! corpus on a stable toolchain (`tests/fuzz_corpus.rs`).
//!
//! Each must return whatever the bytes are; what it asserts beside that is said at each.

#![allow(dead_code, reason = "each target uses one")]

use vswitchd::bridge::{BridgeConfig, LegConfig};
use vswitchd::control::config;
use vswitchd::control::protocol::Request;
use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{Batch, FRAME_MAX, Frame, LinkId, NodeId, PortId};
use vswitchd::port::segment::{Segments, checksum};
use vswitchd::time::Time;
use vswitchd::wire::vnet;

/// Frames of any content into two linked bridges: first byte the port, next two the length, then the frame, and so on.
/// The books must balance, and explaining a frame must foresee what becomes of it.
pub(crate) fn frame(data: &[u8]) {
    let mut fabric = two_bridges();
    let mut batch = Batch::new();
    let mut rest = data;
    let mut now = Time::ZERO;
    while let [port, high, low, tail @ ..] = rest {
        let len = (usize::from(*high) << 8 | usize::from(*low)).min(tail.len()).min(FRAME_MAX);
        let (bytes, next) = tail.split_at(len);
        rest = next;
        let port = PortId(u16::from(port % 5));
        let _ = fabric.explain(port, bytes, now);
        batch.push(Frame::copy_of(bytes, port));
        fabric.receive(&mut batch, now);
        assert_eq!(batch.ends().len(), 1, "every frame ends once");
        batch.clear(drop);
        now = now + std::time::Duration::from_secs(7);
        fabric.tick(now, &mut batch);
        batch.clear(drop);
    }
    assert!(fabric.books().balance(), "the books balance: {:?}", fabric.books());
}

fn two_bridges() -> Fabric {
    let mut fabric = Fabric::new([1, 2]);
    let [a, b] = [NodeId(0), NodeId(1)];
    let bridge = BridgeConfig { fdb_max: 8, ..BridgeConfig::default() };
    let plain = LegConfig::default();
    let link = Change::AddLink(LinkId(0), [a, b], [plain; 2]);
    let mut changes = vec![Change::AddBridge(a, bridge), Change::AddBridge(b, bridge), link];
    let odd = LegConfig { isolated: true, hairpin: true, mtu: 68, ..plain };
    let legs = [(0, a, plain), (1, a, odd), (2, b, plain), (3, b, odd)];
    changes.extend(legs.map(|(id, node, leg)| Change::AddPort(PortId(id), node, leg)));
    for change in changes {
        fabric.apply(change, Time::ZERO).expect("a sound graph");
    }
    fabric
}

/// A line of the control protocol. What it reads it must write back to the same.
pub(crate) fn request(data: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let text = serde_json::to_string(&request).expect("plain data");
        assert_eq!(serde_json::from_str::<Request>(&text).ok(), Some(request));
    }
}

/// A lab's file. Diagnostics must render whatever they point at.
pub(crate) fn toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match config::parse(text, "fuzz") {
        Ok((plan, _)) => assert!(!plan.name.is_empty()),
        Err(diagnostics) => assert!(!diagnostics.render("fuzz.toml", text, false).is_empty()),
    }
}

/// A virtio-net header and its frame. What passes must be writable: it can be cut into segments that fit and
/// completed within its bounds, and survives encoding.
pub(crate) fn vnet(data: &[u8]) {
    let Some((header, frame)) = data.split_first_chunk::<10>() else { return };
    let Ok(offload) = vnet::decode(header, frame) else { return };
    assert_eq!(vnet::decode(&vnet::encode(&offload), frame), Ok(offload), "what passed once passes again");
    if offload.is_gso() {
        if let Some(mut segments) = Segments::of(frame, &offload) {
            let mut total = 0;
            while let Some((headers, payload)) = segments.next() {
                assert!(!payload.is_empty() && payload.len() <= usize::from(offload.gso_size));
                assert!(headers.len() < frame.len());
                total += payload.len();
            }
            assert!(total < frame.len(), "payload is neither invented nor repeated");
        }
    } else if offload.needs_csum {
        let (place, _) = checksum(frame, &offload);
        assert!(place + 2 <= frame.len());
    }
}
