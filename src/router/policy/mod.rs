//! The rules of a gateway: Docker's, and the user's before them.
//!
//! A [`Policy`] is asked three times about a packet that passes, as netfilter's hooks are (N1): where it is to go
//! ([`Policy::destination`], nat PREROUTING), whether it may ([`Policy::filter`], FORWARD), and whom it is from
//! ([`Policy::source`], nat POSTROUTING). The rules are those of Docker 29.x (M1 to M12), which need no list: what there is
//! to ask follows from the roles of the two legs. Only the published ports and the user's rules are looked up or gone
//! through. All questions take `&self`; what they matched is named by [`RuleId`]s, with which the caller counts if the
//! packet is a real one.
//!
//! | part | knows |
//! |---|---|
//! | [`config`] | the rules as they were written |
//! | `published` | which range a port is in |
//! | `matching` | what a rule of the user's is for |
//! | `docker` | the order of the rules |
//! | `counts` | how often each was used |
//! | [`log`], [`line`](mod@line) | what rules have to say about packets |
//! | [`text`] | how iptables would list all that |
//!
//! Other than iptables, it sees packets that nobody translated into a guest's network as what they are wherever they are
//! from, guests by their wire and not by the addresses they claim, and lets a guest in by its published port also from
//! its own wire (C16; nobody needs docker-proxy).
//!
//! It never changes a packet, follows no flow, and does not know which addresses are the router's.

pub mod config;
mod counts;
mod docker;
pub mod line;
pub mod log;
mod matching;
mod published;
pub mod text;

use self::config::{Action, Config, Publish, Reject, Rule};
use self::counts::Counts;
use self::log::{Log, Record};
use self::published::{Place, Ranges};
use super::interface::{Interface, Role, SourceNat, is_link_local};
use super::nat::judgement::State;
use super::nat::ports::Range;
use super::nat::sessions::Count;
use super::nat::tuple::{Address, Tuple};
use crate::frame::LegIndex;
use crate::time::Time;

/// How many publishes, and how many rules of the user's, there are at most: that many have a number. Others are never asked.
pub const RULES_MAX: usize = 1 << 16;

/// Which rule; what counters and listings are about. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleId {
    /// Nobody but guests of that leg comes in (M9).
    Closed(LegIndex),
    /// Nobody addresses the guests of that leg directly (M1).
    Direct(LegIndex),
    /// A published port, by its place in [`Config::publishes`]: translating the destination (C14).
    Dnat(u16),
    /// The guests of that leg may talk to everybody (M10).
    Egress(LegIndex),
    /// What guests of that leg are told is for them (M5).
    Established(LegIndex),
    /// What comes back to the wire it is from, by a published port, is from the router (C16).
    Hairpin(LegIndex),
    /// What the guests of that leg say to each other through the router (M10).
    Icc(LegIndex),
    /// Nobody comes into an internal network (M6).
    InternalIn(LegIndex),
    /// Nobody leaves an internal network (M6).
    InternalOut(LegIndex),
    /// What is of no flow goes nowhere (0.2).
    Invalid,
    /// What leaves that leg's guests is from the router (C15).
    Masquerade(LegIndex),
    /// Strangers may use the ports that the guests of that leg have opened: [`Config::filtering`].
    Opened(LegIndex),
    /// A guest that is not hidden hears all of ICMP (M9, M12).
    Ping(LegIndex),
    /// A published port, by its place in [`Config::publishes`]: letting in what is for it (M8).
    Published(u16),
    /// The user's, by its place in [`Config::rules`].
    User(u16),
}

/// A packet on its way from leg to leg.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// Where it came in.
    pub from: (LegIndex, &'a Interface),
    /// Where it leaves.
    pub to: (LegIndex, &'a Interface),
    /// Whom it is from and to, as FORWARD sees it: the destination is translated, the source is not.
    pub tuple: &'a Tuple,
    /// What it is to its flow.
    pub state: State,
    /// Its destination was translated: by DNAT, or back if it is the answer to what was masqueraded.
    pub destination_nat: bool,
}

/// Whether a packet may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may.
    Accept,
    /// It ends here, without a word.
    Drop(RuleId),
    /// It ends here, and its sender is told.
    Reject(Reject, RuleId),
}

/// The rules of a router, ready to be asked.
#[derive(Debug, Default)]
pub struct Policy {
    rules: Rules,
    counts: Counts,
    log: Log,
}

/// What answers are made from.
#[derive(Debug, Default)]
struct Rules {
    config: Config,
    /// The published ports, by where they are published.
    listening: Ranges,
    /// The same, by where they lead.
    targets: Ranges,
}

impl Policy {
    /// The policy with these rules. Nothing is counted for a leg before [`Policy::attach`].
    pub fn new(config: Config) -> Self {
        let counts = Counts::new(config.rules.len(), config.publishes.len());
        let mut log = Log::default();
        log.configure(&config);
        Self { rules: Rules::new(config), counts, log }
    }

    /// Other rules from now on. What was counted for legs stays, and for every rule that is the same at the same place.
    pub fn configure(&mut self, config: Config) {
        let Self { rules, counts, log } = self;
        log.configure(&config);
        let before = std::mem::replace(rules, Rules::new(config)).config;
        let mut after = Counts::new(rules.config.rules.len(), rules.config.publishes.len());
        let same_rules = before.rules.iter().zip(&rules.config.rules).map(|(old, new)| old == new);
        let same_publishes =
            before.publishes.iter().zip(&rules.config.publishes).map(|(old, new)| old == new);
        after.inherit(std::mem::take(counts), same_rules, same_publishes);
        *counts = after;
    }

    /// The rules as they were written.
    pub fn config(&self) -> &Config {
        &self.rules.config
    }

