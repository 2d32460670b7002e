//! What a lab has done to the system, written down before it does it.
//!
//! One JSON object a line: first who writes, then a line for each step about to be done and one for each step
//! undone. It outlives its process but not a reboot, so nothing is synced to disk: what the kernel has been given is
//! there after any kill. The last line may be torn; what it announced was not begun.
//!
//! Beside it lies a lock (flock), which the kernel releases when its holder dies. A journal whose lock is free is
//! that of a dead instance, and [`super::reconcile`] undoes what it says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::LabError;
use super::step::Step;

/// How long to wait before trying again to take the lock of a dead process.
const PAUSE: Duration = Duration::from_millis(10);

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    /// This step is about to be done.
    Do(Step),
    /// The namespace that the step before it is about to name.
    Namespace {
        /// The node.
        node: String,
        /// The namespace's number while it lives.
        inode: u64,
    },
    /// The first line.
    Start {
        /// Which boot of the machine: nothing of another one is left.
        boot: String,
    },
    /// This step is undone.
    Undone(Step),
}

/// What a journal says is still to be undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// In the order in which they were done.
    pub(super) steps: Vec<Step>,
    /// Nodes and the numbers of their namespaces; a node may have had several.
    pub(super) namespaces: Vec<(String, u64)>,
}

/// The journal of a running lab. Whoever has it has the lab's lock.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    lock: Lock,
}

impl Journal {
    /// Starts a new journal, over whatever the file said.
    pub(super) fn start(runtime: &Path, lab: &str, lock: Lock) -> Result<Self, LabError> {
        let path = journal_path(runtime, lab);
        let journal = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| file.set_len(0).map(|()| file))
            .map(|file| Self { file, path: path.clone(), lock });
        let mut journal = journal.map_err(|e| LabError::io(format!("write {}", path.display()), e))?;
        journal.write(&Entry::Start { boot: boot() })?;
        Ok(journal)
    }

    /// Says that a step is about to be done.
    pub(super) fn doing(&mut self, step: &Step) -> Result<(), LabError> {
        self.write(&Entry::Do(step.clone()))
    }

    /// Says which namespace a node is about to have.
    pub(super) fn namespace(&mut self, node: &str, inode: u64) -> Result<(), LabError> {
        self.write(&Entry::Namespace { node: node.to_owned(), inode })
    }

    /// Says that a step is undone.
    pub(super) fn undone(&mut self, step: &Step) -> Result<(), LabError> {
        self.write(&Entry::Undone(step.clone()))
    }

    /// Ends it: there is nothing left to undo.
    pub(super) fn finish(self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        self.lock.remove()
    }

    fn write(&mut self, entry: &Entry) -> Result<(), LabError> {
        let mut line = serde_json::to_string(entry).map_err(io::Error::from);
        if let Ok(line) = &mut line {
            line.push('\n');
        }
        line.and_then(|line| self.file.write_all(line.as_bytes()))
            .map_err(|e| LabError::io(format!("write {}", self.path.display()), e))
    }
}

/// What the lab's last instance left to be undone; `None` if it left no journal.
pub(super) fn read(runtime: &Path, lab: &str) -> Result<Option<Record>, LabError> {
    let path = journal_path(runtime, lab);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(replay(&bytes, &boot()))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(LabError::io(format!("read {}", path.display()), e)),
    }
}

/// The labs that have a journal here, running or dead, by name.
pub(super) fn labs(runtime: &Path) -> Result<Vec<String>, LabError> {
    let entries = match fs::read_dir(runtime) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|e| LabError::io(format!("read {}", runtime.display()), e))?,
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".journal").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

pub(super) fn journal_path(runtime: &Path, lab: &str) -> PathBuf {
    runtime.join(format!("{lab}.journal"))
}

