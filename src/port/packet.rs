//! A raw port: AF_PACKET on an interface that somebody else made (QEMU's TAP, a veth, a network card).
//!
//! The socket is prepared here, before it is bound, so that no frame ever arrives without its metadata:
//! virtio-net headers (without them TCP over veth does not work at all, since nobody computes its checksums), the
//! VLAN tag that the kernel takes out of every frame and hands over beside it (V19), and none of the frames that
//! the host or we ourselves send there (V22). `pnet_datalink` then binds it and makes the interface promiscuous
//! (V24). Both settings belong to the socket, not to a descriptor, so its own descriptor is closed and ours kept.
//!
//! Frames are read and written many per system call. The tag is put back by moving the two addresses into the
//! headroom; nothing else of the frame moves. On the way out tags are in-line (V19), and a frame that is edited is
//! gathered by the call from its new beginning ([`Front`]) and the rest of its bytes.
//!
//! What is written goes through a socket of its own, which hears nothing. A call that reads several frames and fails in their
//! midst leaves its error at the socket, and the next call gets it, whatever it does: a frame must not end for the sake of
//! another one that somebody sent to this port with a header that nothing can describe (V18). And the one time that the
//! kernel says ENETDOWN it is heard by who reads. A port may have several queues: sockets that share the interface's frames
//! by the flow's hash (PACKET_FANOUT_HASH).
//!
//! A frame without a VLAN tag may be as long as the interface's MTU says, one that starts with an 802.1Q tag four
//! bytes longer. The kernel makes no such allowance for an 802.1ad tag or for a second one (V20): those full-sized
//! frames are `mtu-exceeded` here unless the interface's MTU leaves room for them. Large frames are exempt.
//!
//! The port does not take frames away from the host: if the interface has an IP address, the host's own stack
//! answers beside the guests behind the switch (V25). `control::check` warns of such an interface; this file does not
//! know, and only reads and writes.
//!
//! A link that goes down is no error (the port waits), a deleted interface is the end of the port. Both look alike at
//! first: the kernel says ENETDOWN once, before it takes the interface off its list, and nothing after that. So
//! for some turns of the engine the port says that there may be more, and looks again.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use pnet_datalink::{ChannelType, Config, NetworkInterface};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netdevice::index_to_name;
use rustix::net::sockopt;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};
use socket2::{Domain, Socket, Type};

use super::ends::Ends;
use super::front::Front;
use super::sys::{self, Message};
use super::{Intake, Ledger, OpenError, Received, admit, egress_reason};
use crate::frame::{BATCH_MAX, FRAME_MAX, Frame, HEADROOM, Outgoing, PortId, Tag};
use crate::verdict::Reason;
use crate::wire::vnet::VNET_LEN;

/// How many messages a call reads or writes at most.
const MANY: usize = 32;
/// The same while there are few: what a call needs for each lies on the stack, and has to be made.
const FEW: usize = 4;
/// Room for a few hundred large frames each way, as far as the system lets us.
const SOCKET_BUFFER: usize = 16 << 20;
/// How often to look whether an interface that went down is being deleted: some tens of milliseconds of a loop
/// that does nothing else.
const CHECKS_AFTER_DOWN: u32 = 5000;

/// What reading needs to remember.
#[derive(Debug)]
pub(super) struct Hearing {
    /// The interface's index, which is never given to another one soon.
    index: u32,
    /// Buffers that wait for the kernel to fill them; empty between calls.
    lent: Vec<Box<[u8]>>,
    /// The length of the last frame read: a guess at the next, so as not to read far more than asked for.
    last_len: usize,
    /// Whether the last call found [`FEW`] or more.
    many: bool,
    /// How often to look again whether the interface that went down still exists.
    checks_left: u32,
}

/// Opens the sockets in the namespace of the calling thread.
pub(super) fn open(interface: &str, queues: usize) -> Result<(Ends<OwnedFd>, Hearing), OpenError> {
    let interfaces = pnet_datalink::interfaces();
    let Some(found) = interfaces.iter().find(|found| found.name == interface) else {
        let names: Vec<String> = interfaces.into_iter().map(|found| found.name).collect();
        return Err(OpenError::not_found(interface, &names));
    };
    let ends = ends(found, queues).map_err(|source| match Errno::from_io_error(&source) {
        Some(Errno::PERM) => OpenError::NotPermitted("open raw sockets", "CAP_NET_RAW"),
        _ => OpenError::Io { interface: interface.to_owned(), source },
    })?;
    Ok((ends, Hearing::of(found.index)))
}

/// Writes frames, many per call.
pub(super) fn send(socket: &OwnedFd, ledger: &mut Ledger, frames: &[Frame], which: &[Outgoing]) {
    for which in which.chunks(MANY) {
        match which.len() {
            ..=FEW => send_some::<FEW>(socket, ledger, frames, which),
            _ => send_some::<MANY>(socket, ledger, frames, which),
        }
    }
}

