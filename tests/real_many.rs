//! Many machines on one network, and one of them that misbehaves.

mod real_common;

use std::fmt::Write as _;
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pnet_datalink::{Channel, Config};
use real_common::lab_common::eventually;
use real_common::{File, alone, in_node, ping, says, show};
use vswitchd::control::view::{DropView, NetworkView, PortView, StationView};
use vswitchd::lab::netlink::{LinkChange, Netlink};
use vswitchd::lab::netns;
use vswitchd::sim::Rng;
use vswitchd::wire::mac::Mac;

/// Machines on the large network.
const NODES: usize = 64;
/// Rounds of pings between two flushes of the neighbour tables. The kernel keeps at most 1024 neighbours, for all
/// namespaces together (gc_thresh3 of the first one), and a round makes two for each node; other tests want some too.
const ROUNDS_PER_FLUSH: usize = 3;

#[test]
fn sixty_four_machines_all_reach_each_other() {
    alone("sixty_four_machines_all_reach_each_other", || {
        let file = File::new("many", &lab(NODES, ""));
        let running = file.start();
        let mut tables: Vec<NeighbourTable> = (0..NODES).map(NeighbourTable::open).collect();
        let missed = Mutex::new(Vec::new());
        for distance in 1..NODES {
            let next = AtomicUsize::new(0);
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        loop {
                            let from = next.fetch_add(1, Ordering::Relaxed);
                            if from >= NODES {
                                return;
                            }
                            let to = (from + distance) % NODES;
                            let outcome = ping(&name(from), &address(to));
                            if !outcome.ok {
                                missed.lock().expect("sound").push((from, to, outcome.detail));
                            }
                        }
                    });
                }
            });
            if distance % ROUNDS_PER_FLUSH == 0 {
                tables.iter_mut().for_each(NeighbourTable::flush);
            }
        }
        let missed = missed.into_inner().expect("sound");
        assert!(missed.is_empty(), "{} of {} pings missed: {missed:?}", missed.len(), NODES * (NODES - 1));
        let networks: Vec<NetworkView> = show("networks");
        assert_eq!(networks[0].stations, NODES, "each behind its port");
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

#[test]
fn a_deleted_interface_disables_its_port_only() {
    alone("a_deleted_interface_disables_its_port_only", || {
        let file = File::new("unplug", &lab(4, ""));
        let running = file.start();
        assert!(ping("n0", &address(1)).ok && ping("n2", &address(3)).ok, "all is well before");
        unplug("n1");
        eventually(|| running.log().contains("n1:eth0"), "it says so");
        let said = running.log();
        assert!(said.contains("port n1:eth0: closed, because its interface is gone"), "{said}");
        assert_eq!(said.lines().count(), 1, "once, and nothing else: {said}");
        let ports: Vec<PortView> = show("ports");
        let states: Vec<&str> = ports.iter().map(|port| port.state.as_str()).collect();
        assert_eq!(states, ["up", "gone", "up", "up"]);
        let stations: Vec<StationView> = show("fdb");
        assert!(stations.iter().all(|station| station.ifname != "n1:eth0"), "{stations:?}");
        for (from, to) in [(0, 2), (2, 3), (3, 0)] {
            let outcome = ping(&name(from), &address(to));
            assert!(outcome.ok, "{from} to {to}: {}", outcome.detail);
        }
        assert_eq!(says(&["reload"]), "port n1:eth0 opened again\n", "though the file is the same");
        let outcome = ping("n0", &address(1));
        assert!(outcome.ok, "it is back: {}", outcome.detail);
        unplug("n1");
        eventually(|| running.log().lines().count() == 2, "it says so again");
        // it is in nobody's way: others come, it goes, and comes again
        for nodes in [5, 1, 2] {
            file.write(&lab(nodes, ""));
            says(&["reload"]);
            assert_eq!(show::<Vec<PortView>>("ports").len(), nodes);
        }
        let outcome = ping("n0", &address(1));
        assert!(outcome.ok, "{}", outcome.detail);
        running.stop();
        file.assert_nothing_left();
    });
}

/// It stayed closed, and `reload` said that nothing had changed: a guest of QEMU that was started again, on a TAP that
/// QEMU makes, stayed alone.
#[test]
fn a_raw_port_comes_back_with_its_interface() {
    alone("a_raw_port_comes_back_with_its_interface", || {
        let mut netlink = Netlink::open().expect("rtnetlink");
        let raw = "[[port]]\nname = 'guest'\nnetwork = 'net'\nkind = 'raw'\ninterface = 'raw0'\n";
        plug(&mut netlink);
        let file = File::new("replug", &(lab(1, "") + raw));
        let running = file.start();
        let state = || -> String {
            let ports: Vec<PortView> = show("ports");
            ports.into_iter().find(|port| port.name == "guest").expect("in the file").state
        };
        for round in 1..3 {
            let outcome = ping("n0", &address(100));
            assert!(outcome.ok, "round {round}: {}", outcome.detail);
            let index = netlink.index("raw0").expect("there");
            netlink.delete_link(index).expect("made here");
            eventually(|| state() == "gone", "it is gone");
            let said = says(&["reload"]);
            assert_eq!(said, "nothing changed\n", "round {round}: what is not there is in nobody's way");
            plug(&mut netlink);
            assert_eq!(says(&["reload"]), "port guest opened again\n", "round {round}");
            assert_eq!(state(), "up", "round {round}");
            assert_eq!(says(&["reload"]), "nothing changed\n", "round {round}: once is enough");
        }
        let outcome = ping("n0", &address(100));
        assert!(outcome.ok, "{}", outcome.detail);
        running.stop();
        let index = netlink.index("raw0").expect("not the lab's to remove");
        netlink.delete_link(index).expect("made here");
        file.assert_nothing_left();
    });
}

