//! Bytes and their meaning: one file per protocol, no state, no I/O.

pub mod arp;
pub mod bpdu;
pub mod checksum;
pub mod datagram;
pub mod icmp;
pub mod igmp;
pub mod ip;
pub mod mac;
pub mod membership;
pub mod mld;
pub mod ndp;
pub mod packet;
pub mod source;
pub mod tcp;
pub mod udp;
pub mod vnet;
