//! Sessions as the user sees them: lines of /proc/net/nf_conntrack, and which of them are asked for.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

use super::sessions::{Count, Session};
use super::track::Track;
use super::tuple::{Address, Tuple};
use crate::time::Time;
use crate::wire::packet::protocol;

/// A session, as the user sees it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The session.
    pub session: &'a Session,
    /// How long it lives if no packet comes.
    pub remaining: Duration,
}

impl<'a> View<'a> {
    /// The session as it is now.
    pub fn new(session: &'a Session, now: Time) -> Self {
        Self { session, remaining: session.expires - now }
    }

    /// The phase, of protocols that have some.
    pub fn phase(&self) -> Option<&'static str> {
        match &self.session.track {
            Track::Tcp(connection) => Some(connection.phase().name()),
            Track::Generic | Track::Icmp | Track::Stream => None,
        }
    }

    /// The protocol's name, as the kernel has it.
    pub fn protocol(&self) -> &'static str {
        match self.session.tuples[0].protocol {
            protocol::ICMP => "icmp",
            protocol::ICMPV6 => "icmpv6",
            protocol::TCP => "tcp",
            protocol::UDP => "udp",
            protocol::UDP_LITE => "udplite",
            protocol::SCTP => "sctp",
            protocol::GRE => "gre",
            _ => "unknown",
        }
    }
}

/// Which sessions are asked for; what is `None` holds for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Who opened it, on either side of the router: its own address, or the one it was translated into.
    pub source: Option<IpNet>,
    /// Whom it was opened to, on either side of the router.
    pub destination: Option<IpNet>,
    /// Its protocol (IANA's number).
    pub protocol: Option<u8>,
    /// A port of either end, on either side of the router.
    pub port: Option<u16>,
}

impl Filter {
    /// Whether a session is asked for.
    pub fn matches(&self, session: &Session) -> bool {
        let [original, reply] = &session.tuples;
        let ipv6 = original.ipv6;
        let is_in = |net: Option<IpNet>, there: [Address; 2]| {
            net.is_none_or(|net| there.into_iter().any(|address| net.contains(&address.ip(ipv6))))
        };
        let has = |tuple: &Tuple, port: u16| {
            tuple.has_ports() && (tuple.source_port == port || tuple.destination_port == port)
        };
        self.protocol.is_none_or(|protocol| original.protocol == protocol)
            && self.port.is_none_or(|port| has(original, port) || has(reply, port))
            && is_in(self.source, [original.source, reply.destination])
            && is_in(self.destination, [original.destination, reply.source])
    }
}

impl fmt::Display for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Session { tuples: [original, reply], counts, replied, assured, .. } = self.session;
        let (family, number) = if original.ipv6 { ("ipv6", 10) } else { ("ipv4", 2) };
        write!(f, "{family:<8} {number} {:<8} {} ", self.protocol(), original.protocol)?;
        write!(f, "{} ", self.remaining.as_secs())?;
        if let Some(phase) = self.phase() {
            write!(f, "{phase} ")?;
        }
        write_tuple(f, original, counts[0])?;
        if !replied {
            f.write_str("[UNREPLIED] ")?;
        }
        write_tuple(f, reply, counts[1])?;
        if *assured {
            f.write_str("[ASSURED] ")?;
        }
        f.write_str("mark=0 use=1")
    }
}

fn write_tuple(f: &mut fmt::Formatter<'_>, tuple: &Tuple, count: Count) -> fmt::Result {
    let (source, destination) = (tuple.source.ip(tuple.ipv6), tuple.destination.ip(tuple.ipv6));
    write!(f, "src={source} dst={destination} ")?;
    let [high, low] = tuple.destination_port.to_be_bytes();
    match tuple.protocol {
        protocol::ICMP | protocol::ICMPV6 => write!(f, "type={high} code={low} id={} ", tuple.source_port)?,
        protocol::GRE => {
            write!(f, "srckey=0x{:x} dstkey=0x{:x} ", tuple.source_port, tuple.destination_port)?
        }
        _ if tuple.has_ports() => write!(f, "sport={} dport={} ", tuple.source_port, tuple.destination_port)?,
        _ => {}
    }
    write!(f, "packets={} bytes={} ", count.packets, count.bytes)
}
