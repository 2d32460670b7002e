//! Which port is published where.

use super::*;

const GUEST: &str = "10.1.0.2";
const STRANGER: &str = "198.51.100.9";

#[test]
fn ports_lead_where_they_are_published() {
    let mut sctp = publish(None, (80, 80), GUEST, 8080);
    sctp.protocol = Protocol::Sctp;
    let mut some = publish(None, (7000, 7000), GUEST, 7000);
    some.allow_from = vec![net("198.51.100.0/25"), net("2001:db8::/32")];
    let config = Config {
        publishes: vec![
            publish(None, (80, 80), GUEST, 8080),
            publish(Some("203.0.113.1"), (443, 443), GUEST, 8443),
            publish(None, (8000, 8010), "10.1.0.3", 9000),
            sctp,
            some,
            publish(None, (80, 80), "fd01::2", 8086),
            publish(Some("2001:db8::1"), (22, 22), GUEST, 22),
            publish(Some("203.0.113.1"), (8005, 8005), GUEST, 5),
        ],
        ..Config::default()
    };
    let policy = Policy::new(config);
    let at = |to: &str, port| packet(if to.contains(':') { "2001:db8:1::9" } else { STRANGER }, to, port);
    let with = |protocol, tuple| Tuple { protocol, ..tuple };
    let from = |source, tuple: Tuple| Tuple { source: Address::from(ip(source)), ..tuple };
    let web = at("203.0.113.1", 80);
    let table = [
        (web, Some((0, GUEST, 8080)), "C14: at any address"),
        (at("10.1.0.1", 80), Some((0, GUEST, 8080)), "C14: at any address"),
        (with(17, web), None, "of another protocol"),
        (with(132, web), Some((3, GUEST, 8080)), "C14: SCTP"),
        (with(1, web), None, "an echo has no ports"),
        (at("203.0.113.1", 81), None, "another port"),
        (at("203.0.113.1", 443), Some((1, GUEST, 8443)), "C21: at one address"),
        (at("10.1.0.1", 443), None, "C21: and at no other"),
        (at("203.0.113.1", 8000), Some((2, "10.1.0.3", 9000)), "C21: a range, its first"),
        (at("203.0.113.1", 8010), Some((2, "10.1.0.3", 9010)), "C21: and its last"),
        (at("203.0.113.1", 8011), None, "and no more"),
        (at("203.0.113.1", 7999), None, "and no more"),
        (at("10.1.0.1", 8005), Some((2, "10.1.0.3", 9005)), "within a range"),
        (at("203.0.113.1", 8005), Some((7, GUEST, 5)), "what is said of an address counts more"),
        (at("203.0.113.1", 7000), Some((4, GUEST, 7000)), "who may"),
        (from("198.51.100.200", at("203.0.113.1", 7000)), None, "and who may not"),
        (at("2001:db8::1", 80), Some((5, "fd01::2", 8086)), "C14 of IPv6: of the target's family"),
        (at("2001:db8::1", 443), None, "C14: not of the other"),
        (at("2001:db8::1", 22), None, "a guest is not reached by the other family"),
        (from("fe80::1", at("2001:db8::1", 80)), None, "M11: ! -s fe80::/10"),
        (at("::1", 80), None, "C12: never loopback"),
        (at("127.8.9.10", 80), None, "C12: never loopback"),
    ];
    for (tuple, expected, why) in table {
        let found = policy.destination(&tuple);
        let expected = expected.map(|(index, to, port)| (Range::endpoint(ip(to), port), index));
        assert_eq!(found, expected, "{why}: {tuple:?}");
    }
}

#[test]
fn all_ports_are_one_range() {
    let policy =
        Policy::new(Config { publishes: vec![publish(None, (0, 65535), GUEST, 0)], ..Config::default() });
    assert_eq!(policy.rules.listening.len(), 1, "65,536 ports cost as much as one");
    for port in [0, 1, 80, 32768, 65535] {
        let tuple = Tuple { protocol: 6, destination_port: port, ..packet(STRANGER, "203.0.113.1", 1) };
        assert_eq!(policy.destination(&tuple), Some((Range::endpoint(ip(GUEST), port), 0)));
    }
}

#[test]
fn what_leads_to_the_same_port_is_found() {
    let publishes = vec![
        publish(None, (8000, 8010), GUEST, 80),
        publish(None, (9000, 9000), GUEST, 85),
        publish(None, (9100, 9120), GUEST, 85),
    ];
    let world = World::new(Config { publishes, ..Config::default() });
    for (port, expected) in
        [(79, None), (80, Some(0)), (85, Some(0)), (90, Some(0)), (91, Some(2)), (105, Some(2))]
    {
        let ruling = world.filter(EXT, BR1, &packet(STRANGER, GUEST, port), State::New, true);
        let rule = expected.map_or(RuleId::Opened(BR1), RuleId::Published);
        assert_eq!(ruling, (Ruling::Accept, vec![rule]), "M8 by the first that leads there: {port}");
    }
}
