//! Traffic whose every byte and number is looked at, while something else happens.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use vswitchd::control::view::StatsView;
use vswitchd::sim::Rng;

use crate::real_common::{in_node, show};

/// Nothing takes as long, unless it is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// The names of the engine threads of a process, in order.
pub(crate) fn threads(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    let mut names: Vec<String> =
        names.map(|name| name.trim().to_owned()).filter(|n| n.starts_with("engine")).collect();
    names.sort();
    names
}

/// The same lab with machines that do not speak unasked, as those with IPv6 do.
pub(crate) fn quiet(lab: &str) -> String {
    let setup = "setup = [\"echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6\"]\n";
    lab.replace("[[node.interface]]", &format!("{setup}[[node.interface]]"))
}

/// No engine thread is woken more often than that within two seconds; those who ask wake it, too.
pub(crate) fn assert_asleep(most: u64) {
    let wakeups = || show::<StatsView>("stats").engines.iter().map(|e| e.wakeups).collect::<Vec<_>>();
    let first = wakeups();
    thread::sleep(Duration::from_secs(2));
    let woken: Vec<u64> = wakeups().iter().zip(&first).map(|(b, a)| b - a).collect();
    assert!(woken.iter().all(|count| *count <= most), "{woken:?}");
}

/// A TCP connection between two nodes.
pub(crate) struct Talk {
    near: TcpStream,
    far: TcpStream,
}

impl Talk {
    pub(crate) fn open(from: &str, to: &str, at: &str) -> Self {
        let at: SocketAddr = at.parse().expect("an address");
        let listener = in_node(to, || TcpListener::bind(at)).expect("a free port");
        let near = in_node(from, || TcpStream::connect_timeout(&at, PATIENCE)).expect("it listens");
        let (far, _) = listener.accept().expect("it has connected");
        for end in [&near, &far] {
            end.set_read_timeout(Some(PATIENCE)).expect("a socket");
            end.set_write_timeout(Some(PATIENCE)).expect("a socket");
        }
        Self { near, far }
    }

    #[allow(dead_code, reason = "not every test crate asks")]
    pub(crate) fn echo(&self) {
        for (mut from, mut to) in [(&self.near, &self.far), (&self.far, &self.near)] {
            let mut said = [0; 12];
            from.write_all(b"still there?").expect("it stands");
            to.read_exact(&mut said).expect("it stands");
            assert_eq!(&said, b"still there?");
        }
    }

    /// Noise goes one way until it is enough; gives how many bytes have arrived, all as they were sent.
    pub(crate) fn run(self, done: &AtomicBool) -> usize {
        let Self { mut near, mut far } = self;
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut rng = Rng::new(7);
                while !done.load(Ordering::Relaxed) {
                    near.write_all(&noise(&mut rng)).expect("it stands");
                }
            });
            let (mut rng, mut count) = (Rng::new(7), 0);
            let mut received = vec![0; NOISE];
            loop {
                match far.read_exact(&mut received) {
                    Ok(()) => assert_eq!(received, noise(&mut rng), "after {count} bytes"),
                    // the sender has closed, after a whole piece
                    Err(error) => {
                        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "after {count} bytes");
                        return count;
                    }
                }
                count += NOISE;
            }
        })
    }
}

const NOISE: usize = 16 << 10;

fn noise(rng: &mut Rng) -> Vec<u8> {
    std::iter::repeat_with(|| rng.next_u64().to_ne_bytes()).flatten().take(NOISE).collect()
}

/// Sends numbered datagrams until it is enough, which may get lost but not out of order; gives how many have arrived, and
/// the last number.
pub(crate) fn numbered(from: &str, to: &str, at: &str, done: &AtomicBool) -> (u64, u64) {
    let at: SocketAddr = at.parse().expect("an address");
    let receiver = in_node(to, || UdpSocket::bind(at)).expect("a free port");
    receiver.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
    let sender = in_node(from, || UdpSocket::bind("0.0.0.0:0")).expect("a free port");
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 1_u64.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                // a full queue is no matter
                let _ = sender.send_to(&number.to_be_bytes(), at);
                thread::sleep(Duration::from_micros(50));
            }
        });
        let (mut count, mut last, mut bytes) = (0, 0, [0; 8]);
        loop {
            match receiver.recv(&mut bytes) {
                Ok(_) => {
                    let number = u64::from_be_bytes(bytes);
                    assert!(number > last, "{number} after {last}");
                    (count, last) = (count + 1, number);
                }
                Err(_) if done.load(Ordering::Relaxed) => return (count, last),
                Err(_) => {}
            }
        }
    })
}
