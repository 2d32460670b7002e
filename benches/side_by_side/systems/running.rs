//! A system that is running: its processes, and how they start and end.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::machines::{Machines, VLAN};
use super::{System, switches};
use crate::measure::{self, Crowd};
use crate::rounds::go_on;

/// Where the programs that we bring along are, and where files may be left that go with us.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) vswitchd: PathBuf,
    pub(crate) relay: PathBuf,
    pub(crate) scratch: PathBuf,
    /// How many stations the crowded systems have to know.
    pub(crate) crowd: u32,
}

/// Dropping it stops its processes; the namespaces go with the bench.
pub(crate) struct Running {
    pub(crate) system: System,
    pub(crate) machines: Machines,
    /// Whether the machines can talk with each other, and not only send frames.
    pub(crate) talks_ip: bool,
    /// The stations that it knows, besides the two machines.
    pub(crate) crowd: Crowd,
    /// From the start of its first process until its ports are configured.
    pub(crate) start: Duration,
    pub(super) children: Vec<Child>,
}

impl Running {
    /// Brings `system` up.
    pub(crate) fn start(system: System, programs: &Programs) -> io::Result<Self> {
        let machines = Machines::new(system)?;
        let vlan = (system == System::VswitchdTrunk).then_some(VLAN);
        let count = if system.without_crowd().is_some() { programs.crowd } else { 10 };
        let mut running = Self {
            system,
            machines: machines.clone(),
            talks_ip: true,
            crowd: Crowd { count, vlan },
            start: Duration::ZERO,
            children: Vec::new(),
        };
        let begun = Instant::now();
        match system {
            System::Relay => running.relay(programs)?,
            System::VswitchdGateway => running.vswitchd_gateway(programs)?,
            System::LinuxBridge => switches::linux_bridge(&machines)?,
            System::LinuxGateway => super::gateways::linux_gateway(&machines)?,
            System::OpenVswitch | System::OpenVswitchCrowded | System::OpenVswitchTso => {
                running.open_vswitch(programs)?;
            }
            System::Vde | System::VdeCrowded => running.vde(programs)?,
            _ => running.vswitchd(programs)?,
        }
        machines.configure(system, &mut running)?;
        running.start = begun.elapsed();
        running.introduce()?;
        Ok(running)
    }

    /// Teaches the switch where everybody is.
    fn introduce(&self) -> io::Result<()> {
        let [out, _] = self.machines.ways();
        if self.talks_ip {
            measure::round_trip(&out, Duration::ZERO)?;
        }
        if self.system.without_gateway().is_some() || self.system == System::Relay {
            return Ok(());
        }
        let (mut learned, mut before) = (0, 0);
        // again as long as it gets on; a frame of somebody else's may look as if a station were not known
        for attempt in 0.. {
            if attempt > 2 && learned <= before {
                break;
            }
            before = learned;
            // what gets lost the first time, by a switch that is slow to learn, is all that is new the second and third;
            // asking too early would leave Open vSwitch with flows for stations that it does not know
            for _ in 0..3 {
                go_on()?;
                measure::teach(&out, &self.crowd)?;
            }
            learned = measure::learned(&out, &self.crowd)?;
            if learned * 100 >= self.crowd.count * 99 {
                return Ok(());
            }
        }
        Err(io::Error::other(format!("it knows {learned} of {} stations", self.crowd.count)))
    }

    /// The processes that switch.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// Starts a program that says when it is ready.
    pub(super) fn start_until_ready(&mut self, mut command: Command) -> io::Result<()> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        self.children.push(child);
        wait_for_ready(stdout)
    }

    /// Starts a program that says nothing.
    pub(super) fn start_silent(&mut self, mut command: Command) -> io::Result<()> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        self.children.push(child);
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            stop(child);
        }
    }
}

/// Asks a process to end, and makes it if it does not.
pub(crate) fn stop(child: &mut Child) {
    let _ = run("kill", &[&child.id().to_string()]);
    if wait_for(|| !matches!(child.try_wait(), Ok(None))).is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
}

/// Reads on until the line that says so; the rest is thrown away as it comes, for it must not fill the pipe.
pub(crate) fn wait_for_ready(stdout: impl io::Read + Send + 'static) -> io::Result<()> {
    let mut lines = BufReader::new(stdout).lines();
    loop {
        let line = lines.next().ok_or_else(|| io::Error::other("it ended before it was ready"))??;
        if line.contains("ready") {
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(());
        }
    }
}

/// Whether a program can be tied to us (util-linux; some have a smaller `setpriv`).
static CAN_BE_TIED: LazyLock<bool> = LazyLock::new(|| {
    Command::new("setpriv").args(["--pdeathsig", "TERM", "true"]).output().is_ok_and(|o| o.status.success())
});

/// A program that ends when we do, however that may be; in the namespace, if there is one given. It has the process id of
/// what is started: neither `ip` nor `setpriv` waits for it, both become it.
pub(crate) fn program(netns: Option<&str>, program: impl AsRef<Path>) -> Command {
    let mut words: Vec<&str> = Vec::new();
    words.extend(netns.map(|netns| ["ip", "netns", "exec", netns]).into_iter().flatten());
    if *CAN_BE_TIED {
        words.extend(["setpriv", "--pdeathsig", "TERM"]);
    }
    let program = program.as_ref();
    let Some((first, rest)) = words.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

pub(crate) fn ip(args: &[&str]) -> io::Result<()> {
    run("ip", args)
}

pub(crate) fn run(program: &str, args: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} {}: {}", args.join(" "), why.trim())))
}

pub(crate) fn wait_for(mut done: impl FnMut() -> bool) -> io::Result<()> {
    for _ in 0..500 {
        if done() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(io::Error::other("it did not come up within five seconds"))
}
