//! What commands that run until Ctrl-C have in common.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Ends the stream at the first signal, so that what has come so far is written; the process at the second.
pub(super) fn stop_at_signal(stream: UnixStream) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for (earlier, signal) in signals.forever().enumerate() {
            if earlier > 0 {
                std::process::exit(128 + signal);
            }
            let _ = stream.shutdown(Shutdown::Both);
        }
    })?;
    Ok(())
}
