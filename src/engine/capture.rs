//! Listening in on ports.
//!
//! A capture names a set of ports, or all drops. A frame is recorded once per capture: on its way in if it entered
//! through one of the ports, else at the first of them it leaves through, and then as it leaves there (with the tags
//! it has been given, to the destination it has been sent to). So a capture of a network shows each frame once,
//! however far it was flooded. A frame that a device made came in nowhere and only leaves. Routers write into frames, so
//! what enters a captured port is copied before the fabric has it. Whoever captures gets
//! copies through a bounded channel and may be slow: what does not fit is lost to the capture only, and the next copy
//! says how many are missing. Ports that nobody captures pay one bit test per batch.

use std::sync::Weak;

use crossbeam_channel::{Sender, TrySendError};

use crate::frame::{BATCH_MAX, Batch, Delivery, Edit, End, LegIndex, ORIGINATED_MAX, PortId};
use crate::time::Time;
use crate::verdict::{LegSet, Reason};

/// What is to be recorded.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The ports (by number, as in a leg set).
    pub ports: LegSet,
    /// Only frames that were dropped.
    pub drops_only: bool,
    /// At most this many bytes of each frame.
    pub snaplen: usize,
    /// Where the copies go.
    pub sink: Sender<Captured>,
    /// Gone when nobody reads any more, which a thread without frames would not find out otherwise.
    pub reader: Weak<()>,
}

/// A copy of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// When the turn started in which it was received.
    pub time: Time,
    /// Where it was seen.
    pub port: PortId,
    /// Whether it was on its way out there.
    pub outbound: bool,
    /// How long it was.
    pub len: usize,
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// Why it was dropped, if it was.
    pub reason: Option<Reason>,
    /// How many before it the reader was too slow for.
    pub missing: u64,
}

/// The captures that are running.
#[derive(Debug, Default)]
pub struct Captures {
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    capture: Capture,
    /// What has entered of the batch that the fabric has now, as it came: how long it was, and its first bytes.
    entered: Vec<Option<(usize, Vec<u8>)>>,
    missing: u64,
}

impl Captures {
    /// Begins one; those that nobody reads any more are over.
    pub fn add(&mut self, capture: Capture) {
        self.running.retain(|running| running.capture.reader.strong_count() > 0);
        self.running.push(Running { capture, entered: Vec::new(), missing: 0 });
    }

    /// Those that are running, for another engine to join in.
    pub fn list(&self) -> Vec<Capture> {
        self.running.iter().map(|running| running.capture.clone()).collect()
    }

    /// Looks at a batch that the fabric is about to see.
    pub(super) fn look(&mut self, batch: &Batch) {
        for running in &mut self.running {
            running.look(batch);
        }
    }

    /// Records what matches of a batch that the fabric has seen, after [`Captures::look`] if it was received. A capture
    /// whose reader has gone is over.
    pub(super) fn record(&mut self, batch: &Batch, now: Time) {
        self.running.retain_mut(|running| running.record(batch, now));
    }
}

impl Running {
    fn look(&mut self, batch: &Batch) {
        let Self { capture, entered, .. } = self;
        entered.clear();
        entered.extend(batch.frames().iter().take(batch.received()).map(|frame| {
            let is_watched = capture.ports.contains(LegIndex(frame.ingress.0));
            is_watched.then(|| copy(frame.bytes(), &Edit::NONE, capture.snaplen))
        }));
    }

