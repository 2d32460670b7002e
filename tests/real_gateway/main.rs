//! The gateway between real kernels: what passes it arrives, from whom it should, and nothing private leaks.

#[path = "../real_common/mod.rs"]
mod real_common;

mod captures;
mod flood;
mod leak;
mod life;
mod programs;
mod sockets;
mod transfers;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};

/// The kinds of ports that a machine may have: with offloads, without, and a veth's end.
const KINDS: [&str; 3] = ["tap", "plain", "raw"];
/// The router's addresses on the LAN, of both families.
const ROUTER: [&str; 2] = ["192.168.178.27", "2001:db8:178::27"];
/// Where every guest is to be asked; at the router, at 8000 and more.
const GUEST_PORT: u16 = 4000;

/// A gateway, a guest behind it and a machine beyond it for every kind of port. Published are the guests' ports, at 8000
/// for the first of [`KINDS`] and so on, with TCP and UDP, IPv4 and IPv6.
fn lab() -> String {
    let mut text = format!(
        "[[network]]\nname = \"docker0\"\n[[network]]\nname = \"lan\"\n[[router]]\nname = \"gw\"\n\
         [[router.interface]]\nnetwork = \"docker0\"\naddress = [\"172.17.0.1/16\", \"fd00:17::1/64\"]\nrole = \"inside\"\n\
         [[router.interface]]\nnetwork = \"lan\"\naddress = [\"{}/24\", \"{}/64\"]\nrole = \"outside\"\n",
        ROUTER[0], ROUTER[1]
    );
    for (n, _) in KINDS.iter().enumerate() {
        text += &publish(n);
    }
    for kind in KINDS {
        for (node, network, gateways) in [
            (kind.to_owned(), "docker0", "gateway = [\"172.17.0.1\", \"fd00:17::1\"]\n"),
            (far(kind), "lan", ""),
        ] {
            let wire = format!("wire-{node}");
            let plug = match kind {
                "raw" => {
                    write!(
                        text,
                        "[[port]]\nname = \"{wire}\"\nnetwork = \"{network}\"\nkind = \"raw\"\ninterface = \"{wire}\"\n"
                    )
                    .expect("a string grows");
                    format!("peer = \"{wire}\"")
                }
                "plain" => format!("network = \"{network}\"\noffload = false"),
                _ => format!("network = \"{network}\""),
            };
            let addresses = [address(&node, false), address(&node, true)];
            let prefix = if network == "lan" { 24 } else { 16 };
            write!(
                text,
                "[[node]]\nname = \"{node}\"\n[[node.interface]]\nname = \"eth0\"\n{plug}\n\
                 address = [\"{}/{prefix}\", \"{}/64\"]\n{gateways}",
                addresses[0], addresses[1]
            )
            .expect("a string grows");
        }
    }
    text
}

/// The published ports of the nth guest.
fn publish(n: usize) -> String {
    let mut text = String::new();
    for (ipv6, router) in [(false, ROUTER[0].to_owned()), (true, format!("[{}]", ROUTER[1]))] {
        let guest = match address(KINDS[n], ipv6) {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        write!(
            text,
            "[[router.publish]]\nlisten = \"{router}:{}\"\nprotocol = [\"tcp\", \"udp\"]\nto = \"{guest}:{GUEST_PORT}\"\n",
            published(KINDS[n])
        )
        .expect("a string grows");
    }
    text
}

/// The machine beyond the gateway with this kind of port.
fn far(kind: &str) -> String {
    format!("far-{kind}")
}

/// A node's address.
fn address(node: &str, ipv6: bool) -> IpAddr {
    let kind = node.strip_prefix("far-");
    let n = KINDS.iter().position(|k| *k == kind.unwrap_or(node)).expect("one of them");
    let text = match (kind.is_some(), ipv6) {
        (true, false) => format!("192.168.178.{}", 20 + n),
        (true, true) => format!("2001:db8:178::{}", 20 + n),
        (false, false) => format!("172.17.0.{}", 2 + n),
        (false, true) => format!("fd00:17::{}", 2 + n),
    };
    text.parse().expect("an address")
}

/// The router's port that leads to a guest.
fn published(kind: &str) -> u16 {
    let n = KINDS.iter().position(|k| *k == kind).expect("one of them");
    8000 + u16::try_from(n).expect("few")
}

/// The router's address on the LAN.
fn router(ipv6: bool) -> IpAddr {
    ROUTER[usize::from(ipv6)].parse().expect("an address")
}

/// Whether a program is installed; says so if not.
fn runs(test: &str, program: &str, argument: &str) -> bool {
    let ran =
        Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !ran {
        eprintln!("SKIPPED: {test}: {program} does not run");
    }
    ran
}
