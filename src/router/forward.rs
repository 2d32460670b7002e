//! Deciding: the way of a packet through a router, in the order of the kernel (`ip_rcv`, `ip_route_input_slow`,
//! `ip_forward`, and their likes of IPv6).
//!
//! 1. The frame must be for this station or a group, and hold a sound packet ([`Arrival::read`]).
//! 2. Pieces are put together, if flows are followed, which needs whole datagrams (N50).
//! 3. `Plane::way`: who cannot be the source (N54), then whom it is for: a group, everybody, the router, somebody behind a
//!    route.
//! 4. `Plane::local` answers what is for the router (N56).
//! 5. `Plane::forward` takes a hop off (N9), holds the packet against the MTU of its way (N52), says if there is a
//!    better one (N58), and asks for the neighbour's address.
//!
//! Where flows are followed ([`super::gateway`]) this happens between the steps: before 3 the destination is translated, within
//! 5 the rules are asked and the source is translated. Steps 3 and 5 therefore take addresses as arguments, and never from
//! the packet. Nothing here changes anything.

use std::net::{IpAddr, Ipv4Addr};

use super::Plane;
use super::decision::{Answer, Arrival, Decision, Fate, Onward};
use super::gateway::{Flow, Gateway, invalidity};
use super::icmp::{self, Error, local};
use super::interface::{Interface, MTU_MIN_IPV6, ReversePath, Role, is_link_local};
use super::mss::Mss;
use super::nat::judgement::State;
use super::nat::rewrite::Place;
use super::nat::track::Invalid;
use super::neighbour::{hear, parked};
use super::policy::config::Reject;
use super::rewrite::Rewrite;
use super::routes::Route;
use crate::frame::{LegIndex, Offload, Passage};
use crate::time::Time;
use crate::verdict::Reason;
use crate::wire::arp;
use crate::wire::datagram::{ICMP, ICMPV6, NO_NEXT_HEADER, Options, TCP, UDP};
use crate::wire::ip::{ETHER_TYPE_IPV4, ETHER_TYPE_IPV6};

const IGMP: u8 = 2;
const UDP_LEN: usize = 8;

/// Whom a packet is for. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everybody on the wire it came in on.
    Everybody,
    /// Somebody behind that route.
    Forward(Route),
    /// A group on the wire it came in on.
    Group,
    /// The router.
    Local,
}

impl Plane {
    /// What becomes of a frame that comes in on a leg.
    pub(super) fn decide(
        &self,
        leg: LegIndex,
        passage: &Passage<'_>,
        offload: &Offload,
        now: Time,
    ) -> Decision {
        let Some(own) = self.interfaces.get(leg) else { return Decision::drop(Reason::RouterLegDown) };
        let headers = &passage.headers;
        if headers.tag.is_some() || !(headers.dst == own.mac || headers.dst.is_group()) {
            return Decision::drop(Reason::NotForRouter);
        }
        match headers.ether_type {
            arp::ETHER_TYPE => match hear::arp(&self.interfaces, leg, headers.dst, passage.payload()) {
                Ok(talk) => said(talk),
                Err(hear::Malformed) => Decision::drop(Reason::NeighbourMalformed),
            },
            kind @ (ETHER_TYPE_IPV4 | ETHER_TYPE_IPV6) => match Arrival::read(leg, passage, offload) {
                Ok(arrival) if arrival.datagram.is_ipv6() != (kind == ETHER_TYPE_IPV6) => {
                    Decision::drop(Reason::IpMalformed)
                }
                Ok(arrival) => self.decide_packet(&arrival, own, now),
                Err(cause) => Decision::drop(cause),
            },
            _ => Decision::drop(Reason::NotForRouter),
        }
    }

