//! What the bridge asks, and who else may (B72, B73).

use super::*;
use crate::wire::membership::Question;

const ASKS: MulticastConfig = MulticastConfig { querier: true, ..ON };

fn asked_at(lab: &Lab, leg: u16, part: &str) -> Vec<f64> {
    lab.asked
        .iter()
        .filter(|(to, _, text)| *to == leg && text.contains(part))
        .map(|(_, when, _)| *when)
        .collect()
}

#[test]
fn b72_it_asks_quickly_and_then_at_leisure() {
    let mut lab = Lab::new(ASKS);
    lab.wait(300.0);
    for leg in 0..4 {
        assert_eq!(
            asked_at(&lab, leg, "0.0.0.0 > 224.0.0.1: all, 10s"),
            [0.0, 31.25, 156.25, 281.25],
            "{leg}"
        );
        assert_eq!(
            asked_at(&lab, leg, "fe80::ff:fe00:bb > ff02::1: all, 10s").len(),
            4,
            "{leg}: of IPv6 too"
        );
    }
    lab.asked.clear();
    let mut up = |up| lab.with(|bridge, now, mut emit| bridge.set_up(LegIndex(1), up, now, &mut emit));
    up(false);
    up(true);
    lab.wait(32.0);
    assert_eq!(asked_at(&lab, 1, "224.0.0.1"), [300.0, 331.25], "a port that comes up is asked anew");
    assert_eq!(asked_at(&lab, 2, "224.0.0.1"), [] as [f64; 0], "others are not");
}

#[test]
fn b72_its_address_if_it_is_to_be_used() {
    let mut lab = Lab::new(MulticastConfig { query_use_ifaddr: true, ..ASKS });
    lab.wait(0.0);
    assert_eq!(asked_at(&lab, 1, "10.0.0.254 > 224.0.0.1: all"), [0.0]);
    lab.bridge.set_mac(Mac([2, 0, 0, 0, 0, 0xcc]));
    lab.wait(32.0);
    assert_eq!(
        asked_at(&lab, 1, "fe80::ff:fe00:cc > ff02::1: all"),
        [31.25],
        "MLD's is made of the bridge's own"
    );
}

#[test]
fn b72_it_is_silent_while_another_asks() {
    let mut lab = Lab::new(ASKS);
    lab.wait(20.0);
    lab.ask(3, 10);
    lab.asked.clear();
    lab.wait(254.0);
    assert_eq!(lab.asked, [], "for 255 s");
    lab.wait(2.0);
    assert_eq!(asked_at(&lab, 1, "224.0.0.1"), [275.0], "then it starts again");
}

#[test]
fn b72_the_lowest_address_is_the_querier() {
    let table: &[(&[(&str, u16)], Option<(&str, u16)>, &str)] = &[
        (&[("10.0.0.9", 1), ("10.0.0.7", 2)], Some(("10.0.0.7", 2)), "a lower one wins"),
        (&[("10.0.0.7", 1), ("10.0.0.9", 2)], Some(("10.0.0.7", 1)), "a higher one does not"),
        (&[("10.0.0.7", 1), ("10.0.0.7", 2)], Some(("10.0.0.7", 2)), "an equal one may have moved"),
        (&[("0.0.0.0", 1)], None, "one without an address is taken"),
        (&[("10.0.0.7", 1), ("0.0.0.0", 2)], None, "and wins"),
        (&[("0.0.0.0", 1), ("10.0.0.9", 2)], Some(("10.0.0.9", 2)), "but is nobody to who has one"),
    ];
    for (queries, expected, why) in table {
        let mut lab = Lab::new(ON);
        for (source, leg) in *queries {
            lab.receive(*leg, 0, &igmp(source, "224.0.0.1", &[0x11, 100, 0, 0, 0, 0, 0, 0]));
        }
        let querier = lab.bridge.queriers(lab.now).next().expect("there is one");
        assert_eq!(
            querier.address.zip(querier.leg),
            expected.map(|(a, leg)| (address(a), LegIndex(leg))),
            "{why}"
        );
        assert_eq!(querier.expires, Some(Duration::from_secs(255)), "{why}");
        let routers: Vec<_> = lab.bridge.routers(lab.now).iter().map(|router| router.leg.0).collect();
        let loser = *queries == [("10.0.0.7", 1), ("10.0.0.9", 2)];
        assert_eq!(routers.contains(&2), queries.len() == 2 && !loser, "B71: {why}: who loses is no router");
    }
}

#[test]
fn b72_ipv6_queriers_are_compared_too() {
    let mut lab = Lab::new(ON);
    let query = [&[130, 0, 0, 0, 0x27, 0x10, 0, 0][..], &[0; 16]].concat();
    for (source, expected) in [("fe80::9", "fe80::9"), ("fe80::a", "fe80::9"), ("fe80::8", "fe80::8")] {
        lab.receive(1, 0, &mld(source, "ff02::1", &query));
        let querier = lab.bridge.queriers(lab.now).next().expect("there is one");
        assert_eq!(querier.address, Some(address(expected)), "{source}");
    }
    lab.wait(255.0);
    lab.receive(2, 0, &mld("fe80::ffff", "ff02::1", &query));
    let querier = lab.bridge.queriers(lab.now).next().expect("there is one");
    assert_eq!(querier.address, Some(address("fe80::ffff")), "where nobody asks, anybody may");
}

