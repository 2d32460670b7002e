//! Doing what was decided: learning, waiting, cutting, telling.
//!
//! What a router sends of its own accord leaves through a closure, frame by frame; each fits into a frame that a device
//! may make. All of it goes one way ([`Router::send`]): to the neighbour if that is known, else to wait for it. Work is done in
//! buffers of the router, which are lent out while it is done.

use std::net::IpAddr;

use super::decision::{Answer, Arrival, Decision, Fate, Ingress, Onward};
use super::fragment::cut::cut;
use super::fragment::gather::{Loss, Outcome};
use super::icmp::{self, Error, local};
use super::interface::is_link_local;
use super::neighbour::ask::Message;
use super::neighbour::parked::{PACKET_MAX, Parked};
use super::neighbour::{Due, Slot};
use super::rewrite::Rewrite;
use super::{Plane, Router};
use crate::frame::{LegIndex, Offload, Passage};
use crate::time::Time;
use crate::verdict::Reason;
use crate::wire::datagram::Datagram;
use crate::wire::ip::{ETHER_TYPE_IPV4, ETHER_TYPE_IPV6};
use crate::wire::mac::Mac;

impl Router {
    /// Does what was [decided](Router::decide) of a frame, but for forwarding it. `emit` is given the frames that the
    /// router sends itself. Returns the cause if the frame ended after all, because the datagram that it is a piece of is
    /// none.
    pub fn commit(
        &mut self,
        decision: &Decision,
        at: Ingress,
        passage: &Passage<'_>,
        offload: &Offload,
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) -> Option<Reason> {
        let Ingress { leg, origin } = at;
        if let Some(slot) = decision.heard.and_then(|heard| self.plane.neighbours.hear(&heard, now)) {
            self.release(slot, now, emit);
        }
        if let Some(Answer::Neighbour(says)) = decision.answer
            && let Some(own) = self.plane.interfaces.get(leg)
        {
            emit(leg, Message::say(own, says).bytes());
        }
        let noted = decision.flow.as_ref().is_some_and(|flow| flow.noted);
        match decision.fate {
            Fate::Forward(_) | Fate::Consume | Fate::Drop(_) if decision.answer.is_none() && !noted => {
                self.follow(decision, origin, now);
                None
            }
            // the rest is about a packet
            _ => {
                let arrival = Arrival::read(leg, passage, offload).ok()?;
                let arrival = Arrival { origin, ..arrival };
                if noted {
                    self.note(decision, &arrival, passage.bytes, now);
                }
                self.commit_packet(decision, &arrival, now, emit)
            }
        }
    }

    fn commit_packet(
        &mut self,
        decision: &Decision,
        arrival: &Arrival<'_>,
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) -> Option<Reason> {
        self.follow(decision, arrival.origin, now);
        if let Some(answer) = decision.answer {
            self.answer(answer, arrival, now, emit);
        }
        match &decision.fate {
            Fate::Consume | Fate::Drop(_) | Fate::Forward(_) => None,
            Fate::Gather => self.gather(arrival, now, emit),
            Fate::Park(onward) | Fate::Remake(onward) => {
                self.remake(onward, arrival, now, emit);
                None
            }
        }
    }

    /// Its flow moves on, and its neighbour has been of use.
    fn follow(&mut self, decision: &Decision, origin: u16, now: Time) {
        if let (Some(flow), Some(gateway)) = (&decision.flow, &mut self.plane.gateway) {
            gateway.settle(flow, origin, now);
        }
        if let Fate::Forward(Onward { neighbour: Some((_, slot)), .. }) = decision.fate {
            self.plane.neighbours.used(slot, now);
        }
    }

    /// Rules of the user's have matched: they are counted, and may want a line about the `frame`.
    fn note(&mut self, decision: &Decision, arrival: &Arrival<'_>, frame: &[u8], now: Time) {
        let Plane { gateway, interfaces, .. } = &mut self.plane;
        if let (Some(flow), Some(gateway)) = (&decision.flow, gateway) {
            gateway.note(flow, arrival, interfaces, frame, now);
        }
    }

