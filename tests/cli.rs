//! The program as its user's hands meet it: exit codes, help, and what `show` prints.

mod dummy;
#[path = "common/program.rs"]
mod program;

use std::path::Path;
use std::process::{Command, Stdio};

use dummy::Dummy;
use program::{command, text, vswitchd};
use vswitchd::cli::show::render;
use vswitchd::control::pcapng::{Interface, Packet, Writer};
use vswitchd::control::protocol::{Body, ExplainStep, Hex, NodePlace, Request, Response, What};
use vswitchd::control::server::Answer;
use vswitchd::control::view::{
    DropView, EngineView, NetworkView, NodeView, PortView, StationView, StatsView, Traffic, View,
};

#[test]
fn exit_codes_are_as_documented() {
    let gone = "/nonexistent/vswitchd.sock";
    let table: &[(&[&str], i32, &str, &str)] = &[
        (&["--help"], 0, "", "help was asked for"),
        (&["--version"], 0, "", "so was the version"),
        (&["show", "--help"], 0, "", "of a command"),
        (&[], 2, "Usage", "nothing to do"),
        (&["dance"], 2, "unrecognized subcommand", "no such command"),
        (&["shwo", "ports"], 2, "similar subcommand exists: 'show'", "a slip of the hand"),
        (&["show", "weather"], 2, "possible values: conntrack, drops", "nothing to show"),
        (&["verify"], 2, "needs a lab's file", "verify what?"),
        (&["-c", "x.toml", "show", "ports"], 2, "--lab NAME", "show is about what runs"),
        (&["show", "-c", "x.toml", "ports"], 2, "unexpected argument '-c'", "the same, after the command"),
        (&["--lab", "a", "--control", "b", "show", "ports"], 2, "cannot be used with", "which one?"),
        (&["capture", "vm1", "--snaplen", "0"], 2, "not in 1..=262144", "frames of no bytes"),
        (&["show", "ports", "--lab", "no such lab"], 3, "hint: start one with", "it does not run"),
        (&["--control", gone, "show", "ports"], 3, "cannot connect to /nonexistent", "nothing there"),
        (&["show", "ports", "--control", gone], 3, "cannot connect to", "the option after the command"),
        (&["check", "-c", "/nonexistent.toml"], 3, "cannot read /nonexistent.toml", "no file"),
        (
            &["-c", "/nonexistent.toml", "check"],
            3,
            "cannot read /nonexistent.toml",
            "the file before the command",
        ),
        (&["__init"], 2, "use `vswitchd exec`", "not for people"),
        (&["explain", "vm1", "0x12"], 3, "`x` at position 2", "no frame"),
    ];
    for (arguments, code, said, why) in table {
        let output = vswitchd(arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{why}: {arguments:?} said {stderr}");
        assert!(stderr.contains(said), "{why}: {arguments:?} said {stderr}");
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    let list = text(&vswitchd(&["--help"]).stdout);
    let block = list.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    let names: Vec<&str> = block
        .expect("a list of commands")
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        let help = text(&vswitchd(&[name, "--help"]).stdout);
        assert!(help.contains(&format!("Usage: vswitchd {name}")), "{help}");
        assert!(
            help.contains(&format!("  vswitchd {name}")) || help.contains("for lab in"),
            "{name}: {help}"
        );
    }
    for section in ["Examples:", "Files:", "Signals:", "Environment:", "Exit status:"] {
        assert!(list.contains(section), "{section} of --help");
    }
}

#[test]
fn completions_and_the_man_page_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&vswitchd(&["completions", shell]).stdout);
        assert!(script.contains("capture") && script.contains("snaplen"), "{shell}");
    }
    let page = text(&vswitchd(&["man"]).stdout);
    for piece in
        [".TH VSWITCHD 8", ".SH NAME", ".SS capture", ".SH EXAMPLES", ".SH FILES", ".SH \"EXIT STATUS\""]
    {
        assert!(page.lines().any(|line| line.starts_with(piece)), "{piece} is missing");
    }
    match Command::new("man").args(["--warnings", "-l", "-"]).stdin(Stdio::piped()).output() {
        Ok(_) => assert_eq!(man_warnings(&page), "", "groff has no complaint"),
        Err(_) => eprintln!("SKIPPED: no man to read the page with"),
    }
}