/// Frames that the kernel had no room for never get here; it counts them.
pub(super) fn ask_kernel(socket: &OwnedFd, ledger: &mut Ledger) {
    if let Ok(lost) = sys::packet_drops(socket.as_fd()) {
        ledger.counters.rx_drops.add(Reason::IngressOverrun, u64::from(lost));
    }
}

impl Hearing {
    fn of(index: u32) -> Self {
        Self { index, lent: Vec::with_capacity(MANY), last_len: FRAME_MAX, many: false, checks_left: 0 }
    }

    /// For another thread, which reads other queues; it looks as often whether the interface still exists.
    pub(super) fn another(&self) -> Self {
        Self { checks_left: self.checks_left, ..Self::of(self.index) }
    }

    /// Another thread's queues are read here from now on.
    pub(super) fn join(&mut self, other: &Self) {
        self.checks_left = self.checks_left.max(other.checks_left);
    }

    /// Reads as much as there is room and budget for.
    pub(super) fn receive(&mut self, socket: &OwnedFd, intake: &mut Intake<'_>) -> Received {
        while !intake.batch.is_full() && !intake.budget.is_spent() {
            let result = match self.many {
                false => self.receive_some::<FEW>(socket, intake),
                true => self.receive_some::<MANY>(socket, intake),
            };
            match result {
                Ok(()) => self.checks_left = 0,
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => return self.drained(socket),
                    Some(Errno::INTR) => {}
                    Some(Errno::INVAL) => {
                        intake.budget.spend(0);
                        intake.ledger.counters.rx_drops.count(Reason::OffloadSegment);
                    }
                    Some(Errno::NETDOWN) => self.checks_left = CHECKS_AFTER_DOWN,
                    _ => return Received::Gone(error),
                },
            }
        }
        Received::More
    }

    /// One call.
    fn receive_some<const N: usize>(&mut self, socket: &OwnedFd, intake: &mut Intake<'_>) -> io::Result<()> {
        let Intake { ledger, pool, batch, budget } = intake;
        let mut messages = [Message::default(); N];
        let wanted = (budget.bytes / self.last_len + 1)
            .min(budget.frames)
            .min(BATCH_MAX - batch.frames().len())
            .min(N);
        self.lent.extend((0..wanted).map(|_| pool.take()));
        let offset = HEADROOM - VNET_LEN;
        let result = sys::packet_receive(socket.as_fd(), &mut self.lent, offset, &mut messages);
        let read = *result.as_ref().unwrap_or(&0);
        while self.lent.len() > read {
            self.lent.pop().into_iter().for_each(|buffer| pool.give(buffer));
        }
        self.many = read >= FEW;
        for (buffer, message) in self.lent.drain(..).zip(&messages) {
            budget.spend(message.len);
            self.last_len = message.len.max(1);
            match parse(buffer, message, ledger.id) {
                Ok(frame) => {
                    ledger.counters.received(frame.len());
                    batch.push(frame);
                }
                Err((reason, buffer)) => {
                    ledger.counters.rx_drops.count(reason);
                    pool.give(buffer);
                }
            }
        }
        result.map(drop)
    }

    /// Nothing to read: because the interface is silent, down, or deleted?
    fn drained(&mut self, socket: &OwnedFd) -> Received {
        if self.checks_left == 0 {
            return Received::Drained;
        }
        self.checks_left -= 1;
        match index_to_name(socket, self.index) {
            Err(error) => Received::Gone(error.into()),
            Ok(_) if self.checks_left > 0 => Received::More,
            Ok(_) => Received::Drained,
        }
    }
}