    /// What becomes of a packet.
    pub(super) fn decide_packet(&self, arrival: &Arrival<'_>, own: &Interface, now: Time) -> Decision {
        let datagram = &arrival.datagram;
        if datagram.fragment.is_some() && self.gateway.is_some() {
            return Fate::Gather.into();
        }
        match datagram.options {
            Options::None => {}
            Options::Malformed(at) => {
                let error = Error::Parameter(u16::from(at));
                return Decision::drop(Reason::IpOptions).and(tell(arrival, error));
            }
            Options::SourceRoute => return Decision::drop(Reason::SourceRouted),
        }
        let mut flow = self.gateway.as_ref().map(|gateway| gateway.judge(arrival, &self.interfaces, now));
        let destination = match flow.as_ref().and_then(|flow| flow.judgement.translated()) {
            Some(tuple) => tuple.destination.ip(tuple.ipv6),
            None => datagram.destination,
        };
        let decision = match self.way(arrival.leg, own, datagram.source, destination) {
            Ok(Way::Everybody) => Fate::Consume.into(),
            Ok(Way::Forward(route)) => {
                self.forward(arrival, &route, (datagram.source, destination), &mut flow, now)
            }
            Ok(Way::Group | Way::Local) => match self.unwelcome(&flow) {
                Some(reason) => Decision::drop(reason),
                None => self.local(arrival, own),
            },
            Err(cause) => {
                let unreachable = (cause == Reason::NoRoute).then_some(Error::NetworkUnreachable);
                Decision::drop(cause).and(unreachable.and_then(|error| tell(arrival, error)))
            }
        };
        decision.of(flow)
    }

