//! Checksums of DHCP, finished where a frame comes in.
//!
//! Who speaks DHCP has no address yet, or answers somebody who has none: most clients and some servers read and write
//! frames beside their kernel (AF_PACKET, BPF). A kernel believes that what it was handed unsummed is sound; a program
//! that sums what it reads finds the sum of the pseudo-header where a checksum should be, throws the offer away, and the
//! machine never gets an address. Old `dhclient`, `udhcpc` and FreeBSD are known for it, and hosts are full of
//! `iptables -j CHECKSUM --checksum-fill` for their sake. So a message of DHCP gets its checksum once, on its way in,
//! whatever the ports it leaves through could have left undone, and travels on complete.
//!
//! Either port says that it is one, since a gateway may have translated the other.

use super::segment::checksum;
use crate::frame::{Frame, Offload};
use crate::wire::vnet::Packet;

const UDP: u8 = 17;
/// Where the checksum lies in the UDP header.
const CSUM_OFFSET: u16 = 6;
/// The server's port and the client's (RFC 2131 §4.1).
const PORTS: [u16; 2] = [67, 68];

/// Writes the checksum into the frame, if it is DHCP without one.
#[inline]
pub(super) fn finish(frame: &mut Frame) {
    if frame.offload.needs_csum && frame.offload.csum_offset == CSUM_OFFSET && !frame.offload.is_gso() {
        write(frame);
    }
}

fn write(frame: &mut Frame) {
    let start = usize::from(frame.offload.csum_start);
    let Some([from, to]) = ports(&frame.bytes()[start..]) else { return };
    if !PORTS.contains(&from) && !PORTS.contains(&to) {
        return;
    }
    if Packet::of(frame.bytes(), UDP).is_none_or(|packet| packet.transport != start) {
        return;
    }
    let (at, checksum) = checksum(frame.bytes(), &frame.offload);
    frame.bytes_mut()[at..at + 2].copy_from_slice(&checksum);
    frame.offload = Offload::NONE;
}

/// Of a UDP header: whom it is from and for.
fn ports(datagram: &[u8]) -> Option<[u16; 2]> {
    let [a, b, c, d] = *datagram.first_chunk()?;
    Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Gso, PortId};
    use crate::wire::checksum::{add, pseudo_header, sum};

    #[test]
    fn only_unfinished_dhcp_is_finished() {
        let partial = Offload { needs_csum: true, csum_start: 34, csum_offset: 6, ..Offload::NONE };
        let tagged = Offload { csum_start: 38, ..partial };
        let large = Offload { gso: Gso::Udp, gso_size: 100, ..partial };
        let table: &[(&[u8], u8, [u16; 2], usize, Offload, bool, &str)] = &[
            (&[], UDP, [68, 67], 0, partial, true, "a client asks"),
            (&[], UDP, [67, 68], 0, partial, true, "a server answers"),
            (&[], UDP, [67, 1024], 0, partial, true, "to a client whose port was translated"),
            (&[], UDP, [67, 68], 9, partial, true, "padding is not summed"),
            (&[0x81, 0, 0, 5], UDP, [67, 68], 0, tagged, true, "behind a tag"),
            (&[], UDP, [67, 68], 0, Offload::NONE, false, "finished already"),
            (&[], UDP, [53, 1024], 0, partial, false, "other datagrams are left to whoever can"),
            (&[], UDP, [67, 68], 0, large, false, "many at once, which DHCP never sends"),
            (&[], UDP, [67, 68], 0, Offload { csum_start: 30, ..partial }, false, "another place"),
            (&[], 136, [67, 68], 0, partial, false, "UDP-Lite may sum less than all"),
        ];
        for (tags, protocol, ports, padding, offload, finished, why) in table {
            let bytes = dhcp(tags, *protocol, *ports, *padding);
            let mut frame = Frame::copy_of(&bytes, PortId(0));
            frame.offload = *offload;
            finish(&mut frame);
            assert_eq!(frame.offload, if *finished { Offload::NONE } else { *offload }, "{why}");
            if !finished {
                assert_eq!(frame.bytes(), bytes, "{why}");
                continue;
            }
            let start = 34 + tags.len();
            let datagram = &frame.bytes()[start..bytes.len() - padding];
            let pseudo = pseudo_header(&bytes[start - 8..start], UDP, datagram.len() as u32);
            assert_eq!(add(pseudo, sum(datagram)), 0xffff, "{why}: whoever sums it is content");
        }
    }

    /// A datagram whose checksum field holds the sum of its pseudo-header.
    fn dhcp(tags: &[u8], protocol: u8, [from, to]: [u16; 2], padding: usize) -> Vec<u8> {
        let len: u16 = 8 + 33;
        let mut ip = [0; 20];
        (ip[0], ip[3], ip[9]) = (0x45, 20 + len as u8, protocol);
        ip[12..].copy_from_slice(&[10, 0, 0, 1, 255, 255, 255, 255]);
        let pseudo = pseudo_header(&ip[12..], UDP, u32::from(len));
        let udp: Vec<u8> = [from, to, len, pseudo].into_iter().flat_map(u16::to_be_bytes).collect();
        [&[2; 12][..], tags, &[8, 0], &ip, &udp, &[3; 33], &vec![0xdd; padding]].concat()
    }
}
