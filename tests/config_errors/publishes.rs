//! Published ports of routers.

use vswitchd::router::policy::config::Protocol;

use super::routers::{GATEWAY, assert_found_at_gateway, router};
use super::{assert_found, plan};

fn publish(lines: &str) -> String {
    format!("[[router.publish]]\n{lines}\n")
}

/// What is published by this, as `protocol listen:ports > to:port < allowed`, with the line.
fn published(text: &str) -> Vec<(u32, String)> {
    let one = |publish: &vswitchd::control::plan::Publish| {
        let p = &publish.publish;
        let listen = p.listen.map_or("*".to_owned(), |ip| ip.to_string());
        let allowed: Vec<_> = p.allow_from.iter().map(ToString::to_string).collect();
        let (protocol, (first, last)) = (p.protocol.name(), p.ports);
        let text =
            format!("{protocol} {listen}:{first}-{last} > {}:{} < {}", p.to, p.to_port, allowed.join(","));
        (publish.line.0, text)
    };
    router(text).policy.publishes.iter().map(one).collect()
}

#[test]
fn what_is_written_and_what_it_means() {
    let table = [
        (
            "listen = \"192.168.178.27:80\"\nto = \"172.17.0.2:8080\"",
            &["tcp 192.168.178.27:80-80 > 172.17.0.2:8080 < "][..],
            "docker run -p",
        ),
        ("listen = \":80\"\nto = \"172.17.0.2\"", &["tcp *:80-80 > 172.17.0.2:80 < "], "C14: any address"),
        ("listen = 80\nto = \"172.17.0.2\"", &["tcp *:80-80 > 172.17.0.2:80 < "], "the same as a number"),
        (
            "listen = \"0.0.0.0:80\"\nto = \"172.17.0.2\"",
            &["tcp *:80-80 > 172.17.0.2:80 < "],
            "as Docker writes it",
        ),
        ("listen = \"[::]:80\"\nto = \"fd17::2\"", &["tcp *:80-80 > fd17::2:80 < "], "of IPv6"),
        (
            "listen = \"[2001:db8::27]:80\"\nto = \"[fd17::2]:8080\"",
            &["tcp 2001:db8::27:80-80 > fd17::2:8080 < "],
            "IPv6",
        ),
        (
            "listen = \"8000-8010\"\nto = \"172.17.0.2:9000-9010\"",
            &["tcp *:8000-8010 > 172.17.0.2:9000 < "],
            "C21: ranges",
        ),
        ("listen = \"1-65535\"\nto = \"172.17.0.2\"", &["tcp *:1-65535 > 172.17.0.2:1 < "], "all of them"),
        (
            "listen = 53\nprotocol = [\"tcp\", \"udp\", \"sctp\"]\nto = \"172.17.0.2\"",
            &[
                "tcp *:53-53 > 172.17.0.2:53 < ",
                "udp *:53-53 > 172.17.0.2:53 < ",
                "sctp *:53-53 > 172.17.0.2:53 < ",
            ],
            "one for each",
        ),
        (
            "listen = 80\nto = \"172.17.0.2\"\nallow_from = [\"192.168.178.0/24\", \"10.0.0.1\"]",
            &["tcp *:80-80 > 172.17.0.2:80 < 192.168.178.0/24,10.0.0.1/32"],
            "who may",
        ),
        (
            "listen = \"127.0.0.1:80\"\nto = \"172.17.0.2\"",
            &["tcp *:80-80 > 172.17.0.2:80 < 172.17.0.254/32"],
            "M2: the host alone",
        ),
        (
            "listen = \"[::1]:80\"\nto = \"fd17::2\"",
            &["tcp *:80-80 > fd17::2:80 < fd17::fe/128"],
            "M2: the host alone",
        ),
    ];
    for (text, expected, why) in table {
        let expected: Vec<_> = expected.iter().map(|text| (17, (*text).to_owned())).collect();
        assert_eq!(published(&publish(text)), expected, "{text}: {why}");
    }
    assert_eq!(
        router(&publish("listen = 80\nto = \"172.17.0.2\"")).policy.publishes[0].publish.protocol,
        Protocol::Tcp
    );
}

