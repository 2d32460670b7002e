//! What `show` prints of routers, and how it reads a table of sessions that is too long for one answer.

mod dummy;
#[path = "common/program.rs"]
mod program;

use dummy::Dummy;
use program::{text, vswitchd};
use vswitchd::cli::show::render;
use vswitchd::control::protocol::{Body, Request, Response, What};
use vswitchd::control::server::Answer;
use vswitchd::control::sessions::{PAGE_MAX, SessionPlace, SessionQuery};
use vswitchd::control::view::{
    ConntrackView, CountView, GatewayView, HolderView, InterfaceView, NeighbourView, PublishView, RouteView,
    RuleView, SessionView, UsageView, View,
};

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn interface(name: &str, role: &str, addresses: &str, flags: &[&str]) -> InterfaceView {
    InterfaceView {
        name: name.into(),
        network: name.trim_start_matches("gw/").into(),
        role: role.into(),
        mac: "02:00:00:00:00:01".parse().expect("an address"),
        mtu: 1500,
        addresses: words(addresses),
        flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
    }
}

fn gateways() -> View {
    let holder = |port: &str, sessions| HolderView { port: port.into(), sessions };
    let gateway = GatewayView {
        name: "gw".into(),
        interfaces: vec![
            interface("gw/docker0", "inside", "172.17.0.1/16 fe80::1/64", &["icc off", "rp_filter off"]),
            interface("gw/lan", "outside", "192.168.178.27/24", &[]),
        ],
        routes: 3,
        neighbors: 2,
        conntrack: Some(UsageView {
            count: 712,
            max: 65536,
            holders: vec![holder("boxA:eth0", 700), holder("switch", 12)],
        }),
        unreachable: 4,
        ..GatewayView::default()
    };
    let router = GatewayView { name: "r".into(), ..GatewayView::default() };
    View::Routers(vec![gateway, router])
}

fn publish(listen: &str, port: &str, to: &str, to_port: &str, allow_from: &str) -> PublishView {
    PublishView {
        router: "gw".into(),
        listen: listen.into(),
        port: port.into(),
        protocol: "tcp".into(),
        to: to.into(),
        to_port: to_port.into(),
        allow_from: words(allow_from),
        translated: CountView { packets: 5, bytes: 300 },
        accepted: CountView { packets: 4, bytes: 240 },
        line: 17,
    }
}

fn rule(family: &str, table: &str, text: &str) -> RuleView {
    let (router, count) = ("gw".into(), None);
    RuleView { router, family: family.into(), table: table.into(), text: text.into(), count, line: None }
}

#[test]
fn routers_are_shown_in_the_shape_of_the_tools_that_people_know() {
    let route = |text: &str| RouteView { text: text.into(), ..RouteView::default() };
    let neighbour = |text: &str| NeighbourView { text: text.into(), ..NeighbourView::default() };
    let table = [
        (
            gateways(),
            "\
gw: 3 routes, 2 neighbors
  interface   role     mac                 mtu  addresses          flags
  gw/docker0  inside   02:00:00:00:00:01  1500  172.17.0.1/16      icc off
                                                fe80::1/64         rp_filter off
  gw/lan      outside  02:00:00:00:00:01  1500  192.168.178.27/24
  712 of 65536 sessions
    700 opened by boxA:eth0
     12 opened by switch
  incomplete 0  unreachable 4  unsent 0  untold 0  unlogged 0

r: 0 routes, 0 neighbors
  interface  role  mac  mtu  addresses  flags
  follows no flows: it only routes
  incomplete 0  unreachable 0  unsent 0  untold 0  unlogged 0
",
            "a block for each, naming who fills the table",
        ),
        (View::Routers(Vec::new()), "the lab has no routers\n", "nothing would be a riddle"),
        (
            View::Routes(vec![route("default via 10.0.0.1 dev gw/lan"), route("10.0.0.0/8 dev gw/lan")]),
            "default via 10.0.0.1 dev gw/lan\n10.0.0.0/8 dev gw/lan\n",
            "the lines of ip route",
        ),
        (
            View::Neighbors(vec![neighbour("10.0.0.1 dev gw/lan FAILED")]),
            "10.0.0.1 dev gw/lan FAILED\n",
            "the lines of ip neighbour",
        ),
        (
            View::Rules(vec![
                rule("ipv4", "filter", "-P FORWARD ACCEPT"),
                rule("ipv4", "filter", "-A FORWARD -c 1 60 -j ACCEPT"),
                rule("ipv4", "nat", "-P PREROUTING ACCEPT"),
                rule("ipv6", "nat", "-P PREROUTING ACCEPT"),
                RuleView { router: "r".into(), ..rule("ipv6", "filter", "-P FORWARD ACCEPT") },
            ]),
            "\
# gw: iptables -v -S
-P FORWARD ACCEPT
-A FORWARD -c 1 60 -j ACCEPT

# gw: iptables -t nat -v -S
-P PREROUTING ACCEPT

# gw: ip6tables -t nat -v -S
-P PREROUTING ACCEPT

# r: ip6tables -v -S
-P FORWARD ACCEPT
",
            "each list under the command that would print it",
        ),
        (
            View::Publish(vec![
                publish("0.0.0.0", "80", "172.17.0.2", "8080", ""),
                publish("::", "8000-8010", "fd00::2", "8000-8010", "fd00::/8 2001:db8::/32"),
            ]),
            "\
router  published                                from           flows  bytes  let in  bytes  line
gw      0.0.0.0:80->172.17.0.2:8080/tcp          everybody          5    300       4    240    17
gw      [::]:8000-8010->[fd00::2]:8000-8010/tcp  fd00::/8           5    300       4    240    17
                                                 2001:db8::/32
",
            "the arrows of docker ps",
        ),
    ];
    for (view, expected, why) in table {
        assert_eq!(render(&view, false), expected, "{why}");
    }
}

