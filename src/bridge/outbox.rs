//! What a bridge has to say without being asked: frames of its own, and news.
//!
//! Devices that make frames (BPDUs, queries, answers) put them here, with the leg they are to leave through; the fabric
//! takes them from here and sends them on their way. News is for whoever watches ([`Event`]), and is not even written down
//! while nobody does. Both are bounded: what does not fit is counted and lost, which every protocol that speaks here
//! survives, because all of them repeat themselves.

use std::net::IpAddr;

use super::StationKind;
use super::multicast::Group;
use super::stp::PortState;
use crate::frame::{LEGS_MAX, LegIndex, NodeId};
use crate::wire::bpdu::BridgeId;
use crate::wire::mac::Mac;

/// How many bytes of frames wait at most.
const BYTES_MAX: usize = 256 * 1024;
/// How many frames wait at most: enough for two on every leg.
const FRAMES_MAX: usize = 2 * LEGS_MAX;
/// How many events wait at most.
const EVENTS_MAX: usize = 4096;

/// Something that happened inside a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A leg was disabled because a BPDU came in there (`bpdu_guard`, B82).
    BpduGuard(LegIndex),
    /// A station was forgotten: it had aged, or its leg went down, or the user said so.
    Forgotten(Sighting),
    /// A leg joined a group.
    Joined(Joining),
    /// A station was seen for the first time.
    Learned(Sighting),
    /// A leg left a group.
    Left(Joining),
    /// A station was seen behind another leg than before, which is the second one.
    Moved(Sighting, LegIndex),
    /// The spanning tree has another root.
    NewRoot(BridgeId),
    /// A leg is not heard for a while because that station keeps moving there.
    Quarantined(Sighting),
    /// The leg is heard again.
    Released(LegIndex),
    /// A multicast router was found behind a leg, or lost.
    Router(LegIndex, bool),
    /// There were more groups than there may be: snooping has switched itself off (B76).
    SnoopingOff,
    /// The spanning tree put a leg into another state.
    State(LegIndex, PortState),
    /// The spanning tree has begun to change.
    TopologyChange,
}

impl Event {
    /// The legs it names, in their order.
    pub fn legs(&self) -> (Option<LegIndex>, Option<LegIndex>) {
        match *self {
            Self::Forgotten(s) | Self::Learned(s) | Self::Quarantined(s) => (Some(s.leg), None),
            Self::Moved(s, to) => (Some(s.leg), Some(to)),
            Self::BpduGuard(leg) | Self::Released(leg) | Self::Router(leg, _) | Self::State(leg, _) => {
                (Some(leg), None)
            }
            Self::Joined(joining) | Self::Left(joining) => (Some(joining.leg), None),
            Self::NewRoot(_) | Self::SnoopingOff | Self::TopologyChange => (None, None),
        }
    }
}

/// Which station, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The station.
    pub mac: Mac,
    /// Its VLAN; 0 without filtering.
    pub vid: u16,
    /// The leg it is, or was, behind.
    pub leg: LegIndex,
    /// How firmly.
    pub kind: StationKind,
}

/// Who joined or left which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joining {
    /// The member.
    pub leg: LegIndex,
    /// The VLAN; 0 without filtering.
    pub vid: u16,
    /// The group.
    pub group: Group,
    /// The source that it is about, if it is not about all of them.
    pub source: Option<IpAddr>,
    /// The user said so.
    pub permanent: bool,
}

/// Frames that wait to be sent, first come, first served.
#[derive(Debug)]
pub struct Mail {
    waiting: Vec<Waiting>,
    bytes: Vec<u8>,
    /// How many frames and bytes have been taken.
    taken: (usize, usize),
}

impl Default for Mail {
    fn default() -> Self {
        let (waiting, bytes) = (Vec::with_capacity(FRAMES_MAX), Vec::with_capacity(BYTES_MAX));
        Self { waiting, bytes, taken: (0, 0) }
    }
}

impl Mail {
    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the next one: the device and the leg it leaves through, and its bytes.
    pub fn take(&mut self) -> Option<(NodeId, LegIndex, &[u8])> {
        let (index, at) = self.taken;
        let Some(Waiting { node, leg, len }) = self.waiting.get(index).copied() else {
            self.waiting.clear();
            self.bytes.clear();
            self.taken = (0, 0);
            return None;
        };
        self.taken = (index + 1, at + len);
        Some((node, leg, &self.bytes[at..at + len]))
    }

    /// Takes out what is from certain devices, in order: they are moving to where another outbox is.
    pub fn extract(&mut self, is_from: impl Fn(NodeId) -> bool, into: &mut Vec<(NodeId, LegIndex, Vec<u8>)>) {
        let mut rest = Self::default();
        while let Some((node, leg, bytes)) = self.take() {
            match is_from(node) {
                true => into.push((node, leg, bytes.to_vec())),
                false => {
                    rest.waiting.push(Waiting { node, leg, len: bytes.len() });
                    rest.bytes.extend_from_slice(bytes);
                }
            }
        }
        *self = rest;
    }
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    node: NodeId,
    leg: LegIndex,
    len: usize,
}

/// The outbox of all devices of a fabric.
#[derive(Debug)]
pub struct Outbox {
    node: NodeId,
    mail: Mail,
    lost: u64,
    watched: bool,
    events: Vec<(NodeId, Event)>,
    events_lost: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            node: NodeId(0),
            mail: Mail::default(),
            lost: 0,
            watched: false,
            events: Vec::new(),
            events_lost: 0,
        }
    }
}

