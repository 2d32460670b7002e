//! The way of a packet whose flow has gone that way before: a lane is followed, nothing is decided anew.
//!
//! [`super::forward`] and [`super::commit`] find out and do everything that can be said about a packet. Of most packets there
//! is little to say: they are of a flow that is known, go where the one before went, and nothing about them is out of the ordinary.
//! For those [`Router::shortcut`] puts the same parts together (the packet is read, its connection followed, its neighbour looked up)
//! without the questions that its lane has answered, and without the values in which a decision is carried about. It does all of it or
//! nothing: whatever it meets that is not of the ordinary, it returns before anything has changed, and the packet is decided on
//! as any other.
//!
//! Most packets of such flows are plain, and what they are to become is known to the byte: for those there is a recipe
//! ([`super::nat::recipe`]), which the first that takes its lane leaves, and by which the others need not be taken apart.
//!
//! It never drops, answers, cuts, copies or keeps a packet, and opens or ends no session.

use super::decision::{address, is_own, segment, unfinished};
use super::gateway::Gateway;
use super::nat::plain::{self, Plain};
use super::nat::recipe::Patch;
use super::nat::rewrite::{self, Ends, Place};
use super::{Plane, Router};
use crate::frame::{LegIndex, Offload, Passage};
use crate::time::Time;
use crate::wire::datagram::{self, Datagram, Options, TCP};
use crate::wire::ip::{ETHER_TYPE_IPV4, ETHER_TYPE_IPV6};
use crate::wire::mac::Mac;
use crate::wire::packet::Packet;

/// Where the flags of TCP are, and which of them opens a connection.
const FLAGS_AT: usize = 13;
const SYN: u8 = 2;

/// How a packet goes along its lane.
#[derive(Clone, Copy, Debug)]
pub struct Along {
    /// The leg it leaves through.
    pub leg: LegIndex,
    /// Whom its frame is from and to.
    pub ends: (Mac, Mac),
    text: Text,
}

/// What is written into it.
#[derive(Clone, Copy, Debug)]
enum Text {
    /// Other ends, and that hop limit.
    Ends { translation: Ends, place: Place, partial: bool, ttl: u8 },
    /// What lies ready, into a packet of that protocol.
    Patch { patch: Patch, protocol: u8, partial: bool },
}

impl Along {
    /// Writes the frame as it goes on; its packet starts at byte `payload`: addresses, ports, checksums and hop limit.
    #[inline]
    pub fn write(&self, frame: &mut [u8], payload: usize) {
        let (src, dst) = self.ends;
        address(frame, src, dst);
        let Some(packet) = frame.get_mut(payload..) else { return };
        match &self.text {
            Text::Patch { patch, protocol, partial } => patch.write(packet, *protocol, *partial),
            Text::Ends { translation, place, partial, ttl } => {
                rewrite::translate_own(packet, *place, translation, *partial);
                datagram::set_ttl(packet, *ttl);
            }
        }
    }
}

impl Router {
    /// Sends a packet on along the lane of its flow; `None`, with nothing changed, if that is not all there is to do.
    #[inline]
    pub fn shortcut(
        &mut self,
        leg: LegIndex,
        passage: &Passage<'_>,
        offload: &Offload,
        now: Time,
    ) -> Option<Along> {
        match self.by_recipe(leg, passage, offload, now) {
            None => self.by_lane(leg, passage, offload, now),
            along => along,
        }
    }

