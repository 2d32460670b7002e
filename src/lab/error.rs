//! What can go wrong with a lab, in words for its user.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::step::Location;
use crate::port::OpenError;

/// Why a lab cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Somebody asked to stop.
    #[error("interrupted while the setup of the node `{node}` was running")]
    Interrupted {
        /// The node.
        node: String,
    },
    /// The name is taken.
    #[error("{on} exists already and is not ours: rename it in the file, or remove it (ip link delete)")]
    InterfaceExists {
        /// The interface.
        on: Location,
    },
    /// The operating system refused something.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What.
        doing: String,
        /// Why.
        source: io::Error,
    },
    /// The name is taken.
    #[error("{} exists already and is not ours: rename the node, or remove the namespace (ip netns delete)", path.display())]
    NamespaceExists {
        /// The namespace's file.
        path: PathBuf,
    },
    /// A port could not be opened.
    #[error("cannot open the port `{port}`: {source}")]
    Port {
        /// The port's name.
        port: String,
        /// Why.
        source: OpenError,
    },
    /// Another instance has the lab's name.
    #[error("the lab `{lab}` is running already{}: stop it first, or give this one another name", process(*pid))]
    Running {
        /// The lab.
        lab: String,
        /// The other instance's process id, if it has told.
        pid: Option<u32>,
    },
    /// A setup command failed.
    #[error("the setup of the node `{node}` failed: `{command}` {}", ending(*status))]
    Setup {
        /// The node.
        node: String,
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
}

impl LabError {
    pub(super) fn io(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { doing: doing.into(), source: source.into() }
    }
}

/// How a program ended: `exited 0`, `killed by signal 9`.
pub fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