impl Outbox {
    /// What is put in from now on comes from that device.
    #[inline]
    pub fn of(&mut self, node: NodeId) -> &mut Self {
        self.node = node;
        self
    }

    /// A frame is to leave through that leg, as it is.
    pub fn send(&mut self, leg: LegIndex, frame: &[u8]) {
        let Mail { waiting, bytes, .. } = &mut self.mail;
        if waiting.len() == FRAMES_MAX || bytes.len() + frame.len() > BYTES_MAX {
            self.lost += 1;
            return;
        }
        waiting.push(Waiting { node: self.node, leg, len: frame.len() });
        bytes.extend_from_slice(frame);
    }

    /// Something happened.
    #[inline]
    pub fn tell(&mut self, event: Event) {
        if self.watched {
            self.note(event);
        }
    }

    /// Whether anybody wants to know what happens; if not, what was noted is thrown away.
    pub fn watch(&mut self, watched: bool) {
        self.watched = watched;
        match watched {
            true => self.events.reserve(EVENTS_MAX),
            false => self.events = Vec::new(),
        }
    }

    /// Whether no frame waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.mail.is_empty()
    }

    /// Frames that did not fit.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Exchanges the frames that wait for `mail`, which must be empty: they can then be sent while others are put in.
    pub fn swap(&mut self, mail: &mut Mail) {
        debug_assert!(mail.is_empty(), "what is sent was taken out");
        std::mem::swap(&mut self.mail, mail);
    }

    /// Takes out the frames from certain devices, as [`Mail::extract`].
    pub fn extract(&mut self, is_from: impl Fn(NodeId) -> bool, into: &mut Vec<(NodeId, LegIndex, Vec<u8>)>) {
        self.mail.extract(is_from, into);
    }

    /// What happened since this was last asked, and how much more than could be noted.
    pub fn events(&mut self) -> (impl Iterator<Item = (NodeId, Event)> + '_, u64) {
        let lost = std::mem::take(&mut self.events_lost);
        (self.events.drain(..), lost)
    }

    #[cold]
    fn note(&mut self, event: Event) {
        if self.events.len() < EVENTS_MAX {
            self.events.push((self.node, event));
        } else {
            self.events_lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_keep_their_order_and_what_does_not_fit_is_counted() {
        let (mut outbox, mut mail) = (Outbox::default(), Mail::default());
        outbox.of(NodeId(7)).send(LegIndex(1), &[1; 60]);
        outbox.of(NodeId(8)).send(LegIndex(2), &[2; 35]);
        outbox.swap(&mut mail);
        outbox.of(NodeId(9)).send(LegIndex(3), &[3]);
        let mut sent = Vec::new();
        while let Some((node, leg, frame)) = mail.take() {
            sent.push((node.0, leg.0, frame.to_vec()));
        }
        assert_eq!(sent, [(7, 1, vec![1; 60]), (8, 2, vec![2; 35])], "and what came meanwhile waits");
        assert!(mail.is_empty());
        for _ in 0..2 * FRAMES_MAX {
            outbox.send(LegIndex(0), &[0; 35]);
        }
        assert_eq!(outbox.lost(), FRAMES_MAX as u64 + 1);
        outbox.swap(&mut mail);
        assert_eq!(std::iter::from_fn(|| mail.take().map(drop)).count(), FRAMES_MAX);
    }

    #[test]
    fn the_mail_of_some_devices_can_be_taken_out() {
        let (mut outbox, mut mail, mut theirs) = (Outbox::default(), Mail::default(), Vec::new());
        for (node, byte) in [(1, 1), (2, 2), (1, 3), (3, 4), (2, 5)] {
            outbox.of(NodeId(node)).send(LegIndex(7), &[byte; 20]);
        }
        outbox.swap(&mut mail);
        assert!(
            mail.take().is_some_and(|(node, _, bytes)| node == NodeId(1) && bytes[0] == 1),
            "has been sent"
        );
        mail.extract(|node| node != NodeId(2), &mut theirs);
        outbox.of(NodeId(1)).send(LegIndex(8), &[6]);
        outbox.extract(|node| node == NodeId(1), &mut theirs);
        let expected = [(1, 7, vec![3; 20]), (3, 7, vec![4; 20]), (1, 8, vec![6])];
        assert_eq!(theirs, expected.map(|(node, leg, bytes)| (NodeId(node), LegIndex(leg), bytes)));
        let rest: Vec<u8> = std::iter::from_fn(|| mail.take().map(|(_, _, bytes)| bytes[0])).collect();
        assert_eq!(rest, [2, 5], "the others' stays, in order");
        assert!(outbox.is_empty());
    }

    #[test]
    fn news_is_written_down_only_for_those_who_watch() {
        let mut outbox = Outbox::default();
        let event = Event::State(LegIndex(1), PortState::Blocking);
        outbox.tell(event);
        assert_eq!(outbox.events().0.count(), 0, "nobody watches");
        outbox.watch(true);
        for _ in 0..=EVENTS_MAX {
            outbox.of(NodeId(3)).tell(event);
        }
        let (events, lost) = outbox.events();
        assert_eq!((events.last(), lost), (Some((NodeId(3), event)), 1), "the newest are lost, and counted");
        assert_eq!(outbox.events().1, 0, "and told once");
    }
}
