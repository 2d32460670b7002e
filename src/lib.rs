//! vswitchd: a virtual network lab in one process.

pub mod bridge;
pub mod cli;
pub mod control;
pub mod engine;
pub mod fabric;
pub mod frame;
pub mod lab;
pub mod port;
pub mod sim;
pub mod table;
pub mod time;
pub mod trace;
pub mod verdict;
pub mod wire;
