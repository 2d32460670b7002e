//! Plans written by hand, and a look at what a lab has left.

#![allow(dead_code, reason = "every test crate uses some of it")]

#[path = "../common/program.rs"]
pub(crate) mod program;
#[path = "../common/sandbox.rs"]
pub(crate) mod sandbox;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use program::VSWITCHD;
use vswitchd::bridge::LegConfig;
use vswitchd::control::plan::{Interface, Line, Netns, Node, Plan, Port, Settings};
use vswitchd::frame::PortId;
use vswitchd::lab::netlink::Netlink;
use vswitchd::lab::{LAB_VARIABLE, Lab, LabError};
use vswitchd::port::PortKind;
use vswitchd::wire::mac::Mac;

/// An empty plan.
pub(crate) fn plan(name: &str) -> Plan {
    Plan::empty(name)
}

/// Adds a node with one TAP.
pub(crate) fn add_node(plan: &mut Plan, name: &str, interface: &str, addresses: &[&str]) {
    plan.nodes.push(node(name));
    let netns = Netns::Node(name.to_owned());
    add_port(plan, &format!("{name}:{interface}"), netns, interface, addresses);
}

/// A node without anything.
pub(crate) fn node(name: &str) -> Node {
    Node {
        name: name.to_owned(),
        cables: Vec::new(),
        bridges: Vec::new(),
        setup: Vec::new(),
        command: Vec::new(),
        line: Line(1),
    }
}

/// Adds a TAP.
pub(crate) fn add_port(plan: &mut Plan, name: &str, netns: Netns, interface: &str, addresses: &[&str]) {
    let n = u8::try_from(plan.ports.len()).expect("few ports");
    plan.ports.push(Port {
        name: name.to_owned(),
        network: "net".to_owned(),
        kind: PortKind::Tap,
        queues: std::num::NonZero::<usize>::MIN,
        interface: self::interface(interface, n, addresses),
        netns,
        settings: Settings::new(LegConfig::default(), 1),
        line: Line(1),
    });
}

/// An interface with address 02:…:n.
pub(crate) fn interface(name: &str, n: u8, addresses: &[&str]) -> Interface {
    Interface {
        name: name.to_owned(),
        address: addresses.iter().map(|a| a.parse().expect("an address")).collect(),
        mac: Some(Mac([2, 0, 0, 0, 0, n])),
        mtu: 1500,
        gateway: Vec::new(),
    }
}

/// Ids in the order of the plan's ports.
pub(crate) fn ids(plan: &Plan) -> impl Fn(&str) -> PortId {
    let names: Vec<String> = plan.ports.iter().map(|p| p.name.clone()).collect();
    move |name| PortId(u16::try_from(names.iter().position(|n| n == name).unwrap_or(999)).expect("few"))
}

/// A lab in this runtime directory.
pub(crate) fn lab(name: &str, runtime: &Path) -> Result<Lab, LabError> {
    Lab::with_binary(name, runtime, Path::new(VSWITCHD))
}

/// A runtime directory for one test, that no other has; gone when the test is over.
pub(crate) fn runtime(name: &str) -> Runtime {
    let path = std::env::temp_dir().join(format!("vswitchd-test-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    Runtime(path)
}

/// See [`runtime`].
#[derive(Debug)]
pub(crate) struct Runtime(PathBuf);

impl std::ops::Deref for Runtime {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Everything of the sandbox that a lab could have left: interfaces, namespaces, files, processes.
#[track_caller]
pub(crate) fn assert_nothing_left(lab: &str, runtime: &Path) {
    let links = Netlink::open().and_then(|mut n| n.links()).expect("a list");
    let names: Vec<&str> = links.iter().map(|l| l.name.as_str()).filter(|n| *n != "lo").collect();
    assert!(names.is_empty(), "interfaces: {names:?}");
    assert_eq!(entries(Path::new("/run/netns")), [] as [String; 0], "namespaces");
    assert_eq!(entries(runtime), [] as [String; 0], "files");
    // one that was starting when its parent was killed notices that by itself
    eventually(|| processes(lab).is_empty(), "no processes");
}

/// Waits for something that will happen soon.
#[track_caller]
pub(crate) fn eventually(happened: impl Fn() -> bool, what: &str) {
    for _ in 0..500 {
        if happened() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("not within 5 s: {what}");
}

/// The names in a directory.
pub(crate) fn entries(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

/// The processes that a lab of that name has started and that are alive.
pub(crate) fn processes(lab: &str) -> Vec<i32> {
    let wanted = format!("{LAB_VARIABLE}={lab}");
    let pids = entries(Path::new("/proc")).into_iter().filter_map(|name| name.parse::<i32>().ok());
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&b| b == 0).any(|v| v == wanted.as_bytes())
    })
    .collect()
}