/// A cable from `raw0`, an interface for a raw port, to a machine that is this process.
fn plug(netlink: &mut Netlink) {
    netlink.add_veth(["raw0", "raw1"]).expect("free names");
    for (name, last) in [("raw0", 0), ("raw1", 1)] {
        let index = netlink.index(name).expect("just made");
        // the same again: the others would look for the old one a while
        let mac = Some(Mac([2, 0, 0, 0, 9, last]));
        netlink.change_link(index, &LinkChange { mac, up: true, ..LinkChange::default() }).expect("ours");
    }
    let index = netlink.index("raw1").expect("just made");
    netlink.add_address(index, format!("{}/24", address(100)).parse().expect("a net")).expect("its first");
}

#[test]
fn a_flood_of_stations_displaces_nobody() {
    alone("a_flood_of_stations_displaces_nobody", || {
        const FDB_MAX: usize = 16;
        let file = File::new("flood", &lab(4, &format!("fdb_max = {FDB_MAX}\n")));
        let running = file.start();
        assert!(ping("n0", &address(1)).ok && ping("n2", &address(3)).ok, "all is well before");
        let known = || {
            let stations: Vec<StationView> = show("fdb");
            let ours = stations.into_iter().filter(|s| s.ifname != "n3:eth0" && s.state.is_empty());
            let mut ours: Vec<(String, Mac)> = ours.map(|s| (s.ifname, s.mac)).collect();
            ours.sort_by(|a, b| a.0.cmp(&b.0));
            ours
        };
        let before = known();
        assert_eq!(before.len(), 3, "{before:?}");
        let sent = in_node("n3", || flood(2000));
        eventually(
            || show::<Vec<PortView>>("ports")[3].rx.packets >= sent,
            "the flood has been read, or dropped by the kernel before",
        );
        let networks: Vec<NetworkView> = show("networks");
        assert_eq!(networks[0].stations, FDB_MAX, "full, and not fuller");
        assert_eq!(known(), before, "those of the other ports are still known");
        for (from, to) in [(0, 1), (1, 2), (2, 0)] {
            let outcome = ping(&name(from), &address(to));
            assert!(outcome.ok, "{from} to {to}: {}", outcome.detail);
        }
        let drops: Vec<DropView> = show("drops");
        eprintln!("{drops:?}");
        running.stop();
        file.assert_nothing_left();
    });
}

/// Machines n0, n1 … on one network.
fn lab(nodes: usize, settings: &str) -> String {
    let mut text = format!("[[network]]\nname = \"net\"\n{settings}");
    for n in 0..nodes {
        let (name, address) = (name(n), address(n));
        writeln!(
            text,
            "[[node]]\nname = \"{name}\"\n[[node.interface]]\nname = \"eth0\"\nnetwork = \"net\"\n\
             address = \"{address}/24\""
        )
        .expect("a string grows");
    }
    text
}

fn name(n: usize) -> String {
    format!("n{n}")
}

fn address(n: usize) -> String {
    format!("10.9.0.{}", n + 1)
}

fn unplug(node: &str) {
    in_node(node, || {
        let mut netlink = Netlink::open().expect("rtnetlink");
        let index = netlink.index("eth0").expect("it is there");
        netlink.delete_link(index).expect("it is ours");
    });
}

/// A node's ARP cache.
struct NeighbourTable {
    netlink: Netlink,
    index: u32,
    mac: Option<Mac>,
}

impl NeighbourTable {
    fn open(n: usize) -> Self {
        let file = netns::open(&netns::path(&name(n))).expect("the node is there");
        let netlink = netns::within(file.as_fd(), Netlink::open).expect("entered");
        let mut netlink = netlink.expect("rtnetlink");
        let link = netlink.link("eth0").expect("an answer").expect("it is there");
        Self { netlink, index: link.index, mac: link.mac }
    }

    /// Forgets everything: to the kernel, a hardware address that is set is a new one, even if it is the old one.
    fn flush(&mut self) {
        let change = LinkChange { mac: self.mac, ..LinkChange::default() };
        self.netlink.change_link(self.index, &change).expect("it is ours");
        let left = self.netlink.neighbours().expect("a list");
        assert!(left.iter().all(|n| n.index != self.index || !n.address.is_ipv4()), "{left:?}");
    }
}

/// Sends that many frames, each from another station, from the calling thread's namespace.
fn flood(count: u64) -> u64 {
    let interfaces = pnet_datalink::interfaces();
    let eth0 = interfaces.iter().find(|interface| interface.name == "eth0").expect("it is there");
    let Ok(Channel::Ethernet(mut tx, _rx)) = pnet_datalink::channel(eth0, Config::default()) else {
        panic!("a packet socket for Ethernet");
    };
    let mut rng = Rng::new(1);
    for _ in 0..count {
        let mut frame = [0; 60];
        frame[..6].copy_from_slice(&[2, 0xff, 0, 0, 0, 1]); // nobody has this address
        frame[6..14].copy_from_slice(&rng.next_u64().to_be_bytes());
        frame[6] = 2; // some station's own address, not a group's
        frame[12..14].copy_from_slice(&[0x88, 0xb5]); // for experiments (IEEE 802)
        let _ = tx.send_to(&frame, None); // the queue may be full
    }
    count / 2
}