    /// Where a *new* packet to an address of the router's is to go instead, and by which publish (C11, C14). Not from an IPv6
    /// address that is good on its own wire only (M11), and never for the router's loopback.
    pub fn destination(&self, tuple: &Tuple) -> Option<(Range, u16)> {
        let Tuple { ipv6, protocol, destination_port: port, .. } = *tuple;
        let (source, destination) = (tuple.source.ip(ipv6), tuple.destination.ip(ipv6));
        if !tuple.has_ports() || destination.is_loopback() || is_link_local(source) {
            return None;
        }
        let find = |address| self.rules.listening.find(Place { ipv6, protocol, address }, port);
        let index = find(Some(tuple.destination)).or_else(|| find(None))?;
        let publish = self.rules.config.publishes.get(usize::from(index))?;
        publish.allows(source).then(|| (Range::endpoint(publish.to, publish.target(port)), index))
    }

    /// Whether a packet may pass. `visit` hears of every rule that matched, the last one included.
    pub fn filter(&self, passing: &Passing<'_>, visit: &mut impl FnMut(RuleId)) -> Ruling {
        self.rules.filter(passing, visit)
    }

    /// Whether nobody is to know of a packet, because it addresses a guest directly: asked before its flow is looked at (M1).
    pub fn is_direct(passing: &Passing<'_>) -> Option<RuleId> {
        match docker::direct(passing) {
            Some(Ruling::Drop(rule)) => Some(rule),
            _ => None,
        }
    }

    /// Asks about a packet again, now that it is a real one: every rule that matched counts it, and those that want a line
    /// about it get one. `packet` is the packet as it came, and `frame` the frame around it; empty if there is none.
    pub fn note(&mut self, passing: &Passing<'_>, frame: &[u8], packet: &[u8], now: Time) {
        let Self { rules, counts, log } = self;
        let legs = (passing.from.0, passing.to.0);
        rules.filter(passing, &mut |rule| {
            counts.add(rule, packet.len() as u64);
            if let RuleId::User(index) = rule
                && let Some(Rule { action: Action::Log(wanted), .. }) =
                    rules.config.rules.get(usize::from(index))
            {
                log.add((index, wanted), legs, passing.tuple, frame, packet, now);
            }
        });
    }

    /// Takes the oldest record that a rule of the user's has made.
    pub fn take_record(&mut self) -> Option<Record> {
        self.log.take()
    }

    /// How many records nobody has taken in time.
    pub fn records_lost(&self) -> u64 {
        self.log.lost()
    }

    /// How many packets a rule of the user's has not made a record of, since there were too many ([`config::Log::limit`]).
    pub fn suppressed(&self, rule: u16) -> u64 {
        self.log.suppressed(rule)
    }

    /// Whom a packet that starts a flow is to be from; `None` if it stays as it is. With [`SourceNat::Masquerade`] that is the
    /// leg it leaves through (P1).
    pub fn source(&self, passing: &Passing<'_>) -> Option<(SourceNat, RuleId)> {
        let (from, interface) = passing.from;
        if passing.state != State::New {
            return None;
        }
        if from == passing.to.0 {
            // the answer would go past the router, to somebody who has not asked there
            return passing.destination_nat.then_some((SourceNat::Masquerade, RuleId::Hairpin(from)));
        }
        let nat = match interface.inside.source_nat {
            _ if interface.role != Role::Inside => SourceNat::None,
            // what is not of the family of the addresses has to become something, or it would leak
            SourceNat::To(first, _) if first.is_ipv6() != passing.tuple.ipv6 => SourceNat::Masquerade,
            nat => nat,
        };
        (nat != SourceNat::None).then_some((nat, RuleId::Masquerade(from)))
    }

    /// Makes room to count for a leg, and starts at zero.
    pub fn attach(&mut self, leg: LegIndex) {
        self.counts.attach(leg);
    }

    /// Counts a packet of so many bytes for a rule.
    pub fn count(&mut self, rule: RuleId, bytes: u64) {
        self.counts.add(rule, bytes);
    }

    /// How much a rule has matched, of both families.
    pub fn counts(&self, rule: RuleId) -> Count {
        self.counts.of(rule)
    }
}

impl Rules {
    fn new(config: Config) -> Self {
        let (mut listening, mut targets) = (Ranges::default(), Ranges::default());
        for (index, publish) in config.publishes.iter().take(RULES_MAX).enumerate() {
            let Publish { listen, protocol, ports, to, .. } = publish;
            if listen.is_some_and(|listen| listen.is_ipv4() != to.is_ipv4()) {
                continue;
            }
            let place = |address| Place { ipv6: to.is_ipv6(), protocol: protocol.number(), address };
            listening.add(place(listen.map(Address::from)), *ports, index as u16);
            let last = publish.to_port.saturating_add(ports.1.saturating_sub(ports.0));
            targets.add(place(Some(Address::from(*to))), (publish.to_port, last), index as u16);
        }
        Self { config, listening, targets }
    }

    fn filter(&self, passing: &Passing<'_>, visit: &mut impl FnMut(RuleId)) -> Ruling {
        let ruling = docker::filter(self, passing, visit);
        if let Ruling::Drop(rule) | Ruling::Reject(_, rule) = ruling {
            visit(rule);
        }
        ruling
    }

    /// The publish that leads to that destination, if one does.
    fn published(&self, tuple: &Tuple) -> Option<(u16, &Publish)> {
        let Tuple { ipv6, protocol, destination_port: port, .. } = *tuple;
        let place = Place { ipv6, protocol, address: Some(tuple.destination) };
        let index = self.targets.find(place, port).filter(|_| tuple.has_ports())?;
        Some((index, self.config.publishes.get(usize::from(index))?))
    }
}

#[cfg(test)]
mod tests;