fn man_warnings(page: &str) -> String {
    let path = std::env::temp_dir().join(format!("vswitchd-{}.8", std::process::id()));
    std::fs::write(&path, page).expect("a temporary directory");
    let mut man = Command::new("man");
    let output =
        man.args(["--warnings", "-l"]).arg(&path).stdin(Stdio::null()).output().expect("it ran before");
    std::fs::remove_file(&path).expect("it was written");
    text(&output.stderr)
}

fn traffic(packets: u64, bytes: u64, dropped: u64) -> Traffic {
    Traffic { packets, bytes, dropped }
}

fn port(name: &str, interface: &str) -> PortView {
    PortView {
        name: name.into(),
        network: "docker0".into(),
        kind: "tap".into(),
        interface: interface.into(),
        node: None,
        mac: None,
        mtu: 1500,
        state: "up".into(),
        flags: Vec::new(),
        rx: traffic(12, 1234, 0),
        tx: traffic(7, 777, 3),
    }
}

fn station(mac: &str, ifname: &str, flags: &[&str], state: &str) -> StationView {
    StationView {
        mac: mac.parse().expect("a table entry"),
        ifname: ifname.into(),
        flags: flags.iter().map(ToString::to_string).collect(),
        master: "docker0".into(),
        vlan: None,
        state: state.into(),
        updated: None,
    }
}

fn withheld(port: &str, reason: &str, count: u64) -> DropView {
    let explanation = format!("Why it was {reason}.\n And what to do.");
    DropView { port: port.into(), direction: "out".into(), reason: reason.into(), count, explanation }
}

