//! What hosts say to each other through a gateway, one packet at a time.
//!
//! What is answered depends on what arrived, and that may differ between two gateways: each chooses random ports for itself.
//! So an [`Action`] says what is meant, and [`Hosts`] make a frame of it from what has come to them from one gateway.

use std::fmt;
use std::time::Duration;

use vswitchd::wire::datagram::Datagram;
use vswitchd::wire::mac::Mac;

use super::craft::{self, Damage, Ends, ICMP, ICMPV6, Shape, TCP, UDP, frame, to_gateway};
use super::describe::{self, Output};
use super::place::{PUBLISHED, Who, Wire};

/// Two that talk: who begins, and whom it means to reach. Ports are identifiers where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Talk {
    pub(crate) v6: bool,
    pub(crate) protocol: u8,
    pub(crate) from: (Who, u16),
    pub(crate) to: (Who, u16),
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Somebody complains about the last packet of a talk that came to where it was sent to.
    Complain(Complaint),
    /// A frame comes in as it is.
    Frame(Wire, Vec<u8>),
    /// A packet of a talk; with true, back to who began.
    Say(usize, bool, Shape),
    /// Time passes.
    Wait(Duration),
}

/// An ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) talk: usize,
    /// Whether it is about what went back.
    pub(crate) back: bool,
    pub(crate) from: Who,
    /// Type and code.
    pub(crate) kind: (u8, u8),
    /// The second word of its header.
    pub(crate) rest: u32,
    /// Bytes of the packet that are quoted.
    pub(crate) quote: usize,
    pub(crate) damage: Damage,
}

/// All hosts, and what came to them.
pub(crate) struct Hosts {
    /// Of each talk, the last frame that arrived, that way and back.
    heard: Vec<[Option<Output>; 2]>,
    /// So that no piece of a packet belongs to what was said in another run.
    run: u16,
}

impl Hosts {
    pub(crate) fn new(talks: usize, run: u16) -> Self {
        Self { heard: vec![[None, None]; talks], run }
    }

    /// The frame that is sent, and where it comes in; None if there is nothing that it could be about.
    pub(crate) fn frame(&self, talks: &[Talk], action: &Action) -> Option<Output> {
        match action {
            Action::Complain(complaint) => self.complaint(complaint),
            Action::Frame(wire, bytes) => Some((*wire, bytes.clone())),
            Action::Say(talk, back, shape) => {
                let mut shape = shape.clone();
                if shape.piece.is_some() {
                    shape.id = shape.id.wrapping_add(self.run.wrapping_mul(251));
                }
                let (wire, mac, ends) = self.ends(talks, *talk, *back)?;
                Some((wire, to_gateway(wire, mac, &shape.packet(ends))))
            }
            Action::Wait(_) => None,
        }
    }

    /// Something came out because of what was said.
    pub(crate) fn hear(&mut self, action: &Action, sent: &Output, outputs: &[Output]) {
        // what came in pieces is cut anew, each in its own way
        let Action::Say(talk, back, Shape { piece: None, .. }) = action else { return };
        let Ok(said) = Datagram::parse(&sent.1[14..]) else { return };
        let arrived = outputs.iter().find(|(_, frame)| {
            let Ok(read) = Datagram::parse(&frame[14..]) else { return false };
            (read.destination, read.source) != (said.source, said.destination)
                && read.fragment.is_none()
                && read.protocol == said.protocol
        });
        if let Some(arrived) = arrived {
            self.heard[*talk][usize::from(*back)] = Some(arrived.clone());
        }
    }

    fn complaint(&self, complaint: &Complaint) -> Option<Output> {
        let Complaint { talk, back, from, kind, rest, quote, damage } = *complaint;
        let (_, about) = self.heard[talk][usize::from(back)].as_ref()?;
        let about = &about[14..];
        let source = from.address(about[0] >> 4 == 6);
        let packet = craft::error(source, kind, rest, about, quote, damage)?;
        Some((from.wire(), to_gateway(from.wire(), from.mac(), &packet)))
    }

    /// Where a packet of a talk comes in, whose frame it is, and who it is between.
    fn ends(&self, talks: &[Talk], talk: usize, back: bool) -> Option<(Wire, Mac, Ends)> {
        let this = talks[talk];
        let (from, port) = this.from;
        if !back {
            return Some((from.wire(), from.mac(), this.ends()));
        }
        if let Some((wire, frame)) = &self.heard[talk][0] {
            let receiver = frame.first_chunk().copied().map(Mac)?;
            return Some((*wire, receiver, ends_of(&frame[14..])?.back()));
        }
        // nothing arrived: it answers all the same, as if it had
        let (to, to_port) = if this.to.0.is_gateway() { this.published()? } else { this.to };
        let hidden = from.wire() != Wire::Out && from.wire() != to.wire();
        let whom = if hidden { to.wire().gateway() } else { from };
        let ends = Ends {
            source: to.address(this.v6),
            source_port: to_port,
            destination: whom.address(this.v6),
            destination_port: port,
        };
        Some((to.wire(), to.mac(), ends))
    }
}

impl Talk {
    pub(crate) const fn ends(&self) -> Ends {
        Ends {
            source: self.from.0.address(self.v6),
            source_port: self.from.1,
            destination: self.to.0.address(self.v6),
            destination_port: self.to.1,
        }
    }

    /// The guest whose port that is.
    fn published(&self) -> Option<(Who, u16)> {
        let port = self.to.1;
        let fits = |(protocol, (first, last), ..): &&super::place::Published| {
            *protocol == self.protocol && (*first..=*last).contains(&port)
        };
        PUBLISHED.iter().find(fits).map(|(_, (first, _), whose, to)| (*whose, to + (port - first)))
    }
}

/// Who a packet is between, as far as its transport header tells.
pub(crate) fn ends_of(packet: &[u8]) -> Option<Ends> {
    let read = Datagram::parse(packet).ok()?;
    let body = read.payload(packet);
    let short = |at: usize| body.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
    let (source_port, destination_port) = match read.protocol {
        TCP | UDP => (short(0), short(2)),
        // the identifier goes with whoever asked
        ICMP | ICMPV6 if matches!(body.first(), Some(0 | 129 | 14 | 16 | 18)) => (0, short(4)),
        ICMP | ICMPV6 => (short(4), 0),
        _ => (0, 0),
    };
    Some(Ends { source: read.source, source_port, destination: read.destination, destination_port })
}

/// A packet that comes in on a wire as somebody's there, whoever it says it is from.
pub(crate) fn forged(by: Who, ends: Ends, shape: &Shape) -> Action {
    Action::Frame(by.wire(), frame(by.wire().mac(), by.mac(), &shape.packet(ends)))
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complain(complaint) => write!(f, "{complaint:?}"),
            Self::Frame(wire, bytes) => {
                write!(f, "Frame {} = {bytes:02x?}", describe::describe(&(*wire, bytes.clone())))
            }
            Self::Say(talk, back, shape) => {
                write!(f, "talk {talk} {} {shape:?}", if *back { "back" } else { "says" })
            }
            Self::Wait(time) => write!(f, "Wait {time:?}"),
        }
    }
}
