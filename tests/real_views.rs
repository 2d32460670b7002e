//! What a running gateway shows of itself: the flows of its guests, who opened them, and what its rules have matched.

mod real_common;

use real_common::{File, alone, ping, says, show, vswitchd};
use serde_json::Value;
use vswitchd::control::view::{
    ConntrackView, GatewayView, NeighbourView, NetworkView, PublishView, RouteView, RuleView,
};

const LAB: &str = r#"
[[network]]
name = "docker0"
[[network]]
name = "lan"
[[router]]
name = "gw"
[[router.interface]]
network = "docker0"
address = "172.17.0.1/16"
role = "inside"
[[router.interface]]
network = "lan"
address = "192.168.178.27/24"
role = "outside"
[[router.route]]
to = "default"
via = "192.168.178.1"
[[router.publish]]
listen = "192.168.178.27:80"
to = "172.17.0.2:8080"
[[node]]
name = "boxA"
[[node.interface]]
name = "eth0"
network = "docker0"
address = "172.17.0.2/16"
gateway = "172.17.0.1"
[[node]]
name = "pc"
[[node.interface]]
name = "eth0"
network = "lan"
address = "192.168.178.5/24"
"#;

#[test]
fn a_gateway_tells_what_passes_through_it() {
    alone("a_gateway_tells_what_passes_through_it", || {
        let file = File::new("gateway", LAB);
        let running = file.start();
        let outcome = ping("boxA", "192.168.178.5");
        assert!(outcome.ok, "{}", outcome.detail);

        let lines = says(&["show", "conntrack", "--proto", "icmp", "--src", "172.17.0.2"]);
        let line = lines.lines().next().expect("the ping's");
        let flow = "src=192.168.178.5 dst=192.168.178.27 type=0 code=0";
        assert!(line.starts_with("ipv4     2 icmp     1 ") && line.contains(flow), "masqueraded: {line}");
        assert_eq!(says(&["show", "conntrack", "--port", "53"]), "", "nobody has asked for a name");
        let said = vswitchd(&["show", "conntrack", "--limit", "1"]).stderr;
        assert!(String::from_utf8_lossy(&said).contains("sessions have been shown"), "{said:?}");

        let all: ConntrackView = show("conntrack");
        let icmp: Vec<_> = all.sessions.iter().filter(|session| session.protocol == "icmp").collect();
        assert_eq!((icmp.len(), icmp[0].replied, icmp[0].opened_by.as_str()), (1, true, "boxA:eth0"));
        let [gateway]: [GatewayView; 1] = show("routers");
        let usage = gateway.conntrack.expect("it follows flows");
        assert_eq!((usage.max, usage.count >= all.sessions.len()), (65_536, true));
        assert_eq!(usage.holders[0].port, "boxA:eth0", "who opened the most: {usage:?}");

        let routes: Vec<RouteView> = show("routes");
        assert_eq!(routes[0].text, "default via 192.168.178.1 dev gw/lan");
        assert_eq!(routes[0].text, says(&["show", "routes"]).lines().next().expect("a line"));
        let neighbours: Vec<NeighbourView> = show("neighbors");
        let known: Vec<_> = neighbours.iter().map(|n| (n.dev.as_str(), n.dst.as_str())).collect();
        assert_eq!(known, [("gw/docker0", "172.17.0.2"), ("gw/lan", "192.168.178.5")]);
        assert!(neighbours.iter().all(|neighbour| neighbour.lladdr.is_some()), "{neighbours:?}");

        let rules: Vec<RuleView> = show("rules");
        let masquerade = rules.iter().find(|rule| rule.text.ends_with("-j MASQUERADE")).expect("C15");
        assert!(masquerade.text.contains("-s 172.17.0.0/16 ! -o docker0 "), "{masquerade:?}");
        assert_eq!((masquerade.count.map(|count| count.packets > 0), masquerade.line), (Some(true), Some(8)));
        let [publish]: [PublishView; 1] = show("publish");
        assert_eq!((publish.translated.packets, publish.line), (0, 19), "nobody has come");

        let networks: Vec<NetworkView> = show("networks");
        assert_eq!(networks[0].links, ["docker0/gw"]);
        let counters = networks[0].counters;
        assert!(counters.received > 0 && counters.learned > 0, "{counters:?}");
        let stations: Vec<Value> = show("fdb");
        let own = stations.iter().find(|station| station["ifname"] == "docker0/gw");
        assert_eq!(own.expect("the router is at its end of the wire")["state"], "permanent");
        running.stop();
        file.assert_nothing_left();
    });
}
