//! The walk of one frame through the graph.
//!
//! The walk asks a device for its decision, follows the wire that the decision names, and asks again, until the frame
//! ends. A flood over links opens branches, which wait on a stack while the walk finishes another. Where links form a
//! tree each device is asked at most once; where a spanning tree keeps loops in check it may be mistaken for a moment,
//! so a walk may ask no more often than there are devices, twice over.
//!
//! A walk is at most [`DEVICES_MAX`] devices long: no sound lab has more in a row, and it bounds the work that a
//! frame can make. What a walk does to the world it leaves to a [`Traveller`]: frames in flight learn and are
//! delivered, hypothetical ones only take notes. So both walk alike.

use super::graph::{Graph, Wire};
use crate::bridge::{Decision, Extras, Inside};
use crate::frame::{Edit, End, Leg, PortId};
use crate::trace::Step;
use crate::verdict::{Reason, Verdict};

/// The most devices in a row.
pub(super) const DEVICES_MAX: u8 = 8;

/// Who walks, and what that does to the world.
pub(super) trait Traveller {
    /// The decision of the device that the branch has come to. Sets [`Traveller::extras`]. A router that sends the frame on
    /// writes into it; if others get it as it is, the branch goes on with a copy.
    fn ask(&mut self, branch: &mut Branch) -> Decision;
    /// What the frame becomes when it leaves through that leg; `None` if it would have too many tags.
    fn exit(&self, leg: Leg, inside: &Inside, edit: Edit) -> Option<Edit>;
    /// Where the copies of the last decision go.
    fn extras(&self) -> &Extras;
    /// That frame leaves through that port, edited like that.
    fn deliver(&mut self, frame: u16, port: PortId, edit: Edit);
    /// The copy that a flood sent out of that leg ended before it reached a port.
    fn withhold(&mut self, leg: Leg, reason: Reason);
    /// Something to be remembered.
    fn note(&mut self, step: Step);
}

/// A copy of the frame that waits to be walked on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    /// Where it arrives.
    pub(super) at: Leg,
    /// Where the flood that made it sent it from; `None` for the frame itself.
    pub(super) from: Option<Leg>,
    /// Devices passed so far.
    passed: u8,
    /// The device there has been asked for a shortcut, and has none.
    pub(super) stopped: bool,
    /// The frame, as the traveller numbers frames.
    pub(super) frame: u16,
    /// What it has become so far.
    pub(super) edit: Edit,
}

impl Branch {
    /// A frame that arrives at `at`, where it is to be decided on, having passed so many devices.
    #[inline]
    pub(super) const fn stopped(at: Leg, passed: u8, frame: u16) -> Self {
        Self { at, from: None, passed, stopped: true, frame, edit: Edit::NONE }
    }

    /// A frame that enters at `at`.
    pub(super) const fn enters(at: Leg, frame: u16) -> Self {
        Self { stopped: false, ..Self::stopped(at, 0, frame) }
    }
}

/// Walks the frame on from where it is, and says what became of it.
#[inline]
pub(super) fn walk(
    graph: &Graph,
    trunk: Branch,
    stack: &mut Vec<Branch>,
    traveller: &mut impl Traveller,
) -> End {
    match follow(graph, trunk, traveller) {
        Tip::Reached(end) => end,
        Tip::Ended(reason, _) => End::Dropped(reason),
        Tip::Flooded(flood) => spread_all(graph, &flood, stack, traveller),
    }
}

/// Where a branch stopped to be one line.
enum Tip {
    /// It ended for a reason. With the leg that a flood had sent it from.
    Ended(Reason, Option<Leg>),
    /// A device sent it out of several legs.
    Flooded(Flood),
    /// It reached somebody.
    Reached(End),
}

/// A frame that leaves a device through several legs: those of [`Traveller::extras`], until the next device is asked.
struct Flood {
    at: Leg,
    passed: u8,
    inside: Option<Inside>,
    frame: u16,
    edit: Edit,
}

