//! Networks, ports and static entries, and the names of things.

use super::{LAN, assert_found, assert_found_on_lan, plan};

#[test]
fn threads() {
    assert_found(&[
        ("none", "[lab]\nthreads = 0\n", &[(2, "`threads` cannot be 0")]),
        ("the most", "[lab]\nthreads = 16\n", &[]),
        ("one too many", "[lab]\nthreads = 17\n", &[(2, "`threads` cannot be 17")]),
        ("a word", "[lab]\nthreads = \"all\"\n", &[(2, "`threads` must be a whole number, not a string")]),
    ]);
    assert_eq!(plan("[lab]\nthreads = 3\n").threads, Some(3));
    assert_eq!(plan("[lab]\n").threads, None, "as many as there are CPUs");
}

#[test]
fn queues() {
    let port = |kind: &str, text: &str| {
        format!("[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"{kind}\"\n{text}\n")
    };
    let table = [
        ("none", "tap", "queues = 0", Some("`queues` cannot be 0")),
        ("one, as without saying so", "tap", "queues = 1", None),
        ("a thread each", "tap", "queues = 16", None),
        ("more than there are threads", "tap", "queues = 17", Some("`queues` cannot be 17")),
        ("sockets", "raw", "queues = 4", None),
        (
            "one is all it has",
            "tap",
            "queues = 2\noffload = false",
            Some("a TAP without offloads has one queue"),
        ),
        ("and may be said", "tap", "queues = 1\noffload = false", None),
    ];
    for (why, kind, text, expected) in table {
        let expected: Vec<_> = expected.iter().map(|message| (5, *message)).collect();
        assert_found_on_lan(&[(why, &port(kind, text), &expected)]);
    }
    let queues = |kind, text| plan(&format!("{LAN}{}", port(kind, text))).ports[0].queues.get();
    assert_eq!((queues("raw", "queues = 4"), queues("tap", "")), (4, 1));
}

#[test]
fn names() {
    assert_found(&[
        ("missing", "[[network]]\n[[node]]\n", &[(1, "`name` is missing"), (2, "`name` is missing")]),
        ("of the lab", "[lab]\nname = \"a/b\"\n", &[(2, "the lab's name \"a/b\" contains a slash")]),
        ("a network may have a long name …", "[[network]]\nname = \"a-network-with-a-long-name\"\n", &[]),
        (
            "… unless the host has an interface on it",
            "[[network]]\nname = \"a-network-with-a-long-name\"\nhost = \"10.0.0.1/24\"\n",
            &[(2, "the name of a network that the host sits on \"a-network-with-a-long-name\" is too long")],
        ),
        (
            "nodes",
            "[[node]]\nname = \"host\"\n[[node]]\nname = \"a b\"\n[[node]]\nname = \"c\"\n[[node]]\nname = \"c\"\n",
            &[
                (2, "a node cannot be named \"host\""),
                (4, "the name of a node \"a b\" contains white space"),
                (8, "there are two nodes named \"c\""),
            ],
        ),
    ]);
    assert_found_on_lan(&[
        (
            "ports",
            "[[port]]\nname = \"lan\"\nnetwork = \"lan\"\nkind = \"tap\"\n",
            &[(2, "a port and a network are both named \"lan\"")],
        ),
        (
            "16 bytes: one too many",
            "[[port]]\nname = \"sixteen-bytes-xy\"\nnetwork = \"lan\"\nkind = \"tap\"\n",
            &[(2, "the port's name is its interface's, and \"sixteen-bytes-xy\" is too long")],
        ),
        (
            "… but not if the interface has another",
            "[[port]]\nname = \"sixteen-bytes-xy\"\nnetwork = \"lan\"\nkind = \"tap\"\ninterface = \"t0\"\n",
            &[],
        ),
        (
            "%d makes the kernel count",
            "[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"tap\"\ninterface = \"tap%d\"\n",
            &[(5, "the interface \"tap%d\" contains a percent sign")],
        ),
    ]);
}

