//! Telling those who watch what happens inside the devices.
//!
//! Whoever watches gets every piece of news through a bounded channel and may be slow: what does not fit is lost to that one
//! only, and the next piece says how many are missing. While nobody watches, the devices note nothing.

use std::sync::Weak;

use crossbeam_channel::{Sender, TrySendError};

use crate::fabric::{Fabric, News};
use crate::time::Time;

/// A piece of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When the turn started in which it happened.
    pub time: Time,
    /// What happened.
    pub news: News,
    /// How many pieces before it are missing.
    pub missing: u64,
}

/// Somebody who watches.
#[derive(Clone, Debug)]
pub struct Watcher {
    /// Where the news goes.
    pub sink: Sender<Told>,
    /// Gone when nobody listens any more, which a thread without news would not find out otherwise.
    pub reader: Weak<()>,
}

/// Those who watch.
#[derive(Debug, Default)]
pub struct Monitors {
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    watcher: Watcher,
    missing: u64,
}

impl Monitors {
    /// Somebody begins to watch; those who do not listen any more are forgotten.
    pub fn add(&mut self, fabric: &mut Fabric, watcher: Watcher) {
        self.running.retain(|running| running.watcher.reader.strong_count() > 0);
        fabric.watch(true);
        self.running.push(Running { watcher, missing: 0 });
    }

    /// Those who watch, for another engine to tell them as well.
    pub fn list(&self) -> Vec<Watcher> {
        self.running.iter().map(|running| running.watcher.clone()).collect()
    }

    /// Whether nobody watches.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Passes on what has happened. Whoever does not listen any more is forgotten.
    #[inline]
    pub(super) fn tell(&mut self, fabric: &mut Fabric, time: Time) {
        if !self.running.is_empty() {
            self.tell_all(fabric, time);
        }
    }

    #[cold]
    fn tell_all(&mut self, fabric: &mut Fabric, time: Time) {
        let running = &mut self.running;
        let lost = fabric.news(|news| running.retain_mut(|running| running.tell(time, news)));
        running.iter_mut().for_each(|running| running.missing += lost);
        if running.is_empty() {
            fabric.watch(false);
        }
    }
}

impl Running {
    /// Whether it still listens.
    fn tell(&mut self, time: Time, news: News) -> bool {
        match self.watcher.sink.try_send(Told { time, news, missing: self.missing }) {
            Ok(()) => self.missing = 0,
            Err(TrySendError::Full(_)) => self.missing += 1,
            Err(TrySendError::Disconnected(_)) => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossbeam_channel::bounded;

    use super::*;
    use crate::bridge::{BridgeConfig, Event, LegConfig};
    use crate::fabric::Change;
    use crate::frame::{Batch, Frame, NodeId, Plug, PortId};

    #[test]
    fn a_slow_watcher_learns_how_much_it_missed() {
        let mut fabric = Fabric::new([1, 2]);
        let mut monitors = Monitors::default();
        let (bridge, port) = (NodeId(0), PortId(3));
        for change in [
            Change::AddBridge(bridge, BridgeConfig::default()),
            Change::AddPort(port, bridge, LegConfig::default()),
        ] {
            fabric.apply(change, Time::ZERO).expect("a simple set-up");
        }
        let learn = |fabric: &mut Fabric, station: u8| {
            let mut batch = Batch::new();
            batch.push(Frame::copy_of(&[[0xff; 6], [2, 0, 0, 0, 0, station], [8; 6]].concat(), port));
            fabric.receive(&mut batch, Time::ZERO);
        };
        learn(&mut fabric, 1);
        let ((sink, told), listener) = (bounded(1), Arc::new(()));
        monitors.add(&mut fabric, Watcher { sink, reader: Arc::downgrade(&listener) });
        (2..5).for_each(|station| learn(&mut fabric, station));
        monitors.tell(&mut fabric, Time::ZERO);
        let first = told.try_recv().expect("something happened");
        assert!(matches!(first.news.event, Event::Learned(s) if s.mac.0[5] == 2), "not what was before");
        assert_eq!((first.news.at, first.missing), (Some(Plug::Port(port)), 0));
        learn(&mut fabric, 6);
        monitors.tell(&mut fabric, Time::ZERO);
        assert_eq!(told.try_recv().map(|told| told.missing), Ok(2), "3 and 4 did not fit");
        drop(told);
        learn(&mut fabric, 7);
        monitors.tell(&mut fabric, Time::ZERO);
        assert!(monitors.running.is_empty(), "nobody listens any more");
    }
}
