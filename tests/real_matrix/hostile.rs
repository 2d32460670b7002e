//! Guests that write whatever headers they like, and guests that stop to listen: nobody else loses anything.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use vswitchd::control::view::DropView;
use vswitchd::lab::netlink::{LinkChange, Netlink};

use crate::guests::{Guest, KINDS, Kind, Running};
use crate::qemu::Header;
use crate::real_common::{alone, in_node, show};
use crate::relay::Message;
use crate::sockets::{Connection, echo};
use crate::talk::{self, PATIENCE};
use crate::{BRIDGED, Lab, PORT};

/// Questions that well-behaved machines ask each other at least.
const QUESTIONS: u32 = 200;
/// The least room a queue may have.
const SHORT_QUEUE: u32 = 100;

#[test]
fn headers_that_make_no_sense_cost_nobody_else_anything() {
    alone("hostile::headers_that_make_no_sense_cost_nobody_else_anything", || {
        let lab = Lab::start("hostile", "", [BRIDGED; 2], everybody_untagged());
        let over = AtomicBool::new(false);
        let (hostile, good): (Vec<&Running>, _) =
            lab.guests.iter().partition(|running| running.guest.side == 0);
        // neighbours find each other while it is quiet: who waits for an answer of ARP gives up after three seconds
        let mut talks: Vec<Talk> = Vec::new();
        for (n, running) in good.iter().enumerate() {
            let mut talk = Talk::open(running.guest, good[(n + 1) % good.len()].guest);
            talk.ask();
            talks.push(talk);
        }
        thread::scope(|scope| {
            let sprays: Vec<_> =
                hostile.iter().map(|running| scope.spawn(|| (running.guest, spray(running)))).collect();
            for talk in talks {
                scope.spawn(|| talk.go_on(&over));
            }
            let sprayed: Vec<_> = sprays.into_iter().map(thread::ScopedJoinHandle::join).collect();
            // first of all: those who ask wait for it, whatever is found
            over.store(true, Ordering::Relaxed);
            for spray in sprayed {
                let (guest, (taken, all)) = spray.expect("it only writes");
                eprintln!("{}: its kernel let {taken} of {all} headers through", guest.name());
                assert!(taken > 500, "{}: {taken}", guest.name());
            }
        });
        for running in &hostile {
            let (from, to) = (running.guest, good[0].guest);
            let at = SocketAddr::new(to.address(&BRIDGED, false), PORT);
            let what = format!("{} afterwards", from.name());
            talk::stream(Connection::open(&from.name(), at, (&to.name(), at)), 1 << 16, &what);
        }
        let drops: Vec<DropView> = show("drops");
        for drop in &drops {
            eprintln!("{} {}: {} {}", drop.port, drop.direction, drop.count, drop.reason);
            let lost_elsewhere = drop.direction == "out" && drop.reason != "mtu-exceeded";
            assert!(!lost_elsewhere, "{drop:?}: what is let in can leave");
        }
        for running in hostile.iter().filter(|running| running.guest.kind != Kind::Plain) {
            let port = running.guest.port();
            for reason in ["offload-headers", "offload-segment"] {
                let counted = drops.iter().any(|drop| drop.port == port && drop.reason == reason);
                // its kernel finishes what leaves a machine without offloads, and keeps what it cannot finish
                assert!(counted || running.guest.kind != Kind::Qemu, "{port}: {reason}: {drops:?}");
            }
        }
        lab.end();
    });
}

#[test]
fn a_machine_that_stands_still_costs_nobody_else_anything() {
    alone("hostile::a_machine_that_stands_still_costs_nobody_else_anything", || {
        let lab = Lab::start("still", "", [BRIDGED; 2], everybody_untagged());
        let find = |kind, side| {
            let found = |running: &&Running| running.guest.kind == kind && running.guest.side == side;
            lab.guests.iter().find(found).expect("it is there")
        };
        let still = [find(Kind::Qemu, 0), find(Kind::Bare, 0)];
        let sender = find(Kind::Tap, 0).guest;
        let good = [Kind::Tap, Kind::Plain, Kind::Raw, Kind::Qemu].map(|kind| find(kind, 1).guest);
        for running in still {
            echo(&sender.name(), running.guest.address(&BRIDGED, false), 56, "before");
            shorten(&running.guest.port());
            running.pause(true);
        }
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for running in still {
                let to = SocketAddr::new(running.guest.address(&BRIDGED, false), PORT);
                let over = &over;
                scope.spawn(move || flood(sender, to, over));
            }
            for pair in good.windows(2) {
                let (from, to) = (pair[0].name(), pair[1].name());
                let at = SocketAddr::new(pair[1].address(&BRIDGED, false), PORT);
                let what = format!("{from} and {to}, beside machines that stand still");
                talk::stream(Connection::open(&from, at, (&to, at)), 1 << 20, &what);
                talk::datagrams(&from, at, (&to, at), 4, &what);
            }
            over.store(true, Ordering::Relaxed);
        });
        let names = still.map(|running| running.guest.port());
        let lost = crate::counts::full_queues(&names);
        eprintln!("{lost} frames were lost for machines that stood still");
        assert!(lost > 0, "their queues are full");
        let drops: Vec<DropView> = show("drops");
        for drop in &drops {
            let theirs = names.contains(&drop.port);
            let benign = crate::BENIGN.contains(&drop.reason.as_str());
            assert!(theirs || benign, "{drop:?}");
        }
        for running in still {
            running.pause(false);
            echo(&sender.name(), running.guest.address(&BRIDGED, false), 56, "awake again");
        }
        lab.end();
    });
}

fn everybody_untagged() -> Vec<Guest> {
    [0, 1].into_iter().flat_map(Guest::all).filter(|guest| !guest.tagged).collect()
}

