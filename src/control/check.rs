//! Whether this machine has room for a lab: names that are taken, interfaces that are missing, addresses that collide.
//!
//! A pure function of the plan and an [`Inventory`]; only [`Inventory::read`] looks at the machine, through
//! `pnet_datalink` and /run/netns. Nothing is touched.
//!
//! What a running or a dead instance of the same lab has made is not in the way: a reload keeps it, a start removes it.
//! It is told by its tag, `vswitchd:LAB`, the interface's alias.

use std::fs;
use std::ops::Range;

use ipnet::IpNet;

use crate::control::config::{Diagnostic, Severity};
use crate::control::plan::{Line, Netns, Plan, Port};
use crate::port::PortKind;

/// What there is on this machine, as far as labs care.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The interfaces of our own namespace that are not this lab's, with their addresses.
    pub interfaces: Vec<(String, Vec<IpNet>)>,
    /// The names under /run/netns that are not this lab's.
    pub namespaces: Vec<String>,
}

impl Inventory {
    /// What there is now that is not of the lab `lab`. What cannot be read is not there.
    pub fn read(lab: &str) -> Self {
        let tag = crate::lab::tag(lab);
        let alias =
            |name: &str| fs::read_to_string(format!("/sys/class/net/{name}/ifalias")).unwrap_or_default();
        let interfaces = pnet_datalink::interfaces()
            .into_iter()
            .filter(|interface| alias(&interface.name).trim() != tag)
            .map(|interface| {
                let nets = interface.ips.iter().filter_map(|n| IpNet::new(n.ip(), n.prefix()).ok());
                (interface.name, nets.collect())
            })
            .collect();
        let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let namespaces = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !crate::lab::netns::is_of_lab(name, &tag))
            .collect();
        Self { interfaces, namespaces }
    }

    fn interface(&self, name: &str) -> Option<&[IpNet]> {
        self.interfaces.iter().find(|(found, _)| found == name).map(|(_, nets)| nets.as_slice())
    }
}

/// What is in the way. `text` is the file's, to point at its lines.
pub fn conflicts(plan: &Plan, text: &str, inventory: &Inventory) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for node in &plan.nodes {
        if inventory.namespaces.contains(&node.name) {
            let message = format!("there is a network namespace `{}` already", node.name);
            found.push(problem(
                Severity::Error,
                text,
                node.line,
                "the node needs this name",
                message,
                Some(format!(
                    "give the node another name, or remove the namespace: ip netns delete {}",
                    node.name
                )),
            ));
        }
        for cable in &node.cables {
            if inventory.interface(&cable.peer).is_some() {
                found.push(exists(text, cable.line, &cable.peer));
            }
        }
    }
    let peers: Vec<&str> =
        plan.nodes.iter().flat_map(|n| &n.cables).map(|cable| cable.peer.as_str()).collect();
    for port in plan.ports.iter().filter(|port| port.netns == Netns::Own) {
        let name = &port.interface.name;
        match (port.kind, inventory.interface(name)) {
            (PortKind::Raw, None) if !peers.contains(&name.as_str()) => {
                found.push(missing(text, port, inventory))
            }
            (PortKind::Raw, Some(nets)) if !nets.is_empty() => found.push(shared(text, port, nets)),
            (PortKind::Raw, _) | (_, None) => {}
            (_, Some(_)) => found.push(exists(text, port.line, name)),
        }
        found.extend(overlaps(text, port, inventory));
    }
    found
}

fn exists(text: &str, line: Line, name: &str) -> Diagnostic {
    let message = format!("there is an interface `{name}` already");
    let help = format!("choose another name, or remove it: ip link delete {name}");
    problem(Severity::Error, text, line, "this needs the name", message, Some(help))
}

fn missing(text: &str, port: &Port, inventory: &Inventory) -> Diagnostic {
    let message = format!("there is no interface `{}`", port.interface.name);
    let names: Vec<&str> = inventory.interfaces.iter().map(|(name, _)| name.as_str()).collect();
    let help = format!("a raw port needs one that exists; there are: {}", names.join(", "));
    problem(Severity::Error, text, port.line, "this port is to use it", message, Some(help))
}

