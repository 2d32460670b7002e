//! What the user wants, and the conversation with them: the file, the plan, the control socket.

mod connection;

pub mod client;
pub mod notify;
pub mod pcapng;
pub mod place;
pub mod plan;
pub mod protocol;
pub mod server;
pub mod view;
