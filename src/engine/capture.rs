//! Listening in on ports.
//!
//! A capture names a set of ports, or all drops. A frame is recorded once per capture: on its way in if it entered
//! through one of the ports, else at the first of them it leaves through. So a capture of a network shows each frame
//! once, however far it was flooded. Whoever captures gets copies through a bounded channel and may be slow: what
//! does not fit is lost to the capture only, and the next copy says how many are missing. Ports that nobody captures pay one bit test per batch.

use crossbeam_channel::{Sender, TrySendError};

use crate::frame::{Batch, End, PortId};
use crate::time::Time;
use crate::verdict::{LegSet, Reason};

/// What is to be recorded.
#[derive(Debug)]
pub struct Capture {
    /// The ports (by number, as in a leg set).
    pub ports: LegSet,
    /// Only frames that were dropped.
    pub drops_only: bool,
    /// At most this many bytes of each frame.
    pub snaplen: usize,
    /// Where the copies go.
    pub sink: Sender<Captured>,
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
    missing: u64,
}

impl Captures {
    /// Begins one.
    pub fn add(&mut self, capture: Capture) {
        self.running.push(Running { capture, missing: 0 });
    }

    /// Records what matches of a batch that the fabric has seen. A capture whose reader has gone is over.
    pub(super) fn record(&mut self, batch: &Batch, now: Time) {
        self.running.retain_mut(|running| running.record(batch, now));
    }
}

impl Running {
    /// Whether anybody still reads.
    fn record(&mut self, batch: &Batch, now: Time) -> bool {
        let mut deliveries = batch.deliveries().iter().peekable();
        for (index, (frame, end)) in batch.frames().iter().zip(batch.ends()).enumerate() {
            let ingress = frame.ingress;
            let mut seen = self.watches(ingress).then_some((ingress, false));
            while let Some(delivery) = deliveries.next_if(|d| usize::from(d.frame) == index) {
                if seen.is_none() && self.watches(delivery.port) {
                    seen = Some((delivery.port, true));
                }
            }
            let reason = match end {
                End::Dropped(reason) => Some(*reason),
                _ => None,
            };
            let Some((port, outbound)) = seen else { continue };
            if self.capture.drops_only && reason.is_none() {
                continue;
            }
            let bytes = frame.bytes();
            let kept = bytes.len().min(self.capture.snaplen);
            let captured = Captured {
                time: now,
                port,
                outbound,
                len: bytes.len(),
                bytes: bytes[..kept].to_vec(),
                reason,
                missing: self.missing,
            };
            match self.capture.sink.try_send(captured) {
                Ok(()) => self.missing = 0,
                Err(TrySendError::Full(_)) => self.missing += 1,
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        true
    }

    fn watches(&self, port: PortId) -> bool {
        self.capture.ports.contains(crate::frame::LegIndex(port.0))
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;
    use crate::frame::{Edit, Frame, LegIndex};

    fn capture(ports: &[u16], drops_only: bool) -> (Captures, crossbeam_channel::Receiver<Captured>) {
        let (sink, received) = bounded(2);
        let mut captures = Captures::default();
        let ports = ports.iter().map(|p| LegIndex(*p)).collect();
        captures.add(Capture { ports, drops_only, snaplen: 20, sink });
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
            captures.record(&batch(), Time::ZERO);
            let seen: Vec<_> =
                received.try_iter().map(|c| (c.port.0, c.outbound, c.reason.is_some())).collect();
            assert_eq!(seen, *expected, "{why}");
        }
    }

    #[test]
    fn a_slow_reader_loses_frames_and_learns_how_many() {
        let (mut captures, received) = capture(&[0, 1], false);
        captures.record(&batch(), Time::ZERO);
        captures.record(&batch(), Time::ZERO);
        assert_eq!(received.len(), 2, "the channel's bound");
        assert_eq!(captures.running[0].missing, 2);
        let first = received.recv().expect("recorded above");
        assert_eq!((first.bytes.len(), first.len), (20, 60), "snaplen cuts the copy, not the length");
        captures.record(&batch(), Time::ZERO);
        let next = received.try_iter().last().expect("there is room again");
        assert_eq!(next.missing, 2, "told with the next that fits");
        drop(received);
        captures.record(&batch(), Time::ZERO);
        assert!(captures.running.is_empty(), "a capture ends when its reader goes");
    }
}
