//! ICMP of both families (RFC 792, RFC 4443), as far as routers and NAT care.
//!
//! Both have the same shape: type, code, checksum, four bytes that depend on the type, and the rest. Types are told
//! apart by what they do: queries that expect a reply, with an identifier, and errors, which quote the packet they are
//! about. [`inverse`] pairs the former; [`Icmp::quote`] finds the latter's packet.

use super::packet::protocol;

/// The bytes of a header.
pub const HEADER_LEN: usize = 8;
/// Where the checksum is, in bytes from the start of the header.
pub const CHECKSUM_AT: usize = 2;
/// Where the identifier of a query is, in bytes from the start of the header.
pub const ID_AT: usize = 4;

/// Types of ICMP.
pub mod v4 {
    /// Answers [`ECHO`].
    pub const ECHO_REPLY: u8 = 0;
    /// The packet did not arrive.
    pub const UNREACHABLE: u8 = 3;
    /// The receiver is overwhelmed.
    pub const SOURCE_QUENCH: u8 = 4;
    /// There is a better router.
    pub const REDIRECT: u8 = 5;
    /// Are you there?
    pub const ECHO: u8 = 8;
    /// The packet was under way for too long.
    pub const TIME_EXCEEDED: u8 = 11;
    /// The packet is nonsense.
    pub const PARAMETER_PROBLEM: u8 = 12;
    /// What time is it?
    pub const TIMESTAMP: u8 = 13;
    /// Answers [`TIMESTAMP`].
    pub const TIMESTAMP_REPLY: u8 = 14;
    /// What is my network?
    pub const INFO: u8 = 15;
    /// Answers [`INFO`].
    pub const INFO_REPLY: u8 = 16;
    /// What is my netmask?
    pub const ADDRESS_MASK: u8 = 17;
    /// Answers [`ADDRESS_MASK`].
    pub const ADDRESS_MASK_REPLY: u8 = 18;
}

/// Types of ICMPv6.
pub mod v6 {
    /// The packet did not arrive.
    pub const UNREACHABLE: u8 = 1;
    /// The packet is longer than the next link takes.
    pub const TOO_BIG: u8 = 2;
    /// The packet was under way for too long.
    pub const TIME_EXCEEDED: u8 = 3;
    /// The packet is nonsense.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Errors have types below.
    pub const ERRORS_END: u8 = 128;
    /// Are you there?
    pub const ECHO: u8 = 128;
    /// Answers [`ECHO`].
    pub const ECHO_REPLY: u8 = 129;
    /// Who is in a group?
    pub const MLD_QUERY: u8 = 130;
    /// A neighbour advertisement, the last of the types of neighbour discovery but [`REDIRECT`].
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    /// There is a better router.
    pub const REDIRECT: u8 = 137;
    /// What are your names? (RFC 4620)
    pub const NODE_QUERY: u8 = 139;
    /// Answers [`NODE_QUERY`].
    pub const NODE_REPLY: u8 = 140;
    /// The groups somebody is in, of MLD version 2.
    pub const MLD_REPORT: u8 = 143;
}

/// An ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp<'a> {
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// Four bytes that depend on the type.
    pub rest: [u8; 4],
    /// What follows.
    pub body: &'a [u8],
}

impl<'a> Icmp<'a> {
    /// Reads a message; None if it is shorter than its header.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let ([kind, code, _, _, r0, r1, r2, r3], body) = message.split_first_chunk()?;
        Some(Self { kind: *kind, code: *code, rest: [*r0, *r1, *r2, *r3], body })
    }

    /// The identifier of a query or its reply.
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.rest[0], self.rest[1]])
    }

    /// The beginning of the packet an error of that protocol (ICMP or ICMPv6) is about, and where it starts in bytes
    /// from the start of the message; None if it is no error.
    pub fn quote(&self, protocol: u8) -> Option<(&'a [u8], usize)> {
        match (protocol, self.kind) {
            // behind a target and a destination, in an option (RFC 4861 §4.5): not followed
            (protocol::ICMPV6, v6::REDIRECT) => None,
            _ if is_error(protocol, self.kind) => Some((self.body, HEADER_LEN)),
            _ => None,
        }
    }
}

/// Whether messages of that type report errors about other packets. A redirect is one.
pub const fn is_error(protocol: u8, kind: u8) -> bool {
    match protocol {
        protocol::ICMP => matches!(
            kind,
            v4::UNREACHABLE | v4::SOURCE_QUENCH | v4::REDIRECT | v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM
        ),
        protocol::ICMPV6 => kind < v6::ERRORS_END || kind == v6::REDIRECT,
        _ => false,
    }
}

/// The type of the reply to that query, or of the query of that reply.
pub const fn inverse(protocol: u8, kind: u8) -> Option<u8> {
    match (protocol, kind) {
        (protocol::ICMP, v4::ECHO) => Some(v4::ECHO_REPLY),
        (protocol::ICMP, v4::ECHO_REPLY) => Some(v4::ECHO),
        (protocol::ICMP, v4::TIMESTAMP | v4::INFO | v4::ADDRESS_MASK) => Some(kind + 1),
        (protocol::ICMP, v4::TIMESTAMP_REPLY | v4::INFO_REPLY | v4::ADDRESS_MASK_REPLY) => Some(kind - 1),
        (protocol::ICMPV6, v6::ECHO | v6::NODE_QUERY) => Some(kind + 1),
        (protocol::ICMPV6, v6::ECHO_REPLY | v6::NODE_REPLY) => Some(kind - 1),
        _ => None,
    }
}

/// Whether that type asks a question that a reply is expected to.
pub const fn is_query(protocol: u8, kind: u8) -> bool {
    match protocol {
        protocol::ICMP => matches!(kind, v4::ECHO | v4::TIMESTAMP | v4::INFO | v4::ADDRESS_MASK),
        protocol::ICMPV6 => matches!(kind, v6::ECHO | v6::NODE_QUERY),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_replies_are_pairs() {
        for protocol in [protocol::ICMP, protocol::ICMPV6] {
            for kind in 0..=255 {
                let back = inverse(protocol, kind).map(|reply| inverse(protocol, reply));
                assert!(back.is_none_or(|back| back == Some(kind)), "{protocol} {kind}: and back");
                let asked = is_query(protocol, kind);
                assert!(!asked || inverse(protocol, kind).is_some_and(|reply| !is_query(protocol, reply)));
                assert!(!(asked && is_error(protocol, kind)), "{kind}: one or the other");
            }
        }
        let queries: Vec<u8> = (0..=255).filter(|kind| is_query(protocol::ICMP, *kind)).collect();
        assert_eq!(queries, [8, 13, 15, 17], "U2");
        let errors: Vec<u8> = (0..=255).filter(|kind| is_error(protocol::ICMP, *kind)).collect();
        assert_eq!(errors, [3, 4, 5, 11, 12], "E1");
    }

    #[test]
    fn messages_are_read() {
        let icmp = Icmp::parse(&[3, 4, 0, 0, 0, 0, 5, 0, 0x45]).expect("sound");
        assert_eq!(icmp.quote(protocol::ICMP), Some((&[0x45][..], 8)), "an error quotes");
        assert_eq!(Icmp::parse(&[8, 0, 0, 0, 1, 2, 0, 0]).map(|icmp| icmp.id()), Some(0x0102));
        assert_eq!(Icmp::parse(&[8, 0, 0, 0, 1, 2, 0]), None, "cut off");
        assert_eq!(Icmp::parse(&[8; 9]).expect("sound").quote(protocol::ICMP), None, "a query does not");
    }
}
