//! What the user wants, and the conversation with them: the file, the plan, the control socket.

mod connection;
mod hex;

pub mod check;
pub mod client;
pub mod config;
pub mod daemon;
pub mod diff;
pub mod edit;
pub mod event;
pub mod explain;
pub mod notify;
pub mod pcapng;
pub mod place;
pub mod placement;
pub mod plan;
pub mod protocol;
pub mod registry;
pub mod server;
pub mod sessions;
pub mod setting;
pub mod view;
