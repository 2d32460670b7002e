//! Clamping the MSS of TCP to the MTU of the path (N53), as the TCPMSS target with `--clamp-mss-to-pmtu`.
//!
//! Where path-MTU discovery fails because somebody drops ICMP, connections hang as soon as they send a full segment. A
//! router that knows a smaller MTU than the ends do can lower what they tell each other in their SYNs. The new value is
//! the smaller of the MTUs towards destination and source, less the IP and TCP headers; it is never raised. A SYN without
//! the option gets one, with no more than what its absence means (536 for IPv4, 1220 for IPv6), unless it carries data
//! or has no room among its options.
//!
//! Only segments with SYN are looked at, and never later fragments.

use crate::wire::checksum;
use crate::wire::datagram::{Datagram, IPV4_LEN, IPV6_LEN, TCP, seal};

const SYN: u8 = 2;
const TCP_LEN: usize = 20;
const TCP_LEN_MAX: usize = 60;
const OPTION_END: u8 = 0;
const OPTION_NOTHING: u8 = 1;
const OPTION_MSS: u8 = 2;
/// Bytes of the option.
pub const OPTION_LEN: usize = 4;
/// What a missing option means.
const DEFAULT_IPV4: u16 = 536;
const DEFAULT_IPV6: u16 = 1220;

/// What happens to the option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mss {
    /// The segment gets one, as its first.
    Add {
        /// Where the TCP header starts, in bytes from that of IP.
        tcp: u16,
        /// What it says.
        value: u16,
    },
    /// It says less.
    Lower {
        /// Where the TCP header starts.
        tcp: u16,
        /// Where the value is, in bytes from the IP header.
        at: u16,
        /// What it says now.
        value: u16,
    },
}

impl Mss {
    /// What is to be done to a packet for which the path takes packets of `mtu` bytes.
    pub fn clamp(datagram: &Datagram, packet: &[u8], mtu: u16) -> Option<Self> {
        if datagram.protocol != TCP || datagram.is_later_fragment() {
            return None;
        }
        let segment = datagram.payload(packet);
        if segment.get(13)? & SYN == 0 {
            return None;
        }
        let header = usize::from(segment[12] >> 4) * 4;
        let options = segment.get(TCP_LEN..header)?;
        let ip = if datagram.is_ipv6() { IPV6_LEN } else { IPV4_LEN };
        let value = mtu.checked_sub((ip + TCP_LEN) as u16).filter(|value| *value > 0)?;
        let tcp = datagram.transport as u16;
        if let Some((at, old)) = find(options) {
            let at = (datagram.transport + TCP_LEN + at) as u16;
            return (value < old).then_some(Self::Lower { tcp, at, value });
        }
        let room = header + OPTION_LEN <= TCP_LEN_MAX && datagram.len + OPTION_LEN <= usize::from(mtu);
        let default = if datagram.is_ipv6() { DEFAULT_IPV6 } else { DEFAULT_IPV4 };
        (room && segment.len() == header && datagram.fragment.is_none())
            .then_some(Self::Add { tcp, value: value.min(default) })
    }

    /// Lowers the value, if that is what is to be done.
    pub fn lower(self, packet: &mut [u8], partial: bool) {
        let Self::Lower { tcp, at, value } = self else { return };
        let (tcp, at) = (usize::from(tcp), usize::from(at));
        let Some(&[old0, old1]) = packet.get(at..at + 2) else { return };
        packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
        let Some(field) = packet.get_mut(tcp + 16..tcp + 18).filter(|_| !partial) else { return };
        let (mut before, mut after) = (u16::from_be_bytes([old0, old1]), value);
        // options are not aligned: across two words, the bytes have changed places
        if (at - tcp) % 2 == 1 {
            (before, after) = (before.swap_bytes(), after.swap_bytes());
        }
        let sum = checksum::update(u16::from_be_bytes([field[0], field[1]]), before, after);
        field.copy_from_slice(&sum.to_be_bytes());
    }

