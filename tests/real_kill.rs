//! Killed at any moment, a lab is gone after the next start or after `clean`, with everything it had.

mod real_common;

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::thread;
use std::time::Duration;

use real_common::lab_common::{entries, eventually, processes};
use real_common::{File, alone, says};
use rustix::process::Signal;
use vswitchd::sim::{Rng, seed_from_environment};

/// One of everything that could be left behind: the host's interface, nodes, a cable, a bridge, a program that leaves
/// children behind, a second thread with a port of its own.
const EVERYTHING: &str = r#"
[lab]
threads = 2

[[network]]
name = "alone"

[[node]]
name = "c"
[[node.interface]]
name = "eth0"
network = "alone"

[[network]]
name = "kill0"
host = ["10.9.0.1/24", "fd09::1/64"]

[[port]]
name = "uplink"
network = "kill0"
kind = "raw"
interface = "kill1"

[[node]]
name = "a"
setup = ["echo hello"]
command = ["sh", "-c", "sleep 1000 & sleep 1000"]
[[node.interface]]
name = "eth0"
network = "kill0"
address = "10.9.0.2/24"

[[node]]
name = "b"
[[node.interface]]
name = "eth0"
peer = "kill1"
[[node.bridge]]
name = "br0"
interfaces = ["eth0"]
address = "10.9.0.3/24"
"#;

/// When the kill comes.
#[derive(Clone, Copy, Debug)]
enum During {
    Run,
    Start,
    Stop,
}

#[test]
fn killed_at_any_moment_leaves_nothing_for_long() {
    alone("killed_at_any_moment_leaves_nothing_for_long", || {
        let seed = seed_from_environment(RandomState::new().hash_one(0));
        eprintln!("VSWITCHD_SEED={seed} kills at these moments again");
        let mut rng = Rng::new(seed);
        let file = File::new("kill", EVERYTHING);
        let mut dirty = 0;
        for round in 0..20 {
            let during = [During::Start, During::Run, During::Stop][round % 3];
            let delay = Duration::from_micros(rng.below(60_000));
            kill(&file, during, delay);
            let context = format!("seed {seed}, round {round}: killed {delay:?} into {during:?}");
            dirty += usize::from(!entries(Path::new("/run/netns")).is_empty());
            if rng.chance(50) {
                eprintln!("{context}; then clean: {}", says(&["clean"]).lines().count());
            } else {
                let log = file.start().stop();
                eprintln!("{context}; then the next start: {log:?}");
            }
            assert_eq!(says(&["clean"]), "nothing was left behind\n", "{context}");
            file.assert_nothing_left();
        }
        assert!(dirty > 0, "no kill came while a namespace stood");
    });
}

fn kill(file: &File, during: During, delay: Duration) {
    let mut victim = match during {
        During::Start => file.spawn(),
        During::Run | During::Stop => file.start(),
    };
    if matches!(during, During::Stop) {
        victim.signal(Signal::TERM);
    }
    thread::sleep(delay);
    victim.signal(Signal::KILL);
    victim.wait();
    // the programs of the nodes do not outlive it: their lives are tied to its; but their children may
    if matches!(during, During::Run) {
        eventually(|| !processes(&file.lab).iter().any(|&pid| is_shell(pid)), "the node's program is gone");
    }
}

fn is_shell(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sh")
}
