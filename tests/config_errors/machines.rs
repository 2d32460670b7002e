//! Nodes, who hears whom, and what is expected of them.

use vswitchd::control::config::Severity;

use super::{LAN, assert_found, assert_found_on_lan, found};

#[test]
fn nodes() {
    assert_found_on_lan(&[
        (
            "an interface needs a name and a place",
            "[[node]]\nname = \"a\"\n[[node.interface]]\n",
            &[(3, "`name` is missing"), (3, "`network` is missing")],
        ),
        (
            "an interface twice",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\n",
            &[(7, "the interface \"e\" is used twice")],
        ),
        (
            "of another node it is another",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\n[[node]]\nname = \"b\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\n",
            &[],
        ),
        (
            "made for the node",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\nkind = \"raw\"\nnetns = \"x\"\ninterface = \"y\"\n",
            &[
                (6, "a node's interface is made for it"),
                (7, "[[node.interface]] has no key `netns`"),
                (8, "[[node.interface]] has no key `interface`"),
            ],
        ),
        (
            "lo is there",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"lo\"\nnetwork = \"lan\"\n",
            &[(4, "the interface \"lo\" would clash with the kernel's own")],
        ),
        (
            "cable or network",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\npeer = \"x\"\n",
            &[(5, "an interface cannot have both `peer` and `network`")],
        ),
        (
            "a cable is no port",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\npeer = \"x\"\nisolated = true\n",
            &[(6, "`isolated` is a setting of a port, and a cable is none")],
        ),
        (
            "two cables, one end; a cable's end and a TAP",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\npeer = \"x\"\n[[node.interface]]\nname = \"f\"\npeer = \"x\"\n[[port]]\nname = \"x\"\nnetwork = \"lan\"\nkind = \"tap\"\n",
            &[
                (5, "the cable's end \"x\" is a port's interface as well"),
                (8, "two cables end in an interface named \"x\""),
            ],
        ),
        (
            "a command is a list",
            "[[node]]\nname = \"a\"\ncommand = \"sleep 1\"\n[[node]]\nname = \"b\"\ncommand = []\n",
            &[(3, "`command` must be a list of strings, not a string"), (6, "`command` names no program")],
        ),
        (
            "bridges",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\naddress = \"10.0.0.4/24\"\n[[node.bridge]]\nname = \"br\"\ninterfaces = [\"e\", \"f\"]\n[[node.bridge]]\nname = \"e\"\ninterfaces = \"e\"\n[[node.bridge]]\n",
            &[
                (6, "\"e\" is a port of the bridge \"br\""),
                (9, "node \"a\" has no interface \"f\""),
                (11, "the interface \"e\" is used twice"),
                (12, "the interface \"e\" is bridged twice"),
                (13, "`name` is missing"),
                (13, "`interfaces` is missing"),
            ],
        ),
        (
            "a bridge between two interfaces on one network",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\n[[node.interface]]\nname = \"f\"\nnetwork = \"lan\"\n[[node.bridge]]\nname = \"br\"\ninterfaces = [\"e\", \"f\"]\n",
            &[(11, "a loop through the node's bridge: broadcasts will circle for ever")],
        ),
    ]);
}

#[test]
fn one_address_one_interface() {
    let node = |name: &str, network: &str, rest: &str| {
        format!(
            "[[node]]\nname = \"{name}\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"{network}\"\n{rest}\n"
        )
    };
    let same = "address = \"10.0.0.4/24\"\nmac = \"02:00:00:00:00:01\"";
    let two = "[[network]]\nname = \"a\"\n[[network]]\nname = \"b\"\n";
    let nodes = node("x", "a", same) + &node("y", "b", same);
    let twice: &[(usize, &str)] = &[
        (17, "two interfaces on the same network cannot both have 10.0.0.4"),
        (18, "two interfaces on the same network cannot both have 02:00:00:00:00:01"),
    ];
    assert_found(&[
        ("nobody hears both", &format!("{two}{nodes}"), &[]),
        ("a link joins them", &format!("{two}{nodes}[[link]]\nnetworks = [\"a\", \"b\"]\n"), twice),
        (
            "a machine's bridge joins them",
            &format!(
                "{two}{nodes}{}[[node.interface]]\nname = \"f\"\nnetwork = \"b\"\n[[node.bridge]]\nname = \"br\"\ninterfaces = [\"e\", \"f\"]\n",
                node("z", "a", "")
            ),
            twice,
        ),
        (
            "the host is on a network too",
            "[[network]]\nname = \"a\"\nhost = \"10.0.0.4/24\"\n[[port]]\nname = \"p\"\nnetwork = \"a\"\nkind = \"tap\"\naddress = \"10.0.0.4/24\"\n",
            &[(8, "two interfaces on the same network cannot both have 10.0.0.4")],
        ),
        (
            "a raw port joins a cable and a network",
            &format!(
                "{two}[[port]]\nname = \"p\"\nnetwork = \"a\"\nkind = \"raw\"\ninterface = \"lan0\"\n{}{}",
                node("x", "a", same),
                "[[node]]\nname = \"y\"\n[[node.interface]]\nname = \"e\"\npeer = \"lan0\"\naddress = \"10.0.0.4/24\"\n"
            ),
            &[(22, "two interfaces on the same network cannot both have 10.0.0.4")],
        ),
    ]);
}

