//! A lab as its user runs it: it comes up, is looked at, changed, mistreated, and goes without a trace.

mod real_common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use real_common::{File, alone, command, config, in_node, ping, says, show, vswitchd};
use rustix::process::Signal;
use vswitchd::control::place;
use vswitchd::control::view::{NetworkView, NodeView, PortView, StatsView};
use vswitchd::lab::netlink::Netlink;

#[test]
fn a_lab_runs_and_goes_without_a_trace() {
    alone("a_lab_runs_and_goes_without_a_trace", || {
        let file = File::new("host-only", &config("host-only.toml"));
        let running = file.start();
        assert_eq!(routes(), ["192.168.50.0/24"], "the connected route of the host's address");
        for (from, to) in [("boxA", "192.168.50.5"), ("boxB", "192.168.50.4"), ("boxA", "192.168.50.1")] {
            let outcome = ping(from, to);
            assert!(outcome.ok, "{from} to {to}: {}", outcome.detail);
        }
        let stations = learned();
        assert_eq!(
            stations.iter().map(|(port, _)| port.as_str()).collect::<Vec<_>>(),
            ["boxA:enp0s8", "boxB:enp0s8"]
        );
        let ports: Vec<PortView> = show("ports");
        assert!(ports.iter().all(|port| port.state == "up" && port.rx.packets > 0), "{ports:?}");
        for port in ports.iter().filter(|port| port.node.is_some()) {
            let mac = port.mac.expect("ours have one").to_string();
            assert!(stations.contains(&(port.name.clone(), mac)), "{port:?} {stations:?}");
        }
        let networks: Vec<NetworkView> = show("networks");
        assert_eq!(networks[0].ports, ["vboxnet0", "boxA:enp0s8", "boxB:enp0s8"]);
        assert_eq!(running.stop(), "", "nothing to complain about");
        assert_eq!(routes(), [] as [String; 0]);
        file.assert_nothing_left();
        assert_eq!(says(&["clean"]), "nothing was left behind\n");
    });
}

/// It used to be said by `check` alone, which nobody runs who already runs the lab.
#[test]
fn a_shared_interface_is_warned_of_at_the_start_too() {
    alone("a_shared_interface_is_warned_of_at_the_start_too", || {
        let mut netlink = Netlink::open().expect("a namespace of our own");
        netlink.add_veth(["nic0", "nic1"]).expect("free names");
        let nic = netlink.index("nic0").expect("made above");
        netlink.add_address(nic, "10.1.2.3/24".parse().expect("a net")).expect("its first");
        let lab = "[[network]]\nname = 'lan'\n[[port]]\nname = 'up'\nnetwork = 'lan'\nkind = 'raw'\ninterface = 'nic0'\n";
        let log = File::new("shared", lab).start().stop();
        assert!(log.contains("`nic0` has an address of the host's (10.1.2.3/24)"), "{log}");
        netlink.delete_link(nic).expect("ours");
    });
}

