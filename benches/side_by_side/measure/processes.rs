//! What the kernel tells about the processes that switch, and where they may run.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::thread::{CpuSet, Pid, sched_setaffinity};

/// CPU time of all threads of the processes so far.
pub(crate) fn cpu_nanos(pids: &[u32]) -> io::Result<u64> {
    sum(pids, |task| {
        let stat = fs::read_to_string(task.join("schedstat"))?;
        Ok(stat.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0))
    })
}

/// How often a thread of the processes has gone to sleep of its own accord so far: each time, it was woken again.
fn sleeps(pids: &[u32]) -> io::Result<u64> {
    sum(pids, |task| {
        let status = fs::read_to_string(task.join("status"))?;
        Ok(field(&status, "voluntary_ctxt_switches:").unwrap_or(0))
    })
}

/// What the processes have done so far, to be compared with what they will have done later.
pub(crate) struct Idle {
    sleeps: u64,
    nanos: u64,
}

impl Idle {
    pub(crate) fn of(pids: &[u32]) -> io::Result<Self> {
        Ok(Self { sleeps: sleeps(pids)?, nanos: cpu_nanos(pids)? })
    }

    /// Wakeups, and nanoseconds of CPU, since then.
    pub(crate) fn since(self, then: &Self) -> (f64, f64) {
        ((self.sleeps - then.sleeps) as f64, (self.nanos - then.nanos) as f64)
    }
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
        total += field(&status, "VmRSS:").unwrap_or(0) as f64 / 1024.0;
    }
    Ok(total)
}

/// The number behind that name.
fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// Something of every thread of the processes. A thread may end while it is looked at.
fn sum(pids: &[u32], each: impl Fn(PathBuf) -> io::Result<u64>) -> io::Result<u64> {
    let mut total = 0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            total += each(task?.path()).unwrap_or(0);
        }
    }
    Ok(total)
}

/// Processes, and the calling thread with all that it starts, are kept on a CPU until this goes.
pub(crate) struct Confined<'a> {
    pids: &'a [u32],
}

/// Keeps the processes (all their threads) on one CPU, and the caller on that or another one.
pub(crate) fn confine(pids: &[u32], switch: usize, caller: usize) -> io::Result<Confined<'_>> {
    let confined = Confined { pids };
    place(pids, &set(switch..switch + 1))?;
    sched_setaffinity(None, &set(caller..caller + 1))?;
    Ok(confined)
}

impl Drop for Confined<'_> {
    fn drop(&mut self) {
        let all = set(0..cpus());
        // of processes that are gone, nobody is confined
        let _ = place(self.pids, &all);
        let _ = sched_setaffinity(None, &all);
    }
}

fn place(pids: &[u32], set: &CpuSet) -> io::Result<()> {
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let tid = task?.file_name().to_string_lossy().parse::<i32>().map_err(io::Error::other)?;
            sched_setaffinity(Pid::from_raw(tid), set)?;
        }
    }
    Ok(())
}

fn set(cpus: std::ops::Range<usize>) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.for_each(|cpu| set.set(cpu));
    set
}

/// How many CPUs there are; `available_parallelism` follows the affinity that [`confine`] sets, so it is kept.
static CPUS: AtomicUsize = AtomicUsize::new(1);

/// To be called once, before anything is confined.
pub(crate) fn count_cpus() -> io::Result<()> {
    CPUS.store(std::thread::available_parallelism()?.get(), Ordering::Relaxed);
    Ok(())
}

/// As counted at the beginning.
pub(crate) fn cpus() -> usize {
    CPUS.load(Ordering::Relaxed)
}
