//! Ports in network namespaces of others, who make them anew without telling.

mod real_common;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command};

use real_common::lab_common::eventually;
use real_common::{File, Running, alone, in_node, ping, says, show, vswitchd};
use vswitchd::control::view::{PortView, StationView};
use vswitchd::lab::netlink::{LinkChange, Netlink};
use vswitchd::lab::netns;
use vswitchd::wire::mac::Mac;

/// Whose namespaces they are here: not the lab's.
const THEIRS: &str = "theirs";
const NODE: &str = "10.9.0.1";
const GUEST: &str = "10.9.0.100";

/// Its port stayed in the namespace of before, `up`, and `reload` said that nothing had changed: a container that was
/// started again stayed alone.
#[test]
fn a_namespace_made_anew_under_its_name_is_moved_to() {
    alone("a_namespace_made_anew_under_its_name_is_moved_to", || {
        let first = make("web");
        let file = File::new("anew", &lab(&tap("web")));
        let running = file.start();
        let own = Mac([2, 0, 0, 0, 9, 9]);
        in_node("web", || {
            // a container may give itself an address that the next one does not have
            let mut netlink = Netlink::open().expect("rtnetlink");
            let index = netlink.index("eth0").expect("it is there");
            netlink
                .change_link(index, &LinkChange { mac: Some(own), ..LinkChange::default() })
                .expect("free");
        });
        reach("web");
        assert!(knows(own), "learned");

        remove("web");
        assert_eq!(says(&["reload"]), "nothing changed\n", "a name that means nothing refuses no reload");
        assert_eq!((state(), has(&first, "eth0")), ("up".to_owned(), true), "what stands on it stays");
        let second = make("web");
        says(&["port", "set", "guest", "isolated", "off"]);
        assert_eq!((has(&first, "eth0"), has(&second, "eth0")), (true, false), "not unasked");
        assert_eq!(says(&["reload"]), "port guest opened again\n");
        assert_eq!((has(&first, "eth0"), has(&second, "eth0")), (false, true), "moved, not copied");
        assert!(!knows(own), "nobody of before is behind it");
        reach("web");
        assert_eq!(says(&["reload"]), "nothing changed\n", "once is enough");
        stop(running, &file, "web");
    });
}

/// The same by the file of a process, as one finds a container: behind a link, so that the lab's file can stay.
#[test]
fn a_container_started_again_is_moved_to() {
    alone("a_container_started_again_is_moved_to", || {
        let file = File::new("container", "");
        let link = file.path.with_file_name("web");
        let mut container = Container::start(&link);
        file.write(&lab(&tap(link.to_str().expect("text"))));
        let running = file.start();
        for round in 1..3 {
            assert!(has(&open(&link), "eth0"), "round {round}");
            container.stop();
            assert_eq!(says(&["reload"]), "nothing changed\n", "round {round}: the link leads nowhere");
            container = Container::start(&link);
            assert_eq!(says(&["reload"]), "port guest opened again\n", "round {round}");
        }
        running.stop();
        assert!(!has(&open(&link), "eth0"), "the lab takes along what it made");
        container.stop();
        file.assert_nothing_left();
    });
}

/// There is nobody to answer in a namespace that has the name already: all is as before, until it can be had.
#[test]
fn a_namespace_that_cannot_be_moved_to_moves_nothing() {
    alone("a_namespace_that_cannot_be_moved_to_moves_nothing", || {
        let first = make("web");
        let file = File::new("refused", &lab(&tap("web")));
        let running = file.start();
        remove("web");
        let second = make("web");
        // a container with a network of its own has an interface of that name
        let mut netlink = netns::within(second.as_fd(), Netlink::open).expect("entered").expect("rtnetlink");
        netlink.add_veth(["eth0", "far0"]).expect("free names");
        let output = vswitchd(&["reload"]);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(0), "{complaint}");
        assert!(complaint.contains("eth0") && complaint.contains("`web`"), "{complaint}");
        assert_eq!((state(), has(&first, "eth0")), ("up".to_owned(), true), "where it was");
        assert_eq!(running.log(), "", "nothing else to complain of");
        let index = netlink.index("eth0").expect("just made");
        netlink.delete_link(index).expect("made here");
        assert_eq!(says(&["reload"]), "port guest opened again\n");
        reach("web");
        stop(running, &file, "web");
    });
}

