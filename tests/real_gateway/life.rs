//! What becomes of flows when the file changes, and of everything when the program dies.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::Signal;
use vswitchd::control::view::SessionView;

use crate::real_common::{File, alone, says};
use crate::sockets::{Connection, datagrams};
use crate::{GUEST_PORT, address, far, lab, publish, published, router};

#[test]
fn a_publish_that_goes_takes_its_sessions_with_it() {
    alone("life::a_publish_that_goes_takes_its_sessions_with_it", || {
        let file = File::new("unpublish", &lab());
        let running = file.start();
        for ipv6 in [false, true] {
            let [gone, kept, outward] = three_connections(ipv6);
            let seen = datagrams(&far("tap"), public("tap", ipv6), guest("tap", ipv6), "udp");
            assert!(!sessions_of("tap", ipv6).is_empty(), "{seen}");
            file.write(&lab().replace(&publish(0), ""));
            says(&["reload"]);
            assert_eq!(sessions_of("tap", ipv6), [], "those of TCP and the stale ones of UDP");
            assert_eq!(sessions_of("plain", ipv6).len(), 1, "others stay");
            kept.echo().unwrap_or_else(|e| panic!("published still: {e}"));
            outward.echo().unwrap_or_else(|e| panic!("not of a publish: {e}"));
            assert!(is_cut(&gone), "nothing arrives any more");
            file.write(&lab());
            says(&["reload"]);
            let again = connect("tap", ipv6).expect("published again");
            assert_eq!(again.client().ip(), address(&far("tap"), ipv6));
        }
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

#[test]
fn a_reload_that_changes_nothing_keeps_every_flow() {
    alone("life::a_reload_that_changes_nothing_keeps_every_flow", || {
        let file = File::new("kept", &lab());
        let running = file.start();
        let connections = [three_connections(false), three_connections(true)];
        let more = "[[router.rule]]\naction = \"log\"\nprefix = \"X: \"\nprotocol = \"udp\"\n";
        let node = "[[node]]\nname = \"new\"\n[[node.interface]]\nname = \"eth0\"\nnetwork = \"lan\"\n\
                    address = \"192.168.178.99/24\"\n";
        let rule = lab().replace("[[router.publish]]", &format!("{more}[[router.publish]]"));
        let before = sessions().len();
        for (text, why) in [
            (lab(), "the same"),
            (format!("# a comment\n{}", lab()), "every line moves"),
            (lab() + node, "another machine"),
            (lab().replace(&publish(2), ""), "a publish that nobody uses"),
            (rule, "a rule that concerns none of them"),
            (
                lab().replace("name = \"gw\"\n", "name = \"gw\"\nconntrack = { max = 1000 }\n"),
                "a smaller table",
            ),
        ] {
            file.write(&text);
            says(&["reload"]);
            for connection in connections.iter().flatten() {
                connection.echo().unwrap_or_else(|e| panic!("{why}: {e}"));
            }
            assert_eq!(sessions().len(), before, "{why}");
        }
        running.stop();
        file.assert_nothing_left();
    });
}

#[test]
fn killed_it_leaves_nothing_for_long() {
    alone("life::killed_it_leaves_nothing_for_long", || {
        let file = File::new("killed", &lab());
        let mut running = file.start();
        let connections = [three_connections(false), three_connections(true)];
        running.signal(Signal::KILL);
        running.wait();
        drop(connections);
        says(&["clean"]);
        file.assert_nothing_left();
        let running = file.start();
        three_connections(false);
        assert_eq!(running.stop(), "", "as if nothing had been");
        file.assert_nothing_left();
    });
}

/// What a guest gets sent by a machine beyond, to be unpublished or not, and what a guest has opened.
fn three_connections(ipv6: bool) -> [Connection; 3] {
    let to = SocketAddr::new(address(&far("raw"), ipv6), GUEST_PORT);
    let outward = Connection::open("tap", to, (&far("raw"), to));
    [connect("tap", ipv6).expect("published"), connect("plain", ipv6).expect("published"), outward]
}

/// A connection to a guest by its published port.
fn connect(kind: &str, ipv6: bool) -> std::io::Result<Connection> {
    let (node, at) = guest(kind, ipv6);
    Connection::try_open(&far(kind), public(kind, ipv6), (node, at))
}

fn public(kind: &str, ipv6: bool) -> SocketAddr {
    SocketAddr::new(router(ipv6), published(kind))
}

fn guest(kind: &str, ipv6: bool) -> (&str, SocketAddr) {
    (kind, SocketAddr::new(address(kind, ipv6), GUEST_PORT))
}

/// Whether what is sent does not arrive.
fn is_cut(connection: &Connection) -> bool {
    use std::io::{Read, Write};
    let Connection { near, far } = connection;
    far.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
    let mut near: &TcpStream = near;
    near.write_all(b"anybody?").is_err() || { far }.read(&mut [0; 8]).is_err()
}

fn sessions() -> Vec<SessionView> {
    let text = says(&["show", "conntrack", "--json"]);
    let view: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let list = if view.is_array() { view } else { view["sessions"].clone() };
    serde_json::from_value(list).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The sessions of a published port.
fn sessions_of(kind: &str, ipv6: bool) -> Vec<SessionView> {
    let family = if ipv6 { "ipv6" } else { "ipv4" };
    let is_it = |s: &SessionView| s.family == family && s.original.dport == Some(published(kind));
    sessions().into_iter().filter(is_it).collect()
}
