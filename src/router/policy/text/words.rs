//! How iptables writes what a rule matches, and what it does: in the order and form in which `iptables -S` prints it.

use std::fmt::{Display, Formatter, Result};
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use crate::router::interface::SourceNat;
use crate::router::policy::config::{Publish, States};
use crate::wire::packet::protocol;

/// What IPv6 addresses only its own wire by.
pub(super) const LINK_LOCAL: IpNet =
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10));

/// The burst that `-m limit` has if nothing is said.
const LIMIT_DEFAULT: u32 = 5;
/// More lines per second than `-m limit` can tell from all.
const LIMIT_MAX: u32 = 10_000;

/// What a rule matches. A condition comes with whether it is to hold or not.
#[derive(Clone, Copy, Default)]
pub(super) struct Match<'a> {
    pub(super) source: Option<(bool, IpNet)>,
    pub(super) destination: Option<(bool, IpNet)>,
    pub(super) input: Option<(bool, &'a str)>,
    pub(super) output: Option<(bool, &'a str)>,
    /// IANA's number.
    pub(super) protocol: Option<u8>,
    pub(super) source_ports: Ports<'a>,
    pub(super) ports: Ports<'a>,
    pub(super) states: States,
    /// In iptables' words, with a space before them.
    pub(super) more: &'a str,
}

/// Ranges of ports, any of which will do; none for all ports.
#[derive(Clone, Copy, Default)]
pub(super) struct Ports<'a>(pub(super) &'a [(u16, u16)]);

impl Display for Match<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (option, net) in [("-s", self.source), ("-d", self.destination)] {
            // everybody is not said
            if let Some((holds, net)) = net.filter(|(holds, net)| net.prefix_len() > 0 || !holds) {
                write!(f, "{} {option} {net}", not(holds))?;
            }
        }
        for (option, name) in [("-i", self.input), ("-o", self.output)] {
            if let Some((holds, name)) = name {
                write!(f, "{} {option} {name}", not(holds))?;
            }
        }
        if let Some(number) = self.protocol {
            match name(number) {
                Some(name) => write!(f, " -p {name}")?,
                None => write!(f, " -p {number}")?,
            }
            self.ports(f, number)?;
        }
        if !self.states.is_empty() {
            f.write_str(" -m conntrack --ctstate ")?;
            let names = [
                (States::INVALID, "INVALID"),
                (States::NEW, "NEW"),
                (States::RELATED, "RELATED"),
                (States::ESTABLISHED, "ESTABLISHED"),
                (States::UNTRACKED, "UNTRACKED"),
            ];
            let names = names.into_iter().filter(|(state, _)| self.states.contains(*state));
            for (at, (_, name)) in names.enumerate() {
                write!(f, "{}{name}", if at == 0 { "" } else { "," })?;
            }
        }
        f.write_str(self.more)
    }
}

impl Match<'_> {
    fn ports(&self, f: &mut Formatter<'_>, number: u8) -> Result {
        let (from, to) = (self.source_ports.0, self.ports.0);
        if from.is_empty() && to.is_empty() {
            return Ok(());
        }
        let simple = from.len() <= 1 && to.len() <= 1 && number != protocol::UDP_LITE;
        if let (true, Some(name)) = (simple, name(number)) {
            write!(f, " -m {name}")?;
        }
        for (ports, option) in [(self.source_ports, "--sport"), (self.ports, "--dport")] {
            match (ports.0, simple) {
                ([], _) => {}
                (_, true) => write!(f, " {option} {ports}")?,
                (_, false) => write!(f, " -m multiport {option}s {ports}")?,
            }
        }
        Ok(())
    }
}

impl Display for Ports<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            write!(f, "{first}")?;
            if first != last {
                write!(f, ":{last}")?;
            }
        }
        Ok(())
    }
}

/// What a source becomes.
pub(super) struct Source {
    pub(super) nat: SourceNat,
    pub(super) ports: Option<(u16, u16)>,
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let before = match self.nat {
            SourceNat::To(first, last) => {
                f.write_str("SNAT --to-source ")?;
                let bracket = first.is_ipv6() && self.ports.is_some();
                let (open, close) = if bracket { ("[", "]") } else { ("", "") };
                match first == last {
                    true => write!(f, "{open}{first}{close}")?,
                    false => write!(f, "{open}{first}-{last}{close}")?,
                }
                ":"
            }
            SourceNat::Masquerade | SourceNat::None => {
                f.write_str("MASQUERADE")?;
                " --to-ports "
            }
        };
        match self.ports {
            Some((first, last)) if first == last => write!(f, "{before}{first}"),
            Some((first, last)) => write!(f, "{before}{first}-{last}"),
            None => Ok(()),
        }
    }
}

/// Where a publish leads.
pub(super) struct Target<'a>(pub(super) &'a Publish);

impl Display for Target<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Publish { ports: (first, last), to, to_port, .. } = self.0;
        // a range that is not moved keeps its ports
        if first != last && first == to_port {
            return write!(f, "{to}");
        }
        match to {
            IpAddr::V4(to) => write!(f, "{to}:{to_port}")?,
            IpAddr::V6(to) => write!(f, "[{to}]:{to_port}")?,
        }
        match first == last {
            true => Ok(()),
            false => write!(f, "-{}/{first}", self.0.target(*last)),
        }
    }
}

/// How many lines a second there may be.
pub(super) struct Limit(pub(super) u32);

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            LIMIT_DEFAULT => write!(f, " -m limit --limit {}/sec", self.0),
            1..=LIMIT_MAX => write!(f, " -m limit --limit {0}/sec --limit-burst {0}", self.0),
            _ => Ok(()),
        }
    }
}

/// What a line begins with: quoted if a shell would read it otherwise.
pub(super) struct Prefix<'a>(pub(super) &'a str);

impl Display for Prefix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0.is_empty() {
            return Ok(());
        }
        f.write_str(" --log-prefix ")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            let escape = if matches!(c, '"' | '\\' | '\'') { "\\" } else { "" };
            write!(f, "{escape}{c}")?;
        }
        f.write_str("\"")
    }
}

/// The prefix of one address.
pub(super) fn host(address: IpAddr) -> IpNet {
    address.into()
}

const fn not(holds: bool) -> &'static str {
    if holds { "" } else { " !" }
}

/// The name of a protocol, as in /etc/protocols.
const fn name(number: u8) -> Option<&'static str> {
    Some(match number {
        protocol::ICMP => "icmp",
        2 => "igmp",
        protocol::TCP => "tcp",
        protocol::UDP => "udp",
        protocol::GRE => "gre",
        50 => "esp",
        51 => "ah",
        protocol::ICMPV6 => "ipv6-icmp",
        89 => "ospf",
        protocol::SCTP => "sctp",
        protocol::UDP_LITE => "udplite",
        _ => return None,
    })
}