#[test]
fn expectations() {
    let box_a = "[[node]]\nname = \"boxA\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\naddress = \"10.0.0.4/24\"\n[[network]]\nname = \"other\"\n";
    let expect = |from: &str, kind: &str, to: &str| {
        format!("{box_a}[[expect]]\nfrom = \"{from}\"\nkind = \"{kind}\"\nto = \"{to}\"\n")
    };
    assert_found_on_lan(&[
        (
            "what it needs",
            "[[expect]]\n",
            &[(1, "`kind` is missing"), (1, "`from` is missing"), (1, "`to` is missing")],
        ),
        ("a kind that is none", &expect("boxA", "pink", "10.0.0.4"), &[(11, "`kind` cannot be \"pink\"")]),
        ("an unknown node", &expect("boxB", "ping", "10.0.0.4"), &[(10, "there is no node \"boxB\"")]),
        (
            "no port",
            &expect("boxA", "tcp", "10.0.0.4"),
            &[(12, "\"10.0.0.4\" is not an address with a port")],
        ),
        (
            "port zero",
            &expect("boxA", "udp", "10.0.0.4:0"),
            &[(12, "\"10.0.0.4:0\" is not an address with a port")],
        ),
        (
            "nobody's address: perhaps meant",
            &expect("boxA", "ping", "10.0.0.5"),
            &[(12, "nobody in this file has the address 10.0.0.5")],
        ),
        (
            "nobody's hardware address cannot be known",
            &expect("boxA", "arp", "10.0.0.5"),
            &[(12, "nobody in this file has the address 10.0.0.5")],
        ),
        (
            "a host is no route",
            &expect("boxA", "route", "10.0.0.4/24"),
            &[(12, "no route has the destination 10.0.0.4/24")],
        ),
        (
            "no prefix, no route",
            &expect("boxA", "route", "10.0.0.0"),
            &[(12, "\"10.0.0.0\" is not a destination")],
        ),
        (
            "drops happen at ports, for reasons",
            &expect("boxA", "drops", "promiscous"),
            &[(10, "there is no port or network \"boxA\""), (12, "no frame is dropped for \"promiscous\"")],
        ),
        ("a node's interface is a port", &expect("boxA:e", "drops", "promiscuous"), &[]),
        (
            "nothing of it to learn there",
            &expect("other", "fdb", "boxA"),
            &[(12, "node \"boxA\" has no interface on network \"other\"")],
        ),
        (
            "neither network nor node",
            &expect("x", "fdb", "y"),
            &[(10, "there is no network \"x\""), (12, "there is no node \"y\"")],
        ),
        (
            "patience has limits",
            &format!("{}timeout = 0\nresult = \"no\"\n", expect("boxA", "ping", "10.0.0.4")),
            &[(13, "`timeout` cannot be 0"), (14, "`result` cannot be \"no\"")],
        ),
    ]);
    let severity = |text: &str| found(&format!("{LAN}{text}")).first().map(|diagnostic| diagnostic.severity);
    assert_eq!(
        severity(&expect("boxA", "ping", "10.0.0.5")),
        Some(Severity::Warning),
        "it may be outside the lab"
    );
    assert_eq!(
        severity(&expect("boxA", "arp", "10.0.0.5")),
        Some(Severity::Error),
        "the probe needs an owner"
    );
}
