//! What iptables would list.

use std::collections::BTreeSet;

use super::*;
use crate::router::interface::Inside;
use crate::router::nat::ports::{Filtering, Mapping};
use crate::router::policy::config::{Log, States};
use crate::router::policy::text::{Entry, Named, Table, entries};

/// What `iptables -S` printed.
const LISTS: &str = include_str!("iptables.txt");

/// A host with networks of all kinds.
fn host() -> (Config, Vec<(&'static str, Interface)>) {
    let inside = Inside::default();
    let pool = SourceNat::To(ip("203.0.113.40"), ip("203.0.113.49"));
    let legs = [
        ("ext", Role::Outside, vec!["203.0.113.1/24", "2001:db8::1/64"], inside),
        ("br1", Role::Inside, vec!["10.1.0.1/24", "fd01::1/64"], inside),
        (
            "br2",
            Role::Inside,
            vec!["10.2.0.1/24", "fd02::1/64"],
            Inside { icc: false, source_nat: pool, ..inside },
        ),
        ("back", Role::Inside, vec!["10.3.0.1/24", "fd03::1/64"], Inside { internal: true, ..inside }),
        (
            "dmz",
            Role::Inside,
            vec!["10.4.0.1/24", "10.5.0.1/24", "fd04::1/64"],
            Inside { source_nat: SourceNat::None, ..inside },
        ),
    ];
    let interface = |role, nets: Vec<&str>, inside| Interface {
        inside,
        ..Interface::new(Mac([2, 0, 0, 0, 0, 1]), nets.into_iter().map(net).collect(), role)
    };
    let legs = legs.map(|(name, role, nets, inside)| (name, interface(role, nets, inside)));
    let udp =
        Publish { protocol: Protocol::Udp, ..publish(Some("203.0.113.1"), (5353, 5353), "10.2.0.2", 53) };
    let few = [net("192.0.2.0/24"), net("198.51.100.0/25"), net("2001:db8:1::/48")].to_vec();
    let publishes = vec![
        publish(None, (8080, 8080), "10.1.0.2", 80),
        publish(None, (8000, 8010), "10.2.0.2", 9000),
        udp,
        publish(None, (7000, 7010), "10.1.0.3", 7000),
        Publish { allow_from: few.clone(), ..publish(None, (443, 443), "10.4.0.2", 8443) },
        publish(None, (8080, 8080), "fd01::2", 80),
        Publish { allow_from: few, ..publish(Some("2001:db8::1"), (8000, 8010), "fd02::2", 9000) },
        publish(None, (99, 99), "10.3.0.2", 99),
    ];
    (Config { publishes, ..Config::default() }, legs.to_vec())
}

fn list(config: &Config, legs: &[(&'static str, Interface)], table: Table, ipv6: bool) -> Vec<Entry> {
    let named = legs.iter().enumerate();
    let named = named.map(|(leg, (name, interface))| Named { leg: LegIndex(leg as u16), name, interface });
    entries(config, &named.collect::<Vec<_>>(), table, ipv6)
}

fn rules() -> Vec<Rule> {
    let log = |prefix: &str, limit| Action::Log(Log { prefix: prefix.into(), limit });
    let many = (1..=20).map(|port| (port * 10, port * 10 + (port & 1))).collect::<Vec<_>>();
    let base = rule(Action::Drop);
    vec![
        Rule { from: Some(EXT), to: Some(BR1), ..base.clone() },
        Rule { source: vec![net("192.0.2.0/24"), net("2001:db8:9::/48")], ..base.clone() },
        Rule {
            source: vec![net("192.0.2.0/24")],
            destination: vec![net("10.1.0.2/32"), net("10.1.0.3/32")],
            ..base.clone()
        },
        Rule { source: vec![net("0.0.0.0/0")], ..base.clone() },
        Rule {
            protocol: Some(6),
            ports: vec![(22, 22)],
            states: States::NEW.and(States::INVALID),
            ..rule(Action::Accept)
        },
        Rule {
            protocol: Some(17),
            ports: vec![(53, 53), (5000, 5010)],
            source_ports: vec![(1024, 65535)],
            ..rule(Action::Return)
        },
        Rule { protocol: Some(6), ports: many, ..base.clone() },
        Rule { ports: vec![(123, 123)], ..base.clone() },
        Rule { protocol: Some(1), ..base.clone() },
        Rule { protocol: Some(58), ..base.clone() },
        Rule { protocol: Some(1), ports: vec![(1, 2)], ..base.clone() },
        Rule { protocol: Some(200), ..rule(log("a \"b\" c: ", 10)) },
        Rule {
            states: States::ESTABLISHED.and(States::RELATED).and(States::UNTRACKED),
            ..rule(log("x-", 5))
        },
        rule(log("", 0)),
        rule(log("all", 20_000)),
        rule(Action::Reject(Reject::TcpReset)),
        Rule { protocol: Some(6), ..rule(Action::Reject(Reject::TcpReset)) },
        Rule { protocol: Some(17), ..rule(Action::Reject(Reject::TcpReset)) },
        rule(Action::Reject(Reject::AdminProhibited)),
        rule(Action::Reject(Reject::HostUnreachable)),
        rule(Action::Reject(Reject::PortUnreachable)),
    ]
}

/// The lines that iptables has printed.
fn printed(title: &str) -> Vec<&'static str> {
    let after = LISTS.lines().skip_while(|line| line.strip_prefix("# ") != Some(title)).skip(1);
    after.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn lists_are_what_iptables_prints() {
    let (docker, legs) = host();
    let user = Config { rules: rules(), ..Config::default() };
    let ports = Some((40000, 50000));
    let cone = Config { ports, mapping: Mapping::Symmetric, filtering: Filtering::None, ..docker.clone() };
    let (raw, filter, nat) = (Table::Raw, Table::Filter, Table::Nat);
    let table = [
        (&docker, raw, false, "", "docker raw 4", "M1"),
        (&docker, raw, true, "", "docker raw 6", "M1 of IPv6"),
        (&docker, filter, false, "", "docker filter 4", "M3 to M10, M12"),
        (&docker, filter, true, "", "docker filter 6", "M3 to M10, M12 of IPv6"),
        (&docker, nat, false, "", "docker nat 4", "M11, C11, C14 to C16"),
        (&docker, nat, true, "", "docker nat 6", "M11: ! -s fe80::/10"),
        (&user, filter, false, "-A DOCKER-USER", "user filter 4", "C1"),
        (&user, filter, true, "-A DOCKER-USER", "user filter 6", "C1 of IPv6"),
        (&cone, filter, false, "-A DOCKER ", "cone filter 4", "strangers to what was opened"),
        (&cone, nat, false, "-A POSTROUTING", "cone nat 4", "P7: ports and how they are chosen"),
    ];
    for (config, table, ipv6, chain, title, why) in table {
        let entries = list(config, &legs, table, ipv6);
        let lines: Vec<_> =
            entries.iter().map(|entry| &*entry.text).filter(|line| line.starts_with(chain)).collect();
        let expected = printed(title);
        assert!(!expected.is_empty(), "there is such a list: {title}");
        assert_eq!(lines, expected, "{why}: {title}");
        let rules: Vec<_> = entries.iter().flat_map(|entry| entry.rules).flatten().collect();
        let once: BTreeSet<_> = rules.iter().collect();
        assert_eq!(rules.len(), once.len(), "nothing is counted twice: {title}");
    }
}

#[test]
fn every_rule_that_can_match_is_listed() {
    let (config, legs) = host();
    let config = Config { rules: rules(), filtering: Filtering::None, ..config };
    let mut listed = BTreeSet::new();
    for (table, ipv6) in
        [Table::Raw, Table::Filter, Table::Nat].into_iter().flat_map(|table| [(table, false), (table, true)])
    {
        listed.extend(list(&config, &legs, table, ipv6).into_iter().flat_map(|entry| entry.rules).flatten());
    }
    let mut expected = BTreeSet::from([RuleId::Invalid]);
    let of_leg =
        |kind: fn(LegIndex) -> RuleId, legs: &'static [u16]| legs.iter().map(move |leg| kind(LegIndex(*leg)));
    expected.extend(of_leg(RuleId::Direct, &[1, 2, 3]));
    expected.extend(of_leg(RuleId::Closed, &[1, 2, 4]));
    expected.extend(of_leg(RuleId::Opened, &[1, 2, 4]));
    expected.extend(of_leg(RuleId::Established, &[1, 2, 4]));
    expected.extend(of_leg(RuleId::Egress, &[1, 2, 4]));
    expected.extend(of_leg(RuleId::Icc, &[1, 2, 3, 4]));
    expected.extend(of_leg(RuleId::InternalIn, &[3]));
    expected.extend(of_leg(RuleId::InternalOut, &[3]));
    expected.extend(of_leg(RuleId::Ping, &[4]));
    expected.extend(of_leg(RuleId::Masquerade, &[1, 2, 3]));
    expected.extend(of_leg(RuleId::Hairpin, &[1, 2, 3, 4]));
    expected.extend((0..8).map(RuleId::Dnat));
    // nobody comes into an internal network (C20), and no echo has a port
    expected.extend((0..7).map(RuleId::Published));
    expected.extend((0..21).filter(|rule| *rule != 10).map(RuleId::User));
    assert_eq!(listed, expected);
}

#[test]
fn lines_come_with_what_they_have_matched() {
    let (config, legs) = host();
    let mut policy = Policy::new(config.clone());
    policy.attach(BR1);
    policy.count(RuleId::Egress(BR1), 100);
    policy.count(RuleId::Icc(BR1), 20);
    policy.count(RuleId::Published(0), 7);
    let counted: Vec<_> = list(&config, &legs, Table::Filter, false)
        .iter()
        .map(|entry| entry.counted(|rule| policy.counts(rule)))
        .collect();
    let table = [
        ("-A DOCKER-FORWARD -i br1 -c 2 120 -j ACCEPT", "M10: one line for both"),
        ("-A DOCKER -d 10.1.0.2/32 ! -i br1 -o br1 -p tcp -m tcp --dport 80 -c 1 7 -j ACCEPT", "M8"),
        ("-A DOCKER ! -i br1 -o br1 -c 0 0 -j DROP", "M9: nothing is a number too"),
        ("-A DOCKER-FORWARD -j DOCKER-CT", "nobody counts jumps"),
        ("-N DOCKER", "nor chains"),
    ];
    for (line, why) in table {
        assert!(counted.iter().any(|counted| counted == line), "{why}: {line}\n{}", counted.join("\n"));
    }
}
