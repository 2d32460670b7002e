//! Multicast snooping, and permanent members of groups.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vswitchd::bridge::RouterMode;
use vswitchd::control::plan::{Place, Probe};

use super::{assert_found, plan};

fn network(lines: &str) -> String {
    format!("[[network]]\nname = \"lan\"\nmulticast_snooping = true\n{lines}\n")
}

fn member(group: &str, more: &str) -> String {
    format!("[[mdb]]\nnetwork = \"lan\"\nport = \"p\"\ngroup = {group:?}\n{more}\n")
}

const ROUTER: &str =
    "[[router]]\nname = \"gw\"\n[[router.interface]]\nnetwork = \"lan\"\naddress = \"10.0.0.1/24\"\n";
const PORT: &str = "[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"tap\"\n";

#[test]
fn settings() {
    let text = network(
        "multicast = { querier = true, igmp_version = 3, query_interval = 20, router = 2, query_address = \"10.0.0.1\" }",
    ) + PORT
        + "mcast_router = \"temp\"\nfastleave = true\nmcast_to_unicast = true\nmcast_max_groups = 8\n";
    let plan = plan(&text);
    let multicast = plan.networks[0].bridge.multicast;
    assert!(multicast.snooping && multicast.querier && multicast.igmp_version == 3);
    assert_eq!(multicast.query_interval, Duration::from_secs(20));
    assert_eq!(multicast.router, RouterMode::Always, "B71: 2 is always");
    assert!(multicast.query_use_ifaddr);
    assert_eq!(multicast.address, Ipv4Addr::new(10, 0, 0, 1));
    let leg = plan.settings("p").expect("a port").leg.multicast;
    assert_eq!(
        (leg.router, leg.fastleave, leg.to_unicast, leg.max_groups),
        (RouterMode::Temp, true, true, 8)
    );
}

#[test]
fn values() {
    assert_found(&[
        (
            "ranges",
            &network(
                "[network.multicast]\nigmp_version = 1\nmld_version = 3\nhash_max = 0\nquery_interval = 0.5\nrouter = 3\nquery_address = \"224.0.0.1\"",
            ),
            &[
                (5, "`igmp_version` cannot be 1"),
                (6, "`mld_version` cannot be 3"),
                (7, "`hash_max` cannot be 0"),
                (8, "`query_interval` cannot be 0.5"),
                (9, "`router` cannot be 3"),
                (10, "queries cannot come from \"224.0.0.1\""),
            ],
        ),
        (
            "the kernel's names are longer",
            &network("multicast = { mcast_querier = true }"),
            &[(4, "`multicast` has no key `mcast_querier`")],
        ),
        (
            "RFC 2236 §8.3",
            &network("multicast = { query_interval = 5 }"),
            &[(4, "`query_response_interval` is not shorter than `query_interval`")],
        ),
        (
            "of a port",
            &(network("") + PORT + "mcast_router = 4\nmcast_max_groups = -1\n"),
            &[(9, "`mcast_router` cannot be 4"), (10, "`mcast_max_groups` cannot be -1")],
        ),
        (
            "without snooping",
            &format!(
                "[[network]]\nname = \"lan\"\nmulticast = {{ querier = true }}\n{PORT}fastleave = true\n{}",
                member("239.1.1.1", "")
            ),
            &[
                (3, "`multicast` has no effect on a network without multicast snooping"),
                (8, "`fastleave` has no effect on a network without multicast snooping"),
                (9, "`[[mdb]]` has no effect on a network without multicast snooping"),
            ],
        ),
    ]);
}