#[test]
fn show_prints_in_the_shape_of_the_kernels_tools() {
    let isolated = PortView { flags: vec!["isolated".into(), "flood off".into()], ..port("web", "veth-web") };
    let network = NetworkView {
        name: "docker0".into(),
        host: vec!["172.17.0.254/16".into(), "fd00::1/64".into()],
        mtu: 1500,
        ageing: 300,
        stations: 2,
        fdb_max: 4096,
        ports: vec!["boxA:eth0".into()],
        links: vec!["docker0/lan".into()],
        stp: "rstp".into(),
        vlan_filtering: true,
        mcast_snooping: true,
        ..NetworkView::default()
    };
    let internal = NetworkView {
        name: "lan".into(),
        host: vec![],
        ports: vec![],
        links: vec![],
        stp: "off".into(),
        vlan_filtering: false,
        mcast_snooping: false,
        ..network.clone()
    };
    let node = NodeView {
        name: "boxA".into(),
        netns: "/run/netns/boxA".into(),
        interfaces: vec!["eth0 10.0.0.1/24".into(), "eth1".into()],
        pid: Some(4711),
        state: "running".into(),
    };
    let idle =
        NodeView { name: "b".into(), pid: None, state: "idle".into(), interfaces: vec![], ..node.clone() };
    let stats = StatsView {
        lab: "docker".into(),
        received: 10,
        sent: 6,
        flooded: 3,
        dropped: 1,
        ..Default::default()
    };
    let some = stats.clone();
    let engine = |number: usize, devices: &[&str]| EngineView {
        name: format!("engine-{number}"),
        devices: devices.iter().map(|name| (*name).to_owned()).collect(),
        ports: devices.len(),
        received: 10,
        wakeups: 2,
        batches: 3,
    };
    let table = [
        (
            View::Fdb(vec![
                station("02:42:ac:11:00:02", "boxA:eth0", &[], ""),
                station("02:42:ac:11:00:03", "web", &["sticky"], "static"),
                station("02:42:ac:11:00:fe", "docker0", &[], "permanent"),
                StationView { vlan: Some(10), ..station("02:42:ac:11:00:04", "web", &["locked"], "") },
            ]),
            "\
02:42:ac:11:00:02 dev boxA:eth0 master docker0
02:42:ac:11:00:03 dev web master docker0 sticky static
02:42:ac:11:00:fe dev docker0 master docker0 permanent
02:42:ac:11:00:04 dev web vlan 10 master docker0 locked
",
            "flags before the state, as iproute2 prints them",
        ),
        (
            View::Ports(vec![port("boxA:eth0", "eth0"), isolated]),
            "\
port       network  kind  interface  state   mtu  rx frames  bytes  drops  tx frames  bytes  drops  flags
boxA:eth0  docker0  tap   eth0       up     1500         12   1234      0          7    777      3
web        docker0  tap   veth-web   up     1500         12   1234      0          7    777      3  isolated, flood off
",
            "numbers end below each other",
        ),
        (
            View::Networks(vec![network, internal]),
            "\
network  host              mtu  ageing  stations  features        interfaces
docker0  172.17.0.254/16  1500     300    2/4096  rstp            boxA:eth0
         fd00::1/64                               vlan_filtering  docker0/lan
                                                  mcast_snooping
lan      -                1500     300    2/4096  -
",
            "interfaces below each other, as brctl show",
        ),
        (
            View::Nodes(vec![node, idle]),
            "\
node  state     pid  netns            interfaces
boxA  running  4711  /run/netns/boxA  eth0 10.0.0.1/24
                                      eth1
b     idle        -  /run/netns/boxA
",
            "a node without a command has no process",
        ),
        (
            View::Drops(vec![withheld("web", "isolated", 3), withheld("boxA:eth0", "isolated", 12)]),
            "\
port       direction  count  reason
web        out            3  isolated
boxA:eth0  out           12  isolated

isolated
    Why it was isolated. And what to do.
",
            "each reason is explained once",
        ),
        (View::Drops(Vec::new()), "nothing has been dropped\n", "an empty table would be a riddle"),
        (
            View::Stats(stats),
            "\
lab docker
frames received                  10
  sent to one port                6
  flooded                         3
  consumed                        0  meant for a device
  parked                          0  waiting for an answer
  dropped                         1  `show drops` says why
copies delivered                  0
stations known                    0
wakeups                           0
batches                           0
uptime                            0  seconds
",
            "a sum and its parts",
        ),
        (
            View::Stats(StatsView { engines: vec![engine(0, &["docker0"]), engine(1, &["a", "b"])], ..some }),
            "\
lab docker
frames received                  10
  sent to one port                6
  flooded                         3
  consumed                        0  meant for a device
  parked                          0  waiting for an answer
  dropped                         1  `show drops` says why
copies delivered                  0
stations known                    0
wakeups                           0
batches                           0
uptime                            0  seconds

thread    ports  received  wakeups  batches  networks and routers
engine-0      1        10        2        3  docker0
engine-1      2        10        2        3  a
                                             b
",
            "where there are several threads, who does what",
        ),
    ];
    for (view, expected, why) in table {
        assert_eq!(render(&view, false), expected, "{why}");
    }
    assert!(render(&View::Nodes(Vec::new()), true).starts_with("\x1b[1mnode"), "a bold head in colour");
}

