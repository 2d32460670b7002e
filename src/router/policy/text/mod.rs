//! The rules of a router in the words of iptables, for who knows a Docker host.
//!
//! [`entries`] says what `iptables -S`, with `-t nat` or `-t raw`, would list where the kernel did what the policy does. Chains and
//! their order are those of Docker 29.x (M1 to M12); a bridge has the name that its leg is given. A list can be loaded with
//! `iptables-restore`. It says of guests what iptables can say: it knows them by their prefixes where the policy knows them
//! by their wire. What no rule of iptables does (a port looks the same from everywhere, strangers may use what a guest
//! has opened) shows only as the packets that are let in for it.
//!
//! Some rules take several lines, since a line has one source, one protocol and few ports. Then the first stands for all of
//! them, and has their [`RuleId`].

mod user;
mod words;

use std::fmt;

use ipnet::IpNet;

use self::words::{Match, Ports, host};
use super::config::{Config, Invalid, Publish};
use super::docker::{is_inside, is_routed};
use super::{Count, RuleId};
use crate::frame::LegIndex;
use crate::router::interface::{Interface, SourceNat};
use crate::router::nat::ports::{Filtering, Mapping};
use crate::wire::packet::protocol;

/// A table of iptables'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// What may pass.
    Filter,
    /// What is translated.
    Nat,
    /// What is stopped before anything is known of its flow.
    Raw,
}

/// A leg with its name: that of its network.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Which it is.
    pub leg: LegIndex,
    /// What it is called.
    pub name: &'a str,
    /// What is said of it.
    pub interface: &'a Interface,
}

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As `iptables -S` has it.
    pub text: String,
    /// What counts for it; nothing for chains, jumps, and further lines of a rule.
    pub rules: [Option<RuleId>; 2],
}

impl Entry {
    /// How much it has matched, of both families, if `of` says it of a rule; None if that is not counted.
    pub fn count(&self, of: impl Fn(RuleId) -> Count) -> Option<Count> {
        let counts = self.rules.iter().flatten().map(|rule| of(*rule));
        counts.reduce(|a, b| Count { packets: a.packets + b.packets, bytes: a.bytes + b.bytes })
    }

    /// The line with what it has matched, as `iptables -v -S` has it.
    pub fn counted(&self, of: impl Fn(RuleId) -> Count) -> String {
        match (self.count(of), self.text.split_once(" -j ")) {
            (Some(Count { packets, bytes }), Some((before, target))) => {
                format!("{before} -c {packets} {bytes} -j {target}")
            }
            _ => self.text.clone(),
        }
    }
}

/// The lines of a table, of one family. `legs` are all that the router has, in the order of their index.
pub fn entries(config: &Config, legs: &[Named<'_>], table: Table, ipv6: bool) -> Vec<Entry> {
    let mut list = List { config, legs, ipv6, entries: Vec::new() };
    match table {
        Table::Filter => list.filter(),
        Table::Nat => list.nat(),
        Table::Raw => list.raw(),
    }
    list.entries
}

/// A list in the making.
struct List<'a> {
    config: &'a Config,
    legs: &'a [Named<'a>],
    ipv6: bool,
    entries: Vec<Entry>,
}

impl<'a> List<'a> {
    /// M1. The addresses of the router are not the guests'.
    fn raw(&mut self) {
        self.chains(&["PREROUTING", "OUTPUT"], &[]);
        for Named { leg, name, interface } in self.inside().filter(|named| !is_routed(named.interface)) {
            let mut rule = Some(RuleId::Direct(leg));
            for net in self.nets(interface) {
                let from = Match { destination: yes(net), input: no(name), ..Match::default() };
                let wanted = Match { more: " -m addrtype ! --dst-type LOCAL", ..from };
                self.add("PREROUTING", &wanted, format_args!("DROP"), [rule.take(), None]);
            }
        }
    }

