//! The lines of /proc/net/nf_conntrack, read.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::place::Named;

/// A flow, as a line tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// IANA's number.
    pub(crate) protocol: u8,
    /// Of those that have some.
    pub(crate) state: Option<String>,
    /// Seconds until it ends.
    pub(crate) timeout: u64,
    pub(crate) original: Tuple,
    pub(crate) reply: Tuple,
    /// Packets and bytes, that way and back.
    pub(crate) counts: [(u64, u64); 2],
    pub(crate) unreplied: bool,
    pub(crate) assured: bool,
}

/// Who it is between, that way; of ICMP, `ports` are identifier, type and code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tuple {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ports: Ports,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ports {
    /// Type, code, identifier.
    Icmp(u8, u8, u16),
    None,
    /// Source and destination.
    Two(u16, u16),
}

/// What a flow is found by.
pub(crate) type Key = (u8, Tuple);

impl Flow {
    pub(crate) fn key(&self) -> Key {
        (self.protocol, self.original.clone())
    }

    /// Reads a line.
    ///
    /// # Panics
    /// If it is not one.
    pub(crate) fn parse(line: &str) -> Self {
        Self::read(line).unwrap_or_else(|| panic!("not a line of nf_conntrack: {line}"))
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().skip(3);
        let protocol = words.next()?.parse().ok()?;
        let timeout = words.next()?.parse().ok()?;
        let mut flow = Self {
            protocol,
            state: None,
            timeout,
            original: Tuple::NOBODY,
            reply: Tuple::NOBODY,
            counts: [(0, 0); 2],
            unreplied: false,
            assured: false,
        };
        let mut seen = 0;
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                match word {
                    "[UNREPLIED]" => flow.unreplied = true,
                    "[ASSURED]" => flow.assured = true,
                    _ => flow.state = Some(word.into()),
                }
                continue;
            };
            seen += usize::from(key == "src");
            let tuple = if seen < 2 { &mut flow.original } else { &mut flow.reply };
            let counts = &mut flow.counts[usize::from(seen == 2)];
            match key {
                "src" => tuple.source = value.parse().ok()?,
                "dst" => tuple.destination = value.parse().ok()?,
                "packets" => counts.0 = value.parse().ok()?,
                "bytes" => counts.1 = value.parse().ok()?,
                "sport" => tuple.ports = Ports::Two(value.parse().ok()?, 0),
                "dport" => tuple.ports.set_destination(value.parse().ok()?),
                "type" => tuple.ports = Ports::Icmp(value.parse().ok()?, 0, 0),
                "code" => tuple.ports.set_code(value.parse().ok()?),
                "id" => tuple.ports.set_id(value.parse().ok()?),
                _ => {}
            }
        }
        (seen == 2).then_some(flow)
    }
}

impl Ports {
    fn set_destination(&mut self, port: u16) {
        if let Self::Two(_, destination) = self {
            *destination = port;
        }
    }

    fn set_code(&mut self, value: u8) {
        if let Self::Icmp(_, code, _) = self {
            *code = value;
        }
    }

    fn set_id(&mut self, value: u16) {
        if let Self::Icmp(_, _, id) = self {
            *id = value;
        }
    }
}

impl Tuple {
    const NOBODY: Self = Self {
        source: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        destination: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        ports: Ports::None,
    };
}

/// All flows of a table.
pub(crate) fn table(text: &str) -> BTreeMap<Key, Flow> {
    text.lines().map(Flow::parse).map(|flow| (flow.key(), flow)).collect()
}

/// As cases of the tests write it: protocol, state, timeout, both ways, flags.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            1 => "icmp",
            6 => "tcp",
            17 => "udp",
            58 => "icmpv6",
            _ => "other",
        };
        write!(f, "{protocol} ")?;
        if let Some(state) = &self.state {
            write!(f, "{state} ")?;
        }
        write!(f, "{} {} {}", self.timeout, self.original, self.reply)?;
        if self.unreplied {
            f.write_str(" UNREPLIED")?;
        }
        if self.assured {
            f.write_str(" ASSURED")?;
        }
        Ok(())
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, destination) = (Named(self.source), Named(self.destination));
        match self.ports {
            Ports::Icmp(kind, code, id) => write!(f, "{source}>{destination}:{kind}/{code}#{id}"),
            Ports::None => write!(f, "{source}>{destination}"),
            Ports::Two(from, to) => write!(f, "{source}:{from}>{destination}:{to}"),
        }
    }
}
