//! ARP (RFC 826) between Ethernet and IPv4, and RARP (RFC 903), which is the same packet under another
//! EtherType.
//!
//! Two addresses of two sorts each, and an operation. The lengths of the addresses are checked, the hardware
//! type is not: the bridge of the kernel does not look at it either (B83), and a packet with another one is
//! read no differently by whoever it fools.

use std::net::Ipv4Addr;

use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacketSlice, EtherType};

use super::mac::Mac;

/// The EtherType of ARP.
pub const ETHER_TYPE: u16 = 0x0806;
/// The EtherType of RARP.
pub const ETHER_TYPE_RARP: u16 = 0x8035;
/// Who has that address?
pub const REQUEST: u16 = 1;
/// I have.
pub const REPLY: u16 = 2;
/// RARP: which address do I have?
pub const REVERSE_REQUEST: u16 = 3;
/// RARP: this one.
pub const REVERSE_REPLY: u16 = 4;
/// Bytes of a packet.
pub const LEN: usize = ArpEthIpv4Packet::LEN;

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arp {
    /// [`REQUEST`], [`REPLY`], or something rarer.
    pub operation: u16,
    /// Whose packet it is.
    pub sender_mac: Mac,
    /// The address the sender claims; 0.0.0.0 while it only asks whether it may (RFC 5227).
    pub sender_ip: Ipv4Addr,
    /// Whom the reply is for; nothing in a request.
    pub target_mac: Mac,
    /// The address in question.
    pub target_ip: Ipv4Addr,
}

impl Arp {
    /// Reads what follows the EtherType; padding may follow. `None` if it is cut off, or resolves anything
    /// else than IPv4 to Ethernet.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let packet = ArpPacketSlice::from_slice(payload).ok()?;
        if packet.proto_addr_type() != EtherType::IPV4 {
            return None;
        }
        Some(Self {
            operation: packet.operation().0,
            sender_mac: Mac(packet.sender_hw_addr().try_into().ok()?),
            sender_ip: Ipv4Addr::from(<[u8; 4]>::try_from(packet.sender_protocol_addr()).ok()?),
            target_mac: Mac(packet.target_hw_addr().try_into().ok()?),
            target_ip: Ipv4Addr::from(<[u8; 4]>::try_from(packet.target_protocol_addr()).ok()?),
        })
    }

    /// What follows the EtherType.
    pub fn to_bytes(&self) -> [u8; LEN] {
        let packet = ArpEthIpv4Packet {
            operation: ArpOperation(self.operation),
            sender_mac: self.sender_mac.0,
            sender_ipv4: self.sender_ip.octets(),
            target_mac: self.target_mac.0,
            target_ipv4: self.target_ip.octets(),
        };
        packet.to_bytes()
    }

    /// What `mac` answers to this request if the address is its own.
    pub const fn reply(&self, mac: Mac) -> Self {
        Self {
            operation: REPLY,
            sender_mac: mac,
            sender_ip: self.target_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ASKED: Arp = Arp {
        operation: REQUEST,
        sender_mac: Mac([2, 0, 0, 0, 0, 1]),
        sender_ip: Ipv4Addr::new(192, 0, 2, 1),
        target_mac: Mac::ZERO,
        target_ip: Ipv4Addr::new(192, 0, 2, 2),
    };

    #[test]
    fn packets() {
        let good = ASKED.to_bytes();
        assert_eq!(good[..8], [0, 1, 8, 0, 6, 4, 0, 1], "Ethernet, IPv4, their lengths, request");
        let with = |at: usize, value: u8| {
            let mut bytes = good.to_vec();
            bytes[at] = value;
            bytes
        };
        let padded = [&good[..], &[0; 18]].concat();
        let table: &[(&[u8], bool, &str)] = &[
            (&good, true, "as it was written"),
            (&padded, true, "padded to the shortest Ethernet frame"),
            (&with(1, 6), true, "IEEE 802 as hardware: the same addresses"),
            (&with(2, 0x86), false, "not IPv4"),
            (&with(4, 8), false, "eight bytes of hardware address"),
            (&with(5, 16), false, "sixteen of protocol address"),
            (&good[..27], false, "cut off"),
            (&[], false, "nothing"),
        ];
        for (bytes, good, why) in table {
            assert_eq!(Arp::parse(bytes).is_some(), *good, "{why}");
        }
        assert_eq!(Arp::parse(&good), Some(ASKED));
    }

    #[test]
    fn a_reply_turns_it_round() {
        let answer = ASKED.reply(Mac([2, 0, 0, 0, 0, 2]));
        assert_eq!((answer.operation, answer.sender_ip), (REPLY, ASKED.target_ip));
        assert_eq!((answer.target_mac, answer.target_ip), (ASKED.sender_mac, ASKED.sender_ip));
        assert_eq!(answer.sender_mac, Mac([2, 0, 0, 0, 0, 2]));
    }

    proptest! {
        #[test]
        fn what_can_be_read_reads_the_same_when_written(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = bytes;
            if let Some(start) = bytes.get_mut(..6) {
                start.copy_from_slice(&[0, 1, 8, 0, 6, 4]);
            }
            let read = Arp::parse(&bytes);
            prop_assert_eq!(read.is_some(), bytes.len() >= LEN);
            if let Some(read) = read {
                prop_assert_eq!(&read.to_bytes()[..], &bytes[..LEN]);
            }
        }
    }
}
