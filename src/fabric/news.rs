//! What happens inside the devices, for those who watch.

use super::Fabric;
use crate::bridge::Event;
use crate::frame::{Leg, LegIndex, NodeId, Plug};

/// Something that happened, with the names that legs have outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// The device it happened in.
    pub node: NodeId,
    /// What happened.
    pub event: Event,
    /// What is plugged into the leg that the event names first; `None` if it has been taken out since.
    pub at: Option<Plug>,
    /// The same for the leg it names second.
    pub to: Option<Plug>,
}

impl Fabric {
    /// Whether somebody wants to know what happens: it is noted from now on, or no longer.
    pub fn watch(&mut self, watched: bool) {
        self.outbox.watch(watched);
    }

    /// Hands out what happened since this was last asked, oldest first; says how much more could not be noted.
    pub fn news(&mut self, mut tell: impl FnMut(News)) -> u64 {
        let Self { outbox, graph, .. } = self;
        let (events, lost) = outbox.events();
        for (node, event) in events {
            let plug = |leg: Option<LegIndex>| graph.plug(Leg { node, leg: leg? });
            let (at, to) = event.legs();
            tell(News { node, event, at: plug(at), to: plug(to) });
        }
        lost
    }
}
