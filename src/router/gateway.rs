//! Where routing, connection tracking and rules meet: what makes a router a gateway.
//!
//! A router follows flows as soon as one of its legs has a role, or a rule is set; before, it only routes. Then every packet
//! passes in the kernel's order (N1): its flow is found and its destination translated (`Gateway::judge`), it is routed, the rules
//! are asked and its source is translated (`Gateway::pass`). All that is kept in a [`Flow`], a value beside the decision:
//! nothing has happened until `Gateway::settle`, and of a new flow that was stopped on the way nothing ever does (N4).
//!
//! What is for the router itself opens no session: nobody sits in the router whose flows could be confused with those of
//! guests (P11). A packet that no rule translates keeps its addresses, yet may get another port (N3).

use std::net::IpAddr;

use super::decision::Arrival;
use super::interface::{Interface, Interfaces, Role, SourceNat, is_link_local};
use super::lanes::{Lane, Lanes};
use super::nat::Nat;
use super::nat::judgement::{Judgement, Refusal, State};
use super::nat::ports::{Filtering, Range};
use super::nat::rewrite::Translation;
use super::nat::track::Invalid;
use super::nat::tuple::Tuple;
use super::policy::config::{self, Reject};
use super::policy::{Passing, Policy, RuleId, Ruling};
use super::routes::Route;
use crate::frame::LegIndex;
use crate::time::Time;
use crate::verdict::Reason;
use crate::wire::packet::Packet;

/// What follows flows and asks rules.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) nat: Nat,
    pub(super) policy: Policy,
    pub(super) lanes: Lanes,
    /// Whether lanes are used ([`super::Settings::memo`]).
    pub(super) memo: bool,
}

/// What is known of the flow of a packet, and which rules have spoken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// The flow.
    pub judgement: Judgement,
    /// The publish that its destination was translated by.
    pub publish: Option<u16>,
    /// The rule that its source was translated by.
    pub source: Option<RuleId>,
    /// The rule that decided whether it may pass.
    pub ruling: Option<RuleId>,
    /// The leg it was to leave through when the rules were asked.
    pub to: Option<LegIndex>,
    /// Whether rules of the user's have matched.
    pub noted: bool,
    /// The way it goes, if later packets of the flow can follow it.
    pub lane: Option<Lane>,
}

/// Why a packet may not pass, and what its sender is told.
pub(super) type Stopped = (Reason, Option<Reject>);

impl Flow {
    /// What is to be written.
    pub fn translation(&self) -> Translation {
        self.judgement.translation
    }

    /// The packet's tuple as rules see it: its destination translated, its source not (C1).
    fn seen(&self, packet: &Packet<'_>) -> Tuple {
        let translated = self.judgement.translated();
        match (self.judgement.tuple(), translated) {
            (Some(came), Some(goes)) => Tuple { source: came.source, source_port: came.source_port, ..goes },
            _ => Tuple {
                source: packet.source.into(),
                destination: packet.destination.into(),
                source_port: 0,
                destination_port: 0,
                protocol: packet.protocol,
                ipv6: packet.is_ipv6(),
            },
        }
    }
}

impl Gateway {
    /// Finds the flow of a packet, and translates the destination of a new one.
    pub(super) fn judge(&self, arrival: &Arrival<'_>, interfaces: &Interfaces, now: Time) -> Flow {
        let packet = packet(arrival);
        let mut judgement = self.nat.judge(&packet, arrival.partial.is_some(), now);
        let mut publish = None;
        if judgement.opens()
            && let Some(tuple) = judgement.tuple().copied()
            && interfaces.is_local(arrival.leg, packet.destination)
            && !is_link_local(packet.destination)
        {
            if let Some((range, index)) = self.policy.destination(&tuple) {
                self.nat.bind_destination(&mut judgement, Some(&range), now);
                publish = Some(index);
            } else if let Some(range) = self.nat.behind(&judgement, self.filtering(), now) {
                self.nat.bind_destination(&mut judgement, Some(&range), now);
            }
        }
        Flow { judgement, publish, source: None, ruling: None, to: None, noted: false, lane: None }
    }

