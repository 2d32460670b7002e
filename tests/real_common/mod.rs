//! The real program, run as its user runs it, where it can touch nothing.

#![allow(dead_code, unused_imports, reason = "every test crate uses some of it")]

#[path = "../lab_common/mod.rs"]
pub(crate) mod lab_common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use lab_common::Runtime;
pub(crate) use lab_common::program::{command, vswitchd};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use vswitchd::control::place;
use vswitchd::control::plan::{PROBE_TIMEOUT, Place, Plan, Probe};
use vswitchd::lab::probe::{self, Outcome};
use vswitchd::lab::{netns, sandbox};

/// Runs `work`, the body of the test called `name`, in a sandbox in which no lab runs and nothing is left of any.
pub(crate) fn alone(name: &str, work: impl FnOnce() + Send) {
    lab_common::sandbox::sandboxed(name, || {
        sandbox::hide_runtime().expect("allowed in a sandbox");
        work();
    });
}

/// A lab's file in a directory of its own. Its name is that of the lab, which no other test run has at this moment.
pub(crate) struct File {
    _directory: Runtime,
    pub(crate) path: PathBuf,
    pub(crate) lab: String,
}

impl File {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let directory = lab_common::runtime(&format!("real-{name}"));
        fs::create_dir_all(&*directory).expect("writable");
        let lab = format!("{name}-{}", std::process::id());
        let file = Self { path: directory.join(format!("{lab}.toml")), _directory: directory, lab };
        file.write(text);
        file
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(&self.path, text).expect("writable");
    }

    /// Starts the lab without waiting for anything.
    pub(crate) fn spawn(&self) -> Running {
        let mut command = command(&["-c", self.path.to_str().expect("text")]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let log = Arc::default();
        let reader = thread::spawn({
            let (stderr, log) = (child.stderr.take().expect("piped"), Arc::clone(&log));
            move || collect(stderr, &log)
        });
        Running { child, stdout, log, reader: Some(reader) }
    }

    /// Starts the lab and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(&self) -> Running {
        let mut running = self.spawn();
        let said = running.await_ready();
        assert!(said.contains("\nready in "), "{said}\n{}", running.log());
        running
    }

    /// Nothing of the lab is left: no interface, no namespace, no file (socket, journal, lock), no process.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        lab_common::assert_nothing_left(&self.lab, &place::runtime_dir());
    }
}

fn collect(mut stderr: ChildStderr, log: &Mutex<String>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stderr.read(&mut buffer) {
        log.lock().expect("nobody panics with it").push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}

/// A running lab; killed when the test fails.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Everything it says up to the line that begins with `ready`, or up to its end.
    pub(crate) fn await_ready(&mut self) -> String {
        let mut said = String::new();
        loop {
            let start = said.len();
            if self.stdout.read_line(&mut said).expect("text") == 0 || said[start..].starts_with("ready") {
                return said;
            }
        }
    }

    /// What it has said on standard error by now.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("nobody panics with it").clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("not waited for yet");
    }

    /// Waits for its end; gives what it said on standard error.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("our child");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("it only reads");
        }
        (status, self.log())
    }

    /// Ends it as `kill PID` does, which must work.
    #[track_caller]
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let (status, log) = self.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("vswitchd said:\n{}", self.log());
        }
    }
}

/// What it says on standard output when all is well.
#[track_caller]
pub(crate) fn says(arguments: &[&str]) -> String {
    let output = vswitchd(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// `show WHAT --json`.
#[track_caller]
pub(crate) fn show<T: DeserializeOwned>(what: &str) -> T {
    let text = says(&["show", what, "--json"]);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Runs `work` in a node's network namespace.
pub(crate) fn in_node<T: Send>(node: &str, work: impl FnOnce() -> T + Send) -> T {
    let file = netns::open(&netns::path(node)).expect("the node is there");
    netns::within(file.as_fd(), work).expect("entered")
}

/// Pings from a node.
pub(crate) fn ping(node: &str, to: &str) -> Outcome {
    let ping =
        Probe::Ping { from: Place::Node(node.to_owned()), to: to.parse().expect("an address"), sees: None };
    probe::run(&ping, &Plan::empty("any"), PROBE_TIMEOUT, true)
}

/// A lab that comes with the program.
pub(crate) fn config(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
    fs::read_to_string(path).expect("it comes with the program")
}
