//! The kernel's bridge in a namespace of its own, with a TAP in every port and a raw socket in the host's place.
//!
//! Writing a frame into a TAP runs the whole way through the bridge before the call returns (V27), so what it
//! delivers can be read at once, and "nothing came out" is certain without waiting.

use std::io;
use std::os::fd::{AsFd, IntoRawFd};

use netlink_packet_route::link::{
    BridgeVlanInfo, BridgeVlanInfoFlags, InfoBridge, InfoBridgePort, LinkAttribute,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tun_tap::{Iface, Mode};
use vswitchd::bridge::{MulticastLegConfig, StationKind, VlanEntry};
use vswitchd::fabric::{Change, Membership, Station};
use vswitchd::frame::{Plug, PortId, Tag};
use vswitchd::port::sys::{self, Message};
use vswitchd::sim::Kernel;
use vswitchd::wire::mac::Mac;

use super::netlink::{Entry, Netlink};
use super::vlans::Vlan;

pub(super) const BRIDGE: &str = "br0";

/// A bridge of the kernel. Port 0 is the host's.
pub(crate) struct Rig {
    pub(super) netlink: Netlink,
    pub(super) bridge: u32,
    taps: Vec<Tap>,
    host: socket2::Socket,
    address: Mac,
    buffer: [Box<[u8]>; 1],
    /// Whether VLANs are anything but off and empty.
    pub(super) vlans: bool,
    /// Whether groups were ever snooped on this bridge, which leaves traces.
    pub(super) snooped: bool,
    /// Where the host is never a router, the kernel tells of no others either.
    pub(super) tells_routers: bool,
    /// Ports that may have a backup.
    backed: Vec<PortId>,
    /// What this kernel can do.
    pub(crate) kernel: Kernel,
}

pub(super) struct Tap {
    iface: Iface,
    pub(super) index: u32,
    up: bool,
    /// What was last set.
    pub(super) multicast: MulticastLegConfig,
}

/// Something came out of a port.
pub(crate) type Output = (PortId, Vec<u8>);

/// A station that a bridge knows; the VLAN is zero on a bridge that does not filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) mac: Mac,
    pub(crate) vid: u16,
    pub(crate) port: PortId,
    pub(crate) kind: StationKind,
}

/// Runs `test` on a thread in a new network namespace, which dies with it. False where that is not allowed.
pub(crate) fn in_new_namespace(test: impl FnOnce() + Send) -> bool {
    let Ok(namespace) = vswitchd::port::sys::new_network_namespace() else { return false };
    std::thread::scope(|scope| {
        let test = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind)
                .expect("whoever made a namespace may enter it");
            test();
        };
        if let Err(panic) = scope.spawn(test).join() {
            std::panic::resume_unwind(panic);
        }
    });
    true
}

impl Rig {
    /// A bridge with `ports` TAPs, in the namespace of this thread.
    pub(crate) fn new(ports: u16, host: Mac) -> io::Result<Self> {
        // the machine must not speak of its own accord, nor look into the frames (B84)
        for silence in [
            ("net/ipv6/conf/all/disable_ipv6", "1"),
            ("net/ipv6/conf/default/disable_ipv6", "1"),
            ("net/ipv4/igmp_link_local_mcast_reports", "0"),
            ("net/bridge/bridge-nf-call-iptables", "0"),
            ("net/bridge/bridge-nf-call-ip6tables", "0"),
            ("net/bridge/bridge-nf-call-arptables", "0"),
        ] {
            // absent where the kernel lacks the feature
            std::fs::write(format!("/proc/sys/{}", silence.0), silence.1).ok();
        }
        let mut netlink = Netlink::new()?;
        let mut taps = Vec::new();
        for port in 1..=ports {
            let iface = Iface::without_packet_info(&format!("tap{port}"), Mode::Tap)?;
            iface.set_non_blocking()?;
            let index = netlink.index(iface.name())?;
            netlink.set_up(index, true)?;
            taps.push(Tap { iface, index, up: true, multicast: MulticastLegConfig::default() });
        }
        let bridge = build(&mut netlink, host, &taps)?;
        let kernel = Kernel {
            mab: netlink.port_tells("tap1", |data| matches!(data, InfoBridgePort::Mab(_)))?,
            fdb_max: netlink.tells(BRIDGE, |data| matches!(data, InfoBridge::FdbMaxLearned(_)))?,
        };
        Ok(Self {
            netlink,
            bridge,
            taps,
            host: packet_socket(bridge)?,
            address: host,
            buffer: [vec![0; 70_000].into_boxed_slice()],
            vlans: false,
            snooped: false,
            tells_routers: true,
            backed: vec![],
            kernel,
        })
    }