#[test]
fn exec_is_the_program_itself() {
    alone("exec_is_the_program_itself", || {
        let file = File::new("exec", &config("host-only.toml"));
        let running = file.start();
        let exec = |script: &str| vswitchd(&["exec", "boxA", "--", "sh", "-c", script]);
        for code in [0, 1, 7, 42] {
            assert_eq!(exec(&format!("exit {code}")).status.code(), Some(code));
        }
        let table = [
            ("exec ls /sys/class/net", "enp0s8\nlo\n", "/sys is the node's"),
            (
                "while read -r name rest; do case $name in enp*) echo $name; esac; done </proc/net/dev",
                "enp0s8:\n",
                "/proc/net too",
            ),
        ];
        for (script, says, why) in table {
            let output = exec(script);
            assert_eq!(String::from_utf8_lossy(&output.stdout), says, "{why}: {output:?}");
        }
        let mut cat = command(&["exec", "boxB", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("built");
        cat.stdin.take().expect("piped").write_all(b"through and back").expect("it reads");
        let output = cat.wait_with_output().expect("our child");
        assert_eq!(output.stdout, b"through and back", "standard input and output are the caller's");
        let output = vswitchd(&["exec", "boxC", "--", "true"]);
        assert!(output.status.code() == Some(3) && !output.stderr.is_empty(), "no such node: {output:?}");
        running.stop();
        file.assert_nothing_left();
    });
}

#[test]
fn a_reload_leaves_alone_what_it_does_not_concern() {
    alone("a_reload_leaves_alone_what_it_does_not_concern", || {
        let text = config("host-only.toml");
        let file = File::new("reload", &text);
        let running = file.start();
        let mut flow = Flow::open("boxA", "boxB", "192.168.50.5:4000");
        flow.check();
        let before = learned();
        assert_eq!(before.len(), 2, "{before:?}");

        file.write(&(text.clone() + &third("192.168.50.6/24", "sleep 1000")));
        let said = says(&["reload"]);
        assert!(said.contains("boxC"), "{said}");
        assert!(learned().is_superset(&before), "{before:?} before, {:?} after", learned());
        flow.check();
        let outcome = ping("boxC", "192.168.50.4");
        assert!(outcome.ok, "the new node takes part: {}", outcome.detail);

        let broken = text.clone() + "\n[[network]]\nname = \"more\"\nmtu = 12\n";
        let line = broken.lines().position(|line| line == "mtu = 12").expect("just written") + 1;
        file.write(&broken);
        let output = vswitchd(&["reload"]);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(0), "{complaint}");
        assert!(complaint.contains(&format!("{}:{line}:", file.path.display())), "{complaint}");
        let nodes: Vec<NodeView> = show("nodes");
        let states: Vec<(&str, &str)> = nodes.iter().map(|n| (n.name.as_str(), n.state.as_str())).collect();
        assert_eq!(states, [("boxA", "idle"), ("boxB", "idle"), ("boxC", "running")], "nothing changed");
        flow.check();

        // SIGHUP is the same; there is no answer, so its effect tells when it is done
        file.write(&text);
        running.signal(Signal::HUP);
        real_common::lab_common::eventually(
            || show::<Vec<NodeView>>("nodes").len() == 2,
            "boxC is gone again",
        );
        assert!(learned().is_superset(&before), "{before:?} before, {:?} after", learned());
        flow.check();
        assert_eq!(says(&["reload"]), "nothing changed\n");
        drop(flow);
        running.stop();
        file.assert_nothing_left();
    });
}

#[test]
fn a_reload_says_what_it_did() {
    alone("a_reload_says_what_it_did", || {
        let lab = |address: &str, command: &str| config("host-only.toml") + &third(address, command);
        let file = File::new("says", &lab("192.168.50.6/24", "sleep 1000"));
        let running = file.start();
        let moved = lab("192.168.50.6/24", "sleep 1000").replace("\n\n", "\n\n\n");
        let table = [
            (moved, "nothing changed\n", "what has moved in the file is the same"),
            (lab("192.168.50.6/24", "sleep 2000"), "node boxC changed\n", "its program is another"),
            (
                lab("192.168.50.7/24", "sleep 2000"),
                "port boxC:eth0 has another interface setting\n",
                "its address",
            ),
            (config("host-only.toml"), "port boxC:eth0 removed\nnode boxC removed\n", "gone"),
        ];
        for (text, expected, why) in table {
            file.write(&text);
            assert_eq!(says(&["reload"]), expected, "{why}");
        }
        running.stop();
        file.assert_nothing_left();
    });
}

#[test]
fn garbage_on_the_control_socket_harms_nobody() {
    alone("garbage_on_the_control_socket_harms_nobody", || {
        let file = File::new("garbage", &config("internal.toml"));
        let running = file.start();
        let connect = || UnixStream::connect(place::socket_path(&file.lab)).expect("it listens");
        let long = vec![b'x'; 1 << 20];
        let nested = [b"[".repeat(60_000), b"\n".to_vec()].concat();
        let table: &[(&[u8], &str)] = &[
            (b"gibberish\n", "not JSON"),
            (b"\xff\xfe\x00\x01\n", "not text"),
            (b"\n", "nothing"),
            (b"{\"op\":\"show\",\"what\":\"weather\"}\n", "nothing that can be shown"),
            (b"{\"op\":\"node\",\"name\":\"boxZ\"}\n", "no such node"),
            (b"{\"op\":\"explain\",\"port\":\"boxZ\",\"frame\":\"00\"}\n", "no such port"),
            (&nested, "JSON as deep as a line is long"),
            (&long, "a line without an end"),
        ];
        for (bytes, why) in table {
            let mut stream = connect();
            // the switch hangs up on what is too long, perhaps before it is all sent
            let _ = stream.write_all(bytes);
            let mut answer = String::new();
            let _ = BufReader::new(&stream).read_line(&mut answer);
            assert!(answer.starts_with("{\"error\":"), "{why}: {answer:?}");
        }
        let idle: Vec<UnixStream> = (0..20).map(|_| connect()).collect();
        connect().write_all(b"{\"op\":\"sh").expect("it listens");
        let outcome = ping("boxA", "192.168.60.5");
        assert!(outcome.ok, "{}", outcome.detail);
        let stats: StatsView = show("stats");
        assert_eq!(stats.lab, file.lab);
        let ends = [stats.sent, stats.flooded, stats.consumed, stats.parked, stats.dropped];
        assert_eq!(stats.received, ends.iter().sum::<u64>(), "the books balance: {stats:?}");
        drop(idle);
        running.signal(Signal::INT);
        let mut running = running;
        assert_eq!(running.wait().0.code(), Some(0), "SIGINT ends it as well");
        file.assert_nothing_left();
    });
}

/// A machine for the end of host-only.toml.
fn third(address: &str, command: &str) -> String {
    let mut text = String::from("\n[[node]]\nname = \"boxC\"\n");
    writeln!(text, "command = {:?}", command.split(' ').collect::<Vec<_>>()).expect("a string grows");
    text + "[[node.interface]]\nname = \"eth0\"\nnetwork = \"vboxnet0\"\n"
        + &format!("address = {address:?}\n")
}

/// A connection between two nodes.
struct Flow {
    ends: [TcpStream; 2],
}

impl Flow {
    fn open(from: &str, to: &str, at: &str) -> Self {
        let listener = in_node(to, || TcpListener::bind(at)).expect("free");
        let near = in_node(from, || TcpStream::connect(at)).expect("it listens");
        let (far, _) = listener.accept().expect("it has connected");
        for end in [&near, &far] {
            end.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        }
        Self { ends: [near, far] }
    }

    /// Something passes in both directions.
    #[track_caller]
    fn check(&mut self) {
        for (from, to) in [(0, 1), (1, 0)] {
            self.ends[from].write_all(b"still there?").expect("connected");
            let mut heard = [0; 12];
            self.ends[to].read_exact(&mut heard).expect("connected");
            assert_eq!(&heard, b"still there?");
        }
    }
}

/// The host's routes, but for those of IPv6 that every interface has.
fn routes() -> Vec<String> {
    let routes = Netlink::open().and_then(|mut n| n.routes()).expect("a list");
    routes.iter().map(|route| route.to.to_string()).filter(|to| !to.contains(':')).collect()
}

/// Port and address of every station that `show fdb --json` gives as learned. Read as other programs do, by the
/// names of `bridge -j fdb show`.
fn learned() -> BTreeSet<(String, String)> {
    let stations: Vec<serde_json::Value> = show("fdb");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let learned = stations.iter().filter(|s| s["state"] == "");
    learned.map(|station| (text(&station["ifname"]), text(&station["mac"]))).collect()
}
