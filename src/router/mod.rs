//! Routers: what lies between networks.
//!
//! A router is a device of the fabric beside the bridge, and sans-IO as everything in the core. [`nat`] follows
//! the flows that pass and gives them other addresses.

pub mod nat;
