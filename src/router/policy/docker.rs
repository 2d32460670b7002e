//! The order of the rules: Docker's of 29.x (M1 to M10), with the user's where DOCKER-USER is.
//!
//! Each step is a function that may end the walk. They stand in the order in which they are asked; who wants to know what
//! happens to a packet reads [`filter`] from top to bottom.

use super::config::{Action, Invalid};
use super::{Passing, Role, RuleId, Rules, Ruling, SourceNat};
use crate::router::interface::Interface;
use crate::router::nat::judgement::State;
use crate::wire::packet::protocol;

/// Whether a packet may pass. `visit` hears of every rule that matched but for the one that ends it.
pub(super) fn filter(rules: &Rules, passing: &Passing<'_>, visit: &mut impl FnMut(RuleId)) -> Ruling {
    let ruling = invalid(rules, passing)
        .or_else(|| direct(passing))
        .or_else(|| user(rules, passing, visit))
        .or_else(|| established(passing, visit))
        .or_else(|| internal(passing))
        .or_else(|| inwards(rules, passing, visit))
        .or_else(|| outwards(rules, passing, visit));
    ruling.unwrap_or(Ruling::Accept)
}

/// 0.2: Docker's rules would let it out as it is, private address and all (N6).
fn invalid(rules: &Rules, passing: &Passing<'_>) -> Option<Ruling> {
    let invalid = matches!(passing.state, State::Invalid(_));
    (invalid && rules.config.invalid == Invalid::Drop).then_some(Ruling::Drop(RuleId::Invalid))
}

/// M1, which is asked before everything (raw PREROUTING): the user cannot allow it. Guests that are not hidden are addressed
/// by what they are called, so it is not for them (M12).
pub(super) fn direct(passing: &Passing<'_>) -> Option<Ruling> {
    let (leg, interface) = passing.to;
    let direct = comes_in(passing) && !passing.destination_nat && !is_routed(interface);
    direct.then_some(Ruling::Drop(RuleId::Direct(leg)))
}

/// C1, M3: the user's rules, whatever state the packet is in.
fn user(rules: &Rules, passing: &Passing<'_>, visit: &mut impl FnMut(RuleId)) -> Option<Ruling> {
    for (index, rule) in rules.config.rules.iter().take(super::RULES_MAX).enumerate() {
        if !rule.matches(passing) {
            continue;
        }
        let id = RuleId::User(index as u16);
        match rule.action {
            Action::Accept => {
                visit(id);
                return Some(Ruling::Accept);
            }
            Action::Drop => return Some(Ruling::Drop(id)),
            Action::Log(_) => visit(id),
            Action::Reject(with) => return Some(Ruling::Reject(with, id)),
            Action::Return => {
                visit(id);
                return None;
            }
        }
    }
    None
}

/// M5: what a guest is told is for it. Before M6 and M9, so that guests of two networks can talk by a published port.
fn established(passing: &Passing<'_>, visit: &mut impl FnMut(RuleId)) -> Option<Ruling> {
    let (leg, interface) = passing.to;
    let known = matches!(passing.state, State::Established | State::Related);
    (known && is_inside(interface) && !interface.inside.internal)
        .then(|| accept(RuleId::Established(leg), visit))
}

/// M6: what is of an internal network stays on its wire, and what is not stays out.
fn internal(passing: &Passing<'_>) -> Option<Ruling> {
    let ((from, source), (to, destination)) = (passing.from, passing.to);
    let tuple = passing.tuple;
    let is_internal = |interface: &Interface| is_inside(interface) && interface.inside.internal;
    // of IPv6, what stays on its wire is not asked for addresses: there are link-local ones
    let beyond = |interface: &Interface, address| {
        from != to || !tuple.ipv6 && !interface.addresses.iter().any(|net| net.contains(&address))
    };
    if is_internal(source) && beyond(source, tuple.destination.ip(tuple.ipv6)) {
        return Some(Ruling::Drop(RuleId::InternalOut(from)));
    }
    if is_internal(destination) && beyond(destination, tuple.source.ip(tuple.ipv6)) {
        return Some(Ruling::Drop(RuleId::InternalIn(to)));
    }
    None
}

/// M8, M9: published ports come in, and nothing else.
fn inwards(rules: &Rules, passing: &Passing<'_>, visit: &mut impl FnMut(RuleId)) -> Option<Ruling> {
    let (leg, interface) = passing.to;
    if !comes_in(passing) {
        return None;
    }
    if let Some(rule) = opening(rules, passing) {
        return Some(accept(rule, visit));
    }
    let icmp = if passing.tuple.ipv6 { protocol::ICMPV6 } else { protocol::ICMP };
    if is_routed(interface) && passing.tuple.protocol == icmp {
        return Some(accept(RuleId::Ping(leg), visit));
    }
    Some(Ruling::Drop(RuleId::Closed(leg)))
}

/// M10: guests may talk to each other if that is wanted, or by a published port (moby#53723); and to everybody else.
fn outwards(rules: &Rules, passing: &Passing<'_>, visit: &mut impl FnMut(RuleId)) -> Option<Ruling> {
    let (leg, interface) = passing.from;
    if !is_inside(interface) {
        return None;
    }
    if leg != passing.to.0 {
        return Some(accept(RuleId::Egress(leg), visit));
    }
    if interface.inside.icc {
        return Some(accept(RuleId::Icc(leg), visit));
    }
    let opening = opening(rules, passing).filter(|_| passing.destination_nat);
    Some(opening.map_or(Ruling::Drop(RuleId::Icc(leg)), |rule| accept(rule, visit)))
}

/// The rule that lets a packet in to a guest: it was translated, or would have been if the guest were hidden (M12).
fn opening(rules: &Rules, passing: &Passing<'_>) -> Option<RuleId> {
    let (leg, interface) = passing.to;
    let published = rules.published(passing.tuple);
    if passing.destination_nat {
        if matches!(passing.state, State::Established | State::Related) {
            return Some(RuleId::Established(leg));
        }
        return Some(published.map_or(RuleId::Opened(leg), |(index, _)| RuleId::Published(index)));
    }
    let source = passing.tuple.source.ip(passing.tuple.ipv6);
    let published = published.filter(|(_, publish)| is_routed(interface) && publish.allows(source));
    published.map(|(index, _)| RuleId::Published(index))
}

fn accept(rule: RuleId, visit: &mut impl FnMut(RuleId)) -> Ruling {
    visit(rule);
    Ruling::Accept
}

/// Whether a packet comes to guests from elsewhere.
fn comes_in(passing: &Passing<'_>) -> bool {
    is_inside(passing.to.1) && passing.from.0 != passing.to.0
}

pub(super) fn is_inside(interface: &Interface) -> bool {
    interface.role == Role::Inside
}

/// Whether guests are known by their own addresses (M12).
pub(super) fn is_routed(interface: &Interface) -> bool {
    is_inside(interface) && interface.inside.source_nat == SourceNat::None && !interface.inside.internal
}
