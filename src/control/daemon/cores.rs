//! Which engine is asked about what, and moving islands from one to the other.
//!
//! Whatever is asked about has a name, a name belongs to a network or a router, and each of these lives on one engine
//! ([`crate::control::placement`]). What an engine says at one moment belongs together; what two of them say does not, and
//! need not: their networks have nothing to do with each other.

use std::num::NonZero;
use std::thread::available_parallelism;

use super::Instance;
use crate::control::placement::Placement;
use crate::control::plan::Plan;
use crate::engine::{ENGINES_MAX, Stopped, Switch};
use crate::frame::NodeId;

impl Instance {
    /// Runs `work` where that network or router lives.
    pub(super) fn at<T: Send + 'static>(
        &self,
        device: &str,
        work: impl FnOnce(&mut Switch) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.engines.with(self.placement.engine(device), work)
    }

    /// Runs `work` where the port or end of a wire of that name lives.
    pub(super) fn at_leg<T: Send + 'static>(
        &self,
        leg: &str,
        work: impl FnOnce(&mut Switch) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.at(self.plan.leg(leg).map_or("", |leg| leg.network), work)
    }

    /// Runs `work` for each network where it lives; the results are in the order of the plan.
    pub(super) fn each_network<T: Send + 'static, W: FnOnce(&mut Switch) -> T + Send + 'static>(
        &self,
        work: impl Fn(NodeId, &str) -> W,
    ) -> Result<Vec<T>, Stopped> {
        self.nodes().iter().map(|(node, name)| self.at(name, work(*node, name))).collect()
    }

    /// Sees to it that there are enough engines for a plan; how many it may be spread over.
    pub(super) fn room(&mut self, plan: &Plan) -> usize {
        let most = plan.threads.unwrap_or_else(cpus).min(ENGINES_MAX);
        let wanted = plan.islands().len().clamp(1, most);
        if let Err(error) = self.engines.grow(wanted) {
            let engines = self.engines.len();
            (self.log)(&format!("{engines} threads have to do instead of {wanted}: {error}"));
        }
        self.engines.len().min(most)
    }

    /// Hands over what does not live where it is to live.
    ///
    /// # Errors
    /// [`Stopped`] if an engine has ended.
    pub(super) fn settle_in(&mut self, mut next: Placement) -> Result<(), Stopped> {
        for ((from, to), devices) in self.placement.moves(&next) {
            let nodes = devices.iter().filter_map(|name| self.registry.node(name)).collect();
            let moved = self.engines.hand_over(nodes, from, to)?;
            debug_assert!(moved, "what moves together is all that is wired together: {devices:?}");
            if !moved {
                next.keep(devices, from);
            }
        }
        self.placement = next;
        Ok(())
    }
}

/// How many threads run at the same time; the system may allow us fewer than there are.
fn cpus() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}
