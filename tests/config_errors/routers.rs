//! Routers: their names and their interfaces.

use vswitchd::bridge::{Role as LegRole, RouterMode};
use vswitchd::control::plan::{Plan, Router};
use vswitchd::router::interface::{Inside, ReversePath, Role, SourceNat};
use vswitchd::router::policy::config::Invalid;

use super::{assert_found, plan};

/// Two networks, and a router named gw without anything; what follows begins at line 9.
pub(super) const BARE: &str = "[[network]]\nname = \"docker0\"\nhost = [\"172.17.0.254/16\", \"fd17::fe/64\"]\n\
                               [[network]]\nname = \"lan\"\nmtu = 1400\n[[router]]\nname = \"gw\"\n";

/// A gateway between them; what follows begins at line 17.
pub(super) const GATEWAY: &str = "[[network]]\nname = \"docker0\"\nhost = [\"172.17.0.254/16\", \"fd17::fe/64\"]\n\
    [[network]]\nname = \"lan\"\nmtu = 1400\n[[router]]\nname = \"gw\"\n\
    [[router.interface]]\nnetwork = \"docker0\"\naddress = [\"172.17.0.1/16\", \"fd17::1/64\"]\nrole = \"inside\"\n\
    [[router.interface]]\nnetwork = \"lan\"\naddress = [\"192.168.178.27/24\", \"2001:db8::27/64\"]\nrole = \"outside\"\n";

/// As `assert_found`, with `base` in front of every text; lines still count from the text.
fn assert_found_behind(base: &str, cases: &[(&str, &str, &[(usize, &str)])]) {
    let before = base.lines().count();
    for (why, text, expected) in cases {
        let moved: Vec<_> = expected.iter().map(|(line, message)| (line + before, *message)).collect();
        assert_found(&[(why, &format!("{base}{text}"), &moved)]);
    }
}

/// The same behind [`GATEWAY`].
pub(super) fn assert_found_at_gateway(cases: &[(&str, &str, &[(usize, &str)])]) {
    assert_found_behind(GATEWAY, cases);
}

/// The only router of [`GATEWAY`] with this.
pub(super) fn router(text: &str) -> Router {
    plan(&format!("{GATEWAY}{text}")).routers.remove(0)
}

/// An interface with these lines, which begin at its third.
pub(super) fn interface(network: &str, lines: &str) -> String {
    format!("[[router.interface]]\nnetwork = {network:?}\n{lines}\n")
}

#[test]
fn what_is_not_written_is_filled_in() {
    let plan = plan(GATEWAY);
    let [router] = &plan.routers[..] else { panic!("one router") };
    let [inside, outside] = &router.interfaces[..] else { panic!("two interfaces") };
    assert_eq!((&*inside.name, &*inside.end.name), ("gw/docker0", "docker0/gw"));
    assert_eq!((router.line.0, inside.line.0, outside.line.0), (7, 9, 13), "where each stands");
    assert_eq!((router.conntrack_line.0, router.nat_line.0), (7, 7), "with the router, if nowhere else");
    assert_eq!((inside.interface.mtu, outside.interface.mtu), (1500, 1400), "the network's");
    assert_eq!((inside.interface.role, outside.interface.role), (Role::Inside, Role::Outside));
    assert_eq!(inside.interface.inside, Inside::default(), "its guests are masqueraded");
    let paths = (inside.interface.reverse_path, outside.interface.reverse_path);
    assert_eq!(paths, (ReversePath::Strict, ReversePath::Off), "guests are not believed to be others");
    assert_eq!((inside.interface.tcp_reset, outside.interface.tcp_reset), (true, false));
    assert!(!inside.interface.clamp_mss && inside.interface.redirects);
    assert_eq!((router.settings.sessions_max, router.policy.invalid), (65_536, Invalid::Drop));
    assert!(inside.interface.mac.is_station() && inside.interface.mac != outside.interface.mac, "made up");
    assert!(plan.needs_real_host().iter().all(|what| what == "port docker0"), "no interface of the host's");
}

#[test]
fn the_bridges_end_is_a_leg_like_any() {
    let text = format!(
        "{BARE}{}[[fdb]]\nnetwork = \"docker0\"\nmac = \"02:00:00:00:00:01\"\nport = \"docker0/gw#2\"\n",
        interface("docker0", "address = \"172.17.0.1/16\"\nmac = \"02:00:00:00:00:09\"")
            + &interface("docker0", "address = \"172.17.0.2/16\"\nmtu = 1300")
    );
    let plan = plan(&text);
    let leg = plan.leg("docker0/gw").expect("a leg");
    assert_eq!((leg.network, leg.leads_to, leg.line.0), ("docker0", Some("gw"), 9));
    assert!(leg.is_router() && !leg.is_host());
    let config = &leg.settings.leg;
    assert_eq!((config.role, config.mtu), (LegRole::Host, 1500), "to the bridge it is what the host is");
    assert_eq!(config.mac.map(|mac| mac.to_string()).as_deref(), Some("02:00:00:00:00:09"));
    assert_eq!(config.multicast.router, RouterMode::Always, "it joins no groups, so it gets all");
    assert_eq!(plan.leg("docker0/gw#2").expect("another").settings.leg.mtu, 1300);
    assert_eq!(plan.fdb[0].at, "docker0/gw#2", "a second place on the same network");
    let mac = "[[fdb]]\nnetwork = \"docker0\"\nport = \"docker0\"\nmac = \"02:00:00:00:00:09\"\n";
    assert_found(&[(
        "B41: it is a local entry",
        &(text + mac),
        &[(24, "02:00:00:00:00:09 is router \"gw\"'s own address on \"docker0\"")],
    )]);
}

