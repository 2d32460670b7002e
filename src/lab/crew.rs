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
use super::netns;
use super::process::{self, LAB_VARIABLE, NODE_VARIABLE};

/// A line longer than this many bytes is logged in pieces.
const LINE_MAX: usize = 8192;
/// Bytes read from one program before the others get their turn.
const READ_MAX: usize = 16 * 1024;
/// Rounds of reading before [`Crew::pump`] lets its caller do something else.
const ROUNDS_MAX: usize = 16;

/// Gets a node's name and a line that a program in it has written, without its end.
pub type Log<'a> = &'a mut dyn FnMut(&str, &str);

/// What happened since the last look.
#[derive(Debug, Default)]
pub struct Pumped {
    /// Nodes whose command has ended, and how.
    pub ended: Vec<(String, ExitStatus)>,
    /// There is more output: call again soon, no new event will say so.
    pub more: bool,
}

#[derive(Debug)]
pub(super) struct Crew {
    epoll: OwnedFd,
    members: Vec<Member>,
    /// Commands that have ended since the last [`Crew::pump`].
    ended: Vec<(String, ExitStatus)>,
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
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            members: Vec::new(),
            ended: Vec::new(),
            next: 0,
        })
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

    /// Reads what the programs have written and notices which have ended. Never blocks.
    pub(super) fn pump(&mut self, log: Log<'_>) -> io::Result<Pumped> {
        let more = self.turn(log)?;
        Ok(Pumped { ended: std::mem::take(&mut self.ended), more })
    }

    /// Waits for a setup command to end, logging all the while; `None` if `cancel` became readable first.
    pub(super) fn wait(
        &mut self,
        id: u64,
        cancel: Option<BorrowedFd<'_>>,
        log: Log<'_>,
    ) -> io::Result<Option<ExitStatus>> {
        loop {
            let more = self.turn(log)?;
            let member = self.members.iter_mut().find(|m| m.id == id).ok_or(io::ErrorKind::NotFound)?;
            if let Some(status) = member.status {
                member.keep = false;
                return Ok(Some(status));
            }
            let mut waits = vec![PollFd::new(&self.epoll, PollFlags::IN)];
            waits.extend(cancel.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            let limit = more.then(Timespec::default);
            match rustix::event::poll(&mut waits, limit.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            if waits.get(1).is_some_and(|fd| !fd.revents().is_empty()) {
                return Ok(None);
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
            member.listen(&self.epoll, log);
        }
        self.members.retain(|m| m.node != node);
    }

    /// One round through everything that has something to say; true if there may be more.
    fn turn(&mut self, log: Log<'_>) -> io::Result<bool> {
        for _ in 0..ROUNDS_MAX {
            let mut events = Vec::with_capacity(64);
            let now = Timespec::default();
            let found = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&now));
            match found {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            }
            for event in events {
                let number = event.data.u64();
                let Some(member) = self.members.iter_mut().find(|m| m.id == number & !1) else { continue };
                if number != member.id {
                    member.listen(&self.epoll, log);
                } else if let Some(status) = member.reap(&self.epoll)?
                    && member.supervised
                {
                    self.ended.push((member.node.clone(), status));
                }
            }
            self.members.retain(|m| m.keep || m.status.is_none() || m.output.is_some());
        }
        Ok(true)
    }
}

impl Member {
    /// Reads some of its output, and logs the lines that are whole.
    fn listen(&mut self, epoll: &OwnedFd, log: &mut dyn FnMut(&str, &str)) {
        let Some(output) = &mut self.output else { return };
        let mut bytes = [0; READ_MAX];
        let length = match output.read(&mut bytes) {
            Ok(length) => length,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
            Err(_) => 0,
        };
        for &byte in &bytes[..length] {
            if byte != b'\n' {
                self.line.push(byte);
            }
            if byte == b'\n' || self.line.len() == LINE_MAX {
                log(&self.node, &String::from_utf8_lossy(&self.line));
                self.line.clear();
            }
        }
        if length == 0 {
            if !self.line.is_empty() {
                log(&self.node, &String::from_utf8_lossy(&self.line));
            }
            // dropping it would do, were it not that a child between fork and exec may hold a copy
            let _ = epoll::delete(epoll, &*output);
            self.output = None;
        }
    }

    fn reap(&mut self, epoll: &OwnedFd) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() && self.status.is_none() {
            self.status = status;
            let _ = epoll::delete(epoll, &self.pidfd);
            return Ok(status);
        }
        Ok(None)
    }
}

impl AsFd for Crew {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
