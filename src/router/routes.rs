//! Where packets go: longest-prefix match, for both families in one table.
//!
//! Routes lie in one vector, sorted by how long their prefix is, the longest first, then by prefix, then what is connected
//! before what was set, then in the order in which they were added, of which the first counts. IPv4 is kept in its mapped form (::ffff:0:0/96), so its prefixes are
//! 96 bits longer and the two families never match each other. A look-up asks each length that occurs, and finds the
//! prefix by binary search. A router has a handful of lengths, so this is as fast as a trie, takes no memory beside the
//! routes, and can be listed.
//!
//! There are no metrics, and no two ways at once: of two routes to the same prefix the first is used while it is there.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::frame::LegIndex;
use crate::wire::datagram;

/// How many routes a router may have.
pub const ROUTES_MAX: usize = 4096;

/// Who made a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// An address with a prefix on that leg.
    Connected,
    /// The user.
    Static,
}

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whom to: a prefix without host bits.
    pub to: IpNet,
    /// The next router; without one, the destination is on the wire.
    pub via: Option<IpAddr>,
    /// The leg it leaves through.
    pub leg: LegIndex,
    /// Who made it.
    pub origin: Origin,
    /// Whose packets the router sends that way, if it says.
    pub source: Option<IpAddr>,
}

impl Route {
    /// The line that `ip route` has for it, if the leg is called that.
    pub fn line<'a>(&'a self, device: &'a str) -> impl fmt::Display + 'a {
        Line { route: self, device }
    }

    /// Whom a packet to `destination` is handed to on this way.
    #[inline]
    pub fn next_hop(&self, destination: IpAddr) -> IpAddr {
        self.via.unwrap_or(destination)
    }
}

/// Why a route was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// It is there.
    #[error("there is such a route")]
    Exists,
    /// The families of its prefix and its gateway differ.
    #[error("prefix and gateway are not of one family")]
    Family,
    /// There are [`ROUTES_MAX`] routes.
    #[error("there are {ROUTES_MAX} routes, and more are too many")]
    Full,
    /// There is no such leg.
    #[error("there is no such interface")]
    NoLeg,
    /// The gateway is on no wire of this router, or is the router itself.
    #[error("the gateway is not on any wire here")]
    Unreachable,
}

/// The table.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<Keyed>,
    /// Each length that occurs, with where its routes end. They start where those of the one before end.
    lengths: Vec<(u8, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct Keyed {
    len: u8,
    prefix: u128,
    route: Route,
}

impl Routes {
    /// Adds a route; of several to the same prefix, the first added is used.
    ///
    /// # Errors
    /// If it is there, or the table is full.
    pub fn add(&mut self, route: Route) -> Result<(), RouteError> {
        let route = Route { to: route.to.trunc(), ..route };
        if self.routes.iter().any(|keyed| keyed.route == route) {
            return Err(RouteError::Exists);
        }
        if self.routes.len() >= ROUTES_MAX {
            return Err(RouteError::Full);
        }
        let len = mapped_len(route.to);
        let prefix = key(route.to.addr());
        // what is on the wire is reached there, whatever was added before
        let place = |len: u8, prefix, origin| (128 - len, prefix, origin);
        let wanted = place(len, prefix, route.origin);
        let at = self.routes.partition_point(|k| place(k.len, k.prefix, k.route.origin) <= wanted);
        self.routes.insert(at, Keyed { len, prefix, route });
        self.measure();
        Ok(())
    }

    /// Removes the routes for which `keep` says no, and says whether there were any.
    pub fn retain(&mut self, mut keep: impl FnMut(&Route) -> bool) -> bool {
        let before = self.routes.len();
        self.routes.retain(|keyed| keep(&keyed.route));
        self.measure();
        self.routes.len() < before
    }

    /// The way to that address.
    #[inline]
    pub fn lookup(&self, address: IpAddr) -> Option<&Route> {
        let (wanted, len_min) = match address {
            IpAddr::V4(_) => (key(address), 96),
            // that is IPv4 in disguise, and never on the wire
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => return None,
            IpAddr::V6(_) => (key(address), 0),
        };
        let mut start = 0;
        for &(len, end) in &self.lengths {
            if len < len_min {
                return None;
            }
            let same = &self.routes[start..end];
            let prefix = wanted & mask(len);
            let at = same.partition_point(|keyed| keyed.prefix < prefix);
            if let Some(keyed) = same.get(at).filter(|keyed| keyed.prefix == prefix) {
                return Some(&keyed.route);
            }
            start = end;
        }
        None
    }

    /// All routes in the order of their prefixes, IPv4 first, shorter ones before those within them.
    pub fn list(&self) -> Vec<Route> {
        let mut list: Vec<_> = self.routes.iter().map(|keyed| keyed.route).collect();
        // stable: of several to one prefix, the first stays the first
        list.sort_by_key(|route| (route.to.addr(), route.to.prefix_len()));
        list
    }

    fn measure(&mut self) {
        self.lengths.clear();
        for (at, keyed) in self.routes.iter().enumerate() {
            match self.lengths.last_mut() {
                Some((len, end)) if *len == keyed.len => *end = at + 1,
                _ => self.lengths.push((keyed.len, at + 1)),
            }
        }
    }
}

struct Line<'a> {
    route: &'a Route,
    device: &'a str,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Route { to, via, origin, source, .. } = self.route;
        match to.prefix_len() {
            0 => write!(f, "default")?,
            len if len == to.max_prefix_len() => write!(f, "{}", to.addr())?,
            _ => write!(f, "{to}")?,
        }
        if let Some(via) = via {
            write!(f, " via {via}")?;
        }
        write!(f, " dev {}", self.device)?;
        if *origin == Origin::Connected {
            write!(f, " proto kernel")?;
        }
        if to.addr().is_ipv6() {
            let metric = if *origin == Origin::Connected { 256 } else { 1024 };
            return write!(f, " metric {metric} pref medium");
        }
        if via.is_none() {
            write!(f, " scope link")?;
        }
        match source {
            Some(source) => write!(f, " src {source}"),
            None => Ok(()),
        }
    }
}