    fn filter(&mut self) {
        let docker =
            ["DOCKER", "DOCKER-BRIDGE", "DOCKER-CT", "DOCKER-FORWARD", "DOCKER-INTERNAL", "DOCKER-USER"];
        self.chains(&["INPUT", "FORWARD", "OUTPUT"], &docker);
        self.jump("FORWARD", "DOCKER-USER");
        self.jump("FORWARD", "DOCKER-FORWARD");
        self.published();
        self.closed();
        for named in self.open() {
            let wanted = Match { output: yes(named.name), ..Match::default() };
            self.add("DOCKER-BRIDGE", &wanted, format_args!("DOCKER"), [None, None]);
        }
        for Named { leg, name, .. } in self.open() {
            let known = " -m conntrack --ctstate RELATED,ESTABLISHED";
            let wanted = Match { output: yes(name), more: known, ..Match::default() };
            self.add("DOCKER-CT", &wanted, format_args!("ACCEPT"), [Some(RuleId::Established(leg)), None]);
        }
        for chain in ["DOCKER-CT", "DOCKER-INTERNAL", "DOCKER-BRIDGE"] {
            self.jump("DOCKER-FORWARD", chain);
        }
        self.outwards();
        self.internal();
        if self.config.invalid == Invalid::Drop {
            let wanted = Match { more: " -m conntrack --ctstate INVALID", ..Match::default() };
            self.add("DOCKER-USER", &wanted, format_args!("DROP"), [Some(RuleId::Invalid), None]);
        }
        self.user();
    }

    /// M8.
    fn published(&mut self) {
        for (index, publish) in self.publishes() {
            let Some(named) = self.behind(publish).filter(|named| is_inside(named.interface)) else {
                continue;
            };
            if named.interface.inside.internal {
                continue;
            }
            let last = publish.target(publish.ports.1);
            let ports = [(publish.to_port, last)];
            let wanted = Match {
                destination: yes(host(publish.to)),
                output: yes(named.name),
                protocol: Some(publish.protocol.number()),
                ports: Ports(&ports),
                ..Match::default()
            };
            if !named.interface.inside.icc {
                let translated = Match { input: yes(named.name), more: DNAT, ..wanted };
                self.add("DOCKER", &translated, format_args!("ACCEPT"), [None, None]);
            }
            let wanted = Match { input: no(named.name), ..wanted };
            let mut rule = Some(RuleId::Published(index));
            let asked = is_routed(named.interface) && !publish.allow_from.is_empty();
            for source in self.sources(if asked { &publish.allow_from } else { &[] }) {
                self.add("DOCKER", &Match { source, ..wanted }, format_args!("ACCEPT"), [rule.take(), None]);
            }
        }
    }

    /// M9, and what is let in before it.
    fn closed(&mut self) {
        for Named { leg, name, interface } in self.open() {
            let wanted = Match { input: no(name), output: yes(name), ..Match::default() };
            if self.config.filtering != Filtering::AddressAndPort {
                let opened = Match { more: DNAT, ..wanted };
                self.add("DOCKER", &opened, format_args!("ACCEPT"), [Some(RuleId::Opened(leg)), None]);
            }
            if is_routed(interface) {
                let icmp = if self.ipv6 { protocol::ICMPV6 } else { protocol::ICMP };
                let icmp = Match { protocol: Some(icmp), ..wanted };
                self.add("DOCKER", &icmp, format_args!("ACCEPT"), [Some(RuleId::Ping(leg)), None]);
            }
            self.add("DOCKER", &wanted, format_args!("DROP"), [Some(RuleId::Closed(leg)), None]);
        }
    }

