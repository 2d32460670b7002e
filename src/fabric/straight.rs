//! The straight part of a walk: from device to device for as long as there is nothing to ask.
//!
//! Most frames are between stations that are known, and of flows that are. Devices have a shortcut for those
//! ([`crate::bridge::Bridge::shortcut`], [`crate::router::Router::shortcut`]), and a frame that takes nothing but shortcuts
//! is one copy that nobody edits; so none of the state is needed in which [`super::walk`] carries a frame that may become
//! many. Where a device has no shortcut for it, the walk goes on from there.

use super::Node;
use super::agenda::Agenda;
use super::graph::{Graph, Wire};
use super::walk::{Branch, DEVICES_MAX};
use crate::frame::{Batch, Edit, Headers, Leg, Passage, PortId};
use crate::time::Time;

/// The port that a frame reaches, if there is anything where it leaves; or where it has come so far. `headers` are what it says when it gets there.
#[inline]
pub(super) fn straight(
    graph: &Graph,
    (nodes, agenda): (&mut [Option<Node>], &mut Agenda),
    (batch, index): (&mut Batch, usize),
    entry: Leg,
    headers: &mut Headers,
    now: Time,
) -> Result<Option<PortId>, Branch> {
    let mut at = entry;
    for passed in 0..DEVICES_MAX {
        let stopped = || Err(Branch::stopped(at, passed, index as u16));
        let Some(Some(node)) = nodes.get_mut(usize::from(at.node.0)) else { return stopped() };
        agenda.touch(at.node);
        let frame = batch.frame_mut(index);
        let passage = Passage { bytes: frame.bytes(), edit: &Edit::NONE, headers };
        let leg = match node {
            Node::Bridge(bridge) => {
                let Some(leg) = bridge.shortcut(at.leg, &passage, now) else { return stopped() };
                leg
            }
            Node::Router(router) => {
                let along = router.shortcut(at.leg, &passage, &frame.offload, now);
                let Some(along) = along else { return stopped() };
                along.write(frame.bytes_mut(), headers.payload);
                (headers.src, headers.dst) = along.ends;
                along.leg
            }
        };
        match graph.wire(Leg { leg, ..at }) {
            Some(Wire::Port(port)) => return Ok(Some(port)),
            Some(Wire::Link(peer, _)) => at = peer,
            None => return Ok(None),
        }
    }
    Err(Branch::stopped(at, DEVICES_MAX, index as u16))
}
