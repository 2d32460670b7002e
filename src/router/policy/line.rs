//! The line that the LOG target writes about a packet (N61), as `nf_log_syslog.c` of Linux 6.18 does.
//!
//! Without options (`--log-tcp-sequence` and the like) that is: prefix, interfaces, hardware header, then what the headers say,
//! and for an ICMP error what the header it quotes says, in brackets. Every field ends in a space, the last one included.
//! A header that is cut off is named with the bytes that there are.
//!
//! A line is made from bytes and writes itself without taking memory. It trusts none of the bytes: all lengths in them are
//! held against what there is. Checksums are not looked at.

use std::fmt::{Display, Formatter, Result};
use std::net::Ipv4Addr;

use crate::wire::icmp::{v4, v6};
use crate::wire::packet::protocol;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ENCRYPTED: u8 = 50;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

/// The flags of TCP, from the fourth bit of its 13th byte on (AE, RFC 3168's NS).
const TCP_FLAGS: [&str; 9] = ["AE ", "CWR ", "ECE ", "URG ", "ACK ", "PSH ", "RST ", "SYN ", "FIN "];

/// A line without its end.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// What it begins with.
    pub prefix: &'a str,
    /// The name of the leg it came in on.
    pub input: &'a str,
    /// The name of the leg it leaves through.
    pub output: &'a str,
    /// The Ethernet header.
    pub link: &'a [u8],
    /// The packet, as far as it was kept.
    pub packet: &'a [u8],
    /// How many bytes it had.
    pub len: usize,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}IN={} OUT={} MAC=", self.prefix, self.input, self.output)?;
        for (at, byte) in self.link.iter().enumerate() {
            write!(f, "{}{byte:02x}", if at == 0 { "" } else { ":" })?;
        }
        f.write_str(" ")?;
        let bytes =
            Bytes { kept: &self.packet[..self.packet.len().min(self.len)], len: self.len, outer: true };
        match self.packet.first().map(|first| first >> 4) {
            Some(6) => ipv6(f, bytes, 0),
            _ => ipv4(f, bytes, 0),
        }
    }
}

/// A packet, or the one that it quotes.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    kept: &'a [u8],
    len: usize,
    /// It is not quoted: what it quotes is told.
    outer: bool,
}

impl<'a> Bytes<'a> {
    fn at<const N: usize>(&self, offset: usize) -> Option<&'a [u8; N]> {
        self.kept.get(offset..)?.first_chunk()
    }

    fn quoted(self) -> Self {
        Self { outer: false, ..self }
    }

    /// Tells that a header is cut off. Of a quote, the kernel counts in 32 bits from where the header would be.
    fn incomplete(&self, f: &mut Formatter<'_>, offset: usize) -> Result {
        write!(f, "INCOMPLETE [{} bytes] ", (self.len as u32).wrapping_sub(offset as u32))
    }
}

fn ipv4(f: &mut Formatter<'_>, bytes: Bytes<'_>, start: usize) -> Result {
    let Some(header) = bytes.at::<20>(start) else { return f.write_str("TRUNCATED") };
    let (tos, fragment) = (header[1], word(header, 6));
    let address = |at| Ipv4Addr::from(long(header, at));
    write!(f, "SRC={} DST={} LEN={} ", address(12), address(16), word(header, 2))?;
    let (service, precedence) = (tos & 0x1e, tos & 0xe0);
    write!(f, "TOS=0x{service:02X} PREC=0x{precedence:02X} TTL={} ID={} ", header[8], word(header, 4))?;
    for (bit, name) in [(0x8000, "CE "), (0x4000, "DF "), (0x2000, "MF ")] {
        f.write_str(if fragment & bit != 0 { name } else { "" })?;
    }
    let offset = fragment & 0x1fff;
    if offset != 0 {
        write!(f, "FRAG:{offset} ")?;
    }
    let at = start + usize::from(header[0] & 15) * 4;
    match header[9] {
        protocol::TCP => tcp(f, bytes, at, offset != 0),
        what @ (protocol::UDP | protocol::UDP_LITE) => udp(f, bytes, at, what, offset != 0),
        protocol::ICMP => icmp(f, bytes, at, offset != 0),
        AUTHENTICATION if offset != 0 => Ok(()),
        AUTHENTICATION => security(f, bytes, at, "AH", Some((12, 4))),
        ENCRYPTED => security(f, bytes, at, "ESP", (offset == 0).then_some((8, 0))),
        other => write!(f, "PROTO={other} "),
    }
}

