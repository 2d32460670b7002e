//! What opening a port of any kind needs: a sound name, the right namespace, an error that helps.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The longest name the kernel gives an interface, in bytes.
pub const INTERFACE_NAME_MAX: usize = 15;

/// Why a port could not be opened, in words for the user: what is missing, and how to get it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An interface with the name of a TAP to be made is there already.
    #[error(
        "an interface `{0}` exists already: choose another name, or take it as it is with `kind = \"raw\"`"
    )]
    Exists(String),
    /// Anything else the operating system says.
    #[error("cannot open port on interface `{interface}`: {source}")]
    Io {
        /// The interface.
        interface: String,
        /// What the system says.
        source: io::Error,
    },
    /// No interface can have that name.
    #[error("`{name}` cannot be the name of an interface: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong, and what would be right.
        why: &'static str,
    },
    /// The network namespace cannot be entered.
    #[error("cannot enter the network namespace: {0}; entering one takes root (CAP_SYS_ADMIN)")]
    Namespace(io::Error),
    /// There is no interface of that name for a raw port.
    #[error("there is no interface `{name}` here: {there}")]
    NotFound {
        /// The name.
        name: String,
        /// What there is instead.
        there: String,
    },
    /// The caller may not.
    #[error("not permitted to {0}: run as root, or give the program the capability {1}")]
    NotPermitted(&'static str, &'static str),
    /// /dev/net/tun does not work.
    #[error("cannot open /dev/net/tun: {0}; {1}")]
    TunDevice(io::Error, &'static str),
}

impl OpenError {
    /// There is no such interface among those with `names`.
    pub(super) fn not_found(interface: &str, names: &[String]) -> Self {
        let near =
            names.iter().find(|name| name.eq_ignore_ascii_case(interface) || differ_by_one(name, interface));
        let there = match near {
            Some(name) => format!("did you mean `{name}`?"),
            None if names.is_empty() => "there are none at all".to_owned(),
            None => format!("there are {}", names.join(", ")),
        };
        Self::NotFound { name: interface.to_owned(), there }
    }

    /// What went wrong when a TAP of that name was made or set up.
    pub(super) fn of_tap(interface: &str, source: io::Error) -> Self {
        match Errno::from_io_error(&source) {
            Some(Errno::BUSY) => Self::Exists(interface.to_owned()),
            Some(Errno::PERM) => Self::NotPermitted("make TAP interfaces", "CAP_NET_ADMIN"),
            _ => Self::Io { interface: interface.to_owned(), source },
        }
    }
}

/// Refuses a name that the kernel would refuse, cut short, or take for a pattern (`%d`).
pub fn check_name(name: &str) -> Result<(), OpenError> {
    let why = match name {
        "" => "it is empty",
        "." | ".." => "it would be a directory in /sys/class/net",
        _ if name.len() > INTERFACE_NAME_MAX => "it is longer than 15 bytes, the most the kernel takes",
        _ if name.contains('%') => "the kernel reads `%` as a pattern for numbered names",
        _ if name.contains(|c: char| matches!(c, '/' | ':' | '\0') || c.is_whitespace()) => {
            "it contains a slash, a colon or white space"
        }
        _ => return Ok(()),
    };
    Err(OpenError::Name { name: name.to_owned(), why })
}

/// Runs `work` in that network namespace, or the caller's own if there is none given.
///
/// Another namespace is entered by a thread of its own that ends with `work`: no thread of ours ever changes its
/// namespace and forgets to come back.
pub fn in_namespace<T: Send>(
    netns: Option<BorrowedFd<'_>>,
    work: impl FnOnce() -> T + Send,
) -> Result<T, OpenError> {
    let Some(netns) = netns else { return Ok(work()) };
    std::thread::scope(|scope| {
        let visitor = scope
            .spawn(|| move_into_link_name_space(netns, Some(LinkNameSpaceType::Network)).map(|()| work()));
        let result = visitor.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        result.map_err(|error| OpenError::Namespace(error.into()))
    })
}

/// The names of all interfaces in the namespace of the calling thread.
pub(super) fn interface_names() -> Vec<String> {
    pnet_datalink::interfaces().into_iter().map(|interface| interface.name).collect()
}

/// Opens /dev/net/tun, not yet attached to an interface.
pub(super) fn tun_device() -> Result<OwnedFd, OpenError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open("/dev/net/tun", flags, Mode::empty()).map_err(|error| of_tun_device(error.into()))
}

/// What went wrong when /dev/net/tun was opened.
fn of_tun_device(error: io::Error) -> OpenError {
    let remedy = match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => {
            "load the driver with `modprobe tun`; a container needs `--device /dev/net/tun`"
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            "run as root, or let everybody use it as distributions do: `chmod 0666 /dev/net/tun`"
        }
        _ => "without it there are no TAP interfaces",
    };
    OpenError::TunDevice(error, remedy)
}

/// Whether one character was mistyped, added or left out.
fn differ_by_one(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let same = short.bytes().zip(long.bytes()).take_while(|(x, y)| x == y).count();
    let long_rest = &long.as_bytes()[(same + 1).min(long.len())..];
    match long.len() - short.len() {
        0 => short.as_bytes()[(same + 1).min(short.len())..] == *long_rest,
        1 => short.as_bytes()[same..] == *long_rest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let table = [
            ("tap0", true, "the usual"),
            ("averyverylongna", true, "15 bytes"),
            ("averyverylongnam", false, "16 bytes: tun-tap would cut it"),
            ("", false, "the kernel would choose one"),
            ("tap%d", false, "the kernel would number it"),
            ("a/b", false, "no file name in /sys"),
            ("a b", false, "the kernel refuses white space"),
            ("..", false, "a directory"),
        ];
        for (name, sound, why) in table {
            assert_eq!(check_name(name).is_ok(), sound, "{why}");
        }
    }

    #[test]
    fn a_missing_interface_is_answered_with_what_is_there() {
        let names = ["lo", "eth0", "tap7"].map(String::from);
        let message = |name: &str| OpenError::not_found(name, &names).to_string();
        assert_eq!(message("tap8"), "there is no interface `tap8` here: did you mean `tap7`?");
        assert!(message("eth").ends_with("did you mean `eth0`?"), "one left out");
        assert!(message("wlan0").ends_with("there are lo, eth0, tap7"));
    }
}
