//! Bytes and their meaning: one file per protocol, no state, no I/O.

pub mod bpdu;
pub mod checksum;
pub mod mac;
pub mod vnet;
