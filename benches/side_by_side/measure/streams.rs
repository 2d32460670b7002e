//! TCP: how much gets through, and how many connections come and go.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::{CALLS, PATIENCE, STREAMS, Way, join, on};

/// How many call at the same time: enough for none of them to wait for the other's wake-up.
const CALLERS: usize = 4;

/// Fewer than a client has ports, each of which is taken for a while after a call.
const CALLS_MAX: usize = 48_000;

/// How many of something there were, and how many a second.
#[derive(Default)]
pub(crate) struct Amount {
    pub(crate) total: f64,
    pub(crate) per_second: f64,
}

impl Amount {
    /// What two did at the same time.
    fn and(self, other: Self) -> Self {
        Self { total: self.total + other.total, per_second: self.per_second + other.per_second }
    }
}

/// Gigabits that arrive at the server over `streams` TCP connections within `duration`, once they have had a fifth of it
/// to get up to speed. What arrives before or after is in the total, but not in the rate.
pub(crate) fn tcp(way: &Way, streams: usize, duration: Duration) -> io::Result<Amount> {
    let address = SocketAddr::from((way.address, STREAMS));
    let warm_up = duration / 5;
    std::thread::scope(|scope| {
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        let (go, all_go) = crossbeam_channel::bounded(streams);
        let server = on(scope, &way.server, move || {
            let listener = listen(STREAMS)?;
            let _ = ready.send(());
            let connections = (0..streams).map(|_| accept(&listener)).collect::<io::Result<Vec<_>>>()?;
            // one clock for all, so that nobody is measured while he does not know yet that it has begun
            let begun = Instant::now();
            for _ in 0..streams {
                // who does not listen has failed, and says so himself
                let _ = go.send(begun);
            }
            let window = begun + warm_up..begun + warm_up + duration;
            std::thread::scope(|scope| {
                let sink = |connection| scope.spawn(|| sink(connection, &window));
                let sinks: Vec<_> = connections.into_iter().map(sink).collect();
                sinks.into_iter().map(join).try_fold(Amount::default(), |sum, one| Ok(sum.and(one?)))
            })
        });
        let _ = is_ready.recv();
        let clients: Vec<_> = (0..streams)
            .map(|_| {
                let all_go = all_go.clone();
                on(scope, &way.client, move || {
                    let connection = connect(address)?;
                    let begun = all_go.recv_timeout(PATIENCE).map_err(io::Error::other)?;
                    source(connection, begun + warm_up + duration)
                })
            })
            .collect();
        let sent = clients.into_iter().map(join).collect::<io::Result<Vec<_>>>();
        let received = join(server);
        sent.and(received)
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
        each.into_iter().try_fold(Amount::default(), |sum, one| Ok(sum.and(one?)))
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

fn source(mut connection: TcpStream, end: Instant) -> io::Result<()> {
    let chunk = vec![0x5a; 256 * 1024];
    while Instant::now() < end {
        connection.write_all(&chunk)?;
    }
    Ok(())
}

fn sink(mut connection: TcpStream, window: &Range<Instant>) -> io::Result<Amount> {
    let mut chunk = vec![0; 256 * 1024];
    let (mut total, mut within) = (0, 0);
    loop {
        let count = connection.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        total += count;
        if window.contains(&Instant::now()) {
            within += count;
        }
    }
    let gigabits = |bytes: usize| bytes as f64 * 8.0 / 1e9;
    let seconds = (window.end - window.start).as_secs_f64();
    Ok(Amount { total: gigabits(total), per_second: gigabits(within) / seconds })
}

/// One caller's calls.
fn call(address: SocketAddr, duration: Duration) -> io::Result<Amount> {
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
