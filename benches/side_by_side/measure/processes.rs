//! What the kernel tells about the processes that switch, and where they may run.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::thread::CpuSet;

/// CPU time of all threads of the processes so far.
pub(crate) fn cpu_nanos(pids: &[u32]) -> io::Result<u64> {
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
pub(super) fn received_frames() -> io::Result<u64> {
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
static CPUS: AtomicUsize = AtomicUsize::new(0);

/// To be called once, before anything is confined.
pub(crate) fn count_cpus() -> io::Result<()> {
    CPUS.store(std::thread::available_parallelism()?.get(), Ordering::Relaxed);
    Ok(())
}