#[test]
fn vlans_of_the_bridges_end() {
    let text = |keys: &str| {
        format!(
            "[[network]]\nname = \"lan\"\nvlan_filtering = true\n[[router]]\nname = \"gw\"\n{}",
            interface("lan", &format!("address = \"10.0.0.1/24\"\n{keys}"))
        )
    };
    let vlans = |plan: &Plan| plan.leg("lan/gw").expect("a leg").settings.vlans.clone();
    let access = vlans(&plan(&text("access = 10")));
    assert_eq!((access.len(), access[0].vid, access[0].pvid, access[0].untagged), (1, 10, true, true));
    assert_eq!(vlans(&plan(&text("")))[0].vid, 1, "B51");
    assert_found(&[
        (
            "a router knows no tags",
            &text("trunk = [10, 20]"),
            &[(9, "`trunk` leaves the router no VLAN without a tag")],
        ),
        ("but may have one without", &text("trunk = [20]\nnative = 10"), &[]),
        (
            "as with any leg",
            &text("access = 10\ntrunk = [20]"),
            &[(10, "a port cannot have both `access` and `trunk`")],
        ),
    ]);
}

#[test]
fn names() {
    let gw = "[[router]]\nname = \"gw\"\n";
    let on = interface("docker0", "address = \"172.17.0.1/16\"");
    assert_found(&[
        (
            "none",
            "[[router]]\n",
            &[(1, "`name` is missing"), (1, "a router without interfaces does nothing")],
        ),
        ("on no network", gw, &[(1, "a router without interfaces does nothing")]),
        (
            "twice",
            &format!("{BARE}{on}{gw}{}", interface("docker0", "address = \"172.17.0.2/16\"")),
            &[(13, "there are two routers named \"gw\"")],
        ),
        (
            "devices have one name space",
            &format!("[[network]]\nname = \"gw\"\n{gw}{}", interface("gw", "address = \"10.0.0.1/24\"")),
            &[(4, "a router and a network are both named \"gw\"")],
        ),
        (
            "`capture NAME` knows ports and routers",
            &format!("{BARE}{on}[[port]]\nname = \"gw\"\nnetwork = \"lan\"\nkind = \"tap\"\n"),
            &[(8, "a router and a port are both named \"gw\"")],
        ),
        (
            "a slash",
            &BARE.replace("\"gw\"", "\"g/w\"").replace("docker0", "d"),
            &[
                (7, "a router without interfaces does nothing"),
                (8, "the name of a router \"g/w\" contains a slash"),
            ],
        ),
        (
            "an end of a link may have the name of another",
            &format!(
                "[[network]]\nname = \"a\"\nstp = true\n[[network]]\nname = \"b#2\"\nstp = true\n[[link]]\n\
                 networks = [\"a\", \"b#2\"]\n[[router]]\nname = \"b\"\n{}{}",
                interface("a", "address = \"10.0.0.1/24\""),
                interface("a", "address = \"10.0.0.2/24\"")
            ),
            &[(15, "two ends of links would be named \"a/b#2\"")],
        ),
    ]);
}

