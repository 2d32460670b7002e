//! What ARP and neighbour discovery tell a router, and what it answers.
//!
//! The two protocols differ in form and agree in substance: somebody asks who has an address, and names its own; somebody
//! says that it has one. Both become a [`Heard`] for the table and a [`Says`] for the wire. The rules of `arp_process`
//! and `ndisc_recv_ns`/`ndisc_recv_na`:
//!
//! - A question after an address of ours is answered: by ARP on any leg (N56), by neighbour discovery on its own. Who
//!   asks is remembered, because it is about to send.
//! - A question from nobody (0.0.0.0, `::`) is somebody who wants to take our address: told that it is taken.
//! - An answer, or what is said to everybody, changes what is known, but never adds to it: else anybody could fill the
//!   table, or be a neighbour that nobody asked for.
//! - Of neighbour discovery only what cannot have come from farther than the wire counts (hop limit 255).
//!
//! Nobody is believed to have an address of the router, or a hardware address that is no station's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::frame::LegIndex;
use crate::router::interface::{Interface, Interfaces};
use crate::wire::arp::{self, Arp};
use crate::wire::datagram::Datagram;
use crate::wire::mac::Mac;
use crate::wire::ndp::{self, Message, Ndp};

/// News of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Where it is.
    pub leg: LegIndex,
    /// Which.
    pub address: IpAddr,
    /// Its hardware address, if it said.
    pub mac: Option<Mac>,
    /// How it came to be said.
    pub how: How,
}

/// How something was said of a neighbour. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// To us, because we asked.
    Answered(Claim),
    /// It asked us something.
    Asked,
    /// To everybody.
    Told(Claim),
}

/// How firm a claim is to an address that is known to be elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It replaces what was known, but not what has been learned within a second (ARP's `locktime`).
    Late,
    /// It replaces what was known.
    Override,
    /// It makes what was known doubtful.
    Weak,
}

/// What is said to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// We have it, by ARP.
    Arp(Arp),
    /// We have it, to one who can be answered.
    Advertise {
        /// The address in question.
        target: Ipv6Addr,
        /// Who asked.
        asker: Ipv6Addr,
        /// Where it is.
        mac: Mac,
    },
    /// It is taken.
    Announce {
        /// The address in question.
        target: Ipv6Addr,
    },
}

/// What follows from a message; nothing, mostly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talk {
    /// What was heard.
    pub heard: Option<Heard>,
    /// What is answered.
    pub says: Option<Says>,
}

/// It is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads an ARP packet that came in on that leg, in a frame to `dst`.
pub fn arp(all: &Interfaces, leg: LegIndex, dst: Mac, payload: &[u8]) -> Result<Talk, Malformed> {
    let packet = Arp::parse(payload).ok_or(Malformed)?;
    let Some(own) = all.get(leg) else { return Ok(Talk::default()) };
    let (sender, target) = (packet.sender_ip, packet.target_ip);
    if !packet.sender_mac.is_station() || !matches!(packet.operation, arp::REQUEST | arp::REPLY) {
        return Err(Malformed);
    }
    if target.is_multicast() || target.is_loopback() {
        return Ok(Talk::default());
    }
    let asked = packet.operation == arp::REQUEST && all.is_local(leg, target.into());
    let says = asked.then(|| Says::Arp(packet.reply(own.mac)));
    if sender.is_unspecified() {
        return Ok(Talk { heard: None, says });
    }
    let how = match packet.operation {
        arp::REPLY if dst == own.mac => How::Answered(claim(&packet)),
        arp::REQUEST if asked => How::Asked,
        _ => How::Told(claim(&packet)),
    };
    let heard = believable(all, leg, sender.into(), Some(packet.sender_mac), how);
    Ok(Talk { heard, says })
}

/// Reads an ICMPv6 message; `None` if it is not neighbour discovery. `trusted` says that its checksum is not to be looked
/// at, because it is yet to be made.
pub fn ndp(
    all: &Interfaces,
    leg: LegIndex,
    datagram: &Datagram,
    icmp: &[u8],
    trusted: bool,
) -> Result<Option<Talk>, Malformed> {
    let (IpAddr::V6(source), IpAddr::V6(destination)) = (datagram.source, datagram.destination) else {
        return Ok(None);
    };
    let read = Ndp::parse(source, destination, datagram.ttl, icmp).map_err(|_| Malformed)?;
    let Some(read) = read else { return Ok(None) };
    if read.hop_limit != ndp::HOP_LIMIT || !(trusted || ndp::checksum_holds(source, destination, icmp)) {
        return Err(Malformed);
    }
    let Some(own) = all.get(leg) else { return Ok(Some(Talk::default())) };
    Ok(Some(match read.message {
        Message::Solicitation { target } => solicited(all, leg, own, &read, target),
        Message::Advertisement { target, solicited, replace, .. } => {
            let claim = if replace { Claim::Override } else { Claim::Weak };
            let how = if solicited && !destination.is_multicast() {
                How::Answered(claim)
            } else {
                How::Told(claim)
            };
            Talk { heard: believable(all, leg, target.into(), read.target_link, how), says: None }
        }
        Message::Redirect | Message::RouterAdvertisement | Message::RouterSolicitation => Talk::default(),
    }))
}

fn solicited(all: &Interfaces, leg: LegIndex, own: &Interface, read: &Ndp, target: Ipv6Addr) -> Talk {
    let ours = own.link_local() == target || own.addresses.iter().any(|net| net.addr() == target);
    if !ours {
        return Talk::default();
    }
    if read.source.is_unspecified() {
        return Talk { heard: None, says: Some(Says::Announce { target }) };
    }
    let asker = read.source;
    let heard = read.source_link.and_then(|mac| believable(all, leg, asker.into(), Some(mac), How::Asked));
    let says = read.source_link.map(|mac| Says::Advertise { target, asker, mac });
    Talk { heard, says }
}

/// A gratuitous packet says of itself that it is news; any other might be an old answer of a second machine.
fn claim(packet: &Arp) -> Claim {
    let gratuitous = packet.sender_ip == packet.target_ip
        && (packet.operation == arp::REQUEST || packet.target_mac == packet.sender_mac);
    if gratuitous { Claim::Override } else { Claim::Late }
}

fn believable(all: &Interfaces, leg: LegIndex, address: IpAddr, mac: Option<Mac>, how: How) -> Option<Heard> {
    let nobody = match address {
        IpAddr::V4(v4) => {
            v4.is_multicast() || v4.is_loopback() || v4 == Ipv4Addr::BROADCAST || v4.is_unspecified()
        }
        IpAddr::V6(v6) => v6.is_multicast() || v6.is_loopback() || v6.is_unspecified(),
    };
    let sound = !nobody && mac.is_none_or(Mac::is_station) && !all.is_local(leg, address);
    // one that is not on the wire is nobody's next hop
    let useful = how != How::Asked || all.get(leg).is_some_and(|own| own.on_link(address));
    (sound && useful).then_some(Heard { leg, address, mac, how })
}
