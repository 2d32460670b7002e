//! Datagrams in pieces: putting them together ([`gather`]) and cutting them ([`cut`]).
//!
//! A router that only forwards lets pieces pass as they are. One that has to see ports (NAT) puts a datagram together
//! first, handles it once, and cuts it again for the way out, into pieces as large as the largest it came in (N50, N51). What
//! is for the router itself is always put together.

mod blocks;
pub mod cut;
mod ecn;
pub mod gather;

#[cfg(test)]
mod tests;