#[test]
fn values() {
    let to = "to = \"172.17.0.2\"";
    assert_found_at_gateway(&[
        ("all of it", &publish(""), &[(1, "`listen` is missing"), (1, "`to` is missing")]),
        (
            "no port",
            &publish(&format!("listen = \"192.168.178.27\"\n{to}")),
            &[(2, "`listen` lacks a port: \"192.168.178.27\"")],
        ),
        (
            "no port",
            &publish(&format!("listen = \"2001:db8::27\"\n{to}")),
            &[(2, "`listen` lacks a port: \"2001:db8::27\"")],
        ),
        (
            "port 0",
            &publish(&format!("listen = 0\n{to}:0\"").replace("\":0", ":0")),
            &[(2, "`listen` cannot have port 0"), (3, "`to` cannot have port 0")],
        ),
        (
            "too large",
            &publish(&format!("listen = \":65536\"\n{to}")),
            &[(2, "`listen` cannot have port 65536")],
        ),
        (
            "no number",
            &publish(&format!("listen = \"http\"\n{to}")),
            &[(2, "`listen` cannot have port \"http\"")],
        ),
        ("a name", &publish(&format!("listen = \"gw:80\"\n{to}")), &[(2, "\"gw\" is not an IP address")]),
        (
            "half a bracket",
            &publish(&format!("listen = \"[::1:80\"\n{to}")),
            &[(2, "`listen` cannot be \"[::1:80\"")],
        ),
        (
            "backwards",
            &publish(&format!("listen = \"90-80\"\n{to}")),
            &[(2, "the range \"90-80\" ends before it begins")],
        ),
        ("no guest", &publish("listen = 80\nto = \":80\""), &[(3, "`to` cannot be \":80\"")]),
        ("no guest", &publish("listen = 80\nto = \"web\""), &[(3, "`to` cannot be \"web\"")]),
        (
            "protocols",
            &publish(&format!("listen = 80\nprotocol = [\"tpc\", \"tcp\", \"tcp\", \"icmp\"]\n{to}")),
            &[
                (3, "`protocol` cannot be \"tpc\""),
                (3, "\"tcp\" is given twice"),
                (3, "`protocol` cannot be \"icmp\""),
            ],
        ),
        (
            "who may",
            &publish(&format!("listen = 80\nallow_from = [\"x\", \"10.0.0.1/8\"]\n{to}")),
            &[
                (3, "\"x\" is neither an IP address nor a network"),
                (3, "10.0.0.1/8 is an address within a network"),
            ],
        ),
        (
            "nobody",
            &publish(&format!("listen = 80\nallow_from = []\n{to}")),
            &[(3, "an empty `allow_from` would allow everybody")],
        ),
    ]);
}

