//! Table 3c, the column of 29.x.

use super::*;

/// A and B on br1, D on br2, X far away. The port 8080 is published: 80 of B.
const A: &str = "10.1.0.2";
const B: &str = "10.1.0.3";
const D: &str = "10.2.0.2";
const X: &str = "198.51.100.9";
const HP: u16 = 8080;
const CP: u16 = 80;
const OUTSIDE: &str = "203.0.113.1";
const GATE: &str = "10.1.0.1";

fn world() -> World {
    World::new(Config {
        publishes: vec![
            publish(None, (HP, HP), B, CP),
            publish(None, (HP, HP), "fd01::3", CP),
            publish(None, (8081, 8081), D, CP),
        ],
        ..Config::default()
    })
}

#[test]
fn table_3c_holds() {
    let to = |leg, place: &str, port, source: &str| End::Out(leg, (ip(place), port), ip(source));
    let table = [
        (BR1, A, X, 443, to(EXT, X, 443, OUTSIDE), "3c: A→X is masqueraded (C15)"),
        (EXT, X, OUTSIDE, HP, to(BR1, B, CP, X), "3c: X→EXT:HP: DNAT (C14), B sees X"),
        (EXT, X, B, CP, End::Dropped(RuleId::Direct(BR1)), "3c: X→B:CP directly (M1), although published"),
        (EXT, X, B, 22, End::Dropped(RuleId::Direct(BR1)), "3c: X→B unpublished"),
        (EXT, X, OUTSIDE, 22, End::Local, "3c: nor by the router's address: it is its own port"),
        (BR1, A, OUTSIDE, HP, to(BR1, B, CP, GATE), "3c: A→EXT:HP: B sees the gateway, as by docker-proxy"),
        (BR1, B, OUTSIDE, HP, to(BR1, B, CP, GATE), "3c: B→EXT:HP, itself (C16)"),
        (BR1, A, GATE, HP, to(BR1, B, CP, GATE), "any local address is as good (C14)"),
        (BR2, D, OUTSIDE, HP, to(BR1, B, CP, GATE), "3c: D→EXT:HP: M8, B sees the gateway of br1"),
        (BR2, D, B, CP, End::Dropped(RuleId::Direct(BR1)), "3c: D→B directly (M1)"),
        (BR2, D, A, 1, End::Dropped(RuleId::Direct(BR1)), "3c: D→A any port (M1)"),
        (BR1, A, B, CP, to(BR1, B, CP, A), "3c: A→B with icc, if it comes through the router"),
        (BR2, D, "10.2.0.3", 22, End::Dropped(RuleId::Icc(BR2)), "3c: A→B without icc (M10)"),
        (
            BR2,
            "10.2.0.3",
            OUTSIDE,
            8081,
            to(BR2, D, CP, "10.2.0.1"),
            "3c: A→EXT:HP without icc, as by docker-proxy",
        ),
        (BR2, D, OUTSIDE, 8081, to(BR2, D, CP, "10.2.0.1"), "3c: itself, without icc"),
        (BR1, A, GATE, 53, End::Local, "3c: A→GW is not forwarded, so not asked about"),
        (BR1, A, X, 0, to(EXT, X, 0x0800, OUTSIDE), "C15: echoes too"),
        (EXT, X, A, 0, End::Dropped(RuleId::Direct(BR1)), "M1: echoes too"),
        (BR1, "192.0.2.66", X, 443, to(EXT, X, 443, OUTSIDE), "C15: whoever it claims to be (N54)"),
        (
            BR1,
            "fd01::2",
            "2001:db8:1::9",
            443,
            to(EXT, "2001:db8:1::9", 443, "2001:db8::1"),
            "N59: IPv6 likewise",
        ),
        (EXT, "2001:db8:1::9", "2001:db8::1", HP, to(BR1, "fd01::3", CP, "2001:db8:1::9"), "C14 of IPv6"),
        (EXT, "2001:db8:1::9", "fd01::3", CP, End::Dropped(RuleId::Direct(BR1)), "M1 of IPv6"),
        (BR1, "fd01::2", "2001:db8::1", HP, to(BR1, "fd01::3", CP, "fd01::1"), "C16 of IPv6"),
    ];
    let world = world();
    for (from, source, destination, port, expected, why) in table {
        assert_eq!(world.send(from, packet(source, destination, port)), expected, "{why}");
    }
}

