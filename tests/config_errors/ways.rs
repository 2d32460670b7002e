//! Routers: their routes, how they follow and translate flows, and who uses them as a gateway.

use std::time::Duration;

use vswitchd::router::nat::ports::{Filtering, Mapping};
use vswitchd::router::policy::config::Invalid;

use super::routers::{assert_found_at_gateway, interface, router};

#[test]
fn routes() {
    let text = "[[router.route]]\nto = \"0.0.0.0/0\"\nvia = \"192.168.178.1\"\n\
                [[router.route]]\nto = \"default\"\nvia = \"fe80::1\"\nnetwork = \"lan\"\n\
                [[router.route]]\nto = \"192.0.2.7\"\nnetwork = \"docker0\"\n";
    let routes: Vec<_> = router(text)
        .routes
        .iter()
        .map(|r| (r.to.to_string(), r.via.map(|via| via.to_string()), r.interface.clone(), r.line.0))
        .collect();
    let expected = [
        ("0.0.0.0/0", Some("192.168.178.1"), "gw/lan", 17),
        ("::/0", Some("fe80::1"), "gw/lan", 20),
        ("192.0.2.7/32", None, "gw/docker0", 24),
    ];
    let expected =
        expected.map(|(to, via, at, line)| (to.to_owned(), via.map(str::to_owned), at.to_owned(), line));
    assert_eq!(routes, expected, "each names its interface");
    let route = |lines: &str| format!("[[router.route]]\n{lines}\n");
    assert_found_at_gateway(&[
        ("whereto?", &route("via = \"192.168.178.1\""), &[(1, "`to` is missing")]),
        ("which way?", &route("to = \"10.0.0.0/8\""), &[(1, "a route that leads nowhere")]),
        (
            "destinations",
            &(route("to = \"10.0.0.1/8\"\nvia = \"192.168.178.1\"")
                + &route("to = \"there\"\nvia = \"x\"")
                + &route("to = \"224.0.0.0/4\"\nnetwork = \"lan\"")),
            &[
                (2, "no route has the destination 10.0.0.1/8"),
                (5, "\"there\" is not a destination"),
                (6, "\"x\" is not an IP address"),
                (8, "a router sends nothing to 224.0.0.0/4"),
            ],
        ),
        (
            "gateways",
            &(route("to = \"10.0.0.0/8\"\nvia = \"10.0.0.1\"")
                + &route("to = \"11.0.0.0/8\"\nvia = \"192.168.178.27\"")
                + &route("to = \"12.0.0.0/8\"\nvia = \"172.17.0.9\"\nnetwork = \"lan\"")
                + &route("to = \"fd00::/8\"\nvia = \"fe80::1\"")
                + &route("to = \"13.0.0.0/8\"\nvia = \"2001:db8::1\"")),
            &[
                (3, "gateway 10.0.0.1 is on no wire of the router"),
                (6, "the gateway 192.168.178.27 is the router's own address"),
                (9, "gateway 172.17.0.9 is not on network \"lan\""),
                (13, "fe80::1 means something only on its own wire"),
                (16, "13.0.0.0/8 and 2001:db8::1 are not of one family"),
            ],
        ),
        (
            "there are no metrics",
            &(route("to = \"default\"\nvia = \"192.168.178.1\"")
                + &route("to = \"0.0.0.0/0\"\nvia = \"192.168.178.2\"")
                + &route("to = \"10.0.0.0/8\"\nvia = \"192.168.178.1\"")
                + &route("to = \"10.0.0.0/8\"\nvia = \"172.17.0.9\"")),
            &[
                (5, "there is a default route for IPv4 already"),
                (11, "there is a route to 10.0.0.0/8 already"),
            ],
        ),
        (
            "what is on the wire is reached there",
            &route("to = \"172.17.0.0/16\"\nvia = \"192.168.178.1\""),
            &[(2, "172.17.0.0/16 is on a wire of the router")],
        ),
        ("networks", &route("to = \"10.0.0.0/8\"\nnetwork = \"lam\""), &[(3, "there is no network \"lam\"")]),
        (
            "a network of others",
            &(route("to = \"10.0.0.0/8\"\nnetwork = \"x\"") + "[[network]]\nname = \"x\"\n"),
            &[(3, "the router is not on network \"x\"")],
        ),
        (
            "what is unknown of the router is not held against its routes",
            &(interface("lann", "address = \"10.0.0.1/8\"")
                + &route("to = \"11.0.0.0/8\"\nvia = \"10.0.0.2\"")),
            &[(2, "there is no network \"lann\"")],
        ),
    ]);
}