/// Follows one copy from device to device for as long as it stays one copy.
#[inline]
fn follow(graph: &Graph, mut branch: Branch, traveller: &mut impl Traveller) -> Tip {
    loop {
        let Branch { at, from, .. } = branch;
        traveller.note(Step::Arrive(at));
        if branch.passed == DEVICES_MAX {
            traveller.note(Step::Drop(Reason::HopLimit));
            return Tip::Ended(Reason::HopLimit, from);
        }
        branch.passed += 1;
        let Decision { verdict, inside } = traveller.ask(&mut branch);
        let Branch { frame, edit, .. } = branch;
        if traveller.extras().any {
            mirror(graph, at, frame, edit, traveller);
        }
        let leg = match verdict {
            Verdict::Consume => return Tip::Reached(End::Consumed),
            Verdict::Drop(reason) => return Tip::Ended(reason, from),
            Verdict::Flood => {
                return Tip::Flooded(Flood { at, passed: branch.passed, inside, frame, edit });
            }
            Verdict::Forward(leg) => Leg { leg, ..at },
            Verdict::Park => return Tip::Reached(End::Parked),
        };
        let Some(edit) = exit(leg, inside.as_ref(), edit, traveller) else {
            traveller.note(Step::Drop(Reason::TagsFull));
            return Tip::Ended(Reason::TagsFull, from);
        };
        match graph.wire(leg) {
            Some(Wire::Link(peer, _)) => (branch.at, branch.edit, branch.stopped) = (peer, edit, false),
            Some(Wire::Port(port)) => {
                traveller.deliver(frame, port, edit);
                return Tip::Reached(End::Sent);
            }
            None => {
                traveller.note(Step::Drop(Reason::NoPort));
                return Tip::Ended(Reason::NoPort, from);
            }
        }
    }
}

#[inline]
fn exit(leg: Leg, inside: Option<&Inside>, edit: Edit, traveller: &impl Traveller) -> Option<Edit> {
    match inside {
        None => Some(edit),
        Some(inside) => traveller.exit(leg, inside, edit),
    }
}

/// Copies for ports that watch the device, as the frame came in.
#[cold]
fn mirror(graph: &Graph, at: Leg, frame: u16, edit: Edit, traveller: &mut impl Traveller) {
    let mirrors = traveller.extras().mirrors;
    for leg in mirrors.iter() {
        if let Some(Wire::Port(port)) = graph.wire(Leg { leg, ..at }) {
            traveller.deliver(frame, port, edit);
        }
    }
}

/// Delivers to the ports of a flood and walks its branches on. Flooded is what reached somebody; else the frame ended
/// for the reason that all branches gave, or because there is no port if they differ.
#[inline(never)]
fn spread_all(graph: &Graph, flood: &Flood, stack: &mut Vec<Branch>, traveller: &mut impl Traveller) -> End {
    stack.clear();
    let mut reached = spread(graph, flood, stack, traveller);
    let mut common = None;
    let mut asked = 1;
    while let Some(branch) = stack.pop() {
        asked += 1;
        let tip = match asked > 2 * graph.devices() {
            true => Tip::Ended(Reason::HopLimit, branch.from),
            false => follow(graph, branch, traveller),
        };
        match tip {
            Tip::Reached(_) => reached = true,
            Tip::Flooded(flood) => reached |= spread(graph, &flood, stack, traveller),
            Tip::Ended(reason, from) => {
                common = Some(if common.is_none_or(|c| c == reason) { reason } else { Reason::NoPort });
                if let Some(from) = from {
                    traveller.withhold(from, reason);
                }
            }
        }
    }
    if reached { End::Flooded } else { End::Dropped(common.unwrap_or(Reason::NoPort)) }
}

/// Delivers to the ports among the legs, and puts the others on the stack; says whether there was a port.
fn spread(graph: &Graph, flood: &Flood, stack: &mut Vec<Branch>, traveller: &mut impl Traveller) -> bool {
    let mut reached = false;
    let legs = traveller.extras().flood;
    for leg in legs.iter() {
        reached |= copy(graph, flood, Leg { leg, ..flood.at }, flood.edit, stack, traveller);
    }
    let mut next = 0;
    while let Some(&(leg, mac)) = traveller.extras().copies.get(next) {
        reached |= copy(graph, flood, Leg { leg, ..flood.at }, flood.edit.to(mac), stack, traveller);
        next += 1;
    }
    reached
}

/// One copy of a flood; says whether it reached a port.
fn copy(
    graph: &Graph,
    flood: &Flood,
    from: Leg,
    edit: Edit,
    stack: &mut Vec<Branch>,
    traveller: &mut impl Traveller,
) -> bool {
    let Some(edit) = exit(from, flood.inside.as_ref(), edit, traveller) else {
        traveller.note(Step::Withhold(from.leg, Reason::TagsFull));
        traveller.withhold(from, Reason::TagsFull);
        return false;
    };
    match graph.wire(from) {
        Some(Wire::Link(peer, _)) => {
            let Flood { passed, frame, .. } = *flood;
            stack.push(Branch { at: peer, from: Some(from), passed, stopped: false, frame, edit });
            false
        }
        Some(Wire::Port(port)) => {
            traveller.deliver(flood.frame, port, edit);
            true
        }
        None => false,
    }
}
