//! Whether checksums hold, told without the router.

use vswitchd::frame::{Edit, Offload};
use vswitchd::port::segment::{Segments, checksum};
use vswitchd::wire::checksum as sums;
use vswitchd::wire::datagram::{Datagram, ICMP, ICMPV6, TCP, UDP};

/// The frames that are on the wire once hardware has done what was left to it.
pub(crate) fn finished(frame: &[u8], offload: &Offload) -> Vec<Vec<u8>> {
    let mut finished = Vec::new();
    if offload.is_gso() {
        let Some(mut segments) = Segments::of(frame, offload, &Edit::NONE) else { return finished };
        while let Some((headers, payload)) = segments.next() {
            finished.push([headers, payload].concat());
        }
        return finished;
    }
    let mut frame = frame.to_vec();
    if offload.needs_csum {
        let (at, sum) = checksum(&frame, offload);
        frame[at..at + 2].copy_from_slice(&sum);
    }
    finished.push(frame);
    finished
}

/// Whether the checksums of a packet hold. One without is right, and so is a piece, of which nothing can be said.
pub(crate) fn holds(packet: &[u8]) -> bool {
    let Ok(read) = Datagram::parse(packet) else { return false };
    let payload = read.payload(packet);
    let at = match read.protocol {
        _ if read.fragment.is_some() => return true,
        ICMP if !read.is_ipv6() => 2,
        ICMPV6 if read.is_ipv6() => 2,
        TCP => 16,
        UDP if !read.is_ipv6() && payload.get(6..8) == Some(&[0, 0]) => return true,
        UDP => 6,
        _ => return true,
    };
    let sum = sums::add(read.pseudo_header(payload.len()), sums::sum(payload));
    payload.len() >= at + 2 && sum == 0xffff
}
