//! Checksums of SCTP, finished where a frame comes in.
//!
//! SCTP is summed with a CRC32c (RFC 9260 §6.8), which a virtio-net header cannot say: when Linux leaves it to the
//! hardware of a veth, a raw port on that veth reads a frame whose header asks for an Internet checksum at the place
//! where a CRC belongs (`virtio_net_hdr_from_skb` does not look at `csum_not_inet`). Whoever believed that header, be
//! it [`super::segment`] or the kernel in front of a network card, would destroy the packet. So an unfinished SCTP
//! packet gets its CRC once, on the way in, and travels on complete.

use super::segment::packet_end;
use crate::frame::{Frame, Offload};
use crate::wire::vnet::Packet;

const SCTP: u8 = 132;
/// Where the checksum lies in the SCTP header.
const CSUM_OFFSET: u16 = 8;

/// Writes the CRC into the frame, if it is SCTP without one.
#[inline]
pub(super) fn finish(frame: &mut Frame) {
    if frame.offload.needs_csum && frame.offload.csum_offset == CSUM_OFFSET && !frame.offload.is_gso() {
        write(frame);
    }
}

#[cold]
fn write(frame: &mut Frame) {
    let start = usize::from(frame.offload.csum_start);
    let bytes = frame.bytes_mut();
    let at = start + usize::from(CSUM_OFFSET);
    let end = packet_end(bytes).filter(|end| *end >= at + 4);
    let (Some(packet), Some(end)) = (Packet::of(bytes, SCTP), end) else { return };
    if packet.transport != start {
        return;
    }
    bytes[at..at + 4].fill(0);
    let crc = crc32c::crc32c(&bytes[start..end]);
    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    frame.offload = Offload::NONE;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::PortId;

    #[test]
    fn only_unfinished_sctp_is_finished() {
        let partial = Offload { needs_csum: true, csum_start: 34, csum_offset: 8, ..Offload::NONE };
        let tagged = Offload { csum_start: 38, ..partial };
        let table: &[(&[u8], u8, usize, Offload, bool, &str)] = &[
            (&[], SCTP, 0, partial, true, "SCTP"),
            (&[], SCTP, 9, partial, true, "padding is not summed"),
            (&[0x81, 0, 0, 5], SCTP, 0, tagged, true, "behind a tag"),
            (&[], SCTP, 0, Offload::NONE, false, "finished already"),
            (&[], SCTP, 0, Offload { csum_start: 30, ..partial }, false, "another place"),
            (&[], 253, 0, partial, false, "another protocol with a checksum there"),
        ];
        for (tags, protocol, padding, offload, finished, why) in table {
            let bytes = sctp(tags, *protocol, *padding);
            let mut frame = Frame::copy_of(&bytes, PortId(0));
            frame.offload = *offload;
            finish(&mut frame);
            assert_eq!(frame.offload, if *finished { Offload::NONE } else { *offload }, "{why}");
            let at = 34 + tags.len() + 8;
            let mut expected = bytes.clone();
            if *finished {
                expected[at..at + 4].copy_from_slice(&CRC);
            }
            assert_eq!(frame.bytes(), expected, "{why}");
        }
    }

    #[test]
    fn the_crc_is_that_of_the_catalogue() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    /// Computed bit by bit, elsewhere.
    const CRC: [u8; 4] = [0x3e, 0x4e, 0xeb, 0x5b];

    /// A COOKIE ACK, its checksum field full of what must not be summed.
    fn sctp(tags: &[u8], protocol: u8, padding: usize) -> Vec<u8> {
        let mut ip = [0; 20];
        (ip[0], ip[3], ip[9]) = (0x45, 36, protocol);
        let packet = [0, 1, 0, 2, 0, 0, 0, 9, 0xee, 0xee, 0xee, 0xee, 11, 0, 0, 4];
        [&[2; 12][..], tags, &[8, 0], &ip, &packet, &vec![0xdd; padding]].concat()
    }
}
