//! Whom the other side sees: the source of what arrives there.
//!
//! A packet socket in the namespace of who answers shows what arrives, whoever listens: a listener of ours, a program
//! of the lab's or the kernel itself, which answers pings. What counts is what is for the address and the port that
//! the probe leads to, so whatever else the machine is busy with is passed over; of a connection only its first
//! segment. Anybody else who talks to the same port meanwhile is seen, too, and is then one too many.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use etherparse::{Icmpv4Type, Icmpv6Type, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::netns;

/// `ETH_P_ALL`: packet sockets then get a frame before a bridge in the machine takes it.
const EVERY_PROTOCOL: u16 = 3;
/// What is read of a packet: its headers.
const HEADERS: usize = 256;

/// Somebody who looks at what arrives at a machine.
#[derive(Debug)]
pub(super) struct Witness {
    socket: Socket,
    watched: Watched,
}

/// What arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// Echo requests.
    Ping(IpAddr),
    /// The first segments of connections.
    Tcp(SocketAddr),
    /// Datagrams.
    Udp(SocketAddr),
}

impl Witness {
    /// Looks from now on.
    pub(super) fn open(at: &OwnedFd, watched: Watched) -> Result<Self, String> {
        let socket = watch(at).map_err(|e| format!("cannot open a packet socket: {e}"))?;
        Ok(Self { socket, watched })
    }

    /// What has arrived came from there, and all of it. Gives the port that the last of it came from.
    pub(super) fn confirm(&self, expected: IpAddr) -> Result<Option<u16>, String> {
        let mut last = None;
        let mut packet = [0; HEADERS];
        loop {
            match (&self.socket).read(&mut packet) {
                Ok(length) => match self.watched.source(&packet[..length]) {
                    Some((source, port)) if source == expected => last = Some(port),
                    Some((source, _)) => return Err(format!("it is seen as {source}")),
                    None => {}
                },
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.to_string()),
            }
        }
        last.ok_or_else(|| "nobody was seen there".to_owned())
    }
}

impl Watched {
    /// Who sent it, and from which port, if it is one of them.
    fn source(self, packet: &[u8]) -> Option<(IpAddr, Option<u16>)> {
        let sliced = LaxSlicedPacket::from_ip(packet).ok()?;
        let (source, destination): (IpAddr, IpAddr) = match sliced.net? {
            LaxNetSlice::Ipv4(ip) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            LaxNetSlice::Ipv6(ip) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            LaxNetSlice::Arp(_) => return None,
        };
        let is_for = |to: SocketAddr, port| to == SocketAddr::new(destination, port);
        let port = match (self, sliced.transport?) {
            (Self::Ping(to), TransportSlice::Icmpv4(icmp)) if to == destination => {
                matches!(icmp.icmp_type(), Icmpv4Type::EchoRequest(_)).then_some(None)?
            }
            (Self::Ping(to), TransportSlice::Icmpv6(icmp)) if to == destination => {
                matches!(icmp.icmp_type(), Icmpv6Type::EchoRequest(_)).then_some(None)?
            }
            (Self::Tcp(to), TransportSlice::Tcp(tcp)) if is_for(to, tcp.destination_port()) => {
                (tcp.syn() && !tcp.ack()).then_some(Some(tcp.source_port()))?
            }
            (Self::Udp(to), TransportSlice::Udp(udp)) if is_for(to, udp.destination_port()) => {
                Some(udp.source_port())
            }
            _ => return None,
        };
        Some((source, port))
    }
}

/// A socket that is shown what arrives at all interfaces, whoever it is for.
pub(super) fn watch(at: &OwnedFd) -> io::Result<Socket> {
    let protocol = Protocol::from(i32::from(EVERY_PROTOCOL.to_be()));
    let socket = netns::within(at.as_fd(), || Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)))??;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    #[test]
    fn only_what_is_for_the_probes_target_is_looked_at() {
        let ipv4 = || PacketBuilder::ipv4([192, 0, 2, 1], [10, 0, 0, 2], 64);
        let end = |builder: etherparse::PacketBuilderStep<etherparse::UdpHeader>| {
            let mut packet = Vec::new();
            builder.write(&mut packet, &[7; 2000]).expect("into memory");
            packet
        };
        let tcp = |flags: &str, port: u16| {
            let step = ipv4().tcp(4000, port, 1, 1000);
            let step = if flags.contains('s') { step.syn() } else { step };
            let step = if flags.contains('a') { step.ack(1) } else { step };
            let mut packet = Vec::new();
            step.write(&mut packet, &[]).expect("into memory");
            packet
        };
        let echo = |request: bool| {
            let mut packet = Vec::new();
            let step =
                if request { ipv4().icmpv4_echo_request(1, 1) } else { ipv4().icmpv4_echo_reply(1, 1) };
            step.write(&mut packet, &[]).expect("into memory");
            packet
        };
        let to: SocketAddr = "10.0.0.2:80".parse().expect("one");
        let elsewhere: SocketAddr = "10.0.0.3:80".parse().expect("one");
        let address = "192.0.2.1".parse::<IpAddr>().expect("an address");
        let from = |port| Some((address, port));
        for (watched, packet, expected, why) in [
            (
                Watched::Udp(to),
                end(ipv4().udp(5, 80)),
                from(Some(5)),
                "a datagram, of which only the headers are read",
            ),
            (Watched::Udp(to), end(ipv4().udp(5, 81)), None, "another port"),
            (
                Watched::Udp(elsewhere),
                end(ipv4().udp(5, 80)),
                None,
                "for somebody else: what it sends itself",
            ),
            (Watched::Tcp(to), end(ipv4().udp(5, 80)), None, "another protocol"),
            (Watched::Tcp(to), tcp("s", 80), from(Some(4000)), "the first segment"),
            (Watched::Tcp(to), tcp("sa", 80), None, "an answer"),
            (Watched::Tcp(to), tcp("a", 80), None, "of a connection that was there before"),
            (Watched::Ping(to.ip()), echo(true), from(None), "a request"),
            (Watched::Ping(to.ip()), echo(false), None, "a reply"),
            (Watched::Ping(to.ip()), vec![0x45, 0], None, "half a header"),
        ] {
            let read = packet.len().min(HEADERS);
            assert_eq!(watched.source(&packet[..read]), expected, "{why}");
        }
    }
}
