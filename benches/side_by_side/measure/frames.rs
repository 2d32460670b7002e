//! Small frames: what each costs the switch while it has a CPU to itself, the second, and the sender another, the first.
//!
//! What is counted is the CPU time of its processes and the frames that the receiver's interface has got. No program reads
//! them there and competes for a CPU. What the receiver's kernel does with a frame happens in the middle of the write to
//! a TAP, and is counted for every system alike.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::processes::{confine, cpu_nanos, received_frames};
use super::stations::{self, Crowd};
use super::{PATIENCE, Way, join, on};

const SINK: u16 = 5203;

/// Fewer frames say nothing. It takes longer until there are as many only if somebody else has the CPUs.
const FRAMES_MIN: u64 = 100;

/// How a sender goes about it.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as it can.
    Flood,
    /// So many frames a second, each by itself: far from what any switch can do, so that each finds it asleep.
    Even(u32),
}

impl Pace {
    /// Calls `send` at this pace until told to stop.
    fn keep(self, stop: &AtomicBool, mut send: impl FnMut()) {
        let gap = match self {
            Self::Flood => Duration::ZERO,
            Self::Even(rate) => Duration::from_secs(1) / rate,
        };
        let mut due = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            if !gap.is_zero() {
                let now = Instant::now();
                if now < due {
                    std::hint::spin_loop();
                    continue;
                }
                // what was missed because somebody else had the CPU is not made up for in a burst
                due = (due + gap).max(now - gap);
            }
            send();
        }
    }
}

/// Nanoseconds of CPU that the processes spend for each 64-byte datagram they deliver.
pub(crate) fn cost_of_datagrams(way: &Way, pids: &[u32], pace: Pace, duration: Duration) -> io::Result<f64> {
    let address = SocketAddr::from((way.address, SINK));
    cost(way, pids, duration, |stop| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(address)?;
        // a full queue is what this is about; a refused port is none of our business
        pace.keep(stop, || drop(socket.send(&[7; 18])));
        Ok(())
    })
}

/// Nanoseconds of CPU that the processes spend for each 64-byte frame to a station drawn from a crowd that is known.
pub(crate) fn cost_to_stations(
    way: &Way,
    pids: &[u32],
    crowd: &Crowd,
    duration: Duration,
) -> io::Result<f64> {
    cost(way, pids, duration, |stop| {
        let mut visitor = stations::Visitor::new(crowd)?;
        Pace::Flood.keep(stop, || visitor.send());
        Ok(())
    })
}

fn cost(
    way: &Way,
    pids: &[u32],
    duration: Duration,
    send: impl FnOnce(&AtomicBool) -> io::Result<()> + Send,
) -> io::Result<f64> {
    let _confined = confine(pids, 1, 0)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let counted = on(scope, &way.server, || {
            let _socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SINK))?;
            // until everybody is at it
            std::thread::sleep(duration / 5);
            let (begun, before) = (Instant::now(), (cpu_nanos(pids)?, received_frames()?));
            loop {
                std::thread::sleep(duration);
                let nanos = cpu_nanos(pids)? - before.0;
                let frames = received_frames()? - before.1;
                if frames >= FRAMES_MIN {
                    return Ok(nanos as f64 / frames as f64);
                }
                if begun.elapsed() > PATIENCE {
                    return Err(io::Error::other(format!("only {frames} frames arrived")));
                }
            }
        });
        let sender = on(scope, &way.client, || send(&stop));
        let result = join(counted);
        stop.store(true, Ordering::Relaxed);
        join(sender)?;
        result
    })
}
