//! A look at the calling thread's namespace: its interfaces, routes and neighbours, through rtnetlink.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::netlink::Netlink;
use super::Outcome;
use crate::wire::mac::Mac;

/// Whether there is an interface of that name.
pub(super) fn interface(name: &str) -> Outcome {
    match Netlink::open().and_then(|mut netlink| netlink.link(name)) {
        Ok(Some(_)) => Outcome::yes("it is there"),
        Ok(None) => Outcome::no("there is none"),
        Err(error) => Outcome::no(error.to_string()),
    }
}

/// Whether the main table has exactly this route.
pub(super) fn route(to: IpNet) -> Outcome {
    let routes = match Netlink::open().and_then(|mut netlink| netlink.routes()) {
        Ok(routes) => routes,
        Err(error) => return Outcome::no(error.to_string()),
    };
    match routes.iter().find(|route| route.to == to) {
        Some(route) => Outcome::yes(match route.gateway {
            Some(gateway) => format!("via {gateway}"),
            None => "on the link".to_owned(),
        }),
        None => Outcome::no(format!("none of its {} routes", routes.len())),
    }
}

/// The hardware address that the kernel has for a neighbour.
pub(super) fn neighbour(address: IpAddr) -> Option<Mac> {
    let neighbours = Netlink::open().and_then(|mut netlink| netlink.neighbours()).ok()?;
    neighbours.into_iter().find(|neighbour| neighbour.address == address)?.mac
}
