//! UDP: how long a packet takes, and what a small one costs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::processes::{cpu_nanos, received_frames};
use super::{PATIENCE, Way, join, on};

const ECHO: u16 = 5202;
const FLOOD: u16 = 5203;

/// Microseconds of a 64-byte round trip, median and 99th percentile.
pub(crate) fn round_trip(way: &Way, count: usize) -> io::Result<(f64, f64)> {
    let address = SocketAddr::from((way.address, ECHO));
    std::thread::scope(|scope| {
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        let echo = on(scope, &way.server, move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, ECHO))?;
            socket.set_read_timeout(Some(PATIENCE))?;
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
        let client = on(scope, &way.client, move || {
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

/// Nanoseconds of CPU that the processes spend for each 64-byte frame they deliver, while the client sends as fast as it can.
pub(crate) fn cpu_per_frame(way: &Way, pids: &[u32], duration: Duration) -> io::Result<f64> {
    let address = SocketAddr::from((way.address, FLOOD));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let receiver = on(scope, &way.server, || {
            let _socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, FLOOD))?;
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        });
        let counted = on(scope, &way.server, || {
            std::thread::sleep(duration / 5);
            let before = (cpu_nanos(pids)?, received_frames()?);
            std::thread::sleep(duration);
            let after = (cpu_nanos(pids)?, received_frames()?);
            stop.store(true, Ordering::Relaxed);
            Ok((after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64)
        });
        let sender = on(scope, &way.client, || {
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
