//! Who answers at an address: the machine that has it, or the guest that a router publishes a port of its own for.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::{Netns, Plan, RouterInterface};
use crate::router::policy::config::Protocol;

/// How many routers in a row may publish a port for each other.
const ROUTERS_MAX: usize = 8;

impl Plan {
    /// The namespace of the machine that has an address, if it is one of the lab's; no router is.
    pub fn owner(&self, address: IpAddr) -> Option<Netns> {
        let has = |nets: &[IpNet]| nets.iter().any(|net| net.addr() == address);
        let port = self.ports.iter().find(|p| has(&p.interface.address)).map(|p| p.netns.clone());
        port.or_else(|| {
            let node = self.nodes.iter().find(|node| {
                node.cables.iter().any(|c| has(&c.interface.address))
                    || node.bridges.iter().any(|b| has(&b.address))
            });
            node.map(|node| Netns::Node(node.name.clone()))
        })
    }

    /// The interface of a router that has an address.
    pub fn router_place(&self, address: IpAddr) -> Option<&RouterInterface> {
        let places = self.routers.iter().flat_map(|router| &router.interfaces);
        places.into_iter().find(|place| place.interface.addresses.iter().any(|net| net.addr() == address))
    }

    /// Who answers at an address and a port, and where it arrives there: behind a router's address the guest that the
    /// port is published for. Nobody, where the router itself answers, or a machine that is not of this lab.
    pub fn reached(&self, protocol: Protocol, to: SocketAddr) -> Option<(Netns, SocketAddr)> {
        let mut to = to;
        for _ in 0..ROUTERS_MAX {
            match self.published(protocol, to) {
                Some(guest) => to = guest,
                None => return self.owner(to.ip()).map(|owner| (owner, to)),
            }
        }
        None
    }

    /// The guest's port that a router publishes at an address of its own.
    fn published(&self, protocol: Protocol, to: SocketAddr) -> Option<SocketAddr> {
        let has = |place: &RouterInterface| place.interface.addresses.iter().any(|n| n.addr() == to.ip());
        let router = self.routers.iter().find(|router| router.interfaces.iter().any(has))?;
        let mut publishes = router.policy.publishes.iter().map(|publish| &publish.publish);
        let publish = publishes.find(|publish| {
            publish.protocol == protocol
                && publish.to.is_ipv4() == to.is_ipv4()
                && publish.listen.is_none_or(|listen| listen == to.ip())
                && (publish.ports.0..=publish.ports.1).contains(&to.port())
        })?;
        Some(SocketAddr::new(publish.to, publish.target(to.port())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_port_leads_to_its_guest() {
        let text = "[[network]]\nname = \"in\"\n[[network]]\nname = \"out\"\n[[router]]\nname = \"gw\"\n\
            [[router.interface]]\nnetwork = \"in\"\naddress = \"10.0.0.1/24\"\nrole = \"inside\"\n\
            [[router.interface]]\nnetwork = \"out\"\naddress = \"192.0.2.1/24\"\nrole = \"outside\"\n\
            [[router.publish]]\nlisten = \"192.0.2.1:8000-8009\"\nto = \"10.0.0.2:80-89\"\n\
            [[router.publish]]\nlisten = 53\nprotocol = \"udp\"\nto = \"10.0.0.3\"\n\
            [[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"in\"\naddress = \"10.0.0.2/24\"\n";
        let plan = crate::control::config::parse(text, "any").expect("sound").0;
        let a =
            |port: &str| Some((Netns::Node("a".into()), format!("10.0.0.2:{port}").parse().expect("one")));
        for (protocol, to, expected, why) in [
            (Protocol::Tcp, "10.0.0.2:80", a("80"), "itself"),
            (Protocol::Tcp, "192.0.2.1:8003", a("83"), "the ports of a range follow"),
            (Protocol::Udp, "192.0.2.1:8003", None, "only TCP is published"),
            (Protocol::Tcp, "192.0.2.1:8010", None, "the end of the range"),
            (Protocol::Tcp, "10.0.0.1:8003", None, "published at the other address"),
            (
                Protocol::Udp,
                "10.0.0.1:53",
                None,
                "published at all, but nobody of this file has the guest's address",
            ),
        ] {
            assert_eq!(plan.reached(protocol, to.parse().expect("one")), expected, "{to}: {why}");
        }
        assert_eq!(plan.router_place("10.0.0.1".parse().expect("one")).map(|p| &*p.name), Some("gw/in"));
        assert_eq!(plan.owner("10.0.0.1".parse().expect("one")), None, "a router is no machine");
    }
}
