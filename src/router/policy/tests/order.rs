//! What is asked before what.

use super::*;
use crate::router::interface::Inside;
use crate::router::policy::config::{Invalid, Log, States};

const INVALID: State = State::Invalid(track::Invalid::Malformed);
const GUEST: &str = "10.1.0.2";
const STRANGER: &str = "198.51.100.9";

#[test]
fn invalid_packets_end_unless_docker_is_to_be_copied_exactly() {
    let out = packet(GUEST, STRANGER, 80);
    let mut world = World::new(Config { rules: vec![rule(Action::Accept)], ..Config::default() });
    let dropped = (Ruling::Drop(RuleId::Invalid), vec![RuleId::Invalid]);
    assert_eq!(world.filter(BR1, EXT, &out, INVALID, false), dropped, "0.2: before the user is asked");
    world.policy.configure(Config { invalid: Invalid::Accept, ..Config::default() });
    let leaked = (Ruling::Accept, vec![RuleId::Egress(BR1)]);
    assert_eq!(
        world.filter(BR1, EXT, &out, INVALID, false),
        leaked,
        "N6, C8: any state, private address and all"
    );
    let closed = (Ruling::Drop(RuleId::Direct(BR1)), vec![RuleId::Direct(BR1)]);
    assert_eq!(world.filter(EXT, BR1, &out, INVALID, false), closed, "M1: but not in");
}

#[test]
fn the_user_is_asked_before_docker_and_after_m1() {
    let out = packet(GUEST, STRANGER, 80);
    let within = packet(STRANGER, GUEST, 80);
    let log = Action::Log(Log { prefix: "x ".into(), limit: 10 });
    let (first, second) = (RuleId::User(0), RuleId::User(1));
    let egress = RuleId::Egress(BR1);
    let direct = Ruling::Drop(RuleId::Direct(BR1));
    use Action::{Accept, Drop, Return};
    let reject = Action::Reject(Reject::TcpReset);
    let table = [
        (vec![Drop], BR1, &out, Ruling::Drop(first), vec![first], "C1: before M10"),
        (vec![Accept, Drop], BR1, &out, Ruling::Accept, vec![first], "the first decides"),
        (
            vec![log.clone(), Drop],
            BR1,
            &out,
            Ruling::Drop(second),
            vec![first, second],
            "N61: a line decides nothing",
        ),
        (vec![log.clone()], BR1, &out, Ruling::Accept, vec![first, egress], "so Docker's rules follow"),
        (
            vec![Return, Drop],
            BR1,
            &out,
            Ruling::Accept,
            vec![first, egress],
            "C1: RETURN ends the user's rules only",
        ),
        (vec![reject], BR1, &out, Ruling::Reject(Reject::TcpReset, first), vec![first], "and says how"),
        (
            vec![Accept],
            EXT,
            &within,
            direct,
            vec![RuleId::Direct(BR1)],
            "M1 is in the raw table, before everything",
        ),
    ];
    for (actions, from, tuple, ruling, rules, why) in table {
        let to = if from == EXT { BR1 } else { EXT };
        let world =
            World::new(Config { rules: actions.into_iter().map(rule).collect(), ..Config::default() });
        assert_eq!(world.filter(from, to, tuple, State::New, false), (ruling, rules), "{why}");
    }
    let world = World::new(Config { rules: vec![rule(Drop)], ..Config::default() });
    let ruling = world.filter(EXT, BR1, &within, State::Established, true).0;
    assert_eq!(ruling, Ruling::Drop(first), "C1: all states, so before M5");
}