/// Writes at most `N` frames. The message that fails is left out, the others go on.
fn send_some<const N: usize>(socket: &OwnedFd, ledger: &mut Ledger, frames: &[Frame], which: &[Outgoing]) {
    let mut fronts = [Front::NONE; N];
    let mut bytes: [&[u8]; N] = [&[]; N];
    let mut count = 0;
    for outgoing in which {
        let frame = &frames[usize::from(outgoing.frame)];
        match Front::of(frame, &outgoing.edit) {
            Ok(front) => {
                (fronts[count], bytes[count]) = (front, frame.bytes());
                count += 1;
            }
            Err(reason) => ledger.counters.tx_drops.count(reason),
        }
    }
    let pieces: [[IoSlice<'_>; 2]; N] = std::array::from_fn(|i| fronts[i].message(bytes[i]));
    let mut controls: [SendAncillaryBuffer<'_, '_, '_>; N] =
        std::array::from_fn(|_| SendAncillaryBuffer::default());
    let mut controls = controls.iter_mut();
    let mut messages: [MMsgHdr<'_>; N] = std::array::from_fn(|i| {
        MMsgHdr::new(&pieces[i], controls.next().expect("there are as many controls as messages"))
    });
    let mut next = 0;
    while next < count {
        let rest = &mut messages[next..count];
        let (done, result) = match retry_on_intr(|| sendmmsg(socket, rest, SendFlags::DONTWAIT)) {
            Ok(sent) => (sent.max(1), Ok(())),
            // no room for this one, and none for those behind it
            Err(Errno::AGAIN) => (rest.len(), Err(Errno::AGAIN)),
            Err(error) => (1, Err(error)),
        };
        for [front, rest] in &pieces[next..next + done] {
            let len = front.len() + rest.len() - VNET_LEN;
            ledger.counters.written(len, result.map_err(egress_reason));
        }
        next += done;
    }
}

/// The sockets of a port on that interface.
fn ends(interface: &NetworkInterface, queues: usize) -> io::Result<Ends<OwnedFd>> {
    let mut group = None;
    let mut readers = Vec::new();
    while readers.len() < queues {
        let reader = reader(interface)?;
        if queues > 1 {
            join_group(&reader, &mut group)?;
        }
        readers.push(reader.into());
    }
    Ok(Ends::several(readers, writer(interface)?.into()))
}

/// Lets the socket share its frames with those that joined the group before; the first founds one.
fn join_group(socket: &Socket, group: &mut Option<libc::c_int>) -> io::Result<()> {
    let found = libc::PACKET_FANOUT_FLAG_UNIQUEID as libc::c_int;
    let how =
        libc::PACKET_FANOUT_HASH as libc::c_int | libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING as libc::c_int;
    let argument = match *group {
        None => (how | found) << 16,
        Some(id) => id | how << 16,
    };
    sys::packet_set_option(socket.as_fd(), libc::PACKET_FANOUT, argument)?;
    if group.is_none() {
        *group = Some(sys::packet_option(socket.as_fd(), libc::PACKET_FANOUT)? & 0xffff);
    }
    Ok(())
}

/// A socket that hears everything on the interface, with the metadata.
fn reader(interface: &NetworkInterface) -> io::Result<Socket> {
    let socket = unbound()?;
    for option in [libc::PACKET_AUXDATA, libc::PACKET_IGNORE_OUTGOING] {
        sys::packet_set_option(socket.as_fd(), option, 1)?;
    }
    sockopt::set_socket_recv_buffer_size_force(&socket, SOCKET_BUFFER)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER))?;
    bind(&socket, interface, Config { promiscuous: true, ..Config::default() })?;
    // an interface that is down now is as good as one that goes down later
    socket.take_error()?;
    Ok(socket)
}

/// A socket that hears nothing, since it is bound to no protocol, and sends there.
fn writer(interface: &NetworkInterface) -> io::Result<Socket> {
    let socket = unbound()?;
    sockopt::set_socket_send_buffer_size_force(&socket, SOCKET_BUFFER)
        .or_else(|_| sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER))?;
    bind(
        &socket,
        interface,
        Config { channel_type: ChannelType::Layer3(0), promiscuous: false, ..Config::default() },
    )?;
    Ok(socket)
}

fn unbound() -> io::Result<Socket> {
    // protocol 0: it hears nothing until it is bound
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)?;
    sys::packet_set_option(socket.as_fd(), libc::PACKET_VNET_HDR, 1)?;
    Ok(socket)
}

fn bind(socket: &Socket, interface: &NetworkInterface, config: Config) -> io::Result<()> {
    let theirs = socket.try_clone()?.into_raw_fd();
    // it owns `theirs` from here on, whatever happens, and closes it at once
    pnet_datalink::channel(interface, Config { socket_fd: Some(theirs), ..config }).map(drop)
}

/// The frame of a message, with its VLAN tag where it was on the wire.
fn parse(buffer: Box<[u8]>, message: &Message, id: PortId) -> Result<Frame, (Reason, Box<[u8]>)> {
    let frame = admit(buffer, VNET_LEN, message.len, id)?;
    match message.tag {
        None => Ok(frame),
        Some(tag) => put_back(tag, frame),
    }
}

/// Puts the tag in, by moving the addresses before it; what the header says about the bytes behind moves along (V19).
fn put_back(tag: Tag, mut frame: Frame) -> Result<Frame, (Reason, Box<[u8]>)> {
    let mut offload = frame.offload;
    let len = frame.len() + 4;
    let csum_start = if offload.needs_csum { offload.csum_start.checked_add(4) } else { Some(0) };
    let (Some(csum_start), ..=FRAME_MAX) = (csum_start, len) else {
        return Err((Reason::FrameLong, frame.into_buffer()));
    };
    offload.csum_start = csum_start;
    if offload.hdr_len != 0 {
        offload.hdr_len = offload.hdr_len.saturating_add(4);
    }
    let bytes = frame.with_room(4);
    bytes.copy_within(4..16, 0);
    bytes[12..14].copy_from_slice(&tag.tpid.to_be_bytes());
    bytes[14..16].copy_from_slice(&tag.tci.to_be_bytes());
    let ingress = frame.ingress;
    let mut frame = Frame::new(frame.into_buffer(), HEADROOM - 4, HEADROOM - 4 + len, ingress);
    frame.offload = offload;
    Ok(frame)
}
