//! `monitor`: what happens, told to whoever watches, each on a thread of its own.
//!
//! Whoever watches has two queues of bounded length: one for what the control thread does, one for what happens inside
//! the devices, which the engine fills. Both are filled without waiting: who reads too slowly loses events, and is
//! told how many before the next that fits. When the client goes away the write fails, the queues close with the
//! thread, and are forgotten.

mod changes;
mod news;

use std::io::{self, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, never, select};

use self::changes::changes;
use self::news::{Known, TOPICS};
use super::Instance;
use super::capture::has_gone;
use crate::control::event::{EventView, Happening, Topic};
use crate::control::plan::Plan;
use crate::control::protocol::Response;
use crate::control::registry::Registry;
use crate::control::server::Answer;
use crate::engine::{Told, Watcher};

/// How many events may wait for a reader.
const QUEUE: usize = 1024;
/// How many may watch at a time.
const MONITORS_MAX: usize = 64;
/// How often to look whether the client is still there when nothing happens.
const LOOK: Duration = Duration::from_millis(500);

/// Who is told what happens.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    running: Vec<Running>,
    /// What the engine's ids mean.
    known: Arc<Mutex<Known>>,
}

#[derive(Debug)]
struct Running {
    /// Nothing is everything.
    topics: Vec<Topic>,
    sink: Sender<EventView>,
    /// Gone when the reader is.
    reader: Weak<()>,
    missing: u64,
}

/// Where a reader finds what the control thread tells.
#[derive(Debug)]
struct Reader {
    events: Receiver<EventView>,
    alive: Arc<()>,
}

/// What the writing thread owns.
struct Stream {
    topics: Vec<Topic>,
    reader: Reader,
    /// What the engine tells; nothing if nothing of it is watched.
    told: Receiver<Told>,
    known: Arc<Mutex<Known>>,
    unix_origin_nanos: u64,
}

impl Monitors {
    /// One more; none if there are too many.
    fn add(&mut self, topics: Vec<Topic>) -> Option<Reader> {
        self.running.retain(|running| running.reader.strong_count() > 0);
        if self.running.len() >= MONITORS_MAX {
            return None;
        }
        let (sink, events) = bounded(QUEUE);
        let alive = Arc::new(());
        self.running.push(Running { topics, sink, reader: Arc::downgrade(&alive), missing: 0 });
        Some(Reader { events, alive })
    }

    /// The names of the plan that is about to be put to work.
    pub(super) fn rename(&self, registry: &Registry) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).renew(registry);
    }

    /// Whether nobody would be told.
    fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Tells everybody who watches such things; never waits.
    fn tell(&mut self, event: &EventView) {
        self.running.retain_mut(|running| running.tell(event));
    }
}

