//! The systems that are a gateway between two networks, with what Docker does by default: the guest goes out behind
//! the gateway's address, and two of its ports are published there.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use super::machines::Machines;
use super::running::{Programs, Running, ip, run};
use super::switches::{bridge_filters_nothing, veth_pairs};
use crate::measure::{CALLS, STREAMS};

impl Running {
    pub(super) fn vswitchd_gateway(&mut self, programs: &Programs) -> io::Result<()> {
        self.run_vswitchd(programs, &networks(&self.machines))
    }
}

/// The file of the lab.
fn networks(machines: &Machines) -> String {
    let Machines { a, b, .. } = machines;
    let published = for_each_port(|port| {
        format!("[[router.publish]]\nlisten = \"10.77.0.1:{port}\"\nto = \"10.78.0.2:{port}\"\n")
    });
    // as many connections as Linux allows by default on a machine with more than 4 GiB
    format!(
        r#"[[network]]
name = "docker0"

[[network]]
name = "lan"

[[port]]
name = "port-a"
network = "docker0"
kind = "tap"
interface = "eth0"
netns = "{a}"

[[port]]
name = "port-b"
network = "lan"
kind = "tap"
interface = "eth0"
netns = "{b}"

[[router]]
name = "gw"
conntrack = {{ max = 262144 }}

[[router.interface]]
network = "docker0"
address = "10.78.0.1/24"
role = "inside"

[[router.interface]]
network = "lan"
address = "10.77.0.1/24"
role = "outside"

{published}"#
    )
}

/// The kernel as Docker sets it up: the guest's veth on the bridge `docker0`, the LAN's veth as it is.
pub(super) fn linux_gateway(machines: &Machines) -> io::Result<()> {
    veth_pairs(machines)?;
    bridge_filters_nothing(machines)?;
    let s = machines.s.as_str();
    ip(&["-n", s, "link", "add", "docker0", "type", "bridge"])?;
    ip(&["-n", s, "link", "set", "port-a", "master", "docker0"])?;
    ip(&["-n", s, "address", "add", "10.78.0.1/24", "dev", "docker0"])?;
    ip(&["-n", s, "address", "add", "10.77.0.1/24", "dev", "port-b"])?;
    ip(&["-n", s, "link", "set", "docker0", "up"])?;
    run("ip", &["netns", "exec", s, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
    load(&["ip", "netns", "exec", s])
}

/// Tries the rules in a namespace that is gone at once: the program may be there, and the kernel refuse.
pub(super) fn iptables_lacks() -> Option<String> {
    if Command::new("iptables-restore").arg("--version").output().is_err() {
        return Some("iptables-restore is not installed".to_owned());
    }
    load(&["unshare", "--net"]).err().map(|e| e.to_string())
}

fn load(place: &[&str]) -> io::Result<()> {
    let mut child = Command::new(place[0])
        .args(&place[1..])
        .arg("iptables-restore")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // if it does not listen, its exit status and last words say why
        let _ = stdin.write_all(rules().as_bytes());
    }
    let output = child.wait_with_output()?;
    let why = String::from_utf8_lossy(&output.stderr);
    output
        .status
        .success()
        .then_some(())
        .ok_or_else(|| io::Error::other(format!("iptables-restore: {}", why.trim())))
}

/// Docker 29's rules for one network and one guest with published ports; M1 to M11 in the list of behaviours.
fn rules() -> String {
    let dnat = for_each_port(|port| {
        format!("-A DOCKER -p tcp -m tcp --dport {port} -j DNAT --to-destination 10.78.0.2:{port}")
    });
    let accept = for_each_port(|port| {
        format!("-A DOCKER -d 10.78.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport {port} -j ACCEPT")
    });
    format!(
        "*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 10.78.0.2/32 ! -i docker0 -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 10.78.0.0/24 ! -o docker0 -j MASQUERADE
{dnat}
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-INTERNAL - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-INTERNAL
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-BRIDGE -o docker0 -j DOCKER
{accept}
-A DOCKER ! -i docker0 -o docker0 -j DROP
COMMIT
"
    )
}

fn for_each_port(text: fn(u16) -> String) -> String {
    [STREAMS, CALLS].map(text).join("\n")
}
