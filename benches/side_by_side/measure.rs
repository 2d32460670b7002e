//! What is measured, with plain sockets: threads that have entered a namespace and talk as any program would.
//!
//! No tool is needed for it, and sender and receiver are the same for every system, so what differs between two
//! rounds is the switch in the middle.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, LinkNameSpaceType, move_into_link_name_space};

/// The two machines: their namespaces and the address of the second.
pub(crate) struct Machines {
    pub(crate) a: String,
    pub(crate) b: String,
    pub(crate) address_b: Ipv4Addr,
}

/// Runs `work` on a thread inside the namespace.
fn on<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    netns: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'scope,
) -> std::thread::ScopedJoinHandle<'scope, io::Result<T>> {
    let namespace = File::open(netns);
    scope.spawn(move || {
        move_into_link_name_space(namespace?.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    })
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().map_err(|_| io::Error::other("a measuring thread panicked"))?
}

/// Gigabits per second that arrive at B over `streams` TCP connections from A.
pub(crate) fn tcp(machines: &Machines, streams: usize, duration: Duration) -> io::Result<f64> {
    let address = SocketAddr::from((machines.address_b, 5201));
    std::thread::scope(|scope| {
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        let server = on(scope, &machines.b, move || {
            let listener = TcpListener::bind(address)?;
            let _ = ready.send(());
            let connections =
                (0..streams).map(|_| Ok(listener.accept()?.0)).collect::<io::Result<Vec<_>>>()?;
            let start = Instant::now();
            let bytes: u64 = std::thread::scope(|scope| {
                let sinks: Vec<_> = connections.into_iter().map(|c| scope.spawn(move || sink(c))).collect();
                sinks.into_iter().map(|sink| sink.join().unwrap_or(0)).sum()
            });
            Ok(bytes as f64 * 8.0 / start.elapsed().as_secs_f64() / 1e9)
        });
        let _ = is_ready.recv();
        let clients: Vec<_> =
            (0..streams).map(|_| on(scope, &machines.a, move || source(address, duration))).collect();
        for client in clients {
            join(client)?;
        }
        join(server)
    })
}

fn source(address: SocketAddr, duration: Duration) -> io::Result<()> {
    let mut connection = TcpStream::connect_timeout(&address, Duration::from_secs(3))?;
    let chunk = vec![0x5a; 256 * 1024];
    let start = Instant::now();
    while start.elapsed() < duration {
        connection.write_all(&chunk)?;
    }
    Ok(())
}

fn sink(mut connection: TcpStream) -> u64 {
    let mut chunk = vec![0; 256 * 1024];
    let mut total = 0;
    while let Ok(count @ 1..) = connection.read(&mut chunk) {
        total += count as u64;
    }
    total
}

/// Microseconds of a 64-byte round trip, median and 99th percentile.
pub(crate) fn round_trip(machines: &Machines, count: usize) -> io::Result<(f64, f64)> {
    let address = SocketAddr::from((machines.address_b, 5202));
    std::thread::scope(|scope| {
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        let echo = on(scope, &machines.b, move || {
            let socket = UdpSocket::bind(address)?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            let _ = ready.send(());
            let mut packet = [0; 64];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                if length == 0 {
                    break;
                }
                socket.send_to(&packet[..length], from)?;
            }
            Ok(())
        });
        let _ = is_ready.recv();
        let client = on(scope, &machines.a, move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect(address)?;
            socket.set_read_timeout(Some(Duration::from_secs(1)))?;
            let mut packet = [7; 18];
            let mut micros = Vec::with_capacity(count);
            for _ in 0..count {
                let start = Instant::now();
                socket.send(&packet)?;
                socket.recv(&mut packet)?;
                micros.push(start.elapsed().as_secs_f64() * 1e6);
            }
            socket.send(&[])?;
            micros.sort_by(f64::total_cmp);
            Ok((micros[micros.len() / 2], micros[micros.len() * 99 / 100]))
        });
        let result = join(client);
        join(echo)?;
        result
    })
}

/// Nanoseconds of CPU that the processes spend for each 64-byte frame they deliver, while A sends as fast as it can.
pub(crate) fn cpu_per_frame(machines: &Machines, pids: &[u32], duration: Duration) -> io::Result<f64> {
    let address = SocketAddr::from((machines.address_b, 5203));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let receiver = on(scope, &machines.b, || {
            let _socket = UdpSocket::bind(address)?;
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        });
        let counted = on(scope, &machines.b, || {
            std::thread::sleep(duration / 5);
            let before = (cpu_nanos(pids)?, received_frames()?);
            std::thread::sleep(duration);
            let after = (cpu_nanos(pids)?, received_frames()?);
            stop.store(true, Ordering::Relaxed);
            Ok((after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64)
        });
        let sender = on(scope, &machines.a, || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect(address)?;
            while !stop.load(Ordering::Relaxed) {
                // a full queue is what this is about; a refused port is none of our business
                let _ = socket.send(&[7; 18]);
            }
            Ok(())
        });
        let result = join(counted);
        stop.store(true, Ordering::Relaxed);
        join(sender)?;
        join(receiver)?;
        result
    })
}

/// CPU time of all threads of the processes so far.
fn cpu_nanos(pids: &[u32]) -> io::Result<u64> {
    let mut total = 0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let stat = fs::read_to_string(task?.path().join("schedstat"))?;
            total += stat.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(total)
}

/// Frames that `eth0` of the calling thread's namespace has received.
fn received_frames() -> io::Result<u64> {
    let table = fs::read_to_string("/proc/thread-self/net/dev")?;
    table
        .lines()
        .find_map(|line| line.trim().strip_prefix("eth0:")?.split_whitespace().nth(1)?.parse().ok())
        .ok_or_else(|| io::Error::other("no eth0 in the namespace"))
}

/// Resident memory of the processes, in MiB.
pub(crate) fn resident_mib(pids: &[u32]) -> io::Result<f64> {
    let mut total = 0.0;
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = status
            .lines()
            .find_map(|l| l.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
        total += kib.unwrap_or(0.0) / 1024.0;
    }
    Ok(total)
}

/// Confines the processes (all their threads) and the caller to CPU 0, or lets them go anywhere again.
pub(crate) fn confine(pids: &[u32], to_one: bool) -> io::Result<()> {
    let mut set = CpuSet::new();
    let cpus = if to_one { 1 } else { std::thread::available_parallelism()?.get() };
    (0..cpus.max(CPUS.load(Ordering::Relaxed) * usize::from(!to_one))).for_each(|cpu| set.set(cpu));
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let tid = task?.file_name().to_string_lossy().parse::<i32>().map_err(io::Error::other)?;
            rustix::thread::sched_setaffinity(rustix::thread::Pid::from_raw(tid), &set)?;
        }
    }
    rustix::thread::sched_setaffinity(None, &set)?;
    Ok(())
}

/// How many CPUs there are; `available_parallelism` follows the affinity that [`confine`] sets, so it is kept.
static CPUS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// To be called once, before anything is confined.
pub(crate) fn count_cpus() -> io::Result<()> {
    CPUS.store(std::thread::available_parallelism()?.get(), Ordering::Relaxed);
    Ok(())
}
