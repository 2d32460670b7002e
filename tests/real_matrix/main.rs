//! Every kind of port with every other at full offload: what arrives is what was sent, all checksums are right for
//! whoever sums them, and nothing is sent again for our sake.
//!
//! A table of machines (`guests`), each of which inspects what comes to it (`inspect`), and of what they say to each
//! other (`talk`); bridged in one network, and through a gateway that translates.

#[path = "../common/qemu.rs"]
mod qemu;
#[path = "../real_common/mod.rs"]
mod real_common;
#[allow(dead_code, reason = "shared with the tests of the gateway")]
#[path = "../real_gateway/sockets.rs"]
mod sockets;

mod counts;
mod guests;
mod hostile;
mod inspect;
mod relay;
mod talk;

use std::net::SocketAddr;

use counts::Counts;
use guests::{Guest, KINDS, Kind, Network, Running};
use inspect::Seen;
use real_common::{File, alone, show};
use sockets::{Connection, echo};
use talk::{Largest, SEGMENT};
use vswitchd::control::view::DropView;

/// How much goes each way over a connection.
const STREAM: usize = 512 << 10;
/// How many bursts of datagrams go each way.
const BURSTS: usize = 4;
/// Payloads of pings: an ordinary one, and one in fragments.
const PINGS: [usize; 2] = [56, 9000];
/// The port where machines are asked.
const PORT: u16 = 4000;
/// What may be dropped in a sound lab: what kernels say to the wrong VLAN, or to nobody, when an interface comes up.
const BENIGN: [&str; 6] =
    ["vlan-ingress", "no-port", "not-for-router", "beyond-scope", "multicast-not-routed", "vlan-egress"];

const BRIDGED: Network = Network { name: "net", vid: 10, prefixes: ["10.9.0.", "fd00:9::"], gateways: None };
const INSIDE: Network = Network {
    name: "docker0",
    vid: 10,
    prefixes: ["172.17.0.", "fd00:17::"],
    gateways: Some(["172.17.0.1", "fd00:17::1"]),
};
const OUTSIDE: Network =
    Network { name: "lan", vid: 20, prefixes: ["192.168.178.", "2001:db8:178::"], gateways: None };
/// The gateway's addresses in [`OUTSIDE`].
const ROUTER: [&str; 2] = ["192.168.178.1", "2001:db8:178::1"];

#[test]
fn bridged() {
    alone("bridged", || {
        let lab = Lab::start("bridged", "", [BRIDGED; 2], everybody());
        for (one, other) in lab.pairs() {
            // a pair is a pair in both directions
            let [one_kind, other_kind] =
                [one, other].map(|guest| KINDS.iter().position(|kind| *kind == guest.kind));
            if one_kind > other_kind {
                continue;
            }
            lab.case(one, other, |what, ipv6| {
                let to = SocketAddr::new(other.address(&BRIDGED, ipv6), PORT);
                let (from, node) = (one.name(), other.name());
                let (_, largest) = talk(&from, to, (&node, to), what);
                let whole = [one, other].iter().all(|guest| guest.kind.has_offloads());
                assert_eq!(
                    largest.0 > SEGMENT,
                    whole,
                    "{what}: {largest:?}: datagrams travel as one if they can"
                );
                talk::dhcp(&from, &node, None, what);
                talk::dhcp(&node, &from, None, what);
            });
        }
        lab.stop();
    });
}

#[test]
fn translated() {
    alone("translated", || {
        let mut text = format!(
            "[[router]]\nname = \"gw\"\n\
             [[router.interface]]\nnetwork = \"docker0\"\naccess = 10\naddress = [\"172.17.0.1/24\", \"fd00:17::1/64\"]\nrole = \"inside\"\n\
             [[router.interface]]\nnetwork = \"lan\"\naccess = 20\naddress = [\"{}/24\", \"{}/64\"]\nrole = \"outside\"\n",
            ROUTER[0], ROUTER[1]
        );
        for guest in Guest::all(0) {
            for (ipv6, router) in [(false, ROUTER[0].to_owned()), (true, format!("[{}]", ROUTER[1]))] {
                let to = SocketAddr::new(guest.address(&INSIDE, ipv6), PORT);
                text += &format!(
                    "[[router.publish]]\nlisten = \"{router}:{}\"\nprotocol = [\"tcp\", \"udp\"]\nto = \"{to}\"\n",
                    published(guest)
                );
            }
        }
        let lab = Lab::start("translated", &text, [INSIDE, OUTSIDE], everybody());
        for (guest, remote) in lab.pairs() {
            // tags are taken off before a frame is routed, and others put on behind: nothing depends on both
            if guest.tagged != remote.tagged {
                continue;
            }
            lab.case(guest, remote, |what, ipv6| {
                let router = ROUTER[usize::from(ipv6)].parse().expect("an address");
                let (near, far) = (guest.name(), remote.name());
                let to = SocketAddr::new(remote.address(&OUTSIDE, ipv6), PORT);
                let (seen, _) = talk(&near, to, (&far, to), what);
                assert_eq!(seen.ip(), router, "{what}: whom it sees");
                let (to, at) = (
                    SocketAddr::new(router, published(guest)),
                    SocketAddr::new(guest.address(&INSIDE, ipv6), PORT),
                );
                let what = format!("{what}, published");
                let (seen, _) = talk(&far, to, (&near, at), &what);
                assert_eq!(seen.ip(), remote.address(&OUTSIDE, ipv6), "{what}: whom it sees");
                let server = SocketAddr::new(remote.address(&OUTSIDE, false), 67);
                talk::dhcp(&near, &far, Some(server), &what);
            });
        }
        lab.stop();
    });
}