fn ipv6(f: &mut Formatter<'_>, bytes: Bytes<'_>, start: usize) -> Result {
    let Some(header) = bytes.at::<40>(start) else { return f.write_str("TRUNCATED") };
    for (name, at) in [("SRC=", 8), ("DST=", 24)] {
        f.write_str(name)?;
        for group in 0..8 {
            let end = if group == 7 { ' ' } else { ':' };
            write!(f, "{:04x}{end}", word(header, at + 2 * group))?;
        }
    }
    let (first, len) = (long(header, 0), 40 + u32::from(word(header, 4)));
    let class = first >> 20 & 0xff;
    write!(f, "LEN={len} TC={class} HOPLIMIT={} FLOWLBL={} ", header[7], first & 0x000f_ffff)?;
    let (mut next, mut at, mut later) = (header[6], start + 40, false);
    loop {
        let known = [HOP_BY_HOP, ROUTING, FRAGMENT, ENCRYPTED, AUTHENTICATION, DESTINATION_OPTIONS];
        if !known.contains(&next) {
            break;
        }
        let Some([after, len]) = bytes.at::<2>(at) else { return f.write_str("TRUNCATED") };
        let len = usize::from(*len);
        at += match next {
            FRAGMENT => {
                f.write_str("FRAG:")?;
                let Some(header) = bytes.at::<8>(at) else { return f.write_str("TRUNCATED ") };
                let (offset, more) = (word(header, 2) & 0xfff8, header[3] & 1 != 0);
                let more = if more { "INCOMPLETE " } else { "" };
                write!(f, "{offset} {more}ID:{:08x} ", long(header, 4))?;
                later |= offset != 0;
                8
            }
            AUTHENTICATION => (len + 2) * 4,
            // nobody can look behind it
            ENCRYPTED => return Ok(()),
            _ if later => return Ok(()),
            _ => (len + 1) * 8,
        };
        next = *after;
    }
    match next {
        protocol::TCP => tcp(f, bytes, at, later),
        what @ (protocol::UDP | protocol::UDP_LITE) => udp(f, bytes, at, what, later),
        protocol::ICMPV6 => icmpv6(f, bytes, at, later),
        other => write!(f, "PROTO={other} "),
    }
}

fn tcp(f: &mut Formatter<'_>, bytes: Bytes<'_>, at: usize, later: bool) -> Result {
    f.write_str("PROTO=TCP ")?;
    if later {
        return Ok(());
    }
    let Some(header) = bytes.at::<20>(at) else { return bytes.incomplete(f, at) };
    write!(f, "SPT={} DPT={} WINDOW={} ", word(header, 0), word(header, 2), word(header, 14))?;
    write!(f, "RES=0x{:02x} ", (header[12] & 0x0e) << 2)?;
    let flags = word(header, 12);
    for (at, name) in TCP_FLAGS.into_iter().enumerate() {
        f.write_str(if flags & 0x100 >> at != 0 { name } else { "" })?;
    }
    write!(f, "URGP={} ", word(header, 18))
}

fn udp(f: &mut Formatter<'_>, bytes: Bytes<'_>, at: usize, what: u8, later: bool) -> Result {
    write!(f, "PROTO={} ", if what == protocol::UDP { "UDP" } else { "UDPLITE" })?;
    if later {
        return Ok(());
    }
    let Some(header) = bytes.at::<8>(at) else { return bytes.incomplete(f, at) };
    write!(f, "SPT={} DPT={} LEN={} ", word(header, 0), word(header, 2), word(header, 4))
}