#[test]
fn flows() {
    let router = router(
        "[router.conntrack]\nmax = 1000\ninvalid = \"accept\"\nloose = false\nliberal = true\nchecksum = false\n\
         timeouts = { udp = 0.5, tcp_established = 3600 }\n",
    );
    assert_eq!((router.settings.sessions_max, router.policy.invalid), (1000, Invalid::Accept));
    assert_eq!(router.conntrack_line.0, 17);
    let conntrack = router.settings.conntrack;
    assert_eq!((conntrack.tcp.loose, conntrack.tcp.liberal, conntrack.checksums), (false, true, false));
    assert_eq!(conntrack.udp, Duration::from_millis(500));
    assert_eq!(conntrack.tcp.timeouts.established, Duration::from_secs(3600));
    assert_eq!(conntrack.udp_stream, Duration::from_secs(120), "U1: the others stay");
    assert_found_at_gateway(&[
        (
            "ranges",
            "[router.conntrack]\nmax = 0\ninvalid = \"reject\"\ntimeouts = { udp = 0, icmp = -1, tcp = 5 }\n",
            &[
                (2, "`max` cannot be 0"),
                (3, "`invalid` cannot be \"reject\""),
                (4, "`udp` cannot be 0"),
                (4, "`icmp` cannot be -1"),
                (4, "`timeouts` has no key `tcp`"),
            ],
        ),
        ("a table", "conntrack = 5\n", &[(1, "[[router.interface]] has no key `conntrack`")]),
        ("a million and more", "[router.conntrack]\nmax = 99999999\n", &[(2, "`max` cannot be 99999999")]),
    ]);
}

#[test]
fn kinds_of_nat() {
    let table = [
        ("", Mapping::Kernel, Filtering::AddressAndPort, "as the kernel"),
        ("behaviour = \"linux\"", Mapping::Kernel, Filtering::AddressAndPort, "as the kernel"),
        ("behaviour = \"full-cone\"", Mapping::EndpointIndependent, Filtering::None, "RFC 3489"),
        ("behaviour = \"restricted\"", Mapping::EndpointIndependent, Filtering::Address, "RFC 3489"),
        (
            "behaviour = \"port-restricted\"",
            Mapping::EndpointIndependent,
            Filtering::AddressAndPort,
            "RFC 3489",
        ),
        ("behaviour = \"symmetric\"", Mapping::Symmetric, Filtering::AddressAndPort, "RFC 3489"),
        ("random = true", Mapping::Symmetric, Filtering::AddressAndPort, "P7: --random-fully"),
        ("random = false", Mapping::Kernel, Filtering::AddressAndPort, "the default"),
    ];
    for (line, mapping, filtering, why) in table {
        let policy = router(&format!("[router.nat]\n{line}\n")).policy;
        assert_eq!(
            (policy.mapping, policy.filtering, policy.ports),
            (mapping, filtering, None),
            "{line}: {why}"
        );
    }
    assert_eq!(router("[router.nat]\nports = \"40000-50000\"\n").policy.ports, Some((40_000, 50_000)));
    assert_found_at_gateway(&[
        ("words", "[router.nat]\nbehaviour = \"fullcone\"\n", &[(2, "`behaviour` cannot be \"fullcone\"")]),
        (
            "a cone keeps its ports",
            "[router.nat]\nbehaviour = \"full-cone\"\nrandom = true\n",
            &[(3, "`random = true`, but a \"full-cone\" NAT keeps the port of a guest")],
        ),
        (
            "a symmetric NAT does not",
            "[router.nat]\nrandom = false\nbehaviour = \"symmetric\"\n",
            &[(2, "`random = false`, but a \"symmetric\" NAT gives every flow a random port")],
        ),
        ("ports", "[router.nat]\nports = \"0-5\"\n", &[(2, "`ports` cannot have port 0")]),
        ("a range", "[router.nat]\nports = \"6-5\"\n", &[(2, "the range \"6-5\" ends before it begins")]),
    ]);
}

#[test]
fn gateways_that_nobody_has() {
    let node = |address: &str, gateway: &str| {
        format!(
            "[[node]]\nname = \"c\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"docker0\"\n\
             address = {address:?}\ngateway = {gateway:?}\n"
        )
    };
    let guest = "[[port]]\nname = \"vm\"\nnetwork = \"docker0\"\nkind = \"tap\"\n";
    assert_found_at_gateway(&[
        ("the router", &node("172.17.0.2/16", "172.17.0.1"), &[]),
        ("the host", &node("172.17.0.2/16", "172.17.0.254"), &[]),
        (
            "nobody",
            &node("172.17.0.2/16", "172.17.0.3"),
            &[(7, "nobody on this network has the gateway's address 172.17.0.3")],
        ),
        ("a guest may have it", &(node("172.17.0.2/16", "172.17.0.3") + guest), &[]),
        ("everybody has link-local addresses", &node("fd17::2/64", "fe80::1"), &[]),
    ]);
}