    /// Whether anybody still reads.
    fn record(&mut self, batch: &Batch, now: Time) -> bool {
        // deliveries of a frame that was made meanwhile lie among those of the frame that was looked at
        let mut leaving: [Option<&Delivery>; BATCH_MAX + ORIGINATED_MAX] = [None; _];
        for delivery in batch.deliveries() {
            if let Some(first @ None) = leaving.get_mut(usize::from(delivery.frame))
                && self.watches(delivery.port)
            {
                *first = Some(delivery);
            }
        }
        for (index, (frame, leaving)) in batch.frames().iter().zip(leaving).enumerate() {
            let reason = match batch.ends().get(index) {
                Some(End::Dropped(reason)) => Some(*reason),
                _ => None,
            };
            if self.capture.drops_only && reason.is_none() {
                continue;
            }
            let entered = self.entered.get_mut(index).and_then(Option::take);
            let outbound = entered.is_none();
            let (port, (len, bytes)) = match (entered, leaving) {
                (Some(entered), _) => (frame.ingress, entered),
                (None, Some(delivery)) => {
                    (delivery.port, copy(frame.bytes(), &delivery.edit, self.capture.snaplen))
                }
                (None, None) => continue,
            };
            let missing = self.missing;
            let captured = Captured { time: now, port, outbound, len, bytes, reason, missing };
            match self.capture.sink.try_send(captured) {
                Ok(()) => self.missing = 0,
                Err(TrySendError::Full(_)) => self.missing += 1,
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        self.entered.clear();
        true
    }

    fn watches(&self, port: PortId) -> bool {
        self.capture.ports.contains(LegIndex(port.0))
    }
}

/// How long the edited frame is, and its first bytes.
fn copy(frame: &[u8], edit: &Edit, snaplen: usize) -> (usize, Vec<u8>) {
    if edit.is_none() {
        return (frame.len(), frame[..frame.len().min(snaplen)].to_vec());
    }
    let (head, head_len) = edit.head(frame);
    let (head, rest) = (&head[..head_len], frame.get(edit.tail()..).unwrap_or_default());
    let kept = rest.len().min(snaplen.saturating_sub(head_len));
    (head_len + rest.len(), [&head[..head_len.min(snaplen)], &rest[..kept]].concat())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossbeam_channel::bounded;

    use super::*;
    use crate::frame::{Frame, Tag};
    use crate::wire::mac::Mac;

    fn capture(ports: &[u16], drops_only: bool) -> (Captures, crossbeam_channel::Receiver<Captured>) {
        let (sink, received) = bounded(2);
        let mut captures = Captures::default();
        let ports = ports.iter().map(|p| LegIndex(*p)).collect();
        captures.add(Capture { ports, drops_only, snaplen: 20, sink, reader: Weak::new() });
        (captures, received)
    }

    /// Port 0 floods to 1 and 2; port 1's frame is dropped.
    fn batch() -> Batch {
        let mut batch = Batch::new();
        batch.push(Frame::copy_of(&[1; 60], PortId(0)));
        batch.push(Frame::copy_of(&[2; 60], PortId(1)));
        batch.deliver(0, PortId(1), Edit::NONE);
        batch.deliver(0, PortId(2), Edit::NONE);
        batch.end(End::Flooded);
        batch.end(End::Dropped(Reason::SamePort));
        batch
    }

    /// As if the fabric had seen the batch in between.
    fn record(captures: &mut Captures, batch: &Batch) {
        captures.look(batch);
        captures.record(batch, Time::ZERO);
    }

    #[test]
    fn a_frame_is_recorded_once_per_capture() {
        let table: &[(&[u16], bool, &[(u16, bool, bool)], &str)] = &[
            (&[0, 1, 2], false, &[(0, false, false), (1, false, true)], "on the way in, where it entered"),
            (&[2], false, &[(2, true, false)], "on the way out, where it did not"),
            (&[1, 2], false, &[(1, true, false), (1, false, true)], "a flood once, at the first port"),
            (&[0, 1, 2], true, &[(1, false, true)], "only drops"),
            (&[3], false, &[], "a port that saw nothing"),
        ];
        for (ports, drops_only, expected, why) in table {
            let (mut captures, received) = capture(ports, *drops_only);
            record(&mut captures, &batch());
            let seen: Vec<_> =
                received.try_iter().map(|c| (c.port.0, c.outbound, c.reason.is_some())).collect();
            assert_eq!(seen, *expected, "{why}");
        }
    }

    #[test]
    fn a_frame_that_leaves_is_recorded_as_it_leaves() {
        let tagged = Edit::NONE.push(Tag { tpid: 0x8100, tci: 5 }).expect("there is room");
        let elsewhere = Edit::NONE.to(Mac([4; 6]));
        let mut bytes = [1; 60];
        bytes[12..16].copy_from_slice(&[0x81, 0, 0, 9]);
        let head = |addresses: [u8; 2], rest: &[u8]| {
            [&[addresses[0]; 6][..], &[addresses[1]; 6], rest, &[1; 20]].concat()[..20].to_vec()
        };
        let table: &[(u16, usize, Vec<u8>, &str)] = &[
            (0, 60, head([1, 1], &[0x81, 0, 0, 9]), "on the way in, as it came"),
            (1, 64, head([1, 1], &[0x81, 0, 0, 5, 0x81, 0, 0, 9]), "with a tag more"),
            (2, 56, head([1, 1], &[]), "without its tag"),
            (3, 60, head([4, 1], &[0x81, 0, 0, 9]), "to another destination"),
        ];
        let mut batch = Batch::new();
        batch.push(Frame::copy_of(&bytes, PortId(0)));
        for (port, edit) in [(1, tagged), (2, Edit::NONE.pop()), (3, elsewhere)] {
            batch.deliver(0, PortId(port), edit);
        }
        batch.end(End::Flooded);
        for (port, len, expected, why) in table {
            let (mut captures, received) = capture(&[*port], false);
            record(&mut captures, &batch);
            let seen = received.try_recv().expect(why);
            assert_eq!((seen.len, &seen.bytes, seen.outbound), (*len, expected, *port != 0), "{why}");
        }
        assert_eq!(copy(&bytes, &tagged, 14).1, head([1, 1], &[0x81, 0])[..14], "cut within the tag");
    }

    #[test]
    fn a_frame_that_a_device_made_is_recorded_where_it_leaves() {
        let mut batch = Batch::new();
        batch.push(Frame::copy_of(&[1; 60], PortId(0)));
        batch.push(Frame::copy_of(&[2; 60], PortId(0)));
        // made while the first was looked at, so delivered before the second
        let made = batch.originate(&[7; 30]).expect("there is room");
        batch.deliver(0, PortId(1), Edit::NONE);
        batch.deliver(made, PortId(2), Edit::NONE);
        batch.deliver(made, PortId(3), Edit::NONE);
        batch.end(End::Sent);
        batch.deliver(1, PortId(3), Edit::NONE);
        batch.end(End::Dropped(Reason::NoPort));
        let table: &[(&[u16], bool, &[(u16, usize)], &str)] = &[
            (&[2], false, &[(2, 30)], "only what was made left there"),
            (&[3], false, &[(3, 60), (3, 30)], "received frames first"),
            (&[2, 3], false, &[(3, 60), (2, 30)], "once, at the first port"),
            (&[2], true, &[], "what was made is no drop"),
            (&[3], true, &[(3, 60)], "nor does it lend its place to one"),
        ];
        for (ports, drops_only, expected, why) in table {
            let (mut captures, received) = capture(ports, *drops_only);
            record(&mut captures, &batch);
            let seen: Vec<_> = received.try_iter().map(|c| (c.port.0, c.len)).collect();
            assert_eq!(seen, *expected, "{why}");
        }
    }

    /// A capture of the LAN used to show answers to guests' addresses: what the gateway had made of them.
    #[test]
    fn what_a_router_writes_is_not_what_came_in() {
        let (mut captures, received) = capture(&[0], false);
        let mut batch = Batch::new();
        batch.push(Frame::copy_of(&[1; 60], PortId(0)));
        captures.look(&batch);
        batch.frame_mut(0).bytes_mut().fill(2);
        batch.deliver(0, PortId(1), Edit::NONE);
        batch.end(End::Sent);
        captures.record(&batch, Time::ZERO);
        assert_eq!(received.try_recv().expect("it entered there").bytes, [1; 20], "as it came");
        let (mut captures, received) = capture(&[1], false);
        captures.look(&batch);
        captures.record(&batch, Time::ZERO);
        assert_eq!(received.try_recv().expect("it left there").bytes, [2; 20], "as it leaves");
    }

    /// A thread that no frame comes to used to keep the captures of everybody who had ever looked.
    #[test]
    fn captures_that_nobody_reads_are_over_when_another_begins() {
        let (mut captures, _received) = capture(&[0], false);
        let reader = Arc::new(());
        for _ in 0..3 {
            let (sink, ports) = (bounded(1).0, LegSet::EMPTY);
            let reader = Arc::downgrade(&reader);
            captures.add(Capture { ports, drops_only: false, snaplen: 20, sink, reader });
        }
        assert_eq!(captures.list().len(), 3, "the first had no reader from the beginning");
        drop(reader);
        captures.add(Capture { sink: bounded(1).0, ..captures.list()[0].clone() });
        assert_eq!(captures.list().len(), 1);
    }

    #[test]
    fn a_slow_reader_loses_frames_and_learns_how_many() {
        let (mut captures, received) = capture(&[0, 1], false);
        record(&mut captures, &batch());
        record(&mut captures, &batch());
        assert_eq!(received.len(), 2, "the channel's bound");
        assert_eq!(captures.running[0].missing, 2);
        let first = received.recv().expect("recorded above");
        assert_eq!((first.bytes.len(), first.len), (20, 60), "snaplen cuts the copy, not the length");
        record(&mut captures, &batch());
        let next = received.try_iter().last().expect("there is room again");
        assert_eq!(next.missing, 2, "told with the next that fits");
        drop(received);
        record(&mut captures, &batch());
        assert!(captures.running.is_empty(), "a capture ends when its reader goes");
    }
}
