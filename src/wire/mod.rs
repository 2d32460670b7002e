//! Bytes and their meaning: one file per protocol, no state, no I/O.

pub mod bpdu;
pub mod checksum;
pub mod igmp;
pub mod ip;
pub mod mac;
pub mod membership;
pub mod mld;
pub mod vnet;
