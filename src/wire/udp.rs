//! UDP (RFC 768).
//!
//! Four numbers. The length counts the header and may be less than what the IP packet carries, never more (U1).

/// The bytes of a header.
pub const HEADER_LEN: usize = 8;
/// Where the checksum is, in bytes from the start of the header.
pub const CHECKSUM_AT: usize = 6;

/// A UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// The port it was sent from.
    pub source_port: u16,
    /// The port it is sent to.
    pub destination_port: u16,
    /// Bytes of header and data.
    pub len: u16,
    /// Zero: the sender summed nothing.
    pub checksum: u16,
}

impl Udp {
    /// Reads the header of a datagram that is all there; None if it is not, or says less than its own length.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let header = datagram.first_chunk::<HEADER_LEN>()?;
        let short = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let udp =
            Self { source_port: short(0), destination_port: short(2), len: short(4), checksum: short(6) };
        (HEADER_LEN..=datagram.len()).contains(&usize::from(udp.len)).then_some(udp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_as_long_as_it_says() {
        let table: &[(&[u8], Option<u16>, &str)] = &[
            (&[0, 1, 0, 2, 0, 8, 0, 0], Some(8), "no data"),
            (&[0, 1, 0, 2, 0, 9, 0, 0], None, "U1: more than there is"),
            (&[0, 1, 0, 2, 0, 7, 0, 0], None, "U1: less than a header"),
            (&[0, 1, 0, 2, 0, 8, 0, 0, 5], Some(8), "less than there is"),
            (&[0, 1, 0, 2, 0, 8, 0], None, "cut off"),
        ];
        for (datagram, len, why) in table {
            assert_eq!(Udp::parse(datagram).map(|udp| udp.len), *len, "{why}");
        }
    }
}
