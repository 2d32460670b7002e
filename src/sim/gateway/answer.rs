//! What the gateway itself says: errors, echoes, resets (N9, N52, N56, N57, L4, E7).

use std::net::IpAddr;
use std::time::Duration;

use super::packet::{self, End, ICMP, ICMPV6, TCP, TTL, UDP};
use super::{Gateway, Travel, Wanted};
use crate::router::policy::config::Reject;

const IGMP: u8 = 2;
/// IPv6's "no next header".
const NOTHING: u8 = 59;
/// How long somebody has to be told nothing for the next error to be told for sure.
const QUIET: Duration = Duration::from_secs(7);

impl Gateway {
    /// What is said to a packet for the gateway itself. Such packets open no flow.
    pub(super) fn answer(&mut self, packet: &[u8], travel: &Travel<'_>) -> Vec<Wanted> {
        let Some((protocol, at)) = packet::transport(packet) else { return vec![] };
        let (Some(src), Some(dst)) =
            (packet::address(packet, End::Source), packet::address(packet, End::Destination))
        else {
            return vec![];
        };
        let payload = &packet[at..];
        if !packet::is_right(packet) {
            return vec![];
        }
        match (protocol, payload.first()) {
            (ICMP, Some(8)) | (ICMPV6, Some(128)) if payload.len() >= 8 => {
                let mut reply = payload.to_vec();
                reply[0] = if protocol == ICMP { 0 } else { 129 };
                let mut reply = packet::build(dst, src, protocol, tos(packet), TTL, &reply);
                packet::seal_icmp(&mut reply);
                self.say(reply, src, false)
            }
            (UDP, _) if payload.len() >= 8 => {
                let len = usize::from(u16::from_be_bytes([payload[4], payload[5]]));
                if len < 8 || len > payload.len() {
                    return vec![];
                }
                let (kind, code) = if src.is_ipv4() { (3, 3) } else { (1, 4) };
                self.error(travel, kind, code, 0)
            }
            (TCP, _) if self.interface(travel.leg).tcp_reset => self.reset(travel),
            (TCP | UDP | IGMP | NOTHING, _) => vec![],
            (ICMP, _) if src.is_ipv4() => vec![],
            (ICMPV6, _) if src.is_ipv6() => vec![],
            // RFC 1122 §3.2.2.1, RFC 8200 §4
            _ if src.is_ipv4() => self.error(travel, 3, 2, 0),
            _ => self.error(travel, 4, 1, 6),
        }
    }

    pub(super) fn reject(&mut self, travel: &Travel<'_>, how: Reject) -> Vec<Wanted> {
        let v4 = !packet::is_v6(travel.sent);
        let tcp = packet::transport(travel.sent).is_some_and(|(protocol, _)| protocol == TCP);
        let (kind, code) = match (how, v4) {
            (Reject::TcpReset, _) if tcp => return self.reset(travel),
            (Reject::AdminProhibited, true) => (3, 13),
            (Reject::AdminProhibited, false) => (1, 1),
            (Reject::HostUnreachable, true) => (3, 1),
            (Reject::HostUnreachable, false) => (1, 3),
            (Reject::PortUnreachable | Reject::TcpReset, true) => (3, 3),
            (Reject::PortUnreachable | Reject::TcpReset, false) => (1, 4),
        };
        self.error(travel, kind, code, 0)
    }

    /// A reset for a segment, from whom it was sent to (RFC 9293 §3.10.7.1).
    fn reset(&self, travel: &Travel<'_>) -> Vec<Wanted> {
        let sent = travel.sent;
        let Some((_, at)) = packet::transport(sent) else { return vec![] };
        let (Some(src), Some(dst)) =
            (packet::address(sent, End::Source), packet::address(sent, End::Destination))
        else {
            return vec![];
        };
        let Ok(header) = etherparse::TcpHeaderSlice::from_slice(&sent[at..]) else { return vec![] };
        if header.rst() || !packet::is_right(sent) {
            return vec![];
        }
        let len = (sent.len() - at - header.slice().len()) as u32
            + u32::from(header.syn())
            + u32::from(header.fin());
        let (seq, ack, flags) = if header.ack() {
            (header.acknowledgment_number(), 0, 4)
        } else {
            (0, header.sequence_number().wrapping_add(len), 0x14)
        };
        let mut segment =
            [header.destination_port().to_be_bytes(), header.source_port().to_be_bytes()].concat();
        segment.extend(seq.to_be_bytes());
        segment.extend(ack.to_be_bytes());
        segment.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
        let mut packet = packet::build(dst, src, TCP, 0, TTL, &segment);
        if !packet::is_v6(&packet) {
            packet[6] = 0x40;
            packet::seal_header(&mut packet);
        }
        packet::seal_transport(&mut packet);
        self.say(packet, src, false)
    }

    /// An error for the sender of a packet, quoting what it sent.
    pub(super) fn error(&mut self, travel: &Travel<'_>, kind: u8, code: u8, rest: u32) -> Vec<Wanted> {
        let sent = travel.sent;
        let (Some(src), Some(dst)) =
            (packet::address(sent, End::Source), packet::address(sent, End::Destination))
        else {
            return vec![];
        };
        // N57
        let about_error = packet::transport(sent).is_some_and(|(protocol, at)| {
            let kind = sent.get(at).copied();
            (protocol == ICMP && matches!(kind, None | Some(3..=5 | 11 | 12 | 19..)))
                || (protocol == ICMPV6 && kind.is_none_or(|kind| kind < 128))
        });
        if about_error || self.is_for_everybody(dst) || self.is_for_everybody(src) || src.is_unspecified() {
            return vec![];
        }
        let speaker = match self.is_local(dst) {
            true => Some(dst),
            false => self.route(src).and_then(|(back, _)| self.interface(back).source_for(src)),
        };
        let Some(speaker) = speaker else { return vec![] };
        let (protocol, room, tos) = match src {
            IpAddr::V4(_) => (ICMP, 576 - 28, tos(sent) & 0x1e | 0xc0),
            IpAddr::V6(_) => (ICMPV6, 1280 - 48, 0),
        };
        let mut message = vec![kind, code, 0, 0];
        message.extend(rest.to_be_bytes());
        message.extend(&sent[..sent.len().min(room)]);
        let mut packet = packet::build(speaker, src, protocol, tos, TTL, &message);
        packet::seal_icmp(&mut packet);
        // L4: what says how large packets may be is always told
        let exempt = (protocol, kind, code) == (ICMP, 3, 4) || (protocol, kind) == (ICMPV6, 2);
        let may = !exempt && self.is_one_too_many(src, travel);
        self.say(packet, src, may)
    }

    fn is_one_too_many(&mut self, to: IpAddr, travel: &Travel<'_>) -> bool {
        let now = travel.now;
        self.told.retain(|(_, at)| now - *at < QUIET);
        let before = self.told.iter().any(|(whom, _)| *whom == to) || self.told.len() >= 40;
        self.told.push((to, now));
        before
    }

    fn say(&self, packet: Vec<u8>, to: IpAddr, may: bool) -> Vec<Wanted> {
        let Some((out, next_hop)) = self.route(to) else { return vec![] };
        self.leave(packet, out, next_hop, None, true, may)
    }
}

fn tos(packet: &[u8]) -> u8 {
    if packet::is_v6(packet) { packet[0] << 4 | packet[1] >> 4 } else { packet[1] }
}
