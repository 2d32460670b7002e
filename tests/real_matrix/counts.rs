//! What kernels count: segments sent again, packets with wrong checksums, frames that a full queue lost.

use std::collections::BTreeMap;
use std::fs;

use crate::real_common::in_node;

/// The counters of a namespace that say whether something went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Segments that came before one that was sent earlier, which had been lost. Segments that are sent again say
    /// less: a sender that waits for an answer longer than usual does that (RFC 8985 §7), as on any busy machine.
    pub(crate) gaps: u64,
    /// Segments sent again, for whatever reason.
    pub(crate) again: u64,
    /// Packets whose checksum was wrong.
    pub(crate) bad: u64,
    /// Frames that the queue of `eth0` had no room for.
    pub(crate) full: u64,
}

impl Counts {
    pub(crate) fn of(node: &str) -> Self {
        in_node(node, Self::here)
    }

    /// Of the calling thread's namespace.
    fn here() -> Self {
        let read =
            |name: &str| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
        let mut all = BTreeMap::new();
        for text in [read("snmp"), read("netstat")] {
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.chunks_exact(2) {
                let names = pair[0].split_whitespace();
                let prefix = names.clone().next().unwrap_or_default();
                for (name, value) in names.zip(pair[1].split_whitespace()).skip(1) {
                    all.insert(format!("{prefix}{name}"), value.parse::<i64>().unwrap_or(0));
                }
            }
        }
        for line in read("snmp6").lines() {
            if let Some((name, value)) = line.split_once(char::is_whitespace) {
                all.insert(name.to_owned(), value.trim().parse().unwrap_or(0));
            }
        }
        let of = |name: &str| {
            u64::try_from(*all.get(name).unwrap_or_else(|| panic!("no {name}: {all:?}"))).expect("a count")
        };
        // a receiver out of memory makes gaps of its own
        let dropped: u64 = ["TCPRcvQDrop", "RcvPruned", "TCPZeroWindowDrop"]
            .map(|name| of(&format!("TcpExt:{name}")))
            .iter()
            .sum();
        let bad = ["Tcp:InCsumErrors", "Udp:InCsumErrors", "Icmp:InCsumErrors"];
        let bad6 = ["Udp6InCsumErrors", "Icmp6InCsumErrors"];
        Self {
            gaps: if dropped == 0 { of("TcpExt:TCPOFOQueue") } else { 0 },
            again: of("Tcp:RetransSegs"),
            bad: bad.into_iter().chain(bad6).map(of).sum(),
            full: lost_on("eth0", &read("dev")),
        }
    }
}

/// Frames that the queues of these interfaces, in the calling thread's namespace, had no room for.
pub(crate) fn full_queues(interfaces: &[String]) -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/dev").expect("there is /proc");
    interfaces.iter().map(|interface| lost_on(interface, &text)).sum()
}

/// The column `drop` of what was to be sent.
fn lost_on(interface: &str, text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().nth(11)?.parse().ok()).unwrap_or(0)
}
