//! What a router says to a frame: values, of which nothing has been done yet.
//!
//! A [`Decision`] has three parts that do not depend on each other: what becomes of the frame ([`Fate`]), what is told to
//! whoever sent it ([`Answer`]), and what the router learns. [`super::Router::commit`] does the last two, and of the first
//! all but one: a frame that is simply forwarded lies in somebody else's buffer, so whoever holds it calls
//! [`Onward::write`] and sends it through the leg.

use std::net::IpAddr;

use super::fragment::gather::Gathered;
use super::gateway::Flow;
use super::icmp::Error;
use super::nat::rewrite::Place;
use super::neighbour::Slot;
use super::neighbour::hear::{Heard, Says};
use super::rewrite::Rewrite;
use crate::frame::{Gso, LegIndex, Offload, Passage};
use crate::verdict::Reason;
use crate::wire::datagram::{Datagram, ICMP, ICMPV6, TCP, UDP};
use crate::wire::mac::Mac;
use crate::wire::{checksum, icmp, tcp, udp};

/// What becomes of a frame. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The router was meant.
    Consume,
    /// It ends here.
    Drop(Reason),
    /// It goes on, after [`Onward::write`].
    Forward(Onward),
    /// It waits for the other pieces of its datagram.
    Gather,
    /// It waits for its neighbour.
    Park(Onward),
    /// It goes on as copies that the router makes: cut into pieces, or longer than it was.
    Remake(Onward),
}

/// How a packet goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onward {
    /// The leg it leaves through.
    pub leg: LegIndex,
    /// That leg's hardware address.
    pub src: Mac,
    /// Whom it is handed to.
    pub next_hop: IpAddr,
    /// Where that is, if it is known.
    pub neighbour: Option<(Mac, Slot)>,
    /// What is written into it.
    pub rewrite: Rewrite,
    /// Where things are in it.
    pub place: Place,
    /// Whether its transport checksum is yet to be made, so that it is not mended.
    pub partial: bool,
    /// Bytes of the largest piece, and what names the whole, if it has to be cut.
    pub cut: Option<(u16, u32)>,
}

impl Onward {
    /// Writes the frame as it goes on; its packet starts at byte `payload`. Nothing but addresses and [`Rewrite`] is
    /// written, and nothing moves.
    pub fn write(&self, frame: &mut [u8], payload: usize) {
        let Some((mac, _)) = self.neighbour else { return };
        address(frame, self.src, mac);
        if let Some(packet) = frame.get_mut(payload..) {
            self.rewrite.apply_at(self.place, packet, self.partial);
        }
    }
}

/// Writes whom a frame is from and to.
pub(super) fn address(frame: &mut [u8], src: Mac, dst: Mac) {
    if let Some(head) = frame.first_chunk_mut::<12>() {
        head[..6].copy_from_slice(&dst.0);
        head[6..].copy_from_slice(&src.0);
    }
}

/// Where a frame came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// The router's leg.
    pub leg: LegIndex,
    /// Who has sent it: what sessions that it opens are counted for.
    pub origin: u16,
}

/// What is told to the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The echo it asked for, from that address.
    Echo(IpAddr),
    /// What was wrong.
    Error(Error),
    /// Who has an address.
    Neighbour(Says),
    /// There is no such connection.
    Reset,
}

/// All that a router says to a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// What becomes of it.
    pub fate: Fate,
    /// What is told to its sender.
    pub answer: Option<Answer>,
    /// What is learned from it.
    pub heard: Option<Heard>,
    /// What is known of its flow, if flows are followed.
    pub flow: Option<Flow>,
}

impl From<Fate> for Decision {
    fn from(fate: Fate) -> Self {
        Self { fate, answer: None, heard: None, flow: None }
    }
}

impl Decision {
    /// The frame ends.
    pub const fn drop(cause: Reason) -> Self {
        Self { fate: Fate::Drop(cause), answer: None, heard: None, flow: None }
    }

    /// The same, and its sender is told so.
    #[must_use]
    pub fn and(self, answer: Option<Answer>) -> Self {
        Self { answer, ..self }
    }

    /// The same, of a packet of that flow.
    #[must_use]
    pub fn of(self, flow: Option<Flow>) -> Self {
        Self { flow, ..self }
    }
}