#[test]
fn what_does_not_fit_together() {
    assert_found_at_gateway(&[
        (
            "not the router's",
            &publish("listen = \"192.168.178.28:80\"\nto = \"172.17.0.2\""),
            &[(2, "192.168.178.28 is not an address of the router")],
        ),
        (
            "outside",
            &publish("listen = 80\nto = \"192.168.178.5\""),
            &[(3, "192.168.178.5 is in no inside network of the router")],
        ),
        (
            "nowhere",
            &publish("listen = 80\nto = \"10.0.0.1\""),
            &[(3, "10.0.0.1 is in no inside network of the router")],
        ),
        (
            "the router itself",
            &publish("listen = 80\nto = \"172.17.0.1\""),
            &[(3, "172.17.0.1 is the router's own address")],
        ),
        (
            "no machine",
            &publish("listen = 80\nto = \"172.17.255.255\""),
            &[(3, "172.17.255.255 is no machine in 172.17.0.0/16")],
        ),
        (
            "lengths",
            &(publish("listen = \"8000-8010\"\nto = \"172.17.0.2:80\"")
                + &publish("listen = \"9000-9010\"\nto = \"172.17.0.2:9000-9011\"")
                + &publish("listen = 80\nto = \"172.17.0.2:80-81\"")),
            &[
                (3, "11 ports cannot lead to 1 port"),
                (6, "11 ports cannot lead to 12 ports"),
                (9, "1 port cannot lead to 2 ports"),
            ],
        ),
        (
            "families",
            &(publish("listen = \"192.168.178.27:80\"\nto = \"fd17::2\"")
                + &publish("listen = \"[::]:80\"\nto = \"172.17.0.2\"")
                + &publish("listen = 81\nto = \"172.17.0.2\"\nallow_from = [\"10.0.0.0/8\", \"fd00::/8\"]")),
            &[
                (3, "an IPv4 port cannot lead to an IPv6 address"),
                (6, "an IPv6 port cannot lead to an IPv4 address"),
                (10, "nobody in fd00::/8 can use an IPv4 port"),
            ],
        ),
        (
            "the host is alone",
            &publish("listen = \"127.0.0.1:80\"\nto = \"172.17.0.2\"\nallow_from = \"10.0.0.1\""),
            &[(4, "a port published at a loopback address is for the host alone")],
        ),
    ]);
    let internal = GATEWAY.replacen("role = \"inside\"", "role = \"inside\"\ninternal = true", 1);
    assert_found(&[
        (
            "C20: nobody comes in",
            &(internal + &publish("listen = 80\nto = \"172.17.0.2\"")),
            &[(20, "172.17.0.2 is on an internal network (C20)")],
        ),
        (
            "M2: no host, nobody to use it",
            &(GATEWAY.replacen("host = [\"172.17.0.254/16\", \"fd17::fe/64\"]", "mtu = 1500", 1)
                + &publish("listen = \"127.0.0.1:80\"\nto = \"172.17.0.2\"")),
            &[(
                18,
                "a port published at a loopback address is for the host, and that is on no network of the router",
            )],
        ),
        (
            "what is unknown of the router is not held against its publishes",
            &(GATEWAY.replacen("network = \"lan\"", "network = \"lam\"", 1)
                + &publish("listen = \"10.0.0.1:80\"\nto = \"10.0.0.2\"")),
            &[(14, "there is no network \"lam\"")],
        ),
    ]);
}

#[test]
fn overlaps() {
    let at = |listen: &str| publish(&format!("listen = \"{listen}\"\nto = \"172.17.0.2\""));
    assert_found_at_gateway(&[
        (
            "the same",
            &(at("192.168.178.27:80") + &at("192.168.178.27:80")),
            &[(5, "192.168.178.27:80 (tcp) is published already")],
        ),
        (
            "C21: any address is each",
            &(at("192.168.178.27:80") + &at("80")),
            &[(5, "192.168.178.27:80 (tcp) is published already")],
        ),
        ("any and any", &(at("80") + &at(":80")), &[(5, "port 80 (tcp) is published already")]),
        ("another address", &(at("192.168.178.27:80") + &at("172.17.0.1:80")), &[]),
        (
            "ranges",
            &(at("8000-8010") + &at("8010-8020") + &at("8015") + &at("8021")),
            &[(5, "port 8010 (tcp) is published already"), (8, "port 8015 (tcp) is published already")],
        ),
        (
            "within another, and behind it",
            &(at("8005") + &at("8000-8010") + &at("8010")),
            &[(5, "port 8005 (tcp) is published already"), (8, "port 8010 (tcp) is published already")],
        ),
        (
            "another protocol, another family",
            &(at("80")
                + &publish("listen = 80\nprotocol = \"udp\"\nto = \"172.17.0.2\"")
                + &publish("listen = 80\nto = \"fd17::2\"")),
            &[],
        ),
        (
            "the host comes in at any address",
            &(at("127.0.0.1:80") + &at("192.168.178.27:80")),
            &[(5, "192.168.178.27:80 (tcp) is published already")],
        ),
    ]);
}

#[test]
fn many_are_no_trouble() {
    let one = |port: usize| publish(&format!("listen = {port}\nto = \"172.17.0.2\""));
    let text: String = (1..3000).map(one).collect();
    assert_eq!(plan(&(GATEWAY.to_owned() + &text)).routers[0].policy.publishes.len(), 2999);
}
