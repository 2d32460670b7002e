//! A machine with one interface: it asks and answers ARP, and sends and answers pings. Nothing more.
//!
//! It is a value too: frames in, frames out, no clock. It is real enough to show that two machines reach each
//! other through a fabric in the way real ones do, with a cache that must be right for the frames to arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use etherparse::{
    ArpEthIpv4Packet, ArpOperation, Icmpv4Type, NetSlice, PacketBuilder, SlicedPacket, TransportSlice,
};

use crate::wire::mac::Mac;

/// A machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its hardware address.
    pub mac: Mac,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Whom it found.
    pub neighbors: BTreeMap<Ipv4Addr, Mac>,
    /// Who answered its pings.
    pub pongs: BTreeSet<Ipv4Addr>,
    waiting: BTreeSet<Ipv4Addr>,
}

impl Host {
    /// A machine that has just been switched on.
    pub fn new(mac: Mac, ip: Ipv4Addr) -> Self {
        Self { mac, ip, neighbors: BTreeMap::new(), pongs: BTreeSet::new(), waiting: BTreeSet::new() }
    }

    /// The frame with which it pings `to`: the ping, or the question who has that address.
    pub fn ping(&mut self, to: Ipv4Addr) -> Vec<u8> {
        self.waiting.insert(to);
        match self.neighbors.get(&to) {
            Some(mac) => self.echo(to, *mac, true),
            None => self.arp(ArpOperation::REQUEST, Mac::BROADCAST, to),
        }
    }

    /// What it answers to a frame, if anything.
    pub fn receive(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let packet = SlicedPacket::from_ethernet(frame).ok()?;
        let dst = Mac(frame.first_chunk::<6>().copied()?);
        if dst != self.mac && !dst.is_group() {
            return None;
        }
        match (packet.net?, packet.transport) {
            (NetSlice::Arp(arp), _) => self.receive_arp(&arp.to_packet().try_eth_ipv4().ok()?),
            (NetSlice::Ipv4(ip), Some(TransportSlice::Icmpv4(icmp))) => {
                let header = ip.header();
                (header.destination_addr() == self.ip).then_some(())?;
                let from = header.source_addr();
                match icmp.icmp_type() {
                    Icmpv4Type::EchoRequest(_) => Some(self.echo(from, *self.neighbors.get(&from)?, false)),
                    Icmpv4Type::EchoReply(_) => {
                        if self.waiting.remove(&from) {
                            self.pongs.insert(from);
                        }
                        None
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn receive_arp(&mut self, arp: &ArpEthIpv4Packet) -> Option<Vec<u8>> {
        let from = Ipv4Addr::from(arp.sender_ipv4);
        (Ipv4Addr::from(arp.target_ipv4) == self.ip).then_some(())?;
        self.neighbors.insert(from, Mac(arp.sender_mac));
        match arp.operation {
            ArpOperation::REQUEST => Some(self.arp(ArpOperation::REPLY, Mac(arp.sender_mac), from)),
            _ if self.waiting.contains(&from) => Some(self.echo(from, Mac(arp.sender_mac), true)),
            _ => None,
        }
    }

    fn arp(&self, operation: ArpOperation, to: Mac, ip: Ipv4Addr) -> Vec<u8> {
        let target = if to.is_broadcast() { Mac::ZERO } else { to };
        let arp = ArpEthIpv4Packet {
            operation,
            sender_mac: self.mac.0,
            sender_ipv4: self.ip.octets(),
            target_mac: target.0,
            target_ipv4: ip.octets(),
        };
        let mut frame = Vec::new();
        PacketBuilder::ethernet2(self.mac.0, to.0)
            .arp(arp.into())
            .write(&mut frame)
            .expect("a vector takes everything");
        frame
    }

    fn echo(&self, to: Ipv4Addr, mac: Mac, request: bool) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2(self.mac.0, mac.0).ipv4(self.ip.octets(), to.octets(), 64);
        let builder =
            if request { builder.icmpv4_echo_request(1, 1) } else { builder.icmpv4_echo_reply(1, 1) };
        let mut frame = Vec::new();
        builder.write(&mut frame, b"ping").expect("a vector takes everything");
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hosts_on_a_string() {
        let mut a = Host::new(Mac([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(10, 0, 0, 1));
        let mut b = Host::new(Mac([2, 0, 0, 0, 0, 2]), Ipv4Addr::new(10, 0, 0, 2));
        let question = a.ping(b.ip);
        let answer = b.receive(&question).expect("b answers who it is");
        let ping = a.receive(&answer).expect("a pings when it knows");
        let pong = b.receive(&ping).expect("b answers");
        assert_eq!(a.receive(&pong), None, "that was all");
        assert!(a.pongs.contains(&b.ip));
        assert_eq!(b.neighbors.get(&a.ip), Some(&a.mac), "being asked teaches who asks");
        assert_eq!(b.receive(&[0; 60]), None, "not for b");
    }
}
