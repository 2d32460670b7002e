//! Network namespaces: making, naming, entering, removing.
//!
//! A thread lives in one network namespace, and so do the sockets it opens. To do something elsewhere, a throw-away
//! thread goes there, does it and ends ([`within`]); no other thread of the process ever moves, so no code has to ask
//! itself where it is.
//!
//! A namespace gets a name the way iproute2 gives it one: by a bind mount of its file on /run/netns/NAME, below a
//! shared mount, so that `ip netns` sees ours and we see theirs. Ours carry a tag (see [`super::tag`]) as the alias of
//! their loopback interface, put there before the namespace has a name: whoever finds the name can tell whose it is,
//! and nothing untagged is ever removed.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::netlink::{LinkChange, Netlink};
use crate::port::sys;

/// Where names of network namespaces live; iproute2's choice.
pub const DIRECTORY: &str = "/run/netns";

/// The loopback interface's number, the same in every namespace (LOOPBACK_IFINDEX).
const LOOPBACK: u32 = 1;

/// The file that names a namespace.
pub fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// Opens a namespace by its file.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The calling thread's own.
pub fn own() -> io::Result<OwnedFd> {
    open(Path::new("/proc/thread-self/ns/net"))
}

/// The number that tells living namespaces apart. The kernel uses it again when the namespace is gone.
pub fn inode(netns: impl AsFd) -> io::Result<u64> {
    Ok(rustix::fs::fstat(netns)?.st_ino)
}

/// Whether two descriptors are of the same namespace. Exact, since neither can be gone while its descriptor is open.
pub fn is_same(a: impl AsFd, b: impl AsFd) -> io::Result<bool> {
    let (a, b) = (rustix::fs::fstat(a)?, rustix::fs::fstat(b)?);
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

/// Runs `work` in a namespace, on a thread of its own.
pub fn within<T: Send>(netns: BorrowedFd<'_>, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    on_new_thread(|| {
        rustix::thread::move_into_link_name_space(netns, Some(LinkNameSpaceType::Network))?;
        Ok(work())
    })
}

/// Makes a namespace without a name: tagged, loopback up, addresses usable without a delay. It is gone when the
/// last descriptor and the last process in it are gone.
pub fn make(tag: &str) -> io::Result<OwnedFd> {
    on_new_thread(|| {
        sys::unshare(UnshareFlags::NEWNET)?;
        let change = LinkChange { alias: Some(tag), up: true, ..LinkChange::default() };
        Netlink::open()?.change_link(LOOPBACK, &change)?;
        skip_duplicate_detection("default");
        own()
    })
}

/// Whether the namespace is one that [`make`] made with this tag. One that we may not even enter is not.
pub fn is_tagged(netns: BorrowedFd<'_>, tag: &str) -> io::Result<bool> {
    let looked = within(netns, || -> io::Result<bool> {
        Ok(Netlink::open()?.link("lo")?.is_some_and(|lo| lo.alias.as_deref() == Some(tag)))
    });
    match looked {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        other => other?,
    }
}

/// Whether the namespace of that name carries this tag; one that cannot be looked into does not.
pub fn is_of_lab(name: &str, tag: &str) -> bool {
    open(&path(name)).is_ok_and(|netns| is_tagged(netns.as_fd(), tag).unwrap_or(false))
}

/// Lets IPv6 addresses be used at once, on interfaces that will be born in the calling thread's namespace
/// (`default`) or on one that exists. On a lab's wires addresses are known to be unique, and a second of waiting
/// would be felt. Does nothing where there is no IPv6.
pub fn skip_duplicate_detection(interface: &str) {
    // absent without IPv6, read-only in some containers; then addresses take a second longer
    let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{interface}/accept_dad"), "0");
}

/// Names a namespace. Fails with `AlreadyExists` if the name is taken.
pub fn publish(name: &str, netns: BorrowedFd<'_>) -> io::Result<()> {
    let _lock = prepare_directory()?;
    let path = path(name);
    OpenOptions::new().write(true).create_new(true).mode(0o444).open(&path)?;
    let source = format!("/proc/self/fd/{}", netns.as_raw_fd());
    rustix::mount::mount_bind(source, &path).map_err(|e| {
        let _ = fs::remove_file(&path);
        e.into()
    })
}

/// Takes a name away if it names the namespace with this tag, or if it is the empty file that a killed [`publish`]
/// left. Anything else stays. Returns whether there was something to remove.
pub fn withdraw(name: &str, tag: &str) -> io::Result<bool> {
    let path = path(name);
    let file = match open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    if is_namespace(&file) {
        if !is_tagged(file.as_fd(), tag)? {
            return Ok(false);
        }
        drop(file);
        rustix::mount::unmount(&path, UnmountFlags::DETACH)?;
    } else if fs::metadata(&path)?.size() != 0 {
        return Ok(false);
    }
    fs::remove_file(&path)?;
    Ok(true)
}

/// Whether a descriptor is that of a network namespace rather than some file.
pub fn is_namespace(file: impl AsFd) -> bool {
    // nsfs; from linux/magic.h, which rustix does not have
    const NSFS_MAGIC: u64 = 0x6e73_6673;
    rustix::fs::fstatfs(file).is_ok_and(|s| u64::try_from(s.f_type) == Ok(NSFS_MAGIC))
}

/// Makes /run/netns what `ip netns add` makes it: a shared mount on itself. Returns the lock that iproute2 takes too,
/// without which two processes could stack mounts there.
fn prepare_directory() -> io::Result<OwnedFd> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(DIRECTORY)?;
    let lock = rustix::fs::open(DIRECTORY, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    let share = || {
        let flags = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
        rustix::mount::mount_change(DIRECTORY, flags)
    };
    if share().is_err() {
        rustix::mount::mount_bind_recursive(DIRECTORY, DIRECTORY)?;
        share()?;
    }
    Ok(lock)
}

fn on_new_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
