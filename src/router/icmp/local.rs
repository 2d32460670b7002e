//! Answers to those who talk to the router itself (N56): echo replies and TCP resets.
//!
//! An echo reply is the request with its type changed and its addresses exchanged: same TOS, same payload. A reset is built
//! by the rules of RFC 9293 §3.5.2: it takes its sequence number from what was acknowledged, or acknowledges all that was
//! sent. A segment or message whose checksum is wrong is not answered; one whose checksum is yet to be made (V9) is
//! sound.

use std::net::IpAddr;

use super::{TTL, seal};
use crate::wire::checksum;
use crate::wire::datagram::{Builder, Datagram, ICMP, TCP};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
/// Bytes of a TCP header without options.
const TCP_LEN: usize = 20;

/// Whether what is behind the IP header has the right checksum; UDP over IPv4 may have none.
pub fn is_sound(datagram: &Datagram, packet: &[u8], partial: bool) -> bool {
    let payload = datagram.payload(packet);
    partial || checksum::add(datagram.pseudo_header(payload.len()), checksum::sum(payload)) == 0xffff
}

/// Whether it asks for an echo.
pub fn is_echo_request(datagram: &Datagram, packet: &[u8]) -> bool {
    let wanted = if datagram.protocol == ICMP { 8 } else { 128 };
    matches!(datagram.payload(packet), [kind, _, _, _, _, _, _, _, ..] if *kind == wanted)
}

/// Writes the answer of `source` to an echo request to the end of `out`.
pub fn echo(out: &mut Vec<u8>, request: &Datagram, packet: &[u8], source: IpAddr, id: u16) {
    let header = Builder {
        source,
        destination: request.source,
        protocol: request.protocol,
        tos: request.tos,
        ttl: TTL,
        id,
        dont_fragment: false,
    };
    let start = out.len();
    out.resize(start + header.header_len(), 0);
    out.extend_from_slice(request.payload(packet));
    if let Some(kind) = out.get_mut(start + header.header_len()) {
        *kind = if request.protocol == ICMP { 0 } else { 129 };
    }
    seal(&header, &mut out[start..]);
}

/// Whether a segment is one that is answered with a reset: whole, and none itself.
pub fn wants_reset(datagram: &Datagram, packet: &[u8]) -> bool {
    let segment = datagram.payload(packet);
    let header = segment.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4);
    let is_whole = (TCP_LEN..=segment.len()).contains(&header);
    is_whole && segment.get(13).is_some_and(|flags| flags & RST == 0)
}

/// Writes the reset of a connection that is none to the end of `out`.
pub fn reset(out: &mut Vec<u8>, about: &Datagram, packet: &[u8]) {
    let segment = about.payload(packet);
    let Some(head) = segment.first_chunk::<TCP_LEN>() else { return };
    let flags = head[13];
    let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| head[at + i]));
    let data = segment.len().saturating_sub(usize::from(head[12] >> 4) * 4) as u32;
    let sent = data + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
    let (sequence, acknowledged, flags) = match flags & ACK {
        0 => (0, word(4).wrapping_add(sent), RST | ACK),
        _ => (word(8), 0, RST),
    };
    let header = Builder {
        source: about.destination,
        destination: about.source,
        protocol: TCP,
        tos: about.tos & !3,
        ttl: TTL,
        id: 0,
        dont_fragment: true,
    };
    let start = out.len();
    out.resize(start + header.header_len() + TCP_LEN, 0);
    let packet = &mut out[start..];
    header.write(packet);
    let tcp = &mut packet[header.header_len()..];
    tcp[..2].copy_from_slice(&head[2..4]);
    tcp[2..4].copy_from_slice(&head[..2]);
    tcp[4..8].copy_from_slice(&sequence.to_be_bytes());
    tcp[8..12].copy_from_slice(&acknowledged.to_be_bytes());
    (tcp[12], tcp[13]) = ((TCP_LEN as u8 / 4) << 4, flags);
    let pseudo = crate::wire::datagram::pseudo_header(about.destination, about.source, TCP, TCP_LEN);
    let sum = !checksum::add(pseudo, checksum::sum(tcp));
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
}
