//! A machine beyond an interface: what QEMU is to a TAP, or a VLAN device to an interface with tags.
//!
//! A thread carries frames between a *wire*, which is how vswitchd reaches the machine, and the TAP that is the
//! machine's own interface, with a real kernel behind it; a machine that is plugged in directly has no such TAP, and the
//! thread only watches. Everything that comes from the wire is inspected. Headers travel unchanged, as with QEMU. Not
//! every kernel knows VLANs, so a machine with tags has them put on and taken off here.

use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};
use vswitchd::port::sys;
use vswitchd::wire::vnet::VNET_LEN;

use crate::inspect::{Rules, Seen};
use crate::qemu::Header;

/// The longest message there is.
const MESSAGE_MAX: usize = 10 + 14 + 8 + 65535;
/// How many messages one side may send until the other is looked at.
const IN_A_ROW: usize = 64;
/// A frame, tags and all, and the header that came with it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) header: Header,
    pub(crate) frame: Vec<u8>,
}

impl Message {
    fn push(&mut self, tpid: u16, tci: u16) {
        let [a, b] = tpid.to_be_bytes();
        let [c, d] = tci.to_be_bytes();
        self.frame.splice(12..12, [a, b, c, d]);
        self.header = self.header.moved(4);
    }

    /// Takes the tag of that VLAN off; `None` if it has another, or none.
    fn pop(mut self, vid: u16) -> Option<Self> {
        if self.vid()? != vid {
            return None;
        }
        self.frame.drain(12..16);
        self.header = self.header.moved(-4);
        Some(self)
    }

    pub(crate) fn vid(&self) -> Option<u16> {
        let tag = self.frame.get(12..16)?;
        (tag[..2] == [0x81, 0]).then(|| u16::from_be_bytes([tag[2], tag[3]]) & 0xfff)
    }
}

/// Where frames are read and written, with their headers.
#[derive(Debug)]
pub(crate) enum End {
    /// A packet socket on an interface.
    Packet(Socket),
    /// A TAP that we hold.
    Tap(OwnedFd),
}

impl End {
    /// A packet socket on an interface in the calling thread's namespace, which hears what comes in there.
    pub(crate) fn packet(interface: &str) -> Self {
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None).expect("root here");
        for option in [libc::PACKET_VNET_HDR, libc::PACKET_AUXDATA, libc::PACKET_IGNORE_OUTGOING] {
            sys::packet_set_option(socket.as_fd(), option, 1).expect("Linux 4.20 has it");
        }
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 64 << 20).expect("root here");
        listen(&socket, interface);
        Self::Packet(socket)
    }

    fn read(&self) -> Option<Message> {
        match self {
            Self::Tap(fd) => {
                let mut buffer = vec![0; MESSAGE_MAX];
                let length = rustix::io::read(fd, &mut buffer).ok()?;
                buffer.truncate(length);
                Some(message(&buffer))
            }
            Self::Packet(socket) => {
                let mut messages = [sys::Message::default()];
                let mut buffers = [vec![0; MESSAGE_MAX].into_boxed_slice()];
                let read = sys::packet_receive(socket.as_fd(), &mut buffers, 0, &mut messages);
                if read.ok()? == 0 {
                    return None;
                }
                let mut message = message(&buffers[0][..messages[0].len]);
                if let Some(tag) = messages[0].tag {
                    message.push(tag.tpid, tag.tci);
                }
                Some(message)
            }
        }
    }

    /// Whether the kernel took it.
    pub(crate) fn write(&self, message: &Message) -> bool {
        let bytes = [&message.header.to_bytes()[..], &message.frame].concat();
        match self {
            Self::Packet(socket) => socket.send(&bytes).is_ok(),
            Self::Tap(fd) => rustix::io::write(fd, &bytes).is_ok(),
        }
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Packet(socket) => socket.as_fd(),
            Self::Tap(fd) => fd.as_fd(),
        }
    }
}

/// Binds a packet socket to an interface in the calling thread's namespace.
pub(crate) fn listen(socket: &Socket, interface: &str) {
    let interfaces = pnet_datalink::interfaces();
    let found = interfaces.iter().find(|found| found.name == interface).expect("it is there");
    // it owns the copy, and closes it at once: what was bound is the socket
    let copy = socket.try_clone().expect("a descriptor").into_raw_fd();
    let config = pnet_datalink::Config { socket_fd: Some(copy), ..Default::default() };
    drop(pnet_datalink::channel(found, config).expect("it can be listened to"));
    let _ = socket.take_error();
}

fn message(bytes: &[u8]) -> Message {
    let (header, frame) = bytes.split_first_chunk::<VNET_LEN>().expect("the kernel writes a whole header");
    Message { header: Header::from_bytes(*header), frame: frame.to_vec() }
}

/// What a relay is told while it runs.
#[derive(Debug, Default)]
struct Orders {
    stop: AtomicBool,
    pause: AtomicBool,
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Relay {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<Seen>>,
}

impl Relay {
    /// Starts carrying between the wire and the machine, with tags on the wire if there is a VLAN.
    pub(crate) fn start(wire: Arc<End>, machine: Option<End>, rules: Rules) -> Self {
        let orders = Arc::<Orders>::default();
        let thread = std::thread::spawn({
            let orders = Arc::clone(&orders);
            move || run(&wire, machine.as_ref(), &rules, &orders)
        });
        Self { orders, thread: Some(thread) }
    }

    /// Lets it stand still, as a QEMU that was stopped, or go on.
    pub(crate) fn pause(&self, pause: bool) {
        self.orders.pause.store(pause, Ordering::Relaxed);
    }

    /// What came from the wire.
    pub(crate) fn stop(mut self) -> Seen {
        self.orders.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it runs").join().expect("it does not panic")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.orders.stop.store(true, Ordering::Relaxed);
    }
}

fn run(wire: &End, machine: Option<&End>, rules: &Rules, orders: &Orders) -> Seen {
    let mut seen = Seen::default();
    let moment = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    while !orders.stop.load(Ordering::Relaxed) {
        if orders.pause.load(Ordering::Relaxed) {
            std::thread::sleep(std::time::Duration::from_millis(5));
            continue;
        }
        let mut ends = vec![PollFd::new(wire, PollFlags::IN)];
        ends.extend(machine.map(|end| PollFd::new(end, PollFlags::IN)));
        let _ = poll(&mut ends, Some(&moment));
        for message in std::iter::from_fn(|| wire.read()).take(IN_A_ROW) {
            seen.look(&message, rules);
            let Some(machine) = machine else { continue };
            let inside = match rules.vid {
                Some(vid) => message.pop(vid),
                None => Some(message),
            };
            seen.refused += u64::from(inside.is_some_and(|message| !machine.write(&message)));
        }
        let Some(machine) = machine else { continue };
        for mut message in std::iter::from_fn(|| machine.read()).take(IN_A_ROW) {
            if let Some(vid) = rules.vid {
                message.push(0x8100, vid);
            }
            // one that is lost here shows where it is missed
            wire.write(&message);
        }
    }
    seen
}
