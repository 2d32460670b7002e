//! TCP headers and options (RFC 9293).
//!
//! Parsing says whether the header is all there (T19); whether its flags make sense is for whoever follows
//! connections. Options are walked as every receiver does: one of unknown kind is skipped by its length, and a length
//! that cannot be ends the walk.

use etherparse::TcpHeaderSlice;

/// The bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// Where the checksum is, in bytes from the start of the header.
pub const CHECKSUM_AT: usize = 16;

/// The control bits, as in the header's byte 13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
    /// Congestion was experienced (RFC 3168).
    pub const ECE: u8 = 0x40;
    /// The congestion window was reduced (RFC 3168).
    pub const CWR: u8 = 0x80;

    /// Whether all of `flags` are set.
    pub const fn has(self, flags: u8) -> bool {
        self.0 & flags == flags
    }
}

/// A TCP header, and how much data follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// The port it was sent from.
    pub source_port: u16,
    /// The port it is sent to.
    pub destination_port: u16,
    /// The number of the first byte of data, or of the SYN.
    pub seq: u32,
    /// The number of the next byte the sender expects.
    pub ack: u32,
    /// The control bits.
    pub flags: Flags,
    /// The window, as in the header: not scaled.
    pub window: u16,
    /// The bytes of the options.
    pub options: &'a [u8],
    /// Bytes of data; of a large frame (GSO), of all its segments (V14).
    pub data_len: u32,
}

impl<'a> Tcp<'a> {
    /// Reads the header of a segment; None if it is cut off or says less than its own length.
    pub fn parse(segment: &'a [u8]) -> Option<Self> {
        let header = TcpHeaderSlice::from_slice(segment).ok()?;
        let len = header.slice().len();
        Some(Self {
            source_port: header.source_port(),
            destination_port: header.destination_port(),
            seq: header.sequence_number(),
            ack: header.acknowledgment_number(),
            flags: Flags(segment[13]),
            window: header.window_size(),
            options: &segment[HEADER_LEN..len],
            data_len: (segment.len() - len) as u32,
        })
    }

    /// Whether all of `flags` are set.
    pub const fn has(&self, flags: u8) -> bool {
        self.flags.has(flags)
    }

    /// The number behind the segment: SYN and FIN count one each.
    pub const fn end(&self) -> u32 {
        let controls = self.has(Flags::SYN) as u32 + self.has(Flags::FIN) as u32;
        self.seq.wrapping_add(self.data_len).wrapping_add(controls)
    }

    /// The options that mean something here, in their order.
    pub fn options(&self) -> Options<'a> {
        Options { rest: self.options }
    }
}

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// The largest segment the sender takes (RFC 9293 §3.7.1).
    MaxSegment(u16),
    /// What the receiver has beyond the acknowledgement: left and right edges of four bytes each (RFC 2018).
    Sack(&'a [[u8; 8]]),
    /// Selective acknowledgements are welcome.
    SackPermitted,
    /// By how many bits the sender's windows are shifted (RFC 7323).
    WindowScale(u8),
}

/// Walks over options.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Options<'a> {
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let kind = *self.rest.first()?;
            match kind {
                0 => return None,
                1 => {
                    self.rest = &self.rest[1..];
                    continue;
                }
                _ => {}
            }
            let len = usize::from(*self.rest.get(1)?);
            let body = self.rest.get(2..len)?;
            self.rest = &self.rest[len..];
            match (kind, body) {
                (2, [high, low]) => return Some(TcpOption::MaxSegment(u16::from_be_bytes([*high, *low]))),
                (3, [scale]) => return Some(TcpOption::WindowScale(*scale)),
                (4, []) => return Some(TcpOption::SackPermitted),
                (5, body) => {
                    if let (blocks @ [_, ..], []) = body.as_chunks() {
                        return Some(TcpOption::Sack(blocks));
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(options: &[u8], data: usize, flags: u8) -> Vec<u8> {
        let words = 5 + options.len() as u8 / 4;
        let mut bytes =
            vec![0, 80, 4, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9, words << 4, flags, 1, 0, 0, 0, 0, 0];
        bytes.extend(options);
        bytes.extend(vec![0; data]);
        bytes
    }

    #[test]
    fn the_end_counts_data_and_controls_and_wraps() {
        let table = [
            (Flags::ACK, 0, u32::MAX, "nothing"),
            (Flags::SYN, 0, 0, "SYN counts one"),
            (Flags::SYN, 3, 3, "T20: and data with it"),
            (Flags::FIN | Flags::ACK, 2, 2, "FIN counts one"),
        ];
        for (flags, data, end, why) in table {
            let bytes = segment(&[], data, flags);
            assert_eq!(Tcp::parse(&bytes).expect("sound").end(), end, "{why}");
        }
    }

    #[test]
    fn a_header_is_all_there() {
        let whole = segment(&[1, 1, 1, 1], 0, Flags::ACK);
        assert_eq!(Tcp::parse(&whole).map(|tcp| tcp.data_len), Some(0));
        assert_eq!(Tcp::parse(&whole[..23]), None, "T19: cut off within its options");
        let mut bytes = whole;
        bytes[12] = 0x40;
        assert_eq!(Tcp::parse(&bytes), None, "T19: shorter than itself");
    }

    #[test]
    fn options_are_walked() {
        use TcpOption::{MaxSegment, Sack, SackPermitted, WindowScale};
        let table: &[(&[u8], &[TcpOption<'_>], &str)] = &[
            (&[2, 4, 5, 0xb4], &[MaxSegment(1460)], "one"),
            (&[1, 3, 3, 7], &[WindowScale(7)], "behind padding"),
            (&[4, 2, 3, 3, 9, 0, 4, 2], &[SackPermitted, WindowScale(9)], "the end is the end"),
            (&[8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 4, 2], &[SackPermitted], "timestamps are skipped"),
            (&[5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1], &[Sack(&[[0, 0, 0, 1, 0, 0, 0, 2]])], "a block"),
            (&[5, 9, 0, 0, 0, 1, 0, 0, 0, 4, 2, 0], &[SackPermitted], "seven bytes are no block"),
            (&[3, 1, 4, 2], &[], "shorter than itself: the walk ends"),
            (&[3, 9, 4, 2], &[], "longer than there is"),
        ];
        for (options, expected, why) in table {
            let bytes = segment(options, 0, Flags::SYN);
            let tcp = Tcp::parse(&bytes).expect("sound");
            assert_eq!(tcp.options().collect::<Vec<_>>(), *expected, "{why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            if let Some(tcp) = Tcp::parse(&bytes) {
                let _ = (tcp.end(), tcp.options().count());
            }
        }
    }
}