/// A packet as a router meets it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Where it came in.
    pub leg: LegIndex,
    /// Who a session that it opens is counted for, once that is to be made.
    pub origin: u16,
    /// Where its frame was sent.
    pub dst: Mac,
    /// What it says.
    pub datagram: Datagram,
    /// Its bytes, without padding.
    pub packet: &'a [u8],
    /// If its transport checksum is yet to be made: where summing starts, and where the sum goes.
    pub partial: Partial,
    /// If it will be cut on the way out: bytes of the largest packet that this makes (V13).
    pub segment: Option<usize>,
    /// If it came in pieces.
    pub gathered: Option<Gathered>,
}

impl<'a> Arrival<'a> {
    /// Reads the packet of a frame; the cause if it is none.
    pub fn read(leg: LegIndex, passage: &Passage<'a>, offload: &Offload) -> Result<Self, Reason> {
        let packet = passage.payload();
        let datagram = Datagram::parse(packet).map_err(|_| Reason::IpMalformed)?;
        let packet = &packet[..datagram.len];
        let partial = unfinished(&datagram, passage.headers.payload, offload)?;
        let segment = segment(datagram.transport, packet, offload);
        Ok(Self {
            leg,
            origin: 0,
            dst: passage.headers.dst,
            datagram,
            packet,
            partial,
            segment,
            gathered: None,
        })
    }

    /// Whether it is the packet's own transport checksum that is yet to be made, not that of another packet in it.
    pub fn is_partial(&self) -> bool {
        is_own(self.partial, &self.datagram)
    }

    /// Bytes that have to fit through (V13).
    pub fn size(&self) -> usize {
        self.segment.unwrap_or(self.datagram.len)
    }

    /// Writes the checksum that is yet to be made into a copy of the packet (V15).
    pub fn complete(&self, copy: &mut [u8]) {
        let Some((start, offset)) = self.partial else { return };
        let Some(sum) = copy.get(start..).map(|bytes| checksum::finish(checksum::sum(bytes))) else { return };
        if let Some(field) = copy.get_mut(start + offset..start + offset + 2) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
}

/// Where a checksum that is yet to be made is summed from, and where it goes, in bytes from the IP header.
pub type Partial = Option<(usize, usize)>;

/// Whether it is the packet's own transport checksum that is yet to be made, not that of another packet in it.
#[inline]
pub(super) fn is_own(partial: Partial, datagram: &Datagram) -> bool {
    partial.is_some_and(|(start, _)| start == datagram.transport)
}

/// Bytes of the largest packet that a packet will be cut into on the way out, if it will be (V13). `transport` is where its
/// transport header starts.
#[inline]
pub(super) fn segment(transport: usize, packet: &[u8], offload: &Offload) -> Option<usize> {
    let header = match offload.gso {
        Gso::None => return None,
        Gso::TcpV4 | Gso::TcpV6 => usize::from(packet.get(transport + 12)? >> 4) * 4,
        Gso::Udp => 8,
    };
    let segment = transport + header + usize::from(offload.gso_size);
    (segment < packet.len()).then_some(segment)
}

/// The checksum that is yet to be made. It must be the packet's own, or that of a packet within it: anywhere else it would
/// be written over what a flow is known by, after a router has looked at it and translated it.
#[inline]
pub(super) fn unfinished(datagram: &Datagram, payload: usize, offload: &Offload) -> Result<Partial, Reason> {
    if !offload.needs_csum {
        return Ok(None);
    }
    let (start, offset) = (usize::from(offload.csum_start), usize::from(offload.csum_offset));
    let start = start.checked_sub(payload).ok_or(Reason::OffloadChecksum)?;
    let within = start.checked_sub(datagram.transport).ok_or(Reason::OffloadChecksum)?;
    let fits = match datagram.protocol {
        ICMP | ICMPV6 => (within, offset) == (0, icmp::CHECKSUM_AT),
        TCP => (within, offset) == (0, tcp::CHECKSUM_AT) || within >= tcp::HEADER_LEN,
        UDP => (within, offset) == (0, udp::CHECKSUM_AT) || within >= udp::HEADER_LEN,
        // ports of others, and calls, are in their first eight bytes
        _ => within + offset >= 8,
    };
    if fits { Ok(Some((start, offset))) } else { Err(Reason::OffloadChecksum) }
}
