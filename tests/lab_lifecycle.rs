//! A lab comes up, works, and leaves nothing, whatever becomes of the process that runs it.

mod lab_common;

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lab_common::sandbox::sandboxed;
use lab_common::{
    add_node, add_port, assert_nothing_left, eventually, ids, interface, lab, node, plan, runtime,
};
use vswitchd::control::plan::{Cable, KernelBridge, Line, Netns, Plan};
use vswitchd::lab::netlink::Netlink;
use vswitchd::lab::{LabError, clean, netns};
use vswitchd::port::PortKind;

/// Tells the test named `victim` that it is to be one, and where its runtime directory is.
const VICTIM: &str = "VSWITCHD_TEST_VICTIM";

#[test]
fn a_lab_comes_up_as_planned_and_goes_without_a_trace() {
    sandboxed("a_lab_comes_up_as_planned_and_goes_without_a_trace", || {
        let runtime = runtime("updown");
        let plan = everything("updown");
        let mut lab = lab("updown", &runtime).expect("a fresh name");
        let opened = lab.apply(&plan, &ids(&plan)).expect("a sound plan");
        let names: Vec<&str> = opened.ports.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["net", "a:eth0", "uplink"]);
        let mut said = Vec::new();
        lab.start(&plan, &|| false, &mut |line| said.push(line.to_owned())).expect("setup works");
        assert_eq!(said, ["a| hello", "a| /a"], "standard output and error, and the environment");

        let host = links_of(None);
        assert_eq!(host, ["lan0 up", "net up"]);
        assert_eq!(links_of(Some("a")), ["br0 up", "eth0 up", "eth1 up"]);
        let sees = |path: &str| fs::read_to_string(path).map(|s| s.trim().to_owned()).unwrap_or_default();
        assert_eq!(sees("/proc/thread-self/net/if_inet6").lines().filter(|l| l.ends_with("lan0")).count(), 0);

        let node = &lab.nodes()[0];
        assert_eq!(node.state, "running");
        assert_eq!(node.interfaces, ["eth0 10.9.0.2/24 fd09::2/64", "eth1", "br0 10.8.0.1/24"]);
        let pid = node.pid.expect("it has a command");
        let inode =
            |path: String| netns::inode(netns::open(Path::new(&path)).expect("it is there")).expect("a file");
        let node_inode = inode("/run/netns/a".to_owned());
        // the command goes there by itself, after it was started
        eventually(|| inode(format!("/proc/{pid}/ns/net")) == node_inode, "it is in the node");

        let running = lab_common::lab("updown", &runtime).expect_err("one instance at a time");
        assert!(matches!(running, LabError::Running { .. }), "{running}");
        assert_eq!(clean(&runtime, false).expect("works"), [], "a running lab is left alone");
        drop(opened);
        lab.down(&mut |_| ()).expect("goes");
        assert_nothing_left("updown", &runtime);
    });
}

