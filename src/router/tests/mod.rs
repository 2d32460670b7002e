//! A router between hosts, in virtual time.

mod behaviours;
mod hostile;
mod hosts;
mod pieces;

use std::net::IpAddr;
use std::time::Duration;

use super::decision::{Decision, Fate, Ingress};
use super::interface::{Interface, Role};
use super::policy::{self, config::Action};
use super::{Router, Settings};
use crate::frame::{Edit, Headers, LegIndex, Offload, Passage};
use crate::time::Time;
use crate::wire::arp::{self, Arp};
use crate::wire::checksum;
use crate::wire::datagram::{Builder, Datagram, ICMP, ICMPV6, TCP, UDP, pseudo_header};
use crate::wire::mac::Mac;

/// The router's legs: 10.0.N.1/24 and 2001:db8:N::1/64.
pub(super) const fn leg_mac(leg: u16) -> Mac {
    Mac([2, 0, 0, 0, 0xff, leg as u8])
}

/// The host 10.0.N.2.
pub(super) const fn host_mac(leg: u16) -> Mac {
    Mac([2, 0, 0, 0, 0, leg as u8])
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A router with three legs, and what it has sent.
pub(super) struct Rig {
    pub(super) router: Router,
    pub(super) now: Time,
    pub(super) offload: Offload,
    /// Frames that left: through which leg, and their bytes.
    pub(super) sent: Vec<(u16, Vec<u8>)>,
}

impl Rig {
    /// Three legs, of which the last has a default route and sends no resets; nobody is known, and no flow is followed.
    pub(super) fn new() -> Self {
        let mut router = Router::new(Settings::default(), [1, 2]);
        for leg in 0..3 {
            router.attach(LegIndex(leg), Self::interface(leg)).expect("there is room");
        }
        let default = |to: &str, via: &str| (to.parse().expect("a prefix"), Some(ip(via)), None);
        let (to, via, leg) = default("0.0.0.0/0", "10.0.2.254");
        router.add_route(to, via, leg).expect("on the wire");
        Self { router, now: Time::from_secs(1000), offload: Offload::NONE, sent: vec![] }
    }

    pub(super) fn interface(leg: u16) -> Interface {
        let nets = [format!("10.0.{leg}.1/24"), format!("2001:db8:{leg}::1/64")];
        let nets = nets.iter().map(|net| net.parse().expect("a prefix")).collect();
        Interface { tcp_reset: leg != 2, ..Interface::new(leg_mac(leg), nets, Role::Plain) }
    }

    /// The same, and knows the hosts 10.0.N.2 and 2001:db8:N::2, and the gateway.
    pub(super) fn acquainted() -> Self {
        let mut rig = Self::new();
        for leg in 0..3 {
            rig.introduce(leg, &format!("10.0.{leg}.2"));
            rig.introduce(leg, &format!("2001:db8:{leg}::2"));
        }
        rig.introduce(2, "10.0.2.254");
        rig.introduce(0, "fe80::77");
        rig.sent.clear();
        rig
    }

    /// Flows are followed from now on, because of a rule that lets everything pass.
    pub(super) fn follow(&mut self) {
        let rule = policy::config::Rule { action: Action::Return, ..Default::default() };
        self.router.set_policy(policy::config::Config {
            rules: vec![rule],
            invalid: policy::config::Invalid::Accept,
            ..Default::default()
        });
    }

    pub(super) fn configure(&mut self, leg: u16, edit: impl FnOnce(&mut Interface)) {
        let mut interface = Self::interface(leg);
        edit(&mut interface);
        self.router.attach(LegIndex(leg), interface).expect("there is room");
    }

    /// The host at that address asks for the router.
    pub(super) fn introduce(&mut self, leg: u16, address: &str) {
        let frame = match ip(address) {
            IpAddr::V4(sender_ip) => {
                let target_ip = format!("10.0.{leg}.1").parse().expect("an address");
                let (sender_mac, target_mac) = (host_mac(leg), Mac::ZERO);
                let packet = Arp { operation: arp::REQUEST, sender_mac, sender_ip, target_mac, target_ip };
                frame(Mac::BROADCAST, host_mac(leg), arp::ETHER_TYPE, &packet.to_bytes())
            }
            IpAddr::V6(asker) => {
                let target = format!("2001:db8:{leg}::1").parse().expect("an address");
                let packet = crate::wire::ndp::solicitation(target, asker, host_mac(leg), None);
                frame(Mac([0x33, 0x33, 0xff, 0, 0, 1]), host_mac(leg), 0x86dd, &packet)
            }
        };
        assert_eq!(self.meet(leg, &frame).fate, Fate::Consume);
    }

    /// A frame comes in.
    pub(super) fn meet(&mut self, leg: u16, bytes: &[u8]) -> Decision {
        let headers = Headers::parse(bytes, &self.offload).expect("a frame");
        let passage = Passage { bytes, edit: &Edit::NONE, headers: &headers };
        let (at, now, offload) = (LegIndex(leg), self.now, self.offload);
        let decision = self.router.decide(at, &passage, &offload, now);
        assert_eq!(self.router.decide(at, &passage, &offload, now), decision, "deciding changes nothing");
        let sent = &mut self.sent;
        let mut emit = |leg: LegIndex, frame: &[u8]| sent.push((leg.0, frame.to_vec()));
        let ingress = Ingress { leg: at, origin: 7 };
        let cause = self.router.commit(&decision, ingress, &passage, &offload, now, &mut emit);
        if let Fate::Forward(onward) = decision.fate {
            let mut frame = bytes.to_vec();
            onward.write(&mut frame, headers.payload);
            self.sent.push((onward.leg.0, frame));
        }
        match cause {
            Some(cause) => Decision { fate: Fate::Drop(cause), ..decision },
            None => decision,
        }
    }

    /// A packet comes in from the host of that leg.
    pub(super) fn packet(&mut self, leg: u16, packet: &[u8]) -> Decision {
        let ether_type = if packet[0] >> 4 == 6 { 0x86dd } else { 0x0800 };
        self.meet(leg, &frame(leg_mac(leg), host_mac(leg), ether_type, packet))
    }

    /// So much time goes by, tick by tick.
    pub(super) fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.router.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.tick();
        }
        self.now = end;
    }

    pub(super) fn tick(&mut self) {
        let sent = &mut self.sent;
        let mut emit = |leg: LegIndex, frame: &[u8]| sent.push((leg.0, frame.to_vec()));
        self.router.tick(self.now, 100, &mut emit);
    }

    /// The packets among what was sent, and forgets all of it.
    pub(super) fn packets(&mut self) -> Vec<(u16, Vec<u8>)> {
        let sent = self.sent.drain(..).filter(|(_, frame)| frame[12..14] != [8, 6]);
        sent.map(|(leg, frame)| (leg, frame[14..].to_vec())).collect()
    }
}

