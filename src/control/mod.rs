//! What the user wants, and the conversation with them: the file, the plan, the control socket.

pub mod config;
pub mod plan;
pub mod view;
