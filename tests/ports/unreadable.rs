//! A guest of QEMU writes its headers itself: some say what no packet socket can repeat (V18).

use rustix::io::Errno;
use vswitchd::frame::{Batch, Frame, PortId};
use vswitchd::port::{Pool, PortKind};
use vswitchd::verdict::Reason;

use crate::netns::Netns;
use crate::qemu::{self, Header};
use crate::{drain, open, send, udp_frame};

/// The kernel keeps the error of a frame that it could not hand over, and gives it to whoever calls next: here somebody
/// who sends a sound frame there. That one must leave, and the error be counted where it belongs.
#[test]
fn an_unreadable_frame_cost_another_one_that_left_there() {
    let Some(netns) = Netns::new() else { return };
    netns.without_ipv6();
    let guest = netns.enter(|| qemu::tap("tap0", qemu::ALL_OFFLOADS));
    netns.set_up("tap0", true);
    let mut port = open(PortKind::Raw, "tap0", &netns);
    let write = |header: Header, frame: &[u8]| {
        let message = [&header.to_bytes()[..], frame].concat();
        rustix::io::write(&guest, &message).expect("the kernel takes it");
    };
    let ufo = Header { kind: Header::UFO, gso_size: 500, csum_offset: 6, ..csum() };
    let large = Header { kind: Header::UDP, gso_size: 1000, csum_offset: 6, ..csum() };
    // a small one teaches the port to ask for many, then one call reads a large one and fails
    for (header, size) in [(Header::default(), 60), (large, 60_000), (ufo, 1200)] {
        write(header, &udp_frame(&[], size));
    }
    let (mut pool, mut batch) = (Pool::default(), Batch::new());
    port.receive(&mut pool, &mut batch, 1, usize::MAX);
    port.receive(&mut pool, &mut batch, 60, 30_000);
    assert_eq!(port.counters().rx_frames, 2, "the large one is read, the unreadable one is next");
    send(&mut port, &mut [100, 200].map(|size| Frame::copy_of(&udp_frame(&[], size), PortId(0))));
    let counters = port.counters();
    assert_eq!((counters.tx_frames, counters.tx_drops.total()), (2, 0), "{counters:?}");
    for size in [100, 200] {
        let mut message = [0; 2000];
        let len = rustix::io::read(&guest, &mut message).expect("it is in the guest's queue");
        assert_eq!(len, 10 + udp_frame(&[], size).len(), "in their order");
    }
    assert_eq!(rustix::io::read(&guest, &mut [0; 100]), Err(Errno::AGAIN), "once each");
    assert!(drain(&mut port).is_none());
    assert_eq!(port.counters().rx_drops.of(Reason::OffloadSegment), 1, "{:?}", port.counters());
    write(ufo, &udp_frame(&[], 1200));
    write(Header::default(), &udp_frame(&[], 60));
    assert!(drain(&mut port).is_none(), "nor is it a reason to give up");
    assert_eq!(port.counters().rx_drops.of(Reason::OffloadSegment), 2, "{:?}", port.counters());
    assert_eq!(port.counters().rx_frames, 3, "what comes behind it is read");
}

fn csum() -> Header {
    Header { flags: Header::NEEDS_CSUM, csum_start: 34, ..Header::default() }
}
