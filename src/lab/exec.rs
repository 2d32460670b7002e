//! `vswitchd exec`: becoming a program in a node.
//!
//! The process itself goes to the node and turns into the program, so terminal, signals and exit code need no relaying.
//! Where the daemon lives in a sandbox, the process goes there first: into its user and mount namespaces, in which the
//! caller who started the daemon is root, and in which /run/netns is the lab's.
//!
//! The program sees the node's interfaces in /sys/class/net, and files in /etc/netns/NODE over those in /etc, as
//! under `ip netns exec`; both in a mount namespace of its own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, UnshareFlags};

use super::{netns, process};
use crate::port::sys;

/// Why the program does not run.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// There is such a file but it does not run.
    #[error("cannot run `{program}`: {source}")]
    NotExecutable {
        /// As it was given.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// There is no such program.
    #[error("cannot run `{program}`: no such program")]
    NotFound {
        /// As it was given.
        program: String,
    },
    /// It could not be brought into the node.
    #[error("cannot {doing}: {source}")]
    Setup {
        /// What failed.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl ExecError {
    pub(super) fn setup(doing: &'static str, source: io::Error) -> Self {
        Self::Setup { doing, source }
    }

    pub(super) fn program(program: &OsStr, source: io::Error) -> Self {
        // execvp(3) says so as well when it could not look into some directory of PATH and found it in no other
        let hidden = source.kind() == io::ErrorKind::PermissionDenied && !is_on_path(program);
        let not_found = source.kind() == io::ErrorKind::NotFound || hidden;
        let program = program.to_string_lossy().into_owned();
        if not_found { Self::NotFound { program } } else { Self::NotExecutable { program, source } }
    }

    /// What a shell would exit with: 127 for a program that is not there, 126 for one that does not run, and for
    /// what a shell has no code for as well.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::NotFound { .. }) { 127 } else { 126 })
    }
}

/// Whether there is such a file where execvp(3) looks for it.
fn is_on_path(program: &OsStr) -> bool {
    if program.as_encoded_bytes().contains(&b'/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}

/// Turns the calling process, which must have no other thread, into `command` (not empty) in the node `node` whose
/// namespace's file is `netns`, in the eyes of the process `daemon` if there is one. Returns only if that fails.
pub fn exec(node: &str, netns: &Path, daemon: Option<i32>, command: &[OsString]) -> ExecError {
    let Some((program, arguments)) = command.split_first() else {
        return ExecError::setup("start a program", io::ErrorKind::InvalidInput.into());
    };
    if let Some(pid) = daemon
        && let Err(e) = join(pid)
    {
        return ExecError::setup("enter vswitchd's sandbox", e);
    }
    let entered = netns::open(netns).map_err(|e| ExecError::setup("open the node's namespace", e));
    match entered.and_then(|netns| settle(&netns, node)) {
        Err(e) => e,
        Ok(()) => ExecError::program(program, Command::new(program).args(arguments).exec()),
    }
}

/// Takes the calling process into a node's namespace and arranges its view of the file system.
pub(super) fn settle(netns: &OwnedFd, node: &str) -> Result<(), ExecError> {
    let arranged = || -> io::Result<()> {
        rustix::thread::move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
        sys::unshare(UnshareFlags::NEWNS)?;
        // what is mounted outside shall appear here, what is mounted here shall not appear outside
        let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
        Ok(rustix::mount::mount_change("/", flags)?)
    };
    arranged().map_err(|e| ExecError::setup("enter the node's namespace", e))?;
    mount_sys();
    overlay_etc(node);
    Ok(())
}

/// Mounts a /sys that shows the interfaces of the calling process's network namespace.
pub(super) fn mount_sys() {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // refused in some containers; then /sys shows the host's interfaces, and everything else works
    let _ = rustix::mount::mount("sysfs", "/sys", "sysfs", flags, None);
}

fn overlay_etc(node: &str) {
    let Ok(entries) = fs::read_dir(Path::new("/etc/netns").join(node)) else { return };
    for entry in entries.flatten() {
        // a file without its counterpart in /etc has no place to go
        let _ = rustix::mount::mount_bind(entry.path(), Path::new("/etc").join(entry.file_name()));
    }
}

/// Enters those of the daemon's user and mount namespaces that are not ours already.
fn join(daemon: i32) -> io::Result<()> {
    let differs = |name: &str| -> io::Result<bool> {
        Ok(fs::read_link(format!("/proc/{daemon}/ns/{name}"))?
            != fs::read_link(format!("/proc/self/ns/{name}"))?)
    };
    let mut namespaces = ThreadNameSpaceType::empty();
    if differs("user")? {
        namespaces |= ThreadNameSpaceType::USER;
    }
    if differs("mnt")? {
        namespaces |= ThreadNameSpaceType::MOUNT;
    }
    if namespaces.is_empty() {
        return Ok(());
    }
    let directory = std::env::current_dir();
    let daemon = process::descriptor(daemon.cast_unsigned())?;
    rustix::thread::move_into_thread_name_spaces(daemon.as_fd(), namespaces)?;
    // a new mount namespace starts at its root; the same path is the same place but for /run
    if let Ok(directory) = directory {
        let _ = std::env::set_current_dir(directory);
    }
    Ok(())
}