    /// The same for a plain packet, if its flow has a recipe that is current.
    #[inline]
    fn by_recipe(
        &mut self,
        leg: LegIndex,
        passage: &Passage<'_>,
        offload: &Offload,
        now: Time,
    ) -> Option<Along> {
        let Self { plane, counters, .. } = self;
        let Plane { gateway, interfaces, neighbours, .. } = plane;
        let Gateway { nat, policy, lanes, .. } = gateway.as_deref_mut()?;
        let headers = passage.headers;
        if headers.tag.is_some() || headers.ether_type != ETHER_TYPE_IPV4 {
            return None;
        }
        let packet = Plain::read(passage.payload(), headers.payload, offload)?;
        let recipe = nat.recipe(&packet)?;
        let lane = lanes.get(recipe.lane)?;
        let (own, out) = (interfaces.get(leg)?, interfaces.get(lane.to)?);
        let size = segment(plain::HEADER_LEN, packet.bytes, offload).unwrap_or(packet.bytes.len());
        if lane.from != leg || own.mac != headers.dst || size > usize::from(out.mtu) {
            return None;
        }
        let (dst, slot) = neighbours.held(recipe.neighbour, now)?;
        debug_assert_eq!(
            neighbours.resolve(lane.to, lane.via.unwrap_or(recipe.patch.destination()), now),
            Some((dst, slot)),
            "nobody has taken the neighbour's place"
        );
        nat.proceed(&recipe, lane.state, &packet, now)?;
        if let Some(rule) = lane.ruling {
            policy.count(rule, packet.bytes.len() as u64);
        }
        neighbours.used_again(slot, now);
        counters.along += 1;
        let text = Text::Patch { patch: recipe.patch, protocol: packet.protocol(), partial: packet.partial };
        Some(Along { leg: lane.to, ends: (out.mac, dst), text })
    }

    /// The same for any packet of a flow that has a lane; leaves a recipe for those that follow.
    #[inline(never)]
    fn by_lane(
        &mut self,
        leg: LegIndex,
        passage: &Passage<'_>,
        offload: &Offload,
        now: Time,
    ) -> Option<Along> {
        let Self { plane, counters, .. } = self;
        let Plane { gateway, interfaces, neighbours, .. } = plane;
        let Gateway { nat, policy, lanes, .. } = gateway.as_deref_mut()?;
        let headers = passage.headers;
        let ipv6 = headers.ether_type == ETHER_TYPE_IPV6;
        let is_packet = headers.tag.is_none() && (ipv6 || headers.ether_type == ETHER_TYPE_IPV4);
        if !is_packet || interfaces.get(leg)?.mac != headers.dst {
            return None;
        }
        let bytes = passage.payload();
        let datagram = Datagram::parse(bytes).ok()?;
        let is_plain = datagram.fragment.is_none() && datagram.options == Options::None && datagram.ttl > 1;
        if !is_plain || datagram.is_ipv6() != ipv6 {
            return None;
        }
        let unfinished = unfinished(&datagram, headers.payload, offload).ok()?;
        let size = segment(datagram.transport, &bytes[..datagram.len], offload).unwrap_or(datagram.len);
        let (place, partial, ttl) = (Place::of(&datagram), is_own(unfinished, &datagram), datagram.ttl - 1);
        let packet = Packet::of(datagram, bytes);
        // only a SYN says how long segments may be
        let may_open =
            packet.protocol == TCP && packet.payload.get(FLAGS_AT).is_none_or(|flags| flags & SYN != 0);
        let (step, (lane, (dst, slot), src)) = nat.pursue(&packet, unfinished.is_some(), now, |step| {
            let lane = lanes.get(step.lane).filter(|lane| (lane.from, lane.state) == (leg, step.state))?;
            let out = interfaces.get(lane.to)?;
            if (out.clamp_mss && may_open) || size > usize::from(out.mtu) {
                return None;
            }
            let next_hop = lane.via.unwrap_or_else(|| step.to.ip(ipv6));
            Some((lane, neighbours.resolve(lane.to, next_hop, now)?, out.mac))
        })?;
        if let Some(rule) = lane.ruling {
            policy.count(rule, place.end() as u64);
        }
        nat.keep(&step, neighbours.hold(slot));
        neighbours.used(slot, now);
        counters.along += 1;
        let text = Text::Ends { translation: *step.ends(), place, partial, ttl };
        Some(Along { leg: lane.to, ends: (src, dst), text })
    }
}