fn replay(bytes: &[u8], boot: &str) -> Record {
    let mut record = Record::default();
    // a line without its end is torn, and a later one cannot exist; one that we cannot read is another version's
    let whole = bytes.split_inclusive(|&b| b == b'\n').filter(|line| line.ends_with(b"\n"));
    for entry in whole.filter_map(|line| serde_json::from_slice(line).ok()) {
        match entry {
            Entry::Do(step) => record.steps.push(step),
            Entry::Namespace { node, inode } => record.namespaces.push((node, inode)),
            Entry::Start { boot: theirs } if theirs != boot => return Record::default(),
            Entry::Start { .. } => {}
            Entry::Undone(step) => {
                if let Some(at) = record.steps.iter().rposition(|s| *s == step) {
                    record.steps.remove(at);
                }
            }
        }
    }
    record
}

/// The lab's name, held by this process until it dies or drops this.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes it, or says who has it.
    pub(super) fn take(runtime: &Path, lab: &str) -> Result<Self, LabError> {
        let path = runtime.join(format!("{lab}.lock"));
        let failed = |e: io::Error| LabError::io(format!("lock {}", path.display()), e);
        let mut patience = 100;
        loop {
            let mut options = OpenOptions::new();
            let open = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
            let mut file = open.map_err(failed)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let pid = io::read_to_string(file).unwrap_or_default().trim().parse().ok();
                    if patience > 0 && pid.is_some_and(is_dead) {
                        patience -= 1;
                        thread::sleep(PAUSE);
                        continue;
                    }
                    return Err(LabError::Running { lab: lab.to_owned(), pid });
                }
                Err(e) => return Err(failed(e.into())),
            }
            // the last holder may have removed the file between our open and our lock: then it locks nothing
            let ours = file.metadata().map_err(failed)?;
            if fs::metadata(&path).is_ok_and(|m| m.ino() == ours.ino() && m.dev() == ours.dev()) {
                file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
                return Ok(Self { file, path });
            }
        }
    }

    /// Removes the file, then gives the lock up.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        drop(self.file);
        Ok(())
    }
}

/// A killed holder's child may have its copy of the lock for a moment, between fork and exec.
fn is_dead(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(node: &str) -> Step {
        Step::MakeNamespace { node: node.to_owned(), setup: Vec::new() }
    }

    fn text(entries: &[Entry]) -> Vec<u8> {
        let lines = entries.iter().map(|e| serde_json::to_string(e).expect("plain data") + "\n");
        lines.collect::<String>().into_bytes()
    }

    #[test]
    fn replay_finds_what_is_left_wherever_the_journal_was_cut() {
        let start = Entry::Start { boot: "b".to_owned() };
        let born = Entry::Namespace { node: "a".to_owned(), inode: 7 };
        let bytes =
            text(&[start, Entry::Do(make("a")), born, Entry::Do(make("c")), Entry::Undone(make("c"))]);
        assert_eq!(
            replay(&bytes, "b"),
            Record { steps: vec![make("a")], namespaces: vec![("a".to_owned(), 7)] }
        );
        for cut in 0..bytes.len() {
            let whole = bytes[..cut].iter().filter(|&&b| b == b'\n').count();
            let steps = replay(&bytes[..cut], "b").steps;
            let expected: &[Step] = match whole {
                0 | 1 => &[],
                2 | 3 => &[make("a")],
                _ => &[make("a"), make("c")],
            };
            assert_eq!(steps, expected, "cut at {cut}: the torn line was not begun");
        }
        assert_eq!(replay(&bytes, "c"), Record::default(), "nothing outlives a reboot");
    }

    #[test]
    fn a_lock_has_one_holder_and_leaves_no_file() {
        let dir = std::env::temp_dir().join(format!("vswitchd-lock-test-{}", std::process::id()));
        fs::create_dir(&dir).expect("a fresh directory");
        let lock = Lock::take(&dir, "x").expect("free");
        let refused = Lock::take(&dir, "x").expect_err("taken");
        assert!(
            matches!(refused, LabError::Running { pid: Some(pid), .. } if pid == std::process::id()),
            "{refused}"
        );
        drop(lock); // as when the process is killed: the file stays, the lock does not
        Lock::take(&dir, "x").expect("free again").remove().expect("ours");
        fs::remove_dir(&dir).expect("empty");
    }
}
