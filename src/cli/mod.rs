//! What the user's hands touch: the command line.

pub mod args;
mod help;