    /// Puts a piece to the others, and handles what is complete.
    fn gather(
        &mut self,
        arrival: &Arrival<'_>,
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) -> Option<Reason> {
        let mut whole = std::mem::take(&mut self.whole);
        whole.clear();
        let outcome = self.gather.take(&arrival.datagram, arrival.packet, arrival.leg, now, &mut whole);
        let cause = match outcome {
            Outcome::Complete(gathered) => match Datagram::parse(&whole) {
                // nobody sends pieces of pieces, and to put them together would need another buffer each time
                Ok(Datagram { fragment: Some(_), .. }) | Err(_) => Some(Reason::FragmentMalformed),
                Ok(datagram) => {
                    let packet = &whole[..datagram.len];
                    let (partial, segment) = (None, None);
                    let whole =
                        Arrival { datagram, packet, partial, segment, gathered: Some(gathered), ..*arrival };
                    self.take_whole(&whole, now, emit)
                }
            },
            Outcome::Kept => None,
            Outcome::Lost(Loss::Full) => Some(Reason::FragmentsFull),
            Outcome::Lost(Loss::Malformed) => Some(Reason::FragmentMalformed),
            Outcome::Lost(Loss::Overlap) => Some(Reason::FragmentOverlap),
        };
        self.whole = whole;
        cause
    }

    /// Decides on a datagram that was put together, and does it all.
    fn take_whole(
        &mut self,
        whole: &Arrival<'_>,
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) -> Option<Reason> {
        let own = self.plane.interfaces.get(whole.leg)?;
        let decision = self.plane.decide_packet(whole, own, now);
        if decision.flow.as_ref().is_some_and(|flow| flow.noted) {
            self.note(&decision, whole, &[], now);
        }
        if let Some(slot) = decision.heard.and_then(|heard| self.plane.neighbours.hear(&heard, now)) {
            self.release(slot, now, emit);
        }
        self.commit_packet(&decision, whole, now, emit);
        match decision.fate {
            Fate::Drop(cause) => Some(cause),
            // what was put together is cut again, so it never just goes on
            _ => None,
        }
    }

    /// Sends copies of a packet on, or lets them wait.
    fn remake(
        &mut self,
        onward: &Onward,
        arrival: &Arrival<'_>,
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) {
        let mut work = std::mem::take(&mut self.work);
        work.clear();
        work.extend_from_slice(arrival.packet);
        arrival.complete(&mut work);
        let to = (onward.leg, onward.next_hop);
        match onward.cut {
            // as it was sent, so that it can be quoted
            None if !onward.rewrite.grows() && onward.neighbour.is_none() => {
                self.send(to, &work, onward.rewrite, Some(arrival.leg), now, emit);
            }
            None => {
                write(&onward.rewrite, &mut work);
                self.send(to, &work, Rewrite::NONE, Some(arrival.leg), now, emit);
            }
            // pieces are translated one by one, so that one that waits in vain can be quoted as it was sent (N9)
            Some((max, id)) if onward.rewrite.is_piecewise(&arrival.datagram, max) => {
                self.send_cut(to, &work, (max, id), (onward.rewrite, Some(arrival.leg)), now, emit);
            }
            Some((max, id)) => {
                write(&onward.rewrite, &mut work);
                self.send_cut(to, &work, (max, id), (Rewrite::NONE, Some(arrival.leg)), now, emit);
            }
        }
        self.work = work;
    }

    fn answer(
        &mut self,
        answer: Answer,
        arrival: &Arrival<'_>,
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) {
        let Arrival { leg, ref datagram, packet, .. } = *arrival;
        let mut work = std::mem::take(&mut self.work);
        work.clear();
        match answer {
            Answer::Echo(source) => {
                let id = self.next_id();
                local::echo(&mut work, datagram, packet, source, id);
            }
            Answer::Error(error) => self.tell(error, datagram, packet, leg, now, &mut work),
            Answer::Neighbour(_) => {}
            Answer::Reset => local::reset(&mut work, datagram, packet),
        }
        self.originate(&work, leg, now, emit);
        self.work = work;
    }

