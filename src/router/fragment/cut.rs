//! Cutting a datagram into pieces (RFC 791 §3.2, RFC 8200 §4.5, N50–N52).
//!
//! Pieces come in order, carry the identification of the whole, and all but the last are as long as a multiple of eight
//! bytes allows. A piece can be cut again: offsets add up, and the last piece of one that others follow says so. DF stays
//! as it is (N51): whoever cuts decided that it may. Options of IPv4 that are for the first piece only are made "nothing" in
//! the others, so that all headers are equally long.

use crate::wire::datagram::{Datagram, FRAGMENT, FRAGMENT_LEN, IPV4_LEN, IPV6_LEN, seal};

const COPIED: u8 = 0x80;
const MORE: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION_OPTIONS: u8 = 60;

/// Calls `each` with every piece of `packet` of at most `max` bytes, written to `buffer`; with `packet` itself if it fits.
/// `id` names the whole for IPv6.
/// Does nothing if `max` leaves no room for eight bytes behind the headers.
pub fn cut(packet: &[u8], max: usize, id: u32, buffer: &mut Vec<u8>, mut each: impl FnMut(&[u8])) {
    let Ok(whole) = Datagram::parse(packet) else { return };
    let packet = &packet[..whole.len];
    if packet.len() <= max {
        return each(packet);
    }
    let header = if whole.is_ipv6() { unfragmentable(packet) } else { whole.transport };
    let added = if whole.is_ipv6() { FRAGMENT_LEN } else { 0 };
    let most = max.saturating_sub(header + added);
    let room = most & !7;
    if room == 0 {
        return;
    }
    let (base, followed) = whole.fragment.map_or((0, false), |fragment| (fragment.offset, fragment.more));
    let (head, payload) = packet.split_at(header);
    let mut rest = payload;
    let mut offset = usize::from(base);
    while !rest.is_empty() {
        // nothing follows the last, so it need not end at a multiple of eight
        let (chunk, left) = rest.split_at(if rest.len() <= most { rest.len() } else { room });
        rest = left;
        let more = followed || !rest.is_empty();
        buffer.clear();
        buffer.extend_from_slice(head);
        if whole.is_ipv6() {
            head_ipv6(buffer, offset, more, id, chunk.len());
        } else {
            head_ipv4(buffer, offset, more, chunk.len());
        }
        buffer.extend_from_slice(chunk);
        each(buffer);
        offset += chunk.len();
    }
}

fn head_ipv4(head: &mut [u8], offset: usize, more: bool, len: usize) {
    let total = (head.len() + len) as u16;
    head[2..4].copy_from_slice(&total.to_be_bytes());
    let kept = u16::from_be_bytes([head[6], head[7]]) & !(MORE | OFFSET);
    let bits = kept | if more { MORE } else { 0 } | (offset >> 3) as u16 & OFFSET;
    head[6..8].copy_from_slice(&bits.to_be_bytes());
    if offset > 0 {
        blank(&mut head[IPV4_LEN..]);
    }
    seal(head);
}

/// Makes options that are not copied "nothing".
fn blank(options: &mut [u8]) {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        let len = match kind {
            0 => return,
            1 => 1,
            _ => usize::from(options.get(at + 1).copied().unwrap_or(0)).max(2),
        };
        if kind & COPIED == 0 {
            let end = (at + len).min(options.len());
            options[at..end].fill(1);
        }
        at += len;
    }
}

fn head_ipv6(head: &mut Vec<u8>, offset: usize, more: bool, id: u32, len: usize) {
    let announced = announced(head);
    let next = std::mem::replace(&mut head[announced], FRAGMENT);
    let [high, low] = ((offset as u16 & !7) | u16::from(more)).to_be_bytes();
    head.extend_from_slice(&[next, 0, high, low]);
    head.extend_from_slice(&id.to_be_bytes());
    let payload = (head.len() - IPV6_LEN + len) as u16;
    head[4..6].copy_from_slice(&payload.to_be_bytes());
}