    /// Another bridge in the place of this one.
    fn rebuild(&mut self) -> io::Result<()> {
        self.netlink.delete(self.bridge)?;
        self.bridge = build(&mut self.netlink, self.address, &self.taps)?;
        self.host = packet_socket(self.bridge)?;
        (self.vlans, self.snooped) = (false, false);
        self.backed.clear();
        self.taps.iter_mut().for_each(|tap| tap.multicast = MulticastLegConfig::default());
        Ok(())
    }

    /// As if new, set up like that.
    pub(crate) fn reset(&mut self, setup: &[Change]) -> io::Result<()> {
        for port in 0..self.taps.len() {
            if !self.taps[port].up {
                self.apply(Change::SetPortUp(PortId(port as u16 + 1), true))?;
            }
        }
        if self.snooped {
            self.rebuild()?;
        }
        for port in std::mem::take(&mut self.backed) {
            self.netlink.set_bridge_port(self.tap(port).index, vec![InfoBridgePort::BackupPort(0)])?;
        }
        let set = self.netlink.stations(self.bridge)?.into_iter().filter(|(.., kind)| !ages(*kind));
        self.forget(&set.collect::<Vec<_>>())?;
        if self.vlans {
            self.set_filtering(None)?;
        }
        self.netlink.set_bridge(self.bridge, vec![InfoBridge::FdbFlush])?;
        for change in setup {
            match *change {
                Change::AddBridge(_, config) => self.configure_bridge(&config)?,
                Change::AddPort(port, _, config) => {
                    self.configure_port(port, &config)?;
                }
                Change::AddVlan(..) => {
                    self.apply(change.clone())?;
                }
                _ => unreachable!("a story for the kernel is not set up by {change:?}"),
            }
        }
        self.drain(&mut Vec::new())
    }

    /// Makes a change; whether the kernel agreed.
    pub(crate) fn apply(&mut self, change: Change) -> io::Result<bool> {
        match change {
            Change::AddGroup(Membership { at, group, .. }) => Ok(self.set_group(port_of(at), group, true)),
            Change::AddStation(Station { mac, vlan, at, kind, .. }) => {
                // replaces what was learned, which `bridge fdb add` alone refuses to
                let vids = match vlan {
                    Some(vid) => vec![vid],
                    None => self.vids(port_of(at))?,
                };
                let known = self.netlink.stations(self.bridge)?;
                let set = |(of, vid, _, kind): &Entry| *of == mac && vids.contains(vid) && !ages(*kind);
                let index = self.tap(port_of(at)).index;
                let free = !known.iter().any(set);
                Ok(free && self.netlink.add_station(index, mac, vlan.unwrap_or(0), kind).is_ok())
            }
            Change::AddVlan(at, VlanEntry { vid, pvid, untagged }) => {
                self.vlans = true;
                Ok(self.add_vlan(port_of(at), Vlan { vid, pvid, untagged }))
            }
            Change::RemoveGroup(Membership { at, group, .. }) => {
                Ok(self.set_group(port_of(at), group, false))
            }
            Change::RemoveStation(Station { mac, vlan, kind, .. }) => {
                // wherever it has moved to
                let meant = |(of, vid, _, how): &Entry| {
                    (*of, *how) == (mac, kind) && vlan.is_none_or(|vlan| vlan == *vid)
                };
                let known = self.netlink.stations(self.bridge)?;
                let (gone, stay): (Vec<_>, Vec<_>) = known.into_iter().partition(meant);
                self.forget(&gone)?;
                if !gone.is_empty() {
                    self.restore(&stay)?;
                }
                Ok(!gone.is_empty())
            }
            Change::RemoveVlan(at, vid) => {
                // the kernel does not mind if it is not in it
                let inside = self.vlans && self.vids(port_of(at))?.contains(&vid);
                Ok(inside && self.remove_vlan(port_of(at), vid))
            }
            Change::ConfigureBridge(_, config) => self.configure_bridge(&config).map(|()| true),
            Change::ConfigureLeg(at, config) => self.configure_port(port_of(at), &config).map(|()| true),
            Change::Flush(_, None, _) => {
                self.netlink.set_bridge(self.bridge, vec![InfoBridge::FdbFlush]).map(|()| true)
            }
            Change::Flush(_, Some(Plug::Port(PortId(0))), _) => Ok(true),
            Change::Flush(_, Some(at), _) => {
                let index = self.tap(port_of(at)).index;
                self.netlink.set_bridge_port(index, vec![InfoBridgePort::Flush]).map(|()| true)
            }
            Change::SetBackup(at, backup) => {
                self.backed.push(port_of(at));
                let index = self.tap(port_of(at)).index;
                let backup = backup.map_or(0, |backup| self.tap(port_of(backup)).index);
                Ok(self.netlink.set_bridge_port(index, vec![InfoBridgePort::BackupPort(backup)]).is_ok())
            }
            Change::SetPortUp(port, up) => {
                let tap = self.tap_mut(port);
                tap.up = up;
                let index = tap.index;
                self.netlink.set_up(index, up).map(|()| true)
            }
            other => unreachable!("no story for the kernel has {other:?}"),
        }
    }