    /// Writes an error about a packet that came in on that leg, if that much may be told.
    fn tell(
        &mut self,
        error: Error,
        about: &Datagram,
        packet: &[u8],
        leg: LegIndex,
        now: Time,
        out: &mut Vec<u8>,
    ) {
        let Some(source) = self.plane.speaker(error, about, leg) else { return };
        match self.limit.allow(error, about.source, now) {
            true => {
                let id = self.next_id();
                icmp::write(out, error, about, packet, source, id);
            }
            false => self.counters.untold += 1,
        }
    }

    /// Sends a packet that the router has made; what is for a link-local address leaves through that leg.
    fn originate(&mut self, packet: &[u8], leg: LegIndex, now: Time, emit: &mut impl FnMut(LegIndex, &[u8])) {
        let Ok(made) = Datagram::parse(packet) else { return };
        let to = match self.plane.routes.lookup(made.destination) {
            _ if is_link_local(made.destination) => (leg, made.destination),
            Some(route) => (route.leg, route.next_hop(made.destination)),
            None => {
                self.counters.unsent += 1;
                return;
            }
        };
        let mtu = self.plane.interfaces.get(to.0).map_or(0, |own| own.mtu);
        let max = mtu.min(PACKET_MAX as u16);
        match packet.len() <= usize::from(max) {
            true => self.send(to, packet, Rewrite::NONE, None, now, emit),
            false => {
                let id = u32::from(self.next_id());
                self.send_cut(to, packet, (max, id), (Rewrite::NONE, None), now, emit);
            }
        }
    }

    fn send_cut(
        &mut self,
        to: (LegIndex, IpAddr),
        packet: &[u8],
        (max, id): (u16, u32),
        (rewrite, from): (Rewrite, Option<LegIndex>),
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) {
        let mut piece = std::mem::take(&mut self.piece);
        cut(packet, usize::from(max), id, &mut piece, |piece| {
            self.send(to, piece, rewrite, from, now, emit);
        });
        self.piece = piece;
    }

    /// Sends a packet with complete checksums to a neighbour, or lets it wait for it.
    fn send(
        &mut self,
        to: (LegIndex, IpAddr),
        packet: &[u8],
        rewrite: Rewrite,
        from: Option<LegIndex>,
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) {
        let (leg, address) = to;
        if let Some((mac, slot)) = self.plane.neighbours.resolve(leg, address, now) {
            self.plane.neighbours.used(slot, now);
            self.emit(leg, mac, packet, rewrite, emit);
            return;
        }
        if packet.len() > PACKET_MAX {
            self.counters.unsent += 1;
            return;
        }
        match self.plane.neighbours.park(to, packet, rewrite, from, now) {
            Some(true) => self.ask(leg, address, None, emit),
            Some(false) => {}
            None => self.counters.unsent += 1,
        }
    }

    /// Sends what waited for a neighbour that is known now.
    fn release(&mut self, slot: Slot, now: Time, emit: &mut impl FnMut(LegIndex, &[u8])) {
        let Some((leg, mac)) = self.plane.neighbours.at(slot) else { return };
        while let Some(waiting) = self.plane.neighbours.unpark(slot) {
            self.plane.neighbours.used(slot, now);
            self.emit(leg, mac, &waiting.1.packet, waiting.1.rewrite, emit);
            self.plane.neighbours.give_back(waiting);
        }
    }

