//! UDP: how long a packet takes, and how many get lost.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size_force;

use super::{PATIENCE, Way, join, on};

const ECHO: u16 = 5202;
const PACED: u16 = 5205;

/// Microseconds of a 64-byte round trip, median and 99th percentile.
pub(crate) fn round_trip(way: &Way, duration: Duration) -> io::Result<(f64, f64)> {
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
            let mut micros = Vec::new();
            let begun = Instant::now();
            while begun.elapsed() < duration || micros.len() < 20 {
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

/// Datagrams of 1400 bytes, a second, that are sent to see how many get lost: half a gigabit.
const RATE: u32 = 50_000;

/// How often the sender gets up to send what is due.
const TICK: Duration = Duration::from_micros(500);

/// The receiver's buffer: more than may wait while somebody else has the CPU.
const ROOM: usize = 32 << 20;

/// Percent of the datagrams, sent at [`RATE`], that do not arrive.
pub(crate) fn loss(way: &Way, duration: Duration) -> io::Result<f64> {
    let address = SocketAddr::from((way.address, PACED));
    std::thread::scope(|scope| {
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        let receiver = on(scope, &way.server, move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PACED))?;
            set_socket_recv_buffer_size_force(&socket, ROOM)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let _ = ready.send(());
            let mut packet = [0; 2000];
            let mut count = 0_u32;
            loop {
                match socket.recv(&mut packet)? {
                    0 => return Ok(count),
                    1400 => count += 1,
                    other => return Err(io::Error::other(format!("a datagram of {other} bytes"))),
                }
            }
        });
        let _ = is_ready.recv();
        let sender = on(scope, &way.client, move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect(address)?;
            let (packet, start, mut sent) = ([7; 1400], Instant::now(), 0_u32);
            while start.elapsed() < duration {
                let due = (start.elapsed().as_secs_f64() * f64::from(RATE)) as u32;
                while sent < due {
                    // one that the machine itself drops is lost as well
                    let _ = socket.send(&packet);
                    sent += 1;
                }
                std::thread::sleep(TICK);
            }
            // the last word, more than once: it could get lost, too
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(10));
                let _ = socket.send(&[]);
            }
            Ok(sent)
        });
        let sent = join(sender)?;
        let received = join(receiver)?;
        Ok(100.0 * f64::from(sent.saturating_sub(received)) / f64::from(sent.max(1)))
    })
}
