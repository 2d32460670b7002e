//! The rules of a gateway: Docker's, and the user's before them.

pub mod config;
