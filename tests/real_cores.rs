//! Several engine threads, between real kernels: who lives where, and that nobody notices when that changes.

mod real_common;
#[path = "real_common/talk.rs"]
mod talk;

use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use real_common::lab_common::eventually;
use real_common::{File, alone, command, ping, says, show, vswitchd};
use talk::{Talk, assert_asleep, numbered, quiet, threads};
use vswitchd::control::view::{ConntrackView, PortView, StationView, StatsView};

/// How often the islands are joined and parted again while bytes flow.
const ROUNDS: usize = 3;
/// All that can be shown.
const SHOWN: [&str; 14] = [
    "conntrack",
    "drops",
    "fdb",
    "mdb",
    "neighbors",
    "networks",
    "nodes",
    "ports",
    "publish",
    "routers",
    "routes",
    "rules",
    "stats",
    "stp",
];

/// Four islands: `a` with three machines, `b` and `c` with two and one, and a gateway between `in` and `out`.
fn lab(links: &[[&str; 2]]) -> String {
    let mut text = String::from("[lab]\nthreads = 3\n");
    for network in ["a", "b", "in", "out", "c"] {
        text += &format!("[[network]]\nname = \"{network}\"\n");
    }
    for [a, b] in links {
        text += &format!("[[link]]\nnetworks = [\"{a}\", \"{b}\"]\n");
    }
    text += "[[router]]\nname = \"gw\"\n\
             [[router.interface]]\nnetwork = \"in\"\naddress = \"172.17.0.1/16\"\nrole = \"inside\"\n\
             [[router.interface]]\nnetwork = \"out\"\naddress = \"192.0.2.1/24\"\nrole = \"outside\"\n";
    for (node, network, address) in [
        ("a1", "a", "10.0.0.1/16"),
        ("a2", "a", "10.0.0.2/16"),
        ("a3", "a", "10.0.0.3/16"),
        ("b1", "b", "10.0.1.1/16"),
        ("b2", "b", "10.0.1.2/16"),
        ("guest", "in", "172.17.0.2/16"),
        ("server", "out", "192.0.2.9/24"),
        ("c1", "c", "10.0.2.1/16"),
    ] {
        text += &format!(
            "[[node]]\nname = \"{node}\"\n[[node.interface]]\nname = \"eth0\"\nnetwork = \"{network}\"\naddress = \"{address}\"\n"
        );
        text += if node == "guest" { "gateway = \"172.17.0.1\"\n" } else { "" };
    }
    text
}

/// What lives on each engine.
fn homes() -> Vec<String> {
    show::<StatsView>("stats").engines.iter().map(|engine| engine.devices.join(" ")).collect()
}

/// Which station is behind which port.
fn stations() -> Vec<String> {
    let list: Vec<StationView> = show("fdb");
    let mut known: Vec<String> = list
        .iter()
        .filter(|s| !s.ifname.contains('/'))
        .map(|s| format!("{} {} {}", s.mac, s.ifname, s.master))
        .collect();
    known.sort();
    known
}