/// A switch that follows 2500 sessions, of which those in every fifth place are of TCP, and looks at no more than 2000
/// places for one answer.
fn answer(request: Request) -> Answer {
    let Request::Show { what: What::Conntrack, sessions } = request else {
        return Answer::Reply(Response::error("nobody asks that"));
    };
    let query = sessions.unwrap_or_default();
    let is_meant = |place: &usize| query.proto.is_none_or(|_| place.is_multiple_of(5));
    let start = query.from.as_ref().map_or(0, |from| from.place);
    let end = 2500.min(start + 2000);
    let places: Vec<usize> = (start..end).filter(is_meant).take(query.page()).collect();
    let next = if places.len() == query.page() { places[places.len() - 1] + 1 } else { end };
    let session = |place: &usize| SessionView { text: format!("session {place}"), ..SessionView::default() };
    Answer::Reply(Response::ok(Body::Show(View::Conntrack(ConntrackView {
        sessions: places.iter().map(session).collect(),
        total: 2500,
        next: (next < 2500).then(|| SessionPlace { router: "gw".into(), place: next }),
    }))))
}

#[test]
fn sessions_are_read_page_by_page() {
    let server = Dummy::start("lab", answer);
    let control = server.path().to_str().expect("ASCII");
    let some = "1000 of 2500 sessions have been shown; --limit shows more\n";
    let table: &[(&[&str], usize, &str, &str, &str)] = &[
        (&[], PAGE_MAX, "session 999", some, "unless it is said, a thousand"),
        (&["--limit", "0"], 2500, "session 2499", "2500 of 2500 sessions have been shown\n", "all of them"),
        (
            &["--limit", "1500"],
            1500,
            "session 1499",
            "1500 of 2500 sessions have been shown; --limit shows more\n",
            "a page and a half",
        ),
        (
            &["--proto", "tcp"],
            500,
            "session 2495",
            "500 of 2500 sessions have been shown\n",
            "an answer that is short is not the last",
        ),
    ];
    for (arguments, count, last, said, why) in table {
        let output = vswitchd(&[&["--control", control, "show", "conntrack"], *arguments].concat());
        let lines = text(&output.stdout);
        assert_eq!(lines.lines().count(), *count, "{why}");
        assert_eq!(lines.lines().last(), Some(*last), "{why}");
        assert_eq!(text(&output.stderr), *said, "{why}");
    }
    let json = vswitchd(&["--control", control, "show", "conntrack", "--limit", "1200", "--json"]).stdout;
    let all: ConntrackView = serde_json::from_slice(&json).expect("one document");
    assert_eq!((all.sessions.len(), all.total), (1200, 2500));
    assert_eq!(all.next.map(|next| next.place), Some(1200), "and there is more");
}

#[test]
fn what_is_asked_for_is_what_was_typed() {
    let server = Dummy::start("lab", |request| {
        let Request::Show { sessions: Some(query), .. } = request else {
            return Answer::Reply(Response::error("which?"));
        };
        let SessionQuery { src, .. } = &query;
        let text = serde_json::to_string(&query).expect("plain data");
        let sessions = vec![SessionView { text, ..SessionView::default() }];
        // one that gets nowhere, if it is asked for what nobody has
        let lost = src.is_some_and(|src| src.to_string() == "0.0.0.0");
        let next = lost.then(SessionPlace::default);
        Answer::Reply(Response::ok(Body::Show(View::Conntrack(ConntrackView { sessions, total: 1, next }))))
    });
    let control = server.path().to_str().expect("ASCII");
    let show = |arguments: &[&str]| vswitchd(&[&["--control", control, "show"], arguments].concat());
    let all = ["conntrack", "--src", "10.0.0.2", "--dst", "fd00::/8", "--proto", "6", "--port", "80"];
    assert_eq!(
        text(&show(&all).stdout),
        "{\"src\":\"10.0.0.2\",\"dst\":\"fd00::/8\",\"proto\":\"tcp\",\"port\":80,\"limit\":1000}\n"
    );
    let table: &[(&[&str], i32, &str, &str)] = &[
        (&["routes", "--port", "80"], 2, "are for `show conntrack`, not for routes", "routes have no ports"),
        (&["conntrack", "--src", "10.0.0"], 2, "`10.0.0` is neither an IP address nor", "half an address"),
        (&["conntrack", "--proto", "tpc"], 2, "`tpc` is no protocol", "a slip of the hand"),
        (&["conntrack", "--port", "65536"], 2, "65536", "no port"),
        (&["conntrack", "--src", "0.0.0.0"], 3, "makes no progress", "a switch that goes in circles"),
    ];
    for (arguments, code, says, why) in table {
        let output = show(arguments);
        let said = text(&output.stderr);
        assert!(said.contains(says), "{why}: {said}");
        assert_eq!(output.status.code(), Some(*code), "{why}");
    }
}
