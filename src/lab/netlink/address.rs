//! Addresses, routes and neighbours: what makes an interface part of an IP network.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Route};

use super::{Error, Netlink};
use crate::wire::mac::Mac;

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface's number.
    pub index: u32,
    /// The address and its prefix.
    pub net: IpNet,
}

/// A machine that an interface has heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The interface's number.
    pub index: u32,
    /// Who.
    pub address: IpAddr,
    /// Its hardware address, once it is known.
    pub mac: Option<Mac>,
}

/// A unicast route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// Where to.
    pub to: IpNet,
    /// Through whom; `None` for what is on the link.
    pub gateway: Option<IpAddr>,
    /// Through which interface, by number.
    pub index: Option<u32>,
}

impl Netlink {
    /// Gives an interface an address, usable at once: no duplicate address detection.
    pub fn add_address(&mut self, index: u32, net: IpNet) -> Result<(), Error> {
        self.create(Route::NewAddress(address_message(index, net)))
    }

    /// Takes an address away.
    pub fn delete_address(&mut self, index: u32, net: IpNet) -> Result<(), Error> {
        self.request(Route::DelAddress(address_message(index, net)))
    }

    /// Every address of the namespace.
    pub fn addresses(&mut self) -> Result<Vec<Address>, Error> {
        self.dump(Route::GetAddress(AddressMessage::default()), |answer| match answer {
            Route::NewAddress(message) => read_address(&message),
            _ => None,
        })
    }

    /// Sends everything without a better route to `gateway`.
    pub fn add_default_route(&mut self, index: u32, gateway: IpAddr) -> Result<(), Error> {
        self.create(Route::NewRoute(default_route(index, gateway)))
    }

    /// Takes such a route away.
    pub fn delete_default_route(&mut self, index: u32, gateway: IpAddr) -> Result<(), Error> {
        self.request(Route::DelRoute(default_route(index, gateway)))
    }

    /// The unicast routes of the main table.
    pub fn routes(&mut self) -> Result<Vec<RouteEntry>, Error> {
        self.dump(Route::GetRoute(RouteMessage::default()), |answer| match answer {
            Route::NewRoute(message) => read_route(&message),
            _ => None,
        })
    }

    /// Every neighbour the namespace knows.
    pub fn neighbours(&mut self) -> Result<Vec<Neighbour>, Error> {
        self.dump(Route::GetNeighbour(NeighbourMessage::default()), |answer| match answer {
            Route::NewNeighbour(message) => read_neighbour(&message),
            _ => None,
        })
    }
}

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn address_message(index: u32, net: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(net.addr());
    message.header.prefix_len = net.prefix_len();
    message.header.index = index;
    message.header.scope = AddressScope::Universe;
    message.attributes = vec![AddressAttribute::Local(net.addr()), AddressAttribute::Address(net.addr())];
    match net {
        // as ip-address(8) `brd +`; a /31 or /32 has no broadcast address (RFC 3021)
        IpNet::V4(v4) if v4.prefix_len() < 31 => {
            message.attributes.push(AddressAttribute::Broadcast(v4.broadcast()));
        }
        IpNet::V4(_) => {}
        IpNet::V6(_) => {
            message.header.flags = AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    message
}

fn read_address(message: &AddressMessage) -> Option<Address> {
    // on a point-to-point link the two differ, and Local is ours
    let local = message.attributes.iter().find_map(|a| match a {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    });
    let any = message.attributes.iter().find_map(|a| match a {
        AddressAttribute::Address(ip) => Some(*ip),
        _ => None,
    });
    let net = IpNet::new(local.or(any)?, message.header.prefix_len).ok()?;
    Some(Address { index: message.header.index, net })
}

fn default_route(index: u32, gateway: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(gateway);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Gateway(gateway.into()), RouteAttribute::Oif(index)];
    message
}

fn read_route(message: &RouteMessage) -> Option<RouteEntry> {
    let header = &message.header;
    if header.table != RouteHeader::RT_TABLE_MAIN || header.kind != RouteType::Unicast {
        return None;
    }
    let mut to = match header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        AddressFamily::Inet6 => IpAddr::from([0; 16]),
        _ => return None,
    };
    let (mut gateway, mut index) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(destination) => to = ip(destination)?,
            RouteAttribute::Gateway(via) => gateway = ip(via),
            RouteAttribute::Oif(oif) => index = Some(*oif),
            _ => {}
        }
    }
    Some(RouteEntry { to: IpNet::new(to, header.destination_prefix_length).ok()?, gateway, index })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}

fn read_neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    let (mut address, mut mac) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => address = Some((*v4).into()),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => address = Some((*v6).into()),
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.as_slice().try_into().ok().map(Mac),
            _ => {}
        }
    }
    Some(Neighbour { index: message.header.ifindex, address: address?, mac })
}
