//! Ports with several queues, served by several threads, between real kernels: each flow stays in order, whatever the other
//! direction and the operator do meanwhile.

mod real_common;
#[path = "real_common/talk.rs"]
mod talk;

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use real_common::lab_common::eventually;
use real_common::{File, alone, command, in_node, ping, says, show};
use talk::{Talk, assert_asleep, numbered, quiet, threads};
use vswitchd::control::view::{PortView, StatsView};

/// Flows of one test: enough for each queue to get some.
const FLOWS: u16 = 12;

/// How often flows begin.
const ROUNDS: u16 = 8;

/// Two machines on a network, of that many queues, and two behind a gateway.
fn lab(queues: usize) -> String {
    let mut text = String::from(
        "[lab]\nthreads = 4\n\
         [[network]]\nname = \"lan\"\n[[network]]\nname = \"far\"\n\
         [[router]]\nname = \"gw\"\n\
         [[router.interface]]\nnetwork = \"lan\"\naddress = \"10.0.0.254/24\"\n\
         [[router.interface]]\nnetwork = \"far\"\naddress = \"10.0.1.254/24\"\n",
    );
    for (node, network, address) in [
        ("a", "lan", "10.0.0.1"),
        ("b", "lan", "10.0.0.2"),
        ("c", "far", "10.0.1.3"),
        ("d", "far", "10.0.1.4"),
    ] {
        let gateway = if network == "lan" { "10.0.0.254" } else { "10.0.1.254" };
        text += &format!(
            "[[node]]\nname = \"{node}\"\n[[node.interface]]\nname = \"eth0\"\nnetwork = \"{network}\"\n\
             address = \"{address}/24\"\ngateway = \"{gateway}\"\nqueues = {queues}\n"
        );
    }
    text
}

/// What each thread has received.
fn received() -> Vec<u64> {
    show::<StatsView>("stats").engines.iter().map(|thread| thread.received).collect()
}

/// One socket for each flow, which begin at that port.
fn sockets(node: &str, address: &str, first: u16) -> Vec<UdpSocket> {
    let open = |port: u16| {
        let socket = in_node(node, || UdpSocket::bind((address, port))).expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
        socket
    };
    (first..first + FLOWS).map(open).collect()
}

/// Reads numbers until nothing comes any more; they must rise. Gives how many there were, and the last.
fn in_order(socket: &UdpSocket, flow: usize, done: &AtomicBool) -> (u64, u64) {
    let (mut count, mut last, mut bytes) = (0, 0, [0; 8]);
    loop {
        match socket.recv(&mut bytes) {
            Ok(8) => {
                let number = u64::from_be_bytes(bytes);
                assert!(number > last, "flow {flow}: {number} after {last}");
                (count, last) = (count + 1, number);
            }
            Ok(other) => panic!("flow {flow}: a datagram of {other} bytes"),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if done.load(Ordering::Relaxed) {
                    return (count, last);
                }
            }
            Err(error) => panic!("flow {flow}: {error}"),
        }
    }
}

/// Numbered datagrams in both directions of each flow, so fast that queues are never empty. Some flows begin with one
/// direction only, and the other sets in in their midst: a kernel that follows its writer would then move them to another
/// queue, past datagrams that still wait in the old one.
fn talk_both_ways(near: &[UdpSocket], far: &[UdpSocket]) {
    // a kernel that has to ask for an address first sends what waited for it after what came later
    for (from, to) in [(near, far), (far, near)] {
        from[0].send_to(&[], to[0].local_addr().expect("bound")).expect("a queue");
        to[0].recv(&mut []).expect("it arrives");
    }
    let (done, answer) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let (done, answer) = (&done, &answer);
        let mut readers = Vec::new();
        for (flow, (near, far)) in near.iter().zip(far).enumerate() {
            let (near_at, far_at) = (near.local_addr().expect("bound"), far.local_addr().expect("bound"));
            let send = move |from: &UdpSocket, to: SocketAddr, wait: bool| {
                for number in 1_u64.. {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    if wait && !answer.load(Ordering::Relaxed) {
                        thread::sleep(Duration::from_millis(1));
                        continue;
                    }
                    // a full queue is no matter
                    let _ = from.send_to(&number.to_be_bytes(), to);
                    if number % 8 == 0 {
                        thread::sleep(Duration::from_millis(3));
                    }
                }
            };
            scope.spawn(move || send(near, far_at, false));
            scope.spawn(move || send(far, near_at, flow % 2 == 0));
            readers.push(scope.spawn(move || in_order(far, flow, done)));
            readers.push(scope.spawn(move || in_order(near, flow, done)));
        }
        thread::sleep(Duration::from_millis(700));
        answer.store(true, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(700));
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            let (count, last) = reader.join().expect("in order");
            assert!(count > 50, "{count} of {last} datagrams: that shows nothing");
        }
    });
}

