//! Which ports flows get (P1 to P6, N3), and who has to go for them (L2).

use std::net::IpAddr;

use super::flows::{Flow, Flows};
use super::packet::{ICMP, ICMPV6, TCP, Tuple};
use super::tcp::State;
use super::{Entry, Gateway};
use crate::router::policy::config::{Config, Publish};

/// L2: who answered and is not on its way out.
fn must_stay(flow: &Flow) -> bool {
    let closing = flow.tcp.is_some_and(|connection| {
        !matches!(connection.state, State::SynSent | State::SynRecv | State::SynSent2 | State::Established)
    });
    flow.assured && !closing
}

/// P4: whichever ports are as good as that one.
fn class(protocol: u8, port: u16) -> (u16, u16) {
    match (protocol, port) {
        (ICMP | ICMPV6, _) => (0, 65535),
        (_, ..512) => (1, 511),
        (_, 512..1024) => (600, 1023),
        (_, 1024..) => (1024, 65535),
    }
}

impl Gateway {
    /// Gives a new flow its source; `range` is what the rules say, none if they say nothing. False if there is nothing
    /// left.
    pub(super) fn allocate(
        &mut self,
        flow: &mut Flow,
        range: Option<(IpAddr, IpAddr)>,
        seen: &[Entry],
    ) -> bool {
        let (first, last) = range.unwrap_or((flow.original.src, flow.original.src));
        let ports = range.and(self.config.ports);
        let icmp = matches!(flow.original.protocol, ICMP | ICMPV6);
        let now = flow.translated(false);
        let (old_port, protocol) = (now.sport, now.protocol);
        let has_ports = icmp || matches!(protocol, 6 | 17);
        let fits = |tuple: &Tuple| {
            (first..=last).contains(&tuple.src)
                && ports.is_none_or(|(low, high)| !has_ports || (low..=high).contains(&tuple.sport))
        };
        let give = |flow: &mut Flow, tuple: Tuple| {
            flow.reply = tuple.inverse().expect("flows have two directions");
            true
        };
        // what the real one has made of it
        let chosen = seen.iter().find(|entry| entry.original == flow.original);
        let chosen = chosen.and_then(|entry| entry.reply.inverse());
        if fits(&now) && !self.flows.is_taken(&now) {
            return give(flow, now);
        }
        // P2
        if !fits(&now) {
            let mappings = self.mappings(&flow.original, now);
            let free: Vec<_> =
                mappings.iter().filter(|tuple| fits(tuple) && !self.flows.is_taken(tuple)).copied().collect();
            let all_fit = mappings.iter().filter(|tuple| fits(tuple)).count();
            match chosen.filter(|chosen| free.contains(chosen)) {
                Some(chosen) => return give(flow, chosen),
                // with several, the kernel tries the newest alone
                None if free.len() == 1 && all_fit == 1 => return give(flow, free[0]),
                None => {}
            }
        }
        // P3
        let address = match chosen.filter(|chosen| first != last && (first..=last).contains(&chosen.src)) {
            Some(chosen) => chosen.src,
            None => first,
        };
        let kept = Tuple { src: address, ..now };
        if fits(&kept) && !self.flows.is_taken(&kept) {
            return give(flow, kept);
        }
        // P4, P5
        let (low, high) = ports.unwrap_or_else(|| class(protocol, old_port));
        if let Some(chosen) = chosen {
            let as_such = Tuple { sport: now.sport, ..chosen } == Tuple { src: address, ..now };
            let inside = (low..=high).contains(&chosen.sport) && has_ports;
            let free = !self.flows.is_taken(&chosen) || self.evict(flow, &chosen);
            if as_such && inside && free {
                return give(flow, chosen);
            }
            self.illegal = Some(format!(
                "{chosen:?} was chosen for {:?}: as such {as_such}, in {low}..={high} {inside}, free {free}",
                flow.original
            ));
            return give(flow, chosen);
        }
        let any = (low..=high).find(|port| !self.flows.is_taken(&Tuple { sport: *port, ..kept }));
        match any.filter(|_| has_ports) {
            // one of many tries may find nothing where there is little
            Some(_) if usize::from(high - low) >= 128 => {
                self.illegal = Some(format!("no port was found for {:?}", flow.original));
                false
            }
            _ => false,
        }
    }

    /// What other flows from the same place have got.
    fn mappings(&self, original: &Tuple, now: Tuple) -> Vec<Tuple> {
        let Flows { list, .. } = &self.flows;
        let same = list.iter().filter(|flow| {
            let other = &flow.original;
            (other.src, other.sport, other.protocol) == (original.src, original.sport, original.protocol)
        });
        same.map(|flow| Tuple { src: flow.reply.dst, sport: flow.returns(), ..now }).collect()
    }

    /// P6: whether who has that port is over, and goes.
    fn evict(&mut self, flow: &Flow, wanted: &Tuple) -> bool {
        let Some((at, true)) = wanted.inverse().and_then(|reply| self.flows.find(&reply)) else {
            return false;
        };
        let other = &self.flows.list[at];
        let over = |flow: &Flow| {
            flow.tcp.is_some_and(|connection| matches!(connection.state, State::TimeWait | State::Close))
        };
        let legal = flow.original.protocol == TCP && over(other) && other.has_source_nat();
        if legal {
            self.flows.list.remove(at);
        }
        legal
    }

    /// Puts a flow into the table; false if there is no room.
    pub(super) fn confirm(&mut self, flow: Flow, seen: &[Entry]) -> bool {
        if self.flows.at_most() >= self.sessions_max {
            let stays =
                |flow: &Flow| must_stay(flow) || seen.iter().any(|entry| entry.original == flow.original);
            let gone: Vec<_> =
                (0..self.flows.list.len()).filter(|at| !stays(&self.flows.list[*at])).collect();
            let full = self.flows.list.len() >= self.sessions_max;
            match gone[..] {
                [] if full || !seen.iter().any(|entry| entry.original == flow.original) => return false,
                [] => {}
                [victim] => {
                    self.flows.list.remove(victim);
                }
                _ => self.illegal = Some(format!("{} flows had to go for one", gone.len())),
            }
        }
        self.flows.list.push(flow);
        true
    }

    /// Whether a flow that was let in by a publish is still let in by other rules.
    pub(super) fn keeps(&self, old: &Publish, config: &Config, flow: &Flow) -> bool {
        let port = flow.original.dport;
        config.publishes.iter().any(|new| {
            (new.protocol, new.listen, new.to) == (old.protocol, old.listen, old.to)
                && (new.ports.0..=new.ports.1).contains(&port)
                && new.target(port) == old.target(port)
        })
    }
}
