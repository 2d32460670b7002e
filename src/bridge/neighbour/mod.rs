//! Neighbour suppression and proxy ARP (B83): questions that the bridge can answer are not flooded.
//!
//! A leg with `neigh_suppress` is expensive to flood, or full of machines that are better not woken: it is
//! spared the questions for addresses of which the bridge knows where they are, and questions for the
//! addresses behind it are answered in their name. A leg with `proxy_arp` gets answers to whatever ARP it
//! asks. The kernel takes its answers from the neighbour table of the host and the FDB; this bridge lives in
//! no host, so it remembers what it hears ARP and neighbour discovery say (`table`), and has nothing to say
//! until it has heard something.
//!
//! The rules are those of the kernel's br_arp_nd_proxy.c, with its order, as of 6.15 (which leaves questions
//! to one station alone: those test whether it is still there). [`Neighbours::judge`] says what is to become
//! of a frame and changes nothing; [`Neighbours::commit`] remembers what it taught. Where this differs from
//! the kernel:
//!
//! - A target behind the leg that asks is not answered for, even with `proxy_arp`: it heard the question
//!   itself.
//! - The host's own addresses are those heard from the host's leg.
//! - An answer goes to a station, whatever the question names as its sender.
//! - Neighbour discovery that receivers must ignore (malformed, hop limit below 255) is left alone.
//! - Without VLAN filtering, frames with the tag of a VLAN are left alone: to the kernel they come from the
//!   same network as those without, and would be answered without the tag.
//!
//! RARP is never touched. No frame is dropped or changed here: what is spared a leg, others still get.

mod answer;
mod table;
#[cfg(test)]
mod tests;

pub use answer::{ANSWER_MAX, Answer};
pub use table::{LIFETIME, NEIGHBOURS_MAX, NeighbourCounters, NeighbourEntry, Neighbours};

use std::net::{IpAddr, Ipv4Addr};

use self::table::{Binding, Lesson};
use super::{LegConfig, Role};
use crate::frame::{Headers, LegIndex, Passage};
use crate::time::Time;
use crate::wire::arp::{self, Arp};
use crate::wire::mac::Mac;
use crate::wire::ndp::{self, Message, Ndp};
use crate::wire::source;

const ETHER_TYPE_IPV6: u16 = 0x86dd;
/// The VLAN id of a bridge that does not filter VLANs (B3), and of a tag that only gives a priority.
const VID_NONE: u16 = 0;

/// What a frame says about neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// A packet of ARP.
    Arp(Arp),
    /// A message of neighbour discovery.
    Ndp {
        /// The message.
        ndp: Ndp,
        /// Its checksum is right, or yet to be completed.
        sound: bool,
    },
}

impl Talk {
    /// What this frame in that VLAN says; `None` for all the others. `partial` if its checksum is left to the
    /// hardware ([`crate::frame::Offload::needs_csum`]).
    #[inline]
    pub fn of(frame: &Passage<'_>, vid: u16, partial: bool) -> Option<Self> {
        match frame.headers.ether_type {
            arp::ETHER_TYPE | ETHER_TYPE_IPV6 => Self::read(frame, vid, partial),
            _ => None,
        }
    }

    fn read(frame: &Passage<'_>, vid: u16, partial: bool) -> Option<Self> {
        let h = frame.headers;
        if vid == VID_NONE && h.tag.is_some_and(|tag| tag.vid() != VID_NONE) {
            return None;
        }
        if h.ether_type == arp::ETHER_TYPE {
            return Arp::parse(frame.payload()).map(Self::Arp);
        }
        let (ndp, icmp) = source::plain_ndp(frame.payload())?;
        let sound = || partial || ndp::checksum_holds(ndp.source, ndp.destination, icmp);
        (ndp.hop_limit == ndp::HOP_LIMIT).then(|| Self::Ndp { ndp, sound: sound() })
    }
}

/// Where the frame came in.
#[derive(Clone, Copy, Debug)]
pub struct Ingress<'a> {
    /// The leg.
    pub leg: LegIndex,
    /// Its settings.
    pub config: &'a LegConfig,
    /// The frame's VLAN; zero without filtering.
    pub vid: u16,
    /// Whether any leg of the bridge has `neigh_suppress`.
    pub suppression: bool,
}

impl Ingress<'_> {
    /// Flags are of ports: the host has none (B41).
    fn flag(&self, flag: impl Fn(&LegConfig) -> bool) -> bool {
        self.config.role == Role::Port && flag(self.config)
    }
}

/// What is to become of a frame, and what it teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// It is not to be flooded to legs with `neigh_suppress`; the kernel's `proxyarp_replied`.
    pub suppressed: bool,
    /// To be sent out of the leg the frame came in at.
    pub answer: Option<Answer>,
    lesson: Lesson,
}

/// What a question or a statement calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// The address is to be looked up.
    LookUp(IpAddr),
    /// Nothing to be done.
    Pass,
    /// It concerns nobody that is to be spared.
    Suppress,
}

