//! Ending the processes that live in a lab's namespaces.
//!
//! Which they are is read from /proc: every process has its namespace's number there. A number alone could be that of
//! a namespace born after ours died, so before anything is killed the process's namespace is entered and its tag
//! checked; where that is not allowed (a sandbox that is no more), the environment that our nodes' processes inherit
//! must name the lab. Processes are addressed by descriptor (pidfd), which cannot come to mean another one.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::netns;

/// The environment variable that names the lab to a node's processes.
pub const LAB_VARIABLE: &str = "VSWITCHD_LAB";
/// The environment variable that names the node to its processes.
pub const NODE_VARIABLE: &str = "VSWITCHD_NODE";

/// Ends every process in the namespaces with these numbers, if they are those of the lab: asks them (SIGTERM), gives
/// them `grace`, then kills them, and returns when they are gone.
pub(super) fn end(lab: &str, tag: &str, namespaces: &HashSet<u64>, grace: Duration) {
    if namespaces.is_empty() {
        return;
    }
    // killed processes may have forked while we looked; three rounds outrun anything but a fork bomb, which five end
    for round in 0..5 {
        let found = find(lab, tag, namespaces);
        if found.is_empty() {
            return;
        }
        if round == 0 && !grace.is_zero() {
            signal(&found, Signal::TERM);
            if wait(&found, grace) {
                continue;
            }
        }
        signal(&found, Signal::KILL);
        wait(&found, Duration::from_secs(5));
    }
}

fn find(lab: &str, tag: &str, namespaces: &HashSet<u64>) -> Vec<OwnedFd> {
    let own = i32::try_from(std::process::id()).ok();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|&pid| Some(pid) != own)
        .filter_map(|pid| {
            let file = PathBuf::from(format!("/proc/{pid}/ns/net"));
            inode_of(&file).filter(|inode| namespaces.contains(inode))?;
            let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
            // looked at again now that the descriptor holds it: the number may have passed to another in between
            inode_of(&file).filter(|inode| namespaces.contains(inode))?;
            let tagged = netns::open(&file).and_then(|ns| netns::is_tagged(ns.as_fd(), tag));
            (tagged.unwrap_or(false) || is_named(pid, lab)).then_some(process)
        })
        .collect()
}

/// The number in a link such as `net:[4026531840]`.
fn inode_of(file: &std::path::Path) -> Option<u64> {
    let link = fs::read_link(file).ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

fn is_named(pid: i32, lab: &str) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let wanted = format!("{LAB_VARIABLE}={lab}");
    environment.split(|&b| b == 0).any(|variable| variable == wanted.as_bytes())
}

fn signal(processes: &[OwnedFd], signal: Signal) {
    for process in processes {
        let _ = pidfd_send_signal(process, signal); // it may be gone, which is what we want
    }
}

/// Waits until all are gone; false if some are not after `limit` without a change.
fn wait(processes: &[OwnedFd], limit: Duration) -> bool {
    let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: i64::from(limit.subsec_nanos()) };
    let mut left: Vec<PollFd<'_>> = processes.iter().map(|p| PollFd::new(p, PollFlags::IN)).collect();
    while !left.is_empty() {
        match rustix::event::poll(&mut left, Some(&limit)) {
            Ok(0) => return false,
            Ok(_) => left.retain(|fd| fd.revents().is_empty()),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

/// A descriptor for a process.
pub(super) fn descriptor(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Ok(pidfd_open(pid.ok_or(io::ErrorKind::InvalidInput)?, PidfdFlags::empty())?)
}