/// The host's own stack hears every frame of the interface too, and answers those to its address.
fn shared(text: &str, port: &Port, nets: &[IpNet]) -> Diagnostic {
    let nets: Vec<String> = nets.iter().map(ToString::to_string).collect();
    let name = &port.interface.name;
    let message =
        format!("`{name}` has an address of the host's ({}), which answers there as well", nets.join(", "));
    let help = "guests and host share the wire; remove the address if only guests are to be there".to_owned();
    problem(Severity::Warning, text, port.line, "this port uses it", message, Some(help))
}

/// Two interfaces of the host in overlapping networks: one of them would get the other's traffic.
fn overlaps(text: &str, port: &Port, inventory: &Inventory) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for wanted in &port.interface.address {
        for (name, nets) in inventory.interfaces.iter().filter(|(name, _)| *name != port.interface.name) {
            let overlap = |net: &&IpNet| net.contains(&wanted.trunc()) || wanted.contains(&net.trunc());
            if let Some(net) = nets.iter().find(overlap) {
                let message = format!("{wanted} overlaps {net} of the interface `{name}`");
                let help = "choose a network that this host is not in".to_owned();
                found.push(problem(Severity::Error, text, port.line, "given here", message, Some(help)));
            }
        }
    }
    found
}

fn problem(
    severity: Severity,
    text: &str,
    line: Line,
    label: &str,
    message: String,
    help: Option<String>,
) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(severity, span(text, line), label, message);
    diagnostic.help = help;
    diagnostic
}

/// The bytes of a line, without its indentation.
fn span(text: &str, line: Line) -> Range<usize> {
    let mut start = 0;
    for (index, content) in text.split_inclusive('\n').enumerate() {
        if index + 1 == line.0 as usize {
            let indent = content.len() - content.trim_start().len();
            return start + indent..start + content.trim_end().len().max(indent);
        }
        start += content.len();
    }
    text.len()..text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::config;

    const LAB: &str = r#"
[[network]]
name = "lan"
host = "10.9.0.1/24"

[[port]]
name = "up"
network = "lan"
kind = "raw"
interface = "nic0"

[[node]]
name = "boxA"
[[node.interface]]
name = "eth0"
network = "lan"
[[node.interface]]
name = "eth1"
peer = "lan0"
"#;

    fn messages(interfaces: &[(&str, &[&str])], namespaces: &[&str]) -> Vec<String> {
        let (plan, _) = config::parse(LAB, "test").expect("a sound file");
        let nets = |nets: &[&str]| nets.iter().map(|net| net.parse().expect("a net")).collect();
        let inventory = Inventory {
            interfaces: interfaces.iter().map(|(name, list)| ((*name).to_owned(), nets(list))).collect(),
            namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        };
        conflicts(&plan, LAB, &inventory).into_iter().map(|d| d.message).collect()
    }

    #[test]
    fn what_is_in_the_way() {
        let nic: (&str, &[&str]) = ("nic0", &[]);
        type Case<'a> = (&'a [(&'a str, &'a [&'a str])], &'a [&'a str], &'a str, &'a str);
        let table: &[Case<'_>] = &[
            (&[nic], &[], "", "nothing"),
            (&[], &[], "there is no interface `nic0`", "a raw port wants one that exists"),
            (&[nic, ("lan", &[])], &[], "there is an interface `lan` already", "the host's is to be made"),
            (&[nic, ("lan0", &[])], &[], "there is an interface `lan0` already", "the cable's end too"),
            (
                &[nic, ("eth9", &["10.9.0.7/16"])],
                &[],
                "10.9.0.1/24 overlaps 10.9.0.7/16",
                "the host is there already",
            ),
            (&[nic, ("eth9", &["10.8.0.7/16"])], &[], "", "the host is somewhere else"),
            (&[("nic0", &["10.8.0.7/16"])], &[], "`nic0` has an address of the host's", "both would answer"),
            (&[nic], &["boxA"], "there is a network namespace `boxA` already", "the node's"),
            (&[nic], &["boxB"], "", "somebody else's"),
        ];
        for (interfaces, namespaces, expected, why) in table {
            let found = messages(interfaces, namespaces);
            match found.as_slice() {
                [] => assert_eq!(*expected, "", "{why}"),
                [message] => {
                    assert!(!expected.is_empty() && message.starts_with(expected), "{why}: {message}")
                }
                more => panic!("{why}: {more:?}"),
            }
        }
    }
}
