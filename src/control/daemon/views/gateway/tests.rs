//! What routers are told to be, and what they have counted, in the words of the file.

use super::*;
use crate::control::config::parse;
use crate::control::daemon::views;
use crate::control::diff::diff;
use crate::control::plan::Plan;
use crate::router::nat::sessions::Count;

/// Networks `a` and `b`; what follows begins at line 8.
const NETWORKS: &str = "[[network]]\nname = \"a\"\n[[network]]\nname = \"b\"\n\n[[router]]\nname = \"gw\"\n";
/// A gateway between them; what follows begins at line 16.
const GATEWAY: &str = "[[router.interface]]\nnetwork = \"b\"\naddress = \"10.2.0.1/24\"\nrole = \"outside\"\n\
    [[router.interface]]\nnetwork = \"a\"\naddress = [\"10.1.0.1/24\", \"fd01::1/64\"]\nrole = \"inside\"\n";

fn lab(text: &str) -> (Router, Registry) {
    let plan = parse(&format!("{NETWORKS}{text}"), "lab").expect("a sound file").0;
    let mut registry = Registry::default();
    registry.translate(&diff(&Plan::empty("lab"), &plan)).expect("there is room");
    let mut routers = plan.routers;
    (routers.remove(0), registry)
}

fn interface(network: &str, address: &str) -> String {
    format!("[[router.interface]]\nnetwork = {network:?}\naddress = {address:?}\n")
}

#[test]
fn only_what_was_set_is_told_of_an_interface() {
    let table = [
        ("role = \"inside\"", "", "the defaults of each role"),
        ("role = \"outside\"", "", "differ, and are not told"),
        ("", "", "of a plain one too"),
        ("role = \"inside\"\ninternal = true\nicc = false", "internal, icc off", "C20, C9"),
        ("role = \"inside\"\nmasquerade = false", "masquerade off", "M12"),
        ("role = \"inside\"\nsnat = \"10.2.0.7\"", "snat 10.2.0.7", "one address"),
        ("role = \"inside\"\nsnat = \"10.2.0.7-10.2.0.9\"", "snat 10.2.0.7-10.2.0.9", "several"),
        ("role = \"inside\"\nrp_filter = \"off\"", "rp_filter off", "strict is usual for guests"),
        ("role = \"outside\"\nrp_filter = \"strict\"", "rp_filter strict", "off is for others"),
        ("role = \"outside\"\ntcp_reset = true", "tcp_reset on", "RFC 5382 REQ-4"),
        ("clamp_mss = true\nredirects = false", "clamp_mss, redirects off", "whatever the role"),
    ];
    for (keys, expected, why) in table {
        let text = format!("{}{keys}\n{}", interface("a", "10.1.0.1/24"), interface("b", "10.2.0.1/24"));
        let (router, registry) = lab(&format!("{text}role = \"outside\"\n"));
        let view = gateway(&router, &Gateway::default(), &registry);
        assert_eq!(view.interfaces[0].flags.join(", "), expected, "{why}: {keys}");
    }
}

#[test]
fn those_who_hold_the_most_are_named_first() {
    let port = "[[port]]\nname = \"vm1\"\nnetwork = \"a\"\nkind = \"tap\"\n";
    let (router, registry) = lab(&format!("{GATEWAY}{port}"));
    let held = [(0, 30), (2, 5), (9, 100), (ORIGINS_MAX as u16 - 1, 30)].to_vec();
    let held = held.into_iter().chain((20..40).map(|origin| (origin, 1))).collect();
    let seen = Gateway { sessions: Some((200, 200, held)), ..Gateway::default() };
    let usage = gateway(&router, &seen, &registry).conntrack.expect("it follows flows");
    let named: Vec<_> =
        usage.holders.iter().map(|holder| (holder.port.as_str(), holder.sessions)).take(4).collect();
    let expected = [("switch", 100), ("vm1", 30), ("switch", 30), ("switch", 5)];
    assert_eq!(named, expected, "a port by its name, then who came first");
    assert_eq!(usage.holders.len(), HOLDERS_MAX, "and not all of them");
}

#[test]
fn published_ports_are_told_with_what_they_were_used_for() {
    let publishes = "[[router.publish]]\nlisten = \"10.2.0.1:80\"\nto = \"10.1.0.2:8080\"\n\
                     [[router.publish]]\nlisten = \":8000-8010\"\nto = \"[fd01::2]:9000-9010\"\nprotocol = \"udp\"\n";
    let (router, _) = lab(&format!("{GATEWAY}{publishes}"));
    let counts: Vec<Count> = (1..=4).map(|packets| Count { packets, bytes: 100 * packets }).collect();
    let told: Vec<_> = publishes_of(&router, &counts);
    let expected = [
        "10.2.0.1:80 10.1.0.2:8080 tcp line 16 translated 1 accepted 2",
        ":::8000-8010 fd01::2:9000-9010 udp line 19 translated 3 accepted 4",
    ];
    assert_eq!(told, expected);
}

fn publishes_of(router: &Router, counts: &[Count]) -> Vec<String> {
    let told = |view: PublishView| {
        let PublishView { listen, port, protocol, to, to_port, line, translated, accepted, .. } = view;
        let counts = format!("translated {} accepted {}", translated.packets, accepted.packets);
        format!("{listen}:{port} {to}:{to_port} {protocol} line {line} {counts}")
    };
    publishes(router, counts).into_iter().map(told).collect()
}

#[test]
fn rules_have_the_names_of_networks_and_the_lines_of_the_file() {
    let (router, registry) = lab(&format!(
        "{GATEWAY}[[router.publish]]\nlisten = \":80\"\nto = \"10.1.0.2:8080\"\n\
         [[router.rule]]\nfrom = \"a\"\nprotocol = [\"tcp\", \"udp\"]\nport = 25\naction = \"drop\"\n"
    ));
    let lists = views::list_rules(&router, &registry);
    let rules: Vec<RuleId> = views::counting(&lists).collect();
    let count = |rule: &RuleId| match rule {
        RuleId::User(_) => Count { packets: 7, bytes: 420 },
        _ => Count::default(),
    };
    let counts = rules.iter().map(|rule| (*rule, count(rule))).collect();
    let views = views::rules(&router, &lists, &counts, &registry);
    let find = |text: &str| {
        let found = views.iter().find(|view| view.text.contains(text)).unwrap_or_else(|| panic!("{text}"));
        (found.family.as_str(), found.table.as_str(), found.line, found.count.map(|count| count.packets))
    };
    let table = [
        ("-A DOCKER-USER -i a -p udp -m udp --dport 25 -c 7 420 -j DROP", "filter", Some(19), Some(7)),
        ("-A DOCKER-USER -m conntrack --ctstate INVALID", "filter", Some(6), Some(0)),
        ("-j DNAT --to-destination 10.1.0.2:8080", "nat", Some(16), Some(0)),
        ("-j MASQUERADE", "nat", Some(12), Some(0)),
        ("-A FORWARD -j DOCKER-USER", "filter", None, None),
    ];
    for (text, table, line, packets) in table {
        assert_eq!(find(text), ("ipv4", table, line, packets), "{text}");
    }
    let masquerade = find("-A POSTROUTING -s fd01::/64 ! -o a");
    assert_eq!(masquerade, ("ipv6", "nat", Some(12), Some(0)), "it knows IPv6 addresses");
    let (plain, registry) = lab(&interface("a", "10.1.0.1/24"));
    assert_eq!(views::list_rules(&plain, &registry).len(), 0, "who only routes has no rules");
}