/// The interface of a raw port is not ours to make: in the new namespace it comes when it comes.
#[test]
fn a_raw_port_waits_for_its_interface_in_the_new_namespace() {
    alone("a_raw_port_waits_for_its_interface_in_the_new_namespace", || {
        let _first = make("web");
        plug("web");
        let file = File::new("wait", &lab("kind = 'raw'\ninterface = 'raw0'\nnetns = 'web'\n"));
        let running = file.start();
        reach("web");
        remove("web");
        let second = make("web");
        assert_eq!(says(&["reload"]), "port guest closed until its interface is there\n");
        assert_eq!(state(), "gone");
        assert_eq!(says(&["reload"]), "nothing changed\n", "it refuses no reload");
        plug("web");
        assert_eq!(says(&["reload"]), "port guest opened again\n");
        reach("web");
        running.stop();
        assert!(has(&second, "raw0"), "not the lab's to remove");
        remove("web");
        file.assert_nothing_left();
    });
}

/// A port that went left its namespace behind, open: one that came later was opened there, though the name meant another.
#[test]
fn a_namespace_that_no_port_is_in_is_forgotten() {
    alone("a_namespace_that_no_port_is_in_is_forgotten", || {
        let first = make("web");
        let file = File::new("forgotten", &lab(&tap("web")));
        let running = file.start();
        file.write(&lab(""));
        assert_eq!(says(&["reload"]), "port guest removed\n");
        remove("web");
        file.write(&lab(&tap("web")));
        let output = vswitchd(&["reload"]);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.contains("/run/netns/web"), "the name means nothing: {complaint}");
        let second = make("web");
        assert_eq!(says(&["reload"]), "port guest added\n");
        assert_eq!((has(&first, "eth0"), has(&second, "eth0")), (false, true));
        stop(running, &file, "web");
    });
}

/// A machine, and a guest with these settings.
fn lab(guest: &str) -> String {
    let port = format!("[[port]]\nname = 'guest'\nnetwork = 'net'\n{guest}");
    format!(
        "[[network]]\nname = 'net'\n\
         [[node]]\nname = 'n0'\n[[node.interface]]\nname = 'eth0'\nnetwork = 'net'\naddress = '{NODE}/24'\n{}",
        if guest.is_empty() { "" } else { &port }
    )
}

fn tap(netns: &str) -> String {
    format!("kind = 'tap'\ninterface = 'eth0'\naddress = '{GUEST}/24'\nnetns = '{netns}'\n")
}

/// As `ip netns add` does.
fn make(name: &str) -> OwnedFd {
    let made = netns::make(THEIRS).expect("allowed here");
    netns::publish(name, made.as_fd()).expect("the name is free");
    made
}

/// As `ip netns delete` does.
fn remove(name: &str) {
    assert!(netns::withdraw(name, THEIRS).expect("allowed here"), "it was there");
}

fn open(file: &Path) -> OwnedFd {
    netns::open(file).expect("it is there")
}

fn has(netns: &OwnedFd, interface: &str) -> bool {
    let look = || Netlink::open().and_then(|mut netlink| netlink.link(interface));
    netns::within(netns.as_fd(), look).expect("entered").expect("rtnetlink").is_some()
}

/// A cable from `raw0`, an interface for a raw port, to the guest, which is in the same namespace.
fn plug(name: &str) {
    in_node(name, || {
        let mut netlink = Netlink::open().expect("rtnetlink");
        netlink.add_veth(["raw0", "eth0"]).expect("free names");
        for interface in ["raw0", "eth0"] {
            let index = netlink.index(interface).expect("just made");
            netlink.change_link(index, &LinkChange { up: true, ..LinkChange::default() }).expect("ours");
        }
        let index = netlink.index("eth0").expect("just made");
        netlink.add_address(index, format!("{GUEST}/24").parse().expect("a net")).expect("its first");
    });
}

/// Pings from the guest, so that the node hears who has its address now.
#[track_caller]
fn reach(name: &str) {
    let outcome = ping(name, NODE);
    assert!(outcome.ok, "{}", outcome.detail);
}

fn knows(mac: Mac) -> bool {
    show::<Vec<StationView>>("fdb").iter().any(|station| station.mac == mac)
}

fn state() -> String {
    let ports: Vec<PortView> = show("ports");
    ports.into_iter().find(|port| port.name == "guest").expect("in the file").state
}

/// The lab goes, and takes its interface along, but not the namespace that this is in.
fn stop(running: Running, file: &File, name: &str) {
    running.stop();
    assert!(!has(&open(&netns::path(name)), "eth0"), "the lab takes along what it made");
    remove(name);
    file.assert_nothing_left();
}

/// A process with a network namespace of its own, and a link to that.
struct Container(Child);

impl Container {
    fn start(link: &Path) -> Self {
        let mut command = Command::new("unshare");
        let child = command.args(["--net", "--", "sleep", "1000"]).spawn().expect("util-linux is there");
        let file = format!("/proc/{}/ns/net", child.id());
        let _ = std::fs::remove_file(link);
        symlink(&file, link).expect("writable");
        let own = netns::own().expect("ours");
        eventually(|| !netns::is_same(open(link), &own).expect("two descriptors"), "it has its namespace");
        Self(child)
    }

    fn stop(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("our child");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
