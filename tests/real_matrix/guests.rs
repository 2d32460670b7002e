//! The machines: one for every kind of port, with and without tags, on both sides.
//!
//! A machine has a namespace of its own with `eth0` in it, named as `ip netns` does, so that it can be entered by its
//! name. Where something stands between its interface and vswitchd (QEMU, tags), that is a [`Relay`].

use std::fmt::Write as _;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use vswitchd::lab::netlink::{LinkChange, Netlink};
use vswitchd::lab::netns;

use crate::inspect::{Rules, Seen};
use crate::qemu;
use crate::real_common::in_node;
use crate::relay::{End, Relay};

/// What carries our namespaces' names.
const TAG: &str = "real-matrix";
/// Room for whatever is in flight, so that nothing is lost outside of vswitchd.
const QUEUE: u32 = 10_000;

/// How a machine is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A TAP of vswitchd's with offloads.
    Tap,
    /// A TAP of vswitchd's without.
    Plain,
    /// A raw port on a veth.
    Raw,
    /// A raw port on a TAP that QEMU owns, whose guest has all offloads.
    Qemu,
    /// The same, whose guest has none.
    Bare,
}

pub(crate) const KINDS: [Kind; 5] = [Kind::Tap, Kind::Plain, Kind::Raw, Kind::Qemu, Kind::Bare];

impl Kind {
    /// Whether a machine's kernel may leave work to others, and others to it.
    pub(crate) fn has_offloads(self) -> bool {
        !matches!(self, Self::Plain | Self::Bare)
    }
}

/// A machine, as it is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    pub(crate) kind: Kind,
    /// Whether its frames have tags on the wire.
    pub(crate) tagged: bool,
    /// On which side it is: the first network or the second, if there are two.
    pub(crate) side: usize,
}

/// A network that machines are plugged into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    pub(crate) name: &'static str,
    pub(crate) vid: u16,
    /// All but the last octet, and all but the last group.
    pub(crate) prefixes: [&'static str; 2],
    /// Who leads elsewhere, if anybody does.
    pub(crate) gateways: Option<[&'static str; 2]>,
}

impl Guest {
    pub(crate) fn all(side: usize) -> impl Iterator<Item = Self> {
        let tagged = |tagged| KINDS.into_iter().map(move |kind| Self { kind, tagged, side });
        tagged(false).chain(tagged(true))
    }

    pub(crate) fn name(self) -> String {
        let kind = match self.kind {
            Kind::Tap => "tap",
            Kind::Plain => "plain",
            Kind::Raw => "raw",
            Kind::Qemu => "qemu",
            Kind::Bare => "bare",
        };
        format!("{kind}{}{}", self.side, if self.tagged { "-t" } else { "" })
    }

    pub(crate) fn number(self) -> usize {
        let kind = KINDS.iter().position(|kind| *kind == self.kind).expect("one of them");
        10 + 20 * self.side + 10 * usize::from(self.tagged) + kind
    }

    pub(crate) fn address(self, network: &Network, ipv6: bool) -> IpAddr {
        let text = format!("{}{}", network.prefixes[usize::from(ipv6)], self.number());
        text.parse().expect("an address")
    }

    /// The node, if it is one of vswitchd's; with tags it is only where the wire ends.
    fn node(self) -> Option<String> {
        match self.kind {
            Kind::Qemu | Kind::Bare => None,
            _ if self.tagged => Some(format!("{}-wire", self.name())),
            _ => Some(self.name()),
        }
    }

    /// The port's name in vswitchd.
    pub(crate) fn port(self) -> String {
        match (self.kind, self.node()) {
            (Kind::Tap | Kind::Plain, Some(node)) => format!("{node}:eth0"),
            _ => format!("w-{}", self.name()),
        }
    }

    /// Its part of the lab's file.
    pub(crate) fn write(self, network: &Network, text: &mut String) {
        let vlan = if self.tagged {
            format!("trunk = [{}]", network.vid)
        } else {
            format!("access = {}", network.vid)
        };
        let wire = format!("w-{}", self.name());
        let mut line = |line: &str| writeln!(text, "{line}").expect("a string grows");
        let in_network = format!("network = \"{}\"\n{vlan}", network.name);
        if !matches!(self.kind, Kind::Tap | Kind::Plain) {
            line(&format!(
                "[[port]]\nname = \"{wire}\"\nkind = \"raw\"\ninterface = \"{wire}\"\n{in_network}"
            ));
        }
        let Some(node) = self.node() else { return };
        line(&format!("[[node]]\nname = \"{node}\"\n[[node.interface]]\nname = \"eth0\""));
        match self.kind {
            Kind::Raw => line(&format!("peer = \"{wire}\"")),
            Kind::Plain => line(&format!("{in_network}\noffload = false")),
            _ => line(&in_network),
        }
        if !self.tagged {
            let [v4, v6] = [false, true].map(|ipv6| self.address(network, ipv6));
            line(&format!("address = [\"{v4}/24\", \"{v6}/64\"]"));
            if let Some([v4, v6]) = network.gateways {
                line(&format!("gateway = [\"{v4}\", \"{v6}\"]"));
            }
        }
    }

    /// The TAP that QEMU opens before vswitchd starts, if it has one.
    pub(crate) fn power_on(self) -> Option<End> {
        let wire = format!("w-{}", self.name());
        let offloads = match self.kind {
            Kind::Qemu => qemu::ALL_OFFLOADS,
            Kind::Bare => qemu::NO_OFFLOAD,
            _ => return None,
        };
        let fd = qemu::tap(&wire, offloads);
        // it is a wire's end, not an interface of this machine
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{wire}/disable_ipv6"), "1").expect("root here");
        set_up(&wire);
        Some(End::Tap(fd))
    }
}

/// A machine that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) guest: Guest,
    /// Where its frames are read, and can be written in its name.
    pub(crate) wire: Arc<End>,
    relay: Option<Relay>,
}

