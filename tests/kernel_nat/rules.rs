//! The rules that Docker 29 makes for the same networks (kernel-semantics.md §3b), for `iptables-restore`.
//!
//! They differ from Docker's where vswitchd does on purpose: packets that are of no flow end first (0.2), a guest that
//! uses a published port of its own network is masqueraded (Docker's proxy does as much), and `FORWARD` lets through
//! what no rule is about, as between plain networks.

use std::fmt::Write as _;

use super::place::{PUBLISHED, Who, Wire};

const INSIDE: [Wire; 2] = [Wire::One, Wire::Two];

/// Everything for one family.
pub(crate) fn rules(v6: bool) -> String {
    [raw(v6), filter(v6), nat(v6)].concat()
}

/// M1, and what the kernel's `rp_filter` does for IPv4 only.
fn raw(v6: bool) -> String {
    let mut text = String::from("*raw\n");
    for guest in Who::GUESTS {
        line(
            &mut text,
            format_args!("PREROUTING -d {} ! -i {} -j DROP", guest.address(v6), guest.wire().name()),
        );
    }
    if v6 {
        for wire in INSIDE {
            line(&mut text, format_args!("PREROUTING -i {} -m rpfilter --invert -j DROP", wire.name()));
        }
    }
    text + "COMMIT\n"
}

/// 0.2, M3 to M10.
fn filter(v6: bool) -> String {
    let mut text = String::from("*filter\n");
    for chain in ["USER", "FORWARD", "CT", "INTERNAL", "BRIDGE"] {
        writeln!(text, ":DOCKER-{chain} - [0:0]").expect("a string takes everything");
    }
    text += ":DOCKER - [0:0]\n";
    text += "-A FORWARD -m conntrack --ctstate INVALID -j DROP\n";
    text += "-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-FORWARD\n";
    for chain in ["CT", "INTERNAL", "BRIDGE"] {
        line(&mut text, format_args!("DOCKER-FORWARD -j DOCKER-{chain}"));
    }
    for wire in INSIDE.map(Wire::name) {
        line(&mut text, format_args!("DOCKER-FORWARD -i {wire} -j ACCEPT"));
        line(
            &mut text,
            format_args!("DOCKER-CT -o {wire} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
        );
        line(&mut text, format_args!("DOCKER-BRIDGE -o {wire} -j DOCKER"));
    }
    for (protocol, (first, last), to, port) in PUBLISHED {
        let (name, wire) = (protocol_name(protocol), to.wire().name());
        for port in port..=port + (last - first) {
            line(
                &mut text,
                format_args!(
                    "DOCKER -d {} ! -i {wire} -o {wire} -p {name} --dport {port} -j ACCEPT",
                    to.address(v6)
                ),
            );
        }
    }
    for wire in INSIDE.map(Wire::name) {
        line(&mut text, format_args!("DOCKER ! -i {wire} -o {wire} -j DROP"));
    }
    text + "COMMIT\n"
}

/// M11.
fn nat(v6: bool) -> String {
    let mut text = String::from("*nat\n:DOCKER - [0:0]\n");
    let home = if v6 { "::1/128" } else { "127.0.0.0/8" };
    line(&mut text, format_args!("PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"));
    line(&mut text, format_args!("OUTPUT ! -d {home} -m addrtype --dst-type LOCAL -j DOCKER"));
    for (protocol, (first, last), to, port) in PUBLISHED {
        let name = protocol_name(protocol);
        let own = if v6 { "! -s fe80::/10 " } else { "" };
        for (nth, listen) in (first..=last).enumerate() {
            let (address, port) = (to.address(v6), port + nth as u16);
            let target = if v6 { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
            line(
                &mut text,
                format_args!("DOCKER {own}-p {name} --dport {listen} -j DNAT --to-destination {target}"),
            );
        }
    }
    for wire in INSIDE {
        let (net, name) = (wire.prefix(v6), wire.name());
        line(&mut text, format_args!("POSTROUTING -s {net} ! -o {name} -j MASQUERADE"));
        line(
            &mut text,
            format_args!("POSTROUTING -s {net} -o {name} -m conntrack --ctstate DNAT -j MASQUERADE"),
        );
    }
    text + "COMMIT\n"
}

const fn protocol_name(protocol: u8) -> &'static str {
    if protocol == 17 { "udp" } else { "tcp" }
}

fn line(text: &mut String, rule: std::fmt::Arguments<'_>) {
    writeln!(text, "-A {rule}").expect("a string takes everything");
}