#[test]
fn members() {
    let text = network("") + PORT;
    assert_found(&[
        (
            "what a member needs",
            &(text.clone() + "[[mdb]]\n"),
            &[(9, "`network` is missing"), (9, "`group` is missing"), (9, "`port` is missing")],
        ),
        (
            "not a group",
            &(text.clone() + &member("10.0.0.1", "")),
            &[(12, "10.0.0.1 is not a multicast address")],
        ),
        (
            "B68: never registered",
            &(text.clone() + &member("224.0.0.251", "")),
            &[(12, "224.0.0.251 is always flooded")],
        ),
        ("B68: all nodes", &(text.clone() + &member("ff02::1", "")), &[(12, "ff02::1 is always flooded")]),
        ("B68: other link-local groups of IPv6 are snooped", &(text.clone() + &member("ff02::fb", "")), &[]),
        (
            "twice",
            &(text.clone() + &member("239.1.1.1", "") + &member("239.1.1.1", "")),
            &[(17, "\"p\" is a member of 239.1.1.1 already")],
        ),
        (
            "an unknown port",
            &(text.clone() + &member("239.1.1.1", "").replace("\"p\"", "\"pp\"")),
            &[(11, "there is no port \"pp\"")],
        ),
        (
            "a router is no member",
            &(text.clone() + &member("239.1.1.1", "").replace("\"p\"", "\"lan/gw\"") + ROUTER),
            &[(11, "\"lan/gw\" leads to a router, which joins no groups")],
        ),
    ]);
    assert_eq!(plan(&(text + &member("239.1.1.1", ""))).groups[0].vlan, 0, "no VLANs");
    let text = network("vlan_filtering = true") + PORT + "trunk = [10, 20]\n";
    let vlans = |text: &str| plan(text).groups.iter().map(|group| group.vlan).collect::<Vec<_>>();
    assert_eq!(vlans(&(text.clone() + &member("239.1.1.1", ""))), [10, 20], "in each VLAN of the port");
    assert_eq!(vlans(&(text.clone() + &member("239.1.1.1", "vlan = 20"))), [20]);
    assert_found(&[(
        "not its VLAN",
        &(text + &member("239.1.1.1", "vlan = 30")),
        &[(14, "\"p\" is not in VLAN 30")],
    )]);
}

#[test]
fn expectations() {
    let expect = |more: &str| network("") + PORT + "[[expect]]\nkind = \"mdb\"\nfrom = \"lan\"\n" + more;
    let found = plan(&expect("to = \"239.1.1.1\"\nport = \"p\"\n"));
    let group = IpAddr::from([239, 1, 1, 1]);
    let probe = Probe::Mdb { network: "lan".into(), group, at: Some("p".into()) };
    assert_eq!(found.expects[0].probe, probe);
    assert_found(&[
        (
            "who, and where",
            &expect("to = \"239.1.1\"\nport = \"q\"\n"),
            &[(12, "\"239.1.1\" is not an IP address"), (13, "there is no port \"q\"")],
        ),
        (
            "only members are somewhere",
            &expect("to = \"239.1.1.1\"\nport = \"p\"\n").replace("\"mdb\"", "\"fdb\""),
            &[(12, "there is no node \"239.1.1.1\""), (13, "`port` is where a member of a group is to be")],
        ),
    ]);
    let nodes = |more: &str| {
        let node = |name: &str| {
            format!("[[node]]\nname = {name:?}\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\n")
        };
        network("") + &node("a") + &node("b") + "[[expect]]\nkind = \"multicast\"\nfrom = \"a\"\n" + more
    };
    let probe = |join| Probe::Multicast {
        from: Place::Node("a".into()),
        to: "239.1.1.1:5000".parse().expect("an endpoint"),
        at: Place::Node("b".into()),
        join,
    };
    let good = nodes("to = \"239.1.1.1:5000\"\nat = \"b\"\n");
    assert_eq!(plan(&good).expects[0].probe, probe(true), "who is to get it joins");
    assert_eq!(plan(&(good + "join = false\n")).expects[0].probe, probe(false));
    assert_found(&[
        (
            "a group and a port, and who is to get it",
            &nodes("to = \"239.1.1.1\"\n"),
            &[(15, "`at` is missing"), (18, "\"239.1.1.1\" is not an address with a port")],
        ),
        (
            "no group, and nobody",
            &nodes("to = \"10.0.0.1:5000\"\nat = \"c\"\n"),
            &[(18, "10.0.0.1 is not a multicast address"), (19, "there is no node \"c\"")],
        ),
        (
            "what is sent does not come back",
            &nodes("to = \"239.1.1.1:5000\"\nat = \"a\"\n"),
            &[(19, "\"a\" would only hear itself")],
        ),
        (
            "others neither join nor listen",
            &nodes("to = \"10.0.0.1\"\nat = \"b\"\njoin = true\nresult = \"fail\"\n")
                .replace("\"multicast\"", "\"ping\""),
            &[(19, "`at` is where a datagram is to arrive"), (20, "`join` is about a multicast group")],
        ),
    ]);
}