/// What a switch with one port, `vm1`, might answer.
fn answer(request: Request) -> Answer {
    Answer::Reply(match request {
        Request::Show { what: What::Fdb, .. } => {
            Response::ok(Body::Show(View::Fdb(vec![station("02:42:ac:11:00:02", "vm1", &[], "")])))
        }
        Request::Show { what: What::Ports, .. } => {
            Response::ok(Body::Show(View::Ports(vec![port("vm1", "tap0"), port("docker0", "docker0")])))
        }
        Request::Show { .. } => Response::ok(Body::Show(View::Networks(Vec::new()))),
        Request::Explain { frame: Hex(bytes), .. } => {
            let text = format!("{} bytes arrive", bytes.len());
            Response::ok(Body::Explain(vec![ExplainStep { text, line: Some(7) }]))
        }
        Request::Capture { name, snaplen } if name == "vm1" => {
            return Answer::Stream(Box::new(move |stream| frames(stream, snaplen)));
        }
        Request::Node { name } if name == "boxA" => {
            let netns = "/proc/self/ns/net".into();
            Response::ok(Body::Node(NodePlace { name, netns, pid: std::process::id() }))
        }
        Request::Reload => Response::ok(Body::Lines(vec!["port vm2 added".into()])),
        _ => Response::error_with_hint("there is no such thing", "there are: vm1"),
    })
}

/// Five frames, the last with a comment, and the end.
fn frames(mut stream: std::os::unix::net::UnixStream, snaplen: u32) {
    let interface = Interface { name: "vm1".into(), snaplen };
    let frame: Vec<u8> = (0..60).collect();
    let data = &frame[..frame.len().min(snaplen as usize)];
    // with --count the client may go before the last
    let _ = Writer::new(&mut stream, &[interface]).and_then(|mut writer| {
        (0..5).try_for_each(|second| {
            let time_ns = 1_700_000_000_000_000_000 + second * 1_000_000_001;
            let comment = (second == 4).then_some("dropped: isolated");
            let packet =
                Packet { interface: 0, time_ns, original_len: 60, data, outbound: second % 2 == 1, comment };
            writer.write(&packet)
        })
    });
}