#[test]
fn networks() {
    assert_found(&[
        (
            "ranges",
            "[[network]]\nname = \"lan\"\nmtu = 67\nageing = -1\nfdb_max = 0\ngroup_fwd_mask = 0x10000\n",
            &[
                (3, "`mtu` cannot be 67"),
                (4, "`ageing` cannot be -1"),
                (5, "`fdb_max` cannot be 0"),
                (6, "`group_fwd_mask` cannot be 65536"),
            ],
        ),
        (
            "the kernel refuses a TAP more than 65521",
            "[[network]]\nname = \"lan\"\nmtu = 65522\nfdb_max = 1048577\n",
            &[(3, "`mtu` cannot be 65522"), (4, "`fdb_max` cannot be 1048577")],
        ),
        (
            "the outermost of each range",
            "[[network]]\nname = \"a\"\nmtu = 68\nageing = 0\nfdb_max = 1\ngroup_fwd_mask = 0xfff8\n[[network]]\nname = \"b\"\nmtu = 65521\nageing = 16777216\nfdb_max = 1048576\n",
            &[],
        ),
        (
            "B37: pause, STP and bit 1",
            "[[network]]\nname = \"lan\"\ngroup_fwd_mask = 0x7\n",
            &[(3, "`group_fwd_mask` may not have bit 0, 1, 2")],
        ),
        (
            "the host's addresses",
            "[[network]]\nname = \"lan\"\nhost = [\"10.0.0.0/24\", \"10.0.0.255/24\", \"10.0.0.1\", \"224.0.0.1/24\", \"x\"]\n",
            &[
                (3, "10.0.0.0/24 is the network, not a machine in it"),
                (3, "10.0.0.255/24 is the network's broadcast address"),
                (3, "\"10.0.0.1\" is not an interface's address"),
                (3, "224.0.0.1/24 is a multicast address: a group's, not a machine's"),
                (3, "\"x\" is not an interface's address"),
            ],
        ),
        (
            "RFC 8200: IPv6 needs 1280",
            "[[network]]\nname = \"lan\"\nhost = \"fd00::1/64\"\nmtu = 1279\n",
            &[(3, "IPv6 does not work with an MTU of 1279")],
        ),
    ]);
}

#[test]
fn ports() {
    assert_found_on_lan(&[
        (
            "what every port needs",
            "[[port]]\n",
            &[(1, "`name` is missing"), (1, "`network` is missing"), (1, "`kind` is missing")],
        ),
        (
            "a key of a node's interface",
            "[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"tap\"\npeer = \"x\"\n",
            &[(5, "[[port]] has no key `peer`")],
        ),
        (
            "two ports, one name; two ports, one interface",
            "[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"tap\"\n[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"raw\"\n",
            &[(6, "there are two ports named \"p\""), (6, "the interface \"p\" is used twice")],
        ),
        (
            "two raw ports on one interface",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"raw\"\ninterface = \"nic\"\n[[port]]\nname = \"b\"\nnetwork = \"lan\"\nkind = \"raw\"\ninterface = \"nic\"\n",
            &[(10, "the interface \"nic\" is used twice")],
        ),
        (
            "one name in two namespaces is two interfaces",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"tap\"\ninterface = \"t\"\n[[port]]\nname = \"b\"\nnetwork = \"lan\"\nkind = \"tap\"\ninterface = \"t\"\nnetns = \"blue\"\n",
            &[],
        ),
        (
            "one namespace by two names",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"tap\"\ninterface = \"t\"\nnetns = \"/run/netns/blue\"\n[[port]]\nname = \"b\"\nnetwork = \"lan\"\nkind = \"tap\"\ninterface = \"t\"\nnetns = \"blue\"\n",
            &[(11, "the interface \"t\" is used twice")],
        ),
        (
            "a path that leads nowhere in particular",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"tap\"\nnetns = \"proc/1/ns/net\"\n",
            &[(5, "`netns` cannot be \"proc/1/ns/net\"")],
        ),
    ]);
}

