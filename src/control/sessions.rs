//! Which sessions a client asks for, and how it reads a million of them without anybody having to hold them all.
//!
//! An answer has at most [`PAGE_MAX`] sessions, and says where the next one goes on ([`SessionPlace`]). What is asked for is
//! filtered by the switch, so an answer may be empty and yet not be the last.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::router::nat::show::Filter;
use crate::wire::packet::protocol;

/// The most sessions of one answer, and how many there are unless the request says otherwise.
pub const PAGE_MAX: usize = 1000;

/// Which sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionQuery {
    /// Who opened it, on either side of the router: an address or a prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src: Option<Prefix>,
    /// Whom it was opened to, on either side of the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<Prefix>,
    /// Its protocol, by name or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<Protocol>,
    /// A port of either end, on either side of the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// At most so many in this answer; at most [`PAGE_MAX`] anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where an earlier answer said to go on; the beginning when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SessionPlace>,
}

impl SessionQuery {
    /// How many sessions the answer may have.
    pub fn page(&self) -> usize {
        self.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX)
    }

    /// The same for the router.
    pub fn filter(&self) -> Filter {
        Filter {
            source: self.src.map(|prefix| prefix.0),
            destination: self.dst.map(|prefix| prefix.0),
            protocol: self.proto.map(|protocol| protocol.0),
            port: self.port,
        }
    }
}

/// Where among all sessions: on which router, and in which place of its table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPlace {
    /// The router.
    pub router: String,
    /// The first place to be looked at.
    pub place: usize,
}

/// An address or a prefix: `172.17.0.2`, `172.17.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(pub IpNet);

/// What was to be an address or a prefix is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a network")]
pub struct PrefixError(String);

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| address()).map(Self).map_err(|_| PrefixError(text.to_owned()))
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.prefix_len() == self.0.max_prefix_len() {
            true => self.0.addr().fmt(f),
            false => self.0.fmt(f),
        }
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

/// A protocol by its name in iptables, or its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Protocol(pub u8);

/// What was to be a protocol is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no protocol: write tcp, udp, icmp, icmpv6, sctp, gre or a number")]
pub struct ProtocolError(String);

impl FromStr for Protocol {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        protocol::number(text).map(Self).ok_or_else(|| ProtocolError(text.to_owned()))
    }
}

impl TryFrom<String> for Protocol {
    type Error = ProtocolError;

    fn try_from(text: String) -> Result<Self, ProtocolError> {
        text.parse()
    }
}

impl From<Protocol> for String {
    fn from(protocol: Protocol) -> Self {
        let named = protocol::NAMES.iter().find(|(_, number)| *number == protocol.0);
        named.map_or_else(|| protocol.0.to_string(), |(name, _)| (*name).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_read_as_people_write_them() {
        let table = [
            (r#"{}"#, Some(r#"{}"#), "everything"),
            (
                r#"{"src":"172.17.0.2","proto":"tcp","port":80}"#,
                Some(r#"{"src":"172.17.0.2","proto":"tcp","port":80}"#),
                "an address stays one",
            ),
            (
                r#"{"dst":"fd00::/64","proto":"47"}"#,
                Some(r#"{"dst":"fd00::/64","proto":"gre"}"#),
                "a number has a name",
            ),
            (r#"{"proto":"99"}"#, Some(r#"{"proto":"99"}"#), "or none"),
            (
                r#"{"from":{"router":"gw","place":4096},"limit":2}"#,
                Some(r#"{"limit":2,"from":{"router":"gw","place":4096}}"#),
                "the next page",
            ),
            (r#"{"src":"172.17.0"}"#, None, "half an address"),
            (r#"{"proto":"tpc"}"#, None, "a slip of the hand"),
            (r#"{"sport":80}"#, None, "a key we do not know"),
        ];
        for (text, expected, why) in table {
            let query = serde_json::from_str::<SessionQuery>(text).ok();
            let back = query.map(|query| serde_json::to_string(&query).expect("plain data"));
            assert_eq!(back.as_deref(), expected, "{why}: {text}");
        }
    }

    #[test]
    fn an_answer_is_bounded_whatever_is_asked() {
        let page = |limit| SessionQuery { limit, ..SessionQuery::default() }.page();
        assert_eq!([page(None), page(Some(0)), page(Some(usize::MAX))], [PAGE_MAX, 1, PAGE_MAX]);
    }
}