impl Neighbours {
    /// What is to become of the frame; changes nothing. `find` says behind which leg the FDB has a station in
    /// the frame's VLAN now.
    pub fn judge<'a>(
        &self,
        talk: &Talk,
        h: &Headers,
        ingress: Ingress<'_>,
        now: Time,
        find: impl Fn(Mac) -> Option<(LegIndex, &'a LegConfig)>,
    ) -> Judgement {
        let lesson = match binding(talk, h) {
            Some(binding) => self.lesson(ingress.vid, binding, ingress.leg, now),
            None => Lesson::Nothing,
        };
        let call = match talk {
            Talk::Arp(arp) => call_of_arp(arp, h, ingress),
            Talk::Ndp { ndp, .. } => call_of_ndp(ndp, h, ingress),
        };
        let (suppressed, answer) = match call {
            Call::LookUp(target) => self.look_up(talk, h, ingress, target, now, find),
            Call::Pass => (false, None),
            Call::Suppress => (true, None),
        };
        Judgement { suppressed, answer, lesson }
    }

    fn look_up<'a>(
        &self,
        talk: &Talk,
        h: &Headers,
        ingress: Ingress<'_>,
        target: IpAddr,
        now: Time,
        find: impl Fn(Mac) -> Option<(LegIndex, &'a LegConfig)>,
    ) -> (bool, Option<Answer>) {
        let known = self.find(ingress.vid, target, now);
        let Some((known, (leg, config))) = known.and_then(|known| Some((known, find(known.mac)?))) else {
            return (false, None);
        };
        let proxy = matches!(talk, Talk::Arp(_)) && ingress.flag(|config| config.proxy_arp);
        let elsewhere = leg != ingress.leg && config.role == Role::Port;
        let answer = match elsewhere && (proxy || config.neigh_suppress) {
            true => Answer::to(talk, h, known.mac, known.router),
            false => None,
        };
        (ingress.suppression || answer.is_some(), answer)
    }
}

fn call_of_arp(arp: &Arp, h: &Headers, ingress: Ingress<'_>) -> Call {
    if arp.target_ip.is_loopback() || arp.target_ip.is_multicast() {
        return Call::Pass;
    }
    let request = arp.operation == arp::REQUEST;
    if ingress.suppression {
        if ingress.flag(|config| config.neigh_suppress) || request && !h.dst.is_group() {
            return Call::Pass;
        }
        // a probe or an announcement, asking for nothing or telling all who care
        let reverse = matches!(arp.operation, arp::REVERSE_REQUEST | arp::REVERSE_REPLY);
        if !reverse && (is_zeronet(arp.sender_ip) || arp.sender_ip == arp.target_ip) {
            return Call::Suppress;
        }
    }
    if request { Call::LookUp(arp.target_ip.into()) } else { Call::Pass }
}

fn call_of_ndp(ndp: &Ndp, h: &Headers, ingress: Ingress<'_>) -> Call {
    if !ingress.suppression || ingress.flag(|config| config.neigh_suppress) {
        return Call::Pass;
    }
    match ndp.message {
        Message::Advertisement { solicited: false, .. } => Call::Suppress,
        Message::Solicitation { .. } if !h.dst.is_group() => Call::Pass,
        // is the address free?
        Message::Solicitation { .. } if ndp.source.is_unspecified() || ndp.source == ndp.destination => {
            Call::Suppress
        }
        Message::Solicitation { target } => Call::LookUp(target.into()),
        _ => Call::Pass,
    }
}

/// What the frame says about its own sender. Nothing is believed at second hand: the link-layer address must
/// be the one that the frame comes from.
fn binding(talk: &Talk, h: &Headers) -> Option<Binding> {
    let (ip, mac, router) = match *talk {
        Talk::Arp(arp) => {
            let told = matches!(arp.operation, arp::REQUEST | arp::REPLY) && is_host(arp.sender_ip);
            (told.then_some(IpAddr::V4(arp.sender_ip))?, arp.sender_mac, Some(false))
        }
        Talk::Ndp { sound: false, .. } => return None,
        Talk::Ndp { ndp, .. } => match ndp.message {
            // what does not replace is for an address that several have (RFC 4861 §7.2.7)
            Message::Advertisement { target, router, replace: true, .. } => {
                (target.into(), ndp.target_link?, Some(router))
            }
            Message::RouterAdvertisement => (ndp.source.into(), ndp.source_link?, Some(true)),
            Message::RouterSolicitation => (ndp.source.into(), ndp.source_link?, Some(false)),
            Message::Solicitation { .. } => (ndp.source.into(), ndp.source_link?, None),
            Message::Advertisement { .. } | Message::Redirect => return None,
        },
    };
    let credible = mac == h.src && mac.is_station();
    let usable = !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback();
    (credible && usable).then_some(Binding { ip, mac, router })
}

/// 0.0.0.0/8: who has no address yet.
fn is_zeronet(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 0
}

fn is_host(ip: Ipv4Addr) -> bool {
    !is_zeronet(ip) && !ip.is_broadcast()
}