#[test]
fn rules_match_what_they_say() {
    let base = || rule(Action::Drop);
    let tcp = || Rule { protocol: Some(6), ..base() };
    let udp = Tuple { protocol: 17, ..packet(GUEST, STRANGER, 80) };
    let web = packet(GUEST, STRANGER, 80);
    let echo = packet(GUEST, STRANGER, 0);
    let six = packet("fd01::2", "2001:db8:1::9", 80);
    let new = State::New;
    let table = [
        (base(), web, new, true, "no condition: everything"),
        (base(), six, new, true, "of both families"),
        (Rule { from: Some(BR1), ..base() }, web, new, true, "from where it comes"),
        (Rule { from: Some(BR2), ..base() }, web, new, false, "from elsewhere"),
        (Rule { to: Some(EXT), ..base() }, web, new, true, "to where it goes"),
        (Rule { to: Some(BR1), ..base() }, web, new, false, "to elsewhere"),
        (
            Rule { source: vec![net("10.9.0.0/16"), net("10.1.0.0/16")], ..base() },
            web,
            new,
            true,
            "any of the sources",
        ),
        (Rule { source: vec![net("10.9.0.0/16")], ..base() }, web, new, false, "none of them"),
        (Rule { source: vec![net("0.0.0.0/0")], ..base() }, six, new, false, "of the other family"),
        (Rule { destination: vec![net("198.51.100.0/24")], ..base() }, web, new, true, "the destination"),
        (Rule { destination: vec![net("10.1.0.0/16")], ..base() }, web, new, false, "not the source"),
        (tcp(), web, new, true, "the protocol"),
        (tcp(), udp, new, false, "another"),
        (Rule { ports: vec![(22, 22), (80, 90)], ..base() }, web, new, true, "any of the ports"),
        (Rule { ports: vec![(22, 22), (80, 90)], ..base() }, udp, new, true, "of any protocol"),
        (Rule { ports: vec![(81, 90)], ..base() }, web, new, false, "none of them"),
        (Rule { ports: vec![(0, 65535)], ..base() }, echo, new, false, "an echo has none"),
        (Rule { source_ports: vec![(0, 65535)], ..base() }, echo, new, false, "an echo has none"),
        (Rule { source_ports: vec![(40000, 40000)], ..base() }, web, new, true, "the port it is from"),
        (Rule { source_ports: vec![(80, 80)], ..base() }, web, new, false, "not the one it is to"),
        (Rule { states: States::NEW.and(States::RELATED), ..base() }, web, new, true, "any of the states"),
        (Rule { states: States::NEW, ..base() }, web, State::Established, false, "none of them"),
        (Rule { states: States::UNTRACKED, ..base() }, web, State::Untracked, true, "N5: UNTRACKED"),
        (Rule { states: States::ESTABLISHED, ..base() }, web, State::Established, true, "N5: ESTABLISHED"),
        (Rule { states: States::RELATED, ..base() }, web, State::Related, true, "N5: RELATED"),
        (Rule { ports: vec![(443, 443)], ..tcp() }, web, new, false, "all conditions"),
    ];
    for (rule, tuple, state, matches, why) in table {
        let world = World::new(Config { rules: vec![rule.clone()], ..Config::default() });
        let dropped = world.filter(BR1, EXT, &tuple, state, false).0 == Ruling::Drop(RuleId::User(0));
        assert_eq!(dropped, matches, "{why}: {rule:?}");
    }
}

#[test]
fn guests_that_are_not_hidden_are_addressed_by_what_they_publish() {
    let mut publishes = vec![publish(None, (8080, 8080), GUEST, 80), publish(None, (8443, 8443), GUEST, 443)];
    publishes[1].allow_from = vec![net("192.0.2.0/24")];
    let mut world = World::new(Config { publishes, ..Config::default() });
    world.legs[1].inside = Inside { source_nat: SourceNat::None, ..Inside::default() };
    let closed = Ruling::Drop(RuleId::Closed(BR1));
    let table = [
        (80, State::New, Ruling::Accept, RuleId::Published(0), "M12: M8 opens the guest's own port"),
        (443, State::New, closed, RuleId::Closed(BR1), "but not for everybody"),
        (8080, State::New, closed, RuleId::Closed(BR1), "M9: not the one that it is published as"),
        (22, State::New, closed, RuleId::Closed(BR1), "M9: nor any other"),
        (22, State::Untracked, closed, RuleId::Closed(BR1), "M9: in no state"),
        (0, State::New, Ruling::Accept, RuleId::Ping(BR1), "M9: ICMP comes in where guests are routed"),
        (
            22,
            State::Established,
            Ruling::Accept,
            RuleId::Established(BR1),
            "M5: answers, which nobody translated",
        ),
    ];
    for (port, state, ruling, rule, why) in table {
        let tuple = packet(STRANGER, GUEST, port);
        assert_eq!(world.filter(EXT, BR1, &tuple, state, false), (ruling, vec![rule]), "{why}");
    }
    let out = world.send(BR1, packet(GUEST, STRANGER, 80));
    assert_eq!(out, End::Out(EXT, (ip(STRANGER), 80), ip(GUEST)), "M12: and its address stays");
    let mapped = world.send(EXT, packet(STRANGER, "203.0.113.1", 8080));
    assert_eq!(
        mapped,
        End::Out(BR1, (ip(GUEST), 80), ip(STRANGER)),
        "the published port is there all the same"
    );
}