    /// M10.
    fn outwards(&mut self) {
        for Named { leg, name, interface } in self.inside() {
            let (egress, icc) = (Some(RuleId::Egress(leg)), Some(RuleId::Icc(leg)));
            let from = Match { input: yes(name), ..Match::default() };
            let within = Match { output: yes(name), ..from };
            let (accept, drop) = (format_args!("ACCEPT"), format_args!("DROP"));
            match (interface.inside.internal, interface.inside.icc) {
                (false, true) => self.add("DOCKER-FORWARD", &from, accept, [egress, icc]),
                (false, false) => {
                    self.add("DOCKER-FORWARD", &within, drop, [icc, None]);
                    let beyond = Match { output: no(name), ..from };
                    self.add("DOCKER-FORWARD", &beyond, accept, [egress, None]);
                }
                (true, true) => self.add("DOCKER-FORWARD", &within, accept, [icc, None]),
                (true, false) => self.add("DOCKER-FORWARD", &within, drop, [icc, None]),
            }
        }
    }

    /// M6. With more than one prefix, none of them can be excepted alone.
    fn internal(&mut self) {
        for Named { leg, name, interface } in self.inside().filter(|named| named.interface.inside.internal) {
            let mut nets = self.nets(interface);
            let only = nets.next().filter(|_| nets.next().is_none());
            let (here, elsewhere) = (yes(name), if only.is_some() && !self.ipv6 { None } else { no(name) });
            let net = only.and_then(no);
            let to = Match { source: net, input: elsewhere, output: here, ..Match::default() };
            self.add("DOCKER-INTERNAL", &to, format_args!("DROP"), [Some(RuleId::InternalIn(leg)), None]);
            let from = Match { destination: net, input: here, output: elsewhere, ..Match::default() };
            self.add("DOCKER-INTERNAL", &from, format_args!("DROP"), [Some(RuleId::InternalOut(leg)), None]);
        }
    }

    fn nat(&mut self) {
        self.chains(&["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"], &["DOCKER"]);
        let local = Match { more: " -m addrtype --dst-type LOCAL", ..Match::default() };
        self.add("PREROUTING", &local, format_args!("DOCKER"), [None, None]);
        for named in self.inside() {
            self.masquerade(named);
        }
        for Named { leg, name, interface } in self.legs.iter().copied() {
            let has_published =
                |(_, publish): (u16, &Publish)| self.behind(publish).is_some_and(|named| named.leg == leg);
            if !self.publishes().any(has_published) {
                continue;
            }
            let mut rule = Some(RuleId::Hairpin(leg));
            for net in self.nets(interface) {
                let wanted = Match { source: yes(net), output: yes(name), more: DNAT, ..Match::default() };
                self.add("POSTROUTING", &wanted, format_args!("MASQUERADE"), [rule.take(), None]);
            }
        }
        for at_address in [true, false] {
            for (index, publish) in
                self.publishes().filter(|(_, publish)| publish.listen.is_some() == at_address)
            {
                self.dnat(index, publish);
            }
        }
    }

    /// C15.
    fn masquerade(&mut self, Named { leg, name, interface }: Named<'_>) {
        let nat = match interface.inside.source_nat {
            SourceNat::None => return,
            SourceNat::To(first, _) if first.is_ipv6() != self.ipv6 => SourceNat::Masquerade,
            nat => nat,
        };
        let random = if self.config.mapping == Mapping::Symmetric { " --random-fully" } else { "" };
        // iptables wants to know the protocol where ports are chosen
        let kinds = [Some(protocol::TCP), Some(protocol::UDP), Some(protocol::SCTP), None];
        let kinds = &kinds[if self.config.ports.is_some() { 0 } else { 3 }..];
        let mut rule = Some(RuleId::Masquerade(leg));
        for net in self.nets(interface) {
            for protocol in kinds {
                let ports = self.config.ports.filter(|_| protocol.is_some());
                let wanted =
                    Match { source: yes(net), output: no(name), protocol: *protocol, ..Match::default() };
                let to = words::Source { nat, ports };
                self.add("POSTROUTING", &wanted, format_args!("{to}{random}"), [rule.take(), None]);
            }
        }
    }