pub(super) fn frame(dst: Mac, src: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&dst.0[..], &src.0, &ether_type.to_be_bytes(), payload].concat()
}

/// A packet with a sound transport checksum.
pub(super) fn packet(source: &str, destination: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let (source, destination) = (ip(source), ip(destination));
    let dont_fragment = true;
    let builder = Builder { source, destination, protocol, tos: 0x1a, ttl: 64, id: 0x1234, dont_fragment };
    let mut packet = vec![0; builder.header_len()];
    packet.extend_from_slice(payload);
    builder.write(&mut packet);
    let at = match protocol {
        ICMP | ICMPV6 => 2,
        UDP => 6,
        TCP => 16,
        _ => return packet,
    };
    let start = builder.header_len();
    if let Some(field) = packet.get_mut(start + at..start + at + 2) {
        field.fill(0);
        let sum = pseudo_header(source, destination, protocol, payload.len());
        let sum = checksum::finish(checksum::add(sum, checksum::sum(&packet[start..])));
        packet[start + at..start + at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// A UDP datagram with so many bytes in it.
pub(super) fn udp(source: &str, destination: &str, len: usize) -> Vec<u8> {
    let total = (8 + len) as u16;
    let mut payload = [&[0x12, 0x34, 0, 53][..], &total.to_be_bytes(), &[0, 0]].concat();
    payload.extend((0..len).map(|at| at as u8));
    packet(source, destination, UDP, &payload)
}

/// A TCP segment with these flags.
pub(super) fn tcp(source: &str, destination: &str, flags: u8) -> Vec<u8> {
    let head = [0x12, 0x34, 0, 80, 0, 0, 0, 100, 0, 0, 0, 200, 0x50, flags, 4, 0, 0, 0, 0, 0];
    packet(source, destination, TCP, &head)
}

/// An echo request with so many bytes in it.
pub(super) fn echo(source: &str, destination: &str, len: usize) -> Vec<u8> {
    let v6 = ip(source).is_ipv6();
    let mut payload = vec![if v6 { 128 } else { 8 }, 0, 0, 0, 7, 7, 0, 1];
    payload.extend((0..len).map(|at| at as u8));
    packet(source, destination, if v6 { ICMPV6 } else { ICMP }, &payload)
}

/// The packet after an edit of its IP header.
pub(super) fn edited(mut packet: Vec<u8>, edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    edit(&mut packet);
    if packet[0] >> 4 == 4 {
        crate::wire::datagram::seal(&mut packet);
    }
    packet
}

/// With another TTL.
pub(super) fn ttl(packet: Vec<u8>, ttl: u8) -> Vec<u8> {
    let at = if packet[0] >> 4 == 4 { 8 } else { 7 };
    edited(packet, |packet| packet[at] = ttl)
}

/// A sound ICMP message: its type, code, and all of it.
pub(super) fn icmp(packet: &[u8]) -> Option<(u8, u8, Vec<u8>)> {
    let read = Datagram::parse(packet).expect("sound");
    if read.protocol != ICMP && read.protocol != ICMPV6 {
        return None;
    }
    let payload = read.payload(packet);
    let sum = checksum::add(read.pseudo_header(payload.len()), checksum::sum(payload));
    assert_eq!(sum, 0xffff, "every checksum that the router makes holds");
    Some((payload[0], payload[1], payload.to_vec()))
}
