//! Network namespaces for tests, and just enough netlink to furnish them.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use vswitchd::port::{open, sys};

/// A network namespace of its own, gone with the value.
pub(crate) struct Netns(pub(crate) OwnedFd);

impl Netns {
    /// `None`, and a word to the reader of the test's output, where this machine does not allow it.
    pub(crate) fn new() -> Option<Self> {
        if !std::path::Path::new("/dev/net/tun").exists() {
            eprintln!("SKIPPED: there is no /dev/net/tun");
            return None;
        }
        match sys::new_network_namespace() {
            Ok(fd) => Some(Self(fd)),
            Err(error) => {
                eprintln!("SKIPPED: cannot make a network namespace ({error}); run as root");
                None
            }
        }
    }

    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        open::in_namespace(Some(self.0.as_fd()), work).expect("our own namespace can be entered")
    }

    /// Keeps the kernel from sending anything of its own accord.
    pub(crate) fn without_ipv6(&self) {
        self.enter(|| std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"))
            .expect("root may write sysctls");
    }

    pub(crate) fn set_up(&self, interface: &str, up: bool) {
        let mut link = self.link(interface);
        link.header.change_mask = LinkFlags::Up;
        link.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        self.ask(RouteNetlinkMessage::SetLink(link), 0);
    }

    pub(crate) fn delete(&self, interface: &str) {
        let link = self.link(interface);
        self.ask(RouteNetlinkMessage::DelLink(link), 0);
    }

    /// A veth pair, one end here, one in `peer_netns`; both up.
    pub(crate) fn add_veth(&self, interface: &str, peer_netns: &Self, peer: &str) {
        let mut peer_link = LinkMessage::default();
        peer_link.attributes =
            vec![LinkAttribute::IfName(peer.to_owned()), LinkAttribute::NetNsFd(peer_netns.0.as_raw_fd())];
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(interface.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer_link))),
            ]),
        ];
        self.ask(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL);
        self.set_up(interface, true);
        peer_netns.set_up(peer, true);
        self.await_running(interface);
        peer_netns.await_running(peer);
    }

    /// Waits until the kernel has noticed the carrier, which it does in the background: until then it silently throws
    /// away what is sent. IFF_RUNNING is no help, it is set before.
    fn await_running(&self, interface: &str) {
        let up = LinkAttribute::OperState(State::Up);
        loop {
            let answer = self.exchange(RouteNetlinkMessage::GetLink(self.link(interface)), 0);
            match answer {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link))
                    if link.attributes.contains(&up) =>
                {
                    return;
                }
                _ => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
    }

    pub(crate) fn add_address(&self, interface: &str, address: IpAddr, prefix_len: u8) {
        let mut message = AddressMessage::default();
        message.header.family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.prefix_len = prefix_len;
        message.header.flags = AddressHeaderFlags::Nodad;
        message.header.index = self.index(interface);
        message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
        self.ask(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL);
    }

    fn link(&self, interface: &str) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = self.index(interface);
        link
    }

    fn index(&self, interface: &str) -> u32 {
        let interfaces = self.enter(pnet_datalink::interfaces);
        interfaces.iter().find(|found| found.name == interface).expect("the interface exists").index
    }

    fn ask(&self, request: RouteNetlinkMessage, flags: u16) {
        match self.exchange(request, flags) {
            NetlinkPayload::Error(error) if error.code.is_none() => {}
            other => panic!("netlink refused: {other:?}"),
        }
    }

    /// Sends a request and returns the first thing that is said to it.
    fn exchange(&self, request: RouteNetlinkMessage, flags: u16) -> NetlinkPayload<RouteNetlinkMessage> {
        let socket = self.enter(|| -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(socket)
        });
        let socket = socket.expect("netlink");
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        socket.send(&bytes, 0).expect("netlink takes requests");
        let (answer, _) = socket.recv_from_full().expect("netlink answers");
        NetlinkMessage::deserialize(&answer).expect("netlink speaks netlink").payload
    }
}