#[test]
fn commands_print_what_the_switch_answers() {
    let server = Dummy::start("lab", answer);
    let control = server.path().to_str().expect("ASCII");
    let table: &[(&[&str], i32, &str, &str)] = &[
        (&["show", "fdb"], 0, "02:42:ac:11:00:02 dev vm1 master docker0\n", "text"),
        (
            &["show", "fdb", "--json"],
            0,
            "[{\"mac\":\"02:42:ac:11:00:02\",\"ifname\":\"vm1\",\"flags\":[],\"master\":\"docker0\",\"state\":\"\"}]\n",
            "the list alone, on one line for programs",
        ),
        (&["explain", "vm1", "ff:ff", "00 01"], 0, " 1. 4 bytes arrive  (line 7)\n", "hex in pieces"),
        (&["explain", "vm1", "00", "--json"], 0, "[{\"text\":\"1 bytes arrive\",\"line\":7}]\n", "JSON"),
        (&["reload"], 0, "port vm2 added\n", "what was done"),
        (&["capture"], 0, "port     vm1\ndrops    drops\n", "the host port goes by its network"),
        (&["capture", "vm9"], 3, "", "the switch refuses"),
    ];
    for (arguments, code, expected, why) in table {
        let output = vswitchd(&[&["--control", control], *arguments].concat());
        assert_eq!(text(&output.stdout), *expected, "{why}: {}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(*code), "{why}");
    }
    let refused = text(&vswitchd(&["--control", control, "capture", "vm9"]).stderr);
    assert_eq!(refused, "vswitchd: there is no such thing\nhint: there are: vm1\n");
}

#[test]
fn a_capture_reads_in_other_programs() {
    let server = Dummy::start("lab", answer);
    let control = server.path().to_str().expect("ASCII");
    let path = server.path().with_file_name("out.pcapng");
    let file = path.to_str().expect("ASCII");
    let capture = |arguments: &[&str]| {
        let output = vswitchd(&[&["--control", control, "capture", "vm1"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        output
    };
    let said = text(&capture(&["-w", file, "--snaplen", "40"]).stderr);
    assert_eq!(said, format!("5 frames in {file}\n"));
    assert_eq!(capture(&["--snaplen", "40"]).stdout, std::fs::read(&path).expect("it was written"));
    read_with_tshark(&path);
    let said = text(&capture(&["-w", file, "--count", "2"]).stderr);
    assert_eq!(said, format!("2 frames in {file}\n"));
    std::fs::remove_file(&path).expect("it was written");
}

fn read_with_tshark(path: &Path) {
    let fields = ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_name", "frame.comment"];
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-T", "fields", "-E", "separator=,", "-r"]).arg(path);
    for field in fields.into_iter().chain(["frame.packet_flags_direction"]) {
        tshark.args(["-e", field]);
    }
    let output = match tshark.output() {
        Ok(output) => output,
        Err(error) => return eprintln!("SKIPPED: tshark does not run: {error}"),
    };
    let lines = text(&output.stdout);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 5, "{}", text(&output.stderr));
    let cut = "60,40,vm1";
    assert!(lines[1].starts_with(&format!("1700000001.000000001,{cut},,")), "{}", lines[1]);
    assert!(lines[4].starts_with(&format!("1700000004.000000004,{cut},dropped: isolated,")), "{}", lines[4]);
    let direction = |line: &str| line.rsplit(',').next().map(str::to_owned);
    assert_ne!(direction(lines[0]), direction(lines[1]), "inbound is not outbound");
}

#[test]
fn check_says_yes_or_no() {
    let path = std::env::temp_dir().join(format!("vswitchd-check-{}.toml", std::process::id()));
    let file = path.to_str().expect("ASCII");
    let table = [
        ("[[network]]\nname = \"n1\"\n", 0, ": no errors\n", "", "a lab"),
        ("[[network]]\nname = \"n1\"\ncolour = 1\n", 1, "", "colour", "an unknown key"),
        ("[[network]\n", 1, "", ":1:", "no TOML"),
    ];
    for (toml, code, printed, said, why) in table {
        std::fs::write(&path, toml).expect("a temporary directory");
        let output = vswitchd(&["check", "-c", file]);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{why}: {stderr}");
        assert!(stdout.contains(printed) && stderr.contains(said), "{why}: {stdout} {stderr}");
        assert!(!stderr.contains('\x1b'), "no colours where nobody looks");
        let json = text(&vswitchd(&["check", "-c", file, "--json"]).stdout);
        assert_eq!(json == "[]\n", code == 0, "{why}: {json}");
    }
    std::fs::remove_file(&path).expect("it was written");
}

#[test]
fn exec_becomes_the_program() {
    let server = Dummy::start("lab", answer);
    let control = server.path().to_str().expect("ASCII");
    let exec = |arguments: &[&str]| vswitchd(&[&["--control", control, "exec"], arguments].concat());
    let unknown = exec(&["boxB", "--", "true"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", text(&unknown.stderr));
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root may enter a node whose lab runs outside a sandbox");
        return;
    }
    let output = exec(&["boxA", "--", "sh", "-c", "echo $0 $1; exit 7", "--json", "-x"]);
    assert_eq!(
        text(&output.stdout),
        "--json -x\n",
        "options behind -- are the program's: {}",
        text(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(7), "the program's exit status");
    let missing = exec(&["boxA", "--", "no-such-program"]);
    assert_eq!(missing.status.code(), Some(127));
    assert_eq!(text(&missing.stderr), "vswitchd: cannot run `no-such-program`: no such program\n");
}

#[test]
fn nobody_to_read_the_output_is_no_reason_to_complain() {
    let server = Dummy::start("lab", answer);
    let mut show = command(&["--control", server.path().to_str().expect("ASCII"), "show", "fdb"]);
    let (reader, writer) = std::io::pipe().expect("a descriptor is free");
    drop(reader);
    let output = show.stdout(writer).output().expect("the program was built");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(141));
}