    fn emit(
        &mut self,
        leg: LegIndex,
        dst: Mac,
        packet: &[u8],
        rewrite: Rewrite,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) {
        let Some(own) = self.plane.interfaces.get(leg) else { return };
        let ipv6 = packet.first().is_some_and(|first| first >> 4 == 6);
        let ether_type = if ipv6 { ETHER_TYPE_IPV6 } else { ETHER_TYPE_IPV4 };
        let frame = &mut self.frame;
        frame.clear();
        frame.extend_from_slice(&dst.0);
        frame.extend_from_slice(&own.mac.0);
        frame.extend_from_slice(&ether_type.to_be_bytes());
        frame.extend_from_slice(packet);
        rewrite.apply(&mut frame[14..], false);
        emit(leg, frame);
    }

    fn ask(
        &mut self,
        leg: LegIndex,
        address: IpAddr,
        mac: Option<Mac>,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) {
        let own = self.plane.interfaces.get(leg);
        if let Some(question) = own.and_then(|own| Message::ask(own, address, mac)) {
            emit(leg, question.bytes());
        }
    }

    fn next_id(&mut self) -> u16 {
        self.id = self.id.wrapping_add(1);
        self.id
    }

    /// Does what time has made due: asks neighbours again, gives up on them and on datagrams that never became complete, and
    /// looks at no more than `budget` sessions that may have expired. How many had.
    pub fn tick(&mut self, now: Time, budget: usize, emit: &mut impl FnMut(LegIndex, &[u8])) -> usize {
        if self.plane.neighbours.deadline() <= now {
            for slot in self.plane.neighbours.slots() {
                match self.plane.neighbours.expire(slot, now) {
                    Some(Due::Ask(leg, address, mac)) => self.ask(leg, address, mac, emit),
                    Some(Due::Failed) => self.give_up(slot, now, emit),
                    None => {}
                }
            }
            self.plane.neighbours.rest();
        }
        let swept = self.plane.gateway.as_mut().map_or(0, |gateway| gateway.nat.sweep(now, budget));
        let mut whole = std::mem::take(&mut self.whole);
        whole.clear();
        while let Some(leg) = self.gather.expire(now, &mut whole) {
            self.tell_of_pieces(&whole, leg, now, emit);
            whole.clear();
        }
        self.whole = whole;
        swept
    }

    /// Tells the senders of what waited in vain that the host cannot be reached.
    fn give_up(&mut self, slot: Slot, now: Time, emit: &mut impl FnMut(LegIndex, &[u8])) {
        // what is told now may itself have to wait there, for the next round
        for _ in 0..self.plane.neighbours.waiting(slot) {
            let Some((place, parked)) = self.plane.neighbours.unpark(slot) else { return };
            self.counters.unreachable += 1;
            if let Parked { ref packet, from: Some(leg), .. } = parked {
                self.complain(Error::HostUnreachable, packet, leg, now, emit);
            }
            self.plane.neighbours.give_back((place, parked));
        }
    }

    /// Tells the sender of a datagram for the router that pieces are missing; for others the kernel says nothing.
    fn tell_of_pieces(
        &mut self,
        first: &[u8],
        leg: LegIndex,
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) {
        self.counters.incomplete += 1;
        let destination = destination(first);
        if destination.is_some_and(|address| self.plane.interfaces.is_local(leg, address)) {
            self.complain(Error::ReassemblyTime, first, leg, now, emit);
        }
    }

    fn complain(
        &mut self,
        error: Error,
        packet: &[u8],
        leg: LegIndex,
        now: Time,
        emit: &mut impl FnMut(LegIndex, &[u8]),
    ) {
        let Ok(about) = Datagram::parse(packet) else { return };
        if !icmp::may_tell(&about, packet, Mac::ZERO) {
            return;
        }
        let mut work = std::mem::take(&mut self.work);
        work.clear();
        self.tell(error, &about, packet, leg, now, &mut work);
        self.originate(&work, leg, now, emit);
        self.work = work;
    }
}

fn write(rewrite: &Rewrite, packet: &mut Vec<u8>) {
    rewrite.apply(packet, false);
    if let Some(mss) = rewrite.mss {
        mss.add(packet);
    }
}

fn destination(packet: &[u8]) -> Option<IpAddr> {
    Datagram::parse(packet).ok().map(|datagram| datagram.destination)
}