fn mapped_len(net: IpNet) -> u8 {
    128 - net.max_prefix_len() + net.prefix_len()
}

const fn mask(len: u8) -> u128 {
    match len {
        0 => 0,
        len => u128::MAX << (128 - len),
    }
}

fn key(address: IpAddr) -> u128 {
    u128::from_be_bytes(datagram::octets(address))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn route(to: &str, via: Option<&str>, leg: u16) -> Route {
        let (to, via) = (to.parse().expect("a prefix"), via.map(|via| via.parse().expect("an address")));
        Route { to, via, leg: LegIndex(leg), origin: Origin::Static, source: None }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let mut routes = Routes::default();
        for (leg, to) in ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "::/0", "2001:db8::/32"]
            .into_iter()
            .enumerate()
        {
            routes.add(route(to, None, leg as u16)).expect("there is room");
        }
        let table = [
            ("9.9.9.9", Some(0), "the default"),
            ("10.9.9.9", Some(1), "ten"),
            ("10.1.9.9", Some(2), "longer"),
            ("10.1.2.3", Some(3), "the host itself"),
            ("2001:db8::1", Some(5), "the other family"),
            ("2001:db9::1", Some(4), "its default"),
            ("::ffff:10.1.2.3", None, "IPv4 in disguise goes nowhere"),
        ];
        for (address, leg, why) in table {
            let found = routes.lookup(address.parse().expect("an address")).map(|route| route.leg.0);
            assert_eq!(found, leg, "{why}");
        }
        routes.retain(|route| route.leg != LegIndex(0));
        assert!(routes.lookup(Ipv4Addr::new(9, 9, 9, 9).into()).is_none(), "IPv6's default is not for IPv4");
    }

    #[test]
    fn the_table_says_no() {
        let mut routes = Routes::default();
        routes.add(route("10.0.0.0/8", None, 1)).expect("there is room");
        assert_eq!(
            routes.add(route("10.7.0.0/8", None, 1)),
            Err(RouteError::Exists),
            "host bits do not count"
        );
        routes.add(route("10.0.0.0/8", Some("192.0.2.1"), 2)).expect("another way");
        assert_eq!(routes.lookup(Ipv4Addr::new(10, 0, 0, 1).into()).map(|r| r.leg.0), Some(1), "the first");
        for n in 2..ROUTES_MAX as u32 {
            let to = IpNet::from(IpAddr::from(Ipv4Addr::from(n)));
            routes.add(Route { to, ..route("10.0.0.0/8", None, 1) }).expect("there is room");
        }
        assert_eq!(routes.add(route("11.0.0.0/8", None, 1)), Err(RouteError::Full));
    }

    #[test]
    fn lines_read_like_those_of_ip_route() {
        let connected = |to: &str, source: &str| Route {
            origin: Origin::Connected,
            source: Some(source.parse().expect("an address")),
            ..route(to, None, 0)
        };
        let mut routes = Routes::default();
        let given = [
            route("192.0.2.7/32", None, 0),
            connected("2001:db8::/64", "2001:db8::1"),
            connected("172.17.0.0/16", "172.17.0.1"),
            route("::/0", Some("fe80::1"), 0),
            route("0.0.0.0/0", Some("172.17.0.254"), 0),
        ];
        given.into_iter().for_each(|route| routes.add(route).expect("there is room"));
        let lines: Vec<_> = routes.list().iter().map(|route| route.line("eth0").to_string()).collect();
        let expected = [
            "default via 172.17.0.254 dev eth0",
            "172.17.0.0/16 dev eth0 proto kernel scope link src 172.17.0.1",
            "192.0.2.7 dev eth0 scope link",
            "default via fe80::1 dev eth0 metric 1024 pref medium",
            "2001:db8::/64 dev eth0 proto kernel metric 256 pref medium",
        ];
        assert_eq!(lines, expected);
    }

    /// Few bits vary, so that prefixes nest and collide.
    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0..4_u32, 0..4_u32).prop_map(|(a, b)| IpAddr::from(Ipv4Addr::from(a << 30 | b))),
            (0..4_u128, 0..4_u128).prop_map(|(a, b)| IpAddr::from(Ipv6Addr::from(a << 126 | b << 32))),
        ]
    }

    proptest! {
        #[test]
        fn it_finds_what_a_linear_search_finds(
            nets in prop::collection::vec((address(), 0..=128_u8), 0..30),
            wanted in prop::collection::vec(address(), 1..20),
        ) {
            let mut routes = Routes::default();
            let mut plain = Vec::new();
            for (leg, (address, len)) in nets.into_iter().enumerate() {
                let len = if address.is_ipv4() { len.min(32) } else { len };
                let to = IpNet::new(address, len).expect("a prefix").trunc();
                let route = Route { to, via: None, leg: LegIndex(leg as u16), origin: Origin::Static, source: None };
                prop_assert_eq!(routes.add(route), Ok(()));
                plain.push(route);
            }
            for address in wanted {
                let matching = plain.iter().filter(|route| route.to.contains(&address));
                let best = matching.rev().max_by_key(|route| route.to.prefix_len());
                prop_assert_eq!(routes.lookup(address), best);
            }
        }
    }
}
