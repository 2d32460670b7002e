//! The command line's first and last line; everything between is in [`vswitchd::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    vswitchd::cli::main()
}