/// Bytes of the headers that every piece has: what routers on the way look at.
fn unfragmentable(packet: &[u8]) -> usize {
    let (mut next, mut at, mut end) = (packet[6], IPV6_LEN, IPV6_LEN);
    while let (HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS, Some(&[following, len])) =
        (next, packet.get(at..).and_then(|rest| rest.first_chunk::<2>()))
    {
        at += (usize::from(len) + 1) * 8;
        // destination options are for the routers only if a routing header follows
        if next != DESTINATION_OPTIONS {
            end = at;
        }
        next = following;
    }
    end.min(packet.len())
}

/// Where the field is that announces what follows `head`, which is all extension headers that a walk accepts.
fn announced(head: &[u8]) -> usize {
    let (mut field, mut at) = (6, IPV6_LEN);
    while let Some(&len) = head.get(at + 1) {
        field = at;
        at += (usize::from(len) + 1) * 8;
    }
    field
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::wire::datagram::{Builder, UDP};

    fn packet(source: IpAddr, len: usize) -> Vec<u8> {
        let builder = Builder {
            source,
            destination: source,
            protocol: UDP,
            tos: 4,
            ttl: 9,
            id: 77,
            dont_fragment: false,
        };
        let mut packet = vec![0; builder.header_len() + len];
        builder.write(&mut packet);
        (builder.header_len()..packet.len()).for_each(|at| packet[at] = at as u8);
        packet
    }

    fn pieces(packet: &[u8], max: usize) -> Vec<Vec<u8>> {
        let (mut pieces, mut buffer) = (vec![], vec![]);
        cut(packet, max, 5, &mut buffer, |piece| pieces.push(piece.to_vec()));
        pieces
    }

    #[test]
    fn n52_pieces_are_in_order_and_of_one_id() {
        for source in [IpAddr::from(Ipv4Addr::new(10, 0, 0, 1)), Ipv6Addr::LOCALHOST.into()] {
            let whole = packet(source, 3000);
            let cut = pieces(&whole, 1300);
            let read: Vec<_> = cut.iter().map(|piece| Datagram::parse(piece).expect("sound")).collect();
            let mut payload = Vec::new();
            for (at, read) in read.iter().enumerate() {
                let fragment = read.fragment.expect("a piece");
                assert_eq!(usize::from(fragment.offset), payload.len());
                assert_eq!(fragment.more, at + 1 < cut.len());
                assert_eq!(fragment.id, if source.is_ipv4() { 77 } else { 5 });
                assert!(read.len <= 1300 && (read.tos, read.ttl, read.protocol) == (4, 9, UDP));
                payload.extend_from_slice(read.payload(&cut[at]));
            }
            let header = whole.len() - 3000;
            assert_eq!(&payload[..], &whole[header..]);
        }
    }

    #[test]
    fn a_piece_can_be_cut_again() {
        let whole = packet(Ipv4Addr::new(10, 0, 0, 1).into(), 2000);
        let first = &pieces(&whole, 1300)[0];
        let again = pieces(first, 600);
        let places: Vec<_> = again
            .iter()
            .map(|piece| Datagram::parse(piece).expect("sound").fragment.expect("a piece"))
            .map(|fragment| (fragment.offset, fragment.more))
            .collect();
        assert_eq!(places, [(0, true), (576, true), (1152, true)], "the last is not the last of all");
        assert!(pieces(&whole, 27).is_empty(), "no room for eight bytes");
    }

    #[test]
    fn options_for_the_first_piece_only() {
        let mut whole = packet(Ipv4Addr::new(10, 0, 0, 1).into(), 100);
        whole[0] = 0x47;
        whole[20..28].copy_from_slice(&[7, 3, 4, 148, 4, 0, 0, 0]);
        seal(&mut whole);
        let cut = pieces(&whole, 60);
        assert_eq!(cut[0][20..28], [7, 3, 4, 148, 4, 0, 0, 0], "record route, router alert");
        assert_eq!(cut[1][20..28], [1, 1, 1, 148, 4, 0, 0, 0], "only what is marked as copied");
    }
}
