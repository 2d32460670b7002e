//! As much of rtnetlink as it takes to command a bridge.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::link::{
    AfSpecBridge, BridgeFlag, BridgeVlanInfo, BridgeVlanInfoFlags, InfoBridge, InfoBridgePort, InfoData,
    InfoKind, InfoPortData, InfoPortKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage,
    State,
};
use netlink_packet_route::neighbour::{
    NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use vswitchd::bridge::StationKind;
use vswitchd::wire::mac::Mac;

/// A station of the kernel's: address, VLAN (zero for none), interface, kind.
pub(crate) type Entry = (Mac, u16, u32, StationKind);

/// The most that the kernel tells in one piece.
const PIECE: usize = 32 * 1024;

/// A conversation with the kernel about the namespace it was begun in.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub(crate) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    pub(crate) fn add_bridge(&mut self, name: &str, mac: Mac) -> io::Result<()> {
        let mut link = LinkMessage::default();
        // an ageing time of 300 s, and nothing that would make it speak of its own accord
        let data = vec![InfoBridge::MulticastSnooping(false), InfoBridge::AgeingTime(30_000)];
        link.attributes = vec![
            LinkAttribute::IfName(name.into()),
            LinkAttribute::Address(mac.0.to_vec()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bridge),
                LinkInfo::Data(InfoData::Bridge(data)),
            ]),
        ];
        self.ask(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE).map(drop)
    }

    pub(crate) fn delete(&mut self, index: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        self.ask(RouteNetlinkMessage::DelLink(link), 0).map(drop)
    }

    pub(crate) fn set_bridge(&mut self, index: u32, data: Vec<InfoBridge>) -> io::Result<()> {
        let info = vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(InfoData::Bridge(data))];
        self.set_link(index, vec![LinkAttribute::LinkInfo(info)])
    }

    pub(crate) fn set_bridge_port(&mut self, index: u32, data: Vec<InfoBridgePort>) -> io::Result<()> {
        let info = vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(data)),
        ];
        self.set_link(index, vec![LinkAttribute::LinkInfo(info)])
    }

    pub(crate) fn set_link(&mut self, index: u32, attributes: Vec<LinkAttribute>) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.attributes = attributes;
        self.ask(RouteNetlinkMessage::NewLink(link), 0).map(drop)
    }

    pub(crate) fn set_up(&mut self, index: u32, up: bool) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.change_mask = LinkFlags::Up;
        link.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        self.ask(RouteNetlinkMessage::SetLink(link), 0).map(drop)
    }

    pub(crate) fn index(&mut self, name: &str) -> io::Result<u32> {
        Ok(self.link(LinkAttribute::IfName(name.into()))?.header.index)
    }

    pub(crate) fn is_running(&mut self, name: &str) -> io::Result<bool> {
        let link = self.link(LinkAttribute::IfName(name.into()))?;
        Ok(link.attributes.contains(&LinkAttribute::OperState(State::Up)))
    }

    /// `bridge fdb replace`, or for a station as if it had been learned `… dynamic`.
    pub(crate) fn add_station(
        &mut self,
        index: u32,
        mac: Mac,
        vid: u16,
        kind: StationKind,
    ) -> io::Result<()> {
        let mut entry = fdb_entry(index, mac, vid);
        entry.header.state = match kind {
            StationKind::Learned => NeighbourState::Reachable,
            _ => NeighbourState::Noarp,
        };
        entry.header.flags.set(NeighbourFlags::Sticky, kind == StationKind::Sticky);
        self.ask(RouteNetlinkMessage::NewNeighbour(entry), NLM_F_CREATE | NLM_F_REPLACE).map(drop)
    }

    pub(crate) fn remove_station(&mut self, index: u32, mac: Mac, vid: u16) -> io::Result<()> {
        self.ask(RouteNetlinkMessage::DelNeighbour(fdb_entry(index, mac, vid)), 0).map(drop)
    }

    /// The entries of a bridge that are not the machine's own.
    pub(crate) fn stations(&mut self, bridge: u32) -> io::Result<Vec<Entry>> {
        let mut dump = NeighbourMessage::default();
        dump.header.family = AddressFamily::Bridge;
        let mut stations = Vec::new();
        for answer in self.ask(RouteNetlinkMessage::GetNeighbour(dump), NLM_F_DUMP)? {
            let RouteNetlinkMessage::NewNeighbour(entry) = answer else { continue };
            let locked = |attribute: &NeighbourAttribute| matches!(attribute, NeighbourAttribute::ExtFlags(flags) if flags.contains(NeighbourExtFlags::Locked));
            let kind = match (entry.header.state, entry.header.flags.contains(NeighbourFlags::Sticky)) {
                (NeighbourState::Permanent, _) => continue,
                (NeighbourState::Noarp, true) => StationKind::Sticky,
                (NeighbourState::Noarp, false) => StationKind::Static,
                _ if entry.attributes.iter().any(locked) => StationKind::Locked,
                _ => StationKind::Learned,
            };
            let mac = entry.attributes.iter().find_map(|attribute| match attribute {
                NeighbourAttribute::LinkLayerAddress(mac) => mac.as_slice().try_into().ok().map(Mac),
                _ => None,
            });
            let vid = entry.attributes.iter().find_map(|attribute| match attribute {
                NeighbourAttribute::Vlan(vid) => Some(*vid),
                _ => None,
            });
            if let Some(mac) = mac
                && entry.attributes.contains(&NeighbourAttribute::Controller(bridge))
            {
                stations.push((mac, vid.unwrap_or(0), entry.header.ifindex, kind));
            }
        }
        stations.sort_by_key(|(mac, vid, ..)| (*mac, *vid));
        Ok(stations)
    }

    /// Whether the kernel could filter VLANs on a bridge: then it has a default one, if only none.
    pub(crate) fn can_filter_vlans(&mut self, name: &str) -> io::Result<bool> {
        // VlanFiltering is told by every kernel
        self.tells(name, |data| matches!(data, InfoBridge::VlanDefaultPvid(_)))
    }

    /// Whether the kernel tells that of a bridge.
    pub(crate) fn tells(&mut self, name: &str, what: impl Fn(&InfoBridge) -> bool) -> io::Result<bool> {
        Ok(self.bridge_data(name)?.iter().any(what))
    }

    /// Whether it tells that of a port of a bridge.
    pub(crate) fn port_tells(
        &mut self,
        name: &str,
        what: impl Fn(&InfoBridgePort) -> bool,
    ) -> io::Result<bool> {
        Ok(self.port_data(name)?.iter().any(what))
    }

    /// What the kernel tells of a bridge.
    pub(crate) fn bridge_data(&mut self, name: &str) -> io::Result<Vec<InfoBridge>> {
        let data = self.infos(name)?.into_iter().find_map(|info| match info {
            LinkInfo::Data(InfoData::Bridge(data)) => Some(data),
            _ => None,
        });
        Ok(data.unwrap_or_default())
    }

    /// What it tells of a port of a bridge.
    pub(crate) fn port_data(&mut self, name: &str) -> io::Result<Vec<InfoBridgePort>> {
        let data = self.infos(name)?.into_iter().find_map(|info| match info {
            LinkInfo::PortData(InfoPortData::BridgePort(data)) => Some(data),
            _ => None,
        });
        Ok(data.unwrap_or_default())
    }

    fn infos(&mut self, name: &str) -> io::Result<Vec<LinkInfo>> {
        let link = self.link(LinkAttribute::IfName(name.into()))?;
        let infos = link.attributes.into_iter().find_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(infos) => Some(infos),
            _ => None,
        });
        Ok(infos.unwrap_or_default())
    }

    /// `bridge vlan add`; on an interface that is itself the bridge, with `self`.
    pub(crate) fn add_vlan(&mut self, interface: u32, bridge: u32, vlan: BridgeVlanInfo) -> io::Result<()> {
        let request = vlan_request(interface, bridge, vlan);
        self.ask(RouteNetlinkMessage::SetLink(request), 0).map(drop)
    }

    /// `bridge vlan del`, likewise.
    pub(crate) fn remove_vlan(&mut self, interface: u32, bridge: u32, vid: u16) -> io::Result<()> {
        let vlan = BridgeVlanInfo { flags: BridgeVlanInfoFlags::empty(), vid };
        let request = vlan_request(interface, bridge, vlan);
        self.ask(RouteNetlinkMessage::DelLink(request), 0).map(drop)
    }

    /// `bridge vlan show`: interfaces and their VLANs.
    pub(crate) fn vlans(&mut self) -> io::Result<Vec<(u32, BridgeVlanInfo)>> {
        let mut dump = LinkMessage::default();
        dump.header.interface_family = AddressFamily::Bridge;
        dump.attributes = vec![LinkAttribute::ExtMask(vec![LinkExtentMask::Brvlan])];
        let mut vlans = Vec::new();
        for answer in self.ask(RouteNetlinkMessage::GetLink(dump), NLM_F_DUMP)? {
            let RouteNetlinkMessage::NewLink(link) = answer else { continue };
            for attribute in link.attributes {
                let LinkAttribute::AfSpecBridge(specs) = attribute else { continue };
                vlans.extend(specs.into_iter().filter_map(|spec| match spec {
                    AfSpecBridge::VlanInfo(vlan) => Some((link.header.index, vlan)),
                    _ => None,
                }));
            }
        }
        Ok(vlans)
    }

    fn link(&mut self, which: LinkAttribute) -> io::Result<LinkMessage> {
        let mut link = LinkMessage::default();
        link.attributes = vec![which];
        self.ask(RouteNetlinkMessage::GetLink(link), 0)?
            .into_iter()
            .find_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Some(link),
                _ => None,
            })
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Sends a request and gathers what is answered until the kernel says that that was all.
    pub(super) fn ask<T: NetlinkSerializable + NetlinkDeserializable>(
        &mut self,
        request: T,
        flags: u16,
    ) -> io::Result<Vec<T>> {
        self.sequence += 1;
        let payload = NetlinkPayload::InnerMessage(request);
        let mut message = NetlinkMessage::new(NetlinkHeader::default(), payload);
        let ack = if flags & NLM_F_DUMP == NLM_F_DUMP { 0 } else { NLM_F_ACK };
        message.header.flags = NLM_F_REQUEST | ack | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut answers = Vec::new();
        loop {
            // as much as the kernel tells at once: of groups it loses some between two pieces
            let mut bytes = Vec::with_capacity(PIECE);
            self.socket.recv(&mut bytes, 0)?;
            let mut rest = &bytes[..];
            while rest.len() >= 16 {
                let answer = NetlinkMessage::<T>::deserialize(rest).map_err(io::Error::other)?;
                let length = (answer.header.length as usize).next_multiple_of(4).min(rest.len());
                rest = &rest[length..];
                match answer.payload {
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answers),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                    _ => {}
                }
            }
        }
    }
}

fn fdb_entry(index: u32, mac: Mac, vid: u16) -> NeighbourMessage {
    let mut entry = NeighbourMessage::default();
    entry.header.family = AddressFamily::Bridge;
    entry.header.ifindex = index;
    entry.header.flags = NeighbourFlags::Controller;
    entry.attributes = vec![NeighbourAttribute::LinkLayerAddress(mac.0.to_vec())];
    if vid != 0 {
        entry.attributes.push(NeighbourAttribute::Vlan(vid));
    }
    entry
}

fn vlan_request(interface: u32, bridge: u32, vlan: BridgeVlanInfo) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.interface_family = AddressFamily::Bridge;
    link.header.index = interface;
    // what the crate calls "lower device" is `self`
    let whose = if interface == bridge { BridgeFlag::LowerDev } else { BridgeFlag::Controller };
    let specs = vec![AfSpecBridge::Flags(whose), AfSpecBridge::VlanInfo(vlan)];
    link.attributes = vec![LinkAttribute::AfSpecBridge(specs)];
    link
}