    /// Remembers the way that a packet has found, for those that follow it. Not if rules want to see each of them, nor where
    /// each may have to be told of a better way.
    pub(super) fn remember(&self, flow: &mut Flow, from: LegIndex, route: &Route) {
        let state = flow.judgement.state;
        if self.memo && flow.judgement.follows() && !flow.noted && from != route.leg {
            flow.lane = Some(Lane { from, state, to: route.leg, via: route.via, ruling: flow.ruling });
        }
    }

    /// Whether a packet is not to be answered, and its flow not to know of it: what addresses a guest directly ends before
    /// connection tracking sees it (M1, raw PREROUTING).
    pub(super) fn is_direct(
        flow: &mut Flow,
        arrival: &Arrival<'_>,
        from: (LegIndex, &Interface),
        to: (LegIndex, &Interface),
    ) -> bool {
        let seen = flow.seen(&packet(arrival));
        let rule = Policy::is_direct(&passing(flow, from, to, &seen));
        if rule.is_some() {
            flow.judgement.disregard();
            flow.ruling = rule;
        }
        rule.is_some()
    }

    /// Asks the rules about a packet that is to be forwarded between these legs, and translates the source of a new flow.
    /// `next_hop` is whom it is handed to.
    pub(super) fn pass(
        &self,
        flow: &mut Flow,
        arrival: &Arrival<'_>,
        from: (LegIndex, &Interface),
        to: (LegIndex, &Interface),
        next_hop: IpAddr,
        now: Time,
    ) -> Result<(), Stopped> {
        let packet = packet(arrival);
        let seen = flow.seen(&packet);
        let passing = passing(flow, from, to, &seen);
        let mut last = None;
        let mut noted = false;
        let ruling = self.policy.filter(&passing, &mut |rule| {
            noted |= matches!(rule, RuleId::User(_));
            last = Some(rule);
        });
        let source = self.policy.source(&passing);
        (flow.ruling, flow.noted, flow.to) = (last, noted, Some(to.0));
        match ruling {
            Ruling::Accept => {}
            Ruling::Drop(rule) => return Err((denial(rule, flow.judgement.state), None)),
            Ruling::Reject(with, _) => return Err((Reason::RuleReject, Some(with))),
        }
        // what is not followed cannot be translated: neighbour discovery for somebody else's wire, with a private address
        let hides = from.1.inside.source_nat != SourceNat::None && from.1.role == Role::Inside;
        if flow.judgement.state == State::Untracked && hides && from.0 != to.0 {
            return Err((Reason::BeyondScope, None));
        }
        if flow.judgement.withheld {
            return Err((Reason::ErrorUntranslatable, None));
        }
        if self.nat.has_moved(&flow.judgement, to.0.0) {
            flow.judgement.end();
            return Err((Reason::NatRouteMoved, None));
        }
        if !flow.judgement.opens() {
            return Ok(());
        }
        let range = match source {
            None => None,
            Some((nat, rule)) => {
                flow.source = Some(rule);
                self.range(nat, to.1, next_hop).map_err(|reason| (reason, None))?
            }
        };
        let bound = matches!(source, Some((SourceNat::Masquerade, _))).then_some(to.0.0);
        self.nat.bind_source(&mut flow.judgement, range.as_ref(), bound, now);
        self.nat.confirm(&mut flow.judgement, now).map_err(|refusal| match refusal {
            Refusal::Clash => (Reason::NatPortsFull, None),
            Refusal::Full => (Reason::ConntrackFull, None),
        })
    }

