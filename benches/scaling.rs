//! What more cores are worth: measured with the cores there are, computed for those there are not.
//!
//! `cargo bench --bench scaling` prints three tables.
//!
//! 1. *Walks*: independent fabrics, one to a thread, as many as there are processors. If two threads do not walk almost twice
//!    as many frames as one, islands share something that they should not.
//! 2. *Costs*: what reading, walking and writing a frame costs this machine, the calls through a real TAP. Where there can be
//!    none (no root), numbers of the machine this was written on take their place, and the table says so.
//! 3. *Curve*: a simulation in virtual time with these costs, for up to sixteen threads. Frames arrive at random moments, wait
//!    in a queue of the length that a TAP has, are read in batches by the thread their island lives on, and are lost where the
//!    queue is full. Islands are placed as the program places them. What the simulation knows of hardware is the costs: caches,
//!    memory and the kernel's locks are as they were with one thread, so the curve is what islands allow, not what a
//!    machine will do.
//!
//! The last columns are for one island: *one island* with ports of one queue, and *queues*, where each thread has a queue of each
//! port that never runs dry. It reads without the fabric, waits until nobody else has it, walks, and writes without it.
//!
//! `--test` runs everything once and briefly: what it then prints means nothing.

#[path = "../tests/ports/netns.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod netns;

use std::collections::VecDeque;
use std::hint::black_box;
use std::num::NonZero;
use std::os::fd::AsFd;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use netns::Netns;
use pnet_datalink::{Channel, Config, DataLinkSender};
use vswitchd::bridge::{BridgeConfig, LegConfig};
use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{Batch, Edit, Frame, NodeId, Outgoing, PortId};
use vswitchd::port::{Pool, Port, PortKind};
use vswitchd::sim::Rng;
use vswitchd::time::Time;

/// Frames in a batch, as the engine reads them.
const BATCH: usize = 64;
/// How many frames wait in a TAP's queue before the kernel throws away: its default `txqueuelen`.
const QUEUE: usize = 1000;
/// Islands in the curve.
const ISLANDS: usize = 16;
/// Threads in the curve.
const THREADS: [usize; 6] = [1, 2, 4, 8, 12, 16];

/// Nanoseconds a frame.
#[derive(Clone, Copy)]
struct Costs {
    read: f64,
    walk: f64,
    write: f64,
    /// To take the fabric and to put it down, a batch.
    pass: f64,
}

fn main() {
    let brief = std::env::args().any(|argument| argument == "--test");
    let span = if brief { Duration::from_millis(5) } else { Duration::from_secs(1) };
    let walk = walks(span);
    let costs = costs(walk, if brief { 2 } else { 500 });
    curve(costs, if brief { 20_000 } else { 2_000_000 });
}

#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn clock() -> Instant {
    Instant::now()
}

/// Prints how many frames fabrics walk together; gives what one costs alone.
fn walks(span: Duration) -> f64 {
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!("walks: independent fabrics, one to a thread, on {processors} processors");
    println!("threads   Mframes/s   of one");
    let mut one = 0.0;
    for threads in (1..=processors).take_while(|threads| *threads <= 16) {
        let barrier = Barrier::new(threads);
        let frames: u64 = thread::scope(|scope| {
            let walkers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        walked(span)
                    })
                })
                .collect();
            walkers.into_iter().map(|walker| walker.join().expect("it only walks")).sum()
        });
        let rate = frames as f64 / span.as_secs_f64() / 1e6;
        one = if threads == 1 { rate } else { one };
        println!("{threads:>7}   {rate:>9.2}   {:>5.2} x", rate / one);
    }
    1e3 / one
}