    /// Whom a packet between these two is for, or why for nobody.
    pub(super) fn way(
        &self,
        leg: LegIndex,
        own: &Interface,
        source: IpAddr,
        destination: IpAddr,
    ) -> Result<Way, Reason> {
        if source.is_multicast() || source == IpAddr::V4(Ipv4Addr::BROADCAST) || is_mapped(source) {
            return Err(Reason::MartianSource);
        }
        if destination == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Ok(Way::Everybody);
        }
        // of IPv6, one without an address may ask who else has it
        if source.is_loopback() || source.is_unspecified() && source.is_ipv4() {
            return Err(Reason::MartianSource);
        }
        if destination.is_unspecified() || destination.is_loopback() || is_mapped(destination) {
            return Err(Reason::MartianDestination);
        }
        if self.interfaces.is_local(leg, source) {
            return Err(Reason::MartianSource);
        }
        if destination.is_multicast() {
            return if is_of_wire(destination) { Ok(Way::Group) } else { Err(Reason::MulticastNotRouted) };
        }
        match self.interfaces.broadcast(destination) {
            Some(there) if there == leg => return Ok(Way::Everybody),
            Some(_) => return Err(Reason::BroadcastNotRouted),
            None => {}
        }
        self.check_reverse(leg, own, source)?;
        if self.interfaces.is_local(leg, destination) {
            return Ok(Way::Local);
        }
        if source.is_unspecified() {
            return Err(Reason::MartianSource);
        }
        if is_link_local(destination) {
            return Err(Reason::BeyondScope);
        }
        self.routes.lookup(destination).map(|route| Way::Forward(*route)).ok_or(Reason::NoRoute)
    }

    /// Why a packet for the router is not even answered: an answer to what seems to be of a connection that is none would
    /// end the one that it is taken for (0.2).
    fn unwelcome(&self, flow: &Option<Flow>) -> Option<Reason> {
        let (gateway, flow) = (self.gateway.as_ref()?, flow.as_ref()?);
        match flow.judgement.state {
            State::Invalid(invalid @ Invalid::Unfit) if gateway.drops_invalid() => Some(invalidity(invalid)),
            _ => None,
        }
    }

    /// Takes a packet for the router.
    fn local(&self, arrival: &Arrival<'_>, own: &Interface) -> Decision {
        let Arrival { leg, ref datagram, packet, .. } = *arrival;
        if datagram.fragment.is_some() {
            return Fate::Gather.into();
        }
        let (partial, payload) = (arrival.partial.is_some(), datagram.payload(packet));
        let is_sound = || local::is_sound(datagram, packet, partial);
        let group = datagram.destination.is_multicast();
        let consume = Decision::from(Fate::Consume);
        match datagram.protocol {
            ICMPV6 if datagram.is_ipv6() => {
                match hear::ndp(&self.interfaces, leg, datagram, payload, partial) {
                    Ok(Some(talk)) => said(talk),
                    Err(hear::Malformed) => Decision::drop(Reason::NeighbourMalformed),
                    Ok(None) if !is_sound() => Decision::drop(Reason::ChecksumWrong),
                    Ok(None) if !local::is_echo_request(datagram, packet) => consume,
                    Ok(None) => {
                        let own =
                            if group { own.source_for(datagram.source) } else { Some(datagram.destination) };
                        consume.and(own.map(Answer::Echo))
                    }
                }
            }
            ICMP if !datagram.is_ipv6() => match is_sound() {
                false => Decision::drop(Reason::ChecksumWrong),
                // an echo to all would be answered by all (`icmp_echo_ignore_broadcasts`)
                true if group || !local::is_echo_request(datagram, packet) => consume,
                true => consume.and(Some(Answer::Echo(datagram.destination))),
            },
            IGMP if !datagram.is_ipv6() => consume,
            NO_NEXT_HEADER if datagram.is_ipv6() => consume,
            UDP => {
                let said =
                    payload.get(4..6).map_or(0, |len| usize::from(u16::from_be_bytes([len[0], len[1]])));
                let is_whole = (UDP_LEN..=payload.len()).contains(&said);
                let unsummed = !datagram.is_ipv6() && payload.get(6..8) == Some(&[0, 0]);
                match is_whole && (unsummed || is_sound()) {
                    true => consume.and(tell(arrival, Error::PortUnreachable)),
                    false => Decision::drop(Reason::ChecksumWrong),
                }
            }
            TCP if !is_sound() => Decision::drop(Reason::ChecksumWrong),
            TCP => {
                let reset = own.tcp_reset && !group && !arrival.dst.is_group();
                match reset && local::wants_reset(datagram, packet) {
                    true => consume.and(Some(Answer::Reset)),
                    false => Decision::drop(Reason::PortClosed),
                }
            }
            _ => consume.and(tell(arrival, Error::ProtocolUnreachable(datagram.named as u16))),
        }
    }

    /// Sends a packet between these two on along a route.
    pub(super) fn forward(
        &self,
        arrival: &Arrival<'_>,
        route: &Route,
        (source, destination): (IpAddr, IpAddr),
        flow: &mut Option<Flow>,
        now: Time,
    ) -> Decision {
        let datagram = &arrival.datagram;
        if arrival.dst.is_group() {
            return Decision::drop(Reason::BroadcastNotRouted);
        }
        let (Some(own), Some(out)) = (self.interfaces.get(arrival.leg), self.interfaces.get(route.leg))
        else {
            return Decision::drop(Reason::RouterLegDown);
        };
        if let Some(flow) = flow
            && Gateway::is_direct(flow, arrival, (arrival.leg, own), (route.leg, out))
        {
            return Decision::drop(Reason::DirectToInside);
        }
        if datagram.ttl <= 1 {
            return Decision::drop(Reason::TtlExceeded).and(tell(arrival, Error::TimeExceeded));
        }
        if is_link_local(source) {
            return Decision::drop(Reason::BeyondScope).and(tell(arrival, Error::BeyondScope));
        }
        let cut = match fit(arrival, out.mtu) {
            Ok(cut) => cut,
            Err(error) => {
                return Decision::drop(Reason::MtuExceeded).and(error.and_then(|error| tell(arrival, error)));
            }
        };
        let next_hop = route.next_hop(destination);
        if let (Some(gateway), Some(flow)) = (&self.gateway, flow.as_mut())
            && let Err((reason, told)) =
                gateway.pass(flow, arrival, (arrival.leg, own), (route.leg, out), next_hop, now)
        {
            return Decision::drop(reason).and(told.and_then(|with| reject(arrival, with)));
        }
        if let (Some(gateway), Some(flow)) = (&self.gateway, flow.as_mut()) {
            gateway.remember(flow, arrival.leg, route);
        }
        let translation = flow.as_ref().map(Flow::translation).unwrap_or_default();
        let mss = match out.clamp_mss {
            true => Mss::clamp(datagram, arrival.packet, out.mtu.min(self.mtu_back(arrival, own))),
            false => None,
        };
        let rewrite = Rewrite { translation, ttl: Some(datagram.ttl - 1), mss };
        let neighbour = self.neighbours.resolve(route.leg, next_hop, now);
        let partial = arrival.is_partial();
        let (leg, src, place) = (route.leg, out.mac, Place::of(datagram));
        let onward = Onward { leg, src, next_hop, neighbour, rewrite, place, partial, cut };
        // who speaks to a translated address knows of no other
        let redirects = own.redirects && translation.is_none();
        let better = (arrival.leg == route.leg && redirects && own.on_link(source))
            .then_some(Error::Redirect(next_hop))
            .filter(|_| !datagram.is_ipv6() || next_hop == destination || is_link_local(next_hop));
        let answer = better.and_then(|error| tell(arrival, error));
        let size = cut.map_or(arrival.packet.len(), |(max, _)| usize::from(max));
        let fate = match neighbour {
            Some(_) if cut.is_some() || rewrite.grows() => Fate::Remake(onward),
            Some(_) => Fate::Forward(onward),
            None if size > parked::PACKET_MAX => Fate::Drop(Reason::NeighbourLong),
            None if !self.neighbours.has_place(route.leg, next_hop, now) => {
                Fate::Drop(Reason::NeighbourTableFull)
            }
            None if !self.neighbours.has_room(route.leg, next_hop) => Fate::Drop(Reason::NeighbourQueueFull),
            None => Fate::Park(onward),
        };
        Decision::from(fate).and(answer)
    }

    /// Whether the source may have come in there (`rp_filter`).
    ///
    /// Nobody but guests is believed to be a guest, whatever `rp_filter` says: a flow that a stranger opens in a guest's name is
    /// not translated, and the guest's own packets would then leave as he sent them.
    fn check_reverse(&self, leg: LegIndex, own: &Interface, source: IpAddr) -> Result<(), Reason> {
        if is_link_local(source) || (own.reverse_path == ReversePath::Off && self.gateway.is_none()) {
            return Ok(());
        }
        let back = self.routes.lookup(source).map(|route| route.leg);
        let is_guest = |leg| self.interfaces.get(leg).is_some_and(|own| own.role == Role::Inside);
        let believed = match own.reverse_path {
            ReversePath::Strict => back == Some(leg),
            ReversePath::Loose if back.is_none() => false,
            ReversePath::Loose | ReversePath::Off => back.is_none_or(|back| back == leg || !is_guest(back)),
        };
        if believed { Ok(()) } else { Err(Reason::ReversePath) }
    }

    /// The MTU of the way back.
    fn mtu_back(&self, arrival: &Arrival<'_>, own: &Interface) -> u16 {
        let back = self.routes.lookup(arrival.datagram.source);
        back.and_then(|route| self.interfaces.get(route.leg)).map_or(own.mtu, |back| back.mtu)
    }
}