#[test]
fn b73_the_querier_asks_after_a_leave() {
    for (group, all) in [(GROUP, "224.0.0.1"), (GROUP6, "ff02::1")] {
        let mut lab = Lab::new(ASKS);
        lab.wait(40.0);
        lab.join(1, group);
        lab.join(0, group);
        lab.asked.clear();
        lab.leave(1, group);
        assert_eq!(asked_at(&lab, 1, &format!("> {all}: {group}, 1s")), [40.0], "to all, as the kernel's");
        assert_eq!(lab.asked.len(), 1, "only there");
        lab.wait(1.999);
        assert_eq!(lab.to(group), "1 host");
        lab.wait(0.001);
        assert_eq!(lab.to(group), "host", "nobody answered");
        assert_eq!(
            asked_at(&lab, 1, &format!("> {all}: all")),
            [42.0],
            "its next general question came forward"
        );
        lab.leave(0, group);
        assert_eq!(asked_at(&lab, 0, &format!("{group}, 1s")), [42.0], "the host is asked the same way");
        lab.wait(2.0);
        assert_eq!(lab.to(group), "nobody");
    }
}

#[test]
fn b75_the_newer_versions_ask_the_group_itself() {
    for (group, source) in [(GROUP, "192.0.2.1"), (GROUP6, "2001:db8:1::1")] {
        let mut lab = Lab::new(MulticastConfig { igmp_version: 3, mld_version: 2, ..ASKS });
        lab.wait(40.0);
        lab.report(1, group, 4, &[]);
        lab.asked.clear();
        lab.report(1, group, 3, &[]);
        assert_eq!(asked_at(&lab, 1, &format!("> {group}: {group}, 1s")), [40.0], "at once");
        lab.wait(1.5);
        assert_eq!(asked_at(&lab, 1, &format!("> {group}: {group} suppress, 1s")), [41.0], "and once more");
        lab.wait(0.5);
        assert_eq!(lab.to(group), "nobody", "nobody answered");
        lab.report(1, group, 5, &[source]);
        lab.asked.clear();
        lab.report(1, group, 6, &[source]);
        assert_eq!(lab.data(source, group), "1");
        lab.wait(1.999);
        assert_eq!(asked_at(&lab, 1, &format!("> {group}: sources")), [43.0], "the source, a second later");
        lab.wait(0.001);
        assert_eq!(lab.data(source, group), "nobody");
        assert!(lab.bridge.entries(lab.now).is_empty());
    }
}

#[test]
fn b75_a_group_is_asked_as_often_as_it_is_told() {
    let mut lab = Lab::new(MulticastConfig { igmp_version: 3, last_member_count: 4, ..ASKS });
    lab.wait(40.0);
    lab.report(1, GROUP, 4, &[]);
    lab.report(1, GROUP, 3, &[]);
    lab.wait(3.999);
    assert_eq!(asked_at(&lab, 1, "suppress"), [41.0, 42.0, 43.0], "the first was without");
    assert_eq!(lab.to(GROUP), "1");
    lab.wait(0.001);
    assert_eq!(lab.to(GROUP), "nobody");
}

#[test]
fn b75_who_does_not_ask_shortens_all_the_same() {
    let mut lab = Lab::asked(MulticastConfig { igmp_version: 3, ..ON });
    lab.report(1, GROUP, 5, &["192.0.2.1"]);
    lab.report(1, GROUP, 6, &["192.0.2.1"]);
    lab.wait(2.0);
    assert_eq!((lab.data("192.0.2.1", GROUP).as_str(), lab.asked.len()), ("3", 0), "as the kernel");
    lab.report(1, GROUP, 4, &[]);
    let group = [&[0x11, 10, 0, 0][..], &octets(GROUP)].concat();
    let ask = |flags| igmp("10.0.0.9", GROUP, &[&group[..], &[flags, 125, 0, 0]].concat());
    lab.receive(3, 0, &ask(8));
    lab.wait(3.0);
    assert_eq!(lab.to(GROUP), "1 3", "the S flag leaves timers alone");
    lab.receive(3, 0, &ask(0));
    lab.wait(2.0);
    assert_eq!(lab.to(GROUP), "3");
}

#[test]
fn a_querier_that_hears_itself_does_not_ask_without_end() {
    let config = MulticastConfig { querier: true, querier_interval: Duration::ZERO, ..ON };
    let mut lab = Lab::new(config);
    lab.wait(0.0);
    let own = igmp::question(
        &Question {
            mac: BRIDGE,
            source: Ipv4Addr::UNSPECIFIED.into(),
            group: None,
            to_group: false,
            long: false,
            suppress: false,
            max_delay: Duration::from_secs(10),
            interval: Duration::from_secs(125),
        },
        [].into_iter(),
    );
    let own = own.expect("of one family");
    for _ in 0..10 {
        lab.receive(1, 0, &own.bytes()[14..]);
        lab.wait(0.0);
    }
    let asked = lab.asked.iter().filter(|(leg, ..)| *leg == 1).count();
    assert_eq!(asked, 2, "once in each family at the start, and no more in the same second");
}