/// IPsec: its header is that long, and the association is named there; None if that is not to be told.
fn security(
    f: &mut Formatter<'_>,
    bytes: Bytes<'_>,
    at: usize,
    name: &str,
    index: Option<(usize, usize)>,
) -> Result {
    write!(f, "PROTO={name} ")?;
    let Some((len, index)) = index else { return Ok(()) };
    match bytes.kept.get(at..).filter(|rest| rest.len() >= len) {
        Some(header) => write!(f, "SPI=0x{:x} ", long(header, index)),
        None => bytes.incomplete(f, at),
    }
}

fn icmp(f: &mut Formatter<'_>, bytes: Bytes<'_>, at: usize, later: bool) -> Result {
    f.write_str("PROTO=ICMP ")?;
    if later {
        return Ok(());
    }
    let Some(header) = bytes.at::<8>(at) else { return bytes.incomplete(f, at) };
    let (kind, code) = (header[0], header[1]);
    write!(f, "TYPE={kind} CODE={code} ")?;
    let needed = match kind {
        v4::TIMESTAMP | v4::TIMESTAMP_REPLY => 20,
        v4::ADDRESS_MASK | v4::ADDRESS_MASK_REPLY => 12,
        v4::UNREACHABLE | v4::SOURCE_QUENCH | v4::REDIRECT => 28,
        v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM => 28,
        _ => 0,
    };
    if bytes.len.saturating_sub(at) < needed {
        return bytes.incomplete(f, at);
    }
    match kind {
        v4::ECHO | v4::ECHO_REPLY => write!(f, "ID={} SEQ={} ", word(header, 4), word(header, 6))?,
        v4::PARAMETER_PROBLEM => write!(f, "PARAMETER={} ", header[4])?,
        v4::REDIRECT => write!(f, "GATEWAY={} ", Ipv4Addr::from(long(header, 4)))?,
        _ => {}
    }
    let quotes = [v4::UNREACHABLE, v4::SOURCE_QUENCH, v4::REDIRECT, v4::TIME_EXCEEDED].contains(&kind);
    if quotes && bytes.outer {
        f.write_str("[")?;
        ipv4(f, bytes.quoted(), at + 8)?;
        f.write_str("] ")?;
    }
    match (kind, code) {
        (v4::UNREACHABLE, 4) => write!(f, "MTU={} ", word(header, 6)),
        _ => Ok(()),
    }
}

fn icmpv6(f: &mut Formatter<'_>, bytes: Bytes<'_>, at: usize, later: bool) -> Result {
    f.write_str("PROTO=ICMPv6 ")?;
    if later {
        return Ok(());
    }
    let Some(header) = bytes.at::<8>(at) else { return bytes.incomplete(f, at) };
    let (kind, code) = (header[0], header[1]);
    write!(f, "TYPE={kind} CODE={code} ")?;
    match kind {
        v6::ECHO | v6::ECHO_REPLY => write!(f, "ID={} SEQ={} ", word(header, 4), word(header, 6))?,
        v6::PARAMETER_PROBLEM => write!(f, "POINTER={:08x} ", long(header, 4))?,
        _ => {}
    }
    let quotes = [v6::UNREACHABLE, v6::TOO_BIG, v6::TIME_EXCEEDED, v6::PARAMETER_PROBLEM].contains(&kind);
    if quotes && bytes.outer {
        f.write_str("[")?;
        ipv6(f, bytes.quoted(), at + 8)?;
        f.write_str("] ")?;
    }
    match kind {
        v6::TOO_BIG => write!(f, "MTU={} ", long(header, 4)),
        _ => Ok(()),
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from(word(bytes, at)) << 16 | u32::from(word(bytes, at + 2))
}
