//! What is followed of a flow, by protocol.
//!
//! First a packet is [`Segment::read`]: whether its transport header is sound, and its checksum right (N7). Then a
//! [`Track`] is started by the first packet of a flow, or follows another one. TCP has a module of its own; the others
//! know only whether there was a reply and for how long the flow has been going (U1–U3).

use std::time::Duration;

use super::tcp::{self, Connection, Context, Outcome};
use super::tuple::Tuple;
use crate::wire::checksum;
use crate::wire::icmp::{self, Icmp, v6};
use crate::wire::packet::{Packet, protocol};
use crate::wire::tcp::Tcp;
use crate::wire::udp::Udp;

/// How long a flow of datagrams has to go on to be a stream (U1).
const STREAM_AGE: Duration = Duration::from_secs(2);

/// How flows are followed. The defaults are the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Of TCP.
    pub tcp: tcp::Settings,
    /// UDP and UDP-Lite until a stream: 30 s (U1).
    pub udp: Duration,
    /// UDP and UDP-Lite as a stream: 120 s.
    pub udp_stream: Duration,
    /// ICMP: 30 s (U2).
    pub icmp: Duration,
    /// GRE without a reply: 30 s (U3).
    pub gre: Duration,
    /// GRE with one: 180 s.
    pub gre_stream: Duration,
    /// SCTP without a reply: 30 s. Its handshake is not followed.
    pub sctp: Duration,
    /// SCTP with one: 210 s.
    pub sctp_stream: Duration,
    /// Everything else: 600 s (N8).
    pub generic: Duration,
    /// Whether checksums of transport headers are verified (N7; `nf_conntrack_checksum`).
    pub checksums: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tcp: tcp::Settings::default(),
            udp: Duration::from_secs(30),
            udp_stream: Duration::from_secs(120),
            icmp: Duration::from_secs(30),
            gre: Duration::from_secs(30),
            gre_stream: Duration::from_secs(180),
            sctp: Duration::from_secs(30),
            sctp_stream: Duration::from_secs(210),
            generic: Duration::from_secs(600),
            checksums: true,
        }
    }
}

/// Why a packet is of no flow (N5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Its transport checksum is wrong (N7).
    Checksum,
    /// The transport header is cut off, or has flags or a length that cannot be (T1, T19, U1).
    Malformed,
    /// It is of no flow known here, and starts none (T6, U2, E1).
    Stray,
    /// It claims to be of a flow, and does not fit it (T7, T10).
    Unfit,
}

