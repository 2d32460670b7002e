//! The systems: how each is brought up between the same two namespaces, and taken down.
//!
//! Each gives namespace A and B an `eth0` with 10.77.0.1/24 and 10.77.0.2/24, and is nothing else but one switch with
//! two ports. What is not installed says so once and is left out.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The namespaces: the two machines, and the one the switch lives in.
pub(crate) const A: &str = "vsb-a";
pub(crate) const B: &str = "vsb-b";
pub(crate) const S: &str = "vsb-s";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    Relay,
    Vswitchd,
    VswitchdRaw,
    VswitchdPlain,
    LinuxBridge,
    OpenVswitch,
    Vde,
}

impl System {
    pub(crate) const ALL: [Self; 7] = [
        Self::Relay,
        Self::Vswitchd,
        Self::VswitchdRaw,
        Self::VswitchdPlain,
        Self::LinuxBridge,
        Self::OpenVswitch,
        Self::Vde,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "bare relay",
            Self::Vswitchd => "vswitchd (tap)",
            Self::VswitchdRaw => "vswitchd (raw on veth)",
            Self::VswitchdPlain => "vswitchd (plain tap)",
            Self::LinuxBridge => "Linux bridge (veth)",
            Self::OpenVswitch => "Open vSwitch userspace",
            Self::Vde => "VDE",
        }
    }

    /// The program that must be installed for it.
    pub(crate) fn needs(self) -> Option<&'static str> {
        match self {
            Self::OpenVswitch => Some("ovs-vswitchd"),
            Self::Vde => Some("vde_switch"),
            _ => None,
        }
    }
}

/// Where the programs that we bring along are.
pub(crate) struct Programs {
    pub(crate) vswitchd: PathBuf,
    pub(crate) relay: PathBuf,
    pub(crate) scratch: PathBuf,
}

/// A running system. Dropping it stops its processes and removes the namespaces with all that is in them.
pub(crate) struct Running {
    children: Vec<Child>,
    daemons: Vec<u32>,
}

impl Running {
    /// Brings `system` up.
    pub(crate) fn start(system: System, programs: &Programs) -> io::Result<Self> {
        let mut running = Self { children: Vec::new(), daemons: Vec::new() };
        for netns in [A, B, S] {
            ip(&["netns", "add", netns])?;
            ip(&["-n", netns, "link", "set", "lo", "up"])?;
        }
        match system {
            System::Relay => running.relay(programs)?,
            System::Vswitchd => running.vswitchd(programs, "kind = \"tap\"")?,
            System::VswitchdPlain => running.vswitchd(programs, "kind = \"tap\"\noffload = false")?,
            System::VswitchdRaw => {
                veth_pairs()?;
                running.vswitchd(programs, "kind = \"raw\"")?;
            }
            System::LinuxBridge => linux_bridge()?,
            System::OpenVswitch => running.open_vswitch(programs)?,
            System::Vde => running.vde(programs)?,
        }
        configure()?;
        Ok(running)
    }

