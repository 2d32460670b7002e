//! A reload touches what changed and nothing else.

mod lab_common;

use std::os::fd::AsFd;

use lab_common::sandbox::sandboxed;
use lab_common::{add_node, assert_nothing_left, ids, lab, plan, runtime};
use vswitchd::control::plan::Plan;
use vswitchd::frame::PortId;
use vswitchd::lab::netlink::Netlink;
use vswitchd::lab::{LabError, netns};
use vswitchd::port::PortKind;

#[test]
fn what_did_not_change_is_not_touched() {
    sandboxed("what_did_not_change_is_not_touched", || {
        let runtime = runtime("reload");
        let mut plan = two_nodes("reload");
        let mut lab = lab("reload", &runtime).expect("a fresh name");
        let mut held = lab.apply(&plan, &ids(&plan)).expect("a sound plan").ports;
        let before = [look("a"), look("b")];

        // an address and the MTU of a's interface: its port stays open
        plan.ports[0].interface.address = vec!["10.9.0.7/24".parse().expect("an address")];
        plan.ports[0].interface.mtu = 1400;
        assert_eq!(lab.closing(&plan), [] as [&str; 0]);
        let opened = lab.apply(&plan, &ids(&plan)).expect("a sound plan");
        assert!(opened.ports.is_empty() && opened.closed.is_empty(), "{opened:?}");
        let changed = look("a");
        assert_eq!((changed.index, changed.inode), (before[0].index, before[0].inode));
        assert_eq!((changed.mtu, changed.addresses.as_slice()), (1400, &["10.9.0.7/24".to_owned()][..]));
        assert_eq!(look("b"), before[1]);

        // another kind: the interface is made anew, in the namespace that was there
        plan.ports[0].kind = PortKind::PlainTap;
        assert_eq!(lab.closing(&plan), ["a:eth0"]);
        held.retain(|(name, _)| name != "a:eth0");
        let opened = lab.apply(&plan, &ids(&plan)).expect("a sound plan");
        assert_eq!(opened.closed, ["a:eth0"]);
        assert_eq!(names(&opened.ports), ["a:eth0"]);
        held.extend(opened.ports);
        let anew = look("a");
        assert_eq!(anew.inode, changed.inode);
        assert_ne!(anew.index, changed.index);
        assert_eq!(anew.addresses, changed.addresses, "what stands on it comes again");
        assert_eq!(look("b"), before[1]);

        // another setup: the node is made anew
        plan.nodes[0].setup = vec!["true".to_owned()];
        assert_eq!(lab.closing(&plan), ["a:eth0"]);
        held.retain(|(name, _)| name != "a:eth0");
        held.extend(lab.apply(&plan, &ids(&plan)).expect("a sound plan").ports);
        assert_ne!(look("a").inode, anew.inode);
        assert_eq!(look("b"), before[1]);

        drop(held);
        lab.down(&mut |_| ()).expect("goes");
        assert_nothing_left("reload", &runtime);
    });
}

#[test]
fn a_reload_that_fails_can_be_taken_back() {
    sandboxed("a_reload_that_fails_can_be_taken_back", || {
        let runtime = runtime("back");
        let old = two_nodes("back");
        let mut lab = lab("back", &runtime).expect("a fresh name");
        let mut held = lab.apply(&old, &ids(&old)).expect("a sound plan").ports;
        let b = look("b");
        let mut new = old.clone();
        new.ports[0].kind = PortKind::PlainTap;
        add_node(&mut new, "c", "eth0", &["10.9.0.3/24"]);
        add_node(&mut new, "d", "eth0", &[]);
        let theirs = netns::make("theirs").expect("allowed here");
        netns::publish("d", theirs.as_fd()).expect("the name is free");
        held.retain(|(name, _)| name != "a:eth0");
        let error = lab.apply(&new, &|_| PortId(9)).expect_err("d is taken");
        assert!(matches!(error, LabError::NamespaceExists { .. }), "{error}");
        let again = lab.apply(&old, &ids(&old)).expect("what stood before can stand again");
        assert_eq!(names(&again.ports), ["a:eth0"]);
        assert_eq!(look("b"), b);
        assert!(!netns::path("c").exists());
        assert!(netns::withdraw("d", "theirs").expect("still theirs"));
        drop((held, again));
        lab.down(&mut |_| ()).expect("goes");
        assert_nothing_left("back", &runtime);
    });
}

#[test]
fn a_changed_command_is_started_anew() {
    sandboxed("a_changed_command_is_started_anew", || {
        let runtime = runtime("command");
        let mut plan = two_nodes("command");
        plan.nodes[0].command = ["sleep", "1000"].map(str::to_owned).to_vec();
        let mut lab = lab("command", &runtime).expect("a fresh name");
        let _held = lab.apply(&plan, &ids(&plan)).expect("a sound plan").ports;
        lab.start(&plan, &|| false, &mut |_| ()).expect("it starts");
        let first = lab.nodes()[0].pid.expect("it runs");
        lab.start(&plan, &|| false, &mut |_| ()).expect("nothing to do");
        assert_eq!(lab.nodes()[0].pid, Some(first));
        plan.nodes[0].command[1] = "2000".to_owned();
        lab.start(&plan, &|| false, &mut |_| ()).expect("it starts");
        assert_ne!(lab.nodes()[0].pid.expect("it runs"), first);
        plan.nodes[0].command.clear();
        lab.start(&plan, &|| false, &mut |_| ()).expect("it stops");
        assert_eq!(lab.nodes()[0].state, "idle");
        assert_eq!(lab_common::processes("command"), [] as [i32; 0]);
    });
}

/// What a test compares of a node.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    inode: u64,
    index: u32,
    mtu: u32,
    addresses: Vec<String>,
}

fn look(node: &str) -> Look {
    let file = netns::open(&netns::path(node)).expect("it is there");
    netns::within(file.as_fd(), || {
        let mut netlink = Netlink::open().expect("rtnetlink");
        let link = netlink.link("eth0").expect("an answer").expect("it is there");
        let here = netlink.addresses().expect("a list").into_iter().filter(|a| a.index == link.index);
        let addresses = here.map(|a| a.net.to_string()).filter(|a| !a.starts_with("fe80")).collect();
        Look { inode: netns::inode(&file).expect("a file"), index: link.index, mtu: link.mtu, addresses }
    })
    .expect("entered")
}

fn names(ports: &[(String, vswitchd::port::Port)]) -> Vec<&str> {
    ports.iter().map(|(name, _)| name.as_str()).collect()
}

fn two_nodes(name: &str) -> Plan {
    let mut plan = plan(name);
    add_node(&mut plan, "a", "eth0", &["10.9.0.1/24"]);
    add_node(&mut plan, "b", "eth0", &["10.9.0.2/24"]);
    plan
}
