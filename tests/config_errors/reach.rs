//! What is expected of whom a gateway leads to.

use std::net::IpAddr;

use vswitchd::control::plan::{NatKind, Place, Probe, Seen};

use super::plan;
use super::routers::{GATEWAY, assert_found_at_gateway};

/// A published port, a guest and somebody outside; what follows begins at line 19 behind the gateway.
const MACHINES: &str = "[[router.publish]]\nlisten = \"192.168.178.27:80\"\nto = \"172.17.0.2:8080\"\n\
    [[router.route]]\nto = \"8.8.0.0/16\"\nvia = \"192.168.178.1\"\n\
    [[node]]\nname = \"web\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"docker0\"\naddress = \"172.17.0.2/16\"\n\
    [[node]]\nname = \"remote\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\n\
    address = [\"192.168.178.20/24\", \"2001:db8::20/64\", \"192.168.178.21/24\"]\n";

fn expect(kind: &str, from: &str, to: &str, more: &str) -> String {
    format!("{MACHINES}[[expect]]\nkind = {kind:?}\nfrom = {from:?}\nto = {to:?}\n{more}")
}

#[test]
fn whom_the_other_side_sees() {
    let sees = Some(Seen { address: IpAddr::from([192, 168, 178, 20]), keeps_port: Some(true) });
    let text = expect("tcp", "remote", "192.168.178.27:80", "sees = \"192.168.178.20\"\nkeeps_port = true\n");
    let from = Place::Node("remote".into());
    let to = "192.168.178.27:80".parse().expect("an endpoint");
    assert_eq!(plan(&format!("{GATEWAY}{text}")).expects[0].probe, Probe::Tcp { from, to, sees });
    assert_found_at_gateway(&[
        ("a guest", &expect("ping", "remote", "172.17.0.2", "sees = \"192.168.178.20\"\n"), &[]),
        (
            "the router answers, and cannot be asked",
            &expect("ping", "remote", "192.168.178.27", "sees = \"192.168.178.20\"\n"),
            &[(23, "no machine of this file answers at 192.168.178.27")],
        ),
        (
            "nothing is published there",
            &expect("udp", "remote", "192.168.178.27:80", "sees = \"192.168.178.20\"\n"),
            &[
                (22, "no guest of this file answers at udp 192.168.178.27:80"),
                (23, "no machine of this file answers at 192.168.178.27:80"),
            ],
        ),
        (
            "… which may be what is meant",
            &expect("udp", "remote", "192.168.178.27:80", "result = \"fail\"\n"),
            &[],
        ),
        (
            "an address, of the family",
            &expect("ping", "remote", "172.17.0.2", "sees = \"2001:db8::20\"\n"),
            &[(23, "who answers at 172.17.0.2 cannot see 2001:db8::20")],
        ),
        (
            "an address",
            &expect("ping", "remote", "172.17.0.2", "sees = \"remote\"\n"),
            &[(23, "\"remote\" is not an IP address")],
        ),
        (
            "nobody sees what does not arrive",
            &expect("ping", "remote", "172.17.0.2", "sees = \"192.168.178.20\"\nresult = \"fail\"\n"),
            &[(23, "`sees` is about an attempt that succeeds")],
        ),
        (
            "a port of nobody's",
            &expect("udp", "web", "192.168.178.20:53", "keeps_port = true\n"),
            &[(23, "`keeps_port` without `sees`")],
        ),
        (
            "a ping has no port",
            &expect("ping", "remote", "172.17.0.2", "sees = \"192.168.178.20\"\nkeeps_port = true\n"),
            &[(24, "`keeps_port` is about the port that who answers sees")],
        ),
        (
            "a route answers nobody",
            &expect("route", "remote", "10.0.0.0/8", "sees = \"192.168.178.20\"\n"),
            &[(23, "`sees` is the address that who answers must see it come from")],
        ),
    ]);
}

#[test]
fn beyond_a_router_may_be_anybody() {
    assert_found_at_gateway(&[
        ("the route leads to a router of somebody else's", &expect("ping", "web", "8.8.8.8", ""), &[]),
        (
            "no route leads there",
            &expect("ping", "web", "9.9.9.9", ""),
            &[(22, "nobody in this file has the address 9.9.9.9")],
        ),
        ("a router has a hardware address", &expect("arp", "web", "172.17.0.1", ""), &[]),
        (
            "who is beyond has none that could be known",
            &expect("arp", "web", "8.8.8.8", ""),
            &[(22, "nobody in this file has the address 8.8.8.8")],
        ),
    ]);
}

#[test]
fn kinds_of_nat() {
    let text = expect("nat", "web", "port-restricted", "at = \"remote\"\n");
    let probe = Probe::Nat {
        from: Place::Node("web".into()),
        at: "remote".into(),
        servers: [[192, 168, 178, 20].into(), [192, 168, 178, 21].into()],
        kind: NatKind::PortRestricted,
    };
    assert_eq!(plan(&format!("{GATEWAY}{text}")).expects[0].probe, probe, "two addresses of one family");
    assert_found_at_gateway(&[
        (
            "no such kind, and nobody to ask",
            &expect("nat", "web", "cone", ""),
            &[(19, "`at` is missing"), (22, "`to` cannot be \"cone\"")],
        ),
        (
            "one address does not tell strangers",
            &expect("nat", "remote", "symmetric", "at = \"web\"\n"),
            &[(23, "node \"web\" does not have two addresses of a family")],
        ),
        (
            "nothing is between",
            &expect("nat", "remote", "symmetric", "at = \"remote\"\n"),
            &[(23, "there is no NAT between \"remote\" and itself")],
        ),
        (
            "the host is no server",
            &expect("nat", "web", "symmetric", "at = \"host\"\n"),
            &[(23, "there is no node \"host\"")],
        ),
    ]);
}
