//! After a kill -9: undoing what the journal of a dead instance says it did.
//!
//! The journal says where to look, never what to remove: that, each thing says itself, by our tag (see `runner`,
//! `netns`). So a namespace or an interface of the same name that the user has made since is left alone, and so is
//! everything when the dead instance lived in a sandbox, whose names meant other things than they mean here.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::difference::essential;
use super::journal::{self, Lock, Record};
use super::runner::Runner;
use super::step::Step;
use super::{LabError, process, tag};

/// What a dead instance left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The lab.
    pub lab: String,
    /// What its journal has not seen undone, in words; without what goes together with something else.
    pub steps: Vec<String>,
}

/// Removes what dead instances left, or with `dry_run` only says what. Running labs are not touched.
pub fn clean(runtime: &Path, dry_run: bool) -> Result<Vec<Leftover>, LabError> {
    let mut found = Vec::new();
    for lab in journal::labs(runtime)? {
        let lock = match Lock::take(runtime, &lab) {
            Err(LabError::Running { .. }) => continue,
            other => other?,
        };
        if let Some(record) = journal::read(runtime, &lab)? {
            let backwards: Vec<Step> = record.steps.iter().rev().cloned().collect();
            let steps = essential(&backwards).map(ToString::to_string).collect();
            found.push(Leftover { lab: lab.clone(), steps });
            if !dry_run {
                undo(runtime, &lab, &record)?;
            }
        }
        if !dry_run {
            lock.remove().map_err(|e| LabError::io(format!("remove the lock of the lab `{lab}`"), e))?;
        }
    }
    Ok(found)
}

/// Undoes what the lab's last instance left, if it left anything. Its lock must be ours.
pub(super) fn reconcile(runtime: &Path, lab: &str) -> Result<(), LabError> {
    match journal::read(runtime, lab)? {
        Some(record) => undo(runtime, lab, &record),
        None => remove_file(&socket_path(runtime, lab)),
    }
}

fn undo(runtime: &Path, lab: &str, record: &Record) -> Result<(), LabError> {
    let tag = tag(lab);
    let namespaces: HashSet<u64> = record.namespaces.iter().map(|&(_, inode)| inode).collect();
    process::end(lab, &tag, &namespaces, Duration::ZERO);
    let mut runner = Runner::new(tag);
    let backwards: Vec<Step> = record.steps.iter().rev().cloned().collect();
    for step in essential(&backwards) {
        runner.undo(step)?;
    }
    remove_file(&socket_path(runtime, lab))?;
    remove_file(&journal::journal_path(runtime, lab))
}

/// Where the control socket is, unless the user chose another place; then it is the user's to remove.
fn socket_path(runtime: &Path, lab: &str) -> PathBuf {
    runtime.join(format!("{lab}.sock"))
}

fn remove_file(path: &Path) -> Result<(), LabError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|e| LabError::io(format!("remove {}", path.display()), e)),
    }
}
