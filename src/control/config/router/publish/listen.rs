//! Where a port is published: an address of the router, or all of them, and a port or a range.

use std::net::IpAddr;

use toml::Spanned;

use crate::control::config::router::ports;
use crate::control::config::scope::Scope;
use crate::control::config::value::Either;

/// How it is written.
pub(super) const HINT: &str = "where the port is published, like listen = \"192.168.178.27:80\", or listen = 80 for all of the router's addresses";

/// What is published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listen {
    /// At which address; a loopback one is the host's.
    pub(super) address: Option<IpAddr>,
    /// Of which family, if it says so.
    pub(super) is_ipv4: Option<bool>,
    /// The first and the last port.
    pub(super) ports: (u16, u16),
}

impl Listen {
    /// Reads it; what is wrong is reported.
    pub(super) fn read(scope: &mut Scope, value: &Spanned<Either<i64, String>>) -> Option<Self> {
        let span = value.span();
        let text = match value.get_ref() {
            Either::One(number) => {
                let port = ports::one(scope, *number, &span, "listen")?;
                return Some(Self { address: None, is_ipv4: None, ports: (port, port) });
            }
            Either::Other(text) => text,
        };
        let Some((host, numbers)) = split(text) else {
            let message = match text.parse::<IpAddr>() {
                Ok(_) => format!("`listen` lacks a port: {text:?}"),
                Err(_) => format!("`listen` cannot be {text:?}"),
            };
            scope.error(span, "not a place to publish at", message).help(HINT);
            return None;
        };
        let ports = ports::range(scope, numbers, &span, "listen")?;
        let address = match host {
            "" => None,
            host => match host.parse::<IpAddr>() {
                Ok(ip) => Some(ip),
                Err(_) => {
                    scope.error(span, "not an address", format!("{host:?} is not an IP address")).help(HINT);
                    return None;
                }
            },
        };
        let is_ipv4 = address.map(|ip| ip.is_ipv4());
        Some(Self { address: address.filter(|ip| !ip.is_unspecified()), is_ipv4, ports })
    }
}

/// An address and a port, or one of them: `192.0.2.1:80`, `[2001:db8::1]:80`, `:80`, `80`. The address without its
/// brackets; `None` if there is no port.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    match text.rsplit_once(':') {
        Some((host, ports)) => match host.strip_prefix('[') {
            Some(host) => Some((host.strip_suffix(']')?, ports)),
            None if host.contains(':') => None,
            None => Some((host, ports)),
        },
        None if text.contains('.') => None,
        None => Some(("", text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_publish_at() {
        let table = [
            ("192.0.2.1:80", Some(("192.0.2.1", "80")), "an address and a port"),
            ("192.0.2.1:80-90", Some(("192.0.2.1", "80-90")), "a range"),
            ("[2001:db8::1]:80", Some(("2001:db8::1", "80")), "IPv6 in brackets"),
            (":80", Some(("", "80")), "any address"),
            ("80", Some(("", "80")), "any address"),
            ("8000-8010", Some(("", "8000-8010")), "any address, a range"),
            ("192.0.2.1", None, "no port"),
            ("2001:db8::1", None, "no port, and no brackets"),
            ("2001:db8::1:80", None, "is 80 the port?"),
            ("[2001:db8::1:80", None, "half a bracket"),
        ];
        for (text, expected, why) in table {
            assert_eq!(split(text), expected, "{text}: {why}");
        }
    }
}