/// How many frames one fabric walks between two ports in that time.
fn walked(span: Duration) -> u64 {
    let mut fabric = Fabric::new([1, 2]);
    let mut changes = vec![Change::AddBridge(NodeId(0), BridgeConfig::default())];
    changes.extend([0, 1].map(|port| Change::AddPort(PortId(port), NodeId(0), LegConfig::default())));
    changes.into_iter().for_each(|change| fabric.apply(change, Time::ZERO).expect("a simple set-up"));
    let mut batch = Batch::new();
    let mut buffers: Vec<Box<[u8]>> = Vec::new();
    let (start, mut frames) = (clock(), 0);
    while start.elapsed() < span {
        for port in [0, 1] {
            let bytes = small(port as u8);
            for _ in 0..BATCH {
                let frame = match buffers.pop() {
                    Some(mut buffer) => {
                        buffer[..bytes.len()].copy_from_slice(&bytes);
                        Frame::new(buffer, 0, bytes.len(), PortId(port))
                    }
                    None => Frame::copy_of(&bytes, PortId(port)),
                };
                batch.push(frame);
            }
            fabric.receive(black_box(&mut batch), Time::ZERO);
            frames += BATCH as u64;
            batch.clear(|buffer| buffers.push(buffer));
        }
    }
    assert!(fabric.books().sent >= frames - BATCH as u64, "both ends are known after the first batch");
    frames
}

/// A small frame from one of two stations to the other.
fn small(from: u8) -> [u8; 60] {
    let mut bytes = [0; 60];
    bytes[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1 - from, 2, 0, 0, 0, 0, from]);
    bytes[12..14].copy_from_slice(&[0x90, 0]);
    bytes
}

/// Prints what a frame costs.
fn costs(walk: f64, rounds: u32) -> Costs {
    let (read, write, whence) = match calls(rounds) {
        Some((read, write)) => (read, write, "measured here, through a TAP"),
        None => (650.0, 850.0, "NOT measured here (no root): taken from elsewhere"),
    };
    let pass = pass(rounds);
    println!("\ncosts of a small frame, ns: read {read:.0}, walk {walk:.0}, write {write:.0} ({whence})");
    println!("and of a batch, to take and to pass on the fabric: {pass:.0}");
    Costs { read, walk, write, pass }
}

/// What it costs to take something out of a channel with room for one, and to put it back.
fn pass(rounds: u32) -> f64 {
    let (put, take) = crossbeam_channel::bounded(1);
    put.send(Some(Box::new(0_u64))).expect("there is room");
    let (start, rounds) = (clock(), 100 * rounds);
    for _ in 0..rounds {
        let held = take.recv().expect("it is there");
        put.try_send(black_box(held)).expect("there is room");
    }
    start.elapsed().as_nanos() as f64 / f64::from(rounds)
}

/// What reading and writing a small frame costs, on average over so many batches; `None` where there can be no TAP.
fn calls(rounds: u32) -> Option<(f64, f64)> {
    let netns = Netns::new()?;
    netns.without_ipv6();
    let mut port =
        Port::open(PortId(0), PortKind::Tap, "port0", NonZero::<usize>::MIN, Some(netns.0.as_fd()))
            .expect("of our own");
    netns.set_up("port0", true);
    // what is sent on the interface comes out of the TAP
    let mut sender = netns.enter(|| sender("port0"));
    let (mut pool, mut batch) = (Pool::default(), Batch::new());
    let mut frames = vec![Frame::copy_of(&small(0), PortId(0))];
    let which = vec![Outgoing { frame: 0, edit: Edit::NONE }; BATCH];
    let (mut reading, mut writing, mut read) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..rounds {
        for _ in 0..BATCH {
            sender
                .send_to(&small(1), None)
                .expect("frames have one place to go")
                .expect("the queue has room");
        }
        let start = clock();
        port.receive(&mut pool, &mut batch, BATCH, usize::MAX);
        reading += start.elapsed();
        read += batch.received();
        batch.clear(|buffer| pool.give(buffer));
        let start = clock();
        port.send(&mut frames, black_box(&which));
        writing += start.elapsed();
    }
    assert!(read > 0 && port.counters().tx_drops.total() == 0, "{:?}", port.counters());
    let written = f64::from(rounds) * BATCH as f64;
    Some((reading.as_nanos() as f64 / read as f64, writing.as_nanos() as f64 / written))
}

/// What sends through an interface.
fn sender(name: &str) -> Box<dyn DataLinkSender> {
    let interfaces = pnet_datalink::interfaces();
    let interface = interfaces.iter().find(|interface| interface.name == name).expect("it is there");
    match pnet_datalink::channel(interface, Config::default()) {
        Ok(Channel::Ethernet(sender, _)) => sender,
        _ => panic!("a packet socket for Ethernet"),
    }
}

