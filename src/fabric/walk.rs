//! The walk of one frame through the graph.
//!
//! The walk asks a device for its verdict, follows the wire that the verdict names, and asks again, until the frame
//! ends. A flood over links opens branches, which wait on a stack while the walk finishes another. As links form a
//! tree, each device is asked at most once, and the stack never holds more than there are links.
//!
//! A walk is at most [`DEVICES_MAX`] devices long: no sound lab has more in a row, and it bounds the work that a
//! frame can make. What a walk does to the world it leaves to a [`Traveller`]: frames in flight learn and are
//! delivered, hypothetical ones only take notes. So both walk alike.

use super::graph::{Graph, Wire};
use crate::frame::{End, Leg, PortId};
use crate::trace::Step;
use crate::verdict::{LegSet, Reason, Verdict};

/// The most devices in a row.
pub(super) const DEVICES_MAX: u8 = 8;

/// Who walks, and what that does to the world.
pub(super) trait Traveller {
    /// The verdict of the device on the frame at that leg of it.
    fn ask(&mut self, leg: Leg) -> Verdict;
    /// The frame leaves through that port.
    fn deliver(&mut self, port: PortId);
    /// The copy that a flood sent out of that leg ended before it reached a port.
    fn withhold(&mut self, leg: Leg, reason: Reason);
    /// Something to be remembered.
    fn note(&mut self, step: Step);
}

/// A copy of the frame that waits to be walked on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    /// Where it arrives.
    at: Leg,
    /// Where the flood that made it sent it from; `None` for the frame itself.
    from: Option<Leg>,
    /// Devices passed so far.
    passed: u8,
}

/// Walks the frame that enters at `entry`, and says what became of it.
#[inline]
pub(super) fn walk(
    graph: &Graph,
    entry: Leg,
    stack: &mut Vec<Branch>,
    traveller: &mut impl Traveller,
) -> End {
    let trunk = Branch { at: entry, from: None, passed: 0 };
    match follow(graph, trunk, traveller) {
        Tip::Reached(end) => end,
        Tip::Ended(reason, _) => End::Dropped(reason),
        Tip::Flooded(from, passed, legs) => flood(graph, from, passed, &legs, stack, traveller),
    }
}

/// Where a branch stopped to be one line.
enum Tip {
    /// It ended for a reason. With the leg that a flood had sent it from.
    Ended(Reason, Option<Leg>),
    /// A device sent it out of all these legs.
    Flooded(Leg, u8, LegSet),
    /// It reached somebody.
    Reached(End),
}

/// Follows one copy from device to device for as long as it stays one copy.
#[inline]
fn follow(graph: &Graph, mut branch: Branch, traveller: &mut impl Traveller) -> Tip {
    loop {
        let at = branch.at;
        traveller.note(Step::Arrive(at));
        if branch.passed == DEVICES_MAX {
            traveller.note(Step::Drop(Reason::HopLimit));
            return Tip::Ended(Reason::HopLimit, branch.from);
        }
        branch.passed += 1;
        let leg = match traveller.ask(at) {
            Verdict::Consume => return Tip::Reached(End::Consumed),
            Verdict::Drop(reason) => return Tip::Ended(reason, branch.from),
            Verdict::Flood(legs) => return Tip::Flooded(at, branch.passed, legs),
            Verdict::Forward(leg) => leg,
            Verdict::Park => return Tip::Reached(End::Parked),
        };
        match graph.wire(Leg { leg, ..at }) {
            Some(Wire::Link(peer)) => branch.at = peer,
            Some(Wire::Port(port)) => {
                traveller.deliver(port);
                return Tip::Reached(End::Sent);
            }
            None => {
                traveller.note(Step::Drop(Reason::NoPort));
                return Tip::Ended(Reason::NoPort, branch.from);
            }
        }
    }
}

/// Delivers to the ports of a flood and walks its branches on. Flooded is what reached somebody; else the frame ended
/// for the reason that all branches gave, or because there is no port if they differ.
#[inline(never)]
fn flood(
    graph: &Graph,
    from: Leg,
    passed: u8,
    legs: &LegSet,
    stack: &mut Vec<Branch>,
    traveller: &mut impl Traveller,
) -> End {
    stack.clear();
    let mut reached = spread(graph, from, passed, legs, stack, traveller);
    let mut common = None;
    while let Some(branch) = stack.pop() {
        match follow(graph, branch, traveller) {
            Tip::Reached(_) => reached = true,
            Tip::Flooded(at, passed, legs) => reached |= spread(graph, at, passed, &legs, stack, traveller),
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
fn spread(
    graph: &Graph,
    at: Leg,
    passed: u8,
    legs: &LegSet,
    stack: &mut Vec<Branch>,
    traveller: &mut impl Traveller,
) -> bool {
    let mut reached = false;
    for leg in legs.iter() {
        let from = Leg { leg, ..at };
        match graph.wire(from) {
            Some(Wire::Link(peer)) => stack.push(Branch { at: peer, from: Some(from), passed }),
            Some(Wire::Port(port)) => {
                traveller.deliver(port);
                reached = true;
            }
            None => {}
        }
    }
    reached
}