#[test]
fn interfaces() {
    assert_found_behind(
        BARE,
        &[
            (
                "each needs a network and an address",
                "[[router.interface]]\n[[router.interface]]\nnetwork = \"lann\"\naddress = []\n",
                &[
                    (1, "`network` is missing"),
                    (1, "`address` is missing"),
                    (3, "there is no network \"lann\""),
                    (4, "an interface of a router without an address"),
                ],
            ),
            (
                "addresses are those of machines",
                &interface("docker0", "address = [\"172.17.0.0/16\", \"172.17.255.255/16\", \"172.17.0.1\"]"),
                &[
                    (3, "172.17.0.0/16 is the network, not a machine in it"),
                    (3, "172.17.255.255/16 is the network's broadcast address"),
                    (3, "\"172.17.0.1\" is not an interface's address"),
                ],
            ),
            (
                "words",
                &interface(
                    "docker0",
                    "address = \"172.17.0.1/16\"\nrole = \"inner\"\nrp_filter = \"on\"\nmtu = 60\nmac = \"x\"\nicc = 1\nmasq = true",
                ),
                &[
                    (4, "`role` cannot be \"inner\""),
                    (5, "`rp_filter` cannot be \"on\""),
                    (6, "`mtu` cannot be 60"),
                    (7, "\"x\" is not a MAC address"),
                    (8, "`icc` must be true or false, not a number"),
                    (9, "[[router.interface]] has no key `masq`"),
                ],
            ),
            (
                "the host has it, and so has another interface",
                &(interface("docker0", "address = \"172.17.0.254/16\"")
                    + &interface("docker0", "address = \"172.17.0.254/16\"")),
                &[
                    (3, "two interfaces on the same network cannot both have 172.17.0.254"),
                    (6, "two interfaces on the same network cannot both have 172.17.0.254"),
                ],
            ),
            (
                "one prefix on two networks",
                &(interface("docker0", "address = \"10.0.0.1/8\"")
                    + &interface("lan", "address = [\"10.7.0.1/16\", \"fe80::1/64\"]")),
                &[(6, "the router cannot tell 10.7.0.0/16 from 10.0.0.0/8")],
            ),
            (
                "link-local addresses mean something only on their wire; on one network prefixes may be the same",
                &(interface("docker0", "address = [\"fe80::1/64\", \"10.0.0.1/8\"]")
                    + &interface("docker0", "address = [\"10.0.0.2/8\"]")
                    + &interface("lan", "address = [\"fe80::1/64\"]")),
                &[],
            ),
            (
                "the network's machines take no more",
                &interface("lan", "address = \"10.0.0.1/8\"\nmtu = 1500"),
                &[(4, "an MTU of 1500, on a network of 1400")],
            ),
            (
                "IPv6 needs 1280 bytes",
                &interface("docker0", "address = \"fd00::1/64\"\nmtu = 1000"),
                &[(3, "IPv6 does not work with an MTU of 1000")],
            ),
        ],
    );
}

#[test]
fn guests() {
    let outside = interface("lan", "address = \"192.168.178.27/24\"");
    let inside = |lines: &str| {
        interface("docker0", &format!("address = \"172.17.0.1/16\"\nrole = \"inside\"\n{lines}")) + &outside
    };
    let source_nat = |lines: &str| {
        plan(&format!("{BARE}{}", inside(lines))).routers[0].interfaces[0].interface.inside.source_nat
    };
    let range = |a: &str, b: &str| SourceNat::To(a.parse().expect("an IP"), b.parse().expect("an IP"));
    assert_eq!(source_nat("masquerade = true"), SourceNat::Masquerade);
    assert_eq!(source_nat("masquerade = false"), SourceNat::None);
    assert_eq!(source_nat("internal = true"), SourceNat::None, "C20: nobody leaves");
    assert_eq!(source_nat("snat = \"192.168.178.27\""), range("192.168.178.27", "192.168.178.27"));
    assert_eq!(source_nat("snat = \"192.0.2.1-192.0.2.4\""), range("192.0.2.1", "192.0.2.4"));
    let alone = |lines: &str| {
        interface("docker0", &format!("address = \"172.17.0.1/16\"\nrole = \"inside\"\n{lines}"))
    };
    assert_found_behind(
        BARE,
        &[
            (
                "one or the other",
                &inside("masquerade = true\nsnat = \"192.168.178.27\""),
                &[(6, "an interface cannot have both `masquerade` and `snat`")],
            ),
            (
                "C20: nobody leaves",
                &inside("internal = true\nmasquerade = true\nsnat = \"10.0.0.1\""),
                &[
                    (6, "`masquerade` on an internal network (C20)"),
                    (7, "an interface cannot have both `masquerade` and `snat`"),
                    (7, "`snat` on an internal network (C20)"),
                ],
            ),
            (
                "whose?",
                &interface(
                    "lan",
                    "address = \"10.0.0.1/8\"\nrole = \"outside\"\nmasquerade = true\ninternal = true\nicc = false",
                ),
                &[
                    (5, "`masquerade` is for an interface with guests behind it"),
                    (6, "`internal` is for an interface with guests behind it"),
                    (7, "`icc` is for an interface with guests behind it"),
                ],
            ),
            (
                "ranges",
                &inside("snat = \"10.0.0.9-10.0.0.1\""),
                &[(5, "the range \"10.0.0.9-10.0.0.1\" ends before it begins")],
            ),
            (
                "one family",
                &inside("snat = \"10.0.0.9-fd00::1\""),
                &[(5, "10.0.0.9 and fd00::1 are not of one family")],
            ),
            (
                "nobody answers for an address on the wire that is not the router's",
                &inside("snat = \"192.168.178.28\""),
                &[(5, "answers to 192.168.178.28 will not find the router")],
            ),
            ("addresses", &inside("snat = \"gw\""), &[(5, "`snat` cannot be \"gw\"")]),
            ("a machine's", &inside("snat = \"0.0.0.0\""), &[(5, "nobody can answer to \"0.0.0.0\"")]),
            ("nowhere to go", &alone(""), &[(4, "a masquerade without an outside")]),
            (
                "nowhere to go",
                &alone("masquerade = true"),
                &[(5, "`masquerade` on a router without an outside")],
            ),
            ("nowhere to go", &alone("snat = \"10.0.0.1\""), &[(5, "`snat` on a router without an outside")]),
            ("nobody wants to", &alone("masquerade = false"), &[]),
            ("nobody may", &alone("internal = true"), &[]),
        ],
    );
}
