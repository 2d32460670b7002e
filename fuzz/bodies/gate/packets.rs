//! Packets with right checksums.

use std::net::IpAddr;

use vswitchd::wire::checksum as sums;
use vswitchd::wire::datagram::{self, Builder, Datagram, ICMP, ICMPV6, TCP, UDP};
use vswitchd::wire::mac::Mac;

/// SCTP.
pub(crate) const SCTP: u8 = 132;

pub(crate) fn frame(dst: Mac, src: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&dst.0[..], &src.0, &ether_type.to_be_bytes(), payload].concat()
}

/// A packet between two addresses of a family.
pub(crate) fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let builder =
        Builder { source, destination, protocol, tos: 0x1a, ttl: 64, id: 0x1234, dont_fragment: false };
    let mut packet = vec![0; builder.header_len()];
    packet.extend_from_slice(payload);
    builder.write(&mut packet);
    sum(&mut packet);
    packet
}

pub(crate) fn udp(source: (IpAddr, u16), destination: (IpAddr, u16), data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len()) as u16;
    let head = [source.1, destination.1, len, 0].map(u16::to_be_bytes).concat();
    ip(source.0, destination.0, UDP, &[&head[..], data].concat())
}

/// A segment with these flags; `options` are whole words.
pub(crate) fn tcp(
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
    (seq, ack, flags): (u32, u32, u8),
    options: &[u8],
    data: &[u8],
) -> Vec<u8> {
    let mut head = [source.1, destination.1].map(u16::to_be_bytes).concat();
    head.extend([seq, ack].map(u32::to_be_bytes).concat());
    head.extend([(5 + options.len() as u8 / 4) << 4, flags, 0x20, 0, 0, 0, 0, 0]);
    ip(source.0, destination.0, TCP, &[&head[..], options, data].concat())
}

pub(crate) fn icmp(source: IpAddr, destination: IpAddr, head: [u8; 8], body: &[u8]) -> Vec<u8> {
    let protocol = if source.is_ipv4() { ICMP } else { ICMPV6 };
    ip(source, destination, protocol, &[&head[..], body].concat())
}

pub(crate) fn echo(source: IpAddr, destination: IpAddr, id: u16, data: &[u8]) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    icmp(source, destination, [if source.is_ipv4() { 8 } else { 128 }, 0, 0, 0, high, low, 0, 1], data)
}

pub(crate) fn sctp(source: (IpAddr, u16), destination: (IpAddr, u16), data: &[u8]) -> Vec<u8> {
    let ports = [source.1, destination.1].map(u16::to_be_bytes).concat();
    ip(source.0, destination.0, SCTP, &[&ports[..], &[0; 8], data].concat())
}

/// Makes the checksums of a packet right, as far as it can be read.
pub(crate) fn sum(packet: &mut [u8]) {
    if packet.first().is_some_and(|first| first >> 4 == 4) {
        datagram::seal(packet);
    }
    let Ok(read) = Datagram::parse(packet) else { return };
    let at = match read.protocol {
        _ if read.fragment.is_some() => return,
        ICMP | ICMPV6 => 2,
        UDP => 6,
        TCP => 16,
        _ => return,
    };
    let pseudo = read.pseudo_header(read.len - read.transport);
    let payload = &mut packet[read.transport..read.len];
    let Some(field) = payload.get_mut(at..at + 2) else { return };
    field.fill(0);
    let sum = sums::finish(sums::add(pseudo, sums::sum(payload)));
    payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// What answers a packet that left: its addresses and ports exchanged. Of TCP, the other flags of a handshake; of an echo
/// request, the reply.
pub(crate) fn reply(packet: &[u8]) -> Option<Vec<u8>> {
    let read = Datagram::parse(packet).ok().filter(|read| read.fragment.is_none())?;
    let mut reply = packet.get(..read.len)?.to_vec();
    let (source, len) = if read.is_ipv6() { (8, 16) } else { (12, 4) };
    let (left, right) = reply.split_at_mut(source + len);
    left[source..].swap_with_slice(&mut right[..len]);
    let transport = &mut reply[read.transport..];
    match (read.protocol, transport.first().copied()) {
        (ICMP, Some(8)) if !read.is_ipv6() => transport[0] = 0,
        (ICMPV6, Some(128)) if read.is_ipv6() => transport[0] = 129,
        (ICMP | ICMPV6, _) => return None,
        (UDP | SCTP, _) => transport.get_mut(..4)?.rotate_left(2),
        (TCP, _) => {
            let head = transport.get_mut(..20)?;
            head[..4].rotate_left(2);
            let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| head[at + i]));
            let (seq, ack, flags) = (word(4), word(8), head[13]);
            let counted = u32::from(flags & 2 != 0) + u32::from(flags & 1 != 0);
            let header = usize::from(head[12] >> 4) * 4;
            let data = (read.len - read.transport).saturating_sub(header) as u32;
            head[4..8].copy_from_slice(&ack.to_be_bytes());
            head[8..12].copy_from_slice(&seq.wrapping_add(counted + data).to_be_bytes());
            head[13] = if flags & 0x12 == 2 { 0x12 } else { 0x10 };
        }
        _ => {}
    }
    datagram::set_ttl(&mut reply, 64);
    sum(&mut reply);
    Some(reply)
}