#[test]
fn an_address_is_usable_at_once() {
    sandboxed("an_address_is_usable_at_once", || {
        let runtime = runtime("usable");
        let mut plan = plan("usable");
        add_node(&mut plan, "a", "eth0", &["10.9.0.2/24", "fd09::2/64"]);
        plan.ports[0].interface.gateway =
            vec!["10.9.0.1".parse().expect("v4"), "fd09::1".parse().expect("v6")];
        let mut lab = lab("usable", &runtime).expect("a fresh name");
        let _opened = lab.apply(&plan, &ids(&plan)).expect("a sound plan");
        let file = netns::open(&netns::path("a")).expect("it is there");
        netns::within(file.as_fd(), || {
            // an address under duplicate address detection cannot be bound to
            std::net::UdpSocket::bind("[fd09::2]:0").expect("usable");
            std::net::UdpSocket::bind("10.9.0.2:0").expect("usable");
            let routes = Netlink::open().and_then(|mut n| n.routes()).expect("a list");
            let gateways: Vec<String> =
                routes.iter().filter_map(|r| Some(format!("{} {}", r.to, r.gateway?))).collect();
            assert_eq!(gateways, ["0.0.0.0/0 10.9.0.1", "::/0 fd09::1"]);
        })
        .expect("entered");
    });
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    sandboxed("what_is_not_ours_is_refused_and_left_alone", || {
        let runtime = runtime("foreign");
        let theirs = netns::make("theirs").expect("allowed here");
        netns::publish("b", theirs.as_fd()).expect("the name is free");
        let mut plan = plan("foreign");
        add_node(&mut plan, "a", "eth0", &[]);
        plan.nodes.push(node("b"));
        let mut first = lab("foreign", &runtime).expect("a fresh name");
        let error = first.apply(&plan, &ids(&plan)).expect_err("b is taken");
        assert!(matches!(&error, LabError::NamespaceExists { .. }), "{error}");
        drop(first);
        assert_eq!(lab_common::entries(Path::new("/run/netns")), ["b"], "a is gone, b is not");

        // the same for an interface, though a dead instance's journal names it
        Netlink::open().and_then(|mut n| n.add_veth(["net", "other"])).expect("allowed here");
        let mut plan = lab_common::plan("foreign");
        add_port(&mut plan, "net", Netns::Own, "net", &[]);
        let mut second = lab("foreign", &runtime).expect("the name is free again");
        let error = second.apply(&plan, &ids(&plan)).expect_err("net is taken");
        assert!(matches!(&error, LabError::InterfaceExists { .. }), "{error}");
        drop(second);
        let journal = "{\"do\":{\"open_port\":{\"on\":{\"netns\":\"own\",\"interface\":\"net\"},\"port\":\"net\",\"kind\":\"tap\"}}}\n\
             {\"do\":{\"make_namespace\":{\"node\":\"b\",\"setup\":[]}}}\n{\"do\":{\"make_na";
        fs::write(runtime.join("foreign.journal"), journal).expect("writable");
        let found = clean(&runtime, true).expect("readable");
        assert_eq!(found[0].steps.len(), 2, "{found:?}");
        assert_eq!(clean(&runtime, false).expect("works").len(), 1);
        assert_eq!(lab_common::entries(&runtime), [] as [String; 0]);
        assert_eq!(lab_common::entries(Path::new("/run/netns")), ["b"]);
        assert_eq!(links_of(None), ["net down", "other down"]);
        assert!(!netns::withdraw("b", "vswitchd:foreign").expect("looked at"));
        assert!(netns::withdraw("b", "theirs").expect("looked at"));
    });
}

#[test]
fn a_failed_setup_fails_the_lab() {
    sandboxed("a_failed_setup_fails_the_lab", || {
        let runtime = runtime("setup");
        let mut plan = plan("setup");
        add_node(&mut plan, "a", "eth0", &[]);
        plan.nodes[0].setup = vec!["exit 3".to_owned()];
        let mut failing = lab("setup", &runtime).expect("a fresh name");
        let opened = failing.apply(&plan, &ids(&plan)).expect("a sound plan");
        let error = failing.start(&plan, &|| false, &mut |_| ()).expect_err("it exits 3");
        assert_eq!(error.to_string(), "the setup of the node `a` failed: `exit 3` exited 3");
        drop((opened, failing));

        plan.nodes[0].setup = vec!["sleep 1000".to_owned()];
        let mut hanging = lab("setup", &runtime).expect("the name is free again");
        let opened = hanging.apply(&plan, &ids(&plan)).expect("a sound plan");
        let error = hanging.start(&plan, &|| true, &mut |_| ()).expect_err("cancelled");
        assert!(matches!(error, LabError::Interrupted { .. }), "{error}");
        drop((opened, hanging));
        assert_nothing_left("setup", &runtime);
    });
}

#[test]
fn sixty_four_nodes() {
    sandboxed("sixty_four_nodes", || {
        let runtime = runtime("many");
        let mut plan = plan("many");
        for n in 0..64 {
            add_node(&mut plan, &format!("n{n}"), "eth0", &[&format!("10.9.0.{}/24", n + 1)]);
        }
        let mut lab = lab("many", &runtime).expect("a fresh name");
        let opened = lab.apply(&plan, &ids(&plan)).expect("a sound plan");
        assert_eq!(opened.ports.len(), 64);
        drop(opened);
        lab.down(&mut |_| ()).expect("goes");
        assert_nothing_left("many", &runtime);
    });
}

