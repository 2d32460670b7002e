//! The command line's first and last line; everything between is in [`vswitchd::cli`].
fn main() {}
