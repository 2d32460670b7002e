//! What a walk did, step by step.
//!
//! Every walk is given a [`Trace`]. On the data path it is switched off and each note costs one branch; `explain`
//! switches it on and prints what it finds. The steps name legs and reasons, never text: the words, and the line
//! of the file that decided, are added where the plan is known.

use std::net::IpAddr;

use crate::frame::{Edit, Leg, LegIndex, PortId};
use crate::verdict::Reason;
use crate::wire::mac::Mac;

/// The sort of a frame that is flooded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// To all stations.
    Broadcast,
    /// To a group.
    Multicast,
    /// To a station of which nobody knows where it is.
    UnknownUnicast,
}

/// Why a source was not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlearned {
    /// The bridge remembers nobody: its ageing time is zero (B14).
    AgeingZero,
    /// The table is full (B19).
    Full,
    /// It came from the host, whose address is an entry of its own (B41).
    Host,
    /// The port does not learn (B4).
    LearningOff,
    /// The port has as many stations as it may have.
    Limit,
    /// From frames to link-local groups this bridge does not learn (B22).
    LinkLocal,
    /// It is an address of the host: spoofed, or a loop (B8).
    OwnAddress,
    /// A sticky entry says that it is elsewhere (B7).
    Sticky,
}

/// A rule of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// One of Docker's, in its own words.
    Docker(&'static str),
    /// A published port, by its place in the file.
    Publish(u16),
    /// One of the user's, by its place in the file.
    User(u16),
}

/// One thing that happened on a walk. A leg without a device is one of the device that was last arrived at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The sender is told something.
    Answer(&'static str),
    /// The frame arrived at a device.
    Arrive(Leg),
    /// The first leg is down; the second stands in for it (B30).
    Backup(LegIndex, LegIndex),
    /// The device itself was meant.
    Consume,
    /// A copy of its own goes to a member behind that leg (B77).
    Copy(LegIndex, Mac),
    /// It was delivered to a port, edited like that.
    Deliver(PortId, Edit),
    /// A router translates where it is to: address and port.
    Destination(IpAddr, u16),
    /// The walk of this branch ended.
    Drop(Reason),
    /// A copy is to go to every leg that may have one.
    Flood(Cast),
    /// What it is to its flow, as rules have it (N5).
    Flow(&'static str),
    /// It waits until all pieces of its datagram are here.
    Gather,
    /// Where the destination was looked up: the leg it is behind, or nowhere.
    Lookup(Mac, Option<LegIndex>),
    /// The source was seen for the first time.
    Learn(Mac),
    /// The members of its group get it, and the routers (B66).
    Members,
    /// A leg that watches gets a copy, too.
    Mirror(LegIndex),
    /// The source was behind another leg before, and moved.
    Move(Mac, LegIndex),
    /// The source is not remembered.
    NotLearned(Mac, Unlearned),
    /// The source is where it was.
    Refresh(Mac),
    /// It is cut, or put together, and goes on as frames that the router makes.
    Remake,
    /// A router hands it to that address, through that leg.
    Route(LegIndex, IpAddr),
    /// The rule that decided about it.
    Rule(Rule),
    /// A router translates where it is from: address and port.
    Source(IpAddr, u16),
    /// The frame is in that VLAN.
    Vlan(u16),
    /// It waits until that neighbour has answered.
    Wait(IpAddr),
    /// A copy would have gone to this leg but for the reason.
    Withhold(LegIndex, Reason),
}

/// The steps of one walk; off unless made with [`Trace::on`].
#[derive(Clone, Debug, Default)]
pub struct Trace {
    on: bool,
    steps: Vec<Step>,
}

impl Trace {
    /// Records nothing: for the data path.
    pub const fn off() -> Self {
        Self { on: false, steps: Vec::new() }
    }

    /// Records every step: for `explain` and for tests.
    pub const fn on() -> Self {
        Self { on: true, steps: Vec::new() }
    }

    /// Takes note of a step.
    #[inline]
    pub fn note(&mut self, step: Step) {
        if self.on {
            self.steps.push(step);
        }
    }

    /// What happened, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
