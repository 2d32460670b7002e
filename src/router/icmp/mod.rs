//! ICMP and ICMPv6: what a router tells the senders of packets, and how it answers those who talk to it.
//!
//! An [`Error`] is the meaning; type, code and the four bytes behind the checksum follow from it and the family (table in
//! [`Error::wire`]). It quotes the packet as its sender sent it (N9), as much as fits into 576 bytes (IPv4, N57) or 1280
//! (IPv6, RFC 4443 §2.4), and is sent with TOS (its & 0x1e) | 0xc0 (N57) over IPv4.
//!
//! Nobody is told anything about an ICMP error, a later fragment, a packet to more than one station or from none ([`may_tell`],
//! RFC 1122 §3.2.2, RFC 4443 §2.4 e), and nobody more than [`limit`] allows. What is told is written to the end of a
//! buffer of the caller, as an IP packet with complete checksums (V34).

pub mod limit;
pub mod local;

use std::net::IpAddr;

use crate::wire::checksum;
use crate::wire::datagram::{self, Builder, Datagram, ICMP, ICMPV6};
use crate::wire::mac::Mac;

/// The TTL of what the router sends (`ip_default_ttl`).
pub const TTL: u8 = 64;
/// Bytes of the longest error over IPv4 (RFC 1812 §4.3.2.3).
pub const LEN_MAX_IPV4: usize = 576;
/// Bytes of the longest error over IPv6 (RFC 4443 §2.4 c).
pub const LEN_MAX_IPV6: usize = 1280;

/// What TOS keeps in an error, and what it gets (N57).
const TOS_KEPT: u8 = 0x1e;
const TOS_CONTROL: u8 = 0xc0;

/// What was wrong with a packet. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A rule forbids it.
    AdminProhibited,
    /// Its source means nothing where it wants to go; only IPv6 says so.
    BeyondScope,
    /// The neighbour it is for does not answer.
    HostUnreachable,
    /// Nobody knows the way.
    NetworkUnreachable,
    /// This byte of it makes no sense.
    Parameter(u16),
    /// Nobody listens there.
    PortUnreachable,
    /// Nobody speaks that protocol here; with where it is named.
    ProtocolUnreachable(u16),
    /// Not all of its pieces came in time.
    ReassemblyTime,
    /// This router on your own wire is nearer.
    Redirect(IpAddr),
    /// It has come too far.
    TimeExceeded,
    /// It is larger than what goes through: this many bytes.
    TooBig(u16),
}

impl Error {
    /// What it tells, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdminProhibited => "an ICMP error: administratively prohibited",
            Self::BeyondScope => "an ICMP error: beyond the scope of its source",
            Self::HostUnreachable => "an ICMP error: host unreachable",
            Self::NetworkUnreachable => "an ICMP error: network unreachable",
            Self::Parameter(_) => "an ICMP error: parameter problem",
            Self::PortUnreachable => "an ICMP error: port unreachable",
            Self::ProtocolUnreachable(_) => "an ICMP error: protocol unreachable",
            Self::ReassemblyTime => "an ICMP error: reassembly time exceeded",
            Self::Redirect(_) => "a redirect to a better way",
            Self::TimeExceeded => "an ICMP error: time exceeded",
            Self::TooBig(_) => "an ICMP error: too big for the way on",
        }
    }

    /// Type, code, and what is in the four bytes behind the checksum, if they are a number.
    pub const fn wire(self, ipv6: bool) -> (u8, u8, u32) {
        if ipv6 {
            match self {
                Self::AdminProhibited => (1, 1, 0),
                Self::BeyondScope => (1, 2, 0),
                Self::HostUnreachable => (1, 3, 0),
                Self::NetworkUnreachable => (1, 0, 0),
                Self::Parameter(at) => (4, 0, at as u32),
                Self::PortUnreachable => (1, 4, 0),
                Self::ProtocolUnreachable(at) => (4, 1, at as u32),
                Self::ReassemblyTime => (3, 1, 0),
                Self::Redirect(_) => (137, 0, 0),
                Self::TimeExceeded => (3, 0, 0),
                // no link that IPv6 goes over takes less
                Self::TooBig(mtu) => (2, 0, if mtu < 1280 { 1280 } else { mtu as u32 }),
            }
        } else {
            match self {
                Self::AdminProhibited => (3, 13, 0),
                Self::BeyondScope | Self::NetworkUnreachable => (3, 0, 0),
                Self::HostUnreachable => (3, 1, 0),
                Self::Parameter(at) => (12, 0, (at as u32) << 24),
                Self::PortUnreachable => (3, 3, 0),
                Self::ProtocolUnreachable(_) => (3, 2, 0),
                Self::ReassemblyTime => (11, 1, 0),
                Self::Redirect(_) => (5, 1, 0),
                Self::TimeExceeded => (11, 0, 0),
                Self::TooBig(mtu) => (3, 4, mtu as u32),
            }
        }
    }
}

