//! The rules, one after the other, as iptables has them (M1, M3 to M11, C15).

use std::net::IpAddr;

use super::Gateway;
use super::flows::State;
use super::packet::{ICMP, ICMPV6, TCP, Tuple, UDP};
use crate::frame::LegIndex;
use crate::router::interface::{Interface, Role, SourceNat};
use crate::router::policy::config::{Action, Invalid, Publish, Reject, Rule, States};

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Drop,
    Reject(Reject),
}

/// A packet between the legs: where it goes is translated, where it comes from is not (C1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    pub(super) from: LegIndex,
    pub(super) to: LegIndex,
    pub(super) tuple: Tuple,
    pub(super) state: State,
    /// Its destination was written by the gateway.
    pub(super) rewritten: bool,
}

fn guards(interface: &Interface) -> bool {
    interface.role == Role::Inside
}

/// M12: whose guests have addresses that others may know.
fn is_routed(interface: &Interface) -> bool {
    interface.inside.source_nat == SourceNat::None
}

fn holds(interface: &Interface, address: IpAddr) -> bool {
    interface.addresses.iter().any(|net| net.contains(&address))
}

impl Gateway {
    /// M1, which the kernel asks before it knows of flows: whether somebody addresses a guest behind another leg.
    pub(super) fn is_direct(&self, from: LegIndex, to: IpAddr) -> bool {
        let theirs = |(leg, own): &(LegIndex, Interface)| {
            *leg != from && guards(own) && (own.inside.internal || !is_routed(own)) && holds(own, to)
        };
        !self.is_local(to) && self.interfaces.iter().any(theirs)
    }

    /// The publish that a packet to a local address is of (C11, C14).
    pub(super) fn published(&self, tuple: &Tuple) -> Option<Publish> {
        let matches = |publish: &&Publish| {
            publish.protocol.number() == tuple.protocol
                && (publish.ports.0..=publish.ports.1).contains(&tuple.dport)
                && publish.to.is_ipv4() == tuple.dst.is_ipv4()
                && publish.listen.is_none_or(|listen| listen == tuple.dst)
                && (publish.allow_from.is_empty()
                    || publish.allow_from.iter().any(|net| net.contains(&tuple.src)))
        };
        self.config.publishes.iter().find(matches).cloned()
    }

    /// Everything in FORWARD.
    pub(super) fn filter(&self, passing: &Passing) -> Verdict {
        let Passing { from, to, tuple, state, rewritten } = *passing;
        // 0.2
        if state == State::Invalid && self.config.invalid == Invalid::Drop {
            return Verdict::Drop;
        }
        for rule in &self.config.rules {
            if !asks(rule, passing) {
                continue;
            }
            match &rule.action {
                Action::Accept => return Verdict::Accept,
                Action::Drop => return Verdict::Drop,
                Action::Reject(how) => return Verdict::Reject(*how),
                Action::Return => break,
                Action::Log(_) => {}
            }
        }
        let (here, there) = (self.interface(from), self.interface(to));
        // M5
        let flows = matches!(state, State::Established | State::Related);
        if guards(there) && !there.inside.internal && flows {
            return Verdict::Accept;
        }
        // M6: nobody gets off the wire or onto it, and in IPv4 the addresses on it have to be its own, too
        let strange =
            |own: &Interface, address: IpAddr| from != to || (address.is_ipv4() && !holds(own, address));
        let ends = [(here, tuple.dst), (there, tuple.src)];
        if ends.into_iter().any(|(own, other)| guards(own) && own.inside.internal && strange(own, other)) {
            return Verdict::Drop;
        }
        // C16: the hairpin, of whatever network
        if guards(there) && from == to && rewritten && (flows || self.is_target(&tuple)) {
            return Verdict::Accept;
        }
        if guards(there) && !there.inside.internal {
            // M8, for guests of the same network too: the hairpin, which works however icc is set
            let opened = rewritten || (is_routed(there) && from != to);
            if opened && self.is_target(&tuple) {
                return Verdict::Accept;
            }
            if is_routed(there) && from != to && matches!(tuple.protocol, ICMP | ICMPV6) {
                return Verdict::Accept;
            }
            // M9
            if from != to {
                return Verdict::Drop;
            }
        }
        // M10
        if guards(here) && from == to && !here.inside.icc {
            return Verdict::Drop;
        }
        Verdict::Accept
    }

    fn is_target(&self, tuple: &Tuple) -> bool {
        self.config.publishes.iter().any(|publish| {
            publish.protocol.number() == tuple.protocol
                && publish.to == tuple.dst
                && tuple.dport.wrapping_sub(publish.to_port) <= publish.ports.1 - publish.ports.0
        })
    }

    /// What becomes of the source of a new flow: the first and last address (C15, and the hairpin's).
    pub(super) fn source_nat(&self, passing: &Passing, next_hop: IpAddr) -> Option<(IpAddr, IpAddr)> {
        let Passing { from, to, tuple, rewritten, .. } = *passing;
        let there = self.interface(to);
        let masquerade = || there.source_for(next_hop).map(|address| (address, address));
        if from == to && guards(there) && rewritten {
            return masquerade();
        }
        let here = self.interface(from);
        if from == to || !guards(here) || here.inside.internal {
            return None;
        }
        match here.inside.source_nat {
            SourceNat::Masquerade => masquerade(),
            SourceNat::None => None,
            SourceNat::To(first, last) if first.is_ipv4() == tuple.src.is_ipv4() => Some((first, last)),
            // what is said of one family says nothing of the other
            SourceNat::To(..) => masquerade(),
        }
    }
}

/// Whether all conditions of a rule of the user's hold.
fn asks(rule: &Rule, passing: &Passing) -> bool {
    let Passing { from, to, tuple, state, .. } = *passing;
    let has_ports = matches!(tuple.protocol, TCP | UDP);
    let within = |ranges: &[(u16, u16)], port: u16| {
        ranges.is_empty()
            || (has_ports && ranges.iter().any(|(first, last)| (*first..=*last).contains(&port)))
    };
    let state = match state {
        State::Established => States::ESTABLISHED,
        State::Invalid => States::INVALID,
        State::New => States::NEW,
        State::Related => States::RELATED,
        State::Untracked => States::UNTRACKED,
    };
    rule.from.is_none_or(|leg| leg == from)
        && rule.to.is_none_or(|leg| leg == to)
        && (rule.source.is_empty() || rule.source.iter().any(|net| net.contains(&tuple.src)))
        && (rule.destination.is_empty() || rule.destination.iter().any(|net| net.contains(&tuple.dst)))
        && rule.protocol.is_none_or(|protocol| protocol == tuple.protocol)
        && within(&rule.ports, tuple.dport)
        && within(&rule.source_ports, tuple.sport)
        && (rule.states.is_empty() || rule.states.contains(state))
}
