//! The programs that run in nodes: started, listened to, noticed when they end.
//!
//! All of it happens through one descriptor, an epoll of its own that becomes readable whenever a program has
//! said something or ended. The daemon puts that one descriptor into its loop and calls [`Crew::pump`].

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, epoll};

use super::init::{self, Spec};
use super::process::{self, LAB_VARIABLE, NODE_VARIABLE};
use super::{error::ending, netns};

/// A line longer than this many bytes is logged in pieces.
const LINE_MAX: usize = 8192;
/// Bytes read from one program before the others get their turn.
const READ_MAX: usize = 16 * 1024;
/// Rounds of reading before [`Crew::pump`] lets its caller do something else.
const ROUNDS_MAX: usize = 16;

/// Gets what the nodes' programs write, a line at a time: `boxA| …`.
pub type Log<'a> = &'a mut dyn FnMut(&str);

/// How often somebody who waits for a setup command looks whether it should still be waited for.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

#[derive(Debug)]
pub(super) struct Crew {
    epoll: OwnedFd,
    members: Vec<Member>,
    next: u64,
}

#[derive(Debug)]
struct Member {
    /// Its pidfd is registered under this number, its output under the next.
    id: u64,
    node: String,
    /// The node's supervised command, rather than one of its setup.
    supervised: bool,
    argv: Vec<String>,
    child: Child,
    pidfd: OwnedFd,
    status: Option<ExitStatus>,
    output: Option<PipeReader>,
    line: Vec<u8>,
    /// Somebody will ask how it ended; what nobody asks about is forgotten when it has ended and said everything.
    keep: bool,
}

impl Crew {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?, members: Vec::new(), next: 0 })
    }

    /// Starts a program in a node. The calling thread's end kills it.
    pub(super) fn spawn(
        &mut self,
        binary: &Path,
        lab: &str,
        node: &str,
        argv: &[String],
        supervised: bool,
    ) -> io::Result<u64> {
        let spec = Spec {
            node: node.to_owned(),
            netns: netns::path(node),
            parent: std::process::id(),
            command: argv.to_vec(),
        };
        let (output, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&output, true)?;
        let child = Command::new(binary)
            .arg(init::SUBCOMMAND)
            .arg(serde_json::to_string(&spec)?)
            .env(LAB_VARIABLE, lab)
            .env(NODE_VARIABLE, node)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        let pidfd = process::descriptor(child.id())?;
        let id = self.next;
        self.next += 2;
        let interest = epoll::EventFlags::IN;
        epoll::add(&self.epoll, &pidfd, epoll::EventData::new_u64(id), interest)?;
        epoll::add(&self.epoll, &output, epoll::EventData::new_u64(id + 1), interest)?;
        self.members.push(Member {
            id,
            node: node.to_owned(),
            supervised,
            argv: argv.to_vec(),
            child,
            pidfd,
            status: None,
            output: Some(output),
            line: Vec::new(),
            keep: true,
        });
        Ok(id)
    }

    /// Logs what the programs have written, and which commands have ended. Never blocks. True if there may be more, of
    /// which no event will tell.
    pub(super) fn pump(&mut self, log: Log<'_>) -> io::Result<bool> {
        for _ in 0..ROUNDS_MAX {
            let mut events = Vec::with_capacity(64);
            let now = Timespec::default();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&now)) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            }
            for event in events {
                let number = event.data.u64();
                let Some(member) = self.members.iter_mut().find(|m| m.id == number & !1) else { continue };
                if number == member.id {
                    member.reap(&self.epoll, log)?;
                } else {
                    member.listen(&self.epoll, log);
                }
            }
            self.members.retain(|m| m.keep || m.status.is_none() || m.output.is_some());
        }
        Ok(true)
    }

    /// Waits for a setup command to end, logging all the while; `None` if `cancelled` says so first.
    pub(super) fn wait(
        &mut self,
        id: u64,
        cancelled: &dyn Fn() -> bool,
        log: Log<'_>,
    ) -> io::Result<Option<ExitStatus>> {
        loop {
            let more = self.pump(log)?;
            let member = self.members.iter_mut().find(|m| m.id == id).ok_or(io::ErrorKind::NotFound)?;
            if let Some(status) = member.status {
                member.keep = false;
                return Ok(Some(status));
            }
            if cancelled() {
                return Ok(None);
            }
            let limit = if more { Timespec::default() } else { PATIENCE };
            match rustix::event::poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&limit)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// The process id of a node's command, or how it ended; `None` if it never had one.
    pub(super) fn state(&self, node: &str) -> Option<Result<u32, ExitStatus>> {
        let member = self.members.iter().rev().find(|m| m.supervised && m.node == node)?;
        Some(member.status.map_or_else(|| Ok(member.child.id()), Err))
    }

    /// The arguments of a node's command, running or ended.
    pub(super) fn argv(&self, node: &str) -> Option<&[String]> {
        let member = self.members.iter().rev().find(|m| m.supervised && m.node == node)?;
        Some(&member.argv)
    }

    /// Collects what is left of a node's programs, which have been ended, and forgets them.
    pub(super) fn forget(&mut self, node: &str, log: Log<'_>) {
        for member in self.members.iter_mut().filter(|m| m.node == node) {
            // all in its namespace are dead; one that fled from there is still ours to end
            let _ = member.child.kill();
            let _ = member.child.wait();
            member.drain(&self.epoll, log);
        }
        self.members.retain(|m| m.node != node);
    }
}

impl Member {
    /// Reads some of its output, and logs the lines that are whole. False if there was nothing to read.
    fn listen(&mut self, epoll: &OwnedFd, log: Log<'_>) -> bool {
        let Some(output) = &mut self.output else { return false };
        let mut bytes = [0; READ_MAX];
        let length = match output.read(&mut bytes) {
            Ok(length) => length,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return false;
            }
            Err(_) => 0,
        };
        for &byte in &bytes[..length] {
            if byte != b'\n' {
                self.line.push(byte);
            }
            if byte == b'\n' || self.line.len() == LINE_MAX {
                self.say(log);
            }
        }
        if length == 0 {
            if !self.line.is_empty() {
                self.say(log);
            }
            // closing would do, were it not that a child between fork and exec may hold a copy
            if let Some(output) = self.output.take() {
                let _ = epoll::delete(epoll, output);
            }
        }
        true
    }

    /// Reads what there is of its output; not all, if somebody writes it faster than that.
    fn drain(&mut self, epoll: &OwnedFd, log: Log<'_>) {
        for _ in 0..ROUNDS_MAX {
            if !self.listen(epoll, log) {
                return;
            }
        }
    }

    fn say(&mut self, log: Log<'_>) {
        log(&format!("{}| {}", self.node, String::from_utf8_lossy(&self.line)));
        self.line.clear();
    }

    /// Notices that it has ended.
    fn reap(&mut self, epoll: &OwnedFd, log: Log<'_>) -> io::Result<()> {
        if self.status.is_none()
            && let Some(status) = self.child.try_wait()?
        {
            self.status = Some(status);
            let _ = epoll::delete(epoll, &self.pidfd);
            // what it said comes before that it ended
            self.drain(epoll, log);
            if self.supervised {
                log(&format!("{}: its command {}: {}", self.node, ending(status), self.argv.join(" ")));
            }
        }
        Ok(())
    }
}

impl AsFd for Crew {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
