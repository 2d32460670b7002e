//! What IGMP and MLD say, in one language: hosts join and leave groups, routers ask who is there.
//!
//! MLD is IGMP with longer addresses (RFC 3810 follows RFC 3376 word for word), so `igmp` and `mld` read their bytes
//! into the same [`Message`] and write the same [`Question`]. Group records stay in the frame: [`Records`] is a view
//! that was measured once and is walked as often as one likes, without memory of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::mac::Mac;

/// The most sources a question asks about, as many as the kernel remembers per group and port (B64).
pub const SOURCES_MAX: usize = 32;
/// The longest question: an Ethernet header, IPv6 with a router alert, MLDv2 with all its sources.
pub const QUESTION_MAX: usize = 14 + 40 + 8 + 28 + SOURCES_MAX * 16;
/// What a query of the newest version that leaves no time to answer stands for: one tick of a kernel with HZ=250.
pub(super) const DELAY_MIN: Duration = Duration::from_millis(4);
/// How often a member is asked before it is taken for gone; the RFCs' default, which the kernel writes as a constant.
pub(super) const ROBUSTNESS: u8 = 2;

/// A sound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A host wants the group (IGMPv1, IGMPv2, MLDv1).
    Join(IpAddr),
    /// A host wants it no longer (IGMPv2, MLDv1).
    Leave(IpAddr),
    /// A router asks; its address, and what.
    Query(IpAddr, Query),
    /// A host says what it wants and from whom (IGMPv3, MLDv2).
    Report(Records<'a>),
    /// A router says that it is there: multicast router discovery (RFC 4286) or a PIM hello.
    Router,
}

/// A router's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// About what.
    pub subject: Subject,
    /// How long hosts may take to answer.
    pub max_delay: Duration,
}

/// What a query is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Every group.
    Everything,
    /// One group. `suppress` asks other routers to leave their timers alone (RFC 3376 §4.1.5).
    Group {
        /// Which.
        group: IpAddr,
        /// The S flag; always false in the older versions, which have none.
        suppress: bool,
    },
    /// Something that a snooping bridge does not act on: certain sources of a group, or a malformed wish.
    Other,
}

/// Why a message is not sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The checksum is wrong.
    Checksum,
    /// A general query that is not to all systems.
    Destination,
    /// The IP header is not sound.
    Header,
    /// Shorter than it says, or than it may be.
    Length,
    /// A query from an address that is not link-local (MLD only).
    Source,
}

/// What a host's record says of its wishes (RFC 3376 §4.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// Also these sources.
    Allow,
    /// These sources no longer.
    Block,
    /// The state is: all but these.
    IsExclude,
    /// The state is: only these.
    IsInclude,
    /// The state is now: all but these.
    ToExclude,
    /// The state is now: only these.
    ToInclude,
}

impl RecordKind {
    const fn parse(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::IsInclude,
            2 => Self::IsExclude,
            3 => Self::ToInclude,
            4 => Self::ToExclude,
            5 => Self::Allow,
            6 => Self::Block,
            _ => return None,
        })
    }
}

/// One group record of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it says.
    pub kind: RecordKind,
    /// Of which group.
    pub group: IpAddr,
    /// Of which sources.
    pub sources: Sources<'a>,
}

/// The group records of a report, each within the message. Records of unknown kinds are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records<'a> {
    rest: &'a [u8],
    left: u16,
    address_len: usize,
}

impl<'a> Records<'a> {
    /// The `count` records that lie at the start of `bytes`, with addresses of 4 or 16 bytes; none if they do not.
    pub(super) fn parse(bytes: &'a [u8], count: u16, address_len: usize) -> Option<Self> {
        let records = Self { rest: bytes, left: count, address_len };
        let mut walk = records;
        for _ in 0..count {
            walk.split()?;
        }
        Some(records)
    }

    /// Takes the next record off: its kind, group and sources. As the kernel, it knows no auxiliary data.
    fn split(&mut self) -> Option<(u8, &'a [u8], Sources<'a>)> {
        let (header, rest) = self.rest.split_at_checked(4 + self.address_len)?;
        let sources = usize::from(u16::from_be_bytes([header[2], header[3]])) * self.address_len;
        let (sources, rest) = rest.split_at_checked(sources)?;
        self.rest = rest;
        Some((header[0], &header[4..], Sources { rest: sources, address_len: self.address_len }))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        while let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            let (kind, group, sources) = self.split()?;
            if let (Some(kind), Some(group)) = (RecordKind::parse(kind), address(group)) {
                return Some(Record { kind, group, sources });
            }
        }
        None
    }
}

/// The sources of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources<'a> {
    rest: &'a [u8],
    address_len: usize,
}

impl Sources<'_> {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