    /// The processes that switch.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).chain(self.daemons.iter().copied()).collect()
    }

    fn relay(&mut self, programs: &Programs) -> io::Result<()> {
        let [a, b] = [A, B].map(|netns| format!("/run/netns/{netns}"));
        let child =
            Command::new(&programs.relay).args([&a, "eth0", &b, "eth0"]).stdout(Stdio::piped()).spawn()?;
        self.wait_for_ready(child)
    }

    fn vswitchd(&mut self, programs: &Programs, kind: &str) -> io::Result<()> {
        let raw = kind.contains("raw");
        let port = |name: &str, netns: &str| {
            let place = if raw {
                format!("interface = \"{name}\"")
            } else {
                format!("interface = \"eth0\"\nnetns = \"{netns}\"")
            };
            format!("[[port]]\nname = \"{name}\"\nnetwork = \"lan\"\n{kind}\n{place}\n\n")
        };
        let file = programs.scratch.join("bench.toml");
        let text = format!("[[network]]\nname = \"lan\"\n\n{}{}", port("port-a", A), port("port-b", B));
        fs::write(&file, text)?;
        let child = Command::new("ip")
            .args(["netns", "exec", S])
            .arg(&programs.vswitchd)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()?;
        self.wait_for_ready(child)
    }

    fn open_vswitch(&mut self, programs: &Programs) -> io::Result<()> {
        let dir = programs.scratch.join("ovs");
        // of an earlier round
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir)?;
        let at = |name: &str| dir.join(name).display().to_string();
        let database = format!("unix:{}", at("db.sock"));
        run("ovsdb-tool", &["create", &at("conf.db"), "/usr/share/openvswitch/vswitch.ovsschema"])?;
        let daemon = |program: &str, first: &str| {
            let in_netns = ["netns", "exec", S, program, first, "--detach", "--no-chdir"].map(String::from);
            let files = [
                format!("--pidfile={}", at(&format!("{program}.pid"))),
                format!("--unixctl={}", at(&format!("{program}.ctl"))),
                format!("--log-file={}", at(&format!("{program}.log"))),
                "-vconsole:off".to_owned(),
            ];
            let remote = (program == "ovsdb-server").then(|| format!("--remote=p{database}"));
            let all: Vec<String> = in_netns.into_iter().chain(files).chain(remote).collect();
            run("ip", &all.iter().map(String::as_str).collect::<Vec<_>>())?;
            let pid = fs::read_to_string(at(&format!("{program}.pid")))?;
            pid.trim().parse::<u32>().map_err(io::Error::other)
        };
        let server = daemon("ovsdb-server", &at("conf.db"))?;
        self.daemons.push(server);
        let switch = daemon("ovs-vswitchd", &database)?;
        self.daemons.push(switch);
        let vsctl = |args: &[&str]| {
            let db = format!("--db={database}");
            run("ovs-vsctl", &[&[db.as_str(), "--timeout=10"], args].concat())
        };
        vsctl(&["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev"])?;
        for (name, netns) in [("port-a", A), ("port-b", B)] {
            vsctl(&["add-port", "br0", name, "--", "set", "interface", name, "type=internal"])?;
            hand_over(name, netns)?;
        }
        Ok(())
    }

    fn vde(&mut self, programs: &Programs) -> io::Result<()> {
        let control = programs.scratch.join("vde.ctl");
        let child = Command::new("ip")
            .args(["netns", "exec", S, "vde_switch", "-tap", "port-a", "-tap", "port-b", "-sock"])
            .arg(&control)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.children.push(child);
        wait_for(|| ip(&["-n", S, "link", "show", "port-b"]).is_ok())?;
        hand_over("port-a", A)?;
        hand_over("port-b", B)
    }

    fn wait_for_ready(&mut self, mut child: Child) -> io::Result<()> {
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        self.children.push(child);
        let mut lines = BufReader::new(stdout).lines();
        loop {
            let line = lines.next().ok_or_else(|| io::Error::other("it ended before it was ready"))??;
            if line.contains("ready") {
                // whatever it still says must not fill the pipe
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(());
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for pid in self.pids() {
            let _ = run("kill", &[&pid.to_string()]);
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
        for pid in &self.daemons {
            let _ = wait_for(|| !Path::new(&format!("/proc/{pid}")).exists());
        }
        for netns in [A, B, S] {
            let _ = ip(&["netns", "del", netns]);
        }
    }
}

fn linux_bridge() -> io::Result<()> {
    veth_pairs()?;
    ip(&["-n", S, "link", "add", "br0", "type", "bridge"])?;
    for port in ["port-a", "port-b"] {
        ip(&["-n", S, "link", "set", port, "master", "br0"])?;
    }
    ip(&["-n", S, "link", "set", "br0", "up"])
}

/// `port-a` and `port-b` in the switch's namespace, their other ends in the machines.
fn veth_pairs() -> io::Result<()> {
    for (name, netns) in [("port-a", A), ("port-b", B)] {
        ip(&["-n", S, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", netns])?;
        ip(&["-n", S, "link", "set", name, "up"])?;
    }
    Ok(())
}

/// Moves an interface of the switch's namespace into a machine.
fn hand_over(name: &str, netns: &str) -> io::Result<()> {
    ip(&["-n", S, "link", "set", name, "netns", netns, "name", "eth0"])
}

fn configure() -> io::Result<()> {
    for (netns, address) in [(A, "10.77.0.1/24"), (B, "10.77.0.2/24")] {
        ip(&["-n", netns, "address", "add", address, "dev", "eth0"])?;
        ip(&["-n", netns, "link", "set", "eth0", "up"])?;
    }
    Ok(())
}

pub(crate) fn ip(args: &[&str]) -> io::Result<()> {
    run("ip", args)
}

fn run(program: &str, args: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} {}: {}", args.join(" "), why.trim())))
}

fn wait_for(mut done: impl FnMut() -> bool) -> io::Result<()> {
    for _ in 0..200 {
        if done() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(io::Error::other("it did not come up within two seconds"))
}