/// Prints the curve: what arrives at each moment is a little more than sixteen threads could take, so that every number of
/// threads shows its limit.
fn curve(costs: Costs, frames: u64) {
    let whole = costs.read + costs.walk + costs.write;
    println!("\ncurve: {ISLANDS} islands, {frames} frames, in virtual time; Mframes/s, and times one thread");
    println!("threads   even islands      uneven islands    one island        one island, queues");
    let mut first = None;
    for threads in THREADS {
        let even = simulate(&[1.0; ISLANDS], threads, whole, frames);
        // as Zipf has it: the second half as busy as the first, the third a third
        let uneven: Vec<f64> = (1..=ISLANDS).map(|rank| 1.0 / rank as f64).collect();
        let uneven = simulate(&uneven, threads, whole, frames);
        let one = simulate(&[1.0], threads, whole, frames);
        let queues = queues(threads, costs, frames);
        let now = [even, uneven, one, queues];
        let first = *first.get_or_insert(now);
        let cells =
            now.iter().zip(first).map(|(rate, first)| format!("{rate:>6.2} {:>5.2} x    ", rate / first));
        println!("{threads:>7}   {}", cells.collect::<String>().trim_end());
    }
}

/// Frames per second, in millions, that get through: islands with those shares of the load, spread over threads, where a frame
/// costs so many nanoseconds.
fn simulate(shares: &[f64], threads: usize, cost: f64, frames: u64) -> f64 {
    let total: f64 = shares.iter().sum();
    // a tenth more than all threads could do
    let gap = cost / (1.1 * THREADS[THREADS.len() - 1] as f64);
    let mut rng = Rng::new(1);
    let mut queues: Vec<VecDeque<f64>> = vec![VecDeque::new(); shares.len()];
    // as the program does with islands of as many ports: one after the other to who has least
    let home = |island: usize| island % threads;
    let (mut free, mut next, mut done) = (vec![0.0_f64; threads], vec![0; threads], 0_u64);
    let mut now = 0.0;
    for _ in 0..frames {
        now += -gap * uniform(&mut rng).ln();
        let mut at = uniform(&mut rng) * total;
        let island = shares.iter().position(|share| {
            at -= share;
            at <= 0.0
        });
        let island = island.unwrap_or(shares.len() - 1);
        let thread = home(island);
        // the thread has gone on meanwhile: a batch from one queue after the other
        while free[thread] <= now {
            let mine =
                (0..shares.len()).filter(|island| home(*island) == thread && !queues[*island].is_empty());
            let mine: Vec<usize> = mine.collect();
            let Some(queue) = mine.iter().find(|island| **island >= next[thread]).or(mine.first()).copied()
            else {
                free[thread] = now;
                break;
            };
            let batch = queues[queue].len().min(BATCH);
            queues[queue].drain(..batch);
            done += batch as u64;
            free[thread] += batch as f64 * cost;
            next[thread] = queue + 1;
        }
        if queues[island].len() < QUEUE {
            queues[island].push_back(now);
        }
    }
    done as f64 / now * 1e3
}

/// Frames per second, in millions, of one island that several threads serve, each with queues that never run dry.
fn queues(threads: usize, costs: Costs, frames: u64) -> f64 {
    let batch = BATCH as f64;
    let pass = if threads == 1 { 0.0 } else { costs.pass };
    let mut rng = Rng::new(1);
    // no two begin at the same time, and no batch is as long as another
    let mut at: Vec<f64> = (0..threads).map(|thread| thread as f64 * costs.read).collect();
    let (mut put_down, mut done) = (0.0_f64, 0_u64);
    while done < frames {
        let next = at.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(thread, _)| thread);
        let spread = 0.5 + uniform(&mut rng);
        let taken = at[next].max(put_down);
        put_down = taken + pass + batch * costs.walk * spread;
        at[next] = put_down + batch * (costs.write + costs.read) * spread;
        done += (batch * spread) as u64;
    }
    let end = at.iter().copied().fold(0.0, f64::max);
    done as f64 / end * 1e3
}

/// Above zero, up to one.
fn uniform(rng: &mut Rng) -> f64 {
    (rng.below(1 << 53) + 1) as f64 / (1_u64 << 53) as f64
}
