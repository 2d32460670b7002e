//! Where stories take place: the same few hosts always.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::frame::{LegIndex, PortId};
use crate::router::interface::{Interface, Role};
use crate::wire::mac::Mac;

/// Somebody on one of the three wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name in stories.
    pub name: char,
    /// The wire: two inside, the third outside.
    pub leg: u16,
    /// The last part of its addresses.
    pub number: u8,
}

/// Everybody: three on the first wire, two on the second, two outside; the last also knows the rest of the world.
pub const HOSTS: [Host; 7] = [
    Host { name: 'A', leg: 0, number: 2 },
    Host { name: 'B', leg: 0, number: 3 },
    Host { name: 'C', leg: 0, number: 4 },
    Host { name: 'D', leg: 1, number: 2 },
    Host { name: 'E', leg: 1, number: 3 },
    Host { name: 'X', leg: 2, number: 10 },
    Host { name: 'Y', leg: 2, number: 11 },
];

/// The one that knows the rest of the world.
pub(in crate::sim::gateway) const FAR: usize = 6;

/// The address with that number on that wire.
pub(in crate::sim::gateway) fn host(leg: u16, number: u8, v6: bool) -> IpAddr {
    match (leg, v6) {
        (2, false) => Ipv4Addr::new(192, 0, 2, number).into(),
        (2, true) => Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, number.into()).into(),
        (leg, false) => Ipv4Addr::new(10, leg as u8 + 1, 0, number).into(),
        (leg, true) => Ipv6Addr::new(0xfd00, leg, 0, 0, 0, 0, 0, number.into()).into(),
    }
}

/// Somebody far away.
pub(in crate::sim::gateway) fn remote(number: u8, v6: bool) -> IpAddr {
    match v6 {
        false => Ipv4Addr::new(198, 51, 100, number).into(),
        true => Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, number.into()).into(),
    }
}

impl Host {
    /// Its hardware address.
    pub const fn mac(&self) -> Mac {
        Mac([2, 0, 0, 0, self.leg as u8, self.number])
    }

    /// Its address of a family.
    pub fn address(&self, v6: bool) -> IpAddr {
        host(self.leg, self.number, v6)
    }
}

/// The port that a host is at.
pub(in crate::sim::gateway) const fn port(index: usize) -> PortId {
    PortId(index as u16)
}

/// The hardware address of a leg of the gateway.
pub(in crate::sim::gateway) const fn gateway_mac(leg: u16) -> Mac {
    Mac([2, 0, 0, 0xff, leg as u8, 1])
}

/// A leg as it usually is. The outer one has a second address.
pub(in crate::sim::gateway) fn leg(leg: u16) -> Interface {
    let net = |number, v6| {
        IpNet::new(host(leg, number, v6), if v6 { 64 } else { 24 }).expect("a prefix that there is")
    };
    let mut addresses = vec![net(1, false), net(1, true)];
    if leg == 2 {
        addresses.insert(1, net(2, false));
    }
    let role = if leg == 2 { Role::Outside } else { Role::Inside };
    Interface { redirects: false, ..Interface::new(gateway_mac(leg), addresses, role) }
}

/// The routes beside those to the wires: everything far is behind [`FAR`].
pub(in crate::sim::gateway) fn routes() -> Vec<(IpNet, Option<IpAddr>, LegIndex)> {
    let via = |v6| Some(HOSTS[FAR].address(v6));
    let four = IpNet::new(Ipv4Addr::UNSPECIFIED.into(), 0).expect("a prefix that there is");
    let six = IpNet::new(Ipv6Addr::UNSPECIFIED.into(), 0).expect("a prefix that there is");
    vec![(four, via(false), LegIndex(2)), (six, via(true), LegIndex(2))]
}