#[test]
fn table_3c_of_internal_networks_holds() {
    let mut world = world();
    world.legs[1].inside.internal = true;
    world.legs[1].inside.source_nat = SourceNat::None;
    let table = [
        (BR1, A, X, 443, End::Dropped(RuleId::InternalOut(BR1)), "3c: internal, A→X (M6)"),
        (BR1, A, D, 443, End::Dropped(RuleId::Direct(BR2)), "nor to guests elsewhere"),
        (EXT, X, A, 443, End::Dropped(RuleId::Direct(BR1)), "3c: internal, X→A"),
        (BR2, D, A, 443, End::Dropped(RuleId::Direct(BR1)), "3c: internal, D→A"),
        (EXT, X, OUTSIDE, HP, End::Dropped(RuleId::InternalIn(BR1)), "C20: not by a published port either"),
        (BR1, A, OUTSIDE, 8081, End::Dropped(RuleId::InternalOut(BR1)), "nor out by one"),
        (BR1, A, GATE, 53, End::Local, "3c: internal, A→GW"),
        (BR1, A, B, 443, End::Out(BR1, (ip(B), 443), ip(A)), "M10: guests may talk to each other"),
    ];
    for (from, source, destination, port, expected, why) in table {
        assert_eq!(world.send(from, packet(source, destination, port)), expected, "{why}");
    }
}

#[test]
fn what_is_published_on_loopback_is_not_for_the_wire() {
    let mut local = publish(None, (HP, HP), B, CP);
    local.allow_from = vec![net("203.0.113.77/32")];
    let world = World::new(Config { publishes: vec![local], ..Config::default() });
    let table = [
        ("203.0.113.77", OUTSIDE, Some(0), "3c: H→127.0.0.1:HP, where H is the lab's host"),
        (X, OUTSIDE, None, "M2: nobody else"),
        ("203.0.113.77", "127.0.0.1", None, "3c: X→127.0.0.1:HP: never as it is"),
        (X, "127.0.0.1", None, "3c: X→127.0.0.1:HP: never as it is"),
    ];
    for (source, destination, expected, why) in table {
        let found = world.policy.destination(&packet(source, destination, HP));
        assert_eq!(found.map(|(_, index)| index), expected, "{why}");
    }
}

#[test]
fn replies_come_back() {
    let world = world();
    let established = State::Established;
    let table = [
        (EXT, BR1, (X, A), true, RuleId::Established(BR1), "3c: the answer to A→X (M5)"),
        (BR1, EXT, (B, X), false, RuleId::Egress(BR1), "the answer to X→EXT:HP (M10)"),
        (BR1, BR2, (B, D), true, RuleId::Established(BR2), "M5: a reply br1→br2 passes"),
        (BR1, BR1, (B, A), true, RuleId::Established(BR1), "the answer to A→EXT:HP"),
    ];
    for (from, to, (source, destination), nat, by, why) in table {
        let tuple = packet(source, destination, 40001);
        for state in [established, State::Related] {
            let result = world.filter(from, to, &tuple, state, nat);
            assert_eq!(result, (Ruling::Accept, vec![by]), "{why}");
            let passing = Passing {
                from: world.leg(from),
                to: world.leg(to),
                tuple: &tuple,
                state,
                destination_nat: nat,
            };
            assert_eq!(world.policy.source(&passing), None, "N2: only the first packet is asked about");
        }
    }
}
