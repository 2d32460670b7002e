//! The user's rules of routers.

use vswitchd::control::plan::Rule;
use vswitchd::router::policy::config::{Action, Log, Reject, States};

use super::routers::{assert_found_at_gateway, router};

fn rule(lines: &str) -> String {
    format!("[[router.rule]]\n{lines}\n")
}

fn rules(lines: &str) -> Vec<Rule> {
    router(&rule(lines)).policy.rules
}

#[test]
fn conditions() {
    let [one] = &rules(
        "from = \"docker0\"\nto = \"lan\"\nsource = \"172.17.0.0/16\"\ndestination = [\"10.0.0.1\", \"10.0.0.2\"]\n\
         protocol = \"tcp\"\nport = [25, \"8000-8010\"]\nsource_port = \"1024-65535\"\nstate = [\"new\", \"related\"]\naction = \"drop\"",
    )[..] else {
        panic!("one rule")
    };
    assert_eq!(
        (one.from.as_deref(), one.to.as_deref()),
        (Some("gw/docker0"), Some("gw/lan")),
        "interfaces, by name"
    );
    let rule = &one.rule;
    assert_eq!((rule.from, rule.to), (None, None), "numbers come later");
    let texts = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(texts(&rule.source), ["172.17.0.0/16"]);
    assert_eq!(texts(&rule.destination), ["10.0.0.1/32", "10.0.0.2/32"]);
    assert_eq!((rule.protocol, &rule.ports[..]), (Some(6), &[(25, 25), (8000, 8010)][..]));
    assert_eq!(rule.source_ports, [(1024, 65_535)]);
    assert_eq!(rule.states, States::NEW.and(States::RELATED));
    assert_eq!((&rule.action, one.line.0), (&Action::Drop, 17));
    let all = &rules("action = \"accept\"")[0];
    assert!(
        all.from.is_none() && all.rule.protocol.is_none() && all.rule.states.is_empty(),
        "what is not said, holds"
    );
}

#[test]
fn one_rule_of_the_file_may_be_several() {
    let numbers: Vec<_> = rules("protocol = [\"udp\", \"47\", \"icmpv6\"]\naction = \"drop\"")
        .iter()
        .map(|rule| (rule.rule.protocol, rule.line.0))
        .collect();
    assert_eq!(numbers, [(Some(17), 17), (Some(47), 17), (Some(58), 17)], "one for each protocol");
    let twice = "[[router.interface]]\nnetwork = \"lan\"\naddress = \"192.168.178.28/24\"\n[[router.rule]]\nfrom = \"lan\"\naction = \"drop\"\n";
    let from: Vec<_> = router(twice).policy.rules.into_iter().filter_map(|rule| rule.from).collect();
    assert_eq!(from, ["gw/lan", "gw/lan#2"], "one for each place on the network");
}

#[test]
fn actions() {
    let log = |prefix: &str, limit| Action::Log(Log { prefix: prefix.to_owned(), limit });
    let table = [
        ("action = \"accept\"", Action::Accept),
        ("action = \"return\"", Action::Return),
        ("action = \"log\"", log("", 10)),
        ("action = \"log\"\nprefix = \"IN: \"\nlimit = 3", log("IN: ", 3)),
        ("action = \"reject\"", Action::Reject(Reject::PortUnreachable)),
        ("action = \"reject\"\nwith = \"tcp-reset\"", Action::Reject(Reject::TcpReset)),
        ("action = \"reject\"\nwith = \"icmp-host-unreachable\"", Action::Reject(Reject::HostUnreachable)),
        ("action = \"reject\"\nwith = \"icmp6-adm-prohibited\"", Action::Reject(Reject::AdminProhibited)),
    ];
    for (lines, action) in table {
        assert_eq!(rules(lines)[0].rule.action, action, "{lines}");
    }
}

#[test]
fn faults() {
    let drop = |lines: &str| rule(&format!("action = \"drop\"\n{lines}"));
    assert_found_at_gateway(&[
        ("what then?", &rule("from = \"lan\""), &[(1, "`action` is missing")]),
        (
            "networks",
            &(drop("from = \"lam\"\nto = \"x\"") + "[[network]]\nname = \"x\"\n"),
            &[(3, "there is no network \"lam\""), (4, "the router is not on network \"x\"")],
        ),
        (
            "addresses",
            &drop("source = \"172.17.0.1/16\"\ndestination = [\"web\"]"),
            &[
                (3, "172.17.0.1/16 is an address within a network"),
                (4, "\"web\" is neither an IP address nor a network"),
            ],
        ),
        (
            "a packet is of one family",
            &drop("source = \"10.0.0.1\"\ndestination = \"fd00::1\""),
            &[(4, "no packet is of both families, so the rule is for none")],
        ),
        (
            "one of each is one in common",
            &drop("source = [\"10.0.0.1\", \"fd00::2\"]\ndestination = \"fd00::1\""),
            &[],
        ),
        (
            "ports of what?",
            &drop("port = 80\nsource_port = 80"),
            &[
                (3, "`port` needs a protocol that has ports"),
                (4, "`source_port` needs a protocol that has ports"),
            ],
        ),
        (
            "ports of what?",
            &drop("protocol = [\"tcp\", \"icmp\"]\nport = 80"),
            &[(4, "`port` for a protocol without ports")],
        ),
        ("protocols", &drop("protocol = \"tcpp\"\nport = 80"), &[(3, "`protocol` cannot be \"tcpp\"")]),
        (
            "port 0",
            &drop("protocol = \"tcp\"\nport = [0, \"5-2\", \"http\"]"),
            &[
                (4, "`port` cannot have port 0"),
                (4, "the range \"5-2\" ends before it begins"),
                (4, "`port` cannot have port \"http\""),
            ],
        ),
        (
            "states",
            &drop("state = [\"NEW\", \"newish\"]"),
            &[(3, "`state` cannot be \"NEW\""), (3, "`state` cannot be \"newish\"")],
        ),
        (
            "an empty list is no condition",
            &drop("source = []\nstate = []\nprotocol = []"),
            &[
                (3, "an empty `source` would hold for everything"),
                (4, "an empty `state` would hold for everything"),
                (5, "an empty `protocol` would hold for everything"),
            ],
        ),
        ("actions", &rule("action = \"block\""), &[(2, "`action` cannot be \"block\"")]),
        (
            "what belongs to log and reject",
            &drop("prefix = \"IN: \"\nlimit = 5\nwith = \"tcp-reset\""),
            &[
                (3, "`prefix` says nothing about \"drop\""),
                (4, "`limit` says nothing about \"drop\""),
                (5, "`with` says nothing about \"drop\""),
            ],
        ),
        (
            "iptables' limits and names",
            &(rule("action = \"log\"\nprefix = \"123456789012345678901234567890\"\nlimit = 0")
                + &rule("action = \"log\"\nprefix = \"a\\nb\"")
                + &rule("action = \"reject\"\nwith = \"port-unreachable\"")),
            &[
                (3, "a prefix of 30 bytes is too long"),
                (4, "`limit` cannot be 0"),
                (7, "a prefix with a control character"),
                (10, "`with` cannot be \"port-unreachable\""),
            ],
        ),
        ("29 bytes fit", &rule("action = \"log\"\nprefix = \"12345678901234567890123456789\""), &[]),
        ("keys", &drop("dport = 80"), &[(3, "[[router.rule]] has no key `dport`")]),
    ]);
}