    /// Adds the option, if that is what is to be done; the packet has a complete checksum.
    pub fn add(self, packet: &mut Vec<u8>) {
        let Self::Add { tcp, value } = self else { return };
        let tcp = usize::from(tcp);
        let Ok(before) = Datagram::parse(packet) else { return };
        if packet.len() < tcp + TCP_LEN {
            return;
        }
        let [high, low] = value.to_be_bytes();
        packet.extend_from_slice(&[0; OPTION_LEN]);
        packet.copy_within(tcp + TCP_LEN..before.len, tcp + TCP_LEN + OPTION_LEN);
        packet[tcp + TCP_LEN..tcp + TCP_LEN + OPTION_LEN].copy_from_slice(&[
            OPTION_MSS,
            OPTION_LEN as u8,
            high,
            low,
        ]);
        packet[tcp + 12] += 1 << 4;
        let len = before.len + OPTION_LEN;
        packet.truncate(len);
        if before.is_ipv6() {
            packet[4..6].copy_from_slice(&((len - IPV6_LEN) as u16).to_be_bytes());
        } else {
            packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            seal(packet);
        }
        packet[tcp + 16..tcp + 18].fill(0);
        let segment = &packet[tcp..];
        let sum = !checksum::add(before.pseudo_header(segment.len()), checksum::sum(segment));
        packet[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Where the value of the MSS option is among the options, and what it says.
fn find(options: &[u8]) -> Option<(usize, u16)> {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        match kind {
            OPTION_END => return None,
            OPTION_NOTHING => at += 1,
            _ => {
                let len = usize::from(*options.get(at + 1)?);
                if len < 2 || at + len > options.len() {
                    return None;
                }
                if kind == OPTION_MSS && len == OPTION_LEN {
                    return Some((at + 2, u16::from_be_bytes([options[at + 2], options[at + 3]])));
                }
                at += len;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::wire::datagram::Builder;

    fn syn(options: &[u8], flags: u8, data: &[u8]) -> Vec<u8> {
        let [source, destination] = [1, 2].map(|n| IpAddr::from(Ipv4Addr::new(10, 0, 0, n)));
        let header = TCP_LEN + options.len();
        let mut packet = vec![0; IPV4_LEN + header + data.len()];
        let (protocol, dont_fragment) = (TCP, true);
        Builder { source, destination, protocol, tos: 0, ttl: 64, id: 7, dont_fragment }.write(&mut packet);
        packet[32] = (header as u8 / 4) << 4;
        packet[33] = flags;
        packet[40..40 + options.len()].copy_from_slice(options);
        packet[40 + options.len()..].copy_from_slice(data);
        let sum = !sum_of(&packet);
        packet[36..38].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    fn sum_of(packet: &[u8]) -> u16 {
        let read = Datagram::parse(packet).expect("sound");
        let segment = read.payload(packet);
        checksum::add(read.pseudo_header(segment.len()), checksum::sum(segment))
    }

    #[test]
    fn n53_what_is_done_to_a_segment() {
        let full = [1; 40];
        let table: &[(&[u8], u8, &[u8], u16, Option<u16>, &str)] = &[
            (&[2, 4, 5, 180], 2, &[], 1400, Some(1360), "lowered"),
            (&[2, 4, 5, 180], 18, &[], 1400, Some(1360), "in a SYN-ACK, too"),
            (&[2, 4, 5, 180], 16, &[], 1400, None, "only with SYN"),
            (&[2, 4, 2, 24], 2, &[], 1400, None, "never raised"),
            (&[2, 4, 5, 80], 2, &[], 1400, None, "exactly as much"),
            (&[1, 2, 4, 5, 180, 1, 1, 1], 2, &[], 1400, Some(1360), "at an odd place"),
            (&[3, 3, 7, 0], 2, &[], 1400, Some(536), "missing: added, with what its absence means"),
            (&[3, 3, 7, 0], 2, &[], 500, Some(460), "missing: added, and less"),
            (&[3, 3, 7, 0], 2, &[9], 1400, None, "missing, but there is data behind"),
            (&full, 2, &[], 1400, None, "missing, but there is no room"),
            (&[8, 0, 0, 0], 2, &[], 1400, Some(536), "broken options are not read on"),
            (&[2, 4, 5, 180], 2, &[], 40, None, "an MTU without room for a byte"),
        ];
        for &(options, flags, data, mtu, expected, why) in table {
            let mut packet = syn(options, flags, data);
            let read = Datagram::parse(&packet).expect("sound");
            let mss = Mss::clamp(&read, &packet, mtu);
            assert_eq!(mss.is_some(), expected.is_some(), "N53: {why}");
            if let Some(mss) = mss {
                mss.lower(&mut packet, false);
                mss.add(&mut packet);
                let read = Datagram::parse(&packet).expect("sound");
                let segment = read.payload(&packet);
                let header = usize::from(segment[12] >> 4) * 4;
                let found = find(&segment[TCP_LEN..header]).map(|(_, value)| value);
                assert_eq!((found, sum_of(&packet)), (expected, 0xffff), "N53: {why}");
            }
        }
    }

    #[test]
    fn v10_a_checksum_that_is_yet_to_be_made_is_not_mended() {
        let mut packet = syn(&[2, 4, 5, 180], 2, &[]);
        let before = packet[36..38].to_vec();
        let read = Datagram::parse(&packet).expect("sound");
        Mss::clamp(&read, &packet, 1400).expect("lowered").lower(&mut packet, true);
        assert_eq!((&packet[36..38], &packet[42..44]), (&before[..], &1360_u16.to_be_bytes()[..]));
    }
}