#[test]
fn settings_of_ports() {
    assert_found_on_lan(&[
        (
            "a raw port takes the interface as it is",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"raw\"\naddress = \"10.0.0.1/24\"\ngateway = \"10.0.0.2\"\noffload = false\n",
            &[
                (5, "`address` cannot be set on an interface that exists already"),
                (6, "`gateway` cannot be set on an interface that exists already"),
                (7, "`offload` cannot be set on an interface that exists already"),
            ],
        ),
        (
            "deny whom?",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"raw\"\npromiscuous = \"deny\"\n",
            &[(5, "`promiscuous = \"deny\"` on a raw port needs `mac`")],
        ),
        (
            "deny all but this one",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"raw\"\npromiscuous = \"deny\"\nmac = \"02:00:00:00:00:01\"\n",
            &[],
        ),
        (
            "B37: a port's mask may have bit 0 and 2, not 1",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"tap\"\ngroup_fwd_mask = 7\n",
            &[(5, "`group_fwd_mask` may not have bit 1")],
        ),
        (
            "addresses of nobody",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"tap\"\nmac = \"00:00:00:00:00:00\"\n[[port]]\nname = \"b\"\nnetwork = \"lan\"\nkind = \"tap\"\nmac = \"ff:ff:ff:ff:ff:ff\"\n[[port]]\nname = \"c\"\nnetwork = \"lan\"\nkind = \"tap\"\nmac = \"02:00\"\n",
            &[
                (5, "an address of zeros belongs to nobody"),
                (10, "ff:ff:ff:ff:ff:ff is the broadcast address: all stations, not one"),
                (15, "\"02:00\" is not a MAC address"),
            ],
        ),
        (
            "gateways",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"tap\"\naddress = \"10.0.0.4/24\"\ngateway = [\"10.0.1.1\", \"10.0.0.4\", \"10.0.0.1\", \"10.0.0.2\", \"fe80::1\", \"x\"]\n",
            &[
                (6, "gateway 10.0.1.1 cannot be reached directly"),
                (6, "the interface itself is 10.0.0.4"),
                (6, "there is a default gateway for IPv4 already"),
                (6, "\"x\" is not an IP address"),
            ],
        ),
        (
            "B21: a locked port",
            "[[port]]\nname = \"a\"\nnetwork = \"lan\"\nkind = \"tap\"\nlocked = true\nlearning = true\n",
            &[
                (2, "nobody can send through the locked port \"a\""),
                (5, "a locked port only knows the stations of its [[fdb]] entries"),
            ],
        ),
    ]);
}

#[test]
fn too_many_ports() {
    let port = |n: usize| format!("[[port]]\nname = \"p{n}\"\nnetwork = \"lan\"\nkind = \"tap\"\n");
    let text = |count: usize| std::iter::once(LAN.to_owned()).chain((0..count).map(port)).collect::<String>();
    assert_eq!(plan(&text(1024)).ports.len(), 1024, "as many as the kernel's bridge (B46)");
    assert_found(&[("one more", &text(1025), &[(2 + 1024 * 4 + 2, "the lab has 1025 ports")])]);
    let router =
        "[[router]]\nname = \"gw\"\n[[router.interface]]\nnetwork = \"lan\"\naddress = \"10.0.0.1/24\"\n";
    assert_found(&[(
        "a router is one more as well",
        &(text(1024) + router),
        &[(2 + 1024 * 4 + 4, "more than 1024 ports and ends of links on network \"lan\"")],
    )]);
}

#[test]
fn static_entries() {
    let port = "[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"tap\"\n[[network]]\nname = \"other\"\n";
    assert_found_on_lan(&[
        (
            "what an entry needs",
            "[[fdb]]\n",
            &[(1, "`network` is missing"), (1, "`mac` is missing"), (1, "`port` is missing")],
        ),
        (
            "an unknown port, a group",
            "[[fdb]]\nnetwork = \"lan\"\nmac = \"01:00:5e:00:00:01\"\nport = \"q\"\nsticky = true\n",
            &[
                (3, "01:00:5e:00:00:01 is a group address: many stations, not one"),
                (4, "there is no port \"q\""),
            ],
        ),
        (
            "a port of another network",
            &format!("{port}[[fdb]]\nnetwork = \"other\"\nmac = \"02:00:00:00:00:01\"\nport = \"p\"\n"),
            &[(10, "port \"p\" is not on network \"other\"")],
        ),
        (
            "twice",
            &format!(
                "{port}{}",
                "[[fdb]]\nnetwork = \"lan\"\nmac = \"02:00:00:00:00:01\"\nport = \"p\"\n".repeat(2)
            ),
            &[(13, "02:00:00:00:00:01 has an entry on \"lan\" already")],
        ),
    ]);
}
