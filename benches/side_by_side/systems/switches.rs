//! The systems that are one switch with two ports.

use std::fs;
use std::io;

use super::machines::{Machines, VLAN};
use super::running::{Programs, Running, ip, program, run, wait_for};
use super::{System, machines};

/// Stations are not forgotten while the bench runs.
pub(super) const AGEING: &str = "86400";

impl Running {
    pub(super) fn relay(&mut self, programs: &Programs) -> io::Result<()> {
        let [a, b] = [&self.machines.a, &self.machines.b].map(|netns| machines::path(netns));
        let mut relay = program(None, &programs.relay);
        relay.args([&a, "eth0", &b, "eth0"]);
        self.start_until_ready(relay)
    }

    /// vswitchd with one network and whatever sort of ports the system has.
    pub(super) fn vswitchd(&mut self, programs: &Programs) -> io::Result<()> {
        use Wire::{Plain, Raw, Tap};
        let wires = match self.system {
            System::VswitchdRaw => [Raw, Raw],
            System::VswitchdMixed => [Tap, Raw],
            System::VswitchdPlain => [Plain, Plain],
            _ => [Tap, Tap],
        };
        let access = format!("vlan = {{ pvid = {VLAN}, untagged = [{VLAN}] }}\n");
        let trunk = format!("vlan = {{ tagged = [{VLAN}] }}\n");
        let (network, keys) = match self.system {
            System::VswitchdCrowded => ("fdb_max = 131072\n", [String::new(), String::new()]),
            System::VswitchdQueues => ("", ["queues = 2\n".to_owned(), "queues = 2\n".to_owned()]),
            System::VswitchdAccess => ("vlan_filtering = true\n", [access.clone(), access]),
            System::VswitchdTrunk => ("vlan_filtering = true\n", [access, trunk]),
            _ => ("", [String::new(), String::new()]),
        };
        let mut text = format!("[[network]]\nname = \"lan\"\nageing = {AGEING}\n{network}\n");
        let ends = [("port-a", self.machines.a.clone()), ("port-b", self.machines.b.clone())];
        for ((wire, keys), (name, netns)) in wires.into_iter().zip(keys).zip(ends) {
            if wire == Raw {
                veth_pair(&self.machines, name, &netns)?;
            }
            text += &format!(
                "[[port]]\nname = \"{name}\"\nnetwork = \"lan\"\n{}{keys}\n",
                wire.keys(name, &netns)
            );
        }
        self.run_vswitchd(programs, &text)
    }

    /// Starts vswitchd in the switch's namespace, on a file of this content.
    pub(super) fn run_vswitchd(&mut self, programs: &Programs, text: &str) -> io::Result<()> {
        let file = programs.scratch.join(format!("{}.toml", self.system.key()));
        fs::write(&file, text)?;
        let mut vswitchd = program(Some(&self.machines.s), &programs.vswitchd);
        vswitchd.arg("-c").arg(&file);
        self.start_until_ready(vswitchd)
    }

    pub(super) fn vde(&mut self, programs: &Programs) -> io::Result<()> {
        let [control, commands] =
            ["ctl", "rc"].map(|end| programs.scratch.join(format!("{}.{end}", self.system.key())));
        fs::write(&commands, format!("hash/setexpire {AGEING}\n"))?;
        let mut vde = program(Some(&self.machines.s), "vde_switch");
        vde.args(["-tap", "port-a", "-tap", "port-b", "-sock"]).arg(&control).arg("-f").arg(&commands);
        if self.system == System::VdeCrowded {
            vde.args(["--hashsize", "65536"]);
        }
        self.start_silent(vde)?;
        wait_for(|| ip(&["-n", &self.machines.s, "link", "show", "port-b"]).is_ok())?;
        hand_over(&self.machines)
    }
}

/// What is between a port of vswitchd and its machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Tap,
    /// A TAP without a header, so without offloads.
    Plain,
    /// A raw socket on one end of a veth pair.
    Raw,
}

impl Wire {
    /// As the file has it.
    fn keys(self, name: &str, netns: &str) -> String {
        let tap = format!("kind = \"tap\"\ninterface = \"eth0\"\nnetns = \"{netns}\"\n");
        match self {
            Self::Tap => tap,
            Self::Plain => tap + "offload = false\n",
            Self::Raw => format!("kind = \"raw\"\ninterface = \"{name}\"\n"),
        }
    }
}

pub(super) fn linux_bridge(machines: &Machines) -> io::Result<()> {
    veth_pairs(machines)?;
    bridge_filters_nothing(machines)?;
    let s = &machines.s;
    ip(&["-n", s, "link", "add", "br0", "type", "bridge"])?;
    for port in ["port-a", "port-b"] {
        ip(&["-n", s, "link", "set", port, "master", "br0"])?;
    }
    ip(&["-n", s, "link", "set", "br0", "up"])
}

/// `port-a` and `port-b` in the switch's namespace, their other ends in the machines.
pub(super) fn veth_pairs(machines: &Machines) -> io::Result<()> {
    veth_pair(machines, "port-a", &machines.a)?;
    veth_pair(machines, "port-b", &machines.b)
}

fn veth_pair(machines: &Machines, name: &str, netns: &str) -> io::Result<()> {
    let s = &machines.s;
    ip(&["-n", s, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", netns])?;
    ip(&["-n", s, "link", "set", name, "up"])
}

/// Moves the interfaces that a switch has made in its own namespace into the machines.
pub(super) fn hand_over(machines: &Machines) -> io::Result<()> {
    for (name, netns) in [("port-a", &machines.a), ("port-b", &machines.b)] {
        ip(&["-n", &machines.s, "link", "set", name, "netns", netns, "name", "eth0"])?;
    }
    Ok(())
}

/// With br_netfilter loaded, bridged frames visit iptables as well. Docker loads it for a few of its settings only, so
/// the kernel is measured at its best.
pub(super) fn bridge_filters_nothing(machines: &Machines) -> io::Result<()> {
    let script = "cd /proc/sys/net/bridge 2>/dev/null || exit 0; echo 0 > bridge-nf-call-iptables";
    run("ip", &["netns", "exec", &machines.s, "sh", "-c", script])
}
