//! TCP: how much gets through, and how many connections come and go.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::{CALLS, PATIENCE, STREAMS, Way, join, on};

/// How many call at the same time: enough for none of them to wait for the other's wake-up.
const CALLERS: usize = 4;

/// Fewer than a client has ports, each of which is taken for a while after a call.
const CALLS_MAX: usize = 48_000;

/// How many of something there were, and how many a second.
pub(crate) struct Amount {
    pub(crate) total: f64,
    pub(crate) per_second: f64,
}

/// Gigabits that arrive at the server over `streams` TCP connections.
pub(crate) fn tcp(way: &Way, streams: usize, duration: Duration) -> io::Result<Amount> {
    let address = SocketAddr::from((way.address, STREAMS));
    std::thread::scope(|scope| {
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        let server = on(scope, &way.server, move || {
            let listener = listen(STREAMS)?;
            let _ = ready.send(());
            let connections = (0..streams).map(|_| accept(&listener)).collect::<io::Result<Vec<_>>>()?;
            let start = Instant::now();
            let bytes: u64 = std::thread::scope(|scope| {
                let sinks: Vec<_> = connections.into_iter().map(|c| scope.spawn(move || sink(c))).collect();
                sinks.into_iter().map(|sink| sink.join().unwrap_or(0)).sum()
            });
            let total = bytes as f64 * 8.0 / 1e9;
            Ok(Amount { total, per_second: total / start.elapsed().as_secs_f64() })
        });
        let _ = is_ready.recv();
        let clients: Vec<_> =
            (0..streams).map(|_| on(scope, &way.client, move || source(address, duration))).collect();
        for client in clients {
            join(client)?;
        }
        join(server)
    })
}

/// Calls, each a new connection, 64 bytes asked, 64 bytes answered and an orderly end.
pub(crate) fn calls(way: &Way, duration: Duration) -> io::Result<Amount> {
    let address = SocketAddr::from((way.address, CALLS));
    std::thread::scope(|scope| {
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        let server = on(scope, &way.server, move || {
            let listener = listen(CALLS)?;
            let _ = ready.send(());
            std::thread::scope(|scope| {
                let desks: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| answer(&listener))).collect();
                desks.into_iter().try_for_each(join)
            })
        });
        let _ = is_ready.recv();
        let clients: Vec<_> =
            (0..CALLERS).map(|_| on(scope, &way.client, move || call(address, duration))).collect();
        let each: Vec<_> = clients.into_iter().map(join).collect();
        join(server)?;
        each.into_iter().try_fold(Amount { total: 0.0, per_second: 0.0 }, |sum, one| {
            let one = one?;
            Ok(Amount { total: sum.total + one.total, per_second: sum.per_second + one.per_second })
        })
    })
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    // for accept() as well (socket(7))
    set_socket_timeout(&listener, Timeout::Recv, Some(PATIENCE))?;
    Ok(listener)
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    patient(listener.accept()?.0)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    patient(TcpStream::connect_timeout(&address, PATIENCE)?)
}

fn patient(connection: TcpStream) -> io::Result<TcpStream> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

fn source(address: SocketAddr, duration: Duration) -> io::Result<()> {
    let mut connection = connect(address)?;
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

/// One caller's calls.
fn call(address: SocketAddr, duration: Duration) -> io::Result<Amount> {
    // above the servers' own: they answer here in their turn, and a port is not free at once
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "10000 65535")?;
    let mut packet = [7; 64];
    let mut count = 0;
    let start = Instant::now();
    while start.elapsed() < duration && count < CALLS_MAX / CALLERS {
        let mut connection = connect(address)?;
        connection.write_all(&packet)?;
        connection.read_exact(&mut packet)?;
        count += 1;
    }
    let total = count as f64;
    let amount = Amount { total, per_second: total / start.elapsed().as_secs_f64() };
    // one call without a question tells one desk to close
    drop(connect(address)?);
    Ok(amount)
}

/// Answers one call after the other. The caller hangs up first, so that it is he who keeps the port for a while.
fn answer(listener: &TcpListener) -> io::Result<()> {
    let mut packet = [0; 64];
    loop {
        let mut connection = accept(listener)?;
        if connection.read(&mut packet)? == 0 {
            return Ok(());
        }
        connection.write_all(&packet)?;
        let _ = connection.read(&mut packet)?;
    }
}
