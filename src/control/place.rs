//! Where the control sockets are.
//!
//! `/run/vswitchd/LAB.sock` for root; for others `$XDG_RUNTIME_DIR/vswitchd/LAB.sock`, or `/tmp/vswitchd-UID/LAB.sock`
//! where there is no such variable. "Root" is who was root before any user namespace of ours: a client outside must
//! look in the same place as the switch inside.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The directory in which an instance started by this user puts its socket.
pub fn runtime_dir() -> PathBuf {
    let uid = outer_uid();
    if uid == 0 {
        return "/run/vswitchd".into();
    }
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(base) if base.is_absolute() => base.join("vswitchd"),
        _ => format!("/tmp/vswitchd-{uid}").into(),
    }
}

/// The socket of the lab of that name, for an instance started by this user.
pub fn socket_path(lab: &str) -> PathBuf {
    runtime_dir().join(format!("{lab}.sock"))
}

/// Every directory in which this user's instances, or root's, may have their sockets; each once.
pub fn runtime_dirs() -> Vec<PathBuf> {
    dirs_of(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from), outer_uid())
}

fn dirs_of(base: Option<PathBuf>, uid: u32) -> Vec<PathBuf> {
    let mut dirs = vec![PathBuf::from("/run/vswitchd")];
    let base = base.filter(|base| base.is_absolute()).map(|base| base.join("vswitchd"));
    // where a session's directory is /run itself, it is root's
    dirs.extend(base.filter(|base| *base != dirs[0]));
    dirs.push(format!("/tmp/vswitchd-{uid}").into());
    dirs
}

/// Makes the directory of a socket, for our eyes only, if it is not there.
///
/// # Errors
/// What the system says; and when `dir` is our [`runtime_dir`] but belongs to somebody else, who could replace what is
/// in it.
pub fn prepare(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let found = fs::symlink_metadata(dir)?;
    let ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if dir == runtime_dir() && !ours {
        let message =
            format!("{} belongs to another user; set XDG_RUNTIME_DIR or use --control", dir.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}

/// The user id as the parent user namespace knows it; the id itself where there is no other.
fn outer_uid() -> u32 {
    let inner = rustix::process::geteuid().as_raw();
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map_uid(&map, inner).unwrap_or(inner)
}

fn map_uid(map: &str, inner: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (first, outer, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        let offset = inner.checked_sub(first)?;
        (offset < count).then(|| outer + offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It was listed twice, and every lab in it was then two, between which one had to choose.
    #[test]
    fn a_session_in_run_itself_has_its_labs_once() {
        let table: &[(Option<&str>, &[&str], &str)] = &[
            (None, &["/run/vswitchd", "/tmp/vswitchd-0"], "no session"),
            (Some("/run"), &["/run/vswitchd", "/tmp/vswitchd-0"], "root's in any case"),
            (Some("/run/user/0"), &["/run/vswitchd", "/run/user/0/vswitchd", "/tmp/vswitchd-0"], "a session"),
            (Some("run"), &["/run/vswitchd", "/tmp/vswitchd-0"], "not a path that means something"),
        ];
        for (base, dirs, why) in table {
            let expected: Vec<PathBuf> = dirs.iter().map(PathBuf::from).collect();
            assert_eq!(dirs_of(base.map(PathBuf::from), 0), expected, "{why}");
        }
    }

    #[test]
    fn a_user_is_found_through_the_map() {
        let table = [
            ("         0          0 4294967295\n", 0, Some(0), "no namespace: root"),
            ("         0          0 4294967295\n", 1000, Some(1000), "no namespace: a user"),
            ("0 1000 1\n", 0, Some(1000), "unshare -r"),
            ("0 1000 1\n1 100000 65536\n", 5, Some(100_004), "the second range of a rootless container"),
            ("0 1000 1\n", 7, None, "a user that has no name outside"),
            ("", 7, None, "no /proc"),
        ];
        for (map, inner, outer, why) in table {
            assert_eq!(map_uid(map, inner), outer, "{why}");
        }
    }
}