    /// C14.
    fn dnat(&mut self, index: u16, publish: &Publish) {
        let ports = [publish.ports];
        let wanted = Match {
            destination: publish.listen.map(host).and_then(yes),
            protocol: Some(publish.protocol.number()),
            ports: Ports(&ports),
            ..Match::default()
        };
        let mut rule = Some(RuleId::Dnat(index));
        for source in self.sources(&publish.allow_from) {
            let link_local = self.ipv6.then(|| no(words::LINK_LOCAL)).flatten();
            let wanted = Match { source: source.or(link_local), ..wanted };
            let to = words::Target(publish);
            self.add("DOCKER", &wanted, format_args!("DNAT --to-destination {to}"), [rule.take(), None]);
        }
    }

    fn chains(&mut self, own: &[&str], more: &[&str]) {
        for chain in own {
            self.line(format_args!("-P {chain} ACCEPT"), [None, None]);
        }
        for chain in more {
            self.line(format_args!("-N {chain}"), [None, None]);
        }
    }

    fn jump(&mut self, from: &str, to: &str) {
        self.add(from, &Match::default(), format_args!("{to}"), [None, None]);
    }

    fn add(
        &mut self,
        chain: &str,
        wanted: &Match<'_>,
        target: fmt::Arguments<'_>,
        rules: [Option<RuleId>; 2],
    ) {
        self.line(format_args!("-A {chain}{wanted} -j {target}"), rules);
    }

    fn line(&mut self, text: fmt::Arguments<'_>, rules: [Option<RuleId>; 2]) {
        self.entries.push(Entry { text: text.to_string(), rules });
    }

    /// What a leg is called.
    fn name(&self, leg: LegIndex) -> &'a str {
        self.legs.iter().find(|named| named.leg == leg).map_or("?", |named| named.name)
    }

    /// The legs with guests.
    fn inside(&self) -> impl Iterator<Item = Named<'a>> + use<'a> {
        self.legs.iter().copied().filter(|named| is_inside(named.interface))
    }

    /// Those whose guests talk to the rest of the world.
    fn open(&self) -> impl Iterator<Item = Named<'a>> + use<'a> {
        self.inside().filter(|named| !named.interface.inside.internal)
    }

    /// The publishes of this family.
    fn publishes(&self) -> impl Iterator<Item = (u16, &'a Publish)> + use<'a> {
        let ipv6 = self.ipv6;
        let all = self.config.publishes.iter().take(super::RULES_MAX).enumerate();
        let fits = move |publish: &Publish| {
            publish.to.is_ipv6() == ipv6 && publish.listen.is_none_or(|listen| listen.is_ipv6() == ipv6)
        };
        all.filter(move |(_, publish)| fits(publish)).map(|(index, publish)| (index as u16, publish))
    }

    /// The leg that a publish leads to.
    fn behind(&self, publish: &Publish) -> Option<Named<'a>> {
        self.legs.iter().copied().find(|named| named.interface.on_link(publish.to))
    }

    /// The prefixes of a leg, of this family.
    fn nets<'b>(&self, interface: &'b Interface) -> impl Iterator<Item = IpNet> + use<'b> {
        let ipv6 = self.ipv6;
        interface.addresses.iter().map(IpNet::trunc).filter(move |net| net.addr().is_ipv6() == ipv6)
    }

    /// Those of these prefixes that are of this family, one for each line; nothing once if there are none at all.
    fn sources<'b>(&self, nets: &'b [IpNet]) -> impl Iterator<Item = Option<(bool, IpNet)>> + use<'b> {
        let ipv6 = self.ipv6;
        let everybody = nets.is_empty().then_some(None);
        everybody
            .into_iter()
            .chain(nets.iter().filter(move |net| net.addr().is_ipv6() == ipv6).map(|net| yes(*net)))
    }
}

/// A packet whose destination was translated.
const DNAT: &str = " -m conntrack --ctstate DNAT";

/// That one.
fn yes<T>(what: T) -> Option<(bool, T)> {
    Some((true, what))
}

/// Any but that one.
fn no<T>(what: T) -> Option<(bool, T)> {
    Some((false, what))
}
