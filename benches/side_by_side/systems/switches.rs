//! The systems that are one switch with two ports.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use super::{A, B, Programs, Running, S, ip, run, wait_for};

impl Running {
    pub(super) fn relay(&mut self, programs: &Programs) -> io::Result<()> {
        let [a, b] = [A, B].map(|netns| format!("/run/netns/{netns}"));
        let child =
            Command::new(&programs.relay).args([&a, "eth0", &b, "eth0"]).stdout(Stdio::piped()).spawn()?;
        self.wait_for_ready(child)
    }

    pub(super) fn vswitchd(&mut self, programs: &Programs, kind: &str) -> io::Result<()> {
        let raw = kind.contains("raw");
        let port = |name: &str, netns: &str| {
            let place = if raw {
                format!("interface = \"{name}\"")
            } else {
                format!("interface = \"eth0\"\nnetns = \"{netns}\"")
            };
            format!("[[port]]\nname = \"{name}\"\nnetwork = \"lan\"\n{kind}\n{place}\n\n")
        };
        let text = format!("[[network]]\nname = \"lan\"\n\n{}{}", port("port-a", A), port("port-b", B));
        self.run_vswitchd(programs, &text)
    }

    /// Starts vswitchd in the switch's namespace, on a file of this content.
    pub(super) fn run_vswitchd(&mut self, programs: &Programs, text: &str) -> io::Result<()> {
        let file = programs.scratch.join("bench.toml");
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

    pub(super) fn open_vswitch(&mut self, programs: &Programs) -> io::Result<()> {
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

    pub(super) fn vde(&mut self, programs: &Programs) -> io::Result<()> {
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
}

pub(super) fn linux_bridge() -> io::Result<()> {
    veth_pairs()?;
    bridge_filters_nothing()?;
    ip(&["-n", S, "link", "add", "br0", "type", "bridge"])?;
    for port in ["port-a", "port-b"] {
        ip(&["-n", S, "link", "set", port, "master", "br0"])?;
    }
    ip(&["-n", S, "link", "set", "br0", "up"])
}

/// `port-a` and `port-b` in the switch's namespace, their other ends in the machines.
pub(super) fn veth_pairs() -> io::Result<()> {
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

/// With br_netfilter loaded, bridged frames visit iptables as well. Docker loads it for a few of its settings only, so
/// the kernel is measured at its best.
pub(super) fn bridge_filters_nothing() -> io::Result<()> {
    let script = "cd /proc/sys/net/bridge 2>/dev/null || exit 0; echo 0 > bridge-nf-call-iptables";
    run("ip", &["netns", "exec", S, "sh", "-c", script])
}
