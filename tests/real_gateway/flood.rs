//! A guest that opens ten times as many flows as there is room for harms nobody but itself.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use etherparse::{IpNumber, Ipv4Header, TcpHeader};
use socket2::{Domain, Protocol, Socket, Type};
use vswitchd::control::view::{ConntrackView, DropView, StatsView};

use crate::real_common::{File, alone, in_node, ping, show};
use crate::sockets::Connection;
use crate::{GUEST_PORT, address, far, lab, published, router, runs};

/// The size of the table, and ten times as many.
const TABLE: usize = 1000;
const FLOOD: u16 = 10_000;
/// Less than a TAP's queue holds.
const PACE: u16 = 250;
/// What the program may grow by: buffers that were not in use before, but nothing for each flow that was refused.
const GROWTH_MAX: u64 = 8 << 20;

#[test]
fn a_flood_of_syns_harms_nobody_else() {
    if !runs("a_flood_of_syns_harms_nobody_else", "ip", "-V") {
        return;
    }
    alone("flood::a_flood_of_syns_harms_nobody_else", || {
        // whoever is to answer the flood finds no way back: a RST would end the flows at once
        let text = lab()
            .replace("name = \"gw\"\n", &format!("name = \"gw\"\nconntrack = {{ max = {TABLE} }}\n"))
            + "[[node]]\nname = \"hole\"\nsetup = [\"ip route add blackhole 192.168.178.27/32\"]\n\
               [[node.interface]]\nname = \"eth0\"\nnetwork = \"lan\"\naddress = \"192.168.178.99/24\"\n";
        let file = File::new("flood", &text);
        let running = file.start();
        let outward = SocketAddr::new(address(&far("tap"), false), GUEST_PORT);
        let inward = SocketAddr::new(router(false), published("plain"));
        let at = SocketAddr::new(address("plain", false), GUEST_PORT);
        let open = || {
            [
                Connection::open("plain", outward, (&far("tap"), outward)),
                Connection::open(&far("tap"), inward, ("plain", at)),
            ]
        };
        let before = open();
        for connection in &before {
            connection.echo().expect("established");
        }
        flood(1);
        let resident = resident(running.pid());
        let mut others = Vec::new();
        for round in 2..5 {
            flood(round);
            for connection in before.iter().chain(others.iter().flatten()) {
                let connection: &Connection = connection;
                connection.echo().unwrap_or_else(|e| panic!("round {round}: established before: {e}"));
            }
            others.push(open());
            let total = show::<ConntrackView>("conntrack").total;
            assert!(total <= TABLE, "L2: {total} flows");
        }
        let grown = self::resident(running.pid()).saturating_sub(resident);
        assert!(grown < GROWTH_MAX, "{grown} bytes more than after the first flood");
        let full = conntrack_full();
        assert!(full.iter().all(|drop| drop.port == "tap:eth0"), "whoever fills it is named: {full:?}");
        let stats: StatsView = show("stats");
        assert!(stats.received > 4 * u64::from(FLOOD), "all of it came in: {stats:?}");
        running.stop();
        file.assert_nothing_left();
    });
}

#[test]
fn established_flows_are_not_sacrificed() {
    alone("flood::established_flows_are_not_sacrificed", || {
        let text = lab().replace("name = \"gw\"\n", "name = \"gw\"\nconntrack = { max = 100 }\n");
        let file = File::new("full", &text);
        let running = file.start();
        let to = SocketAddr::new(address(&far("tap"), false), GUEST_PORT);
        let other = Connection::open("plain", to, (&far("tap"), to));
        let listener = in_node(&far("tap"), || TcpListener::bind(to)).expect("free");
        let connect = || in_node("tap", || TcpStream::connect_timeout(&to, Duration::from_millis(500)));
        let mut connections = Vec::new();
        while let Ok(near) = connect() {
            connections.push((near, listener.accept().expect("connected").0));
        }
        assert_eq!(connections.len(), 99, "L2: all that were left");
        let full = conntrack_full();
        assert_eq!(full.len(), 1, "{full:?}");
        assert_eq!((full[0].port.as_str(), full[0].direction.as_str()), ("tap:eth0", "in"), "who filled it");
        other.echo().expect("established before");
        drop(connections);
        // one of those near is over, whichever it is
        let again = in_node("tap", || TcpStream::connect_timeout(&to, Duration::from_secs(30)));
        assert!(again.is_ok(), "those that are over make room: {again:?}");
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

fn conntrack_full() -> Vec<DropView> {
    let drops: Vec<DropView> = show("drops");
    drops.into_iter().filter(|drop| drop.reason == "conntrack-full").collect()
}

/// SYNs from the guest "tap", each of a flow of its own.
fn flood(round: u16) {
    let (source, destination) = (Ipv4Addr::new(172, 17, 0, 2), Ipv4Addr::new(192, 168, 178, 99));
    let socket =
        in_node("tap", || Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW))));
    let socket = socket.expect("root here");
    let to = SocketAddr::new(destination.into(), 0).into();
    for n in 0..FLOOD {
        let mut tcp = TcpHeader::new(1024 + n, 1000 * round, u32::from(n), 64_240);
        tcp.syn = true;
        let mut ip =
            Ipv4Header::new(tcp.header_len_u16(), 64, IpNumber::TCP, source.octets(), destination.octets())
                .expect("small");
        ip.header_checksum = ip.calc_header_checksum();
        tcp.checksum = tcp.calc_checksum_ipv4(&ip, &[]).expect("small");
        let packet = [&ip.to_bytes()[..], &tcp.to_bytes()].concat();
        socket.send_to(&packet, &to).expect("sent");
        if n % PACE == 0 {
            // what was sent before it has been taken from the TAP when the answer comes, so nothing is lost there
            let outcome = ping("tap", "172.17.0.1");
            assert!(outcome.ok, "{outcome:?}");
        }
    }
}

/// The memory that a process has, in bytes; pages are 4 KiB or more.
fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).expect("it runs");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("as ever");
    pages * 4096
}