impl Running {
    /// Whether anybody still reads.
    fn tell(&mut self, event: &EventView) -> bool {
        if !watches(&self.topics, &event.happened) {
            return true;
        }
        if self.missing > 0 {
            let happened = Happening::Missing { count: self.missing };
            match self.sink.try_send(EventView { time: event.time, deleted: false, happened }) {
                Ok(()) => self.missing = 0,
                Err(TrySendError::Full(_)) => {
                    self.missing += 1;
                    return true;
                }
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        match self.sink.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.missing += 1;
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

impl Instance {
    /// Begins to tell a client what happens.
    pub(super) fn monitor(&mut self, topics: Vec<Topic>) -> Answer {
        let Some(reader) = self.monitors.add(topics.clone()) else {
            let hint = "end one of them";
            return Answer::Reply(Response::error_with_hint(
                format!("{MONITORS_MAX} clients watch already"),
                hint,
            ));
        };
        let mut told = never();
        if topics.is_empty() || topics.iter().any(|topic| TOPICS.contains(topic)) {
            let (sink, receiver) = bounded(QUEUE);
            let watcher = Watcher { sink, reader: Arc::downgrade(&reader.alive) };
            let begun = self.engines.each_thread(|| {
                let watcher = watcher.clone();
                move |switch: &mut crate::engine::Switch| switch.monitors.add(&mut switch.fabric, watcher)
            });
            if let Err(stopped) = begun {
                return Answer::Reply(Response::error(stopped.to_string()));
            }
            told = receiver;
        }
        let (known, unix_origin_nanos) = (Arc::clone(&self.monitors.known), self.engines.unix_origin_nanos());
        let stream = Stream { topics, reader, told, known, unix_origin_nanos };
        Answer::Stream(Box::new(move |client| {
            // a client that has gone is the normal end
            let _ = stream.write(&client);
        }))
    }

    /// Tells who watches what happened just now.
    pub(super) fn tell(&mut self, deleted: bool, happened: Happening) {
        let time = self.engines.unix_origin_nanos() + self.engines.uptime().as_nanos() as u64;
        self.monitors.tell(&EventView { time: seconds(time), deleted, happened });
    }

    /// Tells what differs between the plan that was and the one that is now.
    pub(super) fn tell_changes(&mut self, old: &Plan) {
        if !self.monitors.is_empty() {
            changes(old, &self.plan).into_iter().for_each(|(deleted, happened)| self.tell(deleted, happened));
        }
    }
}

impl Stream {
    /// Writes a line for each event until the client goes away or the lab goes down.
    fn write(&self, client: &UnixStream) -> io::Result<()> {
        let mut writer = BufWriter::new(client);
        loop {
            select! {
                recv(self.reader.events) -> event => match event {
                    Ok(event) => line(&mut writer, &event)?,
                    Err(_) => return Ok(()),
                },
                recv(self.told) -> told => match told {
                    Ok(told) => self.news(&mut writer, &told)?,
                    Err(_) => return Ok(()),
                },
                default(LOOK) => if has_gone(client) {
                    return Ok(());
                },
            }
            if self.reader.events.is_empty() && self.told.is_empty() {
                writer.flush()?;
            }
        }
    }

    /// What the engine told, if it is watched.
    fn news(&self, writer: &mut impl Write, told: &Told) -> io::Result<()> {
        let time = seconds(self.unix_origin_nanos + told.time.as_nanos());
        if told.missing > 0 {
            let happened = Happening::Missing { count: told.missing };
            line(writer, &EventView { time, deleted: false, happened })?;
        }
        // names are replaced whole, so they are sound even if somebody panicked while replacing them
        let (deleted, happened) = self.known.lock().unwrap_or_else(PoisonError::into_inner).tell(&told.news);
        if watches(&self.topics, &happened) {
            line(writer, &EventView { time, deleted, happened })?;
        }
        Ok(())
    }
}

fn line(writer: &mut impl Write, event: &EventView) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, event)?;
    writer.write_all(b"\n")
}

/// Whether somebody who watches these topics is told.
fn watches(topics: &[Topic], happened: &Happening) -> bool {
    topics.is_empty() || happened.topic().is_none_or(|topic| topics.contains(&topic))
}

/// To the microsecond, which is what 64 bits can tell of a date.
fn seconds(unix_nanos: u64) -> f64 {
    (unix_nanos / 1000) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> EventView {
        EventView { time: 1.5, deleted: false, happened: Happening::Lab { text: text.into() } }
    }

    #[test]
    fn a_slow_reader_loses_events_and_is_told_how_many() {
        let mut monitors = Monitors::default();
        let reader = monitors.add(Vec::new()).expect("there is room");
        for _ in 0..QUEUE + 3 {
            monitors.tell(&event("tick"));
        }
        assert_eq!(reader.events.len(), QUEUE, "the queue's bound");
        assert_eq!(reader.events.try_iter().filter(|told| *told == event("tick")).count(), QUEUE);
        monitors.tell(&event("tock"));
        let told: Vec<Happening> = reader.events.try_iter().map(|event| event.happened).collect();
        assert_eq!(told, [Happening::Missing { count: 3 }, event("tock").happened]);
    }

    #[test]
    fn readers_get_what_they_watch_and_are_forgotten_when_they_go() {
        let mut monitors = Monitors::default();
        let mut readers: Vec<Reader> =
            (0..MONITORS_MAX).map(|_| monitors.add(vec![Topic::Stp]).expect("there is room")).collect();
        assert!(monitors.add(Vec::new()).is_none(), "one too many");
        readers.pop();
        let all = monitors.add(Vec::new()).expect("one has gone");
        monitors.tell(&event("reloaded"));
        assert_eq!((readers[0].events.len(), all.events.len()), (0, 1), "not a topic of the first");
        drop((readers, all));
        monitors.tell(&event("reloaded"));
        assert_eq!(monitors.running.len(), MONITORS_MAX - 1, "who would be told is found to be gone");
        let one = monitors.add(Vec::new()).expect("there is room");
        assert_eq!(monitors.running.len(), 1, "and so is everybody, before there is another");
        drop(one);
    }

    #[test]
    fn time_is_told_to_the_microsecond() {
        assert_eq!(seconds(1_700_000_000_123_456_789), 1_700_000_000.123_456);
    }
}