#[test]
fn strangers_may_use_what_a_guest_has_opened_if_the_nat_lets_them() {
    let world = World::new(Config::default());
    let tuple = packet(STRANGER, GUEST, 40000);
    let opened = (Ruling::Accept, vec![RuleId::Opened(BR1)]);
    assert_eq!(world.filter(EXT, BR1, &tuple, State::New, true), opened, "a full cone (RFC 4787 §5)");
}

#[test]
fn sources_become_what_was_said() {
    let addresses = (ip("203.0.113.40"), ip("203.0.113.49"));
    let pool = SourceNat::To(addresses.0, addresses.1);
    let masquerade = SourceNat::Masquerade;
    let (four, six) = (packet(GUEST, STRANGER, 80), packet("fd01::2", "2001:db8:1::9", 80));
    let leaves = RuleId::Masquerade(BR1);
    let table = [
        (masquerade, BR1, EXT, four, false, Some((masquerade, leaves)), "C15: MASQUERADE"),
        (masquerade, BR1, BR2, four, false, Some((masquerade, leaves)), "C15: into another network too"),
        (pool, BR1, EXT, four, false, Some((pool, leaves)), "C15: SNAT --to-source"),
        (pool, BR1, EXT, six, false, Some((masquerade, leaves)), "the other family does not leak"),
        (SourceNat::None, BR1, EXT, four, false, None, "M12: routed"),
        (masquerade, BR1, BR1, four, false, None, "what stays on its wire is no one else's"),
        (
            SourceNat::None,
            BR1,
            BR1,
            four,
            true,
            Some((masquerade, RuleId::Hairpin(BR1))),
            "C16: but for a hairpin",
        ),
        (masquerade, EXT, BR1, four, true, None, "3c: B sees X"),
        (masquerade, EXT, EXT, four, true, Some((masquerade, RuleId::Hairpin(EXT))), "a hairpin on any wire"),
        (masquerade, EXT, EXT, four, false, None, "what strangers say to each other"),
    ];
    for (nat, from, to, tuple, destination_nat, expected, why) in table {
        let mut world = World::new(Config::default());
        world.legs[1].inside.source_nat = nat;
        let (from, to) = (world.leg(from), world.leg(to));
        let passing = Passing { from, to, tuple: &tuple, state: State::New, destination_nat };
        assert_eq!(world.policy.source(&passing), expected, "{why}");
        let again = Passing { state: State::Related, ..passing };
        assert_eq!(world.policy.source(&again), None, "N2: {why}");
    }
}

#[test]
fn counters_count() {
    let rules = vec![rule(Action::Drop), rule(Action::Return)];
    let publishes = vec![publish(None, (1, 1), GUEST, 1)];
    let mut policy = Policy::new(Config { rules: rules.clone(), publishes, ..Config::default() });
    let ids = [
        RuleId::Closed(BR1),
        RuleId::Direct(BR1),
        RuleId::Dnat(0),
        RuleId::Egress(BR1),
        RuleId::Established(BR1),
        RuleId::Hairpin(BR1),
        RuleId::Icc(BR1),
        RuleId::InternalIn(BR1),
        RuleId::InternalOut(BR1),
        RuleId::Invalid,
        RuleId::Masquerade(BR1),
        RuleId::Opened(BR1),
        RuleId::Ping(BR1),
        RuleId::Published(0),
        RuleId::User(0),
        RuleId::User(1),
    ];
    policy.attach(BR1);
    for (at, id) in ids.into_iter().enumerate() {
        policy.count(id, at as u64);
        policy.count(id, 100);
    }
    for (at, id) in ids.into_iter().enumerate() {
        let count = Count { packets: 2, bytes: at as u64 + 100 };
        assert_eq!(policy.counts(id), count, "each has its own: {id:?}");
    }
    for id in [RuleId::User(9), RuleId::Dnat(9), RuleId::Closed(BR2), RuleId::Closed(EXT)] {
        policy.count(id, 1);
        let expected = u64::from(id == RuleId::Closed(EXT));
        assert_eq!(policy.counts(id).packets, expected, "what has no room is not counted: {id:?}");
    }
    policy.configure(Config { rules: vec![rule(Action::Accept), rule(Action::Return)], ..Config::default() });
    let kept = ids.map(|id| policy.counts(id).packets);
    assert_eq!(kept, [2, 2, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 2], "what is the same goes on counting");
    policy.attach(BR1);
    assert_eq!(policy.counts(RuleId::Closed(BR1)).packets, 0, "another leg starts anew");
}