/// Everything that machines say to each other; gives whom the server sees, and how much it has read at once.
#[track_caller]
fn talk(from: &str, to: SocketAddr, at: (&str, SocketAddr), what: &str) -> (SocketAddr, Largest) {
    talk::stream(Connection::open(from, to, at), STREAM, &format!("{what}, TCP"));
    let (seen, largest) = talk::datagrams(from, to, at, BURSTS, &format!("{what}, UDP"));
    for size in PINGS {
        echo(from, to.ip(), size, &format!("{what}, ping of {size} bytes"));
    }
    (seen, largest)
}

/// Where a guest is reached from beyond the gateway.
fn published(guest: Guest) -> u16 {
    8000 + u16::try_from(guest.number()).expect("few")
}

/// All machines on both sides.
fn everybody() -> Vec<Guest> {
    [0, 1].into_iter().flat_map(Guest::all).collect()
}

/// A lab with machines.
struct Lab {
    file: File,
    vswitchd: real_common::Running,
    guests: Vec<Running>,
}

impl Lab {
    fn start(name: &str, routers: &str, networks: [Network; 2], guests: Vec<Guest>) -> Self {
        let mut text = String::new();
        for (n, network) in networks.iter().enumerate() {
            if n == 0 || network.name != networks[0].name {
                text += &format!("[[network]]\nname = \"{}\"\nvlan_filtering = true\n", network.name);
            }
        }
        text += routers;
        let mut wires = Vec::new();
        for guest in &guests {
            guest.write(&networks[guest.side], &mut text);
            wires.push(guest.power_on());
        }
        let file = File::new(name, &text);
        let vswitchd = file.start();
        let start = |(guest, wire): (Guest, _)| Running::start(guest, &networks[guest.side], wire);
        let guests = guests.into_iter().zip(wires).map(start).collect();
        Self { file, vswitchd, guests }
    }

    /// Everybody of one side with everybody of the other.
    fn pairs(&self) -> impl Iterator<Item = (Guest, Guest)> {
        let side =
            |side| self.guests.iter().map(|running| running.guest).filter(move |guest| guest.side == side);
        side(0).flat_map(move |one| side(1).map(move |other| (one, other)))
    }

    /// Lets two talk, with one family or the other, and looks what their kernels have counted.
    #[track_caller]
    fn case(&self, one: Guest, other: Guest, work: impl Fn(&str, bool)) {
        let names = [one.name(), other.name()];
        let ipv6 = other.tagged;
        let what = format!("{} and {}, {}", names[0], names[1], if ipv6 { "IPv6" } else { "IPv4" });
        let before = names.each_ref().map(|name| Counts::of(name));
        work(&what, ipv6);
        let after = names.each_ref().map(|name| Counts::of(name));
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(after.bad, before.bad, "{what}: wrong checksums");
            assert_eq!(after.full, before.full, "{what}: a full queue");
            assert_eq!(after.gaps, before.gaps, "{what}: something was lost");
            if after.again != before.again {
                eprintln!("{what}: {} segments sent again, though none was lost", after.again - before.again);
            }
        }
    }

    /// Ends it, and sums up.
    #[track_caller]
    fn stop(self) {
        let drops: Vec<DropView> = show("drops");
        let drops: Vec<_> = drops.iter().filter(|drop| !BENIGN.contains(&drop.reason.as_str())).collect();
        assert!(drops.is_empty(), "{drops:?}");
        let owned = |running: &&Running| matches!(running.guest.kind, Kind::Qemu | Kind::Bare);
        let owned: Vec<_> = self.guests.iter().filter(owned).map(|running| running.guest.port()).collect();
        assert_eq!(counts::full_queues(&owned), 0, "QEMU's queues");
        // QEMU goes after vswitchd, or that would say that interfaces are gone
        assert_eq!(self.vswitchd.stop(), "");
        let guests = self.guests.into_iter().map(|running| (running.guest, running.stop()));
        let seen: Vec<(Guest, Seen)> = guests.collect();
        for (guest, seen) in &seen {
            let name = guest.name();
            eprintln!(
                "{name}: {} frames inspected, {} of them unfinished; TCP {}, UDP {}, ICMP {}",
                seen.frames, seen.unfinished, seen.tcp, seen.udp, seen.icmp
            );
            assert_eq!(seen.faults, [] as [String; 0], "{name}");
            assert_eq!(seen.refused, 0, "{name}: frames that a kernel did not take");
            assert!(seen.tcp.min(seen.udp).min(seen.icmp) > 0, "{name}: {seen:?}");
            assert_eq!(
                seen.unfinished > 0,
                guest.kind.has_offloads(),
                "{name}: offloads are used where there are any"
            );
        }
        self.file.assert_nothing_left();
    }

    /// Ends it, whatever its machines have seen.
    #[track_caller]
    fn end(self) {
        assert_eq!(self.vswitchd.stop(), "");
        self.guests.into_iter().for_each(|running| drop(running.stop()));
        self.file.assert_nothing_left();
    }
}
