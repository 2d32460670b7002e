//! A packet in words, for expectations and for whoever reads what went wrong.
//!
//! `br1 X:1000>B:80 tcp S seq=5 ack=0 len=0 ttl=63 …`: a packet fits an expectation if every word of that is one of its own.

use std::fmt::Write as _;

use vswitchd::wire::arp::{self, Arp};
use vswitchd::wire::checksum;
use vswitchd::wire::datagram::Datagram;
use vswitchd::wire::packet::Packet;
use vswitchd::wire::tcp::Tcp;

use super::craft::{ICMP, ICMPV6, TCP, UDP, letters};
use super::place::{Named, Wire};

/// What came out of which wire.
pub(crate) type Output = (Wire, Vec<u8>);

/// All of it, in words.
pub(crate) fn describe((wire, frame): &Output) -> String {
    format!("{} {}", wire.name(), words(frame))
}

/// Whether every word of `expected` is one of the output's.
pub(crate) fn fits(output: &Output, expected: &str) -> bool {
    let text = describe(output);
    expected.split(' ').all(|word| text.split(' ').any(|own| own == word))
}

fn words(frame: &[u8]) -> String {
    let Some(packet) = frame.get(14..) else { return format!("{frame:02x?}") };
    if frame[12..14] == [8, 6] {
        return match Arp::parse(packet) {
            Some(arp) if arp.operation == arp::REPLY => {
                format!("arp {}@{}", Named(arp.sender_ip.into()), arp.sender_mac)
            }
            _ => "arp".into(),
        };
    }
    match Packet::quoted(packet) {
        Some(parsed) => {
            let sound = if Packet::parse(packet).is_some() { "" } else { " UNSOUND" };
            format!("{}{}{sound}", tuple(&parsed), rest(packet, &parsed))
        }
        None => format!("UNSOUND {packet:02x?}"),
    }
}

/// Both ends.
fn tuple(packet: &Packet<'_>) -> String {
    let (source, destination) = (Named(packet.source), Named(packet.destination));
    let later = packet.fragment.is_some_and(|fragment| fragment.offset > 0);
    let bytes = packet.payload;
    let short = |at: usize| bytes.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
    match packet.protocol {
        TCP | UDP if !later => format!("{source}:{}>{destination}:{}", short(0), short(2)),
        ICMP | ICMPV6 if !later && bytes.len() >= 6 => {
            let (kind, code) = (bytes[0], bytes[1]);
            let v4_error = matches!(kind, 3 | 4 | 5 | 11 | 12) && packet.protocol == ICMP;
            if v4_error || (packet.protocol == ICMPV6 && kind < 128) {
                format!("{source}>{destination} {kind}/{code}")
            } else {
                format!("{source}>{destination}:{kind}/{code}#{}", short(4))
            }
        }
        _ => format!("{source}>{destination}"),
    }
}

fn rest(bytes: &[u8], packet: &Packet<'_>) -> String {
    let mut text = String::new();
    let body = packet.payload;
    let later = packet.fragment.is_some_and(|fragment| fragment.offset > 0);
    match packet.protocol {
        _ if later => write!(text, " piece"),
        TCP => match Tcp::parse(body) {
            Some(tcp) => write!(
                text,
                " tcp {} seq={} ack={} win={} len={}",
                letters(tcp.flags.0),
                tcp.seq,
                tcp.ack,
                tcp.window,
                tcp.data_len
            ),
            None => write!(text, " tcp cut"),
        },
        UDP => write!(text, " udp len={}", body.len().saturating_sub(8)),
        ICMP | ICMPV6 => {
            let name = if packet.protocol == ICMP { "icmp" } else { "icmpv6" };
            write!(text, " {name} len={}", body.len().saturating_sub(8))
                .and_then(|()| quoted(&mut text, packet))
        }
        protocol => write!(text, " proto={protocol} len={}", body.len()),
    }
    .expect("a string takes everything");
    write!(text, " ttl={} tos={:#04x}", packet.ttl, packet.tos).expect("a string takes everything");
    if !packet.is_ipv6() {
        write!(text, " id={:#06x}", u16::from_be_bytes([bytes[4], bytes[5]]))
            .expect("a string takes everything");
        text += if packet.dont_fragment { " df" } else { "" };
        if packet.transport > 20 {
            write!(text, " options={}", packet.transport - 20).expect("a string takes everything");
        }
    }
    if let Some(fragment) = packet.fragment {
        write!(text, " frag={}+{}", fragment.offset, body.len()).expect("a string takes everything");
        text += if fragment.more { " more" } else { " last" };
        return text;
    }
    text + " sum=" + sum(packet)
}

/// What an error is about.
fn quoted(text: &mut String, packet: &Packet<'_>) -> std::fmt::Result {
    let words = tuple(packet);
    if packet.payload.len() < 8 || words.contains('#') {
        return Ok(());
    }
    let second = packet.payload[4..8].iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    write!(text, " rest={second:#x}")?;
    match Packet::quoted(&packet.payload[8..]) {
        Some(inner) => write!(text, " about={}", tuple(&inner).replace(' ', "_")),
        None => write!(text, " about=nothing"),
    }
}

/// How it is with the checksum.
fn sum(packet: &Packet<'_>) -> &'static str {
    let body = packet.payload;
    let at = match packet.protocol {
        TCP => 16,
        UDP => 6,
        ICMP | ICMPV6 => 2,
        _ => return "none",
    };
    let pseudo = if packet.protocol == ICMP { 0 } else { packet.pseudo_header() };
    match body.get(at..at + 2) {
        None => "cut",
        Some([0, 0]) if packet.protocol == UDP => "zero",
        Some(_) if checksum::add(pseudo, checksum::sum(body)) == 0xffff => "right",
        Some(_) => "wrong",
    }
}

/// Whether it is what the machine says of its own accord, or asks for to go on: nobody compares that.
pub(crate) fn is_chatter(frame: &[u8]) -> bool {
    let Some(packet) = frame.get(14..) else { return false };
    if frame[12..14] == [8, 6] {
        return Arp::parse(packet).is_none_or(|arp| arp.operation != arp::REPLY);
    }
    match Datagram::parse(packet) {
        Ok(read) if read.protocol == ICMPV6 => {
            // MLD, solicitations of any kind, router advertisements, and redirects, which the kernel cannot be told not to send
            matches!(read.payload(packet).first(), Some(130..=135 | 143))
                || read.payload(packet).first() == Some(&137) && read.ttl == 255
        }
        // IGMP
        Ok(read) => read.protocol == 2,
        Err(_) => false,
    }
}
