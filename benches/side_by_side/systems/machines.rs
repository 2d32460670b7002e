//! The two machines of a system, and the namespace that its switch lives in.

use std::fs;
use std::io;
use std::net::Ipv4Addr;

use super::running::ip;
use super::{Running, System};
use crate::measure::{Way, inside};
use crate::note;

/// What B calls to reach A, and what A calls to reach B.
const ADDRESS_OF_A: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const ADDRESS_OF_B: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// The VLAN that both machines are in where there are VLANs.
pub(crate) const VLAN: u16 = 10;

/// The names of the namespaces.
#[derive(Clone, Debug)]
pub(crate) struct Machines {
    pub(crate) a: String,
    pub(crate) b: String,
    /// The switch's.
    pub(crate) s: String,
}

impl Machines {
    /// Makes the namespaces, in which nothing happens that nobody asked for.
    pub(super) fn new(system: System) -> io::Result<Self> {
        let [a, b, s] = ["a", "b", "s"].map(|place| format!("{}-{place}", system.key()));
        let machines = Self { a, b, s };
        for netns in [&machines.a, &machines.b, &machines.s] {
            ip(&["netns", "add", netns])?;
            ip(&["-n", netns, "link", "set", "lo", "up"])?;
            inside(&path(netns), quiet)?;
        }
        Ok(machines)
    }

    /// From A to B, and from B to A.
    pub(crate) fn ways(&self) -> [Way; 2] {
        let [a, b] = [&self.a, &self.b].map(|netns| path(netns));
        let out = Way { client: a.clone(), server: b.clone(), address: ADDRESS_OF_B };
        [out, Way { client: b, server: a, address: ADDRESS_OF_A }]
    }

    /// Gives the machines their addresses, once they have an `eth0`.
    pub(super) fn configure(&self, system: System, running: &mut Running) -> io::Result<()> {
        let (guest, gateway) = match system.without_gateway() {
            Some(_) => ("10.78.0.2/24", Some("10.78.0.1")),
            None => ("10.77.0.1/24", None),
        };
        for netns in [&self.a, &self.b] {
            ip(&["-n", netns, "link", "set", "eth0", "up"])?;
        }
        let mut of_b = "eth0";
        if system == System::VswitchdTrunk {
            let vlan = VLAN.to_string();
            let make = ["link", "add", "link", "eth0", "name", "vlan", "type", "vlan", "id", &vlan];
            match ip(&[&["-n", self.b.as_str()], make.as_slice()].concat()) {
                Ok(()) => {
                    ip(&["-n", &self.b, "link", "set", "vlan", "up"])?;
                    of_b = "vlan";
                }
                Err(e) => {
                    note(&format!(
                        "SKIPPED: {}, but for single frames (this kernel has no VLAN interfaces: {e})",
                        system.name()
                    ));
                    running.talks_ip = false;
                }
            }
        }
        for (netns, address, interface) in [(&self.a, guest, "eth0"), (&self.b, "10.77.0.2/24", of_b)] {
            ip(&["-n", netns, "address", "add", address, "dev", interface])?;
            // once they have found each other, they do not look again in the middle of something
            inside(&path(netns), || {
                set(&format!("ipv4/neigh/{interface}/base_reachable_time_ms"), "86400000")
            })?;
        }
        // only the guest has a route: what reaches B and is answered has been translated
        gateway.map_or(Ok(()), |gateway| ip(&["-n", &self.a, "route", "add", "default", "via", gateway]))
    }
}

pub(super) fn path(netns: &str) -> String {
    format!("/run/netns/{netns}")
}

/// In the calling thread's namespace, before it has interfaces.
fn quiet() -> io::Result<()> {
    // it would introduce itself, at times of its own choice; where there is no IPv6, there is no such file
    for which in ["all", "default"] {
        let _ = set(&format!("ipv6/conf/{which}/disable_ipv6"), "1");
    }
    // above the servers' own: they answer here in their turn
    set("ipv4/ip_local_port_range", "10000 65535")?;
    // a port is free a second after a call, not a minute
    set("ipv4/tcp_tw_reuse", "1")
}

fn set(name: &str, value: &str) -> io::Result<()> {
    let file = format!("/proc/sys/net/{name}");
    fs::write(&file, value).map_err(|e| io::Error::new(e.kind(), format!("{file}: {e}")))
}