/// Whether the sender of a packet may be told anything about it; `dst` is where its frame went (N57).
pub fn may_tell(datagram: &Datagram, packet: &[u8], dst: Mac) -> bool {
    let nobody = datagram.source.is_unspecified() || datagram.source.is_multicast();
    let payload = datagram.payload(packet);
    let about_error = match (datagram.protocol, payload.first()) {
        // queries and answers to them; what is unknown may be an error (`icmp_pointers`)
        (ICMP, Some(kind)) => !matches!(kind, 0 | 8 | 13..=18),
        (ICMPV6, Some(kind)) => *kind < 128 || *kind == 137,
        (ICMP | ICMPV6, None) => true,
        _ => false,
    };
    !(nobody
        || dst.is_group()
        || datagram.destination.is_multicast()
        || datagram.is_later_fragment()
        || about_error)
}

/// Writes an error about `packet`, from `source`, to the end of `out`.
pub fn write(out: &mut Vec<u8>, error: Error, about: &Datagram, packet: &[u8], source: IpAddr, id: u16) {
    let ipv6 = about.is_ipv6();
    let (kind, code, number) = error.wire(ipv6);
    let tos = if ipv6 { 0 } else { about.tos & TOS_KEPT | TOS_CONTROL };
    let header = Builder {
        source,
        destination: about.source,
        protocol: if ipv6 { ICMPV6 } else { ICMP },
        tos,
        // what is about a wire may not come from farther
        ttl: if matches!(error, Error::Redirect(_)) && ipv6 { 255 } else { TTL },
        id,
        dont_fragment: false,
    };
    let start = out.len();
    out.resize(start + header.header_len(), 0);
    out.extend_from_slice(&[kind, code, 0, 0]);
    match error {
        Error::Redirect(IpAddr::V4(gateway)) => out.extend_from_slice(&gateway.octets()),
        Error::Redirect(IpAddr::V6(gateway)) => {
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&gateway.octets());
            out.extend_from_slice(&datagram::octets(about.destination));
        }
        _ => out.extend_from_slice(&number.to_be_bytes()),
    }
    let quote = packet.get(..about.len).unwrap_or(packet);
    let room = (if ipv6 { LEN_MAX_IPV6 } else { LEN_MAX_IPV4 }).saturating_sub(out.len() - start);
    match error {
        // an option, with its length in units of eight bytes (RFC 4861 §4.6.3)
        Error::Redirect(_) if ipv6 => {
            let units = 1 + quote.len().min(room.saturating_sub(8)) / 8;
            out.extend_from_slice(&[4, units as u8, 0, 0, 0, 0, 0, 0]);
            out.extend_from_slice(&quote[..(units - 1) * 8]);
        }
        _ => out.extend_from_slice(&quote[..quote.len().min(room)]),
    }
    seal(&header, &mut out[start..]);
}

/// Writes the header of an ICMP packet and its checksum.
fn seal(header: &Builder, packet: &mut [u8]) {
    header.write(packet);
    let at = header.header_len();
    packet[at + 2..at + 4].fill(0);
    let icmp = &packet[at..];
    let pseudo = datagram::pseudo_header(header.source, header.destination, header.protocol, icmp.len());
    let sum = !checksum::add(pseudo, checksum::sum(icmp));
    packet[at + 2..at + 4].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests;
