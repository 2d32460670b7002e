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

    /// The engine where the port or end of a wire of that name lives.
    pub(super) fn engine_of(&self, leg: &str) -> usize {
        self.plan.leg(leg).map_or(0, |leg| self.placement.engine(leg.network))
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

    /// Sees to it that the engines have the threads that the ports' queues ask for, as far as there may be so many: each engine
    /// has one in any case.
    pub(super) fn staff(&mut self, plan: &Plan) {
        let mut spare = plan.threads.unwrap_or_else(cpus).saturating_sub(self.engines.len());
        for engine in 0..self.engines.len() {
            let here = plan.ports.iter().filter(|port| self.placement.engine(&port.network) == engine);
            let queues = here.map(|port| port.queues.get()).max().unwrap_or(1);
            let more = (queues - 1).min(spare);
            spare -= more;
            if let Err(error) = self.engines.staff(engine, 1 + more) {
                (self.log)(&format!("queues have to do with fewer threads than {}: {error}", 1 + more));
            }
        }
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
