//! `monitor`: what happens, told to whoever watches, each on a thread of its own.
//!
//! Whoever watches has a queue of bounded length. What happens is put into it without waiting: who reads too slowly
//! loses events, and is told how many with the next that fits. When the client goes away the write fails, the queue
//! closes with the thread, and is forgotten.

use std::io::{BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::Instance;
use super::capture::has_gone;
use crate::control::event::{EventView, Happening, Topic};
use crate::control::plan::{LegView, Plan};
use crate::control::protocol::Response;
use crate::control::server::Answer;
use crate::control::setting;
use crate::control::view::VlanEntryView;

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

/// Where a reader finds its events.
#[derive(Debug)]
struct Reader {
    events: Receiver<EventView>,
    _alive: Arc<()>,
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
        Some(Reader { events, _alive: alive })
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
        let topic = event.happened.topic();
        if !self.topics.is_empty() && topic.is_some_and(|topic| !self.topics.contains(&topic)) {
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
    pub(super) fn monitor(&mut self, what: Vec<Topic>) -> Answer {
        match self.monitors.add(what) {
            Some(reader) => Answer::Stream(Box::new(move |client| {
                // a client that has gone is the normal end
                let _ = write(&client, &reader.events);
            })),
            None => Answer::Reply(Response::error_with_hint(
                format!("{MONITORS_MAX} clients watch already"),
                "end one of them",
            )),
        }
    }

    /// Tells who watches what happened just now.
    pub(super) fn tell(&mut self, deleted: bool, happened: Happening) {
        let time = self.engine.unix_origin_nanos() + self.engine.uptime().as_nanos() as u64;
        self.monitors.tell(&EventView { time: seconds(time), deleted, happened });
    }

    /// Tells what differs between the plan that was and the one that is now.
    pub(super) fn tell_changes(&mut self, old: &Plan) {
        if !self.monitors.is_empty() {
            changes(old, &self.plan).into_iter().for_each(|(deleted, happened)| self.tell(deleted, happened));
        }
    }
}

/// Writes a line for each event until the client goes away or the lab goes down.
fn write(client: &UnixStream, events: &Receiver<EventView>) -> std::io::Result<()> {
    let mut writer = BufWriter::new(client);
    loop {
        match events.recv_timeout(LOOK) {
            Ok(first) => {
                for event in std::iter::once(first).chain(events.try_iter().take(QUEUE)) {
                    serde_json::to_writer(&mut writer, &event)?;
                    writer.write_all(b"\n")?;
                }
                writer.flush()?;
            }
            Err(RecvTimeoutError::Timeout) if has_gone(client) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// To the microsecond, which is what 64 bits can tell of a date.
fn seconds(unix_nanos: u64) -> f64 {
    (unix_nanos / 1000) as f64 / 1e6
}

/// What the user changed: settings and VLANs, leg by leg; each with whether it is gone. Frames change neither.
fn changes(old: &Plan, new: &Plan) -> Vec<(bool, Happening)> {
    let mut found = Vec::new();
    let twin = |plan: &Plan, leg: &LegView<'_>| {
        plan.leg(leg.name).filter(|twin| twin.network == leg.network).map(|twin| twin.settings.clone())
    };
    for leg in old.legs() {
        let now = twin(new, &leg).unwrap_or_default();
        let gone = leg.settings.vlans.iter().filter(|entry| now.vlan(entry.vid).is_none());
        found.extend(gone.map(|entry| (true, vlan(&leg, entry))));
    }
    for leg in new.legs() {
        let before = twin(old, &leg).unwrap_or_default();
        let differs = setting::differences(&before.leg, &leg.settings.leg);
        let backup = setting::Setting::BackupPort(leg.settings.backup.clone());
        let backup = (before.backup != leg.settings.backup).then_some(backup);
        let flags: Vec<String> = differs.iter().chain(&backup).map(ToString::to_string).collect();
        if !flags.is_empty() {
            let (ifname, master) = (leg.name.to_owned(), leg.network.to_owned());
            found.push((false, Happening::Link { ifname, master, state: String::new(), flags }));
        }
        let came = leg.settings.vlans.iter().filter(|entry| before.vlan(entry.vid) != Some(**entry));
        found.extend(came.map(|entry| (false, vlan(&leg, entry))));
    }
    found
}

fn vlan(leg: &LegView<'_>, entry: &crate::fabric::VlanEntry) -> Happening {
    Happening::Vlan { ifname: leg.name.to_owned(), entry: VlanEntryView::from(*entry) }
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