/// A machine asks another one, again and again: every question is answered, every answer is right.
struct Talk {
    what: String,
    client: UdpSocket,
    server: UdpSocket,
    /// Questions so far.
    number: u32,
}

impl Talk {
    fn open(from: Guest, to: Guest) -> Self {
        let bind = |guest: Guest| {
            let at = SocketAddr::new(guest.address(&BRIDGED, false), 0);
            let socket = in_node(&guest.name(), || UdpSocket::bind(at)).expect("a free port");
            socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
            socket
        };
        let (client, server) = (bind(from), bind(to));
        client.connect(server.local_addr().expect("bound")).expect("a peer");
        Self { what: format!("{} and {}", from.name(), to.name()), client, server, number: 0 }
    }

    fn ask(&mut self) {
        let Self { what, client, server, number } = self;
        *number += 1;
        let mut buffer = [0; 2000];
        let question = [&number.to_be_bytes()[..], &[7; 900]].concat();
        client.send(&question).unwrap_or_else(|e| panic!("{what}: {e}"));
        for answer in [false, true] {
            let socket = if answer { &*client } else { &*server };
            let (length, whom) =
                socket.recv_from(&mut buffer).unwrap_or_else(|e| panic!("{what}: {e} of number {number}"));
            assert_eq!(buffer[..length], question, "{what}, number {number}");
            if !answer {
                server.send_to(&buffer[..length], whom).unwrap_or_else(|e| panic!("{what}: {e}"));
            }
        }
    }

    fn go_on(mut self, over: &AtomicBool) {
        while self.number < QUESTIONS || !over.load(Ordering::Relaxed) {
            self.ask();
        }
        eprintln!("{}: {} questions answered", self.what, self.number);
    }
}

/// Sends more than anybody can take.
fn flood(from: Guest, to: SocketAddr, over: &AtomicBool) {
    let socket = in_node(&from.name(), || UdpSocket::bind(("0.0.0.0", 0))).expect("a free port");
    while !over.load(Ordering::Relaxed) {
        for _ in 0..20 {
            let _ = socket.send_to(&[7; 1000], to);
        }
        // so that those who are to lose nothing get to send
        thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Leaves an interface of the calling thread's namespace little room.
fn shorten(interface: &str) {
    let mut netlink = Netlink::open().expect("netlink");
    let index = netlink.index(interface).expect("it is there");
    let change = LinkChange { txqueuelen: Some(SHORT_QUEUE), ..LinkChange::default() };
    netlink.change_link(index, &change).expect("root here");
}

/// Writes every header on every frame; how many the sender's kernel takes, and of how many.
fn spray(running: &Running) -> (u64, u64) {
    let (mut taken, mut all) = (0, 0);
    let number = KINDS.iter().position(|kind| *kind == running.guest.kind).expect("one of them") as u8;
    for (frame, transport) in frames(number) {
        for header in headers(frame.len() as u16, transport) {
            all += 1;
            taken += u64::from(running.wire.write(&Message { header, frame: frame.clone() }));
        }
    }
    (taken, all)
}

fn headers(len: u16, transport: u16) -> Vec<Header> {
    let kinds = [0, 1, 2, Header::UFO, 4, 5, 0x21, Header::ECN, 0x81, 0x83, 0x85];
    let mut headers = Vec::new();
    // to be cut finely is to be a flood, which is another story: a queue is full then, whatever headers say
    let least = if len < 200 { 1 } else { 100 };
    for (flags, kind) in [0, 1].into_iter().flat_map(|flags| kinds.map(|kind| (flags, kind))) {
        for (hdr_len, gso_size) in
            [0, 13, len + 1].into_iter().flat_map(|h| [0, least, 65535].map(|s| (h, s)))
        {
            for csum_start in [20, transport, len - 2] {
                for csum_offset in [0, 6, 16] {
                    headers.push(Header { flags, kind, hdr_len, gso_size, csum_start, csum_offset });
                }
            }
        }
    }
    headers
}

/// Frames for everybody, and where their transport headers start.
fn frames(number: u8) -> Vec<(Vec<u8>, u16)> {
    let macs = [[0xff; 6], [2, 0x66, 0, 0, 0, number]].concat();
    let v4 = |protocol: u8, payload: usize| {
        let mut packet = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4([10, 66, 0, number], [10, 66, 0, 99], 64);
        let payload = vec![7; payload];
        match protocol {
            6 => builder.tcp(1, 2, 3, 4).write(&mut packet, &payload),
            _ => builder.udp(1, 2).write(&mut packet, &payload),
        }
        .expect("a vector takes anything");
        packet
    };
    let v6 = |payload: usize| {
        let mut packet = Vec::new();
        let builder = etherparse::PacketBuilder::ipv6([0xfd; 16], [0xfe; 16], 64);
        builder.tcp(1, 2, 3, 4).write(&mut packet, &vec![7; payload]).expect("a vector takes anything");
        packet
    };
    let frame =
        |tag: &[u8], ether_type: [u8; 2], packet: Vec<u8>| [&macs, tag, &ether_type, &packet].concat();
    vec![
        (frame(&[], [8, 0], v4(6, 1000)), 34),
        (frame(&[], [8, 0], v4(17, 1000)), 34),
        (frame(&[], [8, 0], v4(6, 50)), 34),
        (frame(&[], [0x86, 0xdd], v6(1000)), 54),
        (frame(&[0x81, 0, 0, 10], [8, 0], v4(6, 1000)), 38),
        (frame(&[], [8, 0], v4(6, 3000)), 34),
        (frame(&[], [0x88, 0xb5], vec![7; 400]), 34),
        (frame(&[], [8, 0], vec![0x45; 20]), 34),
    ]
}