#[test]
fn a_kill_at_any_moment_leaves_nothing_after_the_next_start() {
    sandboxed("a_kill_at_any_moment_leaves_nothing_after_the_next_start", || {
        let runtime = runtime("killed");
        let mut dirty = 0;
        for round in 0..20_u64 {
            let mut victim = Command::new(std::env::current_exe().expect("known"))
                .args(["--exact", "victim", "--nocapture"])
                .env(VICTIM, &*runtime)
                .stdout(Stdio::null())
                .spawn()
                .expect("it started before");
            // from before its first step to the middle of a later round
            thread::sleep(Duration::from_millis(3 + round * 41 % 160));
            victim.kill().expect("alive: it never ends by itself");
            victim.wait().expect("killed");
            dirty += usize::from(!lab_common::entries(Path::new("/run/netns")).is_empty());
            lab("killed", &runtime).expect("the lock is free").down(&mut |_| ()).expect("goes");
            assert_nothing_left("killed", &runtime);
            assert_eq!(clean(&runtime, false).expect("works"), []);
        }
        assert!(dirty > 0, "no kill came while a namespace stood");
    });
}

/// Not a test by itself: the process that the one above kills.
#[test]
fn victim() {
    let Some(runtime) = std::env::var_os(VICTIM) else { return };
    let plan = everything("killed");
    loop {
        let mut lab = lab("killed", Path::new(&runtime)).expect("the lock is free");
        let opened = lab.apply(&plan, &ids(&plan)).expect("a sound plan");
        lab.start(&plan, &|| false, &mut |_| ()).expect("setup works");
        drop(opened);
        lab.down(&mut |_| ()).expect("goes");
    }
}

/// One of each: a host interface, a node with a TAP, a cable, a bridge, setup and a command.
fn everything(name: &str) -> Plan {
    let mut plan = plan(name);
    add_port(&mut plan, "net", Netns::Own, "net", &["10.9.0.1/24", "fd09::1/64"]);
    add_node(&mut plan, "a", "eth0", &["10.9.0.2/24", "fd09::2/64"]);
    add_port(&mut plan, "uplink", Netns::Own, "lan0", &[]);
    plan.ports[2].kind = PortKind::Raw;
    let node = &mut plan.nodes[0];
    let end = interface("eth1", 9, &[]);
    node.cables.push(Cable { interface: end, peer: "lan0".to_owned(), line: Line(1) });
    node.bridges.push(KernelBridge {
        name: "br0".to_owned(),
        interfaces: vec!["eth1".to_owned()],
        address: vec!["10.8.0.1/24".parse().expect("an address")],
        line: Line(1),
    });
    node.setup = vec!["echo hello; echo \"/$VSWITCHD_NODE\" >&2".to_owned()];
    // a program with a child that outlives it unless somebody looks for it
    node.command = ["/bin/sh", "-c", "sleep 1000 & sleep 1000"].map(str::to_owned).to_vec();
    plan
}

/// The interfaces of a node, or here, but for the loopback interface; with their states.
fn links_of(node: Option<&str>) -> Vec<String> {
    let look = || {
        let mut links = Netlink::open().and_then(|mut n| n.links()).expect("a list");
        links.sort_by(|a, b| a.name.cmp(&b.name));
        let state = |up: bool, carrier: bool| if up && carrier { "up" } else { "down" };
        let line = |l: &vswitchd::lab::netlink::Link| format!("{} {}", l.name, state(l.up, l.carrier));
        links.iter().filter(|l| l.name != "lo").map(line).collect()
    };
    match node {
        None => look(),
        Some(node) => {
            let file = netns::open(&netns::path(node)).expect("it is there");
            netns::within(file.as_fd(), look).expect("entered")
        }
    }
}
