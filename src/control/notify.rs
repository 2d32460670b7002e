//! Tells systemd how far we are, by the protocol of sd_notify(3): a datagram to `$NOTIFY_SOCKET`.
//!
//! Where there is no such variable nobody wants to know, and a service manager that cannot be reached is no reason to
//! stop switching: failures are reported to the caller, who may say so and go on.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The lab works.
    Ready,
    /// A changed file is being applied; `Ready` follows. With the monotonic clock in microseconds, which systemd
    /// compares with the time of its own request.
    Reloading {
        /// `CLOCK_MONOTONIC`, in µs.
        monotonic_usec: u64,
    },
    /// The lab is being taken down.
    Stopping,
}

/// Tells the service manager, if there is one.
pub fn notify(state: State) -> io::Result<()> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(socket) if !socket.is_empty() => notify_at(&socket, state),
        _ => Ok(()),
    }
}

fn notify_at(socket: &OsStr, state: State) -> io::Result<()> {
    let text = match state {
        State::Ready => "READY=1\n".to_owned(),
        State::Reloading { monotonic_usec } => format!("RELOADING=1\nMONOTONIC_USEC={monotonic_usec}\n"),
        State::Stopping => "STOPPING=1\n".to_owned(),
    };
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.send_to_addr(text.as_bytes(), &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_it() {
        let path = std::env::temp_dir().join(format!("vswitchd-notify-{}", std::process::id()));
        let name = format!("vswitchd-notify-{}", std::process::id());
        let at_name = format!("@{name}");
        let reloading = State::Reloading { monotonic_usec: 5 };
        let by_path = UnixDatagram::bind(&path).expect("a temporary directory");
        let abstract_address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let by_name = UnixDatagram::bind_addr(&abstract_address).expect("a name of our own");
        let table: [(&UnixDatagram, &OsStr, State, &str); 3] = [
            (&by_path, path.as_os_str(), State::Ready, "READY=1\n"),
            (&by_name, OsStr::new(&at_name), State::Stopping, "STOPPING=1\n"),
            (&by_path, path.as_os_str(), reloading, "RELOADING=1\nMONOTONIC_USEC=5\n"),
        ];
        for (receiver, socket, state, expected) in table {
            notify_at(socket, state).expect("somebody listens");
            let mut buffer = [0; 64];
            let count = receiver.recv(&mut buffer).expect("a datagram has come");
            assert_eq!(&buffer[..count], expected.as_bytes());
        }
        std::fs::remove_file(&path).expect("we made it");
        assert!(notify_at(path.as_os_str(), State::Ready).is_err(), "nobody listens: the caller is told");
    }
}
