//! The command line's first and last line; everything between is in [`vswitchd::cli`].

use std::process::ExitCode;

use vswitchd::lab::init;

fn main() -> ExitCode {
    // before the command line is understood: what a node's process is told is not for users
    if std::env::args_os().nth(1).is_some_and(|a| a == init::SUBCOMMAND) {
        return init::main(std::env::args_os().skip(2));
    }
    vswitchd::cli::main()
}
