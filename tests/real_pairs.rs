//! TCP between ports of every kind: every byte arrives, and between TAPs in frames that are worth their cost.

mod real_common;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use real_common::{File, Running, alone, in_node, says, show};
use vswitchd::control::view::PortView;
use vswitchd::sim::Rng;

/// How much goes each way.
const SIZE: usize = 4 << 20;
/// The nodes, by the kinds of their ports; two of each.
const KINDS: [&str; 3] = ["tap", "plain", "raw"];

#[test]
fn tcp_passes_between_ports_of_every_kind() {
    alone("tcp_passes_between_ports_of_every_kind", || {
        let (file, running) = start("pairs");
        let kinds: Vec<String> = show::<Vec<PortView>>("ports").into_iter().map(|port| port.kind).collect();
        assert_eq!(kinds, ["raw", "raw", "tap", "plain", "tap", "plain"], "{kinds:?}");
        for (one, from) in KINDS.iter().enumerate() {
            for to in &KINDS[one..] {
                let (from, to) = (format!("{from}1"), format!("{to}2"));
                let before = retransmitted(&from) + retransmitted(&to);
                transfer(&from, &to);
                transfer(&to, &from);
                let again = retransmitted(&from) + retransmitted(&to) - before;
                eprintln!("{from} and {to}: {} MiB each way, {again} segments sent again", SIZE >> 20);
            }
        }
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

#[test]
fn tcp_between_taps_travels_in_large_frames() {
    alone("tcp_between_taps_travels_in_large_frames", || {
        let (file, running) = start("large");
        let name = "tap1:eth0";
        let count = || {
            let ports: Vec<PortView> = show("ports");
            ports.into_iter().find(|port| port.name == name).expect("it is in the file").rx
        };
        let before = count();
        transfer("tap1", "tap2");
        let after = count();
        let (frames, bytes) = (after.packets - before.packets, after.bytes - before.bytes);
        eprintln!("{bytes} bytes in {frames} frames: {} on average", bytes / frames);
        assert!(bytes / frames > 8 << 10, "{bytes} bytes in {frames} frames: segmentation offload is off");
        running.stop();
        file.assert_nothing_left();
    });
}

#[test]
fn iperf3_passes() {
    if !Command::new("iperf3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return eprintln!("SKIPPED: iperf3_passes: iperf3 does not run");
    }
    alone("iperf3_passes", || {
        let (file, running) = start("iperf");
        let mut server = real_common::command(&["exec", "tap2", "--", "iperf3", "-s", "-1"]);
        let mut server = server.stdout(std::process::Stdio::null()).spawn().expect("built");
        real_common::lab_common::eventually(|| in_node("tap2", || is_listening(5201)), "iperf3 listens");
        let text = says(&["exec", "tap1", "--", "iperf3", "-J", "-t", "2", "-c", &address("tap", 2)]);
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let sent = &report["end"]["sum_sent"];
        let received = report["end"]["sum_received"]["bytes"].as_u64().unwrap_or(0);
        eprintln!("iperf3: {} bit/s, {} segments sent again", sent["bits_per_second"], sent["retransmits"]);
        assert!(received > 0, "{text}");
        assert!(server.wait().expect("our child").success());
        running.stop();
        file.assert_nothing_left();
    });
}

/// Six machines on one network.
fn start(name: &str) -> (File, Running) {
    let mut text = String::from("[[network]]\nname = \"net\"\n");
    for n in [1, 2] {
        writeln!(
            text,
            "[[port]]\nname = \"up{n}\"\nnetwork = \"net\"\nkind = \"raw\"\ninterface = \"wire{n}\""
        )
        .expect("a string grows");
    }
    for n in [1, 2] {
        for kind in KINDS {
            let plug = match kind {
                "raw" => format!("peer = \"wire{n}\""),
                "plain" => "network = \"net\"\noffload = false".to_owned(),
                _ => "network = \"net\"".to_owned(),
            };
            let address = address(kind, n);
            writeln!(
                text,
                "[[node]]\nname = \"{kind}{n}\"\n[[node.interface]]\nname = \"eth0\"\n{plug}\naddress = \"{address}/24\""
            )
            .expect("a string grows");
        }
    }
    let file = File::new(name, &text);
    let running = file.start();
    (file, running)
}

fn address(kind: &str, n: usize) -> String {
    let place = KINDS.iter().position(|k| *k == kind).expect("one of them");
    format!("10.9.0.{}", 10 * (place + 1) + n)
}

/// Sends random bytes over a connection and compares what arrives.
fn transfer(from: &str, to: &str) {
    let (kind, n) = to.split_at(to.len() - 1);
    let at = format!("{}:4000", address(kind, n.parse().expect("a digit")));
    let listener = in_node(to, || TcpListener::bind(&at)).expect("free");
    let mut near = in_node(from, || TcpStream::connect(&at)).expect("it listens");
    let (mut far, _) = listener.accept().expect("it has connected");
    for end in [&near, &far] {
        end.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        end.set_write_timeout(Some(Duration::from_secs(30))).expect("a socket");
    }
    let sent = random_bytes();
    thread::scope(|scope| {
        scope.spawn(|| {
            near.write_all(&sent).unwrap_or_else(|e| panic!("{from} to {to}: {e}"));
            near.shutdown(std::net::Shutdown::Write).expect("connected");
        });
        let mut received = Vec::with_capacity(SIZE);
        let end = far.read_to_end(&mut received);
        assert!(end.is_ok(), "{from} to {to}: {end:?} after {} bytes", received.len());
        let first = received.iter().zip(&sent).position(|(a, b)| a != b);
        assert_eq!(
            (first, received.len()),
            (None, SIZE),
            "{from} to {to}: the first wrong byte, and the length"
        );
    });
}

fn random_bytes() -> Vec<u8> {
    let mut rng = Rng::new(1);
    std::iter::repeat_with(|| rng.next_u64().to_ne_bytes()).take(SIZE / 8).flatten().collect()
}

/// RetransSegs of a node (RFC 4022).
fn retransmitted(node: &str) -> u64 {
    let text = in_node(node, || fs::read_to_string("/proc/thread-self/net/snmp")).expect("there is /proc");
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let column = names.split(' ').position(|name| name == "RetransSegs").expect("as ever");
    values.split(' ').nth(column).and_then(|value| value.parse().ok()).expect("a number")
}

/// Whether somebody listens on this TCP port, in the calling thread's namespace.
fn is_listening(port: u16) -> bool {
    let table = |name: &str| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
    // local address and port in hexadecimal, then the other's, then the state: 0A is listening
    let (ends_with, listening) = (format!(":{port:04X}"), "0A");
    (table("tcp") + &table("tcp6")).lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(&ends_with)) && words.nth(1) == Some(listening)
    })
}
