//! The user's rules, as lines of DOCKER-USER.
//!
//! A rule may have any of several sources, destinations and ports, and may leave open which protocol the ports are of. Of
//! iptables' lines each has one of each, and at most 15 ports, where a range counts for two (`xt_multiport.h`); so there is
//! a line for every combination.

use super::List;
use super::words::{Limit, Match, Ports, Prefix};
use crate::router::policy::config::{Action, Reject, Rule};
use crate::router::policy::{RULES_MAX, RuleId};
use crate::wire::packet::protocol;

const CHAIN: &str = "DOCKER-USER";
/// The protocols that have ports.
const WITH_PORTS: [u8; 4] = [protocol::TCP, protocol::UDP, protocol::SCTP, protocol::UDP_LITE];
/// How many ports a line has at most.
const PORTS_MAX: usize = 15;

impl List<'_> {
    pub(super) fn user(&mut self) {
        for (index, rule) in self.config.rules.iter().take(RULES_MAX).enumerate() {
            let mut id = Some(RuleId::User(index as u16));
            for source in self.sources(&rule.source) {
                for destination in self.sources(&rule.destination) {
                    let wanted = Match {
                        source,
                        destination,
                        input: rule.from.map(|leg| (true, self.name(leg))),
                        output: rule.to.map(|leg| (true, self.name(leg))),
                        states: rule.states,
                        ..Match::default()
                    };
                    self.protocols(rule, wanted, &mut id);
                }
            }
        }
    }

    fn protocols(&mut self, rule: &Rule, wanted: Match<'_>, id: &mut Option<RuleId>) {
        let has_ports = !rule.ports.is_empty() || !rule.source_ports.is_empty();
        let foreign = if self.ipv6 { protocol::ICMP } else { protocol::ICMPV6 };
        match rule.protocol {
            Some(number) if number == foreign || has_ports && !WITH_PORTS.contains(&number) => {}
            Some(number) => self.ports(rule, Match { protocol: Some(number), ..wanted }, id),
            None if has_ports => {
                for number in WITH_PORTS {
                    self.ports(rule, Match { protocol: Some(number), ..wanted }, id);
                }
            }
            None => self.act(rule, &wanted, id),
        }
    }

    fn ports(&mut self, rule: &Rule, wanted: Match<'_>, id: &mut Option<RuleId>) {
        let mut sources = &rule.source_ports[..];
        loop {
            let (some, others) = sources.split_at(fitting(sources));
            let mut ports = &rule.ports[..];
            loop {
                let (part, rest) = ports.split_at(fitting(ports));
                self.act(rule, &Match { source_ports: Ports(some), ports: Ports(part), ..wanted }, id);
                ports = rest;
                if ports.is_empty() {
                    break;
                }
            }
            sources = others;
            if sources.is_empty() {
                return;
            }
        }
    }

    fn act(&mut self, rule: &Rule, wanted: &Match<'_>, id: &mut Option<RuleId>) {
        match &rule.action {
            Action::Accept => self.add(CHAIN, wanted, format_args!("ACCEPT"), [id.take(), None]),
            Action::Drop => self.add(CHAIN, wanted, format_args!("DROP"), [id.take(), None]),
            Action::Return => self.add(CHAIN, wanted, format_args!("RETURN"), [id.take(), None]),
            Action::Reject(Reject::TcpReset) => {
                let tcp = Match { protocol: Some(protocol::TCP), ..*wanted };
                if wanted.protocol.is_none_or(|number| number == protocol::TCP) {
                    self.add(CHAIN, &tcp, format_args!("REJECT --reject-with tcp-reset"), [id.take(), None]);
                }
                if wanted.protocol != Some(protocol::TCP) {
                    self.reject(wanted, Reject::PortUnreachable, id);
                }
            }
            Action::Reject(with) => self.reject(wanted, *with, id),
            Action::Log(log) if log.limit == 0 => {
                // which counts, and says nothing
                self.line(format_args!("-A {CHAIN}{wanted}"), [id.take(), None]);
            }
            Action::Log(log) => {
                let (limit, prefix) = (Limit(log.limit), Prefix(&log.prefix));
                self.line(format_args!("-A {CHAIN}{wanted}{limit} -j LOG{prefix}"), [id.take(), None]);
            }
        }
    }

    fn reject(&mut self, wanted: &Match<'_>, with: Reject, id: &mut Option<RuleId>) {
        let name = match (with, self.ipv6) {
            (Reject::AdminProhibited, false) => "icmp-admin-prohibited",
            (Reject::AdminProhibited, true) => "icmp6-adm-prohibited",
            (Reject::HostUnreachable, false) => "icmp-host-unreachable",
            (Reject::HostUnreachable, true) => "icmp6-addr-unreachable",
            (Reject::PortUnreachable | Reject::TcpReset, false) => "icmp-port-unreachable",
            (Reject::PortUnreachable | Reject::TcpReset, true) => "icmp6-port-unreachable",
        };
        self.add(CHAIN, wanted, format_args!("REJECT --reject-with {name}"), [id.take(), None]);
    }
}

/// How many of these ranges go into one line: as many as there is room for, and at least one.
fn fitting(ranges: &[(u16, u16)]) -> usize {
    let mut room = PORTS_MAX;
    let fits = |(first, last): &&(u16, u16)| {
        let takes = if first == last { 1 } else { 2 };
        let fits = room >= takes;
        room = room.saturating_sub(takes);
        fits
    };
    ranges.iter().take_while(fits).count()
}