/// Islands are joined by links and part again, while TCP runs on each of them and through the gateway, numbered datagrams
/// run on one that moves, a capture and a monitor look on, and everything is shown all the time.
#[test]
fn islands_move_between_threads_and_nobody_notices() {
    alone("islands_move_between_threads_and_nobody_notices", || {
        let file = File::new("cores", &lab(&[]));
        let running = file.start();
        assert_eq!(threads(running.pid()), ["engine-0", "engine-1", "engine-2"]);
        assert_eq!(homes(), ["a", "b c", "in out gw"], "the largest first, then to who has least");
        for (from, to) in [("a1", "10.0.0.2"), ("a3", "10.0.0.1"), ("b1", "10.0.1.2"), ("guest", "192.0.2.9")]
        {
            let outcome = ping(from, to);
            assert!(outcome.ok, "{from} to {to}: {}", outcome.detail);
        }
        assert!(!ping("a1", "10.0.1.1").ok, "another island");
        let known = stations();
        assert!(known.len() >= 7, "{known:?}");

        let into = |extension: &str| {
            let path = file.path.with_extension(extension);
            (fs::File::create(&path).expect("writable"), path)
        };
        let ((captured_in, captured), (told_in, told)) = (into("pcapng"), into("told"));
        let mut capture =
            command(&["capture", "b"]).stdout(captured_in).stderr(Stdio::null()).spawn().expect("built");
        let mut monitor = command(&["monitor"]).stdout(told_in).stderr(Stdio::null()).spawn().expect("built");
        let captured = || fs::metadata(&captured).map_or(0, |data| data.len());
        eventually(|| captured() > 0, "the capture has begun");
        let steady = Talk::open("guest", "server", "192.0.2.9:4000");
        let (done, together) = (AtomicBool::new(false), [["a", "b"], ["in", "a"]]);
        thread::scope(|scope| {
            let done = &done;
            let talks: Vec<_> = [
                ("a1", "a2", "10.0.0.2:4000"),
                ("b1", "b2", "10.0.1.2:4000"),
                ("guest", "server", "192.0.2.9:4001"),
            ]
            .into_iter()
            .map(|(from, to, at)| scope.spawn(move || Talk::open(from, to, at).run(done)))
            .collect();
            let numbers = scope.spawn(move || numbered("b2", "b1", "10.0.1.1:5000", done));
            let shows = scope.spawn(move || {
                let mut count = 0;
                while !done.load(Ordering::Relaxed) {
                    for what in SHOWN {
                        let output = vswitchd(&["show", what, "--json"]);
                        assert_eq!(output.status.code(), Some(0), "show {what}: {output:?}");
                        count += 1;
                    }
                }
                count
            });
            for round in 0..ROUNDS {
                for links in [&together[..1], &together, &[]] {
                    thread::sleep(Duration::from_millis(150));
                    file.write(&lab(links));
                    says(&["reload"]);
                    let expected = match links.len() {
                        1 => ["a b", "c", "in out gw"],
                        2 => ["a b in out gw", "c", ""],
                        _ => ["a", "c in out gw", "b"],
                    };
                    let homes = homes();
                    // where the parts go depends on who has least just then
                    let (joined, apart) = (links.len() == 2, links.is_empty());
                    assert!(!joined || homes == expected, "round {round}: {homes:?}");
                    assert!(
                        !apart || homes[0] == "a" && homes.iter().all(|home| !home.is_empty()),
                        "{homes:?}"
                    );
                    steady.echo();
                    let crossed = ping("a1", "10.0.1.1").ok;
                    assert_eq!(crossed, !apart, "round {round}, {links:?}");
                }
            }
            done.store(true, Ordering::Relaxed);
            for talk in talks {
                assert!(talk.join().expect("every byte arrived as it was sent") > 0);
            }
            let (count, last) = numbers.join().expect("in order");
            assert!(count > 100 && last >= count, "{count} of {last} datagrams");
            assert!(shows.join().expect("all was shown") >= SHOWN.len());
        });
        assert_eq!(threads(running.pid()).len(), 3, "no thread has died, none is new");
        let lost: Vec<String> = known.into_iter().filter(|station| !stations().contains(station)).collect();
        assert_eq!(lost, [] as [String; 0], "nobody was forgotten");
        let flows: ConntrackView = show("conntrack");
        let established = flows.sessions.iter().filter(|s| s.state.as_deref() == Some("ESTABLISHED"));
        assert!(established.count() >= 1, "the connection that has stood since the beginning: {flows:?}");
        steady.echo();
        // what looks on is still there, on whichever thread the network is now
        let before = captured();
        let outcome = ping("b2", "10.0.1.1");
        assert!(outcome.ok, "{}", outcome.detail);
        eventually(|| captured() > before, "the capture goes on");
        says(&["fdb", "flush", "b"]);
        thread::sleep(Duration::from_millis(200));
        monitor.kill().and_then(|()| capture.kill()).expect("ours");
        monitor.wait().and_then(|_| capture.wait()).expect("ours");
        let told = fs::read_to_string(told).expect("text");
        assert!(told.contains("b1:eth0") && told.contains("reloaded"), "{told}");
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

/// Threads that have nothing to do are not woken, and a lab with several ends like one with one.
#[test]
fn idle_threads_sleep() {
    alone("idle_threads_sleep", || {
        let file = File::new("idle", &quiet(&lab(&[])));
        let running = file.start();
        // the last that machines say of themselves
        thread::sleep(Duration::from_secs(1));
        assert_asleep(4);
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

/// A port that changed networks while one with a lower number went was given the lower number, and its open descriptor kept
/// the old one: its machine was cut off.
#[test]
fn a_port_that_changes_networks_while_another_goes_keeps_its_machine() {
    alone("a_port_that_changes_networks_while_another_goes_keeps_its_machine", || {
        let lab = |nodes: &[(&str, &str, &str)]| {
            let mut text =
                String::from("[lab]\nthreads = 2\n[[network]]\nname = \"a\"\n[[network]]\nname = \"b\"\n");
            for (node, network, address) in nodes {
                text += &format!(
                    "[[node]]\nname = \"{node}\"\n[[node.interface]]\nname = \"eth0\"\nnetwork = \"{network}\"\naddress = \"{address}/24\"\n"
                );
            }
            text
        };
        let file = File::new(
            "rehome",
            &lab(&[("x", "a", "10.0.0.1"), ("p", "a", "10.0.0.2"), ("q", "b", "10.0.0.3")]),
        );
        let running = file.start();
        assert!(ping("x", "10.0.0.2").ok, "p is on a, with x");
        let frames = || {
            let ports: Vec<PortView> = show("ports");
            ports.iter().find(|port| port.name == "p:eth0").expect("it stays").rx.packets
        };
        let before = frames();
        file.write(&lab(&[("p", "b", "10.0.0.2"), ("q", "b", "10.0.0.3")]));
        says(&["reload"]);
        let outcome = ping("q", "10.0.0.2");
        assert!(outcome.ok, "p is on b, with q, on another thread: {}", outcome.detail);
        assert!(frames() >= before, "the port has stayed open: it counts on");
        file.write(&lab(&[("p", "a", "10.0.0.2"), ("q", "a", "10.0.0.3")]));
        says(&["reload"]);
        let outcome = ping("p", "10.0.0.3");
        assert!(outcome.ok, "and both back: {}", outcome.detail);
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}
