//! A world of its own for a lab that must not touch the real one: `verify`, a caller without privileges, tests.
//!
//! New mount and network namespaces; without privileges also a user namespace in which the caller is root. In it,
//! /run/netns is empty and ours, while everything else in /run, the runtime directory with the control socket
//! above all, is what it is outside. All of it is gone with the last process in it.
//!
//! Without a PID namespace: the daemon stays an ordinary process of its user, with the process id everybody sees.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::{CapabilitySet, UnshareFlags};

use super::netlink::{LinkChange, Netlink};
use super::{exec, netns};
use crate::control::place;
use crate::port::sys;

/// Whether the caller may do by itself what a lab needs: make namespaces and interfaces.
pub fn is_privileged() -> bool {
    let needed = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW | CapabilitySet::SYS_ADMIN;
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}

/// Takes the calling process, which must have no other thread yet, into a sandbox.
pub fn enter() -> io::Result<()> {
    if !is_privileged() {
        become_root()?;
    }
    let told = |doing: &str, e: io::Error| io::Error::new(e.kind(), format!("cannot {doing}: {e}"));
    sys::unshare(UnshareFlags::NEWNS | UnshareFlags::NEWNET)
        .map_err(|e| told("make mount and network namespaces", e))?;
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", flags).map_err(|e| told("make the mounts private", e.into()))?;
    cover(Path::new(netns::DIRECTORY)).map_err(|e| told("make a /run/netns of its own", e))?;
    exec::mount_sys();
    Netlink::open()
        .and_then(|mut netlink| {
            let lo = netlink.index("lo")?;
            netlink.change_link(lo, &LinkChange { up: true, ..LinkChange::default() })
        })
        .map_err(|e| told("bring up the loopback interface", e.into()))?;
    netns::skip_duplicate_detection("default");
    open_tun()
}

fn become_root() -> io::Result<()> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    sys::unshare(UnshareFlags::NEWUSER).map_err(|e| io::Error::new(e.kind(), why_no_user_namespace(&e)))?;
    // without this, the group map may not be written (user_namespaces(7))
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {} 1", uid.as_raw()))?;
    fs::write("/proc/self/gid_map", format!("0 {} 1", gid.as_raw()))?;
    if is_privileged() {
        return Ok(());
    }
    // AppArmor lets the namespace be made and then takes its capabilities away
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        why_no_user_namespace(&io::ErrorKind::PermissionDenied.into()),
    ))
}

/// One sentence: what forbids it, and how to allow it.
fn why_no_user_namespace(error: &io::Error) -> String {
    let setting =
        |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse::<u64>().ok();
    let advice = if setting("user/max_user_namespaces") == Some(0) {
        "sysctl -w user.max_user_namespaces=10000"
    } else if setting("kernel/unprivileged_userns_clone") == Some(0) {
        "sysctl -w kernel.unprivileged_userns_clone=1"
    } else if setting("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    } else {
        return format!("this system does not let you make a user namespace ({error}): run vswitchd as root");
    };
    format!(
        "this system does not let you make a user namespace ({error}): run vswitchd as root, or as root `{advice}`"
    )
}

/// Puts an empty directory over the runtime directory as well, so that the lab of the same name may be running
/// outside. In a sandbox only.
pub fn hide_runtime() -> io::Result<()> {
    let runtime = place::runtime_dir();
    cover(&runtime).map_err(|e| io::Error::new(e.kind(), format!("cannot hide {}: {e}", runtime.display())))
}

/// Puts an empty directory over this one. Where there is none, its parent is replaced by one that has the same
/// entries and this one, so that nothing appears outside.
fn cover(directory: &Path) -> io::Result<()> {
    if !directory.is_dir() {
        let parent = directory.parent().ok_or(io::ErrorKind::InvalidInput)?;
        if parent == Path::new("/tmp") {
            // what nodes write to /tmp is to be seen outside, so this one has to be the real one
            return fs::DirBuilder::new().mode(0o700).create(directory);
        }
        replace(parent)?;
        fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    Ok(empty(directory)?)
}

fn empty(directory: &Path) -> rustix::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("vswitchd", directory, "tmpfs", flags, Some(c"mode=755"))
}

fn replace(directory: &Path) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let old = rustix::fs::open(directory, flags, Mode::empty())?;
    let entries: Vec<_> = fs::read_dir(directory)?.flatten().collect();
    empty(directory)?;
    let old_path = format!("/proc/self/fd/{}", old.as_raw_fd());
    for entry in entries {
        // one that cannot be brought back will be missed by whoever needs it, with its name in the message
        let _ = bring_back(Path::new(&old_path), directory, &entry);
    }
    Ok(())
}

fn bring_back(old: &Path, new: &Path, entry: &fs::DirEntry) -> io::Result<()> {
    let (source, target) = (old.join(entry.file_name()), new.join(entry.file_name()));
    let kind = entry.file_type()?;
    if kind.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(source)?, target);
    }
    if kind.is_dir() {
        fs::create_dir(&target)?;
    } else {
        fs::write(&target, "")?;
    }
    Ok(rustix::mount::mount_bind_recursive(source, target)?)
}

/// Says in time, and in words, that there can be no TAP.
fn open_tun() -> io::Result<()> {
    let path = "/dev/net/tun";
    let advice = match rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(_) => return Ok(()),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NODEV) => {
            "there is none: as root, `modprobe tun`".to_owned()
        }
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
            "you may not open it: as root, `chmod 0666 /dev/net/tun`, its usual mode".to_owned()
        }
        Err(e) => e.to_string(),
    };
    Err(io::Error::other(format!("cannot make TAP devices with {path}: {advice}")))
}
