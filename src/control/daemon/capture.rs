//! `capture`: from the engines' channel to the client's socket, on a thread of its own.
//!
//! The thread writes what the engines recorded as pcapng, in the order it was recorded; so a frame may come a batch
//! before one with an earlier time that another engine has seen, on a network that has nothing to do with the first. When
//! the client goes away the write fails, the channel closes with the thread, and the engines, finding nobody at the other
//! end, forget the capture.

use std::io::{BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::Instance;
use super::answer::unknown;
use crate::control::pcapng::{Interface, Packet, Writer};
use crate::control::plan::Port;
use crate::control::protocol::{CAPTURE_DROPS, Response};
use crate::control::server::Answer;
use crate::engine::{Capture, Captured};
use crate::frame::{LegIndex, PortId};
use crate::verdict::LegSet;

/// How many frames may wait for the writer: enough for a burst, at most 64 MiB of the largest.
const QUEUE: usize = 1024;
/// How often to look whether the client is still there when nothing is recorded.
const LOOK: Duration = Duration::from_millis(500);

impl Instance {
    /// Begins a capture of a port, a network or all drops.
    pub(super) fn capture(&mut self, name: &str, snaplen: u32) -> Answer {
        let drops_only = name == CAPTURE_DROPS;
        let chosen = |port: &&Port| drops_only || port.name == name || port.network == name;
        let ports: Vec<(PortId, &str)> = self
            .plan
            .ports
            .iter()
            .filter(chosen)
            .filter_map(|port| Some((self.registry.port(&port.name)?, port.name.as_str())))
            .collect();
        if ports.is_empty() && !drops_only && !self.plan.networks.iter().any(|n| n.name == name) {
            let networks = self.plan.networks.iter().map(|n| n.name.as_str());
            let all = networks.chain(self.plan.ports.iter().map(|p| p.name.as_str())).chain([CAPTURE_DROPS]);
            return Answer::Reply(unknown("port or network", name, all).into());
        }
        let ((sink, captured), alive) = (bounded(QUEUE), Arc::new(()));
        let set: LegSet = ports.iter().map(|(id, _)| LegIndex(id.0)).collect();
        let reader = Arc::downgrade(&alive);
        let capture = Capture { ports: set, drops_only, snaplen: snaplen as usize, sink, reader };
        // wherever the ports are: they may move
        let begun = self.engines.each_thread(|| {
            let capture = capture.clone();
            move |switch: &mut crate::engine::Switch| switch.captures.add(capture)
        });
        if let Err(stopped) = begun {
            return Answer::Reply(Response::error(stopped.to_string()));
        }
        let recording = Recording {
            ports: ports.iter().map(|(id, name)| (*id, (*name).to_owned())).collect(),
            snaplen,
            unix_origin_nanos: self.engines.unix_origin_nanos(),
            captured,
            _alive: alive,
        };
        Answer::Stream(Box::new(move |client| recording.run(client)))
    }
}

/// What the writing thread owns.
struct Recording {
    ports: Vec<(PortId, String)>,
    snaplen: u32,
    unix_origin_nanos: u64,
    captured: Receiver<Captured>,
    /// The engines forget a capture whose reader is gone.
    _alive: Arc<()>,
}

impl Recording {
    /// Writes until the client goes away or the engine ends.
    fn run(self, client: UnixStream) {
        let interfaces: Vec<Interface> = self
            .ports
            .iter()
            .map(|(_, name)| Interface { name: name.clone(), snaplen: self.snaplen })
            .collect();
        // a client that has gone is the normal end of a capture
        let _ = self.write(&client, &interfaces);
    }

    fn write(&self, client: &UnixStream, interfaces: &[Interface]) -> std::io::Result<()> {
        let mut writer = Writer::new(BufWriter::new(client), interfaces)?;
        writer.flush()?;
        loop {
            match self.captured.recv_timeout(LOOK) {
                Ok(first) => {
                    self.packet(&mut writer, &first)?;
                    for captured in self.captured.try_iter().take(QUEUE) {
                        self.packet(&mut writer, &captured)?;
                    }
                    writer.flush()?;
                }
                Err(RecvTimeoutError::Timeout) if has_gone(client) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn packet<W: Write>(&self, writer: &mut Writer<W>, captured: &Captured) -> std::io::Result<()> {
        let Some(interface) = self.ports.iter().position(|(id, _)| *id == captured.port) else {
            return Ok(());
        };
        let comment = comment(captured);
        writer.write(&Packet {
            interface: interface as u32,
            time_ns: self.unix_origin_nanos + captured.time.as_nanos(),
            original_len: captured.len as u32,
            data: &captured.bytes,
            outbound: captured.outbound,
            comment: comment.as_deref(),
        })
    }
}

/// Why it was dropped, and what is missing before it.
fn comment(captured: &Captured) -> Option<String> {
    let reason = captured.reason.map(|reason| format!("dropped: {reason}"));
    let missing =
        (captured.missing > 0).then(|| format!("{} frames before it are missing", captured.missing));
    match (reason, missing) {
        (Some(reason), Some(missing)) => Some(format!("{reason}; {missing}")),
        (reason, missing) => reason.or(missing),
    }
}

/// Whether the other end has closed; it never sends anything.
pub(super) fn has_gone(client: &UnixStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(client, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok()
        && fds[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
}
