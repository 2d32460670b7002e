//! The runtime directory: where running labs keep their control socket, their lock and their journal.
//!
//! Where that is, [`place`] knows. In /tmp anybody could have made it first, so one that is not ours alone is refused.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::LabError;
use crate::control::place;

/// The caller's runtime directory, made if need be.
pub fn directory() -> Result<PathBuf, LabError> {
    let path = place::runtime_dir();
    claim(&path, rustix::process::geteuid().as_raw())?;
    Ok(path)
}

/// The lab's control socket.
pub fn socket(runtime: &Path, lab: &str) -> PathBuf {
    runtime.join(format!("{lab}.sock"))
}

/// The file whose lock says that the lab is running.
pub fn lock(runtime: &Path, lab: &str) -> PathBuf {
    runtime.join(format!("{lab}.lock"))
}

/// What the lab has done.
pub fn journal(runtime: &Path, lab: &str) -> PathBuf {
    runtime.join(format!("{lab}.journal"))
}

/// The labs that have a journal here, running or dead, by name.
pub fn labs(runtime: &Path) -> Result<Vec<String>, LabError> {
    let entries =
        fs::read_dir(runtime).map_err(|e| LabError::io(format!("read {}", runtime.display()), e))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".journal").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

fn claim(path: &Path, uid: u32) -> Result<(), LabError> {
    let doing = || format!("make the directory {}", path.display());
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        other => other.map_err(|e| LabError::io(doing(), e))?,
    }
    let found = fs::symlink_metadata(path).map_err(|e| LabError::io(doing(), e))?;
    if found.is_dir() && found.uid() == uid && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    let text = "it is there but not ours alone; remove it, or set XDG_RUNTIME_DIR to a directory of your own";
    Err(LabError::io(doing(), std::io::Error::other(text)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_a_directory_of_our_own_will_do() {
        let base = std::env::temp_dir().join(format!("vswitchd-runtime-test-{}", std::process::id()));
        fs::create_dir(&base).expect("a fresh directory");
        let uid = rustix::process::geteuid().as_raw();
        let ours = base.join("ours");
        claim(&ours, uid).expect("made");
        claim(&ours, uid).expect("found again");
        assert!(claim(&ours, uid + 1).is_err(), "another's");
        symlink(&ours, base.join("link")).expect("a link");
        assert!(claim(&base.join("link"), uid).is_err(), "a link somebody laid for us");
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o777)).expect("ours");
        assert!(claim(&ours, uid).is_err(), "others may write to it");
        fs::remove_dir_all(&base).expect("ours");
    }
}
