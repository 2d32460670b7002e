//! The systems: how each is brought up between the same two namespaces, and taken down.
//!
//! Most are nothing else but one switch with two ports, and give namespace A and B an `eth0` with 10.77.0.1/24 and
//! 10.77.0.2/24. The gateways have two networks: B is on the LAN with 10.77.0.2, A is a guest with 10.78.0.2 behind
//! the gateway's 10.77.0.1. So A calls 10.77.0.2 and B calls 10.77.0.1, whatever is in between. What is not installed
//! says so once and is left out.

mod gateways;
mod switches;

use std::io::{self, BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The namespaces: the two machines, and the one the switch lives in.
pub(crate) const A: &str = "vsb-a";
pub(crate) const B: &str = "vsb-b";
pub(crate) const S: &str = "vsb-s";

/// What B calls to reach A, and what A calls to reach B.
pub(crate) const ADDRESS_OF_A: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub(crate) const ADDRESS_OF_B: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    Relay,
    Vswitchd,
    VswitchdGateway,
    VswitchdRaw,
    VswitchdPlain,
    LinuxBridge,
    LinuxGateway,
    OpenVswitch,
    Vde,
}

impl System {
    pub(crate) const ALL: [Self; 9] = [
        Self::Relay,
        Self::Vswitchd,
        Self::VswitchdGateway,
        Self::VswitchdRaw,
        Self::VswitchdPlain,
        Self::LinuxBridge,
        Self::LinuxGateway,
        Self::OpenVswitch,
        Self::Vde,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "bare relay",
            Self::Vswitchd => "vswitchd (tap)",
            Self::VswitchdGateway => "vswitchd gateway (tap)",
            Self::VswitchdRaw => "vswitchd (raw on veth)",
            Self::VswitchdPlain => "vswitchd (plain tap)",
            Self::LinuxBridge => "Linux bridge (veth)",
            Self::LinuxGateway => "Linux bridge gateway",
            Self::OpenVswitch => "Open vSwitch userspace",
            Self::Vde => "VDE",
        }
    }

    /// The same with one network instead of two and a gateway.
    pub(crate) fn without_gateway(self) -> Option<Self> {
        match self {
            Self::VswitchdGateway => Some(Self::Vswitchd),
            Self::LinuxGateway => Some(Self::LinuxBridge),
            _ => None,
        }
    }

    /// What this machine lacks for it.
    pub(crate) fn lacks(self) -> Option<String> {
        let program = match self {
            Self::LinuxGateway => return gateways::iptables_lacks(),
            Self::OpenVswitch => "ovs-vswitchd",
            Self::Vde => "vde_switch",
            _ => return None,
        };
        let absent = Command::new(program).arg("--version").output().is_err();
        absent.then(|| format!("{program} is not installed"))
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
                switches::veth_pairs()?;
                running.vswitchd(programs, "kind = \"raw\"")?;
            }
            System::VswitchdGateway => running.vswitchd_gateway(programs)?,
            System::LinuxBridge => switches::linux_bridge()?,
            System::LinuxGateway => gateways::linux_gateway()?,
            System::OpenVswitch => running.open_vswitch(programs)?,
            System::Vde => running.vde(programs)?,
        }
        configure(system)?;
        Ok(running)
    }

    /// The processes that switch.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).chain(self.daemons.iter().copied()).collect()
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

fn configure(system: System) -> io::Result<()> {
    let (guest, gateway) = match system.without_gateway() {
        Some(_) => ("10.78.0.2/24", Some("10.78.0.1")),
        None => ("10.77.0.1/24", None),
    };
    for (netns, address) in [(A, guest), (B, "10.77.0.2/24")] {
        ip(&["-n", netns, "address", "add", address, "dev", "eth0"])?;
        ip(&["-n", netns, "link", "set", "eth0", "up"])?;
    }
    // only the guest has a route: what reaches B and is answered has been translated
    gateway.map_or(Ok(()), |gateway| ip(&["-n", A, "route", "add", "default", "via", gateway]))
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
