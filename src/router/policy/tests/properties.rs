//! What holds whatever comes.

use proptest::prelude::*;

use super::*;
use crate::router::policy::config::{Invalid, States};

fn publishes() -> impl Strategy<Value = Vec<Publish>> {
    let one = (0..3_usize, any::<bool>(), 0..40_u16, 0..12_u16, 0..4_u8, 0..40_u16, any::<bool>());
    let one = one.prop_map(|(listen, udp, first, more, guest, to_port, some)| Publish {
        listen: [None, Some(ip("203.0.113.1")), Some(ip("10.1.0.1"))][listen],
        protocol: if udp { Protocol::Udp } else { Protocol::Tcp },
        ports: (first, first + more),
        to: IpAddr::from([10, 1, 0, guest + 2]),
        to_port,
        allow_from: if some { vec![net("198.51.100.0/25")] } else { vec![] },
    });
    proptest::collection::vec(one, 0..12)
}

fn states() -> impl Strategy<Value = State> {
    let invalid = State::Invalid(track::Invalid::Malformed);
    prop::sample::select(vec![State::Established, invalid, State::New, State::Related, State::Untracked])
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let actions = [Action::Accept, Action::Drop, Action::Reject(Reject::TcpReset), Action::Return];
    let one = (prop::sample::select(actions.to_vec()), 0..4_u16, 0..4_u16, 0..50_u16, any::<bool>());
    let one = one.prop_map(|(action, from, to, port, new)| Rule {
        from: (from < 3).then_some(LegIndex(from)),
        to: (to < 3).then_some(LegIndex(to)),
        ports: if port < 40 { vec![(port, port + 10)] } else { vec![] },
        states: if new { States::NEW } else { States::default() },
        action,
        ..Rule::default()
    });
    proptest::collection::vec(one, 0..5)
}

proptest! {
    /// The map says what going through the list says: what is published at the address before what is at any, and of
    /// those the first.
    #[test]
    fn looking_up_is_going_through(
        publishes in publishes(),
        asked in proptest::collection::vec((0..2_usize, any::<bool>(), 0..60_u16, any::<u8>()), 1..40),
    ) {
        let policy = Policy::new(Config { publishes: publishes.clone(), ..Config::default() });
        for (to, udp, port, last) in asked {
            let (to, source) = (["203.0.113.1", "10.1.0.1"][to], format!("198.51.100.{last}"));
            let protocol = if udp { 17 } else { 6 };
            let tuple = Tuple { protocol, destination_port: port, ..packet(&source, to, 1) };
            let fits = |publish: &Publish, listen: Option<IpAddr>| {
                publish.listen == listen
                    && publish.protocol.number() == protocol
                    && (publish.ports.0..=publish.ports.1).contains(&port)
            };
            let find = |listen| publishes.iter().position(|publish| fits(publish, listen));
            let first = find(Some(ip(to))).or_else(|| find(None));
            let expected = first.filter(|at| publishes[*at].allows(ip(&source))).map(|at| {
                let publish = &publishes[at];
                let target = publish.to_port + (port - publish.ports.0);
                (Range::endpoint(publish.to, target), at as u16)
            });
            prop_assert_eq!(policy.destination(&tuple), expected);
        }
    }

    /// Nobody addresses a guest directly (M1), whatever the user allows; guests that are not hidden only where it is said.
    #[test]
    fn nobody_addresses_a_guest_directly(
        rules in rules(), publishes in publishes(), accept: bool, ends in (0..3_u16, 0..3_u16), internal: bool,
        routed: bool, tuple in (any::<[u8; 4]>(), 0..6_u8, 0..60_u16, prop::sample::select(vec![1_u8, 6, 17, 99])),
        state in states(), nat: bool,
    ) {
        let invalid = if accept { Invalid::Accept } else { Invalid::Drop };
        let has_rules = !rules.is_empty();
        let mut world = World::new(Config { rules, publishes, invalid, ..Config::default() });
        world.legs[1].inside.internal = internal;
        world.legs[1].inside.source_nat = if routed { SourceNat::None } else { SourceNat::Masquerade };
        let (source, guest, port, protocol) = tuple;
        let tuple = Tuple {
            source: IpAddr::from(source).into(),
            destination: IpAddr::from([10, 1, 0, guest]).into(),
            destination_port: port,
            protocol,
            ..packet("198.51.100.9", "10.1.0.2", 1)
        };
        let (from, to) = (LegIndex(ends.0), LegIndex(ends.1));
        let (ruling, visited) = world.filter(from, to, &tuple, state, nat);
        let comes_in = to != EXT && from != to;
        let hidden = to == BR2 || internal || !routed;
        if comes_in && hidden && !nat {
            prop_assert!(matches!(ruling, Ruling::Drop(RuleId::Invalid | RuleId::Direct(_))), "{ruling:?}");
        }
        let known = matches!(state, State::Established | State::Related);
        if comes_in && !hidden && !nat && !known && !has_rules && ruling == Ruling::Accept {
            let last = visited.last().copied();
            prop_assert!(matches!(last, Some(RuleId::Published(_) | RuleId::Ping(_))), "{last:?}");
        }
        if matches!(state, State::Invalid(_)) && !accept {
            prop_assert_eq!(ruling, Ruling::Drop(RuleId::Invalid));
        }
        if internal && !known && !has_rules && from != to && (from == BR1 || to == BR1) {
            prop_assert!(ruling != Ruling::Accept, "M6: nothing begins that comes in or goes out");
        }
        if let Ruling::Drop(rule) | Ruling::Reject(_, rule) = ruling {
            prop_assert_eq!(visited.last(), Some(&rule), "who ends it is heard of");
        }
        // what leaves hidden guests never does so under their own address
        let (from, to) = (world.leg(from), world.leg(to));
        let passing = Passing { from, to, tuple: &tuple, state, destination_nat: nat };
        if from.0 != to.0 && from.1.inside.source_nat != SourceNat::None && from.0 != EXT {
            prop_assert_eq!(world.policy.source(&passing).is_some(), state == State::New);
        }
    }
}