    /// Makes it so: the flow moves on, and what has matched is counted. `origin` is who a new session is counted for.
    pub(super) fn settle(&mut self, flow: &Flow, origin: u16, now: Time) {
        let bytes = flow.judgement.bytes();
        let opens = flow.judgement.opens();
        let session = self.nat.commit(&flow.judgement, origin, now);
        if let (Some(lane), Some(slot)) = (flow.lane, session) {
            let id = self.lanes.number(lane);
            self.nat.set_lane(slot, flow.judgement.direction, id);
        }
        if opens && session.is_some() {
            if let Some(index) = flow.publish {
                self.policy.count(RuleId::Dnat(index), bytes);
            }
            if let Some(rule) = flow.source {
                self.policy.count(rule, bytes);
            }
        }
        if let Some(rule) = flow.ruling.filter(|_| !flow.noted) {
            self.policy.count(rule, bytes);
        }
    }

    /// Counts every rule that has matched, where rules of the user's were among them, and writes the lines that those want
    /// about the `frame`.
    pub(super) fn note(
        &mut self,
        flow: &Flow,
        arrival: &Arrival<'_>,
        interfaces: &Interfaces,
        frame: &[u8],
        now: Time,
    ) {
        let Some(to) = flow.to else { return };
        let (Some(own), Some(out)) = (interfaces.get(arrival.leg), interfaces.get(to)) else { return };
        let seen = flow.seen(&packet(arrival));
        let passing = passing(flow, (arrival.leg, own), (to, out), &seen);
        self.policy.note(&passing, frame, arrival.packet, now);
    }

    /// What a source is translated to on the way out through that leg (P1).
    fn range(&self, nat: SourceNat, out: &Interface, next_hop: IpAddr) -> Result<Option<Range>, Reason> {
        let config = self.policy.config();
        let range = match nat {
            SourceNat::None => return Ok(None),
            SourceNat::Masquerade => {
                let address = out.source_for(next_hop).filter(|address| !is_link_local(*address));
                Range::address(address.ok_or(Reason::NatNoAddress)?)
            }
            SourceNat::To(first, last) if first.is_ipv4() == next_hop.is_ipv4() => {
                Range { last: last.into(), ..Range::address(first) }
            }
            SourceNat::To(..) => return Err(Reason::NatNoAddress),
        };
        Ok(Some(Range { ports: config.ports, mapping: config.mapping, ..range }))
    }

    fn filtering(&self) -> Filtering {
        self.policy.config().filtering
    }

    /// Whether packets of no flow may not even be answered.
    pub(super) fn drops_invalid(&self) -> bool {
        self.policy.config().invalid == config::Invalid::Drop
    }
}

/// Why a rule stops a packet, in the words of the listing of drops.
fn denial(rule: RuleId, state: State) -> Reason {
    match (rule, state) {
        (RuleId::Invalid, State::Invalid(invalid)) => invalidity(invalid),
        (RuleId::Direct(_), _) => Reason::DirectToInside,
        (RuleId::Icc(_), _) => Reason::Icc,
        (RuleId::InternalIn(_) | RuleId::InternalOut(_), _) => Reason::NetworkInternal,
        (RuleId::User(_), _) => Reason::RuleDrop,
        _ => Reason::NotPublished,
    }
}

/// Why a packet is of no flow.
pub(super) fn invalidity(invalid: Invalid) -> Reason {
    match invalid {
        Invalid::Checksum => Reason::ChecksumWrong,
        Invalid::Malformed => Reason::TransportMalformed,
        Invalid::Stray => Reason::ConntrackInvalid,
        Invalid::Unfit => Reason::ConntrackWindow,
    }
}

fn passing<'a>(
    flow: &Flow,
    from: (LegIndex, &'a Interface),
    to: (LegIndex, &'a Interface),
    tuple: &'a Tuple,
) -> Passing<'a> {
    let came = flow.judgement.tuple().map_or(tuple.destination, |came| came.destination);
    let came_port = flow.judgement.tuple().map_or(tuple.destination_port, |came| came.destination_port);
    let destination_nat = (came, came_port) != (tuple.destination, tuple.destination_port);
    Passing { from, to, tuple, state: flow.judgement.state, destination_nat }
}

/// The packet as connection tracking reads it.
fn packet<'a>(arrival: &Arrival<'a>) -> Packet<'a> {
    Packet::of(arrival.datagram, arrival.packet)
}