impl Running {
    /// Starts it, when vswitchd runs.
    pub(crate) fn start(guest: Guest, network: &Network, wire: Option<End>) -> Self {
        let rules = Rules { finished: !guest.kind.has_offloads(), vid: guest.tagged.then_some(network.vid) };
        let wire = wire.unwrap_or_else(|| {
            let node = guest.node().expect("it has one or the other");
            in_node(&node, || End::packet("eth0"))
        });
        let direct = !guest.tagged && matches!(guest.kind, Kind::Tap | Kind::Plain | Kind::Raw);
        let machine = (!direct).then(|| furnish(guest, network));
        let wire = Arc::new(wire);
        Self { guest, relay: Some(Relay::start(Arc::clone(&wire), machine, rules)), wire }
    }

    pub(crate) fn pause(&self, pause: bool) {
        self.relay.as_ref().expect("it runs").pause(pause);
    }

    /// Ends it; what it has seen. The namespace of a machine that is no node is forgotten.
    pub(crate) fn stop(mut self) -> Seen {
        let seen = self.relay.take().expect("it runs").stop();
        let _ = netns::withdraw(&self.guest.name(), TAG);
        seen
    }
}

/// A namespace with an interface of which we hold the other end.
fn furnish(guest: Guest, network: &Network) -> End {
    let netns = netns::make(TAG).expect("root here");
    let offloads = match guest.kind {
        Kind::Bare => qemu::NO_OFFLOAD,
        _ => qemu::ALL_OFFLOADS,
    };
    let fd = netns::within(netns.as_fd(), || {
        let fd = qemu::tap("eth0", offloads);
        let index = set_up("eth0");
        let mut netlink = Netlink::open().expect("netlink");
        for (ipv6, length) in [(false, 24), (true, 64)] {
            let net = format!("{}/{length}", guest.address(network, ipv6)).parse().expect("an address");
            netlink.add_address(index, net).expect("a free one");
        }
        for gateway in network.gateways.into_iter().flatten() {
            netlink.add_default_route(index, gateway.parse().expect("an address")).expect("on the link");
        }
        fd
    });
    netns::publish(&guest.name(), netns.as_fd()).expect("a free name");
    End::Tap(fd.expect("entered"))
}

fn set_up(interface: &str) -> u32 {
    let mut netlink = Netlink::open().expect("netlink");
    let index = netlink.index(interface).expect("we made it");
    let change = LinkChange { up: true, txqueuelen: Some(QUEUE), ..LinkChange::default() };
    netlink.change_link(index, &change).expect("root here");
    index
}