/// The transport header of a packet that is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// ICMP, of either family.
    Icmp(Icmp<'a>),
    /// Of no protocol that is looked into.
    Other,
    /// TCP.
    Tcp(Tcp<'a>),
    /// UDP.
    Udp,
    /// Neighbour discovery and MLD, which are never followed (U2).
    Untracked,
}

impl<'a> Segment<'a> {
    /// Reads the transport header. `partial` says that the checksum is still to be made, hence not verified (V9).
    pub fn read(packet: &Packet<'a>, partial: bool, settings: &Settings) -> Result<Self, Invalid> {
        Self::of(packet.protocol, packet.payload, || packet.pseudo_header(), partial, settings)
    }

    /// The same for a payload of that protocol. `pseudo_header` is the sum of that, if it is asked for.
    #[inline]
    pub fn of(
        protocol: u8,
        payload: &'a [u8],
        pseudo_header: impl Fn() -> u16,
        partial: bool,
        settings: &Settings,
    ) -> Result<Self, Invalid> {
        let verify = settings.checksums && !partial;
        let right = |pseudo: u16| checksum::add(pseudo, checksum::sum(payload)) == 0xffff;
        let (segment, sound) = match protocol {
            protocol::TCP => {
                let tcp = Tcp::parse(payload).ok_or(Invalid::Malformed)?;
                if !tcp::is_legal(tcp.flags) {
                    return Err(Invalid::Malformed);
                }
                (Self::Tcp(tcp), !verify || right(pseudo_header()))
            }
            protocol::UDP => {
                let udp = Udp::parse(payload).ok_or(Invalid::Malformed)?;
                (Self::Udp, !verify || udp.checksum == 0 || right(pseudo_header()))
            }
            protocol::UDP_LITE if payload.len() < 8 => return Err(Invalid::Malformed),
            protocol::ICMP => {
                let icmp = Icmp::parse(payload).ok_or(Invalid::Malformed)?;
                if icmp.kind > icmp::v4::ADDRESS_MASK_REPLY {
                    return Err(Invalid::Malformed);
                }
                (Self::Icmp(icmp), !verify || right(0))
            }
            protocol::ICMPV6 => {
                let icmp = Icmp::parse(payload).ok_or(Invalid::Malformed)?;
                let untracked =
                    matches!(icmp.kind, v6::MLD_QUERY..=v6::NEIGHBOUR_ADVERTISEMENT | v6::MLD_REPORT);
                let segment = if untracked { Self::Untracked } else { Self::Icmp(icmp) };
                (segment, !verify || right(pseudo_header()))
            }
            _ => (Self::Other, true),
        };
        if sound { Ok(segment) } else { Err(Invalid::Checksum) }
    }
}

/// What is remembered of a flow beside its tuples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// Nothing, of protocols that only have addresses (N8).
    Generic,
    /// Nothing, of ICMP queries.
    Icmp,
    /// Nothing, of datagrams with ports or calls.
    Stream,
    /// A connection.
    Tcp(Connection),
}

impl Track {
    /// The flow that a first packet starts; None if such a packet starts none.
    pub fn start(tuple: &Tuple, segment: &Segment<'_>, settings: &Settings) -> Option<Self> {
        match segment {
            Segment::Icmp(icmp) => icmp::is_query(tuple.protocol, icmp.kind).then_some(Self::Icmp),
            Segment::Tcp(tcp) => Connection::start(tcp, &settings.tcp).map(Self::Tcp),
            Segment::Udp => Some(Self::Stream),
            Segment::Other if tuple.has_ports() || tuple.protocol == protocol::GRE => Some(Self::Stream),
            Segment::Other => Some(Self::Generic),
            Segment::Untracked => None,
        }
    }

    /// Moves on by a packet of the flow, which is `age` old.
    pub fn follow(
        &mut self,
        segment: &Segment<'_>,
        protocol: u8,
        context: &Context,
        age: Duration,
        settings: &Settings,
    ) -> Outcome {
        match (self, segment) {
            (Self::Tcp(connection), Segment::Tcp(tcp)) => connection.follow(tcp, context, &settings.tcp),
            (Self::Icmp, _) => Outcome::Accept { timeout: Some(settings.icmp), assured: false },
            (Self::Stream, _) => {
                let (timeout, streams) = Self::streams(protocol, context.replied, age, settings);
                Outcome::Accept { timeout: Some(timeout), assured: streams }
            }
            _ => Outcome::Accept { timeout: Some(settings.generic), assured: false },
        }
    }

    /// How long a [`Track::Stream`] lives after a packet, and whether it is a stream by now. Nothing else comes of one.
    #[inline]
    pub fn streams(protocol: u8, replied: bool, age: Duration, settings: &Settings) -> (Duration, bool) {
        let (first, stream, patience) = match protocol {
            protocol::GRE => (settings.gre, settings.gre_stream, Duration::ZERO),
            protocol::SCTP => (settings.sctp, settings.sctp_stream, Duration::ZERO),
            _ => (settings.udp, settings.udp_stream, STREAM_AGE),
        };
        let streams = replied && (patience.is_zero() || age > patience);
        (if streams { stream } else { first }, streams)
    }

    /// Whether the flow is on its way out, and may go when there is no room.
    pub fn is_closing(&self) -> bool {
        matches!(self, Self::Tcp(connection) if connection.phase().is_closing())
    }
}
