//! Interfaces: list, make, change, delete.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage as Route;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

use super::{Error, Netlink};
use crate::wire::mac::Mac;

/// An interface, as far as a lab cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number, unique in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What `ip link set alias` wrote: how we know our own.
    pub alias: Option<String>,
    /// Its hardware address, if it is an Ethernet one.
    pub mac: Option<Mac>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it has carrier (IFF_LOWER_UP).
    pub carrier: bool,
}

/// What to change about an interface; `None` and `false` leave things as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkChange<'a> {
    /// How we will know it.
    pub alias: Option<&'a str>,
    /// The bridge to join.
    pub controller: Option<u32>,
    /// The hardware address.
    pub mac: Option<Mac>,
    /// The MTU in bytes.
    pub mtu: Option<u32>,
    /// The name; the interface must be down.
    pub name: Option<&'a str>,
    /// The namespace to move to.
    pub netns: Option<BorrowedFd<'a>>,
    /// Frames that may wait for the reader.
    pub txqueuelen: Option<u32>,
    /// Bring it up.
    pub up: bool,
}

impl Netlink {
    /// Every interface of the namespace.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        self.dump(Route::GetLink(LinkMessage::default()), |answer| match answer {
            Route::NewLink(message) => Some(read(&message)),
            _ => None,
        })
    }

    /// The interface of that name, if there is one.
    pub fn link(&mut self, name: &str) -> Result<Option<Link>, Error> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let mut found = None;
        let result = self.exchange(Route::GetLink(message), netlink_packet_core::NLM_F_ACK, |answer| {
            if let Route::NewLink(message) = answer {
                found = Some(read(&message));
            }
        });
        match result {
            Err(e) if e.is_missing() => Ok(None),
            other => other.map(|()| found),
        }
    }

    /// The number of the interface of that name.
    pub fn index(&mut self, name: &str) -> Result<u32, Error> {
        let link =
            self.link(name)?.ok_or_else(|| Error::missing(format!("there is no interface `{name}`")))?;
        Ok(link.index)
    }

    /// Makes a pair of interfaces joined by a wire, both in this namespace.
    pub fn add_veth(&mut self, names: [&str; 2]) -> Result<(), Error> {
        let [name, peer] = names.map(|n| LinkAttribute::IfName(n.to_owned()));
        let mut far = LinkMessage::default();
        far.attributes.push(peer);
        let mut message = LinkMessage::default();
        message.attributes = vec![
            name,
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far))),
            ]),
        ];
        self.create(Route::NewLink(message))
    }

    /// Makes a bridge.
    pub fn add_bridge(&mut self, name: &str) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
        ];
        self.create(Route::NewLink(message))
    }

    /// Changes an interface, all at once.
    pub fn change_link(&mut self, index: u32, change: &LinkChange<'_>) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        if change.up {
            message.header.flags = LinkFlags::Up;
            message.header.change_mask = LinkFlags::Up;
        }
        message.attributes = [
            change.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())),
            change.mtu.map(LinkAttribute::Mtu),
            change.txqueuelen.map(LinkAttribute::TxQueueLen),
            change.alias.map(|alias| LinkAttribute::IfAlias(alias.to_owned())),
            change.controller.map(LinkAttribute::Controller),
            change.netns.map(|netns| LinkAttribute::NetNsFd(netns.as_raw_fd())),
            change.name.map(|name| LinkAttribute::IfName(name.to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect();
        self.request(Route::SetLink(message))
    }

    /// Deletes an interface; a veth takes its other end with it.
    pub fn delete_link(&mut self, index: u32) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.request(Route::DelLink(message))
    }
}

fn read(message: &LinkMessage) -> Link {
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        ..Link::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias.clone()),
            LinkAttribute::Address(bytes) => link.mac = bytes.as_slice().try_into().ok().map(Mac),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            _ => {}
        }
    }
    link
}