#[test]
fn flows_stay_in_order_whoever_reads_them() {
    alone("flows_stay_in_order_whoever_reads_them", || {
        let file = File::new("queues", &lab(4));
        let running = file.start();
        assert_eq!(threads(running.pid()), ["engine-0", "engine-0.1", "engine-0.2", "engine-0.3"]);
        let outcome = ping("a", "10.0.0.2");
        assert!(outcome.ok, "{}", outcome.detail);
        talk_both_ways(&sockets("a", "10.0.0.1", 4000), &sockets("b", "10.0.0.2", 5000));
        let shares = received();
        assert!(shares.iter().all(|frames| *frames > 100), "each thread had some flows: {shares:?}");
        let ports: Vec<PortView> = show("ports");
        let rx: u64 = ports.iter().map(|port| port.rx.packets).sum();
        let stats: StatsView = show("stats");
        assert!(rx > 1000 && stats.received >= rx, "all that was read is in the books: {rx} {stats:?}");
        assert_eq!(stats.received, received().iter().sum::<u64>(), "whichever thread read it");
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

/// Where there may be no more threads, one reads all queues.
#[test]
fn one_thread_reads_all_queues_if_it_must() {
    alone("one_thread_reads_all_queues_if_it_must", || {
        let file = File::new("alone", &lab(4).replace("threads = 4", "threads = 1"));
        let running = file.start();
        assert_eq!(threads(running.pid()), ["engine-0"]);
        talk_both_ways(&sockets("a", "10.0.0.1", 4000), &sockets("b", "10.0.0.2", 5000));
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

/// The first packets of a flow wait in the router until it knows the next address, which another thread hears; they
/// leave before those that come after them, also if they are more than a batch has room for. Each flow of each round has an
/// address that nobody has asked for.
#[test]
fn packets_that_waited_for_an_address_leave_first() {
    alone("packets_that_waited_for_an_address_leave_first", || {
        [1, 4].into_iter().for_each(packets_wait);
    });
}

/// Addresses are asked for through ports with so many queues.
fn packets_wait(queues: usize) {
    let of_round = |round: u16| (0..FLOWS).map(move |flow| format!("10.0.1.{}", 10 + round * FLOWS + flow));
    let all: Vec<String> = (0..ROUNDS).flat_map(of_round).map(|a| format!("\"{a}/24\"")).collect();
    let file = File::new("waited", &lab(queues).replace("\"10.0.1.3/24\"", &format!("[{}]", all.join(", "))));
    let running = file.start();
    assert!(ping("a", "10.0.0.254").ok, "what `a` has to ask is answered");
    let mut parked = 0;
    for round in 0..ROUNDS {
        let near = sockets("a", "10.0.0.1", 4000);
        let far = sockets("c", "0.0.0.0", 5000);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let done = &done;
            let readers =
                far.iter().enumerate().map(|(flow, far)| scope.spawn(move || in_order(far, flow, done)));
            let readers: Vec<_> = readers.collect();
            for (near, (port, to)) in near.iter().zip((5000..).zip(of_round(round))) {
                scope.spawn(move || {
                    for number in 1_u64..=40 {
                        let _ = near.send_to(&number.to_be_bytes(), (to.as_str(), port));
                    }
                });
            }
            thread::sleep(Duration::from_millis(100));
            done.store(true, Ordering::Relaxed);
            let counts = readers.into_iter().map(|reader| reader.join().expect("in order").0);
            assert!(counts.sum::<u64>() > 20, "round {round}");
        });
        let before = std::mem::replace(&mut parked, show::<StatsView>("stats").parked);
        assert!(parked > before, "round {round}: some had to wait");
    }
    assert_eq!(running.stop(), "");
    file.assert_nothing_left();
}

/// While bytes flow, ports get other numbers of queues, and the network is joined to another and parted from it.
#[test]
fn queues_come_and_go_under_traffic() {
    alone("queues_come_and_go_under_traffic", || {
        let with = |text: String, linked: bool| {
            let island = "[[network]]\nname = \"other\"\n";
            let link = "[[link]]\nnetworks = [\"lan\", \"other\"]\n";
            text + island + if linked { link } else { "" }
        };
        let file = File::new("change", &with(lab(2), false));
        let running = file.start();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let done = &done;
            let talks: Vec<_> =
                [("a", "b", "10.0.0.2:4000"), ("c", "d", "10.0.1.4:4000"), ("a", "c", "10.0.1.3:4001")]
                    .into_iter()
                    .map(|(from, to, at)| scope.spawn(move || Talk::open(from, to, at).run(done)))
                    .collect();
            let numbers = scope.spawn(move || numbered("b", "a", "10.0.0.1:5000", done));
            for linked in [true, false, true, false] {
                thread::sleep(Duration::from_millis(200));
                file.write(&with(lab(2), linked));
                says(&["reload"]);
            }
            done.store(true, Ordering::Relaxed);
            for talk in talks {
                assert!(talk.join().expect("every byte arrived as it was sent") > 0);
            }
            let (count, last) = numbers.join().expect("in order");
            assert!(count > 100, "{count} of {last} datagrams");
        });
        // another number of queues is another interface
        for queues in [4, 1, 3] {
            file.write(&with(lab(queues), false));
            says(&["reload"]);
            let outcome = ping("a", "10.0.0.2");
            assert!(outcome.ok, "{queues}: {}", outcome.detail);
            let outcome = ping("c", "10.0.0.1");
            assert!(outcome.ok, "{queues}, routed: {}", outcome.detail);
        }
        assert!(threads(running.pid()).len() <= 5, "{:?}", threads(running.pid()));
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

/// The interface goes while several threads read it: it is told once, and comes back whole.
#[test]
fn an_interface_with_queues_goes_and_comes_back() {
    alone("an_interface_with_queues_goes_and_comes_back", || {
        let file = File::new("gone", &lab(4));
        let running = file.start();
        let state = || {
            let ports: Vec<PortView> = show("ports");
            ports.iter().find(|port| port.name == "b:eth0").expect("it is in the plan").state.clone()
        };
        assert!(ping("a", "10.0.0.2").ok);
        let gone = command(&["exec", "b", "--", "ip", "link", "del", "eth0"]).status().expect("it runs");
        assert!(gone.success());
        eventually(|| state() == "gone", "every thread has noticed");
        assert!(ping("c", "10.0.0.1").ok, "the others go on");
        says(&["reload"]);
        assert_eq!(state(), "up");
        let outcome = ping("a", "10.0.0.2");
        assert!(outcome.ok, "{}", outcome.detail);
        talk_both_ways(&sockets("a", "10.0.0.1", 4000), &sockets("b", "10.0.0.2", 5000));
        let log = running.stop();
        assert_eq!(log.matches("b:eth0: closed").count(), 1, "{log}");
        file.assert_nothing_left();
    });
}

/// Threads that share a fabric have no timers of their own to be woken by.
#[test]
fn idle_threads_of_a_network_sleep() {
    alone("idle_threads_of_a_network_sleep", || {
        let file = File::new("asleep", &quiet(&lab(4)));
        let running = file.start();
        assert!(ping("a", "10.0.1.3").ok, "so that there are stations and neighbours to be forgotten");
        // what machines say of themselves, and neighbours that are asked once more
        thread::sleep(Duration::from_secs(8));
        assert_asleep(6);
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

/// A raw port on a cable, with a socket for each queue.
#[test]
fn raw_ports_have_queues_too() {
    alone("raw_ports_have_queues_too", || {
        let cabled = lab(4)
            + "[[node]]\nname = \"e\"\n[[node.interface]]\nname = \"eth0\"\npeer = \"cable\"\naddress = \"10.0.0.9/24\"\n\
               [[port]]\nname = \"e\"\nkind = \"raw\"\ninterface = \"cable\"\nnetwork = \"lan\"\nqueues = 4\n";
        let file = File::new("raw", &cabled);
        let running = file.start();
        let outcome = ping("a", "10.0.0.9");
        assert!(outcome.ok, "{}", outcome.detail);
        talk_both_ways(&sockets("e", "10.0.0.9", 4000), &sockets("b", "10.0.0.2", 5000));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let done = &done;
            let talk = scope.spawn(move || Talk::open("e", "a", "10.0.0.1:4000").run(done));
            let back = scope.spawn(move || Talk::open("a", "e", "10.0.0.9:4000").run(done));
            thread::sleep(Duration::from_millis(500));
            done.store(true, Ordering::Relaxed);
            assert!(talk.join().expect("whole") > 0 && back.join().expect("whole") > 0);
        });
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}
