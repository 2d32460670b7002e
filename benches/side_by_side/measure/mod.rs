//! What is measured, with plain sockets: threads that have entered a namespace and talk as any program would.
//!
//! No tool is needed for it, and sender and receiver are the same for every system, so what differs between two
//! slices is the switch in the middle. Nothing waits for ever, because the switch may be gone: whoever has heard
//! nothing for [`PATIENCE`] gives up.

mod datagrams;
mod frames;
mod processes;
mod stations;
mod streams;

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub(crate) use datagrams::{loss, round_trip};
pub(crate) use frames::{Pace, cost_of_datagrams, cost_to_stations};
pub(crate) use processes::{Idle, confine, count_cpus, cpu_nanos, cpus, resident_mib};
pub(crate) use stations::{Crowd, learned, teach};
pub(crate) use streams::{Amount, calls, tcp};

/// The TCP ports that the servers listen at, for a gateway to publish.
pub(crate) const STREAMS: u16 = 5201;
pub(crate) const CALLS: u16 = 5204;

/// How long a client or a server waits for the other.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who talks to whom: the namespaces of the client and of the server, and the address that the client calls. The
/// server listens at every address, for a gateway in between may have translated this one.
pub(crate) struct Way {
    pub(crate) client: String,
    pub(crate) server: String,
    pub(crate) address: Ipv4Addr,
}

/// Does `work` inside the namespace, on a thread that is gone afterwards.
pub(crate) fn inside<T: Send>(netns: &str, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| join(on(scope, netns, work)))
}

/// Runs `work` on a thread inside the namespace.
fn on<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    netns: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'scope,
) -> ScopedJoinHandle<'scope, io::Result<T>> {
    let namespace = File::open(netns);
    scope.spawn(move || {
        move_into_link_name_space(namespace?.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    })
}

fn join<T>(thread: ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().map_err(|_| io::Error::other("a measuring thread panicked"))?
}