    /// The VLANs in which a station at a port is set if none is named (B58): all of the port's, and none.
    fn vids(&mut self, port: PortId) -> io::Result<Vec<u16>> {
        let vlans = if self.vlans { self.vlans(port)? } else { vec![] };
        Ok(std::iter::once(0).chain(vlans.into_iter().map(|vlan| vlan.vid)).collect())
    }

    /// Takes entries away. The highest VLANs first: one that is taken away without a VLAN is so in all of the port's.
    fn forget(&mut self, entries: &[Entry]) -> io::Result<()> {
        for (mac, vid, interface, _) in entries.iter().rev() {
            self.within(*interface, *vid, |netlink| netlink.remove_station(*interface, *mac, *vid))?;
        }
        Ok(())
    }

    /// Puts entries back that went with others.
    fn restore(&mut self, entries: &[Entry]) -> io::Result<()> {
        let known = self.netlink.stations(self.bridge)?;
        for (mac, vid, interface, kind) in entries.iter().filter(|entry| !known.contains(entry)) {
            self.within(*interface, *vid, |netlink| netlink.add_station(*interface, *mac, *vid, *kind))?;
        }
        Ok(())
    }

    /// Does something while a port is in a VLAN: what was set there stays when it leaves (B61), but cannot be named.
    fn within(
        &mut self,
        interface: u32,
        vid: u16,
        work: impl FnOnce(&mut Netlink) -> io::Result<()>,
    ) -> io::Result<()> {
        let port = self.taps.iter().position(|tap| tap.index == interface).map(|at| PortId(at as u16 + 1));
        let stranger = match port {
            Some(port) if vid != 0 => !self.vids(port)?.contains(&vid),
            _ => false,
        };
        if stranger {
            let info = BridgeVlanInfo { flags: BridgeVlanInfoFlags::empty(), vid };
            self.netlink.add_vlan(interface, self.bridge, info)?;
        }
        work(&mut self.netlink)?;
        if stranger {
            self.netlink.remove_vlan(interface, self.bridge, vid)?;
        }
        Ok(())
    }

    /// Puts a frame in, and returns everything that comes out, in a fixed order.
    pub(crate) fn receive(&mut self, port: PortId, frame: &[u8]) -> io::Result<Vec<Output>> {
        if port.0 == 0 {
            self.host.send(frame)?;
        } else if self.tap(port).up {
            self.tap(port).iface.send(frame)?;
        }
        self.outputs()
    }

    /// Everything that has come out since.
    pub(crate) fn outputs(&mut self) -> io::Result<Vec<Output>> {
        let mut outputs = Vec::new();
        self.drain(&mut outputs)?;
        outputs.sort();
        Ok(outputs)
    }

    /// The port of an interface; that of the bridge itself is the host's.
    pub(super) fn port(&self, index: u32) -> Option<PortId> {
        if index == self.bridge {
            return Some(PortId(0));
        }
        self.taps.iter().position(|tap| tap.index == index).map(|at| PortId(at as u16 + 1))
    }

    /// What the bridge knows.
    pub(crate) fn stations(&mut self) -> io::Result<Vec<Known>> {
        let stations = self.netlink.stations(self.bridge)?;
        let port = |index| self.taps.iter().position(|tap| tap.index == index);
        Ok(stations
            .into_iter()
            .filter_map(|(mac, vid, index, kind)| {
                Some(Known { mac, vid, port: PortId(port(index)? as u16 + 1), kind })
            })
            .collect())
    }

    /// Sets a station at a port, in one VLAN or all of the port's; whether the kernel agreed.
    pub(crate) fn add_station(&mut self, port: PortId, mac: Mac, vid: Option<u16>) -> bool {
        self.netlink.add_station(self.tap(port).index, mac, vid.unwrap_or(0), StationKind::Static).is_ok()
    }