/// Whether a packet fits through, and into pieces of what size it is cut; what its sender is told if it may not be
/// (`ip_exceeds_mtu`, `ip_fragment`, N50–N52).
fn fit(arrival: &Arrival<'_>, mtu: u16) -> Result<Option<(u16, u32)>, Option<Error>> {
    let datagram = &arrival.datagram;
    let ours = mtu.min(parked::PACKET_MAX as u16);
    if let Some(gathered) = arrival.gathered {
        if datagram.dont_fragment && gathered.largest > mtu {
            return Err(Some(Error::TooBig(mtu)));
        }
        let least = if datagram.is_ipv6() { MTU_MIN_IPV6 } else { 0 };
        return Ok(Some((gathered.largest.max(least).min(ours), gathered.id)));
    }
    if arrival.size() <= usize::from(mtu) {
        return Ok(None);
    }
    if datagram.dont_fragment {
        return Err(Some(Error::TooBig(mtu)));
    }
    // one that will be cut on the way out as its sender said cannot be cut otherwise before
    if arrival.segment.is_some() {
        return Err(None);
    }
    Ok(Some((ours, 0)))
}

/// The error, if its sender may be told (N57).
fn tell(arrival: &Arrival<'_>, error: Error) -> Option<Answer> {
    icmp::may_tell(&arrival.datagram, arrival.packet, arrival.dst).then_some(Answer::Error(error))
}

/// What the sender of a packet that a rule rejects is told.
fn reject(arrival: &Arrival<'_>, with: Reject) -> Option<Answer> {
    let error = match with {
        Reject::AdminProhibited => Error::AdminProhibited,
        Reject::HostUnreachable => Error::HostUnreachable,
        Reject::TcpReset if arrival.datagram.protocol == TCP => {
            return local::wants_reset(&arrival.datagram, arrival.packet).then_some(Answer::Reset);
        }
        Reject::PortUnreachable | Reject::TcpReset => Error::PortUnreachable,
    };
    tell(arrival, error)
}

fn said(talk: hear::Talk) -> Decision {
    Decision { heard: talk.heard, ..Decision::from(Fate::Consume).and(talk.says.map(Answer::Neighbour)) }
}

/// Whether a group is of a wire: nothing that is sent to it is for farther away.
fn is_of_wire(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group.octets()[..3] == [224, 0, 0],
        IpAddr::V6(group) => group.octets()[1] & 15 == 2,
    }
}

/// IPv4 in an IPv6 address, which is never on the wire (RFC 4038 §4.2).
fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}
