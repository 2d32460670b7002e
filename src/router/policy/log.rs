//! What rules of the user's have to say about packets (N61), until somebody reads it.
//!
//! A [`Record`] is a value of a fixed size: the beginning of the packet as FORWARD saw it, with its destination translated and its
//! TTL counted down. Records lie in a ring that is made when rules ask for one; where nobody reads, the oldest go.
//! Each rule has a bucket, as `-m limit` has, and what is one too many is counted, so that a flood makes neither work nor
//! memory. What a line looks like is made when it is read ([`Record::line`]).

use std::collections::VecDeque;

use super::config::{Action, Config, Log as Wanted};
use super::line::Line;
use crate::frame::LegIndex;
use crate::router::nat::tuple::Tuple;
use crate::table::Bucket;
use crate::time::Time;
use crate::wire::icmp::{self, Icmp};
use crate::wire::packet::Packet;

/// How many records wait to be read at most.
pub const RECORDS_MAX: usize = 256;
/// How much of a packet is kept: headers with all the options there can be, or an ICMP error and the header it quotes.
pub const KEPT_MAX: usize = 160;
/// Bytes of the longest prefix, as in `xt_LOG.h`.
pub const PREFIX_MAX: usize = 29;

const LINK_LEN: usize = 14;

/// A packet that a line is to be written about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The rule, by its place in [`Config::rules`] at that time.
    pub rule: u16,
    /// The leg it came in on.
    pub from: LegIndex,
    /// The leg it was to leave through.
    pub to: LegIndex,
    /// When that was.
    pub at: Time,
    /// How many packets the same rule has been silent about since its last line.
    pub suppressed: u64,
    prefix: ([u8; PREFIX_MAX], u8),
    /// The Ethernet header, if there was one.
    link: Option<[u8; LINK_LEN]>,
    packet: [u8; KEPT_MAX],
    /// Bytes that the packet had.
    len: u32,
}

impl Record {
    /// The line, as it is written in the kernel's log; without an end, and without the time.
    pub fn line<'a>(&'a self, input: &'a str, output: &'a str) -> Line<'a> {
        let (prefix, len) = &self.prefix;
        let prefix = prefix.get(..usize::from(*len)).unwrap_or_default();
        Line {
            // it was cut where a character ends
            prefix: std::str::from_utf8(prefix).unwrap_or_default(),
            input,
            output,
            link: self.link.as_ref().map_or(&[], |link| link),
            packet: &self.packet[..KEPT_MAX.min(self.len as usize)],
            len: self.len as usize,
        }
    }

    fn new((from, to): (LegIndex, LegIndex), tuple: &Tuple, frame: &[u8], packet: &[u8], at: Time) -> Self {
        let ethertype: [u8; 2] = if tuple.ipv6 { [0x86, 0xdd] } else { [0x08, 0x00] };
        let link = frame.first_chunk::<12>().map(|addresses| {
            let mut link = [0; LINK_LEN];
            copy(&mut link, addresses);
            copy(&mut link[12..], &ethertype);
            link
        });
        let mut kept = [0; KEPT_MAX];
        copy(&mut kept, packet);
        as_forwarded(&mut kept, tuple, packet);
        let len = packet.len() as u32;
        Self { rule: 0, from, to, at, suppressed: 0, prefix: ([0; PREFIX_MAX], 0), link, packet: kept, len }
    }

    fn set_prefix(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(PREFIX_MAX)];
        copy(&mut self.prefix.0, text.as_bytes());
        self.prefix.1 = text.len() as u8;
    }
}

/// The records of a router, and what each rule may still say.
#[derive(Debug, Default)]
pub(super) struct Log {
    ring: VecDeque<Record>,
    lost: u64,
    /// By the number of the rule.
    limits: Vec<Limit>,
}

/// What a rule has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Limit {
    bucket: Bucket,
    /// Packets it has been silent about since its last line.
    suppressed: u64,
    /// The same, ever.
    total: u64,
}

impl Log {
    /// Rules change: what was recorded stays, what they may say starts anew.
    pub(super) fn configure(&mut self, config: &Config) {
        self.limits.clear();
        self.limits.resize(config.rules.len(), Limit::default());
        if config.rules.iter().any(|rule| matches!(rule.action, Action::Log(_))) {
            self.ring.reserve_exact(RECORDS_MAX.saturating_sub(self.ring.len()));
        }
    }

    /// Records a packet, unless that rule has said too much.
    pub(super) fn add(
        &mut self,
        (rule, wanted): (u16, &Wanted),
        legs: (LegIndex, LegIndex),
        tuple: &Tuple,
        frame: &[u8],
        packet: &[u8],
        now: Time,
    ) {
        let Some(limit) = self.limits.get_mut(usize::from(rule)) else { return };
        let Some(bucket) = limit.bucket.charge(wanted.limit, wanted.limit, now) else {
            (limit.suppressed, limit.total) = (limit.suppressed + 1, limit.total + 1);
            return;
        };
        let mut record = Record::new(legs, tuple, frame, packet, now);
        record.set_prefix(&wanted.prefix);
        (record.rule, record.suppressed) = (rule, limit.suppressed);
        (limit.bucket, limit.suppressed) = (bucket, 0);
        if self.ring.len() >= RECORDS_MAX {
            self.ring.pop_front();
            self.lost += 1;
        }
        self.ring.push_back(record);
    }

    /// Takes the oldest record.
    pub(super) fn take(&mut self) -> Option<Record> {
        self.ring.pop_front()
    }

    /// How many packets a rule has been silent about.
    pub(super) fn suppressed(&self, rule: u16) -> u64 {
        self.limits.get(usize::from(rule)).map_or(0, |limit| limit.total)
    }

    /// How many records nobody has read in time.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

/// What PREROUTING and the count of hops have written by the time FORWARD is asked: where it goes, and the TTL. Of the packet
/// that an ICMP error quotes, nothing.
fn as_forwarded(kept: &mut [u8; KEPT_MAX], tuple: &Tuple, packet: &[u8]) {
    let (ttl, destination) = if tuple.ipv6 { (7, 24) } else { (8, 16) };
    kept[ttl] = kept[ttl].saturating_sub(1);
    copy(&mut kept[destination..], tuple.destination.bytes(tuple.ipv6));
    let Some(parsed) = Packet::quoted(packet).filter(|parsed| parsed.fragment.is_none()) else { return };
    let (at, number) = if tuple.has_ports() {
        (2, tuple.destination_port)
    } else if tuple.is_icmp()
        && let Some(message) = Icmp::parse(parsed.payload)
        && icmp::inverse(parsed.protocol, message.kind).is_some()
    {
        // an answer comes back under the identifier that was asked with
        (icmp::ID_AT, tuple.source_port)
    } else {
        return;
    };
    if let Some(place) = kept.get_mut(parsed.transport + at..) {
        copy(place, &number.to_be_bytes());
    }
}

/// Copies as much as there is, and as there is room for.
fn copy(to: &mut [u8], from: &[u8]) {
    let len = to.len().min(from.len());
    to[..len].copy_from_slice(&from[..len]);
}