    /// Takes a station away, likewise.
    pub(crate) fn remove_station(&mut self, port: PortId, mac: Mac, vid: Option<u16>) -> bool {
        self.netlink.remove_station(self.tap(port).index, mac, vid.unwrap_or(0)).is_ok()
    }

    /// Sets how long stations are remembered, in hundredths of a second.
    pub(crate) fn set_ageing(&mut self, centiseconds: u32) -> io::Result<()> {
        self.netlink.set_bridge(self.bridge, vec![InfoBridge::AgeingTime(centiseconds)])
    }

    /// The ports, but for the host's.
    pub(super) fn ports(&self) -> impl Iterator<Item = PortId> + use<> {
        (1..=self.taps.len() as u16).map(PortId)
    }

    pub(super) fn is_up(&self, port: PortId) -> bool {
        port.0 == 0 || self.tap(port).up
    }

    pub(super) fn interface(&self, port: PortId) -> u32 {
        if port.0 == 0 { self.bridge } else { self.tap(port).index }
    }

    pub(super) fn tap_mut(&mut self, port: PortId) -> &mut Tap {
        &mut self.taps[usize::from(port.0) - 1]
    }

    pub(super) fn tap(&self, port: PortId) -> &Tap {
        &self.taps[usize::from(port.0) - 1]
    }

    fn drain(&mut self, outputs: &mut Vec<Output>) -> io::Result<()> {
        let mut messages = [Message::default()];
        loop {
            match sys::packet_receive(self.host.as_fd(), &mut self.buffer, 0, &mut messages) {
                Ok(_) => {
                    outputs.push((PortId(0), whole(&self.buffer[0][..messages[0].len], messages[0].tag)))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        for (port, tap) in self.taps.iter().enumerate().filter(|(_, tap)| tap.up) {
            loop {
                match tap.iface.recv(&mut self.buffer[0]) {
                    Ok(length) => outputs.push((PortId(port as u16 + 1), self.buffer[0][..length].to_vec())),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// A bridge with those ports, ready to forward.
fn build(netlink: &mut Netlink, address: Mac, taps: &[Tap]) -> io::Result<u32> {
    netlink.add_bridge(BRIDGE, address)?;
    let bridge = netlink.index(BRIDGE)?;
    // an MTU set by the user stays when those of the ports change (B48); one that changes nothing is not set
    for mtu in [1400, 1500] {
        netlink.set_link(bridge, vec![LinkAttribute::Mtu(mtu)])?;
    }
    // or a station set without a VLAN would be set in that one as well, though nothing is filtered (B58)
    netlink.set_bridge(bridge, vec![InfoBridge::VlanDefaultPvid(0)])?;
    for tap in taps {
        netlink.set_link(tap.index, vec![LinkAttribute::Controller(bridge)])?;
    }
    netlink.set_up(bridge, true)?;
    while !netlink.is_running(BRIDGE)? {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ok(bridge)
}

/// Whether the kernel forgets it of its own accord.
fn ages(kind: StationKind) -> bool {
    matches!(kind, StationKind::Learned | StationKind::Locked)
}

/// The port of a leg that is one.
fn port_of(at: Plug) -> PortId {
    match at {
        Plug::Link(..) => unreachable!("no story for the kernel has links"),
        Plug::Port(port) => port,
    }
}

/// A frame as it was before the kernel took out its tag (V19).
fn whole(bytes: &[u8], tag: Option<Tag>) -> Vec<u8> {
    match tag {
        Some(Tag { tpid, tci }) => {
            [&bytes[..12], &tpid.to_be_bytes(), &tci.to_be_bytes(), &bytes[12..]].concat()
        }
        None => bytes.to_vec(),
    }
}

/// A raw socket on an interface, which does not wait, and tells the tag that the kernel takes out of a frame.
fn packet_socket(index: u32) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::PACKET, socket2::Type::RAW.nonblocking(), None)?;
    sys::packet_set_option(socket.as_fd(), libc::PACKET_AUXDATA, 1)?;
    let bound = socket.try_clone()?;
    let interface = pnet_datalink::NetworkInterface {
        name: BRIDGE.into(),
        description: String::new(),
        index,
        mac: None,
        ips: Vec::new(),
        flags: 0,
    };
    let config = pnet_datalink::Config {
        socket_fd: Some(socket.into_raw_fd()),
        promiscuous: false,
        ..Default::default()
    };
    pnet_datalink::channel(&interface, config)?;
    Ok(bound)
}