impl Iterator for Sources<'_> {
    type Item = IpAddr;

    fn next(&mut self) -> Option<IpAddr> {
        let (first, rest) = self.rest.split_at_checked(self.address_len)?;
        self.rest = rest;
        address(first)
    }
}

/// A question to be written.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Who asks: the Ethernet source.
    pub mac: Mac,
    /// Who asks: the IP source, of the family that is asked.
    pub source: IpAddr,
    /// About which group; none is all of them.
    pub group: Option<IpAddr>,
    /// Sent to the group itself instead of to all systems.
    pub to_group: bool,
    /// Written in the newer version, IGMPv3 or MLDv2.
    pub long: bool,
    /// The S flag, in the newer version.
    pub suppress: bool,
    /// How long hosts may take to answer.
    pub max_delay: Duration,
    /// How often the asker asks, in the newer version.
    pub interval: Duration,
}

/// The frame that asks a [`Question`].
#[derive(Clone, Debug)]
pub struct QuestionFrame {
    bytes: [u8; QUESTION_MAX],
    len: usize,
}

impl QuestionFrame {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; QUESTION_MAX], len: 0 }
    }

    /// The frame, from the destination address on.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The part of it from `start` on.
    pub(super) fn tail(&mut self, start: usize) -> &mut [u8] {
        &mut self.bytes[start..self.len]
    }

    /// Adds bytes, up to [`QUESTION_MAX`].
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for (place, byte) in self.bytes[self.len..].iter_mut().zip(bytes) {
            *place = *byte;
            self.len += 1;
        }
    }

    /// Writes a number over the two bytes at `at`.
    pub(super) fn patch(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }
}

/// A time in a field that counts plainly up to its highest bit and floats above: `mantissa_bits` are 4 in a byte and
/// 12 in two (RFC 3376 §4.1.1, RFC 3810 §5.1.3). What does not fit is the longest time there is.
pub(super) const fn encode(units: u64, mantissa_bits: u32) -> u16 {
    let top = 1 << (mantissa_bits + 3);
    if units < top {
        return units as u16;
    }
    let mut exponent = 0;
    while exponent < 7 && units >> (exponent + 3) >= 2 << mantissa_bits {
        exponent += 1;
    }
    let mantissa = units >> (exponent + 3);
    let mantissa = if mantissa >= 2 << mantissa_bits { u64::MAX } else { mantissa };
    (top | exponent << mantissa_bits | mantissa & ((1 << mantissa_bits) - 1)) as u16
}

/// The inverse of [`encode`].
pub(super) const fn decode(field: u16, mantissa_bits: u32) -> u64 {
    let field = field as u64;
    if field < 1 << (mantissa_bits + 3) {
        return field;
    }
    let mantissa = field & ((1 << mantissa_bits) - 1) | 1 << mantissa_bits;
    mantissa << ((field >> mantissa_bits & 7) + 3)
}

/// The address that these 4 or 16 bytes are.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_float_above_their_highest_bit() {
        let table = [
            (0, 0, "nothing"),
            (127, 127, "the last plain one"),
            (128, 128, "the first with an exponent"),
            (255, 248, "in steps of eight: rounded down"),
            (31744, 31744, "the longest"),
            (1_000_000, 31744, "longer than can be said"),
        ];
        for (units, read, why) in table {
            assert_eq!(decode(encode(units, 4), 4), read, "{why}: {units}");
        }
        assert_eq!(encode(128, 4), 0x80);
        assert_eq!(encode(32767, 12), 32767, "MLD's is wider");
        assert_eq!(decode(0x8000, 12), 32768);
        assert_eq!(decode(0xffff, 12), 8_387_584);
    }

    #[test]
    fn records_are_measured_before_they_are_walked() {
        let two = [
            &[1, 0, 0, 2, 239, 1, 1, 1, 10, 0, 0, 1, 10, 0, 0, 2][..],
            &[9, 0, 0, 0, 239, 1, 1, 2],
            &[4, 7, 0, 0, 239, 1, 1, 3],
        ]
        .concat();
        let records: Vec<_> = Records::parse(&two, 3, 4).expect("they fit").collect();
        let kinds: Vec<_> = records.iter().map(|record| (record.kind, record.sources.count())).collect();
        let expected = [(RecordKind::IsInclude, 2), (RecordKind::ToExclude, 0)];
        assert_eq!(kinds, expected, "unknown kinds are skipped, auxiliary data is not known");
        assert_eq!(Records::parse(&two, 4, 4), None, "one more than there are");
        assert_eq!(Records::parse(&two[..15], 1, 4), None, "cut off within the sources");
        assert_eq!(Records::parse(&two[..7], 1, 4), None, "cut off within the group");
    }
}
